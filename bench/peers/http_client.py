"""A client of the HTTP JSON API, as pyhandle asks: GET on one kept connection.

Every reply is compared, octet for octet, with the one learned before; only the date may
differ. It is plain Python, and still several times cheaper than what it asks.
"""

import re
import socket
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle, islice
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from bench.peers.contender import Tally

DEADLINE_SECONDS = 5.0
_READ_OCTETS = 1 << 18
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_DATE = re.compile(rb"\r\ndate: [^\r]*", re.IGNORECASE)


class Lesson(NamedTuple):
    """A request, how long its reply is, and the reply without its date."""

    request: bytes
    octets: int
    reply: bytes


def handle_request(base: str, identifier: str) -> bytes:
    """Write a GET of one identifier's record at a node's base URL."""
    path = f"/api/handles/{quote(identifier)}"
    head = f"GET {path} HTTP/1.1\r\nHost: {urlsplit(base).netloc}\r\n"
    return f"{head}Accept: application/json\r\n\r\n".encode()


def learn(base: str, identifiers: Iterable[str]) -> list[Lesson]:
    """Ask for each record once.

    Raises:
        OSError: The node does not answer.
        RuntimeError: It does not answer 200.
    """
    requests = (handle_request(base, identifier) for identifier in identifiers)
    return learn_replies(base, requests, 200)


def learn_replies(base: str, requests: Iterable[bytes], status: int) -> list[Lesson]:
    """Send each request once.

    Raises:
        OSError: The node does not answer.
        RuntimeError: It answers with another status.
    """
    lessons = []
    with connect(base) as connection:
        for request in requests:
            connection.sendall(request)
            reply = _read_one(connection)
            if not reply.startswith(b"HTTP/1.1 %d " % status):
                asked = request.partition(b"\r\n")[0]
                message = f"{base}: {status} to {asked!r} expected, got {reply[:80]!r}"
                raise RuntimeError(message)
            lessons.append(Lesson(request, len(reply), without_date(reply)))
    return lessons


def ask(base: str, lessons: Sequence[Lesson], window: int, seconds: float) -> Tally:
    """Ask for `seconds` with `window` requests in flight on one connection.

    Raises:
        OSError: The node does not take the connection.
    """
    turns = cycle(lessons)
    due: deque[Lesson] = deque()
    right = wrong = 0
    got = b""
    started = now = time.perf_counter()
    until = started + seconds
    with connect(base) as connection:
        _send(connection, islice(turns, window), due)
        while due:
            try:
                octets = connection.recv(_READ_OCTETS)
            except TimeoutError:
                octets = b""
            if not octets:
                break
            got += octets
            checked, got = _check(got, due)
            now = time.perf_counter()
            right += sum(checked)
            wrong += len(checked) - sum(checked)
            if now < until:
                _send(connection, islice(turns, len(checked)), due)
    return Tally(right, wrong, len(due), now - started)


def without_date(reply: bytes) -> bytes:
    """Leave out the one header that changes by itself."""
    return _DATE.sub(b"", reply, 1)


def _check(got: bytes, due: deque[Lesson]) -> tuple[list[bool], bytes]:
    """Compare whole replies with what is due; give the verdicts and what is left."""
    verdicts = []
    at = 0
    while due and len(got) - at >= due[0].octets:
        lesson = due.popleft()
        reply = got[at : at + lesson.octets]
        verdicts.append(without_date(reply) == lesson.reply)
        at += lesson.octets
    return verdicts, got[at:]


def _send(
    connection: socket.socket, lessons: Iterator[Lesson], due: deque[Lesson]
) -> None:
    asked = list(lessons)
    due.extend(asked)
    connection.sendall(b"".join(lesson.request for lesson in asked))


def connect(base: str) -> socket.socket:
    """Connect to a node's base URL, without delay for small requests.

    Raises:
        OSError: It does not take the connection.
    """
    parts = urlsplit(base)
    assert parts.hostname is not None
    address = parts.hostname, parts.port or 80
    connection = socket.create_connection(address, timeout=DEADLINE_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _read_one(connection: socket.socket) -> bytes:
    got = b""
    while True:
        octets = connection.recv(_READ_OCTETS)
        if not octets:
            message = f"a whole reply expected, got {got[:80]!r} and the end"
            raise RuntimeError(message)
        got += octets
        head, end, body = got.partition(b"\r\n\r\n")
        if end:
            found = _LENGTH.search(head)
            if found is None:
                message = f"a reply with a length expected, got {head[:80]!r}"
                raise RuntimeError(message)
            if len(body) >= int(found[1]):
                return got
