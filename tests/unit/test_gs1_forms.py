"""GS1 codes in every form: published examples, and what is said of bad ones."""

import pytest

from registry.schemes import gs1
from registry.schemes.gs1.links import level_paths, pairs_of
from registry.schemes.reading import CodeError

GS = "\x1d"


def codes(text: str) -> list[tuple[str, str]]:
    return [(reading.form, reading.code) for reading in gs1.read(text)]


def first_rejection(text: str):
    with pytest.raises(CodeError) as caught:
        gs1.read(text)
    return caught.value.rejections[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "6901234567892",
            [("gtin-13", "(01)06901234567892"), ("gln", "(414)6901234567892")],
        ),
        ("06901234567892", [("gtin-14", "(01)06901234567892")]),
        ("614141007349", [("gtin-12", "(01)00614141007349")]),
        ("96385074", [("gtin-8", "(01)00000096385074")]),
        # ISO/IEC 15420: 01234565 is 012345000065 with its zeros suppressed.
        (
            "01234565",
            [("gtin-8", "(01)00000001234565"), ("upc-e", "(01)00012345000065")],
        ),
        (
            "376104250021234569",
            [
                ("sscc", "(00)376104250021234569"),
                ("gsrn", "(8018)376104250021234569"),
                ("gsrn", "(8017)376104250021234569"),
            ],
        ),
        ("06141411234567890", [("gsin", "(402)06141411234567890")]),
        (
            "6 901234 567892",
            [("gtin-13", "(01)06901234567892"), ("gln", "(414)6901234567892")],
        ),
        ("]E06901234567892", [("gtin-13", "(01)06901234567892")]),
        ("]E496385074", [("gtin-8", "(01)00000096385074")]),
    ],
)
def test_bare_numbers_have_every_reading_of_their_length(text, expected):
    assert codes(text) == expected


@pytest.mark.parametrize("digits", ["32", "3", "4", "5"])
def test_zeros_of_a_upc_e_go_back_where_they_were(digits):
    # GS1 General Specifications figure 5.2.2.4.2-2, one number for each rule.
    suppressed, whole = {
        "32": ("01278907", "012000007897"),
        "3": ("01234531", "012300000451"),
        "4": ("01234543", "012340000053"),
        "5": ("01234558", "012345000058"),
    }[digits]

    assert ("upc-e", f"(01)00{whole}") in codes(suppressed)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("(01)06901234567892(10)LOT7(21)SN42", "(01)06901234567892(10)LOT7(21)SN42"),
        ("(10)LOT7(01)06901234567892", "(01)06901234567892(10)LOT7"),
        ("(01) 06901234567892 (10) LOT7", "(01)06901234567892(10)LOT7"),
        (f"010690123456789210LOT7{GS}21SN42", "(01)06901234567892(10)LOT7(21)SN42"),
        (f"]C1{GS}0106901234567892", "(01)06901234567892"),
        ("]d20106901234567892", "(01)06901234567892"),
        ("010690123456789210LOT7<GS>21SN42", "(01)06901234567892(10)LOT7(21)SN42"),
        ("010690123456789210LOT7{GS}21SN42", "(01)06901234567892(10)LOT7(21)SN42"),
        # GS1DigitalLinkToolkit.js, README.
        (
            "(3103)000189(01)05412345000013(3923)2172(10)ABC&+123",
            "(01)05412345000013(10)ABC&+123(3103)000189(3923)2172",
        ),
        (
            f"3103000189010541234500001339232172{GS}10ABC&+123",
            "(01)05412345000013(10)ABC&+123(3103)000189(3923)2172",
        ),
        (
            "https://id.gs1.org/01/05412345000013/10/ABC%26%2B123?3103=000189&3923=2172",
            "(01)05412345000013(10)ABC&+123(3103)000189(3923)2172",
        ),
        ("(01)06901234567892(10)A(B)C", r"(01)06901234567892(10)A\(B)C"),
        (r"(01)06901234567892(10)A\(21)C", r"(01)06901234567892(10)A\(21)C"),
        ("010690123456789210A(21)C", r"(01)06901234567892(10)A\(21)C"),
        ("https://a.cn/01/06901234567892/10/A(21)C", r"(01)06901234567892(10)A\(21)C"),
        (
            "https://example.cn/some/path/01/06901234567892/21/SN42?17=261231&linkType=gs1:pip",
            "(01)06901234567892(21)SN42(17)261231",
        ),
        ("http://EXAMPLE.cn/01/06901234567892/", "(01)06901234567892"),
        ("https://id.gs1.org/gtin/614141007349/lot/A", "(01)00614141007349(10)A"),
        ("]Q1https://id.gs1.org/00/376104250021234569", "(00)376104250021234569"),
    ],
)
def test_one_code_is_the_same_in_every_form(text, code):
    assert codes(text)[0][1] == code


@pytest.mark.parametrize(
    ("word", "code"),
    [
        # Written by GS1DigitalLinkToolkit.js, with and without its shorthands.
        (
            "LQnYUc1gmgAXohEQYUNMrYsmZyRoQ-A",
            "(01)05412345000013(10)ABC&+123(3103)000189(3923)2172",
        ),
        (
            "AQnYUc1gmiERBhQ0ytiyZmIGABenJGhD4",
            "(01)05412345000013(10)ABC&+123(3103)000189(3923)2172",
        ),
        ("DAnYUc1gmgowOQ", "(01)05412345000013(21)12345"),
        ("CwnYUc1gmk1Xm94uf43g", "(01)05412345000013(10)abcdef(17)261231"),
        ("JUhWbLCvxIKBHftTtvg", "(414)0614141123452(254)32a/b"),
        ("gARLlQEjRavA", "(8004)95012345ABC"),
        ("CgnYUc1gmoRUIMhZyfZCCgB7", "(01)05412345000013(22)2A(10)LOT7(21)00123"),
        ("DgnYUc1gmji3NU0", "(01)05412345000013(7003)1903061658"),
        # The two shorthands it orders in its own way.
        ("nYVmywr8QR37U7b4", "(414)0614141123452(254)32a/b"),
        ("GgnYUc1gmsJZ_jewpA", "(01)05412345000013(10)L(21)S(17)261231"),
    ],
)
def test_compressed_links_are_read(word, code):
    assert codes(f"https://h.example/{word}")[0] == ("compressed-digital-link", code)


@pytest.mark.parametrize(
    "word",
    ["LQnYUc1gmgAXohEQYUNMrYsmZyRoQ-A", "DAnYUc1gmgowOQ", "CgnYUc1gmoRUIMhZyfZCCgB7"],
)
def test_compressing_gives_the_published_word(word):
    (reading,) = gs1.read(f"https://h.example/{word}")

    assert (
        gs1.compressed_uri(reading, "https://h.example") == f"https://h.example/{word}"
    )


def test_a_readable_key_may_stand_before_a_compressed_rest():
    reading = gs1.read("(01)05412345000013(10)ABC&+123(3103)000189")[0]
    uri = gs1.compressed_uri(reading, "https://h.example", readable_key=True)

    assert uri.startswith("https://h.example/01/05412345000013/")
    assert gs1.read(uri)[0].code == reading.code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        # EPC Tag Data Standard 1.13 §6.3 and §7.
        ("urn:epc:id:sgtin:0614141.112345.400", "(01)10614141123459(21)400"),
        ("urn:epc:id:sgtin:0614141.712345.32a%2Fb", "(01)70614141123451(21)32a/b"),
        ("urn:epc:id:sscc:0614141.1234567890", "(00)106141412345678908"),
        ("urn:epc:id:sgln:0614141.12345.400", "(414)0614141123452(254)400"),
        ("urn:epc:id:sgln:0614141.12345.0", "(414)0614141123452"),
        ("urn:epc:id:grai:0614141.12345.400", "(8003)00614141123452400"),
        ("urn:epc:id:giai:0614141.12345400", "(8004)061414112345400"),
        ("urn:epc:id:gsrn:0614141.0000010253", "(8018)061414100000102534"),
        ("urn:epc:id:gdti:0614141.12345.400", "(253)0614141123452400"),
        ("urn:epc:id:cpi:0614141.5PQ7%2FZ43.12345", "(8010)06141415PQ7/Z43(8011)12345"),
        ("urn:epc:id:sgcn:4012345.67890.04711", "(255)401234567890104711"),
        ("urn:epc:id:ginc:0614141.xyz47%2F11", "(401)0614141xyz47/11"),
        ("urn:epc:id:gsin:0614141.123456789", "(402)06141411234567890"),
        ("urn:epc:id:itip:4012345.012345.01.02.987", "(8006)040123451234560102(21)987"),
        (
            "urn:epc:id:upui:1234567.098765.51qIgY)%3C%26Jp3*j7'SDB",
            "(01)01234567987651(235)51qIgY)<&Jp3*j7'SDB",
        ),
        ("urn:epc:id:pgln:1234567.89012", "(417)1234567890128"),
        ("urn:epc:class:lgtin:4012345.012345.998877", "(01)04012345123456(10)998877"),
        ("urn:epc:idpat:sgtin:0614141.112345.*", "(01)10614141123459"),
        ("urn:epc:tag:sgtin-96:3.0614141.812345.6789", "(01)80614141123458(21)6789"),
        # epc-tds, README: an independent encoder.
        ("3074257BF7194E4000001A85", "(01)80614141123458(21)6789"),
        ("3178E61C883950F59A000000", "(00)323563453213454346"),
        # GDSO tyre information service.
        ("301854AAC1493D023119400A", "(01)00866993371400(21)9413672970"),
        (
            "urn:epc:raw:96.x301854AAC1493D023119400A",
            "(01)00866993371400(21)9413672970",
        ),
    ],
)
def test_electronic_product_codes_are_read(text, code):
    assert codes(text)[0][1] == code


@pytest.mark.parametrize(
    ("uri", "hexadecimal"),
    [
        # EPC Tag Data Standard 1.13, appendix E.3.
        ("urn:epc:tag:sgtin-96:3.0614141.812345.6789", "3074257BF7194E4000001A85"),
        (
            "urn:epc:tag:sgtin-198:3.0614141.712345.32a%2Fb",
            "3674257BF6B7A659B2C2BF100000000000000000000000000000",
        ),
        ("urn:epc:tag:sscc-96:3.0614141.1234567890", "3174257BF4499602D2000000"),
        ("urn:epc:tag:sgln-96:3.0614141.12345.5678", "3274257BF46072000000162E"),
        ("urn:epc:tag:grai-96:3.0614141.12345.5678", "3374257BF40C0E400000162E"),
        ("urn:epc:tag:giai-96:3.0614141.5678", "3474257BF40000000000162E"),
        ("urn:epc:tag:gsrn-96:3.0614141.1234567890", "2D74257BF4499602D2000000"),
        ("urn:epc:tag:gdti-96:3.0614141.12345.5678", "2C74257BF46072000000162E"),
        ("urn:epc:tag:cpi-96:3.0614141.98765.12345", "3C74257BF400C0E680003039"),
        (
            "urn:epc:tag:cpi-var:3.0614141.5PQ7%2FZ43.12345",
            "3D74257BF75411DEF6B4CC00000003039000",
        ),
        ("urn:epc:tag:sgcn-96:3.4012345.67890.04711", "3F74F4E4E612640000019907"),
    ],
)
def test_bits_of_the_standard_are_written_and_read(uri, hexadecimal):
    (reading,) = gs1.read(uri)

    assert gs1.read(hexadecimal)[0].code == reading.code
    assert gs1.epc_hexadecimal(reading, 7, filter_value=3) == hexadecimal
    assert gs1.epc_tag_uri(reading, 7, filter_value=3) == uri


def test_an_epc_knows_its_company_prefix_and_a_number_does_not():
    assert (
        gs1.company_prefix_of(gs1.read("urn:epc:id:sgtin:086699.0337140.1")[0])
        == "086699"
    )
    assert gs1.company_prefix_of(gs1.read("6901234567892")[0]) is None


def test_a_tag_that_could_be_text_is_read_as_both():
    forms = [form for form, _code in codes("4014F4E4E40C0E40820000000F6C")]

    assert forms == ["epc-binary", "element-string"]


def test_levels_go_from_the_item_to_the_class():
    reading = gs1.read("https://a.cn/01/06901234567892/10/L%2F7/21/S")[0]

    assert level_paths(reading) == (
        "01/06901234567892/10/L%2F7/21/S",
        "01/06901234567892/21/S",
        "01/06901234567892/10/L%2F7",
        "01/06901234567892",
    )


def test_the_primary_key_is_the_first_part():
    reading = gs1.read("(17)261231(21)S(01)06901234567892")[0]

    assert pairs_of(reading)[0] == ("01", "06901234567892")


def test_a_code_without_key_has_no_levels_and_no_link():
    reading = gs1.read("(10)LOT7")[0]

    assert level_paths(reading) == ()
    with pytest.raises(CodeError, match="no primary key"):
        gs1.digital_link_uri(reading)


BAD = [
    ("6901234567893", 12, "2", "check digit 3 is wrong"),
    ("69012345678g2", 11, "a digit", "'g'"),
    ("690123456789\u041e", 12, "a digit", "only looks like"),
    ("123456789", None, "8, 12, 13 or 14", "9 digits"),
    ("6-901234 567892", 8, "one of them", "mixed separators"),
    ("(01)06901234567893", 17, "2", "check digit 3 of GTIN"),
    ("(01)0690123456789A", 17, "a digit", "'A'"),
    ("(05)12", 1, "General Specifications", "unknown application identifier '05'"),
    ("(01)06901234567892(77)12", 19, "General Specifications", "'77'"),
    ("(01)06901234567892(37)5", 19, "only one of the two", "must not stand beside"),
    ("(01)06901234567892(10)" + "A" * 21, 42, "1 to 20", "too long"),
    (f"(01)06901234567892{GS}(10)LOT", 18, "FNC1", "mixed separators"),
    ("0106901234567892(10)A", 16, "everywhere", "mixed separators"),
    ("0106901234567892<GS>10LOT{GS}21S", 25, "one way", "mixed separators"),
    ("(01)06901234567892(10)", 22, "1 to 20", "too short"),
    ("(01)06901234567892(10)L\u041eT", 23, "set 82", "only looks like 'O'"),
    ("(01)06901234567892(01)09521000100015", 19, "one value", "two values"),
    ("(01)06901234567892(99", 18, "(NN)", "not closed"),
    ("()", 1, "application identifier", "nothing in the brackets"),
    ("]d20106901234567893", 18, "2", "check digit"),
    ("]?9", 0, "]C1", "symbology identifier"),
    ("]E0690123456789", None, "13 digits", "12 characters"),
    ("0106901234567893", 15, "2", "check digit"),
    (
        "010690123456789210LOT" + "A" * 18 + "21SN",
        38,
        "a separator before it",
        "too long",
    ),
    ("0106901234567892 10LOT", 16, "application identifier", "' '"),
    ("(01)069012345", 13, "14 digits", "too short"),
    ("https://a.cn/01/06901234567893", 29, "2", "check digit"),
    (
        "https://a.cn/01/06901234567892/21/a/10/b",
        36,
        "in this order",
        "does not follow",
    ),
    ("https://a.cn/00/376104250021234569/21/x", 35, "none", "does not follow"),
    ("https://a.cn/01/06901234567892/21", 31, "pairs", "no value after it"),
    ("https://a.cn/01/06901234567892?99999=1", 31, "no digits alone", "'99999'"),
    ("https://a.cn/01/06901234567892/10/%ZZ", 34, "%25", "two hexadecimal"),
    ("https://a.cn/01/06901234567892/10/%FF", 34, "UTF-8", "not UTF-8"),
    ("https://a.cn/about", 13, "/01/", "no GS1 key"),
    ("https:///01/06901234567892", 8, "a host", "no host"),
    ("https://a.cn/01/0690123456 7892", 26, "%20", "a space"),
    ("urn:epc:id:gid:1.2.3", 11, "sgtin", "without a GS1 key"),
    (
        "urn:epc:id:sgtin:061414.112345.400",
        24,
        "7 digits",
        "after a company prefix of 6",
    ),
    ("urn:epc:id:sgtin:0614141.112345", 17, "3 fields", "2 fields"),
    ("urn:epc:tag:sgtin-96:9.0614141.8.6789", 21, "0 to 7", "filter"),
    ("urn:epc:raw:96.xZZ", 12, "hexadecimal", "no raw EPC"),
    ("E20012345678901234567890", 0, "30", "unknown EPC header E2"),
    ("3074257BF7194E4000001A8", 14, "more", "only 92 bits"),
    ("301C54AAC1493D023119400A", 3, "0 to 6", "partition 7"),
    ("A" * 3000, None, "2048", "3000 characters"),
    ("hello", 0, "digits", "'h'"),
    ("", 0, "a code", "nothing"),
]


@pytest.mark.parametrize(("text", "position", "expected", "reason"), BAD)
def test_bad_codes_say_where_why_and_what_is_right(text, position, expected, reason):
    rejection = first_rejection(text)

    assert rejection.position == position, rejection
    assert expected in rejection.expected, rejection
    assert reason in rejection.reason, rejection


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("BQAAAAAA", "05 is no application identifier"),
        ("sAAAAAAA", "B0 is no application identifier"),
        ("AQnYUc1gm", "ends inside"),
        ("AQnYUc1gmgITsKOawTQ", "twice"),
        ("AQnYUc1gnA", "check digit"),
        ("AQnYUc1gmh", "left over"),
        ("AQnYUc1gmiHCAA", "encoding 7"),
        ("AQnYUc1gmiA-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "31 characters"),
        ("Af_______g", "15 digits"),
    ],
)
def test_a_broken_compressed_word_is_told(word, reason):
    with pytest.raises(CodeError) as caught:
        gs1.read(f"https://a.cn/{word}")

    compressed = caught.value.rejections[1:]
    assert any(reason in rejection.reason for rejection in compressed)
    assert all(rejection.form == "compressed-digital-link" for rejection in compressed)


def test_a_bomb_of_base_64_ends_at_its_own_length():
    with pytest.raises(CodeError):
        gs1.read("https://a.cn/" + "_" * 2030)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("2001234567893", "restricted circulation"),
        ("9787040123456", "an ISBN"),
        ("9521000100015", "for examples"),
        ("6 901234 567892", "spaces left out"),
        ("https://a.cn/gtin/06901234567892", "dropped from the standard"),
        ("https://a.cn/01/6901234567892", "wants 14"),
        (f"0106901234567892{GS}10L", "needs none"),
        ("(01)06901234567892(01)06901234567892", "twice with the same value"),
        ("(10)LOT7", "needs (01)"),
    ],
)
def test_what_is_odd_but_allowed_is_a_note(text, note):
    try:
        readings = gs1.read(text)
    except CodeError as error:
        pytest.fail(str(error))

    assert any(note in each for each in readings[0].notes), readings[0].notes
