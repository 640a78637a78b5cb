"""Nodes with the fast path in front, and bare packet caches with sockets of their own."""

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

pytest.importorskip("numba", exc_type=ImportError)

from resolver.fastpath.engine import Engine
from resolver.node import Node
from resolver.session.fragments import split
from resolver.wire.message import Message, decode_message
from tests.e2e.native import (
    DEADLINE_SECONDS,
    Datagrams,
    Talk,
    code_of,
    serve_seeded,
    until,
)
from tests.packet_caches import check_packets

ARENA_OCTETS, SLOTS = 1 << 22, 1 << 12


@contextlib.asynccontextmanager
async def serve_fast(
    directory: Path, arena_octets: int = ARENA_OCTETS, **settings
) -> AsyncIterator[Node]:
    """Run a node with the test prefix, and the fast path in front of its faces."""
    engine = Engine(arena_octets=arena_octets, slots=SLOTS)
    async with serve_seeded(directory, **settings) as node:
        engine.start()
        await node.serve_fast(engine)
        try:
            yield node
        finally:
            await engine.stop()
            check_packets(engine._packets)
            assert node.telemetry.internal_errors == 0


@contextlib.asynccontextmanager
async def running_engine(**more) -> AsyncIterator[Engine]:
    engine = Engine(arena_octets=ARENA_OCTETS, slots=SLOTS, **more)
    engine.start()
    try:
        yield engine
    finally:
        await engine.stop()
        check_packets(engine._packets)


class Client:
    """Somebody to whom a bare engine gives connections back."""

    def __init__(self) -> None:
        self.returns: list[tuple[bytes, bool]] = []

    def returned(self, rest: bytes, *, helped: bool) -> None:
        self.returns.append((rest, helped))


@contextlib.contextmanager
def tcp_pair(receive_octets: int = 1 << 20, send_octets: int | None = None):
    """Two ends of a connection, the client's blocking with a deadline."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_octets)
        if send_octets is not None:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_octets)
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    client.settimeout(DEADLINE_SECONDS)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server.setblocking(False)
    with client, server:
        yield client, server


@contextlib.contextmanager
def udp_pair(receive_octets: int = 1 << 22):
    """A server's socket and a client's that is connected to it, with a deadline."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        for side in (server, client):
            side.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_octets)
            side.bind(("127.0.0.1", 0))
        client.connect(server.getsockname())
        client.settimeout(DEADLINE_SECONDS)
        server.setblocking(False)
        yield client, server


def read_exactly(client: socket.socket, octets: int) -> bytes:
    """Read so many octets, by the deadline of the socket."""
    parts = bytearray()
    while len(parts) < octets:
        part = client.recv(octets - len(parts))
        assert part, f"ended after {len(parts)} of {octets} octets"
        parts += part
    return bytes(parts)


async def ask_twice(client: Talk | Datagrams, message: Message) -> Message:
    """Ask until the packet cache has the answer: it keeps what is asked for twice."""
    await client.ask(message)
    return await client.ask(message)


async def until_answered_fast(node: Node, client: Talk, message: Message) -> None:
    """Ask until the packet cache answers on this connection.

    A connection that could not be helped stays with the node for some requests.
    """
    assert node.fast is not None
    before = node.fast.counts().hits
    for _ in range(8):
        await client.ask(message)
        if node.fast.counts().hits > before:
            return
    raise AssertionError(node.fast.counts())


def numbered(message: Message, request_id: int) -> Message:
    """Ask the same under another id."""
    return message._replace(
        envelope=message.envelope._replace(request_id=request_id & 0xFFFF_FFFF)
    )


def many(message: Message, count: int) -> list[Message]:
    return [numbered(message, number + 1) for number in range(count)]


async def receive_all(client: Talk, asked: list[Message]) -> list[Message]:
    """Read an answer to each; they come in the order of the questions."""
    answers = [await client.receive() for _ in asked]
    assert [answer.envelope.request_id for answer in answers] == [
        message.envelope.request_id for message in asked
    ]
    return answers


def all_found(answers: list[Message]) -> bool:
    return {code_of(answer) for answer in answers} == {1}


def slow_answer(node: Node, message: Message | bytes) -> bytes:
    """Answer by the node itself, without telling the packet cache."""
    assert node.responder is not None
    octets = message if isinstance(message, bytes) else message.encode()
    learn = node.responder.learn
    counted = node.telemetry.requests.copy(), node.telemetry.answers.copy()
    resolutions = node.telemetry.resolutions
    node.responder.learn = lambda question, answer, reply: None
    try:
        from resolver.chain import Origin

        origin = Origin("udp", connected=False)
        now = time.time()  # noqa: TID251 (expirations asked for are far away)
        (answer,) = node.responder.respond(octets, origin, "test", now)
    finally:
        node.responder.learn = learn
        node.telemetry.requests, node.telemetry.answers = counted
        node.telemetry.resolutions = resolutions
    return answer


async def datagrams_of(client: Datagrams, count: int) -> list[bytes]:
    return [await client.receive() for _ in range(count)]


def pieces(message: bytes) -> list[bytes]:
    return split(message)


def cache_octets(node: Node) -> bytes:
    """Give all that the packet cache has in memory."""
    assert node.fast is not None
    return node.fast._engine._packets.arena.tobytes()


def lent(node: Node) -> list[bool]:
    assert node._tcp is not None
    return [connection._lent for connection in node._tcp.connections]


async def until_lent(node: Node, *, count: int = 1) -> None:
    await until(lambda: lent(node) == [True] * count)


def reset(client: Talk) -> None:
    """End a connection by RST."""
    sock = client.writer.get_extra_info("socket")
    linger = struct.pack("ii", 1, 0)
    with socket.socket(fileno=_duplicate(sock.fileno())) as own:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    client.writer.transport.abort()


def _duplicate(descriptor: int) -> int:
    import os

    return os.dup(descriptor)


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def decoded(octets: bytes) -> Message:
    return decode_message(octets)


@contextlib.asynccontextmanager
async def udp_client(port: int, host: str = "127.0.0.1"):
    """Give a function that sends a datagram and gives what comes back."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect((host, port))

        async def ask(octets: bytes, *, answered: bool = True) -> bytes:
            with contextlib.suppress(BlockingIOError):
                while True:
                    sock.recv(1 << 16)  # what came late says nothing
            await loop.sock_sendall(sock, octets)
            if not answered:
                await asyncio.sleep(0)
                return b""
            async with asyncio.timeout(DEADLINE_SECONDS):
                while True:
                    got = await loop.sock_recv(sock, 1 << 16)
                    if got[:2] == octets[:2]:
                        return got

        yield ask
