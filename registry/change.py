"""What a change asks for, and what it does to a record: pure rules.

The rules and their order are CNRI's (handle notes §3) unless the line says
otherwise. `registry.evaluation` applies them to a group of changes.
"""

import struct
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Protocol

from registry.errors import (
    AlreadyExistsError,
    ChallengeNeededError,
    InvalidIdentifierError,
    InvalidValueError,
    NotFoundError,
    NotHomedError,
    SerialError,
    ValuesNotFoundError,
)
from registry.journal import Operation
from registry.model.identifier import is_prefix_handle, suffix_of
from registry.model.identity import Identity
from registry.model.new_values import (
    CheckedValues,
    NewValues,
    check_values,
    index_conflict,
)
from registry.model.record import Record, content_of
from registry.model.typed import HS_ADMIN, AdminBit
from registry.model.value import MAX_VALUES, Value, stamped
from registry.policy import check_writable
from registry.store.interface import Home


class Change(NamedTuple):
    """One change that somebody asks for."""

    operation: Operation
    name: bytes
    """Canonical name; for HOME, UNHOME and STOP the prefix."""

    values: NewValues = ()
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


# Members of enumerations are looked up by Python's own code: 0.1 µs each.
_ADD_PREFIX, _ADD_HANDLE = AdminBit.ADD_PREFIX, AdminBit.ADD_HANDLE

Content = tuple[bool, bytes]
"""What a record is to hold: whether everyone may read all of it, and its value list."""


class Authority(Protocol):
    """Says who may do what, as the changes before in the same group have left it."""

    seconds: int
    """When the change is made, since 1970."""

    def authorise_by_home(self, change: Change, needed: AdminBit) -> None:
        """Check the actor against the administrators of the name's home."""

    def authorise_by_record(
        self, change: Change, record: Record, needed: Iterable[AdminBit]
    ) -> None:
        """Check the actor against the record's administrators, else its home's."""


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


def check_serial(change: Change, current: Record | None) -> None:
    """Check that a compare-and-swap meets the record it was made for.

    Raises:
        SerialError: The record has changed since.
    """
    expected = change.expected_serial
    found = current.serial if current else 0
    if expected is not None and expected != found:
        message = (
            f"{change.name.decode()} has serial {found} now, not {expected}: "
            "read it again"
        )
        raise SerialError(message)


def _create(authority: Authority, change: Change, current: Record | None) -> Content:
    check_values(change.values)
    check_absent(change.name, current, overwrite=change.overwrite)
    authority.authorise_by_home(change, _creating(change.name))
    if current is not None:
        authority.authorise_by_record(change, current, (_deleting(change.name),))
    values = change.values
    if isinstance(values, CheckedValues):
        return values.public, values.stamped(authority.seconds)
    return _content(change, stamped(values, authority.seconds))


def _delete(authority: Authority, change: Change, current: Record | None) -> None:
    record = _existing(change, current)
    authority.authorise_by_record(change, record, (_deleting(change.name),))


def _add(authority: Authority, change: Change, current: Record | None) -> Content:
    check_values(change.values)
    record = _existing(change, current)
    held = {value.index: value for value in record.values}
    conflicts = [value.index for value in change.values if value.index in held]
    needed = _bits(change.values, AdminBit.ADD_VALUE, AdminBit.ADD_ADMIN)
    if conflicts and not change.overwrite:
        authority.authorise_by_record(change, record, needed)
        raise index_conflict(conflicts[0])
    replaced = [held[index] for index in conflicts]
    if replaced:
        needed |= _bits(replaced, AdminBit.MODIFY_VALUE, AdminBit.MODIFY_ADMIN)
    authority.authorise_by_record(change, record, needed)
    _check_all_writable(change, replaced)
    new = stamped(change.values, authority.seconds)
    held.update((value.index, value) for value in new)
    return _content(change, tuple(held.values()))


def _modify(authority: Authority, change: Change, current: Record | None) -> Content:
    check_values(change.values)
    record = _existing(change, current)
    held = {value.index: value for value in record.values}
    replaced = [held[value.index] for value in change.values if value.index in held]
    both = [*replaced, *change.values]
    needed = _bits(both, AdminBit.MODIFY_VALUE, AdminBit.MODIFY_ADMIN)
    authority.authorise_by_record(change, record, needed)
    if len(replaced) < len(change.values):
        raise ValuesNotFoundError
    _check_all_writable(change, replaced)
    new = stamped(change.values, authority.seconds)
    held.update((value.index, value) for value in new)
    return _content(change, tuple(held.values()))


def _remove(authority: Authority, change: Change, current: Record | None) -> Content:
    record = _existing(change, current)
    gone = [value for value in record.values if value.index in change.indexes]
    needed = _bits(gone, AdminBit.REMOVE_VALUE, AdminBit.REMOVE_ADMIN)
    authority.authorise_by_record(change, record, needed)
    if not gone or len(gone) < len(set(change.indexes)):
        raise ValuesNotFoundError
    _check_all_writable(change, gone)
    kept = (value for value in record.values if value.index not in change.indexes)
    return _content(change, tuple(kept))


_Rule = Callable[[Authority, Change, Record | None], Content | None]

RULES: dict[Operation, _Rule] = {
    Operation.CREATE: _create,
    Operation.DELETE: _delete,
    Operation.ADD: _add,
    Operation.MODIFY: _modify,
    Operation.REMOVE: _remove,
}


def _content(change: Change, values: tuple[Value, ...]) -> Content:
    name = change.name.decode()
    if len(values) > MAX_VALUES:
        message = (
            f"{name} would have {len(values)} values, at most {MAX_VALUES} allowed"
        )
        raise InvalidValueError(message)
    try:
        return content_of(values)
    except (struct.error, UnicodeEncodeError) as error:
        message = f"{name}: a value has a field out of range ({error})"
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
    return _ADD_PREFIX if is_prefix_handle(name) else _ADD_HANDLE


def _deleting(name: bytes) -> AdminBit:
    return AdminBit.DELETE_PREFIX if is_prefix_handle(name) else AdminBit.DELETE_HANDLE


def _bits(values: Iterable[Value], plain: AdminBit, admin: AdminBit) -> set[AdminBit]:
    found = {admin if value.type.upper() == HS_ADMIN else plain for value in values}
    return found or {plain}


def _check_all_writable(change: Change, values: Iterable[Value]) -> None:
    if not change.trusted:
        for value in values:
            check_writable(value)


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
    return change._replace(trusted=True)
