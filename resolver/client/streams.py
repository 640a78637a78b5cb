"""TCP connections of the asynchronous transport: kept, shared, pipelined by id.

Each connection has one task that reads it. Requests go out as they come and answers
are matched by request id, in any order. Servers that close after each answer, as
CNRI's does (handle notes §1.10), take the requests behind it with them; those that do
no harm twice are asked again, as long as each connection gives at least one answer.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple

from registry.errors import MalformedError
from registry.model.codes import ResponseCode
from resolver.client.settings import ClientSettings
from resolver.errors import (
    BadAnswerError,
    ResolverError,
    TimedOutError,
    UnreachableError,
    answer_error,
)
from resolver.session.draft import REQUEST_ID_BITS, renumbered, repeatable
from resolver.session.exchange import ServerAddress
from resolver.session.parts import LOST_ID, LostError, Parts, request_id_of
from resolver.session.stream import Framer
from resolver.wire.message import Message

_SPREAD = 64
"""Requests waiting on a connection from which on another one is opened."""

_READ_OCTETS = 65_536
_ID_MASK = (1 << REQUEST_ID_BITS) - 1


class _Waiting(NamedTuple):
    """A request that has no complete answer yet."""

    future: "asyncio.Future[tuple[Message, ...]]"
    parts: Parts


class StreamConnection:
    """One open connection; closed by either side, it is not used again."""

    def __init__(
        self,
        server: ServerAddress,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.server = server
        self.logged_in: bool | None = None
        """Whether the connection has an identity; None before anybody tried."""

        self.login_lock = asyncio.Lock()
        self.answered = 0
        self.late = 0
        """Messages that nobody waited for."""

        self._reader = reader
        self._writer = writer
        self._waiting: dict[int, _Waiting] = {}
        self._task = asyncio.get_running_loop().create_task(self._read())

    @property
    def load(self) -> int:
        """Requests without an answer."""
        return len(self._waiting)

    @property
    def open(self) -> bool:
        """Whether it can take requests."""
        return not (self._task.done() or self._writer.is_closing())

    async def exchange(self, message: Message) -> tuple[Message, ...]:
        """Send a request and wait for all parts of its answer; no deadline here.

        Raises:
            LostError: The connection ended first.
            BadAnswerError: The answer breaks its layout.
        """
        if not self.open:
            raise LostError(f"{self.server}: the connection is closed")
        request_id = message.envelope.request_id
        while request_id in self._waiting:
            request_id = (request_id + 1) & _ID_MASK
        message = renumbered(message, request_id)
        future = asyncio.get_running_loop().create_future()
        waiting = _Waiting(future, Parts(self.server))
        self._waiting[request_id] = waiting
        try:
            self._writer.write(message.encode())
            await self._writer.drain()
            return await waiting.future
        except OSError as error:
            raise LostError(f"{self.server} over TCP: {error}") from None
        finally:
            self._waiting.pop(request_id, None)

    async def close(self) -> None:
        """End it; whoever waits gets a `LostError`."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _read(self) -> None:
        reason = "the server closed the connection"
        framer = Framer()
        try:
            while octets := await self._reader.read(_READ_OCTETS):
                for whole in framer.receive(octets):
                    self._take(whole)
        except (OSError, MalformedError) as error:
            reason = str(error)
        finally:
            self._writer.close()
            self._lose(reason)

    def _take(self, octets: bytes) -> None:
        request_id = request_id_of(octets)
        if request_id == LOST_ID and len(self._waiting) == 1:
            request_id = next(iter(self._waiting))
        waiting = self._waiting.get(request_id)
        if waiting is None or waiting.future.done():
            self.late += 1
            return
        try:
            messages = waiting.parts.add(octets)
        except BadAnswerError as error:
            waiting.future.set_exception(error)
            return
        if messages is not None:
            self.answered += 1
            waiting.future.set_result(messages)

    def _lose(self, reason: str) -> None:
        for waiting in self._waiting.values():
            if not waiting.future.done():
                error = LostError(f"{self.server} over TCP: {reason}")
                waiting.future.set_exception(error)


class _Key(NamedTuple):
    server: ServerAddress
    channel: Hashable


class StreamPool:
    """The connections of one transport, by server and by who speaks on them."""

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        self._connections: OrderedDict[_Key, list[StreamConnection]] = OrderedDict()
        self._opening = asyncio.Lock()
        self.opened = 0
        self.refused = 0
        """Requests turned away because all connections were full."""

        self.late = 0
        """Messages that nobody waited for, on connections that are closed by now."""

    async def exchange(
        self, server: ServerAddress, message: Message, deadline: float
    ) -> tuple[Message, ...]:
        """Ask over TCP, again on a new connection if one is lost and that is safe.

        `deadline` is of the loop's clock.

        Raises:
            UnreachableError: Nobody listens, or the connection was lost.
            TimedOutError: The deadline passed.
            BadAnswerError: The answer breaks the protocol.
        """
        try:
            async with asyncio.timeout_at(deadline):
                return await self._persist(server, message)
        except TimeoutError:
            raise TimedOutError(f"{server} did not answer in time") from None

    async def connection(
        self, server: ServerAddress, channel: Hashable, deadline: float
    ) -> StreamConnection:
        """Give the connection to a server that belongs to `channel` alone.

        Raises:
            UnreachableError: It cannot be opened before the deadline.
        """
        try:
            async with asyncio.timeout_at(deadline):
                return await self._acquire(_Key(server, channel), limit=1)
        except TimeoutError:
            raise TimedOutError(f"{server}: no connection in time") from None

    async def dial(self, server: ServerAddress) -> StreamConnection:
        """Open a connection that is not kept; who dials closes it. No deadline here.

        Raises:
            UnreachableError: Nobody listens.
        """
        host, port = server.host, server.tcp_port
        try:
            reader, writer = await asyncio.open_connection(host, port)
        except OSError as error:
            raise UnreachableError(f"{server} over TCP: {error}") from None
        self.opened += 1
        return StreamConnection(server, reader, writer)

    async def close(self) -> None:
        """Close all connections."""
        for connections in self._connections.values():
            for connection in connections:
                await self._retire(connection)
        self._connections.clear()

    async def _persist(
        self, server: ServerAddress, message: Message
    ) -> tuple[Message, ...]:
        while True:
            limit = self._settings.max_connections
            connection = await self._acquire(_Key(server, None), limit)
            try:
                return await connection.exchange(message)
            except LostError:
                # A connection that answered somebody means progress; one that never
                # did would make this go round for ever.
                if not (connection.answered and repeatable(message)):
                    raise

    async def _acquire(self, key: _Key, limit: int) -> StreamConnection:
        """Give the connection with the least load, or a new one."""
        best = self._best(key)
        if best is not None and (best.load < _SPREAD or limit == 1):
            return self._checked(best)
        async with self._opening:
            best = self._best(key)
            count = len(self._connections.get(key, ()))
            if best is not None and (best.load < _SPREAD or count >= limit):
                return self._checked(best)
            return await self._open(key)

    def _best(self, key: _Key) -> StreamConnection | None:
        kept = self._connections.get(key)
        if not kept:
            return None
        self._connections.move_to_end(key)
        alive = [connection for connection in kept if connection.open]
        self.late += sum(dead.late for dead in kept if not dead.open)
        self._connections[key] = alive
        return min(alive, key=lambda connection: connection.load, default=None)

    def _checked(self, connection: StreamConnection) -> StreamConnection:
        if connection.load >= self._settings.max_in_flight:
            self.refused += 1
            raise busy(connection.server, connection.load)
        return connection

    async def _open(self, key: _Key) -> StreamConnection:
        await self._make_room()
        connection = await self.dial(key.server)
        self._connections.setdefault(key, []).append(connection)
        return connection

    async def _make_room(self) -> None:
        """Close connections of the servers not spoken to for longest."""
        if len(self._connections) < self._settings.max_sockets:
            return
        for key, connections in self._connections.items():
            if not any(connection.load for connection in connections):
                del self._connections[key]
                for connection in connections:
                    await self._retire(connection)
                return
        self.refused += 1
        raise answer_error(
            ResponseCode.SERVER_TOO_BUSY,
            f"connections to {self._settings.max_sockets} servers are all in use",
        )

    async def _retire(self, connection: StreamConnection) -> None:
        self.late += connection.late
        await connection.close()


def busy(server: ServerAddress, load: int) -> ResolverError:
    """Make the error for a request beyond what may be in flight."""
    text = f"{server}: {load} requests are waiting for answers already"
    return answer_error(ResponseCode.SERVER_TOO_BUSY, text)
