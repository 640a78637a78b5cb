"""Proves what was anchored: from its transaction to a block of the main chain.

    confirmed ─▶ waiting ─▶ a header of its chain is on the main one ─▶ two hops

Everything is asked by the chains' public HTTP (`resolver.anchoring.asked_chain`). The
header of a checkpoint's block, or of one of the next, is on the main chain after half a
second; then the newest checkpoint that it covers is proved. When none has come for
`PATIENCE_SECONDS` (the main chain may be down), checkpoints are proved up to their own
chain meanwhile. A chain without certificates, as real ones are, proves nothing offline.

Nothing of this is kept: after a start the newest confirmed checkpoint is proved again.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from chain_anchor.anchors import Hop
from chain_anchor.bif.client.errors import ChainError, MissingError
from chain_anchor.bif.client.results import TransactionRecord
from chain_anchor.errors import AnchorError
from resolver.anchoring.asked_chain import AskedChain, signed_blob
from resolver.anchoring.records import Confirmed

PATIENCE_SECONDS: Final = 2.0
MAX_WAITING: Final = 16
"""Checkpoints that wait; then the oldest goes. Headers of every 8th block are on the
main chain, so more never have to."""

_LOOK_SECONDS: Final = 0.1
_RETRY_SECONDS: Final = 2.0
_MAX_LOST: Final = 8
"""Headers in a row that were sent and never arrived."""


class ChainProof(NamedTuple):
    """A checkpoint that is on a chain, and what proves it offline."""

    confirmed: Confirmed
    hops: tuple[Hop, ...]
    """None on a chain that gives no certificates."""


class _Header(NamedTuple):
    """A header that is on the main chain."""

    seq: int
    record: TransactionRecord


class ChainProofs:
    """Makes the proofs of confirmed checkpoints, one after the other."""

    def __init__(
        self, url: str, main_url: str | None, say: Callable[[str], None]
    ) -> None:
        """Take the chain of the checkpoints, and the one it is anchored in, if any."""
        self.complete: ChainProof | None = None
        """The newest that reaches as far as any can."""

        self.partial: ChainProof | None = None
        """One that ends before the main chain."""

        self._chain = AskedChain(url)
        self._main = None if main_url is None else AskedChain(main_url)
        self._say = say
        self._problem = ""
        self._waiting: deque[Confirmed] = deque(maxlen=MAX_WAITING)
        self._came = asyncio.Event()
        self._waits_since = 0.0
        self._task: asyncio.Task[None] | None = None

    def start(self, newest: Confirmed | None) -> None:
        """Begin, with what was confirmed in an earlier run."""
        if newest is not None:
            self.confirmed(newest)
        self._task = asyncio.create_task(self._work())

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._chain.close()
        if self._main is not None:
            await self._main.close()

    def confirmed(self, confirmed: Confirmed) -> None:
        """Prove a checkpoint as soon as that can be done."""
        # A later one in an earlier block: the chain went back, those before are gone.
        while self._waiting and self._waiting[-1].seq >= confirmed.seq:
            self._waiting.pop()
        if not self._waiting:
            self._waits_since = asyncio.get_running_loop().time()
        self._waiting.append(confirmed)
        self._came.set()

    @property
    def newest(self) -> ChainProof | None:
        """Tell of the newest checkpoint that is proved as far as it can be."""
        found = [each for each in (self.complete, self.partial) if each is not None]
        return max(found, key=lambda each: each.confirmed.queued.size, default=None)

    async def _work(self) -> None:
        while True:
            await self._came.wait()
            pause = _LOOK_SECONDS
            try:
                await self._prove()
            except AnchorError as error:
                self._note(str(error))
                pause = _RETRY_SECONDS
                if not isinstance(error, ChainError):
                    # What does not fit together never will; the next ones may.
                    self._waiting.popleft()
            else:
                self._note("")
            if self._waiting:
                await asyncio.sleep(pause)
            else:
                self._came.clear()

    async def _prove(self) -> None:
        """Prove the newest checkpoint that can be."""
        if self._main is None:
            await self._prove_alone(self._waiting[-1])
            return
        try:
            header = await self._header_after(self._main, self._waiting[0].seq)
        except ChainError:
            await self._prove_partly(self._waiting[-1])
            raise
        if header is not None:
            await self._prove_up_to(self._main, header)
        elif self._is_impatient:
            await self._prove_partly(self._waiting[-1])

    async def _header_after(self, main: AskedChain, seq: int) -> _Header | None:
        """Find the first header from a block on that arrived at the main chain."""
        for _ in range(_MAX_LOST):
            try:
                sent = await self._chain.anchored(seq)
            except MissingError:  # the last block's header is still on its way
                return None
            if sent is None:
                return None
            record = await main.transaction(sent.transaction)
            if record is not None:
                return _Header(sent.seq, record)
            seq = sent.seq + 1
        return None

    async def _prove_up_to(self, main: AskedChain, header: _Header) -> None:
        covered = [each for each in self._waiting if each.seq <= header.seq]
        if not covered:
            return  # others came meanwhile, more than may wait
        newest, record = covered[-1], header.record
        own = await self._chain.hop(newest.queued.transaction, newest.seq, header.seq)
        blob = signed_blob(record)
        above = await main.hop(blob, record.ledger_seq, record.ledger_seq)
        hops = () if own is None or above is None else (own, above)
        self._done(ChainProof(newest, hops))

    async def _prove_alone(self, newest: Confirmed) -> None:
        """Prove a checkpoint on a chain that is anchored in none we know of."""
        hop = await self._chain.hop(newest.queued.transaction, newest.seq, newest.seq)
        self._done(ChainProof(newest, () if hop is None else (hop,)))

    async def _prove_partly(self, newest: Confirmed) -> None:
        if self.partial is not None and self.partial.confirmed == newest:
            return
        hop = await self._chain.hop(newest.queued.transaction, newest.seq, newest.seq)
        self.partial = ChainProof(newest, () if hop is None else (hop,))

    @property
    def _is_impatient(self) -> bool:
        now = asyncio.get_running_loop().time()
        return now - self._waits_since >= PATIENCE_SECONDS

    def _done(self, proof: ChainProof) -> None:
        """Keep a proof, and let go of all that it covers."""
        self.complete, size = proof, proof.confirmed.queued.size
        if self.partial is not None and self.partial.confirmed.queued.size <= size:
            self.partial = None
        left = [each for each in self._waiting if each.queued.size > size]
        self._waiting = deque(left, MAX_WAITING)
        self._waits_since = asyncio.get_running_loop().time()

    def _note(self, problem: str) -> None:
        """Tell people when it stops working, and when it works again."""
        if problem and not self._problem:
            self._say(f"what is anchored is not proved up to the main chain: {problem}")
        elif self._problem and not problem:
            self._say("no longer: what is anchored is not proved up to the main chain")
        self._problem = problem
