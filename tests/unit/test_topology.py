"""Topologies: what the built-in one promises, and every refusal of a written one."""

from importlib import resources
from itertools import chain

import pytest
from hypothesis import given, strategies as st

from resolver.errors import SetupError
from resolver.seeded import seeded_identifiers
from resolver.topology import (
    MAX_FILE_OCTETS,
    Ports,
    TopologyError,
    builtin_topology,
    load_topology,
    parse_topology,
)

SMALL = """\
version = 1
name = "small"

[top]
name = "top"
prefix = "86"

[[secondary]]
name = "first"
prefix = "86.1"
industry = "C39"

[[secondary.enterprise]]
name = "hosted"
prefix = "86.1.5"

[[secondary.enterprise.product]]
model = "M-1"
name = "样品"
gtin = "9521000100015"

[[secondary.enterprise]]
name = "own"
prefix = "86.1.6"
self_run = true

[[secondary]]
name = "second"
prefix = "86.2"
industry = "A01"
"""
WHOLE = builtin_topology(35)
DEFAULT = builtin_topology()


def small(*changes):
    """Parse SMALL after (old, new) replacements, each of which must find its text."""
    text = SMALL
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return parse_topology(text.encode(), "small.toml")


def refusal(*changes):
    with pytest.raises(TopologyError) as caught:
        small(*changes)
    message = str(caught.value)
    assert "\n" not in message
    return message, caught.value.hint


# The built-in network.


def test_the_builtin_network_has_14_secondary_nodes_and_grows_to_35():
    assert len(DEFAULT.secondaries) == 14
    assert len(WHOLE.secondaries) == 35
    assert WHOLE.secondaries[:14] == DEFAULT.secondaries
    assert len(builtin_topology(1).secondaries) == 1


@pytest.mark.parametrize("count", [0, 36, -1])
def test_the_builtin_network_has_1_to_35_secondary_nodes(count):
    with pytest.raises(TopologyError, match=f"expected 1 to 35 .*, got {count}"):
        builtin_topology(count)


def test_builtin_secondary_prefixes_are_88_100_to_88_134_each_once():
    assert WHOLE.top.prefix == "88"
    prefixes = sorted(secondary.prefix for secondary in WHOLE.secondaries)
    assert prefixes == [f"88.{number}" for number in range(100, 135)]


def test_the_default_network_has_the_prefixes_of_the_documentation():
    assert {"88.100", "88.118"} <= {each.prefix for each in DEFAULT.secondaries}
    enterprises = {each.prefix: each for each in DEFAULT.enterprises}
    assert "88.100.1" in enterprises
    assert not enterprises["88.118.7"].self_run


def test_builtin_nodes_stand_by_importance_and_not_by_number():
    prefixes = [secondary.prefix for secondary in WHOLE.secondaries]
    assert prefixes != sorted(prefixes)


@pytest.mark.parametrize("secondary", WHOLE.secondaries, ids=lambda each: each.name)
def test_every_builtin_secondary_node_has_hosted_and_self_run_enterprises(secondary):
    assert 2 <= len(secondary.enterprises) <= 3
    assert {each.self_run for each in secondary.enterprises} == {True, False}
    assert all(each.products for each in secondary.enterprises)


@pytest.mark.parametrize("secondary", WHOLE.secondaries, ids=lambda each: each.name)
def test_every_builtin_title_is_given_in_chinese_and_english(secondary):
    pairs = [
        (secondary.title, secondary.title_en),
        (secondary.industry_title, secondary.industry_title_en),
        *((each.title, each.title_en) for each in secondary.enterprises),
    ]
    assert all(
        not chinese.isascii() and english.isascii() for chinese, english in pairs
    )


def test_a_builtin_industry_code_has_one_title():
    codes = {each.industry for each in WHOLE.secondaries}
    titles = {
        (each.industry, each.industry_title, each.industry_title_en)
        for each in WHOLE.secondaries
    }
    assert len(titles) == len(codes)


def test_builtin_gtins_are_in_the_range_for_demonstrations():
    products = chain.from_iterable(each.products for each in WHOLE.enterprises)
    gtins = [each.gtin for each in products if each.gtin]
    assert len(gtins) > 50
    assert all(len(gtin) == 13 and gtin.startswith("952") for gtin in gtins)


def test_every_builtin_enterprise_has_codes_of_all_schemes():
    for secondary in WHOLE.secondaries:
        industry = secondary.prefix.rpartition(".")[2]
        for each in secondary.enterprises:
            own = each.prefix.rpartition(".")[2]
            assert (each.gs1_company_prefix or "").startswith(f"952{industry}")
            assert len(each.gs1_company_prefix or "") == 8
            assert each.oid == f"2.999.{industry}.{own}"
            assert (each.ecode or "")[0] == "1"
            assert each.products[0].gtin


def test_builtin_nodes_take_any_port():
    nodes = (WHOLE.top, WHOLE.recursive, *WHOLE.secondaries, *WHOLE.enterprises)
    assert {node.ports for node in nodes} == {Ports()}


# What exists after boot.


@pytest.mark.parametrize("enterprise", WHOLE.enterprises, ids=lambda each: each.prefix)
def test_every_enterprise_starts_with_sn0001_and_leaves_sn0002_to_users(enterprise):
    seeded = dict(seeded_identifiers(enterprise))
    assert f"{enterprise.prefix}/SN0001" in seeded
    assert f"{enterprise.prefix}/SN0042" in seeded
    assert f"{enterprise.prefix}/SN0002" not in seeded
    for values in seeded.values():
        assert values[0].type == "URL"
        assert values[0].data.startswith(f"https://{enterprise.name}.example.com/")
        assert all(value.data for value in values)
        assert len({value.type for value in values}) == len(values)


def test_seeded_identifiers_are_unique_in_the_network():
    seeded = chain.from_iterable(map(seeded_identifiers, WHOLE.enterprises))
    names = [each.identifier.lower() for each in seeded]
    assert len(set(names)) == len(names)


def test_seeded_identifiers_follow_from_the_topology_alone():
    again = builtin_topology(35).enterprises
    assert list(map(seeded_identifiers, again)) == list(
        map(seeded_identifiers, WHOLE.enterprises)
    )


def test_a_seeded_item_names_a_seeded_batch():
    enterprise = DEFAULT.enterprises[0]
    seeded = dict(seeded_identifiers(enterprise))
    batch = dict(seeded[f"{enterprise.prefix}/SN0001"])["BATCH"]
    assert f"{enterprise.prefix}/{batch}" in seeded


def test_an_enterprise_without_products_seeds_its_title():
    own = small().secondaries[0].enterprises[1]
    values = dict(dict(seeded_identifiers(own))["86.1.6/SN0001"])
    assert values["NAME"] == "own"
    assert "GTIN" not in values
    assert "MODEL" not in values


# What users write.


CODES = """
gs1_company_prefix = "95210001"
oid = "1.2.156.10001"
ecode = "300017"
"""
HOSTED = 'prefix = "86.1.5"\n'
OWN = 'prefix = "86.1.6"\n'


def test_an_enterprise_has_the_codes_that_it_is_given():
    first, second = small((HOSTED, HOSTED + CODES)).enterprises
    assert first.gs1_company_prefix == "95210001"
    assert (first.oid, first.ecode) == ("1.2.156.10001", "300017")
    assert (second.gs1_company_prefix, second.oid, second.ecode) == (None, None, None)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('"95210001"', '"95210"'),
        ('"95210001"', '"9521000100010"'),
        ('"95210001"', "95210001"),
        ('"1.2.156.10001"', '"1.2"'),
        ('"1.2.156.10001"', '"3.2.1"'),
        ('"1.2.156.10001"', '"1.40.1"'),
        ('"1.2.156.10001"', '"1.2.0156"'),
        ('"1.2.156.10001"', '"1.2.156."'),
        ('"300017"', '"30001"'),
        ('"300017"', '"100017"'),
        ('"300017"', '"500017"'),
    ],
)
def test_a_wrong_code_is_refused(right, wrong):
    message, _ = refusal((HOSTED, HOSTED + CODES.replace(right, wrong)))
    key = next(line.split()[0] for line in CODES.splitlines() if right in line)
    assert f"enterprise[0].{key}: expected" in message


@pytest.mark.parametrize(
    "line",
    [
        'gs1_company_prefix = "95210001"',
        'gs1_company_prefix = "9521000"',
        'gs1_company_prefix = "952100011"',
        'oid = "1.2.156.10001"',
        'oid = "1.2.156"',
        'oid = "1.2.156.10001.7"',
        'ecode = "300017"',
    ],
)
def test_codes_of_two_enterprises_do_not_overlap(line):
    message, _ = refusal((HOSTED, HOSTED + CODES), (OWN, f"{OWN}{line}\n"))
    assert f"enterprise[1].{line.split()[0]}: expected" in message


def test_object_identifiers_side_by_side_do_not_overlap():
    line = 'oid = "1.2.156.100010"\n'
    assert small((HOSTED, HOSTED + CODES), (OWN, OWN + line)).enterprises[1].oid


def test_a_gtin_of_another_company_prefix_is_refused():
    codes = CODES.replace("95210001", "95210002")
    message, _ = refusal((HOSTED, HOSTED + codes))
    assert "product[0].gtin: expected a GTIN of the company prefix 95210002" in message


def test_a_gtin_of_8_digits_is_of_no_company_prefix():
    topology = small((HOSTED, HOSTED + CODES), ("9521000100015", "96385074"))
    assert topology.enterprises[0].products[0].gtin == "96385074"


@pytest.mark.parametrize("scheme", ["GS1", "oid", "Ecode"])
def test_no_secondary_node_has_the_prefix_of_a_scheme(scheme):
    message, _ = refusal(('prefix = "86.2"', f'prefix = "86.{scheme}"'))
    assert "secondary[1].prefix: expected another last label than GS1" in message


def test_a_short_file_gets_defaults():
    topology = small()
    first, second = topology.secondaries
    assert (topology.name, topology.recursive.name) == ("small", "recursive")
    assert (first.title, first.title_en, first.industry_title) == (
        "first",
        "first",
        "C39",
    )
    assert [each.self_run for each in first.enterprises] == [False, True]
    assert second.enterprises == ()
    assert topology.enterprises == first.enterprises


def test_the_builtin_file_is_a_file_that_users_can_write(tmp_path):
    path = tmp_path / "copy.toml"
    path.write_bytes(resources.files("resolver").joinpath("wuhan.toml").read_bytes())
    assert load_topology(path) == WHOLE


def test_ports_are_kept():
    topology = small(
        ('prefix = "86"', 'prefix = "86"\nhandle_port = 2641\nhttp_port = 0'),
        ("self_run = true", "self_run = true\nhttps_port = 65535\nhttp_port = 0"),
    )
    assert topology.top.ports == Ports(handle=2641, http=0)
    own = topology.secondaries[0].enterprises[1]
    assert own.ports == Ports(http=0, https=65535)


def test_a_top_prefix_may_have_several_labels():
    changes = [('"86', '"20.500')] * SMALL.count('"86')
    assert small(*changes).enterprises[0].prefix == "20.500.1.5"


def test_a_topology_error_is_a_configuration_error_with_a_hint():
    assert issubclass(TopologyError, SetupError)
    assert SetupError("what").hint == ""


def test_a_missing_file_is_refused(tmp_path):
    path = tmp_path / "none.toml"
    with pytest.raises(TopologyError, match=r"none\.toml: .*No such file"):
        load_topology(path)


def test_a_directory_is_refused(tmp_path):
    with pytest.raises(TopologyError, match="expected a readable file"):
        load_topology(tmp_path)


def test_a_file_of_more_than_a_mebibyte_is_refused(tmp_path):
    path = tmp_path / "large.toml"
    path.write_bytes(b"#" * MAX_FILE_OCTETS + b"\n")
    with pytest.raises(TopologyError, match="expected at most 1048576 octets"):
        load_topology(path)


def test_a_syntax_error_is_refused_with_its_line():
    message, hint = refusal(('name = "top"', "name = top"))
    assert message.startswith("small.toml: expected TOML, got: ")
    assert "line 5" in message
    assert "toml.io" in hint


def test_octets_that_are_not_utf8_are_refused():
    with pytest.raises(TopologyError, match="expected UTF-8, got other octets at 2"):
        parse_topology(b"a=\xff", "small.toml")


def test_deep_nesting_is_refused():
    with pytest.raises(TopologyError, match="nested too deeply"):
        parse_topology(b"a = " + b"[" * 100_000, "small.toml")


@pytest.mark.parametrize("number", ["9" * 5000, "0x" + "f" * 50_000])
def test_an_integer_too_large_to_show_is_refused(number):
    message, _ = refusal(("version = 1", f"version = {number}"))
    assert len(message) < 250


def test_a_newer_version_is_refused_as_newer():
    message, hint = refusal(("version = 1", "version = 2\nfuture_key = 1"))
    assert message == (
        "small.toml: version: expected 1, the newest that this program reads, got 2"
    )
    assert "upgrade" in hint


@pytest.mark.parametrize(
    ("line", "came"),
    [
        ("", "nothing"),
        ("version = 0", "0"),
        ("version = true", "true"),
        ('version = "1"', "'1'"),
    ],
)
def test_another_version_is_refused(line, came):
    message, _ = refusal(("version = 1", line))
    assert message == f"small.toml: version: expected 1, got {came}"


@pytest.mark.parametrize(
    ("change", "place", "key", "near"),
    [
        (('name = "small"', 'name = "small"\ntpo = 1'), "", "tpo", "top"),
        (('name = "top"', 'name = "top"\nprefx = 1'), "top: ", "prefx", "prefix"),
        (
            ('industry = "A01"', 'industry = "A01"\nindustri = 1'),
            "secondary[1]: ",
            "industri",
            "industry",
        ),
        (
            ("self_run = true", "selfrun = true"),
            "secondary[0].enterprise[1]: ",
            "selfrun",
            "self_run",
        ),
        (
            ('model = "M-1"', 'model = "M-1"\ngtim = 1'),
            "secondary[0].enterprise[0].product[0]: ",
            "gtim",
            "gtin",
        ),
    ],
)
def test_an_unknown_key_is_refused_with_its_nearest_match(change, place, key, near):
    message, hint = refusal(change)
    assert message == f"small.toml: {place}unknown key '{key}'"
    assert hint == f'did you mean "{near}"?'


def test_an_unknown_key_like_no_other_is_refused_with_the_known_ones():
    message, hint = refusal(
        ('[[secondary]]\nname = "f', '[zzzz]\n[[secondary]]\nname = "f')
    )
    assert message == "small.toml: unknown key 'zzzz'"
    assert hint == "known keys: name, recursive, secondary, top, version"


def test_an_unknown_key_of_the_recursive_node_is_refused():
    message, _ = refusal(("[top]", '[recursive]\nprefix = "88"\n[top]'))
    assert message == "small.toml: recursive: unknown key 'prefix'"


def test_a_missing_top_is_refused():
    message, _ = refusal(('[top]\nname = "top"\nprefix = "86"\n', ""))
    assert message == "small.toml: top: expected a table [top], got nothing"


def test_a_top_that_is_no_table_is_refused():
    table = '[top]\nname = "top"\nprefix = "86"\n'
    message, _ = refusal((table, ""), ("version = 1", "version = 1\ntop = 1"))
    assert message == "small.toml: top: expected a table [top], got 1"


def test_a_recursive_node_that_is_no_table_is_refused():
    message, _ = refusal(("version = 1", "version = 1\nrecursive = [1]"))
    assert (
        message == "small.toml: recursive: expected a table [recursive], got an array"
    )


@pytest.mark.parametrize("line", ["", "secondary = []"])
def test_a_network_without_secondary_nodes_is_refused(line):
    text = f'version = 1\nname = "n"\n{line}\n[top]\nname = "t"\nprefix = "88"\n'
    with pytest.raises(TopologyError, match=r"expected at least one \[\[secondary\]\]"):
        parse_topology(text.encode(), "small.toml")


@pytest.mark.parametrize("value", ["1", "[1]", '{name = "x"}'])
def test_secondary_nodes_that_are_no_array_of_tables_are_refused(value):
    text = f'version = 1\nname = "n"\nsecondary = {value}\n[top]\nname = "t"\nprefix = "88"\n'
    with pytest.raises(TopologyError, match="secondary: expected an array of tables"):
        parse_topology(text.encode(), "small.toml")


@pytest.mark.parametrize(
    "name", ["", "Top", "a_b", "-a", "a-", "a" * 64, "光谷", "a\\n", "a b"]
)
def test_a_name_that_is_no_label_is_refused(name):
    message, _ = refusal(('name = "second"', f'name = "{name}"'))
    assert message.startswith("small.toml: secondary[1].name: expected 1 to 63 lower")


@pytest.mark.parametrize("old", ["second", "hosted", "top", "first"])
def test_a_duplicate_name_is_refused_with_its_first_place(old):
    message, hint = refusal((f'name = "{old}"', 'name = "own"'))
    assert "expected a name used once, got 'own'" in message
    assert hint.endswith("has it already")


def test_a_name_of_the_recursive_node_is_not_free():
    message, hint = refusal(('name = "second"', 'name = "recursive"'))
    assert message == (
        "small.toml: secondary[1].name: expected a name used once, got 'recursive'"
    )
    assert hint == "recursive.name has it already"


@pytest.mark.parametrize(
    "prefix",
    ["", ".", "86.", ".86", "86..2", "86.a-b", "86.二", "86/2", "86.2\\n", "86. 2"],
)
def test_a_prefix_with_wrong_syntax_is_refused(prefix):
    message, _ = refusal(('prefix = "86.2"', f'prefix = "{prefix}"'))
    assert message.startswith("small.toml: secondary[1].prefix: expected up to 128")


@pytest.mark.parametrize("prefix", ["86." + "a" * 64, "86" + ".a" * 64])
def test_a_prefix_that_is_too_long_is_refused(prefix):
    message, _ = refusal(('prefix = "86.2"', f'prefix = "{prefix}"'))
    assert message.startswith("small.toml: secondary[1].prefix: expected up to 128")


def test_a_prefix_that_is_no_string_is_refused():
    message, _ = refusal(('prefix = "86.2"', "prefix = 86.2"))
    assert message.endswith("dots between, got 86.2")


@pytest.mark.parametrize("prefix", ["88.2", "86", "86.2.1", "860.2", "2"])
def test_a_secondary_prefix_outside_the_top_prefix_is_refused(prefix):
    message, hint = refusal(('prefix = "86.2"', f'prefix = "{prefix}"'))
    assert message == (
        f"small.toml: secondary[1].prefix: expected 86 and one label more, got '{prefix}'"
    )
    assert hint.startswith('for example "86.')


@pytest.mark.parametrize("prefix", ["86.2.5", "86.1", "86.1.5.1"])
def test_an_enterprise_prefix_outside_its_secondary_node_is_refused(prefix):
    message, _ = refusal(('prefix = "86.1.5"', f'prefix = "{prefix}"'))
    assert message == (
        "small.toml: secondary[0].enterprise[0].prefix: "
        f"expected 86.1 and one label more, got '{prefix}'"
    )


def test_a_duplicate_prefix_is_refused_with_its_first_place():
    message, hint = refusal(('prefix = "86.2"', 'prefix = "86.1"'))
    assert (
        message
        == "small.toml: secondary[1].prefix: expected a prefix used once, got '86.1'"
    )
    assert hint == "secondary[0].prefix has it already"


def test_prefixes_that_differ_in_case_only_are_duplicates():
    message, _ = refusal(("86.1.5", "86.1.a"), ("86.1.6", "86.1.A"))
    assert message.endswith("expected a prefix used once, got '86.1.A'")


def test_the_prefix_of_the_system_is_refused():
    message, _ = refusal(('prefix = "86"', 'prefix = "0.NA"'))
    assert "expected a prefix outside 0" in message


@pytest.mark.parametrize(
    "code", ["", "39", "C", "C9", "C039", "c39", "Z39", "C\uff13\uff19"]
)
def test_an_industry_code_with_wrong_syntax_is_refused(code):
    message, _ = refusal(('"A01"', f'"{code}"'))
    assert message.startswith("small.toml: secondary[1].industry: expected a section")


@pytest.mark.parametrize(
    "code", ["A00", "A06", "B05", "C44", "D43", "T96", "T98", "S97"]
)
def test_an_industry_division_of_another_section_is_refused(code):
    message, _ = refusal(('"A01"', f'"{code}"'))
    assert message.endswith(f"got '{code}'")


@pytest.mark.parametrize(
    "code", ["A05", "B06", "C13", "C43", "D46", "E47", "K70", "P83", "S96", "T97"]
)
def test_an_industry_division_of_its_section_is_taken(code):
    assert small(('"A01"', f'"{code}"')).secondaries[1].industry == code


def test_a_missing_industry_is_refused():
    message, _ = refusal(('industry = "A01"\n', ""))
    assert message.startswith("small.toml: secondary[1].industry: expected a section")
    assert message.endswith("got nothing")


@pytest.mark.parametrize("title", ['""', '" "', '"\\u001b[31m"', '"a\\nb"', "1"])
def test_a_title_that_a_terminal_cannot_show_is_refused(title):
    message, _ = refusal(('industry = "A01"', f'industry = "A01"\ntitle = {title}'))
    assert "secondary[1].title: expected 1 to 120 printable characters" in message
    assert message.isprintable()


def test_a_title_that_is_too_long_is_refused_and_cut():
    message, _ = refusal(('"样品"', f'"{"样" * 121}"'))
    assert "product[0].name: expected 1 to 120 printable characters" in message
    assert message.endswith("…")


@pytest.mark.parametrize("port", ["-1", "65536", '"80"', "true", "1.5", "[80]"])
@pytest.mark.parametrize("key", ["handle_port", "http_port", "https_port"])
def test_a_wrong_port_is_refused(key, port):
    message, _ = refusal(('prefix = "86"', f'prefix = "86"\n{key} = {port}'))
    assert f"top.{key}: expected an integer from 0 to 65535, got " in message


def test_a_port_used_twice_is_refused():
    message, hint = refusal(
        ('prefix = "86"', 'prefix = "86"\nhttp_port = 3000'),
        ("self_run = true", "self_run = true\nhandle_port = 3000"),
    )
    assert message == (
        "small.toml: secondary[0].enterprise[1].handle_port: "
        "expected a port used once, got 3000"
    )
    assert hint == "top.http_port has it already"


def test_only_the_recursive_node_has_a_dns_port():
    assert builtin_topology(1).recursive.ports.dns is None
    message, _ = refusal(('prefix = "86"', 'prefix = "86"\ndns_port = 5300'))
    assert 'unknown key "dns_port"' in message or "unknown key 'dns_port'" in message


def test_a_port_of_a_hosted_enterprise_is_refused():
    message, hint = refusal(('prefix = "86.1.5"', 'prefix = "86.1.5"\nhttp_port = 0'))
    assert "expected no port for a hosted enterprise, got 0" in message
    assert "self_run = true" in hint


@pytest.mark.parametrize("value", ["1", '"true"'])
def test_a_flag_that_is_no_boolean_is_refused(value):
    message, _ = refusal(("self_run = true", f"self_run = {value}"))
    assert "enterprise[1].self_run: expected true or false, got" in message


@pytest.mark.parametrize("model", ["", "-a", "a/b", "a b", "型号", "a" * 65])
def test_a_wrong_model_is_refused(model):
    message, _ = refusal(('"M-1"', f'"{model}"'))
    assert "product[0].model: expected 1 to 64 ASCII" in message


def test_a_model_twice_in_an_enterprise_is_refused():
    again = (
        'name = "样品"\n\n[[secondary.enterprise.product]]\nmodel = "m-1"\nname = "x"'
    )
    message, hint = refusal(('name = "样品"', again))
    assert (
        "product[1].model: expected a model of 86.1.5 used once, got 'm-1'" in message
    )
    assert hint == "secondary[0].enterprise[0].product[0].model has it already"


@pytest.mark.parametrize(
    "gtin", ['""', '"123456789"', '"952100010001a"', "9521000100015"]
)
def test_a_wrong_gtin_is_refused(gtin):
    message, _ = refusal(('"9521000100015"', gtin))
    assert "product[0].gtin: expected a GTIN of 8, 12, 13 or 14 digits" in message


def test_a_gtin_with_a_wrong_check_digit_is_refused_with_the_right_one():
    message, _ = refusal(("9521000100015", "9521000100016"))
    assert "expected a GTIN with check digit 5, got '9521000100016'" in message


@pytest.mark.parametrize(
    "gtin", ["96385074", "614141007349", "4006381333931", "10614141007346"]
)
def test_gtins_of_every_length_are_taken(gtin):
    """Examples that circulate with the check-digit rule of GS1."""
    product = small(("9521000100015", gtin)).enterprises[0].products[0]
    assert product.gtin == gtin


def test_a_gtin_twice_is_refused_even_if_padded():
    again = (
        'self_run = true\n[[secondary.enterprise.product]]\nmodel = "M-1"\n'
        'name = "x"\ngtin = "09521000100015"'
    )
    message, _ = refusal(("self_run = true", again))
    assert "expected a GTIN used once, got '09521000100015'" in message


@given(st.binary(max_size=200))
def test_any_octets_give_a_topology_or_its_error(octets):
    with pytest.raises(TopologyError):
        parse_topology(octets, "any.toml")


@given(st.integers(0, len(SMALL) - 1), st.integers(1, 40), st.text(max_size=8))
def test_a_damaged_file_gives_a_topology_or_its_error(at, size, text):
    damaged = SMALL[:at] + text + SMALL[at + size :]
    try:
        assert parse_topology(damaged.encode(), "any.toml").secondaries
    except TopologyError as error:
        message = str(error)
    else:
        message = "any.toml: "
    assert message.startswith("any.toml: ")
