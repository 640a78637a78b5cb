"""Proofs of what a node's log holds, from the snapshot of its published head.

What everybody may read goes into a bundle; of restricted values only the commitment
that the log has, too. A record without any publicly readable value is proved as an
empty list: that it exists, resolution tells everybody (emulator convention).

Nothing is given that does not follow from the signed checkpoint: what the store holds
beside the log, a record or a home, must have the digest that its entry has.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from chain_anchor.bundle import Bundle
from chain_anchor.changes import Change, record_digest
from chain_anchor.entries import decode_entry
from chain_anchor.entry_fields import NO_HASH
from chain_anchor.errors import CorruptLogError
from chain_anchor.merkle import leaf_hash, verify_consistency
from chain_anchor.rotation import RotationProof
from chain_anchor.statemap import ACTIVE, KIND_CHILD, KIND_HOME, KIND_RECORD, map_key
from chain_anchor.tlog_proof import TlogProof, encode_tlog_proof
from chain_anchor.upper import TABLE as MAP_TABLE
from chain_anchor.view import MAX_HISTORY, LogView, bundle_of

if TYPE_CHECKING:
    from chain_anchor.anchors import AnchoredTold
    from resolver.sealing import Sealing

MAX_HISTORY_OCTETS = 1 << 20
"""Earlier entries in one answer; a bundle has room for four times as many octets."""

Told = tuple[bytes, bytes | None]
"""A value list, and what stands for the values that it leaves out."""


class Inclusion(NamedTuple):
    """An entry's place in a tree."""

    index: int  # type: ignore[assignment]  # hides tuple.index, unused here
    size: int
    leaf: bytes
    root: bytes
    path: tuple[bytes, ...]


class Consistency(NamedTuple):
    """How one tree grew from another."""

    old_size: int
    size: int
    old_root: bytes
    root: bytes
    path: tuple[bytes, ...]


class Logged(NamedTuple):
    """One change, where it stands and as it was encoded."""

    index: int  # type: ignore[assignment]  # hides tuple.index, unused here
    octets: bytes
    change: Change


class Proofs:
    """Makes proofs under one head; short-lived, on the loop's thread.

    Raises:
        StoreError: The store is growing; try again.
        CorruptLogError: From every method: something stored is damaged.
    """

    def __init__(self, sealing: "Sealing") -> None:
        self.snapshot = sealing.view
        self.head = sealing.log.head
        self.view = LogView(self.snapshot.tables, self.head)
        self.key = sealing.log.signer.key.encode()
        self._sealing = sealing

    def record(self, name: bytes) -> Bundle:
        """Prove what is registered under a canonical name, or that nothing is."""
        bundle = self._bundle(KIND_RECORD, name)
        record = self.snapshot.get(name)
        told: Told | None = None
        if record is not None:
            told = record.public_octets(), self._sealing.drafter.commitment(record)
        return self._finished(bundle, told)

    def prefix(self, prefix: bytes) -> Bundle:
        """Prove whether a prefix is served here, and who administers it."""
        bundle = self._bundle(KIND_HOME, prefix)
        home = self.snapshot.home(prefix)
        told: Told | None = None
        if home is not None:
            told = self._sealing.drafter.home_told(home)
        return self._finished(bundle, told)

    def child(self, origin: bytes) -> Bundle:
        """Prove which checkpoint of a child's log is known here."""
        bundle = self._bundle(KIND_CHILD, origin)
        change = change_of(bundle)
        told = None if change is None else (change.extra, None)
        return self._finished(bundle, told)

    def with_history(self, bundle: Bundle) -> Bundle:
        """Add earlier changes of what a bundle is about, as many as are given."""
        change = change_of(bundle)
        if change is None:
            return bundle
        return replace(bundle, history=self.earlier(change))

    def with_parents(self, bundle: Bundle) -> Bundle:
        """Let a bundle reach into the logs above, as far as they know this one."""
        return self._sealing.lead_up(bundle)

    def with_anchors(self, bundle: Bundle) -> Bundle:
        """Let a bundle reach onto the chain, as far as the log is anchored there."""
        return self._sealing.anchors(bundle)

    def anchored(self) -> "AnchoredTold | None":
        """Say how far the log is anchored; None if it is anchored nowhere."""
        return self._sealing.anchored()

    def rotations(self) -> list[RotationProof]:
        """Give what leads from the log's first key to the one that signs now."""
        return self._sealing.rotations()

    def inclusion(self, index: int, size: int) -> Inclusion:
        """Prove that an entry stands in the tree of a size."""
        path = self.view.inclusion(index, size)
        leaf = leaf_hash(self.view.entry(index))
        return Inclusion(index, size, leaf, self.view.root(size), tuple(path))

    def tlog_proof(self, index: int) -> bytes:
        """Prove in C2SP's format that an entry stands under the head.

        Its extra data is the entry itself, so that the file needs nothing beside it.
        """
        entry = self.view.entry(index)
        path = tuple(self.view.inclusion(index))
        return encode_tlog_proof(TlogProof(index, path, self.head.note, entry))

    def consistency(self, old_size: int, size: int) -> Consistency:
        """Prove that the tree of one size begins with that of another."""
        old_root, root = self.view.root(old_size), self.view.root(size)
        path = tuple(self.view.consistency(old_size, size))
        verify_consistency(old_size, size, old_root, root, path)
        return Consistency(old_size, size, old_root, root, path)

    def newest(self, kind: int, name: bytes) -> int | None:
        """Give the index of a name's last change; None if there never was one."""
        state, _ = self._sealing.log.prove(map_key(kind, name), self.snapshot.tables)
        return None if state is None else state.index

    def changes(self, index: int) -> Iterator[Logged]:
        """Walk the changes of one key back in time, from the one at `index` on.

        Each is found by the one after it, which names it by index and leaf hash; the
        first is only what stands at `index`.
        """
        expected = None
        while True:
            octets = self.view.entry(index)
            change = decode_entry(octets)
            if not isinstance(change, Change):
                return
            if expected is not None and leaf_hash(octets) != expected:
                raise _damaged(change.key, f"entry {index} is not the one before")
            yield Logged(index, octets, change)
            if change.version == 1:
                return
            index, expected = change.previous_index, change.previous_hash

    def earlier(self, change: Change, *, back_to: int = 0) -> tuple[bytes, ...]:
        """Give the entries of a key before one of them, newest first.

        Not more than `MAX_HISTORY`, of not more than `MAX_HISTORY_OCTETS`, and none of
        an index below `back_to`.
        """
        found: list[bytes] = []
        room = MAX_HISTORY_OCTETS
        if change.version == 1:
            return ()
        for logged in self.changes(change.previous_index):
            room -= len(logged.octets)
            if logged.index < back_to or room < 0 or len(found) == MAX_HISTORY:
                break
            found.append(logged.octets)
        return tuple(found)

    def _bundle(self, kind: int, name: bytes) -> Bundle:
        return bundle_of(self._sealing.log, self.snapshot.tables, kind, name)

    def _finished(self, bundle: Bundle, told: Told | None) -> Bundle:
        """Add to a bundle what the store holds beside the log."""
        change = change_of(bundle)
        key = map_key(bundle.kind, bundle.name)
        if change is None or change.state != ACTIVE:
            if told is not None and bundle.kind != KIND_CHILD:
                raise _damaged(key, "what is registered is not in the map")
        elif change.record_digest != NO_HASH:
            if told is None:
                raise _damaged(key, "what the map says is registered is not there")
            if record_digest(*told) != change.record_digest:
                raise _damaged(key, "what is registered has not its entry's digest")
            return replace(bundle, record=told[0], commitment=told[1])
        return bundle


def change_of(bundle: Bundle) -> Change | None:
    """Give the change that made the state that a bundle proves."""
    if bundle.entry is None:
        return None
    change = decode_entry(bundle.entry)
    assert isinstance(change, Change)
    return change


def _damaged(key: bytes, problem: str) -> CorruptLogError:
    return CorruptLogError(MAP_TABLE, key, problem)
