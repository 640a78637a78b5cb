"""The trie over the buckets, in arrays: the twin of `chain_anchor.upper`.

A node is a number. Number 0 is no node.

    hashes  octets[32 x nodes]: hash of each node
    sides   int32[nodes, 2]: left and right of an inner node, 0 where a side is empty;
            `BUCKET` for a bucket
    made    int32[nodes]: nodes that the group in hand has made
    lost    int32[nodes]: nodes that it has replaced
    words   int64: how many of each, and where free nodes are

A group never writes to a node that is published: it makes new ones for the ways it
touches. To publish is to free what it replaced, to revert to free what it made. Free
nodes are a list through their left sides. `take` finds no room when all are used:
the caller makes the arrays greater and begins again.
"""

from typing import NamedTuple

import numpy as np

from chain_anchor.compiled.kernels import (
    Octets,
    copy,
    kernel,
    part,
    set_word,
    shared,
    unsigned_below,
    word_at,
)
from chain_anchor.compiled.sha256 import inner_digest

BUCKET = -1
MAX_DEPTH = 64
PLACE_OCTETS = 9
FIRST_NODES = 1 << 10

# Words of a trie.
FREE, USED, MADE, LOST = range(4)
WORDS = 4

# What a frame of a walk holds: the node before, the puts below it, how far it is.
NODE, START, MIDDLE, STOP, LEFT, STAGE = range(6)
FRAME_WORDS = 6
FRAMES = MAX_DEPTH + 2

NO_ROOM = -1


class Trie(NamedTuple):
    """A trie's arrays."""

    hashes: np.ndarray
    sides: np.ndarray
    made: np.ndarray
    lost: np.ndarray
    words: np.ndarray


class Puts(NamedTuple):
    """Buckets that shall stand at places, by place.

    `at` says where in an array of octets the hash of each is.
    """

    prefixes: np.ndarray
    depths: np.ndarray
    at: np.ndarray


def make_trie(nodes: int = FIRST_NODES) -> Trie:
    """Make an empty trie with room for nodes."""
    words = np.zeros(WORDS, np.int64)
    words[USED] = 1
    return Trie(
        np.zeros(32 * nodes, np.uint8),
        np.zeros((nodes, 2), np.int32),
        np.zeros(nodes, np.int32),
        np.zeros(nodes, np.int32),
        words,
    )


def make_puts(count: int) -> Puts:
    """Make room for puts."""
    return Puts(*(np.zeros(count, np.int64) for _ in range(3)))


def make_frames() -> np.ndarray:
    """Make what walks over the trie need to remember."""
    return np.zeros((FRAMES, FRAME_WORDS), np.int64)


def enlarge(trie: Trie) -> Trie:
    """Give the trie twice the room; what others read of it stays where it is."""
    hashes, sides, made, lost = map(_double, trie[:4])
    return Trie(hashes, sides, made, lost, trie.words)


def _double(array: np.ndarray) -> np.ndarray:
    greater = np.zeros((2 * array.shape[0], *array.shape[1:]), array.dtype)
    greater[: array.shape[0]] = array
    return greater


@part
def is_inner(trie: Trie, node: int) -> bool:
    """Tell whether a node is there and has sides."""
    return node != 0 and trie.sides[node, 0] != BUCKET


@part
def find(trie: Trie, top: int, bits: int) -> tuple[int, int]:
    """Find where a key's first bits lead: the bucket, 0 if there is none, and depth."""
    node, depth = top, 0
    while is_inner(trie, node):
        node = trie.sides[node, bits >> (63 - depth) & 1]
        depth += 1
    return node, depth


@kernel
def locate(trie: Trie, top: int, keys: Octets, count: int, places: Octets) -> None:
    """Give the place of the bucket that each key belongs in."""
    for n in range(count):
        bits = word_at(keys, 32 * n)
        _, depth = find(trie, top, bits)
        set_place(places, n, shared(bits, depth), depth)


@part
def set_place(places: Octets, number: int, prefix: int, depth: int) -> None:
    """Write a place as a key of the table."""
    set_word(places, PLACE_OCTETS * number, prefix)
    places[PLACE_OCTETS * number + 8] = depth


@kernel
def lead(
    trie: Trie, top: int, bits: int, path: Octets, siblings: Octets, place: Octets
) -> tuple[int, int]:
    """Follow a key to the bucket that the map's nodes lead to: `upper.lead`.

    Returns:
        How many nodes were passed, with bits in `path` and their other sides'
        hashes in `siblings`; and the bucket.
    """
    node, depth, prefix, count = top, 0, 0, 0
    while is_inner(trie, node):
        side = bits >> (63 - depth) & 1
        other = trie.sides[node, 1 - side]
        if trie.sides[node, side] == 0:
            side = 1 - side
        elif other != 0:
            path[count] = depth
            copy(trie.hashes, 32 * other, siblings, 32 * count, 32)
            count += 1
        prefix |= side << (63 - depth)
        node = trie.sides[node, side]
        depth += 1
    set_place(place, 0, prefix, depth)
    return count, node


@part
def take(trie: Trie) -> int:
    """Take a free node; 0 if there is none."""
    words = trie.words
    node = words[FREE]
    if node != 0:
        words[FREE] = trie.sides[node, 0]
    elif words[USED] < trie.made.size:
        node = words[USED]
        words[USED] += 1
    else:
        return 0
    trie.made[words[MADE]] = node
    words[MADE] += 1
    return node


@part
def _lose(trie: Trie, node: int) -> None:
    if node != 0:
        trie.lost[trie.words[LOST]] = node
        trie.words[LOST] += 1


@part
def _free(trie: Trie, nodes: np.ndarray, count: int) -> None:
    for n in range(count):
        trie.sides[nodes[n], 0] = trie.words[FREE]
        trie.words[FREE] = nodes[n]


@kernel
def settle(trie: Trie, publish: bool) -> None:
    """Free what the group in hand replaced, or what it made; then none is in hand."""
    words = trie.words
    if publish:
        _free(trie, trie.lost, words[LOST])
    else:
        _free(trie, trie.made, words[MADE])
    words[MADE] = 0
    words[LOST] = 0


@kernel
def replace(
    trie: Trie,
    top: int,
    puts: Puts,
    count: int,
    octets: Octets,
    frames: np.ndarray,
    scratch: Octets,
) -> int:
    """Make the trie with other buckets at some places: `upper.replace`.

    Returns:
        Its top; `NO_ROOM` if nodes are missing: what was made must be reverted.
    """
    depth, result = 0, top
    enter(frames, 0, top, 0, count)
    while depth >= 0:
        node, start = frames[depth, NODE], frames[depth, START]
        if frames[depth, STAGE] == 0 and start == frames[depth, STOP]:
            result = node
            depth -= 1
        elif frames[depth, STAGE] == 0 and puts.depths[start] <= depth:
            result = _make_bucket(trie, node, octets, puts.at[start])
            depth -= 1
        elif frames[depth, STAGE] == 2:
            result = _join(trie, depth, frames, result, scratch)
            depth -= 1
        else:
            frames[depth, LEFT] = result
            go_on(trie, puts.prefixes, frames, depth)
            depth += 1
        if result == NO_ROOM:
            return NO_ROOM
    return result


@part
def enter(frames: np.ndarray, depth: int, node: int, start: int, stop: int) -> None:
    """Begin with a node and the puts below it."""
    frames[depth, NODE] = node
    frames[depth, START] = start
    frames[depth, STOP] = stop
    frames[depth, STAGE] = 0


@part
def go_on(trie: Trie, prefixes: np.ndarray, frames: np.ndarray, depth: int) -> None:
    """Enter the left side of a node, or the right one when the left is done."""
    node, stage = frames[depth, NODE], frames[depth, STAGE]
    if stage == 0:
        frames[depth, MIDDLE] = _middle(
            prefixes, frames[depth, START], frames[depth, STOP], depth
        )
    side = trie.sides[node, stage] if is_inner(trie, node) else 0
    start = frames[depth, MIDDLE] if stage else frames[depth, START]
    stop = frames[depth, STOP] if stage else frames[depth, MIDDLE]
    frames[depth, STAGE] = stage + 1
    enter(frames, depth + 1, side, start, stop)


@part
def _middle(prefixes: np.ndarray, start: int, stop: int, depth: int) -> int:
    """Find the first that lies on the right side of bit `depth`."""
    low, high = start, stop
    while low < high:
        middle = (low + high) >> 1
        if prefixes[middle] >> (63 - depth) & 1:
            high = middle
        else:
            low = middle + 1
    return low


@part
def _make_bucket(trie: Trie, before: int, octets: Octets, at: int) -> int:
    node = take(trie)
    if node == 0:
        return NO_ROOM
    copy(octets, at, trie.hashes, 32 * node, 32)
    trie.sides[node, 0] = BUCKET
    trie.sides[node, 1] = BUCKET
    _lose(trie, before)
    return node


@part
def _join(
    trie: Trie, depth: int, frames: np.ndarray, right: int, scratch: Octets
) -> int:
    left = frames[depth, LEFT]
    node = take(trie)
    if node == 0:
        return NO_ROOM
    hashes = trie.hashes
    if left == 0 or right == 0:
        copy(hashes, 32 * (left + right), hashes, 32 * node, 32)
    else:
        inner_digest(
            depth, hashes, 32 * left, hashes, 32 * right, hashes, 32 * node, scratch
        )
    trie.sides[node, 0] = left
    trie.sides[node, 1] = right
    _lose(trie, frames[depth, NODE])
    return node


@kernel
def lay_out(places: Octets, count: int, puts: Puts) -> int:
    """Make puts of all places of the table, whose hashes follow each other.

    Returns:
        -1, or the number of the first that is no place, or overlaps the one before.
    """
    last = 0
    for n in range(count):
        prefix, depth = word_at(places, 9 * n), int(places[9 * n + 8])
        wrong = depth > MAX_DEPTH or prefix != shared(prefix, min(depth, MAX_DEPTH))
        if wrong or (n and not unsigned_below(last, prefix)):
            return n
        last = last_of(prefix, depth)
        puts.prefixes[n] = prefix
        puts.depths[n] = depth
        puts.at[n] = 32 * n
    return -1


@part
def last_of(prefix: int, depth: int) -> int:
    """Give the greatest first bits of a key that belong in a place."""
    return prefix | (1 << (MAX_DEPTH - depth)) - 1 if depth else -1
