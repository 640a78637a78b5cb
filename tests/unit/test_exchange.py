"""One request, one server: tries, matching, and the way to TCP."""

import pytest

from registry.model.value import Value
from resolver.errors import BadAnswerError, TimedOutError
from resolver.session.draft import Draft
from resolver.session.exchange import (
    Done,
    Exchange,
    Failed,
    RetryPolicy,
    Send,
    ServerAddress,
    Stream,
    Wait,
)
from resolver.session.fragments import split
from resolver.wire.codes import OpCode
from resolver.wire.message import decode_message
from resolver.wire.request import Resolution
from resolver.wire.response import Values
from tests.nano import respond
from tests.vectors.read import golden_pairs

SERVER = ServerAddress("127.0.0.1", 2641, 2641)
NOW = 1_700_000_000.0


def request(handle=b"88.118.7/SN1", request_id=7):
    body = Resolution(handle).encode()
    return Draft(OpCode.RESOLUTION, body).message(request_id, NOW)


def answer(to, size=0):
    values = (Value(1, "URL", b"x" * size),)
    return respond(to, 1, Values(b"88.118.7/SN1", values).encode())


def exchange(asked=None, server=SERVER, lifetime=10.0):
    policy = RetryPolicy(lifetime_seconds=lifetime)
    return Exchange(asked or request(), server, policy, policy.deadline(0.0))


def test_a_draft_opens_a_message_as_the_official_sdk_does():
    encoded = request().encode()
    assert encoded[:4] == bytes.fromhex("020a020b")
    assert decode_message(encoded).header.expiration == NOW + 43_200


def test_an_answer_ends_the_exchange():
    asked = request()
    state = exchange(asked)
    action = state.step(0.0)
    assert action == Send([asked.encode()], 0.5)
    done = state.receive(answer(asked), 0.1)
    assert isinstance(done, Done)
    assert done.message.header.response_code == 1


def test_tries_wait_as_long_as_those_of_the_java_library_then_tcp_is_asked():
    state = exchange()
    times, now = [], 0.0
    while isinstance(action := state.step(now), Send):
        times.append(action.until - now)
        now = action.until
    assert times == pytest.approx([0.5, 1.0, 1.5])
    assert isinstance(action, Stream)
    assert action.until == 10.0


def test_all_tries_carry_the_same_octets_so_a_late_answer_counts():
    asked = request()
    state = exchange(asked)
    first, second = state.step(0.0), state.step(0.5)
    assert first.datagrams == second.datagrams
    assert isinstance(state.receive(answer(asked), 0.6), Done)


def test_no_try_outlives_the_deadline():
    state = exchange(lifetime=0.7)
    assert state.step(0.0).until == 0.5
    assert state.step(0.5).until == 0.7
    failed = state.step(0.7)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, TimedOutError)


def test_an_answer_with_another_request_id_is_ignored():
    state = exchange()
    state.step(0.0)
    assert state.receive(answer(request(request_id=8)), 0.1) == Wait(0.5)
    assert state.ignored == 1


@pytest.mark.parametrize("octets", [b"", b"\xff" * 19, b"\xff" * 600, bytes(44)])
def test_garbage_is_ignored(octets):
    state = exchange()
    state.step(0.0)
    assert isinstance(state.receive(octets, 0.1), Wait)
    assert state.ignored == 1


def test_a_request_that_comes_back_is_no_answer():
    asked = request()
    state = exchange(asked)
    state.step(0.0)
    assert isinstance(state.receive(asked.encode(), 0.1), Wait)


def test_an_answer_in_pieces_is_put_together_in_any_order():
    asked = request()
    state = exchange(asked)
    state.step(0.0)
    *first, last = reversed(split(answer(asked, size=2000)))
    assert len(first) > 2
    for piece in first:
        assert isinstance(state.receive(piece, 0.1), Wait)
    done = state.receive(last, 0.1)
    assert isinstance(done, Done)
    assert len(done.message.body) > 2000


def test_pieces_lost_in_one_try_are_filled_in_by_the_next():
    asked = request()
    state = exchange(asked)
    state.step(0.0)
    pieces = split(answer(asked, size=1000))
    state.receive(pieces[0], 0.1)
    state.step(0.5)
    state.receive(pieces[1], 0.6)
    assert isinstance(state.receive(pieces[2], 0.6), Done)


def test_a_truncated_answer_is_asked_for_over_tcp():
    asked = request()
    state = exchange(asked)
    state.step(0.0)
    action = state.receive(respond(asked, 1, b"", envelope_flags=0x20), 0.1)
    assert action == Stream(asked.encode(), 10.0)


def test_pieces_marked_truncated_are_still_pieces():
    asked = request()
    state = exchange(asked)
    state.step(0.0)
    body = Values(b"88.118.7/SN1", (Value(1, "URL", b"x" * 900),)).encode()
    pieces = split(respond(asked, 1, body, envelope_flags=0x20))
    actions = [state.receive(piece, 0.1) for piece in pieces]
    assert isinstance(actions[-1], Done)


def test_a_refused_port_leads_to_tcp_at_once():
    state = exchange()
    state.step(0.0)
    assert isinstance(state.refused(0.1), Stream)


def test_a_long_request_goes_to_tcp_at_once():
    assert isinstance(exchange(request(b"88.118.7/" + b"x" * 600)).step(0.0), Stream)


def test_a_long_request_goes_in_pieces_where_there_is_no_tcp():
    server = SERVER._replace(tcp_port=None)
    action = exchange(request(b"88.118.7/" + b"x" * 600), server).step(0.0)
    assert isinstance(action, Send)
    assert len(action.datagrams) == 2


def test_without_tcp_the_last_try_is_the_end():
    state = exchange(server=SERVER._replace(tcp_port=None))
    for now in (0.0, 0.5, 1.5):
        assert isinstance(state.step(now), Send)
    assert isinstance(state.step(3.0), Failed)


def test_without_udp_tcp_is_the_start():
    assert isinstance(exchange(server=SERVER._replace(udp_port=None)).step(0.0), Stream)


def test_a_message_over_tcp_ends_the_exchange():
    asked = request()
    state = exchange(asked, SERVER._replace(udp_port=None))
    state.step(0.0)
    assert isinstance(state.receive_stream(answer(asked)), Done)


@pytest.mark.parametrize("octets", [bytes(10), request().encode()])
def test_what_is_no_response_over_tcp_breaks_the_protocol(octets):
    failed = exchange().receive_stream(octets)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, BadAnswerError)


def test_recorded_answers_end_the_exchange_of_their_requests():
    ended = 0
    for pair in golden_pairs():
        state = exchange(decode_message(pair.request))
        state.step(0.0)
        actions = [state.receive(piece, 0.1) for piece in split(pair.response)]
        lost = pair.response[8:12] == b"\xff" * 4
        assert isinstance(actions[-1], Wait if lost else Done), pair.name
        ended += not lost
    assert ended == 27


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:2641", "127.0.0.1", 2641),
        ("localhost:1", "localhost", 1),
        ("[::1]:3641", "::1", 3641),
    ],
)
def test_an_address_reads_and_writes_the_same(text, host, port):
    address = ServerAddress.parse(text)
    assert address == (host, port, port)
    assert str(address) == text


@pytest.mark.parametrize(
    "text", ["", "host", ":1", "host:", "host:0", "host:65536", "::1:2641", "[x]:1"]
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError, match="HOST:PORT expected"):
        ServerAddress.parse(text)


@pytest.mark.parametrize("policy", [{"timeouts": ()}, {"lifetime_seconds": 0}])
def test_a_policy_that_never_asks_is_refused(policy):
    with pytest.raises(ValueError, match="at least one try"):
        RetryPolicy(**policy)
