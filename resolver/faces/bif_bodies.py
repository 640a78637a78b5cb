"""Bodies of requests to a chain, bounded one by one and all together.

What is held counts when it has come: a client that announces a body and does not send
it costs nothing but its connection, whose time is limited (`http_connection`). Of a body
that is too large the rest is read and thrown away, up to MAX_DISCARDED_OCTETS, because a
client that is still sending when the connection ends never sees the answer.
"""

import contextlib
from collections.abc import AsyncIterator

from resolver.faces.http_application import GoneError, Receive

MAX_BODY_OCTETS = 16 << 20
MAX_HELD_OCTETS = 64 << 20
"""Of bodies that all requests hold at a time."""

MAX_DISCARDED_OCTETS = 64 << 20


class TooLargeError(Exception):
    """A body has more octets than are taken."""


class TooManyError(Exception):
    """All requests together hold as much as they may."""


class Bodies:
    """The bodies that the requests of one face hold."""

    def __init__(self) -> None:
        self.held_octets = 0

    @contextlib.asynccontextmanager
    async def held(self, receive: Receive) -> AsyncIterator[bytes]:
        """Read a body, and count it until the block ends.

        Raises:
            TooLargeError: it has more octets than are taken.
            TooManyError: others hold too much.
            GoneError: the client left.
        """
        parts: list[bytes] = []
        size, more = 0, True
        refusal: type[Exception] | None = None
        try:
            while more and refusal is None:
                octets, more = await _next(receive)
                parts.append(octets)
                size += len(octets)
                self.held_octets += len(octets)
                refusal = self._refusal(size)
            if refusal is None:
                yield b"".join(parts)
                return
        finally:
            parts.clear()
            self.held_octets -= size
        if more:
            await _discard(receive)
        raise refusal

    def _refusal(self, size: int) -> type[Exception] | None:
        if size > MAX_BODY_OCTETS:
            return TooLargeError
        return TooManyError if self.held_octets > MAX_HELD_OCTETS else None


async def _next(receive: Receive) -> tuple[bytes, bool]:
    event = await receive()
    if event["type"] != "http.request":
        raise GoneError
    return event["body"], event["more_body"]


async def _discard(receive: Receive) -> None:
    left, more = MAX_DISCARDED_OCTETS, True
    while more and left > 0:
        octets, more = await _next(receive)
        left -= len(octets)
