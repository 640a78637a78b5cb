"""A group of changes on its way to one transaction.

`Evaluation` applies the rules of `registry.change` to a group against one snapshot, each
change seeing what those before it did, and collects the one batch that makes them
durable. It reads the snapshot and writes nothing.
"""

from collections.abc import Iterable

from registry.change import (
    RULES,
    Change,
    Content,
    Receipt,
    check_homed,
    check_serial,
)
from registry.errors import (
    AdminError,
    GroupElsewhereError,
    NotHomedError,
)
from registry.journal import Entry, Operation, digest_of, encode_entry
from registry.model.identifier import home_of, prefix_of
from registry.model.identity import Identity
from registry.model.record import Record
from registry.model.typed import AdminBit
from registry.model.value import Value
from registry.policy import GroupReader, administrators, authorise
from registry.store.interface import Batch, Home, Made, Reader, Tally

_new = tuple.__new__
"""Makes what a change leaves, at half the price of calling its class."""

# Members of enumerations are looked up by Python's own code: 0.1 µs each.
_CREATE, _DELETE, _HOME = Operation.CREATE, Operation.DELETE, int(Operation.HOME)

_NOBODY = Identity(b"", 0)
"""Who asked, where nobody had to say."""


class Evaluation:
    """A group of changes on its way to one transaction."""

    def __init__(
        self, snapshot: Reader, now: float, *, ask_at_once: bool = True
    ) -> None:
        """Begin a group.

        Args:
            snapshot: What it is applied to.
            now: Seconds since 1970.
            ask_at_once: Ask the sealer of each record that is not found; otherwise of
                those to be created not before it seals (`Batch.absent`).
        """
        self._snapshot = snapshot
        self._ask_at_once = ask_at_once
        self._time_ms = int(now * 1000)
        self._homes: dict[bytes, Home | None] = {}
        self._granted: set[tuple[Identity | None, bytes, AdminBit]] = set()
        self._counts: dict[bytes, list[int]] = {}
        self._batch = Batch(serial=snapshot.serial)
        self.seconds = int(now)
        """When the changes are made, since 1970."""

    def look(self, snapshot: Reader) -> None:
        """Go on with another view of the same state."""
        self._snapshot = snapshot

    @property
    def batch(self) -> Batch:
        """What makes durable what was applied so far."""
        for prefix, counts in self._counts.items():
            self._batch.tallies[prefix] = Tally(*counts)
        return self._batch

    def apply(self, change: Change) -> Receipt:
        """Evaluate one change and add what it writes to the batch.

        Raises:
            RegistryError: The change breaks a rule and leaves nothing behind.
        """
        operation, name = change.operation, change.name
        if operation >= _HOME:
            if operation is Operation.NOTE:
                return self._apply_note(change)
            return self._apply_home(change)
        if operation is not _DELETE:
            # A record may go even where its prefix is not homed any more.
            check_homed(self.home(home_of(name)))
        if operation is not _CREATE or self._ask_at_once:
            current = self.record(name)
        else:
            current = self._found(name)
        if change.expected_serial is not None:
            check_serial(change, current)
        content = RULES[operation](self, change, current)
        return self._put(change, current, content)

    def record(self, name: bytes) -> Record | None:
        """Read a record as the group has left it."""
        records = self._batch.records
        return records[name] if name in records else self._snapshot.get(name)

    def _found(self, name: bytes) -> Record | None:
        records = self._batch.records
        if name in records:
            return records[name]
        record = self._snapshot.find(name)
        if record is None:
            self._batch.absent.append(name)
        return record

    def home(self, prefix: bytes) -> Home | None:
        """Read a home as the group has left it."""
        homes = self._homes
        if prefix not in homes:
            homes[prefix] = self._snapshot.home(prefix)
        return homes[prefix]

    def _put(
        self, change: Change, current: Record | None, content: Content | None
    ) -> Receipt:
        # Whatever may fail comes first: a failing change leaves nothing behind.
        batch, name = self._batch, change.name
        serial = batch.serial + 1
        record, values_octets = None, None
        if content is not None:
            public, values_octets = content
            record = _new(Record, (name, serial, public, values_octets))
        entry = self._entry(change, serial, digest_of(values_octets))
        octets = encode_entry(entry)
        if (current is None) is not (record is None):
            self._count(prefix_of(name), 1 if current is None else -1)
        batch.serial = serial
        batch.journal.append((serial, octets))
        batch.made.append(_new(Made, (entry, record, b"")))
        batch.records[name] = record
        if current is not None:
            self._granted.clear()  # it may have been a group of administrators
        return _new(Receipt, (serial, name, record))

    def _commit(self, made: Made, octets: bytes) -> None:
        batch = self._batch
        batch.serial = serial = made.entry.serial
        batch.journal.append((serial, octets))
        batch.made.append(made)

    def _entry(self, change: Change, serial: int, digest: bytes) -> Entry:
        actor = change.actor or _NOBODY
        return _new(
            Entry,
            (serial, change.operation, self._time_ms, change.name, digest, *actor),
        )

    def _count(self, prefix: bytes, added: int) -> None:
        counts = self._counts.get(prefix)
        if counts is None:
            counts = self._counts[prefix] = list(self._snapshot.tally(prefix))
        counts[0] += added
        if added > 0:
            counts[1] += 1

    def _apply_home(self, change: Change) -> Receipt:
        if not change.trusted:
            # Homing needs the server's own administrator, as in CNRI's server.
            authorise(change.actor, AdminBit.ADD_PREFIX, (), self._reader(change))
        prefix = change.name
        current = self.home(prefix)
        if current is None and change.operation is not Operation.HOME:
            message = f"{prefix.decode()} is not homed here"
            raise NotHomedError(message)
        entry = self._entry(change, self._batch.serial + 1, digest_of(None))
        self._commit(Made(entry, None), encode_entry(entry))
        self._homes[prefix] = self._batch.homes[prefix] = _rehomed(change, current)
        self._granted.clear()
        return Receipt(entry.serial, prefix, None)

    def _apply_note(self, change: Change) -> Receipt:
        if not change.trusted:
            message = "only the node itself takes notes"
            raise AdminError(message)
        entry = self._entry(change, self._batch.serial + 1, digest_of(change.note))
        self._commit(Made(entry, None, change.note), encode_entry(entry))
        return Receipt(entry.serial, change.name, None)

    def authorise_by_home(self, change: Change, needed: AdminBit) -> None:
        """Check the actor against the administrators of the name's home."""
        if change.trusted:
            return
        prefix = home_of(change.name)
        right = (change.actor, prefix, needed)
        if right not in self._granted:
            home = self.home(prefix)
            admins = administrators(home.admins if home else ())
            authorise(change.actor, needed, admins, self._reader(change))
            self._granted.add(right)

    def authorise_by_record(
        self, change: Change, record: Record, needed: Iterable[AdminBit]
    ) -> None:
        """Check the actor against the record's administrators, else its home's."""
        if change.trusted:
            return
        admins = administrators(record.values)
        for bit in needed:
            if admins:
                authorise(change.actor, bit, admins, self._reader(change))
            else:
                self.authorise_by_home(change, bit)

    def _reader(self, change: Change) -> GroupReader:
        def read(name: bytes, index: int) -> Value | None:
            if change.elsewhere and (name, index) in change.elsewhere:
                return change.elsewhere[name, index]
            if self.home(home_of(name)) is None:
                raise GroupElsewhereError(name, index)
            record = self.record(name)
            return record.value(index) if record else None

        return read


def _rehomed(change: Change, current: Home | None) -> Home | None:
    match change.operation:
        case Operation.HOME:
            return Home(change.name, active=True, admins=tuple(change.values))
        case Operation.STOP:
            assert current is not None
            return current._replace(active=False)
        case _:
            return None
