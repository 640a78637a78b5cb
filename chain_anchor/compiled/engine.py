"""The compiled engine: `chain_anchor.buckets.PlainEngine`, octet by octet, in kernels.

Python only brings octets in and out. What goes into a kernel is joined into one array
with the ends of its parts; what comes out is cut by them. Where a kernel finds that
octets are wrong, the plain code looks at them and says what is wrong.
"""

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from chain_anchor import leaves as plain_leaves, upper
from chain_anchor.buckets import Draft, Get, Sealed, check_drafts, check_keys
from chain_anchor.changes import assemble_change
from chain_anchor.compiled import proving, rechecking, sealing, trie
from chain_anchor.compiled.leaves import HASH_OCTETS, LEAF_OCTETS, STACK, STACK_OCTETS
from chain_anchor.compiled.marshalling import (
    array_of,
    cut,
    cut_evenly,
    ends_of,
    joined,
)
from chain_anchor.compiled.rooms import Room
from chain_anchor.compiled.sha256 import SCRATCH_OCTETS
from chain_anchor.compiled.trie import PLACE_OCTETS, Trie
from chain_anchor.entry_fields import NO_HASH
from chain_anchor.errors import AnchorError, CorruptLogError, EntryError
from chain_anchor.rechecking import check_counts, check_places
from chain_anchor.statemap import EMPTY_ROOT, MapProof, State
from chain_anchor.upper import TABLE

_STATES = (1, 2)
_MAX_BODY_OCTETS = 65535 - sealing.CHANGE_HEAD
_MAX_PATH = 64 + 256
_FAULTS = {
    rechecking.WRONG_HASH: "has not the hash it got",
    rechecking.WRONG_ENTRY: "does not follow what was there",
    rechecking.WRONG_OLD: "a bucket that was read is none",
    rechecking.WRONG_LEAVES: "the entries make other leaves of this bucket",
    rechecking.WRONG_PLACE: "not the place of this bucket",
    rechecking.WRONG_BUCKET_ROOT: "the leaves give another root",
    rechecking.WRONG_ROOT: "the buckets give another root of the map",
}


class _Snapshot(NamedTuple):
    """A state of the map."""

    trie: Trie
    top: int
    count: int  # type: ignore[assignment] # tuple.count is not missed here

    @property
    def root(self) -> bytes:
        return self.hash_of(self.top) if self.top else EMPTY_ROOT

    def hash_of(self, node: int) -> bytes:
        return self.trie.hashes[32 * node : 32 * node + 32].tobytes()


class Pending(NamedTuple):
    """A group that is sealed, and not published yet."""

    first_index: int
    before: list[tuple[bytes, bytes]]
    """The buckets that it changes, as they were, by place."""

    sealed: Sealed
    top: int


class CompiledEngine:
    """The map over the buckets of one log; see `PlainEngine` for what each does.

    `seal`, `check`, `publish` and `revert` never overlap. `prove` and `places` read the
    published state, also in other threads while a group is sealed.
    """

    def __init__(self) -> None:
        self._trie = trie.make_trie()
        self._published = _Snapshot(self._trie, 0, 0)
        self._pending: Pending | None = None
        self._room = Room()

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

        Raises:
            CorruptLogError: A key or a value breaks its format, or buckets overlap.
        """
        places, roots, octets = [], [], 0
        for place, value in items:
            size = len(value) - HASH_OCTETS
            if len(place) != PLACE_OCTETS or size < LEAF_OCTETS or size % LEAF_OCTETS:
                upper.read_place(place)
                plain_leaves.count_leaves(place, value)
            places.append(place)
            roots.append(value[:HASH_OCTETS])
            octets += size
        count, puts = len(places), trie.make_puts(len(places))
        wrong = trie.lay_out(joined(places), count, puts)
        if wrong >= 0:
            upper.read_place(places[wrong])
            problem = "overlaps the bucket before it"
            raise CorruptLogError(TABLE, places[wrong], problem)
        self._trie = trie.make_trie(max(trie.FIRST_NODES, 3 * count))
        self._published, self._pending = _Snapshot(self._trie, 0, 0), None
        top = self._replace(puts, count, joined(roots))
        self._published = _Snapshot(self._trie, top, octets // LEAF_OCTETS)
        trie.settle(self._trie, True)

    def places(self, keys: Sequence[bytes]) -> list[bytes]:
        """Give the table's key of the bucket that each map key belongs in.

        Raises:
            FormatError: A key is no map key.
        """
        check_keys(keys)
        count = len(keys)
        found = np.empty(PLACE_OCTETS * count, np.uint8)
        nodes, top, _ = self._published
        trie.locate(nodes, top, joined(keys), count, found)
        return cut_evenly(found.tobytes(), PLACE_OCTETS)

    def seal(
        self,
        first_index: int,
        drafts: Sequence[Draft],
        buckets: Mapping[bytes, bytes],
    ) -> Sealed:
        """Make entries of drafts, and the map after them.

        Raises:
            CorruptLogError: A bucket is not what was written.
            EntryError: A draft makes no entry.
            AnchorError: Another group is sealed already.
        """
        if self._pending is not None:
            raise AnchorError("a group is sealed and neither published nor reverted")
        _check_drafts(first_index, drafts)
        # Nothing is in hand now, unless the last call was interrupted.
        trie.settle(self._trie, False)
        places = sorted(place for place in buckets if len(place) == PLACE_OCTETS)
        values = [buckets[place] for place in places]
        group = group_of(drafts, places, values)
        made, desk = self._room.sealing(group)
        before = self._published
        found = sealing.seal(self._trie, before.top, first_index, group, made, desk)
        if found != sealing.SEALED:
            raise self._wrong(found, drafts[made.told[sealing.DETAIL]], buckets)
        top = self._replace(made.puts, made.told[sealing.PUTS], made.values)
        count = before.count + int(made.told[sealing.NEW_KEYS])
        after = _Snapshot(self._trie, top, count)
        sealed = Sealed(
            _entries(made, group),
            made.hashes[: 32 * len(drafts)].tobytes(),
            _puts(made),
            after.root,
            count,
        )
        changed = [(places[n], values[n]) for n in np.flatnonzero(made.used).tolist()]
        self._pending = Pending(first_index, changed, sealed, top)
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
        if not sealed.entries:
            if sealed.root != self.root or sealed.puts:
                raise CorruptLogError(TABLE, b"", "no entries, but another map")
            return
        made = [(place, value) for place, value in sealed.puts if value is not None]
        written = written_of(pending, made)
        bench = self._room.rechecking(written)
        found = rechecking.recheck(
            self._trie, self._published.top, pending.first_index, written, bench
        )
        if found != rechecking.RIGHT:
            raise _fault(found, int(bench.told[0]), pending, made)

    def publish(self) -> None:
        """Let everybody see the sealed group: it is on the disk.

        Raises:
            AnchorError: No group is sealed.
        """
        pending = self._require()
        self._published = _Snapshot(self._trie, pending.top, pending.sealed.count)
        trie.settle(self._trie, True)
        self._pending = None

    def revert(self) -> None:
        """Forget the sealed group, if there is one: it is not on the disk."""
        if self._pending is not None:
            trie.settle(self._trie, False)
        self._pending = None

    def prove(self, key: bytes, get: Get) -> tuple[State | None, MapProof]:
        """Prove what stands under a key in the published state.

        Raises:
            CorruptLogError: The bucket is not the one that was written.
            FormatError: The key is no map key.
        """
        check_keys((key,))
        before = self._published
        if before.top == 0:
            return None, MapProof((), None)
        path = np.empty(_MAX_PATH, np.uint8)
        siblings = np.empty(32 * _MAX_PATH, np.uint8)
        place = np.empty(PLACE_OCTETS, np.uint8)
        bits = int.from_bytes(key[:8], signed=True)
        count, node = trie.lead(before.trie, before.top, bits, path, siblings, place)
        known = before.hash_of(node)
        value = get(place.tobytes())
        whole, leaf = count, -1
        root = np.empty(HASH_OCTETS, np.uint8)
        if value is not None:
            octets = np.frombuffer(bytearray(value or b"\x00"), np.uint8)
            whole, leaf = proving.descend(
                octets,
                place,
                array_of(key),
                path,
                siblings,
                count,
                root,
                *_proving_room(len(value)),
            )
        if value is None or leaf < 0 or not root.tobytes() == known == value[:32]:
            return plain_leaves.prove_in_bucket(
                key, _path(path, siblings, count), place.tobytes(), known, value
            )
        at = HASH_OCTETS + LEAF_OCTETS * leaf
        found, state = value[at : at + 32], State.decode(value[at + 32 : at + 81])
        passed = _path(path, siblings, whole)
        if found != key:
            return None, MapProof(passed, (found, state.value_hash()))
        return state, MapProof(passed, None)

    def _replace(self, puts: trie.Puts, count: int, hashes: np.ndarray) -> int:
        """Make the trie with other buckets; give its top."""
        frames, scratch = self._room.walking()
        while True:
            nodes, top = self._trie, self._published.top
            made = trie.replace(nodes, top, puts, count, hashes, frames, scratch)
            if made != trie.NO_ROOM:
                return int(made)
            trie.settle(nodes, False)
            self._trie = trie.enlarge(nodes)

    def _wrong(
        self, found: int, draft: Draft, buckets: Mapping[bytes, bytes]
    ) -> Exception:
        place, known = _find(self._published, draft.key)
        leaves = plain_leaves.read_bucket(
            place, known, buckets.get(place), plain_leaves.Digests()
        )
        if found == sealing.WRONG_STATE:
            state = State.decode(dict(leaves)[draft.key])
            return EntryError(f"version {state.version} of a key: none can follow")
        return CorruptLogError(TABLE, place, "right at the second look only")

    def _require(self) -> Pending:
        if self._pending is None:
            raise AnchorError("no group is sealed")
        return self._pending


def group_of(
    drafts: Sequence[Draft], places: list[bytes], values: list[bytes]
) -> sealing.Group:
    """Bring a group's drafts and buckets, which are in order, into a kernel."""
    keys, states, bodies = zip(*drafts, strict=True) if drafts else ((), (), ())
    return sealing.Group(
        keys=joined(keys),
        states=array_of(bytearray(states)),
        bodies=joined(bodies),
        ends=ends_of(bodies),
        places=joined(places),
        values=joined(values),
        value_ends=ends_of(values),
    )


def _check_drafts(first_index: int, drafts: Sequence[Draft]) -> None:
    check_drafts(first_index, drafts)
    for key, state, body in drafts:
        if state not in _STATES or len(body) > _MAX_BODY_OCTETS:
            assemble_change(state, 1, 0, NO_HASH, key, body)


def _entries(made: sealing.Made, group: sealing.Group) -> tuple[bytes, ...]:
    count = group.states.size
    octets = made.entries[: sealing.gap_octets(count) + group.bodies.size].tobytes()
    gap = sealing.gap_octets(1)
    ends = (group.ends + gap * np.arange(1, count + 1)).tolist()
    return tuple(cut(octets, ends, 1))


def _puts(made: sealing.Made) -> list[tuple[bytes, bytes | None]]:
    count, gone, octets = made.told[: sealing.VALUES + 1].tolist()
    values = made.values[:octets].tobytes()
    ends = [*made.puts.at[1:count].tolist(), octets]
    places = cut_evenly(made.places[: PLACE_OCTETS * count].tobytes(), PLACE_OCTETS)
    puts: list[tuple[bytes, bytes | None]] = list(
        zip(places, cut(values, ends if count else ()), strict=True)
    )
    if gone:
        split = made.gone[: PLACE_OCTETS * gone].tobytes()
        puts += [(place, None) for place in cut_evenly(split, PLACE_OCTETS)]
        puts.sort(key=itemgetter(0))
    return puts


def written_of(
    pending: Pending, made: Sequence[tuple[bytes, bytes]]
) -> rechecking.Written:
    """Bring a sealed group into the kernel that looks at it once more."""
    sealed = pending.sealed
    values = [value for _, value in made]
    before = [value for _, value in pending.before]
    return rechecking.Written(
        entries=array_of(bytearray(b"\x00").join((b"", *sealed.entries))),
        ends=ends_of(sealed.entries, 1),
        hashes=array_of(sealed.leaf_hashes),
        places=joined([place for place, _ in made]),
        values=joined(values),
        value_ends=ends_of(values),
        old_values=joined(before),
        old_ends=ends_of(before),
        root=array_of(sealed.root),
    )


def _fault(
    found: int, number: int, pending: Pending, made: Sequence[tuple[bytes, bytes]]
) -> CorruptLogError:
    """Say what the second look found."""
    if found in (rechecking.WRONG_HASH, rechecking.WRONG_ENTRY):
        problem = _FAULTS[found]
        return CorruptLogError(
            "log_entries", b"", f"entry {pending.first_index + number} {problem}"
        )
    place = made[number][0] if number < len(made) else b""
    return CorruptLogError(TABLE, place, _FAULTS[found])


def _find(state: _Snapshot, key: bytes) -> tuple[bytes, bytes | None]:
    """Find a key's bucket and its hash, as `upper.find` does."""
    bits, node, depth = upper.first_bits(key), state.top, 0
    while node and state.trie.sides[node, 0] != trie.BUCKET:
        node = int(state.trie.sides[node, bits >> (63 - depth) & 1])
        depth += 1
    place = upper.place_of(upper.shared(bits, depth), depth)
    return place, state.hash_of(node) if node else None


def _path(
    path: np.ndarray, siblings: np.ndarray, count: int
) -> tuple[tuple[int, bytes], ...]:
    hashes = cut_evenly(siblings[: 32 * count].tobytes(), 32)
    return tuple(zip(path[:count].tolist(), hashes, strict=True))


def _proving_room(octets: int) -> tuple[np.ndarray, ...]:
    return (
        np.empty(32 * (octets // LEAF_OCTETS + 1), np.uint8),
        np.empty(STACK, np.int64),
        np.empty(STACK_OCTETS, np.uint8),
        np.empty(SCRATCH_OCTETS, np.uint8),
    )
