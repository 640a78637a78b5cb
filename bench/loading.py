"""`python -m bench.loading`: put a corpus into a network.

Into the data directory of a network that does not run, through the registry itself:
every record is durable, journaled and counted, exactly as if it had come over the wire,
only without the wire. Into a running network, through the client's pipelined writes.
Records that are there already are replaced.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from bench.corpus import Corpus, corpus_of, in_order
from bench.invocation import hint_of, progress, read_ready
from bench.registering import Count, Told, homeless, register_running
from chain_anchor.buckets import PlainEngine
from registry.change import Change, Receipt
from registry.errors import RegistryError
from registry.journal import Operation
from registry.model.identifier import PREFIX_AUTHORITY, canonical
from registry.service import MAX_GROUP, Registry
from registry.store.lmdb import LmdbStore
from resolver.commands.console import fail, print_json, say
from resolver.commands.up import run_loop, tune_interpreter
from resolver.data_directory import DataDirectory
from resolver.errors import (
    ResolverError,
    SetupError,
    UnreachableError,
)
from resolver.fastpath import compiling
from resolver.keys import SeededKeys
from resolver.log_keys import LogKeys, log_origin
from resolver.sealing import Sealing
from resolver.topology import SCHEMES

__all__ = ["homed_prefixes", "load_corpus", "register_running"]

_AUTHORITY = PREFIX_AUTHORITY.decode()
_AHEAD = 8 * MAX_GROUP
"""Changes queued at most, so that groups are always full."""


def load_corpus(data: Path, corpus: Corpus, told: Told | None = None) -> int:
    """Register a corpus in the data directory of a network that does not run.

    The network must have been started with it once, so that its prefixes live there.

    Raises:
        SetupError: It is no data directory, it is in use, or a prefix lives nowhere.
        RegistryError: A registry cannot be written.
    """
    seed = _seed_of(data)
    directory = DataDirectory.open(data, seed)
    count = Count(corpus.count, told)
    try:
        run_loop(_load(directory, seed, corpus, count))
    finally:
        directory.close()
    return count.done


def _seed_of(data: Path) -> int:
    file = data / "network.json"
    try:
        return int(json.loads(file.read_text())["seed"])
    except (OSError, ValueError, KeyError, TypeError):
        message = f"{data} is not the data directory of a network"
        hint = f"start one with it first: idis up --data {data}"
        raise SetupError(message, hint) from None


def homed_prefixes(data: Path) -> tuple[str, ...]:
    """List the enterprise prefixes of a network that does not run, as `corpus_of` does.

    Raises:
        SetupError: It is no data directory, or it is in use.
    """
    directory = DataDirectory.open(data, _seed_of(data))
    try:
        homes = [_homes(store) for _, store in _stores(directory)]
    finally:
        directory.close()
    top = next((each for each in homes if _AUTHORITY in each), set())
    labels = [prefix.count(".") for prefix in top - {_AUTHORITY}]
    # Enterprises stand two labels below the top-level node's prefix, as codes may.
    depth = min(labels, default=0) + 2
    found = (p for each in homes for p in each if p.count(".") == depth)
    return in_order(p for p in found if p.split(".")[-2] not in SCHEMES)


def _stores(directory: DataDirectory) -> Iterator[tuple[str, LmdbStore]]:
    """Open the registry of each node in turn, and close it again."""
    for path in sorted((directory.path / "nodes").iterdir()):
        store = LmdbStore(path)
        try:
            yield path.name, store
        finally:
            store.close()


def _open_log(node: str, seed: int, store: LmdbStore) -> Sealing:
    """Open a node's log, with the engine that the node would use by now."""
    sealing = Sealing(LogKeys(log_origin(node), SeededKeys(seed)), PlainEngine(), store)
    sealing.open()
    try:
        compiling.check_machine()
    except compiling.NoFastPathError:
        return sealing
    from resolver.fastpath.preparing import compile_here

    compile_here()
    from chain_anchor.compiled.engine import CompiledEngine
    from chain_anchor.compiled.tree import tree_append

    sealing.log.use(CompiledEngine(), tree_append)
    return sealing


def _homes(store: LmdbStore) -> set[str]:
    with store.snapshot() as snapshot:
        return {home.prefix.decode() for home in snapshot.homes()}


async def _load(
    directory: DataDirectory, seed: int, corpus: Corpus, count: Count
) -> None:
    left = set(corpus.prefixes)
    with ThreadPoolExecutor(1, thread_name_prefix="loading") as executor:
        for name, store in _stores(directory):
            homes = _homes(store)
            here = [prefix for prefix in corpus.prefixes if prefix.upper() in homes]
            if here:
                sealing = _open_log(name, seed, store)
                registry = Registry(store, executor, sealer=sealing)
                await _load_node(registry, corpus, here, count)
                sealing.release()
            left -= set(here)
    if left:
        raise homeless(left)


async def _load_node(
    registry: Registry, corpus: Corpus, prefixes: Sequence[str], count: Count
) -> None:
    """Keep the registry's queue filled; returns when all is on disk."""
    room = asyncio.Semaphore(_AHEAD)
    failed: list[Exception] = []

    def done(receipt: Receipt | None, error: Exception | None) -> None:
        room.release()
        if error is not None:
            failed.append(error)
        else:
            count.add()

    for change in _changes(corpus, prefixes):
        await room.acquire()
        if failed:
            break
        registry.enqueue_calling(change, done)
    await registry.drain()
    if failed:
        raise failed[0]


def _changes(corpus: Corpus, prefixes: Sequence[str]) -> Iterator[Change]:
    for prefix in prefixes:
        for number in corpus.numbers_of(prefix):
            name = canonical(corpus.identifier(number).encode())
            yield Change(
                Operation.CREATE,
                name,
                corpus.values(number),
                overwrite=True,
                trusted=True,
            )


def main(arguments: Iterable[str] | None = None) -> int:
    """Load what the command line asks for; 0 once all is on disk."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.loading",
        description="Register a corpus in a network that runs, or in its directory.",
    )
    add = parser.add_argument
    add("--count", type=int, default=10_000, help="identifiers, default 10000")
    add("--seed", type=int, default=1, help="of the corpus, default 1")
    add("--ready-file", type=Path, help="of the network, default the running one's")
    add("--data", type=Path, help="its directory; the network must not run then")
    add("--json", action="store_true", help="JSON on stdout")
    options = parser.parse_args(list(arguments) if arguments is not None else None)
    started = time.perf_counter()
    tune_interpreter()
    try:
        with progress(quiet=options.json) as told:
            counted = partial(told, "registered") if told else None
            count = _run(options, counted)
    except (ResolverError, RegistryError) as error:
        fail(str(error), hint_of(error))
        return 3 if isinstance(error, UnreachableError) else 2
    rate = count / (time.perf_counter() - started)
    if options.json:
        print_json({"registered": count, "per_second": round(rate)})
    else:
        say(f"{count:,} identifiers registered, {rate:,.0f} a second")
    return 0


def _run(options: argparse.Namespace, told: Told | None) -> int:
    if options.data is None:
        ready = read_ready(options.ready_file)
        corpus = corpus_of(ready, options.count, options.seed)
        return register_running(ready, corpus, told)
    if options.ready_file is not None:
        ready = read_ready(options.ready_file)
        corpus = corpus_of(ready, options.count, options.seed)
    else:
        corpus = Corpus(homed_prefixes(options.data), options.count, options.seed)
    return load_corpus(options.data, corpus, told)


if __name__ == "__main__":
    sys.exit(main())
