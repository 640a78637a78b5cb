"""The right edge of a Merkle tree: roots of its complete subtrees, largest first.

Enough to append leaves and to know the root, without anything that is stored: the
second way to a root, against which the first is checked before anything is signed.
"""

from collections.abc import Iterable
from typing import NamedTuple

from chain_anchor.merkle import EMPTY_ROOT, HashReader, node_hash


class Frontier(NamedTuple):
    """A tree of `size` leaves, as far as growth can change it."""

    size: int
    peaks: tuple[bytes, ...]
    """One hash for each one-bit of the size, from the highest down."""

    def extended(self, leaf_hashes: Iterable[bytes]) -> "Frontier":
        """Append leaves."""
        peaks, size = list(self.peaks), self.size
        for node in leaf_hashes:
            ones, size, joined = size, size + 1, node
            while ones & 1:
                joined = node_hash(peaks.pop(), joined)
                ones >>= 1
            peaks.append(joined)
        return Frontier(size, tuple(peaks))

    def root(self) -> bytes:
        """Give the root (RFC 6962 §2.1)."""
        if not self.peaks:
            return EMPTY_ROOT
        *others, root = self.peaks
        for peak in reversed(others):
            root = node_hash(peak, root)
        return root


EMPTY = Frontier(0, ())


def frontier_of(size: int, read: HashReader) -> Frontier:
    """Read the right edge of a tree of `size` leaves."""
    peaks, start = [], 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            peaks.append(read(level, start >> level))
            start += 1 << level
    return Frontier(size, tuple(peaks))
