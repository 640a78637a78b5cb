"""Product codes in a network: they resolve, their owners edit them, old data gets them."""

from dataclasses import replace

import pytest

from resolver.client.aio import AsyncClient
from resolver.errors import AccessError
from resolver.network import Network
from resolver.network_settings import NetworkSettings
from resolver.ready_file import describe
from resolver.seeded_codes import code_records
from resolver.session.signature import SecretCredential
from resolver.topology import builtin_topology
from tests.e2e.networks import ask, code_of, delete, running, values_of

NOT_FOUND = 100
OWNER, CODES = "88.118.7", "88.GS1.95211803"
CLASS = f"{CODES}/01/09521180300014"


@pytest.fixture
async def network(keys):
    async with running(keys) as network:
        yield network


def without_codes(topology):
    """Give a topology as versions before product codes had it."""
    none = {"gs1_company_prefix": None, "oid": None, "ecode": None}
    secondaries = tuple(
        replace(
            secondary,
            enterprises=tuple(replace(each, **none) for each in secondary.enterprises),
        )
        for secondary in topology.secondaries
    )
    return replace(topology, secondaries=secondaries)


async def test_every_record_of_codes_resolves_through_all_levels(network):
    for enterprise in network.settings.topology.enterprises:
        for records in code_records(enterprise).values():
            for name, values in records:
                found = values_of(await ask(network.recursive, name))
                assert [(v.type, v.text) for v in found] == [tuple(v) for v in values]
                assert {value.ttl for value in found} == {60}


async def test_every_code_stands_for_what_resolves(network):
    ready = describe(network)
    assert len(ready["codes"]) > 10 * len(network.settings.topology.enterprises)
    for identifier in {code["identifier"] for code in ready["codes"]}:
        assert code_of(await ask(network.recursive, identifier)) == 1
    for node in ready["nodes"]:
        for prefix in node["code_prefixes"]:
            assert network.node_of(prefix).settings.name == node["name"]


def client_of(network, prefix):
    administrator = network.administrators[prefix]
    secret = administrator.secret.encode()
    credential = SecretCredential(administrator.handle, 302, secret)
    address = f"127.0.0.1:{network.recursive.handle.port}"
    return AsyncClient(address, credential=credential)


async def test_the_owner_of_a_code_edits_its_record_and_nobody_else_does(network):
    name = f"{CODES}/01/09521180300014/21/SN0007"
    async with client_of(network, "88.118.2") as stranger:
        with pytest.raises(AccessError):
            await stranger.register(name, {"HS_ALIAS": "88.118.2/SN0001"})
    async with client_of(network, OWNER) as owner:
        await owner.register(name, {"HS_ALIAS": f"{OWNER}/SN0001"})
        await owner.delete(CLASS)
    assert values_of(await ask(network.recursive, name))[0].text == f"{OWNER}/SN0001"
    assert code_of(await ask(network.recursive, CLASS)) == NOT_FOUND


async def test_data_of_a_version_without_codes_gets_them(keys, tmp_path):
    whole = builtin_topology(1)
    older, newer = (
        NetworkSettings(each, data=tmp_path / "data", port_base=0, key_cache=keys)
        for each in (without_codes(whole), whole)
    )
    item, code = "88.100.1/SN0042", "88.GS1.95210001/01/09521000100015"
    for settings, expected in ((older, NOT_FOUND), (newer, 1), (newer, 1)):
        network = Network(settings)
        await network.start()
        try:
            for name in (code, "88.ECODE.11001/110010001", "0.NA/88.OID.2.999.100"):
                assert code_of(await ask(network.recursive, name)) == expected
            if settings is older:
                await delete(network.node_of("88.100.1"), item)
            assert code_of(await ask(network.recursive, item)) == NOT_FOUND
        finally:
            await network.close()


async def test_a_restart_moves_the_sites_of_codes_and_keeps_what_was_deleted(
    keys, tmp_path
):
    async with running(keys, data=tmp_path / "data") as network:
        await delete(network.node_of(CODES), CLASS)
        before = network.node_of(CODES).sites
    async with running(keys, data=tmp_path / "data") as network:
        assert network.node_of(CODES).sites != before
        found = values_of(await ask(network.recursive, CODES, types=("HS_SITE",)))
        assert tuple(v.data for v in found) == network.node_of(CODES).sites
        assert code_of(await ask(network.recursive, CLASS)) == NOT_FOUND
        other = f"{CODES}/01/09521180300021"
        assert code_of(await ask(network.recursive, other)) == 1
