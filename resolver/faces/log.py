"""A node's log over HTTP: what C2SP's readers fetch, and proofs made to order.

    /log                         what this is, for people (`resolver.faces.log_page`)
    /log/checkpoint              the signed checkpoint (C2SP tlog-tiles)
    /log/tile/L/N[.p/W]          hashes
    /log/tile/entries/N[.p/W]    entries
    anything else                proofs (`resolver.faces.log_answers`)

Tiles never change and every partial one stays: a tile of any size that the log has had
is made from its rows. Everything is answered at once, on the loop's thread. Whatever is
read is checked: damage is told with status 500, and never served or proved.
"""

import hashlib
from http import HTTPStatus
from typing import TYPE_CHECKING

from chain_anchor.errors import AnchorError, TileError
from chain_anchor.tiles import Tile, parse_path
from chain_anchor.witnessing import TEXT_TYPE
from registry.errors import RegistryError, StoreError
from resolver.faces.exchange import (
    Headers,
    HttpError,
    Request,
    Response,
    error_response,
)
from resolver.faces.handle_asking import failure_response
from resolver.faces.log_answers import Answers
from resolver.faces.log_page import page_response
from resolver.faces.log_proofs import Proofs

if TYPE_CHECKING:
    from resolver.node import Node

ROOT = b"/log"
TILE_TYPE = "application/octet-stream"

_TILE = b"tile/"
_FOREVER = b"public, max-age=31536000, immutable"
_FRESH = b"no-cache"
_NOT_KEPT = (b"cache-control", b"no-store")
_TAG_DIGITS = 32


class LogFace:
    """Answers what is asked of one node's log."""

    def __init__(self, node: "Node") -> None:
        """Take the node; one without a log has nothing here."""
        self._node = node
        self._answers = Answers(node.settings.case_rule)

    def serves(self, path: bytes) -> bool:
        """Tell whether a path belongs to the log."""
        return path == ROOT or path.startswith(ROOT + b"/")

    def answer(self, request: Request) -> Response:
        """Answer a request whose path is one that `serves` knows."""
        try:
            return self._answer(request)
        except HttpError as error:
            response = error_response(error)
        except RegistryError as error:
            response = failure_response(error.code, str(error), "")
        except AnchorError as error:
            message = f"the log is damaged and proves nothing here: {error}"
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            response = error_response(HttpError(status, message))
        if response.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            self._node.telemetry.log_failures += 1
        # What is not there yet will be: no cache may remember that it was not.
        return response._replace(headers=(*response.headers, _NOT_KEPT))

    def _answer(self, request: Request) -> Response:
        _check_method(request)
        path = request.path[len(ROOT) :].removeprefix(b"/")
        proofs = self._proofs()
        if path.startswith(_TILE):
            return self._tile(request, _parse_tile(path), proofs)
        if path == b"checkpoint":
            self._count("checkpoint")
            return _static(request, proofs.head.note, TEXT_TYPE, _FRESH)
        if not path:
            self._count("page")
            return page_response(request, self._node)
        response = self._answers.answer(path, request, proofs)
        self._count(path.rpartition(b"/")[2].decode())
        return response

    def _count(self, what: str) -> None:
        self._node.telemetry.log_requests[what] += 1

    def _proofs(self) -> Proofs:
        sealing = self._node.sealing
        if sealing is None:
            message = "this node keeps no log: ask one that keeps a registry"
            raise HttpError(HTTPStatus.NOT_FOUND, message)
        try:
            proofs = Proofs(sealing)
        except StoreError as error:
            status, again = HTTPStatus.SERVICE_UNAVAILABLE, ((b"retry-after", b"1"),)
            raise HttpError(status, str(error), headers=again) from error
        if not proofs.head.size:
            message = "the log is empty: nothing has been registered here yet"
            raise HttpError(HTTPStatus.NOT_FOUND, message)
        return proofs

    def _tile(self, request: Request, tile: Tile, proofs: Proofs) -> Response:
        if tile.level is None:
            octets = proofs.view.entry_bundle(tile.index, tile.width)
        else:
            octets = proofs.view.tile(tile.level, tile.index, tile.width)
        if octets is None:
            message = f"{tile.path()}: the log has only {proofs.head.size} entries"
            raise HttpError(HTTPStatus.NOT_FOUND, message)
        self._count("entries" if tile.level is None else "tile")
        return _static(request, octets, TILE_TYPE, _FOREVER)


def _check_method(request: Request) -> None:
    if request.method not in ("GET", "HEAD"):
        message = f"{request.method}: one of GET, HEAD expected"
        allowed = ((b"allow", b"GET, HEAD"),)
        raise HttpError(HTTPStatus.METHOD_NOT_ALLOWED, message, headers=allowed)


def _parse_tile(path: bytes) -> Tile:
    try:
        return parse_path(path.decode(errors="replace"))
    except TileError as error:
        raise HttpError(HTTPStatus.BAD_REQUEST, str(error)) from None


def _static(request: Request, body: bytes, kind: str, caching: bytes) -> Response:
    """Give octets with their tag; none to a client that has them (RFC 9110 §13.1.2)."""
    tag = '"' + hashlib.sha256(body).hexdigest()[:_TAG_DIGITS] + '"'
    headers: Headers = ((b"cache-control", caching), (b"etag", tag.encode()))
    known = request.header(b"if-none-match").split(",")
    if tag in (item.strip().removeprefix("W/") for item in known):
        return Response(HTTPStatus.NOT_MODIFIED, b"", kind, headers)
    return Response(HTTPStatus.OK, body, kind, headers)
