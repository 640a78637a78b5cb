"""The Handle protocol over TCP.

A plain asyncio protocol without tasks, so that thousands of idle connections cost
little: the official SDK opens one for each resolution and never closes it (handle
notes §2.3). Requests may be pipelined; answers that need waiting go out when they are
ready, so a client tells answers apart by request id. Connections stay open.

Where there is a fast path, a connection on which nothing is under way is lent to it:
reading stops here, and goes on when a request comes that must be answered the long way,
or when the client ends. A connection on which somebody has logged in stays here, and
one that the fast path could not help stays for a while (`Connection._lend`).

Everything is bounded: answers not read by the client (then reading stops, and after
`SLOW_SECONDS` the connection is aborted), requests being worked on, the octets of an
incomplete request and the time it may stay incomplete, and connections in all.
"""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Awaitable, Callable
from typing import cast

from registry.errors import MalformedError
from resolver.chain import Origin
from resolver.deferred import Deferred
from resolver.encoder import Octets
from resolver.responder import Responder
from resolver.session.stream import Framer
from resolver.telemetry import Telemetry

MAX_CONNECTIONS = 16_384
MAX_WAITING = 1024
"""Requests of one connection that may be worked on at once."""

MAX_INCOMPLETE_OCTETS = 64 << 20
"""Octets of incomplete requests that one node holds for all connections."""

WRITE_BUFFER_OCTETS = 512 << 10
SLOW_SECONDS = 30.0
STALL_SECONDS = 60.0

MAX_PATIENCE = 256
"""Requests for which a connection that the fast path cannot help stays here."""

Lend = Callable[[int, "Connection"], bool]
"""Lends a connection with this file descriptor; False when that is not possible."""


class HandleTcp:
    """What the connections of one node share."""

    def __init__(
        self,
        responder: Responder,
        telemetry: Telemetry,
        clock: Callable[[], float] = time.time,  # noqa: TID251 (injected, not called)
    ) -> None:
        self.responder = responder
        self.telemetry = telemetry
        self.clock = clock
        self.connections: set[Connection] = set()
        self.waiting: set[asyncio.Task[None]] = set()
        """Answers that need waiting, of connections that may have ended meanwhile."""

        self.incomplete_octets = 0
        self.closed = False
        self.lend: Lend | None = None
        """Lends to the fast path, where there is one."""

    def lend_from_now(self, lend: Lend) -> None:
        """Lend connections to the fast path: those that are open, and new ones."""
        self.lend = lend
        for connection in self.connections:
            connection.lend_when_idle()

    def connection(self) -> "Connection":
        """Make the protocol of a new connection, for `loop.create_server`."""
        return Connection(self)

    async def close(self) -> None:
        """Close all connections and wait for the work on their requests."""
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
        "_aborted",
        "_face",
        "_framer",
        "_kept",
        "_lent",
        "_open",
        "_origin",
        "_patience",
        "_paused",
        "_peer",
        "_stay",
        "_timer",
        "_transport",
        "_unsent",
    )

    def __init__(self, face: HandleTcp) -> None:
        self._face = face
        self._framer = Framer()
        self._origin = Origin("tcp", connected=True)
        self._peer: object = None
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._kept = 0
        self._open = 0
        self._unsent: list[bytes] = []
        self._paused = False
        self._lent = False
        self._aborted = False
        self._stay = 0
        """Requests to answer here before the connection is lent again."""

        self._patience = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection; refuse it when there are too many, or at the end."""
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        full = len(self._face.connections) >= MAX_CONNECTIONS
        if full or self._face.closed:
            self._face.telemetry.connections_refused += 1
            self._transport.abort()
            return
        self._face.connections.add(self)
        self._face.telemetry.connections_open += 1
        self._peer = transport.get_extra_info("peername")
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER_OCTETS)
        if self._face.lend is not None:
            asyncio.get_running_loop().call_soon(self.lend_when_idle)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget everything about the client."""
        del exc
        self._transport = None
        self._set_kept(0)
        self._stop_timer()
        if self in self._face.connections:
            self._face.connections.remove(self)
            self._face.telemetry.connections_open -= 1

    def data_received(self, data: bytes) -> None:
        """Answer the requests that are complete now."""
        try:
            messages = self._framer.receive(data)
        except MalformedError:
            self._face.telemetry.malformed += 1
            self.abort()
            return
        if self._set_kept(self._framer.kept, another=bool(messages)):
            self._answer(messages)

    def _answer(self, messages: list[bytes]) -> None:
        now = self._face.clock()
        respond, answered = self._face.responder.respond, self._answered
        ready: list[bytes] = []
        for octets in messages:
            answer = respond(octets, self._origin, self._peer, now)
            if isinstance(answer, tuple):
                ready += answer
            elif isinstance(answer, Deferred):
                self._open += 1
                answer.then(answered)
            else:
                self._wait(answer)
        if ready:
            self._write(b"".join(ready))
        self._stay -= len(messages)
        if self._open >= MAX_WAITING:
            self._control_reading()
        self.lend_when_idle()

    def _wait(self, answer: Awaitable[Octets]) -> None:
        self._open += 1
        task = asyncio.ensure_future(self._answer_later(answer))
        self._face.waiting.add(task)
        task.add_done_callback(self._face.waiting.discard)

    async def _answer_later(self, answer: Awaitable[Octets]) -> None:
        try:
            octets = await answer
        except BaseException:
            self._answered(())
            raise
        self._answered(octets)

    def _answered(self, octets: Octets) -> None:
        self._open -= 1
        if not self._unsent:
            # A group of writes is answered in one turn: one write for all of it.
            asyncio.get_running_loop().call_soon(self._flush)
        self._unsent += octets
        if self._open == MAX_WAITING // 2:
            self._control_reading()

    def _flush(self) -> None:
        octets = b"".join(self._unsent)
        self._unsent.clear()
        self._write(octets)
        self.lend_when_idle()

    def _write(self, octets: bytes) -> None:
        if self._transport is not None and octets:
            self._transport.write(octets)

    def pause_writing(self) -> None:
        """Stop reading from a client that does not read."""
        self._paused = True
        self._start_timer(SLOW_SECONDS)
        self._control_reading()

    def resume_writing(self) -> None:
        """Go on with a client that has read."""
        self._paused = False
        self._time_incomplete()
        self._control_reading()

    def lend_when_idle(self) -> None:
        """Lend the connection to the fast path if nothing is under way on it."""
        lend, transport = self._face.lend, self._transport
        if lend is None or transport is None or self._lent or not self._is_idle():
            return
        descriptor = transport.get_extra_info("socket").fileno()
        transport.pause_reading()
        self._lent = True
        if not lend(descriptor, self):
            self._lent = False
            transport.resume_reading()

    def _is_idle(self) -> bool:
        transport, origin = self._transport, self._origin
        assert transport is not None
        return not (
            self._stay > 0
            or self._open
            or self._kept
            or self._unsent
            or self._paused
            or origin.identity is not None
            or origin.pending
            or transport.is_closing()
            or transport.get_write_buffer_size()
        )

    def returned(self, rest: bytes, *, helped: bool) -> None:
        """Take the connection back from the fast path.

        `rest` is what it could not send of an answer. A connection that it could not
        help stays here for twice as many requests each time.
        """
        self._lent = False
        self._patience = 0 if helped else min(2 * self._patience + 1, MAX_PATIENCE)
        self._stay = self._patience
        if self._transport is None:
            return
        if self._aborted:
            self._transport.abort()
            return
        self._write(rest)
        self._control_reading()

    def _control_reading(self) -> None:
        if self._transport is None or self._transport.is_closing() or self._lent:
            return
        busy = self._paused or self._open >= MAX_WAITING
        if busy and self._transport.is_reading():
            self._transport.pause_reading()
        elif not busy and not self._transport.is_reading():
            self._transport.resume_reading()

    def _set_kept(self, octets: int, *, another: bool = True) -> bool:
        """Account for an incomplete request; False when there is no room for it."""
        self._face.incomplete_octets += octets - self._kept
        another = another or not self._kept
        self._kept = octets
        if self._face.incomplete_octets > MAX_INCOMPLETE_OCTETS and octets:
            self.abort()
            return False
        if another and not self._paused:
            self._time_incomplete()
        return True

    def _time_incomplete(self) -> None:
        """Give an incomplete request its time, from now on."""
        self._stop_timer()
        if self._kept:
            self._start_timer(STALL_SECONDS)

    def _start_timer(self, seconds: float) -> None:
        self._stop_timer()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(seconds, self.abort)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def abort(self) -> None:
        """Close the connection without waiting for the client."""
        self._stop_timer()
        if self._transport is None:
            return
        self._face.telemetry.connections_aborted += 1
        if self._lent:
            # The fast path may be using it this moment; it gives it back at the end.
            self._aborted = True
            _shut_down(self._transport.get_extra_info("socket").fileno())
            return
        self._transport.abort()


def _shut_down(descriptor: int) -> None:
    """End a connection without closing it. uvloop's own sockets cannot do that."""
    with (
        contextlib.suppress(OSError),
        socket.socket(fileno=os.dup(descriptor)) as duplicate,
    ):
        duplicate.shutdown(socket.SHUT_RDWR)
