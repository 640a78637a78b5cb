"""The highest rate at which a condition still holds, by bisection. Pure.

The condition is "99 of 100 answers within the limit, none missing". What a machine
carries is not known beforehand, so the search starts from a guess, a closed loop's
rate, and looks on both sides of it.
"""

from dataclasses import dataclass, field

_ABOVE = 1.25
"""A closed loop never finds more than this below what an open one would."""

_FIRST = 0.9
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

    broke: float = field(default=0.0)
    """Lowest rate that did not; the guess and a quarter before any has been tried."""

    tried: int = 0

    def __post_init__(self) -> None:
        if not self.broke:
            self.broke = self.guess * _ABOVE

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
        if not self.held:
            # Nothing has held yet: half way to zero is too far a step.
            return self.broke * _DOWN
        return (self.held + self.broke) / 2

    def tell(self, rate: float, *, holds: bool) -> None:
        """Take what came of a probe at `rate`."""
        self.tried += 1
        if holds:
            self.held = max(self.held, rate)
            # A machine that was disturbed once may show more later.
            self.broke = max(self.broke, rate * (1 + self.precision))
        else:
            self.broke = min(self.broke, rate)
