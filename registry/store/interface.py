"""What the registry needs of a storage engine.

One writer, any number of readers, each reader on a consistent snapshot. A
`Batch` is written whole or not at all, and `write` returns only after the disk
has it: that is the whole durability contract.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, Self

from registry.journal import Entry
from registry.model.record import Record
from registry.model.value import Value


class Home(NamedTuple):
    """A prefix that lives here."""

    prefix: bytes
    active: bool
    """False once it is stopped: kept, but neither resolved nor written."""

    admins: tuple[Value, ...]
    """HS_ADMIN values of the prefix, copied from its record when it was homed."""


class Tally(NamedTuple):
    """Counts of one home, kept in the same transaction as what they count."""

    identifiers: int = 0
    """Registered now."""

    registrations: int = 0
    """Created ever."""


class Made(NamedTuple):
    """One change of a batch, with what it left of its record."""

    entry: Entry
    record: Record | None
    note: bytes = b""
    """What a NOTE says."""


@dataclass(slots=True)
class Batch:
    """Everything one transaction writes; None deletes."""

    serial: int
    """Serial after this batch."""

    records: dict[bytes, Record | None] = field(default_factory=dict)
    homes: dict[bytes, Home | None] = field(default_factory=dict)
    tallies: dict[bytes, Tally] = field(default_factory=dict)
    journal: list[tuple[int, bytes]] = field(default_factory=list)
    """Serial and encoded entry, rising."""

    made: list[Made] = field(default_factory=list)
    """The changes, in the order of the journal."""

    absent: list[bytes] = field(default_factory=list)
    """Names whose records were not found, of which the sealer is still to be asked."""


LOG_TABLES = ("log_rows", "log_entries", "log_map", "log_meta")
"""Tables of whoever seals; the registry does not know what is in them."""

Puts = Mapping[str, Sequence[tuple[bytes, bytes | None]]]
"""By table what is written, each key once; None deletes."""


class Tables(Protocol):
    """The sealer's tables, as one transaction sees them."""

    def get(self, table: str, key: bytes) -> bytes | None:
        """Read one entry."""

    def items(self, table: str, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Walk entries by key, from `start` on."""


IsSealed = Callable[[Tables, bytes], bool]
"""Tells whether a canonical name is registered, by what was sealed with it."""


class Sealer(Protocol):
    """Adds to each transaction what makes it provable.

    `seal` runs in the writer's thread; whatever follows it, `publish` or `revert`,
    is called before the next `seal`.
    """

    def seal(self, batch: Batch, tables: Tables) -> Puts:
        """Give what else the transaction must write; an error stops it all.

        Raises:
            HiddenRecordError: What was sealed before says that one of `batch.absent`
                ought to be there; nothing is wrong with the others.
        """

    def publish(self) -> None:
        """Take note that the transaction is durable."""

    def revert(self) -> None:
        """Take note that it was not written."""

    def release(self) -> None:
        """Let go of every snapshot: the store is about to grow."""


class Reader(Protocol):
    """What the rules of registration read."""

    @property
    def serial(self) -> int:
        """Number of the last change."""

    def get(self, name: bytes) -> Record | None:
        """Read a record by canonical name.

        Raises:
            CorruptError: Its octets fail their checksum, or it is not there and what
                was sealed says that it ought to be.
        """

    def find(self, name: bytes) -> Record | None:
        """Read a record like `get`, but take one that is not there for absent.

        Whoever relies on that has the sealer asked, by `Batch.absent`.
        """

    def home(self, prefix: bytes) -> Home | None:
        """Read the entry of a prefix that lives here."""

    def tally(self, prefix: bytes) -> Tally:
        """Read the counts of a home."""


class Snapshot(Reader, Protocol):
    """A consistent view of what is on disk, for a `with` block."""

    def __enter__(self) -> Self:
        """Begin to use it."""

    def __exit__(self, *_: object) -> None:
        """Let go of it."""

    @property
    def tables(self) -> Tables:
        """The sealer's tables."""

    def homes(self) -> tuple[Home, ...]:
        """List the prefixes that live here, sorted."""

    def names(self, prefix: bytes, after: bytes = b"") -> Iterator[bytes]:
        """Walk the canonical names under a prefix, after a name."""

    def journal(self, after: int) -> Iterator[tuple[int, bytes]]:
        """Walk the journal's encoded entries, after a serial."""


class Store(Protocol):
    """A storage engine; `snapshot` and `write` may run in different threads."""

    read_only: bool
    """Whether `write` is refused."""

    is_sealed: IsSealed | None
    """Asked about each record that is not found; None while nothing is sealed."""

    def snapshot(self) -> Snapshot:
        """Open a view of the last write; short-lived, on one thread."""

    def get(self, name: bytes) -> Record | None:
        """Read one record in a view of its own."""

    def write(self, batch: Batch, sealer: Sealer | None = None) -> None:
        """Write a batch, and what the sealer adds to it, durably.

        Raises:
            MapFullError: Nothing was written; call `grow` and try again.
            DiskFullError: Nothing was written; it may work once there is room.
            ReadOnlyError: It takes no writes.
            StoreError: Anything else; the caller must stop writing.
        """

    def grow(self) -> None:
        """Make room for more; called with no reader and no writer active."""

    def close(self) -> None:
        """Release the files."""
