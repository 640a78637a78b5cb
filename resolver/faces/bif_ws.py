"""The WebSocket of a 星火·链网 node (bif notes §3; RFC 6455).

`BifWebSocket` has the listeners and tells every client of each block; a `_Connection`
is one client. What is said is `chain_anchor.bif.api.subscriber`'s business, frames are
wsproto's; here are sockets, and the bounds:

    opening       HANDSHAKE_SECONDS
    message       MAX_MESSAGE_OCTETS, else 1009; text is refused with 1003
    unread        MAX_UNREAD_OCTETS that a client has not read yet, else it is dropped
    silence       a ping after SILENCE_SECONDS, the end after as many more
    submissions   MAX_SUBMISSIONS of one client at a time

A block can have thousands of transactions, so one task takes blocks from a bounded
queue and reads large ones in a thread.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from socket import socket
from typing import cast

from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from chain_anchor.bif.api.pushes import Pushes
from chain_anchor.bif.api.served import ServedChain
from chain_anchor.bif.api.subscriber import RuleError, Subscriber
from chain_anchor.bif.chain_pb2 import LedgerHeader
from chain_anchor.bif.envelopes import read_envelope
from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.ledger import ClosedBlock
from chain_anchor.bif.rules import MAX_ENVELOPE_OCTETS
from chain_anchor.bif.transactions import SignedTransaction
from chain_anchor.errors import AnchorError
from resolver.faces.sockets import BACKLOG
from resolver.telemetry import Telemetry

MAX_CONNECTIONS = 256
MAX_MESSAGE_OCTETS = 2 * MAX_ENVELOPE_OCTETS
"""More than any transaction has, so that one that is too big is told so."""

MAX_UNREAD_OCTETS = 8 << 20
MAX_SUBMISSIONS = 64
MAX_BLOCKS = 256
HANDSHAKE_SECONDS = 10.0
SILENCE_SECONDS = 60.0
GOODBYE_SECONDS = 2.0
_LARGE_BLOCK = 100
"""Transactions from which on a block is read in a thread."""


class BifWebSocket:
    """The WebSocket listeners of one chain."""

    def __init__(self, chain: ServedChain) -> None:
        """Take a chain."""
        self.chain = chain
        self.telemetry = Telemetry()
        self.connections: set[_Connection] = set()
        self.closing = False
        self._blocks: deque[ClosedBlock] = deque()
        self._arrived = asyncio.Event()
        self._left = asyncio.Event()
        self._servers: list[asyncio.Server] = []
        self._telling: asyncio.Task[None] | None = None

    async def start(self, sockets: Sequence[socket]) -> None:
        """Take clients from now on."""
        loop = asyncio.get_running_loop()
        self.chain.listen(self)
        self._telling = loop.create_task(self._tell())
        for item in sockets:
            server = await loop.create_server(
                lambda: _Connection(self), sock=item, backlog=BACKLOG
            )
            self._servers.append(server)

    async def close(self) -> None:
        """Say goodbye to everybody, and end."""
        self.closing = True
        self.chain.unlisten(self)
        for server in self._servers:
            server.close()
        clients = list(self.connections)
        for client in clients:
            client.end(CloseReason.GOING_AWAY, "the node stops")
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)
        tasks = [task for client in clients for task in client.tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._wait_until_empty()
        for client in list(self.connections):
            client.abort()
        await self._wait_until_empty()

    def lost(self, client: "_Connection") -> None:
        """Forget a client."""
        if client in self.connections:
            self.connections.remove(client)
            self.telemetry.connections_open -= 1
            self._left.set()

    def drop(self, count: int) -> int:
        """Cut that many connections without a word; tell how many there were."""
        cut = list(self.connections)[:count]
        for client in cut:
            client.abort()
        return len(cut)

    def closed(self, block: ClosedBlock) -> None:
        """Take a block that was closed."""
        if not self.connections:
            return
        if len(self._blocks) >= MAX_BLOCKS:
            self._blocks.clear()
            self.telemetry.shed += 1
            for client in list(self.connections):
                client.give_up()
            return
        self._blocks.append(block)
        self._arrived.set()

    def accepted(self, transaction: SignedTransaction) -> None:
        """Take a transaction that waits from now on."""
        for client in list(self.connections):
            client.send(client.subscriber.accepted(transaction))

    def dropped(self, transaction: SignedTransaction, refusal: RefusedError) -> None:
        """Take a transaction that waited, and will be in no block."""
        for client in list(self.connections):
            client.send(client.subscriber.dropped(transaction, refusal))

    def reverted(self, header: LedgerHeader) -> None:
        """Take what is the last block after a developer went back: nobody is told."""

    async def _wait_until_empty(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_SECONDS):
                while self.connections:
                    self._left.clear()
                    await self._left.wait()

    async def _tell(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._blocks:
                block = self._blocks.popleft()
                pushes = Pushes(block)
                if len(block.applied) > _LARGE_BLOCK:
                    await asyncio.to_thread(_prepare, pushes)
                for client in list(self.connections):
                    client.send_all(pushes)


def _prepare(pushes: Pushes) -> None:
    """Read a block and write what everybody gets of it."""
    _ = pushes.applied, pushes.transactions, pushes.logged, pushes.hashes


class _Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, face: BifWebSocket) -> None:
        self.subscriber = Subscriber(face.chain)
        self.tasks: set[asyncio.Task[None]] = set()
        self._face = face
        self._websocket = WSConnection(ConnectionType.SERVER)
        self._message = bytearray()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._open = False
        self._pinged = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the client, or refuse it when there are too many."""
        # uvloop's transports are not asyncio's by class.
        connected = cast("asyncio.Transport", transport)
        self._transport = connected
        if len(self._face.connections) >= MAX_CONNECTIONS or self._face.closing:
            self._face.telemetry.connections_refused += 1
            connected.abort()
            return
        self._face.connections.add(self)
        self._face.telemetry.connections_open += 1
        self._arm(HANDSHAKE_SECONDS, self.give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client."""
        self._disarm()
        self._open = False
        self._face.lost(self)
        for task in self.tasks:
            task.cancel()

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        self._pinged = False
        try:
            self._websocket.receive_data(data)
            for event in self._websocket.events():
                self._take(event)
                if self._is_ending():
                    return
        except RemoteProtocolError as error:
            self._refuse(error)
        except RuleError as error:
            self.end(error.code, error.reason)

    def eof_received(self) -> bool:
        """End with the client: no WebSocket is half open."""
        return False

    def send(self, messages: Sequence[bytes]) -> None:
        """Send messages, unless the client has left too many unread."""
        for message in messages:
            if not self._open or self._is_ending():
                return
            self._write(BytesMessage(data=message))

    def send_all(self, pushes: Pushes) -> None:
        """Tell of a block."""
        for message in self.subscriber.closed(pushes):
            if not self._open or self._is_ending():
                return
            self._write(BytesMessage(data=message))

    def end(self, code: int, reason: str) -> None:
        """Say why it ends, and end."""
        if self._open and not self._is_ending():
            self._write(CloseConnection(code=code, reason=reason[:100]))
        if self._transport is not None and not self._is_ending():
            self._transport.close()
            self._arm(GOODBYE_SECONDS, self.abort)

    def give_up(self) -> None:
        """Cut a client that does not read, or says nothing."""
        self._face.telemetry.connections_aborted += 1
        self.abort()

    def abort(self) -> None:
        """Cut at once."""
        if self._transport is not None:
            self._transport.abort()

    def _take(self, event: Event) -> None:
        match event:
            case Request():
                self._write(AcceptConnection())
                self._open = True
                self._listen()
            case BytesMessage(data=data, message_finished=finished):
                self._gather(data, finished=finished)
            case TextMessage():
                raise RuleError(CloseReason.UNSUPPORTED_DATA, "binary frames expected")
            case Ping():
                self._write(event.response())
            case CloseConnection(code=code):
                self._answer_close(event, code)
            case _:
                pass

    def _answer_close(self, event: CloseConnection, code: int) -> None:
        """End with the client, or tell it which rule of the framing it broke."""
        if self._websocket.state is ConnectionState.REMOTE_CLOSING:
            self._write(event.response())
            self._open = False  # nothing may follow
            self.end(code, "")
        else:
            self._face.telemetry.malformed += 1
            self.end(code, event.reason or "")

    def _gather(self, data: bytes | bytearray, *, finished: bool) -> None:
        self._message += data
        if len(self._message) > MAX_MESSAGE_OCTETS:
            reason = f"at most {MAX_MESSAGE_OCTETS} octets are taken"
            raise RuleError(CloseReason.MESSAGE_TOO_BIG, reason)
        if not finished:
            return
        octets = bytes(self._message)
        self._message.clear()
        self._listen()
        reaction = self.subscriber.receive(octets)
        self.send(reaction.messages)
        if reaction.envelope is not None:
            self._begin_submission(reaction.envelope)

    def _begin_submission(self, envelope: bytes) -> None:
        if len(self.tasks) >= MAX_SUBMISSIONS:
            text = f"more than {MAX_SUBMISSIONS} submissions at a time"
            refusal = RefusedError(ErrorCode.TX_INSERT_QUEUE_FAIL, text)
            self.send(self.subscriber.unreadable(refusal))
            return
        task = asyncio.get_running_loop().create_task(self._submit(envelope))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _submit(self, envelope: bytes) -> None:
        chain = self._face.chain
        try:
            transaction = await chain.run(lambda _: read_envelope(envelope))
            self.subscriber.follow(transaction.hash)
            [refusal] = await chain.submit([transaction])
            self.send(self.subscriber.submitted(transaction, refusal))
        except RefusedError as refusal:
            self.send(self.subscriber.unreadable(refusal))
        except AnchorError as error:
            self._face.telemetry.internal_errors += 1
            self.end(CloseReason.INTERNAL_ERROR, str(error))

    def _refuse(self, error: RemoteProtocolError) -> None:
        """Answer what is no WebSocket."""
        self._face.telemetry.malformed += 1
        if not self._open and not self._is_ending():
            try:
                self._write(error.event_hint or RejectConnection(status_code=400))
            except LocalProtocolError:
                self.abort()  # it was nothing that can be answered
                return
        self.end(CloseReason.PROTOCOL_ERROR, str(error))

    def _write(self, event: Event) -> None:
        assert self._transport is not None
        octets = self._websocket.send(event)
        unread = self._transport.get_write_buffer_size()
        if unread and unread + len(octets) > MAX_UNREAD_OCTETS:
            self.give_up()
            return
        self._transport.write(octets)

    def _is_ending(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def _listen(self) -> None:
        """Expect something from the client in a while."""
        self._arm(SILENCE_SECONDS, self._check_silence)

    def _check_silence(self) -> None:
        if self._pinged:
            self.give_up()
            return
        self._pinged = True
        if not self._is_ending():
            self._write(Ping())
            self._arm(SILENCE_SECONDS, self._check_silence)

    def _arm(self, seconds: float, action: Callable[[], None]) -> None:
        self._disarm()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(seconds, action)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
