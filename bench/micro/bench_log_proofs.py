"""Proofs of a log of a million identifiers: each kind, as the loop's thread makes it.

The log is sealed into tables in a dict, in groups of ten thousand, half a minute on a
quiet core; `IDIS_BENCH_IDENTIFIERS` makes it another size. `bundle` is a whole proof of
one identifier, encoded; `receipt` all that a registration is answered with.
"""

import itertools
import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from chain_anchor.buckets import PlainEngine
from chain_anchor.bundle import encode_bundle
from chain_anchor.log import Log, Puts
from chain_anchor.proof import verify_bundle
from chain_anchor.statemap import map_key
from chain_anchor.view import LogView
from registry.change import Receipt
from registry.journal import Entry, Operation, digest_of
from registry.model.record import Record, make_record
from registry.model.value import Value
from registry.store.interface import Home, Made
from resolver.faces.exchange import Request
from resolver.faces.log import LogFace
from resolver.faces.log_proofs import Proofs
from resolver.faces.log_receipts import record_receipt
from resolver.keys import SeededKeys
from resolver.log_drafts import Drafter
from resolver.log_keys import LogKeys
from resolver.settings import NodeSettings
from resolver.telemetry import Telemetry

if TYPE_CHECKING:
    from resolver.node import Node
    from resolver.sealing import Sealing

IDENTIFIERS = int(os.environ.get("IDIS_BENCH_IDENTIFIERS", "1000000"))
GROUP = 10_000
STRIDE = 7919
"""Shares no factor with the number of identifiers, so that it visits them all."""

PREFIX = b"88.100.1"
ORIGIN = "bench.idis.test/log"
VALUES = (
    Value(1, "URL", b"https://example.com/products/000001"),
    Value(2, "PRODUCT", b'{"name": "valve", "batch": "20240101", "line": 4}'),
)


class DictTables:
    """The log's tables, without a disk."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, bytes], bytes] = {}

    def get(self, table: str, key: bytes) -> bytes | None:
        """Read one entry."""
        return self._kept.get((table, key))

    def items(self, table: str, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Walk a table that is empty."""
        assert not start
        assert not any(one == table for one, _ in self._kept)
        return iter(())

    def put(self, puts: Puts) -> None:
        """Take what a group wrote."""
        for table, items in puts.items():
            for key, octets in items:
                if octets is None:
                    del self._kept[table, key]
                else:
                    self._kept[table, key] = octets


class BigLog:
    """What a node's `Sealing` is, and its snapshot: a home and identifiers under it."""

    def __init__(self, identifiers: int) -> None:
        keys = LogKeys(ORIGIN, SeededKeys(1))
        self.log = Log(keys.signer(), PlainEngine())
        self.drafter = Drafter(keys.blinding)
        self.tables = DictTables()
        self.serial = 0
        self.view = self
        self.log.open(self.tables)
        for start in range(0, identifiers, GROUP):
            self._seal(range(start, min(start + GROUP, identifiers)))

    def _seal(self, numbers: range) -> None:
        drafts = []
        for number in numbers:
            self.serial += 1
            record = make_record(name_of(number), self.serial, VALUES)
            digest = digest_of(record.values_octets)
            entry = Entry(self.serial, Operation.CREATE, 1, record.name, digest, b"", 0)
            drafts.append(self.drafter.draft(Made(entry, record), {}))
        self.tables.put(self.log.seal(self.tables, drafts, 1))
        self.log.publish()

    def get(self, name: bytes) -> Record | None:
        """Read the record of a name; each has the same values."""
        number = name.partition(b"/SN")[2]
        known = number.isdigit() and int(number) < self.serial
        return make_record(name, int(number) + 1, VALUES) if known else None

    def home(self, prefix: bytes) -> Home:
        """Say that every prefix lives here."""
        return Home(prefix, active=True, admins=())


def name_of(number: int) -> bytes:
    return PREFIX + b"/SN%08d" % number


@pytest.fixture(scope="module")
def big() -> BigLog:
    return BigLog(IDENTIFIERS)


@pytest.fixture
def numbers() -> Iterator[int]:
    return itertools.cycle(n * STRIDE % IDENTIFIERS for n in range(IDENTIFIERS))


def test_inclusion(
    benchmark: BenchmarkFixture, big: BigLog, numbers: Iterator[int]
) -> None:
    path = benchmark(lambda: LogView(big.tables, big.log.head).inclusion(next(numbers)))
    assert path


def test_consistency(
    benchmark: BenchmarkFixture, big: BigLog, numbers: Iterator[int]
) -> None:
    size = big.log.head.size
    found = benchmark(lambda: proofs(big).consistency(next(numbers) + 1, size))
    assert found.path


def test_map_presence(
    benchmark: BenchmarkFixture, big: BigLog, numbers: Iterator[int]
) -> None:
    keys = (map_key(1, name_of(number)) for number in numbers)
    state, proof = benchmark(lambda: big.log.prove(next(keys), big.tables))
    assert state is not None
    assert proof.path


def test_map_absence(
    benchmark: BenchmarkFixture, big: BigLog, numbers: Iterator[int]
) -> None:
    keys = (map_key(1, b"%d" % number) for number in numbers)
    state, proof = benchmark(lambda: big.log.prove(next(keys), big.tables))
    assert state is None
    assert proof.neighbour is not None


def test_bundle(
    benchmark: BenchmarkFixture, big: BigLog, numbers: Iterator[int]
) -> None:
    octets = benchmark(
        lambda: encode_bundle(proofs(big).record(name_of(next(numbers))))
    )
    benchmark.extra_info["octets"] = len(octets)
    assert verify_bundle(octets, big.log.signer.key).standing == "present"


def test_answer_to_a_request(
    benchmark: BenchmarkFixture, big: BigLog, numbers: Iterator[int]
) -> None:
    face = LogFace(node_of(big))

    def ask() -> int:
        query = b"identifier=" + name_of(next(numbers))
        request = Request("GET", b"/log/proof/record", query, {}, None, secure=False)
        return face.answer(request).status

    assert benchmark(ask) == 200


def test_receipt(
    benchmark: BenchmarkFixture, big: BigLog, numbers: Iterator[int]
) -> None:
    first = big.log.head.header.first_index
    count = big.log.head.header.count
    last = big.serial

    def prove() -> int:
        serial = last - next(numbers) % count
        made = Receipt(serial, name_of(serial - 1), None)
        return int(record_receipt(sealing_of(big), made)["index"])

    assert benchmark(prove) >= first


def test_tile(benchmark: BenchmarkFixture, big: BigLog, numbers: Iterator[int]) -> None:
    tiles = (number // 256 % (IDENTIFIERS // 256) for number in numbers)
    octets = benchmark(lambda: LogView(big.tables, big.log.head).tile(0, next(tiles)))
    assert octets is not None


def test_entry_bundle(
    benchmark: BenchmarkFixture, big: BigLog, numbers: Iterator[int]
) -> None:
    tiles = (number // 256 % (IDENTIFIERS // 256) for number in numbers)
    octets = benchmark(
        lambda: LogView(big.tables, big.log.head).entry_bundle(next(tiles))
    )
    assert octets is not None


def proofs(big: BigLog) -> Proofs:
    return Proofs(sealing_of(big))


def sealing_of(big: BigLog) -> "Sealing":
    # A real one needs a store with its threads; proofs read what a `BigLog` has, too.
    return cast("Sealing", big)


def node_of(big: BigLog) -> "Node":
    # A real one has sockets and a data directory; the log's face reads no more of it.
    settings = NodeSettings("bench", "enterprise")
    node = SimpleNamespace(settings=settings, sealing=big, telemetry=Telemetry())
    return cast("Node", node)
