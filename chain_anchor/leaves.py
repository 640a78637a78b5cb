"""A bucket: the leaves of the state map that begin with the same bits, as octets.

It is a value of the table `log_map`, under the key that `upper.place_of` gives. The
layout is the emulator's convention; the root is that of `statemap`, which knows no
buckets.

    OFFSET  SIZE  FIELD
         0    32  root of the map over the bucket's leaves
        32    81  each leaf, by key:
                   0  32  map key
                  32  49  state (`statemap.State`)

A bucket is never empty. One of more than 24 leaves is split in two, so which buckets
there are follows from the keys alone, in whatever order they came.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from chain_anchor import upper
from chain_anchor.errors import CorruptLogError
from chain_anchor.octets import HASH_OCTETS
from chain_anchor.statemap import (
    EMPTY_ROOT,
    KEY_BITS,
    STATE_OCTETS,
    MapProof,
    State,
    bit_at,
    first_difference,
    inner_hash,
    leaf_hash,
)
from chain_anchor.upper import MAX_DEPTH, TABLE

MAX_LEAVES = 24
"""Leaves of a bucket; one more and it is split, unless it is `upper.MAX_DEPTH` deep."""

LEAF_OCTETS = HASH_OCTETS + STATE_OCTETS

Leaf = tuple[bytes, bytes]
"""Key and encoded state."""

_INNER = [b"\x03%c" % bit for bit in range(KEY_BITS)]
_sha256 = hashlib.sha256


class Digests:
    """Hashes of leaves and inner nodes; what a bucket had before needs no second one.

    Of a bucket of 16 leaves that changes in one, 7 of 47 hashes are new.
    """

    def __init__(self) -> None:
        self._known: dict[bytes | Leaf, bytes] = {}

    def root(self, leaves: Sequence[Leaf]) -> bytes:
        """Give the map's root over leaves, at least one, sorted by key.

        From left to right: what waits for its right side lies on a stack, with the bit
        by which that side differs. A node is complete when the next leaf differs
        earlier.
        """
        known = self._known
        numbers = [int.from_bytes(key) for key, _ in leaves]
        bits = [256 - (a ^ b).bit_length() for a, b in pairwise(numbers)]
        bits.append(-1)
        waiting: list[tuple[int, bytes]] = [(-2, b"")]
        digest = EMPTY_ROOT
        for leaf, bit in zip(leaves, bits, strict=True):
            digest = known.get(leaf) or self._leaf(leaf)
            while waiting[-1][0] > bit:
                above, left = waiting.pop()
                octets = _INNER[above] + left + digest
                found = known.get(octets)
                if found is None:
                    found = known[octets] = _sha256(octets).digest()
                digest = found
            waiting.append((bit, digest))
        return digest

    def _leaf(self, leaf: Leaf) -> bytes:
        key, state = leaf
        value = _sha256(b"\x04" + state).digest()
        digest = self._known[leaf] = _sha256(b"\x02" + key + value).digest()
        return digest


def count_leaves(place: bytes, value: bytes) -> int:
    """Give how many leaves a bucket has.

    Raises:
        CorruptLogError: So many octets no bucket has.
    """
    count, rest = divmod(len(value) - HASH_OCTETS, LEAF_OCTETS)
    if count < 1 or rest:
        raise CorruptLogError(TABLE, place, f"{len(value)} octets, expected 32 + n 81")
    return count


def read_leaves(place: bytes, value: bytes) -> list[Leaf]:
    """Take a bucket apart.

    Raises:
        CorruptLogError: It is none, or its leaves do not belong there.
    """
    prefix, depth = upper.read_place(place)
    count = count_leaves(place, value)
    if must_split(count, depth):
        raise CorruptLogError(TABLE, place, f"{count} leaves, at most 24 fit")
    leaves = [
        (
            value[start : start + HASH_OCTETS],
            value[start + HASH_OCTETS : start + LEAF_OCTETS],
        )
        for start in range(HASH_OCTETS, len(value), LEAF_OCTETS)
    ]
    for (key, _), (following, _) in pairwise(leaves):
        if key >= following:
            raise CorruptLogError(TABLE, place, f"{following.hex()} is out of order")
    for key, _ in (leaves[0], leaves[-1]):
        if upper.shared(upper.first_bits(key), depth) != prefix:
            raise CorruptLogError(TABLE, place, f"{key.hex()} does not belong there")
    return leaves


def read_bucket(
    place: bytes, known: bytes | None, value: bytes | None, digests: Digests
) -> list[Leaf]:
    """Take a bucket apart that is the one that was written.

    Args:
        place: where it lies.
        known: its root, as the trie has it; None if the trie has none there.
        value: its octets; None if the table has none there.
        digests: hashes that are known.

    Raises:
        CorruptLogError: It is not.
    """
    if known is None and value is None:
        return []
    if known is None or value is None:
        problem = "there, the trie has none" if known is None else "missing"
        raise CorruptLogError(TABLE, place, problem)
    leaves = read_leaves(place, value)
    check_root(place, known, value, digests.root(leaves))
    return leaves


def check_root(place: bytes, known: bytes, value: bytes, given: bytes) -> None:
    """Check that a bucket is the one that was written.

    Args:
        place: where it lies.
        known: its root, as the trie has it.
        value: its octets.
        given: the root that its leaves give.

    Raises:
        CorruptLogError: It is not.
    """
    says = value[:HASH_OCTETS]
    if not says == known == given:
        raise CorruptLogError(
            TABLE,
            place,
            f"says its root is {says.hex()}, its leaves give {given.hex()}, "
            f"written was {known.hex()}",
        )


def must_split(count: int, depth: int) -> bool:
    """Tell whether so many leaves under `depth` bits are too many for a bucket."""
    return count > MAX_LEAVES and depth < MAX_DEPTH


def write_bucket(root: bytes, leaves: Sequence[Leaf]) -> bytes:
    """Put a bucket together; its leaves are sorted, and `root` is theirs."""
    return b"".join((root, *(octets for leaf in leaves for octets in leaf)))


def middle_of(leaves: list[Leaf], bit: int, start: int, stop: int) -> int:
    """Find where a bit turns 1, in leaves that have the same bits before it."""
    return bisect_left(leaves, 1, start, stop, key=lambda leaf: bit_at(leaf[0], bit))


def prove_in_bucket(
    key: bytes,
    upper_path: Sequence[tuple[int, bytes]],
    place: bytes,
    known: bytes,
    value: bytes | None,
) -> tuple[State | None, MapProof]:
    """Prove what stands under a key, once its bucket is found.

    The siblings that the proof needs and the leaf at its end are the whole bucket, so
    to hash them is to check it.

    Raises:
        CorruptLogError: The bucket is not the one that was written.
    """
    if value is None:
        raise CorruptLogError(TABLE, place, "missing, the trie has it")
    leaves = read_leaves(place, value)
    path, reached = _descend(leaves, key)
    found, octets = leaves[reached]
    value_hash = _sha256(b"\x04" + octets).digest()
    digest = leaf_hash(found, value_hash)
    for bit, sibling in reversed(path):
        sides = (sibling, digest) if bit_at(key, bit) else (digest, sibling)
        digest = inner_hash(bit, *sides)
    check_root(place, known, value, digest)
    whole = (*upper_path, *path)
    if found != key:
        return None, MapProof(whole, (found, value_hash))
    return State.decode(octets), MapProof(whole, None)


def _descend(leaves: list[Leaf], key: bytes) -> tuple[list[tuple[int, bytes]], int]:
    """Follow a key to a leaf.

    Returns:
        Bit and sibling of each node passed, and which leaf it is.
    """
    digests = Digests()
    start, stop = 0, len(leaves)
    path = []
    while stop - start > 1:
        bit = first_difference(leaves[start][0], leaves[stop - 1][0])
        middle = middle_of(leaves, bit, start, stop)
        if bit_at(key, bit):
            sibling, start = leaves[start:middle], middle
        else:
            sibling, stop = leaves[middle:stop], middle
        path.append((bit, digests.root(sibling)))
    return path, start
