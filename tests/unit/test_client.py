"""Both clients against a scripted server: one suite, two implementations."""

import asyncio
import inspect
import subprocess
import sys
import threading
import time

import pytest

from registry.model.octets import blob
from registry.model.value import Value
from resolver.client import (
    AsyncClient,
    Client,
    ClientSettings,
    RetryPolicy,
    ServerAddress,
)
from resolver.client.request import question, resolution
from resolver.client.sockets import SocketTransport
from resolver.client.transport import AsyncTransport
from resolver.errors import (
    AccessError,
    AlreadyExistsError,
    AnswerError,
    BadAnswerError,
    NotFoundError,
    ReferralLoopError,
    ResolverError,
    ServerError,
    TimedOutError,
    UnreachableError,
    ValuesNotFoundError,
)
from resolver.session.signature import SecretCredential
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.response import Failure, Handles, Referral
from tests.client_twin import QUICK, Twin
from tests.nano import NanoServer, closed_port

CREDENTIAL = SecretCredential("88.118.7/admin", 300, b"secret")
NAME = "88.118.7/SN1"
URL = Value(1, "URL", b"https://example.org/1")
MAIL = Value(2, "EMAIL", b"a@example.org", 60)
CREATE, LOGIN = OpCode.CREATE_HANDLE, OpCode.LOGIN_ID_SYSTEM


@pytest.fixture(params=[AsyncClient, Client], ids=["async", "blocking"])
async def twin(request):
    twin = Twin(request.param)
    yield twin
    await twin.close()


@pytest.fixture
def server():
    with NanoServer() as server:
        server.records[NAME.encode()] = (URL, MAIL)
        yield server


@pytest.fixture
def tree():
    """A recursive node that knows the sites, and the three nodes below it."""
    with (
        NanoServer() as recursive,
        NanoServer() as top,
        NanoServer() as secondary,
        NanoServer() as enterprise,
    ):
        for prefix, node in (
            ("88", top),
            ("88.118", secondary),
            ("88.118.7", enterprise),
        ):
            recursive.records[f"0.NA/{prefix}".encode()] = (node.site_value(),)
        recursive.records[NAME.encode()] = (URL, MAIL)
        recursive.faults.authoritative = False
        top.records[b"0.NA/88.118"] = (secondary.site_value(),)
        secondary.records[b"0.NA/88.118.7"] = (enterprise.site_value(),)
        enterprise.records[NAME.encode()] = (URL, MAIL)
        yield recursive, top, secondary, enterprise


def only_udp(seen):
    return {item.via for item in seen} == {"udp"}


async def test_an_answer_has_values_text_and_time_to_live(twin, server):
    answer = await twin.call(twin.client(server), "resolve", NAME)
    assert answer.identifier == NAME
    assert answer.values == (URL, MAIL)
    assert answer.first("url") == "https://example.org/1"
    assert answer.first("HS_SITE") is None
    assert answer.all("EMAIL") == (MAIL,)
    assert answer.value(2) == MAIL
    assert answer.value(9) is None
    assert answer.ttl_seconds == 60
    assert answer.authoritative
    assert answer.hops == ()
    assert only_udp(server.seen)


async def test_a_type_with_a_dot_at_its_end_means_its_subtypes_too(twin, server):
    values = (URL, Value(3, "URL.ALT", b"y"), Value(4, "URLX", b"z"))
    server.records[NAME.encode()] = values
    answer = await twin.call(twin.client(server), "resolve", NAME)
    assert answer.all("URL.") == values[:2]
    assert answer.all("URL") == values[:1]


async def test_types_and_indexes_and_flags_are_passed_on(twin, server):
    client = twin.client(server)
    answer = await twin.call(client, "resolve", NAME, types=["EMAIL"], indexes=[7])
    assert answer.values == (MAIL,)
    await twin.call(client, "resolve", NAME, public_only=False)
    first, second = (seen.message.header.flags for seen in server.seen)
    assert first == OpFlag.RECURSIVE | OpFlag.PUBLIC_ONLY
    assert second == OpFlag.RECURSIVE
    assert server.seen[0].request.indexes == (7,)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (100, NotFoundError),
        (200, ValuesNotFoundError),
        (401, AccessError),
        (3, ServerError),
        (999, ServerError),
    ],
)
async def test_an_error_answer_raises_its_class_with_code_and_text(
    twin, server, code, error
):
    server.script = lambda seen: (code, Failure("because").encode())
    with pytest.raises(error, match="because") as caught:
        await twin.call(twin.client(server), "resolve", NAME)
    assert caught.value.code == code
    assert NAME in str(caught.value)


@pytest.mark.parametrize("identifier", ["", "/x", "88.118.7/", "x" * 3000, "\ud800"])
async def test_what_is_no_identifier_costs_no_question(twin, server, identifier):
    with pytest.raises(AnswerError) as caught:
        await twin.call(twin.client(server), "resolve", identifier)
    assert caught.value.code == 102
    assert server.seen == []


@pytest.mark.parametrize("lost", [1, 2])
async def test_lost_datagrams_are_sent_again(twin, server, lost):
    server.faults.drop_first = lost
    assert await twin.call(twin.client(server), "resolve", NAME)
    assert only_udp(server.seen)


async def test_after_the_last_try_tcp_is_asked(twin, server):
    server.faults.drop_first = 3
    assert await twin.call(twin.client(server), "resolve", NAME)
    assert [seen.via for seen in server.seen] == ["tcp"]


async def test_a_port_that_refuses_datagrams_leads_to_tcp_at_once(twin):
    settings = ClientSettings(retry=RetryPolicy((9.0,), 10.0))
    with NanoServer(udp=False) as server:
        server.records[NAME.encode()] = (URL,)
        started = time.monotonic()
        assert await twin.call(twin.client(server, settings), "resolve", NAME)
        assert time.monotonic() - started < 5


async def test_a_truncated_answer_is_fetched_over_tcp(twin, server):
    server.faults.truncate = True
    assert await twin.call(twin.client(server), "resolve", NAME)
    assert [seen.via for seen in server.seen] == ["udp", "tcp"]


@pytest.mark.parametrize("size", [600, 20_000])
async def test_fragments_are_put_together(twin, server, size):
    server.records[NAME.encode()] = (Value(1, "URL", b"x" * size),)
    server.faults.reverse_fragments = True
    answer = await twin.call(twin.client(server), "resolve", NAME)
    assert len(answer.values[0].data) == size
    assert only_udp(server.seen)


async def test_an_answer_to_another_request_is_not_taken(twin, server):
    server.faults.wrong_id = True
    settings = ClientSettings(retry=RetryPolicy((0.05,), 0.3))
    with pytest.raises(TimedOutError):
        await twin.call(twin.client(server, settings), "resolve", NAME)


async def test_silence_ends_with_the_lifetime(twin, server):
    server.faults.silent = True
    settings = ClientSettings(retry=RetryPolicy((0.05, 0.05), 0.4))
    started = time.monotonic()
    with pytest.raises(TimedOutError) as caught:
        await twin.call(twin.client(server, settings), "resolve", NAME)
    assert 0.35 < time.monotonic() - started < 3
    assert caught.value.code == 602
    assert [seen.via for seen in server.seen] == ["udp", "udp", "tcp"]


async def test_where_nobody_listens_it_says_so(twin):
    with pytest.raises(UnreachableError) as caught:
        await twin.call(twin.client(f"127.0.0.1:{closed_port()}"), "resolve", NAME)
    assert caught.value.code == 601


@pytest.mark.parametrize("body", [b"", b"\xff" * 8, blob(b"x") + b"\0\0\0\1"])
async def test_an_answer_that_breaks_its_layout_is_a_bad_answer(twin, server, body):
    server.script = lambda seen: (1, body)
    with pytest.raises(BadAnswerError):
        await twin.call(twin.client(server), "resolve", NAME)


async def test_ipv6_addresses_stand_in_brackets(twin):
    with NanoServer("::1") as server:
        server.records[NAME.encode()] = (URL,)
        assert server.address.startswith("[::1]:")
        assert await twin.call(twin.client(server), "resolve", NAME)


async def test_connections_are_kept(twin, server):
    client = twin.client(server, ClientSettings(retry=QUICK.retry, use_udp=False))
    for _ in range(3):
        await twin.call(client, "resolve", NAME)
    assert [(seen.via, seen.connection) for seen in server.seen] == [("tcp", 1)] * 3


async def test_a_server_that_closes_after_each_answer_is_asked_anew(twin, server):
    server.faults.close_after_answer = True
    client = twin.client(server, ClientSettings(retry=QUICK.retry, use_udp=False))
    for _ in range(5):
        assert await twin.call(client, "resolve", NAME)
    assert {seen.connection for seen in server.seen} == {1, 2, 3, 4, 5}


async def test_a_server_that_closes_without_an_answer_is_not_asked_for_ever(
    twin, server
):
    server.faults.close_before_answer = True
    client = twin.client(server, ClientSettings(retry=QUICK.retry, use_udp=False))
    with pytest.raises(UnreachableError, match="over TCP"):
        await twin.call(client, "resolve", NAME)


@pytest.mark.parametrize("code", [302, 303])
async def test_a_server_that_refers_is_followed(twin, server, code):
    with NanoServer() as other:
        body = Referral(b"", (server.site_value(),)).encode()
        other.script = lambda seen: (code, body)
        answer = await twin.call(twin.client(other), "resolve", NAME)
        assert answer.values == (URL, MAIL)
        assert [hop.code for hop in answer.hops] == [code, 1]


async def test_servers_that_refer_to_one_another_are_found_out(twin):
    with NanoServer() as one, NanoServer() as two:
        for here, there in ((one, two), (two, one)):
            body = Referral(b"", (there.site_value(),)).encode()
            here.script = lambda seen, body=body: (303, body)
        with pytest.raises(ReferralLoopError):
            await twin.call(twin.client(one), "resolve", NAME)


async def test_the_site_of_the_server_can_be_asked_for(twin, server):
    assert await twin.call(twin.client(server), "site") == server.site


@pytest.mark.parametrize("ordered", [True, False])
async def test_a_stream_gives_every_identifier_its_answer(twin, server, ordered):
    names = [f"88.118.7/{n}" for n in range(300)]
    for name in names[::2]:
        server.records[name.encode()] = (Value(1, "URL", name.encode()),)
    client = twin.client(server)
    results = await twin.many(client, names, concurrency=16, ordered=ordered)
    if ordered:
        assert [result.identifier for result in results] == names
    assert sorted(result.identifier for result in results) == sorted(names)
    for result in results:
        if isinstance(result.outcome, NotFoundError):
            assert int(result.identifier.rpartition("/")[2]) % 2
            with pytest.raises(NotFoundError):
                _ = result.answer
        else:
            assert result.answer.first("URL") == result.identifier


async def test_a_stream_goes_on_after_what_is_no_identifier(twin, server):
    results = await twin.many(twin.client(server), ["", NAME, "/"])
    assert [isinstance(r.outcome, ResolverError) for r in results] == [
        True,
        False,
        True,
    ]
    assert results[0].outcome.code == 102


async def test_a_stream_over_a_lossy_network_loses_nothing(twin, server):
    server.faults.drop_first = 40
    results = await twin.many(twin.client(server), [NAME] * 100, concurrency=32)
    assert len(results) == 100
    assert all(result.answer for result in results)


async def test_a_stream_reads_no_further_ahead_than_its_window(twin, server):
    taken = []

    def names():
        for n in range(1000):
            taken.append(n)
            yield NAME

    stream = twin.client(server).resolve_many(names(), concurrency=8)
    if twin.kind is AsyncClient:
        async with asyncio.timeout(10):
            await anext(stream)
            await stream.aclose()
    else:
        next(stream)
        stream.close()
    assert 1 <= len(taken) <= 9


async def test_a_stream_to_nobody_gives_errors(twin):
    client = twin.client(f"127.0.0.1:{closed_port()}")
    results = await twin.many(client, [NAME] * 20, concurrency=8)
    assert [r.outcome.code for r in results] == [601] * 20


async def test_streams_follow_referrals(twin, server):
    with NanoServer() as other:
        body = Referral(b"", (server.site_value(),)).encode()
        other.script = lambda seen: (302, body)
        results = await twin.many(twin.client(other), [NAME] * 3)
        assert [r.answer.first("URL") for r in results] == [URL.text] * 3


async def test_a_trace_tells_who_was_asked_and_what_it_answered(twin, tree):
    recursive, top, secondary, enterprise = tree
    answer = await twin.call(twin.client(recursive), "trace", NAME)
    assert answer.values == (URL, MAIL)
    hops = [(hop.role, hop.question, hop.code, hop.from_cache) for hop in answer.hops]
    assert hops == [
        ("recursive", NAME, 1, True),
        ("top", "0.NA/88.118", 1, False),
        ("secondary", "0.NA/88.118.7", 1, False),
        ("enterprise", NAME, 1, False),
    ]
    ports = [hop.server.udp_port for hop in answer.hops]
    assert ports == [recursive.port, top.port, secondary.port, enterprise.port]
    assert all(0 < hop.elapsed_seconds < 5 for hop in answer.hops)


async def test_a_fresh_answer_of_the_recursive_node_is_told_from_a_cached_one(
    twin, tree
):
    tree[0].faults.authoritative = True
    answer = await twin.call(twin.client(tree[0]), "trace", NAME)
    assert not answer.hops[0].from_cache


async def test_a_trace_shows_how_far_it_came(twin, tree):
    recursive, _, secondary, _ = tree
    secondary.close()
    recursive.script = lambda seen: (
        (100, Failure("gone").encode())
        if seen.request.handle == NAME.encode()
        else None
    )
    answer = await twin.call(twin.client(recursive), "trace", NAME)
    assert (answer.code, answer.message, answer.values) == (100, "gone", ())
    assert [hop.code for hop in answer.hops] == [100, 1, 601]


async def test_a_record_is_registered_at_the_node_of_its_prefix(twin, tree):
    recursive, _, _, enterprise = tree
    client = twin.client(recursive)
    await twin.call(client, "register", "88.118.7/new", {"URL": "https://x", "B": b"y"})
    assert enterprise.records[b"88.118.7/new"] == (
        Value(1, "URL", b"https://x"),
        Value(2, "B", b"y"),
    )
    assert recursive.asked() == [b"88.118.7"]
    assert recursive.seen[0].request.types == (b"HS_SITE",)
    assert [seen.via for seen in enterprise.seen] == ["tcp"]
    with pytest.raises(AlreadyExistsError) as caught:
        await twin.call(client, "register", "88.118.7/new", [URL])
    assert caught.value.code == 101
    assert len(recursive.seen) == 1


@pytest.mark.parametrize("overwrite", [True, False])
async def test_overwriting_is_a_flag(twin, server, overwrite):
    client = twin.client(server)
    await twin.call(client, "register", "88.118.7/o", [URL], overwrite=overwrite)
    flags = server.seen[-1].message.header.flags
    assert bool(flags & OpFlag.OVERWRITE_WHEN_EXISTS) is overwrite


async def test_a_server_that_knows_no_site_is_the_node_itself(twin, server):
    await twin.call(twin.client(server), "register", "88.118.7/new", [URL])
    assert server.records[b"88.118.7/new"] == (URL,)


async def test_a_write_never_goes_twice(twin, tree):
    enterprise = tree[3]
    enterprise.faults.silent = True
    settings = ClientSettings(retry=RetryPolicy((0.05, 0.05), 0.4))
    client = twin.client(tree[0], settings)
    with pytest.raises(TimedOutError):
        await twin.call(client, "register", "88.118.7/new", [URL])
    assert enterprise.asked(CREATE) == [b"88.118.7/new"]


async def test_a_node_that_moved_is_found_again(twin, tree):
    recursive, _, _, enterprise = tree
    client = twin.client(recursive)
    with NanoServer() as old:
        recursive.records[b"0.NA/88.118.7"] = (old.site_value(),)
        await twin.call(client, "register", "88.118.7/a", [URL])
        old.script = lambda seen: (301, Failure("moved").encode())
        recursive.records[b"0.NA/88.118.7"] = (enterprise.site_value(),)
        await twin.call(client, "register", "88.118.7/b", [URL])
    assert b"88.118.7/b" in enterprise.records


async def test_values_are_updated_added_and_removed(twin, server):
    client = twin.client(server)
    await twin.call(client, "update", NAME, {"EMAIL": "b@example.org"})
    assert server.records[NAME.encode()] == (URL, MAIL._replace(data=b"b@example.org"))
    await twin.call(client, "update", NAME, [URL._replace(data=b"z")])
    assert server.records[NAME.encode()][0].data == b"z"
    await twin.call(client, "add", NAME, {"NOTE": "n"})
    assert server.records[NAME.encode()][2] == Value(3, "NOTE", b"n")
    await twin.call(client, "remove", NAME, [1, 3])
    assert [v.index for v in server.records[NAME.encode()]] == [2]
    await twin.call(client, "delete", NAME)
    assert NAME.encode() not in server.records


async def test_a_type_that_is_not_there_cannot_be_updated(twin, server):
    with pytest.raises(ValuesNotFoundError, match="NOTE"):
        await twin.call(twin.client(server), "update", NAME, {"NOTE": "n"})


async def test_a_credential_logs_in_once_a_connection(twin, tree):
    recursive, _, _, enterprise = tree
    enterprise.needs_login = {CREATE}
    client = twin.client(recursive, credential=CREDENTIAL)
    for n in range(3):
        await twin.call(client, "register", f"88.118.7/{n}", [URL])
    codes = [seen.message.header.opcode for seen in enterprise.seen]
    assert codes == [LOGIN, OpCode.CHALLENGE_RESPONSE, CREATE, CREATE, CREATE]
    assert {seen.connection for seen in enterprise.seen} == {1}
    login = enterprise.seen[0].message
    assert login.header.flags == 0x1080_0000
    assert login.credential is None


@pytest.mark.parametrize("closes", [False, True])
async def test_where_logins_are_unknown_each_request_is_proved(twin, tree, closes):
    recursive, _, _, enterprise = tree
    enterprise.needs_login = {CREATE}
    enterprise.faults.no_login = True
    enterprise.faults.close_after_answer = closes
    client = twin.client(recursive, credential=CREDENTIAL)
    for n in range(2):
        await twin.call(client, "register", f"88.118.7/{n}", [URL])
    codes = [seen.message.header.opcode for seen in enterprise.seen]
    assert codes == [LOGIN] + [CREATE, OpCode.CHALLENGE_RESPONSE] * 2
    assert {b"88.118.7/0", b"88.118.7/1"} <= enterprise.records.keys()


async def test_a_proof_that_is_refused_raises(twin, tree):
    tree[3].accepts = False
    client = twin.client(tree[0], credential=CREDENTIAL)
    with pytest.raises(AccessError, match="wrong proof") as caught:
        await twin.call(client, "register", "88.118.7/new", [URL])
    assert caught.value.code == 403
    assert b"88.118.7/new" not in tree[3].records


@pytest.mark.parametrize("no_login", [False, True])
async def test_a_digest_of_another_request_is_not_signed(twin, tree, no_login):
    enterprise = tree[3]
    enterprise.needs_login = {CREATE}
    enterprise.faults.wrong_digest = True
    enterprise.faults.no_login = no_login
    client = twin.client(tree[0], credential=CREDENTIAL)
    with pytest.raises(BadAnswerError, match="digest"):
        await twin.call(client, "register", "88.118.7/new", [URL])
    assert OpCode.CHALLENGE_RESPONSE not in {
        seen.message.header.opcode for seen in enterprise.seen
    }


async def test_without_a_credential_a_challenge_is_an_access_error(twin, server):
    server.needs_login = {CREATE}
    with pytest.raises(AccessError) as caught:
        await twin.call(twin.client(server), "register", "88.118.7/new", [URL])
    assert caught.value.code == 402


async def test_login_tries_the_credential_at_the_node_that_knows_it(twin, tree):
    recursive, _, _, enterprise = tree
    enterprise.needs_login = {CREATE}
    client = twin.client(recursive)
    await twin.call(client, "login", CREDENTIAL)
    assert enterprise.seen[0].message.header.opcode == LOGIN
    await twin.call(client, "register", "88.118.7/new", [URL])
    enterprise.accepts = False
    other = twin.client(recursive)
    with pytest.raises(AccessError):
        await twin.call(other, "login", CREDENTIAL)


async def test_restricted_values_are_asked_of_the_node_as_who_we_are(twin, tree):
    client = twin.client(tree[0], credential=CREDENTIAL)
    answer = await twin.call(client, "resolve", NAME, public_only=False)
    assert answer.values == (URL, MAIL)
    last = tree[3].seen[-1]
    assert last.via == "tcp"
    assert not last.message.header.flags & (OpFlag.PUBLIC_ONLY | OpFlag.RECURSIVE)


async def test_a_list_in_parts_is_put_together(twin, server):
    parts = [Handles((b"88.118.7/A", b"88.118.7/B")), Handles((b"88.118.7/C",))]
    server.script = lambda seen: (
        [(1, part.encode()) for part in parts]
        if seen.message.header.opcode == OpCode.LIST_HANDLES
        else None
    )
    listed = await twin.call(twin.client(server), "list", "88.118.7")
    assert listed == ("88.118.7/A", "88.118.7/B", "88.118.7/C")
    assert server.asked(OpCode.LIST_HANDLES) == [b"0.NA/88.118.7"]


async def test_prefixes_are_homed_and_unhomed_at_their_node(twin, tree):
    client = twin.client(tree[0])
    await twin.call(client, "home", "88.118.7")
    await twin.call(client, "unhome", "0.NA/88.118.7")
    codes = [seen.message.header.opcode for seen in tree[3].seen]
    assert codes == [OpCode.HOME_PREFIX, OpCode.UNHOME_PREFIX]
    assert set(tree[3].asked()) == {b"0.NA/88.118.7"}
    with pytest.raises(AnswerError, match="prefix expected"):
        await twin.call(client, "home", NAME)


async def test_the_twins_have_one_shape():
    def shape(kind):
        return {
            name: [
                (p.name, p.kind, p.default)
                for p in inspect.signature(member).parameters.values()
                if p.name != "transport"
            ]
            for name, member in vars(kind).items()
            if inspect.isfunction(member) and not name.startswith("_")
        }

    assert shape(Client) == shape(AsyncClient)
    assert len(shape(Client)) == 17


def test_the_blocking_client_never_loads_asyncio():
    code = "import resolver.client, sys; resolver.client.Client; assert 'asyncio' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


def test_the_package_has_no_other_names():
    import resolver.client

    with pytest.raises(AttributeError, match="Nothing"):
        _ = resolver.client.Nothing


def test_threads_share_one_blocking_client(server):
    errors = []

    def work(client):
        try:
            for _ in range(20):
                assert client.resolve(NAME).first("URL") == URL.text
        except (ResolverError, AssertionError) as error:
            errors.append(error)

    with Client(server.address, QUICK) as client:
        threads = [threading.Thread(target=work, args=(client,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert errors == []
    assert len(server.seen) == 160


async def test_many_exchanges_share_one_socket_and_one_connection(server):
    for use_udp in (True, False):
        settings = ClientSettings(retry=QUICK.retry, use_udp=use_udp)
        async with AsyncClient(server.address, settings) as client:
            answers = await asyncio.gather(*(client.resolve(NAME) for _ in range(50)))
        assert len(answers) == 50
    assert {seen.connection for seen in server.seen} == {0, 1}


async def test_pipelined_requests_survive_a_server_that_closes_after_each(server):
    server.faults.close_after_answer = True
    settings = ClientSettings(retry=QUICK.retry, use_udp=False)
    async with AsyncClient(server.address, settings) as client:
        answers = await asyncio.gather(*(client.resolve(NAME) for _ in range(10)))
    assert len(answers) == 10


@pytest.mark.parametrize("use_udp", [True, False])
async def test_what_is_in_flight_is_bounded(server, use_udp):
    server.faults.silent = True
    settings = ClientSettings(
        retry=RetryPolicy((0.3,), 0.3),
        use_udp=use_udp,
        max_in_flight=4,
        max_connections=1,
    )
    async with AsyncClient(server.address, settings) as client:
        calls = (client.resolve(NAME) for _ in range(6))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert sorted(error.code for error in outcomes) == [3, 3, 602, 602, 602, 602]


async def test_the_socket_not_used_for_longest_is_closed():
    settings = ClientSettings(retry=QUICK.retry, max_sockets=2)
    transport = AsyncTransport(settings)
    message = resolution(question(NAME)).message(1, 0.0)
    with NanoServer() as a, NanoServer() as b, NanoServer() as c:
        for node in (a, b, c, a):
            address = ServerAddress.parse(node.address)
            await transport.exchange(address, message)
        assert len(transport._sockets) == 2
    await transport.close()


async def test_equal_request_ids_do_not_mix():
    transport = AsyncTransport(QUICK)
    with NanoServer() as server:
        names = [f"88.118.7/{n}" for n in range(20)]
        for name in names:
            server.records[name.encode()] = (Value(1, "URL", name.encode()),)
        address = ServerAddress.parse(server.address)
        replies = await asyncio.gather(
            *(
                transport.exchange(address, resolution(question(n)).message(5, 0.0))
                for n in names
            )
        )
        for name, reply in zip(names, replies, strict=True):
            assert name.encode() in reply.body
    await transport.close()


async def test_late_and_unknown_datagrams_are_counted_and_dropped(server):
    server.faults.wrong_id = True
    transport = AsyncTransport(ClientSettings(retry=RetryPolicy((0.05,), 0.2)))
    address = ServerAddress.parse(server.address)
    message = resolution(question(NAME)).message(2, 0.0)
    with pytest.raises(TimedOutError):
        await transport.exchange(address, message)
    assert transport.late == 1
    assert transport.exchanges == transport.switched == 1
    await transport.close()


async def test_a_cancelled_exchange_leaves_nothing_behind(server):
    server.faults.silent = True
    transport = AsyncTransport(ClientSettings(retry=RetryPolicy((5.0,), 5.0)))
    address = ServerAddress.parse(server.address)
    message = resolution(question(NAME)).message(2, 0.0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await transport.exchange(address, message)
    (socket,) = transport._sockets.values()
    assert socket.load == 0
    await transport.close()


async def test_a_transport_that_was_handed_in_stays_open(server):
    transport = AsyncTransport(QUICK)
    async with AsyncClient(server.address, QUICK, transport=transport) as client:
        await client.resolve(NAME)
    async with AsyncClient(server.address, QUICK, transport=transport) as client:
        await client.resolve(NAME)
    assert len(transport._sockets) == 1
    await transport.close()
    shared = SocketTransport(QUICK)
    for _ in range(2):
        with Client(server.address, QUICK, transport=shared) as blocking:
            blocking.resolve(NAME)
    shared.close()


def test_an_absolute_time_to_live_counts_down(server):
    settings = ClientSettings(retry=QUICK.retry, clock=lambda: 1000.0)
    server.records[NAME.encode()] = (URL._replace(ttl=1030, ttl_type=1),)
    with Client(server.address, settings) as client:
        assert client.resolve(NAME).ttl_seconds == 30
    assert server.seen[0].message.header.expiration == 1000 + 43_200
    assert server.seen[0].request == (NAME.encode(), (), (), None)


@pytest.mark.parametrize(
    "limits", [{"max_sockets": 0}, {"max_in_flight": 0}, {"max_connections": 0}]
)
def test_limits_of_nothing_are_refused(limits):
    with pytest.raises(ValueError, match="at least 1"):
        ClientSettings(**limits)


def test_a_stream_needs_a_window():
    with (
        Client("127.0.0.1:1") as client,
        pytest.raises(ValueError, match="at least 1"),
    ):
        client.resolve_many([], concurrency=0)
