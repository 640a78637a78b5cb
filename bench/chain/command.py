"""`python -m bench chain`: transfers, batches, large blocks and starts of the chain.

Over the real HTTP face of `idis up` in a process of its own, which shares all cores
with the sender. Writes `chain.json` and prints a table; the exit code is 0 whether or
not the bounds are kept, because a busy machine is no error.
"""

import argparse
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from bench.chain.measuring import (
    CHANGED,
    Tell,
    batches,
    make_bed,
    many_accounts,
    starts,
    transfers,
)
from bench.figures import Figure
from bench.serving import ending_on_termination
from bench.told import tell_figures
from resolver.commands.console import fail, say
from resolver.running import run_network

VERSION = 1
INTERRUPTED = 130


class Effort(NamedTuple):
    """How much is measured."""

    accounts: tuple[int, ...]
    """How many the chain has when blocks are measured, ascending."""

    transfers: int
    batched: int
    """Transactions in batches; like transfers, in each round."""

    rounds: int


QUICK = Effort((100_000,), 200, 4_000, 3)
FULL = Effort((100_000, 1_000_000), 1_000, 20_000, 5)


def main(arguments: Iterable[str] | None = None) -> int:
    """Measure, write, print; 1 when the network failed."""
    options = _options(arguments)
    effort = QUICK if options.quick else FULL
    if options.accounts is not None:
        effort = effort._replace(accounts=(options.accounts,))
    try:
        if options.out is not None:
            options.out.mkdir(parents=True, exist_ok=True)
        with ending_on_termination():
            figures = list(run(effort, say))
    except (RuntimeError, OSError) as error:
        fail(str(error))
        return 1
    except KeyboardInterrupt:
        say("stopped")
        return INTERRUPTED
    more = {"version": VERSION, "quick": options.quick, "effort": effort._asdict()}
    file = options.out / "chain.json" if options.out is not None else None
    tell_figures(figures, more, file=file, as_json=options.json)
    return 0


def run(effort: Effort, tell: Tell) -> Iterator[Figure]:
    """Measure everything.

    Raises:
        RuntimeError: A network does not start, or its chain refuses.
        OSError: It stopped answering, or there is no room.
    """
    tell(f"starts: {effort.rounds} with chains, {effort.rounds} without")
    yield from starts(effort.rounds)
    with tempfile.TemporaryDirectory(prefix="idis-bench-") as directory:
        data = str(Path(directory) / "data")
        with run_network("--port-base", "0", "--data", data) as network:
            bed = make_bed(network)
            tell(f"transfers: {effort.rounds} x {effort.transfers:,}")
            yield from transfers(bed, effort.rounds, effort.transfers)
            tell(f"batches: {effort.rounds} x {effort.batched:,} transactions")
            yield from batches(bed, effort.rounds, effort.batched)
            yield from many_accounts(bed, effort.rounds, effort.accounts, tell)


def _options(arguments: Iterable[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench chain", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less than a minute")
    parser.add_argument("--accounts", type=int, help="how many the chain is to have")
    parser.add_argument("--out", type=Path, help="directory for chain.json")
    parser.add_argument("--json", action="store_true", help="JSON on stdout")
    options = parser.parse_args(list(arguments) if arguments is not None else None)
    if options.accounts is not None and options.accounts < CHANGED:
        parser.error(f"--accounts {options.accounts}: {CHANGED:,} or more expected")
    return options
