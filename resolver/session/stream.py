"""Messages over TCP: back to back, in whatever pieces the network makes of them.

`Framer` keeps at most one incomplete message. An envelope that declares too much
cannot be skipped, so it ends the connection.
"""

import struct

from registry.errors import MalformedError
from resolver.wire.envelope import ENVELOPE_OCTETS, MAX_MESSAGE_OCTETS

_LENGTH = struct.Struct("!16xI")
"""Of an envelope, where it says how long the message is."""


class Framer:
    """Cuts a stream of octets into whole messages."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept = bytearray()

    @property
    def kept(self) -> int:
        """Octets of an incomplete message held back."""
        return len(self._kept)

    def receive(self, octets: bytes) -> list[bytes]:
        """Take what came; give the messages that are complete now.

        Raises:
            MalformedError: The next message is declared longer than any may be, and
                none that is complete stands before it.
        """
        if self._kept:
            self._kept += octets
            octets = bytes(self._kept)
        messages: list[bytes] = []
        position, end = 0, len(octets)
        while end - position >= ENVELOPE_OCTETS:
            (length,) = _LENGTH.unpack_from(octets, position)
            if length > MAX_MESSAGE_OCTETS and messages:
                break  # those before it are answered; the next call ends it
            if length > MAX_MESSAGE_OCTETS:
                message = (
                    f"message of {length} octets declared, "
                    f"at most {MAX_MESSAGE_OCTETS} taken"
                )
                raise MalformedError(message)
            stop = position + ENVELOPE_OCTETS + length
            if stop > end:
                break
            messages.append(octets[position:stop])
            position = stop
        self._kept = bytearray(octets[position:])
        return messages
