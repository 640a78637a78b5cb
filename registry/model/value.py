"""One value of a record, and its octets on the wire and on disk (handle notes §1.7).

The layout, integers big-endian:

    OFFSET  SIZE  FIELD
         0     4  index
         4     4  timestamp, epoch seconds, stamped by the server
         8     1  ttl type: 0 relative, 1 absolute
         9     4  ttl, seconds or epoch seconds
        13     1  permissions, see `Permission`
        14   4+n  type, UTF-8
         .   4+n  data
         .     4  number of references, then for each 4+n handle and 4 index

Octets from 8 on are kept as they came: HS_SIGNATURE digests cover them.
"""

import enum
import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from registry.errors import InvalidValueError, MalformedError
from registry.model.octets import MAX_BLOB_OCTETS, Cursor, pack_u32, text

MAX_VALUES = 2048
"""Values in one message (handle notes §1.7)."""

SMALLEST_VALUE_OCTETS = 26
DEFAULT_TTL_SECONDS = 86_400

_HEAD = struct.Struct("!IIBIB")
_FIXED = struct.Struct("!IIBIBI")
_U32 = struct.Struct("!I")
_NO_REFERENCES = bytes(4)


class Permission(enum.IntFlag):
    """Who may do what with one value."""

    PUBLIC_WRITE = 0x01
    PUBLIC_READ = 0x02
    ADMIN_WRITE = 0x04
    ADMIN_READ = 0x08


DEFAULT_PERMISSIONS = 0x0E
"""Everyone reads, administrators write."""

_PUBLIC_READ = int(Permission.PUBLIC_READ)


class Reference(NamedTuple):
    """A pointer to a value of another record."""

    handle: str
    index: int  # type: ignore[assignment]  # hides tuple.index, unused here


class Value(NamedTuple):
    """One typed value of a record."""

    index: int  # type: ignore[assignment]  # hides tuple.index, unused here
    type: str
    data: bytes
    ttl: int = DEFAULT_TTL_SECONDS
    ttl_type: int = 0
    timestamp: int = 0
    permissions: int = DEFAULT_PERMISSIONS
    references: tuple[Reference, ...] = ()

    @property
    def text(self) -> str:
        """The data read as UTF-8; octets that are not come out as U+FFFD."""
        return self.data.decode(errors="replace")

    @property
    def public(self) -> bool:
        """Whether everyone may read it."""
        return bool(self.permissions & _PUBLIC_READ)


class Span(NamedTuple):
    """Where one encoded value stands in a list, and what selection asks about it."""

    start: int
    stop: int
    index: int  # type: ignore[assignment]  # hides tuple.index, unused here
    permissions: int
    type: bytes


def encode_value(value: Value) -> bytes:
    """Write one value."""
    index, kind, data, ttl, ttl_type, timestamp, permissions, references = value
    type_octets = kind.encode()
    head = _FIXED.pack(index, timestamp, ttl_type, ttl, permissions, len(type_octets))
    tail = _encode_references(references) if references else _NO_REFERENCES
    return b"".join((head, type_octets, _U32.pack(len(data)), data, tail))


def _encode_references(references: tuple[Reference, ...]) -> bytes:
    parts = [text(item.handle) + pack_u32(item.index) for item in references]
    return pack_u32(len(parts)) + b"".join(parts)


def decode_value(cursor: Cursor) -> Value:
    """Read one value.

    Raises:
        MalformedError: It does not fit, or its type or a reference is not UTF-8.
    """
    index, timestamp, ttl_type, ttl, permissions = cursor.unpack(_HEAD, "value")
    kind = cursor.text("value type")
    data = cursor.blob("value data")
    count = cursor.count(8, "value references")
    references = _read_references(cursor, count) if count else ()
    return Value(index, kind, data, ttl, ttl_type, timestamp, permissions, references)


def _read_references(cursor: Cursor, count: int) -> tuple[Reference, ...]:
    return tuple(
        Reference(cursor.text("reference"), cursor.u32("reference index"))
        for _ in range(count)
    )


def encode_values(values: Iterable[Value]) -> bytes:
    """Write a list: a count and the values."""
    parts = [encode_value(value) for value in values]
    return pack_u32(len(parts)) + b"".join(parts)


def decode_values(octets: bytes) -> tuple[Value, ...]:
    """Read a whole list, as `encode_values` writes it."""
    cursor = Cursor(octets)
    values = read_values(cursor)
    cursor.finish("value list")
    return values


def read_values(cursor: Cursor) -> tuple[Value, ...]:
    """Read a list and leave what follows it.

    Raises:
        InvalidValueError: More than `MAX_VALUES`.
        MalformedError: It does not fit.
    """
    count = cursor.count(SMALLEST_VALUE_OCTETS, "value count")
    if count > MAX_VALUES:
        message = f"{count} values, at most {MAX_VALUES} in one message"
        raise InvalidValueError(message)
    values = _read_plain(cursor, count)
    if values is None:
        values = [decode_value(cursor) for _ in range(count)]
    return tuple(values)


def _read_plain(cursor: Cursor, count: int) -> list[Value] | None:
    """Read values as most are, without references; None when one is not so.

    Half the time of `decode_value`, which says what is wrong with the others, for
    every value of every record written.
    """
    octets, position, end = cursor.window
    values = []
    try:
        for _ in range(count):
            index, timestamp, ttl_type, ttl, permissions, size = _FIXED.unpack_from(
                octets, position
            )
            start = position + _FIXED.size + size
            kind = octets[start - size : start].decode()
            (size,) = _U32.unpack_from(octets, start)
            position = start + 8 + size
            data = octets[start + 4 : position - 4]
            if position > end or octets[position - 4 : position] != _NO_REFERENCES:
                return None
            values.append(
                Value(index, kind, data, ttl, ttl_type, timestamp, permissions)
            )
    except (struct.error, UnicodeDecodeError):
        return None
    if max((len(value.data) for value in values), default=0) > MAX_BLOB_OCTETS:
        return None
    cursor.position = position
    return values


def spans(octets: bytes, start: int = 0) -> Iterator[Span]:
    """Walk an encoded list without decoding its values.

    Selection needs index, permissions and type of each value, and then copies
    the octets of those that match; this is several times cheaper than decoding.
    """
    try:
        (count,) = _U32.unpack_from(octets, start)
        position = start + 4
        for _ in range(count):
            index, _, _, _, permissions, size = _FIXED.unpack_from(octets, position)
            type_start = position + 18
            type_stop = type_start + size
            (data_size,) = _U32.unpack_from(octets, type_stop)
            stop = _skip_references(octets, type_stop + 4 + data_size)
            if stop > len(octets):
                raise _cut_short(octets, start)
            kind = octets[type_start:type_stop]
            yield Span(position, stop, index, permissions, kind)
            position = stop
    except struct.error:
        raise _cut_short(octets, start) from None


def _cut_short(octets: bytes, start: int) -> MalformedError:
    message = f"value list at octet {start}: more values than its {len(octets)} octets"
    return MalformedError(message)


def _skip_references(octets: bytes, position: int) -> int:
    (count,) = _U32.unpack_from(octets, position)
    position += 4
    for _ in range(count):
        (size,) = _U32.unpack_from(octets, position)
        position += 8 + size
    return position


def stamped(values: Iterable[Value], timestamp: int) -> tuple[Value, ...]:
    """Set the time of writing on every value."""
    # Spelled out: `_replace` takes three times as long, for every value written.
    return tuple(Value(*value[:5], timestamp, *value[6:]) for value in values)


def smallest_ttl(octets: bytes, now: float, start: int = 0) -> int:
    """Give the seconds for which a whole encoded list may be kept.

    Relative and absolute times count, and never more than the default: a longer
    time is a permission, not a duty, and a wrong one must end some day.
    """
    shortest = DEFAULT_TTL_SECONDS
    for span in spans(octets, start):
        _, _, ttl_type, ttl, _, _ = _FIXED.unpack_from(octets, span.start)
        left = ttl - int(now) if ttl_type else ttl
        shortest = min(shortest, max(left, 0))
    return shortest
