"""HTTP and HTTPS: two listeners for each node, one application for them all.

uvicorn's protocol class does the framing, but none of its servers runs: each would
tick ten times a second, and a network has more than a hundred nodes. A node needs no
more than a protocol factory on its sockets. Importing FastAPI takes a quarter of a
second, so `preload` does it in a thread, once for the process.
"""

import asyncio
import contextlib
import email.utils
import functools
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from uvicorn.config import Config
from uvicorn.server import ServerState

from resolver.chain import Origin
from resolver.elsewhere import Elsewhere
from resolver.faces.digital_link import DigitalLinkFace
from resolver.faces.handle_api import HandleApi
from resolver.faces.http_application import Application
from resolver.faces.http_connection import IDLE_SECONDS, Connection
from resolver.faces.http_identity import Identification
from resolver.faces.log import LogFace
from resolver.faces.sockets import BACKLOG
from resolver.telemetry import Telemetry

if TYPE_CHECKING:
    from resolver.faces.http_application import Asgi
    from resolver.node import Node

HANDSHAKE_SECONDS = 10.0
GOODBYE_SECONDS = 2.0
_SERVER = (b"server", b"idis-emulator")
_building = threading.Lock()


class Listeners:
    """Sockets on which an application is served, and their connections."""

    def __init__(self, telemetry: Telemetry, clock: Callable[[], float]) -> None:
        """Take what counts connections, and the time for responses."""
        self.telemetry = telemetry
        self.state = ServerState()
        self.clock = clock
        self.closing = False
        self._second = -1
        self._servers: list[asyncio.Server] = []
        self._empty = asyncio.Event()

    async def listen(
        self, config: Config, item: socket.socket, context: ssl.SSLContext | None = None
    ) -> None:
        """Serve a bound socket from now on."""
        seconds = HANDSHAKE_SECONDS if context else None
        server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self, config),
            sock=item,
            ssl=context,
            backlog=BACKLOG,
            ssl_handshake_timeout=seconds,
            ssl_shutdown_timeout=seconds,
        )
        self._servers.append(server)

    async def close(self) -> None:
        """Take nothing new, let running requests finish for a while, cut the rest."""
        self.closing = True
        for server in self._servers:
            server.close()
        for connection in self._connections():
            connection.shutdown()
        if self.state.tasks:
            await asyncio.wait(self.state.tasks, timeout=GOODBYE_SECONDS)
        for connection in self._connections():
            connection.abort()
        await self._wait_until_empty()
        for task in self.state.tasks:
            task.cancel()
        await asyncio.gather(*self.state.tasks, return_exceptions=True)

    def lost(self) -> None:
        """Note that a connection has ended."""
        if not self.state.connections:
            self._empty.set()

    def refresh_date(self) -> None:
        """Set what every response carries: its time, to the second, and its maker."""
        second = int(self.clock())
        if second != self._second:
            self._second = second
            date = email.utils.formatdate(second, usegmt=True).encode()
            self.state.default_headers = [(b"date", date), _SERVER]

    def _connections(self) -> list[Connection]:
        return cast("list[Connection]", list(self.state.connections))

    async def _wait_until_empty(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_SECONDS):
                while self.state.connections:
                    self._empty.clear()
                    await self._empty.wait()


class HttpFace(Listeners):
    """The HTTP and HTTPS listeners of one node, which is open already."""

    def __init__(
        self,
        node: "Node",
        tls: ssl.SSLContext | None,
        clock: Callable[[], float] = time.time,  # noqa: TID251 (injected, not called)
    ) -> None:
        """Take a node, and the context of its HTTPS; without one that stays silent."""
        super().__init__(node.telemetry, clock)
        assert node.upstream is not None
        elsewhere = Elsewhere(node.upstream)
        store = node.registry.store if node.registry else None
        self.node = node
        self.identification = Identification(store, node.access, elsewhere)
        self.api = HandleApi(node, self.identification, elsewhere)
        self.log = LogFace(node)
        self.links = DigitalLinkFace(node)
        self.origin = Origin("http", connected=False)
        self._tls = tls

    async def start(self) -> None:
        """Answer from now on; the first face of a process waits for the imports."""
        config = await preload()
        assert self.node.http is not None
        for item in self.node.http.tcp:
            await self.listen(config, item)
        if self._tls is not None and self.node.https is not None:
            for item in self.node.https.tcp:
                await self.listen(config, item, self._tls)


async def preload() -> Config:
    """Import and build what all faces share, without holding up the loop."""
    return await asyncio.to_thread(_shared)


def _shared() -> Config:
    with _building:  # a second thread waits for the first instead of doing it too
        return _build()


@functools.cache
def _build() -> Config:
    # Not above: it is the import of FastAPI that takes so long.
    from resolver.faces.management import make_management

    return configured(Application(cast("Asgi", make_management())))


def configured(application: "Asgi") -> Config:
    """Say how uvicorn's protocol class is to serve an application."""
    config = Config(
        application,
        http=Connection,
        ws="none",
        interface="asgi3",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=IDLE_SECONDS,
    )
    config.load()
    return config
