"""Logs as static files: what other people's clients read from a directory.

Built of `chain_anchor`'s pure modules alone, so what is judged is how they hash, sign
and lay out, and not how a node stores.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chain_anchor.checkpoint import Checkpoint
from chain_anchor.cosignature import cosign, cosigner_key
from chain_anchor.merkle import leaf_hash, node_hash, root_of
from chain_anchor.note import Note, Signer, VerifierKey
from chain_anchor.tiles import (
    TILE_WIDTH,
    encode_entry_bundle,
    entry_bundles_of,
    tiles_of,
)

ORIGIN = "log.example/88.118"
COSIGNED_AT = 1_790_000_000


def private_key(number: int) -> Ed25519PrivateKey:
    """A key of its own for each number, the same in every run."""
    return Ed25519PrivateKey.from_private_bytes(number.to_bytes(32))


class Witness(NamedTuple):
    """Who cosigns."""

    name: str
    private: Ed25519PrivateKey

    @property
    def key(self) -> VerifierKey:
        return cosigner_key(self.name, self.private.public_key().public_bytes_raw())


LOG = Signer(ORIGIN, private_key(1))
WITNESSES = tuple(
    Witness(f"witness.example/{number}", private_key(number)) for number in (2, 3, 4)
)


class Tree:
    """The tree over some entries, all hashes of complete subtrees in memory."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        self.entries = entries
        self.levels = [[leaf_hash(entry) for entry in entries]]
        while len(below := self.levels[-1]) > 1:
            self.levels.append(list(map(node_hash, below[::2], below[1::2])))

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
    root: bytes

    @property
    def size(self) -> int:
        return len(self.tree.entries)

    @property
    def checkpoint(self) -> bytes:
        return (self.path / "checkpoint").read_bytes()

    def publish(self, note: bytes) -> None:
        """Put another checkpoint in place."""
        (self.path / "checkpoint").write_bytes(note)


def write_site(path: Path, entries: Sequence[bytes]) -> Site:
    """Write a whole log, its checkpoint signed by it and by every witness."""
    tree = Tree(entries)
    for tile in tiles_of(len(entries)):
        first = tile.index * TILE_WIDTH
        hashes = tree.levels[8 * tile.level][first : first + tile.width]
        _write(path / tile.path(), b"".join(hashes))
    for tile in entry_bundles_of(len(entries)):
        first = tile.index * TILE_WIDTH
        bundle = encode_entry_bundle(entries[first : first + tile.width])
        _write(path / tile.path(), bundle)
    root = tree.root(len(entries))
    site = Site(path, tree, root)
    site.publish(signed(Checkpoint(ORIGIN, len(entries), root)))
    return site


def signed(checkpoint: Checkpoint, signer: Signer = LOG, witnesses=WITNESSES) -> bytes:
    """Sign a checkpoint, and have it cosigned."""
    text = checkpoint.text()
    cosignatures = [
        cosign(text, witness.name, witness.private, COSIGNED_AT)
        for witness in witnesses
    ]
    return Note(text, (signer.sign(text), *cosignatures)).encode()


def _write(file: Path, octets: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(octets)
