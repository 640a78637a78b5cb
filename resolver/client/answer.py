"""What a client gets: the values of an identifier, and how they were found."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from registry.model.codes import ResponseCode
from registry.model.value import DEFAULT_TTL_SECONDS, Value
from registry.schemes.reading import Reading
from resolver.errors import (
    BadAnswerError,
    CodeNotFoundError,
    ResolverError,
    answer_error,
)
from resolver.session.reading import read_body, text_of
from resolver.session.walk import Hop
from resolver.wire.codes import OpFlag
from resolver.wire.message import Message
from resolver.wire.response import Values

if TYPE_CHECKING:
    from resolver.client.products import Asked, ProductAnswer

_AUTHORITATIVE = int(OpFlag.AUTHORITATIVE)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a resolution."""

    identifier: str
    """As it was asked for."""

    values: tuple[Value, ...]
    """In the server's order; empty in the trace of a name that has none."""

    ttl_seconds: int
    """How long the values may be kept: the shortest of their times."""

    authoritative: bool
    """Whether it came from the node itself; recursive nodes clear it on what they
    had in their cache."""

    code: int = int(ResponseCode.SUCCESS)
    """Response code; other than 1 only in traces, which do not raise."""

    message: str = ""
    """The server's text where the code is an error."""

    hops: tuple[Hop, ...] = ()
    """Who was asked on the way, in traces and where referrals were followed."""

    def first(self, type: str) -> str | None:  # noqa: A002 (the field's own word)
        """Give the first value of a type as text, or None."""
        return next((value.text for value in self.all(type)), None)

    def all(self, type: str) -> tuple[Value, ...]:  # noqa: A002
        """Give the values of a type, by the rule servers match with.

        Case does not count; `URL.` means URL and its subtypes (handle notes §1.9).
        """
        wanted = type.upper()
        return tuple(v for v in self.values if _matches(v.type.upper(), wanted))

    def value(self, index: int) -> Value | None:
        """Give the value with this index, or None."""
        return next((value for value in self.values if value.index == index), None)


class Result(NamedTuple):
    """One line of a bulk resolution."""

    identifier: str
    """What the line means; the line itself where it means nothing, or is one."""

    outcome: Answer | ResolverError
    text: str
    """The line as it came."""

    product: "ProductAnswer | None" = None
    """How it was understood and found; None where it was not."""

    @property
    def scheme(self) -> str:
        """The scheme of the code, also of one that leads nowhere; empty for no code."""
        reading = self._reading
        return "" if reading is None else reading.scheme

    @property
    def code(self) -> str:
        """The canonical code, also of one that leads nowhere; empty for no code."""
        reading = self._reading
        return "" if reading is None else reading.code

    @property
    def _reading(self) -> Reading | None:
        """How the code was understood; the likeliest reading of one that leads nowhere."""
        if self.product is not None:
            return self.product.reading
        if isinstance(self.outcome, CodeNotFoundError):
            return self.outcome.readings[0]
        return None

    @property
    def trace(self) -> "tuple[Asked, ...]":
        """The names that were asked for, and what came of it."""
        return () if self.product is None else self.product.asked

    @property
    def answer(self) -> Answer:
        """The answer.

        Raises:
            ResolverError: There is none; this is why.
        """
        if isinstance(self.outcome, ResolverError):
            raise self.outcome
        return self.outcome


def answer_from(
    identifier: str, response: Message, now: float, hops: tuple[Hop, ...] = ()
) -> Answer:
    """Read a response to a resolution; `now` is in seconds since 1970.

    Raises:
        AnswerError: The server answered with an error.
        BadAnswerError: The response breaks the protocol.
    """
    answer = traced_from(identifier, response, now, hops)
    if answer.code != ResponseCode.SUCCESS:
        raise answer_error(answer.code, answer.message, identifier)
    return answer


def traced_from(
    identifier: str, response: Message, now: float, hops: tuple[Hop, ...]
) -> Answer:
    """Read a response to a resolution, keeping an error as code and text."""
    header = response.header
    authoritative = bool(header.flags & _AUTHORITATIVE)
    if header.response_code != ResponseCode.SUCCESS:
        text = text_of(response)
        code = header.response_code
        return Answer(identifier, (), 0, authoritative, code, text, hops)
    body = read_body(response).response
    if not isinstance(body, Values):
        raise BadAnswerError(f"{identifier}: values expected, {body!r:.80} came")
    ttl_seconds = shortest_ttl(body.values, now)
    return Answer(identifier, body.values, ttl_seconds, authoritative, hops=hops)


def shortest_ttl(values: Iterable[Value], now: float) -> int:
    """Give the seconds for which values may be kept; relative and absolute count."""
    left = (v.ttl - int(now) if v.ttl_type else v.ttl for v in values)
    return max(min(left, default=DEFAULT_TTL_SECONDS), 0)


def _matches(kind: str, wanted: str) -> bool:
    if kind == wanted:
        return True
    return wanted.endswith(".") and (kind == wanted[:-1] or kind.startswith(wanted))
