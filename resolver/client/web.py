"""A small HTTP/1.1 client on asyncio streams (RFC 9112), for services beside a node.

One kept connection to one server, one request at a time, answers bounded. It knows no
redirects, proxies, cookies or compression: what it asks are witnesses and logs, whose
URLs somebody has written down. Deadlines are the caller's: cancelling a request is
safe, and ends its connection.
"""

import asyncio
import contextlib
import ssl
from typing import NamedTuple

import httptools

from resolver.client.web_address import WebAddress
from resolver.errors import BadAnswerError, UnreachableError

MAX_ANSWER_OCTETS = 1 << 20
MAX_HEAD_OCTETS = 64 << 10

_READ_OCTETS = 64 << 10


class WebAnswer(NamedTuple):
    """What a server answered."""

    status: int
    content_type: str
    """The whole header, empty when there is none."""

    body: bytes


class WebClient:
    """A kept connection to one server."""

    def __init__(self, url: str) -> None:
        """Take a URL; connecting waits for the first request.

        Raises:
            SetupError: It is not one.
        """
        self.url = url
        self._address = WebAddress.parse(url)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._asking = asyncio.Lock()

    async def get(self, path: str) -> WebAnswer:
        """Ask for what is at a path below the URL; see `post`."""
        return await self._request("GET", path, b"")

    async def post(self, path: str, body: bytes) -> WebAnswer:
        """Send a body to a path below the URL.

        A kept connection that turns out to be closed is replaced once; the request may
        then have arrived twice.

        Raises:
            UnreachableError: Nobody answers there.
            BadAnswerError: The answer is not HTTP, or too long.
        """
        return await self._request("POST", path, body)

    async def close(self) -> None:
        """End the connection."""
        if self._streams is not None:
            writer = self._streams[1]
            self._drop()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _request(self, method: str, path: str, body: bytes) -> WebAnswer:
        address = self._address
        head = f"{method} {address.prefix}/{path} HTTP/1.1\r\nHost: {address.authority}\r\n"
        length = f"Content-Length: {len(body)}\r\n" if method == "POST" else ""
        octets = f"{head}{length}\r\n".encode("ascii") + body
        async with self._asking:
            kept = self._streams is not None
            try:
                answer = await self._ask(octets)
                if answer is None and kept:
                    answer = await self._ask(octets)
            except OSError as error:
                raise UnreachableError(f"{self.url}: {error}") from error
        if answer is None:
            raise UnreachableError(f"{self.url}: the connection ended unanswered")
        return answer

    async def _ask(self, octets: bytes) -> WebAnswer | None:
        """Ask once; None when the connection ended before an answer began."""
        done = False
        try:
            reader, writer = self._streams or await self._connect()
            self._streams = reader, writer
            try:
                writer.write(octets)
                await writer.drain()
            except ConnectionError:
                return None
            answer, keep = await _read_answer(self.url, reader)
            done = keep
            return answer
        finally:
            # Also when cancelled: an answer still under way is nobody's.
            if not done:
                self._drop()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        address = self._address
        tls = ssl.create_default_context() if address.scheme == "https" else None
        return await asyncio.open_connection(address.host, address.port, ssl=tls)

    def _drop(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


class _Collector:
    """What the parser calls."""

    def __init__(self) -> None:
        self.content_type = b""
        self.body: list[bytes] = []
        self.size = 0
        self.head_size = 0
        self.complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.head_size += len(name) + len(value)
        if name.lower() == b"content-type":
            self.content_type = value

    def on_body(self, body: bytes) -> None:
        self.size += len(body)
        self.body.append(body)

    def on_message_complete(self) -> None:
        self.complete = True


async def _read_answer(
    url: str, reader: asyncio.StreamReader
) -> tuple[WebAnswer | None, bool]:
    """Read an answer; tells whether the connection may be used again."""
    found = _Collector()
    parser = httptools.HttpResponseParser(found)
    arrived = 0
    while not found.complete:
        try:
            octets = await reader.read(_READ_OCTETS)
        except ConnectionError:
            octets = b""
        if not octets:
            if arrived:
                raise BadAnswerError(f"{url}: the answer ends after {arrived} octets")
            return None, False
        arrived += len(octets)
        try:
            parser.feed_data(octets)
        except httptools.HttpParserError as error:
            raise BadAnswerError(f"{url}: no HTTP answer: {error}") from error
        if arrived - found.size > MAX_HEAD_OCTETS or found.size > MAX_ANSWER_OCTETS:
            raise BadAnswerError(f"{url}: an answer of more than {arrived} octets")
    content_type = found.content_type.decode("latin-1").strip()
    answer = WebAnswer(parser.get_status_code(), content_type, b"".join(found.body))
    return answer, parser.should_keep_alive()
