"""The kernel that proves a key in its bucket: `chain_anchor.leaves.prove_in_bucket`."""

import numpy as np

from chain_anchor.compiled.kernels import (
    Octets,
    bit_at,
    copy,
    first_difference,
    kernel,
    part,
    word_at,
)
from chain_anchor.compiled.leaves import (
    HASH_OCTETS,
    LEAF_OCTETS,
    are_in_place,
    count_leaves,
    hash_leaves,
    middle_of,
    root_of,
)
from chain_anchor.compiled.sha256 import inner_digest


@kernel
def descend(
    value: Octets,
    place: Octets,
    key: Octets,
    path: Octets,
    siblings: Octets,
    count: int,
    root: Octets,
    digests: Octets,
    bits: np.ndarray,
    stack: Octets,
    scratch: Octets,
) -> tuple[int, int]:
    """Follow a key to a leaf of a bucket.

    Args:
        value: the bucket.
        place: its key in the table.
        key: the map key.
        path: bits of the nodes passed.
        siblings: the hashes of their other sides.
        count: how many were passed above; those in the bucket are added.
        root: gets the root that path and leaf give.
        digests: room for the hashes of the leaves.
        bits: room for `leaves.root_of`.
        stack: room for `leaves.root_of`.
        scratch: room to hash.

    Returns:
        How many nodes the whole path has, and which leaf is reached: -1 if the
        octets are no bucket.
    """
    total = count_leaves(value.size)
    prefix, depth = word_at(place, 0), int(place[8])
    if total == 0 or not are_in_place(value, HASH_OCTETS, total, prefix, depth):
        return count, -1
    hash_leaves(value, HASH_OCTETS, total, digests, scratch)
    above, start, stop = count, 0, total
    while stop - start > 1:
        first = HASH_OCTETS + LEAF_OCTETS * start
        last = HASH_OCTETS + LEAF_OCTETS * (stop - 1)
        bit = first_difference(value, first, value, last)
        middle = middle_of(value, HASH_OCTETS, start, stop, bit)
        low, high = start, middle
        if bit_at(key, 0, bit):
            start = middle
        else:
            low, high, stop = middle, stop, middle
        leaves = HASH_OCTETS + LEAF_OCTETS * low
        to = 32 * count
        root_of(
            value, leaves, high - low, digests, low, siblings, to, bits, stack, scratch
        )
        path[count] = bit
        count += 1
    _fold(key, path, siblings, above, count, digests, start, root, scratch)
    return count, start


@part
def _fold(
    key: Octets,
    path: Octets,
    siblings: Octets,
    above: int,
    count: int,
    digests: Octets,
    leaf: int,
    root: Octets,
    scratch: Octets,
) -> None:
    """Go from a leaf up to the root of its bucket."""
    copy(digests, 32 * leaf, root, 0, HASH_OCTETS)
    for n in range(count - 1, above - 1, -1):
        if bit_at(key, 0, path[n]):
            inner_digest(path[n], siblings, 32 * n, root, 0, root, 0, scratch)
        else:
            inner_digest(path[n], root, 0, siblings, 32 * n, root, 0, scratch)
