"""Read octets in order, and write counted strings: what every format here shares.

All integers are big-endian. Reading past the end raises the error class the reader
was made with, so each format says in its own words what did not fit. No number that
counts entries reaches 2**63 (RFC 6962 sizes fit a signed 64-bit integer).
"""

import struct

from chain_anchor.errors import FormatError

HASH_OCTETS = 32
MAX_SHORT_OCTETS = 0xFFFF
"""Longest string behind a two-octet count."""

MAX_COUNT = 2**63 - 1
"""Greatest size, index, version or height."""

U64 = struct.Struct("!Q")
U32 = struct.Struct("!I")
U16 = struct.Struct("!H")


class Reader:
    """Takes fields off octets from front to back."""

    __slots__ = ("_error", "_octets", "_what", "position")

    def __init__(self, octets: bytes, what: str, error: type[FormatError]) -> None:
        self._octets = octets
        self._what = what
        self._error = error
        self.position = 0

    def fail(self, problem: str) -> FormatError:
        """Give the error for a problem at the present position; the caller raises."""
        return self._error(f"{self._what}: {problem}, at octet {self.position}")

    @property
    def left(self) -> int:
        """How many octets are still to be read."""
        return len(self._octets) - self.position

    def take(self, count: int, field: str) -> bytes:
        """Take `count` octets; `field` names them if they are not there."""
        if count > self.left:
            raise self.fail(f"{field} needs {count} octets, {self.left} are left")
        start = self.position
        self.position = start + count
        return self._octets[start : self.position]

    def u8(self, field: str) -> int:
        """Take one octet as a number."""
        return self.take(1, field)[0]

    def u16(self, field: str) -> int:
        """Take two octets as a number."""
        return int.from_bytes(self.take(2, field))

    def u32(self, field: str) -> int:
        """Take four octets as a number."""
        return int.from_bytes(self.take(4, field))

    def count(self, field: str) -> int:
        """Take eight octets as a size, index, version or time, below 2**63."""
        number = int.from_bytes(self.take(8, field))
        if number > MAX_COUNT:
            raise self.fail(f"{field} is {number}, at most {MAX_COUNT} is possible")
        return number

    def hash(self, field: str) -> bytes:
        """Take a SHA-256 hash."""
        return self.take(HASH_OCTETS, field)

    def short(self, field: str) -> bytes:
        """Take a string behind its two-octet count."""
        return self.take(self.u16(f"count of {field}"), field)

    def finish(self) -> None:
        """Make sure that nothing is left.

        Raises:
            FormatError: Octets follow where the format ends.
        """
        if self.left:
            raise self.fail(f"{self.left} octets follow the last field")


def short(octets: bytes, field: str, error: type[FormatError]) -> bytes:
    """Give octets behind their two-octet count; `error` if they are too long."""
    if len(octets) > MAX_SHORT_OCTETS:
        raise error(f"{field} has {len(octets)} octets, at most 65535 fit")
    return U16.pack(len(octets)) + octets
