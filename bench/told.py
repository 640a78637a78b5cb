"""How a command of the bench tells its figures: a file, JSON or a table."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.figures import Figure, figures_table
from bench.machine import describe_commit, describe_machine
from resolver.commands.console import print_json, say, show


def tell_figures(
    figures: Iterable[Figure],
    more: dict[str, Any],
    *,
    file: Path | None,
    as_json: bool,
) -> None:
    """Print figures, and write them with what they were taken by.

    Args:
        figures: What was measured.
        more: What else is to be known of the run; it may say more of the machine.
        file: Where the document goes; None for nowhere.
        as_json: Print the document instead of a table.
    """
    figures = list(figures)
    made = {
        "figures": [figure.as_dict() for figure in figures],
        "machine": describe_machine(),
        "commit": describe_commit(),
        **more,
    }
    if file is not None:
        file.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n")
        say(f"written: {file}")
    if as_json:
        print_json(made)
    else:
        show(figures_table(figures))
