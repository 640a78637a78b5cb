"""The results of growth on the terminal."""

from bench.growth import plan as mixes
from bench.growth.summary import Json
from resolver.commands.console import show, table

_TITLES = {
    mixes.CACHED: "cached",
    mixes.WITH_REGISTRATIONS: "cached + registrations",
    mixes.PREFIX_WARM: "prefix warm",
    mixes.COLD: "cold",
    mixes.AUTHORITATIVE: "authoritative",
}


def show_results(found: Json) -> None:
    """Print throughput, what a step costs, and the goals."""
    show(_throughput(found))
    show(_costs(found))
    show(_goals(found))


def _throughput(found: Json) -> object:
    limit = found["p99_limit_us"] / 1000
    made = table(
        f"highest rate with p99 ≤ {limit:g} ms, CPU per answer",
        *("series", "nodes", "identifiers"),
        *_TITLES.values(),
    )
    for step in found["steps"]:
        cells = (step["mixes"].get(mix) for mix in _TITLES)
        made.add_row(
            step["series"],
            str(step["secondaries"]),
            f"{step['identifiers']:,}",
            *(_rate(cell) if cell else "-" for cell in cells),
        )
    return made


def _rate(mix: Json) -> str:
    closed = " (closed loop)" if mix["offered_qps"] is None else ""
    return f"{mix['qps']:,.0f}/s {mix['cpu_us_per_query']:.0f} µs{closed}"


def _costs(found: Json) -> object:
    made = table(
        "what a step costs, and a node lost",
        *("series", "nodes", "ready", "resident", "registrations", "hit rate"),
        *("failed / expected", "regained"),
    )
    for step in found["steps"]:
        lost = step["mixes"].get(mixes.NODE_LOST)
        back = step["mixes"].get(mixes.NODE_REGAINED, {}).get("regained_seconds")
        natural = step["mixes"].get(mixes.NATURAL)
        rate = step["registrations_per_second"]
        made.add_row(
            step["series"],
            str(step["secondaries"]),
            f"{step['start_seconds']:.2f} s",
            f"{step['resident_mib']:.0f} MiB",
            f"{rate:,.0f}/s" if rate else "-",
            f"{natural['cache_hit_rate']:.0%}" if natural else "-",
            f"{lost['failed']} / {lost['failures_expected']}" if lost else "-",
            f"{back:.2f} s" if back is not None else "-",
        )
    return made


def _goals(found: Json) -> object:
    made = table("goals", "goal", "mix", "bound", "measured", "met")
    for goal in found["summary"]["goals"]:
        made.add_row(
            goal["name"],
            _TITLES.get(goal["mix"], ""),
            f"{'≥' if goal['relation'] == '>=' else '≤'} {goal['bound']:.2f} "
            f"{goal['unit']}",
            f"{goal['measured']:.2f}",
            "[green]yes[/]" if goal["met"] else "[red]no[/]",
        )
    return made
