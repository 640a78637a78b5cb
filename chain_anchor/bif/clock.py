"""The clock of a chain (emulator convention).

It follows the machine's, put forward by as much as a developer wants; or it stands
still between blocks and goes on one second with each, from a fixed start. Then the same
submissions give blocks with the same octets. It never goes back behind the last block.
"""

from collections.abc import Callable
from typing import Final

from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.rules import MAX_INT64

START: Final = 1_735_689_600 * 1_000_000
"""Where a clock of its own begins: 2025-01-01 00:00 UTC."""

STEP: Final = 1_000_000

Source = Callable[[], int]
"""Microseconds since 1970 of the machine."""


class Clock:
    """The time of a chain, in microseconds since 1970."""

    def __init__(self, source: Source | None, last: int, kept: int = 0) -> None:
        """Start it.

        Args:
            source: the machine's clock; None for one that blocks move.
            last: close time of the last block.
            kept: what `keep` gave, of the same chain.
        """
        self._source = source
        self._last = last
        self._ahead = kept if source else 0
        self._at = max(START, last + STEP if last else 0, 0 if source else kept)

    def now(self) -> int:
        """Give the time."""
        return self._source() + self._ahead if self._source else self._at

    def next_close(self) -> int:
        """Give the close time of a block that is closed now."""
        return max(self.now(), self._last + 1)

    def closed(self, close_time: int) -> None:
        """Take note of a block."""
        self._last = close_time
        self._at = max(self._at, close_time + STEP)

    def set(self, time: int) -> None:
        """Set the time.

        Raises:
            RefusedError: the last block is not before it, or it is too late (2).
        """
        if not self._last < time <= MAX_INT64 // 2:
            raise RefusedError(
                ErrorCode.INVALID_PARAMETER,
                f"time({time}) must be after that of the last block({self._last}) and "
                f"at most {MAX_INT64 // 2}",
            )
        if self._source:
            self._ahead = time - self._source()
        self._at = time

    def go_back(self, last: int, kept: int) -> None:
        """Make the time what it was when `keep` gave `kept`, after another block."""
        self._last = last
        if self._source:
            self._ahead = kept
        else:
            self._at = max(START, kept)

    def keep(self) -> int:
        """Give what must be kept of it: how far ahead it is, or the time."""
        return self._ahead if self._source else self._at
