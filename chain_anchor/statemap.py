r"""The state map: the latest state of every key under one root, and its proofs.

A path-compressed binary Merkle tree over 256-bit keys (tlog notes §5.1). All hashes
are SHA-256, and their first octet keeps them apart from each other and from the
log's (0x00 and 0x01, RFC 6962 §2.1):

    map key    H("iirs/map-key/v1\n" || kind || canonical octets)
    map value  H(0x04 || state:u8 || version:u64 || index:u64 || leaf hash[32])
    map leaf   H(0x02 || key[32] || value[32])
    map inner  H(0x03 || bit:u8 || left[32] || right[32])
    empty map  H(0x05)

`bit` is the first bit in which the keys below an inner node differ, 0 the most
significant one of the first octet. So the root depends on the keys and values only,
and a subtree with one empty side has the hash of its other side.

Why a proof cannot lie, whoever made the root: an inner node commits to its bit, so
from a root down the bits of a key choose one child at each node and lead to exactly
one leaf. Presence shows that this leaf has the key; absence shows that it has another
one. Both at once would be two leaves, or two nodes, with one hash. The tests try.
"""

import hashlib
import struct
from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import NamedTuple

from chain_anchor.errors import FormatError, ProofError
from chain_anchor.octets import HASH_OCTETS, MAX_COUNT

KIND_RECORD = 1
"""The key stands for an identifier's record."""

KIND_HOME = 2
"""The key stands for a prefix that this node serves."""

KIND_CHILD = 3
"""The key stands for a child log, by its origin; its record is a checkpoint's text."""

KINDS = (KIND_RECORD, KIND_HOME, KIND_CHILD)

ACTIVE = 1
DELETED = 2
"""A tombstone: the key was registered once, and its version goes on."""

KEY_BITS = 256
STATE_OCTETS = 49
EMPTY_ROOT = hashlib.sha256(b"\x05").digest()

_KEY_CONTEXT = b"iirs/map-key/v1\n"
_KEY_CONTEXTS = {kind: _KEY_CONTEXT + bytes((kind,)) for kind in KINDS}
_STATE = struct.Struct("!BQQ32s")

Path = Sequence[tuple[int, bytes]]
"""Bit and sibling of each inner node from the root to the leaf."""


class State(NamedTuple):
    """The latest state of a key.

    OFFSET  SIZE  FIELD
         0     1  state, 1 active, 2 deleted
         1     8  version, from 1
         9     8  index of the entry that made it
        17    32  leaf hash of that entry
    """

    state: int
    version: int
    index: int  # type: ignore[assignment] # tuple.index is not missed here
    leaf_hash: bytes

    def encode(self) -> bytes:
        """Give the 49 octets.

        Raises:
            FormatError: A field does not fit its place.
        """
        self._check()
        return _STATE.pack(*self)

    @classmethod
    def decode(cls, octets: bytes) -> "State":
        """Read the 49 octets.

        Raises:
            FormatError: They are not the encoding of a state.
        """
        if len(octets) != STATE_OCTETS:
            raise FormatError(f"state has {len(octets)} octets, expected 49")
        state = cls(*_STATE.unpack(octets))
        state._check()
        return state

    def value_hash(self) -> bytes:
        """Give the map value: H(0x04 || the 49 octets)."""
        return hashlib.sha256(b"\x04" + self.encode()).digest()

    def _check(self) -> None:
        if self.state not in (ACTIVE, DELETED):
            raise FormatError(f"state is {self.state}, expected 1 or 2")
        if not 1 <= self.version <= MAX_COUNT:
            raise FormatError(f"version is {self.version}, expected 1 to {MAX_COUNT}")
        if not 0 <= self.index <= MAX_COUNT:
            raise FormatError(f"index is {self.index}, expected 0 to {MAX_COUNT}")
        if len(self.leaf_hash) != HASH_OCTETS:
            raise FormatError(
                f"leaf hash has {len(self.leaf_hash)} octets, expected 32"
            )


class MapProof(NamedTuple):
    """The way from the root to the one leaf that a key leads to."""

    path: tuple[tuple[int, bytes], ...]
    """Bit and sibling of each inner node, root first, bits rising."""

    neighbour: tuple[bytes, bytes] | None
    """Key and value of that leaf if it is another key's; None if it is the key's own,
    or if the map is empty."""


def map_key(kind: int, octets: bytes) -> bytes:
    """Give the key under which a name stands in the map.

    Args:
        kind: What the name stands for, one of `KINDS`.
        octets: The canonical octets of the name.

    Raises:
        FormatError: There is no such kind.
    """
    context = _KEY_CONTEXTS.get(kind)
    if context is None:
        raise FormatError(f"map kind is {kind}, expected 1, 2 or 3")
    return hashlib.sha256(context + octets).digest()


def leaf_hash(key: bytes, value_hash: bytes) -> bytes:
    """Give the hash of a map leaf."""
    return hashlib.sha256(b"\x02" + key + value_hash).digest()


def inner_hash(bit: int, left: bytes, right: bytes) -> bytes:
    """Give the hash of an inner node whose keys first differ in `bit`."""
    return hashlib.sha256(b"\x03" + bytes((bit,)) + left + right).digest()


def bit_at(key: bytes, bit: int) -> int:
    """Give one bit of a key; 0 is the most significant of the first octet."""
    return key[bit >> 3] >> (7 - (bit & 7)) & 1


def first_difference(left: bytes, right: bytes) -> int:
    """Give the first bit in which two keys differ; 256 if they are the same."""
    return KEY_BITS - (int.from_bytes(left) ^ int.from_bytes(right)).bit_length()


def verify_presence(root: bytes, key: bytes, value_hash: bytes, path: Path) -> None:
    """Make sure that the map under `root` holds `value_hash` under `key`.

    Raises:
        ProofError: The path does not show it.
    """
    _check_hashes(root, key, value_hash)
    _check_path(path)
    _check_root(root, _fold(key, leaf_hash(key, value_hash), path), "presence")


def verify_absence(root: bytes, key: bytes, proof: MapProof) -> None:
    """Make sure that the map under `root` holds nothing under `key`.

    Raises:
        ProofError: The proof does not show it.
    """
    if proof.neighbour is None:
        if proof.path:
            raise ProofError("proof of absence: a path, but no leaf at its end")
        _check_hashes(root, key)
        _check_root(root, EMPTY_ROOT, "absence in the empty map")
        return
    neighbour, value_hash = proof.neighbour
    _check_hashes(root, key, neighbour, value_hash)
    _check_path(proof.path)
    _check_neighbour(key, neighbour, proof.path)
    _check_root(
        root, _fold(key, leaf_hash(neighbour, value_hash), proof.path), "absence"
    )


def root_of_leaves(leaves: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Give the root over (key, value hash) pairs, which must be sorted by key.

    This is the definition: all else that computes a root must agree with it.
    """
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaf_hash(*leaves[0])
    bit = first_difference(leaves[0][0], leaves[-1][0])
    if bit == KEY_BITS:
        raise ValueError(f"the key {leaves[0][0].hex()} stands twice")
    middle = bisect_left(leaves, 1, key=lambda leaf: bit_at(leaf[0], bit))
    return inner_hash(
        bit, root_of_leaves(leaves[:middle]), root_of_leaves(leaves[middle:])
    )


class ReferenceMap:
    """The map in memory, by the plain recursion; the measure for faster ones.

    Subtrees are remembered by the prefix their keys share, and forgotten when a key
    with that prefix changes: some thousand keys, one change at a time, are no wait.
    """

    def __init__(self) -> None:
        self._keys: list[bytes] = []
        self._states: dict[bytes, State] = {}
        self._hashes: dict[tuple[int, int], bytes] = {}

    def __len__(self) -> int:
        """Give the number of keys, tombstones included."""
        return len(self._keys)

    def get(self, key: bytes) -> State | None:
        """Give the state of a key."""
        return self._states.get(key)

    def put(self, key: bytes, state: State) -> None:
        """Set the state of a key.

        Raises:
            FormatError: The key is no map key, or the state does not fit.
        """
        if len(key) != HASH_OCTETS:
            raise FormatError(f"map key has {len(key)} octets, expected 32")
        state.encode()
        if key not in self._states:
            insort(self._keys, key)
        self._states[key] = state
        number = int.from_bytes(key)
        for bits in range(KEY_BITS + 1):
            self._hashes.pop((bits, number >> (KEY_BITS - bits)), None)

    def root(self) -> bytes:
        """Give the root."""
        return self._hash(0, len(self._keys)) if self._keys else EMPTY_ROOT

    def prove(self, key: bytes) -> MapProof:
        """Prove what stands under `key`: its state, or that there is none."""
        path = []
        start, stop = 0, len(self._keys)
        while stop - start > 1:
            bit, middle = self._split(start, stop)
            if bit_at(key, bit):
                sibling = self._hash(start, middle)
                start = middle
            else:
                sibling = self._hash(middle, stop)
                stop = middle
            path.append((bit, sibling))
        return MapProof(tuple(path), self._neighbour(key, start))

    def _neighbour(self, key: bytes, place: int) -> tuple[bytes, bytes] | None:
        if key in self._states or not self._keys:
            return None
        neighbour = self._keys[place]
        return neighbour, self._states[neighbour].value_hash()

    def _split(self, start: int, stop: int) -> tuple[int, int]:
        """Give the first bit in which a run of keys differs, and where it turns 1."""
        keys = self._keys
        bit = first_difference(keys[start], keys[stop - 1])
        middle = bisect_left(
            keys, 1, start, stop, key=lambda candidate: bit_at(candidate, bit)
        )
        return bit, middle

    def _hash(self, start: int, stop: int) -> bytes:
        first = self._keys[start]
        bits = first_difference(first, self._keys[stop - 1])
        place = (bits, int.from_bytes(first) >> (KEY_BITS - bits))
        known = self._hashes.get(place)
        if known is None:
            known = self._hashes[place] = self._compute(start, stop)
        return known

    def _compute(self, start: int, stop: int) -> bytes:
        if stop - start == 1:
            key = self._keys[start]
            return leaf_hash(key, self._states[key].value_hash())
        bit, middle = self._split(start, stop)
        return inner_hash(bit, self._hash(start, middle), self._hash(middle, stop))


def _fold(key: bytes, node: bytes, path: Path) -> bytes:
    """Go from a leaf up to the root; the bits of `key` say on which side."""
    for bit, sibling in reversed(path):
        if bit_at(key, bit):
            node = inner_hash(bit, sibling, node)
        else:
            node = inner_hash(bit, node, sibling)
    return node


def _check_path(path: Path) -> None:
    if len(path) > KEY_BITS:
        raise ProofError(f"map path has {len(path)} steps, at most 256 are possible")
    above = -1
    for step, (bit, sibling) in enumerate(path):
        if not above < bit < KEY_BITS:
            raise ProofError(
                f"map path step {step}: bit {bit}, expected {above + 1} to 255"
            )
        if len(sibling) != HASH_OCTETS:
            raise ProofError(
                f"map path step {step}: sibling of {len(sibling)} octets, expected 32"
            )
        above = bit


def _check_neighbour(key: bytes, neighbour: bytes, path: Path) -> None:
    if neighbour == key:
        raise ProofError("proof of absence: the leaf at its end is the key's own")
    for bit, _ in path:
        if bit_at(key, bit) != bit_at(neighbour, bit):
            raise ProofError(
                f"proof of absence: the leaf at its end differs in bit {bit}, where "
                "the path parts; the key does not lead to it"
            )


def _check_hashes(*hashes: bytes) -> None:
    for octets in hashes:
        if len(octets) != HASH_OCTETS:
            raise ProofError(
                f"map proof: a hash or key of {len(octets)} octets, expected 32"
            )


def _check_root(expected: bytes, computed: bytes, what: str) -> None:
    if computed != expected:
        raise ProofError(
            f"map proof of {what} leads to the root {computed.hex()}, "
            f"expected {expected.hex()}"
        )
