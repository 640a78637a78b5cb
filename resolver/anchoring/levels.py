"""Where the checkpoint of a child is under an anchored one of its parent.

A parent's log has the child's checkpoints one after the other, each entry naming the
one before. So the newest that an anchored tree has is found from the newest of all, in
as many steps as the child was reported since: one or two, unless the chain was away.
"""

from typing import NamedTuple

from chain_anchor.anchor_proof import child_checkpoint
from chain_anchor.anchors import Level
from chain_anchor.changes import Change
from chain_anchor.checkpoint import Checkpoint
from chain_anchor.entries import decode_entry
from chain_anchor.statemap import KIND_CHILD, map_key
from chain_anchor.view import LogView
from resolver.children import ChildReport
from resolver.sealing import Sealing

MAX_STEPS = 2048
"""Entries that one question goes back; the next one goes on from there."""

_KEPT = 2
"""What reaches the main chain, and what does not yet."""


class Found(NamedTuple):
    """A child's checkpoint in a tree of its parent's log."""

    level: Level
    checkpoint: Checkpoint


class ChildEntries:
    """The entries of one child in its parent's log; for the loop's thread."""

    def __init__(self, report: ChildReport) -> None:
        """Take what reports the child to its parent."""
        self._report = report
        self._walks: dict[int, _Walk] = {}

    @property
    def child(self) -> Sealing:
        """The child's log."""
        return self._report.child

    def newest_under(self, size: int) -> Found | None:
        """Give the child's newest entry in the parent's tree of a size.

        None if the tree has none of it, or if it was not found in `MAX_STEPS`.

        Args:
            size: Entries of the tree, not more than the parent's log has.

        Raises:
            StoreError: The parent's store is growing.
            CorruptLogError: Something stored is damaged.
        """
        walk = self._walks.get(size)
        if walk is None:
            walk = self._walks[size] = _Walk(size, self._newest())
            if len(self._walks) > _KEPT:
                del self._walks[next(iter(self._walks))]
        return walk.go_on(self._report.parent.log_view)

    def _newest(self) -> int | None:
        parent, report = self._report.parent, self._report
        key = map_key(KIND_CHILD, report.origin)
        state, _ = parent.log.prove(key, parent.view.tables)
        return None if state is None else state.index


class _Walk:
    """The way back from a child's newest entry to one in a tree of a size."""

    def __init__(self, size: int, index: int | None) -> None:
        self._size = size
        self._index = index
        self._found: Found | None = None

    def go_on(self, view: LogView) -> Found | None:
        """Go on until it is found."""
        for _ in range(MAX_STEPS):
            if self._found is not None or self._index is None:
                break
            entry = view.entry(self._index)
            if self._index < self._size:
                path = tuple(view.inclusion(self._index, self._size))
                level = Level(self._index, path, entry)
                self._found = Found(level, child_checkpoint(entry))
            else:
                self._index = _before(entry)
        return self._found


def _before(entry: bytes) -> int | None:
    """Give the index of the entry that one names as the one before it."""
    change = decode_entry(entry)
    assert isinstance(change, Change)
    return change.previous_index if change.version > 1 else None
