"""Nodes with the fast path in front, through real sockets: faster, never different."""

import asyncio
import contextlib
import random
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

pytest.importorskip("numba", exc_type=ImportError)

from registry.journal import Operation
from registry.model.value import Value
from resolver.errors import ResolverError
from resolver.faces import handle_tcp
from resolver.fastpath import compiling, engine_layout
from resolver.fastpath.engine import Engine
from resolver.fastpath.preparing import compile_here
from resolver.session.fragments import split
from resolver.session.token import make_token
from resolver.wire.codes import OpCode, OpFlag, ResponseCode
from resolver.wire.message import Message, decode_message
from tests.e2e import native, networks
from tests.e2e.fast_nodes import (
    all_found,
    ask_twice,
    cache_octets,
    lent,
    many,
    numbered,
    receive_all,
    reset,
    serve_fast,
    slow_answer,
    turns,
    until_answered_fast,
    until_lent,
)
from tests.e2e.native import (
    BY_RSA,
    BY_SECRET,
    DEADLINE_SECONDS,
    PREFIX,
    PRODUCT,
    PUBLIC,
    RESTRICTED,
    URL,
    Talk,
    code_of,
    create,
    datagrams,
    serve_seeded,
    talk,
    told,
    until,
    with_values,
    write,
)
from tests.sockets import exchange_tcp, exchange_udp

# Kernels may have to be compiled first.
pytestmark = pytest.mark.timeout(120)

UNKNOWN = f"{PREFIX}/unknown"
LONG = f"{PREFIX}/long"
VAST = f"{PREFIX}/vast"


@pytest.fixture
async def node(tmp_path):
    async with serve_fast(tmp_path, hosts=("127.0.0.1", "::1")) as node:
        yield node


@pytest.fixture
async def open_node(tmp_path):
    async with serve_fast(tmp_path, authentication=False) as node:
        yield node


def resolve(name: str | bytes, *what, expiration: int = 0xFFFF_FF00, **more) -> Message:
    """Ask with an expiration that comes back, whatever the time is."""
    return native.resolve(name, *what, expiration=expiration, **more)


@pytest.fixture(scope="module", autouse=True)
def kernels():
    """Compile them before anybody waits for an answer."""
    compile_here()


def hits(node) -> int:
    return node.fast.counts().hits


def is_same(node, asked: Message, answer: Message) -> bool:
    return answer.encode() == slow_answer(node, asked)


QUESTIONS = [
    resolve(PRODUCT),
    resolve(PRODUCT.lower()),
    resolve(PRODUCT, (1,)),
    resolve(PRODUCT, (), (b"URL",)),
    resolve(PRODUCT, (9,)),
    resolve(UNKNOWN),
    resolve(f"{PREFIX}/admin"),
    resolve(PRODUCT, flags=int(OpFlag.AUTHORITATIVE) | PUBLIC),
    resolve(PRODUCT, suggested=(2, 6), version=(2, 5)),
    resolve(PRODUCT, expiration=0xFFFF_FFFF, session_id=7),
    resolve(PRODUCT, credential=None),
]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_datagrams_are_answered_as_the_node_answers_them(node, host):
    async with datagrams(node.handle.port, host) as client:
        for asked in QUESTIONS:
            await ask_twice(client, asked)
            before = hits(node)
            for number in (1, 0xFFFF_FFFF):
                again = numbered(asked, number)
                assert is_same(node, again, await client.ask(again))
            assert hits(node) == before + 2


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_streams_are_answered_as_the_node_answers_them(node, host):
    async with talk(node.handle.port, host) as client:
        for asked in QUESTIONS:
            await ask_twice(client, asked)
            before = hits(node)
            # It may have stayed with the node for a while, as one not to be helped.
            for number in range(1, handle_tcp.MAX_PATIENCE):
                again = numbered(asked, number)
                assert is_same(node, again, await client.ask(again))
                if hits(node) == before + 2:
                    break
            assert hits(node) == before + 2


async def test_what_is_bound_to_its_client_is_never_answered_from_the_cache(node):
    bound = [
        resolve(PRODUCT, flags=PUBLIC | OpFlag.CERTIFIED),
        resolve(PRODUCT, flags=PUBLIC | OpFlag.RETURN_REQUEST_DIGEST),
        resolve(PRODUCT, flags=PUBLIC | OpFlag.ENCRYPTED),
        resolve(PRODUCT, credential=b"somebody's"),
        resolve(PRODUCT, envelope_flags=0x80),
        resolve(PRODUCT, recursion_count=17),
        resolve(PRODUCT, (RESTRICTED.index,), flags=0),
        resolve(f"{PREFIX}/" + "n" * 600),
    ]
    async with datagrams(node.handle.port) as client:
        await ask_twice(client, resolve(PRODUCT))
        for asked in bound:
            for _ in range(4):
                await client.ask(asked)
    assert hits(node) == 0
    assert node.fast.counts().entries == 1


@pytest.mark.parametrize("size", [400, 600, 2000, 3800])
async def test_a_long_answer_comes_in_the_same_datagrams(node, size):
    await write(node, Operation.CREATE, LONG, Value(1, "X", b"x" * size))
    asked = resolve(LONG)
    pieces = split(slow_answer(node, asked))
    async with datagrams(node.handle.port) as client:
        await ask_twice(client, asked)
        for _ in range(5):
            await client.send(asked.encode())
            assert [await client.receive() for _ in pieces] == pieces
    assert hits(node) == 5


async def test_an_answer_too_long_for_the_cache_goes_the_long_way(node):
    await write(node, Operation.CREATE, VAST, Value(1, "X", b"x" * 5000))
    asked = resolve(VAST)
    async with datagrams(node.handle.port) as client, talk(node.handle.port) as stream:
        for _ in range(4):
            assert is_same(node, asked, await client.ask(asked))
            assert is_same(node, asked, await stream.ask(asked))
    assert hits(node) == 0
    assert node.fast.counts().entries == 0


async def test_what_is_asked_for_once_is_not_kept_and_twice_is(node):
    async with datagrams(node.handle.port) as client:
        for number in range(50):
            await client.ask(resolve(f"{PREFIX}/{number}"))
        assert node.fast.counts().entries == 0
        for number in range(10):
            await client.ask(resolve(f"{PREFIX}/{number}"))
        assert node.fast.counts().entries == 10


# Streams.


async def warm(node, client: Talk) -> None:
    """Make the product known, and the only connection lent."""
    await until_answered_fast(node, client, resolve(PRODUCT))


async def test_thousands_of_requests_in_one_write_are_all_answered_in_order(node):
    async with talk(node.handle.port) as client:
        await warm(node, client)
        asked_before = node.statistics.report().resolutions
        asked = many(resolve(PRODUCT), 5000)
        client.send(*asked)
        assert all_found(await receive_all(client, asked))
        assert hits(node) > 100
        assert node.statistics.report().resolutions == asked_before + 5000


async def test_a_pipeline_with_unknown_names_in_it_is_answered_in_order(node):
    async with talk(node.handle.port) as client:
        await warm(node, client)
        known, unknown = many(resolve(PRODUCT), 300), resolve(UNKNOWN)
        for number in range(7, 300, 50):
            known[number] = numbered(unknown, known[number].envelope.request_id)
        client.send(*known)
        answers = await receive_all(client, known)
    expected = [100 if n % 50 == 7 else 1 for n in range(300)]
    assert [code_of(answer) for answer in answers] == expected
    assert hits(node) >= 7


async def test_requests_octet_by_octet_are_answered(node):
    async with talk(node.handle.port) as client:
        await warm(node, client)
        for asked in (resolve(PRODUCT), resolve(UNKNOWN), resolve(PRODUCT)):
            for octet in asked.encode():
                client.writer.write(bytes((octet,)))
                await asyncio.sleep(0)
            assert is_same(node, asked, await client.receive())


@pytest.mark.parametrize("cut", [1, 19, 20, 43, 44, 60])
async def test_requests_cut_anywhere_are_answered(node, cut):
    stream = b"".join(message.encode() for message in many(resolve(PRODUCT), 40))
    async with talk(node.handle.port) as client:
        await warm(node, client)
        for start in range(0, len(stream), cut):
            client.writer.write(stream[start : start + cut])
            await asyncio.sleep(0)
        for number in range(40):
            answer = await client.receive()
            assert answer.envelope.request_id == number + 1


@pytest.mark.parametrize("last", [PRODUCT, UNKNOWN.encode()])
async def test_a_client_that_says_it_ended_gets_all_its_answers_and_then_the_end(
    node, last
):
    async with talk(node.handle.port) as client:
        await warm(node, client)
        asked = [*many(resolve(PRODUCT), 500), numbered(resolve(last), 501)]
        client.send(*asked)
        client.writer.write_eof()
        await receive_all(client, asked)
        assert await client.ended() == b""
    await until(lambda: node.telemetry.connections_open == 0)


async def test_a_client_that_resets_leaves_nothing_behind(node):
    async with talk(node.handle.port) as client:
        await warm(node, client)
        client.send(*many(resolve(PRODUCT), 100))
        reset(client)
        await until(lambda: node.telemetry.connections_open == 0)
    assert not node.fast._engine._borrowed
    assert not node._tcp.connections


async def test_a_client_that_never_reads_is_held_within_bounds_and_dropped(
    node, monkeypatch
):
    monkeypatch.setattr(handle_tcp, "SLOW_SECONDS", 0.05)
    await write(node, Operation.CREATE, LONG, Value(1, "X", b"x" * 3000))
    async with talk(node.handle.port, limit=1024) as client:
        await until_answered_fast(node, client, resolve(LONG))
        client.reader._transport.pause_reading()
        (connection,) = node._tcp.connections
        held = []
        asked = b"".join(message.encode() for message in many(resolve(LONG), 200))
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not node.telemetry.connections_aborted:
                if client.writer.transport.get_write_buffer_size() < 1 << 20:
                    client.writer.write(asked)
                if connection._transport is not None:
                    held.append(connection._transport.get_write_buffer_size())
                await asyncio.sleep(0)
        assert hits(node) > 0
        # It stops to read once it has answered what came in one read.
        one_read = (1 << 18) // len(resolve(LONG).encode()) * 3200
        assert 0 < max(held) < handle_tcp.WRITE_BUFFER_OCTETS + one_read
    await until(lambda: node.telemetry.connections_open == 0)


async def test_a_client_that_reads_late_gets_every_answer_once(node):
    await write(node, Operation.CREATE, LONG, Value(1, "X", b"x" * 3000))
    async with talk(node.handle.port, limit=1024) as client:
        await until_answered_fast(node, client, resolve(LONG))
        client.reader._transport.pause_reading()
        asked_before = node.statistics.report().resolutions
        asked = many(resolve(LONG), 3000)
        client.send(*asked)
        await until(lambda: lent(node) == [False])
        client.reader._transport.resume_reading()
        answers = await receive_all(client, asked)
        assert all_found(answers)
        expected = slow_answer(node, asked[0])
        for answer in answers:
            assert numbered(answer, 1).encode() == expected
        counted = node.statistics.report().resolutions - asked_before
        assert counted == 3000, "each answer is counted once"


@pytest.mark.parametrize(
    "octets",
    [
        b"\xff" * 100,
        resolve(PRODUCT).encode()[:16] + b"\xff" * 40,
        resolve(PRODUCT).encode()[:16] + b"\0\4\0\1",
    ],
)
async def test_a_declaration_of_too_much_ends_the_connection_after_its_answers(
    node, octets
):
    async with talk(node.handle.port) as client, talk(node.handle.port) as other:
        await until_answered_fast(node, client, resolve(PRODUCT))
        asked = many(resolve(PRODUCT), 10)
        client.send(*asked, octets)
        await receive_all(client, asked)
        assert await client.ended() == b""
        assert code_of(await other.ask(resolve(PRODUCT))) == 1
    assert node.telemetry.connections_aborted == 1


async def test_a_malformed_request_between_others_is_answered_in_its_place(node):
    malformed = resolve(PRODUCT).encode()
    malformed = malformed[:44] + b"\xff\xff\xff\xff" + malformed[48:]
    async with talk(node.handle.port) as client:
        await warm(node, client)
        for _ in range(3):
            client.send(
                *many(resolve(PRODUCT), 3), malformed, *many(resolve(UNKNOWN), 3)
            )
            codes = [code_of(await client.receive()) for _ in range(7)]
            assert codes == [1, 1, 1, 4, 100, 100, 100]


async def test_a_request_that_stalls_is_returned_and_ends_its_connection(
    node, monkeypatch
):
    """It takes a second: the serving loop has its own clock."""
    monkeypatch.setattr(handle_tcp, "STALL_SECONDS", 0.02)
    async with talk(node.handle.port) as client, talk(node.handle.port) as idle:
        await until_answered_fast(node, client, resolve(PRODUCT))
        client.send(resolve(PRODUCT).encode()[:-1])
        assert await client.ended() == b""
        assert code_of(await idle.ask(resolve(PRODUCT))) == 1
    assert node.telemetry.connections_aborted == 1
    assert node._tcp.incomplete_octets == 0


async def test_a_connection_that_asks_for_what_is_not_known_stays_with_the_node(node):
    async with talk(node.handle.port) as client:
        lendings = []
        await until_lent(node)
        (connection,) = node._tcp.connections
        lend = node._tcp.lend
        node._tcp.lend = lambda *told: lendings.append(told) or lend(*told)
        for number in range(300):
            await client.ask(resolve(f"{PREFIX}/{number}"))
        assert len(lendings) < 12, "lent again for each of them"
        assert connection._patience > 100
        # What can be helped is lent again, and then as soon as anybody.
        for _ in range(handle_tcp.MAX_PATIENCE + 3):
            await client.ask(resolve(PRODUCT))
        assert lent(node) == [True]
        await client.ask(resolve(PRODUCT))
        assert hits(node) > 0


async def test_more_connections_than_one_are_lent_and_each_gets_its_own_answers(node):
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(talk(node.handle.port)) for _ in range(40)
        ]
        await until_answered_fast(node, clients[0], resolve(PRODUCT))
        await until_lent(node, count=40)
        asked = [many(resolve(PRODUCT), 20 + number) for number in range(40)]
        for client, questions in zip(clients, asked, strict=True):
            client.send(*questions)
        for client, questions in zip(clients, asked, strict=True):
            assert all_found(await receive_all(client, questions))
    await until(lambda: node.telemetry.connections_open == 0)


# Who has proved who he is.


async def test_a_connection_on_which_somebody_logged_in_is_not_lent_again(node):
    asked = resolve(PRODUCT, flags=0)
    async with talk(node.handle.port) as client, talk(node.handle.port) as other:
        await until_answered_fast(node, other, resolve(PRODUCT))
        assert code_of(await client.log_in(BY_SECRET)) == 1
        for _ in range(handle_tcp.MAX_PATIENCE + 3):
            values = told(await client.ask(asked)).values
            assert [value.index for value in values] == [1, 3]
            values = told(await client.ask(resolve(PRODUCT))).values
            assert [value.index for value in values] == [1, 3]
        assert sorted(lent(node)) == [False, True]
        before = hits(node)
        assert [v.index for v in told(await other.ask(resolve(PRODUCT))).values] == [1]
        assert hits(node) == before + 1
        assert code_of(await other.ask(asked)) == ResponseCode.AUTHENTICATION_NEEDED
    assert RESTRICTED.data not in cache_octets(node)
    assert URL.data in cache_octets(node)


async def test_what_a_proof_or_a_token_shows_is_not_kept(node):
    asked = resolve(PRODUCT, (RESTRICTED.index,), flags=0)
    async with talk(node.handle.port) as client:
        for _ in range(4):
            shown = told(await client.ask_as(asked, BY_SECRET))
            assert shown.values[0].data == RESTRICTED.data
    token = make_token(BY_RSA, now(), 7)
    flags = 0x1900_0000 | int(OpFlag.RECURSION_AUTHENTICATED)
    withtoken = resolve(PRODUCT, (RESTRICTED.index,), token=token, flags=flags)
    async with talk(node.handle.port) as client:
        for _ in range(4):
            shown = told(await client.ask(withtoken))
            assert shown.values[0].data == RESTRICTED.data
        plain = resolve(PRODUCT, (RESTRICTED.index,), token=token, flags=PUBLIC)
        for _ in range(4):
            assert code_of(await client.ask(plain)) == ResponseCode.VALUES_NOT_FOUND
    assert RESTRICTED.data not in cache_octets(node)


def now() -> float:
    import time

    return time.time()  # noqa: TID251 (the node's own clock reads the token)


# Writes.


def version_of(answer: Message) -> int:
    (value,) = told(answer).values
    return int(value.data)


def versioned(number: int) -> Value:
    return Value(1, "N", b"%d" % number)


async def test_after_a_write_is_acknowledged_nobody_reads_the_old_value(open_node):
    node = open_node
    name = f"{PREFIX}/counted"
    acknowledged, stop = 0, asyncio.Event()

    async def hammer(exchange) -> int:
        """Read all the time: never older than what was known before asking."""
        count = 0
        while not stop.is_set():
            least = acknowledged
            assert version_of(await exchange(resolve(name))) >= least
            count += 1
        return count

    async def pipeline(client: Talk) -> int:
        count = 0
        while not stop.is_set():
            least, asked = acknowledged, many(resolve(name), 32)
            client.send(*asked)
            for answer in await receive_all(client, asked):
                assert version_of(answer) >= least
            count += 32
        return count

    port = node.handle.port
    async with (
        talk(port) as writer,
        talk(port) as reader,
        talk(port) as one,
        talk(port) as two,
        datagrams(port) as three,
        datagrams(port) as four,
        asyncio.TaskGroup() as tasks,
    ):
        await writer.ask(create(name, versioned(0)))
        for client in (reader, one, two, three, four):
            await client.ask(resolve(name))
        hammers = [
            tasks.create_task(work)
            for work in (hammer(one.ask), pipeline(two), hammer(three.ask))
        ]
        for number in range(1, 401):
            written = with_values(OpCode.MODIFY_VALUE, name, versioned(number))
            assert code_of(await writer.ask(written)) == 1
            acknowledged = number
            assert version_of(await reader.ask(resolve(name))) == number
            assert version_of(await four.ask(resolve(name))) == number
        stop.set()
    assert all(task.result() > 10 for task in hammers)
    assert hits(node) > 400


async def test_a_name_that_is_made_or_deleted_is_so_at_once(open_node):
    node, name = open_node, f"{PREFIX}/Fleeting"
    async with talk(node.handle.port) as writer, datagrams(node.handle.port) as reader:
        for _ in range(30):
            for spelled in (name, name.upper(), name.lower()):
                assert code_of(await ask_twice(reader, resolve(spelled))) == 100
            assert code_of(await writer.ask(create(name.swapcase(), URL))) == 1
            for spelled in (name, name.upper(), name.lower()):
                assert code_of(await ask_twice(reader, resolve(spelled))) == 1
            await write(node, Operation.DELETE, name)
    assert hits(node) > 0


async def test_a_prefix_that_moves_takes_its_names_along_at_once(open_node):
    node, below = open_node, f"{PREFIX}.7/thing"
    prefix = f"{PREFIX}.7".encode()
    async with datagrams(node.handle.port) as reader:
        for _ in range(3):
            assert code_of(await ask_twice(reader, resolve(below))) == 301
            await networks.prefixes(node).allocate(prefix, networks_owner())
            await networks.prefixes(node).delegate(prefix, [b"elsewhere"])
            for _ in range(3):
                assert code_of(await reader.ask(resolve(below))) == 302
            await networks.prefixes(node).host(prefix, [b"here"])
            for _ in range(3):
                assert code_of(await reader.ask(resolve(below))) == 100
            await write(node, Operation.CREATE, below, URL)
            for _ in range(3):
                assert code_of(await reader.ask(resolve(below))) == 1
            await networks.prefixes(node).stop(prefix)
            for _ in range(3):
                assert code_of(await reader.ask(resolve(below))) == 301
            await networks.prefixes(node).unhome(prefix)
            await write(node, Operation.DELETE, below)
            await write(node, Operation.DELETE, f"0.NA/{PREFIX}.7")
    assert hits(node) > 0


def networks_owner():
    from registry.model.value import Reference

    return Reference(f"{PREFIX}/admin", 300)


# Counting.


async def test_hits_count_like_any_resolution(node):
    await write(node, Operation.CREATE, LONG, Value(1, "X", b"x" * 2000))
    async with datagrams(node.handle.port) as client, talk(node.handle.port) as stream:
        for asked in (resolve(PRODUCT), resolve(LONG), resolve(UNKNOWN)):
            for _ in range(10):
                await client.ask(asked)
                await stream.ask(asked)
    assert hits(node) > 20
    telemetry = node.telemetry
    assert node.statistics.report().resolutions == 40
    telemetry.update()
    assert telemetry.resolutions == 40
    assert telemetry.requests["udp", OpCode.RESOLUTION] == 30
    assert telemetry.requests["tcp", OpCode.RESOLUTION] == 30
    assert telemetry.answers[ResponseCode.SUCCESS] == 40
    assert telemetry.answers[ResponseCode.HANDLE_NOT_FOUND] == 20
    telemetry.update()
    assert telemetry.answers[ResponseCode.SUCCESS] == 40


async def test_metrics_tell_what_the_cache_did(node):
    async with datagrams(node.handle.port) as client:
        for asked in (resolve(PRODUCT), resolve(UNKNOWN)):
            for _ in range(5):
                await client.ask(asked)
    metrics = await metrics_of(node)
    assert metrics["idis_fastpath_hits_total"] == 6
    assert metrics["idis_fastpath_misses_total"] == 4
    assert metrics["idis_fastpath_shed_total"] == 0
    assert metrics["idis_fastpath_evicted_total"] == 0
    assert metrics["idis_fastpath_entries"] == 2
    assert metrics["idis_fastpath_active"] == 1
    assert metrics["idis_resolutions_total"] == 5


async def metrics_of(node) -> dict[str, float]:
    """Read the samples that have no labels but the node's own."""
    url = f"http://127.0.0.1:{node.http.port}/metrics"
    octets = await asyncio.to_thread(lambda: urlopen(url, timeout=10).read())
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(octets.decode())
        for sample in family.samples
        if set(sample.labels) == {"node", "role"}
    }


async def test_hits_are_kept_for_the_next_start(tmp_path):
    async with serve_fast(tmp_path) as node, datagrams(node.handle.port) as client:
        for _ in range(10):
            await client.ask(resolve(PRODUCT))
        assert hits(node) == 8
    assert '"resolutions": 10' in (tmp_path / "enterprise/statistics.json").read_text()


async def test_what_is_not_known_is_counted_and_what_was_evicted(tmp_path):
    async with (
        serve_fast(tmp_path, arena_octets=1 << 12) as node,
        datagrams(node.handle.port) as client,
    ):
        for number in range(200):
            await ask_twice(client, resolve(f"{PREFIX}/{number}"))
        counts = node.fast.counts()
        assert counts.misses == 400
        assert counts.entries + counts.evicted == 200
        assert 0 < counts.entries < 200
        assert counts.shed == 0


# Bad input.


async def test_random_octets_do_not_disturb_anybody(node):
    chance = random.Random(3)
    question = resolve(PRODUCT).encode()

    def broken() -> bytes:
        octets = bytearray(question)
        for _ in range(chance.randrange(1, 4)):
            octets[chance.randrange(len(octets))] = chance.randrange(256)
        return bytes(
            octets[: chance.randrange(len(octets)) if chance.random() < 0.2 else None]
        )

    async with (
        datagrams(node.handle.port) as client,
        datagrams(node.handle.port) as flood,
    ):
        await ask_twice(client, resolve(PRODUCT))
        for _ in range(200):
            for _ in range(10):
                await flood.send(chance.randbytes(chance.randrange(600)) or b"x")
                await flood.send(broken())
            asked = resolve(PRODUCT)
            assert is_same(node, asked, await client.ask(asked))
        for _ in range(60):
            async with talk(node.handle.port) as stream:
                stream.writer.write(
                    broken() if chance.random() < 0.5 else chance.randbytes(300)
                )
                await turns(3)
                if chance.random() < 0.5:
                    reset(stream)
        assert code_of(await client.ask(resolve(PRODUCT))) == 1
    await until(lambda: node.telemetry.connections_open == 0)
    assert hits(node) >= 200
    assert len(node._datagrams._reassembler._partials) <= 256


async def test_a_flood_of_unknown_names_leaves_known_ones_in_the_cache(node):
    async with (
        datagrams(node.handle.port) as client,
        datagrams(node.handle.port) as flood,
    ):
        await ask_twice(client, resolve(PRODUCT))
        for number in range(2000):
            await flood.send(resolve(f"{PREFIX}/no-{number}").encode())
            if number % 50 == 0:
                assert code_of(await client.ask(resolve(PRODUCT))) == 1
    assert hits(node) == 40
    # A name or two may be taken for one that was asked for before.
    assert node.fast.counts().entries < 10


async def test_what_is_shed_is_asked_again_and_nothing_breaks(tmp_path, monkeypatch):
    words = engine_layout.RESERVED_WORDS
    monkeypatch.setattr(engine_layout, "INBOX_WORDS", words)
    async with serve_fast(tmp_path) as node, talk(node.handle.port) as stream:
        await ask_twice(stream, resolve(PRODUCT))
        async with datagrams(node.handle.port) as client:
            for number in range(10):
                await client.send(resolve(UNKNOWN).encode())
                assert code_of(await client.ask(resolve(PRODUCT))) == 1
                assert node.fast.counts().shed == number + 1
        assert code_of(await stream.ask(resolve(UNKNOWN))) == 100


# Coming and going.


async def test_a_request_in_pieces_is_put_together(node):
    name = f"{PREFIX}/" + "n" * 600
    asked = resolve(name, suggested=(2, 11))
    async with datagrams(node.handle.port) as client:
        await ask_twice(client, resolve(PRODUCT))
        for _ in range(3):
            assert code_of(await client.ask(asked)) == 100
            assert code_of(await client.ask(resolve(PRODUCT))) == 1


async def test_connections_that_were_open_before_are_lent(tmp_path):
    engine = Engine(arena_octets=1 << 20, slots=1 << 10)
    async with serve_seeded(tmp_path) as node, talk(node.handle.port) as client:
        await client.ask(resolve(PRODUCT))
        assert lent(node) == [False]
        engine.start()
        async with datagrams(node.handle.port) as other:
            asked = [asyncio.ensure_future(other.ask(resolve(PRODUCT)))]
            await node.serve_fast(engine)
            await asyncio.gather(*asked)
            await until_lent(node)
            await until_answered_fast(node, client, resolve(PRODUCT))
            assert code_of(await other.ask(resolve(PRODUCT))) == 1
        assert hits(node) > 0
        await engine.stop()
        assert lent(node) == [False]
        assert code_of(await client.ask(resolve(PRODUCT))) == 1
        assert code_of(await client.ask(resolve(PRODUCT))) == 1
        assert lent(node) == [False]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_write_that_is_sent_again_after_the_takeover_is_not_done_twice(
    tmp_path, host
):
    engine = Engine(arena_octets=1 << 20, slots=1 << 10)
    hosts = ("127.0.0.1", "::1")
    async with (
        serve_seeded(tmp_path, authentication=False, hosts=hosts) as node,
        datagrams(node.handle.port, host) as client,
    ):
        asked = create(f"{PREFIX}/once", URL)
        pieces = split(create(f"{PREFIX}/pieces", Value(1, "X", b"x" * 900)).encode())
        assert code_of(await client.ask(asked)) == 1
        await client.send(pieces[0])
        engine.start()
        try:
            await node.serve_fast(engine)
            assert code_of(await client.ask(asked)) == 1
            assert node.telemetry.duplicates == 1
            await client.send(*pieces[1:])
            assert code_of(await client.receive_whole()) == 1
        finally:
            await engine.stop()


async def test_closing_ends_connections_that_are_lent(tmp_path):
    async with contextlib.AsyncExitStack() as stack:
        node = await stack.enter_async_context(serve_fast(tmp_path))
        clients = [
            await stack.enter_async_context(talk(node.handle.port)) for _ in range(5)
        ]
        await until_lent(node, count=5)
        clients[0].send(resolve(PRODUCT).encode()[:-1])
        clients[1].send(*many(resolve(PRODUCT), 100))
        await node.fast._engine.stop()
        assert lent(node) == [False] * 5
        await node._tcp.close()
        for client in clients:
            await client.ended()
        await until(lambda: node.telemetry.connections_open == 0)


async def test_a_node_closes_while_its_connections_are_lent(tmp_path):
    """The fast path serves other nodes of the network meanwhile."""
    async with serve_fast(tmp_path) as node, talk(node.handle.port) as client:
        await warm(node, client)
        await client.ask(resolve(PRODUCT))
        await node._tcp.close()
        assert await client.ended() == b""
        await until(lambda: node.telemetry.connections_open == 0)
        assert not node.fast._engine._borrowed
        async with datagrams(node.handle.port) as other:
            assert code_of(await other.ask(resolve(PRODUCT))) == 1


async def test_a_node_comes_and_goes_while_another_is_served(tmp_path):
    faults = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: faults.append(context))
    unknown = [resolve(f"{PREFIX}/{number}").encode() for number in range(200)]
    async with serve_fast(tmp_path / "stays") as stays:
        engine = stays.fast._engine
        for turn in range(5):
            async with serve_seeded(tmp_path / f"goes{turn}") as goes:
                await goes.serve_fast(engine)
                async with (
                    datagrams(goes.handle.port) as client,
                    talk(goes.handle.port) as stream,
                ):
                    await ask_twice(stream, resolve(PRODUCT))
                    await client.send(*unknown)
                    stream.send(*unknown)
                    await turns(turn)
            async with datagrams(stays.handle.port) as client:
                for _ in range(5):
                    assert code_of(await client.ask(resolve(PRODUCT))) == 1
        assert hits(stays) > 15
        assert not engine._borrowed
    assert not faults


def test_everything_holds_on_the_loop_of_the_standard_library(tmp_path):
    async def run():
        async with (
            serve_fast(tmp_path) as node,
            talk(node.handle.port) as client,
            datagrams(node.handle.port) as other,
        ):
            assert type(asyncio.get_running_loop()).__module__.startswith("asyncio")
            await warm(node, client)
            asked = many(resolve(PRODUCT), 1000)
            asked[500] = numbered(resolve(UNKNOWN), 501)
            client.send(*asked)
            answers = await receive_all(client, asked)
            assert [code_of(answer) for answer in answers].count(1) == 999
            assert code_of(await other.ask(resolve(PRODUCT))) == 1
            assert code_of(await other.ask(resolve(UNKNOWN))) == 100
            client.writer.write_eof()
            assert await client.ended() == b""
            await until(lambda: node.telemetry.connections_open == 0)
            assert hits(node) > 500

    asyncio.run(run())


# Whole networks.

IDENTIFIERS = [
    networks.HOSTED,
    networks.SELF_RUN,
    f"{networks.HOSTED_PREFIX}/unknown",
    "88.118",
    "99/x",
]


async def answers_of(network) -> list[bytes]:
    """Ask for what does not depend on ports, by both transports, four times each."""
    recursive, host = network.recursive, network.node_of(networks.HOSTED_PREFIX)
    asked = [(recursive, identifier) for identifier in IDENTIFIERS[:3]]
    asked += [(host, identifier) for identifier in IDENTIFIERS[::2]]
    return [
        await exchange(node.handle.port, FIXED[identifier])
        for _ in range(4)
        for exchange in (exchange_tcp, exchange_udp)
        for node, identifier in asked
    ]


FIXED = {identifier: resolve(identifier).encode() for identifier in IDENTIFIERS}


async def quickened(network) -> list[str]:
    said: list[str] = []
    network.start_fast_path(said.append)
    if network._quickening is not None:
        await network._quickening
    return said


async def test_a_network_answers_the_same_with_its_fast_path_on_and_off(
    keys, monkeypatch
):
    async with networks.running(keys) as network:
        assert await quickened(network) == []
        assert network._engine is None
        off = await answers_of(network)
    async with networks.running(keys, fast_path=True) as network:
        assert "fast path: serving" in await quickened(network)
        on = await answers_of(network)
        counts = network.recursive.fast.counts()
        assert counts.hits >= 8
        telemetry = network.recursive.telemetry
        telemetry.update()
        assert telemetry.requests["udp", OpCode.RESOLUTION] == 12
        assert telemetry.requests["tcp", OpCode.RESOLUTION] == 12
        assert telemetry.cache_hits >= counts.hits
        for identifier in IDENTIFIERS:
            for _ in range(4):
                await exchange_udp(network.top.handle.port, FIXED[identifier])
        assert network.top.fast.counts().hits > 0
    assert _timeless(on) == _timeless(off)

    def missing() -> None:
        message = "numba is not installed"
        raise compiling.NoFastPathError(message)

    monkeypatch.setattr(compiling, "check_machine", missing)
    async with networks.running(keys, fast_path=True) as network:
        said = await quickened(network)
        assert said == [
            "fast path: off, answers take the long way: numba is not installed"
        ]
        assert _timeless(await answers_of(network)) == _timeless(off)


def _timeless(answers: list[bytes]) -> list[object]:
    """Take the time stamps of values out: each network is seeded anew."""
    found: list[object] = []
    for octets in answers:
        message = decode_message(octets)
        response = told(message)
        values = getattr(response, "values", None)
        if code_of(message) == ResponseCode.SUCCESS and values is not None:
            fixed = tuple(value._replace(timestamp=0) for value in values)
            response = response._replace(values=fixed)
        found.append((message.envelope, message.header, response))
    return found


async def test_a_write_at_an_enterprise_is_seen_past_all_caches(keys):
    async with networks.running(keys, fast_path=True) as network:
        await quickened(network)
        node = network.node_of(networks.HOSTED_PREFIX)
        identifier = f"{networks.HOSTED_PREFIX}/written"
        for number in range(20):
            value = Value(1, "N", b"%d" % number, ttl=0)
            await networks.register(node, identifier, value, overwrite=True)
            for _ in range(3):
                answer = await networks.ask(node, identifier, exchange=exchange_udp)
                assert networks.values_of(answer)[0].data == b"%d" % number
        assert node.fast.counts().hits >= 15


async def test_a_network_stops_while_its_fast_path_begins(keys):
    async with networks.running(keys, fast_path=True) as network:
        network.start_fast_path(lambda line: None)
        await turns(3)
    assert network._quickening.done()


async def test_an_error_of_the_fast_path_leaves_the_network_answering(
    keys, monkeypatch
):
    from resolver import network as network_module

    def broken():
        message = "no room for its arrays"
        raise MemoryError(message)

    monkeypatch.setattr(network_module, "make_engine", broken)
    async with networks.running(keys, fast_path=True) as network:
        said = await quickened(network)
        assert said[-1] == (
            "fast path: off, answers take the long way: "
            "MemoryError('no room for its arrays')"
        )
        assert len(await answers_of(network)) > 0


def test_an_error_that_says_why_is_one_of_ours():
    assert issubclass(compiling.NoFastPathError, ResolverError)
