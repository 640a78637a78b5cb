"""Product codes over DNS: what is seeded, what is registered, from the same records."""

import asyncio
import json

import dns.asyncquery
import dns.flags
import dns.message
import dns.name
import pytest
from dns.rcode import Rcode

from registry.model.value import Value
from resolver.commands.banner import code_examples
from resolver.dns.ons import ons_name
from resolver.dns.ors import ors_name
from resolver.ready_file import describe
from resolver.seeded_codes import code_records
from tests.e2e.networks import prefixes, register, running

SECONDS = 10
OWNER = "88.118.7"
CLASS = "9521180300014"
IN_THE_WILD = "2.16.156.101818.102.1"


@pytest.fixture
async def network(keys):
    async with running(keys) as network:
        yield network
        assert network.recursive.telemetry.internal_errors == 0


async def ask(network, name, kind="NAPTR", by=dns.asyncquery.udp):
    message = dns.message.make_query(name, kind, use_edns=0)
    return await by(message, "127.0.0.1", SECONDS, network.recursive.dns.port)


def links(values):
    return [json.loads(value.data) for value in values if value.type == "GS1.LINK"]


def targets(reply):
    """Give service and address of each NAPTR record."""
    found = []
    for rrset in reply.answer:
        for item in rrset:
            if hasattr(item, "regexp"):
                address = item.regexp.decode().removeprefix("!^.*$!").removesuffix("!")
                found.append((item.service.decode(), address))
                assert (item.flags, item.replacement) == (b"u", dns.name.root)
    return found


async def test_every_seeded_class_has_its_links_at_its_ons_name(network):
    asked = 0
    for enterprise in network.settings.topology.enterprises:
        records = {
            record.identifier: record.values
            for each in code_records(enterprise).values()
            for record in each
        }
        for name, values in records.items():
            code_prefix, _, path = name.partition("/")
            key, _, rest = path.partition("/")
            if (
                ".GS1." not in code_prefix
                or "/" in rest
                or key not in ("00", "01", "414")
            ):
                continue
            kind = {"00": "sscc", "01": "gtin", "414": "gln"}[key]
            reply = await ask(network, ons_name(f"||{kind}|{rest}"))
            assert reply.rcode() == Rcode.NOERROR
            assert [url for _, url in targets(reply)] == [
                link["href"] for link in links(values)
            ]
            asked += 1
    assert asked >= 3 * len(network.settings.topology.enterprises)


async def test_every_seeded_object_identifier_has_its_links_at_both_owners(network):
    for enterprise in network.settings.topology.enterprises:
        for record in code_records(enterprise)[f"88.OID.{enterprise.oid}"]:
            name = ors_name(record.identifier.partition("/")[2])
            expected = [("ORS+UINF", link["href"]) for link in links(record.values)]
            for owner in (name, f"ors-dummy.{name}"):
                reply = await ask(network, owner)
                found = targets(reply)
                assert found[: len(expected)] == expected
                assert [rrset.name.to_text() for rrset in reply.answer] == [owner]
            kinds = [value.type for value in record.values]
            assert ("DNS.NAPTR" in kinds) == ("ORS+CINF" in dict(found))


async def test_a_link_that_is_edited_is_what_is_answered(network):
    name = ons_name(f"||gtin|{CLASS}")
    node = network.node_of("88.GS1.95211803")
    document = {
        "linkType": "gs1:pip",
        "href": "https://example.com/new",
        "title": "new",
    }
    link = Value(1, "GS1.LINK", json.dumps(document).encode(), 60)
    record = f"88.GS1.95211803/01/0{CLASS}"
    await register(node, record, link, overwrite=True)
    reply = await ask(network, name)
    assert targets(reply) == [
        ("https://ref.gs1.org/voc/pip", "https://example.com/new")
    ]
    assert reply.answer[0].ttl == 60


async def test_what_is_not_registered_is_missing_and_what_is_above_it_is_not(network):
    for name in (ons_name("||gtin|9521180399995"), ons_name("||gtin|4006381333931")):
        reply = await ask(network, name)
        assert reply.rcode() == Rcode.NXDOMAIN
        assert reply.authority[0].name == dns.name.from_text("onsepc.com.")
        above = await ask(network, name.partition(".")[2])
        assert (above.rcode(), above.answer) == (Rcode.NOERROR, [])
    for name in (
        "9.7.118.999.2.oid-res.org.",
        "840.1.oid-res.org.",
        "8.118.999.2.oid-res.org.",
    ):
        assert (await ask(network, name)).rcode() == Rcode.NXDOMAIN
    for name in ("118.999.2.oid-res.org.", "2.oid-res.org.", "oid-res.org."):
        reply = await ask(network, name)
        assert (reply.rcode(), reply.answer) == (Rcode.NOERROR, [])


async def test_an_identifier_of_the_wild_answers_by_number_and_by_label(network):
    """2.16.156.101818.102.1 (resolvers notes §2.2), delegated arc by arc."""
    top = prefixes(network.top)
    for arc in (b"88.OID.2.16", b"88.OID.2.16.156"):
        await top.allocate(arc, network.administrators["88"].reference)
        await top.host(arc, network.top.sites)
    await top.allocate(
        b"88.OID.2.16.156.101818", network.administrators[OWNER].reference
    )
    await top.delegate(b"88.OID.2.16.156.101818", network.node_of(OWNER).sites)
    owner = prefixes(network.node_of(OWNER))
    await owner.home(b"88.OID.2.16.156.101818")
    record = Value(1, "DNS.NAPTR", b'100 10 "u" "ORS+COID" "!^.*$!2.16!" .', 60)
    await register(
        network.node_of(OWNER), f"88.OID.2.16.156.101818/{IN_THE_WILD}", record
    )
    name = ors_name(IN_THE_WILD)
    assert name == "1.102.101818.156.16.2.oid-res.org."
    by_label = name.replace(".2.oid", ".joint-iso-itu-t.oid")
    for owner_name in (name, f"ors-dummy.{name}", by_label):
        assert targets(await ask(network, owner_name)) == [("ORS+COID", "2.16")]
    kinds = [rrset.rdtype.name for rrset in (await ask(network, by_label)).answer]
    assert kinds == ["DNAME", "CNAME", "NAPTR"]


async def test_a_long_answer_comes_whole_by_tcp(network):
    node = network.node_of("88.GS1.95211803")
    made = [
        {
            "linkType": "gs1:pip",
            "href": f"https://example.com/{'x' * 150}{n}",
            "title": "x",
        }
        for n in range(20)
    ]
    values = [
        Value(n, "GS1.LINK", json.dumps(link).encode(), 60)
        for n, link in enumerate(made, 1)
    ]
    await register(node, f"88.GS1.95211803/01/0{CLASS}", *values, overwrite=True)
    name = ons_name(f"||gtin|{CLASS}")
    assert (await ask(network, name)).flags & dns.flags.TC
    reply = await ask(network, name, by=dns.asyncquery.tcp)
    assert len(targets(reply)) == 20


async def test_another_root_may_be_chosen_and_is_in_the_ready_file(keys):
    async with running(keys, secondaries=1, ons_root="ons.epcglobal.cn") as network:
        ready = describe(network)
        assert ready["recursive"]["ons_root"] == "ons.epcglobal.cn"
        name = ons_name("||gtin|9521000100015", "ons.epcglobal.cn")
        assert targets(await ask(network, name))
        by_default = await ask(network, ons_name("||gtin|9521000100015"))
        assert by_default.rcode() == Rcode.REFUSED
        resolve, dig = code_examples(ready)
        assert resolve == "idis resolve 9521000100015"
        assert f" {name} NAPTR" in dig


async def test_many_questions_at_once_all_get_their_answer(network):
    names = [ons_name(f"||gtin|{CLASS}"), "1.7.118.999.2.oid-res.org."] * 50
    replies = await asyncio.gather(*(ask(network, name) for name in names))
    assert all(targets(reply) for reply in replies)
