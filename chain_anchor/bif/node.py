"""A chain that runs: one writer, who groups what waits into blocks.

    submit ─▶ checked ─▶ pool ─▶ block: all that is ready, to a bound ─▶ durable ─▶ told
                                 (a worker thread; the next group gathers meanwhile)

With automine, which is usual, a block is closed as soon as something is ready, and a
sender is answered when its block is durable. At intervals or by hand, a sender is
answered when the transaction waits; then, as on a real node, the queue does not outlast
the process. A failed write stops the chain until a restart, but for what may be read.

The methods belong to the event loop's thread; `run` and the writer have threads of
their own, each with its own view of the storage.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from chain_anchor.bif import certificates, storage
from chain_anchor.bif.account import Account
from chain_anchor.bif.admission import check_submission
from chain_anchor.bif.chain_pb2 import LedgerHeader, Operation
from chain_anchor.bif.clock import Clock, Source
from chain_anchor.bif.errors import (
    ChainStoppedError,
    ErrorCode,
    RefusedError,
    StorageError,
)
from chain_anchor.bif.execution import Chain
from chain_anchor.bif.faults import LOST, Faults
from chain_anchor.bif.genesis import Genesis, Keys
from chain_anchor.bif.keys import PrivateKey
from chain_anchor.bif.ledger import ClosedBlock, Ledger
from chain_anchor.bif.listeners import Listener, Subscription
from chain_anchor.bif.mining import Miner
from chain_anchor.bif.node_record import KEY, NodeRecord
from chain_anchor.bif.pool import Pool
from chain_anchor.bif.store import ChainStore, View
from chain_anchor.bif.transactions import SignedTransaction
from chain_anchor.bif.waiting_room import Answer, WaitingRoom

MAX_SUBMITTED: Final = 10_000
"""Transactions in one submission."""

MAX_BLOCK_TRANSACTIONS: Final = 2_000
"""Transactions of a block, so that who comes next waits a fraction of a second."""

MAX_QUESTIONS: Final = 64
_SLICE: Final = 64
"""Transactions checked in one turn of the loop."""

MAX_MINED: Final = 1000

T = TypeVar("T")


def machine_time() -> int:
    """Give the machine's time in microseconds since 1970."""
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class ChainSettings:
    """What a chain is told."""

    name: str
    directory: Path
    chain: Chain
    """For the writer; contracts are run by one thread at a time."""

    reading: Chain
    """The same for questions, with contracts of their own."""

    keys: Keys
    genesis: Genesis
    network_id: int = 1
    strict: bool = False
    source: Source | None = machine_time
    """Clock; None for one that only blocks move."""

    accounts: tuple[PrivateKey, ...] = ()
    """Keys of funded accounts, for people."""


class ChainNode:
    """One chain, running."""

    def __init__(self, settings: ChainSettings) -> None:
        self.settings = settings
        self.name = settings.name
        self.strict = settings.strict
        self.network_id = settings.network_id
        self.accounts = settings.accounts or settings.keys.funded
        self.stopped: Exception | None = None
        """Why the chain takes nothing any more, once that is so."""

        self._writing = ThreadPoolExecutor(1, thread_name_prefix="chain-write")
        self._asking = ThreadPoolExecutor(1, thread_name_prefix="chain-read")
        self._room = WaitingRoom(Pool(), self._tell_dropped)
        self._faults = Faults()
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[object]] = set()
        self._listeners: list[Listener] = []
        self._questions = 0
        self._counts = dict.fromkeys(
            ("blocks", "transactions", "refused", "dropped", "slow_readers"), 0
        )
        self._miner = Miner(self._due, self._housekeep)
        self._store: ChainStore
        self._view: View
        self._writer: Ledger
        self._ledger: Ledger
        self._clock: Clock
        self._record = NodeRecord()

    async def start(self) -> None:
        """Open the chain, or make it, and begin to close blocks.

        Raises:
            StorageError: its directory cannot be used, or has another chain.
            BlockError: it has a chain with other settings.
        """
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._writing, self._open)
            self._view = self._store.view()
        except BaseException:
            self._shut_executors()
            raise
        self._ledger = Ledger.open(self._view, self.settings.reading)
        self._clock = Clock(
            self.settings.source, self._ledger.last.close_time, self._record.clock
        )
        self._miner.start()

    async def close(self) -> None:
        """Stop; what was answered is on disk."""
        await self._miner.stop()
        async with self._turn:
            if self.stopped is None:
                self.stopped = ChainStoppedError(f"chain {self.name} is closed")
        self._room.fail(ChainStoppedError(str(self.stopped)))
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._shut_executors()
        if hasattr(self, "_view"):
            self._view.close()
            self._store.close()

    def _shut_executors(self) -> None:
        self._asking.shutdown()
        self._writing.shutdown()

    def _open(self) -> None:
        settings = self.settings
        self._store = ChainStore(settings.directory)
        try:
            if self._store.get(storage.LAST_BLOCK) is None:
                Ledger.create(self._store, settings.chain, settings.genesis)
            self._writer = Ledger.open(self._store, settings.chain)
            self._require_own(self._writer)
            self._record = NodeRecord.decode(self._store.get(KEY))
            self._store.remembering = bool(self._record.snapshots)
        except BaseException:
            self._store.close()
            raise

    def _require_own(self, found: Ledger) -> None:
        if found.validators != self.settings.genesis.validators:
            raise StorageError(
                f"{self.settings.directory}: the chain there has other validators, it "
                "was made from another seed"
            )

    # Reading.

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
        return self._ledger

    @property
    def pool(self) -> Pool:
        """The transactions that wait; not to be changed."""
        return self._room.pool

    @property
    def mining(self) -> tuple[str, int]:
        """How blocks are closed: mode, and milliseconds of the interval."""
        return self._miner.mode.value, self._miner.interval_ms

    @property
    def snapshots(self) -> Sequence[int]:
        """Numbers of the snapshots."""
        return [snapshot.number for snapshot in self._record.snapshots]

    @property
    def faults(self) -> Mapping[str, int]:
        """What will go wrong, and how many times more."""
        return self._faults.left

    def now(self) -> int:
        """Give the chain's time: microseconds since 1970."""
        return self._clock.now()

    def leader(self, seq: int) -> str:
        """Give the address of the validator that proposes a block."""
        validators = self._ledger.validators
        return validators[self._record.view(seq) % len(validators)]

    def certificate(self, seq: int) -> bytes:
        """Give the signatures of all validators under a block; the same each time.

        Raises:
            RefusedError: there is no such block (4).
        """
        header = self._ledger.header(seq)
        if header is None:
            raise RefusedError(ErrorCode.NOT_EXIST, f"block({seq}) does not exist")
        return certificates.certify(header.hash, self.settings.keys.validators)

    def proof(self, seq: int) -> bytes:
        """Give the certificate of a block."""
        return self.certificate(seq)

    def statistics(self) -> dict[str, int]:
        """Count what happened since the start, and what waits."""
        return {**self._counts, "pool": len(self.pool)}

    async def run(self, question: Callable[[Ledger], T]) -> T:
        """Ask what takes long, in a thread; the ledger it is given does not change.

        Raises:
            RefusedError: too many wait (1).
            ChainStoppedError: the chain is closed.
        """
        if self._questions >= MAX_QUESTIONS:
            raise RefusedError(
                ErrorCode.INTERNAL, f"{MAX_QUESTIONS} questions wait, try again"
            )
        self._questions += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._asking, self._ask, question)
        except RuntimeError as error:
            if self.stopped is None:
                raise
            raise ChainStoppedError(str(self.stopped)) from error
        finally:
            self._questions -= 1

    def _ask(self, question: Callable[[Ledger], T]) -> T:
        view = self._store.view()
        try:
            return question(Ledger.open(view, self.settings.reading))
        finally:
            view.close()

    # What is kept beside the chain.

    def kept(self, start: bytes, key: bytes) -> tuple[bytes, bytes] | None:
        """Give the first kept row with a start that is not before a key."""
        return self._view.first(start, key)

    def kept_before(self, start: bytes, key: bytes) -> tuple[bytes, bytes] | None:
        """Give the last kept row with a start that is before a key."""
        return self._view.before(start, key)

    def last_kept(self, start: bytes) -> tuple[bytes, bytes] | None:
        """Give the last kept row with a start."""
        return self.kept_before(start, start + b"\xff" * 9)

    async def keep(self, rows: Mapping[bytes, bytes]) -> None:
        """Keep rows beside the chain; their keys begin with `store.NODE`."""

        async def write() -> None:
            await self._write(lambda: self._store.write(rows))
            self._view.renew()

        await self._exclusively(write)

    # Listening.

    def listen(self, listener: Listener) -> None:
        """Tell a listener from now on."""
        self._listeners.append(listener)

    def unlisten(self, listener: Listener) -> None:
        """Tell a listener no more."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def subscribe(self, limit: int = 1024) -> Subscription:
        """Queue what happens, until the queue is full."""
        subscription = Subscription(limit, self._end)
        self.listen(subscription)
        return subscription

    def _end(self, subscription: Subscription) -> None:
        self.unlisten(subscription)
        self._counts["slow_readers"] += subscription.slow

    def _tell(self, tell: Callable[[Listener], None]) -> None:
        for listener in tuple(self._listeners):
            try:
                tell(listener)
            except Exception as error:  # noqa: BLE001 (handed to the loop's handler)
                # What happened is durable, whatever a listener makes of it.
                _report(f"{listener!r} has failed", error)

    def _tell_dropped(self, dropped: SignedTransaction, refusal: RefusedError) -> None:
        self._counts["dropped"] += 1
        self._tell(lambda listener: listener.dropped(dropped, refusal))

    # Submitting.

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
        self._counts["refused"] += sum(result is not None for result in results)
        return results

    async def _admit(self, transaction: SignedTransaction) -> RefusedError | None:
        self._require_running()
        try:
            if any(
                item.create_account.HasField("contract")
                for item in _creations(transaction)
            ):
                # The engine may take its second for a script.
                await self.run(lambda ledger: check_submission(transaction, ledger))
                source = self._ledger.state(transaction.content.domain_id).account(
                    transaction.content.source_address
                )
                assert source is not None
            else:
                source = check_submission(transaction, self._ledger)
            if self._faults.take(LOST):
                return None
            self._room.add(transaction, source, self.now())
        except RefusedError as refusal:
            return refusal
        self._tell(lambda listener: listener.accepted(transaction))
        self._miner.wake()
        return None

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

    # Closing blocks.

    async def _due(self, *, empty: bool) -> None:
        """Close blocks until nothing is ready; one at least if it may be empty."""
        while self.stopped is None:
            closed = await self._exclusively(lambda: self._close_next(empty=empty))
            if not closed or empty:
                break
        self._room.release()

    def _housekeep(self) -> None:
        self._room.expire(self.now())

    async def _close_next(self, *, empty: bool) -> bool:
        chosen = self._room.ready(MAX_BLOCK_TRANSACTIONS)
        if not chosen and not empty:
            return False
        delay = self._faults.take_delay()
        if delay.seconds:
            await asyncio.sleep(delay.seconds)
        if delay.leader_crashed:
            self._record.change_view(self._ledger.last.seq + 1)
            await self._keep_record()
        await self._close_chosen(chosen)
        return True

    async def _close_chosen(self, chosen: Sequence[SignedTransaction]) -> None:
        try:
            await self._close(chosen)
        except (StorageError, ChainStoppedError):
            raise
        except Exception as error:  # noqa: BLE001 (dropped and handed to the loop)
            # A fault of ours that one of them shows must not hold up the others.
            if len(chosen) != 1:
                for transaction in chosen:
                    await self._close_chosen([transaction])
                return
            _report(f"transaction {chosen[0].hash.hex()} cannot be applied", error)
            refusal = RefusedError(ErrorCode.INTERNAL, "Internal error")
            self._room.remove(chosen[0], refusal)

    async def _close(
        self,
        chosen: Sequence[SignedTransaction],
        edits: Sequence[tuple[int, Account]] = (),
    ) -> ClosedBlock:
        """Close a block; whoever calls has the turn."""
        at = self._clock.next_close()
        block = await self._write(lambda: self._close_in_thread(chosen, at, edits))
        self._renew()
        self._clock.closed(block.header.close_time)
        self._counts["blocks"] += 1
        self._counts["transactions"] += len(block.applied)
        # Listeners hear of a block before those who sent to it, who may ask at once.
        self._tell(lambda listener: listener.closed(block))
        self._room.settle(block, chosen)
        if edits:
            self._room.recount(self._nonce_of)
        return block

    def _close_in_thread(
        self,
        chosen: Sequence[SignedTransaction],
        close_time: int,
        edits: Sequence[tuple[int, Account]],
    ) -> ClosedBlock:
        last = self._writer.last
        proof = certificates.certify(last.hash, self.settings.keys.validators)
        return self._writer.close(chosen, close_time, proof, edits)

    async def _write(self, write: Callable[[], T]) -> T:
        """Have the writer's thread do something; a failure of the disk stops us."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._writing, write)
        except StorageError as error:
            self.stopped = error
            stopped = ChainStoppedError(f"chain {self.name} takes nothing: {error}")
            self._room.fail(stopped)
            raise stopped from error

    def _renew(self) -> None:
        self._view.renew()
        self._ledger = Ledger.open(self._view, self.settings.reading)

    def _nonce_of(self, domain: int, address: str) -> int:
        account = self._ledger.state(domain).account(address)
        return account.nonce if account else 0

    async def _keep_record(self) -> None:
        self._record.clock = self._clock.keep()
        octets = self._record.encode()
        await self._write(lambda: self._store.write({KEY: octets}))
        self._store.remembering = bool(self._record.snapshots)

    async def _exclusively(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do something when nobody else writes, and to its end if the asker goes."""

        async def held() -> T:
            async with self._turn:
                self._require_running()
                return await work()

        task = asyncio.create_task(held())
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited was told

    def _require_running(self) -> None:
        if self.stopped is not None:
            raise ChainStoppedError(f"chain {self.name} takes nothing: {self.stopped}")

    # What nobody does to a real chain.

    async def mine(self, n: int = 1) -> LedgerHeader:
        """Close blocks with what is ready, empty ones too; give the last header.

        Raises:
            RefusedError: there are too many (2).
        """
        if not 1 <= n <= MAX_MINED:
            raise RefusedError(
                ErrorCode.INVALID_PARAMETER, f"n({n}) must be between 1 and {MAX_MINED}"
            )
        for _ in range(n):
            await self._exclusively(lambda: self._close_next(empty=True))
        return self._ledger.last

    async def snapshot(self) -> int:
        """Remember the state; give its number.

        Raises:
            RefusedError: there are too many (2).
        """

        async def take() -> int:
            self._record.clock = self._clock.keep()
            number = self._record.take_snapshot(self._ledger.last.seq)
            await self._keep_record()
            return number

        return await self._exclusively(take)

    async def revert(self, number: int, /) -> LedgerHeader:
        """Go back to a snapshot, which is forgotten with all later ones.

        Raises:
            RefusedError: there is none (4).
        """

        async def back() -> LedgerHeader:
            snapshot = self._record.go_back(number)
            octets = self._record.encode()
            await self._write(lambda: self._revert_in_thread(snapshot.seq, octets))
            self._store.remembering = bool(self._record.snapshots)
            self._renew()
            header = self._ledger.last
            self._clock.go_back(header.close_time, snapshot.clock)
            self._room.recount(self._nonce_of)
            self._tell(lambda listener: listener.reverted(header))
            return header

        return await self._exclusively(back)

    def _revert_in_thread(self, seq: int, octets: bytes) -> None:
        self._store.revert(seq, {KEY: octets})
        self._writer = Ledger.open(self._store, self.settings.chain)

    async def set_time(self, microseconds: int, /) -> None:
        """Set the chain's clock, which only goes forward.

        Raises:
            RefusedError: the last block is not before it (2).
        """

        async def put() -> None:
            self._clock.set(microseconds)
            await self._keep_record()

        await self._exclusively(put)

    async def advance(self, microseconds: int, /) -> None:
        """Put the chain's clock forward.

        Raises:
            RefusedError: it would go back (2).
        """
        if microseconds < 0:
            raise RefusedError(
                ErrorCode.INVALID_PARAMETER,
                f"time({microseconds}) must not be negative",
            )
        await self.set_time(self.now() + microseconds)

    async def set_mining(
        self, mode: str, interval_ms: int = 1000, *, empty: bool = False
    ) -> None:
        """Close blocks with each submission, at intervals, or only when told to.

        Raises:
            RefusedError: there is no such mode, or the interval is out of range (2).
        """
        self._miner.set(mode, interval_ms, empty=empty)
        self._room.release()

    async def set_balance(
        self, address: str, amount: int, domain: int = 0
    ) -> LedgerHeader:
        """Give an account a balance, and make it if it is missing, in a block.

        Raises:
            RefusedError: there is no such domain (170), or the amount is wrong (2).
            EncodingError: it is no address.
        """
        if not 0 <= amount < 1 << 63:
            raise RefusedError(
                ErrorCode.INVALID_PARAMETER, f"balance({amount}) must be 0 to 2**63-1"
            )
        state = self._ledger.state(domain)
        state.account(address)

        async def give() -> LedgerHeader:
            found = self._ledger.state(domain).account(address)
            account = (found or Account(address, 0))._replace(balance=amount)
            block = await self._close((), [(domain, account)])
            return block.header

        return await self._exclusively(give)

    def set_fault(self, name: str, count: int = 1, **options: int) -> None:
        """Let something go wrong the next times.

        Raises:
            RefusedError: there is no such fault, or option (2).
        """
        unknown = set(options) - {"delay_ms"}
        if unknown:
            raise RefusedError(
                ErrorCode.INVALID_PARAMETER, f"fault: no option {min(unknown)}"
            )
        self._faults.set(name, count, options.get("delay_ms"))


def _creations(transaction: SignedTransaction) -> list[Operation]:
    return [
        item
        for item in transaction.content.operations
        if item.HasField("create_account")
    ]


def _report(what: str, error: Exception) -> None:
    context = {"message": what, "exception": error}
    asyncio.get_running_loop().call_exception_handler(context)
