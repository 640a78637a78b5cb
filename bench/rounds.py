"""How a command of the bench that goes in rounds tells them: JSON or a table."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from bench.machine import describe_machine

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def tell_rounds(
    rounds: Sequence["DataclassInstance"],
    show_table: Callable[[], None],
    *,
    as_json: bool,
) -> None:
    """Print rounds as JSON, or as the command's own table."""
    if not as_json:
        show_table()
        return
    found = {
        "machine": describe_machine(),
        "rounds": [asdict(one) for one in rounds],
    }
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
