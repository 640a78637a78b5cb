"""One HTTP/1.1 request to a node and its answer, without I/O (RFC 9112).

It is given what arrives and says when the answer is whole. A node answers every request
with status 200 and JSON, errors too (bif notes §1.1); anything else is no answer of a
node. Redirects, proxies, cookies and compression are not known.
"""

import json
from typing import NamedTuple

import httptools

from chain_anchor.bif.client.errors import BadAnswerError, UnreachableError
from chain_anchor.bif.client.node_url import NodeUrl
from chain_anchor.bif.client.requests import Request
from chain_anchor.bif.json_form import Json

MAX_HEAD_OCTETS = 64 << 10
READ_OCTETS = 64 << 10

_OK = 200


class LostError(UnreachableError):
    """The connection ended before an answer began: it may be asked again."""


class NodeAnswer(NamedTuple):
    """A whole answer."""

    content: Json
    keep: bool
    """Whether the connection may be used again."""


class Exchange:
    """One request and what comes back."""

    def __init__(self, node: NodeUrl, request: Request, max_octets: int) -> None:
        self._place = f"{node.text}/{request.endpoint}"
        self._max_octets = max_octets
        self._parser = httptools.HttpResponseParser(self)
        self._body = bytearray()
        self._arrived = 0
        self._complete = False
        self._keep = False
        self.octets = _octets(node, request)
        """What is to be sent."""

    def receive(self, octets: bytes) -> NodeAnswer | None:
        """Take what has arrived, nothing at its end; give the answer once it is whole.

        Raises:
            LostError: it ends before it began.
            BadAnswerError: it is not HTTP, not JSON, too long, or ends too early.
        """
        if not octets:
            raise self._ended()
        self._arrived += len(octets)
        try:
            self._parser.feed_data(octets)
        except httptools.HttpParserError as error:
            raise BadAnswerError(f"{self._place}: no HTTP answer: {error}") from None
        head = self._arrived - len(self._body)
        if head > MAX_HEAD_OCTETS + len(self._body) or (
            len(self._body) > self._max_octets
        ):
            raise BadAnswerError(
                f"{self._place}: an answer of over {self._arrived} octets"
            )
        return self._answer() if self._complete else None

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self._body += body

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self._complete = True
        # Asked later, the parser may already be at the next message.
        self._keep = bool(self._parser.should_keep_alive())

    def _answer(self) -> NodeAnswer:
        status = self._parser.get_status_code()
        if status != _OK:
            raise BadAnswerError(f"{self._place}: status 200 expected, got {status}")
        try:
            content = json.loads(self._body)
        except (ValueError, RecursionError):
            shown = bytes(self._body[:80])
            raise BadAnswerError(
                f"{self._place}: JSON expected, got {shown!r}"
            ) from None
        return NodeAnswer(content, self._keep)

    def _ended(self) -> UnreachableError | BadAnswerError:
        if self._arrived:
            text = f"{self._place}: the answer ends after {self._arrived} octets"
            return BadAnswerError(text)
        return LostError(f"{self._place}: the connection ended unanswered")


def _octets(node: NodeUrl, request: Request) -> bytes:
    lines = [
        f"{request.method} {node.prefix}/{request.target} HTTP/1.1",
        f"Host: {node.authority}",
        "Accept: application/json",
    ]
    if request.body:
        lines += [
            "Content-Type: application/json",
            f"Content-Length: {len(request.body)}",
        ]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + request.body
