"""Any text decodes or has its reasons; forms of one code read to one code."""

import string

from hypothesis import example, given, strategies as st

from registry.errors import InvalidValueError, RegistryError
from registry.model.identifier import canonical
from registry.schemes import ecode, handle, oid, vaa
from registry.schemes.decoding import decode
from registry.schemes.mapping import (
    alias_name,
    code_prefixes,
    direct_identifier,
    levels,
)
from registry.schemes.rules import Mismatch, identifier_of, match_code, read_rule

DIGITS = string.digits
PIECES = st.sampled_from(
    ["(01)", "09521000100015", "]C1", "\x1d", "21", "SN1", "/", ".", "88", "VAA088",
     "https://", "id.gs1.org", "urn:epc:id:sgtin:", "urn:oid:", "did:bid:", "hdl:", "1",
     "%", "\uff10", " ", "武"]
)  # fmt: skip
TEXTS = st.text(max_size=60) | st.lists(PIECES, max_size=8).map("".join)
SUFFIXES = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=30
)
ARCS = st.integers(0, 2**128 - 1)


@given(TEXTS)
@example("(01)09521000100015(21)" + "x" * 100)
@example("\ud800/x")
def test_any_text_has_readings_or_reasons(text):
    decoded = decode(text)
    assert decoded.text == text
    if not decoded.readings:
        assert decoded.rejections
    for rejection in decoded.rejections:
        assert rejection.reason
        assert rejection.expected
        assert rejection.position is None or 0 <= rejection.position <= len(text)


@given(TEXTS)
def test_names_made_of_any_reading_are_names(text):
    for reading in decode(text).readings:
        direct = direct_identifier(reading)
        if direct is not None:
            assert canonical(direct.encode())
        for prefix in code_prefixes(reading):
            for path in levels(reading):
                assert canonical(alias_name(prefix, path).encode())


@given(TEXTS)
@example("21(00)")
def test_a_canonical_code_reads_as_itself(text):
    for reading in decode(text).readings:
        if reading.scheme == "gs1" and reading.code[:1] != "(":
            continue
        again = [(r.scheme, r.code) for r in decode(reading.code).readings]
        assert (reading.scheme, reading.code) in again


@given(
    st.sampled_from(["88", "86"]),
    st.text(DIGITS, min_size=3, max_size=3),
    st.text(DIGITS, min_size=1, max_size=20),
    SUFFIXES,
)
def test_a_vaa_code_and_its_identifier_are_each_other(country, industry, own, internal):
    identifier = f"{country}.{industry}.{own}/{internal}"
    (dotted,) = vaa.read(identifier)
    (compact,) = vaa.read(dotted.code)
    assert compact.code == dotted.code
    assert direct_identifier(compact) == identifier


@given(
    st.tuples(st.integers(0, 1), st.integers(0, 39)) | st.tuples(st.just(2), ARCS),
    st.lists(ARCS, max_size=8),
)
def test_an_oid_reads_the_same_from_each_form(first, below):
    arcs = [str(arc) for arc in (*first, *below)]
    dotted = ".".join(arcs)
    forms = (dotted, f"urn:oid:{dotted}", f"OID.{dotted}", "/" + "/".join(arcs))
    assert {oid.read(form)[0].code for form in forms} == {dotted}


@given(st.sampled_from("12"), st.text(DIGITS, min_size=4, max_size=4), st.data())
def test_an_ecode_is_the_sum_of_its_parts(version, number_system, data):
    longest = ecode.VERSIONS[version].longest
    own = data.draw(st.text(DIGITS, min_size=1, max_size=longest))
    (reading,) = ecode.read(f"ecode:{version}{number_system}{own}")
    assert [p.value for p in reading.parts] == [version, number_system, own]
    assert ecode.read(reading.code)[0].code == reading.code


@given(SUFFIXES)
def test_a_handle_reads_the_same_from_each_form(suffix):
    from urllib.parse import quote

    name = f"88.118.7/{suffix}"
    escaped = quote(name, safe="/")
    forms = (name, f"hdl:{escaped}", f"https://hdl.handle.net/{escaped}")
    assert {handle.read(form)[0].code for form in forms} == {name}


@given(st.text(max_size=80) | st.lists(st.sampled_from(
    ["gs1 ", "code ", "01 ", "{a:1d}", "{b:1-3n}", "-", " -> ", "88.1/", "{a}", "{21}"]
), max_size=8).map("".join), st.text(max_size=20))  # fmt: skip
def test_any_text_is_a_rule_or_refused(text, code):
    try:
        rule = read_rule(text)
    except InvalidValueError:
        return
    if rule.scheme != "gs1":
        matched = match_code(rule, code)
        if isinstance(matched, Mismatch):
            assert 0 <= matched.position <= len(code)
        identifier = identifier_of(rule, code)
        assert identifier is None or canonical(identifier.encode())


@given(
    st.text(string.ascii_letters, min_size=1, max_size=5),
    st.text(DIGITS, min_size=4, max_size=4),
    st.text(DIGITS, min_size=1, max_size=9),
)
def test_a_code_made_by_a_pattern_gives_its_fields_back(word, year, serial):
    rule = read_rule("code {w:1-5a}-{y:4d}/{s:1-9d} -> 88.1.1/{s}.{y}.{w}")
    fields = match_code(rule, f"{word}-{year}/{serial}")
    assert fields == {"w": word, "y": year, "s": serial}
    assert identifier_of(rule, f"{word}-{year}/{serial}") == (
        f"88.1.1/{serial}.{year}.{word}"
    )


def test_errors_of_schemes_are_the_registry_s():
    for read in (handle.read, vaa.read, oid.read, ecode.read):
        try:
            read("\x00")
        except RegistryError:
            continue
        raise AssertionError(f"{read} took a control character")
