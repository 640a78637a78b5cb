"""The envelope, 20 octets before every message or fragment (handle notes §1.1).

Integers are big-endian:

    OFFSET  SIZE  FIELD
         0     1  major version
         1     1  minor version
         2     1  flags 0x80 0x40 0x20, and the suggested major version in 0x1f
         3     1  suggested minor version
         4     4  session id, 0 outside a session
         8     4  request id, echoed in the response
        12     4  sequence: number of a UDP fragment, else 0
        16     4  message length without envelopes; in a fragment, of the whole

A suggested major version of 0 means: the same as the actual one.
"""

import struct
from typing import NamedTuple, Self

from registry.errors import MalformedError

_LAYOUT = struct.Struct("!BBBBIIII")

ENVELOPE_OCTETS = _LAYOUT.size
SUGGESTED_MAJOR = 0x1F

MAX_MESSAGE_OCTETS = 262_144
"""Longest message, as the official SDK accepts it (handle notes §1.1)."""


class Envelope(NamedTuple):
    """One decoded envelope."""

    major: int
    minor: int
    flags: int
    """Message flags and suggested major version, as they stand in the octet."""

    suggested_minor: int
    session_id: int
    request_id: int
    sequence: int
    length: int
    """Octets of the whole message, envelopes excluded."""

    @property
    def version(self) -> tuple[int, int]:
        """Version of this message."""
        return self.major, self.minor

    @property
    def suggested_version(self) -> tuple[int, int]:
        """Highest version its sender understands."""
        major = self.flags & SUGGESTED_MAJOR
        return (major, self.suggested_minor) if major else self.version

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Read the envelope at the start of `octets`.

        Raises:
            MalformedError: Fewer than 20 octets.
        """
        if len(octets) < ENVELOPE_OCTETS:
            message = f"envelope: {ENVELOPE_OCTETS} octets expected, got {len(octets)}"
            raise MalformedError(message)
        return cls(*_LAYOUT.unpack_from(octets))

    def encode(self) -> bytes:
        """Write it as 20 octets."""
        return _LAYOUT.pack(*self)
