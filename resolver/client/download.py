"""One GET request and its answer, bounded (RFC 9112); who carries it has a deadline.

`Download` does no I/O: it is given what arrives. `perform` carries one over a plain
socket, `resolver.client.proofs_aio` over asyncio streams. It knows no redirects,
proxies, cookies or compression.
"""

import re
import socket
import ssl
import time
from collections.abc import Iterator
from typing import NamedTuple

import httptools

from chain_anchor.bundle import MAX_BUNDLE_OCTETS
from resolver.client.web_address import WebAddress
from resolver.errors import (
    BadAnswerError,
    ResolverError,
    TimedOutError,
    UnreachableError,
)

MAX_HEAD_OCTETS = 64 << 10
MAX_ANSWER_OCTETS = MAX_BUNDLE_OCTETS
READ_OCTETS = 64 << 10

_LINK = re.compile(r'<([^>]*)>\s*;\s*rel="?related"?')


class HttpAnswer(NamedTuple):
    """What a server answered."""

    status: int
    body: bytes
    links: tuple[str, ...] = ()
    """URLs of related resources, from `Link` headers (RFC 8288)."""


class Download:
    """One GET request and the answer to it, without I/O (RFC 9112)."""

    def __init__(self, url: str, target: str, accept: str) -> None:
        """Ask for `target`, percent-encoded ASCII, below a URL, in a media type.

        Raises:
            SetupError: The URL is not one.
        """
        self.url = url
        self.address = WebAddress.parse(url)
        self.request = (
            f"GET {self.address.prefix}/{target} HTTP/1.1\r\n"
            f"Host: {self.address.authority}\r\n"
            f"Accept: {accept}\r\nConnection: close\r\n\r\n"
        ).encode("ascii")
        self.answer: HttpAnswer | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body = bytearray()
        self._links: list[str] = []
        self._arrived = 0

    def receive(self, octets: bytes) -> HttpAnswer | None:
        """Take what has arrived, nothing at its end; gives the answer once it is whole.

        Raises:
            BadAnswerError: It is not HTTP, too long, or ends too early.
            UnreachableError: It ends before it began.
        """
        if not octets:
            raise self._ended()
        self._arrived += len(octets)
        try:
            self._parser.feed_data(octets)
        except httptools.HttpParserError as error:
            raise BadAnswerError(f"{self.url}: no HTTP answer: {error}") from None
        if (
            self._arrived - len(self._body) > MAX_HEAD_OCTETS
            or len(self._body) > MAX_ANSWER_OCTETS
        ):
            raise BadAnswerError(
                f"{self.url}: an answer of over {self._arrived} octets"
            )
        return self.answer

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser."""
        if name.lower() == b"link":
            self._links += _LINK.findall(value.decode("latin-1"))

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self._body += body

    def on_message_complete(self) -> None:
        """Called by the parser."""
        status = self._parser.get_status_code()
        self.answer = HttpAnswer(status, bytes(self._body), tuple(self._links))

    def _ended(self) -> ResolverError:
        if self._arrived:
            message = f"{self.url}: the answer ends after {self._arrived} octets"
            return BadAnswerError(message)
        return UnreachableError(f"{self.url}: the connection ended unanswered")


def timed_out(download: Download) -> TimedOutError:
    """Make the error of a server that takes too long."""
    return TimedOutError(f"{download.url} did not answer in time")


def unreachable(download: Download, error: OSError) -> UnreachableError:
    """Make the error of a server that cannot be spoken to."""
    return UnreachableError(f"{download.url}: {error}")


def tls_of(download: Download) -> ssl.SSLContext | None:
    """Give what a server is spoken to with, if that is TLS."""
    secure = download.address.scheme == "https"
    return ssl.create_default_context() if secure else None


def perform(download: Download, deadline: float) -> HttpAnswer:
    """Carry a request over a socket; `deadline` is of the monotonic clock.

    Raises:
        UnreachableError: Nobody answers there.
        TimedOutError: The deadline passed.
        BadAnswerError: The answer is not HTTP, or too long.
    """
    try:
        with _connected(download, deadline) as sock:
            sock.sendall(download.request)
            for octets in _arriving(sock, deadline):
                answer = download.receive(octets)
                if answer is not None:
                    return answer
    except TimeoutError:
        raise timed_out(download) from None
    except OSError as error:
        raise unreachable(download, error) from None
    raise AssertionError("an answer ends by its end or by an error")


def _connected(download: Download, deadline: float) -> socket.socket:
    address = download.address
    sock = socket.create_connection((address.host, address.port), _left(deadline))
    context = tls_of(download)
    if context is None:
        return sock
    try:
        return context.wrap_socket(sock, server_hostname=address.host)
    except BaseException:
        sock.close()
        raise


def _arriving(sock: socket.socket, deadline: float) -> Iterator[bytes]:
    """Give what arrives, in the end nothing, until the deadline."""
    octets = b"-"
    while octets:
        sock.settimeout(_left(deadline))
        octets = sock.recv(READ_OCTETS)
        yield octets


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
