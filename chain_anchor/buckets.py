"""The state map over its buckets, and the engine that seals groups of changes.

In the table `log_map` lie buckets (`leaves`), over them stands a trie in memory
(`upper`). An engine turns the drafts of a group into entries of the log and new
buckets: `seal`, `check`, and when all of it is on the disk `publish`, or `revert` when
it is not. It reads and writes nothing itself.

Whatever bit of a bucket is wrong is found before a group is built on it: what the
bucket says of itself, what its leaves give and what the trie knows must be the same.
`PlainEngine` is the plain one; it defines what the compiled one must give, octet by
octet.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from chain_anchor import merkle, upper
from chain_anchor.changes import assemble_change
from chain_anchor.entry_fields import NO_HASH
from chain_anchor.errors import AnchorError, CorruptLogError, EntryError, FormatError
from chain_anchor.leaves import (
    Digests,
    Leaf,
    count_leaves,
    middle_of,
    must_split,
    prove_in_bucket,
    read_bucket,
    write_bucket,
)
from chain_anchor.octets import HASH_OCTETS, MAX_COUNT
from chain_anchor.rechecking import (
    check_counts,
    check_group,
    check_places,
    defined_root,
)
from chain_anchor.statemap import EMPTY_ROOT, MapProof, State
from chain_anchor.upper import TABLE, Bucket, Node, Put

Get = Callable[[bytes], bytes | None]
"""Gives the value of a key of the table."""


class Draft(NamedTuple):
    """A change of one map key, of which the map does not know yet."""

    key: bytes
    state: int
    body: bytes


class Sealed(NamedTuple):
    """What a group has become."""

    entries: tuple[bytes, ...]
    """Octets of the log's entries, in the order of the drafts."""

    leaf_hashes: bytes
    """Their leaf hashes (RFC 6962 §2.1), joined: 32 octets each."""

    puts: list[tuple[bytes, bytes | None]]
    """Keys and values for the table, by key; None deletes."""

    root: bytes
    """Root of the map after the group."""

    count: int  # type: ignore[assignment] # tuple.count is not missed here
    """Keys in the map after the group."""


class _Snapshot(NamedTuple):
    """A state of the map."""

    top: Node | None
    count: int  # type: ignore[assignment] # tuple.count is not missed here

    @property
    def root(self) -> bytes:
        return EMPTY_ROOT if self.top is None else self.top.hash


class _Pending(NamedTuple):
    """A group that is sealed, and not published yet."""

    first_index: int
    before: tuple[tuple[bytes, bytes], ...]
    """The buckets that it changes, as they were."""

    sealed: Sealed
    after: _Snapshot


class PlainEngine:
    """The map over the buckets of one log, in plain Python.

    `seal`, `check`, `publish` and `revert` never overlap. `prove` and `places` read the
    published state, also in other threads while a group is sealed.
    """

    def __init__(self) -> None:
        self._published = _Snapshot(None, 0)
        self._pending: _Pending | None = None

    @property
    def root(self) -> bytes:
        """The root of the published state."""
        return self._published.root

    @property
    def count(self) -> int:
        """How many keys the published state has, tombstones included."""
        return self._published.count

    def load(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Begin with what is in the table; the caller compares `root`.

        Args:
            items: keys and values of the table, by key. Only the root that a bucket
                says it has is read, not its leaves: they are when a group changes it.

        Raises:
            CorruptLogError: A key or a value breaks its format, or buckets overlap.
        """
        count = 0

        def roots() -> Iterator[tuple[bytes, bytes]]:
            nonlocal count
            for place, value in items:
                count += count_leaves(place, value)
                yield place, value[:HASH_OCTETS]

        self._published = _Snapshot(upper.build(roots()), count)
        self._pending = None

    def places(self, keys: Sequence[bytes]) -> list[bytes]:
        """Give the table's key of the bucket that each map key belongs in.

        Raises:
            FormatError: A key is no map key.
        """
        check_keys(keys)
        top = self._published.top
        return [upper.find(top, key)[0] for key in keys]

    def seal(
        self,
        first_index: int,
        drafts: Sequence[Draft],
        buckets: Mapping[bytes, bytes],
    ) -> Sealed:
        """Make entries of drafts, and the map after them.

        Args:
            first_index: index that the first entry will have in the log.
            drafts: changes, in order; several may change one key.
            buckets: what the table has at `places` of their keys.

        Raises:
            CorruptLogError: A bucket is not what was written.
            EntryError: A draft makes no entry.
            AnchorError: Another group is sealed already.
        """
        if self._pending is not None:
            raise AnchorError("a group is sealed and neither published nor reverted")
        check_drafts(first_index, drafts)
        group = _Group(self._published, buckets)
        entries = tuple(
            group.add(first_index + number, draft)
            for number, draft in enumerate(drafts)
        )
        puts, after = group.finish()
        hashes = b"".join(group.hashes)
        sealed = Sealed(entries, hashes, puts, after.root, after.count)
        self._pending = _Pending(first_index, group.before(), sealed, after)
        return sealed

    def check(self) -> None:
        """Derive what is about to be written once more, from its octets alone.

        Raises:
            CorruptLogError: It does not give the same.
            AnchorError: No group is sealed.
        """
        pending = self._require()
        sealed = pending.sealed
        check_counts(self.count, sealed.entries, sealed.leaf_hashes, sealed.count)
        check_places([place for place, _ in pending.before], sealed.puts)
        made = [(place, value) for place, value in sealed.puts if value is not None]
        check_group(
            pending.first_index,
            sealed.entries,
            sealed.leaf_hashes,
            pending.before,
            made,
        )
        puts = [
            Put(*upper.read_place(place), Bucket(defined_root(place, value)))
            for place, value in made
        ]
        top = upper.replace(self._published.top, puts)
        root = EMPTY_ROOT if top is None else top.hash
        if root != sealed.root:
            raise CorruptLogError(
                TABLE, b"", f"buckets give {root.hex()}, sealed is {sealed.root.hex()}"
            )

    def publish(self) -> None:
        """Let everybody see the sealed group: it is on the disk.

        Raises:
            AnchorError: No group is sealed.
        """
        self._published = self._require().after
        self._pending = None

    def revert(self) -> None:
        """Forget the sealed group, if there is one: it is not on the disk."""
        self._pending = None

    def prove(self, key: bytes, get: Get) -> tuple[State | None, MapProof]:
        """Prove what stands under a key in the published state.

        Args:
            key: the map key.
            get: gives the value of a key of the table, as of the published state.

        Returns:
            The key's state, None if there is none, and the proof of that.

        Raises:
            CorruptLogError: The bucket is not the one that was written.
            FormatError: The key is no map key.
        """
        check_keys((key,))
        top = self._published.top
        if top is None:
            return None, MapProof((), None)
        path, place, node = upper.lead(top, key)
        return prove_in_bucket(key, path, place, node.hash, get(place))

    def _require(self) -> _Pending:
        if self._pending is None:
            raise AnchorError("no group is sealed")
        return self._pending


class _Group:
    """A group on its way into the map."""

    def __init__(self, before: _Snapshot, buckets: Mapping[bytes, bytes]) -> None:
        self._top, self._count = before
        self._buckets = buckets
        self._leaves: dict[bytes, dict[bytes, bytes]] = {}
        self._digests = Digests()
        self.hashes: list[bytes] = []

    def add(self, number: int, draft: Draft) -> bytes:
        """Make the entry of a draft, and what its key is after it."""
        key = draft.key
        place, node = upper.find(self._top, key)
        leaves = self._leaves.get(place)
        if leaves is None:
            leaves = dict(
                read_bucket(
                    place, node and node.hash, self._buckets.get(place), self._digests
                )
            )
            self._leaves[place] = leaves
        before = leaves.get(key)
        version, index, digest = 0, 0, NO_HASH
        if before is not None:
            _, version, index, digest = State.decode(before)
        entry = assemble_change(
            draft.state, version + 1, index, digest, key, draft.body
        )
        digest = merkle.leaf_hash(entry)
        self.hashes.append(digest)
        self._count += before is None
        leaves[key] = State(draft.state, version + 1, number, digest).encode()
        return entry

    def finish(self) -> tuple[list[tuple[bytes, bytes | None]], _Snapshot]:
        """Give what goes into the table, and the state after the group."""
        puts: list[tuple[bytes, bytes | None]] = []
        nodes = []
        for place, by_key in sorted(self._leaves.items()):
            prefix, depth = upper.read_place(place)
            leaves = sorted(by_key.items())
            if must_split(len(leaves), depth) and place in self._buckets:
                puts.append((place, None))
            node = self._lay(prefix, depth, leaves, puts)
            assert node is not None
            nodes.append(Put(prefix, depth, node))
        puts.sort(key=lambda put: put[0])
        return puts, _Snapshot(upper.replace(self._top, nodes), self._count)

    def before(self) -> tuple[tuple[bytes, bytes], ...]:
        """Give the buckets that the group changes, as they were."""
        buckets = self._buckets
        return tuple((p, buckets[p]) for p in self._leaves if p in buckets)

    def _lay(
        self,
        prefix: int,
        depth: int,
        leaves: list[Leaf],
        puts: list[tuple[bytes, bytes | None]],
    ) -> Node | None:
        """Lay leaves into one bucket, or into as many as they need."""
        if not leaves:
            return None
        if not must_split(len(leaves), depth):
            root = self._digests.root(leaves)
            puts.append((upper.place_of(prefix, depth), write_bucket(root, leaves)))
            return Bucket(root)
        middle = middle_of(leaves, depth, 0, len(leaves))
        right = prefix | 1 << (63 - depth)
        return upper.join(
            depth,
            self._lay(prefix, depth + 1, leaves[:middle], puts),
            self._lay(right, depth + 1, leaves[middle:], puts),
        )


def check_keys(keys: Sequence[bytes]) -> None:
    """Check what an engine relies on.

    Raises:
        FormatError: A key is no map key.
    """
    for key in keys:
        if len(key) != HASH_OCTETS:
            raise FormatError(f"map key has {len(key)} octets, expected 32")


def check_drafts(first_index: int, drafts: Sequence[Draft]) -> None:
    """Check what an engine relies on.

    Raises:
        EntryError: A key is no map key, or an index is too great for a log.
    """
    if not 0 <= first_index <= MAX_COUNT - len(drafts):
        raise EntryError(f"first index is {first_index}, too great for a log")
    for draft in drafts:
        if len(draft.key) != HASH_OCTETS:
            raise EntryError(f"key has {len(draft.key)} octets, expected 32")
