"""Records and journal entries as they lie on disk."""

import pytest
from hypothesis import example, given, strategies as st

from registry.errors import CorruptError
from registry.journal import Entry, Operation, decode_entry, digest_of, encode_entry
from registry.model.record import (
    Record,
    decode_record,
    encode_record,
    make_record,
)
from registry.model.value import Value, decode_values, encode_values
from tests.strategies import ENTRIES, IDENTIFIERS, U64, VALUE_LISTS, flips

NAME = b"88.100.1/SAMPLE"
SECRET = Value(300, "HS_SECKEY", b"open sesame", permissions=0x0C)
SAMPLE = make_record(NAME, 7, (Value(1, "URL", b"https://example.com/"), SECRET))
FORMS = pytest.mark.parametrize("named", [False, True])


@given(IDENTIFIERS, U64, VALUE_LISTS, st.booleans())
def test_a_record_is_read_as_it_was_written(name, serial, values, named):
    record = make_record(name, serial, values)
    octets = encode_record(record, named=named)
    read = decode_record(octets, None if named else name)
    assert read == record
    assert read.values == values
    assert octets.endswith(encode_values(values))


@given(st.binary(max_size=80), st.none() | st.just(NAME))
@example(b"\1\2\0\0\0\0" + bytes(8) + b"\xff\xff", None)
@example(b"\1\2\0\0\0\0" + bytes(8) + b"\xff", None)
def test_any_octets_are_a_record_or_corrupt(octets, name):
    try:
        record = decode_record(octets, name)
    except CorruptError:
        return
    assert encode_record(record, named=bool(octets[1] & 2)) == octets


@FORMS
def test_every_flipped_bit_of_a_record_is_noticed(named):
    octets = encode_record(SAMPLE, named=named)
    for flipped in flips(octets):
        for name in {NAME, None if named else NAME}:
            with pytest.raises(CorruptError):
                decode_record(flipped, name)


def test_a_secret_does_not_become_public_by_a_flipped_bit():
    octets = bytearray(encode_record(SAMPLE, named=False))
    octets[1] ^= 1
    with pytest.raises(CorruptError):
        decode_record(bytes(octets), NAME)


@FORMS
def test_a_record_cut_short_is_corrupt(named):
    octets = encode_record(SAMPLE, named=named)
    for size in range(len(octets)):
        with pytest.raises(CorruptError):
            decode_record(octets[:size], None if named else NAME)


def test_a_record_under_another_key_is_refused():
    octets = encode_record(SAMPLE, named=False)
    with pytest.raises(CorruptError, match=r"88\.100\.1/OTHER"):
        decode_record(octets, b"88.100.1/OTHER")


def test_a_record_without_its_name_needs_a_key_that_tells_it():
    with pytest.raises(CorruptError):
        decode_record(encode_record(SAMPLE, named=False), None)


@given(VALUE_LISTS)
def test_a_record_is_public_when_all_its_values_are(values):
    assert make_record(NAME, 1, values).public == all(v.public for v in values)


@given(VALUE_LISTS)
def test_a_record_is_cut_into_what_everyone_may_read_and_the_rest(values):
    record = make_record(NAME, 1, values)
    restricted = tuple(value for value in values if not value.public)
    assert record.public_octets() == encode_values(v for v in values if v.public)
    assert record.restricted_octets() == (
        encode_values(restricted) if restricted else b""
    )


def test_what_everyone_may_read_of_a_public_record_is_its_own_octets():
    record = make_record(NAME, 1, (Value(1, "URL", b"x"),))
    assert record.public_octets() is record.values_octets
    assert record.restricted_octets() == b""


def test_a_value_is_found_by_its_index():
    assert SAMPLE.value(300) == SECRET
    assert SAMPLE.value(2) is None


def test_stored_octets_are_wire_octets():
    octets = encode_record(SAMPLE, named=False)
    assert octets[14:] == SAMPLE.values_octets
    assert decode_values(octets[14:]) == SAMPLE.values


@given(ENTRIES)
def test_an_entry_is_read_as_it_was_written(entry):
    assert decode_entry(entry.serial, encode_entry(entry)) == entry


@given(st.binary(max_size=120), U64)
def test_any_octets_are_an_entry_or_corrupt(octets, serial):
    try:
        entry = decode_entry(serial, octets)
    except CorruptError:
        return
    assert encode_entry(entry) == octets


ENTRY = Entry(
    9, Operation.CREATE, 1_700_000_000_000, NAME, digest_of(b"x"), b"88/A", 300
)


def test_every_flipped_bit_of_an_entry_is_noticed():
    for flipped in flips(encode_entry(ENTRY)):
        with pytest.raises(CorruptError):
            decode_entry(ENTRY.serial, flipped)


def test_an_entry_under_another_serial_is_refused():
    for bit in range(64):
        with pytest.raises(CorruptError):
            decode_entry(ENTRY.serial ^ (1 << bit), encode_entry(ENTRY))


@pytest.mark.parametrize("operation", [0, 10, 255])
def test_an_operation_of_a_newer_version_is_not_read_as_another(operation):
    octets = encode_entry(ENTRY._replace(operation=operation))
    with pytest.raises(CorruptError):
        decode_entry(ENTRY.serial, octets)


def test_a_deletion_has_no_digest_and_an_empty_list_has_one():
    assert digest_of(None) == bytes(32)
    assert digest_of(Record(NAME, 1, True, encode_values(())).values_octets) != bytes(
        32
    )
