"""When a checkpoint is due, and when a failed attempt is tried again; pure.

Checkpoints are batched by time and by count: one a second at most, unless very many
entries wait. The first after a pause waits a moment, because the logs below are told of
one after the other.
"""

from typing import Final

INTERVAL_SECONDS: Final = 1.0
"""Between two transactions."""

GATHER_SECONDS: Final = 0.1
"""What the first entry waits for others."""

MANY_ENTRIES: Final = 50_000
"""So many are anchored at once, whenever the last transaction was."""

LOOK_SECONDS: Final = 60.0
"""Between two looks whether the chain still has what it had: it may go back."""

MAX_PAUSE_SECONDS: Final = 30.0
_FIRST_PAUSE_SECONDS: Final = 0.25
_MAX_DOUBLINGS: Final = 8


def seconds_until_due(
    entries: int, since: float, last: float, now: float
) -> float | None:
    """Say how long the next checkpoint must wait; None while there is nothing new.

    Args:
        entries: Entries of the log that no checkpoint on the chain covers.
        since: When the first of them came, in seconds of any clock.
        last: When the last transaction was sent, by the same clock.
        now: By the same clock.
    """
    if entries <= 0:
        return None
    if entries >= MANY_ENTRIES:
        return 0.0
    due = max(since + GATHER_SECONDS, last + INTERVAL_SECONDS)
    return max(0.0, due - now)


def seconds_until_look(looked: float | None, now: float) -> float:
    """Say when the chain is to be looked at: at once if it was not, None, looked at."""
    return 0.0 if looked is None else max(0.0, looked + LOOK_SECONDS - now)


def pause_after(failures: int, chance: float) -> float:
    """Give the seconds to wait after so many failures in a row, from 1 on.

    Args:
        failures: How many.
        chance: 0 to 1: spreads those who failed at the same time.
    """
    doublings = min(failures - 1, _MAX_DOUBLINGS)
    longest: float = min(MAX_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**doublings)
    return longest * (1 + chance) / 2
