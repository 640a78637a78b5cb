"""Who is told what happens on a chain: synchronously, or through a bounded queue."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

from chain_anchor.bif.chain_pb2 import LedgerHeader
from chain_anchor.bif.errors import RefusedError
from chain_anchor.bif.ledger import ClosedBlock
from chain_anchor.bif.transactions import SignedTransaction
from chain_anchor.errors import AnchorError


class SlowReaderError(AnchorError):
    """A subscriber did not read fast enough, and is told nothing any more."""


class Listener(Protocol):
    """Is told on the loop's thread, after what happened is durable; it never waits."""

    def closed(self, block: ClosedBlock) -> None:
        """Take a block that was closed."""

    def accepted(self, transaction: SignedTransaction) -> None:
        """Take a transaction that waits from now on."""

    def dropped(self, transaction: SignedTransaction, refusal: RefusedError) -> None:
        """Take a transaction that waited, and will be in no block."""

    def reverted(self, header: LedgerHeader) -> None:
        """Take what is the last block after a developer went back."""


class DroppedTransaction(NamedTuple):
    """A transaction that will be in no block."""

    transaction: SignedTransaction
    refusal: RefusedError


Event = ClosedBlock | SignedTransaction | DroppedTransaction | LedgerHeader
"""A closed block, an accepted or a dropped transaction, or a header reverted to."""


class Subscription:
    """A listener that queues what happens, at most `limit` events."""

    def __init__(self, limit: int, end: Callable[["Subscription"], None]) -> None:
        self._limit = limit
        self._end = end
        self._events: deque[Event] = deque()
        self._came = asyncio.Event()
        self._slow = False

    async def next(self) -> Event:
        """Wait for the next event.

        Raises:
            SlowReaderError: it was read too slowly; what was queued came before.
        """
        while not self._events:
            if self._slow:
                raise SlowReaderError(f"more than {self._limit} events were waiting")
            self._came.clear()
            await self._came.wait()
        return self._events.popleft()

    def close(self) -> None:
        """Be told nothing any more."""
        self._end(self)

    def closed(self, block: ClosedBlock) -> None:
        """Queue a block."""
        self._add(block)

    def accepted(self, transaction: SignedTransaction) -> None:
        """Queue a transaction."""
        self._add(transaction)

    def dropped(self, transaction: SignedTransaction, refusal: RefusedError) -> None:
        """Queue a dropped transaction."""
        self._add(DroppedTransaction(transaction, refusal))

    def reverted(self, header: LedgerHeader) -> None:
        """Queue a header."""
        self._add(header)

    @property
    def slow(self) -> bool:
        """Whether it was given up."""
        return self._slow

    def _add(self, event: Event) -> None:
        if len(self._events) >= self._limit:
            self._slow = True
            self._end(self)
        else:
            self._events.append(event)
        self._came.set()
