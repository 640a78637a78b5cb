"""Transactions that wait for a block (bif notes §1.6, item 7; §2.6).

An account's transactions go in the order of their nonces, without gaps; those that
have a gap before them wait. Of accounts that are ready, the one whose transaction has
waited longest goes first (emulator convention). A transaction with a nonce that is
already waiting replaces the other if it offers a tenth more for gas.

The pool is bounded, and what waits too long is dropped.
"""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Final, NamedTuple

from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.rules import MAX_BLOCK_OCTETS
from chain_anchor.bif.transactions import SignedTransaction

TIMEOUT_MICROSECONDS: Final = 600 * 1_000_000
DEFAULT_CAPACITY: Final = 20_000
DEFAULT_BLOCK_TRANSACTIONS: Final = 10_000

Source = tuple[int, str]
"""Domain and address."""


class Waiting(NamedTuple):
    """A transaction that waits."""

    arrival: int
    """Counts up with each that comes."""

    incoming_time: int
    """Microseconds."""

    transaction: SignedTransaction


@dataclass(slots=True)
class Pool:
    """The transactions that wait, at most `capacity`."""

    capacity: int = DEFAULT_CAPACITY
    arrivals: int = 0
    _by_hash: dict[bytes, Waiting] = field(default_factory=dict)
    _by_source: dict[Source, dict[int, Waiting]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Count the transactions that wait."""
        return len(self._by_hash)

    def __iter__(self) -> Iterator[Waiting]:
        """List what waits, in the order it came."""
        return iter(self._by_hash.values())

    def get(self, digest: bytes) -> Waiting | None:
        """Give what waits, by the transaction's hash."""
        return self._by_hash.get(digest)

    def add(self, transaction: SignedTransaction, now: int) -> SignedTransaction | None:
        """Let a transaction wait that was checked.

        Args:
            transaction: what `check_submission` let in.
            now: microseconds.

        Returns:
            The transaction that it replaces, which is dropped.

        Raises:
            RefusedError: it already waits (3, which a node reports as success), it
                offers too little to replace another, or the pool is full (160).
        """
        if transaction.hash in self._by_hash:
            raise RefusedError(
                ErrorCode.ALREADY_EXIST,
                "Received duplicate transaction message. "
                f"Transaction hash: {transaction.hash.hex()}",
            )
        source = _source_of(transaction)
        queue = self._by_source.get(source, {})
        replaced = queue.get(transaction.content.nonce)
        if replaced is not None:
            _require_better(transaction, replaced.transaction)
            self._remove(replaced.transaction)
        elif len(self) >= self.capacity:
            raise RefusedError(
                ErrorCode.TX_INSERT_QUEUE_FAIL,
                f"Drop the transaction to insert queue because it is full: "
                f"{self.capacity} transactions wait",
            )
        self.arrivals += 1
        waiting = Waiting(self.arrivals, now, transaction)
        self._by_hash[transaction.hash] = waiting
        self._by_source.setdefault(source, {})[transaction.content.nonce] = waiting
        return replaced.transaction if replaced else None

    def ready(
        self,
        nonce_of: Callable[[int, str], int],
        most: int = DEFAULT_BLOCK_TRANSACTIONS,
    ) -> list[SignedTransaction]:
        """Choose the transactions of the next block; they go on waiting.

        Args:
            nonce_of: present nonce of an account, by domain and address.
            most: how many at most.
        """
        heap: list[tuple[int, int, Source]] = []
        for source in self._by_source:
            self._push(heap, source, nonce_of(*source) + 1)
        chosen: list[SignedTransaction] = []
        octets = 0
        while heap and len(chosen) < most:
            _, nonce, source = heapq.heappop(heap)
            transaction = self._by_source[source][nonce].transaction
            octets += len(transaction.envelope)
            if octets > MAX_BLOCK_OCTETS:
                break
            chosen.append(transaction)
            self._push(heap, source, nonce + 1)
        return chosen

    def settle(self, source: Source, nonce: int) -> list[SignedTransaction]:
        """Forget the transactions of an account up to a nonce; say which.

        Called after a block with the nonce that the account then has.
        """
        queue = self._by_source.get(source, {})
        settled = [
            queue[number].transaction for number in sorted(queue) if number <= nonce
        ]
        for transaction in settled:
            self._remove(transaction)
        return settled

    def remove(self, digest: bytes) -> SignedTransaction | None:
        """Forget a transaction; give it, or None if it did not wait."""
        waiting = self._by_hash.get(digest)
        if waiting is None:
            return None
        self._remove(waiting.transaction)
        return waiting.transaction

    def expire(self, now: int) -> list[SignedTransaction]:
        """Drop what has waited longer than 600 s; say which (error 5)."""
        last = now - TIMEOUT_MICROSECONDS
        late = [waiting.transaction for waiting in self if waiting.incoming_time < last]
        for transaction in late:
            self._remove(transaction)
        return late

    def free_nonce(self, source: Source, nonce: int) -> int:
        """Give the first nonce after one that nothing of an account waits with."""
        queue = self._by_source.get(source, {})
        return next(number for number in count(nonce + 1) if number not in queue)

    def has(self, source: Source) -> bool:
        """Tell whether an account has transactions waiting."""
        return source in self._by_source

    def sources(self) -> list[Source]:
        """List the accounts that have transactions waiting."""
        return list(self._by_source)

    def _push(
        self, heap: list[tuple[int, int, Source]], source: Source, nonce: int
    ) -> None:
        waiting = self._by_source[source].get(nonce)
        if waiting is not None:
            heapq.heappush(heap, (waiting.arrival, nonce, source))

    def _remove(self, transaction: SignedTransaction) -> None:
        source = _source_of(transaction)
        del self._by_hash[transaction.hash]
        queue = self._by_source[source]
        del queue[transaction.content.nonce]
        if not queue:
            del self._by_source[source]


def _source_of(transaction: SignedTransaction) -> Source:
    return transaction.content.domain_id, transaction.content.source_address


def _require_better(new: SignedTransaction, old: SignedTransaction) -> None:
    offered, present = new.content.gas_price, old.content.gas_price
    if offered * 10 < present * 11:
        raise RefusedError(
            ErrorCode.TX_INSERT_QUEUE_FAIL,
            "Drop the transaction to insert queue because of low fee: "
            f"gas price({offered}) < 1.1 * ({present})",
        )
