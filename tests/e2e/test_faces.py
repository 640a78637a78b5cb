"""The native faces: streams and datagrams in all the ways a network delivers them."""

import asyncio
import contextlib
import gc
import random
import socket
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest

from registry.change import Change
from registry.journal import Operation
from registry.model.value import Value
from resolver.chain import Chain, Reply
from resolver.faces import handle_tcp, handle_udp
from resolver.node import Node
from resolver.session.fragments import PARTIAL_LIFE_SECONDS, split
from resolver.settings import NodeSettings
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.envelope import MAX_MESSAGE_OCTETS, Envelope
from resolver.wire.message import Message, decode_message
from tests.e2e.native import (
    BY_SECRET,
    DEADLINE_SECONDS,
    NOW,
    PREFIX,
    PRODUCT,
    PUBLIC,
    SERVER_KEY,
    URL,
    Talk,
    code_of,
    create,
    datagrams,
    on_handle,
    proof,
    request,
    resolve,
    serve_seeded,
    talk,
    tcp_face,
    told,
    udp_face,
    until,
    with_values,
    write,
)
from tests.vectors.read import golden_pairs

LONG = f"{PREFIX}/long"
VAST = f"{PREFIX}/vast"
VAST_OCTETS = 200_000


@pytest.fixture
async def node(tmp_path):
    async with serve_seeded(tmp_path, hosts=("127.0.0.1", "::1")) as node:
        yield node
        assert not node._tcp.waiting
        assert not node._datagrams._waiting


@pytest.fixture
async def open_node(tmp_path):
    async with serve_seeded(tmp_path, authentication=False) as node:
        yield node


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def questions(count: int) -> list[Message]:
    return [resolve(PRODUCT) for _ in range(count)]


async def test_a_request_that_comes_byte_by_byte_is_answered(node):
    asked = questions(2)
    stream = b"".join(message.encode() for message in asked)
    async with tcp_face(node, Clock()) as (face, port), talk(port) as client:
        client.send(b"")
        await until(lambda: face.connections)
        (connection,) = face.connections
        # Straight into the protocol, so that the kernel does not join the pieces.
        for position in range(len(stream)):
            connection.data_received(stream[position : position + 1])
        for message in asked:
            answer = await client.receive()
            assert answer.envelope.request_id == message.envelope.request_id
            assert code_of(answer) == 1
        assert face.incomplete_octets == 0


async def test_a_thousand_requests_in_one_write_are_all_answered(node):
    asked = questions(1000)
    async with talk(node.handle.port) as client:
        client.send(*asked)
        answers = [await client.receive() for _ in asked]
    assert {code_of(answer) for answer in answers} == {1}
    assert [a.envelope.request_id for a in answers] == [
        message.envelope.request_id for message in asked
    ]


async def test_a_thousand_writes_in_one_write_are_all_made(open_node):
    asked = [create(f"{PREFIX}/{number}", URL) for number in range(1000)]
    async with talk(open_node.handle.port) as client:
        client.send(*asked)
        answers = [await client.receive() for _ in asked]
    assert {code_of(answer) for answer in answers} == {1}
    made = {answer.envelope.request_id: told(answer).handle for answer in answers}
    assert made == {
        message.envelope.request_id: f"{PREFIX}/{number}".encode()
        for number, message in enumerate(asked)
    }
    assert open_node.registry.groups < 100


async def test_quick_answers_overtake_slow_ones_and_are_told_apart_by_id(node):
    slow = [create(f"{PREFIX}/{number}", URL) for number in range(3)]
    async with talk(node.handle.port) as client:
        challenges = [await client.ask(message) for message in slow]
        proofs = [
            proof(message, challenge, BY_SECRET)
            for message, challenge in zip(slow, challenges, strict=True)
        ]
        quick = questions(3)
        client.send(*proofs, *quick)
        answers = [await client.receive() for _ in range(6)]
    found = {answer.envelope.request_id: answer for answer in answers}
    assert set(found) == {m.envelope.request_id for m in (*proofs, *quick)}
    # A proof is checked in a thread; what can be answered at once is, before it.
    assert {a.envelope.request_id for a in answers[:3]} == {
        message.envelope.request_id for message in quick
    }
    for message, created in zip(proofs, slow, strict=True):
        outcome = found[message.envelope.request_id]
        assert outcome.header.opcode == created.header.opcode
        assert code_of(outcome) == 1


async def test_a_connection_stays_open_after_each_answer(node):
    async with talk(node.handle.port) as client:
        for _ in range(50):
            assert code_of(await client.ask(resolve(PRODUCT))) == 1
        assert node.telemetry.connections_open == 1


def declared(octets: int) -> bytes:
    return Envelope(2, 10, 2, 11, 0, 7, 0, octets).encode()


@pytest.mark.parametrize("octets", [MAX_MESSAGE_OCTETS + 1, 0x7FFF_FFFF, 0xFFFF_FFFF])
async def test_a_declaration_of_too_much_closes_the_connection(node, octets):
    async with talk(node.handle.port) as client:
        client.send(declared(octets))
        assert await client.ended() == b""
    assert node.telemetry.connections_aborted == 1
    assert node._tcp.incomplete_octets == 0


async def test_the_longest_message_is_taken(open_node):
    room = MAX_MESSAGE_OCTETS - len(create(LONG, Value(1, "X", b"")).encode()) + 20
    asked = create(LONG, Value(1, "X", b"x" * room))
    assert asked.envelope.length == MAX_MESSAGE_OCTETS
    async with talk(open_node.handle.port) as client:
        assert code_of(await client.ask(asked)) == 1


async def test_a_client_that_says_it_ended_still_gets_its_answers(open_node):
    asked = [resolve(PRODUCT), create(f"{PREFIX}/last", URL)]
    async with talk(open_node.handle.port) as client:
        client.send(*asked)
        assert {code_of(await client.receive()) for _ in asked} == {1}
        client.writer.write_eof()
        assert await client.ended() == b""
    await until(lambda: open_node.telemetry.connections_open == 0)


async def test_a_request_that_stalls_ends_its_connection(node, monkeypatch):
    monkeypatch.setattr(handle_tcp, "STALL_SECONDS", 0.02)
    async with talk(node.handle.port) as idle, talk(node.handle.port) as client:
        client.send(resolve(PRODUCT).encode()[:-1])
        assert await client.ended() == b""
        assert node._tcp.incomplete_octets == 0
        assert code_of(await idle.ask(resolve(PRODUCT))) == 1
    assert node.telemetry.connections_aborted == 1


async def test_octets_that_trickle_do_not_give_a_request_more_time(node, monkeypatch):
    monkeypatch.setattr(handle_tcp, "STALL_SECONDS", 0.05)
    async with tcp_face(node, Clock()) as (face, port), talk(port) as client:
        client.send(resolve(PRODUCT).encode()[:20])
        ended = asyncio.create_task(client.ended())
        await until(lambda: face.connections)
        (connection,) = face.connections
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not ended.done():
                connection.data_received(b"")
                await asyncio.sleep(0)
        assert ended.result() == b""


async def test_a_stream_that_never_pauses_between_requests_is_not_stalled(
    node, monkeypatch
):
    async with tcp_face(node, Clock()) as (face, port), talk(port) as client:
        await until(lambda: face.connections)
        (connection,) = face.connections
        timers = []
        monkeypatch.setattr(
            connection.__class__,
            "_start_timer",
            lambda self, seconds: timers.append(seconds),
        )
        octets = resolve(PRODUCT).encode()
        connection.data_received(octets[:10])
        assert len(timers) == 1
        for _ in range(3):  # each read ends one request and begins the next
            connection.data_received(octets[10:] + octets[:10])
            answer = await client.receive()
            assert code_of(answer) == 1
        assert timers == [handle_tcp.STALL_SECONDS] * 4
        connection.data_received(octets[10:20])
        assert len(timers) == 4


async def seed_vast(node) -> None:
    await write(node, Operation.CREATE, VAST, Value(1, "X", b"x" * VAST_OCTETS))


async def test_a_client_that_does_not_read_is_dropped(node, monkeypatch):
    monkeypatch.setattr(handle_tcp, "SLOW_SECONDS", 0.02)
    await seed_vast(node)
    async with talk(node.handle.port, limit=1024) as client:
        client.reader._transport.pause_reading()
        client.send(*(resolve(VAST) for _ in range(100)))
        await until(lambda: node.telemetry.connections_aborted)
    await until(lambda: node.telemetry.connections_open == 0)


async def test_a_client_that_does_not_read_is_not_read_from(node):
    await seed_vast(node)
    async with (
        tcp_face(node, Clock()) as (face, port),
        talk(port, limit=1024) as client,
    ):
        client.reader._transport.pause_reading()
        client.send(*(resolve(VAST) for _ in range(100)))
        await until(lambda: face.connections)
        (connection,) = face.connections
        await until(lambda: not connection._transport.is_reading())
        held = connection._transport.get_write_buffer_size()
        assert held < 100 * VAST_OCTETS
        client.reader._transport.resume_reading()
        for _ in range(100):
            assert code_of(await client.receive()) == 1
        await until(connection._transport.is_reading)
        assert connection._timer is None


async def test_a_slow_reader_with_a_request_begun_is_still_timed(node, monkeypatch):
    await seed_vast(node)
    monkeypatch.setattr(handle_tcp, "STALL_SECONDS", 0.05)
    async with (
        tcp_face(node, Clock()) as (face, port),
        talk(port, limit=1024) as client,
    ):
        asked = [resolve(VAST) for _ in range(100)]
        client.reader._transport.pause_reading()
        client.send(*asked, declared(100))
        await until(lambda: face.connections)
        (connection,) = face.connections
        await until(lambda: connection._paused)
        client.reader._transport.resume_reading()
        for _ in asked:
            assert code_of(await client.receive()) == 1
        assert await client.ended() == b""


async def test_incomplete_requests_share_bounded_room(node, monkeypatch):
    monkeypatch.setattr(handle_tcp, "MAX_INCOMPLETE_OCTETS", 10_000)
    async with talk(node.handle.port) as first, talk(node.handle.port) as second:
        first.send(declared(9000) + bytes(8000))
        await until(lambda: node._tcp.incomplete_octets == 8020)
        second.send(declared(9000) + bytes(8000))
        assert await second.ended() == b""
        assert node._tcp.incomplete_octets == 8020
    await until(lambda: node._tcp.incomplete_octets == 0)


async def test_requests_being_worked_on_are_bounded_for_each_connection(
    node, monkeypatch
):
    monkeypatch.setattr(handle_tcp, "MAX_WAITING", 8)
    gate = asyncio.Event()
    stuck = stuck_at(node, gate)
    async with tcp_face(node, Clock()) as (face, port), talk(port) as client:
        client.send(*questions(8))
        await until(lambda: stuck.waiting == 8)
        (connection,) = face.connections
        assert not connection._transport.is_reading()
        client.send(*questions(1))
        async with talk(port) as other:
            other.send(*questions(1))
            await until(lambda: stuck.waiting == 9)
            gate.set()
            for client_ in (*[client] * 9, other):
                assert code_of(await client_.receive()) == 1
        assert connection._transport.is_reading()
        await until(lambda: not face.waiting)


class Stuck:
    """A handler whose answers wait until a gate opens."""

    def __init__(self, gate: asyncio.Event) -> None:
        self.waiting = 0
        self._gate = gate

    def __call__(self, query):
        return self._answer() if query.opcode == OpCode.RESOLUTION else None

    async def _answer(self) -> Reply:
        self.waiting += 1
        await self._gate.wait()
        return Reply(1, bytes(8))


def stuck_at(node, gate: asyncio.Event) -> Stuck:
    stuck = Stuck(gate)
    node.responder.chain = Chain((stuck,))
    return stuck


async def test_a_node_stops_with_answers_under_way_of_clients_that_left(tmp_path):
    async with serve_seeded(tmp_path) as node:
        stuck = stuck_at(node, asyncio.Event())
        async with talk(node.handle.port) as client, talk(node.handle.port) as other:
            client.send(*questions(3))
            other.send(*questions(2))
            await until(lambda: stuck.waiting == 5)
        await until(lambda: node.telemetry.connections_open == 0)
        tasks = node._tcp.waiting
        assert len(tasks) == 5
    assert not tasks


async def test_connections_are_limited(node, monkeypatch):
    monkeypatch.setattr(handle_tcp, "MAX_CONNECTIONS", 2)
    port = node.handle.port
    async with talk(port) as first, talk(port) as second:
        for client in (first, second):
            assert code_of(await client.ask(resolve(PRODUCT))) == 1
        async with talk(port) as third:
            assert await third.ended() == b""
        assert node.telemetry.connections_refused == 1
        assert code_of(await first.ask(resolve(PRODUCT))) == 1
    await until(lambda: node.telemetry.connections_open == 0)
    async with talk(port) as client:
        assert code_of(await client.ask(resolve(PRODUCT))) == 1


async def test_two_thousand_idle_connections_cost_no_tasks_and_no_answers(node):
    port, count = node.handle.port, 2000
    before = len(asyncio.all_tasks())
    idle = [await connected(port) for _ in range(count)]
    try:
        await until(lambda: node.telemetry.connections_open == count)
        assert len(asyncio.all_tasks()) == before
        async with talk(port) as client:
            assert code_of(await client.ask(resolve(PRODUCT))) == 1
        loop = asyncio.get_running_loop()
        for sock in idle[::97]:
            await loop.sock_sendall(sock, resolve(PRODUCT).encode())
            async with asyncio.timeout(DEADLINE_SECONDS):
                answer = await loop.sock_recv(sock, 65536)
            assert code_of(decode_message(answer)) == 1
    finally:
        for sock in idle:
            sock.close()
    await until(lambda: node.telemetry.connections_open == 0)
    assert not node._tcp.connections


async def connected(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    async with asyncio.timeout(DEADLINE_SECONDS):
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    return sock


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("ask", [talk, datagrams])
async def test_both_loopbacks_answer_at_the_same_port(node, host, ask):
    async with ask(node.handle.port, host) as client:
        assert code_of(await client.ask(resolve(PRODUCT))) == 1


async def test_connections_that_are_reset_leave_nothing_behind(open_node):
    for number in range(20):
        sock = await connected(open_node.handle.port)
        asked = create(f"{PREFIX}/{number}", URL).encode()
        await asyncio.get_running_loop().sock_sendall(sock, asked + asked[:30])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    face = open_node._tcp
    await until(lambda: not face.connections)
    assert face.incomplete_octets == 0
    assert open_node.telemetry.connections_open == 0


async def seed_long(node) -> Message:
    """Register a record whose answer is as long as the recorded one, 1280 octets."""
    asked = resolve(LONG)
    empty = Value(1, "X", b"")
    receipt = await write(node, Operation.CREATE, LONG, empty)
    size = 28 + 4 + len(LONG) + len(receipt.record.values_octets)
    filled = empty._replace(data=b"x" * (1280 - size))
    await write(node, Operation.MODIFY, LONG, filled)
    return asked


async def test_a_long_answer_is_cut_as_the_recorded_server_cuts_it(node):
    asked = await seed_long(node)
    async with datagrams(node.handle.port) as client:
        await client.send(asked.encode())
        pieces = [await client.receive() for _ in range(3)]
    envelopes = [Envelope.decode(piece) for piece in pieces]
    assert [len(piece) for piece in pieces] == [512, 512, 316]
    assert [envelope.sequence for envelope in envelopes] == [0, 1, 2]
    assert {envelope.length for envelope in envelopes} == {1280}
    assert {envelope.flags for envelope in envelopes} == {2}
    assert {e.request_id for e in envelopes} == {asked.envelope.request_id}
    # As recorded, but for the request id: "UDP frag 0 512 020b020b 00000000 ..."
    assert pieces[0][:8] == bytes.fromhex("020b020b00000000")
    assert pieces[0][12:24] == bytes.fromhex("000000000000050000000001")


def long_create(handle: str, octets: int = 2000) -> Message:
    return create(handle, Value(1, "X", bytes(range(250)) * (octets // 250)))


@pytest.mark.parametrize("truncated", [0, 0x20])
async def test_pieces_of_a_request_may_come_in_any_order_and_twice(
    open_node, truncated
):
    chance = random.Random(1)
    async with datagrams(open_node.handle.port) as client:
        for number in range(20):
            asked = long_create(f"{PREFIX}/{number}")
            pieces = [
                piece[:2] + bytes([piece[2] | truncated]) + piece[3:]
                for piece in split(asked.encode())
            ]
            assert len(pieces) == 5
            last = pieces.pop(chance.randrange(5))
            pieces += chance.choices(pieces, k=2)
            chance.shuffle(pieces)
            await client.send(*pieces, last)
            answer = await client.receive_whole()
            assert answer.envelope.request_id == asked.envelope.request_id
            assert code_of(answer) == 1
            stored = open_node.registry.get(f"{PREFIX}/{number}".encode())
            assert stored.value(1).data == bytes(range(250)) * 8


async def test_pieces_of_two_senders_are_not_mixed(open_node):
    asked = long_create(f"{PREFIX}/mixed")
    pieces = split(asked.encode())
    port = open_node.handle.port
    async with datagrams(port) as first, datagrams(port) as second:
        await first.send(*pieces[:3])
        await second.send(*pieces[3:])
        assert code_of(await first.ask(resolve(PRODUCT))) == 1
        assert code_of(await second.ask(resolve(PRODUCT))) == 1
        assert open_node.registry.get(f"{PREFIX}/MIXED".encode()) is None
        await second.send(*pieces[:3])
        assert code_of(await second.receive_whole()) == 1


@pytest.mark.parametrize(("seconds", "made"), [(4.999, True), (5.0, False)])
async def test_pieces_are_forgotten_after_five_seconds(open_node, seconds, made):
    assert PARTIAL_LIFE_SECONDS == 5.0
    clock = Clock()
    async with udp_face(open_node, clock) as (face, port), datagrams(port) as client:
        *early, last = split(long_create(LONG).encode())
        await client.send(*early)
        assert code_of(await client.ask(resolve(PRODUCT))) == 1
        clock.now += seconds
        await client.send(last)
        if made:
            assert code_of(await client.receive_whole()) == 1
        assert code_of(await client.ask(resolve(PRODUCT))) == 1
        assert (open_node.registry.get(LONG.upper().encode()) is not None) == made
        assert len(face._reassembler._partials) == (not made)
        assert face._reassembler.dropped == (not made)


def journal_length(node) -> int:
    with node.registry.store.snapshot() as snapshot:
        return sum(1 for _ in snapshot.journal(0))


async def test_a_write_that_is_sent_again_is_done_once(open_node):
    asked = [
        create(f"{PREFIX}/again", URL),
        with_values(OpCode.ADD_VALUE, f"{PREFIX}/again", URL._replace(index=2)),
        on_handle(OpCode.DELETE_HANDLE, f"{PREFIX}/again"),
        create(f"{PREFIX}/lot-", URL, flags=int(OpFlag.MINT_NEW_SUFFIX)),
    ]
    before = journal_length(open_node)
    async with datagrams(open_node.handle.port) as client:
        for number, message in enumerate(asked, 1):
            first = await client.ask(message)
            assert code_of(first) == 1
            assert await client.ask(message) == first
            assert await client.ask(message) == first
            assert journal_length(open_node) == before + number
    assert open_node.telemetry.duplicates == 8


async def test_a_write_that_is_sent_again_while_it_is_made_is_done_once(open_node):
    before = journal_length(open_node)
    async with datagrams(open_node.handle.port) as client:
        message = long_create(f"{PREFIX}/again")
        await client.send(*split(message.encode()) * 5)
        assert code_of(await client.receive_whole()) == 1
        again = await client.ask(message)
        assert code_of(again) == 1
    assert journal_length(open_node) == before + 1


async def test_the_same_write_of_another_client_is_another_write(open_node):
    message, port = create(f"{PREFIX}/again", URL), open_node.handle.port
    async with datagrams(port) as first, datagrams(port) as second:
        assert code_of(await first.ask(message)) == 1
        assert code_of(await second.ask(message)) == 101


async def test_a_proof_that_is_sent_again_gets_the_same_outcome(node):
    before = journal_length(node)
    async with datagrams(node.handle.port) as client:
        message = create(f"{PREFIX}/again", URL)
        right = proof(message, await client.ask(message), BY_SECRET)
        outcome = await client.ask(right)
        assert code_of(outcome) == 1
        assert await client.ask(right) == outcome
    assert journal_length(node) == before + 1


async def test_an_answer_is_given_again_for_thirty_seconds(open_node):
    clock = Clock()
    async with udp_face(open_node, clock) as (face, port), datagrams(port) as client:
        message = create(f"{PREFIX}/again", URL)
        assert code_of(await client.ask(message)) == 1
        clock.now += handle_udp.REPEAT_SECONDS - 0.001
        assert code_of(await client.ask(message)) == 1
        clock.now += 0.001
        assert code_of(await client.ask(message)) == 101
        assert len(face._remembered) == 1


async def test_nonsense_does_not_push_out_what_was_done(open_node):
    message = create(f"{PREFIX}/again", URL)
    async with datagrams(open_node.handle.port) as client:
        assert code_of(await client.ask(message)) == 1
        for number in range(handle_udp.MAX_REMEMBERED + 100):
            nonsense = request(0x7FFF_0000 + number, b"", 0)
            await client.send(nonsense.encode())
            answer = await client.receive_whole()
            assert answer.envelope.request_id == 0xFFFF_FFFF
        assert code_of(await client.ask(message)) == 1
    assert open_node.telemetry.duplicates == 1


async def test_what_is_remembered_is_bounded(open_node, monkeypatch):
    monkeypatch.setattr(handle_udp, "MAX_REMEMBERED", 10)
    async with udp_face(open_node, Clock()) as (face, port), datagrams(port) as client:
        for number in range(30):
            asked = create(f"{PREFIX}/{number}", URL)
            assert code_of(await client.ask(asked)) == 1
        assert len(face._remembered) <= 11


async def test_a_flood_of_nonsense_does_not_stop_answers(node):
    chance = random.Random(2)
    async with (
        datagrams(node.handle.port) as client,
        datagrams(node.handle.port) as flood,
    ):
        for _ in range(100):
            for _ in range(30):
                await flood.send(chance.randbytes(chance.randrange(1, 600)))
            assert code_of(await client.ask(resolve(PRODUCT))) == 1
    assert len(node._datagrams._reassembler._partials) <= 256
    assert not node._datagrams._remembered


async def test_too_many_slow_questions_are_told_so_and_quick_ones_answered(
    node, monkeypatch
):
    monkeypatch.setattr(handle_udp, "MAX_WAITING", 4)
    gate = asyncio.Event()
    stuck = stuck_at(node, gate)
    site = lambda query: Reply(1) if query.opcode == OpCode.GET_SITE_INFO else None  # noqa: E731
    node.responder.chain = Chain((stuck, site))
    async with udp_face(node, Clock()) as (face, port), datagrams(port) as client:
        await client.send(*(message.encode() for message in questions(4)))
        await until(lambda: stuck.waiting == 4)
        refused = await client.ask(resolve(PRODUCT))
        assert code_of(refused) == 3
        quick = on_handle(OpCode.GET_SITE_INFO, "/")
        assert code_of(await client.ask(quick)) == 1
        gate.set()
        for _ in range(4):
            assert code_of(await client.receive_whole()) == 1
        await until(lambda: not face._waiting)
        assert code_of(await client.ask(resolve(PRODUCT))) == 1
    assert node.telemetry.shed == 1
    gc.collect()  # a coroutine that never ran would be complained about here


async def test_an_error_of_one_client_does_not_cost_another_its_answer(node):
    async with datagrams(node.handle.port) as client:
        assert code_of(await client.ask(resolve(PRODUCT))) == 1
        for _ in range(3):
            node._udp[0]._stream._excq.put_nowait(ConnectionRefusedError())
        assert code_of(await client.ask(resolve(PRODUCT))) == 1


async def test_an_answer_too_long_to_certify_does_not_end_the_face(open_node):
    half = Value(1, "A", b"x" * 150_000)
    await write(open_node, Operation.CREATE, LONG, half)
    await write(open_node, Operation.ADD, LONG, half._replace(index=2))
    async with datagrams(open_node.handle.port) as client:
        asked = resolve(LONG, flags=PUBLIC | int(OpFlag.CERTIFIED))
        assert code_of(await client.ask(asked)) == 2
        assert code_of(await client.ask(resolve(PRODUCT))) == 1


async def test_pieces_of_unfinished_messages_take_bounded_room(node):
    async with udp_face(node, Clock()) as (face, port), datagrams(port) as client:
        for number in range(600):
            envelope = Envelope(2, 10, 2, 11, 0, number, 0, 1000)
            await client.send(envelope.encode() + bytes(492))
            if number % 20 == 0:
                assert code_of(await client.ask(resolve(PRODUCT))) == 1
        assert code_of(await client.ask(resolve(PRODUCT))) == 1
        assert len(face._reassembler._partials) == 256


@contextlib.asynccontextmanager
async def tree(directory):
    """Run a root and a recursive node that asks it."""
    async with serve_seeded(directory, role="top") as top:
        for prefix in ("0.NA", "88", "88.100"):
            await write(top, Operation.HOME, prefix)
        site = Value(1, "HS_SITE", top.sites[0])
        for handle in ("0.NA/88.100", f"0.NA/{PREFIX}"):
            await write(top, Operation.CREATE, handle, site)
        recursive = Node(NodeSettings("recursive", "recursive"), SERVER_KEY)
        recursive.bind()
        with ThreadPoolExecutor(1) as executor:
            recursive.open(executor, "88", top.sites)
            await recursive.serve()
            try:
                yield top, recursive
            finally:
                await recursive.close()


async def test_nothing_is_left_after_traffic_of_every_kind(tmp_path):
    before = asyncio.all_tasks()
    async with tree(tmp_path) as (top, recursive):
        for node in (top, recursive):
            async with talk(node.handle.port) as client:
                await mixed_traffic(client)
            async with datagrams(node.handle.port) as client:
                for pair in golden_pairs():
                    await client.send(*split(pair.request))
                    await client.receive_whole()
                assert code_of(await client.ask(resolve(PRODUCT))) == 1
        for node in (top, recursive):
            face = node._tcp
            await until(lambda face=face: not face.connections)
            assert not face.waiting
            assert face.incomplete_octets == 0
            assert node.telemetry.connections_open == 0
            udp = node._datagrams
            await until(lambda udp=udp: not udp._waiting)
            assert not udp._reassembler._partials
            assert node.telemetry.internal_errors == 0
    assert asyncio.all_tasks() == before


async def mixed_traffic(client: Talk) -> None:
    for pair in golden_pairs():
        client.send(pair.request)
        await client.receive()
    for handle in (PRODUCT, f"{PREFIX}/missing", "99.9/x"):
        client.send(*(resolve(handle) for _ in range(20)))
        for _ in range(20):
            await client.receive()
    message = create(f"{PREFIX}/mixed", URL)
    answer = await client.ask(message)
    if code_of(answer) == 402:
        assert code_of(await client.ask(proof(message, answer, BY_SECRET))) == 1


async def test_a_recursive_node_answers_over_both_transports(tmp_path):
    async with tree(tmp_path) as (_, recursive):
        for ask in (talk, datagrams):
            async with ask(recursive.handle.port) as client:
                assert code_of(await client.ask(resolve(PRODUCT))) == 1
                assert code_of(await client.ask(resolve(f"{PREFIX}/missing"))) == 100
                assert code_of(await client.ask(create(PRODUCT, URL))) == 301


async def test_writes_of_many_connections_share_transactions(open_node):
    async def one(number: int) -> int:
        async with talk(open_node.handle.port) as client:
            asked = create(f"{PREFIX}/c{number}", URL)
            return code_of(await client.ask(asked))

    assert set(await asyncio.gather(*map(one, range(100)))) == {1}
    change = Change(Operation.DELETE, f"{PREFIX}/C0".encode(), trusted=True)
    await open_node.registry.submit(change)
