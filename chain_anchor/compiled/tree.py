"""The kernel that appends leaves to the log's tree: `chain_anchor.frontier`, compiled.

On the way up it also gives the hashes that the table keeps (`chain_anchor.rows`): those
of complete subtrees of every fourth level.
"""

from collections.abc import Sequence

import numpy as np

from chain_anchor.compiled.kernels import Octets, copy, kernel
from chain_anchor.compiled.marshalling import array_of, cut_evenly
from chain_anchor.compiled.sha256 import SCRATCH_OCTETS, pair_digest
from chain_anchor.frontier import Grown
from chain_anchor.rows import STEP

_LEVELS = 64
_NODE = 1
"""First octet of what an inner node's hash is made of (RFC 6962 §2.1)."""


@kernel
def append(
    size: int,
    peaks: Octets,
    height: int,
    hashes: Octets,
    count: int,
    complete: Octets,
    at: np.ndarray,
    root: Octets,
    scratch: Octets,
) -> int:
    """Append leaves to a tree of `size`, whose `height` peaks are changed in place.

    Hashes of level 4n go into `complete` from `at[n]` on, which moves up. There must
    be a leaf, in the tree or to be appended.

    Returns:
        How many peaks there are.
    """
    for n in range(count):
        copy(hashes, 32 * n, peaks, 32 * height, 32)
        height += 1
        ones, level = size, 0
        while ones & 1:
            height -= 1
            left = 32 * (height - 1)
            pair_digest(_NODE, peaks, left, peaks, left + 32, peaks, left, scratch)
            ones >>= 1
            level += 1
            if level % STEP == 0:
                copy(peaks, left, complete, at[level // STEP], 32)
                at[level // STEP] += 32
        size += 1
    copy(peaks, 32 * (height - 1), root, 0, 32)
    for n in range(height - 2, -1, -1):
        pair_digest(_NODE, peaks, 32 * n, root, 0, root, 0, scratch)
    return height


def tree_append(size: int, peaks: Sequence[bytes], leaf_hashes: bytes) -> Grown:
    """Append leaves to a tree.

    Args:
        size: leaves that it has.
        peaks: roots of its complete subtrees, largest first.
        leaf_hashes: 32 octets for each new leaf; at least one leaf.

    Raises:
        ValueError: Peaks and size do not fit, there is no leaf, or half a hash.
    """
    count, rest = divmod(len(leaf_hashes), 32)
    if rest or not count or size < 0 or size + count >= 1 << 63:
        raise ValueError(f"{len(leaf_hashes)} octets of hashes for a tree of {size}")
    joined = b"".join(peaks)
    if len(peaks) != size.bit_count() or len(joined) != 32 * len(peaks):
        raise ValueError(f"{len(peaks)} peaks for a tree of {size}")
    edge = np.zeros(32 * (_LEVELS + 1), np.uint8)
    edge[: len(joined)] = array_of(joined)
    starts = _starts(size, size + count)
    at = np.array(starts, np.int64)
    complete, root = np.zeros(starts[-1], np.uint8), np.zeros(32, np.uint8)
    scratch = np.zeros(SCRATCH_OCTETS, np.uint8)
    hashes = array_of(leaf_hashes)
    height = append(size, edge, len(peaks), hashes, count, complete, at, root, scratch)
    octets = complete.tobytes()
    levels = {
        STEP * n: octets[starts[n] : starts[n + 1]]
        for n in range(1, len(starts) - 1)
        if starts[n] < starts[n + 1]
    }
    left = cut_evenly(edge[: 32 * height].tobytes(), 32)
    return Grown(size + count, tuple(left), levels, root.tobytes())


def _starts(before: int, after: int) -> list[int]:
    """Say where each kept level begins, and the last one ends; level 0 is not kept."""
    starts = [0, 0]
    for level in range(STEP, _LEVELS, STEP):
        starts.append(starts[-1] + 32 * ((after >> level) - (before >> level)))
    return starts
