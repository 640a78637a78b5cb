"""Sealing: what a registry writes, as the node's log has it."""

import asyncio
import struct
from concurrent.futures import ThreadPoolExecutor

import lmdb
import pytest

from chain_anchor.buckets import PlainEngine
from chain_anchor.bundle import encode_bundle
from chain_anchor.changes import Change as Logged
from chain_anchor.checkpoint import open_checkpoint
from chain_anchor.entries import Header, Rotation, decode_entry
from chain_anchor.errors import SignatureError
from chain_anchor.proof import verify_bundle
from chain_anchor.rotation import follow_rotations
from chain_anchor.statemap import KIND_HOME, KIND_RECORD
from chain_anchor.view import bundle_of
from registry.change import Change
from registry.errors import CorruptError, StoreError
from registry.journal import Operation
from registry.model.value import Value
from registry.service import Registry
from registry.store.lmdb import LmdbStore
from resolver.keys import SeededKeys
from resolver.log_keys import LogKeys
from resolver.sealing import Sealing

KEYS = LogKeys("node.idis.test/log", SeededKeys(1))
PUBLIC = Value(1, "URL", b"https://example.org")
SECRET = Value(2, "HS_SECKEY", b"correct horse", permissions=0x0C)


def name(number: int) -> bytes:
    return b"88.100.1/%d" % number


def change(operation: Operation, subject: bytes, *values: Value) -> Change:
    return Change(operation, subject, values, overwrite=True, trusted=True)


class Node:
    """A store, its registry and its log, without a network."""

    def __init__(self, directory, *, sealed=True):
        self.store = LmdbStore(directory)
        self.sealing = Sealing(KEYS, PlainEngine(), self.store) if sealed else None
        if self.sealing is not None:
            self.sealing.open()
        self.executor = ThreadPoolExecutor(1)
        self.registry = Registry(self.store, self.executor, sealer=self.sealing)

    def write(self, *changes: Change):
        async def all_of_them():
            return await asyncio.gather(*map(self.registry.enqueue, changes))

        return asyncio.run(all_of_them())

    def close(self):
        if self.sealing is not None:
            self.sealing.release()
        self.executor.shutdown()
        self.store.close()

    def prove(self, subject: bytes, kind=KIND_RECORD):
        shown = self.shown_record(subject)
        if kind == KIND_HOME:
            home = self.sealing.view.home(subject)
            shown = home and self.sealing.drafter.home_told(home)
        tables = self.sealing.view.tables
        bundle = bundle_of(self.sealing.log, tables, kind, subject, shown)
        return verify_bundle(
            encode_bundle(bundle), self.sealing.log.signer.key, about=(kind, subject)
        )

    def shown_record(self, subject: bytes):
        record = self.registry.get(subject)
        if record is None:
            return None
        return record.public_octets(), self.sealing.drafter.commitment(record)

    def entries(self):
        view = self.sealing.log_view
        return [view.entry(index) for index in range(view.head.size)]


@pytest.fixture
def node(tmp_path):
    node = Node(tmp_path / "node")
    node.write(change(Operation.HOME, b"88.100.1"))
    yield node
    node.close()


def test_a_group_is_changes_and_one_header(node):
    size = node.sealing.log.head.size
    node.write(*(change(Operation.CREATE, name(n), PUBLIC) for n in range(3)))
    fresh = [decode_entry(entry) for entry in node.entries()[size:]]
    assert [type(entry) for entry in fresh] == [Logged, Logged, Logged, Header]
    assert fresh[3].count == 3
    assert {entry.scope for entry in fresh[:3]} == {b"88.100.1"}


def test_a_record_is_proven_through_its_life(node):
    subject = name(1)
    assert node.prove(subject).standing == "absent"
    node.write(change(Operation.CREATE, subject, PUBLIC))
    node.write(change(Operation.MODIFY, subject, PUBLIC._replace(data=b"https://two")))
    proven = node.prove(subject)
    assert (proven.standing, proven.state.version) == ("present", 2)
    assert b"https://two" in proven.record
    node.write(change(Operation.DELETE, subject))
    assert node.prove(subject).standing == "deleted"
    node.write(change(Operation.CREATE, subject, PUBLIC))
    assert node.prove(subject).state.version == 4


def test_every_intermediate_state_of_a_group_is_logged(node):
    size = node.sealing.log.head.size
    node.write(
        change(Operation.CREATE, name(1), PUBLIC),
        change(Operation.DELETE, name(1)),
        change(Operation.CREATE, name(1), PUBLIC._replace(data=b"https://two")),
    )
    fresh = [decode_entry(entry) for entry in node.entries()[size:-1]]
    assert [entry.version for entry in fresh] == [1, 2, 3]
    assert [entry.state for entry in fresh] == [1, 2, 1]
    assert b"https://two" in node.prove(name(1)).record


def test_prefixes_are_logged_like_records(node):
    assert node.prove(b"88.100.1", KIND_HOME).standing == "present"
    node.write(change(Operation.STOP, b"88.100.1"))
    assert node.prove(b"88.100.1", KIND_HOME).change.operation == Operation.STOP
    node.write(change(Operation.UNHOME, b"88.100.1"))
    assert node.prove(b"88.100.1", KIND_HOME).standing == "deleted"


def test_a_restricted_value_is_committed_to_and_never_shown(node):
    node.write(change(Operation.CREATE, name(1), PUBLIC, SECRET))
    proven = node.prove(name(1))
    assert SECRET.data not in proven.record
    assert proven.commitment is not None
    assert not any(SECRET.data in entry for entry in node.entries())


def test_the_same_restricted_value_has_another_commitment_each_time(node):
    node.write(change(Operation.CREATE, name(1), PUBLIC, SECRET))
    first = node.prove(name(1)).commitment
    node.write(change(Operation.CREATE, name(1), PUBLIC, SECRET))
    assert node.prove(name(1)).commitment != first


def test_a_restart_goes_on_where_the_log_was(tmp_path):
    node = Node(tmp_path / "node")
    node.write(change(Operation.HOME, b"88.100.1"))
    before = node.sealing.log.head
    node.close()
    again = Node(tmp_path / "node")
    assert again.sealing.log.head == before
    again.write(change(Operation.CREATE, name(1), PUBLIC))
    assert again.sealing.log_view.consistency(before.size)
    assert again.prove(name(1)).standing == "present"
    again.close()


def test_a_registry_from_before_the_log_is_logged_late(tmp_path):
    node = Node(tmp_path / "node", sealed=False)
    node.write(change(Operation.HOME, b"88.100.1"))
    node.write(*(change(Operation.CREATE, name(n), PUBLIC) for n in range(5)))
    node.write(change(Operation.MODIFY, name(1), PUBLIC._replace(data=b"two")))
    node.write(change(Operation.DELETE, name(2)))
    node.close()
    again = Node(tmp_path / "node")
    assert again.prove(name(1)).state.version == 2
    assert b"two" in again.prove(name(1)).record
    assert again.prove(name(2)).standing == "deleted"
    assert again.prove(name(3)).standing == "present"
    again.close()


def test_what_was_written_without_the_log_is_logged_at_the_next_start(tmp_path):
    for sealed, subject in ((True, name(1)), (False, name(2)), (True, name(3))):
        node = Node(tmp_path / "node", sealed=sealed)
        node.write(
            change(Operation.HOME, b"88.100.1"),
            change(Operation.CREATE, subject, PUBLIC),
        )
        if sealed:
            assert node.prove(subject).standing == "present"
        node.close()
    again = Node(tmp_path / "node")
    assert again.prove(name(2)).standing == "present"
    again.close()


def test_a_rotation_is_followed_from_the_old_key(node):
    first = node.sealing.log.signer.key
    node.sealing.rotate()
    node.sealing.rotate()
    node.write(change(Operation.CREATE, name(1), PUBLIC))
    head = node.sealing.log.head
    with pytest.raises(SignatureError):
        open_checkpoint(head.note, KEYS.origin, (first,))
    key = follow_rotations(first, node.sealing.rotations())
    assert open_checkpoint(head.note, KEYS.origin, (key,)).size == head.size
    assert node.prove(name(1)).standing == "present"


def test_a_rotation_outlasts_a_restart(tmp_path):
    node = Node(tmp_path / "node")
    first = node.sealing.log.signer.key
    node.sealing.rotate()
    node.close()
    again = Node(tmp_path / "node")
    now = again.sealing.log.signer.key
    assert now != first
    assert follow_rotations(first, again.sealing.rotations()) == now
    kinds = [type(decode_entry(entry)) for entry in again.entries()]
    assert kinds == [Rotation, Header]
    again.close()


def flip(directory, table: str, key: bytes, place: int) -> None:
    with lmdb.open(str(directory), max_dbs=8) as environment:
        handle = environment.open_db(table.encode())
        with environment.begin(write=True, db=handle) as transaction:
            octets = bytearray(transaction.get(key))
            octets[place] ^= 1
            transaction.put(key, bytes(octets))


@pytest.mark.parametrize(
    ("table", "key"),
    [("log_meta", b"head"), ("log_rows", struct.pack("!BQ", 0, 0))],
)
def test_damage_at_the_edge_of_the_log_stops_the_start(tmp_path, table, key):
    node = Node(tmp_path / "node")
    node.write(change(Operation.HOME, b"88.100.1"))
    node.close()
    flip(tmp_path / "node", table, key, 40)
    with pytest.raises(StoreError, match="cannot go on"):
        Node(tmp_path / "node")


def test_a_damaged_bucket_is_found_before_it_is_signed_over(tmp_path):
    node = Node(tmp_path / "node")
    node.write(change(Operation.HOME, b"88.100.1"))
    head = node.sealing.log.head
    node.close()
    flip(tmp_path / "node", "log_map", bytes(9), 60)
    again = Node(tmp_path / "node")
    with pytest.raises(StoreError, match="log_map"):
        again.write(change(Operation.CREATE, name(1), PUBLIC))
    assert again.registry.stopped is not None
    assert again.sealing.log.head == head
    assert again.registry.get(name(1)) is None
    again.close()


def test_a_record_that_damage_hides_is_not_taken_for_absent(node):
    names = [name(number) for number in range(300)]
    node.write(*(change(Operation.CREATE, one, PUBLIC) for one in names))
    node.write(*(change(Operation.DELETE, one) for one in names[:100]))
    with node.store._environment.begin(write=True) as transaction:
        assert transaction.delete(names[200], db=node.store.records)
    for number in (*range(100), *range(300, 1_300)):
        assert node.registry.get(name(number)) is None  # deleted, or never there
    with pytest.raises(CorruptError, match="in the log as registered"):
        node.registry.get(names[200])
    with pytest.raises(CorruptError):
        node.write(change(Operation.CREATE, names[200], PUBLIC))
    node.write(change(Operation.CREATE, names[0], PUBLIC))
    assert node.registry.get(names[0]) is not None


def test_only_who_creates_a_hidden_record_is_refused(node):
    names = [name(number) for number in range(300)]
    node.write(*(change(Operation.CREATE, one, PUBLIC) for one in names))
    with node.store._environment.begin(write=True) as transaction:
        assert transaction.delete(names[200], db=node.store.records)

    async def create(*numbers):
        made = (change(Operation.CREATE, name(number), PUBLIC) for number in numbers)
        asked = map(node.registry.enqueue, made)
        return await asyncio.gather(*asked, return_exceptions=True)

    groups = node.registry.groups
    found = asyncio.run(create(*range(300, 350), 200, *range(350, 400)))
    refused = [number for number, one in enumerate(found) if not isinstance(one, tuple)]
    assert refused == [50]
    assert isinstance(found[50], CorruptError)
    assert node.registry.groups == groups + 1
    assert node.registry.stopped is None
    assert len({one.serial for one in found if isinstance(one, tuple)}) == 100
    assert node.prove(name(399)).standing == "present"
    (later,) = asyncio.run(create(400))
    assert node.registry.get(name(400)) == later.record


def test_a_record_registered_anew_was_not_hidden(node):
    node.write(change(Operation.CREATE, name(1), PUBLIC))
    node.write(change(Operation.DELETE, name(1)))
    node.write(
        change(Operation.CREATE, name(1), PUBLIC),
        change(Operation.DELETE, name(1)),
        change(Operation.CREATE, name(1), PUBLIC),
        change(Operation.CREATE, name(2), PUBLIC),
    )
    assert node.prove(name(1)).state.version == 5
    assert node.prove(name(2)).state.version == 1
