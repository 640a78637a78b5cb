"""`python -m bench`: measure what the README says, on this machine.

Prints a table and, with `--json`, one JSON document. Each figure has its bound from the
design; the exit code is 0 whether or not it is met, because a busy machine is no error.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Iterable

from bench.figures import Figure, measure
from bench.machine import describe_machine
from resolver.commands.console import show, table


def main(arguments: Iterable[str] | None = None) -> int:
    """Measure everything, or what is named."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="JSON on stdout")
    parser.add_argument("--rounds", type=int, default=3, help="per figure, default 3")
    options = parser.parse_args(list(arguments) if arguments is not None else None)
    figures = list(measure(options.rounds))
    if options.json:
        found = {
            "machine": describe_machine(),
            "figures": [f.as_dict() for f in figures],
        }
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
        return 0
    _show(figures)
    return 0


def _show(figures: list[Figure]) -> None:
    made = table(
        str(describe_machine()), "figure", "median", "spread", "bound", "met", "unit"
    )
    for figure in figures:
        made.add_row(
            figure.name,
            f"{statistics.median(figure.rounds):,.2f}",
            f"{min(figure.rounds):,.2f} to {max(figure.rounds):,.2f}",
            f"{'≥' if figure.at_least else '≤'} {figure.bound:,}",
            "[green]yes[/]" if figure.met else "[red]no[/]",
            figure.unit,
        )
    show(made)


if __name__ == "__main__":
    sys.exit(main())
