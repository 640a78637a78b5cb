"""Arguments that several commands take, each described once."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Run: TypeAlias = Callable[[argparse.Namespace], int]
_Fields = TypeVar("_Fields", bound="DataclassInstance")

_LARGEST_PORT = 65_000


def add_plain(commands: Commands, name: str, purpose: str, run: Run) -> None:
    """Add a command that takes `--json` and nothing else."""
    parser = commands.add_parser(name, help=purpose)
    add_json(parser)
    parser.set_defaults(run=run)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help="JSON on stdout")


def add_server(
    parser: argparse.ArgumentParser,
    purpose: str = "default: the running network's recursive node",
) -> None:
    """Add `--server`: the node to ask."""
    parser.add_argument("--server", metavar="H:P", help=purpose)


def add_ready_file(
    parser: argparse._ActionsContainer, purpose: str = "written when up"
) -> None:
    """Add `--ready-file`."""
    parser.add_argument("--ready-file", type=Path, metavar="F", help=purpose)


def add_repeatable(
    parser: argparse._ActionsContainer,
    flag: str,
    metavar: str,
    purpose: str,
    *,
    convert: Callable[[str], object] = str,
) -> None:
    """Add an option that may be given several times; a list, empty by default."""
    parser.add_argument(
        flag, action="append", default=[], type=convert, metavar=metavar, help=purpose
    )


def filled(
    kind: type[_Fields], options: argparse.Namespace, **settled: object
) -> _Fields:
    """Fill a command's dataclass from the arguments of the same names.

    Args:
        kind: its type.
        options: what was parsed.
        **settled: fields that no single argument gives.
    """
    names = kind.__dataclass_fields__.keys() - settled.keys()
    return kind(**{name: getattr(options, name) for name in names}, **settled)


def port(text: str) -> int:
    """Read a port; 0 stands for a free one."""
    return whole_number(
        text, 0, _LARGEST_PORT, "a port from 1 to 65000, or 0 for free ones"
    )


def whole_number(text: str, lowest: int, largest: int, expected: str) -> int:
    """Read a number within bounds, both allowed; `expected` says which in words."""
    number = int(text)
    if not lowest <= number <= largest:
        message = f"{expected}, got {number}"
        raise argparse.ArgumentTypeError(message)
    return number
