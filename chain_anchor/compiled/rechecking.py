"""The kernel that takes the second look: the twin of `chain_anchor.rechecking`.

What was sealed is derived once more, from the octets that will be written and those
that were read, by other ways than the sealing kernel's: leaves in one stream over all
buckets, the root of a bucket from the top down by the map's definition, that of the
map without the new trie.
"""

from typing import NamedTuple

import numpy as np

from chain_anchor.compiled.kernels import (
    Octets,
    compare,
    copy,
    first_difference,
    kernel,
    part,
    same,
    set_word,
    shared,
    unsigned_below,
    word_at,
)
from chain_anchor.compiled.leaves import (
    HASH_OCTETS,
    LEAF_OCTETS,
    are_in_place,
    count_leaves,
    hash_leaves,
    middle_of,
)
from chain_anchor.compiled.sealing import CHANGE
from chain_anchor.compiled.sha256 import digest, inner_digest
from chain_anchor.compiled.sorting import sort_keys
from chain_anchor.compiled.trie import (
    LEFT,
    MAX_DEPTH,
    MIDDLE,
    NODE,
    PLACE_OCTETS,
    STAGE,
    START,
    STOP,
    Trie,
    enter,
    go_on,
    last_of,
)

RANGES = 258
"""Nodes between a bucket's root and a leaf: each has a later bit than the one above."""

ENTRY_KEY = 51
"""Where an entry's key is, behind the octet 0."""

OLD, NEW = range(2)
BIT = NODE

SIDES_OCTETS = 64 * (RANGES + 1)
"""Room for the hashes of both sides of as many nodes."""

# What the second look finds.
(
    RIGHT,
    WRONG_HASH,
    WRONG_ENTRY,
    WRONG_OLD,
    WRONG_LEAVES,
    WRONG_PLACE,
    WRONG_BUCKET_ROOT,
    WRONG_ROOT,
) = range(8)


class Written(NamedTuple):
    """What is about to be written, and what was read to make it.

    Each entry has an octet 0 before it. `ends` say where each entry, bucket ends.
    """

    entries: np.ndarray
    ends: np.ndarray
    hashes: np.ndarray
    places: np.ndarray
    values: np.ndarray
    value_ends: np.ndarray
    old_values: np.ndarray
    old_ends: np.ndarray
    root: np.ndarray


class Bench(NamedTuple):
    """Where it is looked at; `told` says which entry or bucket is wrong."""

    keys: np.ndarray
    order: np.ndarray
    spare: np.ndarray
    prefixes: np.ndarray
    depths: np.ndarray
    roots: np.ndarray
    digests: np.ndarray
    leaf: np.ndarray
    cursors: np.ndarray
    ranges: np.ndarray
    frames: np.ndarray
    stack: np.ndarray
    scratch: np.ndarray
    told: np.ndarray


@kernel
def recheck(
    trie: Trie, top: int, first_index: int, written: Written, bench: Bench
) -> int:
    """Look at a sealed group once more: it has one entry, or more.

    Args:
        trie: the trie before the group.
        top: its top.
        first_index: index of the first entry.
        written: what is looked at.
        bench: room for it.

    Returns:
        `RIGHT`, or what is wrong, with its number in `bench.told`.
    """
    found = _check_entries(written, bench)
    if found == RIGHT:
        found = _check_shapes(written, bench)
    if found == RIGHT:
        found = _check_leaves(first_index, written, bench)
    if found == RIGHT:
        found = _check_buckets(written, bench)
    if found == RIGHT:
        _derive(trie, top, written, bench)
        if not same(bench.leaf, 0, written.root, 0, HASH_OCTETS):
            found = WRONG_ROOT
    return found


@part
def _start_of(ends: np.ndarray, number: int) -> int:
    return ends[number - 1] if number else 0


@part
def _check_entries(written: Written, bench: Bench) -> int:
    for n in range(written.ends.size):
        bench.told[0] = n
        start = _start_of(written.ends, n)
        size = written.ends[n] - start
        if size < ENTRY_KEY + HASH_OCTETS or written.entries[start + 1] != CHANGE:
            return WRONG_ENTRY
        digest(written.entries, start, size, bench.leaf, 0, bench.scratch)
        if not same(bench.leaf, 0, written.hashes, 32 * n, HASH_OCTETS):
            return WRONG_HASH
        copy(written.entries, start + ENTRY_KEY, bench.keys, 32 * n, HASH_OCTETS)
    return RIGHT


@part
def _check_shapes(written: Written, bench: Bench) -> int:
    """Check that places are places, one behind the other, and buckets are buckets."""
    for n in range(written.old_ends.size):
        bench.told[0] = n
        if count_leaves(written.old_ends[n] - _start_of(written.old_ends, n)) == 0:
            return WRONG_OLD
    last = 0
    for n in range(written.value_ends.size):
        bench.told[0] = n
        at = PLACE_OCTETS * n
        prefix, depth = word_at(written.places, at), int(written.places[at + 8])
        if depth > MAX_DEPTH or prefix != shared(prefix, min(depth, MAX_DEPTH)):
            return WRONG_PLACE
        if n and not unsigned_below(last, prefix):
            return WRONG_PLACE
        if count_leaves(written.value_ends[n] - _start_of(written.value_ends, n)) == 0:
            return WRONG_LEAVES
        last = last_of(prefix, depth)
        bench.prefixes[n] = prefix
        bench.depths[n] = depth
    return RIGHT


@part
def _check_leaves(first_index: int, written: Written, bench: Bench) -> int:
    """Check that the written leaves are the old ones, changed by the entries."""
    count, cursors = written.ends.size, bench.cursors
    sort_keys(bench.keys, 0, HASH_OCTETS, count, bench.order, bench.spare)
    for which in range(2):
        cursors[which, 0] = 0
        cursors[which, 1] = HASH_OCTETS
    done = 0
    while done < count or cursors[OLD, 0] < written.old_ends.size:
        side = _next_side(written, bench, done)
        if side >= 0:
            copy(written.old_values, cursors[OLD, 1], bench.leaf, 0, LEAF_OCTETS)
            _advance(cursors, OLD, written.old_ends)
        else:
            _begin(bench, done)
        while done < count and _follows(first_index, written, bench, done):
            done += 1
        if done < count and _is_of_leaf(bench, done):
            return WRONG_ENTRY
        bench.told[0] = cursors[NEW, 0]
        if not _is_next(written, bench):
            return WRONG_LEAVES
        _advance(cursors, NEW, written.value_ends)
    return RIGHT if cursors[NEW, 0] == written.value_ends.size else WRONG_LEAVES


@part
def _begin(bench: Bench, done: int) -> None:
    """Begin a leaf for a key that there was not."""
    copy(bench.keys, 32 * bench.order[done], bench.leaf, 0, HASH_OCTETS)
    for n in range(HASH_OCTETS, LEAF_OCTETS):
        bench.leaf[n] = 0


@part
def _is_next(written: Written, bench: Bench) -> bool:
    """Tell whether the leaf is the next that will be written."""
    bucket, at = bench.cursors[NEW, 0], bench.cursors[NEW, 1]
    if bucket == written.value_ends.size:
        return False
    return same(bench.leaf, 0, written.values, at, LEAF_OCTETS)


@part
def _advance(cursors: np.ndarray, which: int, ends: np.ndarray) -> None:
    """Go on to the next leaf, in the next bucket where one ends."""
    cursors[which, 1] += LEAF_OCTETS
    if cursors[which, 1] == ends[cursors[which, 0]]:
        cursors[which, 0] += 1
        cursors[which, 1] += HASH_OCTETS


@part
def _next_side(written: Written, bench: Bench, done: int) -> int:
    """Compare the next entry's key to the next old leaf's: below, at or above 0."""
    if done == written.ends.size:
        return 1
    if bench.cursors[OLD, 0] == written.old_ends.size:
        return -1
    key = 32 * bench.order[done]
    return compare(bench.keys, key, written.old_values, bench.cursors[OLD, 1])


@part
def _is_of_leaf(bench: Bench, done: int) -> bool:
    return compare(bench.keys, 32 * bench.order[done], bench.leaf, 0) == 0


@part
def _follows(first_index: int, written: Written, bench: Bench, done: int) -> bool:
    """Apply an entry to the leaf if it is of its key, and follows what is there."""
    if not _is_of_leaf(bench, done):
        return False
    leaf, entries, number = bench.leaf, written.entries, bench.order[done]
    bench.told[0] = number
    start = _start_of(written.ends, number)
    version = word_at(entries, start + 3)
    if version != word_at(leaf, 33) + 1 or not same(entries, start + 11, leaf, 41, 40):
        return False
    leaf[32] = entries[start + 2]
    set_word(leaf, 33, version)
    set_word(leaf, 41, first_index + number)
    copy(written.hashes, 32 * number, leaf, 49, HASH_OCTETS)
    return True


@part
def _check_buckets(written: Written, bench: Bench) -> int:
    for n in range(written.value_ends.size):
        bench.told[0] = n
        start = _start_of(written.value_ends, n)
        leaves = start + HASH_OCTETS
        count = count_leaves(written.value_ends[n] - start)
        prefix, depth = bench.prefixes[n], bench.depths[n]
        if not are_in_place(written.values, leaves, count, prefix, depth):
            return WRONG_PLACE
        hash_leaves(written.values, leaves, count, bench.digests, bench.scratch)
        _defined_root(written.values, leaves, count, n, bench)
        if not same(bench.roots, 32 * n, written.values, start, HASH_OCTETS):
            return WRONG_BUCKET_ROOT
    return RIGHT


@part
def _defined_root(
    values: Octets, leaves: int, count: int, number: int, bench: Bench
) -> None:
    """Give a bucket's root from the top down, as the map's root is defined."""
    ranges, stack, level = bench.ranges, bench.stack, 0
    _enter_range(ranges, 0, 0, count)
    while level >= 0:
        start, stop = ranges[level, START], ranges[level, STOP]
        stage = ranges[level, STAGE]
        if stage == 0 and stop - start > 1:
            first, last = (
                leaves + LEAF_OCTETS * start,
                leaves + LEAF_OCTETS * (stop - 1),
            )
            bit = first_difference(values, first, values, last)
            middle = middle_of(values, leaves, start, stop, bit)
            ranges[level, BIT], ranges[level, MIDDLE] = bit, middle
            ranges[level, STAGE] = 1
            level += 1
            _enter_range(ranges, level, start, middle)
            continue
        if stage == 1:
            ranges[level, STAGE] = 2
            level += 1
            _enter_range(ranges, level, ranges[level - 1, MIDDLE], stop)
            continue
        slot = _slot(ranges, level)
        if stage == 0:
            copy(bench.digests, 32 * start, stack, slot, HASH_OCTETS)
        else:
            _join(ranges[level, BIT], stack, level, slot, bench.scratch)
        level -= 1
    copy(stack, 0, bench.roots, 32 * number, HASH_OCTETS)


@part
def _enter_range(ranges: np.ndarray, level: int, start: int, stop: int) -> None:
    ranges[level, START] = start
    ranges[level, STOP] = stop
    ranges[level, STAGE] = 0


@part
def _slot(frames: np.ndarray, level: int) -> int:
    """Say where the hash of a node goes: to its side of the node above, or on top."""
    if level == 0:
        return 0
    return 64 * level + 32 * (frames[level - 1, STAGE] - 1)


@part
def _join(bit: int, stack: Octets, level: int, slot: int, scratch: Octets) -> None:
    """Hash the two sides of a node, which wait on the stack."""
    sides = 64 * (level + 1)
    inner_digest(bit, stack, sides, stack, sides + 32, stack, slot, scratch)


@part
def _derive(trie: Trie, top: int, written: Written, bench: Bench) -> None:
    """Give in `bench.leaf` the map's root: from written buckets and the trie before."""
    frames, stack = bench.frames, bench.stack
    depth, present = 0, False
    enter(frames, 0, top, 0, written.value_ends.size)
    while depth >= 0:
        node, start, stage = (
            frames[depth, NODE],
            frames[depth, START],
            frames[depth, STAGE],
        )
        nothing = start == frames[depth, STOP]
        ends = stage == 2 or nothing or bench.depths[start] <= depth
        if not ends or stage == 1:
            frames[depth, LEFT] = present
            go_on(trie, bench.prefixes, frames, depth)
            depth += 1
            continue
        slot = _slot(frames, depth)
        if stage == 2:
            present = _join_sides(depth, frames[depth, LEFT] != 0, present, bench)
        elif nothing:
            present = node != 0
            copy(trie.hashes, 32 * node, stack, slot, HASH_OCTETS)
        else:
            present = True
            copy(bench.roots, 32 * start, stack, slot, HASH_OCTETS)
        depth -= 1
    copy(stack, 0, bench.leaf, 0, HASH_OCTETS)


@part
def _join_sides(depth: int, left: bool, right: bool, bench: Bench) -> bool:
    slot, sides = _slot(bench.frames, depth), 64 * (depth + 1)
    if left and right:
        _join(depth, bench.stack, depth, slot, bench.scratch)
    else:
        only = sides if left else sides + 32
        copy(bench.stack, only, bench.stack, slot, HASH_OCTETS)
    return left or right
