"""What the messages of one client have in common: all but ids, lengths and bodies.

A client that asks or writes much sends the same versions, operation and flags each time.
They are read once and remembered by their octets (`shared_octets`), and what is answered
to them differs in the same few fields, which `Mould` fills in:

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

_LENGTHS = struct.Struct("!I20xI")
_LENGTHS_AT = 16
_pack_u32 = struct.Struct("!I").pack


def shared_octets(octets: bytes) -> bytes:
    """Give the octets that many messages share, all of a message's head but its own."""
    return octets[:8] + octets[12:16] + octets[20:40]


def body_stop(octets: bytes) -> int | None:
    """Find where the body of an unsigned message ends.

    None when there is more to say: its lengths do not fit, or it is signed.
    """
    if len(octets) < BODY_START:
        return None
    length, size = _LENGTHS.unpack_from(octets, _LENGTHS_AT)
    if length + ENVELOPE_OCTETS != len(octets) or length > MAX_MESSAGE_OCTETS:
        return None
    stop: int = BODY_START + size
    if stop == len(octets) or octets[stop:] == EMPTY_CREDENTIAL:
        return stop
    return None


class Mould(NamedTuple):
    """An unsigned answer that lacks its request's id, its body and their lengths."""

    start: bytes
    middle: bytes
    end: bytes

    @classmethod
    def of(cls, octets: bytes) -> Self:
        """Take the mould of an answer."""
        return cls(octets[:8], octets[12:16], octets[20:40])

    def fill(self, request: bytes, body: bytes) -> bytes:
        """Give the answer to a request, both whole messages."""
        size = len(body)
        start, middle, end = self
        return b"".join(
            (
                start,
                request[8:12],
                middle,
                _pack_u32(HEADER_OCTETS + size + len(EMPTY_CREDENTIAL)),
                end,
                _pack_u32(size),
                body,
                EMPTY_CREDENTIAL,
            )
        )


class Head:
    """What is known of all requests that share some octets."""

    __slots__ = ("expiration", "flags", "is_mouldable", "moulds", "opcode")

    def __init__(
        self, opcode: int, flags: int, expiration: int, *, is_mouldable: bool
    ) -> None:
        self.opcode = opcode
        self.flags = flags
        self.expiration = expiration
        """Epoch seconds; an answer made before may be a mould up to then."""

        self.is_mouldable = is_mouldable
        """Whether answers depend on nothing of the request that is its own."""

        self.moulds: dict[bool, Mould] = {}
        """Of plain successful answers, by whether they are authoritative."""
