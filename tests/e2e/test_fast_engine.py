"""The serving loop by itself: sockets on one side, an event loop on the other."""

import asyncio
import contextlib
import fcntl
import socket
import struct
import termios
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba", exc_type=ImportError)

from registry.model.octets import blob, pack_u32
from resolver.fastpath import engine as engine_module, engine_layout, loops
from resolver.fastpath.engine import Engine
from resolver.fastpath.preparing import compile_here
from resolver.session.fragments import MAX_DATAGRAM_OCTETS, split
from tests.e2e.fast_nodes import (
    Client,
    read_exactly,
    running_engine,
    tcp_pair,
    udp_pair,
)
from tests.e2e.native import until
from tests.packet_caches import PUBLIC, ask, reply

# Kernels may have to be compiled first.
pytestmark = pytest.mark.timeout(120)

NAME = b"88.100.1/P1"


@pytest.fixture(scope="module", autouse=True)
def kernels():
    """Compile them before anybody waits for an answer."""
    compile_here()


FOREVER = float("inf")


def found(name: bytes = NAME, size: int = 0) -> bytes:
    """Make an answer of `size` octets, or a short one."""
    least = len(reply(blob(name)))
    return reply(blob(name) + bytes(n % 251 for n in range(max(0, size - least))))


def teach(engine: Engine, owner: int, name: bytes = NAME, size: int = 0) -> bytes:
    answer = found(name, size)
    assert engine.learn(owner, ask(name), answer, 0, FOREVER)
    return answer


def question(number: int, name: bytes = NAME) -> bytes:
    return ask(name, request_id=number)


def expected(answer: bytes, number: int) -> bytes:
    ident, flags = pack_u32(number), pack_u32(PUBLIC | 0x9000_0000)
    return answer[:8] + ident + answer[12:28] + flags + answer[32:]


def waiting(sock: socket.socket) -> int:
    """Give how many octets wait in a socket."""
    room = struct.pack("i", 0)
    return struct.unpack("i", fcntl.ioctl(sock, termios.FIONREAD, room))[0]


async def test_what_waited_when_the_connection_was_lent_is_all_answered():
    async with running_engine() as engine:
        owner = engine.add_owner()
        answer = teach(engine, owner)
        count = 110_000 // len(question(0))
        assert count * len(question(0)) % engine_layout.STREAM_OCTETS != 0
        asked = b"".join(map(question, range(count)))
        with tcp_pair() as (client, server):
            client.sendall(asked)
            await until(lambda: waiting(server) == len(asked))
            borrowed = Client()
            assert engine.lend(server.fileno(), owner, borrowed)
            got = await asyncio.to_thread(read_exactly, client, count * len(answer))
            assert got == b"".join(expected(answer, n) for n in range(count))
            assert not borrowed.returns
            assert engine.counts(owner).tcp[0] == count


async def test_questions_that_come_octet_by_octet_are_answered():
    async with running_engine() as engine:
        owner = engine.add_owner()
        answer = teach(engine, owner)
        with tcp_pair() as (client, server):
            borrowed = Client()
            assert engine.lend(server.fileno(), owner, borrowed)
            for number in range(3):
                for octet in question(number):
                    client.send(bytes((octet,)))
                got = await asyncio.to_thread(read_exactly, client, len(answer))
                assert got == expected(answer, number)
            assert not borrowed.returns
            assert engine.counts(owner).hits == 3


async def test_a_connection_is_given_back_at_what_is_not_known_with_it_unread():
    async with running_engine() as engine:
        owner = engine.add_owner()
        answer = teach(engine, owner)
        unknown, after = question(7, b"88.100.1/unknown"), question(8)
        with tcp_pair() as (client, server):
            borrowed = Client()
            assert engine.lend(server.fileno(), owner, borrowed)
            client.sendall(question(1) + question(2) + unknown + after)
            await until(lambda: borrowed.returns)
            assert borrowed.returns == [(b"", True)]
            got = await asyncio.to_thread(read_exactly, client, 2 * len(answer))
            assert got == expected(answer, 1) + expected(answer, 2)
            assert server.recv(1 << 16) == unknown + after
            assert engine.counts(owner).misses == 1


@pytest.mark.parametrize("kind", ["unknown", "vast", "oversize", "response"])
async def test_a_connection_that_cannot_be_helped_is_given_back_as_such(kind):
    octets = {
        "unknown": question(1, b"88.100.1/unknown"),
        "vast": ask(b"n" * 600),
        "oversize": question(1)[:16] + b"\xff" * 4,
        "response": reply(blob(NAME)),
    }[kind]
    async with running_engine() as engine:
        owner = engine.add_owner()
        teach(engine, owner)
        with tcp_pair() as (client, server):
            borrowed = Client()
            assert engine.lend(server.fileno(), owner, borrowed)
            client.sendall(octets)
            await until(lambda: borrowed.returns)
            assert borrowed.returns == [(b"", False)]
            assert server.recv(1 << 16) == octets


async def test_a_connection_can_be_lent_again_and_again():
    async with running_engine() as engine:
        owner = engine.add_owner()
        answer = teach(engine, owner)
        unknown = question(9, b"88.100.1/unknown")
        with tcp_pair() as (client, server):
            for turn in range(50):
                borrowed = Client()
                assert engine.lend(server.fileno(), owner, borrowed)
                client.sendall(question(turn) + unknown)
                await until(lambda borrowed=borrowed: borrowed.returns)
                assert read_exactly(client, len(answer)) == expected(answer, turn)
                assert read_exactly(server, len(unknown)) == unknown
            assert engine.counts(owner).misses == 50


async def test_the_end_of_a_client_gives_its_connection_back_after_its_answers():
    async with running_engine() as engine:
        owner = engine.add_owner()
        answer = teach(engine, owner)
        with tcp_pair() as (client, server):
            borrowed = Client()
            assert engine.lend(server.fileno(), owner, borrowed)
            client.sendall(question(1) + question(2))
            client.shutdown(socket.SHUT_WR)
            await until(lambda: borrowed.returns)
            assert borrowed.returns == [(b"", True)]
            assert read_exactly(client, 2 * len(answer))
            assert server.recv(1) == b""


async def test_a_connection_that_ended_before_it_was_lent_is_given_back():
    async with running_engine() as engine:
        owner = engine.add_owner()
        with tcp_pair() as (client, server):
            client.close()
            borrowed = Client()
            assert engine.lend(server.fileno(), owner, borrowed)
            await until(lambda: borrowed.returns)
            assert borrowed.returns == [(b"", False)]


async def test_a_reset_gives_the_connection_back():
    async with running_engine() as engine:
        owner = engine.add_owner()
        with tcp_pair() as (client, server):
            borrowed = Client()
            assert engine.lend(server.fileno(), owner, borrowed)
            linger = struct.pack("ii", 1, 0)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            client.close()
            await until(lambda: borrowed.returns)
            assert borrowed.returns == [(b"", False)]
            with contextlib.suppress(ConnectionResetError):
                assert server.recv(1) == b""


async def test_a_client_that_takes_no_more_gets_every_octet_once():
    """What the loop sent, the rest it gave back, and what it left unread: all there."""
    async with running_engine() as engine:
        owner = engine.add_owner()
        answer = teach(engine, owner, size=3999)
        asked = [question(number) for number in range(1000)]
        with tcp_pair(send_octets=1 << 16) as (client, server):
            borrowed = Client()
            assert engine.lend(server.fileno(), owner, borrowed)
            client.sendall(b"".join(asked))
            await until(lambda: borrowed.returns)
            ((rest, helped),) = borrowed.returns
            left = _all_there(server)
            assert len(left) % len(asked[0]) == 0
            done = len(asked) - len(left) // len(asked[0])
            assert 0 < done < len(asked)
            assert left == b"".join(asked[done:])
            whole = b"".join(expected(answer, number) for number in range(done))
            got = await asyncio.to_thread(read_exactly, client, len(whole) - len(rest))
            assert got + rest == whole
            assert len(rest) < len(answer)
            assert helped, "it was helped as far as it could be"
            assert engine.counts(owner).hits == done, "others are answered elsewhere"


def _all_there(sock: socket.socket) -> bytes:
    parts = bytearray()
    while waiting(sock):
        parts += sock.recv(1 << 16)
    return bytes(parts)


async def test_an_incomplete_question_is_given_back_in_time():
    """It takes a second, of the machine's own clock: the loop has no other."""
    async with running_engine() as engine:
        owner = engine.add_owner()
        with tcp_pair() as (client, server), tcp_pair() as (quiet, idle):
            borrowed, sleeper = Client(), Client()
            assert engine.lend(server.fileno(), owner, borrowed)
            assert engine.lend(idle.fileno(), owner, sleeper)
            client.sendall(question(1)[:-1])
            await until(lambda: borrowed.returns)
            assert borrowed.returns == [(b"", False)]
            assert server.recv(1 << 16) == question(1)[:-1]
            assert not sleeper.returns, "nothing was begun there"
            assert quiet.fileno() > 0


async def test_many_connections_are_given_back_while_the_event_loop_is_busy():
    async with running_engine() as engine:
        owner = engine.add_owner()
        pairs = [tcp_pair() for _ in range(100)]
        opened = [pair.__enter__() for pair in pairs]
        clients = [Client() for _ in pairs]
        for (client, server), borrowed in zip(opened, clients, strict=True):
            assert engine.lend(server.fileno(), owner, borrowed)
            client.sendall(question(1, b"88.100.1/unknown"))
        await until(lambda: all(borrowed.returns for borrowed in clients))
        assert engine.counts(owner).misses == 100
        for pair in pairs:
            pair.__exit__(None, None, None)


@pytest.mark.parametrize("size", [60, 511, 512, 513, 1004, 1005, 2000, 4095, 4096])
async def test_a_long_answer_is_cut_into_datagrams_as_the_long_way_cuts_it(size):
    async with running_engine() as engine:
        owner = engine.add_owner()
        answer = teach(engine, owner, size=max(size, len(found())))
        with udp_pair() as (client, server):
            engine.serve_datagrams(server.fileno(), owner, _nobody)
            client.send(question(7))
            pieces = split(expected(answer, 7))
            got = await asyncio.to_thread(lambda: [client.recv(9999) for _ in pieces])
            assert got == pieces
            assert all(len(piece) <= MAX_DATAGRAM_OCTETS for piece in got)


def _nobody(datagram: bytes, name: bytes) -> None:
    raise AssertionError(datagram)


@pytest.mark.parametrize("size", [60, 600, 4096])
async def test_all_questions_of_a_batch_are_answered_however_long_the_answers(size):
    async with running_engine() as engine:
        owner = engine.add_owner()
        answer = teach(engine, owner, size=size)
        with udp_pair() as (client, server):
            for number in range(engine_layout.BATCH):
                client.send(question(number))
            engine.serve_datagrams(server.fileno(), owner, _nobody)
            pieces = [
                piece
                for number in range(engine_layout.BATCH)
                for piece in split(expected(answer, number))
            ]
            got = await asyncio.to_thread(lambda: [client.recv(9999) for _ in pieces])
            assert got == pieces


async def test_datagrams_that_are_not_known_are_handed_over_as_they_came():
    heard = []
    async with running_engine() as engine:
        owner = engine.add_owner()
        answer = teach(engine, owner)
        strange = [b"", b"x", b"x" * 9000, question(1)[:-1], question(2) + b"\0"]
        with udp_pair() as (client, server):
            engine.serve_datagrams(
                server.fileno(), owner, lambda *told: heard.append(told)
            )
            for octets in strange:
                client.send(question(1))
                client.send(octets)
            await until(lambda: len(heard) == len(strange))
            assert [octets for octets, _ in heard] == strange
            (name,) = {name for _, name in heard}
            family, port = struct.unpack("=H", name[:2]), name[2:4]
            assert family == (socket.AF_INET,)
            assert int.from_bytes(port, "big") == client.getsockname()[1]
            for number in range(3):
                engine.send(server.fileno(), name, b"answer %d" % number)
            got = [client.recv(999) for _ in strange]
            assert got == [expected(answer, 1)] * len(strange)
            got = await asyncio.to_thread(lambda: [client.recv(999) for _ in range(3)])
            assert got == [b"answer 0", b"answer 1", b"answer 2"]
            assert engine.counts(owner).misses == len(strange)
            assert engine.counts(owner).shed == 0


async def test_a_fault_over_one_datagram_does_not_cost_others():
    heard, faults = [], []

    def receive(datagram: bytes, name: bytes) -> None:
        if datagram == b"bad":
            message = "a fault"
            raise ValueError(message)
        heard.append(datagram)

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: faults.append(context["exception"]))
    async with running_engine() as engine:
        owner = engine.add_owner()
        with udp_pair() as (client, server), tcp_pair() as (other, connection):
            borrowed = Client()
            for datagram in (b"one", b"bad", b"two", b"bad", b"three"):
                client.send(datagram)
            engine.serve_datagrams(server.fileno(), owner, receive)
            other.send(question(1, b"88.100.1/unknown"))
            assert engine.lend(connection.fileno(), owner, borrowed)
            await until(lambda: borrowed.returns)
            await until(lambda: len(heard) == 3)
    assert heard == [b"one", b"two", b"three"]
    assert [str(fault) for fault in faults] == ["a fault"] * 2


async def test_more_datagrams_than_the_outbox_holds_are_all_sent():
    heard = []
    async with running_engine() as engine:
        owner = engine.add_owner()
        with udp_pair() as (client, server), udp_pair() as (other, another):
            for sock in (server, another):
                engine.serve_datagrams(
                    sock.fileno(), owner, lambda *told: heard.append(told)
                )
            client.send(b"hello")
            other.send(b"hello")
            await until(lambda: len(heard) == 2)
            names = sorted((name for _, name in heard), key=_port_of)
            ends = sorted(((client, server), (other, another)), key=_end_port)
            for number in range(150):
                for (_, sock), name in zip(ends, names, strict=True):
                    engine.send(sock.fileno(), name, b"%d" % number)
            for end, _ in ends:
                got = await asyncio.to_thread(
                    lambda end=end: [end.recv(99) for _ in range(150)]
                )
                assert got == [b"%d" % number for number in range(150)]


def _port_of(name: bytes) -> int:
    return int.from_bytes(name[2:4], "big")


def _end_port(ends: tuple[socket.socket, socket.socket]) -> int:
    return ends[0].getsockname()[1]


async def test_what_finds_no_room_is_shed_and_counted_and_hits_go_on(monkeypatch):
    # As much as is kept for connections: there is no room for any datagram.
    monkeypatch.setattr(engine_layout, "INBOX_WORDS", engine_layout.RESERVED_WORDS)
    async with running_engine() as engine:
        owner = engine.add_owner()
        answer = teach(engine, owner)
        with udp_pair() as (client, server):
            engine.serve_datagrams(server.fileno(), owner, _nobody)
            for number in range(20):
                client.send(b"unknown")
                client.send(question(number))
                assert client.recv(999) == expected(answer, number)
            counts = engine.counts(owner)
            assert (counts.misses, counts.shed, counts.hits) == (20, 20, 20)
        with tcp_pair() as (client, server):
            borrowed = Client()
            assert engine.lend(server.fileno(), owner, borrowed)
            client.sendall(question(1, b"88.100.1/unknown"))
            await until(lambda: borrowed.returns)


async def test_a_full_inbox_sheds_and_goes_on_once_it_was_emptied(monkeypatch):
    monkeypatch.setattr(engine_layout, "INBOX_WORDS", 2 * engine_layout.RESERVED_WORDS)
    heard = []
    async with running_engine() as engine:
        owner = engine.add_owner()
        with udp_pair() as (client, server):
            engine.serve_datagrams(
                server.fileno(), owner, lambda *told: heard.append(told)
            )
            sent = 0
            # The event loop does not turn here, so nothing is taken.
            while not engine.counts(owner).shed and sent < 100_000:
                client.send(b"%6d" % sent + bytes(3000))
                sent += 1
            await until(lambda: heard and _is_quiet(engine, owner, heard))
            counts = engine.counts(owner)
            assert 0 < counts.shed < counts.misses <= sent
            assert len(heard) == counts.misses - counts.shed
            numbers = [int(octets[:6]) for octets, _ in heard]
            assert numbers == sorted(set(numbers))
            heard.clear()
            client.send(b"again")
            await until(lambda: heard)
            assert heard[0][0] == b"again"


def _is_quiet(engine: Engine, owner: int, heard: list) -> bool:
    counts = engine.counts(owner)
    return len(heard) == counts.misses - counts.shed


async def test_an_engine_stops_with_everything_lent_and_gives_it_back():
    engine = Engine(arena_octets=1 << 16, slots=64)
    engine.start()
    owner = engine.add_owner()
    with tcp_pair() as (_, server), udp_pair() as (_, listening):
        borrowed = Client()
        assert engine.lend(server.fileno(), owner, borrowed)
        engine.serve_datagrams(listening.fileno(), owner, _nobody)
        assert engine.serving
        await engine.stop()
        assert not engine.serving
        assert borrowed.returns == [(b"", False)]
        assert not engine.lend(server.fileno(), owner, borrowed)
    await engine.stop()


async def test_an_engine_that_never_served_leaves_nothing_open():
    before = open_descriptors()
    for _ in range(3):
        await Engine(arena_octets=1 << 16, slots=64).stop()
    assert open_descriptors() == before


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_owners_are_bounded():
    engine = Engine(arena_octets=1 << 16, slots=64)
    for number in range(512):
        assert engine.add_owner(dns=bool(number % 2)) == number
    with pytest.raises(RuntimeError, match="512 faces"):
        engine.add_owner()
    asyncio.run(engine.stop())


# The inbox, in one thread: the loop's own functions write it, the event loop's read it.


class Inbox:
    """An engine's inbox of so many words."""

    def __init__(self, words: int) -> None:
        self.engine = engine_module.make_engine(-1, -1)
        octets = np.zeros(words, np.int64)
        self.engine = self.engine._replace(inbox=octets, inbox_octets=octets.view("u1"))
        self.control = self.engine.control

    def put(self, payload: bytes, fd: int = 7, reserved: int = 0) -> bool:
        at = loops._room(self.engine, len(payload), reserved)
        if at < 0:
            return False
        self.engine.inbox[at + 2] = 16
        octets = np.frombuffer(b"..." + payload, np.uint8)
        kind = engine_layout.DATAGRAM
        loops._push(self.engine, at, kind, fd, octets, 3, len(payload))
        return True

    def take(self) -> bytes:
        out = np.zeros(self.engine.inbox.size, np.int64)
        return out[: loops.take(self.engine, out)].tobytes()


def records(octets: bytes) -> list[tuple[int, bytes]]:
    """Read what was taken, by the table of the layout."""
    found, at = [], 0
    while at < len(octets):
        size, kind = struct.unpack_from("=II", octets, at)
        assert size > 0
        if kind == engine_layout.DATAGRAM:
            fd, length, name = struct.unpack_from("=IIQ", octets, at + 8)
            assert name == 16
            start = at + engine_layout.RECORD_HEAD * 8
            found.append((fd, octets[start : start + length]))
        else:
            assert kind == engine_layout.NOTHING
        at += size * 8
    assert at == len(octets)
    return found


@pytest.mark.parametrize("words", [16, 32, 64])
def test_records_come_out_of_the_inbox_as_they_went_in(words):
    inbox = Inbox(words)
    number = 0
    for _ in range(200):
        put = []
        while True:
            # No record takes more than half: then there is always room in the end.
            most = (words // 2 - engine_layout.RECORD_HEAD) * 8
            payload = bytes((number % 256,)) * (number * 7 % (most + 1))
            if not inbox.put(payload, fd=number):
                break
            put.append((number, payload))
            number += 1
        assert records(inbox.take()) == put
        assert put, "an empty inbox takes the next record"
    assert number > 200


def test_room_that_is_kept_for_others_is_not_taken():
    inbox = Inbox(64)
    assert inbox.put(b"x" * 80, reserved=32)
    assert not inbox.put(b"x" * 80, reserved=32)
    assert inbox.put(b"x" * 80)
    assert len(records(inbox.take())) == 2


async def test_the_end_of_the_ring_that_is_left_empty_may_be_taken_by_itself():
    """The loop may be about to write the record behind it this very moment."""
    engine, inbox = Engine(arena_octets=1 << 16, slots=64), Inbox(64)
    engine._shared = inbox.engine
    for gap in range(1, 7):
        inbox.control[engine_layout.INBOX_HEAD] = 64 - gap
        inbox.control[engine_layout.INBOX_TAIL] = 64 - gap
        assert loops._room(inbox.engine, 0, 0) == 0
        engine._take()
        assert inbox.control[engine_layout.INBOX_TAIL] == 64
    await engine.stop()


@pytest.mark.parametrize("size", [*range(513, 1600, 41), 4095, 4096])
def test_a_message_is_cut_in_place(size):
    engine = engine_module.make_engine(-1, -1)
    message = found(size=size)
    slot = 3 * engine_layout.SLOT_OCTETS
    engine.slots[slot : slot + size] = np.frombuffer(message, np.uint8)
    after = loops._cut(engine, 3, 5, size)
    parts = []
    for number in range(3, after):
        start = number * engine_layout.SLOT_OCTETS
        length = int(engine.sent_vectors[number, 1])
        parts.append(engine.slots[start : start + length].tobytes())
        assert engine.sent[number, 0] == engine.received[5, 0]
    assert parts == split(message)
