"""A chain that runs: what is asked of it, and its parts put together.

    submit ─▶ `submitting` ─▶ `waiting_room` ─▶ `producing` ─▶ `kept_chain` ─▶ `listeners`
              checked          until it is       the next       durable        told
                               ready             block

With automine, which is usual, a block is closed as soon as something is ready; `mining`
says when otherwise. `developing` has what nobody does to a real chain.

The methods belong to the event loop's thread; `run` and the writer have threads of
their own, each with its own view of the storage.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from chain_anchor.bif import certificates
from chain_anchor.bif.anchored_headers import ROW, Anchored, read_row, row_key
from chain_anchor.bif.developing import Developed
from chain_anchor.bif.errors import RefusedError
from chain_anchor.bif.ledger import Ledger
from chain_anchor.bif.listeners import Listener
from chain_anchor.bif.node_settings import ChainSettings
from chain_anchor.bif.pool import Pool
from chain_anchor.bif.questions import Questions
from chain_anchor.bif.submitting import Submissions
from chain_anchor.bif.transactions import SignedTransaction

T = TypeVar("T")


class ChainNode(Developed):
    """One chain, running."""

    def __init__(self, settings: ChainSettings) -> None:
        super().__init__(settings)
        self.settings = settings
        self.name = settings.name
        self.strict = settings.strict
        self.network_id = settings.network_id
        self.accounts = settings.accounts or settings.keys.funded
        self._questions = Questions(self._kept)
        self._submissions = Submissions(
            self._kept,
            self._questions,
            (self._room, self._keeping),
            self._miner,
            self._listeners,
            self._faults,
        )

    async def start(self) -> None:
        """Open the chain, or make it, and begin to close blocks.

        Raises:
            StorageError: its directory cannot be used, or has another chain.
            BlockError: it has a chain with other settings.
        """
        try:
            await self._kept.open()
        except BaseException:
            self._questions.close()
            raise
        try:
            await self._keeping.restore(self._room)
        except BaseException:
            await self.close()
            raise
        self._miner.start()
        self._miner.wake()

    async def close(self) -> None:
        """Stop; what was answered is on disk."""
        await self._miner.stop()
        await self._kept.stop()
        self._questions.close()
        self._kept.close()

    # Reading.

    @property
    def stopped(self) -> Exception | None:
        """Why the chain takes nothing any more, once that is so."""
        return self._kept.stopped

    @property
    def chain_code(self) -> str:
        """Code of the sub-chain, "0" on the main chain."""
        return self.settings.chain.ac or "0"

    @property
    def address(self) -> str:
        """The node's own address."""
        return self.settings.keys.validators[0].address()

    @property
    def first_account(self) -> str:
        """Address of the account that the first block gave most."""
        return self.settings.keys.first.address()

    @property
    def ledger(self) -> Ledger:
        """The chain after its last durable block, the same until somebody waits."""
        return self._kept.ledger

    @property
    def pool(self) -> Pool:
        """The transactions that wait; not to be changed."""
        return self._room.pool

    def now(self) -> int:
        """Give the chain's time: microseconds since 1970."""
        return self._kept.clock.now()

    def leader(self, seq: int) -> str:
        """Give the address of the validator that proposes a block."""
        validators = self.ledger.validators
        return validators[self._kept.record.view(seq) % len(validators)]

    def certificate(self, seq: int) -> bytes:
        """Give the certificate of a block that is there, the same each time."""
        header = self.ledger.header(seq)
        assert header is not None
        return certificates.certify(header.hash, self.settings.keys.validators)

    def anchored(self, seq: int) -> Anchored | None:
        """Give the first header from a block on that was sent to the main chain.

        Whether it arrived, only the main chain knows.
        """
        row = self.kept(ROW, row_key(seq))
        return read_row(row) if row else None

    async def run(self, question: Callable[[Ledger], T]) -> T:
        """Ask what takes long, in a thread; the ledger it is given does not change.

        Raises:
            RefusedError: too many wait (1).
            ChainStoppedError: the chain is closed.
        """
        return await self._questions.ask(question)

    # Submitting and listening.

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
        results = await self._submissions.submit(transactions)
        await self.follow()
        return results

    def listen(self, listener: Listener) -> None:
        """Tell a listener from now on."""
        self._listeners.add(listener)

    def unlisten(self, listener: Listener) -> None:
        """Tell a listener no more."""
        self._listeners.remove(listener)

    # What is kept beside the chain.

    def kept(self, start: bytes, key: bytes) -> tuple[bytes, bytes] | None:
        """Give the first kept row with a start that is not before a key."""
        return self._kept.view.first(start, key)

    def kept_before(self, start: bytes, key: bytes) -> tuple[bytes, bytes] | None:
        """Give the last kept row with a start that is before a key."""
        return self._kept.view.before(start, key)

    def last_kept(self, start: bytes) -> tuple[bytes, bytes] | None:
        """Give the last kept row with a start."""
        return self.kept_before(start, start + b"\xff" * 9)

    async def keep(self, rows: Mapping[bytes, bytes]) -> None:
        """Keep rows beside the chain; their keys begin with `store.NODE`."""
        await self._kept.exclusively(lambda: self._kept.write_rows(rows))
