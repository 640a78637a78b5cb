"""A node's DNS face on the fast path: UDP only.

Queries that the packet cache cannot answer come here as they would from a socket.
"""

from typing import TYPE_CHECKING, Any

from resolver.faces.dns_answering import DnsReply
from resolver.fastpath.engine import Counts, Engine
from resolver.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from resolver.faces.dns_udp import DnsDatagrams

_HEADER_OCTETS = 12
_TYPES = {16: "TXT", 35: "NAPTR", 256: "URI", 1: "A"}
"""Types of queries whose replies are kept; each has two classes, one by rcode."""

_NAMES = tuple(_TYPES.values())
_PLACES = {kind: place for place, kind in enumerate(_TYPES)}
_RCODES = ("NOERROR", "NXDOMAIN")
_RCODE_PLACES = {0: 0, 3: 1}
_TRANSPORT = "dns-udp"


class FastDns:
    """What a node has on the fast path for DNS."""

    def __init__(self, engine: Engine, telemetry: Telemetry) -> None:
        self._engine = engine
        self._telemetry = telemetry
        self._owner = engine.add_owner(dns=True)
        self._counted = self.counts()

    def counts(self) -> Counts:
        """Count hits and the rest so far."""
        return self._engine.counts(self._owner)

    def learn(self, question: bytes, reply: DnsReply) -> None:
        """Keep a reply for others who ask the same."""
        place = _PLACES.get(_type_of(question))
        rcode = _RCODE_PLACES.get(reply.octets[3] & 0x0F)
        if place is None or rcode is None:
            return
        kind = place * len(_RCODES) + rcode
        self._engine.learn(self._owner, question, reply.octets, kind, reply.expires)

    def forget_all(self) -> None:
        """Forget everything."""
        self._engine.forget_all(self._owner)

    def serve_datagrams(self, fd: int, datagrams: "DnsDatagrams") -> None:
        """Answer a UDP socket."""
        engine = self._engine

        async def send_later(reply: DnsReply, peer: Any) -> None:
            engine.send(fd, peer, reply.octets)

        def receive(datagram: bytes, peer: bytes) -> None:
            reply: DnsReply | Awaitable[DnsReply] | None
            reply = datagrams.receive(datagram, peer)
            if isinstance(reply, DnsReply):
                engine.send(fd, peer, reply.octets)
            elif reply is not None:
                datagrams.wait(reply, peer, send_later)

        engine.serve_datagrams(fd, self._owner, receive)

    def update_telemetry(self) -> None:
        """Count hits since the last time among the node's queries and replies."""
        before, now = self._counted, self.counts()
        self._counted = now
        for kind, (old, new) in enumerate(zip(before.udp, now.udp, strict=True)):
            place, rcode = divmod(kind, len(_RCODES))
            if new != old:
                key = _TRANSPORT, _NAMES[place]
                self._telemetry.dns_requests[key] += new - old
                self._telemetry.dns_answers[_RCODES[rcode]] += new - old


def _type_of(question: bytes) -> int:
    """Read the type of a query whose name has no pointers; it was answered, so it is."""
    at = _HEADER_OCTETS
    while at < len(question) and question[at]:
        at += 1 + question[at]
    return int.from_bytes(question[at + 1 : at + 3], "big")
