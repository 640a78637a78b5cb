"""One client of the WebSocket, without I/O (bif notes §3).

It is given whole messages and events of the chain, and gives the messages that are to
be sent. Frames are binary and hold one `WsMessage` each:

    from the client            to the client
    1   ping                   the same type and sequence, request false
    10  hello                  what the node is; blocks are pushed from now on
    15  transaction            11: confirmed, complete, failed
    17  contract and topics    17 with each block that has any
    19  up to 100 addresses    whether they are taken; 20 is filtered from now on
    21  applied or dropped     21 for each transaction

What the client marks as a reply, and types that are not here, is passed over. What is
no WsMessage, or not what its type says, ends the connection with 1007, what cannot be
subscribed to with 1008.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar

from google.protobuf.message import DecodeError, Message

from chain_anchor.bif import addresses
from chain_anchor.bif.api.pushes import Kind, Push, Pushes, seen, status
from chain_anchor.bif.api.queries import VERSION
from chain_anchor.bif.api.served import ServedChain
from chain_anchor.bif.chain_pb2 import Transaction
from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.overlay_pb2 import (
    ChainHello,
    ChainResponse,
    ChainStatus,
    ChainSubscribeTx,
    ChainTxStatus,
    Ping,
    Pong,
    TlogSubscribeRequest,
    TxSubscribeRequest,
    WsMessage,
)
from chain_anchor.bif.transactions import SignedTransaction

M = TypeVar("M", bound=Message)

MAX_ADDRESSES: Final = 100
MAX_CONTRACTS: Final = 100
MAX_TOPICS: Final = 100
MAX_KINDS: Final = 100
MAX_FOLLOWED: Final = 1024
"""Submitted transactions whose fate is told; beyond, the oldest are forgotten."""

MONITOR_VERSION: Final = 1000
INVALID_PAYLOAD: Final = 1007
POLICY_VIOLATION: Final = 1008


class RuleError(Exception):
    """A client breaks the rules; the connection is closed.

    Args:
        code: of the close frame, RFC 6455 §7.4.1.
        reason: for people.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Reaction(NamedTuple):
    """What a message leads to."""

    messages: tuple[bytes, ...] = ()
    """To be sent."""

    envelope: bytes | None = None
    """A TransactionEnv that is to be submitted."""


@dataclass(slots=True)
class Subscriber:
    """What a client has subscribed to."""

    chain: ServedChain
    greeted: bool = False
    kinds: frozenset[int] = frozenset()
    """What the client wants to be pushed; empty for everything."""

    addresses: frozenset[str] = frozenset()
    """Whose transactions; empty for all."""

    contracts: dict[str, frozenset[str]] = field(default_factory=dict)
    """Topics by contract; empty for all."""

    hashes: set[int] = field(default_factory=set)
    """Whether hashes are wanted of what was applied, of what was dropped."""

    followed: dict[bytes, None] = field(default_factory=dict)
    sequence: int = 0

    def receive(self, octets: bytes) -> Reaction:
        """Take a message.

        Raises:
            RuleError: it breaks the rules.
        """
        message = _read(WsMessage, octets)
        if not message.request:
            return Reaction()
        match message.type:
            case Kind.PING:
                nonce = _read(Ping, message.data).nonce
                return Reaction((_reply(message, Pong(nonce=nonce)),))
            case Kind.HELLO:
                return Reaction((_reply(message, self._greet(message.data)),))
            case Kind.SUBMIT:
                return Reaction(envelope=message.data)
            case Kind.SUBSCRIBE_TX:
                answer = self._subscribe_addresses(message.data)
                return Reaction((_reply(message, answer),))
            case Kind.CONTRACT_LOG:
                self._subscribe_contract(message.data)
            case Kind.SUBSCRIBE_TXS:
                self._subscribe_hashes(message.data)
            case _:
                pass
        return Reaction()

    def follow(self, digest: bytes) -> None:
        """Tell what becomes of a transaction that is submitted now."""
        self.followed.pop(digest, None)
        self.followed[digest] = None
        if len(self.followed) > MAX_FOLLOWED:
            del self.followed[next(iter(self.followed))]

    def accepted(self, transaction: SignedTransaction) -> list[bytes]:
        """Tell that a transaction waits, if the client submitted it."""
        if transaction.hash not in self.followed:
            return []
        return [self._told(transaction, ChainTxStatus.CONFIRMED, (0, ""))]

    def submitted(
        self, transaction: SignedTransaction, refusal: RefusedError | None
    ) -> list[bytes]:
        """Tell what the chain said to a transaction of the client's.

        One that is taken was told of by `accepted`, one that waited already was not.
        """
        if refusal is None:
            return []
        if refusal.code is ErrorCode.ALREADY_EXIST:
            return self.accepted(transaction)
        self.followed.pop(transaction.hash, None)
        error = (refusal.code.value, refusal.text)
        return [self._told(transaction, ChainTxStatus.FAILURE, error)]

    def unreadable(self, refusal: RefusedError) -> list[bytes]:
        """Tell that what was submitted is no transaction."""
        error = (refusal.code.value, refusal.text)
        failure = ChainTxStatus.FAILURE
        now = self.chain.now()
        return [self._pushed(status(Transaction(), b"", failure, error, now))]

    def dropped(
        self, transaction: SignedTransaction, refusal: RefusedError
    ) -> list[bytes]:
        """Tell that a transaction does not wait any more, and is in no block."""
        found = (
            self.submitted(transaction, refusal) if self._follows(transaction) else []
        )
        if TxSubscribeRequest.DROP_QUEUE in self.hashes:
            drop, now = TxSubscribeRequest.DROP_QUEUE, self.chain.now()
            found.append(self._pushed(seen(transaction.hash, drop, now)))
        return found

    def closed(self, pushes: Pushes) -> Iterator[bytes]:
        """Tell of a block, in the node's order."""
        if self._wants(Kind.LEDGER_HEADER):
            yield self._pushed(pushes.header)
        if self._wants(Kind.TX_ENV_STORE):
            for entry in pushes.applied:
                if not self.addresses or self.addresses & entry.addresses:
                    yield self._pushed(entry.push)
        if self._wants(Kind.LEDGER_TXS):
            yield self._pushed(pushes.transactions)
        for contract, topics in self.contracts.items():
            logs = pushes.logs(contract, topics)
            if logs:
                yield self._pushed(logs)
        if TxSubscribeRequest.SUCCESS in self.hashes:
            yield from map(self._pushed, pushes.hashes)
        for digest, told in pushes.statuses(self.followed):
            del self.followed[digest]
            yield self._pushed(told)

    def _follows(self, transaction: SignedTransaction) -> bool:
        return transaction.hash in self.followed

    def _wants(self, kind: Kind) -> bool:
        return self.greeted and (not self.kinds or kind in self.kinds)

    def _greet(self, data: bytes) -> ChainStatus:
        wanted = _read(ChainHello, data).api_list
        _require(len(wanted) <= MAX_KINDS, f"at most {MAX_KINDS} kinds are taken")
        self.greeted, self.kinds = True, frozenset(wanted)
        return ChainStatus(
            self_addr=self.chain.address,
            ledger_version=self.chain.ledger.last.version,
            monitor_version=MONITOR_VERSION,
            chain_version=VERSION,
            timestamp=self.chain.now(),
            network_id=self.chain.network_id,
            chain_code=self.chain.chain_code,
            address_prefix=addresses.PREFIX,
        )

    def _subscribe_addresses(self, data: bytes) -> ChainResponse:
        wanted = _read(ChainSubscribeTx, data).address
        if len(wanted) > MAX_ADDRESSES:
            return ChainResponse(
                error_code=ErrorCode.INVALID_PARAMETER,
                error_desc=f"Subscribe size({len(wanted)}) exceed the "
                f"limit({MAX_ADDRESSES})",
            )
        wrong = next((text for text in wanted if not addresses.is_address(text)), None)
        if wrong is not None:
            return ChainResponse(
                error_code=ErrorCode.INVALID_ADDRESS,
                error_desc=f"Subscribe address({wrong:.80}) is not valid",
            )
        self.addresses = frozenset(wanted)
        return ChainResponse()

    def _subscribe_contract(self, data: bytes) -> None:
        wanted = _read(TlogSubscribeRequest, data)
        _require(addresses.is_address(wanted.address), "the address is not valid")
        _require(len(wanted.topics) <= MAX_TOPICS, f"at most {MAX_TOPICS} topics")
        self.contracts[wanted.address] = frozenset(wanted.topics)
        _require(
            len(self.contracts) <= MAX_CONTRACTS, f"at most {MAX_CONTRACTS} contracts"
        )

    def _subscribe_hashes(self, data: bytes) -> None:
        wanted = _read(TxSubscribeRequest, data).status
        known = wanted in TxSubscribeRequest.Status.values()
        _require(known, f"the status {wanted} is unknown")
        self.hashes.add(wanted)

    def _told(
        self,
        transaction: SignedTransaction,
        state: ChainTxStatus.TxStatus,
        error: tuple[int, str],
    ) -> bytes:
        content, digest = transaction.content, transaction.hash
        return self._pushed(status(content, digest, state, error, self.chain.now()))

    def _pushed(self, push: Push) -> bytes:
        self.sequence += 1
        return _message(push.kind, self.sequence, push.data, request=True)


def _read(kind: type[M], octets: bytes) -> M:
    try:
        return kind.FromString(octets)
    except DecodeError:
        name = kind.DESCRIPTOR.name
        raise RuleError(INVALID_PAYLOAD, f"a {name} expected") from None


def _require(holds: bool, reason: str) -> None:
    if not holds:
        raise RuleError(POLICY_VIOLATION, reason)


def _reply(message: WsMessage, content: Message) -> bytes:
    data = content.SerializeToString()
    return _message(message.type, message.sequence, data, request=False)


def _message(kind: int, sequence: int, data: bytes, *, request: bool) -> bytes:
    message = WsMessage(type=kind, request=request, sequence=sequence, data=data)
    return message.SerializeToString()
