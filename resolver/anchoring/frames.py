"""How records lie one after the other in a file that is only appended to.

    OFFSET  SIZE  FIELD
         0     4  octets of the payload, n
         4     1  kind
         5     4  CRC-32 of these five octets and of the frame's place in the file
         9     n  payload
       9+n     4  CRC-32 of all before

A process that is killed while it appends, or a machine that loses its power, leaves
fewer octets than a frame has, or others: a torn tail, after which nothing comes. Where a
whole frame comes later, it was damage.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

MAX_PAYLOAD: Final = 1 << 20
"""Octets; a transaction of a chain has as many."""

_HEAD: Final = struct.Struct("!IB")
_CRC: Final = struct.Struct("!I")
_PLACE: Final = struct.Struct("!Q")
_BEFORE: Final = _HEAD.size + _CRC.size


class Frame(NamedTuple):
    """A record's octets, and where they are."""

    offset: int
    kind: int
    payload: bytes


class DamagedError(ValueError):
    """Octets in the middle are not what was written."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"a frame expected at {offset}")
        self.offset = offset


def encode_frame(kind: int, payload: bytes, offset: int) -> bytes:
    """Write a frame that will lie at an offset of its file.

    Raises:
        ValueError: The payload is too long.
    """
    if len(payload) > MAX_PAYLOAD:
        message = f"payload: at most {MAX_PAYLOAD} octets expected, got {len(payload)}"
        raise ValueError(message)
    head = _HEAD.pack(len(payload), kind)
    before = head + _CRC.pack(zlib.crc32(head + _PLACE.pack(offset))) + payload
    return before + _CRC.pack(zlib.crc32(before))


def read_frames(octets: bytes, start: int) -> Iterator[Frame]:
    """Go through the frames of a file; stops before a torn tail.

    Raises:
        DamagedError: There is no frame where one is expected, but later.
    """
    offset = start
    while offset < len(octets):
        frame = _frame(octets, offset)
        if frame is None:
            if any(_frame(octets, later) for later in range(offset + 1, len(octets))):
                raise DamagedError(offset)
            return
        yield frame
        offset = end_of(frame)


def end_of(frame: Frame) -> int:
    """Give the offset of what follows a frame."""
    return frame.offset + _BEFORE + len(frame.payload) + _CRC.size


def _frame(octets: bytes, offset: int) -> Frame | None:
    before = octets[offset : offset + _BEFORE]
    if len(before) < _BEFORE:
        return None
    length, kind = _HEAD.unpack_from(before)
    checksum = zlib.crc32(before[: _HEAD.size] + _PLACE.pack(offset))
    if length > MAX_PAYLOAD or before[_HEAD.size :] != _CRC.pack(checksum):
        return None
    end = offset + _BEFORE + length
    if octets[end : end + _CRC.size] != _CRC.pack(zlib.crc32(octets[offset:end])):
        return None
    return Frame(offset, kind, octets[offset + _BEFORE : end])
