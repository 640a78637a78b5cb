"""The WebSocket of a chain on a socket (bif notes §3; RFC 6455)."""

import asyncio
import contextlib
import random

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping as SocketPing,
    Pong as SocketPong,
    Request,
    TextMessage,
)

from chain_anchor.bif import answers, overlay_pb2 as overlay
from chain_anchor.bif.chain_pb2 import (
    LedgerHeader,
    Operation,
    OperationLog,
    TransactionEnv,
    TransactionEnvStore,
)
from resolver.faces import bif_ws
from tests.bif_chains import ALICE, BOB, CAROL, DAVE, pay
from tests.bif_served import HOST, MemoryChain, serving

ROUNDS = 150
HELLO = overlay.ChainHello()


class Client:
    """A WebSocket client that speaks the chain's messages."""

    def __init__(self, reader, writer) -> None:
        self.reader, self.writer = reader, writer
        self.websocket = WSConnection(ConnectionType.CLIENT)
        self.events = []
        self.sequence = 0
        self.message = b""

    def write(self, event) -> None:
        self.writer.write(self.websocket.send(event))

    def ask(self, kind, content=b"", *, request=True) -> int:
        self.sequence += 1
        data = content if isinstance(content, bytes) else content.SerializeToString()
        message = overlay.WsMessage(
            type=kind, request=request, sequence=self.sequence, data=data
        )
        self.write(BytesMessage(data=message.SerializeToString()))
        return self.sequence

    async def event(self):
        async with asyncio.timeout(10):
            while not self.events:
                octets = await self.reader.read(65536)
                self.websocket.receive_data(octets or None)
                self.events += self.websocket.events()
            return self.events.pop(0)

    async def receive(self, kind, form=None):
        """Give the next message, which must be of a type; its content if it has a form."""
        message = await self.next()
        assert message.type == kind, message
        return message if form is None else form.FromString(message.data)

    async def next(self):
        while True:
            event = await self.event()
            assert isinstance(event, BytesMessage), event
            self.message += event.data
            if event.message_finished:
                octets, self.message = self.message, b""
                return overlay.WsMessage.FromString(octets)

    async def greet(self, *kinds):
        self.ask(10, overlay.ChainHello(api_list=kinds))
        return await self.receive(10, overlay.ChainStatus)

    async def silent(self) -> bool:
        """Tell whether nothing came before the answer to a ping."""
        self.ask(1, overlay.Ping(nonce=99))
        return (await self.next()).type == 1


@contextlib.asynccontextmanager
async def client(face):
    reader, writer = await asyncio.open_connection(HOST, face.websocket_port)
    made = Client(reader, writer)
    try:
        made.write(Request(host=HOST, target="/"))
        assert isinstance(await made.event(), AcceptConnection)
        yield made
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def send(chain, *operations, source=ALICE, **fields):
    made = chain.test.make(source, *operations, **fields)
    assert await chain.submit([made]) == [None]
    return made


async def test_hello_and_ping_are_answered():
    chain = MemoryChain()
    async with serving(chain) as face, client(face) as one:
        sequence = one.ask(10, HELLO)
        message = await one.receive(10)
        assert (message.request, message.sequence) == (False, sequence)
        status = overlay.ChainStatus.FromString(message.data)
        assert (status.self_addr, status.chain_code) == (chain.address, "0")
        assert (status.ledger_version, status.network_id) == (1006, 7)
        assert status.address_prefix == "did:bid:"
        sequence = one.ask(1, overlay.Ping(nonce=5))
        message = await one.receive(1)
        assert (message.request, message.sequence) == (False, sequence)
        assert overlay.Pong.FromString(message.data).nonce == 5
        one.ask(1, overlay.Ping(nonce=6), request=False)  # the Node client does
        one.ask(14, b"unknown types are passed over")
        one.write(SocketPing(payload=b"x"))
        assert isinstance(await one.event(), SocketPong)
        assert await one.silent()


async def test_a_block_is_pushed_in_the_nodes_order():
    chain = MemoryChain()
    async with serving(chain) as face, client(face) as one:
        await one.greet()
        made = await send(chain, pay(BOB, 5))
        messages = [await one.next() for _ in range(3)]
        assert [m.type for m in messages] == [16, 20, 18]
        assert all(m.request for m in messages)
        assert [m.sequence for m in messages] == [1, 2, 3]
        header = LedgerHeader.FromString(messages[0].data)
        assert header == chain.ledger.last
        stored = TransactionEnvStore.FromString(messages[1].data)
        assert (stored.hash, stored.ledger_seq) == (made.hash, 2)
        block = overlay.LedgerTxs.FromString(messages[2].data)
        assert block.header == header
        assert [entry.tx_hash for entry in block.txs] == [made.hash.hex()]
        shown = answers.ledger(chain.ledger, header, 0)
        assert block.ledger_length == shown["ledger_length"]


async def test_nothing_is_pushed_before_hello():
    chain = MemoryChain()
    async with serving(chain) as face, client(face) as one:
        await send(chain, pay(BOB, 5))
        assert await one.silent()


async def test_only_wanted_kinds_are_pushed():
    chain = MemoryChain()
    async with serving(chain) as face, client(face) as one:
        await one.greet(16)
        await send(chain, pay(BOB, 5))
        await one.receive(16, LedgerHeader)
        assert await one.silent()


@pytest.mark.parametrize("watched", [ALICE, BOB])
async def test_transactions_are_filtered_by_who_takes_part(watched):
    chain = MemoryChain()
    async with serving(chain) as face, client(face) as one:
        await one.greet(20)
        one.ask(19, overlay.ChainSubscribeTx(address=[watched.address()]))
        response = await one.receive(19, overlay.ChainResponse)
        assert response.error_code == 0
        await send(chain, pay(CAROL, 1), source=DAVE)
        made = await send(chain, pay(BOB, 5))
        messages = [await one.receive(20, TransactionEnvStore)]
        assert messages[-1].hash == made.hash
        assert await one.silent()


async def test_too_many_or_wrong_addresses_are_refused():
    async with serving(MemoryChain()) as face, client(face) as one:
        many = [ALICE.address()] * 101
        one.ask(19, overlay.ChainSubscribeTx(address=many))
        assert (await one.receive(19, overlay.ChainResponse)).error_code == 2
        one.ask(19, overlay.ChainSubscribeTx(address=["did:bid:ef"]))
        assert (await one.receive(19, overlay.ChainResponse)).error_code == 94


async def test_logs_are_pushed_by_contract_and_topic():
    chain = MemoryChain()
    logs = [
        Operation(type=Operation.LOG, log=OperationLog(topic=topic, datas=["d", topic]))
        for topic in ("one", "two")
    ]
    async with serving(chain) as face, client(face) as one:
        wanted = overlay.TlogSubscribeRequest(address=ALICE.address(), topics=["two"])
        one.ask(17, wanted)
        assert await one.silent()
        await send(chain, *logs)
        pushed = await one.receive(17, overlay.TlogSubscribeResponse)
        assert pushed.address == ALICE.address()
        assert [(log.topic, list(log.tlog)) for log in pushed.tlogs] == [
            ("two", ["d", "two"])
        ]
        assert pushed.tlogs[0].timestamp == chain.ledger.last.close_time
        await send(chain, *logs, source=BOB)
        assert await one.silent()


async def test_hashes_of_what_is_applied_or_dropped_are_pushed():
    chain = MemoryChain(automine=False)
    async with serving(chain) as face, client(face) as one, client(face) as other:
        one.ask(21, overlay.TxSubscribeRequest())
        other.ask(21, overlay.TxSubscribeRequest(status=1))
        assert await one.silent()
        assert await other.silent()
        applied, dropped = await send(chain, pay(BOB, 5)), None
        await chain.mine()
        dropped = await send(chain, pay(BOB, 5))
        chain.drop(dropped)
        for each, made, status in ((one, applied, 0), (other, dropped, 1)):
            seen = await each.receive(21, overlay.TxSubscribeResponse)
            assert (seen.tx_hash, seen.status) == (made.hash, status)
            assert await each.silent()


async def test_a_submitted_transaction_is_followed_to_its_block():
    chain = MemoryChain(automine=False)
    async with serving(chain) as face, client(face) as one:
        made = chain.test.make(ALICE, pay(BOB, 5))
        one.ask(15, made.envelope)
        told = await one.receive(11, overlay.ChainTxStatus)
        assert (told.status, told.tx_hash) == (told.CONFIRMED, made.hash.hex())
        assert (told.source_address, told.source_account_seq) == (ALICE.address(), 1)
        await chain.mine()
        told = await one.receive(11, overlay.ChainTxStatus)
        assert (told.status, told.ledger_seq) == (told.COMPLETE, 2)
        one.ask(15, made.envelope)
        told = await one.receive(11, overlay.ChainTxStatus)
        assert (told.status, told.error_code) == (told.FAILURE, 99)
        failing = chain.test.make(ALICE, pay(BOB, 10**18))
        one.ask(15, failing.envelope)
        await one.receive(11)
        await chain.mine()
        told = await one.receive(11, overlay.ChainTxStatus)
        assert (told.status, told.error_code) == (told.APPLY_FAILURE, 100)


@pytest.mark.parametrize(
    "envelope", [b"", b"\xff", TransactionEnv().SerializeToString()]
)
async def test_what_is_no_transaction_is_a_failure(envelope):
    async with serving(MemoryChain()) as face, client(face) as one:
        one.ask(15, envelope)
        told = await one.receive(11, overlay.ChainTxStatus)
        assert (told.status, told.error_code) == (told.FAILURE, 2)


async def test_the_signed_octets_are_taken_as_they_came():
    chain = MemoryChain()
    made = chain.test.make(ALICE, pay(BOB, 5))
    blob = made.blob + b"\x60\x00"  # domain_id 0, which nobody needs to write
    from chain_anchor.bif.transactions import sign

    raw = sign(blob, [ALICE])
    async with serving(chain) as face, client(face) as one:
        one.ask(15, raw.envelope)
        assert (await one.receive(11, overlay.ChainTxStatus)).tx_hash == raw.hash.hex()
        assert (await one.receive(11, overlay.ChainTxStatus)).status == 3


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (TextMessage(data="hello"), 1003),
        (BytesMessage(data=b"\xff\xff"), 1007),
        (
            BytesMessage(
                data=overlay.WsMessage(
                    type=10, request=True, data=b"\xff"
                ).SerializeToString()
            ),
            1007,
        ),
        (
            BytesMessage(
                data=overlay.WsMessage(type=17, request=True).SerializeToString()
            ),
            1008,
        ),
        (
            BytesMessage(
                data=overlay.WsMessage(
                    type=21, request=True, data=b"\x08\x07"
                ).SerializeToString()
            ),
            1008,
        ),
        (BytesMessage(data=bytes(bif_ws.MAX_MESSAGE_OCTETS + 1)), 1009),
        (CloseConnection(code=1000), 1000),
    ],
)
async def test_who_breaks_the_rules_is_told_which(event, code):
    async with serving(MemoryChain()) as face, client(face) as one:
        one.write(event)
        ended = await one.event()
        assert isinstance(ended, CloseConnection)
        assert ended.code == code
        assert await one.reader.read() == b""


async def test_who_says_goodbye_leaves_no_error_behind():
    wrong = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: wrong.append(context))
    async with serving(MemoryChain()) as face, client(face) as one:
        await one.greet()
        one.write(CloseConnection(code=1000))
        assert (await one.event()).code == 1000
        assert await one.reader.read() == b""
    assert wrong == []


async def test_a_slow_reader_is_dropped(monkeypatch):
    monkeypatch.setattr(bif_ws, "MAX_UNREAD_OCTETS", 1000)
    chain = MemoryChain()
    async with serving(chain) as face, client(face) as slow, client(face) as good:
        await slow.greet()
        await good.greet(16)
        remark = b"x" * 200_000
        for number in range(100):
            await send(chain, pay(BOB, 1), metadata=remark)
            header = await good.receive(16, LedgerHeader)
            assert header.seq == number + 2
            if len(face.websocket.connections) == 1:
                break
        assert len(face.websocket.connections) == 1
        assert face.websocket.telemetry.connections_aborted == 1


async def test_sockets_are_dropped_when_a_developer_says_so():
    async with serving(MemoryChain()) as face, client(face) as one:
        assert face.websocket.drop(5) == 1
        with pytest.raises((ConnectionError, AssertionError)):
            await one.next()


async def test_there_is_a_most_of_clients(monkeypatch):
    monkeypatch.setattr(bif_ws, "MAX_CONNECTIONS", 1)
    async with serving(MemoryChain()) as face, client(face) as one:
        reader, writer = await asyncio.open_connection(HOST, face.websocket_port)
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
        assert await one.silent()


async def test_who_says_nothing_is_dropped(monkeypatch):
    monkeypatch.setattr(bif_ws, "HANDSHAKE_SECONDS", 0.01)
    async with serving(MemoryChain()) as face:
        reader, writer = await asyncio.open_connection(HOST, face.websocket_port)
        async with asyncio.timeout(10):
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        writer.close()


async def test_a_silent_client_is_pinged_and_then_dropped(monkeypatch):
    monkeypatch.setattr(bif_ws, "SILENCE_SECONDS", 0.02)
    async with serving(MemoryChain()) as face, client(face) as one:
        assert isinstance(await one.event(), SocketPing)
        async with asyncio.timeout(10):
            with contextlib.suppress(ConnectionError):
                await one.reader.read()
        assert not face.websocket.connections


async def test_any_octets_are_closed_by_the_rules():
    opening = WSConnection(ConnectionType.CLIENT).send(Request(host=HOST, target="/"))
    async with serving(MemoryChain()) as face:
        for number in range(ROUNDS):
            chance = random.Random(number)
            octets = chance.randbytes(chance.randrange(1, 300))
            if number % 2:
                octets = opening + octets
            if number % 5 == 0:
                octets = bytes(chance.choices(b"GET / HTTP/1.1\r\n:", k=300))
            async with asyncio.timeout(10):
                reader, writer = await asyncio.open_connection(
                    HOST, face.websocket_port
                )
                writer.write(octets)
                writer.write_eof()
                with contextlib.suppress(ConnectionError):
                    await reader.read()
                writer.close()
        async with client(face) as one:
            await one.greet()
        await face.websocket._wait_until_empty()
        assert not face.websocket.connections
