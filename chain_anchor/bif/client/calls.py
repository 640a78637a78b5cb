"""What a client of the chain does, step by step, without I/O.

Each call is a generator: it yields requests and is sent what the node answered, parsed;
or it yields a pause, in seconds. So both twins, blocking and asyncio, make the same
requests in the same order.
"""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

from chain_anchor.bif.anchored_headers import Anchored
from chain_anchor.bif.chain_pb2 import Account, KeyPair, Operation, Transaction
from chain_anchor.bif.client import requests, results, signing
from chain_anchor.bif.client.errors import AnsweredError, FailedError, TimedOutError
from chain_anchor.bif.client.requests import Request
from chain_anchor.bif.client.results import (
    BlockInfo,
    BlockProof,
    Fee,
    NodeInfo,
    Submission,
    TransactionRecord,
    WaitingTransaction,
)
from chain_anchor.bif.client.settings import ChainSettings
from chain_anchor.bif.client.signing import SignedBlob, Terms
from chain_anchor.bif.json_form import Json
from chain_anchor.bif.keys import PrivateKey

T = TypeVar("T")

MAX_PAUSE_SECONDS = 1.0
_GROWTH = 1.5
_PAGE = 1000
"""Transactions of a block asked for at once, which is what the node gives by itself."""


class Pause(NamedTuple):
    """Wait, then go on."""

    seconds: float


Steps = Generator[Request | Pause, Json, T]
"""A call under way; what it returns is the call's result."""


class Calls:
    """The calls of a client with these settings."""

    def __init__(self, settings: ChainSettings) -> None:
        self._settings = settings
        self._domain = settings.domain

    def hello(self) -> Steps[NodeInfo]:
        """Ask what the node is."""
        return results.hello((yield requests.hello()))

    def account(self, address: str) -> Steps[Account]:
        """Ask for an account."""
        return results.account((yield requests.account(address, self._domain)))

    def balance(self, address: str) -> Steps[int]:
        """Ask for the balance of an account."""
        account = yield from self.account(address)
        return account.balance

    def nonce(self, address: str) -> Steps[int]:
        """Ask for the nonce of an account."""
        account = yield from self.account(address)
        return account.nonce

    def metadata(self, address: str, key: str | None) -> Steps[dict[str, KeyPair]]:
        """Ask for one metadata of an account, or for all."""
        reply = yield requests.metadata(address, key, self._domain)
        return results.metadata(reply)

    def block(self, seq: int | None) -> Steps[BlockInfo]:
        """Ask for a block, or for the last one."""
        return results.block((yield requests.block(seq, self._domain)))

    def height(self) -> Steps[int]:
        """Ask for the number of the last block."""
        block = yield from self.block(None)
        return block.header.seq

    def transaction(self, digest: str) -> Steps[TransactionRecord | None]:
        """Ask for a transaction; None if it is in no block."""
        reply = yield requests.transaction(digest, self._domain)
        found = results.transactions(reply)
        return found[0] if found else None

    def block_proof(self, seq: int) -> Steps[BlockProof]:
        """Ask for what proves a block offline."""
        return results.block_proof((yield requests.block_proof(seq, self._domain)))

    def anchored(self, seq: int) -> Steps[Anchored | None]:
        """Ask for the first header from a block on that went to the main chain."""
        return results.anchored((yield requests.anchored(seq, self._domain)))

    def block_transactions(self, seq: int) -> Steps[tuple[TransactionRecord, ...]]:
        """Ask for all transactions of a block, page by page."""
        found: list[TransactionRecord] = []
        while True:
            reply = yield requests.block_transactions(
                seq, len(found), _PAGE, self._domain
            )
            page = results.transactions(reply)
            found += page
            if len(page) < _PAGE:
                return tuple(found)

    def pool(
        self, digest: str | None, limit: int | None
    ) -> Steps[tuple[WaitingTransaction, ...]]:
        """Ask for the transactions that wait."""
        return results.waiting((yield requests.pool(digest, limit, self._domain)))

    def pool_size(self) -> Steps[int]:
        """Ask how many transactions wait."""
        return results.pool_size((yield requests.pool_size(self._domain)))

    def query(self, contract: str, text: str, source: str) -> Steps[Json]:
        """Call the `query` of a contract."""
        reply = yield requests.query(contract, text, source, self._domain)
        return results.returned(reply)

    def evaluate(
        self, key: PrivateKey, operations: Iterable[Operation], terms: Terms
    ) -> Steps[Fee]:
        """Ask what a transaction will cost."""
        content = yield from self._content(key, operations, terms)
        return (yield from self._fee(content, (key, *terms.more_keys)))

    def prepare(
        self, key: PrivateKey, operations: Iterable[Operation], terms: Terms
    ) -> Steps[SignedBlob]:
        """Build and sign a transaction; asks for what the terms leave open."""
        content = yield from self._content(key, operations, terms)
        if terms.fee_limit is None:
            fee = yield from self._fee(content, (key, *terms.more_keys))
            content.fee_limit, content.gas_price = fee
        return signing.sign(content, key, *terms.more_keys)

    def submit(
        self, transactions: Sequence[SignedBlob]
    ) -> Steps[tuple[Submission, ...]]:
        """Submit transactions; each is taken or refused alone."""
        if not transactions:
            return ()
        reply = yield requests.submit(transactions)
        return results.submissions(reply, len(transactions))

    def wait(self, digest: str) -> Steps[TransactionRecord]:
        """Look for a transaction until it is in a block.

        Raises:
            TimedOutError: it is in none; only the pauses between looks are counted.
        """
        waited, pause = 0.0, self._settings.poll_seconds
        while True:
            record = yield from self.transaction(digest)
            if record is not None:
                return record
            if waited >= self._settings.confirm_seconds:
                raise TimedOutError(
                    f"transaction {digest} is in no block after {waited:.0f} s"
                )
            yield Pause(pause)
            waited += pause
            pause = min(pause * _GROWTH, MAX_PAUSE_SECONDS)

    def send(
        self, key: PrivateKey, operations: Iterable[Operation], terms: Terms
    ) -> Steps[TransactionRecord]:
        """Build, sign and submit a transaction, and wait until it is done.

        Raises:
            AnsweredError: the node refuses it.
            FailedError: it is on the chain, and failed.
            TimedOutError: it is in no block in time; it still may be later.
        """
        signed = yield from self.prepare(key, operations, terms)
        [answer] = yield from self.submit([signed])
        if answer.code:
            raise AnsweredError(answer.code, answer.text, answer.hint)
        record = yield from self.wait(signed.hash)
        if record.code:
            raise FailedError(record)
        return record

    def _content(
        self, key: PrivateKey, operations: Iterable[Operation], terms: Terms
    ) -> Steps[Transaction]:
        source = terms.source or key.address(self._settings.ac)
        if terms.nonce is None:
            nonce = yield from self.nonce(source)
            terms = replace(terms, nonce=nonce + 1)
        return signing.transaction(source, operations, terms, self._domain)

    def _fee(self, content: Transaction, keys: Sequence[PrivateKey]) -> Steps[Fee]:
        evaluated = results.fee((yield requests.evaluate(content, len(keys))))
        more = signing.octets_not_evaluated(keys) * evaluated.gas_price
        return evaluated._replace(fee_limit=evaluated.fee_limit + more)
