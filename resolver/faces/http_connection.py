"""One HTTP connection: uvicorn's protocol class, with limits (RFC 9112).

uvicorn bounds neither what a head holds, nor the requests sent ahead, nor the time a
request takes to arrive or an answer to be read; all that is here, and what is cut is
counted. A connection has at most two timers:

    deadline   IDLE_SECONDS without a request, REQUEST_SECONDS for one to arrive whole
    slow       SLOW_SECONDS for a client that does not read its answers

The class leans on attributes of uvicorn that its own servers use: cycle, flow,
pipeline, transport, server_state.
"""

import asyncio
import logging
from typing import TYPE_CHECKING, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from resolver.faces.http_application import refuse_head

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from resolver.faces.http import Listeners

MAX_CONNECTIONS = 4096
"""Connections of one node, HTTP and HTTPS together."""

MAX_HEAD_OCTETS = 64 << 10
MAX_AHEAD = 64
"""Requests that a client may send before it has the answer to the first."""

IDLE_SECONDS = 60
REQUEST_SECONDS = 30.0
SLOW_SECONDS = 30.0

# Errors of ours are shown; what uvicorn says of clients' mistakes is counted instead.
_logger = logging.getLogger(__name__)
_logger.setLevel(logging.ERROR)


class Connection(HttpToolsProtocol):
    """One client's connection to one node."""

    def __init__(self, face: "Listeners", config: Config) -> None:
        super().__init__(config, face.state, {"face": face, "certificate": None})
        self._face = face
        self._telemetry = face.telemetry
        self._deadline: asyncio.TimerHandle | None = None
        self._slow: asyncio.TimerHandle | None = None
        self._refused = False
        self._in_head = False
        self._heads = 0
        self._head_octets = 0
        self.logger = _logger
        self.access_log = False

    def connection_made(  # type: ignore[override]
        self, transport: asyncio.Transport
    ) -> None:
        """Take the connection, or refuse it when there are too many."""
        if len(self.connections) >= MAX_CONNECTIONS or self._face.closing:
            self._telemetry.connections_refused += 1
            self._refused = True
            transport.abort()
            return
        super().connection_made(transport)
        self._telemetry.connections_open += 1
        ssl_object = transport.get_extra_info("ssl_object")
        if ssl_object is not None:
            self.app_state["certificate"] = ssl_object.getpeercert(binary_form=True)
        self._arm(IDLE_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client."""
        self._disarm()
        self._stop_slow()
        if self._refused:
            return
        self._unset_keepalive_if_required()
        super().connection_lost(exc)
        self.pipeline.clear()
        self._telemetry.connections_open -= 1
        self._face.lost()

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if self._refused:
            return
        heads, in_head = self._heads, self._in_head
        super().data_received(data)
        if in_head and self._in_head and heads == self._heads:
            self._head_octets += len(data)
            if self._head_octets > MAX_HEAD_OCTETS:
                self._give_up()
        elif self._deadline is None and not self._is_answering():
            self._arm(IDLE_SECONDS)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer what has arrived to a client that has only stopped sending."""
        if self.scheme == "https" or not self._is_answering() or self.cycle.more_body:
            return False  # and asyncio closes; TLS has no half-closed connections
        self.cycle.keep_alive = False  # it is the last of those sent ahead
        return True

    def on_message_begin(self) -> None:
        """Expect a whole request soon."""
        super().on_message_begin()
        self._in_head = True
        self._heads += 1
        self._head_octets = 0
        self._arm(REQUEST_SECONDS)

    def on_headers_complete(self) -> None:
        """Start the answer, unless the head is too long."""
        self._in_head = False
        if len(self.pipeline) >= MAX_AHEAD:
            message = f"more than {MAX_AHEAD} requests sent ahead"
            raise httptools.HttpParserError(message)
        octets = len(self.url) + sum(len(n) + len(v) for n, v in self.headers)
        too_long = octets > MAX_HEAD_OCTETS
        self.app = refuse_head if too_long else self.config.loaded_app
        self._face.refresh_date()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Let the answer take its time: whoever makes it has deadlines of its own."""
        self._disarm()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request; in the middle of an answer, cut it."""
        self._telemetry.malformed += 1
        if self._is_answering():
            self.abort()
        else:
            super().send_400_response(msg)

    def pause_writing(self) -> None:
        """Give a client that does not read a little time."""
        super().pause_writing()
        self._stop_slow()
        self._slow = self.loop.call_later(SLOW_SECONDS, self._give_up)

    def resume_writing(self) -> None:
        """Go on with a client that has read."""
        super().resume_writing()
        self._stop_slow()

    def timeout_keep_alive_handler(self) -> None:
        """End a connection that is idle; one that left its answer unread is cut."""
        if self.transport.get_write_buffer_size():
            self._give_up()
        elif not self.transport.is_closing():
            self.transport.close()

    def shutdown(self) -> None:
        """End as soon as the answer that is being made has gone out."""
        if self._is_answering() and not self.cycle.more_body:
            self.cycle.keep_alive = False
        elif not self._is_answering() and self.transport.get_write_buffer_size():
            self.transport.close()
        else:
            self.abort()

    def abort(self) -> None:
        """End at once."""
        if self._is_answering():
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.abort()

    def _is_answering(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None at first
        return cycle is not None and not cycle.response_complete

    def _expire(self) -> None:
        if self._is_answering() or self._in_head:
            self._give_up()
        else:
            self.timeout_keep_alive_handler()

    def _give_up(self) -> None:
        self._telemetry.connections_aborted += 1
        self.abort()

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(seconds, self._expire)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _stop_slow(self) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None
