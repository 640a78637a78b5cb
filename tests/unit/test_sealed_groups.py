"""Groups that are sealed and then not written, not served, or not confirmed."""

import asyncio
import errno
import os
from functools import partial

import lmdb
import pytest

from chain_anchor.statemap import ACTIVE
from registry.change import Receipt
from registry.errors import (
    AlreadyExistsError,
    DiskFullError,
    ReadOnlyError,
    StoreError,
    UnconfirmedError,
)
from registry.journal import Operation
from registry.service import Registry
from registry.store import lmdb as lmdb_engine
from registry.store.lmdb import LmdbStore
from tests.registries import NOW
from tests.unit.test_sealing import PUBLIC, Node, change, name

DEADLINE_SECONDS = 10
SMALL_MAP_OCTETS = 1 << 17
LARGE = PUBLIC._replace(data=bytes(20_000))


class StillNode(Node):
    """A node whose clock stands still, so that two of them make the same log."""

    def __init__(self, directory):
        super().__init__(directory)
        self.registry = Registry(
            self.store, self.executor, lambda: NOW, sealer=self.sealing
        )
        self.reported: list[BaseException] = []

    def outcomes(self, *changes):
        """Write one group; gives receipts and errors."""

        async def all_of_them():
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(
                lambda _, context: self.reported.append(context["exception"])
            )
            async with asyncio.timeout(DEADLINE_SECONDS):
                futures = [self.registry.enqueue(item) for item in changes]
                told = await asyncio.gather(*futures, return_exceptions=True)
                await self.registry.drain()
            return told

        return asyncio.run(all_of_them())

    def create(self, number: int, value=PUBLIC):
        (outcome,) = self.outcomes(change(Operation.CREATE, name(number), value))
        return outcome


def started(directory) -> StillNode:
    node = StillNode(directory)
    node.outcomes(change(Operation.HOME, b"88.100.1"))
    return node


@pytest.fixture
def node(tmp_path):
    node = started(tmp_path / "node")
    yield node
    node.close()


@pytest.fixture
def other(tmp_path):
    """Another node, to which nothing happens."""
    node = started(tmp_path / "other")
    yield node
    node.close()


def fail_once(monkeypatch, node, error: Exception):
    """Let the engine fail once, when what is sealed has been put and the rest not."""
    put = node.store._put

    def failing(*arguments):
        monkeypatch.setattr(node.store, "_put", put)
        assert node.sealing.log.sealed is not None
        raise error

    monkeypatch.setattr(node.store, "_put", failing)


def full() -> lmdb.Error:
    return lmdb.DiskError(f"mdb_txn_commit: {os.strerror(errno.ENOSPC)}")


# Not written


def test_a_group_that_was_not_written_leaves_no_trace_in_the_log(
    node, other, monkeypatch
):
    for number in range(30):
        node.create(number)
        other.create(number)
    before = node.sealing.log.head
    fail_once(monkeypatch, node, full())
    assert isinstance(node.create(100), DiskFullError)
    assert node.sealing.log.head == before
    assert node.sealing.log.sealed is None
    assert node.prove(name(100)).standing == "absent"
    assert node.prove(name(1)).state.state == ACTIVE
    for number in (101, 1, 102):
        assert isinstance(node.create(number), Receipt)
        other.create(number)
    assert node.sealing.log.head == other.sealing.log.head
    assert node.entries() == other.entries()
    assert node.prove(name(102)).standing == "present"


def test_a_group_behind_one_that_was_not_written_is_evaluated_again(node, monkeypatch):
    fail_once(monkeypatch, node, full())
    fresh = change(Operation.CREATE, name(1), PUBLIC)._replace(overwrite=False)

    async def one_after_the_other():
        async with asyncio.timeout(DEADLINE_SECONDS):
            first = node.registry.enqueue(fresh)
            await asyncio.sleep(0)  # the first is on its way
            second = node.registry.enqueue(fresh)
            return await asyncio.gather(first, second, return_exceptions=True)

    first, second = asyncio.run(one_after_the_other())
    # Behind one that is on its way, the same name is taken; it was not written.
    assert isinstance(first, DiskFullError)
    assert isinstance(second, Receipt)
    assert node.prove(name(1)).state.version == 1


def test_nothing_is_sealed_after_an_error_of_the_disk(node, monkeypatch):
    assert isinstance(node.create(1), Receipt)
    head = node.sealing.log.head
    fail_once(monkeypatch, node, lmdb.Error("mdb_txn_commit: Input/output error"))
    assert isinstance(node.create(2), StoreError)
    with pytest.raises(ReadOnlyError, match="Input/output error"):
        node.create(3)
    assert node.sealing.log.head == head
    # What there is can still be read and proven.
    assert node.prove(name(1)).standing == "present"
    assert node.prove(name(2)).standing == "absent"


def test_a_log_does_not_notice_that_its_store_has_grown(tmp_path, other, monkeypatch):
    monkeypatch.setattr(lmdb_engine, "_INITIAL_MAP_OCTETS", SMALL_MAP_OCTETS)
    grown = []
    grow = LmdbStore.grow
    monkeypatch.setattr(LmdbStore, "grow", lambda store: grown.append(grow(store)))
    small = started(tmp_path / "small")
    for number in range(40):
        for node in (small, other):
            assert isinstance(node.create(number, LARGE), Receipt)
    assert len(grown) >= 3
    assert small.sealing.log.head == other.sealing.log.head
    assert small.entries() == other.entries()
    assert small.prove(name(39)) == other.prove(name(39))
    small.close()


def test_a_store_that_cannot_grow_leaves_the_log_where_it_was(node, monkeypatch):
    head = node.sealing.log.head
    fail_once(monkeypatch, node, lmdb.MapFullError("mdb_put: MDB_MAP_FULL"))

    def cannot():
        message = "cannot grow"
        raise StoreError(message)

    monkeypatch.setattr(node.store, "grow", cannot)
    outcome = node.create(1)
    assert isinstance(outcome, StoreError)
    assert node.registry.stopped is outcome
    assert node.sealing.log.head == head
    assert node.registry.get(name(1)) is None


# Not served


def test_a_group_that_cannot_be_served_is_acknowledged_and_the_last(node, monkeypatch):
    failure = StoreError("too many readers")

    def publish():
        raise failure

    monkeypatch.setattr(node.sealing, "publish", publish)
    receipt = node.create(1)
    # It is durable, whoever cannot see it.
    assert isinstance(receipt, Receipt)
    assert node.reported == [failure]
    with pytest.raises(ReadOnlyError, match=r"cannot be served: .*too many readers"):
        node.create(2)
    assert node.registry.get(name(1)) == receipt.record


def test_what_could_not_be_served_is_there_after_a_restart(tmp_path, monkeypatch):
    node = started(tmp_path / "node")

    def publish():
        raise StoreError("too many readers")

    monkeypatch.setattr(node.sealing, "publish", publish)
    assert isinstance(node.create(1), Receipt)
    node.close()
    again = StillNode(tmp_path / "node")
    assert again.prove(name(1)).standing == "present"
    assert isinstance(again.create(2), Receipt)
    again.close()


# Damaged


def edit(directory, edited):
    """Change a store's tables past all checks."""
    with lmdb.open(str(directory), max_dbs=8) as environment:
        names = ("journal", "meta", "log_meta")
        tables = {name: environment.open_db(name.encode()) for name in names}
        with environment.begin(write=True) as transaction:
            edited(transaction, **tables)


def test_a_log_that_has_lost_its_head_does_not_begin_again(tmp_path):
    started(tmp_path / "node").close()
    edit(
        tmp_path / "node",
        lambda transaction, log_meta, **_: transaction.delete(b"head", db=log_meta),
    )
    with pytest.raises(StoreError, match="a log without a head has entries"):
        StillNode(tmp_path / "node")


def test_a_journal_that_ends_too_early_is_not_logged_late(tmp_path):
    node = started(tmp_path / "node")
    node.create(1)
    node.close()

    def cut(transaction, journal, meta, **_):
        transaction.drop(journal, delete=False)
        transaction.put(b"serial", (9).to_bytes(8), db=meta)

    edit(tmp_path / "node", cut)
    with pytest.raises(StoreError, match="the journal has nothing after 2, 9 is its"):
        StillNode(tmp_path / "node")


def test_nothing_is_logged_twice_because_a_bit_flips_in_how_far_the_log_is(tmp_path):
    node = started(tmp_path / "node")
    for number in range(6):
        node.create(number)
    node.close()

    def flip(bit, transaction, log_meta, **_):
        stored = bytearray(transaction.get(b"serial", db=log_meta))
        stored[bit // 8] ^= 1 << bit % 8
        transaction.put(b"serial", bytes(stored), db=log_meta)

    damaged = f"log_meta {b'serial'.hex()}"
    for bit in range(8 * 12):
        edit(tmp_path / "node", partial(flip, bit))
        with pytest.raises(StoreError, match=damaged):
            StillNode(tmp_path / "node")
        edit(tmp_path / "node", partial(flip, bit))  # back again
    edit(
        tmp_path / "node",
        lambda transaction, log_meta, **_: transaction.delete(b"serial", db=log_meta),
    )
    with pytest.raises(StoreError, match=damaged):
        StillNode(tmp_path / "node")


# Not confirmed


def test_a_group_that_is_not_confirmed_stands_and_is_told_so(node):
    async def confirm():
        raise OSError(errno.ECONNREFUSED, "no witness answers")

    node.registry.confirm = confirm
    (told,) = node.outcomes(change(Operation.CREATE, name(1), PUBLIC))
    assert isinstance(told, UnconfirmedError)
    assert "written, but not confirmed" in str(told)
    assert "no witness answers" in str(told)
    assert node.registry.stopped is None
    assert node.prove(name(1)).standing == "present"
    node.registry.confirm = None
    assert isinstance(node.create(2), Receipt)


def test_who_broke_a_rule_is_told_that_and_not_of_confirmation(node):
    async def confirm():
        raise OSError(errno.ECONNREFUSED, "no witness answers")

    node.create(1)
    node.registry.confirm = confirm
    taken = change(Operation.CREATE, name(1), PUBLIC)._replace(overwrite=False)
    outcomes = node.outcomes(taken, change(Operation.CREATE, name(2), PUBLIC))
    assert [type(one) for one in outcomes] == [AlreadyExistsError, UnconfirmedError]


def test_nothing_is_acknowledged_before_it_is_confirmed(node):
    async def all_of_it():
        asked, confirmed = asyncio.Event(), asyncio.Event()

        async def confirm():
            # Who confirms sees the group as everybody does.
            assert node.prove(name(1)).standing == "present"
            asked.set()
            await confirmed.wait()

        node.registry.confirm = confirm
        async with asyncio.timeout(DEADLINE_SECONDS):
            first = node.registry.enqueue(change(Operation.CREATE, name(1), PUBLIC))
            await asked.wait()
            second = node.registry.enqueue(change(Operation.CREATE, name(2), PUBLIC))
            for _ in range(100):
                await asyncio.sleep(0)
            assert not first.done()
            assert not second.done()
            size = node.sealing.log.head.size
            confirmed.set()
            await asyncio.gather(first, second)
            assert node.sealing.log.head.size > size

    asyncio.run(all_of_it())


def test_confirmation_that_was_cancelled_is_none(node):
    async def confirm():
        raise asyncio.CancelledError

    node.registry.confirm = confirm
    assert isinstance(node.create(1), UnconfirmedError)
    assert node.prove(name(1)).standing == "present"
