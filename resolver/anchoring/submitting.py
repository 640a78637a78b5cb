"""The task that keeps a chain told of a log's newest checkpoint.

One transaction is under way at a time. It is journaled before it is sent, and the same
octets are sent again until the chain has them or never will: then another one is signed.
A newer checkpoint is signed only after that. So nonces order checkpoints by size, and
nothing is on a chain twice that matters.

While a chain cannot be reached, checkpoints are not collected: the newest one covers
all before it, which consistency proofs show. Nobody who registers waits for any of this.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable
from pathlib import Path

from chain_anchor.errors import AnchorError
from chain_anchor.log import Head
from resolver.anchoring.journal import Journal
from resolver.anchoring.pacing import (
    pause_after,
    seconds_until_due,
    seconds_until_look,
)
from resolver.anchoring.progress import Counts, Progress, size_of
from resolver.anchoring.records import (
    Abandoned,
    AnchorChain,
    Confirmation,
    Confirmed,
    Queued,
    Record,
    Remembered,
)
from resolver.anchoring.sending import RefusedForeverError, Sender
from resolver.errors import SetupError
from resolver.sealing import Sealing

Listener = Callable[[Confirmed], None]

_TOLD_AFTER = 2
"""Failures in a row; one alone heals by itself."""


class Anchoring:
    """Follows a log and sends its checkpoints to a chain."""

    def __init__(
        self,
        sealing: Sealing,
        sender: Sender,
        directory: Path,
        say: Callable[[str], None],
        *,
        is_own: bool,
    ) -> None:
        """Take the log, who sends, and where the queue lies.

        Args:
            sealing: of the log.
            sender: belongs to this object from now on.
            directory: where the queue is kept.
            say: told, once, what does not work, and that it works again.
            is_own: whether the chain is one that runs with the network.
        """
        self.is_own = is_own
        self._sealing = sealing
        self._sender = sender
        self._directory = directory
        self._say = say
        self._journal: Journal | None = None
        self._remembered = Remembered()
        self._counts = Counts()
        self._listeners: list[Listener] = []
        self._wake = asyncio.Event()
        self._looked: float | None = None
        """When the chain was looked at; None since something went wrong."""

        self._since: float | None = None
        self._sent = float("-inf")
        self._task: asyncio.Task[None] | None = None
        self._writing: asyncio.Future[None] | None = None

    async def start(self) -> None:
        """Read the queue, and begin; a queue that cannot be read is only told."""
        try:
            self._journal = await asyncio.to_thread(Journal.open, self._directory)
        except SetupError as error:
            self._counts.problem = str(error)
            self._say(f"nothing is anchored: {_with_hint(error)}")
            return
        if self._journal.torn_octets:
            torn = f"{self._journal.torn_octets} octets of a cut-off write"
            self._say(f"{self._journal.file}: {torn} are left out")
        self._remembered = self._journal.remembered
        self._note_head(self._sealing.log.head)
        self._sealing.followers.append(self._note_head)
        self._task = asyncio.create_task(self._follow())
        self._task.add_done_callback(self._ended)

    async def close(self) -> None:
        """Stop; what is under way is sent again after the next start."""
        task, self._task = self._task, None
        if task is not None:
            self._sealing.followers.remove(self._note_head)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._sender.close()
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)
        if self._journal is not None:
            self._journal.close()

    @property
    def url(self) -> str:
        """Where the chain is."""
        return self._sender.url

    @property
    def account(self) -> str:
        """Address of the account that sends."""
        return self._sender.account

    @property
    def origin(self) -> str:
        """Name of the log."""
        return self._sender.origin

    @property
    def newest(self) -> Confirmed | None:
        """The newest checkpoint that is on the chain."""
        return self._remembered.newest

    def listen(self, listener: Listener) -> None:
        """Tell of each checkpoint that is confirmed, on the loop, once it is durable."""
        self._listeners.append(listener)

    def unlisten(self, listener: Listener) -> None:
        """Tell no more."""
        self._listeners.remove(listener)

    def progress(self) -> Progress:
        """Tell how far it is."""
        counts, newest = self._counts, self.newest
        behind = self._behind()
        since, now = self._since, asyncio.get_running_loop().time()
        return Progress(
            self.url,
            self.account,
            self.origin,
            counts.submitted,
            counts.confirmed,
            counts.abandoned,
            counts.retries,
            size_of(newest),
            newest.seq if newest is not None else 0,
            behind,
            round(now - since, 3) if behind and since is not None else 0.0,
            counts.problem,
        )

    def _behind(self) -> int:
        return max(0, self._sealing.log.head.size - size_of(self.newest))

    def _note_head(self, head: Head) -> None:
        """Take note of a published head; called for every group, so it does little."""
        if head.size <= size_of(self.newest):
            return
        if self._since is None:
            self._since = asyncio.get_running_loop().time()
            self._wake.set()
        elif self._wait_for_due() == 0:
            self._wake.set()

    def _wait_for_due(self) -> float:
        """Give the seconds until there is something to do."""
        if self._remembered.pending is not None:
            return 0.0
        now = asyncio.get_running_loop().time()
        look = seconds_until_look(self._looked, now)
        if self._since is None:
            return look
        due = seconds_until_due(self._behind(), self._since, self._sent, now)
        return look if due is None else min(look, due)

    async def _follow(self) -> None:
        while True:
            await self._until_due()
            try:
                await self._go_on()
            except (AnchorError, SetupError, OSError) as error:
                self._fail(error)
                chance = random.random()  # noqa: S311 (spreads attempts, no secret)
                await asyncio.sleep(pause_after(self._counts.failures, chance))
            else:
                self._succeed()

    async def _until_due(self) -> None:
        while (seconds := self._wait_for_due()) != 0:
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._wake.wait()

    async def _go_on(self) -> None:
        """Do what is due: look at the chain, sign a checkpoint, send it."""
        now = asyncio.get_running_loop().time()
        if seconds_until_look(self._looked, now) == 0:
            await self._look()
            self._looked = now
        pending = self._remembered.pending
        if pending is None:
            if not self._behind():
                return
            pending = await self._sign()
        self._sent = asyncio.get_running_loop().time()
        try:
            confirmed = await self._sender.send(pending)
        except RefusedForeverError as error:
            self._counts.abandoned += 1
            await self._write(Abandoned(pending.transaction.hash, str(error)))
            raise
        await self._confirm(confirmed)

    async def _look(self) -> None:
        """Make sure that it is the chain of before, and has what it had.

        Raises:
            SetupError: It is another one, or has more than the log.
            ChainError: It cannot be asked.
        """
        genesis, known = await self._sender.genesis(), self._remembered.chain
        if known is None:
            await self._write(AnchorChain(genesis, self.url))
        elif known.genesis != genesis:
            raise _other_chain(known, genesis, self.url, self._directory)
        newest = self.newest
        if newest is not None and not await self._sender.has(newest.queued):
            self._counts.abandoned += 1
            gone = f"block {newest.seq} does not have it any more"
            await self._write(Abandoned(newest.queued.transaction.hash, gone))
            self._note_head(self._sealing.log.head)
        anchored, size = await self._sender.anchored_size(), self._sealing.log.head.size
        if anchored > size:
            message = (
                f"{self.url} has a checkpoint of {anchored} entries, the log has {size}"
            )
            raise SetupError(message, "is this an older copy of the data directory?")

    async def _sign(self) -> Queued:
        head = self._sealing.log.head
        queued = await self._sender.sign(head.note, head.size)
        await self._write(queued)
        self._counts.submitted += 1
        return queued

    async def _confirm(self, confirmed: Confirmed) -> None:
        queued, seq = confirmed
        await self._write(Confirmation(queued.transaction.hash, seq))
        self._counts.confirmed += 1
        # Entries that came since have waited no longer than since it was sent.
        self._since = self._sent if self._behind() else None
        for listener in self._listeners:
            listener(confirmed)

    async def _write(self, record: Record) -> None:
        journal = self._journal
        assert journal is not None
        self._writing = asyncio.ensure_future(asyncio.to_thread(journal.write, record))
        await asyncio.shield(self._writing)
        self._remembered = journal.remembered

    def _fail(self, error: Exception) -> None:
        counts = self._counts
        self._looked = None
        counts.retries += 1
        counts.failures += 1
        counts.problem = (
            _with_hint(error)
            if isinstance(error, SetupError)
            else (str(error) or repr(error))
        )
        if counts.failures == _TOLD_AFTER:
            self._say(f"{self.origin} is not anchored: {counts.problem}")

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Tell of an error that nobody expected; without it nothing is anchored."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._counts.problem = repr(error)
            self._say(f"{self.origin} is anchored no more: {error!r}")

    def _succeed(self) -> None:
        if self._counts.failures >= _TOLD_AFTER:
            self._say(f"no longer: {self.origin} is not anchored")
        self._counts.failures, self._counts.problem = 0, ""


def _with_hint(error: SetupError) -> str:
    return f"{error}; {error.hint}" if error.hint else str(error)


def _other_chain(
    known: AnchorChain, genesis: str, url: str, directory: Path
) -> SetupError:
    message = (
        f"{url} is another chain: its first block is {genesis}, checkpoints went to "
        f"{known.genesis} at {known.url}"
    )
    hint = f"give the URL of before, or move {directory} away to begin on this chain"
    return SetupError(message, hint)
