"""GS1 Digital Link over HTTP (GS1-Conformant Resolver Standard 1.2).

    /01/GTIN[/22/…][/10/…][/21/…]   and every other GS1 key with its qualifiers
    /COMPRESSED                     the same, compressed
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
from collections import OrderedDict
from collections.abc import Callable, Hashable
from http import HTTPStatus
from typing import TYPE_CHECKING

from registry.errors import RegistryError
from registry.model.codes import ResponseCode
from registry.model.octets import Cursor
from registry.schemes.reading import CodeError
from resolver.chain import Origin, Query, Reply
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
from resolver.faces.digital_link_request import Asked, read_asked, root_of
from resolver.faces.exchange import HttpError, Request, Response, error_response
from resolver.links.choosing import choose
from resolver.links.description import WELL_KNOWN_PATH
from resolver.links.level import Record, read_record
from resolver.links.lookup import Item, Place, look_up
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.envelope import Envelope
from resolver.wire.header import DEFAULT_LIFE_SECONDS, UNKNOWN_SITE_SERIAL, Header
from resolver.wire.message import build_message
from resolver.wire.request import Resolution

if TYPE_CHECKING:
    from registry.store.interface import Store
    from resolver.node import Node
    from resolver.responder import Responder

MAX_KNOWN_PREFIXES = 10_000
"""Code prefixes that are remembered to exist."""

_WELL_KNOWN = WELL_KNOWN_PATH.encode()
# A key's application identifier has 2 to 4 digits; the shortest compressed URI, that of
# a GTIN, 10 characters, and no page of this node has a name as long without a dot.
_PATH = re.compile(rb"/(?:[0-9]{2,4}(?:/.*)?|[A-Za-z0-9_-]{10,}/?)", re.DOTALL)
_RECORDS = "/api/handles/"
_READING = ("GET", "HEAD")
_ENVELOPE = Envelope(2, 11, 2, 11, 1, 1, 0, 0)
_ABSENT = frozenset(
    {
        ResponseCode.HANDLE_NOT_FOUND,
        ResponseCode.VALUES_NOT_FOUND,
        ResponseCode.INVALID_HANDLE,
        ResponseCode.INSUFFICIENT_PERMISSIONS,
    }
)
_AGAIN = ((b"retry-after", b"1"),)


class KnownPrefixes:
    """Code prefixes that exist, the ones found longest ago given up first."""

    def __init__(self) -> None:
        self._names: OrderedDict[object, None] = OrderedDict()

    def __contains__(self, code_prefix: object) -> bool:
        return code_prefix in self._names

    def add(self, code_prefix: str) -> None:
        """Remember one."""
        if len(self._names) >= MAX_KNOWN_PREFIXES:
            self._names.popitem(last=False)
        self._names[code_prefix] = None


class HomedPrefixes:
    """Code prefixes that live at a node: it has all their records."""

    def __init__(self, store: "Store") -> None:
        self._store = store

    def __contains__(self, code_prefix: object) -> bool:
        with self._store.snapshot() as snapshot:
            return snapshot.home(str(code_prefix).encode().upper()) is not None


class DigitalLinkFace:
    """Answers Digital Link URIs for one node, which is open already."""

    def __init__(
        self,
        node: "Node",
        clock: Callable[[], float] = time.time,  # noqa: TID251 (injected, not called)
    ) -> None:
        self._node = node
        self._clock = clock
        self._origin = Origin("http", connected=False)
        self._learned = KnownPrefixes()

    def serves(self, path: bytes) -> bool:
        """Tell whether a path belongs to the resolver."""
        return _PATH.fullmatch(path) is not None or path == _WELL_KNOWN

    async def answer(self, request: Request) -> Response:
        """Answer a request whose path is one that `serves` knows."""
        try:
            response = await self._answer(request)
        except CodeError as error:
            response = invalid_response(error)
        except HttpError as error:
            response = error_response(error)
        self._node.telemetry.link_requests[int(response.status)] += 1
        return with_common(response)

    async def _answer(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return options_response()
        if request.method not in _READING:
            allowed = ((b"allow", METHODS),)
            message = f"{request.method}: one of {METHODS.decode()} expected"
            status = HTTPStatus.METHOD_NOT_ALLOWED
            raise HttpError(status, message, headers=allowed)
        root = root_of(request, _address_of(self._node))
        if request.path == _WELL_KNOWN:
            return description_response(root, f"{self._node.settings.name}, emulated")
        asked = read_asked(request, root)
        item = await self._find(asked, request.peer)
        return _response(asked, item)

    async def _find(self, asked: Asked, peer: Hashable) -> Item | None:
        """Ask for the records that the lookup wants, one after the other.

        Raises:
            HttpError: The node or the tree cannot tell.
        """
        place, responder = self._place(asked.root)
        lookup = look_up(asked.reading, place)
        flags = OpFlag.PUBLIC_ONLY
        if asked.fresh:
            flags |= OpFlag.AUTHORITATIVE
        now, is_tree = self._clock(), place.is_tree
        try:
            name = next(lookup)
            while True:
                query = self._query(name.encode(), flags, peer, now)
                reply = responder.ask(query)
                if not isinstance(reply, Reply):
                    reply = await reply
                name = lookup.send(_record(name, reply, is_tree=is_tree))
        except StopIteration as done:
            return self._noted(done.value, place)

    def _noted(self, item: Item | None, place: Place) -> Item | None:
        if item is not None and place.is_tree:
            self._learned.add(item.code_prefix)
        return item

    def _place(self, root: str) -> "tuple[Place, Responder]":
        """Tell where to look, and through whom."""
        node = self._node
        tree = node.tree or (node if node.registry is None else None)
        if tree is None:
            assert node.registry is not None
            assert node.responder is not None
            here = HomedPrefixes(node.registry.store)
            return Place(here, False, f"{root}{_RECORDS}"), node.responder
        assert tree.responder is not None
        if tree is not node:
            root = f"http://{_address_of(tree)}"
        return Place(self._learned, True, f"{root}{_RECORDS}"), tree.responder

    def _query(self, name: bytes, flags: OpFlag, peer: Hashable, now: float) -> Query:
        asked = Resolution(name, (), ())
        expires = int(now) + DEFAULT_LIFE_SECONDS
        opcode = OpCode.RESOLUTION
        header = Header(opcode, 0, flags, UNKNOWN_SITE_SERIAL, 0, 0, expires, 0)
        message = build_message(_ENVELOPE, header, asked.encode())
        return Query(message, asked, self._origin, peer, now, None)


def _address_of(node: "Node") -> str:
    """Give host and port of a node's HTTP."""
    assert node.http is not None
    host = node.settings.hosts[0]
    return f"[{host}]:{node.http.port}" if ":" in host else f"{host}:{node.http.port}"


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


def _record(name: str, reply: Reply, *, is_tree: bool) -> Record | None:
    """Read what the chain answered; None when there is no such record.

    Raises:
        HttpError: It does not tell.
    """
    try:
        if reply.code == ResponseCode.SUCCESS:
            return read_record(reply.body)
        if _is_absent(name, reply.code, is_tree=is_tree):
            return None
        text = Cursor(reply.body).text() if reply.body else ""
    except RegistryError as error:
        text = str(error)
    message = f"{name} cannot be resolved: {text or f'code {reply.code}'}"
    if reply.code == ResponseCode.SERVER_TOO_BUSY:
        status = HTTPStatus.SERVICE_UNAVAILABLE
        raise HttpError(status, message, code=reply.code, headers=_AGAIN)
    raise HttpError(HTTPStatus.BAD_GATEWAY, message, code=reply.code)


def _is_absent(name: str, code: int, *, is_tree: bool) -> bool:
    if code == ResponseCode.SERVER_TOO_BUSY:
        return False
    if not is_tree:
        return True  # a node that keeps records sends on whoever asks for others
    unserved = code == ResponseCode.SERVER_NOT_RESP and name.startswith("0.NA/")
    return unserved or code in _ABSENT
