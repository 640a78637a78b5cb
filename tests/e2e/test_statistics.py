"""Registrations and resolutions are counted, and every level has the same sums."""

import asyncio
import json
import urllib.request

import pytest

from registry.model.codes import ResponseCode
from resolver.seeded_codes import code_records
from resolver.statistics import Report
from tests.e2e.networks import (
    FRESH,
    HOSTED,
    HOSTED_PREFIX,
    SELF_RUN,
    SELF_RUN_PREFIX,
    ask,
    code_of,
    delete,
    register,
    running,
)

NAMES = ("identifiers", "registrations", "resolutions")
OTHER = "88.100.2"


def own(report: Report) -> tuple[int, ...]:
    return tuple(getattr(report, name) for name in NAMES)


def total(report: Report) -> tuple[int, ...]:
    return tuple(getattr(report, f"total_{name}") for name in NAMES)


def added(*rows: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(map(sum, zip(*rows, strict=True)))


def counts(network):
    """Give the top's totals, after checking them against all other levels."""
    reports = {
        name: node.statistics.report()
        for name, node in network.nodes.items()
        if node is not network.recursive  # it is in no tree: it keeps no identifiers
    }
    top = reports[network.settings.topology.top.name]
    assert total(top) == added(*map(own, reports.values()))
    assert total(top) == added(own(top), *map(total, top.children))
    for planned in network.planned:
        if planned.settings.role == "secondary":
            secondary = reports[planned.settings.name]
            assert secondary in top.children
            below = [
                reports[child.settings.name]
                for child in network.planned
                if child.parent == planned.settings.name
            ]
            assert list(secondary.children) == below
            assert total(secondary) == added(own(secondary), *map(own, below))
    return dict(zip(NAMES, total(top), strict=True))


def grown(before, after):
    return tuple(after[name] - before[name] for name in NAMES)


async def work(network):
    """Register seven, delete two, of three nodes; resolve five of them once."""
    made = {HOSTED_PREFIX: 4, SELF_RUN_PREFIX: 2, OTHER: 1}
    for prefix, count in made.items():
        for number in range(count):
            await register(network.node_of(prefix), f"{prefix}/N{number}")
    await delete(network.node_of(HOSTED_PREFIX), f"{HOSTED_PREFIX}/N3")
    await delete(network.node_of(SELF_RUN_PREFIX), f"{SELF_RUN_PREFIX}/N1")
    for name in ("N0", "N1", "N2"):
        node = network.node_of(HOSTED_PREFIX)
        assert code_of(await ask(node, f"{HOSTED_PREFIX}/{name}")) == 1
    for prefix in (SELF_RUN_PREFIX, OTHER):
        assert code_of(await ask(network.node_of(prefix), f"{prefix}/N0")) == 1


@pytest.fixture
async def network(keys):
    async with running(keys) as network:
        yield network


async def test_the_top_counts_what_all_nodes_below_it_did(network):
    before = counts(network)
    await work(network)
    assert grown(before, counts(network)) == (5, 7, 5)


async def test_what_is_seeded_is_counted(network):
    enterprises = network.settings.topology.enterprises
    seeded = sum(3 + len(enterprise.products) for enterprise in enterprises)
    seeded += sum(
        len(records)
        for enterprise in enterprises
        for records in code_records(enterprise).values()
    )
    administrators = len(network.administrators)
    found = counts(network)
    assert found["identifiers"] == seeded + administrators
    assert found["registrations"] == found["identifiers"]
    assert found["resolutions"] == 0


async def test_a_record_written_over_is_one_identifier_still(network):
    node, name = network.node_of(HOSTED_PREFIX), f"{HOSTED_PREFIX}/OVER"
    before = counts(network)
    for _ in range(3):
        await register(node, name, overwrite=True)
    assert grown(before, counts(network)) == (1, 1, 0)
    await delete(node, name)
    await register(node, name)
    assert grown(before, counts(network)) == (1, 2, 0)


async def test_a_refused_question_is_no_resolution(network):
    before = counts(network)
    node = network.node_of(HOSTED_PREFIX)
    assert code_of(await ask(node, f"{HOSTED_PREFIX}/NO")) == 100
    assert code_of(await ask(node, HOSTED, types=("NO",))) == 200
    assert code_of(await ask(network.top, HOSTED)) == ResponseCode.PREFIX_REFERRAL
    assert grown(before, counts(network)) == (0, 0, 0)


async def test_a_walk_counts_at_each_node_that_answers_and_the_cache_at_none(network):
    before = counts(network)
    assert code_of(await ask(network.recursive, SELF_RUN)) == 1
    assert grown(before, counts(network)) == (0, 0, 3)
    assert code_of(await ask(network.recursive, SELF_RUN)) == 1
    assert grown(before, counts(network)) == (0, 0, 3)
    assert code_of(await ask(network.recursive, SELF_RUN, flags=FRESH)) == 1
    assert grown(before, counts(network)) == (0, 0, 4)
    assert own(network.recursive.statistics.report()) == (0, 0, 3)


async def test_counts_survive_a_restart_and_go_on(keys, tmp_path):
    data = tmp_path / "data"
    async with running(keys, data=data) as network:
        before = counts(network)
        await work(network)
        kept = counts(network)
    async with running(keys, data=data) as network:
        assert counts(network) == kept
        assert code_of(await ask(network.node_of(OTHER), f"{OTHER}/N0")) == 1
        await register(network.node_of(OTHER), f"{OTHER}/LATER")
    async with running(keys, data=data) as network:
        assert grown(before, counts(network)) == (6, 8, 6)


def fetched(node):
    url = f"http://127.0.0.1:{node.http.port}/api/v1/statistics"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
        return json.load(answer)


async def test_the_management_interface_gives_the_same_numbers(network):
    await work(network)
    for node in network.nodes.values():
        shown = await asyncio.to_thread(fetched, node)
        assert shown.pop("fast_path") is None  # it does not serve here
        log = shown.pop("log", None)
        assert (log is None) == (node.sealing is None)
        assert shown == node.statistics.report().as_json()
