"""Answers from the recursive node's cache, without the AUTHORITATIVE flag.

Whatever is bound to one client is neither looked up here nor remembered.
"""

from registry.model.codes import ResponseCode
from registry.model.identifier import CaseRule
from registry.model.octets import blob
from resolver.cache import AnswerCache, shared_key
from resolver.chain import Answer, Query, Reply
from resolver.telemetry import Telemetry
from resolver.wire.codes import OpCode
from resolver.wire.request import Resolution


class Cached:
    """Answers resolutions that were answered before."""

    operations = frozenset({OpCode.RESOLUTION})

    def __init__(
        self, cache: AnswerCache, rule: CaseRule, telemetry: Telemetry
    ) -> None:
        self._cache = cache
        self._rule = rule
        self._telemetry = telemetry

    def __call__(self, query: Query) -> Answer:
        """Answer what is remembered."""
        request = query.request
        assert isinstance(request, Resolution)
        flags = query.flags
        question = shared_key(request, flags, query.name(self._rule))
        if question is None:
            return None
        entry = self._cache.get(question, query.now)
        if entry is None:
            self._telemetry.cache_misses += 1
            return None
        self._telemetry.cache_hits += 1
        body = entry.tail
        if entry.code == ResponseCode.SUCCESS:
            self._telemetry.resolutions += 1
            body = blob(request.handle) + body
        return Reply(entry.code, body, authoritative=False, expires=entry.expires)
