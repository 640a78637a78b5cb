"""Who may do what: authorise or raise, without I/O (handle notes §1.8, §3).

An administrator is named by HS_ADMIN values: a user's key (handle and index; index
0 means any key of that handle), or an HS_VLIST whose members are such names again.
A record's own HS_ADMIN values govern it. A record that has none is governed by
those of its prefix (emulator convention: enterprise nodes administer by prefix).
Creating and listing are always governed by the prefix.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from registry.errors import (
    AdminError,
    ChallengeNeededError,
    GroupError,
    InvalidIdentifierError,
    MalformedError,
    PermissionsError,
)
from registry.model.identifier import canonical
from registry.model.identity import Identity
from registry.model.typed import HS_ADMIN, HS_VLIST, Admin, AdminBit, decode_group
from registry.model.value import Permission, Reference, Value

MAX_GROUP_DEPTH = 10
MAX_GROUP_LOOKUPS = 256
MAX_GROUP_STEPS = 65_536
"""Members looked at for one decision (emulator convention)."""

GroupReader = Callable[[bytes, int], Value | None]
"""Reads one value of a record by canonical name, without regard to permissions.

None when there is no such value; raises `GroupError` when it cannot be read.
"""


def administrators(values: Iterable[Value]) -> tuple[Admin, ...]:
    """Decode the HS_ADMIN values among `values`; unreadable ones grant nothing."""
    found = []
    for value in values:
        if value.type.upper() == HS_ADMIN:
            try:
                found.append(Admin.decode(value.data))
            except MalformedError:
                continue
    return tuple(found)


class Grants(NamedTuple):
    """What some administrators' entries grant to one identity."""

    permissions: int | None
    """None when they name nobody like it."""

    unread: GroupError | None = None
    """Why a group could not be read that may grant more."""


def grants_of(identity: Identity, admins: Iterable[Admin], read: GroupReader) -> Grants:
    """Join what `admins` grant to an identity.

    Groups are read only when no direct entry names the identity.
    """
    granted: int | None = None
    groups = []
    for admin in admins:
        reference = Reference(admin.handle, admin.index)
        if _names(reference, identity):
            granted = (granted or 0) | admin.permissions
        else:
            groups.append((reference, admin.permissions))
    if granted is not None:
        return Grants(granted)
    return _granted_by_groups(_GroupSearch(identity, read), groups)


def _granted_by_groups(
    search: "_GroupSearch", groups: Iterable[tuple[Reference, int]]
) -> Grants:
    granted: int | None = None
    unread: GroupError | None = None
    for reference, permissions in groups:
        try:
            if search.contains(reference):
                granted = (granted or 0) | permissions
        except GroupError as error:
            unread = unread or error
    return Grants(granted, unread)


def authorise(
    identity: Identity | None,
    needed: AdminBit,
    admins: Iterable[Admin],
    read: GroupReader,
) -> None:
    """Check that the client is an administrator with the permission.

    Raises:
        ChallengeNeededError: Nobody has authenticated yet.
        AdminError: The client is none of the administrators.
        PermissionsError: It is one, but lacks the permission.
        GroupError: A group could not be read and nothing else decides.
    """
    if identity is None:
        message = f"{needed.name} needs an authenticated administrator"
        raise ChallengeNeededError(message)
    granted, unread = grants_of(identity, admins, read)
    if granted is not None and granted & needed:
        return
    if unread is not None:
        raise unread
    if granted is None:
        message = f"{identity} is not an administrator here"
        raise AdminError(message)
    message = f"{identity} lacks the permission {needed.name}"
    raise PermissionsError(message)


def check_writable(value: Value) -> None:
    """Check that administrators may change this value.

    Raises:
        PermissionsError: It has no ADMIN_WRITE.
    """
    if not value.permissions & Permission.ADMIN_WRITE:
        message = f"value {value.index} may not be changed: it lacks ADMIN_WRITE"
        raise PermissionsError(message)


class _GroupSearch:
    """Walks HS_VLIST groups, bounded in depth, records read and members seen."""

    def __init__(self, identity: Identity, read: GroupReader) -> None:
        self._identity = identity
        self._read = read
        self._known: dict[tuple[bytes, int], tuple[Reference, ...]] = {}
        self._steps = 0

    def contains(self, group: Reference) -> bool:
        """Tell whether the group, or one inside it, names the identity."""
        level: list[Reference] = [group]
        # Of this walk alone: what one entry reached, another may reach as well.
        seen: set[tuple[bytes, int]] = set()
        for _ in range(MAX_GROUP_DEPTH):
            below: list[Reference] = []
            for reference in level:
                members = self._members(reference, seen)
                if any(_names(member, self._identity) for member in members):
                    return True
                below += members
            level = below
        return False

    def _members(
        self, group: Reference, seen: set[tuple[bytes, int]]
    ) -> tuple[Reference, ...]:
        name = _canonical(group.handle)
        if name is None or (name, group.index) in seen:
            return ()
        seen.add((name, group.index))
        if self._steps > MAX_GROUP_STEPS:
            message = f"administrator groups have more than {MAX_GROUP_STEPS} members"
            raise GroupError(message)
        if (name, group.index) not in self._known:
            self._known[name, group.index] = self._fetch(name, group.index)
        members = self._known[name, group.index]
        self._steps += len(members)
        return members

    def _fetch(self, name: bytes, index: int) -> tuple[Reference, ...]:
        if len(self._known) >= MAX_GROUP_LOOKUPS:
            message = f"administrator groups name more than {MAX_GROUP_LOOKUPS} records"
            raise GroupError(message)
        value = self._read(name, index)
        if value is None or value.type.upper() != HS_VLIST:
            return ()
        try:
            return decode_group(value.data)
        except MalformedError:
            return ()


def _names(reference: Reference, identity: Identity) -> bool:
    if reference.index not in (0, identity.index):
        return False
    return _canonical(reference.handle) == identity.handle


def _canonical(handle: str) -> bytes | None:
    try:
        return canonical(handle.encode())
    except InvalidIdentifierError:
        return None
