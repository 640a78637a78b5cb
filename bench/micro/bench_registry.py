"""The registry on a real disk: durable registrations, alone and in groups; reads.

A round is one group of registrations that ask at once and wait until the disk has
them. Its time divided by the group's size is the time of one; the rate stands in
`extra_info` as `registrations_a_second`, from the median.
"""

import asyncio
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import uvloop
from pytest_benchmark.fixture import BenchmarkFixture

from registry.change import Change
from registry.journal import Operation
from registry.model.identity import Identity
from registry.model.new_values import read_checked
from registry.model.typed import ALL_ADMIN_BITS, Admin
from registry.model.value import Value, encode_values
from registry.service import Registry
from registry.store.interface import Batch, Home
from registry.store.lmdb import LmdbStore

PREFIX = b"88.100.1"
OWNER = Identity(PREFIX + b"/ADMIN", 300)
ADMIN = Value(100, "HS_ADMIN", Admin(ALL_ADMIN_BITS, "88.100.1/ADMIN", 300).encode())
VALUES = (
    Value(1, "URL", b"https://example.com/products/000001"),
    Value(2, "PRODUCT", b'{"name": "valve", "batch": "20240101", "line": 4}'),
)
CHECKED = read_checked(encode_values(VALUES)) or VALUES
"""As they come over the wire."""

NOW = 1_700_000_000.0
RECORDS = 20_000


class Bench:
    """A registry, the loop it lives on and names that nobody has used."""

    def __init__(self, directory: Path, executor: ThreadPoolExecutor) -> None:
        self.store = LmdbStore(directory)
        home = Home(PREFIX, active=True, admins=(ADMIN,))
        self.store.write(Batch(0, homes={PREFIX: home}))
        self.loop = uvloop.new_event_loop()
        self.registry = Registry(self.store, executor, lambda: NOW)
        self._numbers = itertools.count()

    def changes(self, size: int, *, trusted: bool = True) -> list[Change]:
        """Make registrations of new names."""
        return [
            Change(
                Operation.CREATE,
                PREFIX + b"/SN%08d" % next(self._numbers),
                CHECKED,
                actor=OWNER,
                trusted=trusted,
            )
            for _ in range(size)
        ]

    def register(self, changes: list[Change]) -> None:
        """Submit all at once and wait for all."""
        self.loop.run_until_complete(self._register(changes))

    async def _register(self, changes: list[Change]) -> None:
        await asyncio.gather(*map(self.registry.enqueue, changes))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with ThreadPoolExecutor(1) as executor:
        bench = Bench(tmp_path, executor)
        yield bench
        bench.loop.close()
        bench.store.close()


def measure(
    benchmark: BenchmarkFixture, bench: Bench, size: int, *, trusted: bool = True
) -> None:
    benchmark.pedantic(  # type: ignore[no-untyped-call]
        bench.register,
        setup=lambda: ((bench.changes(size, trusted=trusted),), {}),
        rounds=max(20, min(500, 20_000 // size)),
        warmup_rounds=3,
    )
    assert benchmark.stats is not None
    rate = size / benchmark.stats.stats.median
    benchmark.extra_info["registrations_a_second"] = round(rate)


@pytest.mark.parametrize("size", [1, 16, 64, 256, 2048])
def test_durable_registrations(
    benchmark: BenchmarkFixture, bench: Bench, size: int
) -> None:
    measure(benchmark, bench, size)


def test_durable_registrations_by_an_administrator(
    benchmark: BenchmarkFixture, bench: Bench
) -> None:
    measure(benchmark, bench, 256, trusted=False)


def test_get(benchmark: BenchmarkFixture, bench: Bench) -> None:
    changes = bench.changes(RECORDS)
    for start in range(0, RECORDS, 1000):
        bench.register(changes[start : start + 1000])
    # A step that shares no factor with the number of records visits them all.
    names = itertools.cycle(changes[(n * 7919) % RECORDS].name for n in range(RECORDS))
    record = benchmark(lambda: bench.registry.get(next(names)))
    assert record is not None
    assert len(record.values) == len(VALUES)


def test_get_of_what_is_not_there(benchmark: BenchmarkFixture, bench: Bench) -> None:
    bench.register(bench.changes(1000))
    assert benchmark(bench.registry.get, PREFIX + b"/NOTHING") is None
