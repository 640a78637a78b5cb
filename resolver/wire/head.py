"""What the messages of one client have in common: all but ids, lengths and bodies.

A client that asks or writes much sends the same versions, operation and flags each time.
They are read once and remembered by their octets (`split`), and what is answered to them
differs in the same few fields, which `Mould` fills in:

    OFFSET  SIZE  FIELD (envelope and header together, handle notes §1.1, §1.2)
         0     8  shared: versions, flags, session id
         8     4  request id
        12     4  shared: sequence
        16     4  message length
        20    20  shared: operation, response code, flags, site, recursion, expiration
        40     4  body length
"""

import struct
from typing import NamedTuple, Self

from resolver.wire.envelope import ENVELOPE_OCTETS, MAX_MESSAGE_OCTETS
from resolver.wire.header import HEADER_OCTETS

BODY_START = ENVELOPE_OCTETS + HEADER_OCTETS
EMPTY_CREDENTIAL = bytes(4)

_READ = struct.Struct("!8s4x4sI20sI")
_WRITE = struct.Struct("!8s4s4sI20sI")

Shared = tuple[bytes, bytes, bytes]
"""The octets that many messages share."""


def split(octets: bytes) -> tuple[Shared, int] | None:
    """Give what an unsigned message shares with others, and where its body ends.

    None when there is more to say: it is signed, or its lengths do not fit.
    """
    if len(octets) < BODY_START:
        return None
    start, middle, length, end, size = _READ.unpack_from(octets)
    if length + ENVELOPE_OCTETS != len(octets) or length > MAX_MESSAGE_OCTETS:
        return None
    stop = BODY_START + size
    if stop != len(octets) and octets[stop:] != EMPTY_CREDENTIAL:
        return None
    return (start, middle, end), stop


def shared_octets(octets: bytes) -> Shared:
    """Give what a whole message shares with others."""
    start, middle, _, end, _ = _READ.unpack_from(octets)
    return start, middle, end


class Mould(NamedTuple):
    """An unsigned answer that lacks its request's id, its body and their lengths."""

    start: bytes
    middle: bytes
    end: bytes

    @classmethod
    def of(cls, octets: bytes) -> Self:
        """Take the mould of an answer."""
        return cls(*shared_octets(octets))

    def fill(self, request: bytes, body: bytes) -> bytes:
        """Give the answer to a request, both whole messages."""
        start, middle, end = self
        size = len(body)
        length = HEADER_OCTETS + size + len(EMPTY_CREDENTIAL)
        head = _WRITE.pack(start, request[8:12], middle, length, end, size)
        return b"".join((head, body, EMPTY_CREDENTIAL))


class Head:
    """What is known of all requests that share some octets."""

    __slots__ = ("expiration", "flags", "moulds", "opcode")

    def __init__(self, opcode: int, flags: int, expiration: int) -> None:
        self.opcode = opcode
        self.flags = flags
        self.expiration = expiration
        """Epoch seconds; answers made before echo it."""

        self.moulds: dict[bool, Mould] = {}
        """Of plain successful answers, by whether they are authoritative."""
