"""One UDP socket, read by asyncio-dgram.

asyncio-dgram queues without limit what a socket receives. `serve` takes every datagram
off that queue in the turn in which it came, if what it calls does not wait, so the
queue never holds more than one turn's datagrams (libuv reads at most 32 in a turn).
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import asyncio_dgram

FAIR_TURN = 64
"""Datagrams answered before other tasks get their turn."""

_LEAVING_TURNS = 1000

Receive = Callable[[bytes, Any], Awaitable[None]]


class DatagramSocket:
    """Reads one socket until it is closed, or until somebody else reads it."""

    def __init__(self, stream: Any, own: socket.socket) -> None:
        """Take a stream over a duplicate of `own`, by which late answers go out."""
        self._stream = stream
        self._own = own
        self._turns = 0

    @classmethod
    async def over(cls, own: socket.socket) -> "DatagramSocket":
        """Read a bound socket, which stays the caller's."""
        return cls(await asyncio_dgram.from_socket(own.dup()), own)

    async def serve(self, receive: Receive) -> None:
        """Hand over datagrams and their senders until closed."""
        while True:
            try:
                datagram, peer = await self._stream.recv()
            except asyncio_dgram.TransportClosed:
                break
            except OSError:
                continue  # an ICMP error of an earlier send says nothing about us
            await receive(datagram, peer)
            self._turns += 1
            if self._turns % FAIR_TURN == 0:
                await asyncio.sleep(0)
        for datagram, peer in self._left():
            await receive(datagram, peer)

    async def send(self, datagram: bytes, peer: Any) -> None:
        """Send a datagram, or lose it, as datagrams are lost."""
        with contextlib.suppress(OSError):
            self._forget_errors()
            try:
                await self._stream.send(datagram, peer)
            except asyncio_dgram.TransportClosed:
                self._own.sendto(datagram, peer)

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

    def _left(self) -> Iterator[tuple[bytes, Any]]:
        """Take what came before the end: a closed stream does not give it any more."""
        queue = self._stream._recvq
        while not queue.empty():
            datagram, peer = queue.get_nowait()
            if datagram is not None:
                yield datagram, peer

    def _forget_errors(self) -> None:
        """Drop errors of earlier sends, which asyncio-dgram raises in the next one."""
        while True:
            with contextlib.suppress(OSError):
                _ = self._stream.exception
                return
