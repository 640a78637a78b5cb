"""Who is who at one node, and what that one may see or list.

The policy's rules (`registry.policy`) applied to the records of one store; writing
is checked again, by the same rules, where the change is made.
"""

from collections.abc import Collection

from registry.errors import ChallengeNeededError, GroupElsewhereError
from registry.model.identifier import home_of
from registry.model.identity import Identity
from registry.model.record import Record
from registry.model.typed import Admin, AdminBit
from registry.model.value import Value
from registry.policy import administrators, authorise, grants_of
from registry.store.interface import Store


class Access:
    """Rights at one node."""

    def __init__(
        self, store: Store, operators: Collection[Identity], *, required: bool = True
    ) -> None:
        self._store = store
        self._operators = frozenset(operators)
        self.required = required
        """False switches authentication off: everybody may do everything."""

    def trusts(self, identity: Identity | None) -> bool:
        """Tell whether a client may do anything: the node's own operators may."""
        return not self.required or identity in self._operators

    def may_read(self, identity: Identity | None, record: Record) -> bool:
        """Tell whether a client may read a record's restricted values.

        Raises:
            ChallengeNeededError: Nobody has authenticated yet.
        """
        if self.trusts(identity):
            return True
        if identity is None:
            message = "restricted values need an authenticated administrator"
            raise ChallengeNeededError(message)
        granted = grants_of(identity, self._admins(record), self._read).permissions
        return bool((granted or 0) & AdminBit.READ_VALUE)

    def check_list(self, identity: Identity | None, prefix: bytes) -> None:
        """Check that a client may list the identifiers of a prefix.

        Raises:
            RegistryError: It may not, by the rules of `registry.policy.authorise`.
        """
        if not self.trusts(identity):
            admins = self._home_admins(prefix)
            authorise(identity, AdminBit.LIST_HANDLES, admins, self._read)

    def _admins(self, record: Record) -> tuple[Admin, ...]:
        own = administrators(record.values)
        return own or self._home_admins(home_of(record.name))

    def _home_admins(self, prefix: bytes) -> tuple[Admin, ...]:
        with self._store.snapshot() as snapshot:
            home = snapshot.home(prefix)
        return administrators(home.admins if home else ())

    def _read(self, name: bytes, index: int) -> Value | None:
        with self._store.snapshot() as snapshot:
            if snapshot.home(home_of(name)) is None:
                raise GroupElsewhereError(name, index)
            record = snapshot.get(name)
        return record.value(index) if record else None
