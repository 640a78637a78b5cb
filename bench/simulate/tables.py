"""Results of the simulation on the terminal."""

from collections.abc import Sequence

from bench.simulate.measured import Json
from bench.simulate.validation import WITHIN, Row
from resolver.commands.console import show, table


def show_validation(rows: Sequence[Row]) -> None:
    """Print what was predicted and what was measured."""
    made = table(
        f"the model and the measurement, to agree within {WITHIN:.0%}",
        *("series", "nodes", "mix", "quantity", "measured", "predicted"),
        *("off by", "agrees"),
    )
    for row in rows:
        agrees = "[green]yes[/]" if row.agrees else "[red]no[/]"
        made.add_row(
            row.series,
            str(row.secondaries),
            row.mix,
            row.quantity,
            f"{_shown(row.measured)}{_unit(row.unit)}",
            f"{_shown(row.predicted)}{_unit(row.unit)}",
            f"{row.deviation:+.1%}",
            f"not judged: {row.not_judged}" if row.not_judged else agrees,
        )
    show(made)


def show_answers(found: Json) -> None:
    """Print loads, limits and failures."""
    show(_loads(found))
    show(_limits(found))
    show(_latencies(found))
    show(_caches(found))
    show(_silent(found))
    show(_restarts(found))


def _loads(found: Json) -> object:
    made = table(
        "what each tier gets, and the cores it needs",
        *("load", "questions/s", "nodes", "hit rate", "top/s", "busiest secondary/s"),
        *("cores: recursive", "top", "busiest secondary"),
    )
    for row in found["loads"]:
        made.add_row(
            row["level"],
            f"{row['per_second']:,.0f}",
            str(row["secondaries"]),
            f"{row['hit_rate']:.0%}",
            f"{row['top_per_second']:,.2f}",
            f"{row['secondary_busiest_per_second']:,.0f}",
            *(str(row["cores"][tier]) for tier in ("recursive", "top", "secondary")),
        )
    return made


def _limits(found: Json) -> object:
    made = table(
        "questions/s on the tree at which ONE core of a tier is full",
        *("nodes", "recursive", "busiest secondary", "top"),
    )
    for row in found["saturation"]:
        full = row["full_at"]
        tiers = ("recursive", "secondary", "top")
        made.add_row(str(row["secondaries"]), *(f"{full[tier]:,.0f}" for tier in tiers))
    return made


def _latencies(found: Json) -> object:
    made = table(
        "simulated over wide-area links",
        *("load", "nodes", "p50", "p99", "p99.9", "hit p50", "miss p50", "busy"),
    )
    for row in found["simulated"]:
        made.add_row(
            row["level"],
            str(row["secondaries"]),
            *(f"{row[name]:.1f} ms" for name in ("p50_ms", "p99_ms", "p999_ms")),
            *(f"{row[name]:.1f} ms" for name in ("hit_p50_ms", "miss_p50_ms")),
            f"{row['busy']['recursive']:.0%}",
        )
    return made


def _caches(found: Json) -> object:
    made = table(
        "hit rate of a recursive node, by the size of its cache",
        *("identifiers", "Zipf exponent", "entries", "memory", "hit rate"),
    )
    for row in found["caches"]:
        made.add_row(
            f"{row['identifiers']:,.0f}",
            f"{row['exponent']:.1f}",
            f"{row['entries']:,.0f}",
            f"{row['memory_gib']:.1f} GiB",
            f"{row['hit_rate']:.0%}",
        )
    return made


def _silent(found: Json) -> object:
    made = table(
        "the busiest secondary node says nothing",
        *("load", "nodes", "its identifiers", "waiting/s at a node", "limit"),
        "other misses turned away",
    )
    for row in found["failures"]["silent"]:
        made.add_row(
            row["level"],
            str(row["secondaries"]),
            f"{row['share_of_identifiers']:.0%}",
            f"{row['waiting_per_second_and_node']:,.0f}",
            f"{row['limit_per_second_and_node']:,.0f}",
            f"{row['others_turned_away']:.0%}",
        )
    return made


def _restarts(found: Json) -> object:
    made = table(
        "a recursive node restarts with empty caches: cores that its load keeps busy",
        *("load", "nodes", "at once", "1 s", "10 s", "1 min", "10 min", "1 h"),
    )
    for row in found["failures"]["restart"]:
        made.add_row(
            row["level"],
            str(row["secondaries"]),
            *(f"{after['busy']:.2f}" for after in row["after"]),
        )
    return made


def _shown(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _unit(unit: str) -> str:
    return {"us": " µs", "/s": "/s"}.get(unit, unit)
