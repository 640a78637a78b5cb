"""A transparency log in memory, plain and small, for what is tested against it.

Nothing here is fast or durable: entries in a list, the reference map, a tree that is
hashed anew. What it makes is what a log must make.
"""

from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chain_anchor import changes, entries, merkle, statemap
from chain_anchor.bundle import Bundle, Parents
from chain_anchor.changes import Change
from chain_anchor.checkpoint import Checkpoint, sign_checkpoint
from chain_anchor.entries import Header
from chain_anchor.entry_fields import NO_HASH
from chain_anchor.note import Note, Signature, Signer
from chain_anchor.statemap import ReferenceMap, State, map_key

TIME_MS = 1_800_000_000_000
ACTOR = b"88.118/admin"
SCOPE = b"88.118"


def private_key(number: int) -> Ed25519PrivateKey:
    """The same key for the same number."""
    return Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)


def reader(leaves: list[bytes]) -> merkle.HashReader:
    """Hash complete subtrees of these leaf hashes."""

    def read(level: int, index: int) -> bytes:
        if not level:
            return leaves[index]
        left, right = read(level - 1, 2 * index), read(level - 1, 2 * index + 1)
        return merkle.node_hash(left, right)

    return read


class SmallLog:
    """A log whose every group is sealed by hand."""

    def __init__(self, origin: str = "log.example/wuhan", key: int = 1) -> None:
        self.origin = origin
        self.signer = Signer(origin, private_key(key))
        self.entries: list[bytes] = []
        self.leaves: list[bytes] = []
        self.map = ReferenceMap()
        self.header: Header | None = None
        self.records: dict[bytes, tuple[bytes | None, bytes | None]] = {}
        self._group_start = 0
        self._header_hash = NO_HASH

    @property
    def size(self) -> int:
        return len(self.entries)

    def register(
        self,
        name: bytes,
        record: bytes | None = b"record",
        commitment: bytes | None = None,
        *,
        kind: int = statemap.KIND_RECORD,
    ) -> None:
        """Set a record, anew or again."""
        digest = NO_HASH
        if record is not None:
            digest = changes.record_digest(record, commitment)
        extra = record if kind == statemap.KIND_CHILD and record else b""
        self.change(kind, name, statemap.ACTIVE, digest, extra)
        self.records[map_key(kind, name)] = (record, commitment)

    def delete(self, name: bytes, *, kind: int = statemap.KIND_RECORD) -> None:
        """Leave a tombstone."""
        self.change(kind, name, statemap.DELETED, NO_HASH, b"")
        self.records[map_key(kind, name)] = (None, None)

    def change(
        self, kind: int, name: bytes, state: int, digest: bytes, extra: bytes
    ) -> None:
        """Append a change, and let the map say so."""
        key = map_key(kind, name)
        before = self.map.get(key)
        change = Change(
            state=state,
            version=before.version + 1 if before else 1,
            previous_index=before.index if before else 0,
            previous_hash=before.leaf_hash if before else NO_HASH,
            key=key,
            operation=1,
            record_digest=digest,
            time_ms=TIME_MS + self.size,
            actor_index=300,
            actor=ACTOR,
            scope=SCOPE,
            extra=extra,
        )
        index = self._append(changes.encode_change(change))
        self.map.put(key, State(state, change.version, index, self.leaves[index]))

    def seal(self) -> None:
        """End the group with its header."""
        self.header = Header(
            height=self.header.height + 1 if self.header else 1,
            previous_hash=self._header_hash,
            first_index=self._group_start,
            count=self.size - self._group_start,
            map_root=self.map.root(),
            map_keys=len(self.map),
            time_ms=TIME_MS + self.size,
        )
        index = self._append(entries.encode_header(self.header))
        self._header_hash = self.leaves[index]
        self._group_start = self.size

    def _append(self, entry: bytes) -> int:
        self.entries.append(entry)
        self.leaves.append(merkle.leaf_hash(entry))
        return self.size - 1

    def checkpoint(self) -> Checkpoint:
        root = merkle.root_of(self.size, reader(self.leaves))
        return Checkpoint(self.origin, self.size, root)

    def signed_checkpoint(self) -> bytes:
        return sign_checkpoint(self.checkpoint(), [self.signer])

    def bundle(
        self,
        name: bytes,
        *,
        kind: int = statemap.KIND_RECORD,
        history: int = 0,
        parents: Parents | None = None,
    ) -> Bundle:
        """Prove a name under the last sealed group; `history` says how far back."""
        key = map_key(kind, name)
        state = self.map.get(key)
        path, neighbour = self.map.prove(key)
        size = self.size
        bundle = Bundle(
            checkpoint=self.signed_checkpoint(),
            header=self.entries[-1],
            header_path=tuple(
                merkle.inclusion_path(size - 1, size, reader(self.leaves))
            ),
            kind=kind,
            name=name,
            map_path=path,
            neighbour=neighbour,
            parents=parents,
        )
        if state is None:
            return bundle
        record, commitment = self.records[key]
        return replace(
            bundle,
            state=state,
            entry=self.entries[state.index],
            record=record,
            commitment=commitment,
            history=self._earlier(state, history),
        )

    def _earlier(self, state: State, count: int) -> tuple[bytes, ...]:
        found = []
        entry = entries.decode_entry(self.entries[state.index])
        for _ in range(count):
            assert isinstance(entry, Change)
            if entry.version == 1:
                break
            found.append(self.entries[entry.previous_index])
            entry = entries.decode_entry(found[-1])
        return tuple(found)

    def under(self, parent: "SmallLog", logged: bytes, logged_size: int) -> Parents:
        """Show that this log grew from the checkpoint that `parent` has logged."""
        path = merkle.consistency_path(logged_size, self.size, reader(self.leaves))
        bundle = parent.bundle(self.origin.encode(), kind=statemap.KIND_CHILD)
        return Parents(tuple(path), logged, bundle)

    def log_child(self, child: "SmallLog") -> tuple[bytes, int]:
        """Log a child's checkpoint; gives the note and its size."""
        note = child.signed_checkpoint()
        self.register(
            child.origin.encode(),
            Note.parse(note).text.encode(),
            kind=statemap.KIND_CHILD,
        )
        return note, child.size


def with_signature(note: bytes, signature: Signature) -> bytes:
    """Put one more signature under a note."""
    parsed = Note.parse(note)
    return parsed._replace(signatures=(*parsed.signatures, signature)).encode()
