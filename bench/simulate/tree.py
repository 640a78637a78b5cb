"""The tree over wide-area links, event by event: latency, queues, a node that is silent.

Questions come at random (Poisson), evenly to the recursive nodes. Which ones miss, and
for which of them the place of the prefix has to be asked for, is drawn with the chances
that `bench.simulate.nation` computes for caches in the long run; the event simulation
adds what formulas do not give: queues at every node, the bound of resolutions under
way, and what happens to everybody else while one node says nothing.
"""

import bisect
import itertools
import random
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, NamedTuple

import simpy

from bench.simulate.assumptions import Nation
from bench.simulate.measured import Costs
from bench.simulate.nation import Loads, node_shares
from bench.simulate.stations import Latencies, Process, Station

Walk = Generator[simpy.Event, Any, bool]
"""Gives whether the question was answered."""

MAX_QUESTIONS = 60_000
MAX_SECONDS = 20.0
_MILLI = 1e-3


class Seen(NamedTuple):
    """What a simulated load on the tree showed."""

    questions: int
    failed: int
    """About identifiers of the silent node."""

    shed: int
    """Turned away because too many resolutions were under way, whoever was asked for."""

    innocent_misses: int
    """Questions that missed the cache and were not about the silent node."""

    innocent_shed: int
    p50_ms: float
    p99_ms: float
    p999_ms: float
    hit_p50_ms: float
    miss_p50_ms: float
    busy: dict[str, float]
    """Share of the tier's cores that was busy; of secondary nodes at the busiest."""

    def as_dict(self) -> dict[str, object]:
        """Give it as JSON members."""
        return self._asdict()


@dataclass(slots=True)
class _RecursiveNode:
    station: Station
    flights: int = 0


class TreeSimulation:
    """One run of the tree at one level."""

    def __init__(
        self,
        nation: Nation,
        costs: Costs,
        loads: Loads,
        seed: int,
        *,
        nodes: int | None = None,
    ) -> None:
        """Set a tree up; with `nodes`, so many of the recursive ones and their load."""
        nodes = nodes or loads.recursive_nodes
        self._rate = loads.level.per_second * nodes / loads.recursive_nodes
        self._nation, self._costs, self._loads = nation, costs, loads
        self._dice = random.Random(seed)
        self._environment = environment = simpy.Environment()
        self._recursive = [_RecursiveNode(Station(environment)) for _ in range(nodes)]
        secondaries = loads.tree.secondaries
        self._top = Station(environment, loads.cores["top"])
        self._secondaries = [
            Station(environment, loads.cores["secondary"]) for _ in range(secondaries)
        ]
        shares = node_shares(secondaries, nation.node_exponent)
        self._bounds = list(itertools.accumulate(shares))
        self._all, self._hits, self._misses = Latencies(), Latencies(), Latencies()
        self._counts: Counter[str] = Counter()
        self._silent: int | None = None
        lookups = (1 - loads.hit_rate) * (1 - loads.place_known)
        asked = lookups * loads.level.per_second
        self._top_share = min(1.0, loads.top / asked) if asked else 0.0

    def run(self, *, silent: int | None = None) -> Seen:
        """Put the level's load on; `silent` is a secondary node that says nothing.

        The load lasts long enough for resolutions that wait to pile up.
        """
        self._silent = silent
        rate = self._rate
        seconds = min(MAX_SECONDS, MAX_QUESTIONS / rate)
        if silent is not None:
            # A few times as long as one of them waits, at whatever cost.
            seconds = max(seconds, 3 * self._nation.silent_seconds)
        self._environment.process(self._arrive(rate, seconds))
        self._environment.run(until=seconds)
        return self._seen(seconds)

    def _arrive(self, rate: float, seconds: float) -> Process:
        environment, dice = self._environment, self._dice
        nodes = itertools.cycle(self._recursive)
        while environment.now < seconds:
            yield environment.timeout(dice.expovariate(rate))
            environment.process(self._question(next(nodes)))

    def _question(self, node: _RecursiveNode) -> Process:
        environment, dice = self._environment, self._dice
        nation, loads = self._nation, self._loads
        started = environment.now
        self._counts["questions"] += 1
        yield environment.timeout(nation.client_ms / 2 * _MILLI)
        if dice.random() < loads.hit_rate:
            yield node.station.work(self._costs.cached)
            latencies = self._hits
        else:
            answered = yield from self._miss(node)
            if not answered:
                return
            latencies = self._misses
        yield environment.timeout(nation.client_ms / 2 * _MILLI)
        took = environment.now - started
        latencies.seconds.append(took)
        self._all.seconds.append(took)

    def _miss(self, node: _RecursiveNode) -> Walk:
        """Find the answer elsewhere, unless too much is under way."""
        dice, costs = self._dice, self._costs
        owner = bisect.bisect_left(self._bounds, dice.random())
        innocent = owner != self._silent
        self._counts["innocent"] += innocent
        yield node.station.work(costs.asking)
        if node.flights >= self._nation.flights:
            self._counts["shed"] += 1
            self._counts["innocent shed"] += innocent
            return False
        node.flights += 1
        try:
            return (yield from self._walk(node, owner))
        finally:
            node.flights -= 1

    def _walk(self, node: _RecursiveNode, owner: int) -> Walk:
        nation, costs, dice = self._nation, self._costs, self._dice
        known = dice.random() < self._loads.place_known
        self_run = dice.random() < nation.self_run_share
        if owner == self._silent and not (known and self_run):
            yield self._environment.timeout(nation.silent_seconds)
            self._counts["failed"] += 1
            return False
        secondary = self._secondaries[owner]
        if not known:
            if dice.random() < self._top_share:
                yield from self._hop(node, self._top, nation.top_ms, costs.again)
            yield from self._hop(node, secondary, nation.secondary_ms, costs.again)
        if self_run:
            # Each enterprise has its own node, far from being busy.
            yield self._environment.timeout(nation.enterprise_ms * _MILLI)
            yield node.station.work(costs.hop)
        else:
            yield from self._hop(node, secondary, nation.secondary_ms, costs.answering)
        return True

    def _hop(
        self, node: _RecursiveNode, station: Station, there_ms: float, work: float
    ) -> Process:
        """Ask a node and take its answer."""
        yield self._environment.timeout(there_ms / 2 * _MILLI)
        yield station.work(work)
        yield self._environment.timeout(there_ms / 2 * _MILLI)
        yield node.station.work(self._costs.hop)

    def _seen(self, seconds: float) -> Seen:
        counts = self._counts
        cores = self._loads.cores["secondary"]
        stations = [node.station for node in self._recursive]
        return Seen(
            counts["questions"],
            counts["failed"],
            counts["shed"],
            counts["innocent"],
            counts["innocent shed"],
            self._all.quantile(0.5) / _MILLI,
            self._all.quantile(0.99) / _MILLI,
            self._all.quantile(0.999) / _MILLI,
            self._hits.quantile(0.5) / _MILLI,
            self._misses.quantile(0.5) / _MILLI,
            {
                "recursive": _busy(stations, seconds) / len(stations),
                "top": _busy([self._top], seconds) / self._loads.cores["top"],
                "secondary": max(
                    _busy([station], seconds) / cores for station in self._secondaries
                ),
            },
        )


def _busy(stations: list[Station], seconds: float) -> float:
    return sum(station.busy_seconds for station in stations) / seconds
