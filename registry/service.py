"""The only writer of a registry: group commit.

    queue ─▶ open group: evaluated in slices ─▶ group in flight ─▶ durable ─▶ told
                 against what the one in flight will have written

Changes that arrive while a transaction is on its way to the disk share the next one:
they are evaluated in order meanwhile (`registry.evaluation`), a slice in each turn of
the loop, as if what is in flight had been written. A group is written as one batch by a
worker thread, and everyone in it is told only after the disk has it, those who broke a
rule too: what they ran into must be durable. A change that breaks a rule fails alone.

After an error that is not simply a full disk, nothing is written any more until
the node restarts: what the kernel kept of a failed sync is unknown. Reading goes
on. All methods belong to the event loop's thread.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Executor

from registry.change import Change, Receipt
from registry.errors import (
    BusyError,
    DiskFullError,
    HiddenRecordError,
    MapFullError,
    ReadOnlyError,
    RegistryError,
    StoreError,
    UnconfirmedError,
)
from registry.evaluation import Evaluation
from registry.model.record import Record
from registry.store.ahead import Ahead
from registry.store.interface import Batch, Reader, Sealer, Store

MAX_GROUP = 1024
"""Changes in one transaction. Measured with a log over random names: 14 000/s in groups
of 256, 18 000/s in groups of 1024, as fewer pages are written twice."""

MAX_SLICE = 256
"""Changes evaluated in one turn of the loop; more would make readers wait."""

MAX_PENDING = 16_384
"""Changes that may wait; the next one is refused as busy."""

Follower = Callable[[Batch], None]
"""Told what a group wrote after it is durable and before it is acknowledged."""

Done = Callable[[Receipt | None, Exception | None], None]
"""Told a receipt once it is durable, or why there is none."""

_Waiting = tuple[Change, Done]

_Outcome = tuple[Change, Done, Receipt | None, Exception | None]


class _Group:
    """Changes on their way to one transaction."""

    __slots__ = ("batch", "evaluation", "outcomes")

    def __init__(self, evaluation: Evaluation) -> None:
        self.evaluation = evaluation
        self.outcomes: list[_Outcome] = []
        self.batch = evaluation.batch

    def apply(self, taken: Iterable[_Waiting]) -> None:
        apply, outcomes = self.evaluation.apply, self.outcomes
        for change, done in taken:
            receipt, failure = None, None
            try:
                receipt = apply(change)
            except Exception as error:  # noqa: BLE001 (told to who asked)
                failure = error
            outcomes.append((change, done, receipt, failure))

    def close(self) -> bool:
        """Take no more; tells whether there is anything to write."""
        self.batch = self.evaluation.batch
        return bool(self.batch.made)


class Registry:
    """Records of one node and the queue of changes to them."""

    def __init__(
        self,
        store: Store,
        executor: Executor,
        clock: Callable[[], float] = time.time,  # noqa: TID251 (injected, not called)
        sealer: Sealer | None = None,
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._executor = executor
        self._clock = clock
        self._pending: deque[_Waiting] = deque()
        self._open: _Group | None = None
        self._flying: _Group | None = None
        self._scheduled = False
        self._idle: asyncio.Future[None] | None = None
        self._followers: list[Follower] = []
        self._ask_at_once = False
        """Ask about each record that is not found: once damage has hidden one."""

        self.confirm: Callable[[], Awaitable[object]] | None = None
        """What a durable group waits for before it is acknowledged, if anything."""

        self.stopped: StoreError | None = None
        """Why nothing is written any more, once that is so."""

        self.refused = 0
        """Changes turned away because the queue was full."""

        self.groups = 0
        """Transactions committed."""

    @property
    def store(self) -> Store:
        """The engine, for reading."""
        return self._store

    @property
    def store_is_read_only(self) -> bool:
        """Whether the store was opened for reading only."""
        return self._store.read_only

    def follow(self, follower: Follower) -> None:
        """Call `follower` with what each durable group wrote."""
        self._followers.append(follower)

    def get(self, name: bytes) -> Record | None:
        """Read a record by canonical name."""
        return self._store.get(name)

    async def submit(self, change: Change) -> Receipt:
        """Make a change; returns once it is on disk.

        Cancelling the wait does not undo the change.

        Raises:
            RegistryError: It breaks a rule, or the store failed; nothing of it
                was written.
        """
        return await self.enqueue(change)

    def enqueue(self, change: Change) -> "asyncio.Future[Receipt]":
        """Queue a change and give the future of its receipt.

        Raises:
            BusyError: `MAX_PENDING` changes wait already.
            ReadOnlyError: Writing has stopped.
        """
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self.enqueue_calling(change, lambda *outcome: _settle(future, *outcome))
        return future

    def enqueue_calling(self, change: Change, done: Done) -> None:
        """Queue a change and call `done` with its receipt, or with its error.

        Raises:
            BusyError: `MAX_PENDING` changes wait already.
            ReadOnlyError: Writing has stopped.
        """
        if self.stopped is not None:
            raise _stopped(self.stopped)
        if len(self._pending) >= MAX_PENDING:
            self.refused += 1
            message = f"{MAX_PENDING} changes wait already, try again"
            raise BusyError(message)
        self._pending.append((change, done))
        # At the end of this turn of the loop, so that whatever else arrived in the
        # same read shares the transaction.
        if not self._scheduled:
            self._schedule()

    async def drain(self) -> None:
        """Wait until nothing is queued or on its way."""
        while self._scheduled or self._flying or self._pending:
            if self._idle is None:
                self._idle = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._idle)

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._take)

    def _take(self) -> None:
        """Evaluate a slice of what waits, and write it if nothing is being written."""
        self._scheduled = False
        taken = self._slice()
        try:
            if taken:
                self._evaluate(taken)
        except Exception as error:  # noqa: BLE001 (told to who asked)
            # The snapshot itself cannot be read.
            for _, done in taken:
                _tell(done, None, error)
        if self._flying is None:
            self._launch()
        if self._pending and self._room():
            self._schedule()

    def _room(self) -> int:
        return MAX_GROUP - (len(self._open.outcomes) if self._open is not None else 0)

    def _slice(self) -> list[_Waiting]:
        size = min(MAX_SLICE, self._room(), len(self._pending))
        return [self._pending.popleft() for _ in range(size)]

    def _evaluate(self, taken: Iterable[_Waiting]) -> None:
        # Each slice has a view of its own: a longer one would be in the store's way.
        with self._store.snapshot() as snapshot:
            view: Reader = snapshot
            if self._flying is not None:
                view = Ahead(snapshot, self._flying.batch)
            if self._open is None:
                now, ask_at_once = self._clock(), self._ask_at_once
                self._open = _Group(Evaluation(view, now, ask_at_once=ask_at_once))
            else:
                self._open.evaluation.look(view)
            self._open.apply(taken)

    def _launch(self) -> None:
        """Send the open group on its way; nothing else is on it."""
        group, self._open = self._open, None
        if group is None:
            self._rest()
        elif group.close():
            self._flying = group
            self._write(group)
        else:
            _tell_all(group)
            self._rest()

    def _write(self, group: _Group) -> None:
        loop = asyncio.get_running_loop()
        try:
            written = loop.run_in_executor(
                self._executor, self._store.write, group.batch, self._sealer
            )
        except RuntimeError as error:  # it has shut down
            self._refuse(group, error)
            return
        written.add_done_callback(lambda task: self._written(task, group))

    def _written(self, task: "asyncio.Future[None]", group: _Group) -> None:
        try:
            task.result()
        except MapFullError:
            self._revert()
            self._grow(group)
        except HiddenRecordError:
            self._revert()
            self._ask_again(group)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 (told to who asked)
            self._revert()
            self._refuse(group, error)
        else:
            self._settle(group)

    def _revert(self) -> None:
        if self._sealer is not None:
            self._sealer.revert()

    def _grow(self, group: _Group) -> None:
        try:
            if self._sealer is not None:
                self._sealer.release()
            self._store.grow()
        except Exception as error:  # noqa: BLE001 (told to who asked)
            self._refuse(group, error)
        else:
            self._write(group)

    def _ask_again(self, group: _Group) -> None:
        """Evaluate a group anew, so that only who met the hidden record is refused."""
        self._ask_at_once = True
        self._reconsider()
        self._queue_again(group)
        self._go_on()

    def _settle(self, group: _Group) -> None:
        """Let everybody see a durable group, then have it confirmed or tell it."""
        self.groups += 1
        self._publish()
        for follower in self._followers:
            try:
                follower(group.batch)
            except Exception as error:  # noqa: BLE001 (handed to the loop's handler)
                # The group is durable whatever a follower makes of it.
                _report(follower, error)
        if self.confirm is not None:
            confirming = asyncio.ensure_future(self.confirm())
            confirming.add_done_callback(lambda task: self._confirmed(task, group))
        else:
            self._go_on()
            _tell_all(group)

    def _publish(self) -> None:
        if self._sealer is None:
            return
        try:
            self._sealer.publish()
        except Exception as error:  # noqa: BLE001 (handed to the loop's handler)
            # The group is durable and acknowledged, but nothing can follow it.
            self.stopped = StoreError(f"the sealed group cannot be served: {error!r}")
            _report(self._sealer, error)

    def _confirmed(self, task: "asyncio.Future[object]", group: _Group) -> None:
        self._go_on()
        try:
            task.result()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 (told to who asked)
            # The group stands; whoever asked must not take it for confirmed.
            _tell_all(group, UnconfirmedError(f"written, but not confirmed: {error}"))
        else:
            _tell_all(group)

    def _refuse(self, group: _Group, error: BaseException) -> None:
        if not isinstance(error, RegistryError):
            error = StoreError(f"the registry cannot write: {error!r}")
        if isinstance(error, StoreError) and not isinstance(error, DiskFullError):
            self.stopped = error
        self._reconsider()
        self._go_on()
        _tell_all(group, error)

    def _reconsider(self) -> None:
        """Queue the open group again: it was evaluated on what was not written."""
        group, self._open = self._open, None
        if group is not None:
            self._queue_again(group)

    def _queue_again(self, group: _Group) -> None:
        again = [(change, done) for change, done, _, _ in group.outcomes]
        self._pending.extendleft(reversed(again))

    def _go_on(self) -> None:
        self._flying = None
        if self.stopped is not None:
            self._reconsider()
            waiting, error = list(self._pending), _stopped(self.stopped)
            self._pending.clear()
            for _, done in waiting:
                _tell(done, None, error)
        self._launch()
        if self._pending:
            self._schedule()

    def _rest(self) -> None:
        idle = self._idle
        if idle is not None and not self._pending:
            self._idle = None
            if not idle.done():
                idle.set_result(None)


def _stopped(reason: StoreError) -> ReadOnlyError:
    return ReadOnlyError(f"writing has stopped until restart: {reason}")


def _tell_all(group: _Group, failure: Exception | None = None) -> None:
    """Tell everyone in a group; with a failure nobody gets a receipt."""
    for _, done, receipt, error in group.outcomes:
        if failure is not None and error is None:
            _tell(done, None, failure)
        else:
            _tell(done, receipt, error)


def _tell(done: Done, receipt: Receipt | None, error: Exception | None) -> None:
    try:
        done(receipt, error)
    except Exception as failure:  # noqa: BLE001 (handed to the loop's handler)
        # The others of the group, and whoever comes later, must not wait for it.
        _report(done, failure)


def _report(called: object, error: Exception) -> None:
    context = {"message": f"{called!r} has failed", "exception": error}
    asyncio.get_running_loop().call_exception_handler(context)


def _settle(
    future: "asyncio.Future[Receipt]",
    receipt: Receipt | None,
    error: Exception | None,
) -> None:
    if future.done():
        return  # whoever waited has gone; the change stands all the same
    if receipt is not None:
        future.set_result(receipt)
    else:
        assert error is not None
        future.set_exception(error)
