"""The hashes of a Merkle tree as they lie in a table: rows of sixteen.

Hashes of complete subtrees are kept for every fourth level, 0, 4, 8 and so on; those
between cost at most fifteen hashes to make again. A row is a table entry:

    key      OFFSET  SIZE  FIELD                value    OFFSET  SIZE  FIELD
                  0     1  level                              0     4  CRC-32 of key and rest
                  1     8  row number                         4  32.n  up to 16 hashes

Only the last row of a level is short. A tile of C2SP tlog-tiles is sixteen rows of a
level that eight divides, joined. Sizes were chosen for LMDB: seven rows share a page of
4 KiB, where a whole tile of 8 KiB would take three pages for itself.
"""

import struct
import zlib
from collections.abc import Callable, Iterable, Mapping

from chain_anchor.errors import CorruptLogError
from chain_anchor.merkle import HASH_OCTETS, pair_hash

STEP = 4
"""Levels from one kind of row to the next."""

ROW_WIDTH = 1 << STEP
TABLE = "log_rows"

_PAIR_OCTETS = 2 * HASH_OCTETS
_KEY = struct.Struct("!BQ")
_CRC = struct.Struct("!I")

Get = Callable[[bytes], bytes | None]
Put = tuple[bytes, bytes]


def row_key(level: int, number: int) -> bytes:
    """Give the key of a row."""
    return _KEY.pack(level, number)


def protected(key: bytes, octets: bytes) -> bytes:
    """Put a checksum over key and octets in front of the octets."""
    return _CRC.pack(zlib.crc32(octets, zlib.crc32(key))) + octets


def checked(table: str, key: bytes, stored: bytes | None) -> bytes:
    """Give what `protected` was given.

    Raises:
        CorruptLogError: Something else is stored, or nothing.
    """
    if stored is None:
        raise CorruptLogError(table, key, "an entry expected, there is none")
    octets = stored[4:]
    if stored[:4] != _CRC.pack(zlib.crc32(octets, zlib.crc32(key))):
        raise CorruptLogError(table, key, "its checksum does not match")
    return octets


def fold(hashes: bytes) -> bytes:
    """Hash a power of two of joined hashes to their root."""
    while len(hashes) > HASH_OCTETS:
        pairs = range(0, len(hashes), _PAIR_OCTETS)
        hashes = b"".join(pair_hash(hashes[at : at + _PAIR_OCTETS]) for at in pairs)
    return hashes


class Rows:
    """Reads hashes of complete subtrees; keeps the rows it has read.

    Short-lived: one for each look at a tree.
    """

    __slots__ = ("_get", "_known")

    def __init__(self, get: Get, known: dict[bytes, bytes] | None = None) -> None:
        """Take a reader of the table, and rows that are not in it yet."""
        self._get = get
        self._known = dict(known or {})

    def row(self, level: int, number: int) -> bytes:
        """Give the joined hashes of a row.

        Raises:
            CorruptLogError: It is missing or damaged.
        """
        key = row_key(level, number)
        found = self._known.get(key)
        if found is None:
            found = checked(TABLE, key, self._get(key))
            self._known[key] = found
        return found

    def read(self, level: int, index: int) -> bytes:
        """Give the hash of the index-th complete subtree of 2**level leaves.

        Raises:
            CorruptLogError: A row is missing, too short or damaged.
        """
        stored, above = level - level % STEP, level % STEP
        first = index << above
        row = self.row(stored, first // ROW_WIDTH)
        start = first % ROW_WIDTH * HASH_OCTETS
        hashes = row[start : start + (HASH_OCTETS << above)]
        if len(hashes) != HASH_OCTETS << above:
            key = row_key(stored, first // ROW_WIDTH)
            expected = f"at least {first % ROW_WIDTH + (1 << above)}"
            raise _short(key, expected, row)
        return fold(hashes)

    def joined(self, level: int, first: int, count: int) -> bytes:
        """Join `count` hashes of a stored level, from the first on."""
        numbers = range(first // ROW_WIDTH, (first + count - 1) // ROW_WIDTH + 1)
        joined = b"".join(self.row(level, number) for number in numbers)
        start = first % ROW_WIDTH * HASH_OCTETS
        return joined[start : start + count * HASH_OCTETS]


def placed(size: int, fresh: Mapping[int, bytes], get: Get) -> dict[bytes, bytes]:
    """Put new hashes into rows; gives the rows that change, by key.

    Args:
        size: Leaves that the tree had.
        fresh: By level, 0 included: hashes of subtrees that became complete, joined.
        get: Reads the table.

    Raises:
        CorruptLogError: A row at the right edge is missing or damaged.
    """
    return {
        row_key(level, number): hashes
        for level, joined in fresh.items()
        for number, hashes in _extended(level, size >> level, joined, get)
    }


def check_rows(rows: Mapping[bytes, bytes]) -> None:
    """Check that rows about to be written agree with those above them.

    Raises:
        CorruptLogError: A full row does not have the hash that the next level has.
    """
    for key, hashes in rows.items():
        level, number = _KEY.unpack(key)
        above, place = divmod(number, ROW_WIDTH)
        upper = rows.get(row_key(level + STEP, above))
        if upper is None or len(hashes) < ROW_WIDTH * HASH_OCTETS:
            continue
        start = place * HASH_OCTETS
        if upper[start : start + HASH_OCTETS] != fold(hashes):
            raise CorruptLogError(TABLE, key, "its hash is not the one above it")


def _extended(
    level: int, count: int, fresh: bytes, get: Get
) -> Iterable[tuple[int, bytes]]:
    """Cut a level's last row and what is new into rows."""
    number, filled = divmod(count, ROW_WIDTH)
    if filled:
        key = row_key(level, number)
        last = checked(TABLE, key, get(key))
        if len(last) != filled * HASH_OCTETS:
            raise _short(key, str(filled), last)
        fresh = last + fresh
    width = ROW_WIDTH * HASH_OCTETS
    for at in range(0, len(fresh), width):
        yield number + at // width, fresh[at : at + width]


def _short(key: bytes, expected: str, row: bytes) -> CorruptLogError:
    found = len(row) // HASH_OCTETS
    return CorruptLogError(TABLE, key, f"{expected} hashes expected, {found} found")
