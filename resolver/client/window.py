"""Many requests of one thread in flight on one UDP socket.

For streams of identifiers: several times cheaper than a thread a request, and with the
same retransmission. What has to go on over TCP is asked for at once, one by one; its
deadline is the same, so that a server gone silent holds up a window only once.
"""

import contextlib
import heapq
import socket
import time
from collections.abc import Iterator

from resolver.client.sockets import READ_OCTETS, SocketTransport
from resolver.errors import ResolverError
from resolver.session.draft import REQUEST_ID_BITS, renumbered
from resolver.session.exchange import (
    Action,
    Done,
    Exchange,
    Failed,
    Send,
    ServerAddress,
    Stream,
    Wait,
)
from resolver.session.parts import request_id_of
from resolver.wire.message import Message

_ID_MASK = (1 << REQUEST_ID_BITS) - 1


class Window:
    """Many requests in flight on one UDP socket, answered in any order."""

    def __init__(
        self,
        transport: SocketTransport,
        server: ServerAddress,
        size: int,
        *,
        ordered: bool,
    ) -> None:
        self._transport = transport
        self._server = server
        self._size = size
        self._ordered = ordered
        self._flying: dict[int, tuple[int, Message, Exchange, float]] = {}
        self._timers: list[tuple[float, int]] = []
        self._done: dict[int, Message | ResolverError] = {}
        self.late = 0
        """Datagrams that nobody waited for."""

    def run(
        self, requests: Iterator[Message | ResolverError]
    ) -> Iterator[tuple[int, Message | ResolverError]]:
        """Give each request's position and answer; one that is an error is its own.

        At most `size` requests are in flight or waiting to be taken.
        """
        with self._transport.datagrams(self._server) as sock:
            started, given = 0, 0
            more = True
            while more or self._flying or self._done:
                while more and len(self._flying) + len(self._done) < self._size:
                    request = next(requests, None)
                    more = request is not None
                    if request is not None:
                        self._start(sock, started, request)
                        started += 1
                if not self._ready(given):
                    self._wait(sock)
                while self._ready(given):
                    number = given if self._ordered else next(iter(self._done))
                    given += 1
                    yield number, self._done.pop(number)

    def _ready(self, given: int) -> bool:
        return given in self._done if self._ordered else bool(self._done)

    def _start(
        self, sock: socket.socket, number: int, request: Message | ResolverError
    ) -> None:
        if isinstance(request, ResolverError):
            self._done[number] = request
            return
        request_id = request.envelope.request_id
        while request_id in self._flying:
            request_id = (request_id + 1) & _ID_MASK
        request = renumbered(request, request_id)
        now = time.monotonic()
        policy = self._transport.settings.retry
        deadline = policy.deadline(now)
        exchange = Exchange(request, self._server, policy, deadline)
        self._flying[request_id] = number, request, exchange, deadline
        self._act(sock, request_id, exchange.step(now))

    def _wait(self, sock: socket.socket) -> None:
        """Take what comes until the next timer is due, then let it act."""
        if not self._flying:
            return
        until = self._timers[0][0] if self._timers else time.monotonic()
        try:
            sock.settimeout(max(until - time.monotonic(), 0.000_001))
            self._take(sock, sock.recv(READ_OCTETS))
        except TimeoutError:
            pass
        except OSError:
            self._refuse(sock)
        self._expire(sock)

    def _take(self, sock: socket.socket, datagram: bytes) -> None:
        request_id = request_id_of(datagram)
        flying = self._flying.get(request_id)
        if flying is None:
            self.late += 1
            return
        self._act(sock, request_id, flying[2].receive(datagram, time.monotonic()))

    def _expire(self, sock: socket.socket) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            due, request_id = heapq.heappop(self._timers)
            flying = self._flying.get(request_id)
            # A timer of an earlier request with the same id is not told apart; it
            # costs one try too early.
            if flying is not None and due <= now:
                self._act(sock, request_id, flying[2].step(now))

    def _refuse(self, sock: socket.socket) -> None:
        now = time.monotonic()
        for request_id, flying in list(self._flying.items()):
            self._act(sock, request_id, flying[2].refused(now))

    def _act(self, sock: socket.socket, request_id: int, action: Action) -> None:
        match action:
            case Send():
                heapq.heappush(self._timers, (action.until, request_id))
                with contextlib.suppress(OSError):  # told again by the next receive
                    for datagram in action.datagrams:
                        sock.send(datagram)
            case Done():
                self._finish(request_id, action.message)
            case Failed():
                self._finish(request_id, action.error)
            case Stream():
                self._finish(request_id, self._over_tcp(request_id))
            case Wait():
                pass

    def _over_tcp(self, request_id: int) -> Message | ResolverError:
        _, request, _, deadline = self._flying[request_id]
        try:
            return self._transport.over_tcp(self._server, request, deadline)[0]
        except ResolverError as error:
            return error

    def _finish(self, request_id: int, outcome: Message | ResolverError) -> None:
        number = self._flying.pop(request_id)[0]
        self._done[number] = outcome
