"""Buckets and their leaves as kernels see them: the twin of `chain_anchor.leaves`."""

import numpy as np

from chain_anchor.compiled.kernels import (
    Octets,
    bit_at,
    compare,
    copy,
    first_difference,
    part,
    shared,
    word_at,
)
from chain_anchor.compiled.sha256 import (
    inner_digest,
    map_leaf_digest,
    map_leaf_digests,
)
from chain_anchor.compiled.trie import MAX_DEPTH

HASH_OCTETS = 32
LEAF_OCTETS = 81
MAX_LEAVES = 24
STACK = 258
"""Nodes that can wait for their right sides: each by a later bit than the one before."""

STACK_OCTETS = 32 * (STACK + 1)


@part
def must_split(count: int, depth: int) -> bool:
    """Tell whether so many leaves are too many for a bucket."""
    return count > MAX_LEAVES and depth < MAX_DEPTH


@part
def count_leaves(size: int) -> int:
    """Give how many leaves a bucket of so many octets has, 0 if it is none."""
    count = (size - HASH_OCTETS) // LEAF_OCTETS
    if count < 1 or count * LEAF_OCTETS + HASH_OCTETS != size:
        return 0
    return count


@part
def are_in_place(
    octets: Octets, start: int, count: int, prefix: int, depth: int
) -> bool:
    """Tell whether leaves are in order, and belong in the bucket at a place."""
    if must_split(count, depth):
        return False
    for n in range(count):
        at = start + LEAF_OCTETS * n
        if shared(word_at(octets, at), depth) != prefix:
            return False
        if n and compare(octets, at - LEAF_OCTETS, octets, at) >= 0:
            return False
    return True


@part
def hash_leaves(
    octets: Octets, start: int, count: int, digests: Octets, scratch: Octets
) -> None:
    """Hash leaves that follow each other."""
    for n in range(0, count - 1, 2):
        leaf = start + LEAF_OCTETS * n
        map_leaf_digests(octets, leaf, LEAF_OCTETS, digests, 32 * n, scratch)
    if count & 1:
        leaf = start + LEAF_OCTETS * (count - 1)
        map_leaf_digest(octets, leaf, digests, 32 * (count - 1), scratch)


@part
def root_of(
    octets: Octets,
    start: int,
    count: int,
    digests: Octets,
    first: int,
    target: Octets,
    at: int,
    bits: np.ndarray,
    stack: Octets,
    scratch: Octets,
) -> None:
    """Give the map's root over leaves, at least one, whose hashes are known.

    From left to right, like `chain_anchor.leaves.Digests.root`.

    Args:
        octets: the leaves.
        start: where the first one is.
        count: how many.
        digests: their hashes.
        first: the number of the first one's.
        target: where the root goes.
        at: the place there.
        bits: `STACK` words to remember in.
        stack: `STACK_OCTETS` to remember in.
        scratch: room to hash.
    """
    waiting = 0
    for n in range(count):
        copy(digests, 32 * (first + n), stack, 32 * waiting, 32)
        bit = -1
        if n + 1 < count:
            here = start + LEAF_OCTETS * n
            bit = first_difference(octets, here, octets, here + LEAF_OCTETS)
        while waiting and bits[waiting - 1] > bit:
            waiting -= 1
            left = 32 * waiting
            inner_digest(
                bits[waiting], stack, left, stack, left + 32, stack, left, scratch
            )
        bits[waiting] = bit
        waiting += 1
    copy(stack, 0, target, at, 32)


@part
def middle_of(octets: Octets, start: int, low: int, high: int, bit: int) -> int:
    """Find where a bit turns 1, in leaves that have the same bits before it."""
    while low < high:
        middle = (low + high) >> 1
        if bit_at(octets, start + LEAF_OCTETS * middle, bit):
            high = middle
        else:
            low = middle + 1
    return low
