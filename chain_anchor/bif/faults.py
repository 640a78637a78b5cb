"""Faults that a developer lets happen (emulator convention).

late_confirmation  a block is closed `delay_ms` later; who submitted does not wait
lost_transaction   a transaction is taken, and never seen again
leader_crash       as late, and the next validator leads from then on
"""

from typing import Final, NamedTuple

from chain_anchor.bif.errors import ErrorCode, RefusedError

MAX_COUNT: Final = 1_000_000
MAX_DELAY_MS: Final = 600_000
_USUAL_DELAY_MS: Final = {"late_confirmation": 3000, "leader_crash": 1000}
LOST: Final = "lost_transaction"
LATE: Final = "late_confirmation"
CRASH: Final = "leader_crash"
NAMES: Final = (LATE, LOST, CRASH)


class Delay(NamedTuple):
    """What goes wrong with a block."""

    seconds: float
    leader_crashed: bool


class Faults:
    """What will go wrong, and how often."""

    def __init__(self) -> None:
        self.left: dict[str, int] = {}
        """How many times more, by name."""

        self._delay_ms: dict[str, int] = {}

    @property
    def delays(self) -> bool:
        """Whether the next block is late."""
        return LATE in self.left or CRASH in self.left

    def set(self, name: str, count: int, delay_ms: int | None = None) -> None:
        """Let something go wrong the next times; 0 times ends it.

        Raises:
            RefusedError: there is no such fault, or not so often or so long (2).
        """
        if name not in NAMES:
            raise _refused(f"fault({name}) must be one of {', '.join(NAMES)}")
        if not 0 <= count <= MAX_COUNT:
            raise _refused(f"count({count}) must be between 0 and {MAX_COUNT}")
        delay = _USUAL_DELAY_MS.get(name, 0) if delay_ms is None else delay_ms
        if not 0 <= delay <= MAX_DELAY_MS:
            raise _refused(f"delay_ms({delay}) must be between 0 and {MAX_DELAY_MS}")
        self._delay_ms[name] = delay
        self.left[name] = count
        if not count:
            del self.left[name]

    def take(self, name: str) -> bool:
        """Count down a fault; tell whether it happens."""
        count = self.left.get(name, 0)
        if count > 1:
            self.left[name] = count - 1
        elif count:
            del self.left[name]
        return bool(count)

    def take_delay(self) -> Delay:
        """Count down what delays a block."""
        milliseconds = 0
        happened = {name: self.take(name) for name in (LATE, CRASH)}
        for name, happens in happened.items():
            milliseconds += self._delay_ms[name] if happens else 0
        return Delay(milliseconds / 1000, happened[CRASH])


def _refused(text: str) -> RefusedError:
    return RefusedError(ErrorCode.INVALID_PARAMETER, text)
