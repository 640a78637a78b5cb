"""Who is asked when: sequences of numbers from 0 to a count, from a seed.

Number n is the more popular the smaller n is: with a Zipf distribution of exponent s
it is asked in proportion to 1 / (n + 1)^s. A sequence is an array, so that millions of
draws cost no objects.
"""

from functools import lru_cache
from typing import Literal

import numpy as np

from resolver.errors import SetupError

Distribution = Literal["zipf", "uniform", "each-once"]

MAX_COUNT = 20_000_000
"""Beyond, the cumulated weights of a Zipf distribution take too much memory."""


def draw(
    distribution: Distribution,
    count: int,
    length: int,
    *,
    exponent: float = 1.0,
    seed: int = 1,
) -> np.ndarray:
    """Draw a sequence of numbers below `count`.

    `each-once` gives each number at most once, in random order, and so is never longer
    than `count`.

    Raises:
        SetupError: The count is not from 1 to `MAX_COUNT`, or the exponent negative.
    """
    if not 1 <= count <= MAX_COUNT:
        message = f"{count} identifiers: 1 to {MAX_COUNT:,} expected"
        raise SetupError(message)
    dice = np.random.default_rng(seed)
    if distribution == "each-once":
        return dice.permutation(count)[:length]
    if distribution == "uniform":
        return dice.integers(0, count, length)
    if exponent < 0:
        message = f"exponent {exponent}: 0 or more expected"
        raise SetupError(message, "1.0 is the usual one; larger is more skewed")
    return np.searchsorted(_cumulated(count, exponent), dice.random(length))


@lru_cache(maxsize=2)
def _cumulated(count: int, exponent: float) -> np.ndarray:
    """Give for each number the chance that a draw is not above it."""
    weights = np.arange(1, count + 1, dtype=np.float64) ** -exponent
    sums = np.cumsum(weights)
    sums /= sums[-1]
    return sums
