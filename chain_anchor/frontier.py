"""The right edge of a Merkle tree: roots of its complete subtrees, largest first.

Enough to append leaves and to know the root, without anything that is stored.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from chain_anchor.merkle import EMPTY_ROOT, HASH_OCTETS, HashReader, node_hash
from chain_anchor.rows import STEP


class Frontier(NamedTuple):
    """A tree of `size` leaves, as far as growth can change it."""

    size: int
    peaks: tuple[bytes, ...]
    """One hash for each one-bit of the size, from the highest down."""

    def extended(self, leaf_hashes: Iterable[bytes]) -> "Frontier":
        """Append leaves."""
        grown = tree_append(*self, b"".join(leaf_hashes))
        return Frontier(grown.size, grown.peaks)

    def root(self) -> bytes:
        """Give the root (RFC 6962 §2.1)."""
        if not self.peaks:
            return EMPTY_ROOT
        *others, root = self.peaks
        for peak in reversed(others):
            root = node_hash(peak, root)
        return root


class Grown(NamedTuple):
    """A tree with leaves appended."""

    size: int
    peaks: tuple[bytes, ...]
    complete: dict[int, bytes]
    """By level (4, 8, 12 and so on): hashes of subtrees that became complete, joined."""

    root: bytes


EMPTY = Frontier(0, ())


def tree_append(size: int, peaks: Sequence[bytes], leaf_hashes: bytes) -> Grown:
    """Append leaves to a tree; `chain_anchor.compiled.tree` has the compiled twin.

    Args:
        size: Leaves that it has.
        peaks: Roots of its complete subtrees, largest first.
        leaf_hashes: 32 octets for each new leaf.
    """
    edge, complete = list(peaks), dict[int, bytearray]()
    for at in range(0, len(leaf_hashes), HASH_OCTETS):
        node, ones, level = leaf_hashes[at : at + HASH_OCTETS], size, 0
        while ones & 1:
            node = node_hash(edge.pop(), node)
            ones >>= 1
            level += 1
            if level % STEP == 0:
                complete.setdefault(level, bytearray()).extend(node)
        edge.append(node)
        size += 1
    frontier = Frontier(size, tuple(edge))
    found = {level: bytes(hashes) for level, hashes in complete.items()}
    return Grown(*frontier, found, frontier.root())


def frontier_of(size: int, read: HashReader) -> Frontier:
    """Read the right edge of a tree of `size` leaves."""
    peaks, start = [], 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            peaks.append(read(level, start >> level))
            start += 1 << level
    return Frontier(size, tuple(peaks))
