"""From octets to octets: what is remembered of one request changes no answer to another.

A responder remembers the heads of requests and casts answers in the mould of earlier
ones. One that has seen a request's like must answer as one that has seen nothing.
"""

from typing import NamedTuple

import pytest
from hypothesis import given, settings, strategies as st

from registry.model.octets import pack_u32
from registry.model.value import Value
from resolver import responder
from resolver.chain import SUCCESS, Chain, Origin, Reply, failure
from resolver.deferred import Deferred
from resolver.encoder import MAX_BODY_OCTETS
from resolver.responder import Responder
from resolver.telemetry import Telemetry
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.envelope import Envelope
from resolver.wire.header import Header
from resolver.wire.message import build_message, decode_message
from resolver.wire.request import OnHandle, Resolution, WithValues
from tests.strategies import U8, U16, U32

NOW = 1_700_000_000.0
VERSIONS = st.sampled_from([(2, 10), (2, 0), (2, 4), (2, 5), (3, 0), (1, 1), (9, 9)])
USUAL = {
    "version": (2, 10),
    "suggested": (2, 11),
    "session_id": 0,
    "sequence": 0,
    "flags": 0,
    "site_serial": 0xFFFF,
    "recursion_count": 0,
    "expiration": int(NOW) + 1,
}
"""What many requests of a client share."""

OTHERS = {
    "version": VERSIONS,
    "suggested": VERSIONS | st.tuples(U8, U8),
    "session_id": U32,
    "sequence": U32,
    "flags": st.sampled_from([0x1900_0000, *map(int, OpFlag)]) | U32,
    "site_serial": U16,
    "recursion_count": U8,
    "expiration": st.sampled_from([0, int(NOW), int(NOW) + 9]) | U32,
}
CHANGES = st.just({}) | st.sampled_from(sorted(OTHERS)).flatmap(
    lambda name: st.fixed_dictionaries({name: OTHERS[name]})
)

BODIES = st.sampled_from([b"", b"88/X", b"88/LONGER"]).map(
    lambda handle: OnHandle(handle).encode()
) | st.binary(max_size=8)
CREDENTIALS = st.sampled_from([b"", b"", None, b"signed"])
REPLIES = st.builds(
    Reply,
    code=st.sampled_from([1, 1, 1, 2, 402]),
    body=st.binary(max_size=8),
    opcode=st.sampled_from([None, None, 100]),
    authoritative=st.booleans(),
    session_id=st.sampled_from([None, None, 9]),
    more=st.sampled_from([(), (), (b"more",)]),
)


class Asked(NamedTuple):
    """A request, and what a handler says to it."""

    fields: dict
    request_id: int
    body: bytes
    credential: bytes | None
    reply: Reply

    @property
    def octets(self) -> bytes:
        fields = self.fields
        envelope = Envelope(
            *fields["version"],
            *fields["suggested"],
            fields["session_id"],
            self.request_id,
            fields["sequence"],
            0,
        )
        header = Header(
            OpCode.DELETE_HANDLE,
            0,
            fields["flags"],
            fields["site_serial"],
            fields["recursion_count"],
            0,
            fields["expiration"],
            0,
        )
        return build_message(envelope, header, self.body, self.credential).encode()


BODY = OnHandle(b"88/X").encode()


def asked(reply=SUCCESS, body: bytes = BODY, **fields) -> Asked:
    return Asked({**USUAL, **fields}, 7, body, b"", reply)


@st.composite
def alike(draw) -> list[Asked]:
    """Requests of one client, most of which share all that may be shared."""
    fields = {**USUAL, **draw(CHANGES)}
    return [
        Asked(
            {**fields, **(draw(CHANGES) if draw(st.booleans()) else {})},
            draw(U32),
            draw(BODIES),
            draw(CREDENTIALS),
            draw(REPLIES),
        )
        for _ in range(draw(st.integers(2, 4)))
    ]


class Subject(Responder):
    """A responder whose only handler says what it is told to, at once or later."""

    def __init__(self, *, later: bool = False) -> None:
        def handler(query):
            del query
            if not later:
                return self.reply
            self.deferred = Deferred()
            return self.deferred

        super().__init__(
            Chain((handler,)), Telemetry(), site_serial=1, sign=lambda _: b"signature"
        )
        self.deferred = None

    def answers(self, request: Asked, now: float = NOW) -> tuple[bytes, ...]:
        self.reply, self.deferred = request.reply, None
        origin = Origin("tcp", connected=True)
        answer = self.respond(request.octets, origin, "peer", now)
        if self.deferred is None:
            return answer
        told = []
        answer.then(told.append)
        self.deferred.set_result(request.reply)
        return told[0]


@settings(max_examples=600)
@given(requests=alike(), later=st.booleans())
def test_a_request_is_answered_alike_whatever_came_before(requests, later):
    warm = Subject(later=later)
    for request in requests:
        answers = warm.answers(request)
        assert answers == Subject(later=later).answers(request)


@pytest.mark.parametrize(
    "fields",
    [
        {"version": (3, 0)},
        {"version": (1, 0)},
        {"suggested": (2, 4)},
        {"suggested": (3, 0)},
        {"session_id": 9},
        {"sequence": 9},
        {"flags": 0x1900_0000},
        {"flags": int(OpFlag.RETURN_REQUEST_DIGEST)},
        {"flags": int(OpFlag.CERTIFIED)},
        {"site_serial": 9},
        {"recursion_count": 200},
        {"expiration": 0},
        {"expiration": int(NOW) + 9},
    ],
    ids=str,
)
def test_no_field_that_requests_share_is_overlooked(fields):
    subject = Subject()
    for request in (asked(), asked(**fields), asked(body=OTHER, **fields), asked()):
        assert subject.answers(request) == Subject().answers(request)


def test_no_field_of_a_reply_is_overlooked():
    subject = Subject()
    plain = Reply(1, b"x")
    for reply in (
        plain,
        plain._replace(authoritative=False),
        plain._replace(opcode=OpCode.CREATE_HANDLE),
        plain._replace(session_id=9),
        plain._replace(more=(b"more",)),
        plain._replace(code=2),
        plain,
    ):
        assert subject.answers(asked(reply)) == Subject().answers(asked(reply))


OTHER = OnHandle(b"88/OTHER").encode()


@pytest.mark.parametrize("tail", [b"\0", b"\0\0\0", b"\0\0\0\1", bytes(5)])
@pytest.mark.parametrize("declared", [True, False])
def test_what_breaks_its_layout_is_refused_as_if_it_were_the_first(tail, declared):
    warm, cold = Subject(), Subject()
    warm.answers(asked())
    octets = bytearray(asked().octets[:-4] + tail)
    if declared:
        octets[16:20] = pack_u32(len(octets) - 20)
    origin = Origin("tcp", connected=True)
    answers = [
        subject.respond(bytes(octets), origin, "peer", NOW) for subject in (warm, cold)
    ]
    assert answers[0] == answers[1]
    assert decode_message(answers[0][0]).header.response_code == 4


def test_an_answer_echoes_a_time_only_while_it_is_to_come():
    subject, request = Subject(), asked(expiration=int(NOW) + 1)

    def expiration(now: float) -> int:
        (answer,) = subject.answers(request, now)
        return decode_message(answer).header.expiration

    assert [expiration(NOW), expiration(NOW)] == [int(NOW) + 1] * 2
    assert expiration(NOW + 1) > int(NOW) + 1


def test_an_answer_that_is_too_long_says_so_each_time():
    subject = Subject()
    for size in (MAX_BODY_OCTETS, MAX_BODY_OCTETS + 1) * 2:
        (answer,) = subject.answers(asked(Reply(1, bytes(size))))
        code = decode_message(answer).header.response_code
        assert code == (1 if size <= MAX_BODY_OCTETS else 2)


def test_all_is_counted_whether_or_not_it_was_seen_before():
    subject = Subject()
    for request in (asked(), asked(body=b"\0"), asked(failure(100))) * 2:
        subject.answers(request)
    telemetry = subject._telemetry
    assert telemetry.requests == {("tcp", OpCode.DELETE_HANDLE): 6}
    assert telemetry.answers == {1: 2, 100: 2, 4: 2}
    assert telemetry.malformed == 2


def test_heads_are_remembered_within_bounds(monkeypatch):
    monkeypatch.setattr(responder, "MAX_HEADS", 4)
    subject = Subject()
    for number in range(20):
        subject.answers(asked(site_serial=number))
        assert 0 < len(subject._heads) <= 4


@pytest.mark.parametrize(
    ("opcode", "asked_for"),
    [
        (OpCode.RESOLUTION, Resolution(b"88/X", (1,), (b"URL",))),
        (OpCode.CREATE_HANDLE, WithValues(b"88/X", (Value(1, "URL", b"x"),))),
    ],
)
def test_a_handler_finds_the_whole_message_and_its_flags(opcode, asked_for):
    seen = []

    def handler(query):
        seen.append((query.message, query.opcode, query.flags, query.peer))
        assert query.request == asked_for
        assert query.flag(OpFlag.CONTINUOUS)
        assert not query.flag(OpFlag.CERTIFIED)
        return SUCCESS

    subject = Responder(
        Chain((handler,)), Telemetry(), site_serial=1, sign=lambda _: b""
    )
    flags = int(OpFlag.CONTINUOUS | OpFlag.PUBLIC_ONLY)
    for request_id in (1, 2):
        envelope = Envelope(2, 10, 2, 11, 9, request_id, 0, 0)
        header = Header(opcode, 0, flags, 0xFFFF, 0, 0, int(NOW) + 1, 0)
        message = build_message(envelope, header, asked_for.encode())
        origin = Origin("tcp", connected=True)
        subject.respond(message.encode(), origin, "peer", NOW)
        assert seen.pop() == (message, opcode, flags, "peer")
