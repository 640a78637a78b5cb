"""Group commit: who shares a transaction, when who hears of it, and what fails."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from registry import service
from registry.change import Change, Receipt
from registry.errors import (
    AlreadyExistsError,
    BusyError,
    CorruptError,
    DiskFullError,
    MapFullError,
    NotHomedError,
    ReadOnlyError,
    StoreError,
)
from registry.journal import Operation
from registry.model.value import Value
from registry.service import MAX_GROUP, MAX_SLICE, Registry
from registry.store import lmdb as lmdb_engine
from registry.store.interface import Batch, Sealer
from registry.store.lmdb import LmdbStore
from tests.registries import NOW, PREFIX, create, home, name, seed, url

DEADLINE_SECONDS = 10


class GatedStore:
    """A store whose writes wait at a gate and fail as told."""

    def __init__(self, store: LmdbStore) -> None:
        self._store = store
        self.gate = threading.Event()
        self.gate.set()
        self.arrived = threading.Event()
        self.failures: list[Exception] = []
        self.unreadable: Exception | None = None
        self.batches: list[Batch] = []

    def hold(self) -> None:
        """Close the gate for the writes to come."""
        self.gate.clear()
        self.arrived.clear()

    def __getattr__(self, attribute: str):
        return getattr(self._store, attribute)

    def snapshot(self):
        if self.unreadable is not None:
            raise self.unreadable
        return self._store.snapshot()

    def write(self, batch: Batch, sealer: Sealer | None = None) -> None:
        self.arrived.set()
        assert self.gate.wait(DEADLINE_SECONDS)
        if self.failures:
            raise self.failures.pop(0)
        self._store.write(batch, sealer)
        self.batches.append(batch)

    @property
    def sizes(self) -> list[int]:
        return [len(batch.journal) for batch in self.batches]


@pytest.fixture
def store(tmp_path):
    store = GatedStore(LmdbStore(tmp_path))
    seed(store._store, home())
    yield store
    store.gate.set()
    store.close()


class ImpatientRegistry(Registry):
    """A registry whose callers do not wait for ever, so that a test fails instead."""

    async def submit(self, change: Change) -> Receipt:
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await super().submit(change)

    async def drain(self) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await super().drain()


@pytest.fixture
async def registry(store):
    with ThreadPoolExecutor(1) as executor:
        registry = ImpatientRegistry(store, executor, lambda: NOW)
        yield registry
        store.gate.set()
        await registry.drain()


def enqueue(registry: Registry, *suffixes) -> list[asyncio.Future]:
    return [registry.enqueue(create(suffix)) for suffix in suffixes]


async def at_the_gate(store: GatedStore) -> None:
    """Wait until a batch is on its way to the disk."""
    arrived = await asyncio.to_thread(store.arrived.wait, DEADLINE_SECONDS)
    assert arrived


async def outcomes(futures: list[asyncio.Future]) -> list:
    async with asyncio.timeout(DEADLINE_SECONDS):
        return await asyncio.gather(*futures, return_exceptions=True)


# Groups


async def test_changes_of_one_turn_share_a_transaction(registry, store):
    await asyncio.gather(*(registry.submit(create(n)) for n in range(50)))
    assert store.sizes == [50]
    assert registry.groups == 1


async def test_changes_that_arrive_during_a_write_share_the_next(registry, store):
    store.hold()
    futures = enqueue(registry, "first")
    await at_the_gate(store)
    for number in range(100):
        futures += enqueue(registry, number)
        await asyncio.sleep(0)
    store.gate.set()
    await outcomes(futures)
    assert store.sizes == [1, 100]
    assert registry.groups == 2


async def test_a_group_has_so_many_changes_at_most(registry, store):
    store.hold()
    futures = enqueue(registry, *range(MAX_SLICE + 2 * MAX_GROUP + 88))
    await at_the_gate(store)
    for _ in range(2 * MAX_GROUP // MAX_SLICE):
        await asyncio.sleep(0)
    store.gate.set()
    await outcomes(futures)
    assert store.sizes[:2] == [MAX_SLICE, MAX_GROUP]
    assert max(store.sizes) == MAX_GROUP
    assert sum(store.sizes) == len(futures)


async def test_a_change_sees_what_is_on_its_way(registry, store):
    store.hold()
    first = enqueue(registry, "x")
    await at_the_gate(store)
    second = enqueue(registry, "x", "y")
    await asyncio.sleep(0)
    store.gate.set()
    found = await outcomes(first + second)
    assert isinstance(found[1], AlreadyExistsError)
    assert [receipt.serial for receipt in (found[0], found[2])] == [
        found[0].serial,
        found[0].serial + 1,
    ]


async def test_a_refusal_waits_for_what_it_rests_on(registry, store):
    store.hold()
    first = enqueue(registry, "x")
    await at_the_gate(store)
    second = enqueue(registry, "x")
    for _ in range(5):
        await asyncio.sleep(0)
    assert not second[0].done()
    store.gate.set()
    found = await outcomes(first + second)
    assert isinstance(found[1], AlreadyExistsError)


async def test_what_rests_on_a_group_that_found_no_room_is_considered_again(
    registry, store
):
    store.failures = [DiskFullError("full")]
    store.hold()
    first = enqueue(registry, "x")
    await at_the_gate(store)
    second = enqueue(registry, "x", "y")
    await asyncio.sleep(0)
    store.gate.set()
    found = await outcomes(first + second)
    assert isinstance(found[0], DiskFullError)
    assert found[1].name == name("X")
    assert registry.get(name("X")) is not None
    assert registry.get(name("Y")) is not None


async def test_serials_follow_the_order_of_asking(registry, store):
    futures = []
    for number in range(600):
        futures += enqueue(registry, number)
        if number % 7 == 0:
            await asyncio.sleep(0)
    receipts = await outcomes(futures)
    assert [receipt.serial for receipt in receipts] == list(range(1, 601))
    assert [receipt.name for receipt in receipts] == [name(n) for n in range(600)]
    with store.snapshot() as snapshot:
        assert [serial for serial, _ in snapshot.journal(0)] == list(range(1, 601))


async def test_a_change_sees_those_before_it_in_its_group(registry):
    double = await outcomes(enqueue(registry, "x", "x"))
    assert double[0].serial == 1
    assert isinstance(double[1], AlreadyExistsError)


async def test_values_are_stamped_with_the_time_of_the_clock(registry):
    receipt = await registry.submit(create("x"))
    assert receipt.record.values[0].timestamp == int(NOW)


# Acknowledgement


async def test_nothing_is_acknowledged_before_the_disk_has_it(registry, store):
    store.hold()
    first = enqueue(registry, "a", "b")
    await at_the_gate(store)
    second = enqueue(registry, "c")
    for _ in range(100):
        await asyncio.sleep(0)
    assert not any(future.done() for future in (*first, *second))
    assert registry.get(name("a")) is None
    assert registry.groups == 0
    store.gate.set()
    for receipt in await outcomes(first):
        assert registry.get(receipt.name) == receipt.record
    await outcomes(second)


async def test_followers_hear_of_a_durable_group_before_it_is_acknowledged(
    registry, store
):
    heard = []

    def follower(batch):
        names = batch.records
        kept = all(store.get(subject) is not None for subject in names)
        heard.append((sorted(names), kept, [future.done() for future in futures]))

    registry.follow(follower)
    futures = enqueue(registry, "a", "b")
    await outcomes(futures)
    assert heard == [([name("A"), name("B")], True, [False, False])]


async def test_followers_hear_nothing_of_what_was_not_written(registry, store):
    heard = []
    registry.follow(heard.append)
    store.failures = [DiskFullError("full")]
    await outcomes(enqueue(registry, "a"))
    assert heard == []


async def test_a_follower_that_fails_keeps_nobody_waiting(registry):
    heard, reported = [], []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: reported.append(context["exception"]))
    failure = ValueError("follower")

    def broken(_names):
        raise failure

    registry.follow(broken)
    registry.follow(lambda batch: heard.append(sorted(batch.records)))
    for suffix in ("a", "b"):
        await registry.submit(create(suffix))
    assert heard == [[name("A")], [name("B")]]
    assert reported == [failure, failure]


async def test_an_asker_that_fails_keeps_nobody_waiting(registry):
    told, reported = [], []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: reported.append(context["exception"]))
    failure = ValueError("asker")

    def broken(receipt, error):
        told.append((receipt and receipt.serial, type(error)))
        raise failure

    for _ in range(2):  # made, then refused
        registry.enqueue_calling(create("x"), broken)
        registry.enqueue_calling(create("x"), broken)
        await registry.submit(create(len(told)))
    assert told == [
        (1, type(None)),
        (None, AlreadyExistsError),
        (None, AlreadyExistsError),
        (None, AlreadyExistsError),
    ]
    assert reported == [failure] * 4


async def test_draining_waits_for_all_that_was_asked(registry, store):
    await registry.drain()
    futures = enqueue(registry, *range(2 * MAX_GROUP))
    await registry.drain()
    assert all(future.done() for future in futures)
    assert sum(store.sizes) == len(futures)


# Cancellation


async def test_who_stops_waiting_does_not_undo_the_change(registry, store):
    store.hold()
    waiting = asyncio.create_task(registry.submit(create("x")))
    await at_the_gate(store)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    other = enqueue(registry, "y")
    store.gate.set()
    await outcomes(other)
    assert registry.get(name("X")).serial == 1
    assert registry.get(name("Y")).serial == 2


async def test_a_future_that_was_cancelled_harms_nobody_else(registry, store):
    store.hold()
    first, second = enqueue(registry, "x", "y")
    await at_the_gate(store)
    first.cancel()
    store.gate.set()
    (receipt,) = await outcomes([second])
    assert receipt.serial == 2
    third, fourth = enqueue(registry, "x", "z")  # the first exists already
    third.cancel()
    (receipt,) = await outcomes([fourth])
    assert receipt.serial == 3


# Refusals


async def test_a_change_that_breaks_a_rule_fails_alone(registry, store):
    elsewhere = Change(Operation.CREATE, b"99/X", (url(),), trusted=True)
    futures = enqueue(registry, "a")
    futures.append(registry.enqueue(elsewhere))
    futures += enqueue(registry, "b")
    first, bad, second = await outcomes(futures)
    assert isinstance(bad, NotHomedError)
    assert (first.serial, second.serial) == (1, 2)
    assert store.sizes == [2]


async def test_a_group_of_refusals_writes_nothing(registry, store):
    await registry.submit(create("x"))
    refusals = await outcomes(enqueue(registry, "x", "x"))
    assert [type(refusal) for refusal in refusals] == [AlreadyExistsError] * 2
    assert store.sizes == [1]
    assert registry.groups == 1


async def test_a_bug_in_one_change_fails_it_alone(registry, store):
    class Broken(Value):
        @property
        def type(self):
            raise ZeroDivisionError

    futures = enqueue(registry, "a")
    futures.append(registry.enqueue(create("b", Broken(1, "URL", b""))))
    futures += enqueue(registry, "c")
    first, bad, second = await outcomes(futures)
    assert isinstance(bad, ZeroDivisionError)
    assert (first.serial, second.serial) == (1, 2)
    assert registry.stopped is None
    with store.snapshot() as snapshot:
        assert snapshot.serial == 2


async def test_a_full_queue_is_refused_and_counted(registry, store, monkeypatch):
    monkeypatch.setattr(service, "MAX_PENDING", 5)
    store.hold()
    futures = enqueue(registry, "on its way")
    await at_the_gate(store)
    futures += enqueue(registry, *range(5))
    for count in (1, 2):
        with pytest.raises(BusyError, match="5 changes wait already") as refused:
            registry.enqueue(create("too many"))
        assert refused.value.code == 3
        assert registry.refused == count
    store.gate.set()
    receipts = await outcomes(futures)
    assert [receipt.serial for receipt in receipts] == list(range(1, 7))
    assert (await registry.submit(create("later"))).serial == 7


# Failing disks


@pytest.mark.parametrize(
    "failure", [StoreError("disk on fire"), OSError(5, "disk on fire"), KeyError("bug")]
)
async def test_a_failing_disk_stops_writing_and_not_reading(registry, store, failure):
    await registry.submit(create("kept"))
    store.hold()
    store.failures = [failure]
    failing = enqueue(registry, "a", "b")
    await at_the_gate(store)
    waiting = enqueue(registry, "c")
    store.gate.set()
    for error in await outcomes(failing):
        assert isinstance(error, StoreError)
        assert str(failure.args[-1]) in str(error)
    # Nothing may be written after it, not even what was queued before.
    (error,) = await outcomes(waiting)
    assert isinstance(error, ReadOnlyError)
    with pytest.raises(ReadOnlyError, match="writing has stopped until") as refused:
        registry.enqueue(create("d"))
    assert refused.value.code == 7
    await registry.drain()
    assert store.sizes == [1]
    assert registry.stopped is not None
    assert registry.get(name("kept")).serial == 1
    assert all(registry.get(name(suffix)) is None for suffix in "abcd")


async def test_a_full_disk_refuses_and_recovers(registry, store):
    store.failures = [DiskFullError("no room"), DiskFullError("no room")]
    for suffix in ("a", "b"):
        (error,) = await outcomes(enqueue(registry, suffix))
        assert isinstance(error, DiskFullError)
        assert registry.get(name(suffix)) is None
    assert registry.stopped is None
    # What was not written has left no gap in the serials.
    assert (await registry.submit(create("a"))).serial == 1


async def test_a_full_disk_does_not_fail_what_waits_behind(registry, store):
    store.hold()
    store.failures = [DiskFullError("no room")]
    failing = enqueue(registry, "a")
    await at_the_gate(store)
    waiting = enqueue(registry, "b")
    store.gate.set()
    (error,), (receipt,) = await outcomes(failing), await outcomes(waiting)
    assert isinstance(error, DiskFullError)
    assert receipt.serial == 1


async def test_a_store_for_reading_only_refuses_and_reads(tmp_path):
    store = LmdbStore(tmp_path)
    seed(store, home())
    store.close()
    store = LmdbStore(tmp_path, read_only=True)
    with ThreadPoolExecutor(1) as executor:
        registry = ImpatientRegistry(store, executor, lambda: NOW)
        assert registry.store_is_read_only
        for _ in range(2):
            with pytest.raises(ReadOnlyError, match="reading only"):
                await registry.submit(create("x"))
        assert registry.get(name("x")) is None
    store.close()


async def test_a_snapshot_that_cannot_be_had_fails_its_group_alone(registry, store):
    for failure in (StoreError("too many readers"), CorruptError(), OSError("odd")):
        store.unreadable = failure
        errors = await outcomes(enqueue(registry, "a", "b"))
        assert errors == [failure, failure]
    store.unreadable = None
    assert (await registry.submit(create("a"))).serial == 1


async def test_an_executor_that_has_shut_down_keeps_nobody_waiting(store):
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    registry = ImpatientRegistry(store, executor, lambda: NOW)
    (error,) = await outcomes(enqueue(registry, "a"))
    assert isinstance(error, StoreError)
    async with asyncio.timeout(DEADLINE_SECONDS):
        await registry.drain()


async def test_a_write_that_the_executor_dropped_is_not_acknowledged(store):
    executor = ThreadPoolExecutor(1)
    release = threading.Event()
    executor.submit(release.wait, DEADLINE_SECONDS)
    registry = ImpatientRegistry(store, executor, lambda: NOW)
    futures = enqueue(registry, "a")
    await asyncio.sleep(0)
    executor.shutdown(wait=False, cancel_futures=True)
    release.set()
    (error,) = await outcomes(futures)
    assert isinstance(error, StoreError)
    assert store.get(name("a")) is None


# Room


async def test_a_full_map_grows_and_nobody_notices(tmp_path, monkeypatch):
    monkeypatch.setattr(lmdb_engine, "_INITIAL_MAP_OCTETS", 1 << 16)
    store = LmdbStore(tmp_path)
    seed(store, home())
    with ThreadPoolExecutor(1) as executor:
        registry = ImpatientRegistry(store, executor, lambda: NOW)
        for number in range(8):
            large = create(number, url(1, bytes(200_000)))
            receipt = await registry.submit(large)
            assert receipt.serial == number + 1
            assert registry.get(name(number)) == receipt.record
    store.close()


async def test_a_map_that_cannot_grow_stops_writing(registry, store, monkeypatch):
    def grow():
        message = "cannot grow"
        raise StoreError(message)

    store.grow = grow
    store.failures = [MapFullError("full")]
    (error,) = await outcomes(enqueue(registry, "a"))
    assert isinstance(error, StoreError)
    assert registry.stopped is error
    with pytest.raises(ReadOnlyError):
        registry.enqueue(create("b"))


async def test_counts_agree_with_what_was_made(registry, store):
    await outcomes(enqueue(registry, *range(10)))
    gone = Change(Operation.DELETE, name(3), trusted=True)
    await registry.submit(gone)
    with store.snapshot() as snapshot:
        assert snapshot.tally(PREFIX) == (9, 10)
        assert len(list(snapshot.names(PREFIX))) == 9
