"""The codec: whatever it wrote it reads, and whatever comes it survives."""

import asyncio
import tracemalloc
from concurrent.futures import Executor

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings, strategies as st

from registry.change import Change
from registry.errors import InvalidValueError, MalformedError
from registry.journal import Operation
from registry.model.octets import blob, pack_u32
from registry.model.value import Value
from resolver.chain import Origin
from resolver.node import Node, ServerKey
from resolver.settings import NodeSettings
from resolver.wire.codes import OpCode, OpFlag, ResponseCode
from resolver.wire.credential import MessageCredential, decode_credential, signed_octets
from resolver.wire.envelope import ENVELOPE_OCTETS, MAX_MESSAGE_OCTETS, Envelope
from resolver.wire.header import HEADER_OCTETS, Header
from resolver.wire.message import Message, build_message, decode_message
from resolver.wire.request import (
    KNOWN_OPERATIONS,
    MAX_QUESTION_ITEMS,
    Answer,
    Login,
    OnHandle,
    Opaque,
    RemoveValues,
    Resolution,
    SessionSetup,
    Verify,
    WithValues,
    decode_request,
)
from resolver.wire.response import (
    Challenge,
    Digest,
    Done,
    Failure,
    Handles,
    Named,
    Referral,
    ResponseBody,
    SessionOpened,
    SiteInfo,
    Unread,
    Values,
    Verified,
    decode_response,
    digest_of,
)
from tests.registries import InlineExecutor
from tests.strategies import TEXT, U8, U16, U32, VALUE_LISTS
from tests.vectors.read import golden_pairs, sdk_requests

REFUSALS = (MalformedError, InvalidValueError)
"""All that a reader may raise."""

OCTETS = st.binary(max_size=64)
NUMBERS = st.lists(U32, max_size=8).map(tuple)
NAMES = st.lists(OCTETS, max_size=8).map(tuple)

ON_HANDLE = st.builds(OnHandle, OCTETS)
WITH_VALUES = st.builds(WithValues, OCTETS, VALUE_LISTS)
OPAQUE = st.builds(Opaque, OCTETS)
REQUESTS = {
    OpCode.RESOLUTION: st.builds(
        Resolution, OCTETS, NUMBERS, NAMES, st.none() | OCTETS
    ),
    OpCode.GET_SITE_INFO: ON_HANDLE,
    OpCode.CREATE_HANDLE: WITH_VALUES,
    OpCode.DELETE_HANDLE: ON_HANDLE,
    OpCode.ADD_VALUE: WITH_VALUES,
    OpCode.REMOVE_VALUE: st.builds(RemoveValues, OCTETS, NUMBERS),
    OpCode.MODIFY_VALUE: WITH_VALUES,
    OpCode.LIST_HANDLES: ON_HANDLE,
    OpCode.LIST_DERIVED_PREFIXES: ON_HANDLE,
    OpCode.CHALLENGE_RESPONSE: st.builds(Answer, TEXT, OCTETS, U32, OCTETS),
    OpCode.VERIFY_CHALLENGE: st.builds(Verify, OCTETS, U32, OCTETS, OCTETS, OCTETS),
    OpCode.HOME_PREFIX: ON_HANDLE,
    OpCode.UNHOME_PREFIX: ON_HANDLE,
    OpCode.LIST_HOMED_PREFIXES: ON_HANDLE,
    OpCode.SESSION_SETUP: st.builds(SessionSetup, U16, U32, OCTETS, U32, OCTETS),
    OpCode.SESSION_TERMINATE: ON_HANDLE,
    OpCode.SESSION_EXCHANGE_KEY: OPAQUE,
    OpCode.GET_NEXT_TRANSACTION_ID: OPAQUE,
    OpCode.RETRIEVE_TRANSACTION_LOG: OPAQUE,
    OpCode.DUMP_HANDLES: OPAQUE,
    OpCode.BACKUP_SERVER: OPAQUE,
    OpCode.LOGIN_ID_SYSTEM: st.builds(Login, OCTETS, U32),
}
ANY_REQUEST = st.sampled_from(sorted(REQUESTS)).flatmap(
    lambda opcode: st.tuples(st.just(opcode), REQUESTS[opcode])
)

SUCCESSES = {
    OpCode.RESOLUTION: st.builds(Values, OCTETS, VALUE_LISTS),
    OpCode.GET_SITE_INFO: st.builds(SiteInfo, OCTETS),
    OpCode.CREATE_HANDLE: st.builds(Named, OCTETS) | st.just(Done()),
    OpCode.LIST_HANDLES: st.builds(Handles, NAMES),
    OpCode.LIST_DERIVED_PREFIXES: st.builds(Handles, NAMES),
    OpCode.LIST_HOMED_PREFIXES: st.builds(Handles, NAMES),
    OpCode.VERIFY_CHALLENGE: st.builds(Verified, st.booleans()),
    OpCode.SESSION_SETUP: st.builds(SessionOpened, U16, OCTETS),
    **{
        opcode: st.just(Done())
        for opcode in (
            OpCode.DELETE_HANDLE,
            OpCode.ADD_VALUE,
            OpCode.REMOVE_VALUE,
            OpCode.MODIFY_VALUE,
            OpCode.HOME_PREFIX,
            OpCode.UNHOME_PREFIX,
            OpCode.LOGIN_ID_SYSTEM,
            OpCode.SESSION_TERMINATE,
        )
    },
    **{
        opcode: st.builds(Unread, st.binary(min_size=1, max_size=64))
        for opcode in (
            OpCode.CHALLENGE_RESPONSE,
            OpCode.SESSION_EXCHANGE_KEY,
            OpCode.GET_NEXT_TRANSACTION_ID,
            OpCode.RETRIEVE_TRANSACTION_LOG,
            OpCode.DUMP_HANDLES,
            OpCode.BACKUP_SERVER,
        )
    },
}
REFERRAL_CODES = (ResponseCode.SERVICE_REFERRAL, ResponseCode.PREFIX_REFERRAL)
FAILURE_CODES = sorted(
    set(ResponseCode)
    - {
        ResponseCode.RESERVED,
        ResponseCode.SUCCESS,
        ResponseCode.AUTHENTICATION_NEEDED,
        *REFERRAL_CODES,
    }
)
OPCODES = st.sampled_from(sorted(KNOWN_OPERATIONS))
ANY_RESPONSE = st.one_of(
    st.sampled_from(sorted(SUCCESSES)).flatmap(
        lambda opcode: st.tuples(
            st.just(opcode), st.just(ResponseCode.SUCCESS), SUCCESSES[opcode]
        )
    ),
    st.tuples(
        OPCODES,
        st.just(ResponseCode.AUTHENTICATION_NEEDED),
        st.builds(Challenge, OCTETS),
    ),
    st.tuples(
        OPCODES,
        st.sampled_from(REFERRAL_CODES),
        st.builds(Referral, OCTETS, st.none() | VALUE_LISTS),
    ),
    st.tuples(
        OPCODES,
        st.sampled_from(FAILURE_CODES),
        st.builds(Failure, TEXT, st.none() | NUMBERS),
    ),
)
DIGESTS = st.one_of(
    st.none(),
    st.builds(Digest, st.just(0), OCTETS),
    *(
        st.builds(Digest, st.just(number), st.binary(min_size=size, max_size=size))
        for number, size in ((1, 16), (2, 20), (3, 32))
    ),
)

ENVELOPES = st.builds(Envelope, U8, U8, U8, U8, U32, U32, U32, U32)
HEADERS = st.builds(Header, U32, U32, U32, U16, U8, U8, U32, U32)
CREDENTIALS = st.builds(MessageCredential, OCTETS, U32, TEXT, TEXT, OCTETS, U8, U8, U16)

GOLDEN = golden_pairs()
VECTORS = [
    *(pair.request for pair in GOLDEN),
    *(pair.response for pair in GOLDEN),
    *(line.octets for line in sdk_requests()),
]
(SIGNED,) = (p.response for p in GOLDEN if p.name == "resolve all RRDG CERT")
INTERESTING = st.sampled_from(
    (0, 1, 3, 4, 0x7F, 0xFF, 0x400, 0xFFFF, 0x10_0000, 0x7FFF_FFFF, 0xFFFF_FFFF)
)


@st.composite
def mutated(draw, vectors=VECTORS, kept_front=0):
    """A recorded message after a few accidents."""
    octets = bytearray(draw(st.sampled_from(vectors)))
    for _ in range(draw(st.integers(1, 4))):
        position = draw(st.integers(kept_front, max(kept_front, len(octets) - 1)))
        match draw(st.sampled_from(("flip", "cut", "extend", "splice", "number"))):
            case "flip" if position < len(octets):
                octets[position] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del octets[position:]
            case "extend":
                octets[position:position] = draw(st.binary(max_size=24))
            case "splice":
                other = draw(st.sampled_from(vectors))
                octets[position:] = other[draw(st.integers(0, len(other))) :]
            case "number":
                octets[position : position + 4] = pack_u32(draw(INTERESTING))
    return bytes(octets)


def refitted(octets: bytes) -> bytes:
    """Set the envelope's length right, so that what is behind it gets looked at."""
    length = max(0, len(octets) - ENVELOPE_OCTETS)
    return octets[:16] + pack_u32(length) + octets[20:]


def with_body(opcode: int, code: int, flags: int, body: bytes) -> Message:
    envelope = Envelope(2, 11, 2, 11, 0, 7, 0, 0)
    header = Header(opcode, code, flags, 1, 0, 0, 0, 0)
    return build_message(envelope, header, body)


def test_every_operation_has_a_request_and_a_success_here():
    assert set(REQUESTS) == set(SUCCESSES) == set(KNOWN_OPERATIONS)


@given(ANY_REQUEST)
def test_any_request_is_read_as_it_was_written(drawn):
    opcode, request = drawn
    assert decode_request(opcode, request.encode()) == request


@given(ANY_RESPONSE, DIGESTS)
def test_any_response_is_read_as_it_was_written(drawn, digest):
    opcode, code, response = drawn
    body = ResponseBody(digest, response)
    flags = OpFlag.RETURN_REQUEST_DIGEST if digest else 0
    message = with_body(opcode, code, int(flags), body.encode())
    assert decode_response(decode_message(message.encode())) == body


@given(ENVELOPES, HEADERS, OCTETS, st.none() | OCTETS)
def test_any_message_is_read_as_it_was_written(envelope, header, body, credential):
    message = build_message(envelope, header, body, credential)
    assert decode_message(message.encode()) == message


@given(ENVELOPES)
def test_any_envelope_is_read_as_it_was_written(envelope):
    assert len(envelope.encode()) == ENVELOPE_OCTETS
    assert Envelope.decode(envelope.encode()) == envelope


@given(HEADERS)
def test_any_header_is_read_as_it_was_written(header):
    assert len(header.encode()) == HEADER_OCTETS
    assert Header.decode(header.encode()) == header


@given(CREDENTIALS)
def test_any_credential_is_read_as_it_was_written(credential):
    assert decode_credential(credential.encode()) == credential


@given(st.integers(1, 0x1F), U8, U8, U8)
def test_a_peer_is_known_by_the_version_it_suggests(major, minor, actual, flags):
    envelope = Envelope(2, actual, flags & 0xE0 | major, minor, 0, 0, 0, 0)
    assert envelope.suggested_version == (major, minor)
    assert envelope._replace(flags=flags & 0xE0).suggested_version == (2, actual)


@given(ENVELOPES, HEADERS, OCTETS, U32)
def test_signatures_cover_ids_from_version_2_8_on(envelope, header, body, counter):
    message = build_message(envelope, header, body)
    digested = message.header.encode() + body
    covered = signed_octets(message, counter)
    assert covered.endswith(digested)
    front = covered[: len(covered) - len(digested)]
    if envelope.version < (2, 8):
        assert front == b""
    else:
        numbers = (envelope.session_id, envelope.request_id, counter)
        assert front[4:] == b"".join(map(pack_u32, numbers))


@given(HEADERS, OCTETS, st.sampled_from((1, 2, 3)))
def test_a_digest_covers_header_and_body_and_nothing_else(header, body, algorithm):
    envelope = Envelope(2, 10, 2, 11, 0, 7, 0, 0)
    message = build_message(envelope, header, body)
    other = build_message(envelope._replace(session_id=9), header, body, b"signed")
    assert digest_of(message, algorithm) == digest_of(other, algorithm)
    longer = build_message(envelope, header, body + b"x")
    assert digest_of(message, algorithm) != digest_of(longer, algorithm)


@given(st.binary(max_size=200))
def test_any_octets_are_an_envelope_and_a_header_or_too_few(octets):
    for kind, size in ((Envelope, ENVELOPE_OCTETS), (Header, HEADER_OCTETS)):
        if len(octets) < size:
            with pytest.raises(MalformedError):
                kind.decode(octets)
        else:
            assert kind.decode(octets).encode() == octets[:size]


@given(st.binary(max_size=200) | mutated())
def test_any_octets_are_a_message_or_malformed(octets):
    check_message(octets)
    check_message(refitted(octets))


def check_message(octets: bytes) -> None:
    try:
        message = decode_message(octets)
    except MalformedError:
        return
    assert message.encode() == octets


@given(OPCODES, st.binary(max_size=200))
def test_any_octets_are_a_request_or_refused(opcode, octets):
    check_request(opcode, octets)


@given(OPCODES, mutated([vector[44:] for vector in VECTORS]))
def test_a_recorded_body_after_accidents_is_a_request_or_refused(opcode, octets):
    check_request(opcode, octets)


@given(ANY_REQUEST, st.data())
def test_a_request_after_accidents_is_a_request_or_refused(drawn, data):
    opcode, request = drawn
    check_request(opcode, data.draw(mutated([request.encode()])))


def check_request(opcode: int, octets: bytes) -> None:
    try:
        request = decode_request(opcode, octets)
    except REFUSALS:
        return
    assert request.encode() == octets


CODES = st.sampled_from(sorted(ResponseCode))
FLAGS = st.sampled_from((0, int(OpFlag.RETURN_REQUEST_DIGEST), 0xFFFF_FFFF))


@given(OPCODES | U32, CODES | U32, FLAGS, st.binary(max_size=200))
def test_any_octets_are_a_response_or_malformed(opcode, code, flags, octets):
    check_response(with_body(opcode, code, flags, octets))


@given(mutated([pair.response for pair in GOLDEN]))
def test_a_recorded_response_after_accidents_is_a_response_or_refused(octets):
    try:
        message = decode_message(refitted(octets))
    except MalformedError:
        return
    check_response(message)


@given(ANY_RESPONSE, DIGESTS, st.data())
def test_a_response_after_accidents_is_a_response_or_refused(drawn, digest, data):
    opcode, code, response = drawn
    body = data.draw(mutated([ResponseBody(digest, response).encode()]))
    flags = OpFlag.RETURN_REQUEST_DIGEST if digest else 0
    check_response(with_body(opcode, code, int(flags), body))


def check_response(message: Message) -> None:
    try:
        body = decode_response(message)
    except REFUSALS:
        return
    assert isinstance(body, ResponseBody)


@given(st.binary(max_size=200) | mutated([decode_message(SIGNED).credential]))
def test_any_octets_are_a_credential_or_malformed(octets):
    try:
        credential = decode_credential(octets)
    except MalformedError:
        return
    assert (credential.encode() if credential else b"") == octets


# Places of counts and lengths, each with all that comes before it in a body.
FORGED = {
    "handle": (OpCode.RESOLUTION, b""),
    "index count": (OpCode.RESOLUTION, blob(b"88/1")),
    "type count": (OpCode.RESOLUTION, blob(b"88/1") + pack_u32(0)),
    "type": (OpCode.RESOLUTION, blob(b"88/1") + pack_u32(0) + pack_u32(1)),
    "token": (OpCode.RESOLUTION, blob(b"88/1") + pack_u32(0) * 2),
    "value count": (OpCode.CREATE_HANDLE, blob(b"88/1")),
    "value type": (OpCode.ADD_VALUE, blob(b"88/1") + pack_u32(1) + bytes(14)),
    "value data": (OpCode.MODIFY_VALUE, blob(b"88/1") + pack_u32(1) + bytes(18)),
    "reference count": (OpCode.ADD_VALUE, blob(b"88/1") + pack_u32(1) + bytes(22)),
    "removed count": (OpCode.REMOVE_VALUE, blob(b"88/1")),
    "proof": (OpCode.CHALLENGE_RESPONSE, blob(b"HS_PUBKEY") + blob(b"88/1") + bytes(4)),
}
SIZES = (0x0100_0000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)


@pytest.mark.parametrize("place", FORGED)
@pytest.mark.parametrize("size", SIZES)
def test_a_forged_size_in_a_request_costs_no_memory(place, size):
    opcode, front = FORGED[place]
    body = front + pack_u32(size) + bytes(64)
    assert cost(lambda: decode_request(opcode, body)) < 16_384


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("opcode", "code", "front"),
    [
        (OpCode.RESOLUTION, 1, blob(b"88/1")),
        (OpCode.LIST_HANDLES, 1, b""),
        (OpCode.LIST_HANDLES, 1, pack_u32(1)),
        (OpCode.RESOLUTION, 302, blob(b"0.NA/88")),
        (OpCode.RESOLUTION, 4, blob(b"text")),
        (OpCode.RESOLUTION, 402, b""),
    ],
)
def test_a_forged_size_in_a_response_costs_no_memory(opcode, code, front, size):
    message = with_body(opcode, code, 0, front + pack_u32(size) + bytes(64))
    assert cost(lambda: decode_response(message)) < 16_384


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("place", [16, 40])
def test_a_forged_length_of_message_or_body_costs_no_memory(place, size):
    octets = bytearray(VECTORS[0])
    octets[place : place + 4] = pack_u32(size)
    assert cost(lambda: decode_message(bytes(octets))) < 16_384


@pytest.mark.parametrize("kind", ["indexes", "types", "values"])
def test_a_message_full_of_the_smallest_items_is_refused_before_they_are_read(kind):
    room = MAX_MESSAGE_OCTETS - 100
    bodies = {
        "indexes": (OpCode.RESOLUTION, pack_u32(room // 4) + bytes(room)),
        "types": (OpCode.RESOLUTION, pack_u32(0) + pack_u32(room // 4) + bytes(room)),
        "values": (OpCode.ADD_VALUE, pack_u32(room // 26) + bytes(room)),
    }
    opcode, rest = bodies[kind]
    body = blob(b"88/1") + rest
    assert cost(lambda: decode_request(opcode, body)) < 16_384


def cost(call) -> int:
    """Give the most memory a refused call held at a time."""
    tracemalloc.start()
    try:
        with pytest.raises(REFUSALS):
            call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_question_may_have_2048_items_and_not_one_more():
    most = Resolution(b"88/1", tuple(range(MAX_QUESTION_ITEMS)))
    assert decode_request(OpCode.RESOLUTION, most.encode()) == most
    more = Resolution(b"88/1", tuple(range(MAX_QUESTION_ITEMS + 1)))
    with pytest.raises(MalformedError):
        decode_request(OpCode.RESOLUTION, more.encode())


class Answering:
    """A node without sockets that answers in the test's own thread."""

    def __init__(self, directory, executor: Executor, *, authentication: bool) -> None:
        settings = NodeSettings(
            "wire", "enterprise", directory=directory, authentication=authentication
        )
        self.node = Node(settings, ServerKey(b"", lambda octets: b"s" * 256))
        self.node.bind()
        # Without a root nothing is asked of anybody: nobody would answer here.
        self.node.open(executor, "88", ())
        self.loop = uvloop.new_event_loop()
        self.run(self._seed())
        self.origins = (Origin("tcp", connected=True), Origin("udp", connected=False))

    def run(self, awaitable):
        async def awaited():
            async with asyncio.timeout(10):
                return await awaitable

        return self.loop.run_until_complete(awaited())

    async def _seed(self) -> None:
        registry, prefix = self.node.registry, b"88.888.1024"
        await registry.submit(Change(Operation.HOME, prefix, trusted=True))
        values = (Value(1, "URL", b"x"), Value(2, "PIN", b"y", permissions=0x0C))
        name = prefix + b"/G1"
        await registry.submit(Change(Operation.CREATE, name, values, trusted=True))

    def answers(self, octets: bytes, origin: Origin) -> tuple[bytes, ...]:
        async def answered():
            answer = self.node.responder.respond(octets, origin, "peer", 1.8e9)
            return answer if isinstance(answer, tuple) else await answer

        return self.run(answered())

    def close(self) -> None:
        self.run(self.node.close())
        self.loop.close()


@pytest.fixture(scope="module", params=[True, False], ids=["secured", "open"])
def answering(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp("wire")
    answering = Answering(directory, InlineExecutor(), authentication=request.param)
    yield answering
    answering.close()


ACCIDENTS = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@ACCIDENTS
@given(octets=st.binary(max_size=300))
def test_a_node_answers_any_octets_or_says_nothing(answering, octets):
    check_answers(answering, octets)


@ACCIDENTS
@given(octets=mutated())
def test_a_node_answers_any_message_after_accidents(answering, octets):
    check_answers(answering, octets)
    check_answers(answering, refitted(octets))


@ACCIDENTS
@given(
    drawn=ANY_REQUEST,
    envelope=ENVELOPES,
    flags=U32,
    recursion_count=U8,
    expiration=U32,
    credential=st.none() | OCTETS,
)
def test_a_node_answers_any_request(  # noqa: PLR0913 (all that a request says)
    answering, drawn, envelope, flags, recursion_count, expiration, credential
):
    opcode, asked = drawn
    header = Header(opcode, 0, flags, 0xFFFF, recursion_count, 0, expiration, 0)
    message = build_message(envelope, header, asked.encode(), credential)
    for answers in check_answers(answering, message.encode()):
        assert answers, "a request got no answer"


def check_answers(answering, octets: bytes) -> list[tuple[bytes, ...]]:
    found = [answering.answers(octets, origin) for origin in answering.origins]
    for answers in found:
        for answer in answers:
            check_answer(answer, octets)
    assert answering.node.telemetry.internal_errors == 0
    return found


def check_answer(answer: bytes, octets: bytes) -> None:
    message = decode_message(answer)
    decode_response(message)
    header = message.header
    assert header.response_code != 0
    if (header.opcode, message.envelope.request_id) == (0, 0xFFFF_FFFF):
        assert int.from_bytes(octets[20:24], "big") not in KNOWN_OPERATIONS
    else:
        assert message.envelope.request_id == Envelope.decode(octets).request_id
