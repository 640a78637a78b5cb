"""Handlers in order: the contract, and the chain that runs it.

A role is an ordered tuple of handlers (`resolver.roles`). A handler is called with
a `Query` and gives one of

- a `Reply`: the question is answered, handlers below are not asked;
- an awaitable of a `Reply`: the answer needs waiting, the face goes on meanwhile, or
  turns the request away and closes the awaitable, a coroutine, before it has begun;
- a `Deferred` of a `Reply` or an error: the same, without a task;
- `None`: not mine, ask the next.

or raises an error that carries a response code, which becomes the answer. A handler
that names its `operations` is asked about no others. Every handler feels the effects of those above it and must not care what stands below.
When nobody answers, the operation is not supported.
"""

import math
from collections.abc import Awaitable, Callable, Hashable
from typing import TYPE_CHECKING, NamedTuple

from registry.model.codes import ResponseCode
from registry.model.identifier import CaseRule, canonical
from registry.model.identity import Identity
from resolver.deferred import Deferred
from resolver.wire.codes import OpFlag
from resolver.wire.head import Head
from resolver.wire.message import Message, decode_message
from resolver.wire.request import Request
from resolver.wire.response import Failure

if TYPE_CHECKING:
    from resolver.session.challenge import Pending


class Origin:
    """Where queries come from: one per TCP connection, one per UDP socket."""

    __slots__ = ("connected", "full", "identity", "pending", "transport")

    def __init__(self, transport: str, *, connected: bool) -> None:
        self.transport = transport
        """`udp`, `tcp` or `http`, for counting."""

        self.connected = connected
        """Whether all its queries come from one client, so that it can log in."""

        self.full = False
        """Whether no more answers can be waited for: "too busy" then."""

        self.identity: Identity | None = None
        """Who logged in on this connection."""

        self.pending: dict[int, Pending] = {}
        """Challenges of this connection by session id, where the client chose it."""


class Query:
    """One request on its way down the chain."""

    __slots__ = (
        "_message",
        "_name",
        "flags",
        "identity",
        "now",
        "opcode",
        "origin",
        "peer",
        "request",
    )

    def __init__(
        self,
        message: Message,
        request: Request,
        origin: Origin,
        peer: Hashable,
        now: float,
        identity: Identity | None,
    ) -> None:
        self._message = message
        self.request = request
        self.origin = origin
        self.peer = peer
        self.now = now
        self.identity = identity
        """Who asks, once proved."""

        self.opcode = message.header.opcode
        self.flags = message.header.flags
        self._name: bytes | None = None

    @property
    def message(self) -> Message:
        """The whole message."""
        return self._message

    def name(self, rule: CaseRule) -> bytes:
        """Give the canonical name the request is about.

        Raises:
            InvalidIdentifierError: It is no identifier.
        """
        if self._name is None:
            self._name = canonical(getattr(self.request, "handle", b""), rule)
        return self._name

    def flag(self, flag: OpFlag) -> bool:
        """Tell whether the request sets a flag."""
        return bool(self.flags & flag)


class Received(Query):
    """A request as it came; its message is decoded only if anybody asks for it."""

    __slots__ = ("head", "octets")

    def __init__(
        self,
        octets: bytes,
        head: Head,
        request: Request,
        origin: Origin,
        peer: Hashable,
        now: float,
    ) -> None:
        # Spelled out, because all that is asked and written passes here.
        self.octets = octets
        self.head = head
        self.request = request
        self.origin = origin
        self.peer = peer
        self.now = now
        self.identity = origin.identity
        self.opcode = head.opcode
        self.flags = head.flags
        self._name = None

    @property
    def message(self) -> Message:
        """The whole message."""
        return decode_message(self.octets)


class Reply(NamedTuple):
    """An answer before it is put on the wire."""

    code: int
    body: bytes = b""
    """Without the request digest, which the responder adds."""

    opcode: int | None = None
    """The operation answered, where it is not the request's own."""

    authoritative: bool = True
    session_id: int | None = None
    """Id of a challenge, where it is not the request's own."""

    more: tuple[bytes, ...] = ()
    """Bodies of further messages of a continuous answer."""

    expires: float = 0.0
    """Until when whoever asks the same may be given a copy, in seconds since 1970: 0
    for never, infinity until the registry has changed."""


Later = Deferred[Reply | Exception]
"""A reply or an error that comes later."""

Answer = Reply | Later | Awaitable[Reply] | None
Handler = Callable[[Query], Answer]

UNTIL_CHANGED = math.inf

SUCCESS = Reply(ResponseCode.SUCCESS)


def failure(code: int, text: str = "") -> Reply:
    """Make the answer to a request that failed."""
    return Reply(code, Failure(text).encode())


class Chain:
    """An ordered tuple of handlers, called like one."""

    __slots__ = ("_for_others", "_handlers")

    def __init__(self, handlers: tuple[Handler, ...]) -> None:
        named = frozenset[int]().union(*map(_operations, handlers))
        self._handlers = {
            opcode: tuple(h for h in handlers if opcode in _operations(h, named))
            for opcode in named
        }
        self._for_others = tuple(h for h in handlers if not _operations(h))

    def __call__(self, query: Query) -> Reply | Later | Awaitable[Reply]:
        """Ask each handler in turn; the first answer counts."""
        for handler in self._handlers.get(query.opcode, self._for_others):
            answer = handler(query)
            if answer is not None:
                return answer
        text = f"operation {query.opcode} is not supported here"
        return failure(ResponseCode.OPERATION_NOT_SUPPORTED, text)


def _operations(
    handler: Handler, default: frozenset[int] = frozenset()
) -> frozenset[int]:
    found: frozenset[int] = getattr(handler, "operations", default)
    return found
