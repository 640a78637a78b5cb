"""Product codes that exist after boot: what they stand for, and that they are right."""

import json
from itertools import chain

import pytest
from biip.sscc import Sscc

from resolver.code_prefixes import code_prefixes
from resolver.seeded import seeded_identifiers
from resolver.seeded_codes import code_records, seeded_codes
from resolver.topology import builtin_topology, parse_topology
from tests.unit.test_topology import SMALL

WHOLE = builtin_topology(35)
FIRST = WHOLE.enterprises[0]
TYPES = {"HS_ALIAS", "GS1.DESCRIPTION", "GS1.LINK", "DNS.NAPTR", "CODE.RULE"}


def records_of(enterprise):
    return list(chain.from_iterable(code_records(enterprise).values()))


def known_to(enterprise):
    """Everything that a code of an enterprise may stand for."""
    seeded = {each.identifier for each in seeded_identifiers(enterprise)}
    return seeded | {f"0.NA/{enterprise.prefix}"}


@pytest.mark.parametrize("enterprise", WHOLE.enterprises, ids=lambda each: each.prefix)
def test_every_alias_stands_for_something_that_exists(enterprise):
    known = known_to(enterprise)
    for prefix, records in code_records(enterprise).items():
        for name, values in records:
            assert name.startswith((f"{prefix}/", f"{enterprise.prefix}/CODE_RULES"))
            assert {value.type for value in values} <= TYPES
            aliases = [value.data for value in values if value.type == "HS_ALIAS"]
            rules = [value.data for value in values if value.type == "CODE.RULE"]
            assert (len(aliases), bool(rules)) in {(1, False), (0, True)}
            assert set(aliases) <= known


@pytest.mark.parametrize("enterprise", WHOLE.enterprises, ids=lambda each: each.prefix)
def test_every_enterprise_has_codes_of_every_scheme(enterprise):
    codes = seeded_codes(enterprise)
    schemes = {"gs1", "oid", "ecode", "vaa", "company"}
    assert {code.scheme for code in codes} == schemes
    assert {code.identifier for code in codes} <= known_to(enterprise)
    for application_identifier in ("(00)", "(414)", "(10)", "(21)"):
        assert any(application_identifier in code.code for code in codes)


def test_codes_and_their_records_are_unique_in_the_network():
    names = [
        record.identifier.lower() for e in WHOLE.enterprises for record in records_of(e)
    ]
    assert len(set(names)) == len(names)
    codes = [code.code for e in WHOLE.enterprises for code in seeded_codes(e)]
    assert len(set(codes)) == len(codes)


def test_codes_follow_from_the_topology_alone():
    again = builtin_topology(35).enterprises
    assert [*map(code_records, again)] == [*map(code_records, WHOLE.enterprises)]
    assert [*map(seeded_codes, again)] == [*map(seeded_codes, WHOLE.enterprises)]


def test_a_class_has_the_links_that_negotiation_is_shown_with():
    values = dict(records_of(FIRST))["88.GS1.95210001/01/09521000100015"]
    links = [json.loads(value.data) for value in values if value.type == "GS1.LINK"]
    kinds = [link["linkType"] for link in links]
    default = [link for link in links if link.get("default")]
    assert [link["hreflang"] for link in default] == [["en"], ["zh"]]
    assert kinds.count("gs1:instructions") == 2
    assert sum("service" in link for link in links) == 1
    assert len({link["href"] for link in links}) == len(links)


@pytest.mark.parametrize("enterprise", WHOLE.enterprises, ids=lambda each: each.prefix)
def test_keys_have_their_check_digits_by_another_judge(enterprise):
    codes = [code.code for code in seeded_codes(enterprise) if code.scheme == "gs1"]
    (sscc,) = [code[4:] for code in codes if code.startswith("(00)")]
    assert Sscc.parse(sscc).value == sscc
    (gln,) = [code[5:] for code in codes if code.startswith("(414)")]
    assert len(gln) == 13
    assert sum(int(d) * (1, 3)[n % 2] for n, d in enumerate(gln)) % 10 == 0


@pytest.mark.parametrize("company", ["952100", "952100010001"])
def test_keys_have_their_length_whatever_the_company_prefix_has(company):
    text = SMALL.replace(
        'prefix = "86.1.5"', f'prefix = "86.1.5"\ngs1_company_prefix = "{company}"'
    )
    enterprise = parse_topology(text.encode(), "small.toml").enterprises[0]
    assert [code.prefix for code in code_prefixes(enterprise)] == [f"86.GS1.{company}"]
    codes = [code.code for code in seeded_codes(enterprise)]
    assert len(next(code for code in codes if code.startswith("(00)"))) == 4 + 18
    assert len(next(code for code in codes if code.startswith("(414)"))) == 5 + 13
    assert not any(code.startswith("VAA") for code in codes)


def test_without_codes_there_are_only_rules_for_the_enterprises_own():
    enterprise = parse_topology(SMALL.encode(), "small.toml").enterprises[1]
    assert list(code_records(enterprise)) == ["86.1.6"]
    assert [code.scheme for code in seeded_codes(enterprise)] == ["company"]
