"""What can be read of a log in one snapshot: entries, tiles, paths, bundles.

Every view describes itself: its head is stored with it. What a view gives is checked
before it is given, so damage on the disk becomes an error, never a wrong proof.
"""

from functools import partial

from chain_anchor import entry_rows, rows
from chain_anchor.bundle import Bundle
from chain_anchor.changes import Change
from chain_anchor.entries import decode_entry, encode_header
from chain_anchor.errors import CorruptLogError, ProofError
from chain_anchor.log import Head, Log, Tables
from chain_anchor.merkle import (
    consistency_path,
    inclusion_path,
    leaf_hash,
    root_of,
    verify_inclusion,
)
from chain_anchor.rows import Rows
from chain_anchor.statemap import map_key
from chain_anchor.tiles import TILE_HEIGHT, TILE_WIDTH

MAX_HISTORY = 1000
"""Earlier entries that one bundle takes."""


class LogView:
    """A log as one snapshot has it; short-lived, on one thread."""

    def __init__(self, tables: Tables, head: Head) -> None:
        """Take a snapshot and the head that belongs to it."""
        self.head = head
        self._tables = tables
        # No method of its own: a cycle would keep the snapshot, and its place among
        # the store's readers, until the garbage collector comes by.
        self._tree = Rows(partial(tables.get, rows.TABLE))

    def entry(self, index: int) -> bytes:
        """Give an entry.

        Raises:
            ProofError: The log has none of this index.
            CorruptLogError: It is damaged.
        """
        if not 0 <= index < self.head.size:
            raise ProofError(
                f"entry {index}: the log has {self.head.size} entries, from 0 on"
            )
        entry = entry_rows.read_entry(self._entry_row, index)
        if leaf_hash(entry) != self._tree.read(0, index):
            key = entry_rows.entry_key(index // rows.ROW_WIDTH)
            raise CorruptLogError(
                entry_rows.TABLE, key, f"entry {index} does not have its leaf hash"
            )
        return entry

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """Give the inclusion path of an entry in the tree of a size, else of the head.

        Raises:
            ProofError: There is no such entry or tree.
            CorruptLogError: A hash is damaged.
        """
        size = self._size(size)
        path = inclusion_path(index, size, self._tree.read)
        leaf = self._tree.read(0, index)
        verify_inclusion(index, size, leaf, self.root(size), path)
        return path

    def consistency(self, old_size: int, size: int | None = None) -> list[bytes]:
        """Give the path from the tree of one size to that of another, else the head's.

        Raises:
            ProofError: There is no such tree.
            CorruptLogError: A hash is damaged.
        """
        return consistency_path(old_size, self._size(size), self._tree.read)

    def root(self, size: int) -> bytes:
        """Give the root that the log had at a size.

        Raises:
            ProofError: It has not had that size.
            CorruptLogError: A hash is damaged.
        """
        if size == self.head.size:
            return self.head.checkpoint.root
        return root_of(self._size(size), self._tree.read)

    def tile(self, level: int, index: int, width: int = TILE_WIDTH) -> bytes | None:
        """Give a tile of hashes (C2SP tlog-tiles); None if the tree is smaller.

        Raises:
            CorruptLogError: A hash is damaged.
        """
        first = index * TILE_WIDTH
        if first + width > self.head.size >> (level * TILE_HEIGHT):
            return None
        return self._tree.joined(level * TILE_HEIGHT, first, width)

    def entry_bundle(self, index: int, width: int = TILE_WIDTH) -> bytes | None:
        """Give a bundle of entries (C2SP tlog-tiles); None if the log is shorter.

        Raises:
            CorruptLogError: An entry is damaged.
        """
        first = index * TILE_WIDTH
        if first + width > self.head.size:
            return None
        return entry_rows.read_framed(self._entry_row, first, width)

    def history(self, newest: Change) -> tuple[bytes, ...]:
        """Give the entries of a key before one of them, newest first.

        Raises:
            ProofError: There are more than `MAX_HISTORY`.
            CorruptLogError: One is damaged.
        """
        found: list[bytes] = []
        change = newest
        while change.version > 1:
            if len(found) == MAX_HISTORY:
                raise ProofError(f"history: at most {MAX_HISTORY} entries are given")
            found.append(self.entry(change.previous_index))
            before = decode_entry(found[-1])
            assert isinstance(before, Change)
            change = before
        return tuple(found)

    def _size(self, size: int | None) -> int:
        if size is None:
            return self.head.size
        if not 0 <= size <= self.head.size:
            raise ProofError(
                f"tree of size {size}: the log has {self.head.size} entries"
            )
        return size

    def _entry_row(self, key: bytes) -> bytes | None:
        return self._tables.get(entry_rows.TABLE, key)


def bundle_of(
    log: Log,
    tables: Tables,
    kind: int,
    name: bytes,
    record: tuple[bytes, bytes | None] | None = None,
) -> Bundle:
    """Prove what the head's map holds under a name.

    Args:
        log: The log, whose published head the tables show.
        tables: A snapshot.
        kind: Kind of the name, see `statemap`.
        name: Canonical octets.
        record: Public value list and commitment, when there is a record.

    Raises:
        CorruptLogError: Something stored is damaged.
    """
    head = log.head
    view = LogView(tables, head)
    state, proof = log.prove(map_key(kind, name), tables)
    entry = None if state is None else view.entry(state.index)
    if state is not None and entry is not None and leaf_hash(entry) != state.leaf_hash:
        key = entry_rows.entry_key(state.index // rows.ROW_WIDTH)
        problem = f"entry {state.index} is not the one that the map names"
        raise CorruptLogError(entry_rows.TABLE, key, problem)
    octets, commitment = record or (None, None)
    return Bundle(
        checkpoint=head.note,
        header=encode_header(head.header),
        header_path=tuple(view.inclusion(head.size - 1)),
        kind=kind,
        name=name,
        map_path=tuple(proof.path),
        state=state,
        neighbour=proof.neighbour,
        entry=entry,
        record=octets,
        commitment=commitment,
    )
