"""The highest rate at which a condition still holds, by bisection. Pure.

The condition is "99 of 100 answers within the limit, none missing". What a machine
carries is not known beforehand, so the search starts from a guess, a closed loop's
rate, and looks on both sides of it.
"""

import math
from dataclasses import dataclass

_FIRST = 0.9
_UP = 1.2
_DOWN = 0.6


@dataclass(slots=True)
class RateSearch:
    """Gives the next rate to try until it knows enough.

    `precision` is the width at which it stops, as a share of the guess.
    """

    guess: float
    probes: int
    precision: float = 0.03
    held: float = 0.0
    """Highest rate that held so far."""

    broke: float = math.inf
    """Lowest rate that did not."""

    tried: int = 0

    @property
    def done(self) -> bool:
        """Whether another probe would tell nothing worth its time."""
        wide = self.broke - self.held > self.precision * self.guess
        return self.tried >= self.probes or not wide

    @property
    def rate(self) -> float:
        """The rate to try next."""
        if not self.tried:
            return self.guess * _FIRST
        if self.broke == math.inf:
            return self.held * _UP
        if not self.held:
            # Nothing has held yet: half way to zero is too far a step.
            return self.broke * _DOWN
        return (self.held + self.broke) / 2

    def tell(self, rate: float, *, holds: bool) -> None:
        """Take what came of a probe at `rate`."""
        self.tried += 1
        if holds:
            self.held = max(self.held, rate)
        else:
            self.broke = min(self.broke, rate)
