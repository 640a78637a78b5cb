"""From a code to the record it means: what to ask, one generator a code, without any I/O.

A generator yields what it wants to know (`Wanted`), is sent a `Reply`, or a
`ResolverError` is thrown into it, and it returns a `ProductAnswer` or raises. The twins
carry the questions: one by one (`resolve_product`), or those of many codes at once
(`resolver.client.flow`).

Every reading of the code is looked up, in `registry.schemes.lookup`'s order. One that
resolves wins; two that lead to different identifiers are an ambiguity, which is an answer.
"""

from collections.abc import Generator
from typing import NamedTuple

from registry.errors import InvalidIdentifierError
from registry.model.codes import ResponseCode
from registry.model.identifier import canonical
from registry.schemes.decoding import decode
from registry.schemes.lookup import Found, Wanted, look_up
from registry.schemes.mapping import (
    RULE_TYPE,
    company_rules_name,
    direct_identifier,
)
from registry.schemes.reading import Reading, Rejection
from registry.schemes.rules import Rule, rules_in
from resolver.client.answer import Answer, shortest_ttl
from resolver.client.code_memory import CodeMemory, Reply
from resolver.errors import (
    AmbiguousCodeError,
    CodeNotFoundError,
    ResolverError,
    UnreachableError,
    UnreadableCodeError,
    answer_error,
)

MAX_REASONS = 3
"""Reasons in the text of an error; all are in its `rejections`."""

_SUCCESS = int(ResponseCode.SUCCESS)
_REMEMBERED_TYPES = (("HS_SITE",), (RULE_TYPE,))


class Asked(NamedTuple):
    """One question on the way from a code to its record, and what came of it."""

    name: str
    code: int
    """Response code."""

    origin: str
    """node, cache (of the server that was asked) or memory (of this client)."""


class ProductAnswer(NamedTuple):
    """What a code means."""

    text: str
    """The code as it was given."""

    reading: Reading
    """How it was understood."""

    identifier: str
    found: Found
    """Where: the level that was found, by an alias record, a rule or the code itself."""

    answer: Answer
    """The record."""

    asked: tuple[Asked, ...]
    """The path taken."""

    @property
    def scheme(self) -> str:
        """The scheme of the reading that resolved."""
        return self.reading.scheme

    @property
    def code(self) -> str:
        """The canonical code."""
        return self.reading.code

    @property
    def level(self) -> str:
        """The level that was found, such as `01/09521000100015`; empty for identifiers."""
        return self.found.level


Steps = Generator[Wanted, Reply, ProductAnswer]


class Asking(NamedTuple):
    """How a client looks codes up."""

    memory: CodeMemory
    company: str = ""
    """Prefix of the enterprise whose own codes may come; empty for none."""

    fresh: bool = False
    """Whether memory and caches are passed by."""


def resolve_code(text: str, asking: Asking, now: float, clock: float) -> Steps:
    """Resolve one code.

    Args:
        text: Any code or identifier.
        asking: How.
        now: Seconds of the memory's clock.
        clock: Seconds since 1970, for values with an absolute time to live.

    Raises:
        UnreadableCodeError: It is no code of any scheme.
        CodeNotFoundError: It leads nowhere; NotFoundError for an identifier.
        AmbiguousCodeError: It leads to several identifiers.
        ResolverError: Something on the way failed, and nothing else was found.
    """
    asked: list[Asked] = []
    rules: tuple[Rule, ...] = ()
    if asking.company:
        rules = yield from _company_rules(asking, asked, now)
    readings = decode(text, rules).readings
    if not readings:
        raise _unreadable(text, decode(text, rules).rejections)
    found: list[ProductAnswer] = []
    failure: ResolverError | None = None
    tried: set[str | None] = set()
    for reading in readings:
        direct = direct_identifier(reading)
        if direct is not None and direct in tried:
            continue
        tried.add(direct)
        try:
            one = yield from _resolve_reading(text, reading, asking, asked, now, clock)
        except UnreachableError:
            raise  # the other readings would only wait as long
        except ResolverError as error:
            failure = failure or error
        else:
            if one is not None:
                found.append(one)
    return _only(text, readings, found, failure, asked)


def _company_rules(
    asking: Asking, asked: list[Asked], now: float
) -> Generator[Wanted, Reply, tuple[Rule, ...]]:
    name, types = company_rules_name(asking.company), (RULE_TYPE,)
    reply = None if asking.fresh else asking.memory.recall(name, now)
    if reply is None:
        reply = yield Wanted(name, types)
        asking.memory.remember(name, types, reply, now)
        asked.append(
            Asked(name, reply.code, "node" if reply.authoritative else "cache")
        )
    return rules_in(reply.values)


def _resolve_reading(
    text: str,
    reading: Reading,
    asking: Asking,
    asked: list[Asked],
    now: float,
    clock: float,
) -> Generator[Wanted, Reply, ProductAnswer | None]:
    memory, fresh = asking.memory, asking.fresh
    look = look_up(reading, () if fresh else memory.known)
    reply: Reply | None = None
    found: Found | None
    # `_ask`, spelled out: a generator for each question costs as much as the question.
    try:
        wanted = next(look)
        while True:
            name, types = wanted
            kept = types in _REMEMBERED_TYPES
            reply = memory.recall(name, now) if kept and not fresh else None
            if reply is not None:
                asked.append(Asked(name, reply.code, "memory"))
            else:
                reply = yield wanted
                if kept:
                    memory.remember(name, types, reply, now)
                origin = "node" if reply.authoritative else "cache"
                asked.append(Asked(name, reply.code, origin))
            wanted = look.send(reply.values if reply.code == _SUCCESS else None)
    except StopIteration as end:
        found = end.value
    if found is None:
        return None
    if len(found.identifiers) > 1:
        raise AmbiguousCodeError(_ambiguous(text, found.identifiers), found.identifiers)
    identifier = found.identifiers[0]
    if found.by != "rule" or reply is None:
        reply = yield Wanted(identifier)
        origin = "node" if reply.authoritative else "cache"
        asked.append(Asked(identifier, reply.code, origin))
    if reply.code != _SUCCESS:
        raise answer_error(reply.code, reply.message, identifier)
    ttl_seconds = shortest_ttl(reply.values, clock)
    answer = Answer(identifier, reply.values, ttl_seconds, reply.authoritative)
    return ProductAnswer(text, reading, identifier, found, answer, tuple(asked))


def _only(
    text: str,
    readings: tuple[Reading, ...],
    found: list[ProductAnswer],
    failure: ResolverError | None,
    asked: list[Asked],
) -> ProductAnswer:
    """Give the one answer there is; what was asked for the other readings belongs to it."""
    if len(found) == 1 or len({_same(one.identifier) for one in found}) == 1:
        return found[0]._replace(asked=tuple(asked))
    if found:
        choices = tuple(one.identifier for one in found)
        raise AmbiguousCodeError(_ambiguous(text, choices), choices)
    if failure is not None:
        raise failure
    raise CodeNotFoundError(text, readings, tuple(one.name for one in asked))


def _same(identifier: str) -> bytes:
    try:
        return canonical(identifier.encode())
    except InvalidIdentifierError:
        return identifier.encode()


def _ambiguous(text: str, choices: tuple[str, ...]) -> str:
    return f"{text[:128]} means several things: {', '.join(choices)}"


def _unreadable(text: str, rejections: tuple[Rejection, ...]) -> UnreadableCodeError:
    reasons = "; ".join(str(one) for one in rejections[:MAX_REASONS])
    message = f"{text[:128]!r} is no code of any scheme: {reasons}"
    return UnreadableCodeError(message, rejections)
