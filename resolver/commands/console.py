"""How commands talk: data to stdout, talk to stderr, colour only on a terminal."""

import json
import sys
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

# No emoji: an identifier may well have a part like `:cat:`.
ERROR = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


def output() -> Console:
    """Make a console for stdout; wide when it is not a terminal, so nothing wraps."""
    if sys.stdout.isatty():
        return Console(highlight=False, emoji=False)
    return Console(highlight=False, emoji=False, width=160)


def say(text: str) -> None:
    """Say something to the person, not to a pipe."""
    ERROR.print(text, markup=False)


def fail(text: str, hint: str = "") -> None:
    """Say what went wrong, and what helps."""
    ERROR.print(f"[bold red]error:[/] {escape(text)}")
    if hint:
        ERROR.print(f"[yellow]hint:[/]  {escape(hint)}")


def print_json(value: object) -> None:
    """Write one JSON document to stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=1) + "\n")
    sys.stdout.flush()


def table(title: str, *columns: str) -> Table:
    """Make a table in the one style all commands use."""
    made = Table(title=escape(title), title_justify="left", header_style="bold")
    for column in columns:
        made.add_column(column)
    return made


def show(item: Any) -> None:
    """Print a table or text to stdout."""
    output().print(item)
