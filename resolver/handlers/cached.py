"""Answers from the recursive node's cache, without the AUTHORITATIVE flag.

A question is its canonical name, indexes, types and whether it asks for public values
only. Whatever is bound to one client (a token, a request for a certified or
authoritative answer) is neither looked up nor remembered.
"""

from collections.abc import Hashable

from registry.model.codes import ResponseCode
from registry.model.identifier import CaseRule
from registry.model.octets import blob
from resolver.cache import AnswerCache
from resolver.chain import Answer, Query, Reply
from resolver.telemetry import Telemetry
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.request import Resolution

_BOUND = int(OpFlag.AUTHORITATIVE | OpFlag.CERTIFIED | OpFlag.RECURSION_AUTHENTICATED)
_PUBLIC_ONLY = int(OpFlag.PUBLIC_ONLY)


class Cached:
    """Answers resolutions that were answered before."""

    def __init__(
        self, cache: AnswerCache, rule: CaseRule, telemetry: Telemetry
    ) -> None:
        self._cache = cache
        self._rule = rule
        self._telemetry = telemetry

    def __call__(self, query: Query) -> Answer:
        """Answer what is remembered."""
        if query.opcode != OpCode.RESOLUTION:
            return None
        question = question_of(query, self._rule)
        if question is None:
            return None
        entry = self._cache.get(question, query.now)
        if entry is None:
            self._telemetry.cache_misses += 1
            return None
        self._telemetry.cache_hits += 1
        body = entry.tail
        if entry.code == ResponseCode.SUCCESS:
            body = blob(query.request.handle) + body  # type: ignore[union-attr]
        return Reply(entry.code, body, authoritative=False)


def question_of(query: Query, rule: CaseRule) -> Hashable | None:
    """Give the key under which the answer may be shared; None when it may not."""
    flags = query.message.header.flags
    request = query.request
    assert isinstance(request, Resolution)
    if flags & _BOUND or request.token:
        return None
    name = query.name(rule)
    if not request.types and not request.indexes:
        return name, flags & _PUBLIC_ONLY
    types = tuple(kind.upper() for kind in request.types)
    return name, flags & _PUBLIC_ONLY, request.indexes, types
