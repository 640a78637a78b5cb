"""How the blocking client carries messages: plain sockets, no event loop.

Whoever asks takes a socket or a connection for itself and gives it back, so threads
(or greenlets, where sockets are patched) share a transport without sharing a socket.
"""

import contextlib
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, NamedTuple, TypeVar

from registry.errors import MalformedError
from resolver.client.settings import ClientSettings
from resolver.errors import TimedOutError, UnreachableError
from resolver.session.draft import repeatable
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

READ_OCTETS = 65_536

Messages = tuple[Message, ...]
"""All messages of one answer."""

Prepare = Callable[[socket.socket], socket.socket]
"""Is given each socket once it is connected, and gives the one to use; a load generator
times and guards them so. One that raises has closed the socket."""


def as_it_is(sock: socket.socket) -> socket.socket:
    """Use a socket as it was opened."""
    return sock


class BlockingConnection:
    """One TCP connection, used by one thread at a time."""

    def __init__(
        self, server: ServerAddress, deadline: float, prepare: Prepare = as_it_is
    ) -> None:
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
        self._socket = prepare(_connect(server, deadline))

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

    def send(self, octets: bytes, deadline: float) -> None:
        """Send octets, for those who match answers themselves.

        Raises:
            LostError: The connection ended.
            TimedOutError: The deadline passed.
        """
        try:
            self._socket.settimeout(_left(deadline))
            self._socket.sendall(octets)
        except TimeoutError:
            raise TimedOutError(f"{self.server} took no more in time") from None
        except OSError as error:
            raise LostError(f"{self.server} over TCP: {error}") from None

    def receive(self, deadline: float) -> bytes:
        """Wait for octets, for those who match answers themselves; see `send`."""
        try:
            self._socket.settimeout(_left(deadline))
            octets = self._socket.recv(READ_OCTETS)
        except TimeoutError:
            raise TimedOutError(f"{self.server} did not answer in time") from None
        except OSError as error:
            raise LostError(f"{self.server} over TCP: {error}") from None
        if not octets:
            raise LostError(f"{self.server} over TCP: the server closed the connection")
        return octets

    def close(self) -> None:
        """End it."""
        self._socket.close()

    def _exchange(self, message: Message, deadline: float) -> Messages:
        request_id, parts = message.envelope.request_id, Parts(self.server)
        self._socket.settimeout(_left(deadline))
        self._socket.sendall(message.encode())
        while True:
            self._socket.settimeout(_left(deadline))
            octets = self._socket.recv(READ_OCTETS)
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

    def __init__(
        self, settings: ClientSettings | None = None, *, prepare: Prepare = as_it_is
    ) -> None:
        self.settings = settings or ClientSettings()
        self.prepare = prepare
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
        connection = connection or self.dial(server, deadline)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        if not connection.closed:
            self._connections.give(key, connection)

    def dial(self, server: ServerAddress, deadline: float) -> BlockingConnection:
        """Open a TCP connection that is not kept; who dials closes it.

        Raises:
            UnreachableError: It cannot be opened before the deadline.
        """
        return BlockingConnection(server, deadline, self.prepare)

    @contextlib.contextmanager
    def datagrams(self, server: ServerAddress) -> Iterator[socket.socket]:
        """Lend a UDP socket that is connected to a server."""
        key = server.host, server.udp_port
        sock = self._sockets.take(key) or self.prepare(_udp_socket(server))
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
        datagram = sock.recv(READ_OCTETS)
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
