"""The HTTP API of a 星火·链网 node (bif notes §1), in a process without resolution.

    /ENDPOINT        `chain_anchor.bif.api.dialect`
    /_dev...         `chain_anchor.bif.api.developer`, unless the node is strict

Every answer has status 200, also when it is an error, and for people a hint beside it
unless the node is strict. Bodies, and what all requests hold at a time, are bounded.
Neither body nor query is ever logged: both can hold private keys (§1.5, item 9).

Programs in a browser may ask from any page, as public nodes let them (emulator
convention; Fetch, CORS protocol); what is below /_dev no page of another site gets.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from socket import socket
from typing import cast
from urllib.parse import unquote

from chain_anchor.bif import answers
from chain_anchor.bif.api import developer, dialect
from chain_anchor.bif.api.asking import Asked, Request
from chain_anchor.bif.api.hints import with_hints
from chain_anchor.bif.api.served import DevelopedChain, ServedChain
from chain_anchor.bif.api.writing import is_long, styled
from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.json_form import JsonObject
from chain_anchor.bif.reporting import report
from chain_anchor.errors import AnchorError
from resolver.faces import bif_bodies
from resolver.faces.bif_bodies import Bodies, TooLargeError, TooManyError
from resolver.faces.exchange import Headers, Response
from resolver.faces.http import Listeners, configured
from resolver.faces.http_application import (
    GoneError,
    Receive,
    Scope,
    Send,
    send_response,
)
from resolver.telemetry import Telemetry

MAX_REQUESTS = 256
"""Requests that are answered at a time."""

_ANY_PAGE: Headers = ((b"access-control-allow-origin", b"*"),)
_PREFLIGHT: Headers = (
    *_ANY_PAGE,
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"*"),
    (b"access-control-max-age", b"86400"),
)
_JSON = "application/json; charset=utf-8"
_TEXT = "text/plain; charset=utf-8"
_CLOSE: Headers = ((b"connection", b"close"), *_ANY_PAGE)


class BifHttp(Listeners):
    """The HTTP listeners of one chain."""

    def __init__(
        self,
        chain: ServedChain,
        websocket_port: int,
        drop_sockets: Callable[[int], int],
        clock: Callable[[], float] = time.time,  # noqa: TID251 (injected, not called)
    ) -> None:
        """Take a chain, and what its answers tell of the WebSocket beside it."""
        super().__init__(Telemetry(), clock)
        self._chain = chain
        self._websocket_port = websocket_port
        self._drop_sockets = drop_sockets
        self._requests = 0
        self.bodies = Bodies()

    async def start(self, sockets: Sequence[socket]) -> None:
        """Answer from now on."""
        config = configured(serve)
        for item in sockets:
            await self.listen(config, item)

    async def answer(self, scope: Scope, receive: Receive) -> Response:
        """Answer one request.

        Raises:
            GoneError: the client left.
        """
        try:
            async with self.bodies.held(receive) as body:
                return await self._take(scope, body)
        except TooLargeError:
            self.telemetry.malformed += 1
            text = f"request body exceeds the limit({bif_bodies.MAX_BODY_OCTETS})"
            return _failure(ErrorCode.INVALID_PARAMETER, text, _CLOSE)
        except TooManyError:
            return self._shed()

    def _shed(self) -> Response:
        self.telemetry.shed += 1
        return _failure(ErrorCode.INTERNAL, "Too many requests", _CLOSE)

    async def _take(self, scope: Scope, body: bytes) -> Response:
        """Answer a request that has come whole, if there are not too many."""
        if self._requests >= MAX_REQUESTS:
            return self._shed()
        self._requests += 1
        try:
            return await self._answer(scope, body)
        except AnchorError as error:
            self.telemetry.internal_errors += 1
            return _failure(ErrorCode.INTERNAL, str(error), _ANY_PAGE)
        except Exception as error:  # noqa: BLE001 (told to the loop; 200 all the same)
            self.telemetry.internal_errors += 1
            report("a request to a chain met a fault", error)
            return _failure(ErrorCode.INTERNAL, "Internal error", _ANY_PAGE)
        finally:
            self._requests -= 1

    async def _answer(self, scope: Scope, body: bytes) -> Response:
        path = unquote(scope["raw_path"].decode("latin-1"), errors="replace")
        shown = () if _is_developer(path) else _ANY_PAGE
        if shown and _is_preflight(scope):
            return Response(HTTPStatus.OK, b"", _TEXT, _PREFLIGHT)
        request = Request(path, scope["query_string"], body)
        asked = Asked(self._chain, request, self._websocket_port, secrets.token_bytes)
        document = await self._document(asked, scope)
        if document is None:
            return Response(HTTPStatus.OK, dialect.NOT_FOUND, _TEXT, shown)
        octets = await self._written(document)
        return Response(HTTPStatus.OK, octets, _JSON, shown)

    async def _document(self, asked: Asked, scope: Scope) -> JsonObject | None:
        if not _is_developer(asked.request.path):
            return await dialect.answer(asked)
        if self._chain.strict:
            return None
        if dict(scope["headers"]).get(b"sec-fetch-site") == b"cross-site":
            # What a page of another site makes its reader's browser send.
            text = "requests from pages of other sites are not taken"
            return dialect.refused(RefusedError(ErrorCode.ACCESS_DENIED, text))
        chain = cast("DevelopedChain", self._chain)
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        return await developer.answer(asked, chain, method, self._drop_sockets)

    async def _written(self, document: JsonObject) -> bytes:
        shown = document if self._chain.strict else with_hints(document)
        # Long answers take tens of milliseconds: others go on meanwhile.
        write = asyncio.to_thread(styled, shown) if is_long(shown) else None
        return await write if write else styled(shown)


async def serve(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request, of whichever chain it was sent to (ASGI)."""
    face: BifHttp = scope["state"]["face"]
    try:
        response = await face.answer(scope, receive)
    except GoneError:
        return
    except asyncio.CancelledError:
        if not face.closing:
            raise
        return
    await send_response(response, send)


def _is_developer(path: str) -> bool:
    return f"/{path.lstrip('/')}/".startswith(f"{developer.PATH}/")


def _is_preflight(scope: Scope) -> bool:
    """Tell a browser's question whether it may ask from a request."""
    asks = any(name == b"access-control-request-method" for name, _ in scope["headers"])
    return asks and scope["method"] == "OPTIONS"


def _failure(code: ErrorCode, text: str, headers: Headers = ()) -> Response:
    document = answers.refusal(RefusedError(code, text))
    return Response(HTTPStatus.OK, styled(document), _JSON, headers)
