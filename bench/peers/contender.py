"""One server under one kind of load, and what a round with it came to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from bench.serving import cpu_seconds

WARM_UP_SECONDS = 0.2


class Tally(NamedTuple):
    """What became of the requests that were sent."""

    right: int
    wrong: int
    """Answered with something else than the one right reply."""

    lost: int
    seconds: float


Ask = Callable[[float], Tally]
"""Asks for so many seconds; returns when the last answer is there or given up."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A server, and how it is asked."""

    section: str
    """Kind of load: udp, tcp64 (in flight on one connection) or tcp1."""

    name: str
    pid: int
    ask: Ask


class Round(NamedTuple):
    """One measurement."""

    cpu_us_per_query: float
    """CPU time of the server for each right answer, in microseconds."""

    qps: float
    busy: float
    """Share of one core that the server took; 1.0: it could not have done more."""

    wrong: int
    lost: int


def measure(contender: Contender, seconds: float) -> Round:
    """Ask once, after a short time that does not count.

    Raises:
        RuntimeError: Nothing was answered rightly.
    """
    contender.ask(min(WARM_UP_SECONDS, seconds))
    # What asks prepares before it sends and rests after the last answer, so the wall
    # time is its own, of sending; in between the server only sleeps.
    before = cpu_seconds(contender.pid)
    tally = contender.ask(seconds)
    took = cpu_seconds(contender.pid) - before
    if not tally.right:
        message = (
            f"{contender.section} {contender.name}: no right answer, "
            f"{tally.wrong} wrong and {tally.lost} lost"
        )
        raise RuntimeError(message)
    return Round(
        cpu_us_per_query=took / tally.right * 1e6,
        qps=tally.right / tally.seconds,
        busy=took / tally.seconds,
        wrong=tally.wrong,
        lost=tally.lost,
    )


def measure_rounds(
    contenders: list[Contender],
    rounds: int,
    seconds: float,
    tell: Callable[[int, Contender], None],
) -> dict[tuple[str, str], list[Round]]:
    """Measure everybody once, then everybody again, `rounds` times.

    Every other round goes backwards, so that a machine that gets slower or faster does
    so for all alike. `tell` hears of each measurement before it begins.
    """
    found: dict[tuple[str, str], list[Round]] = {
        (contender.section, contender.name): [] for contender in contenders
    }
    for number in range(rounds):
        for contender in contenders if number % 2 == 0 else reversed(contenders):
            tell(number, contender)
            outcome = measure(contender, seconds)
            found[contender.section, contender.name].append(outcome)
    return found
