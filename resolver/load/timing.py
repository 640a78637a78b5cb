"""Time on the wire: from just before the first octet leaves to just after the last came.

What a client does before and after (encoding, checking, waiting for a connection) is the
load generator's work and not the server's. A `TimedSocket` takes the two times where they
happen, so that everything built on plain sockets can be timed as it is. It is blocking and
pure Python, so that gevent can switch to other users while it waits; import this module
after the sockets are patched, as `locust` does when it is imported.
"""

import socket
import time
from collections.abc import Callable
from typing import Any

_MS = 1_000.0


class Stopwatch:
    """The times of one request; a user has one for all its sockets."""

    __slots__ = ("_clock", "_first_sent", "_last_received", "octets")

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._first_sent: float | None = None
        self._last_received: float | None = None
        self.octets = 0
        """Octets received."""

    def reset(self) -> None:
        """Begin another request."""
        self._first_sent = self._last_received = None
        self.octets = 0

    def sent(self) -> None:
        """Take the time, just before octets leave; only the first counts."""
        if self._first_sent is None:
            self._first_sent = self._clock()

    def received(self, octets: int) -> None:
        """Take the time, just after octets came; the last counts."""
        self._last_received = self._clock()
        self.octets += octets

    def milliseconds(self, *, answered: bool) -> float:
        """Give how long the answer took, or how long it is missing by now."""
        if self._first_sent is None:
            return 0.0
        end = self._last_received if answered else None
        if end is None:
            end = self._clock()
        return (end - self._first_sent) * _MS


class TimedSocket(socket.socket):
    """A connected socket that tells a stopwatch what it sends and receives."""

    def __init__(self, plain: socket.socket, stopwatch: Stopwatch) -> None:
        """Take over a socket, which is of no use afterwards."""
        super().__init__(plain.family, plain.type, plain.proto, plain.detach())
        self._stopwatch = stopwatch

    def send(self, *arguments: Any, **options: Any) -> int:
        """Send octets, once the time is taken; gevent's sockets take options more."""
        self._stopwatch.sent()
        return super().send(*arguments, **options)

    def sendall(self, *arguments: Any) -> None:
        """Send all octets, once the time is taken."""
        self._stopwatch.sent()
        return super().sendall(*arguments)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Receive octets, then take the time; looking ahead does not count."""
        octets = super().recv(size, flags)
        if not flags & socket.MSG_PEEK:
            self._stopwatch.received(len(octets))
        return octets
