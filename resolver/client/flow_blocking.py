"""Carries a flow of codes over a plain socket.

A connection that is lost, or silent for as long as all tries over UDP would wait, is
given up; the questions on it are asked once more, each on its own and UDP first, all
within one lifetime. Then the next ones get a new connection. So a server that went away
holds up a window of codes once, and not every code.
"""

import time
from collections.abc import Callable, Iterator

from registry.errors import MalformedError
from registry.schemes.lookup import Wanted
from resolver.client.answer import Result
from resolver.client.code_memory import Reply
from resolver.client.flow import Flow
from resolver.client.settings import ClientSettings
from resolver.client.sockets import BlockingConnection, SocketTransport
from resolver.errors import ResolverError, UnreachableError
from resolver.session.exchange import ServerAddress

AskAlone = Callable[[Wanted, float], Reply]
"""Asks one question by a deadline of the monotonic clock."""


class FlowCarrier:
    """One flow, and the connection it is on now."""

    def __init__(
        self,
        flow: Flow,
        transport: SocketTransport,
        server: ServerAddress,
        ask_alone: AskAlone,
        settings: ClientSettings,
    ) -> None:
        self._flow = flow
        self._transport = transport
        self._server = server
        self._ask_alone = ask_alone
        self._settings = settings
        self._silence_seconds = sum(settings.retry.timeouts)
        self._connection: BlockingConnection | None = None

    def run(self) -> Iterator[Result]:
        """Give the results as they come."""
        flow = self._flow
        try:
            while not flow.over:
                octets = flow.fill(self._settings.clock())
                try:
                    self._move(octets)
                except (UnreachableError, MalformedError):
                    # LostError and TimedOutError are both; why is told by who asks next.
                    self._hang_up()
                    flow.lost()
                if flow.alone:
                    self._ask_the_rest()
                yield from flow.take()
        finally:
            self._hang_up()

    def _move(self, octets: bytes) -> None:
        """Send, then take what has come; wait only when there is nothing to give."""
        deadline = time.monotonic() + self._silence_seconds
        if octets:
            self._connected(deadline).send(octets, deadline)
        if not self._flow.ready and self._flow.flying:
            self._flow.receive(self._connected(deadline).receive(deadline))

    def _connected(self, deadline: float) -> BlockingConnection:
        if self._connection is None:
            self._connection = self._transport.dial(self._server, deadline)
        return self._connection

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask_the_rest(self) -> None:
        """Ask what no connection answered; once nobody answers, the others fail alike."""
        flights, self._flow.alone = self._flow.alone, []
        deadline = self._settings.retry.deadline(time.monotonic())
        gone: UnreachableError | None = None
        for flight in flights:
            if gone is not None:
                self._flow.fail(flight, gone)
                continue
            try:
                reply = self._ask_alone(flight.wanted, deadline)
            except ResolverError as error:
                gone = error if isinstance(error, UnreachableError) else None
                self._flow.fail(flight, error)
            else:
                self._flow.reply(flight, reply)
