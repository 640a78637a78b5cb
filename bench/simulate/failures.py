"""What fails when a node does: by formulas where there are, by events where not."""

from typing import NamedTuple

from bench.simulate.assumptions import Nation
from bench.simulate.measured import Costs, Json
from bench.simulate.nation import Capacity, Loads, node_shares
from bench.simulate.popularity import zipf
from bench.simulate.tree import TreeSimulation

_AFTER_SECONDS = (0.0, 1.0, 10.0, 60.0, 600.0, 3600.0)


class Restart(NamedTuple):
    """One recursive node, some time after its caches were emptied."""

    after_seconds: float
    hit_rate: float
    busy: float
    """Cores that its share of the load keeps busy; over 1, work piles up."""


def restarted(
    nation: Nation, costs: Costs, capacity: Capacity, loads: Loads
) -> list[Restart]:
    """Follow a recursive node whose caches are empty, at its share of the load."""
    rate = loads.level.per_second / loads.recursive_nodes
    places = zipf(loads.tree.secondaries, nation.node_exponent)
    found = []
    for seconds in _AFTER_SECONDS:
        # What was asked for the first time is what has been walked for.
        walked = capacity.identifiers.different(rate * seconds)
        hits = min(capacity.identifiers.hit_rate_after(rate * seconds), loads.hit_rate)
        misses = rate * (1 - hits)
        known = min(capacity.enterprises.hit_rate_after(walked), loads.place_known)
        lookups = misses * (1 - known)
        top = lookups * (1 - places.hit_rate_after(walked))
        busy = rate * hits * costs.cached + misses * costs.asking
        busy += (misses + lookups + top) * costs.hop
        found.append(Restart(seconds, hits, busy))
    return found


def silent_limit(nation: Nation) -> float:
    """Give the misses a second about silent nodes that fill a recursive node."""
    return nation.flights / nation.silent_seconds


def silent_secondary(nation: Nation, costs: Costs, loads: Loads, seed: int) -> Json:
    """Lose the busiest secondary node so that packets to it vanish."""
    share = node_shares(loads.tree.secondaries, nation.node_exponent)[0]
    misses = loads.level.per_second * (1 - loads.hit_rate) / loads.recursive_nodes
    waiting = misses * share * (1 - loads.place_known * nation.self_run_share)
    # One recursive node: the others fare alike.
    seen = TreeSimulation(nation, costs, loads, seed, nodes=1).run(silent=0)
    innocent = max(1, seen.innocent_misses)
    return {
        "level": loads.level.name,
        "secondaries": loads.tree.secondaries,
        "share_of_identifiers": share,
        "waiting_per_second_and_node": waiting,
        "limit_per_second_and_node": silent_limit(nation),
        "others_turned_away": seen.innocent_shed / innocent,
        "simulated": seen.as_dict(),
    }


def top_lost(nation: Nation, hours: float) -> float:
    """Expect the share of secondary prefixes that no longer can be found.

    Each place was learnt at some time of the last TTL, evenly, so places run out
    evenly. A popular prefix runs out like any other: its TTL is not renewed by use.
    """
    return min(1.0, hours * 3600 / nation.ttl_seconds)
