"""Blocks of a running chain, one after the other, of what waits for them.

waiting room ─▶ block: all that is ready, to a bound ─▶ durable ─▶ listeners, senders
                (a worker thread; the next group gathers meanwhile)
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from chain_anchor.bif.account_edits import PlacedEdit
from chain_anchor.bif.errors import (
    ChainStoppedError,
    ErrorCode,
    RefusedError,
    StorageError,
)
from chain_anchor.bif.faults import Faults
from chain_anchor.bif.kept_chain import KeptChain
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
        self, kept: KeptChain, room: WaitingRoom, listeners: Listeners, faults: Faults
    ) -> None:
        self._kept = kept
        self._room = room
        self._listeners = listeners
        self._faults = faults

    async def close_due(self, *, empty: bool) -> None:
        """Close blocks until nothing is ready, or one that may be empty."""
        while self._kept.stopped is None:
            closed = await self.close_next(empty=empty)
            if not closed or empty:
                break
        self._room.release()

    async def close_next(self, *, empty: bool) -> bool:
        """Close a block of what is ready; tell whether there was one to close."""
        return await self._kept.exclusively(lambda: self._close_next(empty=empty))

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
        block = await self._kept.close_block(chosen, edits)
        # Listeners hear of a block before those who sent to it, who may ask at once.
        self._listeners.tell(lambda listener: listener.closed(block))
        self._room.settle(block, chosen)
        if edits:
            self._room.recount(self._kept.nonce_of)
        return block

    async def _close_next(self, *, empty: bool) -> bool:
        chosen = self._room.ready(MAX_BLOCK_TRANSACTIONS)
        if not chosen and not empty:
            return False
        delay = self._faults.take_delay()
        if delay.seconds:
            await asyncio.sleep(delay.seconds)
        if delay.leader_crashed:
            self._kept.record.change_view(self._kept.ledger.last.seq + 1)
            await self._kept.write_record()
        await self._close_chosen(chosen)
        return True

    async def _close_chosen(self, chosen: Sequence[SignedTransaction]) -> None:
        try:
            await self.close(chosen)
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
