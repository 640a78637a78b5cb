"""DNS over UDP: what becomes of a datagram.

`DnsDatagrams` knows no socket: quick answers are given at once, slow ones become
tasks, at most `MAX_WAITING` of them; a question beyond that is answered with SERVFAIL,
unless its answer is known at once. Datagrams come from a `DatagramSocket`, or from a
fast path that hands over what it cannot answer and learns what may be copied.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Any

from resolver.faces.datagram_socket import DatagramSocket
from resolver.faces.dns_answering import DnsAnswering, DnsReply

MAX_WAITING = 4096

Send = Callable[[DnsReply, Any], Awaitable[None]]


class DnsDatagrams:
    """Answers the DNS datagrams of one node."""

    def __init__(
        self,
        answering: DnsAnswering,
        clock: Callable[[], float] = time.time,  # noqa: TID251 (injected, not called)
    ) -> None:
        self._answering = answering
        self._clock = clock
        self._waiting: set[asyncio.Task[None]] = set()
        self.learn: Callable[[bytes, DnsReply], None] | None = None
        """Is told every query with its reply, where copies of it may be given."""

    def receive(
        self, datagram: bytes, peer: Hashable
    ) -> DnsReply | Awaitable[DnsReply] | None:
        """Take a datagram; give its reply, perhaps later, or None for silence."""
        now = self._clock()
        self._answering.origin.full = len(self._waiting) >= MAX_WAITING
        reply = self._answering.receive(datagram, peer, now)
        if self.learn is None or reply is None:
            return reply
        if isinstance(reply, DnsReply):
            self._teach(datagram, reply)
            return reply
        return self._teach_later(datagram, reply)

    def wait(self, reply: Awaitable[DnsReply], peer: Any, send: Send) -> None:
        """Send a reply once it is there."""
        task = asyncio.ensure_future(self._send_later(reply, peer, send))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def close(self) -> None:
        """Give up the replies that are waited for."""
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)

    async def _send_later(
        self, reply: Awaitable[DnsReply], peer: Any, send: Send
    ) -> None:
        await send(await reply, peer)

    async def _teach_later(
        self, datagram: bytes, reply: Awaitable[DnsReply]
    ) -> DnsReply:
        told = await reply
        self._teach(datagram, told)
        return told

    def _teach(self, datagram: bytes, reply: DnsReply) -> None:
        if self.learn is not None and reply.expires > self._clock():
            self.learn(datagram, reply)


async def serve_datagrams(reader: DatagramSocket, datagrams: DnsDatagrams) -> None:
    """Answer what one socket receives, until it is closed."""

    async def send(reply: DnsReply, peer: Any) -> None:
        await reader.send(reply.octets, peer)

    async def receive(datagram: bytes, peer: Any) -> None:
        reply = datagrams.receive(datagram, peer)
        if isinstance(reply, DnsReply):
            await send(reply, peer)
        elif reply is not None:
            datagrams.wait(reply, peer, send)

    await reader.serve(receive)
