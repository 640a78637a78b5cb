"""The registry against a plain dictionary, over closing and opening again.

The model knows the rules for a trusted client and nothing of groups, transactions,
octets or disks. Whatever it says must be what the registry says: the same refusal,
the same record, the same listing, the same counts.
"""

import asyncio
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from registry.change import Change, Receipt
from registry.errors import RegistryError
from registry.journal import Operation, decode_entry, digest_of
from registry.model.value import Value, encode_values
from registry.service import Registry
from registry.store.lmdb import LmdbStore
from tests.registries import NOW, PREFIX, InlineExecutor, home, name, seed

SUFFIXES = ["A", "L" * 600, "L" * 601]
NAMES = st.sampled_from([name(suffix) for suffix in SUFFIXES])
INDEXES = st.integers(1, 3)


def _values(indexes: st.SearchStrategy[int]) -> st.SearchStrategy[Value]:
    return st.builds(
        Value,
        index=indexes,
        type=st.sampled_from(["URL", "EMAIL"]),
        data=st.binary(max_size=3),
        ttl=st.just(60),
        ttl_type=st.just(0),
        timestamp=st.just(0),
        permissions=st.sampled_from([0x0E, 0x0C, 0x08]),
        references=st.just(()),
    )


_GOOD = st.lists(
    _values(INDEXES), min_size=1, max_size=3, unique_by=lambda value: value.index
)
_ANY = st.lists(_values(st.integers(0, 2)), max_size=3)
VALUES = (_GOOD | _GOOD | _GOOD | _ANY).map(tuple)
INDEX_SETS = st.lists(INDEXES, max_size=2).map(tuple)
WRITES = st.sampled_from([Operation.CREATE, Operation.ADD, Operation.MODIFY])
STAMP = int(NOW)


class Held:
    """What the model holds under one name."""

    def __init__(self, serial: int, values: dict[int, Value]) -> None:
        self.serial = serial
        self.values = values


class Model:
    """Names to values, and the rules in the fewest words."""

    def __init__(self) -> None:
        self.held: dict[bytes, Held] = {}
        self.serial = 0
        self.created = 0
        self.digests: list[bytes] = []

    def refusal(self, change: Change) -> int | None:
        """Give the code of the refusal, if there is one."""
        held = self.held.get(change.name)
        if change.expected_serial not in (None, held.serial if held else 0):
            return 101
        if change.operation in (Operation.CREATE, Operation.ADD, Operation.MODIFY):
            indexes = [value.index for value in change.values]
            if not indexes:
                return 202
            for number, index in enumerate(indexes):
                if index == 0:
                    return 202
                if index in indexes[:number]:
                    return 201
        return self._by_record(change, held)

    def _by_record(self, change: Change, held: Held | None) -> int | None:
        if change.operation is Operation.CREATE:
            return 101 if held and not change.overwrite else None
        if held is None:
            return 100
        asked = {value.index for value in change.values} or set(change.indexes)
        missing = asked - held.values.keys()
        match change.operation:
            case Operation.ADD:
                clash = missing != asked and not change.overwrite
                return 201 if clash else None
            case Operation.MODIFY:
                return 200 if missing else None
            case Operation.REMOVE:
                return 200 if missing or not asked else None
        return None

    def make(self, change: Change) -> None:
        """Do what is not refused."""
        held = self.held.get(change.name)
        self.serial += 1
        if change.operation is Operation.DELETE:
            del self.held[change.name]
            self.digests.append(bytes(32))
            return
        new = {v.index: v._replace(timestamp=STAMP) for v in change.values}
        if change.operation is Operation.CREATE:
            values = new
            self.created += held is None
        else:
            values = held.values | new
        for index in change.indexes:
            values.pop(index, None)
        self.held[change.name] = Held(self.serial, values)
        self.digests.append(digest_of(encode_values(values.values())))


class RegistryMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="registry-model-"))
        self.loop = asyncio.new_event_loop()
        self.model = Model()
        self.followed: list[bytes] = []
        self._open()

    def _open(self) -> None:
        self.store = LmdbStore(self.directory)
        self.registry = Registry(self.store, InlineExecutor(), lambda: NOW)
        self.registry.follow(lambda batch: self.followed.extend(batch.records))

    @initialize()
    def home(self):
        seed(self.store, home())

    def teardown(self):
        self.store.close()
        self.loop.close()
        shutil.rmtree(self.directory)

    def _run(self, changes: list[Change]) -> list[Receipt | BaseException]:
        async def run():
            futures = [self.registry.enqueue(change) for change in changes]
            return await asyncio.gather(*futures, return_exceptions=True)

        return self.loop.run_until_complete(run())

    def _make(self, *changes: Change) -> None:
        for change, outcome in zip(changes, self._run(list(changes)), strict=True):
            refusal = self.model.refusal(change)
            if refusal is not None:
                assert isinstance(outcome, RegistryError), (change, outcome)
                assert outcome.code == refusal, (change, outcome)
                continue
            assert isinstance(outcome, Receipt), (change, outcome)
            self.model.make(change)
            assert outcome.serial == self.model.serial
            assert outcome.name == change.name

    def _serial(self, subject: bytes, off: int) -> int:
        held = self.model.held.get(subject)
        return max((held.serial if held else 0) + off, 0)

    @rule(operation=WRITES, subject=NAMES, values=VALUES, overwrite=st.booleans())
    def write(self, operation, subject, values, overwrite):
        self._make(
            Change(operation, subject, values, overwrite=overwrite, trusted=True)
        )

    @rule(subject=NAMES, indexes=INDEX_SETS)
    def remove(self, subject, indexes):
        self._make(Change(Operation.REMOVE, subject, indexes=indexes, trusted=True))

    @rule(subject=NAMES)
    def delete(self, subject):
        self._make(Change(Operation.DELETE, subject, trusted=True))

    @rule(
        operation=WRITES,
        subject=NAMES,
        values=VALUES,
        overwrite=st.booleans(),
        off=st.integers(-1, 1),
    )
    def swap(self, operation, subject, values, overwrite, off):
        change = Change(
            operation,
            subject,
            values,
            overwrite=overwrite,
            trusted=True,
            expected_serial=self._serial(subject, off),
        )
        self._make(change)

    @rule(
        wishes=st.lists(st.tuples(WRITES, NAMES, VALUES, st.booleans()), max_size=6),
        gone=st.lists(NAMES, max_size=2),
    )
    def group(self, wishes, gone):
        changes = [
            Change(operation, subject, values, overwrite=overwrite, trusted=True)
            for operation, subject, values, overwrite in wishes
        ]
        changes += [Change(Operation.DELETE, subject, trusted=True) for subject in gone]
        self._make(*changes)

    @rule()
    def reopen(self):
        self.store.close()
        self._open()

    @invariant()
    def records_are_the_models(self):
        for suffix in SUFFIXES:
            subject = name(suffix)
            record, held = self.registry.get(subject), self.model.held.get(subject)
            assert (record is None) == (held is None)
            if record is not None and held is not None:
                assert record.serial == held.serial
                assert record.values == tuple(held.values.values())
                assert record.public == all(v.public for v in record.values)

    @invariant()
    def listing_and_counts_are_the_models(self):
        with self.store.snapshot() as snapshot:
            assert sorted(snapshot.names(PREFIX)) == sorted(self.model.held)
            tally = (len(self.model.held), self.model.created)
            assert snapshot.tally(PREFIX) == tally
            assert snapshot.serial == self.model.serial

    @invariant()
    def the_journal_tells_the_same_story(self):
        with self.store.snapshot() as snapshot:
            entries = [decode_entry(*line) for line in snapshot.journal(0)]
        assert [entry.serial for entry in entries] == list(
            range(1, self.model.serial + 1)
        )
        assert [entry.digest for entry in entries] == self.model.digests
        assert [
            entry.name for entry in entries if entry.name not in self.followed
        ] == []
        last = {entry.name: (entry.serial, entry.digest) for entry in entries}
        there = {n: found for n, found in last.items() if found[1] != bytes(32)}
        assert there.keys() == self.model.held.keys()
        for subject, (serial, digest) in there.items():
            record = self.registry.get(subject)
            assert record is not None
            assert (record.serial, digest_of(record.values_octets)) == (serial, digest)


def test_the_registry_is_what_a_dictionary_would_be():
    run_state_machine_as_test(
        RegistryMachine,
        settings=settings(max_examples=80, stateful_step_count=40, deadline=None),
    )
