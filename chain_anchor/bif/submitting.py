"""Transactions on their way into a running chain: checked, then waiting for a block.

With automine a sender is answered when the block is durable. At intervals or by hand,
and where an earlier nonce is missing, a sender is answered when the transaction waits,
and is on disk too.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from chain_anchor.bif.account import Account
from chain_anchor.bif.admission import check_submission
from chain_anchor.bif.errors import ErrorCode, RefusedError, StorageFullError
from chain_anchor.bif.faults import LOST, Faults
from chain_anchor.bif.kept_chain import KeptChain
from chain_anchor.bif.kept_pool import KeptPool
from chain_anchor.bif.listeners import Listeners
from chain_anchor.bif.mining import Miner
from chain_anchor.bif.questions import Questions
from chain_anchor.bif.transactions import SignedTransaction
from chain_anchor.bif.waiting_room import Answer, WaitingRoom

MAX_SUBMITTED: Final = 10_000
"""Transactions in one submission."""

_SLICE: Final = 64
"""Transactions checked in one turn of the loop."""


class Submissions:
    """Lets in what is sent to a chain."""

    def __init__(
        self,
        kept: KeptChain,
        questions: Questions,
        waiting: tuple[WaitingRoom, KeptPool],
        miner: Miner,
        listeners: Listeners,
        faults: Faults,
    ) -> None:
        self._kept = kept
        self._questions = questions
        self._room, self._keeping = waiting
        self._miner = miner
        self._listeners = listeners
        self._faults = faults

    async def submit(
        self, transactions: Sequence[SignedTransaction]
    ) -> list[RefusedError | None]:
        """Check transactions and let them wait; with automine, until their block.

        Args:
            transactions: at most 10 000; one that is wrong does not stop the others.

        Returns:
            For each one why it was refused, or None.

        Raises:
            RefusedError: there are too many (2).
            ChainStoppedError: the chain takes nothing any more; after a failed write
                only a restart shows whether it was written.
        """
        if len(transactions) > MAX_SUBMITTED:
            raise RefusedError(
                ErrorCode.INVALID_PARAMETER,
                f"at most {MAX_SUBMITTED} transactions expected, "
                f"got {len(transactions)}",
            )
        late = self._faults.delays
        results: list[RefusedError | None] = []
        for place, transaction in enumerate(transactions):
            if place % _SLICE == _SLICE - 1:
                await asyncio.sleep(0)
            results.append(await self._admit(transaction))
        if self._miner.automatic and not late:
            await self._wait_for(transactions, results)
        await self._keep(transactions, results)
        return results

    async def _admit(self, transaction: SignedTransaction) -> RefusedError | None:
        self._kept.require_running()
        try:
            source = await self._check(transaction)
            if self._faults.take(LOST):
                return None
            self._room.add(transaction, source, self._kept.clock.now())
        except RefusedError as refusal:
            return refusal.alone()
        self._listeners.tell(lambda listener: listener.accepted(transaction))
        self._miner.wake()
        return None

    async def _check(self, transaction: SignedTransaction) -> Account:
        """Check a transaction against the state; give its source account."""
        if not _creates_contract(transaction):
            return check_submission(transaction, self._kept.ledger)
        # The engine may take its second for a script.
        await self._questions.ask(lambda ledger: check_submission(transaction, ledger))
        content = transaction.content
        source = self._kept.ledger.state(content.domain_id).account(
            content.source_address
        )
        assert source is not None
        return source

    async def _wait_for(
        self,
        transactions: Sequence[SignedTransaction],
        results: list[RefusedError | None],
    ) -> None:
        waits: list[tuple[int, Answer]] = []
        for place, transaction in enumerate(transactions):
            # Who sends it again waits for the block too.
            answer = self._room.answer(transaction.hash)
            if answer is not None:
                waits.append((place, answer))
        self._miner.wake()
        for place, answer in waits:
            results[place] = await asyncio.shield(answer) or results[place]

    async def _keep(
        self,
        transactions: Sequence[SignedTransaction],
        results: list[RefusedError | None],
    ) -> None:
        """Have what waits on disk, also what was sent before and waits still."""
        hashes = [transaction.hash for transaction in transactions]
        try:
            await self._keeping.keep(hashes)
        except StorageFullError as error:
            refusal = RefusedError(ErrorCode.INTERNAL, str(error))
            for place, transaction in enumerate(transactions):
                waits = self._room.pool.get(transaction.hash) is not None
                if waits and not self._keeping.has(transaction.hash):
                    self._room.remove(transaction, refusal)
                    results[place] = refusal


def _creates_contract(transaction: SignedTransaction) -> bool:
    return any(
        item.HasField("create_account") and item.create_account.HasField("contract")
        for item in transaction.content.operations
    )
