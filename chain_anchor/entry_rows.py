"""The entries of a log as they lie in a table: sixteen to a row.

    key      row number, 8 octets
    value    CRC-32 of key and rest, then entries, each behind its length in 2 octets

Sixteen rows joined are an entry bundle of C2SP tlog-tiles, octet for octet. Only the
last row is short.
"""

import struct
from collections.abc import Iterator, Sequence

from chain_anchor.errors import CorruptLogError
from chain_anchor.rows import ROW_WIDTH, Get, checked

TABLE = "log_entries"

_KEY = struct.Struct("!Q")
_LENGTH = struct.Struct("!H")


def entry_key(number: int) -> bytes:
    """Give the key of a row."""
    return _KEY.pack(number)


def framed(entry: bytes) -> bytes:
    """Put an entry's length in front of it (C2SP tlog-tiles)."""
    return _LENGTH.pack(len(entry)) + entry


def split(key: bytes, row: bytes) -> Iterator[bytes]:
    """Take a row apart.

    Raises:
        CorruptLogError: Lengths and octets do not fit.
    """
    at = 0
    while at < len(row):
        start = at + _LENGTH.size
        if start > len(row):
            raise CorruptLogError(TABLE, key, f"half a length at octet {at}")
        (size,) = _LENGTH.unpack_from(row, at)
        at = start + size
        if at > len(row):
            problem = f"an entry at octet {start} reaches over the end"
            raise CorruptLogError(TABLE, key, problem)
        yield row[start:at]


def read_row(get: Get, number: int) -> bytes:
    """Read a row of framed entries.

    Raises:
        CorruptLogError: It is missing or damaged.
    """
    key = entry_key(number)
    return checked(TABLE, key, get(key))


def read_entry(get: Get, index: int) -> bytes:
    """Read one entry.

    Raises:
        CorruptLogError: It is missing or damaged.
    """
    number, place = divmod(index, ROW_WIDTH)
    for at, entry in enumerate(split(entry_key(number), read_row(get, number))):
        if at == place:
            return entry
    raise CorruptLogError(TABLE, entry_key(number), f"no entry {place} in the row")


def read_framed(get: Get, first: int, count: int) -> bytes:
    """Join framed entries, from the first on, which begins a row.

    Raises:
        CorruptLogError: A row is missing, damaged or too short.
    """
    whole, rest = divmod(count, ROW_WIDTH)
    number = first // ROW_WIDTH
    parts = [read_row(get, number + at) for at in range(whole)]
    if rest:
        last = entry_key(number + whole)
        found = list(split(last, read_row(get, number + whole)))[:rest]
        if len(found) < rest:
            problem = f"{rest} entries expected, {len(found)} found"
            raise CorruptLogError(TABLE, last, problem)
        parts.extend(framed(entry) for entry in found)
    return b"".join(parts)


def append(size: int, entries: Sequence[bytes], get: Get) -> dict[bytes, bytes]:
    """Append entries to a log of `size`; gives the rows that change, by key.

    Raises:
        CorruptLogError: The last row is missing or damaged.
    """
    number, filled = divmod(size, ROW_WIDTH)
    row = read_row(get, number) if filled else b""
    changed: dict[bytes, bytes] = {}
    at = 0
    while at < len(entries):
        taken = entries[at : at + ROW_WIDTH - filled]
        changed[entry_key(number)] = row + b"".join(map(framed, taken))
        at += len(taken)
        number, filled, row = number + 1, 0, b""
    return changed
