"""A log as it must be, by the definitions and without any table."""

from collections.abc import Iterable

from chain_anchor.changes import Change
from chain_anchor.checkpoint import open_checkpoint
from chain_anchor.entries import Header, decode_entry
from chain_anchor.frontier import EMPTY
from chain_anchor.merkle import leaf_hash
from chain_anchor.note import VerifierKey
from chain_anchor.statemap import ReferenceMap, State


class ViolationError(Exception):
    """What must not happen has happened."""


def expect(holds: bool, message: str) -> None:
    if not holds:
        shown = message if len(message) < 400 else f"{message[:200]} … {message[-200:]}"
        raise ViolationError(shown)


class History:
    """Entries one after the other, and the checkpoint of each group."""

    def __init__(self, key: VerifierKey) -> None:
        self.hashes: list[bytes] = []
        self.roots: dict[int, bytes] = {}
        """Of the tree at each group's end, by size."""

        self._key = key
        self._frontier = EMPTY
        self._map = ReferenceMap()

    @property
    def size(self) -> int:
        return len(self.hashes)

    def extend(self, entries: Iterable[bytes]) -> None:
        """Append entries, each of which must follow from those before it."""
        for octets in entries:
            index, digest = self.size, leaf_hash(octets)
            entry = decode_entry(octets)
            self.hashes.append(digest)
            self._frontier = self._frontier.extended([digest])
            if isinstance(entry, Change):
                self._apply(index, digest, entry)
            elif isinstance(entry, Header):
                root, keys = self._map.root(), len(self._map)
                sealed = (entry.map_root, entry.map_keys) == (root, keys)
                expect(sealed, f"entry {index} seals another map than that of its log")
                self.roots[self.size] = self._frontier.root()

    def _apply(self, index: int, digest: bytes, entry: Change) -> None:
        before = self._map.get(entry.key)
        known = (0, 0, bytes(32)) if before is None else before[1:]
        told = (entry.version - 1, entry.previous_index, entry.previous_hash)
        expect(told == known, f"entry {index} does not follow version {known[0]}")
        self._map.put(entry.key, State(entry.state, entry.version, index, digest))

    def check_seen(self, size: int, root: bytes, note: bytes) -> None:
        """Make sure that a checkpoint is one of this log's."""
        if size == 0:
            return
        signed = open_checkpoint(note, self._key.name, (self._key,))
        expect(signed[1:] == (size, root), "a note signs something else than its head")
        expect(size in self.roots, f"a checkpoint of {size} entries, which never were")
        same = self.roots[size] == root
        expect(same, f"the checkpoint of {size} entries contradicts the log")
