"""Blocks of a running chain, one after the other, of what waits for them.

waiting room ─▶ block: all that is ready, to a bound ─▶ durable ─▶ listeners, senders
                (a worker thread; the next group gathers meanwhile)
"""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from typing import Final

from chain_anchor.bif.account_edits import PlacedEdit
from chain_anchor.bif.closing import Dropped
from chain_anchor.bif.errors import (
    ChainStoppedError,
    ErrorCode,
    RefusedError,
    StorageError,
    StorageFullError,
)
from chain_anchor.bif.faults import Faults
from chain_anchor.bif.kept_chain import KeptChain
from chain_anchor.bif.kept_pool import KeptPool
from chain_anchor.bif.ledger import ClosedBlock
from chain_anchor.bif.listeners import Listeners
from chain_anchor.bif.reporting import report
from chain_anchor.bif.transactions import SignedTransaction
from chain_anchor.bif.waiting_room import WaitingRoom

MAX_BLOCK_TRANSACTIONS: Final = 2_000
"""Transactions of a block, so that who comes next waits a fraction of a second."""


class Producer:
    """Closes the blocks of a chain."""

    def __init__(
        self,
        kept: KeptChain,
        room: WaitingRoom,
        keeping: KeptPool,
        listeners: Listeners,
        faults: Faults,
    ) -> None:
        self._kept = kept
        self._room = room
        self._keeping = keeping
        self._listeners = listeners
        self._faults = faults
        self._full = False

    async def close_due(self, *, empty: bool) -> None:
        """Close blocks until nothing is ready, or one that may be empty."""
        # No room: who waited was told; what must not be lost waits for the next time.
        with contextlib.suppress(StorageFullError):
            while self._kept.stopped is None:
                closed = await self.close_next(empty=empty)
                if not closed or empty:
                    break

    async def close_next(self, *, empty: bool) -> bool:
        """Close a block of what is ready; tell whether there was one to close.

        Raises:
            StorageFullError: there is no room; what was not answered for was refused.
        """
        crashed = await self._be_late(empty=empty)
        return await self._kept.exclusively(
            lambda: self._close_next(empty=empty, crashed=crashed)
        )

    def drop_expired(self) -> None:
        """Drop what has waited too long."""
        self._room.expire(self._kept.clock.now())

    async def close(
        self,
        chosen: Sequence[SignedTransaction],
        edits: Sequence[PlacedEdit] = (),
    ) -> ClosedBlock:
        """Close a block; whoever calls has the turn.

        Args:
            chosen: what is to be in it.
            edits: accounts that a developer sets.
        """
        rows = self._keeping.keys_of(chosen)
        block = await self._kept.close_block(chosen, edits, rows)
        self._full = False
        self._keeping.gone_with_block(rows.keys() - _hashes_of(block.dropped))
        # Listeners hear of a block before those who sent to it, who may ask at once.
        self._listeners.tell(lambda listener: listener.closed(block))
        self._room.settle(block, chosen)
        if edits:
            self._room.recount(self._kept.nonce_of)
        return block

    async def _be_late(self, *, empty: bool) -> bool:
        """Wait if a fault says so; tell whether a leader has crashed meanwhile."""
        if not self._faults.delays or not (empty or self._room.ready(1)):
            return False
        delay = self._faults.take_delay()
        if delay.seconds:
            await asyncio.sleep(delay.seconds)
        return delay.leader_crashed

    async def _close_next(self, *, empty: bool, crashed: bool) -> bool:
        chosen = self._room.ready(MAX_BLOCK_TRANSACTIONS)
        if not chosen and not empty:
            # Now: who comes while we return is to wait for a block of its own.
            self._room.release()
            return False
        if crashed:
            self._kept.record.change_view(self._kept.ledger.last.seq + 1)
            await self._kept.write_record()
        await self._close_chosen(chosen)
        return True

    async def _close_chosen(self, chosen: Sequence[SignedTransaction]) -> None:
        try:
            await self.close(chosen)
        except StorageFullError as error:
            self._refuse(chosen, error)
            raise
        except (StorageError, ChainStoppedError):
            raise
        except Exception as error:  # noqa: BLE001 (dropped and handed to the loop)
            # A fault of ours that one of them shows must not hold up the others.
            if len(chosen) != 1:
                for transaction in chosen:
                    await self._close_chosen([transaction])
                return
            report(f"transaction {chosen[0].hash.hex()} cannot be applied", error)
            refusal = RefusedError(ErrorCode.INTERNAL, "Internal error")
            self._room.remove(chosen[0], refusal)

    def _refuse(
        self, chosen: Iterable[SignedTransaction], error: StorageFullError
    ) -> None:
        """Drop what could not be written and was not answered for; report it once."""
        if not self._full:
            report(f"chain {self._kept.settings.name} closes no block", error)
        self._full = True
        for transaction in chosen:
            if not self._keeping.has(transaction.hash):
                refusal = RefusedError(ErrorCode.INTERNAL, str(error))
                self._room.remove(transaction, refusal)
        self._room.release()


def _hashes_of(dropped: Iterable[Dropped]) -> set[bytes]:
    return {entry.transaction.hash for entry in dropped}
