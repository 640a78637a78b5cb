"""A chain on disk while it runs: its storage, the one thread that writes, whose turn.

Whoever writes has the turn (`exclusively`) and does it to the end, whether or not the
asker still waits. What is written is durable before the loop's thread sees it in
`ledger`. A write that fails for want of room has changed nothing, and the next one is
tried; any other failure stops the chain until a restart, but for what may be read.

The methods belong to the event loop's thread; those called `..._in_thread` to the
writer's.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from chain_anchor.bif import certificates, storage
from chain_anchor.bif.account_edits import PlacedEdit
from chain_anchor.bif.chain_pb2 import LedgerHeader
from chain_anchor.bif.clock import Clock
from chain_anchor.bif.closing import Dropped
from chain_anchor.bif.errors import ChainStoppedError, StorageError, StorageFullError
from chain_anchor.bif.ledger import ClosedBlock, Ledger
from chain_anchor.bif.node_record import KEY, NodeRecord
from chain_anchor.bif.node_settings import ChainSettings
from chain_anchor.bif.store import ChainStore, View
from chain_anchor.bif.transactions import SignedTransaction

T = TypeVar("T")


class _Wanted(NamedTuple):
    """A block to be closed."""

    chosen: Sequence[SignedTransaction]
    close_time: int
    edits: Sequence[PlacedEdit]
    rows: Mapping[bytes, bytes]


class KeptChain:
    """One chain in its directory."""

    ledger: Ledger
    """The chain after its last durable block, the same until somebody waits."""

    clock: Clock
    view: View
    """What `ledger` is read from."""

    def __init__(
        self, settings: ChainSettings, stopped: Callable[[ChainStoppedError], None]
    ) -> None:
        """Take the settings, and whom to tell that the chain takes nothing more."""
        self.settings = settings
        self.record = NodeRecord()
        self.stopped: Exception | None = None
        """Why the chain takes nothing any more, once that is so."""

        self._tell_stopped = stopped
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="chain-write")
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[object]] = set()
        self._store: ChainStore
        self._writer: Ledger

    async def open(self) -> None:
        """Open the chain, or make it.

        Raises:
            StorageError: its directory cannot be used, or has another chain.
            BlockError: it has a chain with other settings.
        """
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._writing, self._open_in_thread)
            self.view = self._store.view()
        except BaseException:
            self._writing.shutdown()
            raise
        self.ledger = Ledger.open(self.view, self.settings.reading)
        self.clock = Clock(
            self.settings.source, self.ledger.last.close_time, self.record.clock
        )

    async def stop(self) -> None:
        """Take nothing any more, and wait for what is under way."""
        async with self._turn:
            if self.stopped is None:
                self.stopped = ChainStoppedError(
                    f"chain {self.settings.name} is closed"
                )
        self._tell_stopped(ChainStoppedError(str(self.stopped)))
        if self._tasks:
            await asyncio.wait(self._tasks)

    def close(self) -> None:
        """Leave the directory; nobody may write or read any more."""
        self._writing.shutdown()
        if hasattr(self, "view"):
            self.view.close()
            self._store.close()

    def open_view(self) -> View:
        """Give a view of the last durable block; whoever has it closes it."""
        return self._store.view()

    async def in_thread(self, read: Callable[[ChainStore], T]) -> T:
        """Read the storage in the writer's thread, before anybody writes."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writing, read, self._store)

    def nonce_of(self, domain: int, address: str) -> int:
        """Give the nonce of an account, 0 if there is none."""
        account = self.ledger.state(domain).account(address)
        return account.nonce if account else 0

    def require_running(self) -> None:
        """Demand that the chain still takes something.

        Raises:
            ChainStoppedError: it does not.
        """
        if self.stopped is not None:
            raise ChainStoppedError(
                f"chain {self.settings.name} takes nothing: {self.stopped}"
            )

    async def exclusively(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do something when nobody else writes, and to its end if the asker goes."""
        return await asyncio.shield(self.begin(work))

    def begin(self, work: Callable[[], Awaitable[T]]) -> "asyncio.Task[T]":
        """Begin to do something once nobody else writes."""

        async def held() -> T:
            async with self._turn:
                self.require_running()
                return await work()

        task = asyncio.create_task(held())
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited was told

    # What needs the turn.

    async def close_block(
        self,
        chosen: Sequence[SignedTransaction],
        edits: Sequence[PlacedEdit] = (),
        rows: Mapping[bytes, bytes] = MappingProxyType({}),
    ) -> ClosedBlock:
        """Close a block.

        Args:
            chosen: transactions.
            edits: accounts that a developer sets.
            rows: keys beside the chain, by the transaction whose block they go with.
        """
        wanted = _Wanted(chosen, self.clock.next_close(), edits, rows)
        block = await self._write(lambda: self._close_in_thread(wanted))
        self._renew()
        self.clock.closed(block.header.close_time)
        return block

    async def go_back(self, number: int) -> LedgerHeader:
        """Make the state that of a snapshot; give the last header.

        Raises:
            RefusedError: there is no such snapshot (4).
        """
        snapshot = self.record.go_back(number)
        octets = self.record.encode()
        await self._write(lambda: self._revert_in_thread(snapshot.seq, octets))
        self._store.remembering = bool(self.record.snapshots)
        self._renew()
        header = self.ledger.last
        self.clock.go_back(header.close_time, snapshot.clock)
        return header

    async def write_record(self) -> None:
        """Write what the node keeps beside the chain: clock, leaders, snapshots."""
        self.record.clock = self.clock.keep()
        octets = self.record.encode()
        await self._write(lambda: self._store.write({KEY: octets}))
        self._store.remembering = bool(self.record.snapshots)
        self.view.renew()

    async def write_rows(self, rows: storage.Changes) -> None:
        """Write rows beside the chain; their keys begin with `store.NODE`."""
        await self._write(lambda: self._store.write(rows))
        self.view.renew()

    # The writer's thread.

    async def _write(self, write: Callable[[], T]) -> T:
        """Have the writer's thread do something.

        Raises:
            StorageFullError: there was no room; nothing has changed.
            ChainStoppedError: it failed otherwise, and we have stopped.
        """
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._writing, write)
        except StorageFullError:
            # The record as it was written last, not as it was to be.
            self.record = NodeRecord.decode(self.view.get(KEY))
            raise
        except StorageError as error:
            self.stopped = error
            stopped = ChainStoppedError(
                f"chain {self.settings.name} takes nothing: {error}"
            )
            self._tell_stopped(stopped)
            raise stopped from error

    def _renew(self) -> None:
        self.view.renew()
        self.ledger = Ledger.open(self.view, self.settings.reading)

    def _open_in_thread(self) -> None:
        settings = self.settings
        self._store = ChainStore(settings.directory)
        try:
            if self._store.get(storage.LAST_BLOCK) is None:
                Ledger.create(self._store, settings.chain, settings.genesis)
            self._writer = Ledger.open(self._store, settings.chain)
            self._require_own(self._writer)
            self.record = NodeRecord.decode(self._store.get(KEY))
            self._store.remembering = bool(self.record.snapshots)
        except BaseException:
            self._store.close()
            raise

    def _require_own(self, found: Ledger) -> None:
        if found.validators != self.settings.genesis.validators:
            raise StorageError(
                f"{self.settings.directory}: the chain there has other validators, it "
                "was made from another seed"
            )

    def _close_in_thread(self, wanted: _Wanted) -> ClosedBlock:
        def beside(dropped: Sequence[Dropped]) -> storage.Changes:
            left = {entry.transaction.hash for entry in dropped}
            return {key: None for of, key in wanted.rows.items() if of not in left}

        last = self._writer.last
        proof = certificates.certify(last.hash, self.settings.keys.validators)
        return self._writer.close(
            wanted.chosen, wanted.close_time, proof, wanted.edits, beside
        )

    def _revert_in_thread(self, seq: int, octets: bytes) -> None:
        self._store.revert(seq, {KEY: octets})
        self._writer = Ledger.open(self._store, self.settings.chain)
