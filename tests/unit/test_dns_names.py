"""Identifiers as domain names and back, ours and CNRI's."""

import contextlib
import re
from pathlib import Path

import dns.name
import pytest
from hypothesis import assume, example, given, settings, strategies as st

from registry.errors import InvalidIdentifierError
from registry.model.identifier import CaseRule, canonical
from resolver.dns.labels import LabelError, read_cnri_label, read_label
from resolver.dns.names import (
    Kind,
    NoNameError,
    Place,
    name_of,
    read_cnri_name,
    read_name,
)
from tests.strategies import PREFIXES, PRINTABLE, SUFFIXES

ZONE = "idis.test."
LABELS = st.binary(min_size=1, max_size=63).map(bytes.lower)


def labels_of(name: str) -> tuple[bytes, ...]:
    """Give the folded labels below the zone, as a server reads them."""
    whole = dns.name.from_text(name).canonicalize()
    return whole.relativize(dns.name.from_text(ZONE)).labels


NAMES = {
    "88.118.7/SN0001": "sn0001.7.118.88.idis.test.",
    "88.118.7/MODEL/W5500": "w5500.model_.7.118.88.idis.test.",
    "88.118.7/LOT20260301-07": "lot20260301-07.7.118.88.idis.test.",
    "88.118.7/V1.2": "v1_2e2.7.118.88.idis.test.",
    "88.118.7/A--B-": "a_2d_2db_2d.7.118.88.idis.test.",
    "88.118.7/电机": "_e7_94_b5_e6_9c_ba.7.118.88.idis.test.",
    "88.118.7/A_1": "a_5f1.7.118.88.idis.test.",
    "88.118.7/A/": "a_2f.7.118.88.idis.test.",
    "88.118.7//A//B": "_2fa_2f_2fb.7.118.88.idis.test.",
    "88.118/ADMIN": "admin._at.118.88.idis.test.",
    "88/ADMIN": "admin._at.88.idis.test.",
    "88.118.7": "7.118.88.idis.test.",
    "0.NA/88.118": "118.88.idis.test.",
    "88": "88.idis.test.",
}


@pytest.mark.parametrize("rule", CaseRule)
@pytest.mark.parametrize("identifier", NAMES)
def test_capitals_digits_and_single_hyphens_stand_for_themselves(identifier, rule):
    name = name_of(identifier, rule=rule)
    assert name == NAMES[identifier]
    place = read_name(labels_of(name))
    assert place == Place(canonical(identifier.encode(), rule), Kind.RECORD)


def test_small_letters_are_escaped_only_where_case_tells_suffixes_apart():
    assert name_of("88.118.7/sn1") == "sn1.7.118.88.idis.test."
    exact = name_of("88.118.7/sN1", rule=CaseRule.EXACT)
    assert exact == "_73n1.7.118.88.idis.test."
    assert read_name(labels_of(exact)).identifier == b"88.118.7/sN1"


@given(PREFIXES, SUFFIXES, st.sampled_from(CaseRule))
@example("88.1.2", "A" * 200, CaseRule.FOLD)
@example("88.1.2", "a" * 60, CaseRule.EXACT)
@example("88.1.2", "A" * 63 + "/" + "B" * 62 + "/" + "C", CaseRule.FOLD)
@example("88.1.2", "A-" * 40 + "A", CaseRule.FOLD)
@example("88.1.2", "/" * 10, CaseRule.FOLD)
@example("88.1.2", "XN--", CaseRule.FOLD)
@example("88.1.2", "HX--A", CaseRule.FOLD)
@settings(max_examples=400)
def test_an_identifier_with_a_name_is_read_from_it(prefix, suffix, rule):
    identifier = f"{prefix}/{suffix}"
    try:
        name = name_of(identifier, ZONE, rule=rule)
    except NoNameError:
        assume(False)
    except InvalidIdentifierError:
        assume(False)
    labels = labels_of(name)
    assert max(map(len, labels)) <= 63
    place = read_name(labels)
    assert place == Place(canonical(identifier.encode(), rule), Kind.RECORD)
    for label in labels:
        # What dig and kdig refuse before they ask.
        assert label[2:4] != b"--"
        assert not label.startswith(b"-")
        assert not label.endswith(b"-")


@given(st.text(PRINTABLE, min_size=1, max_size=100))
def test_every_suffix_that_fits_has_a_name(suffix):
    assume("/" not in suffix)
    identifier = f"88.118.7/{suffix}"
    canonical(identifier.encode())
    try:
        name = name_of(identifier)
    except NoNameError:
        # Three octets for each, and three more for each label that is begun.
        assert len(suffix.upper().encode()) * 3 > 200
    else:
        assert read_name(labels_of(name)).kind is Kind.RECORD


@given(st.lists(LABELS, min_size=1, max_size=6).map(tuple))
@example((b"_", b"7", b"118", b"88"))
@example((b"_hdl", b"_tcp", b"_hdl", b"_tcp", b"7"))
@example((b"xn--99999999", b"7", b"118", b"88"))
def test_any_labels_stand_for_something_or_say_why_not(labels):
    try:
        place = read_name(labels)
        identifier = canonical(place.identifier)
    except (LabelError, InvalidIdentifierError):
        return
    again = read_name(labels_of(name_of(identifier.decode(), rule=CaseRule.EXACT)))
    if place.kind is Kind.RECORD:
        assert again == place


@pytest.mark.parametrize(
    ("labels", "identifier"),
    [
        ("hx--sn-20a.7.118.88", b"88.118.7/SN A"),
        ("xn--btw71q18h.7.118.88", "88.118.7/电池组".encode()),
        ("w5500.model.7.118.88", b"88.118.7/MODEL/W5500"),
        ("sn1._at.7.118.88", b"88.118.7/SN1"),
    ],
)
def test_other_spellings_are_read_too(labels, identifier):
    place = read_name(tuple(labels.encode().split(b".")))
    assert place == Place(identifier, Kind.RECORD)


@pytest.mark.parametrize(
    ("labels", "place"),
    [
        ("model_.7.118.88", Place(b"0.NA/88.118.7", Kind.INNER)),
        ("aaa__.7.118.88", Place(b"0.NA/88.118.7", Kind.INNER)),
        ("_at.118.88", Place(b"0.NA/88.118", Kind.INNER)),
        ("_tcp.sn1.7.118.88", Place(b"88.118.7/SN1", Kind.INNER)),
        ("_hdl._tcp.sn1.7.118.88", Place(b"88.118.7/SN1", Kind.SERVICE)),
        ("_hdl._tcp.7.118.88", Place(b"0.NA/88.118.7", Kind.SERVICE)),
    ],
)
def test_names_between_names_are_nobodys(labels, place):
    assert read_name(tuple(labels.encode().split(b"."))) == place


@pytest.mark.parametrize(
    "labels",
    [
        "_zz.7.118.88",
        "_4.7.118.88",
        "a b.7.118.88",
        "hx--a-zz.7.118.88",
        "hx--.7.118.88",
        "_.7.118.88",
        "a.__.7.118.88",
        "_hdl.sn1.7.118.88",
        "_hdl._tcp.model_.7.118.88",
        "_hdl._tcp",
        "_at",
        "a._at",
        "x._at.1.7.118.88",
        "_2e.118.88",
        "xn--aa-\xff.7.118.88",
    ],
)
def test_broken_labels_stand_for_nothing(labels):
    with pytest.raises(LabelError):
        read_name(tuple(labels.encode("latin-1").split(b".")))


@pytest.mark.parametrize(
    "identifier",
    ["88.118.7.1/SN1", "88.118.7/" + "A" * 300, "NS-1.2.3/A", "1" * 64 + ".2.3/A"],
)
def test_what_cannot_be_named_says_why(identifier):
    with pytest.raises(NoNameError):
        name_of(identifier)


def test_a_network_with_a_longer_root_has_longer_prefixes():
    name = name_of("88.9.118.7/SN1", prefix_labels=4)
    assert name == "sn1.7.118.9.88.idis.test."
    assert read_name(labels_of(name), 4).identifier == b"88.9.118.7/SN1"


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        # The examples that CNRI's convention is described with (resolvers notes §2.3).
        ("", b"20.500/DNS"),
        ("www.a", b"20.500/DNS/a/www"),
        # Its escapes.
        ("hx--a-20b", b"20.500/DNS/a b"),
        ("hx--a-2fb", b"20.500/DNS/a/b"),
        ("xn--bcher-kva", "20.500/DNS/bücher".encode()),
        ("_sip._tcp", b"20.500/DNS/_tcp/_sip"),
        ("*.a", b"20.500/DNS/a/*"),
    ],
)
def test_cnri_names_follow_the_prefix_from_the_right(name, identifier):
    labels = tuple(name.encode().split(b".")) if name else ()
    assert read_cnri_name(labels, b"20.500/DNS") == identifier


@pytest.mark.parametrize("label", [b"hx--a-2", b"hx--", b"a b", b"\xff", b"xn--\xff"])
def test_broken_cnri_labels_stand_for_nothing(label):
    with pytest.raises(LabelError):
        read_cnri_label(label)


@given(LABELS)
def test_any_label_is_read_or_refused(label):
    for read in (read_label, read_cnri_label):
        with contextlib.suppress(LabelError):
            assert isinstance(read(label), bytes)


def documented():
    """Give the identifiers and names that the documentation shows."""
    page = Path(__file__).parents[2] / "docs" / "dns.md"
    return re.findall(
        r"^\| [^`|]*`([^`]+)` \| `([^`]+)` \|$", page.read_text(), re.MULTILINE
    )


def test_the_documentation_shows_names_as_they_are():
    shown = [pair for pair in documented() if pair[0].startswith("88")]
    assert len(shown) >= 5
    for identifier, below in shown:
        assert name_of(identifier) == f"{below}.{ZONE}"
