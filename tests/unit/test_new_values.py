"""Lists of values to be written: what is recognised keeps every rule, and nothing changes.

`check_values` is the judge and is tested with the changes (`test_change`); here the lists
that `read_checked` recognises in their octets are held against it.
"""

import pytest
from hypothesis import example, given, strategies as st

from registry.change import Change
from registry.errors import InvalidValueError, MalformedError, ValueExistsError
from registry.evaluation import Evaluation
from registry.journal import Operation
from registry.model.new_values import CheckedValues, check_values, read_checked
from registry.model.octets import MAX_BLOB_OCTETS, pack_u32
from registry.model.typed import Admin, encode_group
from registry.model.value import (
    MAX_VALUES,
    Reference,
    Value,
    decode_values,
    encode_value,
    encode_values,
    stamped,
)
from tests.registries import NOW, PREFIX, home
from tests.strategies import ADMINS, GROUPS, TEXT, U8, U32, VALUE_LISTS

ADMIN = Admin(0xFFF, "88.100/A", 300).encode()
TYPES = st.sampled_from(
    ["URL", "HS_ADMIN", "hs_admin", "HS_VLIST", "hs_adm\u0131n", "", "é" * 128]
)
DATA = st.binary(max_size=8) | ADMINS.map(Admin.encode) | GROUPS.map(encode_group)
NEAR_RULES = st.lists(
    st.builds(
        Value,
        index=st.integers(0, 3) | st.sampled_from([0x7FFF_FFFF, 0x8000_0000]),
        type=TYPES | TEXT,
        data=DATA,
        ttl=U32,
        ttl_type=U8,
        timestamp=U32,
        permissions=U8,
        references=st.just(()),
    ),
    max_size=4,
).map(tuple)
"""Lists that keep the rules, or break them by little."""

BEFORE = st.binary(max_size=8)


def keeps_the_rules(values: tuple[Value, ...]) -> bool:
    try:
        check_values(values)
    except (InvalidValueError, ValueExistsError):
        return False
    return True


@given(NEAR_RULES | VALUE_LISTS, BEFORE)
@example((Value(1, "HS_ADMIN", ADMIN),), b"")
@example((Value(9, "A", b""), Value(1, "B", b""), Value(3, "C", b"")), b"")
@example((Value(9, "A", b""), Value(1, "B", b""), Value(9, "C", b"")), b"")
def test_exactly_the_lists_that_keep_the_rules_are_recognised(values, before):
    found = read_checked(before + encode_values(values), len(before))
    plain = not any(value.references for value in values)
    assert (found is not None) == (plain and keeps_the_rules(values))
    if found is not None:
        assert found == values
        assert found.octets == encode_values(values)


@given(st.binary(max_size=200))
def test_any_octets_are_recognised_rightly_or_not_at_all(octets):
    found = read_checked(octets)
    if found is not None:
        assert found == decode_values(octets)
        check_values(found.values)


@given(NEAR_RULES, st.data())
def test_a_list_with_a_wrong_octet_is_never_taken_for_another(values, data):
    octets = bytearray(encode_values(values))
    position = data.draw(st.integers(0, len(octets) - 1))
    octets[position] = data.draw(U8)
    found = read_checked(bytes(octets))
    if found is not None:
        assert found == decode_values(bytes(octets))
        check_values(found.values)


@pytest.mark.parametrize("size", range(80))
def test_a_list_cut_short_or_too_long_is_not_recognised(size):
    octets = encode_values((Value(1, "URL", b"x"), Value(2, "HS_ADMIN", ADMIN)))
    assert read_checked(octets) is not None
    assert read_checked(octets[: size % len(octets)]) is None
    assert read_checked(octets + bytes(size + 1)) is None
    assert read_checked(octets, len(octets) + size) is None


@pytest.mark.parametrize("position", [0, 4 + 14, 4 + 18 + 3, 4 + 18 + 3 + 4 + 1])
def test_a_forged_length_is_not_recognised(position):
    octets = bytearray(encode_values((Value(1, "URL", b"x"),)))
    octets[position : position + 4] = b"\xff\xff\xff\xff"
    assert read_checked(bytes(octets)) is None


def test_a_type_that_is_no_text_is_left_to_the_decoder():
    octets = encode_values((Value(1, "URL", b"x"),)).replace(b"URL", b"U\xffL")
    assert read_checked(octets) is None
    with pytest.raises(MalformedError):
        decode_values(octets)


def test_a_list_has_2048_values_at_most():
    def octets(count: int) -> bytes:
        values = (encode_value(Value(n + 1, "T", b"")) for n in range(count))
        return pack_u32(count) + b"".join(values)

    assert read_checked(octets(MAX_VALUES)) is not None
    assert read_checked(octets(MAX_VALUES + 1)) is None


def test_data_longer_than_the_protocol_allows_is_not_recognised():
    longest = encode_values((Value(1, "T", bytes(MAX_BLOB_OCTETS + 1)),))
    assert read_checked(longest) is None


def recognised(values: tuple[Value, ...]) -> CheckedValues:
    found = read_checked(encode_values(values))
    assert found is not None
    return found


LIST = (Value(2, "URL", b"a", permissions=0x0C), Value(1, "NAME", b"b", timestamp=7))


@given(NEAR_RULES.filter(keeps_the_rules), U32)
def test_stamping_the_octets_is_stamping_the_values(values, now):
    assert recognised(values).stamped(now) == encode_values(stamped(values, now))


@given(NEAR_RULES.filter(keeps_the_rules))
def test_a_list_is_public_when_everyone_may_read_all_of_it(values):
    assert recognised(values).public == all(value.public for value in values)


def test_a_list_is_a_sequence_equal_to_its_values():
    found = recognised(LIST)
    assert (len(found), tuple(found), found[1], found[:1]) == (
        2,
        LIST,
        LIST[1],
        LIST[:1],
    )
    assert found == LIST
    assert found == recognised(LIST)
    assert found != recognised(LIST[:1])
    assert found != LIST[:1]
    assert found != list(LIST)
    assert hash(found) == hash(LIST)
    assert repr(found) == repr(LIST)


class View:
    serial = 7

    def get(self, name):
        return None

    def home(self, prefix):
        return home(prefix)

    def tally(self, prefix):
        return (0, 0)


@given(NEAR_RULES.filter(keeps_the_rules), st.booleans())
def test_a_creation_leaves_the_same_from_octets_and_from_values(values, overwrite):
    def made(content) -> Evaluation:
        group = Evaluation(View(), NOW)
        name = PREFIX + b"/X"
        group.apply(
            Change(Operation.CREATE, name, content, overwrite=overwrite, trusted=True)
        )
        return group

    assert made(recognised(values)).batch == made(values).batch


@pytest.mark.parametrize("number", range(3))
def test_a_count_of_references_is_never_overlooked(number):
    values = [encode_value(Value(n + 1, "URL", b"x")) for n in range(3)]
    values[number] = values[number][:-1] + b"\1"
    assert read_checked(pack_u32(3) + b"".join(values)) is None


def test_references_are_left_to_the_decoder():
    linked = Value(1, "URL", b"", references=(Reference("88/X", 1),))
    assert read_checked(encode_values((linked,))) is None
    assert read_checked(encode_values((linked, LIST[0]))) is None
