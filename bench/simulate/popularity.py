"""Zipf popularity over up to billions of identifiers, and what caches make of it.

Ranks are kept one by one up to a few thousand and in ever wider bins beyond, so that
1.9 billion identifiers are a few hundred numbers; within a bin popularity hardly
changes. Formulas: the number of different items among Q draws; a cache that keeps each
answer for its TTL; a cache of limited size, by its characteristic time (Che and others,
2002), which holds well for LRU under Zipf.
"""

from dataclasses import dataclass

import numpy as np

_SINGLE = 4096
_BINS_PER_OCTAVE = 64


@dataclass(frozen=True, slots=True)
class Popularity:
    """How often each of `count` identifiers is asked for, of all questions."""

    count: int
    exponent: float
    sizes: np.ndarray
    """Identifiers in each bin."""

    shares: np.ndarray
    """Share of all questions of ONE identifier of each bin."""

    @property
    def weights(self) -> np.ndarray:
        """Share of all questions of each whole bin."""
        weights: np.ndarray = self.sizes * self.shares
        return weights

    def different(self, questions: float) -> float:
        """Expect how many different identifiers `questions` draws hit."""
        # 1 - (1 - p)^Q, by logarithms: p is tiny.
        missed = np.exp(questions * np.log1p(-np.minimum(self.shares, 1 - 1e-12)))
        return float(np.sum(self.sizes * (1 - missed)))

    def hit_rate_from_empty(self, questions: float) -> float:
        """Expect the share of hits among the first questions to an empty cache."""
        return 1 - self.different(questions) / questions

    def hit_rate_after(self, questions: float) -> float:
        """Expect the chance that the next question hits, after so many."""
        missed = np.exp(questions * np.log1p(-np.minimum(self.shares, 1 - 1e-12)))
        return float(1 - np.sum(self.weights * missed))

    def hit_rate(
        self, per_second: float, ttl_seconds: float, entries: float | None = None
    ) -> float:
        """Expect the share of hits in the long run.

        An answer is kept for its TTL from when it was fetched, however often it is
        used; with `entries`, not longer than an LRU cache of that size keeps it.
        """
        kept = ttl_seconds
        if entries is not None and entries < self.count:
            kept = min(kept, self.characteristic_seconds(per_second, entries))
        asked = self.shares * per_second * kept
        hits = asked / (1 + asked)
        if entries is not None and kept < ttl_seconds:
            # LRU renews the time with each use.
            hits = 1 - np.exp(-asked)
        return float(np.sum(self.weights * hits))

    def hit_rate_in_turn(
        self, per_second: float, ttl_seconds: float, entries: float
    ) -> float:
        """Expect the share of hits when the oldest entry gives way, used or not."""
        low, high = 0.0, ttl_seconds
        for _ in range(80):
            middle = (low + high) / 2
            if self.entries_used(per_second, middle) < entries:
                low = middle
            else:
                high = middle
        return self.hit_rate(per_second, high)

    def entries_used(self, per_second: float, ttl_seconds: float) -> float:
        """Expect how many answers a cache of unlimited size holds at a time."""
        asked = self.shares * per_second * ttl_seconds
        return float(np.sum(self.sizes * asked / (1 + asked)))

    def characteristic_seconds(self, per_second: float, entries: float) -> float:
        """Find how long an LRU cache of that size keeps what is not asked again."""
        low, high = 0.0, 1.0
        while self._held(per_second, high) < entries and high < 1e15:
            high *= 4
        for _ in range(80):
            middle = (low + high) / 2
            if self._held(per_second, middle) < entries:
                low = middle
            else:
                high = middle
        return high

    def _held(self, per_second: float, seconds: float) -> float:
        return float(
            np.sum(self.sizes * -np.expm1(-self.shares * per_second * seconds))
        )


def zipf(count: int, exponent: float) -> Popularity:
    """Make the popularity of `count` identifiers."""
    edges = _edges(count)
    low, high = edges[:-1], edges[1:]
    sizes = (high - low).astype(np.float64)
    # The mean of x^-s over a bin of ranks, by the midpoint rule of Euler-Maclaurin.
    weights = np.where(
        sizes == 1, low**-exponent, _integral(low - 0.5, high - 0.5, exponent) / sizes
    )
    return Popularity(count, exponent, sizes, weights / np.sum(weights * sizes))


def _edges(count: int) -> np.ndarray:
    """Give bounds of bins of ranks, from 1 to count + 1."""
    single = np.arange(1, min(_SINGLE, count) + 1, dtype=np.float64)
    if count <= _SINGLE:
        return np.append(single, count + 1.0)
    octaves = np.log2((count + 1) / _SINGLE)
    steps = int(octaves * _BINS_PER_OCTAVE) + 2
    wide = np.round(np.geomspace(_SINGLE, count + 1, steps))[1:]
    return np.unique(np.concatenate((single, wide)))


def _integral(low: np.ndarray, high: np.ndarray, exponent: float) -> np.ndarray:
    power = 1 - exponent
    found: np.ndarray = (
        np.log(high / low) if power == 0 else (high**power - low**power) / power
    )
    return found
