"""Many codes under way at once on one TCP connection, without any I/O.

    fill ─▶ outgoing ─▶ (connection) ─▶ receive ─▶ take
              ▲                           │
              └──── the code's next question

Each code is a generator of questions (`resolver.client.products`); its next one goes out
with those of the others, and a batch of them costs one system call. At most `size` codes
are looked up, or wait to be taken, at once, and at most `MAX_OCTETS` of questions are
without an answer, which socket buffers hold: so neither side can wait for the other to
read. What a connection cannot answer (a referral, or because it was lost) is put into
`alone`, for the carrier to ask on its own.

The octets of requests are those of `Draft`, of responses those of `decode_message`; both
are spelled out here because they are most of what a code costs.
"""

import struct
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import NamedTuple

from registry.errors import MalformedError, RegistryError
from registry.model.codes import ResponseCode
from registry.model.octets import Cursor
from registry.model.value import Value, read_values
from registry.schemes.lookup import Wanted
from registry.schemes.reading import Rejection
from resolver.client import request
from resolver.client.answer import Result
from resolver.client.code_memory import Reply
from resolver.client.products import ProductAnswer, Steps
from resolver.errors import (
    BadAnswerError,
    ResolverError,
    UnreadableCodeError,
    answer_error,
)
from resolver.session.draft import (
    REQUEST_ID_BITS,
    SPOKEN_VERSION,
    SUGGESTED_VERSION,
)
from resolver.session.reading import text_of
from resolver.session.stream import Framer
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.header import (
    DEFAULT_LIFE_SECONDS,
    HEADER_OCTETS,
    UNKNOWN_SITE_SERIAL,
)
from resolver.wire.message import decode_message
from resolver.wire.request import Resolution

MAX_OCTETS = 65_536
_MAX_SHOWN = 128

_ID_MASK = (1 << REQUEST_ID_BITS) - 1
_HEAD = struct.Struct("!8xI12xII8xI")
"""Request id, response code, flags, body length; the last ends at octet 44."""

_REQUEST = struct.Struct("!BBBBIIIIIIIHBBIII")
_VERSIONS = (*SPOKEN_VERSION, *SUGGESTED_VERSION)
_NO_CREDENTIAL = bytes(4)
_HEADER_AND_CREDENTIAL = HEADER_OCTETS + len(_NO_CREDENTIAL)
_RESOLUTION = int(OpCode.RESOLUTION)

_BODY = 44
_LENGTH = struct.Struct("!I")
_AUTHORITATIVE = int(OpFlag.AUTHORITATIVE)
_DIGEST = int(OpFlag.RETURN_REQUEST_DIGEST)
_SUCCESS = int(ResponseCode.SUCCESS)
_NONE_THERE = (int(ResponseCode.HANDLE_NOT_FOUND), int(ResponseCode.VALUES_NOT_FOUND))
_REFERRALS = (
    int(ResponseCode.SERVICE_REFERRAL),
    int(ResponseCode.PREFIX_REFERRAL),
)


class Flight(NamedTuple):
    """A code whose question is without an answer."""

    number: int
    text: str
    steps: Steps
    wanted: Wanted
    octets: int


class Flow:
    """Codes on their way, and the octets that go out and come in."""

    def __init__(
        self,
        lines: Iterator[str],
        start: Callable[[str], Steps],
        size: int,
        first_id: int,
        *,
        ordered: bool,
        fresh: bool = False,
    ) -> None:
        self._lines = lines
        self._start = start
        self._size = size
        self._ordered = ordered
        self._flags = request.question_flags(fresh=fresh) | int(OpFlag.KEEP_ALIVE)
        self._next_id = first_id
        self._started = 0
        self._given = 0
        self._more = True
        self._framer = Framer()
        self._flying: dict[int, Flight] = {}
        self._octets = 0
        self._done: dict[int, Result] = {}
        self._outgoing: list[bytes] = []
        self._expiration = 0
        self.alone: list[Flight] = []
        """Questions that the carrier asks on its own."""

        self.late = 0
        """Answers that nobody waited for."""

    @property
    def flying(self) -> bool:
        """Whether questions are without an answer."""
        return bool(self._flying)

    @property
    def ready(self) -> bool:
        """Whether a result can be taken."""
        return self._given in self._done if self._ordered else bool(self._done)

    @property
    def over(self) -> bool:
        """Whether every line was read and its result taken."""
        return not (self._more or self._flying or self.alone or self._done)

    def fill(self, clock: float) -> bytes:
        """Start codes up to the limits; give the octets to send.

        `clock` is in seconds since 1970, for the requests' time of expiration.
        """
        room = self._size - len(self._flying) - len(self.alone) - len(self._done)
        self._expiration = int(clock) + DEFAULT_LIFE_SECONDS
        while room > 0 and self._more and self._octets < MAX_OCTETS:
            try:
                line: object = next(self._lines)
            except StopIteration:
                self._more = False
                break
            room -= 1
            number = self._started
            self._started += 1
            if isinstance(line, str):
                text = line.rstrip("\r\n")
                steps = self._start(text)
                self._step(number, text, steps, partial(next, steps))
            else:
                self._done[number] = _no_text(line)
        octets = b"".join(self._outgoing)
        self._outgoing.clear()
        return octets

    def receive(self, octets: bytes) -> None:
        """Take what came over the connection.

        Raises:
            MalformedError: It is no stream of messages.
        """
        for whole in self._framer.receive(octets):
            if len(whole) < _BODY:
                raise MalformedError(f"answer of {len(whole)} octets, {_BODY} expected")
            request_id, code, flags, size = _HEAD.unpack_from(whole)
            flight = self._flying.pop(request_id, None)
            if flight is None:
                self.late += 1
                continue
            self._octets -= flight.octets
            if code == _SUCCESS:
                self._succeed(flight, whole, flags, size)
            elif code in _NONE_THERE:
                # Only the last question's text is told to anybody.
                text = "" if flight.wanted.types else _text(whole)
                self.reply(flight, Reply(code, (), bool(flags & _AUTHORITATIVE), text))
            elif code in _REFERRALS:
                self.alone.append(flight)
            else:
                name = flight.wanted.name
                self.fail(flight, answer_error(code, _text(whole), name))

    def reply(self, flight: Flight, reply: Reply) -> None:
        """Go on with a code whose question was answered."""
        steps = flight.steps
        self._step(flight.number, flight.text, steps, partial(steps.send, reply))

    def fail(self, flight: Flight, error: ResolverError) -> None:
        """Go on with a code whose question failed."""
        steps = flight.steps
        self._step(flight.number, flight.text, steps, partial(steps.throw, error))

    def lost(self) -> None:
        """The connection is gone: what is without an answer is to be asked alone."""
        self.alone += self._flying.values()
        self._flying.clear()
        # Those not sent yet are among them.
        self._outgoing.clear()
        self._octets = 0
        self._framer = Framer()

    def take(self) -> Iterator[Result]:
        """Give the results that may be given now."""
        while self._done:
            number = self._given if self._ordered else next(iter(self._done))
            result = self._done.pop(number, None)
            if result is None:
                return
            self._given += 1
            yield result

    def _step(
        self, number: int, text: str, steps: Steps, go_on: Callable[[], Wanted]
    ) -> None:
        """Take a code to its next question, or to its end."""
        try:
            wanted = go_on()
        except StopIteration as end:
            self._finish(number, text, end.value)
        except ResolverError as failure:
            self._done[number] = Result(text, failure, text)
        else:
            self._ask(number, text, steps, wanted)

    def _finish(self, number: int, text: str, product: ProductAnswer) -> None:
        self._done[number] = Result(product.identifier, product.answer, text, product)

    def _ask(self, number: int, text: str, steps: Steps, wanted: Wanted) -> None:
        name_octets = wanted.name.encode()
        tail = _tail(wanted.types)
        request_id = self._next_id
        while request_id in self._flying:
            request_id = (request_id + 1) & _ID_MASK
        self._next_id = (request_id + 1) & _ID_MASK
        name_size = len(name_octets)
        size = 4 + name_size + len(tail)
        head = _REQUEST.pack(
            *_VERSIONS,
            0,
            request_id,
            0,
            _HEADER_AND_CREDENTIAL + size,
            _RESOLUTION,
            0,
            self._flags,
            UNKNOWN_SITE_SERIAL,
            0,
            0,
            self._expiration,
            size,
            name_size,
        )
        octets = b"".join((head, name_octets, tail, _NO_CREDENTIAL))
        self._flying[request_id] = Flight(number, text, steps, wanted, len(octets))
        self._octets += len(octets)
        self._outgoing.append(octets)

    def _succeed(self, flight: Flight, whole: bytes, flags: int, size: int) -> None:
        try:
            values = _values(whole, flags, size)
        except (RegistryError, struct.error) as error:
            message = f"{flight.wanted.name}: answer cannot be read: {error}"
            self.fail(flight, BadAnswerError(message))
        else:
            reply = Reply(_SUCCESS, values, bool(flags & _AUTHORITATIVE))
            self.reply(flight, reply)


@lru_cache(maxsize=64)
def _tail(types: tuple[str, ...]) -> bytes:
    """Encode what follows the name in the body: no indexes, and the types."""
    kinds = tuple(kind.encode() for kind in types)
    return Resolution(b"", (), kinds).encode()[4:]


def _values(whole: bytes, flags: int, size: int) -> tuple[Value, ...]:
    if flags & _DIGEST:
        raise MalformedError("a digest of the request, which nobody asked for")
    (name_size,) = _LENGTH.unpack_from(whole, _BODY)
    cursor = Cursor(whole, _BODY + 4 + name_size, min(_BODY + size, len(whole)))
    values = read_values(cursor)
    cursor.finish("values")
    return values


def _no_text(line: object) -> Result:
    """Give the result of what is no line of text, such as a cell of a data frame."""
    shown = str(line)[:_MAX_SHOWN]
    reason = f"{type(line).__name__} {shown!r} is no text"
    rejection = Rejection(
        "any", "code", reason, None, "str: numbers lose leading zeros"
    )
    return Result(shown, UnreadableCodeError(str(rejection), (rejection,)), shown)


def _text(whole: bytes) -> str:
    """Read the text of an error; empty where there is none to read."""
    try:
        return text_of(decode_message(whole))
    except RegistryError:
        return ""
