"""Nodes of the trie as octets, cut and joined by hand (bif notes §2.8).

    Node     17 times a Child, framed
    frame    0a SIZE CHILD
    Child    nothing, or 0a SIZE LOCATION 12 20 HASH 18 TYPE

That is what the messages `Node` and `Child` are on the wire, and a test holds both to
it. A block changes one child each of tens of thousands of nodes: cutting takes a third
of the time of parsing and serialising, as the other sixteen stay octets.

Children are kept with their frame, so that a node is 17 of them one after the other.
The last octet of a child is its type, also of the empty one.
"""

from collections.abc import Sequence
from typing import Final

from chain_anchor.bif.errors import BlockError
from chain_anchor.bif.framing import varint

Nibbles = str
"""Hexadecimal digits."""

Child = bytes
"""A child with its frame."""

SLOTS: Final = 17
OWN: Final = 16
"""The slot of the key that ends at the node."""

NONE: Final = b"\x0a\x00"
INNER: Final = 1
LEAF: Final = 2
EMPTY_NODE: Final = NONE * SLOTS

_HASH: Final = b"\x12\x20"
_TYPES: Final = (b"", b"\x18\x01", b"\x18\x02")
_TAIL_OCTETS: Final = 36
"""Of a child, behind its location."""

_MORE: Final = 0x80
"""From here on a size has a second octet; none has a third."""


def find(octets: bytes, slot: int) -> tuple[int, int]:
    """Say where a child of a node begins and ends.

    Raises:
        BlockError: the octets are no node.
    """
    at = 0
    try:
        for _ in range(slot):
            size = octets[at + 1]
            at += size + 2 if size < _MORE else _long_frame(octets, at)
        size = octets[at + 1]
    except IndexError:
        raise _no_node() from None
    return at, at + (size + 2 if size < _MORE else _long_frame(octets, at))


def split(octets: bytes) -> list[Child]:
    """Cut a node into its 17 children.

    Raises:
        BlockError: the octets are no node.
    """
    children = []
    begin = 0
    try:
        for _ in range(SLOTS):
            size = octets[begin + 1]
            end = begin + (size + 2 if size < _MORE else _long_frame(octets, begin))
            children.append(octets[begin:end])
            begin = end
    except IndexError:
        raise _no_node() from None
    if begin != len(octets):
        raise _no_node()
    return children


def join(children: Sequence[Child]) -> bytes:
    """Put a node together."""
    return b"".join(children)


def make_child(location: bytes, digest: bytes, kind: int) -> Child:
    """Make a child that is `INNER` or `LEAF`."""
    head = _HEADS[len(location)] if len(location) < len(_HEADS) else _head(location)
    return b"".join((head, location, _HASH, digest, _TYPES[kind]))


def location_of(child: Child) -> bytes:
    """Give where a child is, which is not empty."""
    if not child[1] & _MORE:
        return child[4:-_TAIL_OCTETS]
    return child[6 if child[4] & _MORE else 5 : -_TAIL_OCTETS]


def digest_of(child: Child) -> bytes:
    """Give the hash in a child, which is not empty."""
    return child[-34:-2]


def to_location(nibbles: Nibbles) -> bytes:
    """Write a place in the trie as octets."""
    if len(nibbles) % 2:
        return bytes.fromhex(f"01{nibbles}0")
    return bytes.fromhex("00" + nibbles)


def to_nibbles(location: bytes) -> Nibbles:
    """Read a place in the trie from octets."""
    digits = location.hex()
    return digits[2:-1] if location[0] else digits[2:]


def _head(location: bytes) -> bytes:
    """Give what stands in a child before its location: tags and sizes."""
    size = varint(len(location))
    content = 1 + len(size) + len(location) + _TAIL_OCTETS
    return b"\x0a" + varint(content) + b"\x0a" + size


_HEADS: Final = [_head(bytes(size)) for size in range(64)]
"""By the size of the location: accounts have 25 or 29 octets."""


def _long_frame(octets: bytes, at: int) -> int:
    """Count the octets of a child with a long location."""
    return 3 + (octets[at + 1] & ~_MORE) + (octets[at + 2] << 7)


def _no_node() -> BlockError:
    return BlockError(f"trie: a node of {SLOTS} children expected, got others")
