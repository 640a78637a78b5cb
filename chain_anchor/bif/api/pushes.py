"""What a block sends to those who listen, in the node's order (bif notes §3.2, §3.3).

    16  the header
    20  each transaction, followed by those that it triggered
    18  the header with all transactions and their results
    17  the logs of a contract, to those who want them
    21  the hash of each transaction, to those who want them
    11  what became of a transaction, to those who submitted it

A block is read once, and each message serialised once, whoever gets it. That 17, 21
and 11 come last is emulator convention.
"""

from collections.abc import Iterable, Iterator
from enum import IntEnum
from functools import cached_property
from typing import NamedTuple

from chain_anchor.bif import blocks, recording
from chain_anchor.bif.chain_pb2 import Operation, Transaction, TransactionEnvStore
from chain_anchor.bif.ledger import ClosedBlock
from chain_anchor.bif.overlay_pb2 import (
    ChainTxStatus,
    LedgerTxs,
    Tlog,
    TlogSubscribeResponse,
    TransactionEnvResult,
    TxSubscribeRequest,
    TxSubscribeResponse,
)


class Kind(IntEnum):
    """Types of messages on the WebSocket."""

    PING = 1
    HELLO = 10
    TX_STATUS = 11
    SUBMIT = 15
    LEDGER_HEADER = 16
    CONTRACT_LOG = 17
    LEDGER_TXS = 18
    SUBSCRIBE_TX = 19
    TX_ENV_STORE = 20
    SUBSCRIBE_TXS = 21


class Push(NamedTuple):
    """A message that nobody asked for just now."""

    kind: Kind
    data: bytes


class Applied(NamedTuple):
    """A transaction of a block."""

    hash: bytes
    stored: TransactionEnvStore
    addresses: frozenset[str]
    """Who takes part: sources, and who is created or paid."""

    push: Push


class Logged(NamedTuple):
    """What a LOG operation says."""

    address: str
    """Its source; a contract's, if a contract made it."""

    topic: str
    datas: tuple[str, ...]


class Pushes:
    """What one block has for listeners."""

    def __init__(self, block: ClosedBlock) -> None:
        self._block = block

    @cached_property
    def header(self) -> Push:
        """The block's header."""
        return Push(Kind.LEDGER_HEADER, self._block.header.SerializeToString())

    @cached_property
    def applied(self) -> tuple[Applied, ...]:
        """The block's transactions in order, each followed by what it triggered."""
        return tuple(_applied(entry.stored) for entry in self._block.applied)

    @cached_property
    def transactions(self) -> Push:
        """The block with all its transactions."""
        header = self._block.header
        message = LedgerTxs(
            header=header,
            txs=[_result(entry) for entry in self.applied],
            ledger_length=blocks.ledger_length(header),
        )
        return Push(Kind.LEDGER_TXS, message.SerializeToString())

    @cached_property
    def logged(self) -> tuple[Logged, ...]:
        """What was logged by transactions that did not fail, in order."""
        return tuple(
            found
            for entry in self.applied
            if not entry.stored.error_code
            for found in _logged(entry.stored.transaction_env.transaction)
        )

    @property
    def close_time(self) -> int:
        """When the block was closed: microseconds."""
        return self._block.header.close_time

    def logs(self, address: str, topics: frozenset[str]) -> Push | None:
        """Give what a contract logged on some topics, or on any if there are none."""
        tlogs = [
            Tlog(topic=entry.topic, tlog=entry.datas, timestamp=self.close_time)
            for entry in self.logged
            if entry.address == address and (not topics or entry.topic in topics)
        ]
        if not tlogs:
            return None
        message = TlogSubscribeResponse(address=address, tlogs=tlogs)
        return Push(Kind.CONTRACT_LOG, message.SerializeToString())

    @cached_property
    def hashes(self) -> tuple[Push, ...]:
        """The hash of each transaction."""
        status = TxSubscribeRequest.SUCCESS
        return tuple(
            seen(entry.hash, status, self.close_time) for entry in self.applied
        )

    def statuses(self, submitted: Iterable[bytes]) -> Iterator[tuple[bytes, Push]]:
        """Tell what became of transactions, for those that are in the block."""
        wanted = frozenset(submitted)
        if wanted:
            for entry in self.applied:
                if entry.hash in wanted:
                    yield entry.hash, _status(entry.stored)


def seen(digest: bytes, status: TxSubscribeRequest.Status, time: int) -> Push:
    """Tell that a transaction was applied, or dropped from those that wait."""
    message = TxSubscribeResponse(tx_hash=digest, status=status, timestamp=time)
    return Push(Kind.SUBSCRIBE_TXS, message.SerializeToString())


def status(
    content: Transaction,
    digest: bytes,
    state: ChainTxStatus.TxStatus,
    error: tuple[int, str],
    time: int,
) -> Push:
    """Tell what became of a transaction before it is in a block."""
    code, text = error
    message = ChainTxStatus(
        status=state,
        tx_hash=digest.hex(),
        source_address=content.source_address,
        source_account_seq=content.nonce,
        error_code=code,
        error_desc=text,
        timestamp=time,
    )
    return Push(Kind.TX_STATUS, message.SerializeToString())


def _status(stored: TransactionEnvStore) -> Push:
    content = stored.transaction_env.transaction
    failed = bool(stored.error_code)
    message = ChainTxStatus(
        status=ChainTxStatus.APPLY_FAILURE if failed else ChainTxStatus.COMPLETE,
        tx_hash=stored.hash.hex(),
        source_address=content.source_address,
        source_account_seq=content.nonce,
        ledger_seq=stored.ledger_seq,
        new_account_seq=content.nonce,
        error_code=stored.error_code,
        error_desc=stored.error_desc,
        timestamp=stored.close_time,
    )
    return Push(Kind.TX_STATUS, message.SerializeToString())


def _applied(octets: bytes) -> Applied:
    stored = recording.read(octets).message
    content = stored.transaction_env.transaction
    addresses = frozenset(filter(None, _addresses(content)))
    # The octets as they are stored: the envelope in them is the one that came.
    return Applied(stored.hash, stored, addresses, Push(Kind.TX_ENV_STORE, octets))


def _addresses(content: Transaction) -> Iterator[str]:
    yield content.source_address
    for operation in content.operations:
        yield operation.source_address
        yield operation.create_account.dest_address
        yield operation.pay_coin.dest_address


def _logged(content: Transaction) -> Iterator[Logged]:
    for operation in content.operations:
        if operation.type == Operation.LOG:
            source = operation.source_address or content.source_address
            yield Logged(source, operation.log.topic, tuple(operation.log.datas))


def _result(entry: Applied) -> TransactionEnvResult:
    stored = entry.stored
    return TransactionEnvResult(
        tran_env=stored.transaction_env,
        tx_hash=entry.hash.hex(),
        error_code=stored.error_code,
        error_desc=stored.error_desc,
        ledger_seq=stored.ledger_seq,
        close_time=stored.close_time,
        actual_fee=stored.actual_fee,
        contract_tx_hashes=stored.contract_tx_hashes,
    )
