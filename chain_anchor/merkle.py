"""Merkle trees of RFC 6962 §2.1: hashes, roots, inclusion and consistency paths.

    leaf hash   SHA-256(0x00 || entry)
    node hash   SHA-256(0x01 || left || right)
    empty tree  SHA-256("")

A tree of n leaves is split at the largest power of two below n, so every subtree
left of its right edge is complete. A complete subtree of 2**level leaves has an
address, (level, index), and its hash never changes while the tree grows; a
`HashReader` gives it. Makers read no other hash than these.

Verifiers read nothing. They know from the sizes alone how many hashes a path must
have and on which side each one stands, and refuse a path of any other length.
They return nothing: what does not hold raises `ProofError`.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final

from chain_anchor.errors import ProofError

HASH_OCTETS: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()
"""Root of the tree without leaves."""

MAX_SIZE: Final = 2**63 - 1
"""Most leaves that a tree may have (C2SP keeps sizes within signed 64 bits)."""

MAX_PATH_HASHES: Final = 64
"""No inclusion path has more than 63 hashes, no consistency path more than 64."""

HashReader = Callable[[int, int], bytes]
"""(level, index): hash of the index-th complete subtree of 2**level leaves."""


def leaf_hash(octets: bytes) -> bytes:
    """Hash one entry (RFC 6962 §2.1)."""
    return sha256(b"\x00" + octets).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees into one (RFC 6962 §2.1)."""
    return sha256(b"\x01" + left + right).digest()


def pair_hash(pair: bytes) -> bytes:
    """Hash two subtrees into one, of which the hashes are joined already."""
    return sha256(b"\x01" + pair).digest()


def root_of(size: int, read: HashReader) -> bytes:
    """Compute the root of the tree of `size` leaves (RFC 6962 §2.1).

    Raises:
        ProofError: no tree has this size.
    """
    _check_size(size)
    return _range_hash(0, size, read) if size else EMPTY_ROOT


def inclusion_path(index: int, size: int, read: HashReader) -> list[bytes]:
    """List the hashes that lead from leaf `index` to the root (RFC 6962 §2.1.1).

    From the leaf's sibling up to the child of the root; at most 63.

    Raises:
        ProofError: the tree has no such leaf, or no tree has this size.
    """
    _check_index(index, size)
    return _siblings(0, index, size, read)


def consistency_path(old_size: int, new_size: int, read: HashReader) -> list[bytes]:
    """List the hashes that prove the old tree a prefix of the new (RFC 6962 §2.1.2).

    None are needed when the sizes are equal, or when the old tree is empty.

    Raises:
        ProofError: the old tree is the larger one, or no tree has such a size.
    """
    _check_sizes(old_size, new_size)
    if old_size in {0, new_size}:
        return []
    level, node = _last_complete(old_size)
    # A power of two is one complete subtree, whose hash is the old root itself.
    start = [read(level, node)] if node else []
    return start + _siblings(level, node, new_size, read)


def root_of_inclusion(
    index: int, size: int, leaf: bytes, path: Sequence[bytes]
) -> bytes:
    """Compute the root that a leaf hash and its inclusion path lead to.

    Raises:
        ProofError: the path has not the length that index and size ask for, a
            hash is not of 32 octets, or the tree has no such leaf.
    """
    _check_index(index, size)
    _check_hashes("leaf hash", (leaf,))
    return _climb(index, size - 1, leaf, path)


def verify_inclusion(
    index: int, size: int, leaf: bytes, root: bytes, path: Sequence[bytes]
) -> None:
    """Check that a leaf hash stands at `index` under `root` (RFC 9162 §2.1.3.2).

    Raises:
        ProofError: it does not.
    """
    found = root_of_inclusion(index, size, leaf, path)
    _check_root(f"inclusion of leaf {index} of {size}", root, found)


def verify_consistency(
    old_size: int,
    new_size: int,
    old_root: bytes,
    new_root: bytes,
    path: Sequence[bytes],
) -> None:
    """Check that the old tree is a prefix of the new one (RFC 9162 §2.1.4.2).

    Trees of equal size have equal roots and an empty path. The empty tree is a
    prefix of every tree, by an empty path; its root is `EMPTY_ROOT`.

    Raises:
        ProofError: it is not, or this path does not show it.
    """
    _check_sizes(old_size, new_size)
    _check_hashes("root", (old_root, new_root))
    for size, root in ((old_size, old_root), (new_size, new_root)):
        if size == 0:
            _check_root("empty tree", root, EMPTY_ROOT)
    if old_size in {0, new_size}:
        _check_length(path, 0)
        if old_size:
            _check_root(f"two trees of size {old_size}", new_root, old_root)
        return
    level, node = _last_complete(old_size)
    if node and not path:
        raise ProofError(
            f"path from size {old_size} to {new_size}: at least 1 hash expected, got 0"
        )
    start, rest = (path[0], path[1:]) if node else (old_root, path)
    _check_hashes("path", (start,))
    last = (new_size - 1) >> level
    what = f"consistency of sizes {old_size} and {new_size}"
    _check_root(f"{what}, new", new_root, _climb(node, last, start, rest))
    _check_root(f"{what}, old", old_root, _climb_as_last(node, last, start, rest))


def _last_complete(size: int) -> tuple[int, int]:
    """Address the rightmost complete subtree that ends where a tree ends."""
    level = _lowest_bit(size)
    return level, (size >> level) - 1


def _lowest_bit(number: int) -> int:
    """Position of the lowest bit that is set."""
    return (number & -number).bit_length() - 1


def _siblings(level: int, node: int, size: int, read: HashReader) -> list[bytes]:
    """Hashes of the siblings from a node up to the root's child."""
    path = []
    last = (size - 1) >> level
    while last:
        sibling = node ^ 1
        # The last node of a level, if it is a left one, has no sibling: it rises.
        if sibling < last:
            path.append(read(level, sibling))
        elif sibling == last:
            path.append(_range_hash(sibling << level, size, read))
        level, node, last = level + 1, node >> 1, last >> 1
    return path


def _range_hash(start: int, end: int, read: HashReader) -> bytes:
    """Hash of the leaves from `start`, where a subtree begins, to the right edge."""
    found = b""
    while end > start:
        level = _lowest_bit(end - start)
        end -= 1 << level
        left = read(level, end >> level)
        found = node_hash(left, found) if found else left
    return found


def _climb(node: int, last: int, start: bytes, path: Sequence[bytes]) -> bytes:
    """Fold a path from a node to the root of the tree whose last node is `last`.

    Up to where the ways of `node` and `last` meet, each level has a sibling, on
    the side that a bit of `node` tells; above, the way is the right edge, and
    only the siblings on its left remain.
    """
    within = (node ^ last).bit_length()
    _check_length(path, within + (node >> within).bit_count())
    _check_hashes("path", path)
    found = start
    for level, sibling in enumerate(path):
        if level >= within or node >> level & 1:
            found = sha256(b"\x01" + sibling + found).digest()
        else:
            found = sha256(b"\x01" + found + sibling).digest()
    return found


def _climb_as_last(node: int, last: int, start: bytes, path: Sequence[bytes]) -> bytes:
    """Fold the same path in the tree that ended with `node`: left siblings only."""
    within = (node ^ last).bit_length()
    found = start
    for level, sibling in enumerate(path):
        if level >= within or node >> level & 1:
            found = node_hash(sibling, found)
    return found


def _check_size(size: int) -> None:
    if not 0 <= size <= MAX_SIZE:
        raise ProofError(f"tree size: 0 to 2**63 - 1 expected, got {size}")


def _check_sizes(old_size: int, new_size: int) -> None:
    _check_size(old_size)
    _check_size(new_size)
    if old_size > new_size:
        raise ProofError(f"old size: at most {new_size} expected, got {old_size}")


def _check_index(index: int, size: int) -> None:
    _check_size(size)
    if not 0 <= index < size:
        raise ProofError(f"leaf index: 0 to below {size} expected, got {index}")


def _check_length(path: Sequence[bytes], expected: int) -> None:
    if len(path) != expected:
        raise ProofError(f"path: {expected} hashes expected, got {len(path)}")


def _check_hashes(what: str, hashes: Sequence[bytes]) -> None:
    for place, octets in enumerate(hashes):
        if len(octets) != HASH_OCTETS:
            raise ProofError(
                f"{what}, hash {place}: {HASH_OCTETS} octets expected, "
                f"got {len(octets)}"
            )


def _check_root(what: str, root: bytes, found: bytes) -> None:
    if found != root:
        raise ProofError(f"{what}: root {root.hex()} expected, got {found.hex()}")
