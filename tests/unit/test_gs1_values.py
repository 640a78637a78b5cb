"""Application identifiers: the table against biip's, what values must be, which go together."""

import re

import biip.gs1_application_identifiers as judge
import pytest

from registry.schemes.gs1.application_identifiers import LENGTHS, TABLE
from registry.schemes.gs1.check_digits import check_digit, check_pair
from registry.schemes.gs1.content import examine
from registry.schemes.gs1.pairs import KEYS, shape_of
from registry.schemes.gs1.problems import Problem

JUDGE = judge._GS1_APPLICATION_IDENTIFIERS
"""biip 5: taken from the list GS1 publishes."""


def test_the_table_has_the_identifiers_formats_and_titles_that_biip_has():
    ours = {
        ai: (f"N{len(ai)}+{entry.format}", entry.title) for ai, entry in TABLE.items()
    }
    theirs = {ai: (entry.format, entry.data_title) for ai, entry in JUDGE.items()}
    # The published list has no short titles for coupons.
    for coupon in ("8110", "8112"):
        ours[coupon] = (ours[coupon][0], "")

    assert ours == theirs


def test_a_separator_is_needed_where_biip_needs_one():
    assert {ai for ai, entry in TABLE.items() if not entry.is_predefined} == {
        ai for ai, entry in JUDGE.items() if entry.separator_required
    }


def test_two_digits_tell_how_long_an_identifier_is():
    assert all(len(ai) == LENGTHS[ai[:2]] for ai in TABLE)


def _sample(character: str, length: int) -> str:
    return (character * length)[:length]


NARROWER = frozenset(("day", "day00", "day_time", "day00_time", "birth", "produced"))
"""Checks of ours that the published patterns make a part of the shape."""


@pytest.mark.parametrize("ai", TABLE)
def test_lengths_and_characters_are_those_of_the_published_patterns(ai):
    entry = TABLE[ai]
    published = re.compile(JUDGE[ai].pattern)
    for length in range(1, entry.most + 2):
        for character in "015A-a#/ ":
            value = character * length
            is_right = bool(entry.pattern.fullmatch(value))
            if entry.check in NARROWER or entry.check == "yes_no":
                is_right = not isinstance(examine(entry, value), Problem)
                if character in "05":
                    continue  # dates they let pass: day 00 everywhere, month 00
            assert is_right == bool(published.match(ai + value)), value


@pytest.mark.parametrize(
    ("digits", "right"),
    [
        ("0690123456789", "2"),  # GS1 China's example, 6901234567892
        ("629104150021", "3"),  # GS1's check digit page
        ("37610425002123456", "9"),  # GS1's check digit page, SSCC
        ("952100010001", "5"),  # the prefix for examples
    ],
)
def test_check_digits_of_published_numbers(digits, right):
    assert check_digit(digits) == right


def test_check_characters_of_the_model_number_in_the_general_specifications():
    assert check_pair("1987654Ad4X4bL5ttr2310c") == "2K"


@pytest.mark.parametrize(
    ("ai", "value", "note"),
    [
        ("01", "06901234567892", "check digit right"),
        ("17", "261231", "2026-12-31"),
        ("17", "260200", "2026-02, no day: its last"),
        ("11", "760101", "2076-01-01"),
        ("11", "770101", "1977-01-01"),
        ("7003", "2612312359", "2026-12-31 23:59"),
        ("7007", "260101260131", "2026-01-01 to 2026-01-31"),
        ("8008", "26123123", "2026-12-31 23"),
        ("4324", "2612319999", "2026-12-31"),
        ("8006", "040123451234560102", "check digit right, piece 1 of 2"),
        ("8013", "1987654Ad4X4bL5ttr2310c2K", "check characters right"),
        ("8007", "GB82WEST12345698765432", "check digits right"),
        ("4309", "02790858483015297971", "latitude -62.0914152, longitude -58.4702029"),
        ("4321", "1", "yes"),
        ("253", "0614141123452400", "check digit right"),
    ],
)
def test_a_right_value_says_what_was_understood(ai, value, note):
    assert examine(TABLE[ai], value) == note


@pytest.mark.parametrize(
    ("ai", "value", "offset", "expected"),
    [
        ("01", "06901234567893", 13, "2"),
        ("00", "345678901234567891", 17, "5"),
        ("253", "0614141123453400", 12, "2"),
        ("8003", "16141411234524", 0, "N14"),
        ("17", "261301", 2, "01 to 12"),
        ("17", "260230", 4, "00 to 28"),
        ("7006", "260200", 4, "01 to 28"),
        ("7003", "2612312460", 6, "00 to 23"),
        ("8006", "040123451234560302", 14, "a piece from 01"),
        ("8006", "040123451234570102", 13, "6"),
        ("8013", "1987654Ad4X4bL5ttr2310c2L", 23, "2K"),
        ("8011", "012", 0, "leading zeros"),
        ("4309", "02790858489999999999", 10, "3600000000"),
        ("8001", "00001000000091", 0, "above 0"),
        ("4300", "A%2", 1, "%25"),
        ("8007", "GB83WEST12345698765432", 2, ""),
        ("7252", "5", 0, "0, 1, 2 or 9"),
        ("10", "A" * 21, 20, "1 to 20 characters"),
        ("10", "", 0, "1 to 20 characters"),
        ("8010", "AB", 0, "Y..30"),
        ("01", "0690123456789A", 13, "a digit"),
        ("10", "L\u041eT", 1, "set 82"),
    ],
)
def test_a_wrong_value_is_told_by_character_and_with_what_is_right(
    ai, value, offset, expected
):
    problem = examine(TABLE[ai], value)

    assert isinstance(problem, Problem)
    assert (problem.offset, expected in problem.expected) == (offset, True)


def test_a_letter_of_another_script_is_named_by_the_one_it_looks_like():
    problem = examine(TABLE["10"], "L\u041eT")

    assert "U+041E" in problem.reason
    assert "only looks like 'O'" in problem.reason


@pytest.mark.parametrize(
    "ais",
    [
        ("01", "02"),
        ("01", "255"),
        ("01", "37"),
        ("21", "235"),
        ("420", "421"),
        ("422", "426"),
        ("3900", "3901"),
        ("3102", "3103"),
        ("8017", "8018"),
        ("8006", "01"),
    ],
)
def test_forbidden_pairs_are_found_in_either_order(ais):
    assert shape_of(ais).forbidden
    assert shape_of(ais[::-1]).forbidden


@pytest.mark.parametrize(
    ("ais", "missing"),
    [
        (("10",), "(01)"),
        (("02",), "(37)"),
        (("02", "37"), "(00)"),
        (("254",), "(414)"),
        (("01", "250"), "(01)(21)"),
        (("01", "3922"), "(30)"),
    ],
)
def test_what_should_stand_beside_is_a_note(ais, missing):
    assert any(missing in note for note in shape_of(ais).notes)


@pytest.mark.parametrize(
    "ais", [("01", "10", "17"), ("00", "02", "37"), ("414", "254"), ("01", "3103")]
)
def test_complete_sets_have_no_notes(ais):
    assert shape_of(ais).notes == ()


def test_order_is_key_then_qualifiers_then_the_rest():
    ais = ("17", "21", "3103", "10", "01", "22")

    order = shape_of(ais).order

    assert order is not None
    assert [ais[at] for at in order] == ["01", "22", "10", "21", "17", "3103"]


def test_every_key_and_qualifier_is_in_the_table():
    qualifiers = {ai for sequences in KEYS.values() for one in sequences for ai in one}

    assert set(KEYS) | qualifiers <= set(TABLE)
