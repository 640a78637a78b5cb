"""The state map's engines and kernels: what a change, a proof, a start cost.

The map has a million keys, evenly spread, as hashes are; entries have 200 octets. What
the storage costs is not in it: buckets are in a dict.
"""

import hashlib
import itertools
import random
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from chain_anchor.buckets import Draft, PlainEngine
from chain_anchor.frontier import Frontier
from chain_anchor.statemap import ACTIVE, map_key
from resolver.fastpath.compiling import import_numba

numba = import_numba()

from chain_anchor.compiled import preparing, sha256  # noqa: E402 (numba comes first)
from chain_anchor.compiled.engine import CompiledEngine  # noqa: E402
from chain_anchor.compiled.tree import tree_append  # noqa: E402

KEYS = 1_000_000
BODY = bytes(118)
_LOADED_AT_ONCE = 20_000
_BATCH = 1000

GROUPS = (1, 16, 256)
ENGINES: dict[str, Callable[[], Any]] = {
    "plain": PlainEngine,
    "compiled": CompiledEngine,
}


class Filled(NamedTuple):
    """A table with the map in it."""

    table: dict[bytes, bytes]
    root: bytes


def _draft(number: int) -> Draft:
    return Draft(map_key(1, b"88.118.7/SN%08d" % number), ACTIVE, BODY)


@pytest.fixture(scope="module")
def filled() -> Filled:
    preparing.prepare()
    engine, table = CompiledEngine(), dict[bytes, bytes]()
    for start in range(0, KEYS, _LOADED_AT_ONCE):
        drafts = [_draft(number) for number in range(start, start + _LOADED_AT_ONCE)]
        sealed = engine.seal(start, drafts, _read(engine, drafts, table))
        engine.publish()
        for place, value in sealed.puts:
            if value is None:
                del table[place]
            else:
                table[place] = value
    assert engine.count == KEYS
    return Filled(dict(sorted(table.items())), engine.root)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, filled: Filled) -> Any:
    made = ENGINES[request.param]()
    made.load(filled.table.items())
    assert made.root == filled.root
    return made


def _read(
    engine: Any, drafts: list[Draft], table: dict[bytes, bytes]
) -> dict[bytes, bytes]:
    places = set(engine.places([draft.key for draft in drafts]))
    return {place: table[place] for place in places if place in table}


def _note(benchmark: BenchmarkFixture, size: int) -> None:
    if benchmark.stats is not None:
        median = benchmark.stats.stats.median
        benchmark.extra_info["microseconds_each"] = median / size * 1e6


def _groups(
    engine: Any, table: dict[bytes, bytes], size: int
) -> Callable[[], tuple[tuple[Any, ...], dict[str, Any]]]:
    """Give groups of changes, of half new and half known keys, evenly spread."""
    dice = random.Random(1)

    def another() -> tuple[tuple[Any, ...], dict[str, Any]]:
        engine.revert()
        drafts = [_draft(dice.randrange(2 * KEYS)) for _ in range(size)]
        return (KEYS, drafts, _read(engine, drafts, table)), {}

    return another


@pytest.mark.parametrize("size", GROUPS)
def test_seal(
    benchmark: BenchmarkFixture, engine: Any, filled: Filled, size: int
) -> None:
    benchmark.pedantic(  # type: ignore[no-untyped-call]
        engine.seal, setup=_groups(engine, filled.table, size), rounds=30
    )
    _note(benchmark, size)


@pytest.mark.parametrize("size", GROUPS)
def test_check(
    benchmark: BenchmarkFixture, engine: Any, filled: Filled, size: int
) -> None:
    groups = _groups(engine, filled.table, size)

    def seal() -> None:
        engine.seal(*groups()[0])

    benchmark.pedantic(engine.check, setup=seal, rounds=30)  # type: ignore[no-untyped-call]
    _note(benchmark, size)


def test_places(benchmark: BenchmarkFixture, engine: Any) -> None:
    keys = [_draft(number * 7919 % KEYS).key for number in range(256)]
    benchmark(engine.places, keys)
    _note(benchmark, len(keys))


@pytest.mark.parametrize("known", [True, False], ids=["present", "absent"])
def test_prove(
    benchmark: BenchmarkFixture, engine: Any, filled: Filled, known: bool
) -> None:
    keys = itertools.cycle(
        _draft(number * 7919 % KEYS + (not known) * KEYS).key for number in range(5000)
    )
    benchmark(lambda: engine.prove(next(keys), filled.table.get))


@pytest.mark.parametrize("kind", ENGINES)
def test_load(benchmark: BenchmarkFixture, filled: Filled, kind: str) -> None:
    made = ENGINES[kind]()
    benchmark.extra_info["buckets"] = len(filled.table)
    benchmark.pedantic(made.load, args=(filled.table.items(),), rounds=3)  # type: ignore[no-untyped-call]


def test_append_to_the_tree(benchmark: BenchmarkFixture) -> None:
    size = 1_900_000_000
    peaks = [hashlib.sha256(b"%d" % n).digest() for n in range(size.bit_count())]
    hashes = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(257))
    grown = benchmark(tree_append, size, peaks, hashes)
    fresh = [hashes[at : at + 32] for at in range(0, len(hashes), 32)]
    assert grown.root == Frontier(size, tuple(peaks)).extended(fresh).root()
    _note(benchmark, 257)


@numba.njit(_nrt=False)  # type: ignore[untyped-decorator]
def _hash_nodes(octets: np.ndarray, scratch: np.ndarray, count: int) -> None:
    for _ in range(count):
        sha256.pair_digest(1, octets, 0, octets, 32, octets, 0, scratch)


def test_hash_a_node(benchmark: BenchmarkFixture) -> None:
    octets = np.zeros(64, np.uint8)
    scratch = np.zeros(sha256.SCRATCH_OCTETS, np.uint8)
    benchmark(_hash_nodes, octets, scratch, _BATCH)
    _note(benchmark, _BATCH)


def test_hash_a_node_by_hashlib(benchmark: BenchmarkFixture) -> None:
    left = right = bytes(32)

    def nodes() -> None:
        for _ in range(_BATCH):
            hashlib.sha256(b"\x01" + left + right).digest()

    benchmark(nodes)
    _note(benchmark, _BATCH)
