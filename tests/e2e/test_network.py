"""A whole network in one process: walks, caching, referrals, restarts, prefixes."""

import asyncio
import time

import pytest

from registry.errors import AlreadyExistsError, NotFoundError
from registry.model.codes import ResponseCode
from registry.model.typed import Protocol, Site
from registry.model.value import DEFAULT_TTL_SECONDS, Permission, Value
from resolver.cache import MAX_TTL_SECONDS
from resolver.client import Client, ClientSettings, RetryPolicy
from resolver.errors import AccessError
from resolver.ready_file import describe
from resolver.seeded import seeded_identifiers
from resolver.session.draft import QUERY_FLAGS, Draft
from resolver.session.signature import PrivateKeyCredential, SecretCredential
from resolver.session.token import make_token
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.message import decode_message
from resolver.wire.request import OnHandle, WithValues
from tests.e2e.networks import (
    FRESH,
    HOST_PREFIX,
    HOSTED,
    HOSTED_PREFIX,
    SELF_RUN,
    SELF_RUN_PREFIX,
    ask,
    asked_upstream,
    body_of,
    code_of,
    delete,
    move_clock,
    prefixes,
    question,
    register,
    running,
    text_of,
    values_of,
)
from tests.sockets import exchange_tcp, exchange_udp

NOT_FOUND = ResponseCode.HANDLE_NOT_FOUND
NOT_HERE = ResponseCode.SERVER_NOT_RESP
SERVICE, PREFIX = ResponseCode.SERVICE_REFERRAL, ResponseCode.PREFIX_REFERRAL
RESTRICTED = int(Permission.ADMIN_READ | Permission.ADMIN_WRITE)
PATIENT = ClientSettings(retry=RetryPolicy((1.0, 2.0), 10.0))


@pytest.fixture
async def network(keys):
    async with running(keys) as network:
        yield network


@pytest.mark.parametrize("exchange", [exchange_udp, exchange_tcp])
@pytest.mark.parametrize("identifier", [HOSTED, SELF_RUN])
async def test_a_cold_walk_asks_three_a_warm_prefix_one_the_cache_none(
    network, identifier, exchange
):
    prefix = identifier.partition("/")[0]
    counts, answers = [], []
    for name in (identifier, f"{prefix}/SN0042", f"{prefix}/SN0042"):
        before = asked_upstream(network)
        answers.append(await ask(network.recursive, name, exchange=exchange))
        counts.append(asked_upstream(network) - before)
    assert counts == [3, 1, 0]
    flag = int(OpFlag.AUTHORITATIVE)
    assert [bool(m.header.flags & flag) for m in answers] == [True, True, False]
    assert values_of(answers[1]) == values_of(answers[2])


async def test_a_warm_secondary_leaves_two_questions(network):
    await ask(network.recursive, HOSTED)
    before = asked_upstream(network)
    assert code_of(await ask(network.recursive, SELF_RUN)) == 1
    assert asked_upstream(network) - before == 2


async def test_names_that_differ_in_case_alone_share_an_answer(network):
    await ask(network.recursive, HOSTED)
    before = asked_upstream(network)
    answer = await ask(network.recursive, HOSTED.lower())
    assert asked_upstream(network) == before
    assert body_of(answer).handle == HOSTED.lower().encode()


async def test_questions_for_other_types_or_indexes_have_answers_of_their_own(network):
    whole = values_of(await ask(network.recursive, HOSTED))
    urls = values_of(await ask(network.recursive, HOSTED, types=("url",)))
    second = values_of(await ask(network.recursive, HOSTED, indexes=(2,)))
    assert len(whole) > 2
    assert [value.type for value in urls] == ["URL"]
    assert [value.index for value in second] == [2]


async def test_every_seeded_identifier_resolves_hosted_or_self_run(network):
    kinds = set()
    for enterprise in network.settings.topology.enterprises:
        kinds.add(enterprise.self_run)
        for seeded in seeded_identifiers(enterprise):
            values = values_of(await ask(network.recursive, seeded.identifier))
            found = [(value.type, value.data.decode()) for value in values]
            assert found == [tuple(value) for value in seeded.values]
    assert kinds == {True, False}


async def test_what_is_not_there_is_remembered_for_a_short_time(network):
    missing = f"{HOSTED_PREFIX}/NOT-YET"
    assert code_of(await ask(network.recursive, missing)) == NOT_FOUND
    before = asked_upstream(network)
    await register(network.node_of(HOSTED_PREFIX), missing)
    assert code_of(await ask(network.recursive, missing)) == NOT_FOUND
    assert asked_upstream(network) == before
    move_clock(network.recursive, network.recursive.settings.negative_ttl_seconds + 1)
    assert code_of(await ask(network.recursive, missing)) == 1


async def test_a_type_that_is_not_there_is_remembered_like_a_missing_name(network):
    ask_for = {"types": ("EMAIL",)}
    codes, counts = [], []
    for _ in range(2):
        codes.append(code_of(await ask(network.recursive, HOSTED, **ask_for)))
        counts.append(asked_upstream(network))
    assert codes == [ResponseCode.VALUES_NOT_FOUND] * 2
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("ttl", "fresh_after"),
    [(5, 6), (MAX_TTL_SECONDS * 10, MAX_TTL_SECONDS + 1), (60, 61)],
)
async def test_an_answer_is_kept_for_its_time_and_no_longer(network, ttl, fresh_after):
    node, name = network.node_of(HOSTED_PREFIX), f"{HOSTED_PREFIX}/TTL"
    await register(node, name, Value(1, "URL", b"old", ttl), Value(2, "A", b"", 10**6))
    assert values_of(await ask(network.recursive, name))[0].data == b"old"
    await register(node, name, Value(1, "URL", b"new", ttl), overwrite=True)
    move_clock(network.recursive, min(ttl, DEFAULT_TTL_SECONDS) - 1.5)
    assert values_of(await ask(network.recursive, name))[0].data == b"old"
    move_clock(network.recursive, fresh_after)
    assert values_of(await ask(network.recursive, name))[0].data == b"new"


async def test_an_answer_without_time_to_live_is_asked_for_each_time(network):
    node, name = network.node_of(HOSTED_PREFIX), f"{HOSTED_PREFIX}/NO-TTL"
    await register(node, name, Value(1, "URL", b"x", 0))
    await ask(network.recursive, name)
    before = asked_upstream(network)
    await ask(network.recursive, name)
    assert asked_upstream(network) == before + 1


async def test_an_authoritative_answer_comes_from_the_node_itself(network):
    await ask(network.recursive, HOSTED)
    before = asked_upstream(network)
    answer = await ask(network.recursive, HOSTED, flags=FRESH)
    assert asked_upstream(network) == before + 1
    assert answer.header.flags & OpFlag.AUTHORITATIVE


@pytest.mark.parametrize("exchange", [exchange_udp, exchange_tcp])
async def test_fifty_clients_with_one_question_make_one_walk(network, exchange):
    answers = await asyncio.gather(
        *(ask(network.recursive, SELF_RUN, exchange=exchange) for _ in range(50))
    )
    assert {code_of(answer) for answer in answers} == {1}
    assert len({answer.body for answer in answers}) == 1
    assert asked_upstream(network) == 3


async def test_fifty_questions_of_one_cold_prefix_all_get_their_answers(network):
    names = [f"{SELF_RUN_PREFIX}/N{number}" for number in range(50)]
    for name in names:
        await register(
            network.node_of(SELF_RUN_PREFIX), name, Value(1, "URL", name.encode())
        )
    answers = await asyncio.gather(*(ask(network.recursive, name) for name in names))
    assert [values_of(answer)[0].data.decode() for answer in answers] == names


@pytest.mark.parametrize("prefix", [HOSTED_PREFIX, SELF_RUN_PREFIX, HOST_PREFIX, "88"])
@pytest.mark.parametrize("types", [("HS_SITE",), ()])
async def test_a_bare_prefix_gives_the_site_first_with_a_tcp_interface(
    network, prefix, types
):
    flags = 0x1900_0000  # as the official SDK asks (handle notes §2.2)
    message = await ask(network.recursive, prefix, types=types, flags=flags)
    first = values_of(message)[0]
    assert body_of(message).handle == prefix.encode()
    assert first.type == "HS_SITE"
    (server,) = Site.decode(first.data).servers
    port = next(i.port for i in server.interfaces if i.protocol == Protocol.TCP)
    node = network.node_of(prefix)
    assert port == node.handle.port
    direct = decode_message(await exchange_tcp(port, question(f"{prefix}/admin")))
    assert code_of(direct) == 1


async def test_the_site_comes_first_even_where_the_record_has_it_last(network):
    site = network.node_of(HOST_PREFIX).sites[0]
    values = Value(1, "URL", b"x"), Value(2, "EMAIL", b"x"), Value(9, "HS_SITE", site)
    node, name = network.node_of(HOST_PREFIX), f"0.NA/{HOSTED_PREFIX}"
    await register(node, name, *values, overwrite=True)
    found = values_of(await ask(network.recursive, HOSTED_PREFIX))
    assert [value.index for value in found] == [9, 1, 2]


@pytest.mark.parametrize(
    ("asked", "about", "code", "named"),
    [
        ("88", f"{HOST_PREFIX}/admin", SERVICE, HOST_PREFIX),
        ("88", HOSTED, PREFIX, HOST_PREFIX),
        ("88", SELF_RUN, PREFIX, HOST_PREFIX),
        ("88", SELF_RUN_PREFIX, PREFIX, HOST_PREFIX),
        (HOST_PREFIX, SELF_RUN, SERVICE, SELF_RUN_PREFIX),
        (HOST_PREFIX, f"{SELF_RUN_PREFIX}.5/x", PREFIX, SELF_RUN_PREFIX),
    ],
)
async def test_a_node_refers_to_the_one_below(network, asked, about, code, named):
    message = await ask(network.node_of(asked), about)
    assert code_of(message) == code
    referral = body_of(message)
    assert referral.handle == f"0.NA/{named}".encode()
    assert tuple(v.data for v in referral.values) == network.node_of(named).sites
    assert {value.type for value in referral.values} == {"HS_SITE"}


async def test_a_derived_prefix_may_have_sites_of_its_own(network):
    node, sites = network.node_of(HOST_PREFIX), network.node_of("88.100").sites
    below = Value(3, "HS_SITE.PREFIX", sites[0])
    own = Value(1, "HS_SITE", network.node_of(SELF_RUN_PREFIX).sites[0])
    await register(node, f"0.NA/{SELF_RUN_PREFIX}", own, below, overwrite=True)
    direct = body_of(await ask(node, SELF_RUN)).values
    further = body_of(await ask(node, f"{SELF_RUN_PREFIX}.5/x")).values
    assert [value.type for value in direct] == ["HS_SITE"]
    assert [value.type for value in further] == ["HS_SITE.PREFIX"]


async def test_who_asks_for_no_referral_gets_none(network):
    flags = QUERY_FLAGS | int(OpFlag.DO_NOT_REFER)
    for node, about in (("88", HOSTED), (HOST_PREFIX, SELF_RUN)):
        message = await ask(network.node_of(node), about, flags=flags)
        assert code_of(message) == NOT_HERE


async def test_a_client_that_follows_referrals_needs_no_recursive_node(network):
    def resolve():
        port = network.top.handle.port
        with Client(f"127.0.0.1:{port}", PATIENT) as client:
            return client.resolve(SELF_RUN), client.resolve(HOSTED)

    self_run, hosted = await asyncio.to_thread(resolve)
    assert self_run.first("URL")
    assert hosted.first("URL")
    assert asked_upstream(network) == 0


@pytest.mark.parametrize(
    ("identifier", "code", "direct"),
    [
        ("99.1/x", NOT_FOUND, NOT_HERE),
        ("99", NOT_FOUND, NOT_FOUND),
        ("88.999/x", NOT_FOUND, NOT_HERE),
        ("88.999", NOT_FOUND, NOT_FOUND),
        (f"{HOST_PREFIX}.999/x", NOT_FOUND, PREFIX),
        (f"{HOSTED_PREFIX}/x", NOT_FOUND, PREFIX),
    ],
)
async def test_an_unknown_prefix_or_name_is_said_to_be_unknown(
    network, identifier, code, direct
):
    assert code_of(await ask(network.recursive, identifier)) == code
    assert code_of(await ask(network.top, identifier)) == direct
    before = asked_upstream(network)
    assert code_of(await ask(network.recursive, identifier)) == code
    assert asked_upstream(network) == before


async def test_an_unknown_prefix_says_which_one(network):
    message = await ask(network.recursive, f"{HOST_PREFIX}.999/x")
    assert f"0.NA/{HOST_PREFIX}.999" in text_of(message)


@pytest.mark.parametrize("identifier", ["", "/", "88.118.7/", "/x", "8..8/x", "a\nb/c"])
async def test_what_is_no_identifier_asks_nobody(network, identifier):
    message = await ask(network.recursive, identifier)
    assert code_of(message) == ResponseCode.INVALID_HANDLE
    assert asked_upstream(network) == 0


async def restricted(network, name):
    node = network.node_of(HOSTED_PREFIX)
    hidden = Value(2, "SECRET", b"hidden", permissions=RESTRICTED)
    await register(node, name, Value(1, "URL", b"open"), hidden)
    who = network.administrators[HOSTED_PREFIX]
    credential = PrivateKeyCredential(who.handle, 300, who.rsa)
    return make_token(credential, time.time(), 5)  # noqa: TID251 (the node's own clock)


async def test_a_token_is_passed_on_and_its_answer_is_nobody_elses(network):
    name = f"{HOSTED_PREFIX}/PRIVATE"
    token = await restricted(network, name)
    flags = QUERY_FLAGS | int(OpFlag.RECURSION_AUTHENTICATED)
    for _ in range(2):
        before = asked_upstream(network)
        mine = await ask(network.recursive, name, flags=flags, token=token)
        assert [value.data for value in values_of(mine)] == [b"open", b"hidden"]
        assert asked_upstream(network) > before, "a private answer was remembered"
    theirs = await ask(network.recursive, name)
    assert [value.data for value in values_of(theirs)] == [b"open"]
    again = await ask(network.recursive, name, flags=flags, token=token)
    assert len(values_of(again)) == 2


async def test_fifty_clients_at_once_get_no_private_answer_of_another(network):
    name = f"{HOSTED_PREFIX}/PRIVATE"
    token = await restricted(network, name)
    flags = QUERY_FLAGS | int(OpFlag.RECURSION_AUTHENTICATED)
    mine = [ask(network.recursive, name, flags=flags, token=token) for _ in range(25)]
    others = [ask(network.recursive, name) for _ in range(25)]
    answers = await asyncio.gather(*mine, *others)
    assert [len(values_of(answer)) for answer in answers] == [2] * 25 + [1] * 25


async def test_a_wrong_token_gives_nothing_but_an_error(network):
    name = f"{HOSTED_PREFIX}/PRIVATE"
    token = await restricted(network, name)
    flags = QUERY_FLAGS | int(OpFlag.RECURSION_AUTHENTICATED)
    wrong = token[:-4] + b"AAAA"
    message = await ask(network.recursive, name, flags=flags, token=wrong)
    assert 400 <= code_of(message) < 407
    assert len(values_of(await ask(network.recursive, name))) == 1


async def test_restricted_values_are_not_given_to_whoever_asks_for_them(network):
    name = f"{HOSTED_PREFIX}/PRIVATE"
    await restricted(network, name)
    message = await ask(network.recursive, name, flags=0)
    assert code_of(message) == ResponseCode.INSUFFICIENT_PERMISSIONS
    assert [v.data for v in values_of(await ask(network.recursive, name))] == [b"open"]


@pytest.mark.parametrize("exchange", [exchange_udp, exchange_tcp])
@pytest.mark.parametrize(
    ("opcode", "body"),
    [
        (OpCode.CREATE_HANDLE, WithValues(b"88.118.7/N", (Value(1, "URL", b"x"),))),
        (OpCode.DELETE_HANDLE, OnHandle(HOSTED.encode())),
        (OpCode.ADD_VALUE, WithValues(HOSTED.encode(), (Value(9, "A", b"x"),))),
        (OpCode.LIST_HANDLES, OnHandle(b"0.NA/88.118.7")),
        (OpCode.HOME_PREFIX, OnHandle(b"0.NA/88.118.7")),
        (OpCode.LOGIN_ID_SYSTEM, None),
    ],
)
async def test_a_recursive_node_keeps_nothing_so_writes_get_301(
    network, opcode, body, exchange
):
    octets = body.encode() if body else b"\0\0\0\1a\0\0\1\x2c"
    message = Draft(opcode, octets, 0).message(7, 0.0)
    answer = decode_message(
        await exchange(network.recursive.handle.port, message.encode())
    )
    assert code_of(answer) == NOT_HERE
    assert code_of(await ask(network.recursive, HOSTED)) == 1


async def test_the_site_of_the_recursive_node_is_its_own(network):
    message = Draft(OpCode.GET_SITE_INFO, OnHandle(b"/").encode()).message(7, 0.0)
    octets = await exchange_tcp(network.recursive.handle.port, message.encode())
    assert body_of(decode_message(octets)).octets == network.recursive.sites[0]


async def test_a_secret_of_the_top_is_checked_by_the_top_for_a_node_below(network):
    top = network.administrators["88"]
    credential = SecretCredential(top.handle, 302, top.secret.encode())
    address = f"127.0.0.1:{network.recursive.handle.port}"

    def write():
        with Client(address, PATIENT, credential=credential) as client:
            client.register(f"{SELF_RUN_PREFIX}/BY-THE-TOP", {"URL": "x"})

    with pytest.raises(AccessError, match="not an administrator"):
        await asyncio.to_thread(write)
    wrong = SecretCredential(top.handle, 302, b"wrong")

    def guess():
        with Client(address, PATIENT, credential=wrong) as client:
            client.register(f"{SELF_RUN_PREFIX}/BY-THE-TOP", {"URL": "x"})

    with pytest.raises(AccessError, match="proof is wrong"):
        await asyncio.to_thread(guess)


async def test_thirty_five_secondary_nodes_start_and_all_resolve(keys):
    async with running(keys, secondaries=35) as network:
        roles = [planned.settings.role for planned in network.planned]
        assert roles.count("secondary") == 35
        items = [
            seeded_identifiers(enterprise)[0].identifier
            for enterprise in network.settings.topology.enterprises
        ]
        answers = await asyncio.gather(*(ask(network.recursive, i) for i in items))
        assert {code_of(answer) for answer in answers} == {1}
        ports = [node.handle.port for node in network.nodes.values()]
        assert len(set(ports)) == len(ports)


async def test_a_restart_keeps_records_and_counters_and_moves_the_sites(keys, tmp_path):
    new, gone = f"{SELF_RUN_PREFIX}/NEW", f"{HOSTED_PREFIX}/SN0042"
    async with running(keys, data=tmp_path / "data") as network:
        await register(network.node_of(SELF_RUN_PREFIX), new)
        await delete(network.node_of(HOSTED_PREFIX), gone)
        assert code_of(await ask(network.recursive, new)) == 1
        before = network.top.statistics.report()
        names = [planned.settings.name for planned in network.planned]
    async with running(keys, data=tmp_path / "data") as network:
        after = network.top.statistics.report()
        assert after == before
        assert [planned.settings.name for planned in network.planned] == names
        for prefix in (SELF_RUN_PREFIX, HOSTED_PREFIX, HOST_PREFIX, "88"):
            found = values_of(await ask(network.recursive, prefix, types=("HS_SITE",)))
            assert tuple(v.data for v in found) == network.node_of(prefix).sites
        assert code_of(await ask(network.recursive, new)) == 1
        assert code_of(await ask(network.recursive, HOSTED)) == 1
        assert code_of(await ask(network.recursive, gone)) == NOT_FOUND


async def test_a_restart_with_more_secondary_nodes_adds_them(keys, tmp_path):
    async with running(keys, secondaries=1, data=tmp_path / "data") as network:
        await register(network.node_of("88.100.2"), "88.100.2/NEW")
        assert code_of(await ask(network.recursive, HOSTED)) == NOT_FOUND
    async with running(keys, secondaries=2, data=tmp_path / "data") as network:
        assert code_of(await ask(network.recursive, HOSTED)) == 1
        assert code_of(await ask(network.recursive, "88.100.2/NEW")) == 1


async def test_a_stopped_prefix_stays_stopped_over_a_restart(keys, tmp_path):
    async with running(keys, data=tmp_path / "data") as network:
        await prefixes(network.node_of(HOST_PREFIX)).stop(HOSTED_PREFIX.encode())
    async with running(keys, data=tmp_path / "data") as network:
        assert code_of(await ask(network.recursive, HOSTED)) != 1
        assert code_of(await ask(network.recursive, SELF_RUN)) == 1


async def described(keys, seed, data):
    async with running(keys, seed=seed, data=data) as network:
        ready = describe(network)
        pem = network.directory.keys.glob("*.pem")
        files = {file.name: file.read_bytes() for file in pem}
    for entry in ready["credentials"]:
        for path in ("private_key", "certificate"):
            entry.pop(path, None)
    nodes = [(n["name"], n["role"], n["prefixes"], n["parent"]) for n in ready["nodes"]]
    return nodes, ready["identifiers"], ready["credentials"], files


async def test_one_seed_gives_one_network(keys, tmp_path):
    first = await described(keys, 1, tmp_path / "a")
    assert await described(tmp_path / "no-cache", 1, tmp_path / "b") == first
    nodes, identifiers, credentials, files = await described(keys, 2, tmp_path / "c")
    assert (nodes, identifiers) == first[:2]
    secrets = [entry["secret"] for entry in credentials if "secret" in entry]
    assert not set(secrets) & {entry.get("secret") for entry in first[2]}
    assert not set(files.values()) & set(first[3].values())


async def test_a_prefix_lives_from_its_allocation_to_its_end(network):
    prefix, name = b"88.118.55", "88.118.55/X"
    node, owner = network.node_of(HOST_PREFIX), network.administrators[HOST_PREFIX]
    below = prefixes(node)

    async def code():
        return code_of(await ask(network.recursive, name, flags=FRESH))

    assert await code() == NOT_FOUND
    await below.allocate(prefix, owner.reference)
    assert await code() == ResponseCode.VALUES_NOT_FOUND
    await below.delegate(prefix, network.node_of(SELF_RUN_PREFIX).sites)
    assert await code() == NOT_HERE
    await below.host(prefix, node.sites)
    assert await code() == NOT_FOUND
    await register(node, name)
    assert await code() == 1
    await below.stop(prefix)
    assert await code() == ResponseCode.VALUES_NOT_FOUND
    assert code_of(await ask(node, name)) == NOT_HERE
    await below.host(prefix, node.sites)
    assert await code() == 1
    await below.unhome(prefix)
    assert await code() != 1


async def test_a_prefix_that_moves_to_another_node_is_found_there(network):
    old, new = network.node_of(HOST_PREFIX), network.node_of("88.100")
    assert code_of(await ask(network.recursive, HOSTED)) == 1
    await prefixes(old).delegate(HOSTED_PREFIX.encode(), new.sites)
    await prefixes(old).unhome(HOSTED_PREFIX.encode())
    await prefixes(new).home(HOSTED_PREFIX.encode())
    await register(new, f"{HOSTED_PREFIX}/MOVED")
    assert code_of(await ask(network.recursive, f"{HOSTED_PREFIX}/MOVED")) == 1
    direct = await ask(old, HOSTED)
    assert code_of(direct) == SERVICE
    assert body_of(direct).values[0].data == new.sites[0]


async def test_a_prefix_cannot_be_delegated_before_it_is_allocated(network):
    with pytest.raises(NotFoundError, match="not allocated"):
        await prefixes(network.top).delegate(b"88.777", network.top.sites)
    with pytest.raises(NotFoundError, match="not allocated"):
        await prefixes(network.top).stop(b"88.777")


async def test_a_prefix_is_allocated_once(network):
    owner = network.administrators["88"].reference
    await prefixes(network.top).allocate(b"88.777", owner)
    with pytest.raises(AlreadyExistsError):
        await prefixes(network.top).allocate(b"88.777", owner)
