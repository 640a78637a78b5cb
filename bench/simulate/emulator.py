"""The emulator under the generator's load, as a queueing model.

All nodes share one core. A question is a row of pieces of work on it, one after the
other: taken in by the recursive node, by each node that it asks, and by the recursive
node again; with a cached answer it is a single piece. Beside work there is what a core
spends on waking up when it was idle, and pauses, in which it does nothing for us
(garbage collection, other processes, the machine below a virtual one).

The generator sends at even intervals (open loop) or keeps a window (closed loop), as
`bench.blast` does.
"""

import random
from dataclasses import dataclass
from typing import NamedTuple

import simpy

from bench.growth.probing import MIN_ACHIEVED_SHARE
from bench.growth.search import RateSearch
from bench.simulate.stations import Latencies, Process, Station, pausing

SECONDS = 4.0
"""Simulated for one rate, if that is not too many questions."""

MIN_QUESTIONS = 2_000
MAX_QUESTIONS = 40_000
_PROBES = 9


@dataclass(frozen=True, slots=True)
class Mix:
    """What one question costs, in seconds."""

    pieces: tuple[float, ...]
    """CPU time of each piece of work, when the core is always busy."""

    wake: float = 0.0
    """CPU time more for a piece that finds the core idle."""

    base: float = 0.0
    """Time that is not the server's: kernel, loopback, generator."""

    pauses_per_second: float = 0.0
    pause: float = 0.0
    """Mean length of a pause."""

    @property
    def work(self) -> float:
        """CPU time of one question."""
        return sum(self.pieces)


class Shown(NamedTuple):
    """What a simulated load showed."""

    qps: float
    p50: float
    p99: float
    p999: float
    cpu: float
    """Seconds for one question, waking included."""

    woken: float
    """Pieces of work for one question that found the core idle."""


def open_loop(mix: Mix, rate: float, seed: int, seconds: float = SECONDS) -> Shown:
    """Send at even intervals."""
    count = int(min(MAX_QUESTIONS, max(MIN_QUESTIONS, rate * seconds)))
    environment = simpy.Environment()
    core, latencies = _core(environment, mix, seed)

    def send() -> Process:
        for _ in range(count):
            environment.process(_ask(environment, core, mix, latencies))
            yield environment.timeout(1 / rate)

    environment.process(send())
    return _run(environment, core, latencies, count)


def closed_loop(mix: Mix, window: int, seed: int) -> Shown:
    """Keep a window of questions under way."""
    count = int(min(MAX_QUESTIONS, max(MIN_QUESTIONS, SECONDS / mix.work)))
    environment = simpy.Environment()
    core, latencies = _core(environment, mix, seed)
    left = [count]

    def ask_on() -> Process:
        while left[0] > 0:
            left[0] -= 1
            yield from _ask(environment, core, mix, latencies)

    for _ in range(window):
        environment.process(ask_on())
    return _run(environment, core, latencies, count)


def highest_rate(mix: Mix, p99_limit: float, seed: int) -> float:
    """Search for the highest rate that keeps the limit, as `bench growth` does."""
    search = RateSearch(1 / mix.work, _PROBES, precision=0.005)
    while not search.done:
        rate = search.rate
        shown = open_loop(mix, rate, seed)
        held = shown.p99 <= p99_limit and shown.qps >= MIN_ACHIEVED_SHARE * rate
        search.tell(rate, holds=held)
    return search.held


def _core(
    environment: simpy.Environment, mix: Mix, seed: int
) -> tuple[Station, Latencies]:
    core = Station(environment, wake_seconds=mix.wake)
    dice = random.Random(seed)
    pauses = pausing(environment, core, mix.pauses_per_second, mix.pause, dice)
    environment.process(pauses)
    return core, Latencies()


def _ask(
    environment: simpy.Environment, core: Station, mix: Mix, latencies: Latencies
) -> Process:
    started = environment.now
    for piece in mix.pieces:
        yield core.work(piece)
    latencies.seconds.append(environment.now - started + mix.base)
    # The answer travels, the generator takes it and asks again.
    if mix.base:
        yield environment.timeout(mix.base)


def _run(
    environment: simpy.Environment, core: Station, latencies: Latencies, count: int
) -> Shown:
    # Pauses come for ever, so the end is when the last question is answered.
    while len(latencies.seconds) < count:
        environment.step()
    return Shown(
        count / environment.now,
        latencies.quantile(0.5),
        latencies.quantile(0.99),
        latencies.quantile(0.999),
        core.busy_seconds / count,
        core.woken / count,
    )
