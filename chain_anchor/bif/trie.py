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

An update goes down once, from node to node along the changes, and hashes once, from
the longest location to the root; it uses no recursion, because keys that begin each
with the one before make a trie as deep as there are keys.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from google.protobuf.message import DecodeError

from chain_anchor.bif import chain_pb2
from chain_anchor.bif.errors import BlockError

Nibbles = str
"""Hexadecimal digits."""

ReadNode = Callable[[bytes], bytes | None]
"""Octets of the node at a location, or None if there is no node."""

_SLOTS: Final = 17
_OWN: Final = 16
_NONE: Final = chain_pb2.Child.NONE
_INNER: Final = chain_pb2.Child.INNER
_LEAF: Final = chain_pb2.Child.LEAF
_EMPTY_NODE: Final = b"\x0a\x00" * _SLOTS

EMPTY_ROOT: Final = sha256(_EMPTY_NODE).digest()
"""Root of the trie without keys; verified against live chains."""


class Update(NamedTuple):
    """What an update makes of a trie."""

    root: bytes
    nodes: dict[bytes, bytes | None]
    """Octets of each node that changed, by location; None where it is gone."""


class _Touched(NamedTuple):
    """A node under way, and where it hangs."""

    node: chain_pb2.Node
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
    nibbles = sorted((key.hex(), digest) for key, digest in changes.items())
    return _hash_up(_go_down(read, nibbles), None in changes.values())


def root(read: ReadNode) -> bytes:
    """Give the root of a trie."""
    octets = read(location(""))
    return EMPTY_ROOT if octets is None else sha256(octets).digest()


def keys(read: ReadNode) -> Iterator[bytes]:
    """List the keys in the order of their octets, shorter ones first.

    Raises:
        BlockError: a node is missing, or is none.
    """
    waiting = [_in_order(read(location("")) or _EMPTY_NODE)]
    while waiting:
        child = next(waiting[-1], None)
        if child is None:
            waiting.pop()
        elif child.childtype == _LEAF:
            yield child.sublocation[1:]
        else:
            waiting.append(_in_order(_stored(read, child.sublocation)))


def location(nibbles: Nibbles) -> bytes:
    """Write a place in the trie as octets."""
    if len(nibbles) % 2:
        return bytes.fromhex(f"01{nibbles}0")
    return bytes.fromhex("00" + nibbles)


def _in_order(octets: bytes) -> Iterator[chain_pb2.Child]:
    """Give the children that are there, the one of the node's own key first."""
    children = _parse(octets).children
    return (
        children[slot]
        for slot in (_OWN, *range(_OWN))
        if children[slot].childtype != _NONE
    )


def _go_down(read: ReadNode, changes: _Changes) -> dict[Nibbles, _Touched]:
    """Bring the changes to their slots; return the nodes that this touches."""
    top = read(location(""))
    node = _parse(_EMPTY_NODE if top is None else top)
    touched = {"": _Touched(node, "", 0)}
    waiting: list[tuple[Nibbles, _Changes]] = [("", changes)]
    while waiting:
        at, group = waiting.pop()
        children = touched[at].node.children
        for slot, part in _by_slot(at, group):
            child = children[slot]
            if child.childtype == _INNER:
                below = _enter_inner(read, child, part)
            else:
                below = _enter_leaf(child, part)
            if below is not None:
                where, node, rest = below
                touched[where] = _Touched(node, at, slot)
                waiting.append((where, rest))
    return touched


_Below = tuple[Nibbles, chain_pb2.Node, _Changes] | None
"""A node that the changes go on to, where it is, and those changes."""


def _enter_inner(read: ReadNode, child: chain_pb2.Child, part: _Changes) -> _Below:
    """Go on to an inner node, or to a new one above it where a key branches off."""
    at = _nibbles(child.sublocation)
    if not _all_below(at, part):
        part = [change for change in part if change[1] or change[0].startswith(at)]
    if not part:
        return None
    if _all_below(at, part):
        return at, _parse(_stored(read, child.sublocation)), part
    common = _common(_common(at, part[0][0]), part[-1][0])
    node = _parse(_EMPTY_NODE)
    node.children[_slot(at, len(common))].CopyFrom(child)
    return common, node, part


def _enter_leaf(child: chain_pb2.Child, part: _Changes) -> _Below:
    """Set the one key that a slot then has, or go on to a new node for several."""
    key, digest = part[0]
    if len(part) == 1 and child.sublocation in (b"", location(key)):
        _set_leaf(child, key, digest)
        return None
    left = dict(part)
    if child.childtype == _LEAF:
        left.setdefault(_nibbles(child.sublocation), child.hash)
    kept = sorted((key, digest) for key, digest in left.items() if digest)
    if len(kept) > 1:
        common = _common(kept[0][0], kept[-1][0])
        return common, _parse(_EMPTY_NODE), kept
    _set_leaf(child, *(kept[0] if kept else ("", None)))
    return None


def _set_leaf(child: chain_pb2.Child, key: Nibbles, digest: bytes | None) -> None:
    if digest is None:
        child.Clear()
        return
    child.sublocation = location(key)
    child.hash = digest
    child.childtype = _LEAF


def _all_below(at: Nibbles, part: _Changes) -> bool:
    """Say whether sorted changes are all below a place: the outermost are."""
    return part[0][0].startswith(at) and part[-1][0].startswith(at)


def _hash_up(touched: dict[Nibbles, _Touched], removals: bool) -> Update:
    """Hash the touched nodes, longest location first.

    Only where keys were removed can a node have too few children to be kept.
    """
    nodes: dict[bytes, bytes | None] = {}
    for at in sorted(touched, key=len, reverse=True):
        node, parent, slot = touched[at]
        if not at:
            break
        place = touched[parent].node.children[slot]
        if removals and _give_up(node, place):
            nodes[location(at)] = None
            continue
        octets = node.SerializeToString()
        nodes[location(at)] = octets
        place.sublocation = location(at)
        place.hash = sha256(octets).digest()
        place.childtype = _INNER
    octets = touched[""].node.SerializeToString()
    nodes[location("")] = octets
    return Update(sha256(octets).digest(), nodes)


def _give_up(node: chain_pb2.Node, place: chain_pb2.Child) -> bool:
    """Let a node's only child take its place, or nothing if it has none."""
    kept = [child for child in node.children if child.childtype]
    if len(kept) > 1:
        return False
    place.Clear()
    if kept:
        place.CopyFrom(kept[0])
    return True


def _by_slot(at: Nibbles, changes: _Changes) -> Iterator[tuple[int, _Changes]]:
    """Part sorted changes by the slot of the node at `at` that each belongs to."""
    depth = len(at)
    if len(changes) == 1:
        yield _slot(changes[0][0], depth), changes
        return
    start, first = 0, changes[0][0][depth : depth + 1] if changes else ""
    for place, (key, _) in enumerate(changes):
        digit = key[depth : depth + 1]
        if digit != first:
            yield _slot(changes[start][0], depth), changes[start:place]
            start, first = place, digit
    if changes:
        yield _slot(changes[start][0], depth), changes[start:]


def _slot(nibbles: Nibbles, depth: int) -> int:
    """Say which slot of a node at this depth leads to a place below it."""
    return int(nibbles[depth], 16) if len(nibbles) > depth else _OWN


def _common(one: Nibbles, other: Nibbles) -> Nibbles:
    """Give the start that two places have in common."""
    for depth, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return one[:depth]
    return min(one, other, key=len)


def _nibbles(octets: bytes) -> Nibbles:
    """Read a place in the trie from octets."""
    digits = octets.hex()
    return digits[2:-1] if digits.startswith("01") else digits[2:]


def _stored(read: ReadNode, place: bytes) -> bytes:
    octets = read(place)
    if octets is None:
        raise BlockError(f"trie: the node at {place.hex()} is missing")
    return octets


def _parse(octets: bytes) -> chain_pb2.Node:
    try:
        node = chain_pb2.Node.FromString(octets)
    except DecodeError:
        raise BlockError("trie: octets are no node") from None
    if len(node.children) != _SLOTS:
        raise BlockError(f"trie: 17 children expected, got {len(node.children)}")
    return node
