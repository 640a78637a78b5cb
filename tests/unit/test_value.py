"""Values and lists of them: layout, selection, times."""

import struct
import tracemalloc

import pytest
from hypothesis import example, given, strategies as st

from registry.errors import InvalidValueError, MalformedError
from registry.model.octets import MAX_BLOB_OCTETS, Cursor, pack_u32
from registry.model.value import (
    DEFAULT_TTL_SECONDS,
    MAX_VALUES,
    SMALLEST_VALUE_OCTETS,
    Reference,
    Value,
    decode_value,
    decode_values,
    encode_value,
    encode_values,
    read_values,
    smallest_ttl,
    spans,
    stamped,
)
from tests.strategies import REFERENCES, TEXT, U32, VALUE_LISTS, VALUES

SAMPLE = Value(
    7,
    "URL",
    b"https://example.com/",
    ttl=3600,
    timestamp=0x65_00_00_00,
    permissions=0x0E,
    references=(Reference("88.100/r", 300), Reference("", 1)),
)


@given(VALUES)
def test_a_value_is_read_as_it_was_written(value):
    cursor = Cursor(encode_value(value))
    assert decode_value(cursor) == value
    assert cursor.remaining == 0


@given(VALUE_LISTS)
def test_a_list_is_read_as_it_was_written(values):
    assert decode_values(encode_values(values)) == values


@given(VALUE_LISTS, st.binary(max_size=8))
def test_a_list_leaves_what_follows_it(values, tail):
    cursor = Cursor(encode_values(values) + tail)
    assert read_values(cursor) == values
    assert cursor.remaining == len(tail)


@given(st.binary(max_size=200))
@example(pack_u32(1) + bytes(SMALLEST_VALUE_OCTETS))
def test_any_octets_are_values_or_an_error_of_ours(octets):
    try:
        values = decode_values(octets)
    except (MalformedError, InvalidValueError):
        return
    assert encode_values(values) == octets


@given(VALUE_LISTS, st.data())
def test_damaged_octets_are_values_or_an_error_of_ours(values, data):
    octets = bytearray(encode_values(values))
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(
            st.integers(0, 255)
        )
    test_any_octets_are_values_or_an_error_of_ours.hypothesis.inner_test(bytes(octets))


def test_no_shorter_list_passes_for_a_whole_one():
    octets = encode_values((SAMPLE, SAMPLE))
    for size in range(len(octets)):
        with pytest.raises(MalformedError):
            decode_values(octets[:size])
        with pytest.raises(MalformedError):
            list(spans(octets[:size]))


def test_octets_after_a_list_are_refused():
    with pytest.raises(MalformedError, match="1 octets left over"):
        decode_values(encode_values((SAMPLE,)) + b"\0")


def _peak_octets(function, *arguments) -> int:
    tracemalloc.start()
    try:
        with pytest.raises((MalformedError, InvalidValueError)):
            function(*arguments)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _forged(position: int) -> bytes:
    octets = bytearray(encode_values((SAMPLE,)))
    octets[position : position + 4] = b"\xff\xff\xff\xff"
    return bytes(octets)


@pytest.mark.parametrize(
    "octets",
    [
        _forged(0),  # values
        _forged(4 + 14),  # octets of the type
        _forged(4 + 18 + 3),  # octets of the data
        _forged(4 + 18 + 3 + 4 + 20),  # references
        _forged(4 + 18 + 3 + 4 + 20 + 4),  # octets of a reference
    ],
    ids=["values", "type", "data", "references", "reference"],
)
@pytest.mark.parametrize(
    "function", [decode_values, lambda octets: list(spans(octets))]
)
def test_a_forged_length_costs_no_memory(function, octets):
    assert _peak_octets(function, octets) < 64 * 1024


def test_a_list_has_2048_values_at_most():
    smallest = encode_value(Value(1, "", b""))
    assert len(smallest) == SMALLEST_VALUE_OCTETS
    most = pack_u32(MAX_VALUES) + MAX_VALUES * smallest
    assert len(decode_values(most)) == MAX_VALUES
    with pytest.raises(InvalidValueError, match="2049 values, at most 2048"):
        decode_values(pack_u32(MAX_VALUES + 1) + (MAX_VALUES + 1) * smallest)


def test_data_has_a_mebibyte_at_most():
    longest = Value(1, "URL", bytes(MAX_BLOB_OCTETS))
    assert decode_values(encode_values((longest,))) == (longest,)
    with pytest.raises(MalformedError, match="1048577 octets, at most 1048576"):
        decode_values(encode_values((longest._replace(data=longest.data + b"\0"),)))


def test_a_type_that_is_not_utf_8_is_refused():
    octets = encode_values((SAMPLE,)).replace(b"URL", b"U\xffL")
    with pytest.raises(MalformedError, match=r"value type .* not UTF-8"):
        decode_values(octets)


@given(VALUE_LISTS, st.binary(max_size=8))
def test_walking_a_list_finds_what_decoding_finds(values, before):
    octets = before + encode_values(values)
    found = list(spans(octets, len(before)))
    assert [octets[span.start : span.stop] for span in found] == [
        encode_value(value) for value in values
    ]
    assert [(s.index, s.permissions, s.type.decode()) for s in found] == [
        (value.index, value.permissions, value.type) for value in values
    ]


@given(st.binary(max_size=200))
def test_walking_any_octets_ends_inside_them(octets):
    try:
        for span in spans(octets):
            assert 4 <= span.start < span.stop <= len(octets)
    except MalformedError:
        pass


@given(VALUES, U32)
def test_stamping_leaves_the_signed_octets_alone(value, now):
    (stamp,) = stamped((value,), now)
    assert stamp.timestamp == now
    # HS_SIGNATURE digests start after index and timestamp (handle notes §1.7).
    assert encode_value(stamp)[8:] == encode_value(value)[8:]
    assert encode_value(stamp)[:4] == encode_value(value)[:4]


def test_the_layout_is_that_of_the_notes():
    expected = (
        struct.pack("!IIBIB", 7, 0x65000000, 0, 3600, 0x0E)
        + b"\0\0\0\x03URL"
        + b"\0\0\0\x14https://example.com/"
        + b"\0\0\0\x02"
        + b"\0\0\0\x0888.100/r\0\0\x01\x2c"
        + b"\0\0\0\0\0\0\0\x01"
    )
    assert encode_value(SAMPLE) == expected


@given(TEXT, st.lists(REFERENCES, max_size=2).map(tuple))
def test_public_is_what_everyone_may_read(kind, references):
    for permissions in range(256):
        value = Value(1, kind, b"", permissions=permissions, references=references)
        assert value.public == bool(permissions & 2)


def test_data_that_is_no_text_is_shown_as_well_as_it_goes():
    assert Value(1, "URL", b"a\xffb").text == "a\ufffdb"


NOW = 1_700_000_000


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        ([], DEFAULT_TTL_SECONDS),
        ([(0, 60)], 60),
        ([(0, 60), (0, 30), (0, 90)], 30),
        ([(0, 0)], 0),
        ([(0, DEFAULT_TTL_SECONDS + 1)], DEFAULT_TTL_SECONDS),
        ([(0, 0xFFFF_FFFF)], DEFAULT_TTL_SECONDS),
        ([(1, NOW + 10)], 10),
        ([(1, NOW)], 0),
        ([(1, NOW - 10)], 0),
        ([(1, 0)], 0),
        ([(0, 60), (1, NOW + 10)], 10),
        ([(0, 60), (1, NOW + 100)], 60),
    ],
)
def test_the_smallest_ttl_counts_relative_and_absolute_times(times, seconds):
    values = [
        Value(n, "URL", b"", ttl=ttl, ttl_type=kind)
        for n, (kind, ttl) in enumerate(times)
    ]
    octets = b"before" + encode_values(values)
    assert smallest_ttl(octets, NOW + 0.75, len(b"before")) == seconds


@given(VALUE_LISTS, U32)
def test_a_ttl_is_neither_negative_nor_beyond_the_default(values, now):
    assert 0 <= smallest_ttl(encode_values(values), now) <= DEFAULT_TTL_SECONDS
