"""The kernel that seals a group: the twin of `chain_anchor.buckets.PlainEngine.seal`.

Changes are sorted by key, so those of one bucket stand together, and buckets are met
in the order they have in the table. Each is read, checked, changed and laid out anew.
"""

from typing import NamedTuple

import numpy as np

from chain_anchor.compiled.kernels import (
    Octets,
    compare,
    copy,
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
    must_split,
    root_of,
)
from chain_anchor.compiled.sha256 import digest, map_leaf_digest
from chain_anchor.compiled.sorting import sort_keys
from chain_anchor.compiled.trie import (
    PLACE_OCTETS,
    Puts,
    Trie,
    find,
    set_place,
)

CHANGE = 1
CHANGE_HEAD = 82
"""Octets of a change before its body: the layout stands in `chain_anchor.changes`."""

MAX_COUNT = 2**63 - 1

# Words in which a group's outcome is told.
PUTS, GONE, VALUES, NEW_KEYS, DETAIL = range(5)
TOLD_WORDS = 5

# What `seal` gives.
SEALED, WRONG_BUCKET, WRONG_STATE = range(3)


class Group(NamedTuple):
    """Drafts, and the buckets that hold their keys.

    `ends` and `value_ends` say where each body and each bucket ends; buckets are in
    order of place.
    """

    keys: np.ndarray
    states: np.ndarray
    bodies: np.ndarray
    ends: np.ndarray
    places: np.ndarray
    values: np.ndarray
    value_ends: np.ndarray


class Made(NamedTuple):
    """What a group becomes.

    An entry has an octet 0 before it, with which it is hashed. `puts.at` says where in
    `values` each bucket begins; `gone` are the places of buckets that were split.
    """

    entries: np.ndarray
    hashes: np.ndarray
    values: np.ndarray
    places: np.ndarray
    puts: Puts
    gone: np.ndarray
    used: np.ndarray
    told: np.ndarray


class Desk(NamedTuple):
    """Where a group is worked on."""

    order: np.ndarray
    spare: np.ndarray
    leaves: np.ndarray
    digests: np.ndarray
    old_digests: np.ndarray
    bits: np.ndarray
    stack: np.ndarray
    frames: np.ndarray
    scratch: np.ndarray


def gap_octets(count: int) -> int:
    """Say how many octets entries take besides their bodies."""
    return (CHANGE_HEAD + 1) * count


@kernel
def seal(
    trie: Trie, top: int, first_index: int, group: Group, made: Made, desk: Desk
) -> int:
    """Seal a group.

    Returns:
        `SEALED`, with the outcome in `made`, but the trie as it was;
        `WRONG_BUCKET`: the bucket of draft `DETAIL` is not what was written;
        `WRONG_STATE`: the state that draft `DETAIL` follows is none.
    """
    told = made.told
    for n in range(TOLD_WORDS):
        told[n] = 0
    count = group.states.size
    sort_keys(group.keys, 0, HASH_OCTETS, count, desk.order, desk.spare)
    start, bucket = 0, 0
    while start < count:
        told[DETAIL] = desk.order[start]
        bits = word_at(group.keys, 32 * desk.order[start])
        node, depth = find(trie, top, bits)
        prefix = shared(bits, depth)
        stop = _end_of(group.keys, desk.order, start, count, prefix, depth)
        bucket = _bucket_at(group, bucket, prefix, depth)
        here = _is_at(group, bucket, prefix, depth)
        if here != (node != 0):
            return WRONG_BUCKET
        leaves = 0
        if here:
            leaves = _read(trie, node, group, bucket, prefix, depth, desk)
            if leaves == 0:
                return WRONG_BUCKET
            made.used[bucket] = 1
        total = _merge(first_index, group, bucket, leaves, start, stop, made, desk)
        if total == 0:
            return WRONG_STATE
        if here and must_split(total, depth):
            set_place(made.gone, told[GONE], prefix, depth)
            told[GONE] += 1
        _lay(total, depth, made, desk)
        start = stop
    return SEALED


@part
def _end_of(
    keys: Octets, order: np.ndarray, start: int, count: int, prefix: int, depth: int
) -> int:
    """Find the first draft after `start` that belongs in another bucket."""
    stop = start + 1
    while stop < count and shared(word_at(keys, 32 * order[stop]), depth) == prefix:
        stop += 1
    return stop


@part
def _bucket_at(group: Group, bucket: int, prefix: int, depth: int) -> int:
    """Find the first bucket, from one on, that does not lie before a place."""
    count = group.value_ends.size
    while bucket < count:
        found = word_at(group.places, PLACE_OCTETS * bucket)
        below = group.places[PLACE_OCTETS * bucket + 8] < depth
        if not (unsigned_below(found, prefix) or (found == prefix and below)):
            break
        bucket += 1
    return bucket


@part
def _is_at(group: Group, bucket: int, prefix: int, depth: int) -> bool:
    return (
        bucket < group.value_ends.size
        and word_at(group.places, PLACE_OCTETS * bucket) == prefix
        and group.places[PLACE_OCTETS * bucket + 8] == depth
    )


@part
def _start_of(ends: np.ndarray, number: int) -> int:
    return ends[number - 1] if number else 0


@part
def _read(
    trie: Trie,
    node: int,
    group: Group,
    bucket: int,
    prefix: int,
    depth: int,
    desk: Desk,
) -> int:
    """Check a bucket and hash its leaves; give how many, 0 if it is wrong."""
    values = group.values
    start = _start_of(group.value_ends, bucket)
    count = count_leaves(group.value_ends[bucket] - start)
    leaves = start + HASH_OCTETS
    if count == 0 or not are_in_place(values, leaves, count, prefix, depth):
        return 0
    hash_leaves(values, leaves, count, desk.old_digests, desk.scratch)
    found = desk.digests
    root_of(
        values,
        leaves,
        count,
        desk.old_digests,
        0,
        found,
        0,
        desk.bits,
        desk.stack,
        desk.scratch,
    )
    known = same(found, 0, trie.hashes, 32 * node, HASH_OCTETS)
    if known and same(found, 0, values, start, HASH_OCTETS):
        return count
    return 0


@part
def _merge(
    first_index: int,
    group: Group,
    bucket: int,
    count: int,
    start: int,
    stop: int,
    made: Made,
    desk: Desk,
) -> int:
    """Lay a bucket's leaves and its changes on the desk; give how many leaves it has.

    0 if a state there is none that a change can follow.
    """
    old = _start_of(group.value_ends, bucket) + HASH_OCTETS if count else 0
    taken, total = 0, 0
    while taken < count or start < stop:
        side = -1
        if start == stop:
            side = 1
        elif taken < count:
            key = 32 * desk.order[start]
            side = compare(group.keys, key, group.values, old + LEAF_OCTETS * taken)
        at = LEAF_OCTETS * total
        if side >= 0:
            copy(group.values, old + LEAF_OCTETS * taken, desk.leaves, at, LEAF_OCTETS)
            copy(desk.old_digests, 32 * taken, desk.digests, 32 * total, 32)
            taken += 1
        if side <= 0:
            if side < 0:
                _begin(group.keys, 32 * desk.order[start], desk.leaves, at)
                made.told[NEW_KEYS] += 1
            changes = _change(first_index, group, at, start, stop, made, desk)
            if changes == 0:
                return 0
            start += changes
            map_leaf_digest(desk.leaves, at, desk.digests, 32 * total, desk.scratch)
        total += 1
    return total


@part
def _begin(keys: Octets, key: int, leaves: Octets, at: int) -> None:
    """Begin a leaf: a key, and a state of version 0."""
    copy(keys, key, leaves, at, HASH_OCTETS)
    leaves[at + 32] = CHANGE
    for n in range(33, LEAF_OCTETS, 8):
        set_word(leaves, at + n, 0)


@part
def _change(
    first_index: int,
    group: Group,
    leaf: int,
    start: int,
    stop: int,
    made: Made,
    desk: Desk,
) -> int:
    """Apply all changes of the key of a leaf; give how many, 0 if it is wrong."""
    leaves, entries = desk.leaves, made.entries
    done = start
    while done < stop:
        number = desk.order[done]
        if compare(group.keys, 32 * number, leaves, leaf) != 0:
            break
        made.told[DETAIL] = number
        version = word_at(leaves, leaf + 33)
        if version < 0 or version == MAX_COUNT or word_at(leaves, leaf + 41) < 0:
            return 0
        if leaves[leaf + 32] != 1 and leaves[leaf + 32] != 2:
            return 0
        body, end = _start_of(group.ends, number), group.ends[number]
        at = body + (CHANGE_HEAD + 1) * number
        entries[at] = 0
        entries[at + 1] = CHANGE
        entries[at + 2] = group.states[number]
        set_word(entries, at + 3, version + 1)
        copy(leaves, leaf + 41, entries, at + 11, 40)
        copy(group.keys, 32 * number, entries, at + 51, HASH_OCTETS)
        copy(group.bodies, body, entries, at + 83, end - body)
        size = end - body + CHANGE_HEAD + 1
        digest(entries, at, size, made.hashes, 32 * number, desk.scratch)
        leaves[leaf + 32] = group.states[number]
        set_word(leaves, leaf + 33, version + 1)
        set_word(leaves, leaf + 41, first_index + number)
        copy(made.hashes, 32 * number, leaves, leaf + 49, HASH_OCTETS)
        done += 1
    return done - start


@part
def _lay(total: int, depth: int, made: Made, desk: Desk) -> None:
    """Lay the leaves on the desk into one bucket, or into as many as they need."""
    frames = desk.frames
    waiting = 1
    _wait(frames, 0, 0, total, depth)
    while waiting:
        waiting -= 1
        start, stop, depth = frames[waiting, 0], frames[waiting, 1], frames[waiting, 2]
        if start == stop:
            continue
        if must_split(stop - start, depth):
            middle = middle_of(desk.leaves, 0, start, stop, depth)
            _wait(frames, waiting, middle, stop, depth + 1)
            _wait(frames, waiting + 1, start, middle, depth + 1)
            waiting += 2
        else:
            _write(start, stop - start, depth, made, desk)


@part
def _wait(frames: np.ndarray, n: int, start: int, stop: int, depth: int) -> None:
    frames[n, 0] = start
    frames[n, 1] = stop
    frames[n, 2] = depth


@part
def _write(start: int, count: int, depth: int, made: Made, desk: Desk) -> None:
    """Write a bucket of leaves on the desk."""
    told, puts = made.told, made.puts
    number, at = told[PUTS], told[VALUES]
    leaves = LEAF_OCTETS * start
    prefix = shared(word_at(desk.leaves, leaves), depth)
    root_of(
        desk.leaves,
        leaves,
        count,
        desk.digests,
        start,
        made.values,
        at,
        desk.bits,
        desk.stack,
        desk.scratch,
    )
    copy(desk.leaves, leaves, made.values, at + HASH_OCTETS, LEAF_OCTETS * count)
    set_place(made.places, number, prefix, depth)
    puts.prefixes[number] = prefix
    puts.depths[number] = depth
    puts.at[number] = at
    told[PUTS] = number + 1
    told[VALUES] = at + HASH_OCTETS + LEAF_OCTETS * count
