"""Framing of a stream: the pieces the network makes of it do not matter."""

import pytest
from hypothesis import given, strategies as st

from registry.errors import MalformedError
from resolver.session.stream import Framer
from resolver.wire.envelope import MAX_MESSAGE_OCTETS, Envelope
from tests.vectors.read import golden_pairs

TRAFFIC = [pair.response for pair in golden_pairs()]


def framed(pieces):
    framer = Framer()
    return [message for piece in pieces for message in framer.receive(piece)], framer


def test_octet_by_octet_gives_the_same_messages_as_all_at_once():
    stream = b"".join(TRAFFIC)
    at_once, _ = framed([stream])
    one_by_one, framer = framed([stream[n : n + 1] for n in range(len(stream))])
    assert at_once == one_by_one == TRAFFIC
    assert framer.kept == 0


@given(st.lists(st.integers(1, 400), min_size=1, max_size=40))
def test_any_cut_gives_the_same_messages(sizes):
    stream = b"".join(TRAFFIC)
    pieces, start = [], 0
    for size in sizes:
        pieces.append(stream[start : start + size])
        start += size
    pieces.append(stream[start:])
    assert framed(pieces)[0] == TRAFFIC


@given(st.lists(st.binary(max_size=100), max_size=10))
def test_any_octets_give_messages_or_a_malformed_error(pieces):
    framer = Framer()
    given_back = b""
    try:
        for piece in pieces:
            given_back += b"".join(framer.receive(piece))
    except MalformedError:
        return
    stream = b"".join(pieces)
    assert stream.startswith(given_back)
    assert framer.kept == len(stream) - len(given_back)


@pytest.mark.parametrize("extra", [0, 1])
def test_a_message_may_be_as_long_as_the_limit_and_no_longer(extra):
    envelope = Envelope(2, 11, 2, 11, 0, 1, 0, MAX_MESSAGE_OCTETS + extra).encode()
    framer = Framer()
    if extra:
        with pytest.raises(MalformedError, match="at most 262144"):
            framer.receive(envelope)
    else:
        (whole,) = framer.receive(envelope + bytes(MAX_MESSAGE_OCTETS))
        assert len(whole) == MAX_MESSAGE_OCTETS + 20


def test_an_incomplete_message_is_kept_and_nothing_else():
    whole = TRAFFIC[0]
    framer = Framer()
    assert framer.receive(whole + whole[:30]) == [whole]
    assert framer.kept == 30
    assert framer.receive(whole[30:]) == [whole]
    assert framer.kept == 0
