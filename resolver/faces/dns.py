"""The DNS face of a node: its zones, and a UDP and a TCP side on the same port."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from resolver.dns.zones import ZoneKind, code_zones, serve, zones_of
from resolver.faces.datagram_socket import DatagramSocket
from resolver.faces.dns_answering import DnsAnswering
from resolver.faces.dns_tcp import DnsTcp
from resolver.faces.dns_udp import DnsDatagrams, serve_datagrams
from resolver.faces.sockets import BACKLOG, Bound
from resolver.responder import Responder
from resolver.settings import NodeSettings
from resolver.telemetry import Telemetry

if TYPE_CHECKING:
    import socket


class DnsFace:
    """Answers DNS queries at the sockets of one node."""

    def __init__(
        self,
        bound: Bound,
        responder: Responder,
        telemetry: Telemetry,
        settings: NodeSettings,
    ) -> None:
        zones = settings.dns_zones or zones_of((), codes=code_zones())
        served = serve(zones, settings.hosts, settings.negative_ttl_seconds)
        self.bound = bound
        self.zone = next(zone for zone in zones if zone.prefix is None)
        """The first zone of identifiers."""

        roots = (zone.name for zone in zones if zone.kind is ZoneKind.ONS)
        self.ons_root: str | None = next(roots, None)
        """Below which GS1 codes have their names; None where a zone took its place."""

        by_udp = DnsAnswering(responder, served, telemetry, "dns-udp")
        by_tcp = DnsAnswering(responder, served, telemetry, "dns-tcp")
        self.datagrams = DnsDatagrams(by_udp)
        """What answers UDP, whoever reads the sockets."""

        self.tcp = DnsTcp(by_tcp, telemetry)
        self._readers: list[DatagramSocket] = []
        self._servers: list[asyncio.Server] = []
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def udp_sockets(self) -> Sequence["socket.socket"]:
        """The UDP sockets, for another reader of them."""
        return self.bound.udp

    async def start(self) -> None:
        """Answer from now on."""
        for item in self.bound.udp:
            reader = await DatagramSocket.over(item)
            self._readers.append(reader)
            serving = serve_datagrams(reader, self.datagrams)
            self._tasks.append(asyncio.create_task(serving))
        loop = asyncio.get_running_loop()
        for item in self.bound.tcp:
            server = await loop.create_server(
                self.tcp.connection, sock=item, backlog=BACKLOG
            )
            self._servers.append(server)

    async def leave_datagrams(self) -> None:
        """Stop reading the UDP sockets: somebody else does from now on."""
        await asyncio.gather(*(reader.leave() for reader in self._readers))

    async def close(self) -> None:
        """Stop answering."""
        for server in self._servers:
            server.close()
        for reader in self._readers:
            reader.close()
        await self.datagrams.close()
        await self.tcp.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
