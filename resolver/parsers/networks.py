"""Arguments of the commands on a whole network: up, demo, status, doctor."""

import argparse
from pathlib import Path

from resolver.parsers.arguments import (
    Commands,
    add_json,
    add_plain,
    add_ready_file,
    add_repeatable,
    filled,
    port,
    whole_number,
)

_MAX_SECONDARIES = 35


def add_up(commands: Commands) -> None:
    """Add `idis up`."""
    parser = commands.add_parser("up", help="run the network until Ctrl-C")
    _add_nodes(parser)
    _add_listening(parser)
    _add_chains(parser)
    _add_anchoring(parser)
    _add_logs(parser)
    add_repeatable(
        parser,
        "--dns-zone",
        "ZONE[=PREFIX]",
        "answer DNS for identifiers below ZONE (default idis.test), or for "
        "records under PREFIX as CNRI's server does; may be given several times",
    )
    parser.add_argument(
        "--ons-root",
        default="onsepc.com",
        metavar="ZONE",
        help="root of the names of GS1 codes, as a peer root has one, for example "
        "ons.epcglobal.cn (default onsepc.com)",
    )
    parser.add_argument(
        "--open-writes",
        action="store_true",
        help="switch authentication off, as deployed enterprise nodes often have it",
    )
    add_json(parser)
    parser.set_defaults(run=_run_up)


def _add_nodes(parser: argparse.ArgumentParser) -> None:
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


def _add_listening(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host", metavar="ADDRESS", help="default 127.0.0.1 and ::1, never beyond"
    )
    parser.add_argument(
        "--port-base",
        type=port,
        metavar="N",
        help="count ports from N (default 20000); 0 takes free ones for all nodes",
    )
    add_ready_file(parser)
    parser.add_argument(
        "--fast-path",
        choices=("auto", "off"),
        default="auto",
        help="compiled kernels in front of the portable path (default auto: on Linux)",
    )


def _add_chains(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--no-chains", action="store_true", help="leave the two chains out"
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="let the chains do only what real nodes do: neither /_dev nor hints",
    )
    parser.add_argument(
        "--chain-clock",
        choices=("system", "stepped"),
        default="system",
        help="stepped: each block is a second after the one before, so that the same "
        "submissions give the same blocks again; the logs are not anchored there then "
        "(default system)",
    )


def _add_anchoring(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--anchor-url",
        metavar="URL",
        help="anchor the national log on this chain (default: the network's own)",
    )
    parser.add_argument(
        "--anchor-key",
        type=Path,
        metavar="FILE",
        help="private key, as text, of the account that pays for it",
    )
    parser.add_argument(
        "--no-anchoring", action="store_true", help="anchor the log on no chain"
    )


def _add_logs(parser: argparse.ArgumentParser) -> None:
    add_repeatable(
        parser,
        "--witness",
        "VKEY@URL",
        "have every log cosigned by this witness; may be given several times",
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


def _secondaries(text: str) -> int:
    expected = f"1 to {_MAX_SECONDARIES} secondary nodes"
    return whole_number(text, 1, _MAX_SECONDARIES, expected)


def _run_up(options: argparse.Namespace) -> int:
    from resolver.commands import up

    return up.run(filled(up.UpOptions, options))


def add_demo(commands: Commands) -> None:
    """Add `idis demo`."""
    purpose = "the main job end to end, on a network of its own"
    add_plain(commands, "demo", purpose, _run_demo)


def _run_demo(options: argparse.Namespace) -> int:
    from resolver.commands import demo

    return demo.run(as_json=options.json)


def add_status(commands: Commands) -> None:
    """Add `idis status`."""
    add_plain(commands, "status", "what runs, and what it has done", _run_status)


def _run_status(options: argparse.Namespace) -> int:
    from resolver.commands import status

    return status.run(as_json=options.json)


def add_doctor(commands: Commands) -> None:
    """Add `idis doctor`."""
    add_plain(commands, "doctor", "what is wrong with this machine", _run_doctor)


def _run_doctor(options: argparse.Namespace) -> int:
    from resolver.commands import doctor

    return doctor.run(as_json=options.json)
