"""Tiers that are down, slow or lying: a clear error, in time, and for nobody else."""

import asyncio
import contextlib
import itertools
import time

import pytest

from registry.model.codes import ResponseCode
from registry.model.octets import blob
from registry.model.value import Value
from resolver import upstream
from resolver.client import ClientSettings, RetryPolicy
from resolver.session.draft import QUERY_FLAGS
from resolver.wire.codes import OpFlag
from resolver.wire.response import Failure, Referral, Values
from tests.e2e.networks import (
    FRESH,
    HOST_PREFIX,
    HOSTED,
    SELF_RUN,
    SELF_RUN_PREFIX,
    ask,
    asked_upstream,
    code_of,
    delegate,
    question,
    reopen,
    running,
    text_of,
    values_of,
)
from tests.nano import NanoServer, closed_port, site_at
from tests.sockets import exchange_udp

LOST = f"{HOST_PREFIX}.900"
NAME = f"{LOST}/X"
ELSEWHERE = "88.100.2/SN0001"
URL = Value(1, "URL", b"https://example.org")
BOUND_SECONDS = 2.5
TOO_DEEP = ResponseCode.RECURSION_COUNT_TOO_HIGH
BROKEN = ResponseCode.PROTOCOL_ERROR


@pytest.fixture
async def network(keys, monkeypatch):
    quick = ClientSettings(retry=RetryPolicy((0.1, 0.2), lifetime_seconds=0.6))
    monkeypatch.setattr(upstream, "SETTINGS", quick)
    async with running(keys) as network:
        yield network


@pytest.fixture
def nano():
    with NanoServer() as server:
        server.records[NAME.encode()] = (URL,)
        yield server


async def outcome(network, name=NAME, **parts):
    """Ask the recursive node, which must answer within the bound."""
    async with asyncio.timeout(BOUND_SECONDS):
        return await ask(network.recursive, name, flags=FRESH, **parts)


async def others_resolve(network):
    for name in (HOSTED, ELSEWHERE):
        assert values_of(await outcome(network, name))


async def test_a_node_that_is_not_ours_answers_like_one(network, nano):
    await delegate(network, LOST, nano.site.encode())
    assert values_of(await outcome(network)) == (URL,)
    assert nano.asked()[-1] == NAME.encode()


async def test_a_closed_node_is_named_in_the_error_and_concerns_nobody_else(network):
    port = closed_port()
    await delegate(network, LOST, site_at("127.0.0.1", port).encode())
    message = await outcome(network)
    assert code_of(message) == ResponseCode.ERROR
    assert f"127.0.0.1:{port}" in text_of(message)
    await others_resolve(network)


@pytest.mark.parametrize("fault", ["silent", "wrong_id"])
async def test_a_silent_node_costs_its_askers_a_bounded_time(network, nano, fault):
    setattr(nano.faults, fault, True)
    await delegate(network, LOST, nano.site.encode())
    message = await outcome(network)
    assert code_of(message) == ResponseCode.ERROR
    assert nano.address in text_of(message)
    await others_resolve(network)
    setattr(nano.faults, fault, False)
    assert values_of(await outcome(network)) == (URL,)


async def test_others_are_answered_while_a_silent_node_is_waited_for(network, nano):
    nano.faults.silent = True
    await delegate(network, LOST, nano.site.encode())
    waiting = [asyncio.create_task(outcome(network)) for _ in range(50)]
    await others_resolve(network)
    assert not any(task.done() for task in waiting)
    assert {code_of(await task) for task in waiting} == {ResponseCode.ERROR}


async def test_a_question_that_failed_is_asked_again_at_once(network, nano):
    nano.faults.silent = True
    await delegate(network, LOST, nano.site.encode())
    assert code_of(await ask(network.recursive, NAME)) == ResponseCode.ERROR
    nano.faults.silent = False
    assert values_of(await ask(network.recursive, NAME)) == (URL,)


async def test_a_client_with_usual_patience_hears_why_it_failed(keys, nano):
    nano.faults.silent = True
    async with running(keys) as network:
        await delegate(network, LOST, nano.site.encode())
        started = time.monotonic()
        message = await ask(network.recursive, NAME)
        assert code_of(message) == ResponseCode.ERROR
        assert time.monotonic() - started < ClientSettings().retry.lifetime_seconds


async def test_many_silent_sites_do_not_add_up_beyond_the_bound(network, monkeypatch):
    monkeypatch.setattr(upstream, "WALK_SECONDS", 1.5)
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(NanoServer()) for _ in range(7)]
        for server in silent:
            server.faults.silent = True
        await delegate(network, LOST, *(server.site.encode() for server in silent))
        message = await outcome(network)
        assert code_of(message) == ResponseCode.ERROR
        assert "no answer" in text_of(message) or "in time" in text_of(message)
        assert any(not server.seen for server in silent), "all of them were waited for"


@pytest.mark.parametrize("first", ["closed", "silent"])
async def test_the_second_site_answers_when_the_first_does_not(network, nano, first):
    with NanoServer() as silent:
        silent.faults.silent = True
        dead = site_at("127.0.0.1", closed_port()) if first == "closed" else silent.site
        await delegate(network, LOST, dead.encode(), nano.site.encode())
        assert values_of(await outcome(network)) == (URL,)


def refer(*values, handle=f"0.NA/{LOST}", code=ResponseCode.SERVICE_REFERRAL):
    return lambda seen: (code, Referral(handle.encode(), values or None).encode())


async def test_a_node_that_refers_to_itself_is_a_loop(network, nano):
    nano.script = refer(nano.site_value())
    await delegate(network, LOST, nano.site.encode())
    message = await outcome(network)
    assert code_of(message) == TOO_DEEP
    assert "again" in text_of(message)
    assert len(nano.seen) == 1
    await others_resolve(network)


async def test_two_nodes_that_refer_to_each_other_are_a_loop(network, nano):
    with NanoServer() as other:
        nano.script = refer(other.site_value())
        other.script = refer(nano.site_value(), code=ResponseCode.PREFIX_REFERRAL)
        await delegate(network, LOST, nano.site.encode())
        assert code_of(await outcome(network)) == TOO_DEEP
        assert len(nano.seen) == len(other.seen) == 1


async def test_an_endless_row_of_referrals_ends(network):
    with contextlib.ExitStack() as stack:
        row = [stack.enter_context(NanoServer()) for _ in range(20)]
        for server, following in itertools.pairwise(row):
            server.script = refer(following.site_value())
        await delegate(network, LOST, row[0].site.encode())
        assert code_of(await outcome(network)) == TOO_DEEP
        assert not row[-1].seen


async def test_a_site_that_is_its_parents_is_a_loop(network):
    await delegate(network, LOST, *network.node_of(HOST_PREFIX).sites)
    message = await outcome(network)
    assert code_of(message) == TOO_DEEP
    await others_resolve(network)


@pytest.mark.parametrize("flags", [QUERY_FLAGS, FRESH])
async def test_a_site_that_is_the_recursive_node_ends_too(network, flags):
    await delegate(network, LOST, network.recursive.sites[0])
    async with asyncio.timeout(BOUND_SECONDS * 2):
        message = await ask(network.recursive, NAME, flags=flags)
    assert code_of(message) in (ResponseCode.ERROR, TOO_DEEP)
    assert asked_upstream(network) < 100
    await others_resolve(network)


async def test_a_referral_to_nowhere_is_an_error(network, nano):
    nano.script = refer(handle="")
    await delegate(network, LOST, nano.site.encode())
    message = await outcome(network)
    assert code_of(message) == ResponseCode.ERROR
    assert "referral" in text_of(message)


async def test_a_referral_to_a_handle_leads_to_its_sites(network, nano):
    """The other node is named by its prefix, as SERV references are (notes §1.14)."""
    with NanoServer() as other:
        nano.script = refer(handle="0.NA/88.100.1")
        await delegate(network, LOST, nano.site.encode())
        await delegate(network, "88.100.1", other.site.encode())
        other.records[NAME.encode()] = (URL,)
        assert values_of(await outcome(network)) == (URL,)


def say(code, body):
    return lambda seen: (code, body)


LIES = {
    "another handle": (1, Values(b"88.118.900/OTHER", (URL,)).encode()),
    "another prefix": (1, Values(b"88.118.1/X", (URL,)).encode()),
    "no body": (1, b""),
    "not a handle": (1, Values(b"\xff/\xff", (URL,)).encode()),
    "garbage": (1, bytes(range(256))),
    "too many values": (1, blob(NAME.encode()) + b"\xff\xff\xff\xff"),
    "cut short": (1, Values(NAME.encode(), (URL,)).encode()[:-9]),
}


@pytest.mark.parametrize("lie", LIES)
async def test_an_answer_that_breaks_the_protocol_is_no_answer(network, nano, lie):
    nano.script = say(*LIES[lie])
    await delegate(network, LOST, nano.site.encode())
    message = await outcome(network)
    assert code_of(message) == BROKEN
    assert text_of(message)
    cached = await ask(network.recursive, NAME)
    assert code_of(cached) == BROKEN
    nano.script = lambda seen: None
    assert values_of(await ask(network.recursive, NAME)) == (URL,)
    await others_resolve(network)


async def test_a_node_may_spell_the_name_in_its_own_case(network, nano):
    nano.script = say(1, Values(NAME.lower().encode(), (URL,)).encode())
    await delegate(network, LOST, nano.site.encode())
    assert values_of(await outcome(network)) == (URL,)


async def test_an_error_of_a_node_is_passed_on_with_its_words(network, nano):
    nano.script = say(ResponseCode.SERVER_BACKUP, Failure("reading only").encode())
    await delegate(network, LOST, nano.site.encode())
    message = await outcome(network)
    assert code_of(message) == ResponseCode.SERVER_BACKUP
    assert text_of(message) == "reading only"


@pytest.mark.parametrize("middle", ["no sites", "garbage sites", "no values"])
async def test_a_tier_in_the_middle_that_lies_is_an_error(network, nano, middle):
    site = Value(1, "HS_SITE", b"\x00garbage")
    values = {"no sites": (URL,), "garbage sites": (site,), "no values": ()}[middle]
    below = f"{LOST}.1"
    nano.script = lambda seen: (1, Values(seen.request.handle, values).encode())
    await delegate(network, LOST, nano.site.encode())
    message = await outcome(network, f"{below}/X")
    assert code_of(message) not in (0, 1)
    assert text_of(message)
    await others_resolve(network)


async def shouting(octets):
    """Serve garbage to whoever connects."""

    async def shout(reader, writer):
        await reader.read(1)
        writer.write(octets)
        writer.close()

    return await asyncio.start_server(shout, "127.0.0.1", 0)


@pytest.mark.parametrize("octets", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n" * 9])
async def test_what_speaks_another_protocol_is_no_node(network, octets):
    async with await shouting(octets) as server:
        port = server.sockets[0].getsockname()[1]
        await delegate(network, LOST, site_at("127.0.0.1", port).encode())
        message = await outcome(network)
        assert code_of(message) in (ResponseCode.ERROR, BROKEN)
        assert text_of(message)
    await others_resolve(network)


@pytest.mark.parametrize(
    ("prefix", "name"),
    [("88", HOSTED), (HOST_PREFIX, HOSTED), (SELF_RUN_PREFIX, SELF_RUN)],
)
async def test_a_tier_that_comes_back_is_used_at_once(network, prefix, name):
    node = network.node_of(prefix)
    await node.close()
    message = await outcome(network, name)
    assert code_of(message) == ResponseCode.ERROR
    assert f":{node.handle.port}" in text_of(message)
    await reopen(network, node)
    assert values_of(await outcome(network, name))


async def test_what_is_known_resolves_without_the_top_level_node(network):
    await outcome(network, HOSTED)
    await network.top.close()
    assert values_of(await outcome(network, f"{HOST_PREFIX}.2/SN0001"))
    assert values_of(await ask(network.recursive, HOSTED))
    assert code_of(await outcome(network, ELSEWHERE)) == ResponseCode.ERROR
    await reopen(network, network.top)
    await others_resolve(network)


async def test_a_cached_answer_outlives_its_node(network):
    assert values_of(await ask(network.recursive, SELF_RUN))
    await network.node_of(SELF_RUN_PREFIX).close()
    message = await ask(network.recursive, SELF_RUN)
    assert values_of(message)
    assert not message.header.flags & OpFlag.AUTHORITATIVE
    await others_resolve(network)


async def test_a_node_that_moved_is_found_although_its_old_site_was_known(
    network, nano
):
    old = site_at("127.0.0.1", closed_port())
    with NanoServer() as first:
        first.records[f"{LOST}/BEFORE".encode()] = (URL,)
        await delegate(network, LOST, first.site.encode())
        assert values_of(await outcome(network, f"{LOST}/BEFORE"))
    await delegate(network, LOST, old.encode(), nano.site.encode())
    assert values_of(await outcome(network)) == (URL,)


async def test_a_lost_datagram_is_sent_again(network, nano):
    nano.faults.drop_first = 1
    await delegate(network, LOST, nano.site.encode())
    assert values_of(await outcome(network)) == (URL,)


async def test_an_answer_too_long_for_a_datagram_comes_whole(network, nano):
    nano.records[NAME.encode()] = tuple(
        Value(number, "URL", b"x" * 200) for number in range(1, 100)
    )
    await delegate(network, LOST, nano.site.encode())
    assert len(values_of(await outcome(network, exchange=exchange_udp))) == 99


async def test_a_network_closes_while_a_silent_node_is_waited_for(keys, nano):
    loop, all_wait = asyncio.get_running_loop(), asyncio.Event()

    def say_nothing(_):
        if len(nano.seen) >= 20:
            loop.call_soon_threadsafe(all_wait.set)
        return []

    nano.script = say_nothing
    async with running(keys) as network:
        await delegate(network, LOST, nano.site.encode())
        asking = [
            asyncio.create_task(exchange_udp(network.recursive.handle.port, octets))
            for octets in (question(f"{LOST}/{n}", flags=FRESH) for n in range(20))
        ]
        async with asyncio.timeout(BOUND_SECONDS):
            await all_wait.wait()
        started = time.monotonic()
    assert time.monotonic() - started < BOUND_SECONDS
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    ours = {asyncio.current_task()}
    assert asyncio.all_tasks() == ours
