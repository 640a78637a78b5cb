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
from registry.schemes.mishaps import mishaps
from registry.schemes.reading import Reading, Rejection
from registry.schemes.rules import Rule, rules_in
from resolver.client.answer import Answer, shortest_ttl
from resolver.client.code_memory import CodeMemory, Reply
from resolver.errors import (
    AmbiguousCodeError,
    CodeNotFoundError,
    NotFoundError,
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
    search = _Search(text, asking, now, clock)
    rules = (yield from search.company_rules()) if asking.company else ()
    decoded = decode(text, rules)
    if not decoded.readings:
        raise _unreadable(text, (*_no_rules(asking, rules), *decoded.rejections))
    if len(decoded.readings) == 1:
        one = yield from search.resolve(decoded.readings[0])
        return one or search.only(decoded.readings, [], None)
    found: list[ProductAnswer] = []
    failure: ResolverError | None = None
    tried: set[str] = set()
    for reading in decoded.readings:
        direct = direct_identifier(reading)
        if direct is not None:
            if direct in tried:
                continue
            tried.add(direct)
        try:
            one = yield from search.resolve(reading)
        except UnreachableError:
            raise  # the other readings would only wait as long
        except ResolverError as error:
            failure = failure or error
        else:
            if one is not None:
                found.append(one)
    return search.only(decoded.readings, found, failure)


class _Search:
    """What is known while one code is looked up."""

    __slots__ = ("_asked", "_asking", "_choices", "_clock", "_now", "_text")

    def __init__(self, text: str, asking: Asking, now: float, clock: float) -> None:
        self._text = text
        self._asking = asking
        self._now = now
        self._clock = clock
        self._asked: list[Asked] = []
        self._choices: tuple[str, ...] = ()
        """Identifiers of alias records that name several."""

    def company_rules(self) -> Generator[Wanted, Reply, tuple[Rule, ...]]:
        """Learn the rules by which the enterprise's own codes are read."""
        name, types = company_rules_name(self._asking.company), (RULE_TYPE,)
        memory = self._asking.memory
        reply = None if self._asking.fresh else memory.recall(name, self._now)
        if reply is None:
            reply = yield Wanted(name, types)
            memory.remember(name, types, reply, self._now)
            self._asked.append(Asked(name, reply.code, _origin(reply)))
        return rules_in(reply.values)

    def resolve(
        self, reading: Reading
    ) -> Generator[Wanted, Reply, ProductAnswer | None]:
        """Resolve one reading; None where nothing is registered for it."""
        memory, fresh = self._asking.memory, self._asking.fresh
        asked, now = self._asked, self._now
        look = look_up(reading, () if fresh else memory.known)
        reply: Reply | None = None
        found: Found | None
        # In one piece: a generator for each question costs as much as the question.
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
                    asked.append(Asked(name, reply.code, _origin(reply)))
                wanted = look.send(reply.values if reply.code == _SUCCESS else None)
        except StopIteration as end:
            found = end.value
        if found is None:
            return None
        if len(found.identifiers) > 1:
            self._choices += found.identifiers
            return None
        identifier = found.identifiers[0]
        if found.by != "rule" or reply is None:  # a rule's record came last
            reply = yield Wanted(identifier)
            asked.append(Asked(identifier, reply.code, _origin(reply)))
        return self._product(reading, found, reply)

    def only(
        self,
        readings: tuple[Reading, ...],
        found: list[ProductAnswer],
        failure: ResolverError | None,
    ) -> ProductAnswer:
        """Give the one answer; what was asked for the other readings belongs to it."""
        choices = self._choices
        if found:
            choices = (*[one.identifier for one in found], *choices)
            if len(choices) == 1 or len(set(map(_same, choices))) == 1:
                # As `_replace` does, in a third of the time.
                return ProductAnswer(*found[0][:-1], tuple(self._asked))
        if choices:
            named = tuple(dict.fromkeys(choices))
            message = f"{self._text[:128]} means several things: {', '.join(named)}"
            raise AmbiguousCodeError(message, named)
        wrong = mishaps(self._text.strip())
        if failure is not None and not (wrong and isinstance(failure, NotFoundError)):
            raise failure
        names = tuple(dict.fromkeys(one.name for one in self._asked))
        raise CodeNotFoundError(self._text, readings, names, wrong)

    def _product(self, reading: Reading, found: Found, reply: Reply) -> ProductAnswer:
        identifier = found.identifiers[0]
        if reply.code != _SUCCESS:
            why = reply.message
            if found.by == "alias":
                why = f"{found.source} names it{f': {why}' if why else ''}"
            raise answer_error(reply.code, why, identifier)
        ttl_seconds = shortest_ttl(reply.values, self._clock)
        answer = Answer(identifier, reply.values, ttl_seconds, reply.authoritative)
        asked = tuple(self._asked)
        return ProductAnswer(self._text, reading, identifier, found, answer, asked)


def _origin(reply: Reply) -> str:
    return "node" if reply.authoritative else "cache"


def _same(identifier: str) -> bytes:
    try:
        return canonical(identifier.encode())
    except InvalidIdentifierError:
        return identifier.encode()


def _no_rules(asking: Asking, rules: tuple[Rule, ...]) -> tuple[Rejection, ...]:
    """Say so where codes of an enterprise may come that declares no rules for them."""
    if not asking.company or rules:
        return ()
    reason = f"{asking.company} declares no rules for its own codes"
    expected = f"{RULE_TYPE} values in {company_rules_name(asking.company)}"
    return (Rejection("company", "rule", reason, None, expected),)


def _unreadable(text: str, rejections: tuple[Rejection, ...]) -> UnreadableCodeError:
    reasons = "; ".join(str(one) for one in rejections[:MAX_REASONS])
    message = f"{text[:128]!r} is no code of any scheme: {reasons}"
    return UnreadableCodeError(message, rejections)
