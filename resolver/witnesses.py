"""The witnesses of a node: asked all at once to cosign, quickly or not at all.

A checkpoint goes to every witness with the consistency proof from the size that it had
last. A witness that has another size says so and is asked once more from there; one
that does not answer in time, refuses, or is still busy with an earlier checkpoint is
missing, and it is counted and said why. As soon as enough have cosigned, the caller
goes on; the others finish within the same deadline, and stay up to date for the next.

The protocol itself is in `chain_anchor.witnessing`.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import NamedTuple

from chain_anchor.checkpoint import Checkpoint, parse_checkpoint
from chain_anchor.errors import AnchorError, NoteError, WitnessError
from chain_anchor.note import COSIGNATURE, Note, Signature, VerifierKey
from chain_anchor.witnessing import (
    ADD_CHECKPOINT,
    AddCheckpoint,
    ConflictError,
    RefusedError,
    Witnessed,
    checkpoint_path,
    read_cosignature,
    read_witnessed,
)
from registry.errors import RegistryError
from resolver.client.web import WebClient
from resolver.errors import ResolverError, SetupError

MAX_WITNESSES = 32
"""As many as C2SP tlog-policy asks for."""

TIMEOUT_SECONDS = 5.0
"""For a cosignature, which costs a witness a sync; with one second, a loaded machine of
two cores missed quorums that were only late (emulator convention)."""

Ask = Callable[[], Awaitable[Signature]]
"""Asks a witness for a cosignature."""

Consistency = Callable[[int], Sequence[bytes]]
"""Gives the consistency path from an old size to the checkpoint's."""

MAX_PENDING = 2
"""Checkpoints of one log that one witness is asked at once: the first look at what has
grown and a registration's may meet; a witness that is slow gets no queue."""

_ADDRESS = re.compile(r"(.+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+)@(https?://.+)")


class AheadError(WitnessError):
    """A witness has seen more of the log than there is: the log has gone back."""


class WitnessAddress(NamedTuple):
    """A witness: its key, and where it is."""

    key: VerifierKey
    url: str
    """Submission and monitoring prefix."""

    @classmethod
    def parse(cls, text: str) -> "WitnessAddress":
        """Read `VKEY@URL`.

        Raises:
            SetupError: It is not one.
        """
        found = _ADDRESS.fullmatch(text)
        hint = "idis witness prints it"
        if found is None:
            raise SetupError(f"witness {text!r:.199}: VKEY@URL expected", hint)
        try:
            key = VerifierKey.parse(found[1])
        except NoteError as error:
            raise SetupError(f"witness {text!r:.199}: {error}", hint) from error
        if key.algorithm != COSIGNATURE:
            message = f"witness {key.name}: the key of a witness expected, not of a log"
            raise SetupError(message, hint)
        return cls(key, found[2])


class Latest(NamedTuple):
    """What the witnesses have seen of a log."""

    witnessed: tuple[Witnessed, ...]
    """The last checkpoint of each that has one, verified."""

    missing: dict[str, str]
    """Who could not be asked, by name, and why."""


class Watcher:
    """One witness, as the node sees it."""

    def __init__(self, address: WitnessAddress) -> None:
        self.key, self.url = address
        self.cosigned = 0
        self.missing: Counter[str] = Counter()
        """How often it was missing: by `busy`, `timeout`, `refused`, `ahead`, `failed`."""

        self.reason = ""
        """Why it was missing the last time."""

        self.pending = 0
        """Checkpoints that it is being asked, or that wait for that."""

        self.turn = asyncio.Lock()
        self._web = WebClient(address.url)
        self._sizes: dict[str, int] = {}

    async def cosign(
        self, text: str, note: bytes, checkpoint: Checkpoint, consistency: Consistency
    ) -> Signature:
        """Ask for a cosignature, and once more where the witness has another size.

        Raises:
            ResolverError: It cannot be reached.
            AnchorError: It refuses, or what it says does not hold.
        """
        size = self._sizes.get(checkpoint.origin, 0)
        if size > checkpoint.size:
            size = 0  # no proof leads back: let it say again what it has
        try:
            try:
                found = await self._add(text, note, size, consistency)
            except ConflictError as conflict:
                _check_ahead(conflict.size, checkpoint)
                found = await self._add(text, note, conflict.size, consistency)
        except ConflictError as conflict:
            self._sizes[checkpoint.origin] = conflict.size
            raise
        self._sizes[checkpoint.origin] = checkpoint.size
        return found

    async def latest(
        self, origin: str, log_keys: Sequence[VerifierKey]
    ) -> Witnessed | None:
        """Ask for the last checkpoint it has; None when it has none.

        Raises:
            ResolverError: It cannot be reached.
            WitnessError: Its answer is not what was asked for.
        """
        answer = await self._web.get(checkpoint_path(origin))
        return read_witnessed(answer.status, answer.body, origin, log_keys, self.key)

    async def close(self) -> None:
        """End the connection."""
        await self._web.close()

    def miss(self, kind: str, reason: str) -> None:
        """Note that it is missing."""
        self.missing[kind] += 1
        self.reason = reason

    async def _add(
        self, text: str, note: bytes, old_size: int, consistency: Consistency
    ) -> Signature:
        proof = tuple(consistency(old_size)) if old_size else ()
        body = AddCheckpoint(old_size, proof, note).encode()
        answer = await self._web.post(ADD_CHECKPOINT, body)
        return read_cosignature(*answer, text, self.key)


class Witnesses:
    """The witnesses that one node asks, and how many of them must cosign."""

    def __init__(
        self,
        witnesses: Sequence[WitnessAddress],
        quorum: int,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        """Take witnesses; nothing is asked yet.

        Raises:
            SetupError: There are too many, one is there twice, or the quorum is more
                than there are.
        """
        count = len(witnesses)
        if len({address.key.public for address in witnesses}) < count:
            raise SetupError("witnesses: two have the same key", "name each one once")
        if count > MAX_WITNESSES:
            message = f"witnesses: at most {MAX_WITNESSES}, got {count}"
            raise SetupError(message, "leave some out")
        if not 0 <= quorum <= count:
            message = f"witness quorum: 0 to {count} expected, got {quorum}"
            raise SetupError(message, "each --witness VKEY@URL counts as one")
        self.quorum = quorum
        self.watchers = tuple(map(Watcher, witnesses))
        self.timeout_seconds = timeout_seconds
        self._tasks: set[asyncio.Task[Signature | None]] = set()

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        """The keys of all witnesses, for `cosignature.check_quorum`."""
        return tuple(watcher.key for watcher in self.watchers)

    async def cosign(self, note: bytes, consistency: Consistency) -> list[Signature]:
        """Have a checkpoint cosigned.

        It returns as soon as the quorum is there; with a quorum of 0, when every
        witness has answered or had its time. One call at a time for each log.

        Args:
            note: the checkpoint, signed by the log.
            consistency: gives the path from a smaller size, 1 or more, to its own; if
                it cannot now, the witness that needs it is missing.

        Returns:
            Cosignatures, each verified, in the order of the witnesses.

        Raises:
            WitnessError: The quorum was not reached within the time.
        """
        text = Note.parse(note).text
        checkpoint = parse_checkpoint(text)
        tasks = [
            self._start(
                watcher,
                partial(watcher.cosign, text, note, checkpoint, consistency),
            )
            for watcher in self.watchers
            if not _is_busy(watcher)
        ]
        await self._wait(tasks)
        found = [task.result() for task in tasks if task.done()]
        signatures = [signature for signature in found if signature is not None]
        if len(signatures) < self.quorum:
            raise self._too_few(checkpoint, signatures)
        return signatures

    async def latest(self, origin: str, log_keys: Sequence[VerifierKey]) -> Latest:
        """Ask all witnesses for the last checkpoint they have of a log.

        Compare each with the log by `chain_anchor.continuity.check_continuity`.

        Args:
            origin: the log.
            log_keys: the keys by which it may have signed.
        """
        asked = [
            self._ask_latest(watcher, origin, log_keys) for watcher in self.watchers
        ]
        answers = await asyncio.gather(*asked)
        missing = {
            watcher.key.name: answer
            for watcher, answer in zip(self.watchers, answers, strict=True)
            if isinstance(answer, str)
        }
        return Latest(tuple(a for a in answers if isinstance(a, Witnessed)), missing)

    async def close(self) -> None:
        """Ask nothing more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for watcher in self.watchers:
            await watcher.close()

    def _start(self, watcher: Watcher, ask: Ask) -> asyncio.Task[Signature | None]:
        watcher.pending += 1
        task = asyncio.create_task(self._answer(watcher, ask))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _answer(self, watcher: Watcher, ask: Ask) -> Signature | None:
        """Wait for one witness; None when it is missing."""
        try:
            async with asyncio.timeout(self.timeout_seconds), watcher.turn:
                signature = await ask()
        except TimeoutError:
            watcher.miss("timeout", f"no answer in {self.timeout_seconds} s")
            return None
        except RefusedError as error:
            watcher.miss("refused", str(error))
            return None
        except AheadError as error:
            watcher.miss("ahead", str(error))
            return None
        except (AnchorError, RegistryError, ResolverError) as error:
            watcher.miss("failed", str(error))
            return None
        finally:
            watcher.pending -= 1
        watcher.cosigned += 1
        watcher.reason = ""
        return signature

    async def _wait(self, tasks: Sequence[asyncio.Task[Signature | None]]) -> None:
        """Wait until enough have cosigned, or all have answered or had their time."""
        waiting = set(tasks)
        while waiting:
            _, waiting = await asyncio.wait(
                waiting, return_when=asyncio.FIRST_COMPLETED
            )
            found = sum(1 for task in tasks if task.done() and task.result())
            if 0 < self.quorum <= found:
                return

    async def _ask_latest(
        self, watcher: Watcher, origin: str, log_keys: Sequence[VerifierKey]
    ) -> Witnessed | str | None:
        """Ask one witness; text says why it is missing."""
        try:
            async with asyncio.timeout(self.timeout_seconds):
                return await watcher.latest(origin, log_keys)
        except TimeoutError:
            return f"no answer in {self.timeout_seconds} s"
        except (AnchorError, ResolverError) as error:
            return str(error)

    def _too_few(
        self, checkpoint: Checkpoint, signatures: Sequence[Signature]
    ) -> WitnessError:
        present = {signature.name for signature in signatures}
        reasons = "; ".join(
            f"{watcher.key.name}: {watcher.reason}"
            for watcher in self.watchers
            if watcher.key.name not in present
        )
        return WitnessError(
            f"{checkpoint.origin} at size {checkpoint.size}: cosignatures of "
            f"{self.quorum} of {len(self.watchers)} witnesses expected, "
            f"got {len(signatures)}; {reasons}"
        )


def _is_busy(watcher: Watcher) -> bool:
    """Tell whether a witness has enough to answer already; then it is missing."""
    busy = watcher.pending >= MAX_PENDING
    if busy:
        watcher.miss("busy", "still busy with earlier checkpoints")
    return busy


def _check_ahead(size: int, checkpoint: Checkpoint) -> None:
    if size > checkpoint.size:
        raise AheadError(
            f"it has cosigned {size} entries of this log, which now has "
            f"{checkpoint.size}: an older copy of it?"
        )
