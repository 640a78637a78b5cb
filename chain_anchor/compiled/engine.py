"""The compiled engine: `chain_anchor.buckets.PlainEngine`, octet by octet, in kernels.

Python only brings octets in and out. What goes into a kernel is joined into one array
with the ends of its parts; what comes out is cut by them. Where a kernel finds that
octets are wrong, the plain code looks at them and says what is wrong.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import Any, NamedTuple

import numba
import numpy as np

from chain_anchor import leaves as plain_leaves, upper
from chain_anchor.buckets import Draft, Get, Sealed, check_drafts
from chain_anchor.compiled import proving, rechecking, sealing, trie
from chain_anchor.compiled.leaves import HASH_OCTETS, LEAF_OCTETS, STACK, STACK_OCTETS
from chain_anchor.compiled.sha256 import SCRATCH_OCTETS
from chain_anchor.compiled.trie import PLACE_OCTETS, Trie
from chain_anchor.entries import NO_HASH, assemble_change
from chain_anchor.errors import AnchorError, CorruptLogError, EntryError
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
    count: int

    @property
    def root(self) -> bytes:
        return self.hash_of(self.top) if self.top else EMPTY_ROOT

    def hash_of(self, node: int) -> bytes:
        return self.trie.hashes[32 * node : 32 * node + 32].tobytes()


class _Pending(NamedTuple):
    """A group that is sealed, and not published yet."""

    first_index: int
    before: list[bytes]
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
        self._pending: _Pending | None = None
        self._room = _Room()

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
        made, top = _build(places, roots)
        self._trie, self._pending = made, None
        self._published = _Snapshot(made, top, octets // LEAF_OCTETS)

    def places(self, keys: Sequence[bytes]) -> list[bytes]:
        """Give the table's key of the bucket that each map key belongs in."""
        count = len(keys)
        found = np.empty(PLACE_OCTETS * count, np.uint8)
        nodes, top, _ = self._published
        trie.locate(nodes, top, _joined(keys), count, found)
        return _cut_evenly(found.tobytes(), PLACE_OCTETS)

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
        places = sorted(place for place in buckets if len(place) == PLACE_OCTETS)
        values = [buckets[place] for place in places]
        group = _group(drafts, places, values)
        made, desk = self._room.sealing(group)
        self._run(first_index, group, made, desk, drafts, buckets)
        count = self.count + int(made.told[sealing.NEW_KEYS])
        top = int(made.told[sealing.TOP])
        after = _Snapshot(self._trie, top, count)
        sealed = Sealed(
            _entries(made, group),
            made.hashes[: 32 * len(drafts)].tobytes(),
            _puts(made),
            after.root,
            count,
        )
        used = made.used[: len(values)].tobytes()
        before = [value for value, taken in zip(values, used, strict=True) if taken]
        self._pending = _Pending(first_index, before, sealed, top)
        return sealed

    def check(self) -> None:
        """Derive what is about to be written once more, from its octets alone.

        Raises:
            CorruptLogError: It does not give the same.
            AnchorError: No group is sealed.
        """
        pending = self._require()
        sealed = pending.sealed
        if not sealed.entries:
            if sealed.root != self.root or sealed.puts or sealed.count != self.count:
                raise CorruptLogError(TABLE, b"", "no entries, but another map")
            return
        made = [(place, value) for place, value in sealed.puts if value is not None]
        written = _written(pending, made)
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
        """
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
                _array(key),
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

    def _run(
        self,
        first_index: int,
        group: sealing.Group,
        made: sealing.Made,
        desk: sealing.Desk,
        drafts: Sequence[Draft],
        buckets: Mapping[bytes, bytes],
    ) -> None:
        """Run the kernel, with as much room in the trie as it needs."""
        while True:
            top = self._published.top
            found = sealing.seal(self._trie, top, first_index, group, made, desk)
            if found == sealing.SEALED:
                return
            trie.settle(self._trie, False)
            if found != sealing.NEEDS_NODES:
                raise self._wrong(found, drafts[made.told[sealing.DETAIL]], buckets)
            self._trie = trie.enlarge(self._trie)

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

    def _require(self) -> _Pending:
        if self._pending is None:
            raise AnchorError("no group is sealed")
        return self._pending


class _Room:
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

    def _take_octets(self, name: str, size: int) -> np.ndarray:
        return _enough(self._octets, name, size, np.uint8)

    def _take_words(self, name: str, size: int) -> np.ndarray:
        return _enough(self._words, name, size, np.int64)


def _enough(arrays: dict[str, np.ndarray], name: str, size: int, kind: Any) -> Any:
    found = arrays.get(name)
    if found is None or found.size < size:
        found = arrays[name] = np.zeros(max(64, 2 * size), kind)
    return found


def _joined(parts: Iterable[bytes]) -> np.ndarray:
    return _array(bytearray().join(parts))


def _array(octets: bytes | bytearray) -> np.ndarray:
    """Give octets as all kernels take them: an array that could be written to."""
    if not octets:
        return np.zeros(0, np.uint8)
    return np.frombuffer(
        bytearray(octets) if isinstance(octets, bytes) else octets, np.uint8
    )


def _ends(parts: Sequence[bytes], gap: int = 0) -> np.ndarray:
    """Say where each part ends, with a gap before each."""
    sizes = [gap + len(part) for part in parts]
    return np.cumsum(np.array(sizes, np.int64))


def _cut(octets: bytes, ends: Iterable[int], gap: int = 0) -> list[bytes]:
    starts = (0, *ends)
    return [octets[start + gap : end] for start, end in pairwise(starts)]


def _cut_evenly(octets: bytes, size: int) -> list[bytes]:
    return [octets[at : at + size] for at in range(0, len(octets), size)]


def _group(
    drafts: Sequence[Draft], places: list[bytes], values: list[bytes]
) -> sealing.Group:
    bodies = [draft.body for draft in drafts]
    return sealing.Group(
        keys=_joined([draft.key for draft in drafts]),
        states=_array(bytearray([draft.state for draft in drafts])),
        bodies=_joined(bodies),
        ends=_ends(bodies),
        places=_joined(places),
        values=_joined(values),
        value_ends=_ends(values),
    )


def _check_drafts(first_index: int, drafts: Sequence[Draft]) -> None:
    check_drafts(first_index, drafts)
    for draft in drafts:
        if draft.state not in _STATES or len(draft.body) > _MAX_BODY_OCTETS:
            assemble_change(draft.state, 1, 0, NO_HASH, draft.key, draft.body)


def _entries(made: sealing.Made, group: sealing.Group) -> tuple[bytes, ...]:
    count = group.states.size
    octets = made.entries[: sealing.gap_octets(count) + group.bodies.size].tobytes()
    gap = sealing.gap_octets(1)
    ends = (group.ends + gap * np.arange(1, count + 1)).tolist()
    return tuple(_cut(octets, ends, 1))


def _puts(made: sealing.Made) -> list[tuple[bytes, bytes | None]]:
    count, gone, octets = made.told[: sealing.VALUES + 1].tolist()
    values = made.values[:octets].tobytes()
    ends = [*made.puts.at[1:count].tolist(), octets]
    places = _cut_evenly(made.places[: PLACE_OCTETS * count].tobytes(), PLACE_OCTETS)
    puts: list[tuple[bytes, bytes | None]] = list(
        zip(places, _cut(values, ends if count else ()), strict=True)
    )
    if gone:
        split = made.gone[: PLACE_OCTETS * gone].tobytes()
        puts += [(place, None) for place in _cut_evenly(split, PLACE_OCTETS)]
        puts.sort(key=itemgetter(0))
    return puts


def _written(
    pending: _Pending, made: Sequence[tuple[bytes, bytes]]
) -> rechecking.Written:
    sealed = pending.sealed
    values = [value for _, value in made]
    return rechecking.Written(
        entries=_array(bytearray(b"\x00").join((b"", *sealed.entries))),
        ends=_ends(sealed.entries, 1),
        hashes=_array(sealed.leaf_hashes),
        places=_joined([place for place, _ in made]),
        values=_joined(values),
        value_ends=_ends(values),
        old_values=_joined(pending.before),
        old_ends=_ends(pending.before),
        root=_array(sealed.root),
    )


def _fault(
    found: int, number: int, pending: _Pending, made: Sequence[tuple[bytes, bytes]]
) -> CorruptLogError:
    """Say what the second look found."""
    if found in (rechecking.WRONG_HASH, rechecking.WRONG_ENTRY):
        problem = _FAULTS[found]
        return CorruptLogError(
            "log_entries", b"", f"entry {pending.first_index + number} {problem}"
        )
    place = made[number][0] if number < len(made) else b""
    return CorruptLogError(TABLE, place, _FAULTS[found])


def _build(places: list[bytes], roots: list[bytes]) -> tuple[Trie, int]:
    count = len(places)
    nodes = max(trie.FIRST_NODES, 1 << (3 * count).bit_length())
    joined_places, joined_roots = _joined(places), _joined(roots)
    while True:
        made = trie.make_trie(nodes)
        top = trie.build(
            made,
            joined_places,
            joined_roots,
            count,
            trie.make_puts(count),
            trie.make_frames(),
            np.zeros(SCRATCH_OCTETS, np.uint8),
        )
        if top >= 0:
            return made, top
        if top != trie.NO_ROOM:
            place = places[trie.WRONG_PLACE - top]
            upper.read_place(place)
            raise CorruptLogError(TABLE, place, "overlaps the bucket before it")
        nodes *= 2


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
    hashes = _cut_evenly(siblings[: 32 * count].tobytes(), 32)
    return tuple(zip(path[:count].tolist(), hashes, strict=True))


def _proving_room(octets: int) -> tuple[np.ndarray, ...]:
    return (
        np.empty(32 * (octets // LEAF_OCTETS + 1), np.uint8),
        np.empty(STACK, np.int64),
        np.empty(STACK_OCTETS, np.uint8),
        np.empty(SCRATCH_OCTETS, np.uint8),
    )


def prepare() -> None:
    """Compile every kernel, or load it: the first call of each is as fast as any."""
    nodes, octets = trie.make_trie(), np.zeros(64, np.uint8)
    words, frames = np.zeros(2, np.int64), trie.make_frames()
    puts = trie.make_puts(1)
    room = _Room()
    group = _group([], [], [])
    sealed = Sealed((), b"", [], EMPTY_ROOT, 0)
    written = _written(_Pending(0, [], sealed, 0), [])
    proving_room = (octets, words, octets, octets)
    _compile(trie.locate, nodes, 1, octets, 1, octets)
    _compile(trie.lead, nodes, 1, 1, octets, octets, octets)
    _compile(trie.settle, nodes, True)
    _compile(trie.build, nodes, octets, octets, 1, puts, frames, octets)
    _compile(sealing.seal, nodes, 1, 1, group, *room.sealing(group))
    _compile(rechecking.recheck, nodes, 1, 1, written, room.rechecking(written))
    _compile(proving.descend, *[octets] * 5, 1, octets, *proving_room)


def _compile(dispatcher: Any, *arguments: Any) -> None:
    dispatcher.compile(tuple(map(numba.typeof, arguments)))
