"""The command line: arguments in, exit codes out.

    0  done      1  the answer is no      2  misuse      3  cannot reach

stdout is data, stderr is talk. Each command is a module of `resolver.commands`, loaded
when it is asked for.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from chain_anchor.errors import AnchorError
from registry.errors import InvalidIdentifierError, RegistryError, StoreError
from resolver.commands.console import fail
from resolver.errors import ResolverError, SetupError, UnreachableError

if TYPE_CHECKING:
    from resolver.commands.pinned import Pins
    from resolver.commands.running import Who

DONE, NO, MISUSE, UNREACHABLE = 0, 1, 2, 3
_INTERRUPTED = 130
_MAX_SECONDARIES = 35
_LARGEST_INDEX = 0x7FFF_FFFF
_LONGEST_INTERVAL_SECONDS = 86_400


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
        case InvalidIdentifierError():
            return MISUSE, "identifiers look like 88.118.7/SN0001"
        case UnreachableError():
            return UNREACHABLE, "is a network running? start one with: idis up"
        case _:
            return NO, ""


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
        _up,
        _demo,
        _resolve,
        _register,
        _import,
        _proof,
        _verify,
        _witness,
        _monitor,
        _status,
        _doctor,
    ):
        add(commands)
    return parser


_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _up(commands: _Commands) -> None:
    parser = commands.add_parser("up", help="run the network until Ctrl-C")
    parser.add_argument(
        "--secondaries",
        type=_secondaries,
        default=14,
        metavar="N",
        help="secondary nodes, 1 to 35 (default 14)",
    )
    parser.add_argument("--topology", type=Path, metavar="FILE.toml", help="your own")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="keep everything there (default: a temporary directory)",
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="default 1")
    parser.add_argument(
        "--host", metavar="ADDRESS", help="default 127.0.0.1 and ::1, never beyond"
    )
    parser.add_argument(
        "--port-base",
        type=_port,
        metavar="N",
        help="count ports from N (default 20000); 0 takes free ones for all nodes",
    )
    parser.add_argument("--ready-file", type=Path, metavar="F", help="written when up")
    parser.add_argument(
        "--fast-path",
        choices=("auto", "off"),
        default="auto",
        help="compiled kernels in front of the portable path (default auto: on Linux)",
    )
    parser.add_argument(
        "--no-chains", action="store_true", help="leave the two chains out"
    )
    parser.add_argument(
        "--chain-clock",
        choices=("system", "stepped"),
        default="system",
        help="stepped: each block is a second after the one before, so that the same "
        "submissions give the same blocks again (default system)",
    )
    parser.add_argument(
        "--witness",
        action="append",
        default=[],
        metavar="VKEY@URL",
        help="have every log cosigned by this witness; may be given several times",
    )
    parser.add_argument(
        "--witness-quorum",
        type=int,
        default=0,
        metavar="K",
        help="acknowledge only what K witnesses have cosigned (default 0: ask them "
        "every second, and wait for none)",
    )
    parser.add_argument(
        "--rotate-log-keys",
        action="store_true",
        help="let the next key sign each log from now on, and log that it does",
    )
    parser.add_argument(
        "--accept-rollback",
        action="store_true",
        help="go on from an older copy of the data directory; its logs will say so",
    )
    parser.add_argument(
        "--dns-zone",
        action="append",
        default=[],
        metavar="ZONE[=PREFIX]",
        help="answer DNS for identifiers below ZONE (default idis.test), or for "
        "records under PREFIX as CNRI's server does; may be given several times",
    )
    parser.add_argument(
        "--open-writes",
        action="store_true",
        help="switch authentication off, as deployed enterprise nodes often have it",
    )
    _add_json(parser)
    parser.set_defaults(run=_run_up)


def _run_up(options: argparse.Namespace) -> int:
    from resolver.commands import up

    names = up.UpOptions.__dataclass_fields__
    return up.run(up.UpOptions(**{name: getattr(options, name) for name in names}))


def _demo(commands: _Commands) -> None:
    parser = commands.add_parser(
        "demo", help="the main job end to end, on a network of its own"
    )
    _add_json(parser)
    parser.set_defaults(run=_run_demo)


def _run_demo(options: argparse.Namespace) -> int:
    from resolver.commands import demo

    return demo.run(as_json=options.json)


def _resolve(commands: _Commands) -> None:
    parser = commands.add_parser("resolve", help="ask the recursive node")
    parser.add_argument("identifier", metavar="ID")
    parser.add_argument(
        "--type", action="append", default=[], metavar="T", help="only this type"
    )
    parser.add_argument(
        "--index",
        action="append",
        default=[],
        type=_index,
        metavar="N",
        help="only this index",
    )
    parser.add_argument(
        "--trace", action="store_true", help="show each tier that is asked"
    )
    parser.add_argument(
        "--fresh", action="store_true", help="past the recursive node's cache"
    )
    parser.add_argument(
        "--proof", action="store_true", help="print only what the node's log proves"
    )
    _add_json(parser)
    _add_server(parser)
    parser.set_defaults(run=_run_resolve)


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
    )
    return resolve.run(asked)


def _register(commands: _Commands) -> None:
    parser = commands.add_parser("register", help="register an identifier")
    parser.add_argument("identifier", metavar="ID")
    parser.add_argument("values", nargs="+", metavar="TYPE=VALUE")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the record if there is one"
    )
    _add_json(parser)
    _add_server(parser)
    _add_credential(parser)
    parser.set_defaults(run=_run_register)


def _run_register(options: argparse.Namespace) -> int:
    from resolver.commands import register

    return register.run(
        options.identifier,
        options.values,
        overwrite=options.overwrite,
        as_json=options.json,
        who=_who(options),
    )


def _import(commands: _Commands) -> None:
    parser = commands.add_parser(
        "import", help="register a table of identifiers, resuming where it stopped"
    )
    parser.add_argument("file", type=Path, metavar="FILE.csv|.jsonl")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace records that exist"
    )
    _add_json(parser)
    _add_server(parser)
    _add_credential(parser)
    parser.set_defaults(run=_run_import)


def _run_import(options: argparse.Namespace) -> int:
    from resolver.commands import bulk

    return bulk.run(
        options.file,
        overwrite=options.overwrite,
        as_json=options.json,
        who=_who(options),
    )


def _proof(commands: _Commands) -> None:
    parser = commands.add_parser(
        "proof", help="what proves an identifier: fetched, verified, given away"
    )
    parser.add_argument("identifier", metavar="ID")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write the proof there, not to stdout"
    )
    parser.add_argument(
        "--history", action="store_true", help="with its earlier changes"
    )
    parser.add_argument(
        "--log", metavar="URL", help="ask this log (default: that of the ID's node)"
    )
    parser.add_argument(
        "--server", metavar="H:P", help="find the ID's node by way of this one"
    )
    _add_pins(parser)
    _add_json(parser)
    parser.set_defaults(run=_run_proof)


def _run_proof(options: argparse.Namespace) -> int:
    from resolver.commands import proof

    asked = proof.ProofOptions(
        options.identifier,
        out=options.out,
        history=options.history,
        log=options.log,
        server=options.server,
        pins=_pins(options),
        json=options.json,
    )
    return proof.run(asked)


def _verify(commands: _Commands) -> None:
    parser = commands.add_parser(
        "verify", help="check a proof with no network, or a whole data directory"
    )
    parser.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="the proof; - is stdin"
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="recheck all that a network stored"
    )
    parser.add_argument(
        "--entry", type=Path, metavar="FILE", help="what a .tlog-proof is about"
    )
    _add_pins(parser)
    _add_json(parser)
    parser.set_defaults(run=_run_verify)


def _run_verify(options: argparse.Namespace) -> int:
    from resolver.commands import verify

    asked = verify.VerifyOptions(
        file=options.file,
        data=options.data,
        entry=options.entry,
        pins=_pins(options),
        json=options.json,
    )
    return verify.run(asked)


def _witness(commands: _Commands) -> None:
    parser = commands.add_parser(
        "witness", help="cosign the checkpoints of logs that only grow, until Ctrl-C"
    )
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="its key and memory"
    )
    parser.add_argument(
        "--log",
        action="append",
        default=[],
        metavar="VKEY",
        help="verifier key of a log; may be given several times",
    )
    parser.add_argument(
        "--log-file",
        type=Path,
        metavar="READY_FILE",
        help="the logs of all nodes of a network that runs, or will run",
    )
    parser.add_argument(
        "--name", metavar="NAME", help="key name for a new key (default: from the key)"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="default 127.0.0.1"
    )
    parser.add_argument(
        "--port", type=_port, default=0, metavar="N", help="default 0, a free one"
    )
    parser.add_argument("--ready-file", type=Path, metavar="F", help="written when up")
    _add_json(parser)
    parser.set_defaults(run=_run_witness)


def _run_witness(options: argparse.Namespace) -> int:
    from resolver.commands import witness

    names = witness.WitnessOptions.__dataclass_fields__
    return witness.run(
        witness.WitnessOptions(**{name: getattr(options, name) for name in names})
    )


def _monitor(commands: _Commands) -> None:
    parser = commands.add_parser(
        "monitor", help="follow a log, check all of it, and raise alarms"
    )
    parser.add_argument(
        "log", metavar="URL_OR_NODE", help="URL of a log, or name of a running node"
    )
    parser.add_argument(
        "--key", metavar="VKEY", help="verifier key of the log (default: the node's)"
    )
    parser.add_argument(
        "--state", type=Path, required=True, metavar="FILE", help="what it remembers"
    )
    parser.add_argument(
        "--watch",
        action="append",
        default=[],
        metavar="PREFIX[=ACTOR,ACTOR]",
        help="alarm on changes under PREFIX that none of these actors made; may be "
        "given several times",
    )
    parser.add_argument("--once", action="store_true", help="look once; 1 on an alarm")
    parser.add_argument(
        "--interval",
        type=_seconds,
        default=1.0,
        metavar="S",
        help="seconds between looks (default 1)",
    )
    _add_json(parser)
    parser.set_defaults(run=_run_monitor)


def _run_monitor(options: argparse.Namespace) -> int:
    from resolver.commands import monitor

    names = monitor.MonitorOptions.__dataclass_fields__
    return monitor.run(
        monitor.MonitorOptions(**{name: getattr(options, name) for name in names})
    )


def _status(commands: _Commands) -> None:
    parser = commands.add_parser("status", help="what runs, and what it has done")
    _add_json(parser)
    parser.set_defaults(run=_run_status)


def _run_status(options: argparse.Namespace) -> int:
    from resolver.commands import status

    return status.run(as_json=options.json)


def _doctor(commands: _Commands) -> None:
    parser = commands.add_parser("doctor", help="what is wrong with this machine")
    _add_json(parser)
    parser.set_defaults(run=_run_doctor)


def _run_doctor(options: argparse.Namespace) -> int:
    from resolver.commands import doctor

    return doctor.run(as_json=options.json)


def _who(options: argparse.Namespace) -> "Who":
    from resolver.commands.running import Who

    return Who(options.server, options.user, options.key, options.secret)


def _pins(options: argparse.Namespace) -> "Pins":
    from resolver.commands.pinned import Pins

    return Pins(
        options.key,
        options.ready_file,
        options.witness,
        options.quorum,
        options.rotations,
    )


def _add_pins(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "whom you believe", "default: the logs of the running network, then kept keys"
    )
    group.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="VKEY",
        help="verifier key of a log; may be given several times",
    )
    group.add_argument(
        "--rotations",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="answer of the log's /log/rotations: leads from a key to the next ones",
    )
    group.add_argument(
        "--ready-file", type=Path, metavar="F", help="the logs of this network"
    )
    group.add_argument(
        "--witness",
        action="append",
        default=[],
        metavar="VKEY",
        help="verifier key of a witness; may be given several times",
    )
    group.add_argument(
        "--quorum",
        type=int,
        default=0,
        metavar="K",
        help="so many of the witnesses must have cosigned (default 0)",
    )


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="JSON on stdout")


def _add_server(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--server", metavar="H:P", help="default: the running network's recursive node"
    )


def _add_credential(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "who you are", "default: the running network's administrator of the prefix"
    )
    group.add_argument("--user", metavar="INDEX:HANDLE", help="300:88.118.7/admin")
    group.add_argument("--key", type=Path, metavar="FILE.pem", help="its private key")
    group.add_argument("--secret", metavar="S", help="or its secret")


def _secondaries(text: str) -> int:
    number = int(text)
    if not 1 <= number <= _MAX_SECONDARIES:
        message = f"1 to {_MAX_SECONDARIES} secondary nodes, got {number}"
        raise argparse.ArgumentTypeError(message)
    return number


def _index(text: str) -> int:
    number = int(text)
    if not 0 < number <= _LARGEST_INDEX:
        message = f"an index from 1 to {_LARGEST_INDEX}, got {number}"
        raise argparse.ArgumentTypeError(message)
    return number


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= _LONGEST_INTERVAL_SECONDS:
        message = f"more than 0 and at most {_LONGEST_INTERVAL_SECONDS} s, got {text}"
        raise argparse.ArgumentTypeError(message)
    return seconds


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65_000:
        message = f"a port from 1 to 65000, or 0 for free ones, got {number}"
        raise argparse.ArgumentTypeError(message)
    return number


if __name__ == "__main__":
    sys.exit(main())
