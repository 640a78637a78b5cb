"""Whatever a file holds, it gives the records that were written, or says where it broke."""

import pytest
from hypothesis import given, strategies as st

from resolver.anchoring.frames import DamagedError, encode_frame, read_frames

payloads = st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=40)), max_size=6)
START = 17


def written(records):
    octets = bytes(START)
    for kind, payload in records:
        octets += encode_frame(kind, payload, len(octets))
    return octets


def read(octets):
    return [(frame.kind, frame.payload) for frame in read_frames(octets, START)]


@given(payloads)
def test_frames_are_read_as_they_were_written(records):
    assert read(written(records)) == records


@given(payloads, st.data())
def test_a_file_cut_off_anywhere_gives_the_frames_before(records, data):
    octets = written(records)
    cut = data.draw(st.integers(START, len(octets)))
    found = read(octets[:cut])
    assert found == records[: len(found)]
    assert len(written(found)) <= cut
    assert len(found) == len(records) or len(written(records[: len(found) + 1])) > cut


@given(payloads.filter(bool), st.data())
def test_a_flipped_bit_changes_no_record(records, data):
    octets = bytearray(written(records))
    place = data.draw(st.integers(START, len(octets) - 1))
    octets[place] ^= 1 << data.draw(st.integers(0, 7))
    damaged = next(
        number
        for number in range(len(records))
        if len(written(records[: number + 1])) > place
    )
    if damaged == len(records) - 1:
        assert read(bytes(octets)) == records[:damaged]
        return
    with pytest.raises(DamagedError) as broken:
        read(bytes(octets))
    assert broken.value.offset == len(written(records[:damaged]))


@given(st.binary(max_size=200))
def test_any_octets_are_frames_a_torn_tail_or_damage(octets):
    try:
        found = read(bytes(START) + octets)
    except DamagedError:
        return
    assert written(found) == (bytes(START) + octets)[: len(written(found))]
