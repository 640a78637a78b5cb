"""How the asynchronous client, and a recursive node, carry messages.

Over UDP, one connected socket (asyncio-dgram) for each server address: the kernel
then drops what comes from elsewhere, and each server sees a source port of its own.
Requests share the socket and are matched by id. asyncio-dgram queues what arrives
without limit, so what may arrive is bounded instead, by the requests in flight, and
one task for each socket takes it out. A try costs a timer, not a task.

What does not work over UDP goes on over TCP (`resolver.client.streams`). A transport
belongs to the event loop it is first used on.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Hashable

import asyncio_dgram

from registry.model.codes import ResponseCode
from resolver.client.settings import ClientSettings
from resolver.client.streams import StreamConnection, StreamPool, busy
from resolver.errors import UnreachableError, answer_error
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
from resolver.session.fragments import Reassembler
from resolver.wire.message import Message

_PROBE_SECONDS = 0.02
"""When to look for an ICMP error: asyncio-dgram keeps it until somebody asks."""

_ID_MASK = (1 << REQUEST_ID_BITS) - 1

_Address = tuple[str, int]


class _Waiting:
    """A request on a socket: its exchange, and whoever waits for its next action."""

    __slots__ = ("exchange", "future", "timer")

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.future: asyncio.Future[Action] | None = None
        self.timer: asyncio.TimerHandle | None = None

    def tell(self, action: Action) -> None:
        """Hand over an action, unless one is waiting to be taken already."""
        if self.future is not None and not self.future.done():
            self.future.set_result(action)


class _UdpSocket:
    """One connected socket and the requests that share it."""

    def __init__(self, stream: "asyncio_dgram.aio.DatagramClient") -> None:
        self._stream = stream
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, _Waiting] = {}
        self._task = self._loop.create_task(self._read())
        self.reassembler = Reassembler()
        self.late = 0
        """Datagrams that nobody waited for."""

    @property
    def load(self) -> int:
        """Requests without an answer."""
        return len(self._waiting)

    @property
    def open(self) -> bool:
        """Whether it can take requests."""
        return not self._task.done()

    def free_id(self, request_id: int) -> int:
        """Give an id that no request on this socket has."""
        while request_id in self._waiting:
            request_id = (request_id + 1) & _ID_MASK
        return request_id

    async def run(self, exchange: Exchange) -> Done | Stream | Failed:
        """Carry an exchange to its end over UDP."""
        waiting = _Waiting(exchange)
        self._waiting[exchange.request_id] = waiting
        try:
            action = exchange.step(self._loop.time())
            while isinstance(action, Send | Wait):
                action = await self._carry(waiting, action)
            return action
        finally:
            del self._waiting[exchange.request_id]

    async def close(self) -> None:
        """Close the socket; requests on it go on over TCP."""
        self._stream.close()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _carry(self, waiting: _Waiting, action: Send | Wait) -> Action:
        """Send, and wait for an answer or the time of the next try."""
        future: asyncio.Future[Action] = self._loop.create_future()
        waiting.future = future
        if isinstance(action, Send) and not await self._send(action.datagrams):
            return waiting.exchange.refused(self._loop.time())
        probe = min(action.until, self._loop.time() + _PROBE_SECONDS)
        waiting.timer = self._loop.call_at(probe, self._probe, waiting, action.until)
        try:
            return await future
        finally:
            waiting.timer.cancel()

    async def _send(self, datagrams: list[bytes]) -> bool:
        """Send; False when the socket is closed or nobody listens there."""
        for _ in range(2):
            try:
                for datagram in datagrams:
                    await self._stream.send(datagram)
            except asyncio_dgram.TransportClosed:
                return False
            except OSError:
                continue  # an error of an earlier request is told here, so once more
            else:
                return True
        return False

    def _probe(self, waiting: _Waiting, until: float) -> None:
        """Look for an error of the socket early on, then let the try run out."""
        try:
            _ = self._stream.exception
        except OSError:
            self._refuse()
            return
        waiting.timer = self._loop.call_at(until, self._expire, waiting)

    def _expire(self, waiting: _Waiting) -> None:
        waiting.tell(waiting.exchange.step(self._loop.time()))

    def _refuse(self) -> None:
        """Tell everybody on this socket that nobody listens at the other end."""
        now = self._loop.time()
        for waiting in self._waiting.values():
            waiting.tell(waiting.exchange.refused(now))

    async def _read(self) -> None:
        try:
            while True:
                try:
                    datagram, _ = await self._stream.recv()
                except OSError:
                    self._refuse()
                else:
                    self._take(datagram)
        except asyncio_dgram.TransportClosed:
            pass
        finally:
            self._refuse()

    def _take(self, datagram: bytes) -> None:
        waiting = self._waiting.get(int.from_bytes(datagram[8:12], "big"))
        if waiting is None or waiting.future is None or waiting.future.done():
            self.late += 1
            return
        action = waiting.exchange.receive(datagram, self._loop.time())
        if not isinstance(action, Wait):
            waiting.future.set_result(action)


class AsyncTransport:
    """Carries messages to any number of servers over a bounded number of sockets."""

    def __init__(self, settings: ClientSettings | None = None) -> None:
        self._settings = settings or ClientSettings()
        self._sockets: OrderedDict[_Address, _UdpSocket] = OrderedDict()
        self._opening = asyncio.Lock()
        self._late = 0
        self.streams = StreamPool(self._settings)
        self.exchanges = 0
        self.switched = 0
        """Exchanges that went on over TCP."""

        self.refused = 0
        """Requests turned away because a socket, or all sockets, were in use."""

    @property
    def late(self) -> int:
        """Datagrams that came too late or were nobody's."""
        return self._late + sum(socket.late for socket in self._sockets.values())

    async def exchange(
        self, server: ServerAddress, message: Message, deadline: float | None = None
    ) -> Message:
        """Send a request and give its answer, the first message of it.

        `deadline` is of the loop's clock, by default a lifetime from now; the message
        may get another request id.

        Raises:
            UnreachableError: Nobody listens, or the connection was lost.
            TimedOutError: No answer before the deadline.
            BadAnswerError: The answer breaks the protocol.
            ServerError: 3, too much is in flight.
        """
        return (await self.exchange_all(server, message, deadline))[0]

    async def exchange_all(
        self, server: ServerAddress, message: Message, deadline: float | None = None
    ) -> tuple[Message, ...]:
        """Send a request and give all messages of its answer; see `exchange`."""
        if deadline is None:
            now = asyncio.get_running_loop().time()
            deadline = self._settings.retry.deadline(now)
        self.exchanges += 1
        if self._settings.use_udp and server.udp_port is not None:
            outcome = await self._over_udp(server, message, deadline)
            if isinstance(outcome, Done):
                return (outcome.message,)
            if isinstance(outcome, Failed):
                raise outcome.error
            self.switched += 1
        if server.tcp_port is None:
            raise UnreachableError(f"{server} has no TCP port")
        return await self.streams.exchange(server, message, deadline)

    async def connection(
        self, server: ServerAddress, channel: Hashable, deadline: float
    ) -> StreamConnection:
        """Give a TCP connection that only those who name `channel` share."""
        return await self.streams.connection(server, channel, deadline)

    async def close(self) -> None:
        """Close everything; what is waiting gets errors."""
        for socket in self._sockets.values():
            await socket.close()
        self._sockets.clear()
        await self.streams.close()

    async def _over_udp(
        self, server: ServerAddress, message: Message, deadline: float
    ) -> Done | Stream | Failed:
        socket = await self._socket(server)
        if socket.load >= self._settings.max_in_flight:
            self.refused += 1
            raise busy(server, socket.load)
        request_id = message.envelope.request_id
        free = socket.free_id(request_id)
        if free != request_id:
            message = renumbered(message, free)
        policy = self._settings.retry
        exchange = Exchange(message, server, policy, deadline, socket.reassembler)
        return await socket.run(exchange)

    async def _socket(self, server: ServerAddress) -> _UdpSocket:
        assert server.udp_port is not None
        key = server.host, server.udp_port
        socket = self._sockets.get(key)
        if socket is None or not socket.open:
            async with self._opening:
                socket = self._sockets.get(key)
                if socket is None or not socket.open:
                    return await self._open(key)
        self._sockets.move_to_end(key)
        return socket

    async def _open(self, key: _Address) -> _UdpSocket:
        await self._make_room()
        try:
            stream = await asyncio_dgram.connect(key)
        except OSError as error:
            raise UnreachableError(f"{key[0]}: {error}") from None
        socket = self._sockets[key] = _UdpSocket(stream)
        return socket

    async def _make_room(self) -> None:
        """Close the socket not used for longest that has nothing in flight."""
        if len(self._sockets) < self._settings.max_sockets:
            return
        for key, socket in self._sockets.items():
            if not socket.load:
                del self._sockets[key]
                self._late += socket.late
                await socket.close()
                return
        self.refused += 1
        text = f"all {self._settings.max_sockets} sockets are in use"
        raise answer_error(ResponseCode.SERVER_TOO_BUSY, text)
