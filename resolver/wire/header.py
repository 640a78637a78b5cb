"""The header, 24 octets at the start of every message (handle notes §1.2).

    OFFSET  SIZE  FIELD
         0     4  operation code
         4     4  response code, 0 in requests
         8     4  flags, see `OpFlag`
        12     2  serial of the site record the sender knows, 0xffff unknown
        14     1  recursion count
        15     1  reserved, 0
        16     4  expiration, epoch seconds
        20     4  body length

The body and the credential follow; header and body are what a digest covers.
"""

import struct
from typing import NamedTuple, Self

from registry.errors import MalformedError

_LAYOUT = struct.Struct("!IIIHBBII")

HEADER_OCTETS = _LAYOUT.size
UNKNOWN_SITE_SERIAL = 0xFFFF
DEFAULT_LIFE_SECONDS = 43_200


class Header(NamedTuple):
    """One decoded header."""

    opcode: int
    response_code: int
    flags: int
    site_serial: int
    recursion_count: int
    reserved: int
    expiration: int
    """Epoch seconds."""

    body_length: int

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read the header at the start of `octets`.

        Raises:
            MalformedError: Fewer than 24 octets.
        """
        if len(octets) < HEADER_OCTETS:
            message = f"header: {HEADER_OCTETS} octets expected, got {len(octets)}"
            raise MalformedError(message)
        return cls(*_LAYOUT.unpack_from(octets))

    def encode(self) -> bytes:
        """Write it as 24 octets."""
        return _LAYOUT.pack(*self)
