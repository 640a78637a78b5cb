"""Recursion: walk the tree for a client, once for all who ask the same at a time.

The answer is that of the node that has the authority; it is remembered for as long as
its values allow, a refusal to find for a short time. What is bound to one client (a
token, a certified answer) is asked for that client alone and not remembered.
"""

import asyncio
from collections.abc import Awaitable, Hashable

from registry.errors import MalformedError, RegistryError
from registry.model.codes import ResponseCode
from registry.model.identifier import CaseRule, canonical, is_prefix_handle
from registry.model.octets import Cursor, blob, pack_u32
from registry.model.value import smallest_ttl, spans
from resolver.cache import AnswerCache, shared_key
from resolver.chain import Answer, Query, Reply, failure
from resolver.errors import BadAnswerError, UnreachableError
from resolver.session.reading import text_of
from resolver.session.walk import Outcome, Question
from resolver.telemetry import Telemetry
from resolver.upstream import Upstream
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.message import Message
from resolver.wire.request import Resolution

MAX_FLIGHTS = 4096
"""Walks under way at once; the next question is answered with "too busy"."""

_PASSED_ON = int(OpFlag.PUBLIC_ONLY | OpFlag.RECURSION_AUTHENTICATED)
_NOT_THERE = frozenset(
    {
        ResponseCode.HANDLE_NOT_FOUND,
        ResponseCode.VALUES_NOT_FOUND,
        ResponseCode.SERVER_NOT_RESP,
    }
)
_REFERRALS = (ResponseCode.SERVICE_REFERRAL, ResponseCode.PREFIX_REFERRAL)
_KEPT_ELSEWHERE = failure(
    ResponseCode.SERVER_NOT_RESP,
    "a recursive node keeps no identifiers: ask the node of the prefix",
)

_Found = tuple[int, bytes, int]
"""Response code, body without the handle, seconds for which it may be kept."""


class Forward:
    """Answers what the tree knows."""

    def __init__(
        self,
        upstream: Upstream,
        cache: AnswerCache,
        rule: CaseRule,
        telemetry: Telemetry,
        negative_ttl_seconds: int,
    ) -> None:
        self._upstream = upstream
        self._cache = cache
        self._rule = rule
        self._telemetry = telemetry
        self._negative_ttl_seconds = negative_ttl_seconds
        self._flights: dict[Hashable, asyncio.Task[_Found]] = {}

    def __call__(self, query: Query) -> Answer:
        """Answer resolutions by walking; refuse what needs a registry."""
        if query.opcode != OpCode.RESOLUTION:
            return _KEPT_ELSEWHERE
        query.name(self._rule)  # refuse what is no identifier before asking anybody
        if len(self._flights) >= MAX_FLIGHTS:
            self._telemetry.shed += 1
            text = f"{MAX_FLIGHTS} resolutions are under way, try again"
            return failure(ResponseCode.SERVER_TOO_BUSY, text)
        return self._answer(query)

    def _answer(self, query: Query) -> Awaitable[Reply]:
        request = query.request
        assert isinstance(request, Resolution)
        flags = query.flags
        question = shared_key(request, flags, query.name(self._rule))
        if question is None:
            return self._reply(query, None)
        flight = self._flights.get(question)
        if flight is None:
            flight = asyncio.ensure_future(self._find_and_keep(query, question))
            self._flights[question] = flight
            flight.add_done_callback(lambda task: self._landed(question, task))
        return self._reply(query, flight)

    def _landed(self, question: Hashable, task: asyncio.Task[_Found]) -> None:
        del self._flights[question]
        if not task.cancelled():
            task.exception()  # whoever waits is told; nobody may be waiting

    async def _reply(self, query: Query, flight: asyncio.Task[_Found] | None) -> Reply:
        # One client that goes away must not take the answer from the others.
        finding = asyncio.shield(flight) if flight else self._find(query)
        try:
            code, tail, _ = await finding
        except UnreachableError as error:
            # 601 and 602 are made by clients; a server that got no answer has erred.
            return failure(ResponseCode.ERROR, str(error))
        if code != ResponseCode.SUCCESS:
            return Reply(code, tail)
        request = query.request
        assert isinstance(request, Resolution)
        self._telemetry.resolutions += 1
        return Reply(code, blob(request.handle) + tail)

    async def _find_and_keep(self, query: Query, question: Hashable) -> _Found:
        found = await self._find(query)
        code, tail, ttl_seconds = found
        self._cache.put(question, code, tail, ttl_seconds, query.now)
        return found

    async def _find(self, query: Query) -> _Found:
        request, header = query.request, query.message.header
        assert isinstance(request, Resolution)
        outcome = await self._upstream.walk(
            Question(
                request.handle,
                request.indexes,
                request.types,
                request.token or None,
                header.flags & _PASSED_ON,
                header.recursion_count + 1,
            )
        )
        if outcome.code == ResponseCode.SUCCESS and outcome.response is not None:
            return _success(outcome.response, query.name(self._rule), query.now)
        return self._refusal(outcome)

    def _refusal(self, outcome: Outcome) -> _Found:
        code, text = outcome.code, outcome.text
        if outcome.response is not None:
            text = text_of(outcome.response)
        if code == ResponseCode.AUTHENTICATION_NEEDED:
            # Nobody but the client can answer the challenge, and it was not its own.
            code = ResponseCode.INSUFFICIENT_PERMISSIONS
            text = "restricted values: ask the node of the prefix, or send a token"
        if code in _REFERRALS:
            # It could not be followed, and this body is not that of a referral.
            code = ResponseCode.ERROR
        ttl_seconds = self._negative_ttl_seconds if code in _NOT_THERE else 0
        return code, failure(code, text).body, ttl_seconds


def _success(response: Message, name: bytes, now: float) -> _Found:
    """Take the value list out of the answer to a question about a name.

    Raises:
        BadAnswerError: It does not follow its layout, or is about another name.
    """
    try:
        cursor = Cursor(response.body)
        about = cursor.blob("handle")
        tail = cursor.take(cursor.remaining)
        ttl_seconds = smallest_ttl(tail, now)
        if is_prefix_handle(name):
            tail = _sites_first(tail)
        _check_about(about, name)
    except RegistryError as error:
        message = f"an upstream answer is malformed: {error}"
        raise BadAnswerError(message) from error
    return ResponseCode.SUCCESS, tail, ttl_seconds


def _check_about(answered: bytes, name: bytes) -> None:
    # Nodes may spell a name as they keep it: case does not tell names apart here.
    if canonical(answered) != canonical(name):
        message = f"{answered.decode(errors='replace')} was not asked for"
        raise MalformedError(message)


def _sites_first(octets: bytes) -> bytes:
    """Put HS_SITE before all other values: the official SDK takes the first it finds."""
    found = sorted(spans(octets), key=lambda span: span.type.upper() != b"HS_SITE")
    values = (octets[span.start : span.stop] for span in found)
    return pack_u32(len(found)) + b"".join(values)
