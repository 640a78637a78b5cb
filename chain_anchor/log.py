"""A node's log: each group of changes is appended, mapped, rechecked and signed.

`Log.seal` says what one transaction of the node's store must write so that all of a
group is provable: entries, hashes of the tree, buckets of the state map and one signed
checkpoint over everything. Nothing of it counts before the store has it on disk; then
`publish` makes it the head that is served, or `revert` forgets it.

    entries ─▶ leaf hashes ─▶ tree ─▶ root ─┐
       └─▶ map ─▶ map root ─▶ header entry ─┴─▶ recheck ─▶ checkpoint, signed

The recheck goes another way to the same root: from the octets about to be written,
hashed by OpenSSL, over the tree's right edge. A checkpoint whose ways differ is never
signed: one flipped bit under a signature ends a log for good (tlog notes §1b).

One table holds one entry more:

    log_meta `head`
         0     4  CRC-32 of key and rest
         4    32  leaf hash of the last header
        36     .  header entry, 101 octets, then the signed checkpoint
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, starmap
from typing import NamedTuple, Protocol

from chain_anchor import entry_rows, rows
from chain_anchor.buckets import Draft, Sealed
from chain_anchor.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from chain_anchor.entries import HEADER_OCTETS, Header, decode_entry, encode_header
from chain_anchor.entry_fields import NO_HASH
from chain_anchor.errors import CorruptLogError
from chain_anchor.frontier import EMPTY, Frontier, Grown, frontier_of, tree_append
from chain_anchor.merkle import EMPTY_ROOT, HASH_OCTETS, leaf_hash, root_of
from chain_anchor.note import Note, Signature, Signer, VerifierKey
from chain_anchor.rows import Rows, checked, protected
from chain_anchor.statemap import EMPTY_ROOT as EMPTY_MAP, MapProof, State
from chain_anchor.upper import TABLE as MAP_TABLE

META_TABLE = "log_meta"
HEAD_KEY = b"head"

Put = tuple[bytes, bytes | None]
Puts = Mapping[str, Sequence[Put]]


class Tables(Protocol):
    """The log's tables, as one transaction sees them."""

    def get(self, table: str, key: bytes) -> bytes | None:
        """Read one entry."""

    def items(self, table: str, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Walk entries by key, from `start` on."""


class Engine(Protocol):
    """Keeps the state map; see `chain_anchor.buckets`."""

    @property
    def root(self) -> bytes:
        """Root of the published map."""

    @property
    def count(self) -> int:
        """Keys in it."""

    def load(self, items: Iterator[tuple[bytes, bytes]]) -> None:
        """Take the map over from its table."""

    def places(self, keys: Sequence[bytes]) -> list[bytes]:
        """Give the bucket of each key."""

    def seal(
        self, first_index: int, drafts: Sequence[Draft], buckets: Mapping[bytes, bytes]
    ) -> Sealed:
        """Make entries of drafts, and the map after them."""

    def check(self) -> None:
        """Go a second way to what `seal` gave."""

    def publish(self) -> None:
        """What `seal` gave is durable."""

    def revert(self) -> None:
        """What `seal` gave is not."""

    def prove(
        self, key: bytes, get: Callable[[bytes], bytes | None]
    ) -> tuple[State | None, MapProof]:
        """Prove what the published map holds under a key."""


class Head(NamedTuple):
    """The last group of a log."""

    checkpoint: Checkpoint
    note: bytes
    """The signed checkpoint."""

    header: Header
    header_hash: bytes
    frontier: Frontier

    @property
    def size(self) -> int:
        """Entries in the log."""
        return self.checkpoint.size


TreeAppend = Callable[[int, Sequence[bytes], bytes], Grown]
"""Size, peaks and new leaf hashes give the grown tree; see `chain_anchor.frontier`."""

_NO_HEADER = Header(0, NO_HASH, 0, 0, EMPTY_MAP, 0, 0)


class Log:
    """One log; `seal` and what follows it belong to one writer at a time."""

    def __init__(self, signer: Signer, engine: Engine) -> None:
        self.signers: tuple[Signer, ...] = (signer,)
        """Who signs the next checkpoint; the last one is the log's from there on."""

        self.head = _empty_head(signer.key.name)
        """What is published; of size 0 before the first group."""

        self._engine = engine
        self._sealed: Head | None = None
        self._next_engine: Engine | None = None
        self._tree_append: TreeAppend = tree_append

    @property
    def origin(self) -> str:
        """The log's name, on every checkpoint."""
        return self.signer.key.name

    @property
    def signer(self) -> Signer:
        """Who signs for the log."""
        return self.signers[-1]

    @property
    def sealed(self) -> Head | None:
        """What is neither published nor reverted."""
        return self._sealed

    def open(self, tables: Tables) -> None:
        """Go on from what the tables hold.

        Raises:
            CorruptLogError: Hashes, map or checkpoint contradict each other.
            SignatureError: The log's key did not sign the checkpoint.
        """
        head = read_head(tables, self.origin, (self.signer.key,))
        self._engine.load(tables.items(MAP_TABLE))
        _check_map(self._engine, head.header)
        self.head = head

    def use(self, engine: Engine, append: TreeAppend) -> None:
        """Let others keep the map and grow the tree, from the next group on."""
        self._next_engine = engine
        self._tree_append = append

    def seal(
        self,
        tables: Tables,
        drafts: Sequence[Draft],
        time_ms: int,
        notices: Sequence[bytes] = (),
    ) -> Puts:
        """Give what a transaction must write to append a group.

        Args:
            tables: As the transaction sees them, before the group.
            drafts: The changes, in order.
            time_ms: For the group's header; time never runs backwards.
            notices: Encoded entries that change no key; they come first.

        Raises:
            CorruptLogError: What is stored is not what was written, or the two
                ways to the root differ; nothing was signed.
        """
        self._change_engine(tables)
        head, engine = self.head, self._engine
        sealed = engine.seal(
            head.size + len(notices), drafts, self._buckets(tables, drafts)
        )
        header = Header(
            head.header.height + 1,
            head.header_hash,
            head.size,
            len(notices) + len(drafts),
            sealed.root,
            sealed.count,
            max(time_ms, head.header.time_ms),
        )
        encoded = encode_header(header)
        header_hash = leaf_hash(encoded)
        hashes = b"".join((*map(leaf_hash, notices), sealed.leaf_hashes, header_hash))
        grown = self._tree_append(*head.frontier, hashes)
        entries = (*notices, *sealed.entries, encoded)
        growth = _Growth(tables, head, entries, grown)
        growth.place(hashes)
        engine.check()
        growth.recheck(hashes)
        checkpoint = Checkpoint(self.origin, grown.size, grown.root)
        note = sign_checkpoint(checkpoint, self.signers)
        frontier = Frontier(grown.size, grown.peaks)
        self._sealed = Head(checkpoint, note, header, header_hash, frontier)
        return {
            **growth.puts(),
            MAP_TABLE: sealed.puts,
            META_TABLE: [(HEAD_KEY, _encode_head(header_hash, encoded, note))],
        }

    def publish(self) -> None:
        """Serve what was sealed: it is durable."""
        assert self._sealed is not None
        self._engine.publish()
        self.head, self._sealed = self._sealed, None

    def cosigned(self, size: int, signatures: Sequence[Signature]) -> None:
        """Put cosignatures on the published checkpoint, if it is still that one."""
        if signatures and self.head.size == size:
            note = Note.parse(self.head.note)
            known = {signature[:2]: signature for signature in note.signatures}
            known.update({signature[:2]: signature for signature in signatures})
            note = note._replace(signatures=tuple(known.values()))
            self.head = self.head._replace(note=note.encode())

    def revert(self) -> None:
        """Forget what was sealed: it was not written."""
        self._engine.revert()
        self._sealed = None

    def prove(self, key: bytes, tables: Tables) -> tuple[State | None, MapProof]:
        """Prove what the head's map holds under a key.

        Raises:
            CorruptLogError: A bucket is damaged, or the tables are not the head's.
        """
        return self._engine.prove(key, lambda place: tables.get(MAP_TABLE, place))

    def _change_engine(self, tables: Tables) -> None:
        engine, self._next_engine = self._next_engine, None
        if engine is not None:
            engine.load(tables.items(MAP_TABLE))
            _check_map(engine, self.head.header)
            self._engine = engine

    def _buckets(self, tables: Tables, drafts: Sequence[Draft]) -> dict[bytes, bytes]:
        found = {}
        for place in set(self._engine.places([draft.key for draft in drafts])):
            octets = tables.get(MAP_TABLE, place)
            if octets is not None:
                found[place] = octets
        return found


class _Growth:
    """A tree with a group appended, on its way to the tables."""

    def __init__(
        self, tables: Tables, head: Head, entries: Sequence[bytes], grown: Grown
    ) -> None:
        self._before = head.size
        self._grown = grown
        self._get_row = lambda key: tables.get(rows.TABLE, key)
        self._entries = entry_rows.append(
            head.size, entries, lambda key: tables.get(entry_rows.TABLE, key)
        )

    def place(self, leaf_hashes: bytes) -> None:
        """Put the hashes into rows."""
        fresh = {0: leaf_hashes, **self._grown.complete}
        self._hashes = rows.placed(self._before, fresh, self._get_row)

    def recheck(self, leaf_hashes: bytes) -> None:
        """Go another way to the root, from the octets that will be stored.

        Raises:
            CorruptLogError: It leads elsewhere.
        """
        first = entry_rows.entry_key(self._before // rows.ROW_WIDTH)
        found = [*chain.from_iterable(starmap(entry_rows.split, self._entries.items()))]
        del found[: self._before % rows.ROW_WIDTH]  # they were there
        if b"".join(map(leaf_hash, found)) != leaf_hashes:
            problem = "entries do not have their leaf hashes; nothing was signed"
            raise CorruptLogError(entry_rows.TABLE, first, problem)
        rows.check_rows(self._hashes)
        tree = Rows(self._get_row, self._hashes)
        if root_of(self._grown.size, tree.read) != self._grown.root:
            problem = "two ways to the new root differ; nothing was signed"
            raise CorruptLogError(rows.TABLE, b"", problem)

    def puts(self) -> dict[str, list[Put]]:
        """Give what the tables must take."""
        return {
            table: [(key, protected(key, octets)) for key, octets in changed.items()]
            for table, changed in (
                (rows.TABLE, self._hashes),
                (entry_rows.TABLE, self._entries),
            )
        }


def read_head(tables: Tables, origin: str, keys: Sequence[VerifierKey]) -> Head:
    """Read the head of a log and check that all of it fits together.

    Raises:
        CorruptLogError: It is damaged, or the tree does not have its root.
        SignatureError: None of the keys signed it.
    """
    stored = tables.get(META_TABLE, HEAD_KEY)
    if stored is None:
        check_empty(tables)
        return _empty_head(origin)
    octets = checked(META_TABLE, HEAD_KEY, stored)
    header_hash, rest = octets[:HASH_OCTETS], octets[HASH_OCTETS:]
    encoded, note = rest[:HEADER_OCTETS], rest[HEADER_OCTETS:]
    header = decode_entry(encoded)
    assert isinstance(header, Header)
    checkpoint = open_checkpoint(note, origin, keys)
    tree = Rows(lambda key: tables.get(rows.TABLE, key))
    frontier = frontier_of(checkpoint.size, tree.read)
    last = tree.read(0, checkpoint.size - 1)
    if frontier.root() != checkpoint.root or not last == header_hash == leaf_hash(
        encoded
    ):
        problem = f"the tree of {checkpoint.size} entries does not have the signed root"
        raise CorruptLogError(META_TABLE, HEAD_KEY, problem)
    return Head(checkpoint, note, header, header_hash, frontier)


def check_empty(tables: Tables) -> None:
    """Check that a log without a head is one without entries.

    If it has lost its head, it must not begin again: that would be a fork.

    Raises:
        CorruptLogError: It has entries.
    """
    for table in (META_TABLE, rows.TABLE, entry_rows.TABLE, MAP_TABLE):
        for key, _ in tables.items(table):
            raise CorruptLogError(table, key, "a log without a head has entries")


def _encode_head(header_hash: bytes, header: bytes, note: bytes) -> bytes:
    return protected(HEAD_KEY, header_hash + header + note)


def _empty_head(origin: str) -> Head:
    return Head(Checkpoint(origin, 0, EMPTY_ROOT), b"", _NO_HEADER, NO_HASH, EMPTY)


def _check_map(engine: Engine, header: Header) -> None:
    if engine.root != header.map_root or engine.count != header.map_keys:
        problem = (
            f"root {header.map_root.hex()} over {header.map_keys} keys expected, "
            f"got {engine.root.hex()} over {engine.count}"
        )
        raise CorruptLogError(MAP_TABLE, b"", problem)
