"""Values as resource records, read back by dnspython."""

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest
from dns.rdatatype import RdataType
from hypothesis import given, settings, strategies as st

from registry.model.value import Value
from resolver.dns.records import (
    MAX_DATA_OCTETS,
    DataError,
    cnri_data,
    cnri_records,
    cnri_type,
    records_of,
    ttl_of,
)
from tests.strategies import VALUES

OWNER = b"\x03sn1\x04test\x00"
NOW = 1_800_000_000.0
ALL = (RdataType.TXT, RdataType.NAPTR, RdataType.URI)


def read(record):
    """Read a record's data, as a client does."""
    return dns.rdata.from_wire(
        dns.rdataclass.IN, record.type, record.data, 0, len(record.data)
    )


def made(*values, kind=RdataType.TXT):
    return [read(record) for record in records_of(OWNER, values, (kind,), NOW)]


def text_of(value):
    (rdata,) = made(value)
    return b"".join(rdata.strings).decode()


def test_a_value_is_a_text_with_index_type_and_data():
    value = Value(7, "NAME", "电池 75".encode())
    assert text_of(value) == "idx=7;type=NAME;data=电池 75"


def test_long_texts_are_cut_into_strings_of_255_octets():
    (rdata,) = made(Value(1, "NOTE", b"x" * 600))
    assert [len(string) for string in rdata.strings] == [255, 255, 111]
    assert b"".join(rdata.strings) == b"idx=1;type=NOTE;data=" + b"x" * 600


@pytest.mark.parametrize("data", [b"\xff\x00", b"a\nb", b"\xc2\x80"])
def test_what_is_no_text_is_written_in_hexadecimal(data):
    assert text_of(Value(1, "B", data)) == f"idx=1;type=B;hex={data.hex()}"


def test_data_that_no_reply_has_room_for_is_told_by_its_length():
    data = b"x" * (MAX_DATA_OCTETS + 1)
    assert text_of(Value(1, "B", data)) == "idx=1;type=B;octets=32769"


def test_a_type_cannot_look_like_data():
    assert text_of(Value(1, "A;data=%", b"d")) == "idx=1;type=A%3Bdata=%25;data=d"


def test_addresses_are_naptr_and_uri_records_and_nothing_else_is():
    values = (
        Value(1, "URL", b"https://example.com/1"),
        Value(2, "url.zh", b"https://example.com/2"),
        Value(3, "URLS", b"no"),
        Value(4, "URL", b""),
    )
    naptr, other = made(*values, kind=RdataType.NAPTR)
    assert str(naptr) == '100 10 "u" "HDL+URL" "!^.*$!https://example.com/1!" .'
    assert other.regexp == b"!^.*$!https://example.com/2!"
    uris = made(*values, kind=RdataType.URI)
    assert [str(uri) for uri in uris] == [
        '10 1 "https://example.com/1"',
        '10 1 "https://example.com/2"',
    ]


def test_delimiters_and_backslashes_of_an_address_are_escaped_in_the_rule():
    (rule,) = made(Value(1, "URL", rb"https://e.com/!a\1"), kind=RdataType.NAPTR)
    assert rule.regexp == rb"!^.*$!https://e.com/\!a\\1!"


def test_an_address_too_long_for_a_rule_is_a_uri_record_still():
    value = Value(1, "URL", b"https://example.com/" + b"a" * 229)
    assert made(value, kind=RdataType.NAPTR) == []
    assert made(value, kind=RdataType.URI)[0].target == value.data
    shorter = value._replace(data=value.data[:-1])
    assert len(made(shorter, kind=RdataType.NAPTR)[0].regexp) == 255


def test_a_set_has_the_smallest_ttl_of_its_values():
    values = (Value(1, "URL", b"u", ttl=60), Value(2, "X", b"x", ttl=5))
    ttls = {r.type: r.ttl for r in records_of(OWNER, values, ALL, NOW)}
    assert ttls == {RdataType.TXT: 5, RdataType.NAPTR: 60, RdataType.URI: 60}


@pytest.mark.parametrize(
    ("ttl", "ttl_type", "left"),
    [(60, 0, 60), (2**32 - 1, 0, 2**31 - 1), (int(NOW) + 9, 1, 9), (9, 1, 0)],
)
def test_a_ttl_is_the_time_that_is_left(ttl, ttl_type, left):
    assert ttl_of([Value(1, "X", b"", ttl=ttl, ttl_type=ttl_type)], NOW) == left


@given(st.lists(VALUES, max_size=4))
def test_any_values_make_records_that_can_be_read(values):
    for record in records_of(OWNER, values, ALL, NOW):
        assert read(record).to_wire() == record.data
        assert 0 <= record.ttl < 2**31


VECTORS = [
    ("DNS.A", "192.0.2.1", "192.0.2.1"),
    ("dns.aaaa", "2001:db8::1", "2001:db8::1"),
    ("DNS.MX", "10 mail.example.com", "10 mail.example.com."),
    ("DNS.NS", "ns.example.com.", "ns.example.com."),
    ("DNS.TXT", '"two" strings', '"two" "strings"'),
    (
        "DNS.SOA",
        "ns.example.com. me.example.com. 7 1 2 3 60",
        "ns.example.com. me.example.com. 7 1 2 3 60",
    ),
    (
        "DNS.NAPTR",
        '100 10 "u" "E2U+sip" "!^.*$!sip:a@example.com!" .',
        '100 10 "u" "E2U+sip" "!^.*$!sip:a@example.com!" .',
    ),
    ("DNS.TYPE1", "192.0.2.9", "192.0.2.9"),
    ("DNS.TYPE65280", r"\# 3 010203", r"\# 3 010203"),
]


@pytest.mark.parametrize(("kind", "data", "text"), VECTORS)
def test_typed_values_are_records_in_presentation_format(kind, data, text):
    (record,) = cnri_records(
        OWNER, (Value(1, kind, data.encode()),), RdataType.ANY, NOW
    )
    assert record.type == cnri_type(kind)
    assert str(read(record)) == text


@pytest.mark.parametrize(
    "kind", ["URL", "DNS", "DNS.", "DNS.NOPE", "DNS.ANY", "DNS.OPT", "DNS.TYPE0"]
)
def test_other_types_are_no_records(kind):
    assert cnri_type(kind) is None
    value = Value(1, kind, b"192.0.2.1")
    assert cnri_records(OWNER, (value,), RdataType.ANY, NOW) == ()


def test_only_the_type_asked_for_is_read():
    values = (Value(1, "DNS.A", b"192.0.2.1"), Value(2, "DNS.MX", b"nonsense"))
    assert len(cnri_records(OWNER, values, RdataType.A, NOW)) == 1
    with pytest.raises(DataError, match=r"value 2, DNS\.MX"):
        cnri_records(OWNER, values, RdataType.MX, NOW)


def test_the_same_record_twice_is_one():
    values = (Value(1, "DNS.A", b"192.0.2.1"), Value(2, "DNS.TYPE1", b"192.0.2.1"))
    assert len(cnri_records(OWNER, values, RdataType.A, NOW)) == 1


TYPES = sorted(
    int(kind) for kind in RdataType if cnri_type(f"DNS.{kind.name}") is not None
)


@given(st.sampled_from(TYPES), st.binary(max_size=60))
@settings(max_examples=500)
def test_any_data_is_a_record_or_refused(kind, data):
    check(kind, data)


@given(
    st.sampled_from(TYPES),
    st.lists(
        st.sampled_from(
            [
                "0",
                "1",
                "65535",
                "-1",
                "4294967296",
                ".",
                "a.",
                "AA==",
                "00ff",
                "zz",
                "192.0.2.1",
                "::1",
                '"x"',
                "\\#",
                "(",
                ")",
                ";",
                "\\300",
                "key=1",
            ]
        ),
        max_size=8,
    ),
)
@settings(max_examples=1000)
def test_any_words_are_a_record_or_refused(kind, words):
    check(kind, " ".join(words).encode())


def check(kind, data):
    try:
        octets = cnri_data(Value(1, "DNS.X", data), kind)
    except DataError:
        return
    dns.rdata.from_wire(dns.rdataclass.IN, kind, octets, 0, len(octets))
