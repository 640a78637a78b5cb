"""A strict cursor over octets, and the writers that match it (handle notes §1).

All integers are big-endian. A *blob* is a four-octet length and that many
octets; a *text* is a blob of UTF-8. Every reader checks bounds before it reads,
so no input makes it read past the end or allocate what is not there.
"""

import struct
from typing import Self

from registry.errors import MalformedError

MAX_BLOB_OCTETS = 1_048_576
"""Longest byte array the protocol allows (handle notes §1.7)."""

_U16 = struct.Struct("!H")
_U32 = struct.Struct("!I")

pack_u16 = _U16.pack
pack_u32 = _U32.pack


class Cursor:
    """Reads fields one after the other and fails on the first that does not fit."""

    __slots__ = ("_end", "_octets", "position")

    def __init__(
        self, octets: bytes, position: int = 0, end: int | None = None
    ) -> None:
        self._octets = octets
        self.position = position
        self._end = len(octets) if end is None else end

    @property
    def remaining(self) -> int:
        """Octets not read yet."""
        return self._end - self.position

    @property
    def window(self) -> tuple[bytes, int, int]:
        """The octets, where the next one is, and where they end."""
        return self._octets, self.position, self._end

    def take(self, size: int, what: str = "octets") -> bytes:
        """Read exactly `size` octets."""
        start = self.position
        stop = start + size
        if stop > self._end:
            raise self._short(size, what)
        self.position = stop
        return self._octets[start:stop]

    def u8(self, what: str = "octet") -> int:
        """Read one octet."""
        start = self.position
        if start >= self._end:
            raise self._short(1, what)
        self.position = start + 1
        return self._octets[start]

    def u16(self, what: str = "16-bit integer") -> int:
        """Read a 16-bit integer."""
        start = self.position
        if start + 2 > self._end:
            raise self._short(2, what)
        self.position = start + 2
        value: int = _U16.unpack_from(self._octets, start)[0]
        return value

    def u32(self, what: str = "32-bit integer") -> int:
        """Read a 32-bit integer."""
        start = self.position
        if start + 4 > self._end:
            raise self._short(4, what)
        self.position = start + 4
        value: int = _U32.unpack_from(self._octets, start)[0]
        return value

    def unpack(self, layout: struct.Struct, what: str) -> tuple[int, ...]:
        """Read several integers at once."""
        start = self.position
        if start + layout.size > self._end:
            raise self._short(layout.size, what)
        self.position = start + layout.size
        return layout.unpack_from(self._octets, start)

    def blob(self, what: str = "byte array") -> bytes:
        """Read a length and that many octets."""
        start = self.position + 4
        if start > self._end:
            raise self._short(4, what)
        size: int = _U32.unpack_from(self._octets, start - 4)[0]
        if size > MAX_BLOB_OCTETS:
            message = (
                f"{what} at octet {start}: {size} octets, "
                f"at most {MAX_BLOB_OCTETS} allowed"
            )
            raise MalformedError(message)
        self.position = start
        stop = start + size
        if stop > self._end:
            raise self._short(size, what)
        self.position = stop
        return self._octets[start:stop]

    def text(self, what: str = "string") -> str:
        """Read a blob that must be UTF-8."""
        start = self.position
        octets = self.blob(what)
        try:
            return octets.decode()
        except UnicodeDecodeError as error:
            message = f"{what} at octet {start}: not UTF-8 ({error.reason})"
            raise MalformedError(message) from None

    def count(self, smallest: int, what: str) -> int:
        """Read how many items follow, each of at least `smallest` octets.

        The check against what is left keeps a forged count from costing memory.
        """
        number = self.u32(what)
        if number * smallest > self.remaining:
            message = (
                f"{what} at octet {self.position - 4}: {number} items do not fit "
                f"in {self.remaining} octets"
            )
            raise MalformedError(message)
        return number

    def finish(self, what: str) -> None:
        """Fail if octets are left over."""
        if self.position != self._end:
            message = (
                f"{what}: {self.remaining} octets left over at octet {self.position}"
            )
            raise MalformedError(message)

    def _short(self, size: int, what: str) -> MalformedError:
        return MalformedError(
            f"{what} at octet {self.position}: {size} octets expected, "
            f"{self.remaining} left"
        )

    @classmethod
    def over(cls, octets: bytes) -> Self:
        """Start at the beginning of `octets`."""
        return cls(octets)


def blob(octets: bytes) -> bytes:
    """Write a length and the octets."""
    return _U32.pack(len(octets)) + octets


def text(string: str) -> bytes:
    """Write a string as a blob of UTF-8."""
    return blob(string.encode())
