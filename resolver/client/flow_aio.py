"""Carries a flow of codes over an asyncio stream, twin of `resolver.client.flow_blocking`."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable

from registry.errors import MalformedError
from registry.schemes.lookup import Wanted
from resolver.client.answer import Result
from resolver.client.code_memory import Reply
from resolver.client.flow import Flow
from resolver.client.settings import ClientSettings
from resolver.client.sockets import READ_OCTETS
from resolver.errors import ResolverError, UnreachableError
from resolver.session.exchange import ServerAddress

AskAlone = Callable[[Wanted, float], Awaitable[Reply]]
"""Asks one question by a deadline of the loop's clock."""

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class FlowCarrier:
    """One flow, and the connection it is on now."""

    def __init__(
        self,
        flow: Flow,
        server: ServerAddress,
        ask_alone: AskAlone,
        settings: ClientSettings,
    ) -> None:
        self._flow = flow
        self._server = server
        self._ask_alone = ask_alone
        self._settings = settings
        self._silence_seconds = sum(settings.retry.timeouts)
        self._streams: _Streams | None = None

    async def run(self) -> AsyncGenerator[Result, None]:
        """Give the results as they come."""
        flow = self._flow
        try:
            while not flow.over:
                octets = flow.fill(self._settings.clock())
                try:
                    async with asyncio.timeout(self._silence_seconds):
                        await self._move(octets)
                except (OSError, EOFError, MalformedError):
                    # TimeoutError is an OSError; why is told by who asks next.
                    await self._hang_up()
                    flow.lost()
                if flow.alone:
                    await self._ask_the_rest()
                for result in flow.take():
                    yield result
        finally:
            await self._hang_up()

    async def _move(self, octets: bytes) -> None:
        """Send, then take what has come; wait only when there is nothing to give."""
        if octets:
            _, writer = await self._connected()
            writer.write(octets)
            await writer.drain()
        if not self._flow.ready and self._flow.flying:
            reader, _ = await self._connected()
            received = await reader.read(READ_OCTETS)
            if not received:
                raise EOFError
            self._flow.receive(received)

    async def _connected(self) -> _Streams:
        if self._streams is None:
            host, port = self._server.host, self._server.tcp_port
            if port is None:
                raise ConnectionRefusedError(f"{self._server} has no TCP port")
            self._streams = await asyncio.open_connection(host, port)
        return self._streams

    async def _hang_up(self) -> None:
        if self._streams is not None:
            writer = self._streams[1]
            self._streams = None
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _ask_the_rest(self) -> None:
        """Ask what no connection answered; once nobody answers, the others fail alike."""
        flights, self._flow.alone = self._flow.alone, []
        loop = asyncio.get_running_loop()
        deadline = self._settings.retry.deadline(loop.time())
        gone: UnreachableError | None = None
        for flight in flights:
            if gone is not None:
                self._flow.fail(flight, gone)
                continue
            try:
                reply = await self._ask_alone(flight.wanted, deadline)
            except ResolverError as error:
                gone = error if isinstance(error, UnreachableError) else None
                self._flow.fail(flight, error)
            else:
                self._flow.reply(flight, reply)
