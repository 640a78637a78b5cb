"""Arguments of the commands that ask for and write identifiers."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from resolver.parsers.arguments import (
    Commands,
    add_json,
    add_repeatable,
    add_server,
    whole_number,
)

if TYPE_CHECKING:
    from resolver.commands.running import Who

_LARGEST_INDEX = 0x7FFF_FFFF


def add_resolve(commands: Commands) -> None:
    """Add `idis resolve`."""
    parser = commands.add_parser("resolve", help="ask the recursive node")
    parser.add_argument(
        "identifier",
        metavar="ID_OR_CODE",
        help="an identifier, or a code of any scheme",
    )
    parser.add_argument(
        "--company",
        metavar="PREFIX",
        default="",
        help="whose own codes may come; they are read by the rules it declares",
    )
    add_repeatable(parser, "--type", "T", "only this type")
    add_repeatable(parser, "--index", "N", "only this index", convert=_index)
    parser.add_argument(
        "--trace", action="store_true", help="show each tier that is asked"
    )
    parser.add_argument(
        "--fresh", action="store_true", help="past the recursive node's cache"
    )
    parser.add_argument(
        "--proof", action="store_true", help="print only what the node's log proves"
    )
    add_json(parser)
    add_server(parser)
    parser.set_defaults(run=_run_resolve)


def _index(text: str) -> int:
    expected = f"an index from 1 to {_LARGEST_INDEX}"
    return whole_number(text, 1, _LARGEST_INDEX, expected)


def _run_resolve(options: argparse.Namespace) -> int:
    from resolver.commands import resolve

    asked = resolve.ResolveOptions(
        options.identifier,
        types=tuple(options.type),
        indexes=tuple(options.index),
        trace=options.trace,
        fresh=options.fresh,
        json=options.json,
        server=options.server,
        proof=options.proof,
        company=options.company,
    )
    return resolve.run(asked)


def add_register(commands: Commands) -> None:
    """Add `idis register`."""
    parser = commands.add_parser("register", help="register an identifier")
    parser.add_argument("identifier", metavar="ID")
    parser.add_argument("values", nargs="+", metavar="TYPE=VALUE")
    _add_writing(parser, overwrite="replace the record if there is one")
    parser.set_defaults(run=_run_register)


def _run_register(options: argparse.Namespace) -> int:
    from resolver.commands import register

    return register.run(
        options.identifier,
        options.values,
        overwrite=options.overwrite,
        as_json=options.json,
        who=who_of(options),
    )


def add_import(commands: Commands) -> None:
    """Add `idis import`."""
    parser = commands.add_parser(
        "import", help="register a table of identifiers, resuming where it stopped"
    )
    parser.add_argument("file", type=Path, metavar="FILE.csv|.jsonl")
    _add_writing(parser, overwrite="replace records that exist")
    parser.set_defaults(run=_run_import)


def _run_import(options: argparse.Namespace) -> int:
    from resolver.commands import bulk

    return bulk.run(
        options.file,
        overwrite=options.overwrite,
        as_json=options.json,
        who=who_of(options),
    )


def _add_writing(parser: argparse.ArgumentParser, *, overwrite: str) -> None:
    parser.add_argument("--overwrite", action="store_true", help=overwrite)
    add_json(parser)
    add_server(parser)
    add_who(parser)


def add_who(parser: argparse.ArgumentParser) -> None:
    """Add who writes: `--user` with `--key` or `--secret`."""
    group = parser.add_argument_group(
        "who you are", "default: the running network's administrator of the prefix"
    )
    group.add_argument("--user", metavar="INDEX:HANDLE", help="300:88.118.7/admin")
    group.add_argument("--key", type=Path, metavar="FILE.pem", help="its private key")
    group.add_argument("--secret", metavar="S", help="or its secret")


def who_of(options: argparse.Namespace) -> "Who":
    """Give what the arguments say about server and credential."""
    from resolver.commands.running import Who

    return Who(options.server, options.user, options.key, options.secret)
