"""DNS messages over TCP: each after its length in two octets (RFC 1035 §4.2.2)."""


class Framer:
    """Cuts a stream of octets into messages."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept = b""

    @property
    def kept(self) -> int:
        """Octets of an incomplete message held back, its length included."""
        return len(self._kept)

    def receive(self, octets: bytes) -> list[bytes]:
        """Take what came; give the messages that are complete now."""
        if self._kept:
            octets = self._kept + octets
        messages: list[bytes] = []
        position, end = 0, len(octets)
        while end - position >= 2:
            start = position + 2
            stop = start + int.from_bytes(octets[position:start], "big")
            if stop > end:
                break
            messages.append(octets[start:stop])
            position = stop
        self._kept = octets[position:]
        return messages


def frame(message: bytes) -> bytes:
    """Put its length before a message of at most 65 535 octets."""
    return len(message).to_bytes(2, "big") + message
