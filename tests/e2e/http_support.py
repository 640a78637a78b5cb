"""A node with HTTP and HTTPS, its users, and plain clients, for tests."""

import asyncio
import base64
import contextlib
import datetime as dt
import http.client
import json
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from registry.change import Change
from registry.journal import Operation
from registry.model.typed import ALL_ADMIN_BITS, Admin
from registry.model.value import Value
from resolver.certificates import issue_client, issue_server, make_authority
from resolver.faces.http import HttpFace
from resolver.faces.tls import server_context
from resolver.identities import Administrator, make_administrators
from resolver.keys import SeededKeys, private_key_pem
from resolver.node import Node, ServerKey
from resolver.settings import NodeSettings

DEADLINE_SECONDS = 10
PREFIX = "88.100.1"
ADMIN = f"{PREFIX}/admin"
KEYS = SeededKeys(1)
TODAY = dt.datetime.now(dt.UTC)  # noqa: TID251 (OpenSSL looks at the clock itself)
AUTHORITY = make_authority(KEYS, TODAY)
OTHER_AUTHORITY = make_authority(SeededKeys(2), TODAY)
ADMINISTRATOR: Administrator = make_administrators(KEYS, [PREFIX])[PREFIX]
OTHER_KEY = KEYS.rsa("a key that is in no record")


@dataclass
class Files:
    """PEM files of one test."""

    authority: Path
    client: Path
    """Certificate and key of the administrator."""

    impostor: Path
    """A certificate for the administrator with another key."""

    stranger: Path
    """A certificate of another authority."""

    context: ssl.SSLContext


class Served(NamedTuple):
    node: Node
    face: HttpFace
    files: Files


class Answer(NamedTuple):
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


def write_files(directory: Path) -> Files:
    hosts = ["127.0.0.1", "::1", "localhost"]
    server = issue_server(AUTHORITY, hosts, TODAY)
    (directory / "server.pem").write_bytes(server.certificate_pem)
    (directory / "server.key").write_bytes(server.private_key_pem)
    files = {}
    for name, authority, key in (
        ("client", AUTHORITY, ADMINISTRATOR.rsa),
        ("impostor", AUTHORITY, OTHER_KEY),
        ("stranger", OTHER_AUTHORITY, ADMINISTRATOR.rsa),
    ):
        pem = issue_client(authority, 300, ADMIN, key.public_key(), TODAY)
        files[name] = directory / f"{name}.pem"
        files[name].write_bytes(pem + private_key_pem(key))
    authority_file = directory / "ca.pem"
    authority_file.write_bytes(AUTHORITY.certificate_pem)
    context = server_context(
        directory / "server.pem", directory / "server.key", authority_file
    )
    return Files(authority=authority_file, context=context, **files)


@contextlib.asynccontextmanager
async def serve(directory: Path, *, log=None, **settings):
    """Run an enterprise node with a seeded prefix and its administrator."""
    chosen = NodeSettings(
        "http-test",
        "enterprise",
        prefix=PREFIX,
        directory=directory / "registry",
        **settings,
    )
    async with run(chosen, write_files(directory), log=log) as served:
        await seed(served.node)
        yield served


@contextlib.asynccontextmanager
async def run(settings: NodeSettings, files: Files, roots=None, log=None):
    """Run a node whose upstream is at `roots`, else the node itself."""
    node = Node(settings, ServerKey(b"", lambda octets: b"s" * 256), log)
    node.bind()
    with ThreadPoolExecutor(1) as executor:
        node.open(executor, "88", roots or node.sites)
        node.tls = files.context
        await node.serve()
        try:
            yield Served(node, node.http_face, files)
        finally:
            await node.close()


async def seed(node: Node) -> None:
    admin = Value(100, "HS_ADMIN", Admin(ALL_ADMIN_BITS, ADMIN, 0).encode())
    await submit(node, Operation.HOME, PREFIX, (admin,))
    await submit(node, Operation.CREATE, ADMIN, ADMINISTRATOR.values)
    await submit(
        node,
        Operation.CREATE,
        f"{PREFIX}/P1",
        (
            Value(1, "URL", b"https://example.com"),
            Value(2, "EMAIL", "张@example.com".encode()),
            Value(3, "URL.ALT", b"\xff\x00"),
        ),
    )


async def submit(node: Node, operation: Operation, name: str, values=()) -> None:
    octets = name.upper().encode()
    await node.registry.submit(Change(operation, octets, tuple(values), trusted=True))


def basic(user: str, secret: str) -> dict[str, str]:
    token = base64.b64encode(f"{user}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {token}"}


ADMIN_BASIC = basic(f"302%3A{ADMIN}", ADMINISTRATOR.secret)


class Sent(NamedTuple):
    method: str
    target: str
    body: object = None
    headers: dict = {}  # noqa: RUF012 (never changed)
    secure: bool = True
    client: Path | None = None
    """A client's certificate and key."""


async def request(served: Served, method: str, target: str, body=None, **more):
    """Send one request, in a thread, with a client that hides nothing."""
    return await asyncio.to_thread(_request, served, Sent(method, target, body, **more))


def _request(served: Served, sent: Sent) -> Answer:
    body = sent.body
    if not isinstance(body, bytes | None):
        body = json.dumps(body).encode()
    with contextlib.closing(_connection(served, sent)) as connection:
        connection.request(sent.method, sent.target, body=body, headers=sent.headers)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, response.read())


def _connection(served: Served, sent: Sent) -> http.client.HTTPConnection:
    if not sent.secure:
        port = served.node.http.port
        return http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_SECONDS)
    context = ssl.create_default_context(cafile=served.files.authority)
    if sent.client is not None:
        context.load_cert_chain(sent.client)
    return http.client.HTTPSConnection(
        "127.0.0.1", served.node.https.port, timeout=DEADLINE_SECONDS, context=context
    )


async def raw(served: Served, octets: bytes) -> bytes:
    """Send octets to the plain port, end the stream, and read all that comes back."""
    port = served.node.http.port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(OSError):  # cut in the middle of it
        async with asyncio.timeout(DEADLINE_SECONDS):
            writer.write(octets)
            writer.write_eof()
            await writer.drain()
    told = await read_all(reader)
    await end(writer)
    return told


async def read_all(reader: asyncio.StreamReader) -> bytes:
    """Read until the connection ends, in whatever way it does."""
    told = bytearray()
    with contextlib.suppress(OSError, ssl.SSLError):
        async with asyncio.timeout(DEADLINE_SECONDS):
            while octets := await reader.read(65536):
                told += octets
    return bytes(told)


async def end(writer: asyncio.StreamWriter) -> None:
    """Close a connection that may be closed already."""
    writer.close()
    with contextlib.suppress(OSError, ssl.SSLError):
        async with asyncio.timeout(DEADLINE_SECONDS):
            await writer.wait_closed()
