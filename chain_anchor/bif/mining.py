"""When blocks are closed: at once, at intervals, or only when told to (notes §2.9)."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Final, Protocol

from chain_anchor.bif.errors import ChainStoppedError, ErrorCode, RefusedError

HOUSEKEEPING_SECONDS: Final = 5.0
MAX_INTERVAL_MS: Final = 3_600_000


class Mode(Enum):
    """When a block is closed."""

    AUTOMINE = "automine"
    INTERVAL = "interval"
    MANUAL = "manual"


class Due(Protocol):
    """Closes what is due."""

    def __call__(self, *, empty: bool) -> Awaitable[None]:
        """Close blocks until nothing is ready, or one that may be empty."""


class Miner:
    """Calls when a block is due."""

    def __init__(self, due: Due, housekeep: Callable[[], None]) -> None:
        self.mode = Mode.AUTOMINE
        self.interval_ms = 1000
        self._empty = False
        self._due = due
        self._housekeep = housekeep
        self._woken = asyncio.Event()
        self._next = 0.0
        self._task: asyncio.Task[None] | None = None

    @property
    def automatic(self) -> bool:
        """Whether a block is closed as soon as something is ready."""
        return self.mode is Mode.AUTOMINE

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._mine())

    async def stop(self) -> None:
        """End; a block that is being closed is not waited for."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def wake(self) -> None:
        """Say that something may be ready."""
        if self.automatic:
            self._woken.set()

    def set(self, mode: str, interval_ms: int, *, empty: bool) -> None:
        """Choose when blocks are closed.

        Args:
            mode: a value of `Mode`.
            interval_ms: between blocks, where the mode has them.
            empty: whether a block is closed at intervals if nothing is ready.

        Raises:
            RefusedError: there is no such mode, or the interval is out of range (2).
        """
        if mode not in {item.value for item in Mode}:
            names = ", ".join(item.value for item in Mode)
            raise RefusedError(
                ErrorCode.INVALID_PARAMETER, f"mode({mode}) must be one of {names}"
            )
        if not 1 <= interval_ms <= MAX_INTERVAL_MS:
            raise RefusedError(
                ErrorCode.INVALID_PARAMETER,
                f"interval_ms({interval_ms}) must be between 1 and {MAX_INTERVAL_MS}",
            )
        self.mode, self.interval_ms, self._empty = Mode(mode), interval_ms, empty
        self._next = asyncio.get_running_loop().time() + interval_ms / 1000
        self._woken.set()

    async def _mine(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._patience()):
                    await self._woken.wait()
            self._woken.clear()
            self._housekeep()
            # The chain tells those who wait when it has stopped.
            with contextlib.suppress(ChainStoppedError):
                await self._close_due()

    async def _close_due(self) -> None:
        if self.automatic:
            await self._due(empty=False)
        elif self.mode is Mode.INTERVAL:
            now = asyncio.get_running_loop().time()
            if now >= self._next:
                self._next = max(self._next + self.interval_ms / 1000, now)
                await self._due(empty=self._empty)

    def _patience(self) -> float:
        if self.mode is not Mode.INTERVAL:
            return HOUSEKEEPING_SECONDS
        left = self._next - asyncio.get_running_loop().time()
        return min(max(left, 0.0), HOUSEKEEPING_SECONDS)
