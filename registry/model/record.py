"""A record as it lies on disk: a header, then the value list in wire octets.

    OFFSET  SIZE  FIELD
         0     1  format, 1
         1     1  flags, see `RecordFlag`
         2     4  CRC-32 of the canonical name and of all octets from 6 on,
                  started from format and flags as one 16-bit integer
         6     8  serial: number of the change that wrote it
        14   2+n  canonical name, only with NAMED (its key had to be hashed)
         .     4  number of values, then the values (`registry.model.value`)

The checksum covers the name too, so a record that turns up under another key is
refused like one with a flipped bit. CRC-32 finds every single-bit error and
every burst up to 32 bits; proof against intent is the transparency log's work.
"""

import enum
import struct
import zlib
from typing import NamedTuple

from registry.errors import CorruptError
from registry.model.octets import pack_u32
from registry.model.value import Value, decode_values, encode_values, spans

_HEADER = struct.Struct("!BBIQ")
_START = struct.Struct("!BBI")
_U16 = struct.Struct("!H")
_U64 = struct.Struct("!Q")
_FORMAT = 1
_HEAD_START = _FORMAT << 8
_PUBLIC_READ = 0x02


class RecordFlag(enum.IntFlag):
    """What a reader may skip looking for."""

    PUBLIC = 0x01
    """Everyone may read every value: answering is copying."""

    NAMED = 0x02
    """The canonical name is inside, because the key is a hash."""


# Operations on members of an IntFlag cost a microsecond each.
_PUBLIC, _NAMED = int(RecordFlag.PUBLIC), int(RecordFlag.NAMED)


class Record(NamedTuple):
    """What is registered under one identifier."""

    name: bytes
    """Canonical octets of the identifier."""

    serial: int
    """Number of the change that wrote it, unique in its registry, from 1."""

    public: bool
    """Whether everyone may read every value."""

    values_octets: bytes
    """The value list in wire form: count, then values."""

    @property
    def values(self) -> tuple[Value, ...]:
        """The values, decoded."""
        return decode_values(self.values_octets)

    def value(self, index: int) -> Value | None:
        """The value with this index, or None."""
        return next((value for value in self.values if value.index == index), None)

    def public_octets(self) -> bytes:
        """The list of the values that everyone may read; all of them when `public`."""
        return (
            self.values_octets if self.public else _list_of(self._parts(_PUBLIC_READ))
        )

    def restricted_octets(self) -> bytes:
        """The list of the values that not everyone may read; empty when there is none.

        In wire form like `values_octets`; no octets at all where it would be empty.
        """
        parts = [] if self.public else self._parts(0)
        return _list_of(parts) if parts else b""

    def _parts(self, public_read: int) -> list[bytes]:
        octets = self.values_octets
        return [
            octets[span.start : span.stop]
            for span in spans(octets)
            if span.permissions & _PUBLIC_READ == public_read
        ]


def make_record(name: bytes, serial: int, values: tuple[Value, ...]) -> Record:
    """Build a record from decoded values."""
    return Record(name, serial, *content_of(values))


def content_of(values: tuple[Value, ...]) -> tuple[bool, bytes]:
    """Give what a record of some values holds: `public` and `values_octets`."""
    public = all(value.permissions & _PUBLIC_READ for value in values)
    return public, encode_values(values)


def _list_of(parts: list[bytes]) -> bytes:
    return pack_u32(len(parts)) + b"".join(parts)


def encode_record(record: Record, *, named: bool) -> bytes:
    """Write a record for the store; `named` when its key does not tell its name."""
    name, serial, public, values_octets = record
    flags, rest = _PUBLIC if public else 0, _U64.pack(serial)
    if named:
        flags |= _NAMED
        rest += _U16.pack(len(name)) + name
    rest += values_octets
    checksum = zlib.crc32(rest, zlib.crc32(name, _HEAD_START | flags))
    return _START.pack(_FORMAT, flags, checksum) + rest


def decode_record(octets: bytes, name: bytes | None) -> Record:
    """Read a stored record; `name` is what its key says, None when hashed.

    Raises:
        CorruptError: The octets are not those that were written.
    """
    try:
        form, flags, checksum, serial = _HEADER.unpack_from(octets)
        start = _HEADER.size
        if flags & _NAMED:
            (size,) = _U16.unpack_from(octets, start)
            name = octets[start + 2 : start + 2 + size]
            start += 2 + size
    except struct.error:
        raise _corrupt(octets, name, "it is too short") from None
    if form != _FORMAT or name is None:
        raise _corrupt(octets, name, f"format {form}, {_FORMAT} expected")
    if zlib.crc32(octets[6:], zlib.crc32(name, _HEAD_START | flags)) != checksum:
        raise _corrupt(octets, name, "its checksum does not match")
    return Record(name, serial, bool(flags & _PUBLIC), octets[start:])


def _corrupt(octets: bytes, name: bytes | None, why: str) -> CorruptError:
    shown = (name or b"(hashed key)").decode(errors="replace")
    return CorruptError(f"stored record {shown!r} of {len(octets)} octets: {why}")
