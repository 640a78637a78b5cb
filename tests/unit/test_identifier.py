"""Canonical names, and what can be told from them."""

import pytest
from hypothesis import given, strategies as st

from registry.errors import InvalidIdentifierError
from registry.model.identifier import (
    MAX_IDENTIFIER_OCTETS,
    MAX_PREFIX_OCTETS,
    CaseRule,
    canonical,
    home_of,
    is_prefix_handle,
    lineage,
    parent_prefix,
    prefix_handle,
    prefix_of,
    suffix_of,
)
from tests.strategies import IDENTIFIERS, LABELS, PREFIXES, SUFFIXES

RULES = st.sampled_from(CaseRule)


@given(st.binary(max_size=60), RULES)
def test_any_octets_are_a_name_or_an_error_of_ours(octets, rule):
    try:
        name = canonical(octets, rule)
    except InvalidIdentifierError:
        return
    assert canonical(name, rule) == name
    assert prefix_of(name) + b"/" + suffix_of(name) == name


@given(IDENTIFIERS, RULES)
def test_a_name_is_canonical_once_it_was_made_so(octets, rule):
    name = canonical(octets, rule)
    assert canonical(name, rule) == name
    assert canonical(name) == canonical(octets)


@given(PREFIXES, st.text("abcXYZ09_-./", min_size=1))
def test_ascii_case_does_not_tell_names_apart(prefix, suffix):
    octets = f"{prefix}/{suffix}".encode()
    assert canonical(octets.lower()) == canonical(octets.upper()) == octets.upper()


@given(PREFIXES, SUFFIXES)
def test_only_ascii_letters_fold(prefix, suffix):
    name = canonical(f"{prefix}/{suffix}".encode())
    folded = "".join(c.upper() if c.isascii() else c for c in suffix)
    assert suffix_of(name).decode() == folded


@given(PREFIXES, SUFFIXES)
def test_the_exact_rule_folds_the_prefix_alone(prefix, suffix):
    name = canonical(f"{prefix}/{suffix}".encode(), CaseRule.EXACT)
    assert name == f"{prefix.upper()}/{suffix}".encode()


@pytest.mark.parametrize("rule", CaseRule)
@pytest.mark.parametrize(
    ("octets", "name"),
    [
        (b"88.a", b"0.NA/88.A"),
        (b"0.na/88.a", b"0.NA/88.A"),
        (b"0.NA", b"0.NA/0.NA"),
        (b"0.NAB/x", None),
        (b"0.NA/", None),
        (b"0.NA/88/1", None),
        (b"0.NA/88..1", None),
        (b"0.NA/.88", None),
    ],
)
def test_a_name_without_a_slash_is_the_record_of_a_prefix(octets, name, rule):
    if name is None and not octets.startswith(b"0.NAB"):
        with pytest.raises(InvalidIdentifierError):
            canonical(octets, rule)
    else:
        assert is_prefix_handle(canonical(octets, rule)) == (name is not None)
        assert name in (None, canonical(octets, rule))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"/",
        b"/x",
        b"88/",
        b".88/x",
        b"88./x",
        b"8..8/x",
        b".",
        b"88.",
        b"88/\x00",
        b"88/a\nb",
        b"88/a\x7f",
        b"8\t8/a",
        "88/é\x7f".encode(),
        "88/é\x85".encode(),
        "88/é\x1f".encode(),
        b"88/\xff",
        b"88/\xc3",
        b"88/\xed\xa0\x80",
        b"88/\xc0\xaf",
        b"\xff/88",
    ],
)
def test_what_is_no_name_is_refused(octets):
    with pytest.raises(InvalidIdentifierError) as refused:
        canonical(octets)
    assert refused.value.code == 102


def test_a_refusal_shows_a_long_name_in_part():
    with pytest.raises(InvalidIdentifierError) as refused:
        canonical(b"." + b"8" * 2000 + b"/x")
    assert len(str(refused.value)) < 200


def test_a_name_has_2048_octets_at_most():
    longest = b"88/" + b"X" * (MAX_IDENTIFIER_OCTETS - 3)
    assert canonical(longest) == longest
    with pytest.raises(InvalidIdentifierError, match="2049 octets, 1 to 2048"):
        canonical(longest + b"X")


def test_the_limit_counts_octets_and_not_characters():
    canonical(("88/" + "é" * 1022).encode())
    with pytest.raises(InvalidIdentifierError):
        canonical(("88/" + "é" * 1023).encode())


@pytest.mark.parametrize("form", [b"%s", b"%s/x", b"0.NA/%s"])
def test_a_prefix_has_255_octets_at_most(form):
    canonical(form % (b"8" * MAX_PREFIX_OCTETS))
    with pytest.raises(InvalidIdentifierError, match="at most 255 octets"):
        canonical(form % (b"8" * (MAX_PREFIX_OCTETS + 1)))


@pytest.mark.parametrize(
    ("name", "home"),
    [
        (b"88.118.7/SN1", b"88.118.7"),
        (b"88.118.7/A/B", b"88.118.7"),
        (b"0.NA/88.118.7", b"88.118"),
        (b"0.NA/88", b"0.NA"),
        (b"0.NA/0.NA", b"0.NA"),
    ],
)
def test_a_name_lives_at_its_prefix_and_a_prefix_at_its_parent(name, home):
    assert home_of(name) == home


@given(st.lists(LABELS, min_size=1, max_size=5))
def test_every_step_of_a_lineage_is_the_parent_of_the_next(labels):
    prefix = ".".join(labels).encode()
    steps = lineage(prefix)
    assert steps[-1] == prefix
    assert len(steps) == len(labels)
    parents = [parent_prefix(step) for step in steps]
    assert parents == [b"0.NA", *steps[:-1]]
    assert [home_of(prefix_handle(step)) for step in steps] == parents
