"""`python -m bench limits`: a full packet cache, what is not cached, writes, floods.

Server on one core, generator on the other. Writes `limits.json` and prints a table; the
exit code is 0 whether or not the bounds are kept, because a busy machine is no error.
"""

import argparse
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from bench.figures import Figure
from bench.limits.bed import make_bed
from bench.limits.beside import Cached
from bench.limits.flooding import FLOODS, Told, flood
from bench.limits.registering import registrations
from bench.limits.storing import resident, uncached
from bench.machine import describe_machine
from bench.serving import Cores, ending_on_termination, find_cores, on_cores
from bench.told import tell_figures
from resolver.commands.console import fail, say
from resolver.errors import ResolverError

VERSION = 1
INTERRUPTED = 130
_LEAST_STORED = 20_000


class Effort(NamedTuple):
    """How much is measured."""

    stored: int
    """Identifiers that one node keeps."""

    cached: int
    """Answers put into the packet cache."""

    uncached_queries: int
    """In each round."""

    rounds: int
    seconds: float
    """Of each measurement."""


QUICK = Effort(200_000, 100_000, 25_000, 3, 0.6)
FULL = Effort(5_000_000, 1_000_000, 100_000, 5, 3.0)


def main(arguments: Iterable[str] | None = None) -> int:
    """Measure, write, print; 1 when a server failed."""
    options = _options(arguments)
    effort = QUICK if options.quick else FULL
    if options.stored is not None:
        effort = _storing(effort, options.stored)
    cores = find_cores()
    told: Told = {}
    try:
        if options.out is not None:
            options.out.mkdir(parents=True, exist_ok=True)
        with ending_on_termination():
            figures = list(run(effort, cores, told))
    except (ResolverError, RuntimeError, OSError) as error:
        fail(str(error), getattr(error, "hint", ""))
        return 1
    except KeyboardInterrupt:
        say("stopped")
        return INTERRUPTED
    more = {
        "version": VERSION,
        "floods": told,
        "machine": {**describe_machine(), "pinning": cores.text},
        "quick": options.quick,
        "effort": effort._asdict(),
    }
    file = options.out / "limits.json" if options.out is not None else None
    tell_figures(figures, more, file=file, as_json=options.json)
    return 0


def run(effort: Effort, cores: Cores, told: Told) -> Iterator[Figure]:
    """Measure everything on one network; `told` gets what was counted under floods.

    Raises:
        ResolverError: The network cannot be filled, or stopped answering.
        RuntimeError: It does not start, or has no fast path.
        OSError: There is no room.
    """
    with ExitStack() as stack:
        bed = make_bed(stack, effort.stored, cores, say)
        stack.enter_context(on_cores(cores.generator))
        yield from uncached(bed, effort.rounds, effort.uncached_queries)
        yield from resident(bed, effort.rounds, effort.seconds, effort.cached)
        cached = Cached(bed, effort.seconds)
        yield from registrations(cached, effort.rounds)
        for kind in FLOODS:
            yield from flood(cached, kind, effort.rounds, told)


def _storing(effort: Effort, stored: int) -> Effort:
    """Store another number of identifiers, and ask for no more than there are."""
    queries = min(effort.uncached_queries, stored // effort.rounds)
    return effort._replace(
        stored=stored, cached=min(effort.cached, stored), uncached_queries=queries
    )


def _options(arguments: Iterable[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench limits", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a minute in all")
    parser.add_argument("--stored", type=int, help="default 5 million, quick 200,000")
    parser.add_argument("--out", type=Path, help="directory for limits.json")
    parser.add_argument("--json", action="store_true", help="JSON on stdout")
    options = parser.parse_args(list(arguments) if arguments is not None else None)
    if options.stored is not None and options.stored < _LEAST_STORED:
        parser.error(f"--stored {options.stored}: {_LEAST_STORED:,} or more expected")
    return options
