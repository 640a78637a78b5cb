"""Finding the item that a Digital Link URI means, through a node's handlers.

A lookup (`resolver.links.lookup`) asks for records; each question becomes a resolution
that passes the same handlers as one that came by the Handle protocol, so that caching,
recursion and errors are the same.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from registry.errors import RegistryError
from registry.model.codes import ResponseCode
from registry.model.octets import Cursor
from resolver.chain import Origin, Query, Reply
from resolver.faces.digital_link_request import Asked
from resolver.faces.exchange import HttpError
from resolver.links.level import Record, read_record
from resolver.links.lookup import Item, Place, look_up
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.envelope import Envelope
from resolver.wire.header import DEFAULT_LIFE_SECONDS, UNKNOWN_SITE_SERIAL, Header
from resolver.wire.message import Message, build_message
from resolver.wire.request import Resolution

if TYPE_CHECKING:
    from registry.store.interface import Store
    from resolver.node import Node
    from resolver.responder import Responder

MAX_KNOWN_PREFIXES = 10_000
"""Code prefixes that are remembered to exist."""

_RECORDS = "/api/handles/"
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


class Finding(NamedTuple):
    """What was found, and until when the tree's cache would say the same."""

    item: Item | None
    expires: float
    """Seconds since 1970; 0 when it must be asked for again."""


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


class Finder:
    """Finds items for one node, which is open already."""

    def __init__(self, node: "Node", clock: Callable[[], float] = time.time) -> None:  # noqa: TID251 (injected, not called)
        self._node = node
        self._clock = clock
        self._origin = Origin("http", connected=False)
        self._learned = KnownPrefixes()

    async def find(self, asked: Asked, peer: Hashable) -> Finding:
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
        expires = now + DEFAULT_LIFE_SECONDS if is_tree else 0.0
        try:
            name = next(lookup)
            while True:
                reply = responder.ask(Question(name, flags, self._origin, peer, now))
                if not isinstance(reply, Reply):
                    reply = await reply
                expires = min(expires, reply.expires)
                name = lookup.send(_record(name, reply, is_tree=is_tree))
        except StopIteration as done:
            return Finding(self._noted(done.value, place), expires)

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
            root = f"http://{address_of(tree)}"
        return Place(self._learned, True, f"{root}{_RECORDS}"), tree.responder


class Question(Query):
    """A resolution; its message is made only if somebody asks for it."""

    __slots__ = ()

    def __init__(
        self, name: str, flags: OpFlag, origin: Origin, peer: Hashable, now: float
    ) -> None:
        # Spelled out: an answer from the cache needs no message, which takes longer.
        self.request = Resolution(name.encode(), (), ())
        self.origin = origin
        self.peer = peer
        self.now = now
        self.identity = None
        self.opcode = OpCode.RESOLUTION
        self.flags = int(flags)
        self._name = None

    @property
    def message(self) -> Message:
        """The whole message."""
        expires = int(self.now) + DEFAULT_LIFE_SECONDS
        header = Header(
            self.opcode, 0, self.flags, UNKNOWN_SITE_SERIAL, 0, 0, expires, 0
        )
        assert isinstance(self.request, Resolution)
        return build_message(_ENVELOPE, header, self.request.encode())


def address_of(node: "Node") -> str:
    """Give host and port of a node's HTTP."""
    assert node.http is not None
    host = node.settings.hosts[0]
    return f"[{host}]:{node.http.port}" if ":" in host else f"{host}:{node.http.port}"


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
