"""Datagrams: cut, and put together again whatever the network does to them."""

import pytest
from hypothesis import given, strategies as st

from registry.errors import MalformedError
from resolver.session.fragments import (
    MAX_DATAGRAM_OCTETS,
    PARTIAL_LIFE_SECONDS,
    Reassembler,
    split,
)
from resolver.wire.envelope import Envelope
from tests.vectors.read import golden_pairs


def message(size, request_id=1, fill=b"x"):
    return Envelope(2, 11, 2, 11, 0, request_id, 0, size).encode() + fill * size


def sequenced(size):
    body = b"".join(n.to_bytes(4, "big") for n in range(size // 4))
    return Envelope(2, 11, 2, 11, 0, 1, 0, len(body)).encode() + body


@given(st.integers(0, 20_000))
def test_no_datagram_is_longer_than_512_octets(size):
    pieces = split(message(size))
    assert max(map(len, pieces)) <= MAX_DATAGRAM_OCTETS
    assert len(pieces) == max(1, -(-size // 492))


def test_pieces_are_cut_as_the_recorded_server_cuts_them():
    assert [len(piece) for piece in split(message(1280))] == [512, 512, 316]
    assert [Envelope.decode(p).sequence for p in split(message(1280))] == [0, 1, 2]
    assert {Envelope.decode(p).length for p in split(message(1280))} == {1280}


@given(st.data(), st.integers(1, 3000))
def test_any_order_with_any_repetition_gives_the_message(data, words):
    whole = sequenced(words * 4)
    pieces = split(whole)
    order = data.draw(st.permutations(pieces))
    doubled = data.draw(st.lists(st.sampled_from(pieces), max_size=5))
    reassembler = Reassembler()
    *early, last = order
    for piece in early:
        assert reassembler.receive(piece, "peer", 0.0) is None
    for piece in doubled:
        if piece is not last and len(pieces) > 1:
            assert reassembler.receive(piece, "peer", 0.0) is None
    assert reassembler.receive(last, "peer", 0.0) == whole


@given(st.data(), st.integers(500, 5000))
def test_without_one_piece_there_is_no_message(data, size):
    pieces = split(message(size))
    pieces.remove(data.draw(st.sampled_from(pieces)))
    reassembler = Reassembler()
    assert all(reassembler.receive(piece, "peer", 0.0) is None for piece in pieces)


def test_senders_and_requests_do_not_mix():
    reassembler = Reassembler()
    a, b = split(message(600, 1, b"a")), split(message(600, 2, b"b"))
    c = split(message(600, 1, b"c"))
    for piece, sender in ((a[0], "p"), (b[0], "p"), (c[0], "q")):
        assert reassembler.receive(piece, sender, 0.0) is None
    assert reassembler.receive(a[1], "p", 0.0) == message(600, 1, b"a")
    assert reassembler.receive(c[1], "q", 0.0) == message(600, 1, b"c")
    assert reassembler.receive(b[1], "p", 0.0) == message(600, 2, b"b")


@pytest.mark.parametrize("late", [False, True])
def test_a_partial_message_is_kept_for_five_seconds(late):
    reassembler = Reassembler()
    first, second = split(message(600))
    reassembler.receive(first, "peer", 100.0)
    now = 100.0 + PARTIAL_LIFE_SECONDS - (0 if late else 0.001)
    whole = reassembler.receive(second, "peer", now)
    assert whole == (None if late else message(600))
    assert reassembler.dropped == late


def test_the_oldest_partial_message_gives_way():
    reassembler = Reassembler(max_partials=2)
    halves = [split(message(600, n)) for n in range(3)]
    for first, _ in halves:
        reassembler.receive(first, "peer", 0.0)
    assert reassembler.dropped == 1
    assert reassembler.receive(halves[0][1], "peer", 0.0) is None
    assert reassembler.receive(halves[2][1], "peer", 0.0) == message(600, 2)


@given(st.binary(max_size=700))
def test_any_octets_give_a_message_nothing_or_a_malformed_error(octets):
    reassembler = Reassembler()
    try:
        whole = reassembler.receive(octets, "peer", 0.0)
    except MalformedError:
        return
    assert whole is None or whole == octets


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 492))
def test_a_piece_that_does_not_belong_is_malformed(sequence, length, size):
    octets = Envelope(2, 11, 2, 11, 0, 1, sequence, length).encode() + bytes(size)
    belongs = length <= 262_144 and size == min(492, length - sequence * 492)
    if belongs or (sequence == 0 and length == size):
        Reassembler().receive(octets, "peer", 0.0)
    else:
        with pytest.raises(MalformedError):
            Reassembler().receive(octets, "peer", 0.0)


def test_recorded_answers_survive():
    for pair in golden_pairs():
        reassembler = Reassembler()
        got = [reassembler.receive(p, "peer", 0.0) for p in split(pair.response)]
        assert got[-1] == pair.response
