"""The only writer of a registry: group commit.

Changes that arrive while a transaction is on its way to the disk wait and then
share the next one. Each group is evaluated in order against one snapshot
(`registry.change`), written as one batch by a worker thread, and acknowledged
only after the disk has it. A change that breaks a rule fails alone.

After an error that is not simply a full disk, nothing is written any more until
the node restarts: what the kernel kept of a failed sync is unknown. Reading goes
on. All methods belong to the event loop's thread.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Executor

from registry.change import Change, Evaluation, Receipt
from registry.errors import (
    BusyError,
    DiskFullError,
    MapFullError,
    ReadOnlyError,
    RegistryError,
    StoreError,
    UnconfirmedError,
)
from registry.model.record import Record
from registry.store.interface import Batch, Sealer, Store

MAX_GROUP = 256
"""Changes in one transaction; more would make readers wait for evaluation."""

MAX_PENDING = 16_384
"""Changes that may wait; the next one is refused as busy."""

Follower = Callable[[Batch], None]
"""Told what a group wrote after it is durable and before it is acknowledged."""

Done = Callable[[Receipt | None, Exception | None], None]
"""Told a receipt once it is durable, or why there is none."""

_Waiting = tuple[Change, Done]
_Evaluated = list[tuple[Receipt, Done]]


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
        self._writing: asyncio.Future[None] | None = None
        self._followers: list[Follower] = []
        self.confirm: Callable[[], Awaitable[None]] | None = None
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
        if self._writing is None:
            # At the end of this turn of the loop, so that whatever else arrived
            # in the same read shares the transaction.
            loop = asyncio.get_running_loop()
            self._writing = loop.create_future()
            loop.call_soon(self._start)

    async def drain(self) -> None:
        """Wait until nothing is queued or on its way."""
        while self._writing is not None:
            await asyncio.shield(self._writing)

    def _start(self) -> None:
        group = [
            self._pending.popleft() for _ in range(min(MAX_GROUP, len(self._pending)))
        ]
        try:
            batch, done = self._evaluate(group)
        except Exception as error:  # noqa: BLE001 (told to who asked)
            # The snapshot itself cannot be read.
            _fail_all(group, error)
            self._next()
            return
        if done:
            self._write(batch, done)
        else:
            self._next()

    def _evaluate(self, group: list[_Waiting]) -> tuple[Batch, _Evaluated]:
        evaluated = []
        with self._store.snapshot() as snapshot:
            evaluation = Evaluation(snapshot, self._clock())
            for change, done in group:
                try:
                    evaluated.append((evaluation.apply(change), done))
                except Exception as error:  # noqa: BLE001 (told to who asked)
                    _tell(done, None, error)
        return evaluation.batch, evaluated

    def _write(self, batch: Batch, done: _Evaluated) -> None:
        loop = asyncio.get_running_loop()
        try:
            written = loop.run_in_executor(
                self._executor, self._store.write, batch, self._sealer
            )
        except RuntimeError as error:  # it has shut down
            self._refuse(done, error)
            return
        written.add_done_callback(lambda task: self._written(task, batch, done))

    def _written(
        self, task: "asyncio.Future[None]", batch: Batch, done: _Evaluated
    ) -> None:
        try:
            task.result()
        except MapFullError:
            self._revert()
            self._grow(batch, done)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 (told to who asked)
            self._revert()
            self._refuse(done, error)
        else:
            self._acknowledge(batch, done)

    def _revert(self) -> None:
        if self._sealer is not None:
            self._sealer.revert()

    def _grow(self, batch: Batch, done: _Evaluated) -> None:
        try:
            if self._sealer is not None:
                self._sealer.release()
            self._store.grow()
        except Exception as error:  # noqa: BLE001 (told to who asked)
            self._refuse(done, error)
        else:
            self._write(batch, done)

    def _acknowledge(self, batch: Batch, done: _Evaluated) -> None:
        self.groups += 1
        self._publish()
        for follower in self._followers:
            try:
                follower(batch)
            except Exception as error:  # noqa: BLE001 (handed to the loop's handler)
                # The group is durable whatever a follower makes of it.
                _report(follower, error)
        if self.confirm is not None:
            confirming = asyncio.ensure_future(self.confirm())
            confirming.add_done_callback(lambda task: self._confirmed(task, done))
            return
        for receipt, asker in done:
            _tell(asker, receipt, None)
        self._next()

    def _publish(self) -> None:
        if self._sealer is None:
            return
        try:
            self._sealer.publish()
        except Exception as error:  # noqa: BLE001 (handed to the loop's handler)
            # The group is durable and acknowledged, but nothing can follow it.
            self.stopped = StoreError(f"the sealed group cannot be served: {error!r}")
            _report(self._sealer, error)

    def _confirmed(self, task: "asyncio.Future[None]", done: _Evaluated) -> None:
        try:
            task.result()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 (told to who asked)
            # The group stands; whoever asked must not take it for confirmed.
            refusal = UnconfirmedError(f"written, but not confirmed: {error}")
            _fail_all(done, refusal)
        else:
            for receipt, asker in done:
                _tell(asker, receipt, None)
        self._next()

    def _refuse(self, done: _Evaluated, error: BaseException) -> None:
        if not isinstance(error, RegistryError):
            error = StoreError(f"the registry cannot write: {error!r}")
        if isinstance(error, StoreError) and not isinstance(error, DiskFullError):
            self.stopped = error
        _fail_all(done, error)
        self._next()

    def _next(self) -> None:
        if self.stopped is not None:
            _fail_all(self._pending, _stopped(self.stopped))
            self._pending.clear()
        if self._pending:
            asyncio.get_running_loop().call_soon(self._start)
            return
        writing, self._writing = self._writing, None
        if writing is not None and not writing.done():
            writing.set_result(None)


def _stopped(reason: StoreError) -> ReadOnlyError:
    return ReadOnlyError(f"writing has stopped until restart: {reason}")


def _fail_all(waiting: Iterable[tuple[object, Done]], error: Exception) -> None:
    for _, done in waiting:
        _tell(done, None, error)


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
