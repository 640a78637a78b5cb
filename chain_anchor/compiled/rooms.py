"""Where an engine works on its groups."""

from typing import Any

import numpy as np

from chain_anchor.compiled import rechecking, sealing, trie
from chain_anchor.compiled.leaves import HASH_OCTETS, LEAF_OCTETS, STACK, STACK_OCTETS
from chain_anchor.compiled.sha256 import SCRATCH_OCTETS
from chain_anchor.compiled.trie import PLACE_OCTETS


class Room:
    """Arrays that are used again, for every group; each is as great as was needed."""

    def __init__(self) -> None:
        self._octets: dict[str, np.ndarray] = {}
        self._words: dict[str, np.ndarray] = {}
        self._frames = trie.make_frames()
        self._ranges = np.zeros((rechecking.RANGES, trie.FRAME_WORDS), np.int64)
        self._cursors = np.zeros((2, 2), np.int64)

    def sealing(self, group: sealing.Group) -> tuple[sealing.Made, sealing.Desk]:
        """Give the arrays for a group to be sealed."""
        octets, words = self._take_octets, self._take_words
        count, buckets = group.states.size, group.value_ends.size
        old = group.values.size // LEAF_OCTETS
        total = old + count
        made = sealing.Made(
            entries=octets("entries", sealing.gap_octets(count) + group.bodies.size),
            hashes=octets("hashes", 32 * count),
            values=octets("values", (HASH_OCTETS + LEAF_OCTETS) * total),
            places=octets("places", PLACE_OCTETS * total),
            puts=trie.Puts(
                words("prefixes", total), words("depths", total), words("at", total)
            ),
            gone=octets("gone", PLACE_OCTETS * buckets),
            used=np.zeros(buckets, np.uint8),
            told=np.zeros(sealing.TOLD_WORDS, np.int64),
        )
        desk = sealing.Desk(
            order=words("order", count),
            spare=words("spare", count),
            leaves=octets("leaves", LEAF_OCTETS * total),
            digests=octets("digests", 32 * (total + 1)),
            old_digests=octets("old digests", 32 * old),
            bits=words("bits", STACK),
            stack=octets("stack", STACK_OCTETS),
            frames=self._frames,
            scratch=octets("scratch", SCRATCH_OCTETS),
        )
        return made, desk

    def rechecking(self, written: rechecking.Written) -> rechecking.Bench:
        """Give the arrays for a group to be looked at once more."""
        octets, words = self._take_octets, self._take_words
        count, buckets = written.ends.size, written.value_ends.size
        return rechecking.Bench(
            keys=octets("keys", 32 * count),
            order=words("order", count),
            spare=words("spare", count),
            prefixes=words("prefixes", buckets),
            depths=words("depths", buckets),
            roots=octets("roots", 32 * buckets),
            digests=octets("digests", 32 * (written.values.size // LEAF_OCTETS)),
            leaf=octets("leaf", LEAF_OCTETS),
            cursors=self._cursors,
            ranges=self._ranges,
            frames=self._frames,
            stack=octets("sides", rechecking.SIDES_OCTETS),
            scratch=octets("scratch", SCRATCH_OCTETS),
            told=words("told", 1),
        )

    def walking(self) -> tuple[np.ndarray, np.ndarray]:
        """Give the arrays for the trie to be changed."""
        return self._frames, self._take_octets("scratch", SCRATCH_OCTETS)

    def _take_octets(self, name: str, size: int) -> Any:
        return _enough(self._octets, name, size, np.uint8)

    def _take_words(self, name: str, size: int) -> Any:
        return _enough(self._words, name, size, np.int64)


def _enough(arrays: dict[str, np.ndarray], name: str, size: int, kind: Any) -> Any:
    found = arrays.get(name)
    if found is None or found.size < size:
        found = arrays[name] = np.zeros(max(64, 2 * size), kind)
    return found
