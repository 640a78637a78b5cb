"""The 16-ary Merkle trie of accounts and of metadata (bif notes §2.8).

A set of keys and hashes of values has one trie, whatever the order in which they came.
A place in it is a string of nibbles, written here as hexadecimal digits:

    location     00 || nibbles         an even count; the root is 00
                 01 || nibbles || 0    an odd count (emulator convention)
    Node         17 Child: one for each next nibble, one for the key that ends here
    Child        location, hash, NONE | INNER | LEAF
    leaf         at the location of its key; hash of the value's octets
    inner        at the longest common start of its keys; hash of the serialised Node

A node with one child only is not kept: the child takes its place in the node above,
unchanged. The root is kept always. So a way down skips what its keys have in common,
and an empty trie has the hash of 17 times (0a 00), which live chains print.

An update goes down once, from node to node along the changes, and hashes once, back to
the root; it uses no recursion, because keys that begin each with the one before make a
trie as deep as there are keys. Changes go on together as branches; most of them are
soon alone, and finish their way at once.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from chain_anchor.bif.errors import BlockError
from chain_anchor.bif.trie_node import (
    EMPTY_NODE,
    INNER,
    LEAF,
    NONE,
    OWN,
    SLOTS,
    Child,
    Nibbles,
    digest_of,
    find,
    join,
    location_of,
    make_child,
    split,
    to_location,
    to_nibbles,
)

ReadNode = Callable[[bytes], bytes | None]
"""Octets of the node at a location, or None if there is no node."""

ROOT: Final = to_location("")

EMPTY_ROOT: Final = sha256(EMPTY_NODE).digest()
"""Root of the trie without keys; verified against live chains."""


_SLOT_OF: Final = {digit: slot for slot, digit in enumerate("0123456789abcdef")}
_SLOT_OF[""] = OWN


class Update(NamedTuple):
    """What an update makes of a trie."""

    root: bytes
    nodes: dict[bytes, bytes | None]
    """Octets of each node that changed, by location; None where it is gone."""


class _Branch(NamedTuple):
    """A node that several changes go through, and where it hangs."""

    children: list[Child]
    parent: Nibbles
    slot: int


_Changes = Sequence[tuple[Nibbles, bytes | None]]
"""Nibbles of a key and hash of its value, None to remove it; sorted by nibbles."""


def update(read: ReadNode, changes: Mapping[bytes, bytes | None]) -> Update:
    """Set and remove keys, all at once.

    Args:
        read: the nodes of the trie before.
        changes: hash of the new value by key; None removes a key, or does nothing if
            it is not there.
    """
    work = _Work(read, removing=None in changes.values())
    work.go_down(sorted((key.hex(), digest) for key, digest in changes.items()))
    return Update(work.hash_up(), work.nodes)


def root(read: ReadNode) -> bytes:
    """Give the root of a trie."""
    octets = read(ROOT)
    return EMPTY_ROOT if octets is None else sha256(octets).digest()


def keys(read: ReadNode) -> Iterator[bytes]:
    """List the keys in the order of their octets, shorter ones first.

    Raises:
        BlockError: a node is missing, or is none.
    """
    waiting = [_in_order(read(ROOT) or EMPTY_NODE)]
    while waiting:
        child = next(waiting[-1], None)
        if child is None:
            waiting.pop()
        elif child[-1] == LEAF:
            yield location_of(child)[1:]
        else:
            waiting.append(_in_order(_stored(read, location_of(child))))


def _in_order(octets: bytes) -> Iterator[Child]:
    """Give the children that are there, the one of the node's own key first."""
    children = split(octets)
    return (children[slot] for slot in (OWN, *range(OWN)) if children[slot][-1])


def _stored(read: ReadNode, location: bytes) -> bytes:
    octets = read(location)
    if octets is None:
        raise BlockError(f"trie: the node at {location.hex()} is missing")
    return octets


class _Work:
    """An update under way."""

    def __init__(self, read: ReadNode, *, removing: bool) -> None:
        self.nodes: dict[bytes, bytes | None] = {}
        self._read = read
        self._removing = removing
        # Only then can a node have too few children to be kept.
        self._branches: dict[Nibbles, _Branch] = {}

    def go_down(self, changes: _Changes) -> None:
        """Bring the changes to their slots."""
        top = self._read(ROOT)
        children = split(EMPTY_NODE if top is None else top)
        self._branches[""] = _Branch(children, "", 0)
        waiting: list[tuple[Nibbles, _Changes]] = [("", changes)]
        while waiting:
            at, group = waiting.pop()
            children = self._branches[at].children
            for slot, part in _by_slot(at, group):
                if len(part) == 1:
                    children[slot] = self._set(children[slot], *part[0])
                    continue
                below = self._enter(children[slot], part)
                if isinstance(below, bytes):
                    children[slot] = below
                else:
                    where, node, rest = below
                    self._branches[where] = _Branch(node, at, slot)
                    waiting.append((where, rest))

    def hash_up(self) -> bytes:
        """Hash the branches, longest location first; give the root."""
        for at in sorted(self._branches, key=len, reverse=True):
            children, parent, slot = self._branches[at]
            if at:
                above = self._branches[parent].children
                above[slot] = self._close(to_location(at), join(children))
        octets = self.nodes[ROOT] = join(self._branches[""].children)
        return sha256(octets).digest()

    def _enter(
        self, child: Child, part: _Changes
    ) -> Child | tuple[Nibbles, list[Child], _Changes]:
        """Bring several changes to a child; give it, or the branch that goes on there."""
        if child[-1] == INNER:
            at = to_nibbles(location_of(child))
            if not _all_below(at, part):
                # What is not there need not be removed.
                part = [one for one in part if one[1] or one[0].startswith(at)]
            if len(part) > 1:
                return self._enter_inner(at, child, part)
        else:
            left = dict(part)
            if child[-1] == LEAF:
                left.setdefault(to_nibbles(location_of(child)), digest_of(child))
            part = sorted((key, digest) for key, digest in left.items() if digest)
            child = NONE
            if len(part) > 1:
                return _common(part[0][0], part[-1][0]), [NONE] * SLOTS, part
        return self._set(child, *part[0]) if part else child

    def _enter_inner(
        self, at: Nibbles, child: Child, part: _Changes
    ) -> tuple[Nibbles, list[Child], _Changes]:
        """Go on to an inner node, or to a new one above it where a key branches off."""
        if _all_below(at, part):
            return at, split(_stored(self._read, location_of(child))), part
        common = _common(_common(at, part[0][0]), part[-1][0])
        children = [NONE] * SLOTS
        children[_slot(at, len(common))] = child
        return common, children, part

    def _set(self, child: Child, key: Nibbles, digest: bytes | None) -> Child:
        """Set or remove one key below a child; give the child that is then there."""
        above: list[tuple[bytes, bytes, int, int]] = []
        while child[-1] == INNER:
            location = location_of(child)
            at = to_nibbles(location)
            if not key.startswith(at):
                break
            octets = _stored(self._read, location)
            begin, end = find(octets, _slot(key, len(at)))
            above.append((location, octets, begin, end))
            child = octets[begin:end]
        child = self._replace(child, key, digest)
        for location, octets, begin, end in reversed(above):
            parts = octets[:begin], child, octets[end:]
            child = self._close(location, b"".join(parts))
        return child

    def _replace(self, child: Child, key: Nibbles, digest: bytes | None) -> Child:
        """Set or remove a key where the way to it ends."""
        there = to_nibbles(location_of(child)) if child[-1] else key
        if digest is None:
            return NONE if there == key else child
        leaf = make_child(to_location(key), digest, LEAF)
        if there == key:
            return leaf
        common = _common(there, key)
        children = [NONE] * SLOTS
        children[_slot(there, len(common))] = child
        children[_slot(key, len(common))] = leaf
        return self._close(to_location(common), join(children))

    def _close(self, location: bytes, octets: bytes) -> Child:
        """Finish a node; give the child that stands for it in the node above."""
        if self._removing:
            kept = [child for child in split(octets) if child[-1]]
            if len(kept) < 2:
                self.nodes[location] = None
                return kept[0] if kept else NONE
        self.nodes[location] = octets
        return make_child(location, sha256(octets).digest(), INNER)


def _all_below(at: Nibbles, part: _Changes) -> bool:
    """Say whether sorted changes are all below a place: the outermost are."""
    return part[0][0].startswith(at) and part[-1][0].startswith(at)


def _by_slot(at: Nibbles, changes: _Changes) -> Iterator[tuple[int, _Changes]]:
    """Part sorted changes by the slot of the node at `at` that each belongs to."""
    depth, end = len(at), len(at) + 1
    start, first = 0, changes[0][0][depth:end] if changes else ""
    for place, (key, _) in enumerate(changes):
        digit = key[depth:end]
        if digit != first:
            yield _SLOT_OF[first], changes[start:place]
            start, first = place, digit
    if changes:
        yield _SLOT_OF[first], changes[start:]


def _slot(nibbles: Nibbles, depth: int) -> int:
    """Say which slot of a node at this depth leads to a place below it."""
    return _SLOT_OF[nibbles[depth : depth + 1]]


def _common(one: Nibbles, other: Nibbles) -> Nibbles:
    """Give the start that two places have in common."""
    for depth, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return one[:depth]
    return min(one, other, key=len)
