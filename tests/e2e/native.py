"""Nodes, users and plain clients of the native protocol, for tests."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncio_dgram

from registry.change import Change, Receipt
from registry.journal import Operation
from registry.model.identifier import canonical
from registry.model.public_key import encode_public_key
from registry.model.typed import ALL_ADMIN_BITS, Admin
from registry.model.value import Value
from resolver.faces import handle_udp
from resolver.faces.datagram_socket import DatagramSocket
from resolver.faces.handle_tcp import HandleTcp
from resolver.identities import RSA_INDEX, SECRET_INDEX, SM2_INDEX, make_administrators
from resolver.keys import SeededKeys
from resolver.node import Node, ServerKey
from resolver.session.fragments import Reassembler, split
from resolver.session.login import Spoken, answer_challenge
from resolver.session.signature import (
    Credential,
    PrivateKeyCredential,
    SecretCredential,
    public_key_of,
    sign_message,
)
from resolver.session.stream import Framer
from resolver.settings import NodeSettings
from resolver.wire.codes import OpCode
from resolver.wire.envelope import Envelope
from resolver.wire.header import Header
from resolver.wire.message import Message, build_message, decode_message
from resolver.wire.request import Answer, Login, OnHandle, Resolution, WithValues
from resolver.wire.response import Challenge, Response, decode_response

DEADLINE_SECONDS = 10
NOW = 1_800_000_000.0
"""A time for clocks that stand still."""

PREFIX = "88.100.1"
ADMIN = f"{PREFIX}/admin"
KEYS = SeededKeys(1)
ADMINISTRATOR = make_administrators(KEYS, [PREFIX])[PREFIX]
SERVER_RSA = KEYS.rsa("server")
SERVER_KEY = ServerKey(
    encode_public_key(public_key_of(SERVER_RSA)),
    lambda octets: sign_message(SERVER_RSA, octets),
)
BY_RSA = PrivateKeyCredential(ADMIN, RSA_INDEX, ADMINISTRATOR.rsa)
BY_SM2 = PrivateKeyCredential(ADMIN, SM2_INDEX, ADMINISTRATOR.sm2)
BY_SECRET = SecretCredential(ADMIN, SECRET_INDEX, ADMINISTRATOR.secret.encode())

SDK_FLAGS = 0x1900_0000
LOGIN_FLAGS = 0x1080_0000
PUBLIC = 0x0100_0000
SALT = b"s" * 16
PRODUCT = f"{PREFIX}/P1".encode()
URL = Value(1, "URL", b"https://example.com")
RESTRICTED = Value(3, "SERIAL", b"for administrators", permissions=0x0C)

_ids = itertools.count(1)


@contextlib.asynccontextmanager
async def serve(
    directory: Path, roots=None, role: str = "enterprise", **settings
) -> AsyncIterator[Node]:
    """Run a node; the root of the tree is at `roots`, else the node itself."""
    settings.setdefault("name", role)
    chosen = NodeSettings(role=role, directory=directory / settings["name"], **settings)
    node = Node(chosen, SERVER_KEY)
    node.bind()
    with ThreadPoolExecutor(1) as executor:
        node.open(executor, "88", roots or node.sites)
        await node.serve()
        try:
            yield node
        finally:
            await node.close()


@contextlib.asynccontextmanager
async def serve_seeded(directory: Path, roots=None, **settings) -> AsyncIterator[Node]:
    """Run a node with the test prefix, its administrator and one product."""
    async with serve(directory, roots, **settings) as node:
        await seed(node)
        yield node


async def seed(node: Node) -> None:
    await write(node, Operation.HOME, PREFIX, admin_of(ADMIN))
    await write(node, Operation.CREATE, ADMIN, *ADMINISTRATOR.values)
    await write(node, Operation.CREATE, PRODUCT, URL, RESTRICTED)


async def write(
    node: Node, operation: Operation, name: str | bytes, *values: Value
) -> Receipt:
    octets = name if isinstance(name, bytes) else name.encode()
    octets = octets.upper() if operation is Operation.HOME else canonical(octets)
    return await node.registry.submit(Change(operation, octets, values, trusted=True))


def admin_of(
    handle: str, bits: int = ALL_ADMIN_BITS, index: int = 100, key_index: int = 0
) -> Value:
    return Value(index, "HS_ADMIN", Admin(bits, handle, key_index).encode())


@contextlib.asynccontextmanager
async def tcp_face(
    node: Node, clock: Callable[[], float]
) -> AsyncIterator[tuple[HandleTcp, int]]:
    """Serve a node's answers at another TCP port, with a clock of the test's."""
    face = HandleTcp(node.responder, node.telemetry, clock)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(face.connection, "127.0.0.1", 0)
    try:
        yield face, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await face.close()


@contextlib.asynccontextmanager
async def udp_face(
    node: Node, clock: Callable[[], float]
) -> AsyncIterator[tuple[handle_udp.Datagrams, int]]:
    """Serve a node's answers at another UDP port, with a clock of the test's."""
    stream = await asyncio_dgram.bind(("127.0.0.1", 0))
    datagrams = handle_udp.Datagrams(node.responder, node.telemetry, clock)
    face = DatagramSocket(stream, stream.socket)
    serving = asyncio.create_task(handle_udp.serve_datagrams(face, datagrams))
    try:
        yield datagrams, stream.sockname[1]
    finally:
        face.close()
        await datagrams.close()
        await serving


def request(  # noqa: PLR0913 (all that a request says)
    opcode: int,
    body: bytes,
    flags: int = PUBLIC,
    *,
    session_id: int = 0,
    version: tuple[int, int] = (2, 10),
    suggested: tuple[int, int] = (2, 11),
    envelope_flags: int = 0,
    recursion_count: int = 0,
    expiration: int = 0x6B057185,
    credential: bytes | None = b"",
) -> Message:
    """Make a request with an id that no other has."""
    envelope = Envelope(
        *version,
        suggested[0] | envelope_flags,
        suggested[1],
        session_id,
        next(_ids),
        0,
        0,
    )
    header = Header(opcode, 0, flags, 0xFFFF, recursion_count, 0, expiration, 0)
    return build_message(envelope, header, body, credential)


def resolve(
    handle: bytes | str,
    indexes: tuple[int, ...] = (),
    types: tuple[bytes, ...] = (),
    token: bytes | None = b"",
    flags: int = PUBLIC,
    **more,
) -> Message:
    octets = handle if isinstance(handle, bytes) else handle.encode()
    body = Resolution(octets, indexes, types, token).encode()
    return request(OpCode.RESOLUTION, body, flags, **more)


def create(handle: bytes | str, *values: Value, flags: int = 0, **more) -> Message:
    return with_values(OpCode.CREATE_HANDLE, handle, *values, flags=flags, **more)


def with_values(
    opcode: int, handle: bytes | str, *values: Value, flags: int = 0, **more
) -> Message:
    octets = handle if isinstance(handle, bytes) else handle.encode()
    return request(opcode, WithValues(octets, values).encode(), flags, **more)


def on_handle(opcode: int, handle: bytes | str, flags: int = 0, **more) -> Message:
    octets = handle if isinstance(handle, bytes) else handle.encode()
    return request(opcode, OnHandle(octets).encode(), flags, **more)


def login(user: str, index: int, session_id: int = 10001) -> Message:
    """A login as the official SDK writes it: not even a credential length."""
    return request(
        OpCode.LOGIN_ID_SYSTEM,
        Login(user.encode(), index).encode(),
        LOGIN_FLAGS,
        session_id=session_id,
        credential=None,
    )


def challenge_of(response: Message) -> tuple[bytes, bytes]:
    """Give nonce and digest of a challenge."""
    assert response.header.response_code == 402, response.header
    body = decode_response(response)
    assert isinstance(body.response, Challenge)
    assert body.digest is not None
    return body.response.nonce, body.digest.octets


def proof(asked: Message, response: Message, credential: Credential) -> Message:
    """Answer a challenge as our own client does."""
    draft = answer_challenge(credential, Spoken(asked, response), SALT)
    return request(draft.opcode, draft.body, draft.flags, session_id=draft.session_id)


def answer(
    response: Message, kind: str, user: str, index: int, octets: bytes
) -> Message:
    """Answer a challenge with a proof made by the test."""
    return request(
        OpCode.CHALLENGE_RESPONSE,
        Answer(kind, user.encode(), index, octets).encode(),
        LOGIN_FLAGS,
        session_id=response.envelope.session_id,
    )


def code_of(message: Message) -> int:
    return message.header.response_code


def told(message: Message) -> Response:
    return decode_response(message).response


class Talk:
    """One TCP connection; every wait has a deadline."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.reader, self.writer = reader, writer
        self._framer = Framer()
        self._arrived: list[Message] = []

    def send(self, *messages: Message | bytes) -> None:
        octets = (m if isinstance(m, bytes) else m.encode() for m in messages)
        self.writer.write(b"".join(octets))

    async def receive(self) -> Message:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not self._arrived:
                octets = await self.reader.read(1 << 16)
                assert octets, "connection closed before an answer came"
                self._arrived += map(decode_message, self._framer.receive(octets))
        return self._arrived.pop(0)

    async def ask(self, message: Message) -> Message:
        self.send(message)
        response = await self.receive()
        assert response.envelope.request_id == message.envelope.request_id
        return response

    async def ask_as(self, message: Message, credential: Credential) -> Message:
        """Ask, be challenged, prove; give the outcome."""
        challenge = await self.ask(message)
        return await self.ask(proof(message, challenge, credential))

    async def log_in(self, credential: Credential, session_id: int = 10001) -> Message:
        asked = login(credential.handle, credential.index, session_id)
        return await self.ask_as(asked, credential)

    async def ended(self) -> bytes:
        """Read until the node closes the connection; give what it still said."""
        said = bytearray()
        async with asyncio.timeout(DEADLINE_SECONDS):
            with contextlib.suppress(ConnectionError):
                while octets := await self.reader.read(1 << 16):
                    said += octets
        return bytes(said)


@contextlib.asynccontextmanager
async def talk(port: int, host: str = "127.0.0.1", **options) -> AsyncIterator[Talk]:
    async with asyncio.timeout(DEADLINE_SECONDS):
        reader, writer = await asyncio.open_connection(host, port, **options)
    try:
        yield Talk(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(DEADLINE_SECONDS):
                await writer.wait_closed()


class Datagrams:
    """One connected UDP socket; every wait has a deadline."""

    def __init__(self, stream) -> None:
        self.stream = stream

    async def send(self, *datagrams: bytes) -> None:
        for datagram in datagrams:
            await self.stream.send(datagram)

    async def receive(self) -> bytes:
        async with asyncio.timeout(DEADLINE_SECONDS):
            octets, _ = await self.stream.recv()
        return octets

    async def receive_whole(self) -> Message:
        reassembler = Reassembler()
        while True:
            octets = reassembler.receive(await self.receive(), "node", 0.0)
            if octets is not None:
                return decode_message(octets)

    async def ask(self, message: Message) -> Message:
        await self.send(*split(message.encode()))
        response = await self.receive_whole()
        assert response.envelope.request_id == message.envelope.request_id
        return response


@contextlib.asynccontextmanager
async def datagrams(port: int, host: str = "127.0.0.1") -> AsyncIterator[Datagrams]:
    stream = await asyncio_dgram.connect((host, port))
    try:
        yield Datagrams(stream)
    finally:
        stream.close()


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until something is so; fail when it never is."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110 (a turn of the loop, not a sleep)
            await asyncio.sleep(0)
