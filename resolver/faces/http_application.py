"""The ASGI application that the HTTP faces of all nodes share.

    /api/handles …   the Handle JSON API (`resolver.faces.handle_api`)
    /log …           the transparency log (`resolver.faces.log`)
    /01/… and others GS1 Digital Link (`resolver.faces.digital_link`)
    /metrics         counters (`resolver.faces.metrics`)
    POST /           the Handle protocol itself (handle notes §1.10)
    anything else    management, with FastAPI (`resolver.faces.management`)

`scope["state"]["face"]` says which node is meant. What resolves and writes needs no
framework and goes around FastAPI, which alone takes as long as all the rest.
"""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from resolver.faces.exchange import HttpError, Request, Response, error_response
from resolver.faces.metrics import metrics_response

if TYPE_CHECKING:
    from resolver.faces.http import HttpFace

MAX_BODY_OCTETS = 1 << 20
MESSAGE_TYPE = "application/x-hdl-message"

_SAFE = ("GET", "HEAD", "OPTIONS")
_WITH_BODY = ("POST", "PUT", "PATCH")

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]


class GoneError(Exception):
    """The client left before its request had arrived."""


class Application:
    """Answers the requests of every node."""

    def __init__(self, management: Asgi) -> None:
        self._management = management

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        face: HttpFace = scope["state"]["face"]
        try:
            await self._answer(face, scope, receive, send)
        except GoneError:
            return
        except asyncio.CancelledError:
            if not face.closing:
                raise

    async def _answer(
        self, face: "HttpFace", scope: Scope, receive: Receive, send: Send
    ) -> None:
        try:
            request = await _read_request(scope, receive)
            _check_site(request)
            response = await _answer_directly(face, request)
        except HttpError as error:
            await send_response(error_response(error), send)
            return
        if response is not None:
            await send_response(response, send)
            return
        scope["state"]["request"] = request
        await self._management(scope, _replay(request.body, receive), send)


async def _answer_directly(face: "HttpFace", request: Request) -> Response | None:
    """Answer what needs no framework; None for all else."""
    if face.api.serves(request.path):
        return await face.api.answer(request)
    if face.log.serves(request.path):
        return face.log.answer(request)
    if face.links.serves(request.path):
        return await face.links.answer(request)
    if request.path == b"/" and request.method == "POST":
        return await _tunnel(face, request)
    if request.path == b"/metrics" and request.method in ("GET", "HEAD"):
        return metrics_response(face.node)
    return None


def _check_site(request: Request) -> None:
    """Refuse what a page of another site makes its reader's browser send.

    Nodes listen where a browser of the same machine reaches them, and with open writes
    nothing else would stop it (W3C Fetch Metadata; emulator convention).
    """
    cross = request.headers.get(b"sec-fetch-site") == b"cross-site"
    if cross and request.method not in _SAFE:
        message = "requests from pages of other sites may not change anything"
        raise HttpError(HTTPStatus.FORBIDDEN, message)


async def _tunnel(face: "HttpFace", request: Request) -> Response:
    content_type = request.header(b"content-type").partition(";")[0].strip()
    if content_type.lower() != MESSAGE_TYPE:
        message = f"content type: {MESSAGE_TYPE} expected"
        raise HttpError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message)
    responder = face.node.responder
    assert responder is not None
    answer = responder.respond(request.body, face.origin, request.peer, face.clock())
    messages = answer if isinstance(answer, tuple) else await answer
    if not messages:
        raise HttpError(HTTPStatus.BAD_REQUEST, "body: a request message expected")
    return Response(HTTPStatus.OK, b"".join(messages), MESSAGE_TYPE)


async def _read_request(scope: Scope, receive: Receive) -> Request:
    method = scope["method"]
    return Request(
        method,
        scope["raw_path"],
        scope["query_string"],
        dict(scope["headers"]),
        scope["client"],
        scope["scheme"] == "https",
        scope["state"]["certificate"],
        await read_body(receive) if method in _WITH_BODY else b"",
    )


async def read_body(receive: Receive, most_octets: int = MAX_BODY_OCTETS) -> bytes:
    """Read the body of a request.

    Raises:
        HttpError: It has more octets than are taken.
        GoneError: The client left.
    """
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        event = await receive()
        if event["type"] != "http.request":
            raise GoneError
        parts.append(event["body"])
        size += len(event["body"])
        more = event["more_body"]
        if size > most_octets:
            message = f"body: at most {most_octets} octets taken"
            raise HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
    return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Give a body that was read already once more."""
    events = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> dict[str, Any]:
        return events.pop() if events else await receive()

    return again


async def send_response(response: Response, send: Send) -> None:
    """Send an answer."""
    status = int(response.status)
    headers = [(b"content-type", response.content_type.encode()), *response.headers]
    if status != HTTPStatus.NOT_MODIFIED:
        # There it would tell the length of what is not sent (RFC 9110 §8.6).
        headers.append((b"content-length", b"%d" % len(response.body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


async def refuse_head(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request whose head is too long, in place of the application."""
    del scope, receive
    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    close = (b"connection", b"close")
    error = HttpError(status, "head: too many octets", headers=(close,))
    await send_response(error_response(error), send)
