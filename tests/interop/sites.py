"""Logs as static files: what other people's clients read from a directory.

Built of `chain_anchor`'s pure modules alone, so what is judged is how they hash, sign
and lay out, and not how a node stores.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from chain_anchor.checkpoint import Checkpoint
from chain_anchor.merkle import leaf_hash, node_hash, root_of
from chain_anchor.note import Note
from chain_anchor.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    encode_entry_bundle,
    entry_bundles_of,
)
from tests.merkle_trees import ORIGIN, cosigned, signer, tiles_of, witness_key

WITNESSES = tuple(f"witness.example/{number}" for number in range(3))
LOG_KEY = str(signer().key)
QUORUM = ("2", *(str(witness_key(name)) for name in WITNESSES))
"""Two of the three witnesses, as the programs take it."""


class Tree:
    """The tree over some entries, all hashes of complete subtrees in memory."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        self.entries = entries
        self.levels = [[leaf_hash(entry) for entry in entries]]
        while len(below := self.levels[-1]) > 1:
            # A last hash without a neighbour is no complete subtree: it is left out.
            pairs = zip(below[::2], below[1::2], strict=False)
            self.levels.append([node_hash(*pair) for pair in pairs])

    def read(self, level: int, index: int) -> bytes:
        """Hash of a complete subtree: a `HashReader`."""
        return self.levels[level][index]

    def root(self, size: int) -> bytes:
        """Root of its first `size` leaves."""
        return root_of(size, self.read)


class Site(NamedTuple):
    """A log in a directory."""

    path: Path
    tree: Tree
    checkpoint: Checkpoint

    def note(self) -> bytes:
        """The signed checkpoint as it stands there."""
        return (self.path / "checkpoint").read_bytes()

    def publish(self, note: bytes) -> None:
        """Put another one in its place."""
        (self.path / "checkpoint").write_bytes(note)


def write_site(path: Path, entries: Sequence[bytes]) -> Site:
    """Write a whole log, its checkpoint signed by it and by every witness."""
    tree = Tree(entries)
    size = len(entries)
    for tile in tiles_of(size):
        first = tile.index * TILE_WIDTH
        hashes = tree.levels[tile.level * TILE_HEIGHT][first : first + tile.width]
        _write(path / tile.path(), b"".join(hashes))
    for tile in entry_bundles_of(size):
        first = tile.index * TILE_WIDTH
        bundle = encode_entry_bundle(entries[first : first + tile.width])
        _write(path / tile.path(), bundle)
    site = Site(path, tree, Checkpoint(ORIGIN, size, tree.root(size)))
    site.publish(signed(site.checkpoint))
    return site


def signed(checkpoint: Checkpoint, witnesses: Sequence[str] = WITNESSES) -> bytes:
    """Sign a checkpoint with the log's key, and have it cosigned."""
    text = checkpoint.text()
    cosignatures = [cosigned(text, name) for name in witnesses]
    return Note(text, (signer().sign(text), *cosignatures)).encode()


def _write(file: Path, octets: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(octets)
