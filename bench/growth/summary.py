"""What the steps of a growth measurement come to: ratios, goals, noise. Pure.

Works on the members of `growth.json`, so that a document can be judged again.
"""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from bench.growth import plan as mixes

FLAT_WITHIN = 0.10
"""Goal: throughput and p99 of the last step within this of the first."""

MAX_MIB_PER_NODE = 8.0
MAX_START_SECONDS = 3.0
MAX_SLOWED_BY_REGISTRATIONS = 0.15
JUDGED = (mixes.CACHED, mixes.PREFIX_WARM, mixes.COLD)

Json = dict[str, Any]


def summarise(steps: Sequence[Json]) -> Json:
    """Compare each series' last step with its first, and both with the goals."""
    flat = {}
    for series in ("same", "growing"):
        of_series = [step for step in steps if step["series"] == series]
        if len(of_series) > 1:
            flat[series] = _compare(of_series[0], of_series[-1])
    return {
        "compared": flat,
        "goals": goals(steps, flat),
        "noise": noise(steps),
        "disturbed": disturbed(steps),
    }


def _compare(first: Json, last: Json) -> Json:
    """Give, mix by mix, what the last step has for each one of the first."""
    ratios = {}
    for mix in mixes.SEARCHED:
        one, other = first["mixes"].get(mix), last["mixes"].get(mix)
        if not one or not other:
            continue
        found = {
            "qps": _ratio(other["qps"], one["qps"]),
            "cpu": _ratio(other["cpu_us_per_query"], one["cpu_us_per_query"]),
        }
        if "steady" in one and "steady" in other:
            found["p99"] = _ratio(other["steady"]["p99_us"], one["steady"]["p99_us"])
            found["p50"] = _ratio(other["steady"]["p50_us"], one["steady"]["p50_us"])
        ratios[mix] = {
            **found,
            "flat": all(abs(ratio - 1) <= FLAT_WITHIN for ratio in found.values()),
        }
    ratios["registrations"] = {
        "qps": _ratio(
            last["registrations_per_second"], first["registrations_per_second"]
        )
    }
    return ratios


def _ratio(last: float | None, first: float | None) -> float:
    return last / first if last and first else 0.0


def goals(steps: Sequence[Json], compared: Mapping[str, Json]) -> list[Json]:
    """Judge what was to be reached, from the series with the same identifiers."""
    same = [step for step in steps if step["series"] == "same"]
    found = []
    for mix in JUDGED:
        ratios = compared.get("same", {}).get(mix)
        if not ratios:
            continue
        found.append(
            _goal("throughput", mix, ">=", 1 - FLAT_WITHIN, ratios["qps"], "ratio")
        )
        if "p99" in ratios:
            found.append(
                _goal("p99", mix, "<=", 1 + FLAT_WITHIN, ratios["p99"], "ratio")
            )
    first, last = same[0], same[-1]
    if last is not first:
        added = last["secondaries"] - first["secondaries"]
        grown = (last["resident_mib"] - first["resident_mib"]) / added
        found.append(_goal("memory", "", "<=", MAX_MIB_PER_NODE, grown, "MiB"))
    start = last["start_seconds"]
    found.append(_goal("start", "", "<=", MAX_START_SECONDS, start, "s"))
    cached, both = (
        last["mixes"].get(mix) for mix in (mixes.CACHED, mixes.WITH_REGISTRATIONS)
    )
    if cached and both:
        left = _ratio(both["qps"], cached["qps"])
        bound = 1 - MAX_SLOWED_BY_REGISTRATIONS
        found.append(_goal("registering", "", ">=", bound, left, "ratio"))
    return found


def _goal(
    name: str,
    mix: str,
    relation: str,
    bound: float,
    measured: float,
    unit: str,
) -> Json:
    met = measured >= bound if relation == ">=" else measured <= bound
    return {
        "name": name,
        "mix": mix,
        "relation": relation,
        "bound": bound,
        "measured": measured,
        "unit": unit,
        "met": met,
    }


def noise(steps: Sequence[Json]) -> dict[str, float]:
    """Give, mix by mix, how far rounds of one step lie apart, as a share of the median.

    What two steps differ by is to be seen against this.
    """
    found: dict[str, list[float]] = {}
    for step in steps:
        for mix, measured in step["mixes"].items():
            rounds = measured.get("qps_rounds", [])
            if len(rounds) > 1:
                middle = statistics.median(rounds)
                spread = (max(rounds) - min(rounds)) / middle if middle else 0.0
                found.setdefault(mix, []).append(spread)
    return {mix: statistics.median(spreads) for mix, spreads in found.items()}


def disturbed(steps: Sequence[Json]) -> float:
    """Give the share of saturating runs in which something else took the cores."""
    measured = [mix for step in steps for mix in step["mixes"].values()]
    searched = [mix for mix in measured if mix.get("qps_rounds")]
    rounds = sum(len(mix["qps_rounds"]) for mix in searched)
    taken = sum(mix["disturbed_rounds"] for mix in searched)
    return taken / rounds if rounds else 0.0
