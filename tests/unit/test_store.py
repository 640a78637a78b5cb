"""What every storage engine promises.

One suite over all engines; an engine is a line in `ENGINES`. What looks below the
protocol (damage, a small map, the format's number) goes through the `Engine` as well.
"""

import struct
from collections.abc import Callable
from typing import NamedTuple

import lmdb
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from registry.errors import (
    CorruptError,
    DiskFullError,
    MapFullError,
    ReadOnlyError,
    StoreError,
    VersionError,
)
from registry.journal import Entry, Operation, decode_entry, encode_entry
from registry.model.record import Record, make_record
from registry.store import lmdb as lmdb_engine
from registry.store.interface import Batch, Home, Store, Tally
from registry.store.lmdb import LmdbStore
from registry.store.lmdb_snapshot import key_of
from tests.registries import OWNER, PREFIX, admin, home, name, url


class Engine(NamedTuple):
    open: Callable[..., Store]
    """Takes a directory and `read_only`."""

    put: Callable[[Store, str, bytes, bytes], None]
    """Puts raw octets under a raw key of a table, past all checks."""

    read: Callable[[Store, str, bytes], bytes]


def _lmdb_put(store: Store, table: str, key: bytes, octets: bytes) -> None:
    with store._environment.begin(write=True) as transaction:
        transaction.put(key, octets, db=getattr(store, table))


def _lmdb_read(store: Store, table: str, key: bytes) -> bytes:
    with store._environment.begin() as transaction:
        return transaction.get(key, db=getattr(store, table))


ENGINES = {"lmdb": Engine(LmdbStore, _lmdb_put, _lmdb_read)}


@pytest.fixture(params=ENGINES)
def engine(request) -> Engine:
    return ENGINES[request.param]


@pytest.fixture
def store(engine, tmp_path):
    with_room = engine.open(tmp_path / "registry")
    yield with_room
    with_room.close()


def entry(serial: int, subject: bytes = b"88/X") -> tuple[int, bytes]:
    line = Entry(serial, Operation.CREATE, 0, subject, bytes(32), b"", 0)
    return serial, encode_entry(line)


def batch(serial: int, *records: Record, gone: tuple[bytes, ...] = ()) -> Batch:
    changed = {record.name: record for record in records} | dict.fromkeys(gone)
    return Batch(serial, changed, journal=[entry(serial)])


def record(subject: bytes, serial: int = 1, data: bytes = b"data") -> Record:
    return make_record(subject, serial, (url(1, data),))


def names(store: Store, prefix: bytes = PREFIX, after: bytes = b"") -> list[bytes]:
    with store.snapshot() as snapshot:
        return list(snapshot.names(prefix, after))


def serial(store: Store) -> int:
    with store.snapshot() as snapshot:
        return snapshot.serial


LONG = [440, 441, 472, 511, 512, 2048]


def long_name(size: int, last: bytes = b"X") -> bytes:
    return name(b"L" * (size - len(PREFIX) - 2) + last)


# What is there


def test_an_empty_store_has_nothing(store):
    with store.snapshot() as snapshot:
        assert snapshot.serial == 0
        assert snapshot.get(name("x")) is None
        assert snapshot.home(PREFIX) is None
        assert snapshot.homes() == ()
        assert snapshot.tally(PREFIX) == Tally(0, 0)
        assert list(snapshot.names(PREFIX)) == []
        assert list(snapshot.journal(0)) == []


def test_what_is_written_is_there_after_closing_and_opening(engine, tmp_path):
    written = Batch(
        serial=7,
        records={name("x"): record(name("x"), 7)},
        homes={PREFIX: home(), b"88.2": home(b"88.2", active=False)},
        tallies={PREFIX: Tally(1, 9)},
        journal=[entry(6), entry(7)],
    )
    store = engine.open(tmp_path)
    store.write(written)
    store.close()
    for read_only in (False, True):
        store = engine.open(tmp_path, read_only=read_only)
        with store.snapshot() as snapshot:
            assert snapshot.serial == 7
            assert snapshot.get(name("x")) == record(name("x"), 7)
            assert snapshot.homes() == (home(), home(b"88.2", active=False))
            assert snapshot.home(PREFIX) == home()
            assert snapshot.tally(PREFIX) == Tally(1, 9)
            assert list(snapshot.names(PREFIX)) == [name("x")]
            assert list(snapshot.journal(0)) == [entry(6), entry(7)]
        assert store.get(name("x")) == record(name("x"), 7)
        store.close()


def test_none_deletes(store):
    store.write(Batch(1, {name("x"): record(name("x"))}, {PREFIX: home()}))
    store.write(Batch(2, {name("x"): None, name("y"): None}, {PREFIX: None}))
    with store.snapshot() as snapshot:
        assert snapshot.get(name("x")) is None
        assert snapshot.home(PREFIX) is None


def test_a_record_is_replaced(store):
    store.write(batch(1, record(name("x"), 1)))
    store.write(batch(2, record(name("x"), 2, b"other")))
    assert store.get(name("x")) == record(name("x"), 2, b"other")
    assert names(store) == [name("x")]


def test_a_large_record_comes_back_whole(store):
    large = record(name("x"), 1, bytes(range(256)) * 4096)
    store.write(batch(1, large))
    assert store.get(name("x")) == large


# All or nothing


def test_a_batch_that_fails_half_way_leaves_nothing(store):
    store.write(batch(1, record(name("x"), 1)))
    bad = Batch(
        serial=3,
        records={name("x"): record(name("x"), 3, b"new"), name("y"): record(name("y"))},
        homes={PREFIX: home()},
        tallies={PREFIX: Tally(1, 1)},
        journal=[entry(2), (3, "no octets")],
    )
    with pytest.raises(TypeError):
        store.write(bad)
    with store.snapshot() as snapshot:
        assert snapshot.serial == 1
        assert snapshot.get(name("x")) == record(name("x"), 1)
        assert list(snapshot.names(PREFIX)) == [name("x")]
        assert snapshot.home(PREFIX) is None
        assert snapshot.tally(PREFIX) == Tally()
        assert list(snapshot.journal(0)) == [entry(1)]


def test_a_journal_that_would_run_backwards_is_refused(store):
    store.write(batch(5, record(name("x"), 5)))
    for late in (4, 5):
        with pytest.raises(StoreError) as found:
            store.write(batch(late, record(name("y"), late)))
        assert not isinstance(found.value, (DiskFullError, MapFullError))
    assert store.get(name("y")) is None
    assert serial(store) == 5
    store.write(batch(6, record(name("y"), 6)))


def test_a_snapshot_does_not_see_what_is_written_later(store):
    store.write(batch(1, record(name("x"), 1)))
    with store.snapshot() as before:
        store.write(batch(2, record(name("x"), 2), record(name("y"), 2)))
        assert before.serial == 1
        assert before.get(name("x")).serial == 1
        assert list(before.names(PREFIX)) == [name("x")]
        assert list(before.journal(0)) == [entry(1)]
    assert store.get(name("x")).serial == 2


def test_every_write_is_synced_to_the_disk(tmp_path):
    # A kill cannot show it, as the page cache outlives a process.
    store = LmdbStore(tmp_path)
    flags = store._environment.flags()
    store.close()
    assert flags["sync"]
    assert flags["metasync"]
    assert not flags["writemap"]


# Names


@pytest.mark.parametrize("size", LONG)
def test_a_name_may_have_any_length(store, size):
    first, second = long_name(size, b"X"), long_name(size, b"Y")
    assert len(first) == size
    store.write(batch(1, record(first, 1, b"first"), record(second, 1, b"second")))
    assert store.get(first) == record(first, 1, b"first")
    assert store.get(second) == record(second, 1, b"second")
    assert sorted(names(store)) == [first, second]
    store.write(batch(2, gone=(first,)))
    assert store.get(first) is None
    assert store.get(second) == record(second, 1, b"second")
    assert names(store) == [second]


def test_a_name_is_not_taken_for_its_own_beginning(store):
    for size in LONG:
        store.write(batch(size, record(long_name(size), size)))
    assert [store.get(long_name(size)).serial for size in LONG] == LONG
    assert store.get(long_name(439)) is None
    assert store.get(long_name(513)) is None


def test_names_are_listed_in_octet_order(store):
    subjects = [name(s) for s in (b"B", b"A", b"A/1", b"\xc3\xa9", b"10", b"9", b" ")]
    store.write(batch(1, *map(record, subjects)))
    assert names(store) == sorted(subjects)


def test_a_listing_keeps_to_its_prefix(store):
    prefixes = [b"88.1", b"88.10", b"88.1.1", b"88", b"88.1-", b"88.2"]
    subjects = [prefix + b"/X" for prefix in prefixes]
    store.write(batch(1, *map(record, subjects)))
    for prefix in prefixes:
        assert names(store, prefix) == [prefix + b"/X"]
    assert names(store, b"8") == []


def test_a_listing_goes_on_after_any_name(store):
    subjects = [name(n) for n in range(20)] + [long_name(n) for n in (441, 900, 2000)]
    store.write(batch(1, *map(record, subjects)))
    listed = names(store)
    assert sorted(listed) == sorted(subjects)
    for number, after in enumerate(listed):
        assert names(store, after=after) == listed[number + 1 :]


def test_a_listing_goes_on_after_a_name_that_was_deleted(store):
    subjects = sorted(name(n) for n in range(10))
    store.write(batch(1, *map(record, subjects)))
    for number, after in enumerate(subjects):
        store.write(batch(2 + number, gone=(after,)))
        assert names(store, after=after) == subjects[number + 1 :]
    assert names(store, after=PREFIX[:2]) == []


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)
@given(
    st.sets(st.binary(min_size=1, max_size=4) | st.just(b"L" * 1000), max_size=8),
    st.binary(max_size=4),
)
def test_a_continued_listing_is_the_rest_of_the_whole(store, suffixes, after):
    prefix = b"%d" % (serial(store) + 1)
    subjects = [prefix + b"/" + suffix for suffix in suffixes]
    store.write(batch(serial(store) + 1, *map(record, subjects)))
    whole = names(store, prefix)
    assert sorted(whole) == sorted(subjects)
    short = [subject for subject in whole if len(subject) < 440]
    assert short == sorted(short)
    start = prefix + b"/" + after
    rest = [subject for subject in short if subject > start]
    assert [s for s in names(store, prefix, start) if len(s) < 440] == rest


# Journal and counters


def test_the_journal_is_read_in_order_after_any_serial(store):
    for last in (3, 300, 70_000):
        first = serial(store) + 1
        journal = [entry(number) for number in range(first, last + 1)]
        store.write(Batch(last, journal=journal))
    with store.snapshot() as snapshot:
        found = [number for number, _ in snapshot.journal(0)]
        assert found == list(range(1, 70_001))
        for after in (1, 255, 256, 65_535, 65_536, 69_999):
            number, octets = next(snapshot.journal(after))
            assert number == after + 1
            assert decode_entry(number, octets).serial == number
        assert list(snapshot.journal(70_000)) == []


def test_counters_are_those_of_the_last_batch(store):
    store.write(Batch(1, tallies={b"88": Tally(1, 1), PREFIX: Tally(2, 2)}))
    store.write(Batch(2, tallies={PREFIX: Tally(0, 2**40)}))
    with store.snapshot() as snapshot:
        assert snapshot.serial == 2
        assert snapshot.tally(b"88") == Tally(1, 1)
        assert snapshot.tally(PREFIX) == Tally(0, 2**40)
        assert snapshot.tally(b"8") == Tally()


def test_homes_are_listed_by_prefix(store):
    homes = [home(prefix) for prefix in (b"0.NA", b"88", b"88.1", b"9" * 255)]
    store.write(Batch(1, homes={entry.prefix: entry for entry in reversed(homes)}))
    with store.snapshot() as snapshot:
        assert list(snapshot.homes()) == homes


def test_a_home_keeps_its_administrators(store):
    kept = Home(PREFIX, False, (admin(OWNER), admin(OWNER, 1, index=101)))
    store.write(Batch(1, homes={PREFIX: kept, b"88": Home(b"88", True, ())}))
    with store.snapshot() as snapshot:
        assert snapshot.home(PREFIX) == kept
        assert snapshot.home(b"88") == Home(b"88", True, ())


# Room


@pytest.fixture
def small(monkeypatch, engine, tmp_path):
    monkeypatch.setattr(lmdb_engine, "_INITIAL_MAP_OCTETS", 1 << 16)
    store = engine.open(tmp_path / "small")
    yield store
    store.close()


def test_a_full_map_takes_nothing_and_grows(small):
    small.write(batch(1, record(name("first"))))
    large = record(name("large"), 2, bytes(300_000))
    for _ in range(2):
        with pytest.raises(MapFullError):
            small.write(batch(2, large))
        assert serial(small) == 1
        assert names(small) == [name("first")]
    for _ in range(4):
        small.grow()
    small.write(batch(2, large))
    assert small.get(name("large")) == large
    assert small.get(name("first")) == record(name("first"))


def test_a_store_that_has_grown_opens_with_room_to_write(small, engine, tmp_path):
    for _ in range(5):
        small.grow()
    small.write(batch(1, record(name("large"), 1, bytes(600_000))))
    small.close()
    again = engine.open(tmp_path / "small")
    again.write(batch(2, record(name("more"), 2, bytes(300_000))))
    assert serial(again) == 2
    again.close()


# Opening


def test_what_is_open_for_reading_takes_no_writes(engine, tmp_path):
    store = engine.open(tmp_path)
    store.write(batch(1, record(name("x"))))
    assert not store.read_only
    store.close()
    store = engine.open(tmp_path, read_only=True)
    assert store.read_only
    with pytest.raises(ReadOnlyError, match="open for reading only") as found:
        store.write(batch(2, record(name("y"))))
    assert found.value.code == 7
    assert serial(store) == 1
    assert names(store) == [name("x")]
    store.close()


def test_what_does_not_exist_is_not_opened_for_reading(engine, tmp_path):
    with pytest.raises(StoreError, match="cannot open the registry in"):
        engine.open(tmp_path / "nowhere", read_only=True)
    assert not (tmp_path / "nowhere").exists()


def test_what_is_no_directory_is_not_opened(engine, tmp_path):
    (tmp_path / "file").write_text("here already")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StoreError, match="cannot open the registry in"):
            engine.open(path)


def test_a_file_that_is_no_store_is_not_opened(engine, tmp_path):
    (tmp_path / "data.mdb").write_bytes(b"nonsense" * 4096)
    with pytest.raises(StoreError, match="cannot open the registry in"):
        engine.open(tmp_path)


@pytest.mark.parametrize("read_only", [False, True])
def test_the_format_of_a_newer_version_is_refused(engine, tmp_path, read_only):
    store = engine.open(tmp_path)
    store.write(batch(1, record(name("x"))))
    engine.put(store, "meta", b"format", struct.pack("!Q", 2))
    store.close()
    message = "format 2, this version reads up to 1"
    with pytest.raises(VersionError, match=message) as kept:
        engine.open(tmp_path, read_only=read_only)
    # What was refused has been closed again, though its error is still around.
    with pytest.raises(VersionError, match=message):
        engine.open(tmp_path, read_only=read_only)
    assert kept.value.code == 2


def test_a_store_that_is_closed_says_so(engine, tmp_path):
    store = engine.open(tmp_path)
    store.close()
    store.close()
    with pytest.raises(StoreError):
        store.get(name("x"))
    with pytest.raises(StoreError):
        store.write(batch(1))


def test_every_directory_is_a_store_of_its_own(engine, tmp_path):
    stores = [engine.open(tmp_path / str(number)) for number in range(3)]
    for number, store in enumerate(stores):
        store.write(batch(1, record(name(number))))
    for number, store in enumerate(stores):
        assert names(store) == [name(number)]
        store.close()


# Damage


def flip(octets: bytes, position: int) -> bytes:
    return octets[:position] + bytes((octets[position] ^ 1,)) + octets[position + 1 :]


@pytest.mark.parametrize("subject", [name("x"), long_name(900)])
def test_a_damaged_record_is_not_served(engine, store, subject):
    store.write(batch(1, record(subject), record(name("good"))))
    key = key_of(subject)
    octets = engine.read(store, "records", key)
    for position in range(len(octets)):
        engine.put(store, "records", key, flip(octets, position))
        with pytest.raises(CorruptError):
            store.get(subject)
    assert store.get(name("good")) == record(name("good"))


def test_a_record_under_another_key_is_not_served(engine, store):
    first, second = long_name(900, b"X"), long_name(900, b"Y")
    store.write(batch(1, record(first), record(second)))
    keys = [key_of(subject) for subject in (first, second)]
    engine.put(store, "records", keys[1], engine.read(store, "records", keys[0]))
    assert store.get(first) == record(first)
    with pytest.raises(CorruptError):
        store.get(second)


def test_a_damaged_home_is_not_believed(engine, store):
    store.write(Batch(1, homes={PREFIX: home(active=False)}))
    octets = engine.read(store, "homes", PREFIX)
    damaged = [flip(octets, n) for n in range(len(octets))] + [b"", octets[:8]]
    for broken in damaged:
        engine.put(store, "homes", PREFIX, broken)
        with store.snapshot() as snapshot, pytest.raises(CorruptError):
            snapshot.home(PREFIX)


def test_what_the_engine_raises_leaves_a_snapshot_as_an_error_of_ours(store):
    store.write(batch(1))
    with pytest.raises(StoreError, match="cannot be read"), store.snapshot():
        raise lmdb.PageNotFoundError
