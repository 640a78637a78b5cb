"""Keys, and Merkle trees by their recursive definition, for tests of the log."""

from collections.abc import Iterator
from functools import cache
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chain_anchor.cosignature import cosign, cosigner_key
from chain_anchor.note import Signer
from chain_anchor.tiles import MAX_LEVEL, TILE_WIDTH, Tile, width_in

ORIGIN = "wuhan.example/log"
NOW = 1_700_000_000


def private_key(name: str) -> Ed25519PrivateKey:
    """The same name, the same key."""
    return Ed25519PrivateKey.from_private_bytes(sha256(name.encode()).digest())


def signer(name: str = ORIGIN) -> Signer:
    return Signer(name, private_key(name))


def witness_key(name: str):
    return cosigner_key(name, private_key(name).public_key().public_bytes_raw())


def cosigned(text: str, name: str, time_seconds: int = NOW):
    return cosign(text, name, private_key(name), time_seconds)


class Tree:
    """A tree over distinct entries, by the words of RFC 6962 §2.1 and nothing else."""

    def __init__(self, entries: list[bytes]) -> None:
        self.entries = entries
        self._range_root = cache(self._range_root)

    @classmethod
    def of(cls, size: int) -> "Tree":
        return cls([b"entry %d" % index for index in range(size)])

    def root(self, size: int) -> bytes:
        return self._range_root(0, size)

    def leaf(self, index: int) -> bytes:
        return self._range_root(index, index + 1)

    def read(self, level: int, index: int) -> bytes:
        """Only what a log keeps: complete subtrees."""
        assert (index + 1) << level <= len(self.entries)
        return self._range_root(index << level, (index + 1) << level)

    def inclusion(self, index: int, size: int) -> list[bytes]:
        return [self._range_root(*span) for _, span in inclusion_steps(index, 0, size)]

    def consistency(self, old_size: int, new_size: int) -> list[bytes]:
        return [
            self._range_root(*span)
            for _, span in consistency_steps(old_size, 0, new_size, whole=True)
        ]

    def _range_root(self, start: int, end: int) -> bytes:
        if start == end:
            return sha256().digest()
        if end - start == 1:
            return sha256(b"\x00" + self.entries[start]).digest()
        middle = start + _split(end - start)
        left, right = self._range_root(start, middle), self._range_root(middle, end)
        return sha256(b"\x01" + left + right).digest()


def inclusion_steps(index: int, start: int, end: int) -> list:
    """PATH of RFC 6962 §2.1.1: for each hash its side and the leaves under it."""
    if end - start == 1:
        return []
    middle = start + _split(end - start)
    if index < middle:
        return [*inclusion_steps(index, start, middle), ("right", (middle, end))]
    return [*inclusion_steps(index, middle, end), ("left", (start, middle))]


def consistency_steps(old_size: int, start: int, end: int, *, whole: bool) -> list:
    """SUBPROOF of RFC 6962 §2.1.2, in the same form; `old_size` counts from 0."""
    if old_size == end or old_size == 0:
        return [] if whole else [("itself", (start, end))]
    middle = start + _split(end - start)
    if old_size <= middle:
        steps = consistency_steps(old_size, start, middle, whole=whole)
        return [*steps, ("right", (middle, end))]
    steps = consistency_steps(old_size, middle, end, whole=False)
    return [*steps, ("left", (start, middle))]


def tiles_of(size: int) -> Iterator[Tile]:
    """The tiles of hashes that a tree has, level by level, each from left to right."""
    for level in range(MAX_LEVEL + 1):
        for index in range((size >> 8 * level) // TILE_WIDTH + 1):
            if width := width_in(size, level, index):
                yield Tile(level, index, width)


def _split(count: int) -> int:
    """The largest power of two below a number above one."""
    power = 1
    while power * 2 < count:
        power *= 2
    return power
