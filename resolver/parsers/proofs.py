"""Arguments of the commands around the logs: proof, verify, witness, monitor."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from resolver.parsers.arguments import (
    Commands,
    add_json,
    add_ready_file,
    add_repeatable,
    add_server,
    filled,
    port,
)

if TYPE_CHECKING:
    from resolver.commands.pinned import Pins

_LONGEST_INTERVAL_SECONDS = 86_400


def add_proof(commands: Commands) -> None:
    """Add `idis proof`."""
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
        "--no-anchors",
        action="store_true",
        help="do not wait until it is on a chain, and leave the chain out",
    )
    parser.add_argument(
        "--log", metavar="URL", help="ask this log (default: that of the ID's node)"
    )
    add_server(parser, "find the ID's node by way of this one")
    _add_pins(parser)
    add_json(parser)
    parser.set_defaults(run=_run_proof)


def _run_proof(options: argparse.Namespace) -> int:
    from resolver.commands import proof

    return proof.run(filled(proof.ProofOptions, options, pins=_pins(options)))


def add_verify(commands: Commands) -> None:
    """Add `idis verify`."""
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
    add_json(parser)
    parser.set_defaults(run=_run_verify)


def _run_verify(options: argparse.Namespace) -> int:
    from resolver.commands import verify

    return verify.run(filled(verify.VerifyOptions, options, pins=_pins(options)))


def _add_pins(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "whom you believe",
        "default: logs and chains of the running network, then what was kept",
    )
    _add_log_keys(group, "--key")
    add_repeatable(
        group,
        "--rotations",
        "FILE",
        "answer of the log's /log/rotations: leads from a key to the next ones",
        convert=Path,
    )
    add_ready_file(group, "the logs and chains of this network")
    add_repeatable(
        group,
        "--chain",
        "FILE",
        "names chains, as a ready file does: first blocks and validators",
        convert=Path,
    )
    add_repeatable(
        group,
        "--witness",
        "VKEY",
        "verifier key of a witness; may be given several times",
    )
    group.add_argument(
        "--quorum",
        type=int,
        default=0,
        metavar="K",
        help="so many of the witnesses must have cosigned (default 0)",
    )


def _pins(options: argparse.Namespace) -> "Pins":
    from resolver.commands.pinned import Pins

    return Pins(
        options.key,
        options.ready_file,
        options.witness,
        options.quorum,
        options.rotations,
        options.chain,
    )


def add_witness(commands: Commands) -> None:
    """Add `idis witness`."""
    parser = commands.add_parser(
        "witness", help="cosign the checkpoints of logs that only grow, until Ctrl-C"
    )
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="its key and memory"
    )
    _add_log_keys(parser, "--log")
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
        "--port", type=port, default=0, metavar="N", help="default 0, a free one"
    )
    add_ready_file(parser)
    add_json(parser)
    parser.set_defaults(run=_run_witness)


def _run_witness(options: argparse.Namespace) -> int:
    from resolver.commands import witness

    return witness.run(filled(witness.WitnessOptions, options))


def _add_log_keys(parser: argparse._ActionsContainer, flag: str) -> None:
    purpose = "verifier key of a log; may be given several times"
    add_repeatable(parser, flag, "VKEY", purpose)


def add_monitor(commands: Commands) -> None:
    """Add `idis monitor`."""
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
    add_repeatable(
        parser,
        "--watch",
        "PREFIX[=ACTOR,ACTOR]",
        "alarm on changes under PREFIX that none of these actors made; may be "
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
    add_json(parser)
    parser.set_defaults(run=_run_monitor)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= _LONGEST_INTERVAL_SECONDS:
        message = f"more than 0 and at most {_LONGEST_INTERVAL_SECONDS} s, got {text}"
        raise argparse.ArgumentTypeError(message)
    return seconds


def _run_monitor(options: argparse.Namespace) -> int:
    from resolver.commands import monitor

    return monitor.run(filled(monitor.MonitorOptions, options))
