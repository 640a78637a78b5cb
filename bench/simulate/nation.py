"""Loads of each tier, by formulas: who gets which questions, and what that takes.

Questions go to the recursive tier. What its caches do not know becomes a question to
whoever keeps the identifier: the secondary node, which hosts it, or an enterprise's own
node. Where the place of an enterprise's prefix is not remembered either, the secondary
node is asked for it first, and the top node for the secondary's.
"""

from dataclasses import dataclass
from typing import NamedTuple

from bench.simulate.assumptions import Nation
from bench.simulate.formulas import servers_needed
from bench.simulate.measured import Costs
from bench.simulate.popularity import Popularity, zipf

MAX_PER_SECOND = 1e9
"""Where the search for a tier's limit ends: never full, then."""

_DAY = 86_400


class Level(NamedTuple):
    """A load on the recursive tier."""

    name: str
    per_second: float
    peak: bool = False
    """Whether failures are looked at under it."""


@dataclass(frozen=True, slots=True)
class Tree:
    """How large the tree is."""

    secondaries: int
    identifiers: float


@dataclass(frozen=True, slots=True)
class Loads:
    """What a level means for every tier, in questions a second."""

    level: Level
    tree: Tree
    recursive_nodes: int
    hit_rate: float
    place_known: float
    """Share of misses for which the enterprise's place is remembered."""

    top: float
    secondary_mean: float
    secondary_busiest: float
    enterprise: float
    """Of all self-run enterprises together."""

    busy: dict[str, float]
    """By tier: CPU seconds a second, that is cores kept busy; of the secondary nodes
    the busiest."""

    cores: dict[str, int]
    """By tier: cores that are needed; of the secondary nodes, at the busiest."""

    def as_dict(self) -> dict[str, object]:
        """Give it as JSON members."""
        return {
            "level": self.level.name,
            "per_second": self.level.per_second,
            "secondaries": self.tree.secondaries,
            "identifiers": self.tree.identifiers,
            "recursive_nodes": self.recursive_nodes,
            "hit_rate": self.hit_rate,
            "place_known": self.place_known,
            "top_per_second": self.top,
            "secondary_mean_per_second": self.secondary_mean,
            "secondary_busiest_per_second": self.secondary_busiest,
            "enterprise_per_second": self.enterprise,
            "busy": self.busy,
            "cores": self.cores,
        }


def levels(nation: Nation) -> tuple[Level, ...]:
    """List the loads that are looked at, from today's to what links are built for."""
    average = nation.resolutions_per_day / _DAY
    wuhan = average * nation.wuhan_share
    peak = average * nation.peak_factor
    return (
        Level("Wuhan's share, average", wuhan),
        Level("Wuhan's share, peak", wuhan * nation.peak_factor, peak=True),
        Level("the nation, average", average),
        Level("the nation, peak", peak, peak=True),
        Level("three times that peak", nation.headroom * peak, peak=True),
        Level("35 times a link's worth", 35 * nation.secondary_per_second),
    )


def trees(nation: Nation) -> tuple[Tree, ...]:
    """Give Wuhan's tree before and after."""
    return (
        Tree(14, nation.wuhan_identifiers),
        Tree(35, nation.grown_identifiers),
    )


def node_shares(secondaries: int, exponent: float) -> list[float]:
    """Give the share of identifiers at each secondary node, largest first."""
    weights = [rank**-exponent for rank in range(1, secondaries + 1)]
    return [weight / sum(weights) for weight in weights]


class Capacity:
    """Loads and capacities of a tree, given what single questions cost."""

    def __init__(self, nation: Nation, costs: Costs, tree: Tree) -> None:
        self._nation, self._costs, self.tree = nation, costs, tree
        self.identifiers: Popularity = zipf(int(tree.identifiers), nation.exponent)
        enterprises = int(tree.secondaries * nation.enterprises_per_secondary)
        self.enterprises: Popularity = zipf(enterprises, nation.exponent)
        self._busiest = node_shares(tree.secondaries, nation.node_exponent)[0]

    def loads(self, level: Level) -> Loads:
        """Say what a level means; the recursive tier gets the nodes that it needs."""
        nodes = 1
        while True:
            found = self._with(level, nodes)
            if found.cores["recursive"] <= nodes:
                return found
            nodes = found.cores["recursive"]

    def _with(self, level: Level, nodes: int) -> Loads:
        """Compute loads when so many recursive nodes share the questions evenly."""
        nation, costs, tree = self._nation, self._costs, self.tree
        each = level.per_second / nodes
        hits = self.identifiers.hit_rate(each, nation.ttl_seconds, nation.cache_entries)
        misses = each * (1 - hits)
        known = self.enterprises.hit_rate_in_turn(
            misses, nation.ttl_seconds, nation.delegations
        )
        lookups = misses * (1 - known)
        # The oldest entry gives way, so a secondary node's place too is lost as often
        # as the whole memory is renewed, or with its TTL.
        renewals = max(lookups / nation.delegations, 1 / nation.ttl_seconds)
        top = min(lookups, tree.secondaries * renewals)
        core = each * hits * costs.cached + misses * costs.asking
        core += (misses + lookups + top) * costs.hop
        # Hosted identifiers come from the store, places of prefixes again and again.
        hosted = misses * (1 - nation.self_run_share)
        asked = nodes * (hosted + lookups)
        working = nodes * (hosted * costs.answering + lookups * costs.again)
        busiest = self._busiest
        return Loads(
            level,
            tree,
            nodes,
            hits,
            known,
            nodes * top,
            asked / tree.secondaries,
            asked * busiest,
            nodes * misses * nation.self_run_share,
            {
                "recursive": nodes * core,
                "top": nodes * top * costs.again,
                "secondary": working * busiest,
            },
            {
                "recursive": self._cores(nodes * core),
                "top": self._cores(nodes * top * costs.again),
                "secondary": self._cores(working * busiest),
            },
        )

    def _cores(self, busy: float) -> int:
        nation = self._nation
        utilisation, spare = nation.utilisation, int(nation.spare)
        return servers_needed(busy, 1.0, utilisation=utilisation, spare=spare)

    def saturation(self) -> dict[str, float]:
        """Find, tier by tier, the load on the tree at which one core is full."""
        return {tier: self._full(tier) for tier in ("recursive", "secondary", "top")}

    def _full(self, tier: str) -> float:
        low, high = 0.0, MAX_PER_SECOND
        for _ in range(40):
            middle = (low + high) / 2
            if self._with(Level("", middle), 1).busy[tier] < 1:
                low = middle
            else:
                high = middle
        return high
