"""The command line: arguments in, exit codes out.

    0  done      1  the answer is no      2  misuse      3  cannot reach

stdout is data, stderr is talk. Each command is a module of `resolver.commands`, loaded
when it is asked for; `resolver.parsers` has their arguments.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import metadata

from chain_anchor.errors import AnchorError
from registry.errors import InvalidIdentifierError, RegistryError, StoreError
from resolver.commands.console import fail
from resolver.errors import (
    AmbiguousCodeError,
    CodeNotFoundError,
    ResolverError,
    SetupError,
    UnreachableError,
    UnreadableCodeError,
)
from resolver.parsers import codes, identifiers, networks, proofs

DONE, NO, MISUSE, UNREACHABLE = 0, 1, 2, 3
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; give its exit code."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.run is None:
        parser.print_help(sys.stderr)
        return MISUSE
    return guarded(lambda: options.run(options))


def guarded(command: Callable[[], int]) -> int:
    """Run a command; turn its errors into one clear line, a hint and an exit code."""
    try:
        code = command()
        sys.stdout.flush()
    except (ResolverError, RegistryError, AnchorError) as error:
        code, hint = _outcome(error)
        fail(str(error), hint)
        return code
    except UnicodeEncodeError as error:
        fail(f"an argument is not text: {error.reason}", "write it in UTF-8")
        return MISUSE
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; what is left goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    return code


def _outcome(error: ResolverError | RegistryError | AnchorError) -> tuple[int, str]:
    match error:
        case SetupError():
            return MISUSE, error.hint
        case StoreError():
            return MISUSE, "idis doctor tells what is wrong with this machine"
        case InvalidIdentifierError() | UnreadableCodeError():
            return MISUSE, _looks(error)
        case UnreachableError():
            return UNREACHABLE, "is a network running? start one with: idis up"
        case AmbiguousCodeError() | CodeNotFoundError():
            return NO, error.hint
        case _:
            return NO, ""


def _looks(error: InvalidIdentifierError | UnreadableCodeError) -> str:
    hint = "identifiers look like 88.118.7/SN0001, GTINs 09521000100015"
    if isinstance(error, UnreadableCodeError):
        hint += "; an enterprise's own codes need --company PREFIX"
    return hint


def build_parser() -> argparse.ArgumentParser:
    """Describe all commands."""
    parser = argparse.ArgumentParser(
        prog="idis",
        description="The national identifier resolution tree on a laptop: "
        "recursive, top-level, secondary and enterprise nodes.",
    )
    parser.add_argument(
        "--version",
        action="version",
        version=f"idis {metadata.version('idis-emulator')}",
    )
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for add in (
        networks.add_up,
        networks.add_demo,
        identifiers.add_resolve,
        identifiers.add_register,
        identifiers.add_import,
        codes.add_scan,
        codes.add_label,
        codes.add_codes,
        proofs.add_proof,
        proofs.add_verify,
        proofs.add_witness,
        proofs.add_monitor,
        networks.add_status,
        networks.add_doctor,
    ):
        add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
