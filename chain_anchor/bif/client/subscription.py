"""A subscription on a WebSocket, without I/O (RFC 6455, bif notes §3).

    open the WebSocket
    CHAIN_HELLO         ──▶       what kinds are wanted
                        ◀──  CHAIN_HELLO, with what the node is
    SUBSCRIBE ...       ──▶       addresses, a contract's logs, drops of the pool
                        ◀──  pushes: requests of the node's that want no reply

Frames are binary and hold one `WsMessage` each. A node's ping is answered; ours keep a
silent connection alive. It is given what arrives, gives events, and gathers in
`outgoing` what is to be sent.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeVar

from google.protobuf.message import DecodeError, Message
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event as SocketEvent,
    Ping as SocketPing,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import ProtocolError

from chain_anchor.bif.chain_pb2 import LedgerHeader, TransactionEnvStore
from chain_anchor.bif.client.errors import (
    AnsweredError,
    BadAnswerError,
    UnreachableError,
)
from chain_anchor.bif.client.node_url import NodeUrl
from chain_anchor.bif.client.wanted import Kind, Wanted
from chain_anchor.bif.overlay_pb2 import (
    ChainHello,
    ChainResponse,
    ChainStatus,
    ChainSubscribeTx,
    ChainTxStatus,
    LedgerTxs,
    Ping,
    Pong,
    TlogSubscribeRequest,
    TlogSubscribeResponse,
    TxSubscribeRequest,
    TxSubscribeResponse,
    WsMessage,
)

M = TypeVar("M", bound=Message)

MAX_SILENT_PINGS: Final = 3
"""Pings in a row without anything back, after which a node counts as gone."""


class BlockClosed(NamedTuple):
    """A block was closed."""

    header: LedgerHeader


class BlockTransactions(NamedTuple):
    """A block was closed: its header, and its transactions with their results."""

    block: LedgerTxs


class TransactionApplied(NamedTuple):
    """A transaction is in a block, whether it failed there or not."""

    stored: TransactionEnvStore


class TransactionStatus(NamedTuple):
    """What became of a transaction, from the pool to its block."""

    status: ChainTxStatus


class TransactionSeen(NamedTuple):
    """A transaction was applied, or the pool dropped it."""

    seen: TxSubscribeResponse


class ContractLogs(NamedTuple):
    """A contract logged something."""

    logs: TlogSubscribeResponse


Event = (
    BlockClosed
    | BlockTransactions
    | TransactionApplied
    | TransactionStatus
    | TransactionSeen
    | ContractLogs
)


class Subscription:
    """One subscription: what arrives becomes events."""

    def __init__(self, node: NodeUrl, wanted: Wanted, max_octets: int) -> None:
        self.node = node
        self._place = node.text
        self._wanted = wanted
        self._max_octets = max_octets
        self._socket = WSConnection(ConnectionType.CLIENT)
        self._message = bytearray()
        self._outgoing = bytearray()
        self._sequence = 0
        self.ready = False
        """Whether the node has answered everything: events come from now on."""

        self.status = ChainStatus()
        """What the node is, once it has answered."""

        self._unanswered = 1 + bool(wanted.addresses)
        self._silent_pings = 0
        self._send(Request(host=node.authority, target=f"{node.prefix}/"))

    def outgoing(self) -> bytes:
        """Take what is to be sent."""
        octets = bytes(self._outgoing)
        self._outgoing.clear()
        return octets

    def receive(self, octets: bytes) -> list[Event]:
        """Take what has arrived, nothing at its end; give the events in it.

        Raises:
            UnreachableError: the node closed the connection, or did not open one.
            AnsweredError: it refuses the subscription.
            BadAnswerError: it breaks a protocol.
        """
        if not octets:
            raise UnreachableError(f"{self._place}: the connection ended")
        self._silent_pings = 0
        found: list[Event] = []
        try:
            self._socket.receive_data(octets)
            for event in self._socket.events():
                found += self._take(event)
        except ProtocolError as error:
            raise BadAnswerError(f"{self._place}: no WebSocket: {error}") from None
        return found

    def ping(self) -> None:
        """Ask for a sign of life, after a silence.

        Raises:
            UnreachableError: the last pings had none.
        """
        if self._silent_pings >= MAX_SILENT_PINGS:
            raise UnreachableError(
                f"{self._place}: no sign of life after {self._silent_pings} pings"
            )
        self._silent_pings += 1
        if self.ready:
            self._request(Kind.PING, Ping(nonce=self._sequence + 1))

    def close(self) -> None:
        """Say goodbye, if there is somebody to say it to."""
        if self.ready:
            self._send(CloseConnection(code=CloseReason.NORMAL_CLOSURE))
            self.ready = False

    def _take(self, event: SocketEvent) -> list[Event]:
        match event:
            case AcceptConnection():
                self._begin()
            case BytesMessage(data=data, message_finished=finished):
                return self._gather(data, finished=finished)
            case TextMessage():
                raise BadAnswerError(f"{self._place}: a binary message expected")
            case SocketPing():
                self._send(event.response())
            case RejectConnection(status_code=status):
                raise UnreachableError(
                    f"{self._place}: no WebSocket is opened: status {status}"
                )
            case CloseConnection(code=code, reason=reason):
                self.ready = False
                raise UnreachableError(
                    f"{self._place}: closed with {code} {reason or ''}".rstrip()
                )
            case _:
                pass
        return []

    def _begin(self) -> None:
        """Introduce ourselves, and say what is wanted."""
        wanted = self._wanted
        hello = ChainHello(api_list=[int(kind) for kind in wanted.kinds])
        self._request(Kind.HELLO, hello)
        if wanted.addresses:
            self._request(Kind.SUBSCRIBE, ChainSubscribeTx(address=wanted.addresses))
        if wanted.contract:
            logs = TlogSubscribeRequest(address=wanted.contract, topics=wanted.topics)
            self._request(Kind.CONTRACT_LOG, logs)
        if wanted.dropped:
            dropped = TxSubscribeRequest(status=TxSubscribeRequest.DROP_QUEUE)
            self._request(Kind.SUBSCRIBE_ALL, dropped)

    def _gather(self, data: bytes | bytearray, *, finished: bool) -> list[Event]:
        self._message += data
        if len(self._message) > self._max_octets:
            raise BadAnswerError(
                f"{self._place}: a message of over {len(self._message)} octets"
            )
        if not finished:
            return []
        message = _read(WsMessage, bytes(self._message), self._place)
        self._message.clear()
        return self._answer(message) if not message.request else self._push(message)

    def _answer(self, message: WsMessage) -> list[Event]:
        """Take the reply to something of ours."""
        match message.type:
            case Kind.HELLO:
                self.status = _read(ChainStatus, message.data, self._place)
                self._answered()
            case Kind.SUBSCRIBE:
                response = _read(ChainResponse, message.data, self._place)
                if response.error_code:
                    raise AnsweredError(response.error_code, response.error_desc)
                self._answered()
            case Kind.CONTRACT_LOG | Kind.SUBSCRIBE_ALL if message.data:
                # The notes do not say whether these pushes are marked as requests.
                return self._push(message)
            case _:
                pass
        return []

    def _answered(self) -> None:
        self._unanswered = max(0, self._unanswered - 1)
        self.ready = self._unanswered == 0

    def _push(self, message: WsMessage) -> list[Event]:
        if message.type == Kind.PING:
            nonce = _read(Ping, message.data, self._place).nonce
            self._reply(message, Pong(nonce=nonce))
            return []
        made = _EVENTS.get(message.type)
        return [made(message.data, self._place)] if made else []

    def _request(self, kind: Kind, content: Message) -> None:
        self._sequence += 1
        self._put(kind, content, self._sequence, request=True)

    def _reply(self, message: WsMessage, content: Message) -> None:
        self._put(message.type, content, message.sequence, request=False)

    def _put(
        self, kind: int, content: Message, sequence: int, *, request: bool
    ) -> None:
        message = WsMessage(
            type=kind,
            request=request,
            sequence=sequence,
            data=content.SerializeToString(),
        )
        self._send(BytesMessage(data=message.SerializeToString()))

    def _send(self, event: SocketEvent) -> None:
        self._outgoing += self._socket.send(event)


def _read(kind: type[M], octets: bytes, place: str) -> M:
    try:
        return kind.FromString(octets)
    except DecodeError:
        raise BadAnswerError(
            f"{place}: a {kind.DESCRIPTOR.name} expected, got {octets[:40]!r}"
        ) from None


Reader = Callable[[bytes, str], Event]


def _event(event: Callable[[M], Event], kind: type[M]) -> Reader:
    return lambda octets, place: event(_read(kind, octets, place))


_EVENTS: Final[Mapping[int, Reader]] = {
    Kind.TRANSACTION_STATUS: _event(TransactionStatus, ChainTxStatus),
    Kind.BLOCK_HEADER: _event(BlockClosed, LedgerHeader),
    Kind.CONTRACT_LOG: _event(ContractLogs, TlogSubscribeResponse),
    Kind.BLOCK_TRANSACTIONS: _event(BlockTransactions, LedgerTxs),
    Kind.TRANSACTION: _event(TransactionApplied, TransactionEnvStore),
    Kind.SUBSCRIBE_ALL: _event(TransactionSeen, TxSubscribeResponse),
}
