"""The life of a prefix: 88, 88.118, 88.118.7 (idis notes §2.1-2.2).

    allocate   its record comes to be at the parent's node, without a site
    delegate   the record names the node that serves it, by HS_SITE
    host       the parent's own node serves it: delegated to itself, and homed there
    home       a node starts to serve it; unhome ends that
    stop       the record loses its sites, and a home here answers no more

Each step is a change, or two, of an ordinary registry: authorised, journaled and
durable like any other. The state is a `PREFIX_STATE` value at index 10 (emulator
convention, after the states of the secondary nodes' management system: idis notes
§1.5).
"""

from collections.abc import Sequence

from registry.change import Change, Receipt
from registry.errors import NotFoundError
from registry.journal import Operation
from registry.model.identifier import home_of, prefix_handle
from registry.model.identity import Identity
from registry.model.record import Record
from registry.model.typed import ADMIN_INDEX, ALL_ADMIN_BITS, Admin
from registry.model.value import Reference, Value
from registry.service import Registry

SITE_INDEX = 1
STATE_INDEX = 10
STATE_TYPE = "PREFIX_STATE"
ALLOCATED, ENABLED, STOPPED = "allocated", "enabled", "stopped"
_SITE_TYPES = ("HS_SITE", "HS_SITE.PREFIX")


def admin_value(administrator: Reference, index: int = ADMIN_INDEX) -> Value:
    """Make an HS_ADMIN value that grants everything."""
    admin = Admin(ALL_ADMIN_BITS, administrator.handle, administrator.index)
    return Value(index, "HS_ADMIN", admin.encode())


def prefix_values(
    administrator: Reference, sites: Sequence[bytes]
) -> tuple[Value, ...]:
    """Give the record of a prefix that is allocated and delegated."""
    return (*_sites(sites), _state(ENABLED), admin_value(administrator))


def sites_of(record: Record) -> tuple[bytes, ...]:
    """Give the HS_SITE data of a prefix's record, the preferred first."""
    return tuple(v.data for v in record.values if v.type.upper() == "HS_SITE")


def is_stopped(record: Record) -> bool:
    """Tell whether a prefix was taken out of service."""
    state = record.value(STATE_INDEX)
    return state is not None and state.data == STOPPED.encode()


class Prefixes:
    """Allocates and moves the prefixes below those that live at one node."""

    def __init__(
        self, registry: Registry, actor: Identity | None, *, trusted: bool
    ) -> None:
        self._registry = registry
        self._actor = actor
        self._trusted = trusted

    async def allocate(self, prefix: bytes, administrator: Reference) -> Receipt:
        """Register a prefix; it is not served anywhere yet.

        Raises:
            RegistryError: Its parent does not live here, it is allocated already,
                or the actor may not (ADD_PREFIX at the parent).
        """
        values = (_state(ALLOCATED), admin_value(administrator))
        return await self._submit(Operation.CREATE, prefix_handle(prefix), values)

    async def delegate(self, prefix: bytes, sites: Sequence[bytes]) -> Receipt:
        """Name the sites that serve a prefix, by HS_SITE data, the first preferred.

        Raises:
            RegistryError: The prefix is not allocated, or the actor may not.
        """
        record = self._record(prefix)
        kept = tuple(v for v in record.values if not _replaced(v))
        values = (*_sites(sites), _state(ENABLED), *kept)
        return await self._rewrite(record, values)

    async def host(self, prefix: bytes, sites: Sequence[bytes]) -> Receipt:
        """Serve a prefix at its parent's own node, whose sites these are.

        Raises:
            RegistryError: As for `delegate` and `home`.
        """
        self._record(prefix)
        await self.home(prefix)
        return await self.delegate(prefix, sites)

    async def home(self, prefix: bytes) -> Receipt:
        """Start to serve a prefix here, with the administrators of its record."""
        record = self._registry.get(prefix_handle(prefix))
        values = record.values if record else ()
        admins = tuple(v for v in values if v.type.upper() == "HS_ADMIN")
        return await self._submit(Operation.HOME, prefix, admins)

    async def unhome(self, prefix: bytes) -> Receipt:
        """Stop serving a prefix here; its records stay."""
        return await self._submit(Operation.UNHOME, prefix)

    async def stop(self, prefix: bytes) -> Receipt:
        """Take a prefix out of service.

        Raises:
            RegistryError: It is not allocated here, or the actor may not.
        """
        record = self._record(prefix)
        with self._registry.store.snapshot() as snapshot:
            hosted = snapshot.home(prefix) is not None
        if hosted:
            await self._submit(Operation.STOP, prefix)
        kept = tuple(v for v in record.values if not _replaced(v))
        return await self._rewrite(record, (_state(STOPPED), *kept))

    def _record(self, prefix: bytes) -> Record:
        record = self._registry.get(prefix_handle(prefix))
        if record is None:
            message = (
                f"prefix {prefix.decode()} is not allocated at the node of "
                f"{home_of(prefix_handle(prefix)).decode()}"
            )
            raise NotFoundError(message)
        return record

    async def _rewrite(self, record: Record, values: tuple[Value, ...]) -> Receipt:
        change = Change(
            Operation.CREATE,
            record.name,
            values,
            overwrite=True,
            actor=self._actor,
            trusted=self._trusted,
            expected_serial=record.serial,
        )
        return await self._registry.submit(change)

    async def _submit(
        self, operation: Operation, name: bytes, values: tuple[Value, ...] = ()
    ) -> Receipt:
        change = Change(
            operation, name, values, actor=self._actor, trusted=self._trusted
        )
        return await self._registry.submit(change)


def _sites(sites: Sequence[bytes]) -> tuple[Value, ...]:
    return tuple(
        Value(SITE_INDEX + number, "HS_SITE", site) for number, site in enumerate(sites)
    )


def _state(state: str) -> Value:
    return Value(STATE_INDEX, STATE_TYPE, state.encode())


def _replaced(value: Value) -> bool:
    return value.type.upper() in _SITE_TYPES or value.index == STATE_INDEX
