"""Stores and changes for tests of the registry."""

from concurrent.futures import Executor, Future

from registry.change import Change
from registry.journal import Operation
from registry.model.identity import Identity
from registry.model.typed import ALL_ADMIN_BITS, Admin, encode_group
from registry.model.value import DEFAULT_PERMISSIONS, Reference, Value
from registry.store.interface import Batch, Home, Store

NOW = 1_700_000_000.25
PREFIX = b"88.100.1"
OWNER = Identity(PREFIX + b"/ADMIN", 300)
STRANGER = Identity(PREFIX + b"/STRANGER", 300)


def url(index: int = 1, data: bytes = b"https://example.com", **fields) -> Value:
    return Value(index, "URL", data, **fields)


def admin(
    who: Identity,
    bits: int = ALL_ADMIN_BITS,
    index: int = 100,
    permissions: int = DEFAULT_PERMISSIONS,
) -> Value:
    data = Admin(bits, who.handle.decode(), who.index).encode()
    return Value(index, "HS_ADMIN", data, permissions=permissions)


def group(*members: Identity, index: int = 200) -> Value:
    references = tuple(Reference(m.handle.decode(), m.index) for m in members)
    return Value(index, "HS_VLIST", encode_group(references))


def home(prefix: bytes = PREFIX, *admins: Value, active: bool = True) -> Home:
    return Home(prefix, active, admins or (admin(OWNER),))


def seed(store: Store, *homes: Home) -> None:
    """Home prefixes without a change of their own."""
    batch = Batch(serial=0, homes={entry.prefix: entry for entry in homes})
    store.write(batch)


def name(suffix: bytes | str | int, prefix: bytes = PREFIX) -> bytes:
    octets = suffix if isinstance(suffix, bytes) else str(suffix).encode()
    return prefix + b"/" + octets.upper()


def create(suffix: bytes | str | int, *values: Value, **fields) -> Change:
    fields.setdefault("trusted", "actor" not in fields)
    return Change(Operation.CREATE, name(suffix), values or (url(),), **fields)


class InlineExecutor(Executor):
    """Runs a call at once on the caller's thread, so that a test has one thread."""

    def submit(self, function, /, *arguments, **options):
        future = Future()
        try:
            future.set_result(function(*arguments, **options))
        except BaseException as error:  # noqa: BLE001 (raised where it is awaited)
            future.set_exception(error)
        return future
