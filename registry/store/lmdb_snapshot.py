"""Reading an LMDB environment: one transaction, its tables and what lies in them.

LMDB keys hold 511 octets and identifiers 2 048, so a long name is cut after
`_HEAD_OCTETS` and the SHA-256 of the whole takes the place of the rest; the
record then carries its name. The head is long enough to keep every prefix
together for listing.

Whatever the engine raises becomes a `StoreError`, also of a single read: a group of
changes outlives one that cannot be read.
"""

import functools
import hashlib
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import lmdb

from registry.errors import CorruptError, StoreError
from registry.model.record import Record, decode_record
from registry.model.value import decode_values, encode_values
from registry.store.interface import Home, IsSealed, Tables, Tally

U64 = struct.Struct("!Q")
TALLY = struct.Struct("!QQ")
TALLY_KEY = b"tally:"
_HEAD_OCTETS = 440

Handles = Mapping[str, Any]
"""The engine's tables, by name."""


def key_of(name: bytes) -> bytes:
    """Give the key under which a canonical name is stored."""
    if not is_cut(name):
        return name
    return name[:_HEAD_OCTETS] + hashlib.sha256(name).digest()


def is_cut(name: bytes) -> bool:
    """Tell whether the key of a name is not the name itself."""
    return len(name) > _HEAD_OCTETS


def _name_of(key: bytes) -> bytes | None:
    return None if is_cut(key) else key


class LmdbTables:
    """Tables as they lie there, in one transaction."""

    __slots__ = ("_handles", "_transaction")

    def __init__(self, transaction: Any, handles: Handles) -> None:
        self._transaction = transaction
        self._handles = handles

    def get(self, table: str, key: bytes) -> bytes | None:
        """Read one entry."""
        try:
            octets: bytes | None = self._transaction.get(key, db=self._handles[table])
        except lmdb.Error as error:
            raise _entry_error(table, key, error) from error
        return octets

    def count(self, table: str) -> int:
        """Count entries, as the engine does."""
        entries: int = self._transaction.stat(self._handles[table])["entries"]
        return entries

    def items(self, table: str, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Walk entries by key, from `start` on."""
        try:
            with self._transaction.cursor(db=self._handles[table]) as cursor:
                if cursor.set_range(start):
                    yield from cursor.iternext()
        except lmdb.Error as error:
            raise _entry_error(table, start, error) from error


class LmdbSnapshot:
    """A read transaction; close it soon.

    What the engine raises inside the `with` block leaves it as a `StoreError`.
    """

    __slots__ = ("_directory", "_handles", "_is_sealed", "_lent", "_transaction")

    def __init__(
        self,
        directory: Path,
        handles: Handles,
        transaction: Any,
        *,
        lent: bool = False,
        is_sealed: IsSealed | None = None,
    ) -> None:
        """Take a transaction; one that is lent is not ended."""
        self._is_sealed = is_sealed
        self._directory = directory
        self._handles = handles
        self._transaction = transaction
        self._lent = lent

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()
        error = raised[1] if raised else None
        if isinstance(error, lmdb.Error):
            raise read_error(self._directory, error) from error

    def close(self) -> None:
        """End the transaction, unless it must last."""
        if not self._lent:
            self._transaction.abort()

    @property
    def serial(self) -> int:
        """Number of the last change."""
        octets = self._get("meta", b"serial")
        return int(U64.unpack(octets)[0]) if octets else 0

    @property
    def tables(self) -> Tables:
        """The sealer's tables."""
        return self.all_tables

    @property
    def transaction(self) -> int:
        """Number of the transaction that wrote it, as the engine counts."""
        number: int = self._transaction.id()
        return number

    @property
    def all_tables(self) -> LmdbTables:
        """Every table as it lies there, for who rechecks all of it."""
        return LmdbTables(self._transaction, self._handles)

    def get(self, name: bytes) -> Record | None:
        """Read a record by canonical name."""
        record = self.find(name)
        if record is None:
            self._check_absent(name)
        return record

    def find(self, name: bytes) -> Record | None:
        """Read a record like `get`, but take one that is not there for absent."""
        key = key_of(name)
        octets = self._get("records", key)
        if octets is None:
            return None
        record = decode_record(octets, _name_of(key))
        if record.name != name:
            message = f"stored record {record.name!r} lies under the key of {name!r}"
            raise CorruptError(message)
        return record

    def _check_absent(self, name: bytes) -> None:
        """Ask whoever seals, whose tables lie elsewhere, whether nothing is right."""
        if self._is_sealed is not None and self._is_sealed(self.all_tables, name):
            message = (
                f"{name!r:.99} is in the log as registered, and not among the records"
            )
            raise CorruptError(message)

    def home(self, prefix: bytes) -> Home | None:
        """Read the entry of a prefix that lives here."""
        octets = self._get("homes", prefix)
        return None if octets is None else _decode_home(prefix, octets)

    def homes(self) -> tuple[Home, ...]:
        """List the prefixes that live here, sorted."""
        with self._transaction.cursor(db=self._handles["homes"]) as cursor:
            return tuple(_decode_home(prefix, octets) for prefix, octets in cursor)

    def tally(self, prefix: bytes) -> Tally:
        """Read the counts of a home."""
        octets = self._get("meta", TALLY_KEY + prefix)
        return Tally(*TALLY.unpack(octets)) if octets else Tally()

    def names(self, prefix: bytes, after: bytes = b"") -> Iterator[bytes]:
        """Walk the canonical names under a prefix, after a name.

        The order is that of the keys: names in octet order, long ones by hash.
        """
        start = prefix + b"/"
        with self._transaction.cursor(db=self._handles["records"]) as cursor:
            found = cursor.set_range(max(start, key_of(after)))
            if found and after and cursor.key() == key_of(after):
                found = cursor.next()
            while found and cursor.key().startswith(start):
                key = cursor.key()
                name = _name_of(key)
                yield name or decode_record(cursor.value(), None).name
                found = cursor.next()

    def journal(self, after: int) -> Iterator[tuple[int, bytes]]:
        """Walk the journal's encoded entries, after a serial."""
        with self._transaction.cursor(db=self._handles["journal"]) as cursor:
            found = cursor.set_range(U64.pack(after + 1))
            while found:
                key, octets = cursor.item()
                if len(key) != U64.size:
                    message = f"journal {key.hex()}: no key of a journal"
                    raise CorruptError(message)
                yield int(U64.unpack(key)[0]), octets
                found = cursor.next()

    def _get(self, table: str, key: bytes) -> bytes | None:
        try:
            octets: bytes | None = self._transaction.get(key, db=self._handles[table])
        except lmdb.Error as error:
            raise _entry_error(table, key, error) from error
        return octets


def encode_home(home: Home) -> bytes:
    """Write a home, with its checksum."""
    rest = bytes((home.active,)) + encode_values(home.admins)
    return struct.pack("!I", zlib.crc32(rest, zlib.crc32(home.prefix))) + rest


# A node has few homes and reads one with every question; what the octets say, and
# whether they are right, depends on nothing else.
@functools.lru_cache(maxsize=1024)
def _decode_home(prefix: bytes, octets: bytes) -> Home:
    checksum = zlib.crc32(octets[4:], zlib.crc32(prefix))
    if len(octets) < 9 or struct.pack("!I", checksum) != octets[:4]:
        message = f"stored home {prefix!r}: its checksum does not match"
        raise CorruptError(message)
    return Home(prefix, bool(octets[4]), decode_values(octets[5:]))


def read_error(directory: Path, error: lmdb.Error) -> StoreError:
    """Say that a registry cannot be read."""
    return StoreError(f"the registry in {directory} cannot be read: {error}")


def _entry_error(table: str, key: bytes, error: lmdb.Error) -> StoreError:
    shown = key.decode("ascii", "backslashreplace") if key.isascii() else key.hex()
    return StoreError(f"{table} {shown} cannot be read: {error}")
