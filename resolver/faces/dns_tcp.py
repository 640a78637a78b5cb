"""DNS over TCP: messages after their length, as many as a client likes (RFC 7766).

Queries may be pipelined; replies that need waiting go out when they are ready, so a
client tells replies apart by id. A plain asyncio protocol without tasks of its own.

Everything is bounded: connections, the octets they hold, queries answered in one turn
of the loop (others wait for theirs), replies waited for and replies not read (then
reading stops), and the time in which a connection completes no query.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import cast

from resolver.dns.stream import Framer, frame
from resolver.faces.dns_answering import DnsAnswering, DnsReply
from resolver.telemetry import Telemetry

MAX_CONNECTIONS = 4096
MAX_HELD_OCTETS = 64 << 20
"""Octets of queries, incomplete or not answered yet, of all connections."""

MAX_WAITING = 256
"""Queries of one connection that may wait for their answer at once."""

MAX_WAITING_IN_ALL = 16_384
FAIR_TURN = 64
WRITE_BUFFER_OCTETS = 256 << 10
IDLE_SECONDS = 30.0


class DnsTcp:
    """What the connections of one node share."""

    def __init__(
        self,
        answering: DnsAnswering,
        telemetry: Telemetry,
        clock: Callable[[], float] = time.time,  # noqa: TID251 (injected, not called)
    ) -> None:
        self.answering = answering
        self.telemetry = telemetry
        self.clock = clock
        self.connections: set[Connection] = set()
        self.waiting: set[asyncio.Task[None]] = set()
        self.held_octets = 0
        self.closed = False

    def connection(self) -> "Connection":
        """Make the protocol of a new connection, for `loop.create_server`."""
        return Connection(self)

    def receive(
        self, octets: bytes, peer: object
    ) -> DnsReply | Awaitable[DnsReply] | None:
        """Answer a message."""
        self.answering.origin.full = len(self.waiting) >= MAX_WAITING_IN_ALL
        return self.answering.receive(octets, peer, self.clock())

    async def close(self) -> None:
        """Close all connections and give up what they wait for."""
        # The listening socket may hand over what it had accepted before it closed.
        self.closed = True
        waiting = list(self.waiting)
        for connection in list(self.connections):
            connection.abort()
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


class Connection(asyncio.Protocol):
    """One client's connection."""

    __slots__ = (
        "_active",
        "_ended",
        "_face",
        "_framer",
        "_held",
        "_open",
        "_paused",
        "_peer",
        "_queue",
        "_timer",
        "_transport",
        "_working",
    )

    def __init__(self, face: DnsTcp) -> None:
        self._face = face
        self._framer = Framer()
        self._queue: deque[bytes] = deque()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._peer: object = None
        self._held = 0
        self._open = 0
        self._active = 0.0
        """When a query was last completed, or answered, by the loop's clock."""

        self._paused = False
        self._ended = False
        self._working = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection; refuse it when there are too many, or at the end."""
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        face = self._face
        if len(face.connections) >= MAX_CONNECTIONS or face.closed:
            face.telemetry.connections_refused += 1
            self._transport.abort()
            return
        face.connections.add(self)
        face.telemetry.connections_open += 1
        self._peer = transport.get_extra_info("peername")
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER_OCTETS)
        self._note_activity()
        self._watch(IDLE_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget everything about the client."""
        del exc
        self._transport = None
        self._queue.clear()
        self._face.held_octets -= self._held
        self._held = 0
        if self._timer is not None:
            self._timer.cancel()
        if self in self._face.connections:
            self._face.connections.remove(self)
            self._face.telemetry.connections_open -= 1

    def data_received(self, data: bytes) -> None:
        """Answer the queries that are complete now."""
        messages = self._framer.receive(data)
        if messages:
            self._note_activity()
        self._queue += messages
        self._account()
        if self._face.held_octets > MAX_HELD_OCTETS:
            self.abort()
        elif not self._working:
            self._work()

    def eof_received(self) -> bool:
        """Send what is still to be answered, then close."""
        self._ended = True
        return bool(self._open or self._queue)

    def _account(self) -> None:
        held = self._framer.kept + sum(map(len, self._queue))
        self._face.held_octets += held - self._held
        self._held = held

    def _work(self) -> None:
        """Answer a turn's queries; more of them have to wait for the next one."""
        self._working = False
        replies: list[bytes] = []
        for _ in range(FAIR_TURN):
            if not self._queue or self._busy or self._transport is None:
                break
            reply = self._face.receive(self._queue.popleft(), self._peer)
            if isinstance(reply, DnsReply):
                replies.append(frame(reply.octets))
            elif reply is not None:
                self._wait(reply)
        self._account()
        self._write(b"".join(replies))
        self._go_on()

    @property
    def _busy(self) -> bool:
        return self._paused or self._open >= MAX_WAITING

    def _go_on(self) -> None:
        """Answer, read or close, whatever is next."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._queue and not self._busy and not self._working:
            self._working = True
            asyncio.get_running_loop().call_soon(self._work)
        if self._ended and not self._queue and not self._open:
            transport.close()
            return
        stop = bool(self._queue) or self._busy
        if stop and transport.is_reading():
            transport.pause_reading()
        elif not stop and not self._ended and not transport.is_reading():
            transport.resume_reading()

    def _wait(self, reply: Awaitable[DnsReply]) -> None:
        self._open += 1
        task = asyncio.ensure_future(self._answer_later(reply))
        self._face.waiting.add(task)
        task.add_done_callback(self._face.waiting.discard)

    async def _answer_later(self, reply: Awaitable[DnsReply]) -> None:
        try:
            octets = frame((await reply).octets)
        except BaseException:
            self._open -= 1
            raise
        self._open -= 1
        self._write(octets)
        self._go_on()

    def _write(self, octets: bytes) -> None:
        if self._transport is not None and octets:
            self._transport.write(octets)
            self._note_activity()

    def pause_writing(self) -> None:
        """Stop answering a client that does not read."""
        self._paused = True
        self._go_on()

    def resume_writing(self) -> None:
        """Go on with a client that has read."""
        self._paused = False
        self._note_activity()
        self._go_on()

    def _note_activity(self) -> None:
        self._active = asyncio.get_running_loop().time()

    def _watch(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(seconds, self._look_after)

    def _look_after(self) -> None:
        """Close a connection on which nothing happens, for whatever reason."""
        transport = self._transport
        if transport is None:
            return
        idle = asyncio.get_running_loop().time() - self._active
        if idle < IDLE_SECONDS:
            self._watch(IDLE_SECONDS - idle)
        elif self._open and not self._paused:
            self._watch(IDLE_SECONDS)
        elif self._held or self._paused:
            self.abort()
        else:
            transport.close()

    def abort(self) -> None:
        """Close the connection without waiting for the client."""
        if self._transport is not None:
            self._face.telemetry.connections_aborted += 1
            self._transport.abort()
