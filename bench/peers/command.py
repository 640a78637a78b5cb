"""`python -m bench peers`: our two paths, an echo, Knot DNS, NSD and Redis in one run.

Writes `peers.json` and prints tables; the ratios are the result. The exit code is 0
whether or not they reach their goals, because a busy machine is no error.
"""

import argparse
import json
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from bench.machine import describe_commit, describe_machine
from bench.peers.contender import Contender, Round, measure_rounds
from bench.peers.field import Field
from bench.peers.report import contenders_table, document, place, ratios_table
from bench.serving import Cores, ending_on_termination, find_cores, on_cores
from resolver.commands.console import fail, print_json, say, show
from resolver.errors import ResolverError

INTERRUPTED = 130


class Effort(NamedTuple):
    """How much is measured."""

    rounds: int
    seconds: float
    """Of each measurement."""

    identifiers: int
    secondaries: int
    """Secondary nodes of our networks; only the recursive node is asked."""

    with_dnsperf: bool


QUICK = Effort(3, 0.5, 2_000, secondaries=2, with_dnsperf=False)
FULL = Effort(7, 2.0, 10_000, secondaries=14, with_dnsperf=True)


@dataclass(frozen=True, slots=True)
class Peers:
    """What a run came to."""

    found: dict[tuple[str, str], list[Round]]
    absent: dict[str, str]
    """Why others were not measured, by name."""

    versions: dict[str, str]
    """What the programs say of themselves."""

    cores: Cores

    def document(self, effort: Effort) -> dict[str, Any]:
        """Make `peers.json`."""
        about = {
            "versions": self.versions,
            "machine": {**describe_machine(), "pinning": self.cores.text},
            "commit": describe_commit(),
            "quick": effort.seconds < FULL.seconds,
            "identifiers": effort.identifiers,
            "seconds": effort.seconds,
        }
        return document(self.found, self.absent, about)


def main(arguments: Iterable[str] | None = None) -> int:
    """Measure, write, print; 1 when a server failed."""
    options = _options(arguments)
    effort = QUICK if options.quick else FULL
    if options.rounds is not None:
        effort = effort._replace(rounds=options.rounds)
    try:
        if options.out is not None:
            options.out.mkdir(parents=True, exist_ok=True)
        with ending_on_termination():
            peers = run(effort)
        made = peers.document(effort)
        if options.out is not None:
            _write(options.out / "peers.json", made)
    except (ResolverError, RuntimeError, OSError) as error:
        fail(str(error), getattr(error, "hint", ""))
        return 1
    except KeyboardInterrupt:
        say("stopped")
        return INTERRUPTED
    if options.json:
        print_json(made)
    else:
        _show(peers, made)
    return 0


def run(effort: Effort) -> Peers:
    """Start everybody, measure in turns, stop everybody.

    Raises:
        ResolverError: A server does not hold what it was given, or stopped answering.
        RuntimeError: A server does not start.
        OSError: There is no room, or no port.
    """
    cores = find_cores()
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="peers-"))
        field = Field(
            stack,
            Path(directory),
            effort.identifiers,
            effort.secondaries,
            cores,
            say,
            with_dnsperf=effort.with_dnsperf,
        )
        field.gather()
        contenders = sorted(
            field.contenders, key=lambda one: place(one.section, one.name)
        )

        def tell(number: int, contender: Contender) -> None:
            round_ = f"round {number + 1} of {effort.rounds}"
            say(f"{round_}: {contender.section} {contender.name}")

        with on_cores(cores.generator):
            found = measure_rounds(contenders, effort.rounds, effort.seconds, tell)
    return Peers(found, field.absent, field.versions, cores)


def _options(arguments: Iterable[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench peers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a minute in all")
    parser.add_argument("--rounds", type=_at_least_one, help="default 7, quick 3")
    parser.add_argument("--out", type=Path, help="directory for peers.json")
    parser.add_argument("--json", action="store_true", help="JSON on stdout")
    return parser.parse_args(list(arguments) if arguments is not None else None)


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        message = f"expected 1 or more, got {text!r}"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _write(file: Path, made: dict[str, Any]) -> None:
    file.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n")
    say(f"written: {file}")


def _show(peers: Peers, made: dict[str, Any]) -> None:
    machine = made["machine"]
    title = f"{machine['processor']}, {machine['cores']} cores; {machine['pinning']}"
    show(contenders_table(peers.found, title))
    show(ratios_table(peers.found))
    for name, reason in peers.absent.items():
        say(f"absent: {name}, {reason}")
