"""The upper part of the state map: a binary trie in memory, over the buckets.

A node is a bucket, of which only the hash is kept, or an inner node with two sides, of
which one may be empty. The node that stands under `depth` bits holds all keys that
begin with them; an inner node there has the hash of the map's inner node for bit
`depth`, or that of its only side (tlog notes §5.1: a subtree with one empty side has
the hash of the other).

Nodes never change. A group makes new ones for the ways it touches, so the state
before it stays readable, and to give it up is to forget the new top.
"""

import struct
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import NamedTuple

from chain_anchor.errors import CorruptLogError
from chain_anchor.statemap import inner_hash

TABLE = "log_map"
MAX_DEPTH = 64
"""Bits of a key that the table's keys have room for."""

PLACE_OCTETS = 9

_PLACE = struct.Struct("!QB")


class Bucket(NamedTuple):
    """A bucket: the map root of its leaves."""

    hash: bytes


class Inner(NamedTuple):
    """An inner node: at least one side is there."""

    hash: bytes
    left: "Node | None"
    right: "Node | None"


Node = Bucket | Inner


class Put(NamedTuple):
    """What shall stand at a place: under `depth` bits, the first of `prefix`."""

    prefix: int
    depth: int
    node: Node


def place_of(prefix: int, depth: int) -> bytes:
    """Give the key of a bucket in the table.

    OFFSET  SIZE  FIELD
         0     8  prefix: the bits that its keys share, then zeros
         8     1  depth: how many they are, 0 to 64
    """
    return _PLACE.pack(prefix, depth)


def read_place(place: bytes) -> tuple[int, int]:
    """Read a bucket's key in the table.

    Returns:
        Prefix, left-aligned in 64 bits, and depth.

    Raises:
        CorruptLogError: It is none.
    """
    if len(place) != PLACE_OCTETS:
        raise CorruptLogError(TABLE, place, f"{len(place)} octets, a key has 9")
    prefix, depth = _PLACE.unpack(place)
    if depth > MAX_DEPTH:
        raise CorruptLogError(TABLE, place, f"depth {depth}, at most 64 is possible")
    if prefix != shared(prefix, depth):
        raise CorruptLogError(TABLE, place, f"more than {depth} bits in its prefix")
    return prefix, depth


def shared(prefix: int, depth: int) -> int:
    """Give the first `depth` of 64 bits, then zeros."""
    below = MAX_DEPTH - depth
    return prefix >> below << below


def first_bits(key: bytes) -> int:
    """Give the 64 bits of a map key that places are made of."""
    return int.from_bytes(key[:8])


def join(depth: int, left: Node | None, right: Node | None) -> Node | None:
    """Give the node over two sides."""
    if left is None or right is None:
        only = left or right
        return only and Inner(only.hash, left, right)
    return Inner(inner_hash(depth, left.hash, right.hash), left, right)


def find(top: Node | None, key: bytes) -> tuple[bytes, Node | None]:
    """Find where a key belongs.

    Returns:
        The place of its bucket, and the bucket if it is there already.
    """
    bits, node, depth = first_bits(key), top, 0
    while isinstance(node, Inner):
        node = node.right if bits >> (63 - depth) & 1 else node.left
        depth += 1
    return place_of(shared(bits, depth), depth), node


def lead(top: Node, key: bytes) -> tuple[list[tuple[int, bytes]], bytes, Node]:
    """Follow a key to the one bucket that the bits of the map's nodes lead to.

    Where only one side is, there is no node of the map, and no bit to choose by.

    Returns:
        Bit and sibling of each node passed, the bucket's place, and the bucket.
    """
    bits, depth, prefix = first_bits(key), 0, 0
    node: Node = top
    path = []
    while isinstance(node, Inner):
        right = bits >> (63 - depth) & 1
        if node.left is not None and node.right is not None:
            path.append((depth, node.left.hash if right else node.right.hash))
        else:
            right = node.left is None
        prefix |= right << (63 - depth)
        side = node.right if right else node.left
        assert side is not None
        node, depth = side, depth + 1
    return path, place_of(prefix, depth), node


def replace(top: Node | None, puts: Sequence[Put]) -> Node | None:
    """Give the trie with other nodes at some places.

    Args:
        top: the trie as it is.
        puts: by prefix; each place is that of a bucket, or empty.
    """
    return _replace(top, 0, puts)


def build(buckets: Iterable[tuple[bytes, bytes]]) -> Node | None:
    """Make the trie over buckets.

    Args:
        buckets: place and hash of each, by place.

    Raises:
        CorruptLogError: Places are no places, not in order, or one holds another.
    """
    puts: list[Put] = []
    end = 0
    for place, digest in buckets:
        prefix, depth = read_place(place)
        if prefix < end:
            raise CorruptLogError(TABLE, place, "overlaps the bucket before it")
        end = prefix + (1 << (MAX_DEPTH - depth))
        puts.append(Put(prefix, depth, Bucket(digest)))
    return _replace(None, 0, puts)


def _replace(node: Node | None, depth: int, puts: Sequence[Put]) -> Node | None:
    if not puts:
        return node
    if puts[0].depth == depth:
        return puts[0].node
    left, right = (node.left, node.right) if isinstance(node, Inner) else (None, None)
    middle = _middle(puts, depth)
    return join(
        depth,
        _replace(left, depth + 1, puts[:middle]),
        _replace(right, depth + 1, puts[middle:]),
    )


def _middle(puts: Sequence[Put], depth: int) -> int:
    """Find the first that lies on the right side of bit `depth`."""
    half = shared(puts[0].prefix, depth) | 1 << (63 - depth)
    return bisect_left(puts, half, key=itemgetter(0))
