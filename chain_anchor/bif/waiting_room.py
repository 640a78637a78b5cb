"""The pool of a running chain, and who waits for what is in it.

Belongs to the event loop's thread. It knows the nonce of each account that has
something waiting, so that choosing a block reads no state.
"""

import asyncio
from collections.abc import Callable, Iterable, Set as AbstractSet

from chain_anchor.bif.account import Account
from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.ledger import ClosedBlock
from chain_anchor.bif.pool import Pool, Source, Waiting
from chain_anchor.bif.transactions import SignedTransaction

Answer = asyncio.Future[RefusedError | None]
Drop = Callable[[SignedTransaction, RefusedError], None]
NonceOf = Callable[[int, str], int]


class WaitingRoom:
    """Transactions that wait for a block, and their senders."""

    def __init__(
        self, pool: Pool, dropped: Drop, left: Callable[[bytes], None]
    ) -> None:
        """Take a pool, whom to tell what is dropped, and the hash of what waits no more."""
        self.pool = pool
        self._told = dropped
        self._left = left
        self._nonces: dict[Source, int] = {}
        self._answers: dict[bytes, Answer] = {}

    def add(self, transaction: SignedTransaction, source: Account, now: int) -> None:
        """Let a transaction wait that was checked against its source account.

        Raises:
            RefusedError: as the pool says.
        """
        replaced = self.pool.add(transaction, now)
        domain = transaction.content.domain_id
        self._nonces[domain, source.address] = source.nonce
        if replaced is not None:
            text = f"Replaced by transaction({transaction.hash.hex()})"
            self._drop(replaced, RefusedError(ErrorCode.OUT_OF_TX_CACHE, text))

    def restore(self, waiting: Waiting, nonce: int) -> bool:
        """Let a transaction wait that has waited before a start; tell whether it may.

        Args:
            waiting: what was let in then; in the order in which it was.
            nonce: the present one of its account.
        """
        transaction = waiting.transaction
        self.pool.arrivals = waiting.arrival - 1
        if transaction.content.nonce <= nonce:
            return False
        try:
            self.pool.add(transaction, waiting.incoming_time)
        except RefusedError:
            return False
        self._nonces[_source(transaction)] = nonce
        return True

    def answer(self, digest: bytes) -> Answer | None:
        """Give what tells the end of a transaction's wait, or None if it waits not."""
        if self.pool.get(digest) is None:
            return None
        answer = self._answers.get(digest)
        if answer is None:
            answer = asyncio.get_running_loop().create_future()
            self._answers[digest] = answer
        return answer

    def ready(self, most: int) -> list[SignedTransaction]:
        """Choose the transactions of the next block; they go on waiting."""
        nonces = self._nonces
        return self.pool.ready(lambda *source: nonces[source], most)

    def settle(self, block: ClosedBlock, sent: Iterable[SignedTransaction]) -> None:
        """Forget what a block has decided, and tell who waited for it.

        Args:
            block: the block.
            sent: what was to be in it.
        """
        refused = {entry.transaction.hash: entry.refusal for entry in block.dropped}
        applied = [item for item in sent if item.hash not in refused]
        nonces = {_source(item): item.content.nonce for item in applied}
        self._nonces |= nonces
        hashes = {item.hash for item in applied}
        for source, nonce in nonces.items():
            self._drop_settled(source, nonce, hashes)
        for transaction, refusal in block.dropped:
            if not self._may_wait(transaction, refusal):
                self.remove(transaction, refusal)

    def remove(self, transaction: SignedTransaction, refusal: RefusedError) -> None:
        """Drop a transaction."""
        if self.pool.remove(transaction.hash) is not None:
            self._forget_idle(_source(transaction))
            self._drop(transaction, refusal)

    def expire(self, now: int) -> None:
        """Drop what has waited too long."""
        for transaction in self.pool.expire(now):
            self._forget_idle(_source(transaction))
            text = f"Transaction({transaction.hash.hex()}) timeout"
            self._drop(transaction, RefusedError(ErrorCode.TX_TIMEOUT, text))

    def release(self) -> None:
        """Tell everybody who still waits that the transaction does."""
        answers = list(self._answers.values())
        self._answers.clear()
        for answer in answers:
            _set(answer, None)

    def fail(self, error: Exception) -> None:
        """Tell everybody who waits that nobody knows."""
        answers = list(self._answers.values())
        self._answers.clear()
        for answer in answers:
            if not answer.done():
                answer.set_exception(error)

    def recount(self, nonce_of: NonceOf) -> None:
        """Look at the nonces of all accounts again: the state is another one."""
        self._nonces = {source: nonce_of(*source) for source in self.pool.sources()}
        for source, nonce in tuple(self._nonces.items()):
            self._drop_settled(source, nonce, frozenset())

    def _may_wait(self, transaction: SignedTransaction, refusal: RefusedError) -> bool:
        """Tell whether only one before it is missing: then it waits for that."""
        nonce = self._nonces.get(_source(transaction), 0)
        late = transaction.content.nonce <= nonce + 1
        return refusal.code is ErrorCode.BAD_SEQUENCE and not late

    def _drop_settled(
        self, source: Source, nonce: int, applied: AbstractSet[bytes]
    ) -> None:
        for settled in self.pool.settle(source, nonce):
            if settled.hash in applied:
                self._tell(settled, None)
            else:
                self._drop(settled, _too_late(settled, nonce))
        self._forget_idle(source)

    def _forget_idle(self, source: Source) -> None:
        if not self.pool.has(source):
            self._nonces.pop(source, None)

    def _drop(self, transaction: SignedTransaction, refusal: RefusedError) -> None:
        self._tell(transaction, refusal)
        self._told(transaction, refusal)

    def _tell(
        self, transaction: SignedTransaction, refusal: RefusedError | None
    ) -> None:
        self._left(transaction.hash)
        answer = self._answers.pop(transaction.hash, None)
        if answer is not None:
            _set(answer, refusal)


def _source(transaction: SignedTransaction) -> Source:
    return transaction.content.domain_id, transaction.content.source_address


def _set(answer: Answer, refusal: RefusedError | None) -> None:
    if not answer.done():
        answer.set_result(refusal)


def _too_late(transaction: SignedTransaction, nonce: int) -> RefusedError:
    content = transaction.content
    return RefusedError(
        ErrorCode.BAD_SEQUENCE,
        f"Transaction nonce({content.nonce}) too small, the "
        f"account({content.source_address}) nonce is ({nonce}).",
    )
