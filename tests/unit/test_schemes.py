"""Handle, VAA, OID, Ecode, DID and company codes: what they are, and why not."""

import pytest

from registry.errors import InvalidIdentifierError, InvalidValueError
from registry.schemes import company, did, ecode, handle, oid, vaa
from registry.schemes.decoding import MAX_CHARACTERS, decode
from registry.schemes.mapping import direct_identifier
from registry.schemes.mishaps import mishaps
from registry.schemes.reading import CodeError
from registry.schemes.rules import (
    Mismatch,
    identifier_of,
    match_code,
    match_level,
    read_rule,
)

CHAIN_ADDRESS = "did:bid:efQ69GRtQUDR9SngdFKAv4owYyx5Fnko"  # bif notes §2.3
HC = "code HC-{year:4d}-{serial:1-6d} -> 88.118.7/{year}/{serial}"


def only(readings):
    (reading,) = readings
    return reading


def rejection(read, text):
    with pytest.raises(CodeError) as caught:
        read(text)
    return caught.value.rejections[0]


# ---- each scheme reads its forms to one canonical code -----------------------------


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("88.118.7/SN 1%", "identifier"),
        ("hdl:88.118.7/SN%201%25", "uri"),
        ("HDL:88.118.7/SN%201%25", "uri"),
        ("info:hdl/88.118.7/SN%201%25", "uri"),
        ("https://hdl.handle.net/88.118.7/SN%201%25?noredirect", "proxy-url"),
        ("http://hdl.handle.net:80/88.118.7/SN%201%25", "proxy-url"),
    ],
)
def test_a_handle_is_one_in_every_form(text, form):
    reading = only(handle.read(text))
    assert (reading.form, reading.code) == (form, "88.118.7/SN 1%")
    assert [part.value for part in reading.parts] == ["88.118.7", "SN 1%"]


def test_a_doi_is_a_handle():
    assert only(handle.read("doi:10.1000/182")).code == "10.1000/182"
    assert only(handle.read("https://doi.org/10.1000/182")).code == "10.1000/182"


@pytest.mark.parametrize("text", ["88.118.7", "0.NA/88.118.7"])
def test_a_bare_prefix_means_its_record(text):
    reading = only(handle.read(text))
    assert (reading.form, reading.code) == ("prefix", "0.NA/88.118.7")
    assert "enterprise 88.118.7" in reading.parts[0].note


@pytest.mark.parametrize(
    ("text", "code", "identifier"),
    [
        (  # idis notes §2.1
            "VAA08810012345678/abc123",
            "VAA08810012345678/abc123",
            "88.100.12345678/abc123",
        ),
        (
            "88.100.12345678/abc123",
            "VAA08810012345678/abc123",
            "88.100.12345678/abc123",
        ),
        ("vaa0861001/A/B", "VAA0861001/A/B", "86.100.1/A/B"),
    ],
)
def test_a_vaa_code_names_its_identifier(text, code, identifier):
    reading = only(vaa.read(text))
    assert reading.code == code
    assert direct_identifier(reading) == identifier


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("1.2.156.3088.7", "dotted"),
        ("urn:oid:1.2.156.3088.7", "urn"),
        ("OID.1.2.156.3088.7", "prefixed"),
        ("/ISO/Member-Body/156/3088/7", "iri"),
        ("/1/2/156/3088/7", "iri"),
    ],
)
def test_an_oid_is_one_in_every_form(text, form):
    reading = only(oid.read(text))
    assert (reading.form, reading.code) == (form, "1.2.156.3088.7")
    assert ("arc", "1.2.156", "China (ISO member body)", "") in reading.parts


def test_the_labels_of_the_notes_lead_to_china():
    # resolver notes §2.2
    assert only(oid.read("/Joint-ISO-ITU-T/16/156")).code == "2.16.156"
    assert only(oid.read("/Country/156")).code == "2.16.156"


@pytest.mark.parametrize(
    ("text", "version", "number_system", "master_data"),
    [
        ("110010001", "1", "1001", "0001"),
        ("2" + "1234" + "9" * 28, "2", "1234", "9" * 28),
        ("312345aB9", "3", "12345", "aB9"),
        ("412345武汉-7", "4", "12345", "武汉-7"),
        ("ecode:110010001", "1", "1001", "0001"),
        ("0" + "a" * 63, "0", "AA", "A" * 61),
    ],
)
def test_an_ecode_has_version_number_system_and_master_data(
    text, version, number_system, master_data
):
    reading = only(ecode.read(text))
    values = [part.value for part in reading.parts]
    assert values == [version, number_system, master_data]
    assert reading.code == version + number_system + master_data


@pytest.mark.parametrize(
    "text",
    [
        CHAIN_ADDRESS,
        "did:bid:hany:efQ69GRtQUDR9SngdFKAv4owYyx5Fnko",
        "did:cn:88.100.12345",
        "did:vaa:3wJVWDQWtDFx27FqvSqyo5xsTsxC",
        "did:vaa:IDcontract1:86.100.1234/abcdfe.123",
        "did:web:example.com%3A3000:user",
    ],
)
def test_a_did_is_an_identifier_and_says_that_nothing_is_looked_up(text):
    reading = only(did.read(text))
    assert reading.code == text
    assert "nothing is looked up" in reading.notes[0]
    assert direct_identifier(reading) is None


def test_two_digits_are_a_prefix_and_no_other_bare_number_is():
    assert only(handle.read("88")).code == "0.NA/88"
    for number in ("8", "888", "01"):
        assert rejection(handle.read, number)


# ---- rejections say what, where and what was expected ------------------------------


@pytest.mark.parametrize(
    ("read", "text", "position", "expected"),
    [
        (handle.read, "88.118.7", None, None),
        (handle.read, "88 118/x", 2, "a prefix of letters, digits and dots"),
        (handle.read, "88.118.7/a\x00", 8, "PREFIX/SUFFIX"),
        (handle.read, "https://example.com/88.1/x", 8, "hdl.handle.net"),
        (handle.read, "hdl:88.1/%ff", 9, "UTF-8"),
        (handle.read, "1.2.3", None, "0.NA/1.2.3"),
        (handle.read, "text", None, "PREFIX/SUFFIX"),
        (vaa.read, "VAA0991001/x", 3, "088 or 086"),
        (vaa.read, "VAA088a001/x", 6, "a digit"),
        (vaa.read, "VAA088100/x", 9, "3 digits industry"),
        (vaa.read, "VAA088100" + "1" * 21 + "/x", 29, "at most 20"),
        (vaa.read, "VAA0881001", 10, "a slash"),
        (vaa.read, "88.1/x", 0, "VAA088"),
        (oid.read, "3.1", 0, "0, 1 or 2"),
        (oid.read, "1.40", 2, "0 to 39"),
        (oid.read, "1.2.007", 4, "none"),
        (oid.read, "1..2", 2, "digits"),
        (oid.read, "1.2.", 4, "digits"),
        (oid.read, "1.2-3", 3, "a dot"),
        (oid.read, "1", None, "two arcs"),
        (oid.read, "1.2." + "9" * 40, 4, "at most 39"),
        (oid.read, ".".join(["1"] * 65), 128, "at most 64"),
        (oid.read, "/ISO/Nobody", 5, "a known label"),
        (ecode.read, "9123", 0, "1, 2, 3 or 4"),
        (ecode.read, "11x01", 2, "a digit"),
        (ecode.read, "11001", 5, "4 digits, then 1 to 20"),
        (ecode.read, "11001" + "1" * 21, 25, "at most 20"),
        (ecode.read, "1100112a", 7, "a digit"),
        (ecode.read, "312345a-b", 7, "a digit or letter"),
        (did.read, "urn:x", 0, "did:METHOD:ID"),
        (did.read, "did:BID:x", 4, "lower case"),
        (did.read, "did:bid:0OIl", 8, "base58"),
        (did.read, "did:cn:88.1", 7, "ISSUER.INDUSTRY.ENTERPRISE"),
        (did.read, "did:vaa:short", 8, "27 to 31"),
        (did.read, "did:web:a/b", 9, "letters, digits"),
        (did.read, "did:x:" + "a" * 600, 512, "at most 512"),
    ],
)
def test_a_rejection_has_a_position_and_what_was_expected(
    read, text, position, expected
):
    if expected is None:
        assert read(text)
        return
    found = rejection(read, text)
    assert found.position == position
    assert expected in found.expected
    assert found.reason


# ---- rules -------------------------------------------------------------------------


def test_a_company_code_is_read_by_the_enterprise_s_rule():
    reading = only(company.read("HC-2026-17", (read_rule(HC),)))
    assert [part[:2] for part in reading.parts] == [
        ("year", "2026"),
        ("serial", "17"),
        ("identifier", "88.118.7/2026/17"),
    ]
    assert direct_identifier(reading) == "88.118.7/2026/17"


@pytest.mark.parametrize(
    ("code", "position", "expected"),
    [
        ("HD-2026-17", 1, "'C-'"),
        ("HC-202x-17", 6, "4 digits (year)"),
        ("HC-2026-", 8, "1 to 6 digits (serial)"),
        ("HC-2026-1234567", 14, "the end of the code"),
        ("HC-2026-17x", 10, "the end of the code"),
        ("HC-٢٠٢٦-17", 3, "4 digits (year)"),
        ("", 0, "'HC-'"),
    ],
)
def test_where_a_code_leaves_a_rule_is_said(code, position, expected):
    assert match_code(read_rule(HC), code) == Mismatch(position, expected)
    found = rejection(lambda text: company.read(text, (read_rule(HC),)), code)
    assert (found.position, found.expected) == (position, expected)


def test_the_rule_that_a_code_follows_furthest_is_named_first():
    rules = (read_rule("code XX{n:1d} -> 88.1.1/{n}"), read_rule(HC))
    found = rejection(lambda text: company.read(text, rules), "HC-2026-x")
    assert "HC-" in found.reason


def test_a_gs1_rule_holds_for_exactly_its_application_identifiers():
    rule = read_rule("gs1 01 21 -> 88.100.1/SN{21}")
    assert match_level(rule, {"01": "1", "21": "A/B"}) == "88.100.1/SNA/B"
    assert match_level(rule, {"01": "1"}) is None
    assert match_level(rule, {"01": "1", "10": "2", "21": "3"}) is None


def test_a_rule_that_would_make_no_identifier_makes_none():
    rule = read_rule("gs1 01 21 -> 88.100.1/{21}")
    assert match_level(rule, {"01": "1", "21": "a\x00"}) is None
    assert match_level(rule, {"01": "1", "21": "a" * 3000}) is None


@pytest.mark.parametrize(
    ("text", "code", "identifier"),
    [
        ("oid 2.999.1.{n:1-8d} -> 88.1.1/O{n}", "2.999.1.42", "88.1.1/O42"),
        ("ecode 11001{n:1-20d} -> 88.1.1/E{n}", "110010042", "88.1.1/E0042"),
        ("code {a:1-3a}{b:2d} -> 88.1.1/{b}{a}", "ab12", "88.1.1/12ab"),
        ("code ABC -> 88.1.1/ABC", "ABC", "88.1.1/ABC"),
    ],
)
def test_rules_are_for_every_scheme(text, code, identifier):
    assert identifier_of(read_rule(text), code) == identifier


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nothing", "SCHEME PATTERN -> TEMPLATE"),
        ("dns x -> 88.1/x", "SCHEME PATTERN -> TEMPLATE"),
        ("code x ->  ", "SCHEME PATTERN -> TEMPLATE"),
        ("code x{ -> 88.1/x", "a field"),
        ("code {a:.*} -> 88.1/{a}", "a field"),
        ("code {a:0d} -> 88.1/{a}", "a width of 1 to 90"),
        ("code {a:5-2d} -> 88.1/{a}", "a width of 1 to 90"),
        ("code {a:1d}{a:1d} -> 88.1/{a}", "different names"),
        ("code {a:1-3d}{b:2n} -> 88.1/{a}", "cannot continue a"),
        ("code {a:1-3n}x -> 88.1/{a}", "cannot continue a"),
        ("code {a:1d} -> 88.1/{b}", "to be named in the pattern"),
        ("code {a:1d} -> 88.{a}/x", "the prefix without fields"),
        ("code {a:1d} -> 88..1/x{a}", "PREFIX/SUFFIX"),
        ("code {a:1d} -> 88.1/}{a}", "only {NAME}"),
        ("gs1 01 01 -> 88.1/{01}", "different application identifiers"),
        ("gs1 x -> 88.1/1", "an application identifier instead of 'x'"),
        ("gs1 01 -> 88.1/{21}", "to be named in the pattern"),
        ("code " + "x" * 2000 + " -> 88.1/x", "at most 1024"),
    ],
)
def test_a_rule_that_is_none_is_refused_with_what_was_expected(text, expected):
    with pytest.raises(InvalidValueError) as caught:
        read_rule(text)
    assert expected in str(caught.value)


def test_matching_takes_one_pass_however_the_fields_stand():
    fields = "".join(f"{{f{n}:1-9d}}-" for n in range(16))
    rule = read_rule(f"code {fields} -> 88.1/x")
    assert isinstance(match_code(rule, "1-" * 15 + "1" * 9 + "x"), Mismatch)


# ---- decoding ----------------------------------------------------------------------


def schemes(text, rules=()):
    return [(r.scheme, r.form) for r in decode(text, rules).readings]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("9521000100015", [("gs1", "gtin-13"), ("gs1", "gln")]),
        ("(01)09521000100015(21)SN42", [("gs1", "bracketed")]),
        ("88.118.7/SN1", [("handle", "identifier"), ("vaa", "dotted")]),
        ("88.118/SN1", [("handle", "identifier")]),
        ("VAA0881001/SN1", [("vaa", "compact")]),
        ("2.999.100.1", [("oid", "dotted")]),
        ("110010001", [("ecode", "plain")]),
        ("did:cn:88.100.1", [("did", "did:cn")]),
        (
            "https://id.example.cn/01/09521000100015/21/SN42",
            [("gs1", "digital-link")],
        ),
        ("nothing of the kind", []),
        ("", []),
    ],
)
def test_a_text_is_read_by_every_scheme_that_takes_it(text, expected):
    assert schemes(text) == expected


def test_digits_that_are_several_things_are_told_as_several_things():
    # A German GTIN is an Ecode of version 4, too: nobody guesses.
    assert schemes("4006381333931") == [
        ("gs1", "gtin-13"),
        ("gs1", "gln"),
        ("ecode", "plain"),
    ]


def test_a_company_rule_comes_first():
    rule = read_rule("code {sku:13d} -> 88.118.7/{sku}")
    assert schemes("9521000100015", (rule,))[0] == ("company", "rule")


def test_what_is_normalised_is_said():
    typed = "".join(chr(ord(digit) + 0xFEE0) for digit in "9521000100015")
    wide = decode(f"\u3000{typed}\r\n")
    assert [r.code for r in wide.readings] == [
        "(01)09521000100015",
        "(414)9521000100015",
    ]
    assert wide.changes == (
        "spaces around it removed",
        "full-width characters made ASCII",
    )
    assert decode("9521000100015").changes == ()


def test_an_identifier_keeps_its_own_full_width_characters():
    decoded = decode("88.118.7/型号\uff21")
    assert decoded.changes == ()
    assert decoded.readings[0].code == "88.118.7/型号\uff21"


def test_a_wrong_check_digit_comes_with_the_right_one():
    first = decode("9521000100016").rejections[0]
    assert (first.scheme, first.position) == ("gs1", 12)
    assert "5" in first.expected


def test_letters_that_only_look_right_are_named_where_they_stand():
    found = decode(" 95210001\N{CYRILLIC CAPITAL LETTER O}0015").rejections[0]
    assert found.form == "look-alike"
    assert found.position == 9
    assert "CYRILLIC CAPITAL LETTER O" in found.reason
    assert "LATIN CAPITAL LETTER O" in found.expected


def test_positions_count_in_the_text_as_it_came():
    plain = {r.scheme: r.position for r in decode("1.2.x").rejections}
    moved = {r.scheme: r.position for r in decode("   1.2.x").rejections}
    assert moved["oid"] == plain["oid"] + 3 == 7


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("9.52E+12", 5, "the code itself"),
        ("9.521000100015E+12", 15, "9521000100015"),
        ("9521000100015.0", 13, "9521000100015"),
        ("9,521,000,100,015", 1, "9521000100015"),
        ("9.521.000.100.015", 1, "9521000100015"),
        ('="9521000100015"', 0, "9521000100015"),
        ("'9521000100015", 0, "9521000100015"),
        ("12345678905", 0, "012345678905"),
        ("95210001000000015", 0, "095210001000000015"),
        (" 9521000100O15", 11, "9521000100015"),
    ],
)
def test_what_spreadsheets_and_typists_do_to_codes_is_told(text, position, expected):
    first = decode(text).rejections[0]
    assert first.form in ("spreadsheet", "typing")
    assert first.position == position
    assert expected in first.expected


@pytest.mark.parametrize(
    "text",
    [
        "9521000100015",
        "1.2.156",
        "2.999.100.1",
        "88.100.1/SN1",
        "110010001",
        "12345678906",  # no zeros in front make its check digit right
        "(01)09521000100015",
        "XUGUANG-1",
        "9521000100A15",
    ],
)
def test_nothing_is_made_up_about_other_codes(text):
    assert mishaps(text) == ()


def test_a_text_that_is_too_long_has_one_rejection():
    decoded = decode("1" * (MAX_CHARACTERS + 1))
    assert decoded.readings == ()
    (found,) = decoded.rejections
    assert "at most 2048" in found.expected


def test_a_code_error_is_one_of_the_registry():
    with pytest.raises(InvalidIdentifierError):
        oid.read("x")
