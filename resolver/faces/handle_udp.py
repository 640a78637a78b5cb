"""The Handle protocol over UDP: what becomes of a datagram.

`Datagrams` knows no socket: quick answers are given at once, slow ones become tasks, at
most `MAX_WAITING` of them besides the writes that the registry has taken, and whatever
comes beyond that is answered with "too busy". Datagrams come from a `DatagramSocket`,
or from the fast path, which hands over what it cannot answer.

A client that hears nothing sends its request again. A write must not be done twice
then, so answers to requests that change something are kept for `REPEAT_SECONDS` and
given again to the same sender. What is answered at once has changed nothing and is not
kept: nonsense must not push out what was done.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any

from registry.errors import MalformedError
from resolver.chain import Origin
from resolver.encoder import Octets
from resolver.faces.datagram_socket import DatagramSocket
from resolver.responder import Responder
from resolver.session.fragments import Reassembler, split
from resolver.telemetry import Telemetry
from resolver.wire.codes import OpCode

MAX_WAITING = 4096
MAX_REMEMBERED = 1024
MAX_REMEMBERED_OCTETS = 8192
"""Longer answers are not kept: no write has one."""

REPEAT_SECONDS = 30.0
_QUESTIONS = frozenset(
    code.to_bytes(4, "big")
    for code in (
        OpCode.RESOLUTION,
        OpCode.GET_SITE_INFO,
        OpCode.LIST_HANDLES,
        OpCode.LIST_DERIVED_PREFIXES,
        OpCode.LIST_HOMED_PREFIXES,
    )
)

Peer = Hashable
Send = Callable[[Octets, Any], Awaitable[None]]
_Key = tuple[Peer, bytes]


class Datagrams:
    """Answers the datagrams of one node."""

    def __init__(
        self,
        responder: Responder,
        telemetry: Telemetry,
        clock: Callable[[], float] = time.time,  # noqa: TID251 (injected, not called)
    ) -> None:
        self._responder = responder
        self._telemetry = telemetry
        self._clock = clock
        self._origin = Origin("udp", connected=False)
        self._reassembler = Reassembler()
        self._waiting: set[asyncio.Task[None]] = set()
        self._remembered: OrderedDict[_Key, tuple[float, Octets | None]] = OrderedDict()

    def receive(self, datagram: bytes, peer: Peer) -> Octets | Awaitable[Octets]:
        """Take a datagram; give the messages to answer with, perhaps later or none."""
        now = self._clock()
        self._origin.full = len(self._waiting) >= MAX_WAITING
        try:
            octets = self._reassembler.receive(datagram, peer, now)
        except MalformedError:
            self._telemetry.malformed += 1
            return ()
        if octets is None:
            return ()
        if octets[20:24] in _QUESTIONS:
            return self._responder.respond(octets, self._origin, peer, now)
        key = (peer, hashlib.blake2b(octets, digest_size=16).digest())
        if self._is_repeated(key, now):
            return self._repeat(key)
        answer = self._responder.respond(octets, self._origin, peer, now)
        return self._remember(key, answer, now)

    def wait(self, answer: Awaitable[Octets], peer: Any, send: Send) -> None:
        """Send an answer once it is there."""
        task = asyncio.ensure_future(self._send_later(answer, peer, send))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def close(self) -> None:
        """Give up the answers that are waited for."""
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)

    async def _send_later(
        self, answer: Awaitable[Octets], peer: Any, send: Send
    ) -> None:
        await send(await answer, peer)

    def _is_repeated(self, key: _Key, now: float) -> bool:
        while self._remembered:
            oldest, (expires, _) = next(iter(self._remembered.items()))
            if expires > now and len(self._remembered) <= MAX_REMEMBERED:
                break
            del self._remembered[oldest]
        return key in self._remembered

    def _repeat(self, key: _Key) -> Octets:
        self._telemetry.duplicates += 1
        _, octets = self._remembered[key]
        return octets or ()  # none while the first one is still being worked on

    def _remember(
        self, key: _Key, answer: Octets | Awaitable[Octets], now: float
    ) -> Octets | Awaitable[Octets]:
        if isinstance(answer, tuple):
            return answer
        expires = now + REPEAT_SECONDS
        self._remembered[key] = (expires, None)
        return self._remember_later(key, answer, expires)

    async def _remember_later(
        self, key: _Key, answer: Awaitable[Octets], expires: float
    ) -> Octets:
        try:
            octets = await answer
        except BaseException:
            self._remembered.pop(key, None)
            raise
        if sum(map(len, octets)) > MAX_REMEMBERED_OCTETS:
            self._remembered.pop(key, None)
        elif key in self._remembered:
            self._remembered[key] = (expires, octets)
        return octets


async def serve_datagrams(reader: DatagramSocket, datagrams: Datagrams) -> None:
    """Answer what one socket receives, until it is closed."""

    async def send(messages: Octets, peer: Any) -> None:
        for message in messages:
            for datagram in split(message):
                await reader.send(datagram, peer)

    async def receive(datagram: bytes, peer: Any) -> None:
        answer = datagrams.receive(datagram, peer)
        if isinstance(answer, tuple):
            await send(answer, peer)
        else:
            datagrams.wait(answer, peer, send)

    await reader.serve(receive)
