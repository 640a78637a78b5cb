"""The journal: one entry for every change, in the order of their serials.

It is the only bus: statistics, caches, replicas and anchors follow it by serial.

    OFFSET  SIZE  FIELD
         0     1  format, 1
         1     1  operation, see `Operation`
         2     4  CRC-32 of the serial and of all octets from 6 on, started
                  from format and operation as one 16-bit integer
         6     8  time, milliseconds since the epoch
        14    32  SHA-256 of the value list the change left, zeros when none
        46   4+n  canonical name, or prefix for HOME, UNHOME and STOP
         .   4+n  canonical name of who asked, empty when nobody had to
         .     4  index of that one's key
"""

import enum
import functools
import hashlib
import struct
import zlib
from typing import NamedTuple

from registry.errors import CorruptError, MalformedError
from registry.model.octets import Cursor, blob, pack_u32

_FORMAT = 1
_HEAD_START = _FORMAT << 8
_HEADER = struct.Struct("!BBI")
_START = struct.Struct("!QQ32sI")
_U64 = struct.Struct("!Q")
_NO_DIGEST = bytes(32)


class Operation(enum.IntEnum):
    """What a change did."""

    CREATE = 1
    DELETE = 2
    ADD = 3
    REMOVE = 4
    MODIFY = 5
    HOME = 6
    UNHOME = 7
    STOP = 8
    NOTE = 9
    """No record changes; something is said that must not be lost."""


class Entry(NamedTuple):
    """One line of the journal."""

    serial: int
    operation: Operation
    time_ms: int
    name: bytes
    digest: bytes
    """SHA-256 of the value list after the change; zeros when there is none."""

    actor: bytes
    actor_index: int


def digest_of(values_octets: bytes | None) -> bytes:
    """Digest the value list a change left."""
    if values_octets is None:
        return _NO_DIGEST
    return hashlib.sha256(values_octets).digest()


def encode_entry(entry: Entry) -> bytes:
    """Write an entry; its serial is the key and is covered by the checksum."""
    serial, operation, time_ms, name, digest, actor, actor_index = entry
    start = _START.pack(serial, time_ms, digest, len(name))
    told = b"".join((start, name, _encode_actor(actor, actor_index)))
    checksum = zlib.crc32(told, _HEAD_START | operation)
    return _HEADER.pack(_FORMAT, operation, checksum) + told[8:]


@functools.lru_cache(maxsize=256)
def _encode_actor(actor: bytes, index: int) -> bytes:
    """Write who asked; few ask for most changes."""
    return blob(actor) + pack_u32(index)


def decode_entry(serial: int, octets: bytes) -> Entry:
    """Read an entry.

    Raises:
        CorruptError: The octets are not those that were written.
    """
    try:
        form, operation, checksum = _HEADER.unpack_from(octets)
        expected = _checksum(serial, operation, octets[6:])
        if form != _FORMAT or checksum != expected:
            raise _corrupt(serial)
        cursor = Cursor(octets, _HEADER.size)
        (time_ms,) = _U64.unpack(cursor.take(8))
        digest = cursor.take(32)
        name, actor, index = cursor.blob(), cursor.blob(), cursor.u32()
        return Entry(serial, Operation(operation), time_ms, name, digest, actor, index)
    except (struct.error, MalformedError, ValueError) as error:
        raise _corrupt(serial) from error


def _checksum(serial: int, operation: int, rest: bytes) -> int:
    start = zlib.crc32(_U64.pack(serial), _HEAD_START | operation)
    return zlib.crc32(rest, start)


def _corrupt(serial: int) -> CorruptError:
    return CorruptError(f"journal entry {serial}: its checksum does not match")
