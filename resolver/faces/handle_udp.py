"""The Handle protocol over UDP: what becomes of a datagram, and asyncio-dgram's socket.

`Datagrams` knows no socket: quick answers are given at once, slow ones become tasks, at
most `MAX_WAITING` of them besides the writes that the registry has taken, and whatever
comes beyond that is answered with "too busy". Datagrams come from `HandleUdp`, which
reads a socket itself, or from the fast path (`resolver.faces.fast_path`), which hands
over what it cannot answer.

asyncio-dgram queues without limit what a socket receives. The loop here takes every
datagram off that queue in the turn in which it came, so the queue never holds more than
one turn's datagrams (libuv reads at most 32 in a turn).

A client that hears nothing sends its request again. A write must not be done twice
then, so answers to requests that change something are kept for `REPEAT_SECONDS` and
given again to the same sender. What is answered at once has changed nothing and is not
kept: nonsense must not push out what was done.
"""

import asyncio
import contextlib
import hashlib
import socket
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any

import asyncio_dgram

from registry.errors import MalformedError
from resolver.chain import Origin
from resolver.responder import Octets, Responder
from resolver.session.fragments import Reassembler, split
from resolver.telemetry import Telemetry
from resolver.wire.codes import OpCode

MAX_WAITING = 4096
MAX_REMEMBERED = 1024
MAX_REMEMBERED_OCTETS = 8192
"""Longer answers are not kept: no write has one."""

REPEAT_SECONDS = 30.0
FAIR_TURN = 64
"""Datagrams answered before other tasks get their turn."""

_LEAVING_TURNS = 1000

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


class HandleUdp:
    """Reads one socket, by asyncio-dgram."""

    def __init__(self, stream: Any, datagrams: Datagrams, own: socket.socket) -> None:
        self._stream = stream
        self._datagrams = datagrams
        self._own = own
        """The same socket, open for longer: late answers go out by it."""

        self._turns = 0

    async def serve(self) -> None:
        """Answer until cancelled or closed."""
        while True:
            try:
                datagram, peer = await self._stream.recv()
            except asyncio_dgram.TransportClosed:
                return
            except OSError:
                continue  # an ICMP error of an earlier send says nothing about us
            answer = self._datagrams.receive(datagram, peer)
            if isinstance(answer, tuple):
                await self._send(answer, peer)
            else:
                self._datagrams.wait(answer, peer, self._send)
            self._turns += 1
            if self._turns % FAIR_TURN == 0:
                await asyncio.sleep(0)

    def close(self) -> None:
        """Stop reading."""
        self._stream.close()

    async def leave(self) -> None:
        """Stop reading, once nothing has come for a turn: somebody else reads now."""
        for _ in range(_LEAVING_TURNS):
            turns = self._turns
            await asyncio.sleep(0)
            if turns == self._turns:
                break
        self.close()

    async def _send(self, messages: Octets, peer: Any) -> None:
        with contextlib.suppress(OSError):
            for message in messages:
                for datagram in split(message):
                    await self._send_one(datagram, peer)

    async def _send_one(self, datagram: bytes, peer: Any) -> None:
        self._forget_errors()
        try:
            await self._stream.send(datagram, peer)
        except asyncio_dgram.TransportClosed:
            self._own.sendto(datagram, peer)

    def _forget_errors(self) -> None:
        """Drop errors of earlier sends, which asyncio-dgram raises in the next one."""
        while True:
            with contextlib.suppress(OSError):
                _ = self._stream.exception
                return
