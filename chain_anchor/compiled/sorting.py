"""Sort keys that lie in octets, with those that are the same in the order they came."""

import numpy as np

from chain_anchor.compiled.kernels import Octets, compare, part


@part
def sort_keys(
    octets: Octets,
    start: int,
    step: int,
    count: int,
    order: np.ndarray,
    spare: np.ndarray,
) -> None:
    """Give in `order` the numbers of 32-octet keys, sorted by key.

    Key n stands at `start + step * n`. Merges runs of two, four, eight and so on.
    """
    for n in range(count):
        order[n] = n
    width = 1
    while width < count:
        for low in range(0, count, 2 * width):
            middle = min(low + width, count)
            high = min(low + 2 * width, count)
            _merge(octets, start, step, order, spare, low, middle, high)
        for n in range(count):
            order[n] = spare[n]
        width *= 2


@part
def _merge(
    octets: Octets,
    start: int,
    step: int,
    order: np.ndarray,
    spare: np.ndarray,
    low: int,
    middle: int,
    high: int,
) -> None:
    left, right = low, middle
    for n in range(low, high):
        first = left < middle
        if first and right < high:
            one, other = start + step * order[left], start + step * order[right]
            first = compare(octets, one, octets, other) <= 0
        if first:
            spare[n] = order[left]
            left += 1
        else:
            spare[n] = order[right]
            right += 1
