"""GS1 Digital Link over HTTP (GS1-Conformant Resolver Standard 1.2).

    /01/GTIN[/22/…][/10/…][/21/…]   and every other GS1 key with its qualifiers
    /COMPRESSED, /ehHEX, /exBASE64  the same, compressed, or an EPC binary string
    /.well-known/gs1resolver        what this resolver is

    307   to the link that fits the request, with the request's query string
    200   the linkset, for `linkType=linkset` or `Accept: application/linkset+json`
    300   several links fit equally well
    400   not a Digital Link URI; 404 nobody has registered it, or it has no such link
    405   other methods than GET, HEAD and OPTIONS; 406 no linkset of a type that is taken
    502   the tree gives no answer; 503 too many ask

The top-level and the recursive node answer from the tree, through the recursive node's
handlers and so with its cache; `Cache-Control: no-cache` asks past it. Every other node
answers from what it keeps itself, so an edit there shows with the next request (emulator
convention).
"""

import re
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING

from registry.schemes.reading import CodeError
from resolver.faces.digital_link_answers import (
    METHODS,
    choices_response,
    description_response,
    handled_by_response,
    invalid_response,
    linkset_response,
    missing_response,
    options_response,
    redirect_response,
    unknown_response,
    with_common,
)
from resolver.faces.digital_link_finding import Finder, address_of
from resolver.faces.digital_link_memory import RememberedRedirects, key_of
from resolver.faces.digital_link_request import Asked, read_asked, root_of
from resolver.faces.exchange import HttpError, Request, Response, error_response
from resolver.links.choosing import choose
from resolver.links.description import WELL_KNOWN_PATH
from resolver.links.lookup import Item

if TYPE_CHECKING:
    from resolver.node import Node

_WELL_KNOWN = WELL_KNOWN_PATH.encode()
# A key's application identifier has 2 to 4 digits; the shortest compressed URI, that of
# a GTIN, 10 characters, and no page of this node has a name as long without a dot.
_PATH = re.compile(rb"/(?:[0-9]{2,4}(?:/.*)?|[A-Za-z0-9_-]{10,}/?)", re.DOTALL)
_READING = ("GET", "HEAD")


class DigitalLinkFace:
    """Answers Digital Link URIs for one node, which is open already."""

    def __init__(
        self,
        node: "Node",
        clock: Callable[[], float] = time.time,  # noqa: TID251 (injected, not called)
    ) -> None:
        self._node = node
        self._clock = clock
        self._finder = Finder(node, clock)
        self._remembered = RememberedRedirects()

    def serves(self, path: bytes) -> bool:
        """Tell whether a path belongs to the resolver."""
        return _PATH.fullmatch(path) is not None or path == _WELL_KNOWN

    async def answer(self, request: Request) -> Response:
        """Answer a request whose path is one that `serves` knows."""
        key = key_of(request)
        response = self._remembered.get(key, self._clock()) if key else None
        if response is None:
            response, expires = await self._answer(request)
            if key and expires:
                self._remembered.put(key, response, expires)
        self._node.telemetry.link_requests[int(response.status)] += 1
        return response

    async def _answer(self, request: Request) -> tuple[Response, float]:
        """Answer, and say until when a redirect may be given again."""
        expires = 0.0
        try:
            response, expires = await self._answer_or_fail(request)
        except CodeError as error:
            response = invalid_response(error)
        except HttpError as error:
            response = error_response(error)
        redirects = response.status == HTTPStatus.TEMPORARY_REDIRECT
        return with_common(response), expires if redirects else 0.0

    async def _answer_or_fail(self, request: Request) -> tuple[Response, float]:
        if request.method == "OPTIONS":
            return options_response(), 0.0
        if request.method not in _READING:
            allowed = ((b"allow", METHODS),)
            message = f"{request.method}: one of {METHODS.decode()} expected"
            status = HTTPStatus.METHOD_NOT_ALLOWED
            raise HttpError(status, message, headers=allowed)
        root = root_of(request, address_of(self._node))
        if request.path == _WELL_KNOWN:
            name = f"{self._node.settings.name}, emulated"
            return description_response(root, name), 0.0
        asked = read_asked(request, root)
        finding = await self._finder.find(asked, request.peer)
        return _response(asked, finding.item), finding.expires


def _response(asked: Asked, item: Item | None) -> Response:
    if item is None:
        return unknown_response(asked)
    if item.handled_by:
        return handled_by_response(asked, item)
    if asked.linkset_type:
        return linkset_response(asked, item)
    chosen = choose(asked.wanted, item.levels)
    if chosen is None:
        return missing_response(asked, item)
    if len(chosen.links) > 1:
        return choices_response(asked, item, chosen)
    return redirect_response(asked, item, chosen.links[0])
