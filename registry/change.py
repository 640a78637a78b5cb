"""What a change asks for, and what it does to a record: pure rules.

The rules and their order are CNRI's (handle notes §3) unless the line says
otherwise. `Evaluation` runs a group of changes against one snapshot, each seeing
what those before it did, and collects the one batch that makes them durable.
"""

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from registry.errors import (
    AdminError,
    AlreadyExistsError,
    ChallengeNeededError,
    GroupElsewhereError,
    InvalidIdentifierError,
    InvalidValueError,
    MalformedError,
    NotFoundError,
    NotHomedError,
    SerialError,
    ValueExistsError,
    ValuesNotFoundError,
)
from registry.journal import Entry, Operation, digest_of, encode_entry
from registry.model.identifier import (
    home_of,
    is_prefix_handle,
    prefix_of,
    suffix_of,
)
from registry.model.identity import Identity
from registry.model.octets import MAX_BLOB_OCTETS
from registry.model.record import Record, make_record
from registry.model.typed import Admin, AdminBit, decode_group
from registry.model.value import MAX_VALUES, Value, stamped
from registry.policy import (
    HS_ADMIN,
    HS_VLIST,
    GroupReader,
    administrators,
    authorise,
    check_writable,
)
from registry.store.interface import Batch, Home, Made, Snapshot, Tally

_LARGEST_INDEX = 0x7FFF_FFFF
_TYPE_OCTETS = 255


@dataclass(frozen=True, slots=True)
class Change:
    """One change that somebody asks for."""

    operation: Operation
    name: bytes
    """Canonical name; for HOME, UNHOME and STOP the prefix."""

    values: tuple[Value, ...] = ()
    indexes: tuple[int, ...] = ()
    overwrite: bool = False
    actor: Identity | None = None
    trusted: bool = False
    """Skip authorisation: the node's own operator, or authentication is off."""

    expected_serial: int | None = None
    """Compare-and-swap: the record's serial must be this; 0 means no record."""

    elsewhere: Mapping[tuple[bytes, int], Value | None] | None = None
    """Administrator groups of other nodes, fetched before by name and index."""

    note: bytes = b""
    """What a NOTE says."""


class Receipt(NamedTuple):
    """What an acknowledged change left on disk."""

    serial: int
    name: bytes
    record: Record | None


class Evaluation:
    """A group of changes on its way to one transaction."""

    def __init__(self, snapshot: Snapshot, now: float) -> None:
        self._snapshot = snapshot
        self._now = now
        self._homes: dict[bytes, Home | None] = {}
        self._rights: dict[tuple[Identity | None, bytes, AdminBit], bool] = {}
        self.batch = Batch(serial=snapshot.serial)

    def apply(self, change: Change) -> Receipt:
        """Evaluate one change and add what it writes to the batch.

        Raises:
            RegistryError: The change breaks a rule and leaves nothing behind.
        """
        if change.operation is Operation.NOTE:
            return self._apply_note(change)
        if change.operation >= Operation.HOME:
            return self._apply_home(change)
        if change.operation is not Operation.DELETE:
            # A record may go even where its prefix is not homed any more.
            check_homed(self.home(home_of(change.name)))
        current = self.record(change.name)
        _check_serial(change, current)
        values = _RULES[change.operation](self, change, current)
        return self._put(change, current, values)

    def record(self, name: bytes) -> Record | None:
        """Read a record as the group has left it."""
        if name in self.batch.records:
            return self.batch.records[name]
        return self._snapshot.get(name)

    def home(self, prefix: bytes) -> Home | None:
        """Read a home as the group has left it."""
        if prefix in self.batch.homes:
            return self.batch.homes[prefix]
        if prefix not in self._homes:
            self._homes[prefix] = self._snapshot.home(prefix)
        return self._homes[prefix]

    def _put(
        self, change: Change, current: Record | None, values: tuple[Value, ...] | None
    ) -> Receipt:
        # Whatever may fail comes first: a failing change leaves nothing behind.
        serial = self.batch.serial + 1
        record = None if values is None else _recorded(change.name, serial, values)
        digest = digest_of(record.values_octets if record else None)
        entry = self._entry(change, serial, digest)
        tally = self._tally(change, current, record)
        self._commit(Made(entry, record), encode_entry(entry))
        self.batch.records[change.name] = record
        if tally is not None:
            self.batch.tallies[prefix_of(change.name)] = tally
        if current is not None:
            self._rights.clear()  # it may have been a group of administrators
        return Receipt(serial, change.name, record)

    def _commit(self, made: Made, octets: bytes) -> None:
        self.batch.serial = made.entry.serial
        self.batch.journal.append((made.entry.serial, octets))
        self.batch.made.append(made)

    def _entry(self, change: Change, serial: int, digest: bytes) -> Entry:
        actor = change.actor or Identity(b"", 0)
        return Entry(
            serial,
            change.operation,
            int(self._now * 1000),
            change.name,
            digest,
            actor.handle,
            actor.index,
        )

    def _tally(
        self, change: Change, current: Record | None, record: Record | None
    ) -> Tally | None:
        if (current is None) == (record is None):
            return None
        prefix = prefix_of(change.name)
        tally = self.batch.tallies.get(prefix) or self._snapshot.tally(prefix)
        if current is None:
            return Tally(tally.identifiers + 1, tally.registrations + 1)
        return tally._replace(identifiers=tally.identifiers - 1)

    def _apply_home(self, change: Change) -> Receipt:
        if not change.trusted:
            # Homing needs the server's own administrator, as in CNRI's server.
            authorise(change.actor, AdminBit.ADD_PREFIX, (), self._reader(change))
        current = self.home(change.name)
        if current is None and change.operation is not Operation.HOME:
            message = f"{change.name.decode()} is not homed here"
            raise NotHomedError(message)
        serial = self.batch.serial + 1
        entry = self._entry(change, serial, digest_of(None))
        self._commit(Made(entry, None), encode_entry(entry))
        self.batch.homes[change.name] = _rehomed(change, current)
        self._rights.clear()
        return Receipt(serial, change.name, None)

    def _apply_note(self, change: Change) -> Receipt:
        if not change.trusted:
            message = "only the node itself takes notes"
            raise AdminError(message)
        serial = self.batch.serial + 1
        entry = self._entry(change, serial, digest_of(change.note))
        self._commit(Made(entry, None, change.note), encode_entry(entry))
        return Receipt(serial, change.name, None)

    def authorise_by_home(self, change: Change, needed: AdminBit) -> None:
        """Check the actor against the administrators of the name's home."""
        if change.trusted:
            return
        prefix = home_of(change.name)
        key = (change.actor, prefix, needed)
        if key not in self._rights:
            home = self.home(prefix)
            admins = administrators(home.admins if home else ())
            authorise(change.actor, needed, admins, self._reader(change))
            self._rights[key] = True

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

    def stamp(self, values: Sequence[Value]) -> tuple[Value, ...]:
        """Set the time of writing."""
        return stamped(values, int(self._now))


def check_values(values: Sequence[Value]) -> None:
    """Check a list of values to be written, before anything else is looked at.

    Raises:
        InvalidValueError: No values, an index that is not positive, an empty or
            overlong type, overlong data, or HS_ADMIN or HS_VLIST data that cannot
            be read.
        ValueExistsError: An index stands twice.
    """
    if not values:
        message = "Value list was empty"
        raise InvalidValueError(message)
    seen = set()
    for value in values:
        if not 0 < value.index <= _LARGEST_INDEX:
            message = "Value indexes must be positive"
            raise InvalidValueError(message)
        if value.index in seen:
            raise _index_conflict(value.index)
        seen.add(value.index)
        _check_typed(value)


def check_homed(home: Home | None) -> None:
    """Check that a prefix lives here and is not stopped.

    Raises:
        NotHomedError: It does not, or is; the text is CNRI's.
    """
    if home is None:
        message = "That prefix doesn't live here"
        raise NotHomedError(message)
    if not home.active:
        message = f"prefix {home.prefix.decode()} is stopped"
        raise NotHomedError(message)


def check_absent(name: bytes, record: Record | None, *, overwrite: bool) -> None:
    """Check that a create may go on.

    Raises:
        AlreadyExistsError: The record exists and is not to be overwritten. CNRI
            sends no text here.
    """
    if record is not None and not overwrite:
        raise AlreadyExistsError


def _create(
    evaluation: Evaluation, change: Change, current: Record | None
) -> tuple[Value, ...]:
    check_values(change.values)
    check_absent(change.name, current, overwrite=change.overwrite)
    evaluation.authorise_by_home(change, _creating(change.name))
    if current is not None:
        evaluation.authorise_by_record(change, current, (_deleting(change.name),))
    return evaluation.stamp(change.values)


def _delete(evaluation: Evaluation, change: Change, current: Record | None) -> None:
    record = _existing(change, current)
    evaluation.authorise_by_record(change, record, (_deleting(change.name),))


def _add(
    evaluation: Evaluation, change: Change, current: Record | None
) -> tuple[Value, ...]:
    check_values(change.values)
    record = _existing(change, current)
    held = {value.index: value for value in record.values}
    conflicts = [value.index for value in change.values if value.index in held]
    needed = _bits(change.values, AdminBit.ADD_VALUE, AdminBit.ADD_ADMIN)
    if conflicts and not change.overwrite:
        evaluation.authorise_by_record(change, record, needed)
        raise _index_conflict(conflicts[0])
    replaced = [held[index] for index in conflicts]
    if replaced:
        needed |= _bits(replaced, AdminBit.MODIFY_VALUE, AdminBit.MODIFY_ADMIN)
    evaluation.authorise_by_record(change, record, needed)
    _check_all_writable(change, replaced)
    held.update((value.index, value) for value in evaluation.stamp(change.values))
    return tuple(held.values())


def _modify(
    evaluation: Evaluation, change: Change, current: Record | None
) -> tuple[Value, ...]:
    check_values(change.values)
    record = _existing(change, current)
    held = {value.index: value for value in record.values}
    replaced = [held[value.index] for value in change.values if value.index in held]
    both = [*replaced, *change.values]
    needed = _bits(both, AdminBit.MODIFY_VALUE, AdminBit.MODIFY_ADMIN)
    evaluation.authorise_by_record(change, record, needed)
    if len(replaced) < len(change.values):
        raise ValuesNotFoundError
    _check_all_writable(change, replaced)
    held.update((value.index, value) for value in evaluation.stamp(change.values))
    return tuple(held.values())


def _remove(
    evaluation: Evaluation, change: Change, current: Record | None
) -> tuple[Value, ...]:
    record = _existing(change, current)
    gone = [value for value in record.values if value.index in change.indexes]
    needed = _bits(gone, AdminBit.REMOVE_VALUE, AdminBit.REMOVE_ADMIN)
    evaluation.authorise_by_record(change, record, needed)
    if not gone or len(gone) < len(set(change.indexes)):
        raise ValuesNotFoundError
    _check_all_writable(change, gone)
    return tuple(value for value in record.values if value.index not in change.indexes)


_Rule = Callable[[Evaluation, Change, Record | None], tuple[Value, ...] | None]

_RULES: dict[Operation, _Rule] = {
    Operation.CREATE: _create,
    Operation.DELETE: _delete,
    Operation.ADD: _add,
    Operation.MODIFY: _modify,
    Operation.REMOVE: _remove,
}


def _rehomed(change: Change, current: Home | None) -> Home | None:
    match change.operation:
        case Operation.HOME:
            return Home(change.name, active=True, admins=change.values)
        case Operation.STOP:
            assert current is not None
            return current._replace(active=False)
        case _:
            return None


def _check_serial(change: Change, current: Record | None) -> None:
    expected = change.expected_serial
    found = current.serial if current else 0
    if expected is not None and expected != found:
        message = (
            f"{change.name.decode()} has serial {found} now, not {expected}: "
            "read it again"
        )
        raise SerialError(message)


def _recorded(name: bytes, serial: int, values: tuple[Value, ...]) -> Record:
    if len(values) > MAX_VALUES:
        message = (
            f"{name.decode()} would have {len(values)} values, "
            f"at most {MAX_VALUES} allowed"
        )
        raise InvalidValueError(message)
    try:
        return make_record(name, serial, values)
    except (struct.error, UnicodeEncodeError) as error:
        message = f"{name.decode()}: a value has a field out of range ({error})"
        raise InvalidValueError(message) from None


def _existing(change: Change, current: Record | None) -> Record:
    if current is None:
        if change.actor is None and not change.trusted:
            # CNRI looks for the record only after the challenge.
            message = f"{change.operation.name} needs an authenticated administrator"
            raise ChallengeNeededError(message)
        raise NotFoundError
    return current


def _creating(name: bytes) -> AdminBit:
    return AdminBit.ADD_PREFIX if is_prefix_handle(name) else AdminBit.ADD_HANDLE


def _deleting(name: bytes) -> AdminBit:
    return AdminBit.DELETE_PREFIX if is_prefix_handle(name) else AdminBit.DELETE_HANDLE


def _bits(values: Iterable[Value], plain: AdminBit, admin: AdminBit) -> set[AdminBit]:
    found = {admin if value.type.upper() == HS_ADMIN else plain for value in values}
    return found or {plain}


def _check_all_writable(change: Change, values: Iterable[Value]) -> None:
    if not change.trusted:
        for value in values:
            check_writable(value)


def _check_typed(value: Value) -> None:
    if not 0 < len(value.type.encode()) <= _TYPE_OCTETS:
        message = (
            f"value {value.index}: type of 1 to {_TYPE_OCTETS} octets expected, "
            f"got {len(value.type.encode())}"
        )
        raise InvalidValueError(message)
    if len(value.data) > MAX_BLOB_OCTETS:
        message = (
            f"value {value.index}: {len(value.data)} octets of data, "
            f"at most {MAX_BLOB_OCTETS} allowed"
        )
        raise InvalidValueError(message)
    try:
        if value.type.upper() == HS_ADMIN:
            Admin.decode(value.data)
        elif value.type.upper() == HS_VLIST:
            decode_group(value.data)
    except MalformedError as error:
        message = f"value {value.index}: {error}"
        raise InvalidValueError(message) from None


def _index_conflict(index: int) -> ValueExistsError:
    return ValueExistsError(f"Index conflict for {index}")


def check_prefix(name: bytes) -> bytes:
    """Give the prefix that a HOME or UNHOME request names.

    The official SDK sends the bare prefix, others `0.NA/PREFIX` (handle notes
    §1.9).

    Raises:
        InvalidIdentifierError: It names something else; the text is CNRI's.
    """
    if not is_prefix_handle(name):
        message = "Handle is not a prefix handle"
        raise InvalidIdentifierError(message)
    return suffix_of(name)


def trusted(change: Change) -> Change:
    """Mark a change as coming from the node's own operator."""
    return replace(change, trusted=True)
