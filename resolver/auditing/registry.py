"""Records, homes and counts against the log's last word on each name."""

import hashlib
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator

from chain_anchor.auditing import Replay, ascending
from chain_anchor.changes import record_digest
from chain_anchor.entry_fields import NO_HASH
from chain_anchor.errors import CorruptLogError
from chain_anchor.statemap import ACTIVE, KIND_HOME, KIND_RECORD, map_key
from registry.errors import RegistryError
from registry.journal import Operation
from registry.model.identifier import prefix_of
from registry.model.record import Record, decode_record
from registry.store.interface import Home, Tally
from registry.store.lmdb import FORMAT
from registry.store.lmdb_snapshot import LmdbSnapshot, key_of
from resolver.auditing.findings import Findings
from resolver.auditing.journal import JOURNAL, JournalCheck, Lines
from resolver.auditing.searched import Searched
from resolver.log_drafts import Drafter

RECORDS, HOMES, META = "records", "homes", "meta"

_TALLY = b"tally:"
_TRANSACTION = b"transaction"
_TALLY_OCTETS = 16
_TELL_EACH = 1000


class RegistryCheck:
    """One recheck of a node's registry."""

    def __init__(
        self,
        snapshot: LmdbSnapshot,
        drafter: Drafter,
        journal: JournalCheck,
        replay: Replay | None,
        findings: Findings,
    ) -> None:
        """Take what was read before; without a replay, only each entry by itself."""
        self.records = 0
        self.homes = 0
        self._snapshot = snapshot
        self._tables = Searched(snapshot)
        self._drafter = drafter
        self._journal = journal
        self._replay = replay
        self._findings = findings
        self._identifiers: Counter[bytes] = Counter()

    def run(self, tell: Callable[[int], None]) -> None:
        """Recheck everything; `tell` is told how many more records are done."""
        with self._findings.attempt(RECORDS):
            for record in self._walk_records():
                self._check_record(record)
                self._identifiers[prefix_of(record.name)] += 1
                self.records += 1
                if self.records % _TELL_EACH == 0:
                    tell(_TELL_EACH)
        with self._findings.attempt(HOMES):
            for prefix, _ in ascending(HOMES, self._tables.items(HOMES)):
                self._check_home(self._home(prefix))
                self.homes += 1
        with self._findings.attempt(RECORDS):
            if self._replay is not None and not self._findings.about(
                RECORDS, HOMES, JOURNAL
            ):
                self._check_nothing_missing(self._replay)
        with self._findings.attempt(META):
            self._check_meta()

    def _walk_records(self) -> Iterator[Record]:
        for key, octets in ascending(RECORDS, self._tables.items(RECORDS)):
            try:
                record = decode_record(octets, key)
            except RegistryError as error:
                raise CorruptLogError(RECORDS, key, str(error)) from None
            if key_of(record.name) != key:
                raise CorruptLogError(RECORDS, key, f"it is {record.name!r}")
            yield record

    def _check_record(self, record: Record) -> None:
        if self._replay is None or record.serial > self._journal.changes:
            return
        key = key_of(record.name)
        digest, serial = self._last_change(
            self._replay, RECORDS, KIND_RECORD, record.name
        )
        if serial != record.serial:
            problem = f"has serial {record.serial}, its last change is {serial}"
            raise CorruptLogError(RECORDS, key, problem)
        told = record.public_octets(), self._drafter.commitment(record)
        # Of what was registered before there was a log, it may have the journal's word.
        late = hashlib.sha256(record.values_octets).digest()
        if digest not in (record_digest(*told), late):
            problem = f"is not what change {serial} of the log registered"
            raise CorruptLogError(RECORDS, key, problem)

    def _home(self, prefix: bytes) -> Home:
        try:
            home = self._snapshot.home(prefix)
        except RegistryError as error:
            raise CorruptLogError(HOMES, prefix, str(error)) from None
        if home is None:
            raise CorruptLogError(HOMES, prefix, "cannot be found by its key")
        return home

    def _check_home(self, home: Home) -> None:
        if self._replay is None or self._journal.unlogged:
            return
        told = record_digest(*self._drafter.home_told(home))
        digest, _ = self._last_change(self._replay, HOMES, KIND_HOME, home.prefix)
        # Zeros stand for one that was served before there was a log.
        if digest not in (told, NO_HASH):
            problem = "is not what the log says is served"
            raise CorruptLogError(HOMES, home.prefix, problem)

    def _last_change(
        self, replay: Replay, table: str, kind: int, name: bytes
    ) -> tuple[bytes, int]:
        """Give record digest and serial of a name's last change."""
        state = replay.state(map_key(kind, name))
        if state is None or state.state != ACTIVE:
            problem = "is there, but the log says that it is not registered"
            raise CorruptLogError(table, key_of(name), problem)
        serial = state.index - bisect_left(replay.others, state.index) + 1
        return self._journal.digest(serial), serial

    def _check_nothing_missing(self, replay: Replay) -> None:
        """Check that all that the log says is registered is there."""
        if self._journal.unlogged:
            return
        active = sum(state == ACTIVE for state in replay.states())
        children = len(self._journal.seen)
        if active == self.records + self.homes + children:
            return
        for table, kind, name in self._names():
            state, key = replay.state(map_key(kind, name)), key_of(name)
            registered = state is not None and state.state == ACTIVE
            if registered and self._tables.get(table, key) is None:
                raise CorruptLogError(table, key, "missing; the log has it registered")
        problem = (
            f"{self.records} records, {self.homes} homes and {children} children, "
            f"the log has {active} names registered"
        )
        raise CorruptLogError(RECORDS, b"", problem)

    def _names(self) -> Iterator[tuple[str, int, bytes]]:
        """Walk the names of records and homes that there ever were."""
        for line in Lines(self._tables.items(JOURNAL)):
            if line.operation < Operation.HOME:
                yield RECORDS, KIND_RECORD, line.name
            elif line.operation < Operation.NOTE:
                yield HOMES, KIND_HOME, line.name

    def _check_meta(self) -> None:
        serial = self._journal.lines.serial
        expected = {b"format": FORMAT.to_bytes(8), b"serial": serial.to_bytes(8)}
        countable = not self._findings.about(RECORDS, JOURNAL)
        for key, octets in ascending(META, self._tables.items(META)):
            if key.startswith(_TALLY):
                if countable:
                    self._check_tally(key, octets)
            elif key == _TRANSACTION:
                self._check_transaction(octets)
            elif key not in expected:
                raise CorruptLogError(META, key, "nothing that is kept there")
            elif octets != expected[key] and (countable or key != b"serial"):
                problem = f"is {octets.hex()}, {expected[key].hex()} expected"
                raise CorruptLogError(META, key, problem)
        expected_keys = [*expected, *(_TALLY + prefix for prefix in self._identifiers)]
        if self._replay is not None:
            expected_keys.append(_TRANSACTION)
        for key in expected_keys:
            if serial and self._tables.get(META, key) is None:
                raise CorruptLogError(META, key, "missing")

    def _check_transaction(self, octets: bytes) -> None:
        """Check that the last write is no later than the tree that is read.

        That it is no earlier, whoever opens the store has checked.
        """
        number = self._snapshot.transaction
        # A copy that the engine has compacted counts from 1 again.
        if int.from_bytes(octets) > number > 1:
            problem = f"is {octets.hex()}, the tree is one of {number}"
            raise CorruptLogError(META, _TRANSACTION, problem)

    def _check_tally(self, key: bytes, octets: bytes) -> None:
        prefix = key.removeprefix(_TALLY)
        if len(octets) != _TALLY_OCTETS:
            problem = f"{len(octets)} octets, {_TALLY_OCTETS} expected"
            raise CorruptLogError(META, key, problem)
        found = Tally(int.from_bytes(octets[:8]), int.from_bytes(octets[8:]))
        registrations = self._journal.registrations[prefix]
        if self._replay is None or self._journal.unlogged:
            registrations = found.registrations
        expected = Tally(self._identifiers[prefix], registrations)
        if found != expected:
            problem = f"{found}, by records and journal {expected}"
            raise CorruptLogError(META, key, problem)
