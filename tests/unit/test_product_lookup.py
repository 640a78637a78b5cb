"""From a code to the names that may know it, and the order of asking."""

import pytest

from registry.model.value import Value
from registry.schemes.decoding import decode
from registry.schemes.lookup import Found, Wanted, look_up
from registry.schemes.mapping import (
    MAX_OID_PREFIXES,
    code_prefixes,
    company_rules_name,
    level_values,
    levels,
)
from registry.schemes.rules import MAX_RULES, rules_in
from resolver.client.code_memory import MAX_REMEMBERED, MAX_SECONDS, CodeMemory, Reply
from resolver.client.products import Asking, resolve_code
from resolver.errors import (
    AmbiguousCodeError,
    CodeNotFoundError,
    NotFoundError,
    ServerError,
    TimedOutError,
    UnreadableCodeError,
)

GTIN, ITEM = "09521000100015", "(01)09521000100015(10)LOT7(21)SN42"
PREFIX = "88.GS1.95210001"
CLASS = f"{PREFIX}/01/{GTIN}"
RULE = "gs1 01 21 -> 88.100.1/SN{21}"
URL = Value(1, "URL", b"https://example.com/", 300)


def alias(*identifiers):
    return tuple(
        Value(n, "HS_ALIAS", one.encode()) for n, one in enumerate(identifiers, 1)
    )


def rules(*texts):
    return tuple(Value(n, "CODE.RULE", one.encode()) for n, one in enumerate(texts, 1))


def reading(text):
    return decode(text).readings[0]


def answered(steps, tree):
    """Drive questions from a tree of records; give the result and what was asked."""
    asked, reply = [], None
    try:
        while True:
            wanted = steps.send(reply)
            asked.append(wanted.name)
            found = tree.get(wanted.name)
            if wanted.types and found is not None:
                found = tuple(v for v in found if v.type in wanted.types)
            reply = found
    except StopIteration as end:
        return end.value, asked


def found(text, tree, known=()):
    return answered(look_up(reading(text), known), tree)


# ---- names -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        (GTIN, "95210001"),
        ("(00)095210001000000015", "95210001"),
        ("(414)9521000199903", "95210001"),
        ("(8003)09521000100015A1", "95210001"),
        ("(8004)95210001X", "95210001"),
        ("(01)00614141123452", "06141411"),
    ],
)
def test_the_company_prefix_begins_where_the_key_has_it(text, digits):
    names = list(code_prefixes(reading(text)))
    assert names[0] == f"88.GS1.{digits}"
    assert len(names) == len(set(names))
    longer = [name.removeprefix("88.GS1.") for name in names]
    assert all(one[:6] == digits[:6] and 6 <= len(one) <= 12 for one in longer)


def test_a_short_alphanumeric_key_has_only_the_company_prefixes_it_can_have():
    names = list(code_prefixes(reading("(8004)9521000X1")))
    assert names == ["88.GS1.9521000", "88.GS1.952100"]


def test_a_known_code_prefix_is_asked_first():
    assert next(iter(code_prefixes(reading(GTIN), {"88.GS1.952100"}))) == (
        "88.GS1.952100"
    )


def test_the_registered_arc_of_an_oid_is_asked_first_then_the_deeper_ones():
    names = list(code_prefixes(reading("1.2.156.3088.7.1")))
    assert names == [
        "88.OID.1.2.156.3088",
        "88.OID.1.2.156.3088.7.1",
        "88.OID.1.2.156.3088.7",
        "88.OID.1.2.156",
        "88.OID.1.2",
    ]


def test_a_deep_oid_costs_a_bounded_number_of_questions():
    deep = "2.999." + ".".join("1" * 40)
    names = list(code_prefixes(reading(deep)))
    assert len(names) == MAX_OID_PREFIXES
    assert names[0] == "88.OID.2.999.1.1"


def test_an_ecode_has_the_code_prefix_of_its_number_system():
    (name,) = code_prefixes(reading("110010001"))
    assert name == "88.ECODE.11001"


def test_codes_that_are_identifiers_have_no_code_prefix():
    assert not list(code_prefixes(reading("88.118.7/SN1")))
    assert not levels(reading("88.118.7/SN1"))


def test_the_levels_of_an_item_go_down_to_its_class():
    paths = levels(reading(ITEM))
    assert paths[0] == f"01/{GTIN}/10/LOT7/21/SN42"
    assert f"01/{GTIN}/21/SN42" in paths
    assert paths[-1] == f"01/{GTIN}"
    assert paths.index(f"01/{GTIN}/21/SN42") < paths.index(f"01/{GTIN}/10/LOT7")


def test_values_of_a_level_are_unescaped():
    (path,) = levels(reading("(8004)95210001A/B"))
    assert path == "8004/95210001A%2FB"
    assert level_values(path) == {"8004": "95210001A/B"}


def test_rules_of_a_record_are_read_in_order_without_what_is_none():
    values = (
        Value(3, "CODE.RULE", b"code c -> 88.1/c"),
        Value(1, "code.rule", b"code a -> 88.1/a"),
        Value(2, "CODE.RULE", b"no rule"),
        Value(4, "URL", b"code d -> 88.1/d"),
    )
    assert [rule.pattern for rule in rules_in(values)] == [("a",), ("c",)]
    many = tuple(
        Value(n, "CODE.RULE", b"code a -> 88.1/a") for n in range(MAX_RULES + 9)
    )
    assert len(rules_in(many)) == MAX_RULES


# ---- the order of asking -----------------------------------------------------------


def test_the_finest_alias_record_wins():
    fine = f"{PREFIX}/01/{GTIN}/21/SN42"
    tree = {
        f"0.NA/{PREFIX}": (Value(1, "HS_SITE", b"x"),),
        CLASS: alias("88.100.1/CLASS"),
        fine: alias("88.100.1/ITEM"),
    }
    result, asked = found(ITEM, tree)
    assert result == Found(
        ("88.100.1/ITEM",), f"01/{GTIN}/21/SN42", "alias", fine, PREFIX
    )
    assert CLASS not in asked


def test_a_rule_for_the_finest_level_comes_before_the_alias_of_a_coarser_one():
    tree = {
        CLASS: alias("88.100.1/CLASS"),
        f"{PREFIX}/RULES": rules(RULE),
        "88.100.1/SNX": (URL,),
    }
    result, _ = found(f"(01){GTIN}(21)X", tree, {PREFIX})
    assert (result.identifiers, result.by, result.source) == (
        ("88.100.1/SNX",),
        "rule",
        RULE,
    )


def test_a_rule_whose_identifier_is_not_registered_gives_way_to_the_class():
    tree = {CLASS: alias("88.100.1/CLASS"), f"{PREFIX}/RULES": rules(RULE)}
    result, asked = found(f"(01){GTIN}(21)X", tree, {PREFIX})
    assert (result.identifiers, result.level) == (("88.100.1/CLASS",), f"01/{GTIN}")
    assert "88.100.1/SNX" in asked


def test_an_alias_record_with_links_only_leads_no_further():
    tree = {CLASS: (Value(1, "GS1.LINK", b"{}"),)}
    assert found(GTIN, tree, {PREFIX})[0] is None


def test_no_other_company_prefix_is_asked_once_one_is_delegated():
    _, asked = found(GTIN, {f"0.NA/{PREFIX}": (Value(1, "HS_SITE", b"x"),)})
    assert asked == [f"0.NA/{PREFIX}", CLASS, f"{PREFIX}/RULES"]


def test_arcs_above_are_asked_where_the_registered_one_has_nothing():
    tree = {"88.OID.2.999/2.999.1.1.5": alias("88.1/x")}
    known = {"88.OID.2.999.1.1", "88.OID.2.999"}
    result, asked = found("2.999.1.1.5", tree, known)
    assert result.code_prefix == "88.OID.2.999"
    assert asked[0] == "88.OID.2.999.1.1/2.999.1.1.5"


def test_oid_and_ecode_rules_are_used():
    tree = {
        "88.OID.2.999.1.1/RULES": rules("oid 2.999.1.1.{n:1-9d} -> 88.1.1/O{n}"),
        "88.1.1/O5": (URL,),
        "88.ECODE.11001/RULES": rules("ecode 11001{n:4d} -> 88.1.1/E{n}"),
        "88.1.1/E0001": (URL,),
    }
    known = {"88.OID.2.999.1.1", "88.ECODE.11001"}
    assert found("2.999.1.1.5", tree, known)[0].identifiers == ("88.1.1/O5",)
    assert found("110010001", tree, known)[0].identifiers == ("88.1.1/E0001",)


# ---- one code ----------------------------------------------------------------------


def resolve(text, tree, memory=None, **options):
    """Resolve a code in a tree of records; give the answer or the error."""
    asking = Asking(memory or CodeMemory(), **options)
    steps = resolve_code(text, asking, 0.0, 0.0)
    asked = []
    try:
        wanted = next(steps)
        while True:
            asked.append(wanted)
            values = tree.get(wanted.name)
            if isinstance(values, Exception):
                wanted = steps.throw(values)
                continue
            if values and wanted.types:
                values = tuple(v for v in values if v.type in wanted.types)
            wanted = steps.send(Reply(1, values) if values else Reply(100))
    except StopIteration as end:
        return end.value, [one.name for one in asked]


TREE = {
    f"0.NA/{PREFIX}": (Value(1, "HS_SITE", b"x"),),
    CLASS: alias("88.100.1/CLASS"),
    "88.100.1/CLASS": (URL,),
    "88.118.7/CODE_RULES": rules("code HC-{n:1-4d} -> 88.118.7/{n}"),
    "88.118.7/17": (URL,),
}


def test_a_gtin_leads_to_its_record_and_says_how():
    product, asked = resolve(GTIN, TREE)
    assert product.identifier == product.answer.identifier == "88.100.1/CLASS"
    assert product.answer.values == (URL,)
    assert product.answer.ttl_seconds == 300
    assert (product.scheme, product.code, product.level) == (
        "gs1",
        f"(01){GTIN}",
        f"01/{GTIN}",
    )
    assert [one.name for one in product.asked] == asked
    assert {one.code for one in product.asked} == {1}


def test_a_code_of_an_enterprise_needs_its_rules():
    product, _ = resolve("HC-17", TREE, company="88.118.7")
    assert product.identifier == "88.118.7/17"
    with pytest.raises(UnreadableCodeError):
        resolve("HC-17", TREE)
    assert company_rules_name("88.118.7") == "88.118.7/CODE_RULES"


def test_what_is_no_code_says_why_and_costs_no_question():
    with pytest.raises(UnreadableCodeError, match="check digit") as caught:
        resolve("9521000100016", {})
    assert caught.value.code == 102
    assert caught.value.rejections


def test_a_code_that_leads_nowhere_names_what_was_asked_for():
    with pytest.raises(CodeNotFoundError) as caught:
        resolve(GTIN, {})
    assert f"0.NA/{PREFIX}" in caught.value.asked
    assert caught.value.code == 100
    assert caught.value.readings[0].code == f"(01){GTIN}"


def test_a_did_is_not_looked_up():
    with pytest.raises(CodeNotFoundError, match="nothing"):
        resolve("did:cn:88.100.1", {})


def test_two_aliases_are_an_ambiguity_and_both_are_given():
    tree = {**TREE, CLASS: alias("88.1/A", "88.1/B")}
    with pytest.raises(AmbiguousCodeError) as caught:
        resolve(GTIN, tree)
    assert caught.value.choices == ("88.1/A", "88.1/B")


def test_two_readings_that_resolve_differently_are_an_ambiguity():
    gln = f"{PREFIX}/414/9521000100015"
    tree = {**TREE, gln: alias("88.100.1/PLACE"), "88.100.1/PLACE": (URL,)}
    with pytest.raises(AmbiguousCodeError) as caught:
        resolve("9521000100015", tree)
    assert caught.value.choices == ("88.100.1/CLASS", "88.100.1/PLACE")


def test_two_readings_that_lead_to_the_same_record_are_none():
    gln = f"{PREFIX}/414/9521000100015"
    tree = {**TREE, gln: alias("88.100.1/class")}
    tree["88.100.1/class"] = (URL,)
    assert resolve("9521000100015", tree)[0].identifier == "88.100.1/CLASS"


def test_the_one_reading_that_resolves_wins():
    product, asked = resolve("9521000100015", TREE)
    assert product.reading.form == "gtin-13"
    assert f"{PREFIX}/414/9521000100015" in asked


def test_an_identifier_in_two_notations_is_asked_for_once():
    product, asked = resolve("88.118.7/17", TREE)
    assert product.scheme == "handle"
    assert asked == ["88.118.7/17"]


def test_an_alias_that_leads_to_nothing_is_not_found():
    with pytest.raises(NotFoundError, match=r"88\.100\.1/GONE"):
        resolve(GTIN, {**TREE, CLASS: alias("88.100.1/GONE")})


def test_an_error_of_one_reading_does_not_hide_what_another_found():
    broken = {f"{PREFIX}/414/9521000100015": ServerError(2, "broken")}
    assert resolve("9521000100015", {**TREE, **broken})[0].identifier
    with pytest.raises(ServerError):
        resolve("9521000100015", {**TREE, **broken, CLASS: ()})


def test_nobody_there_ends_the_search():
    with pytest.raises(TimedOutError):
        resolve("9521000100015", {f"0.NA/{PREFIX}": TimedOutError("gone")})


# ---- what a client remembers -------------------------------------------------------


def test_the_second_code_of_an_enterprise_costs_less():
    memory = CodeMemory()
    _, first = resolve(GTIN, TREE, memory)
    _, second = resolve(GTIN, TREE, memory)
    assert f"0.NA/{PREFIX}" in first
    assert second == [CLASS, "88.100.1/CLASS"]


def test_fresh_passes_the_memory_by():
    memory = CodeMemory()
    _, first = resolve(GTIN, TREE, memory)
    assert resolve(GTIN, TREE, memory, fresh=True)[1] == first


def test_what_is_remembered_of_rules_ends():
    memory = CodeMemory()
    memory.remember("x/RULES", ("CODE.RULE",), Reply(1, rules(RULE)), 100.0)
    assert memory.recall("x/RULES", 100.0 + MAX_SECONDS - 1) is not None
    assert memory.recall("x/RULES", 100.0 + MAX_SECONDS) is None
    short = (Value(1, "CODE.RULE", b"", 5),)
    memory.remember("y/RULES", ("CODE.RULE",), Reply(1, short), 100.0)
    assert memory.recall("y/RULES", 105.0) is None


def test_a_memory_is_bounded():
    memory = CodeMemory()
    site = (Value(1, "HS_SITE", b"x"),)
    for number in range(MAX_REMEMBERED * 2 + 1):
        memory.remember(f"0.NA/88.GS1.{number}", ("HS_SITE",), Reply(1, site), 0.0)
        memory.remember(f"{number}/RULES", ("CODE.RULE",), Reply(100), 0.0)
        assert len(memory.known) <= MAX_REMEMBERED
    assert memory.recall(f"{MAX_REMEMBERED * 2}/RULES", 1.0) == Reply(100)
    assert memory.recall("0/RULES", 1.0) is None


def test_wanted_names_the_types_of_interest():
    steps = look_up(reading(GTIN), {PREFIX})
    assert next(steps) == Wanted(CLASS, ("HS_ALIAS",))
    assert steps.send(None) == Wanted(f"{PREFIX}/RULES", ("CODE.RULE",))
