"""The answers: what `simulate.json` holds besides the validation."""

from bench.simulate import failures
from bench.simulate.assumptions import Nation
from bench.simulate.formulas import servers_needed
from bench.simulate.measured import Costs, Json
from bench.simulate.nation import Capacity, Loads, Tree, levels, trees
from bench.simulate.popularity import zipf
from bench.simulate.tree import TreeSimulation

_CACHES = (1e5, 1e6, 1e7, 1e8)
_EXPONENTS = (0.8, 1.0, 1.2)
_OCTETS_PER_ENTRY = 400
"""Of a packet cache: a million entries in 400 MiB is what it is built for."""

_DAY = 86_400


def answer(nation: Nation, costs: Costs, step: Json, seed: int) -> Json:
    """Ask the model everything; `step` is the one that costs are from."""
    found: list[Loads] = []
    saturation = []
    simulated = []
    failed: dict[str, list[Json]] = {"silent": [], "restart": []}
    for tree in trees(nation):
        capacity = Capacity(nation, costs, tree)
        saturation.append(
            {"secondaries": tree.secondaries, "full_at": capacity.saturation()}
        )
        for level in levels(nation):
            loads = capacity.loads(level)
            found.append(loads)
            simulated.append(_simulate(nation, costs, loads, seed))
            if level.peak:
                failed["silent"].append(
                    failures.silent_secondary(nation, costs, loads, seed)
                )
                failed["restart"].append(_restart(nation, costs, capacity, loads))
    return {
        "assumptions": nation.listed(),
        "loads": [loads.as_dict() for loads in found],
        "saturation": saturation,
        "simulated": simulated,
        "links": _links(nation, costs),
        "caches": _caches(nation),
        "storage": _storage(nation, step),
        "failures": {
            **failed,
            "top_lost": [
                {"hours": hours, "share_lost": failures.top_lost(nation, hours)}
                for hours in (1, 6, 12, 24)
            ],
        },
    }


def _simulate(nation: Nation, costs: Costs, loads: Loads, seed: int) -> Json:
    seen = TreeSimulation(nation, costs, loads, seed).run()
    about = {"level": loads.level.name, "secondaries": loads.tree.secondaries}
    return {**about, **seen.as_dict()}


def _restart(nation: Nation, costs: Costs, capacity: Capacity, loads: Loads) -> Json:
    rows = failures.restarted(nation, costs, capacity, loads)
    return {
        "level": loads.level.name,
        "secondaries": loads.tree.secondaries,
        "recursive_nodes": loads.recursive_nodes,
        "after": [row._asdict() for row in rows],
    }


def _links(nation: Nation, costs: Costs) -> Json:
    """Say what a secondary node needs that gets what its link carries, all new."""
    rate = nation.secondary_per_second
    wanted = {"link": rate, "link_with_headroom": nation.headroom * rate}
    return {
        name: {
            "per_second": per_second,
            "busy_cores": per_second * costs.answering,
            "cores": servers_needed(
                per_second,
                costs.answering,
                utilisation=nation.utilisation,
                spare=int(nation.spare),
            ),
        }
        for name, per_second in wanted.items()
    }


def _caches(nation: Nation) -> list[Json]:
    """Say what caches of other sizes would hit, for other skews of popularity."""
    rate = nation.resolutions_per_day / _DAY * nation.peak_factor
    found = []
    for tree in trees(nation):
        for exponent in _EXPONENTS:
            popularity = zipf(int(tree.identifiers), exponent)
            found += [
                {
                    "identifiers": tree.identifiers,
                    "exponent": exponent,
                    "entries": entries,
                    "memory_gib": entries * _OCTETS_PER_ENTRY / (1 << 30),
                    "hit_rate": popularity.hit_rate(rate, nation.ttl_seconds, entries),
                }
                for entries in _CACHES
            ]
    return found


def _storage(nation: Nation, step: Json) -> list[Json]:
    return [_stored(tree, step) for tree in trees(nation)]


def _stored(tree: Tree, step: Json) -> Json:
    """Say what registering all identifiers takes, at the measured rates."""
    octets = step.get("disk_octets_per_identifier") or 0.0
    per_second = step.get("registrations_per_second") or 0.0
    each = tree.identifiers / tree.secondaries
    return {
        "secondaries": tree.secondaries,
        "identifiers": tree.identifiers,
        "identifiers_per_node": each,
        "disk_octets_per_identifier": octets,
        "disk_gib_per_node": each * octets / (1 << 30),
        "days_to_register_on_one_core": (
            tree.identifiers / per_second / _DAY if per_second else None
        ),
    }
