"""What the peers came to: ratios against goals, `peers.json` and a table.

A ratio is taken within each round, where both sides met the same machine, and the
median over the rounds counts.
"""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rich.table import Table

from bench.peers.contender import Round
from resolver.commands.console import table

VERSION = 1
SECTIONS = ("udp", "tcp64", "tcp1")
NAMES = ("echo", "fast", "knot", "fast-dns", "nsd", "redis", "slow", "slow-dns", "http")
"""The order in which they are measured and shown: what is compared, close together;
others follow."""

Found = Mapping[tuple[str, str], Sequence[Round]]
"""Rounds by section and name."""


class Goal(NamedTuple):
    """A ratio of one contender to another in the same section, and its bound."""

    section: str
    name: str
    other: str
    figure: str
    """`cpu_us_per_query` or `qps`."""

    bound: float | None = None
    """None is no goal: the ratio is told to understand another one."""

    at_least: bool = False

    @property
    def title(self) -> str:
        """Name it as in `peers.json`."""
        kind = "cpu" if self.figure == "cpu_us_per_query" else "qps"
        parts = self.section, self.name, "to", self.other, kind
        return "_".join(parts).replace("-", "_")

    def is_met(self, ratio: float) -> bool | None:
        """Tell whether a ratio keeps the bound; None when there is none."""
        if self.bound is None:
            return None
        return ratio >= self.bound if self.at_least else ratio <= self.bound


GOALS = (
    Goal("udp", "fast", "echo", "cpu_us_per_query", 1.15),
    Goal("udp", "fast", "knot", "cpu_us_per_query", 1.0),
    Goal("udp", "fast", "nsd", "cpu_us_per_query", 1.0),
    Goal("udp", "fast-dns", "knot", "cpu_us_per_query", 1.0),
    Goal("udp", "fast-dns", "nsd", "cpu_us_per_query", 1.0),
    Goal("tcp64", "fast", "redis", "qps", 2.0, at_least=True),
    Goal("tcp1", "fast", "redis", "qps", 1.0, at_least=True),
    Goal("tcp64", "fast", "redis", "cpu_us_per_query"),
    Goal("tcp1", "fast", "redis", "cpu_us_per_query"),
    Goal("udp", "fast", "slow", "cpu_us_per_query"),
)


class Ratio(NamedTuple):
    """A goal's ratio in each round."""

    goal: Goal
    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The ratio that counts."""
        return statistics.median(self.rounds)

    @property
    def met(self) -> bool | None:
        """Whether it keeps its bound; None when it has none."""
        return self.goal.is_met(self.median)


def ratios_of(found: Found) -> list[Ratio]:
    """Compute the ratios of all goals of which both sides were measured."""
    made = []
    for goal in GOALS:
        ours = found.get((goal.section, goal.name), ())
        theirs = found.get((goal.section, goal.other), ())
        pairs = zip(ours, theirs, strict=False)
        rounds = tuple(
            getattr(one, goal.figure) / getattr(other, goal.figure)
            for one, other in pairs
        )
        if rounds:
            made.append(Ratio(goal, rounds))
    return made


def document(
    found: Found, absent: Mapping[str, str], about: Mapping[str, Any]
) -> dict[str, Any]:
    """Make `peers.json`.

    Args:
        found: What was measured.
        absent: Why others were not, by name.
        about: Members that say of what run this is: machine, commit, quick.
    """
    sections: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    for (section, name), rounds in _in_order(found):
        sections[section][name] = _entry(rounds)
    ratios = {ratio.goal.title: _ratio_entry(ratio) for ratio in ratios_of(found)}
    return {
        "version": VERSION,
        **sections,
        "ratios": ratios,
        "absent": dict(absent),
        **about,
    }


def _entry(rounds: Sequence[Round]) -> dict[str, Any]:
    cpu = [outcome.cpu_us_per_query for outcome in rounds]
    qps = [outcome.qps for outcome in rounds]
    return {
        "cpu_us_per_query": statistics.median(cpu),
        "qps": statistics.median(qps),
        "busy": statistics.median(outcome.busy for outcome in rounds),
        "cpu_us_rounds": cpu,
        "qps_rounds": qps,
        "wrong": sum(outcome.wrong for outcome in rounds),
        "lost": sum(outcome.lost for outcome in rounds),
    }


def _ratio_entry(ratio: Ratio) -> dict[str, Any]:
    return {
        "figure": ratio.goal.figure,
        "median": ratio.median,
        "rounds": list(ratio.rounds),
        "bound": ratio.goal.bound,
        "at_least": ratio.goal.at_least,
        "met": ratio.met,
    }


def place(section: str, name: str) -> tuple[int, int]:
    """Give where a contender stands in the order of all."""
    known = name in NAMES
    return SECTIONS.index(section), NAMES.index(name) if known else len(NAMES)


def _in_order(found: Found) -> list[tuple[tuple[str, str], Sequence[Round]]]:
    return sorted(found.items(), key=lambda item: place(*item[0]))


def contenders_table(found: Found, title: str) -> Table:
    """Show what each contender came to."""
    made = table(title, "load", "server", "µs CPU/query", "spread", "queries/s")
    for name in ("spread", "core busy", "wrong", "lost"):
        made.add_column(name)
    for column in made.columns[2:]:
        column.justify = "right"
    ordered = _in_order(found)
    for at, ((section, name), rounds) in enumerate(ordered):
        entry = _entry(rounds)
        made.add_row(
            section,
            name,
            f"{entry['cpu_us_per_query']:,.2f}",
            _spread(entry["cpu_us_rounds"], ",.2f"),
            f"{entry['qps']:,.0f}",
            _spread(entry["qps_rounds"], ",.0f"),
            f"{entry['busy']:.0%}",
            str(entry["wrong"]),
            str(entry["lost"]),
            end_section=all(key[0] != section for key, _ in ordered[at + 1 :]),
        )
    return made


def ratios_table(found: Found) -> Table:
    """Show the ratios against their goals."""
    made = table("ratios", "load", "ratio", "of", "median", "spread", "goal", "met")
    for goal, rounds in ratios_of(found):
        ratio = Ratio(goal, rounds)
        made.add_row(
            goal.section,
            f"{goal.name} / {goal.other}",
            "throughput" if goal.figure == "qps" else "CPU time",
            f"{ratio.median:.2f}",
            _spread(rounds, ".2f"),
            _goal_text(goal),
            _VERDICTS[ratio.met],
        )
    return made


_VERDICTS = {True: "[green]yes[/]", False: "[red]no[/]", None: ""}


def _goal_text(goal: Goal) -> str:
    if goal.bound is None:
        return ""
    return f"{'≥' if goal.at_least else '≤'} {goal.bound:g}"


def _spread(values: Sequence[float], form: str) -> str:
    return f"{min(values):{form}} to {max(values):{form}}"
