"""One node's Handle faces on the fast path.

What the packet cache cannot answer comes here as it would from a socket, and goes the
long way. Answers that may be copied are taught to the cache; what the registry writes
is forgotten before it is acknowledged.
"""

import functools
import socket
import struct
from typing import TYPE_CHECKING, Any

from registry.model.codes import ResponseCode
from registry.model.identifier import is_prefix_handle
from resolver.chain import Reply
from resolver.encoder import Octets
from resolver.fastpath.engine import Counts, Engine
from resolver.session.fragments import split
from resolver.telemetry import Telemetry
from resolver.wire.codes import OpCode

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from registry.store.interface import Batch
    from resolver.faces.handle_tcp import Connection
    from resolver.faces.handle_udp import Datagrams

_CLASSES = (
    ResponseCode.SUCCESS,
    ResponseCode.HANDLE_NOT_FOUND,
    ResponseCode.VALUES_NOT_FOUND,
    ResponseCode.SERVICE_REFERRAL,
    ResponseCode.PREFIX_REFERRAL,
)
"""Codes of answers that are kept, by class; others are rare, or do not last."""

_BODY = 44
"""Where a message's body begins."""

_FAMILY, _PORT = struct.Struct("=H"), struct.Struct("!H")
_FLOW, _SCOPE = struct.Struct("!I"), struct.Struct("=I")

_CLASS_OF = {int(code): number for number, code in enumerate(_CLASSES)}


class FastHandle:
    """What a node has on the fast path for the Handle protocol."""

    def __init__(
        self,
        engine: Engine,
        telemetry: Telemetry,
        *,
        exact_suffixes: bool,
        from_cache: bool,
    ) -> None:
        self._engine = engine
        self._telemetry = telemetry
        self._from_cache = from_cache
        self._owner = engine.add_owner(prefix_only=exact_suffixes)
        self._counted = self.counts()

    def counts(self) -> Counts:
        """Count hits and the rest so far."""
        return self._engine.counts(self._owner)

    def learn(self, question: bytes, answer: bytes, reply: Reply) -> None:
        """Keep an answer for others who ask the same, once it was asked for twice.

        Most of what is asked for once is never asked for again, and nonsense is asked
        for once: it should not push out what is useful. A recursive node's answers are
        from its cache, so somebody has asked before.
        """
        kind = _CLASS_OF.get(reply.code)
        if kind is None or reply.more:
            return
        if self._from_cache or self._engine.doorkeeper.knows(question[_BODY:]):
            self._engine.learn(self._owner, question, answer, kind, reply.expires)

    def forget(self, batch: "Batch") -> None:
        """Forget what a group of changes may have made wrong.

        The record of a prefix, and the prefixes that live here, shape answers about
        all names below: then everything goes.
        """
        if batch.homes or any(map(is_prefix_handle, batch.records)):
            self._engine.forget_all(self._owner)
        else:
            self._engine.forget(self._owner, batch.records)

    def forget_all(self) -> None:
        """Forget everything."""
        self._engine.forget_all(self._owner)

    def serve_datagrams(self, fd: int, datagrams: "Datagrams") -> None:
        """Answer a UDP socket."""
        engine = self._engine

        async def send_later(messages: Octets, peer: Any) -> None:
            send(messages, peer)

        def send(messages: Octets, peer: bytes) -> None:
            for message in messages:
                for datagram in split(message):
                    engine.send(fd, peer, datagram)

        def receive(datagram: bytes, peer: bytes) -> None:
            answer: Octets | Awaitable[Octets]
            answer = datagrams.receive(datagram, address_of(peer))
            if isinstance(answer, tuple):
                send(answer, peer)
            else:
                datagrams.wait(answer, peer, send_later)

        engine.serve_datagrams(fd, self._owner, receive)

    def lend(self, fd: int, connection: "Connection") -> bool:
        """Let the fast path answer a TCP connection; False when it cannot."""
        return self._engine.lend(fd, self._owner, connection)

    def update_telemetry(self) -> None:
        """Count hits since the last time among the node's answers."""
        before, now = self._counted, self.counts()
        self._counted = now
        self._add("udp", before.udp, now.udp)
        self._add("tcp", before.tcp, now.tcp)

    def _add(
        self, transport: str, before: tuple[int, ...], now: tuple[int, ...]
    ) -> None:
        telemetry = self._telemetry
        for code, old, new in zip(_CLASSES, before, now, strict=False):
            hits = new - old
            if not hits:
                continue
            telemetry.requests[transport, OpCode.RESOLUTION] += hits
            telemetry.answers[code] += hits
            if self._from_cache:
                telemetry.cache_hits += hits
            if code == ResponseCode.SUCCESS:
                telemetry.resolutions += hits


@functools.lru_cache(maxsize=4096)
def address_of(name: bytes) -> tuple[str | int, ...]:
    """Read the address of a `sockaddr` as Python writes it.

    A request that is sent again, or the rest of one in pieces, may come by the fast
    path when the first came before it: its sender must be the same then.
    """
    (family,) = _FAMILY.unpack_from(name)
    (port,) = _PORT.unpack_from(name, 2)
    if family == socket.AF_INET:
        return socket.inet_ntop(family, name[4:8]), port
    (flow,) = _FLOW.unpack_from(name, 4)
    (scope,) = _SCOPE.unpack_from(name, 24)
    return socket.inet_ntop(family, name[8:24]), port, flow, scope
