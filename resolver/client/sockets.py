"""How the blocking client carries messages: plain sockets, no event loop.

Whoever asks takes a socket or a connection for itself and gives it back, so threads
(or greenlets, where sockets are patched) share a transport without sharing a socket.
`Window` is the exception: many requests of one thread on one UDP socket.
"""

import contextlib
import heapq
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Generic, NamedTuple, TypeVar

from registry.errors import MalformedError
from resolver.client.settings import ClientSettings
from resolver.errors import ResolverError, TimedOutError, UnreachableError
from resolver.session.draft import REQUEST_ID_BITS, renumbered, repeatable
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
from resolver.session.parts import LOST_ID, LostError, Parts, request_id_of
from resolver.session.stream import Framer
from resolver.wire.message import Message

_READ_OCTETS = 65_536
_ID_MASK = (1 << REQUEST_ID_BITS) - 1

Messages = tuple[Message, ...]
"""All messages of one answer."""


class BlockingConnection:
    """One TCP connection, used by one thread at a time."""

    def __init__(self, server: ServerAddress, deadline: float) -> None:
        """Connect; `deadline` is of the monotonic clock.

        Raises:
            UnreachableError: Nobody listens, or not in time.
        """
        self.server = server
        self.logged_in: bool | None = None
        """Whether the connection has an identity; None before anybody tried."""

        self.answered = 0
        self.late = 0
        """Messages that nobody waited for."""

        self._framer = Framer()
        self._socket = _connect(server, deadline)

    @property
    def closed(self) -> bool:
        """Whether this side has closed it."""
        return self._socket.fileno() < 0

    @property
    def open(self) -> bool:
        """Whether it can take a request: neither closed nor something unasked in it."""
        if self.closed:
            return False
        try:
            self._socket.settimeout(0)
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            pass
        self.close()
        return False

    def exchange(self, message: Message, deadline: float) -> Messages:
        """Send a request and wait for its answer; any error closes the connection.

        Raises:
            LostError: The connection ended first.
            TimedOutError: The deadline passed.
            BadAnswerError: The answer breaks its layout.
        """
        try:
            messages = self._exchange(message, deadline)
        except TimeoutError:
            self.close()
            raise TimedOutError(f"{self.server} did not answer in time") from None
        except (OSError, MalformedError) as error:
            self.close()
            raise LostError(f"{self.server} over TCP: {error}") from None
        except BaseException:
            self.close()
            raise
        self.answered += 1
        return messages

    def close(self) -> None:
        """End it."""
        self._socket.close()

    def _exchange(self, message: Message, deadline: float) -> Messages:
        request_id, parts = message.envelope.request_id, Parts(self.server)
        self._socket.settimeout(_left(deadline))
        self._socket.sendall(message.encode())
        while True:
            self._socket.settimeout(_left(deadline))
            octets = self._socket.recv(_READ_OCTETS)
            if not octets:
                raise ConnectionResetError("the server closed the connection")
            for whole in self._framer.receive(octets):
                if request_id_of(whole) not in (request_id, LOST_ID):
                    self.late += 1
                    continue
                messages = parts.add(whole)
                if messages is not None:
                    return messages


_Kept = TypeVar("_Kept", BlockingConnection, socket.socket)


class _Shelf(Generic[_Kept]):
    """Idle sockets by whom they lead to; those not used for longest go first."""

    def __init__(self, max_keys: int, max_each: int) -> None:
        self._max_keys = max_keys
        self._max_each = max_each
        self._lock = threading.Lock()
        self._idle: OrderedDict[Hashable, list[_Kept]] = OrderedDict()

    def take(self, key: Hashable) -> _Kept | None:
        """Take one out."""
        with self._lock:
            kept = self._idle.get(key)
            return kept.pop() if kept else None

    def give(self, key: Hashable, item: _Kept) -> None:
        """Put one back; what is too much is closed."""
        surplus: list[_Kept] = []
        with self._lock:
            kept = self._idle.setdefault(key, [])
            self._idle.move_to_end(key)
            (kept if len(kept) < self._max_each else surplus).append(item)
            if len(self._idle) > self._max_keys:
                surplus += self._idle.popitem(last=False)[1]
        for one in surplus:
            one.close()

    def close(self) -> None:
        """Close everything on it."""
        with self._lock:
            kept = [item for items in self._idle.values() for item in items]
            self._idle.clear()
        for item in kept:
            item.close()


class _Channel(NamedTuple):
    server: ServerAddress
    owner: Hashable


class SocketTransport:
    """Carries messages over plain sockets; threads may share it."""

    def __init__(self, settings: ClientSettings | None = None) -> None:
        self.settings = settings or ClientSettings()
        keys, each = self.settings.max_sockets, self.settings.max_connections
        self._sockets: _Shelf[socket.socket] = _Shelf(keys, each)
        self._connections: _Shelf[BlockingConnection] = _Shelf(keys, each)

    def exchange(
        self, server: ServerAddress, message: Message, deadline: float
    ) -> Message:
        """Send a request and give its answer, the first message of it.

        `deadline` is of the monotonic clock.

        Raises:
            UnreachableError: Nobody listens, or the connection was lost.
            TimedOutError: No answer before the deadline.
            BadAnswerError: The answer breaks the protocol.
        """
        return self.exchange_all(server, message, deadline)[0]

    def exchange_all(
        self, server: ServerAddress, message: Message, deadline: float
    ) -> Messages:
        """Send a request and give all messages of its answer; see `exchange`."""
        if self.settings.use_udp and server.udp_port is not None:
            with self.datagrams(server) as sock:
                policy = self.settings.retry
                exchange = Exchange(message, server, policy, deadline)
                outcome = _over_udp(sock, exchange)
            if isinstance(outcome, Done):
                return (outcome.message,)
            if isinstance(outcome, Failed):
                raise outcome.error
        return self.over_tcp(server, message, deadline)

    def over_tcp(
        self, server: ServerAddress, message: Message, deadline: float
    ) -> Messages:
        """Ask over TCP; on a new connection if a kept one turns out to be dead."""
        if server.tcp_port is None:
            raise UnreachableError(f"{server} has no TCP port")
        while True:
            with self.connection(server, None, deadline) as connection:
                try:
                    return connection.exchange(message, deadline)
                except LostError:
                    if not (connection.answered and repeatable(message)):
                        raise

    @contextlib.contextmanager
    def connection(
        self, server: ServerAddress, channel: Hashable, deadline: float
    ) -> Iterator[BlockingConnection]:
        """Lend a TCP connection that only those who name `channel` use.

        Raises:
            UnreachableError: It cannot be opened before the deadline.
        """
        key = _Channel(server, channel)
        connection = self._connections.take(key)
        while connection is not None and not connection.open:
            connection = self._connections.take(key)
        connection = connection or BlockingConnection(server, deadline)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        if not connection.closed:
            self._connections.give(key, connection)

    @contextlib.contextmanager
    def datagrams(self, server: ServerAddress) -> Iterator[socket.socket]:
        """Lend a UDP socket that is connected to a server."""
        key = server.host, server.udp_port
        sock = self._sockets.take(key) or _udp_socket(server)
        try:
            yield sock
        except BaseException:
            sock.close()
            raise
        self._sockets.give(key, sock)

    def close(self) -> None:
        """Close what is idle; what is lent closes when it comes back to be reused."""
        self._sockets.close()
        self._connections.close()


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
            self._take(sock, sock.recv(_READ_OCTETS))
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


def _over_udp(sock: socket.socket, exchange: Exchange) -> Done | Stream | Failed:
    action = exchange.step(time.monotonic())
    while isinstance(action, Send | Wait):
        try:
            if isinstance(action, Send):
                for datagram in action.datagrams:
                    sock.send(datagram)
            action = _listen(sock, exchange, action.until)
        except OSError:
            return _refused(exchange)
    return action


def _listen(sock: socket.socket, exchange: Exchange, until: float) -> Action:
    left = until - time.monotonic()
    if left <= 0:
        return exchange.step(time.monotonic())
    sock.settimeout(left)
    try:
        datagram = sock.recv(_READ_OCTETS)
    except TimeoutError:
        return exchange.step(time.monotonic())
    return exchange.receive(datagram, time.monotonic())


def _refused(exchange: Exchange) -> Stream | Failed:
    action = exchange.refused(time.monotonic())
    assert isinstance(action, Stream | Failed)
    return action


def _connect(server: ServerAddress, deadline: float) -> socket.socket:
    try:
        address = server.host, server.tcp_port
        sock = socket.create_connection(address, timeout=_left(deadline))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except TimeoutError:
        raise TimedOutError(f"{server}: no connection in time") from None
    except OSError as error:
        raise UnreachableError(f"{server} over TCP: {error}") from None
    return sock


def _udp_socket(server: ServerAddress) -> socket.socket:
    try:
        found = socket.getaddrinfo(server.host, server.udp_port, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, address = found[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UnreachableError(f"{server}: {error}") from None
    try:
        sock.connect(address)
    except OSError as error:
        sock.close()
        raise UnreachableError(f"{server}: {error}") from None
    return sock


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
