"""One GS1 code through every form and back; any text gives readings or reasons."""

import pytest
from biip import ParseError
from biip.gs1_messages import GS1Message
from hypothesis import assume, given, settings, strategies as st

from registry.schemes import gs1
from registry.schemes.gs1.application_identifiers import CHARACTERS
from registry.schemes.gs1.check_digits import check_digit
from registry.schemes.gs1.compression import compress, decompress
from registry.schemes.gs1.element_strings import (
    _read_bracketed_carefully,
    _read_plain_carefully,
    read_bracketed,
    read_plain,
)
from registry.schemes.reading import CodeError, Reading

SET_82 = (
    "!\"%&'*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
)
"""Set 82 without its brackets, which the bracketed form cannot tell from its own."""


def digits(least: int, most: int | None = None) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=least, max_size=most or least)


def texts(most: int, least: int = 1) -> st.SearchStrategy[str]:
    return st.text(SET_82, min_size=least, max_size=most)


gtins = digits(13).map(lambda number: number + check_digit(number))
glns = digits(12).map(lambda number: number + check_digit(number))
dates = st.dates().map(lambda day: day.strftime("%y%m%d"))

items = st.fixed_dictionaries(
    {"01": gtins},
    optional={
        "22": texts(20),
        "10": texts(20),
        "21": texts(20),
        "17": dates,
        "3103": digits(6),
        "240": texts(30),
        "7003": dates.map(lambda day: day + "2359"),
        "422": digits(3),
        "91": texts(90),
        "4309": st.just("02790858483015297971"),
        "4330": st.sampled_from(["001500", "001500-"]),
        "3932": st.tuples(digits(3), digits(1, 15)).map("".join),
        "30": digits(1, 8),
    },
)
others = st.one_of(
    st.fixed_dictionaries({"00": digits(17).map(lambda n: n + check_digit(n))}),
    st.fixed_dictionaries({"414": glns}, optional={"254": texts(20)}),
    st.fixed_dictionaries({"253": st.tuples(glns, texts(17, 0)).map("".join)}),
    st.fixed_dictionaries(
        {"255": st.tuples(glns, st.just("") | digits(1, 12)).map("".join)}
    ),
    st.fixed_dictionaries(
        {"8003": st.tuples(glns, texts(16, 0)).map(lambda p: "0" + p[0] + p[1])}
    ),
    st.fixed_dictionaries({"8004": texts(30)}),
    st.fixed_dictionaries(
        {"8010": st.text("ABCXYZ0123456789#-/", min_size=5, max_size=30)},
        optional={"8011": st.integers(1, 10**12 - 1).map(str)},
    ),
    st.fixed_dictionaries(
        {"8018": digits(17).map(lambda n: n + check_digit(n))},
        optional={"8019": digits(1, 10)},
    ),
)
elements = (items | others).map(lambda values: tuple(values.items()))


def code_of(pairs: tuple[tuple[str, str], ...]) -> str:
    return gs1.read(gs1.bracketed(pairs))[0].code


@given(elements)
def test_one_code_is_the_same_through_every_form(pairs):
    (reading,) = gs1.read(gs1.bracketed(pairs))
    forms = (
        reading.code,
        "]d2" + gs1.plain(pairs),
        gs1.digital_link_uri(reading, "https://example.cn/a/b"),
        gs1.compressed_uri(reading),
        gs1.compressed_uri(reading, readable_key=True),
    )

    for form in forms:
        assert reading.code in [other.code for other in gs1.read(form)], form


@given(elements)
def test_compressing_loses_nothing(pairs):
    assert dict(decompress(compress(pairs)).pairs) == dict(pairs)


@given(elements, st.integers(6, 12))
def test_an_epc_holds_the_whole_key_or_says_that_it_cannot(pairs, company_digits):
    (reading,) = gs1.read(gs1.bracketed(pairs))
    carried = {
        "01",
        "21",
        "10",
        "00",
        "414",
        "254",
        "253",
        "255",
        "8003",
        "8004",
        "8010",
        "8011",
        "8018",
    }
    assume(all(ai in carried for ai, _value in pairs))
    assume(not {"10", "21"} <= {ai for ai, _value in pairs})

    for write in (gs1.epc_uri, gs1.epc_tag_uri, gs1.epc_hexadecimal):
        written = write(reading, company_digits)
        if written is not None:
            assert reading.code in [other.code for other in gs1.read(written)], written


@given(elements)
def test_the_fast_and_the_careful_reading_are_one(pairs):
    bracketed, plain = gs1.bracketed(pairs), gs1.plain(pairs)

    assert read_bracketed(bracketed) == _read_bracketed_carefully(bracketed)
    assert read_plain(plain) == _read_plain_carefully(plain)


@given(st.text("()0123456789AB\x1d ", max_size=60))
@settings(max_examples=300)
def test_fast_and_careful_agree_on_any_text(text):
    for fast, careful in (
        (read_bracketed, _read_bracketed_carefully),
        (read_plain, _read_plain_carefully),
    ):
        assert _outcome(fast, text) == _outcome(careful, text)


def _outcome(read, text):
    if not text:
        return None
    try:
        return read(text)
    except CodeError as error:
        return error.rejections


@given(elements)
def test_biip_reads_the_same_elements(pairs):
    assume(dict(pairs).get("4330") is None)  # biip 5.2 takes no hyphen there
    text = gs1.plain(pairs)
    try:
        judged = GS1Message.parse(text)
    except ParseError:
        # biip checks national rules (a GLN's prefix, a country code) that we leave out.
        assume(False)
    ours = dict(gs1.pairs_of(gs1.read("]C1" + text)[0]))

    assert {e.ai.ai: e.value for e in judged.element_strings} == ours


starts = st.sampled_from(
    [
        "",
        "(01)",
        "01",
        "]d2",
        "]E0",
        "https://a.cn/",
        "https://a.cn/01/",
        "urn:epc:id:sgtin:",
        "urn:epc:tag:",
        "urn:epc:raw:",
        "30",
        "3D",
        "6901234567892",
    ]
)


@given(
    starts,
    st.text(max_size=80)
    | st.text("0123456789ABCDEF", max_size=60)
    | st.text(SET_82 + "()", max_size=80),
)
@settings(max_examples=500)
def test_any_text_gives_readings_or_reasons_with_a_place_in_it(start, rest):
    text = start + rest
    outcome = _outcome(gs1.read, text) or gs1_rejections("")
    assert outcome
    for item in outcome:
        if isinstance(item, Reading):
            assert gs1.read(item.code)[0].code == item.code
        else:
            assert item.reason
            assert item.expected
            assert item.position is None or 0 <= item.position <= len(text), item


def gs1_rejections(text):
    with pytest.raises(CodeError) as caught:
        gs1.read(text)
    return caught.value.rejections


def test_the_sets_of_characters_are_sets_of_ascii():
    assert all(inside.isascii() for inside in CHARACTERS.values())
