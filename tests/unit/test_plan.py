"""From a topology to nodes: places in the tree, ports, operators."""

from pathlib import Path

import pytest

from resolver.code_prefixes import code_prefixes
from resolver.dns.zones import zones_of
from resolver.identities import make_administrators
from resolver.keys import SeededKeys
from resolver.plan import plan, with_zones
from resolver.topology import builtin_topology, parse_topology

HOSTS = ("127.0.0.1", "::1")


def planned(topology=None, port_base=None, administrators=None, **options):
    options = {"authentication": True, "hosts": HOSTS, **options}
    return plan(
        topology or builtin_topology(2),
        port_base=port_base,
        node_directory=lambda name: Path("/data") / name,
        administrators=administrators or {},
        **options,
    )


def by_name(nodes):
    return {item.settings.name: item for item in nodes}


def ports(item):
    settings = item.settings
    return settings.handle_port, settings.http_port, settings.https_port


def custom(top="", recursive="", enterprise=""):
    text = f"""
version = 1
name = "custom"
[top]
name = "top"
prefix = "88"
{top}
[recursive]
{recursive}
[[secondary]]
name = "cars"
prefix = "88.118"
industry = "C36"
[[secondary.enterprise]]
name = "maker"
prefix = "88.118.1"
self_run = true
{enterprise}
[[secondary.enterprise]]
name = "hosted"
prefix = "88.118.2"
"""
    return parse_topology(text.encode(), "custom.toml")


def test_parents_come_before_their_children():
    nodes = planned()
    seen = set()
    for item in nodes:
        assert item.parent is None or item.parent in seen
        seen.add(item.settings.name)
    assert len(seen) == len(nodes)
    assert [item.settings.role for item in nodes[:3]] == [
        "recursive",
        "top",
        "secondary",
    ]


def test_every_prefix_lives_at_one_node_and_is_delegated_where_that_is_another():
    topology = builtin_topology(14)
    nodes = planned(topology)
    lived = [prefix for item in nodes for prefix in item.prefixes]
    wanted = {topology.top.prefix}
    wanted |= {secondary.prefix for secondary in topology.secondaries}
    wanted |= {enterprise.prefix for enterprise in topology.enterprises}
    assert sorted(lived) == sorted(wanted)
    for item in nodes:
        assert not set(item.delegated) & set(item.prefixes)
        for prefix in item.delegated:
            assert prefix.rpartition(".")[0] == item.settings.prefix


def test_hosted_enterprises_are_served_by_their_secondary_node():
    nodes = by_name(planned(custom()))
    assert set(nodes) == {"recursive", "top", "cars", "maker"}
    assert nodes["cars"].prefixes == ("88.118", "88.118.2")
    assert nodes["cars"].delegated == ("88.118.1",)
    assert nodes["maker"].prefixes == ("88.118.1",)
    assert nodes["maker"].parent == "cars"
    assert nodes["top"].delegated == ("88.118",)


def test_every_code_prefix_lives_where_its_owners_prefix_does():
    topology = builtin_topology(35)
    nodes = planned(topology)
    owned = [
        code
        for enterprise in topology.enterprises
        for code in code_prefixes(enterprise)
    ]
    assert len(owned) == 3 * len(topology.enterprises)
    top, *others = nodes[1:]
    for code in owned:
        here = [item for item in others if code in item.codes]
        assert len(here) == 1
        assert code.owner in here[0].prefixes
    assert set(top.delegated_codes) == set(owned)
    assert not any(item.delegated_codes for item in others)


def test_every_code_prefix_has_its_parent_at_the_top_level_node():
    topology = builtin_topology(35)
    top = planned(topology)[1]
    here = ["88", *(code.prefix for code in top.codes)]
    assert set(here[1:4]) == {"88.GS1", "88.OID", "88.ECODE"}
    assert len(set(here)) == len(here)
    for number, code in enumerate(top.codes, 1):
        assert code.owner == "88"
        assert code.prefix.rpartition(".")[0] in here[:number]
    for code in top.delegated_codes:
        assert code.prefix not in here
        assert code.prefix.rpartition(".")[0] in here


def test_a_network_without_codes_has_the_schemes_all_the_same():
    top = by_name(planned(custom()))["top"]
    assert [code.prefix for code in top.codes] == ["88.GS1", "88.OID", "88.ECODE"]
    assert top.delegated_codes == ()


def test_only_the_recursive_node_keeps_nothing():
    for item in planned():
        settings = item.settings
        keeps = settings.role != "recursive"
        assert settings.directory == (Path("/data") / settings.name if keeps else None)
        assert bool(item.prefixes) == keeps


def test_the_well_known_ports_and_then_those_counted_from_20000():
    nodes = planned()
    recursive, top, first = nodes[:3]
    assert ports(recursive)[0] == 3641
    assert ports(top)[:2] == (2641, 3000)
    counted = [ports(recursive)[1], ports(recursive)[2], ports(top)[2], *ports(first)]
    assert counted == list(range(20_000, 20_006))


def test_only_the_recursive_node_speaks_dns_at_its_own_well_known_port():
    zones = zones_of(["lab.test"])
    recursive, *others = (with_zones(item, zones) for item in planned())
    assert recursive.settings.dns_port == 5300
    assert recursive.settings.dns_zones == zones
    assert planned(port_base=0)[0].settings.dns_port == 0
    assert {item.settings.dns_port for item in others} == {0}
    assert {item.settings.dns_zones for item in others} == {()}


def test_no_counted_port_is_a_well_known_one():
    counted = {port for item in planned(port_base=5290) for port in ports(item)}
    assert 5299 in counted
    assert 5300 not in counted


def test_ports_are_counted_from_where_the_person_says():
    nodes = planned(port_base=40_000)
    assert ports(nodes[0]) == (3641, 40_000, 40_001)
    taken = [port for item in nodes for port in ports(item)]
    assert len(set(taken)) == len(taken)


def test_port_base_nought_leaves_all_ports_to_the_system():
    assert {port for item in planned(port_base=0) for port in ports(item)} == {0}


@pytest.mark.parametrize("port_base", [None, 0, 30_000])
def test_a_port_that_the_topology_fixes_stays(port_base):
    topology = custom(
        top="handle_port = 7001\nhttps_port = 7002",
        recursive="http_port = 7003\ndns_port = 7004",
        enterprise="handle_port = 0",
    )
    nodes = by_name(planned(topology, port_base=port_base))
    assert ports(nodes["top"])[0::2] == (7001, 7002)
    assert ports(nodes["recursive"])[1] == 7003
    assert nodes["recursive"].settings.dns_port == 7004
    assert ports(nodes["maker"])[0] == 0


def test_the_administrator_of_a_nodes_own_prefix_operates_it():
    administrators = make_administrators(SeededKeys(1), ["88.118"])
    nodes = by_name(planned(custom(), administrators=administrators))
    assert {str(who) for who in nodes["cars"].settings.operators} == {
        str(who) for who in administrators["88.118"].identities
    }
    assert nodes["top"].settings.operators == ()
    assert nodes["recursive"].settings.operators == ()


def test_what_holds_for_the_network_holds_for_each_node():
    for item in planned(authentication=False, hosts=("127.0.0.1",)):
        assert item.settings.authentication is False
        assert item.settings.hosts == ("127.0.0.1",)


def test_two_plans_of_one_topology_are_the_same():
    assert planned() == planned()
