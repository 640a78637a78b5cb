"""A recheck of all that a log has stored, from its entries up to the signature.

Three passes, each of which finds damage in its own tables by itself:

    rows      every row of hashes is what the row below it gives; the top is the root
    buckets   the leaves of every bucket give its root, all buckets the map's root
    replay    the changes are made once more, by an engine that begins with nothing:
              it must give the same entries, headers and buckets, octet for octet

`audit_head` comes first: it opens the checkpoint that all else is measured by. Each
raises at the first thing that is not what was written, and names its table and key.
Nothing is written. A replay keeps the whole map in memory, about 110 octets for each
key.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

from chain_anchor import entry_rows, rows, upper
from chain_anchor.buckets import Draft
from chain_anchor.changes import CHANGE
from chain_anchor.checkpoint import Checkpoint, open_checkpoint
from chain_anchor.entries import (
    HEADER,
    HEADER_OCTETS,
    Header,
    decode_entry,
    encode_header,
)
from chain_anchor.entry_fields import NO_HASH
from chain_anchor.errors import CorruptLogError, FormatError
from chain_anchor.leaves import LEAF_OCTETS, Digests, read_leaves
from chain_anchor.log import HEAD_KEY, META_TABLE, Engine, Tables, check_empty
from chain_anchor.merkle import HASH_OCTETS, leaf_hash, root_of
from chain_anchor.note import VerifierKey
from chain_anchor.rows import ROW_WIDTH, STEP, Rows, checked, fold, row_key
from chain_anchor.statemap import EMPTY_ROOT as EMPTY_MAP, State

_CHANGE, _HEADER = bytes((CHANGE,)), bytes((HEADER,))
_STATE_AT = 1
_KEY_AT = 50
_BODY_AT = 82


class StoredHead(NamedTuple):
    """The head of a log as it is stored, with a checkpoint that is believed."""

    checkpoint: Checkpoint
    note: bytes
    header: Header
    header_hash: bytes


class Group(NamedTuple):
    """A group of entries that has been made once more."""

    notices: tuple[tuple[int, bytes], ...]
    """Entries that change no key, with their indexes."""

    first_change: int
    """Index of the first change."""

    changes: tuple[bytes, ...]
    header: Header

    @property
    def size(self) -> int:
        """Entries of the log up to the group's end."""
        return self.first_change + len(self.changes) + 1


def audit_head(
    tables: Tables, origin: str, keys: Sequence[VerifierKey]
) -> StoredHead | None:
    """Open the signed checkpoint of a log; None when the log is empty.

    Raises:
        CorruptLogError: It is damaged.
        FormatError: What has been signed is no checkpoint.
        SignatureError: None of the keys signed it.
    """
    stored = tables.get(META_TABLE, HEAD_KEY)
    if stored is None:
        check_empty(tables)
        return None
    octets = checked(META_TABLE, HEAD_KEY, stored)
    header_hash, rest = octets[:HASH_OCTETS], octets[HASH_OCTETS:]
    encoded, note = rest[:HEADER_OCTETS], rest[HEADER_OCTETS:]
    checkpoint = open_checkpoint(note, origin, keys)
    header = decode_entry(encoded)
    if not isinstance(header, Header) or leaf_hash(encoded) != header_hash:
        raise CorruptLogError(META_TABLE, HEAD_KEY, "no header of this leaf hash")
    end = header.first_index + header.count + 1
    if end != checkpoint.size:
        problem = f"its group ends at {end}, the checkpoint at {checkpoint.size}"
        raise CorruptLogError(META_TABLE, HEAD_KEY, problem)
    return StoredHead(checkpoint, note, header, header_hash)


def audit_rows(tables: Tables, checkpoint: Checkpoint) -> None:
    """Recheck every row of hashes, up to the root.

    Raises:
        CorruptLogError: A row is damaged, missing, or one too many.
    """
    walk = iter(ascending(rows.TABLE, tables.items(rows.TABLE)))
    level, count, below = 0, checkpoint.size, b""
    while count:
        below = _audit_level(walk, level, count, below)
        level, count = level + STEP, count // ROW_WIDTH
    for key, _ in walk:
        raise CorruptLogError(rows.TABLE, key, "a row more than the tree has")
    root = root_of(checkpoint.size, Rows(_getter(tables, rows.TABLE)).read)
    if root != checkpoint.root:
        problem = f"the tree's root is {root.hex()}, signed is {checkpoint.root.hex()}"
        raise CorruptLogError(rows.TABLE, row_key(0, 0), problem)


def audit_buckets(tables: Tables, header: Header) -> None:
    """Recheck every bucket of the map, and the trie over them.

    Raises:
        CorruptLogError: One is damaged, or they do not give the header's root.
    """
    count = 0
    places: list[tuple[bytes, bytes]] = []
    for place, value in ascending(upper.TABLE, tables.items(upper.TABLE)):
        leaves = read_leaves(place, value)
        for key, state in leaves:
            _check_state(place, key, state)
        root = Digests().root(leaves)
        if root != value[:HASH_OCTETS]:
            problem = f"its leaves give the root {root.hex()}"
            raise CorruptLogError(upper.TABLE, place, problem)
        places.append((place, root))
        count += len(leaves)
    top = upper.build(places)
    root = EMPTY_MAP if top is None else top.hash
    if (root, count) != (header.map_root, header.map_keys):
        problem = (
            f"all buckets give {root.hex()} over {count} keys, "
            f"sealed is {header.map_root.hex()} over {header.map_keys}"
        )
        raise CorruptLogError(upper.TABLE, b"", problem)


class Replay:
    """The map, made once more from the entries."""

    def __init__(self, tables: Tables, head: StoredHead, engine: Engine) -> None:
        """Take what is stored, and an engine that begins with nothing."""
        self.head = head
        self.buckets: dict[bytes, bytes] = {}
        """What `log_map` must hold, once `groups` has ended."""

        self.others = array("Q")
        """Indexes of the entries that are no changes."""

        self._tables = tables
        self._engine = engine
        self._header = Header(0, NO_HASH, 0, 0, EMPTY_MAP, 0, 0)
        self._header_hash = NO_HASH

    def groups(self) -> Iterator[Group]:
        """Make the groups once more, one after the other, and compare.

        Raises:
            CorruptLogError: An entry or a bucket is not what it must be.
        """
        size = first = 0
        group: list[bytes] = []
        for entry in self._entries():
            group.append(entry)
            size += 1
            if entry[:1] == _HEADER:
                yield self._group(first, group)
                first, group = size, []
        if group:
            raise _entry_error(first, "the last group has no header")
        if (self._header, self._header_hash) != self.head[2:]:
            raise _entry_error(size - 1, "not the header that the head has")
        self._compare_buckets()

    def state(self, key: bytes) -> State | None:
        """Give the state of a key after the last group."""
        (place,) = self._engine.places((key,))
        bucket = self.buckets.get(place, b"")
        at = bucket.find(key, HASH_OCTETS)
        while at >= 0 and (at - HASH_OCTETS) % LEAF_OCTETS:
            at = bucket.find(key, at + 1)
        if at < 0:
            return None
        return State.decode(bucket[at + HASH_OCTETS : at + LEAF_OCTETS])

    def states(self) -> Iterator[int]:
        """Walk the states of all keys: `ACTIVE` or `DELETED`."""
        for bucket in self.buckets.values():
            yield from bucket[2 * HASH_OCTETS :: LEAF_OCTETS]

    def _entries(self) -> Iterator[bytes]:
        """Walk the stored entries; each row has the leaf hashes that the tree has."""
        size = self.head.checkpoint.size
        walk = iter(ascending(entry_rows.TABLE, self._tables.items(entry_rows.TABLE)))
        for number in range((size + ROW_WIDTH - 1) // ROW_WIDTH):
            key = entry_rows.entry_key(number)
            found, stored = next(walk, (None, b""))
            if found != key:
                raise CorruptLogError(entry_rows.TABLE, key, "the row is missing")
            entries = list(
                entry_rows.split(key, checked(entry_rows.TABLE, key, stored))
            )
            self._check_row(number, entries, min(ROW_WIDTH, size - number * ROW_WIDTH))
            yield from entries
        for key, _ in walk:
            raise CorruptLogError(entry_rows.TABLE, key, "a row more than the log has")

    def _check_row(self, number: int, entries: Sequence[bytes], expected: int) -> None:
        if len(entries) != expected:
            key = entry_rows.entry_key(number)
            problem = f"{len(entries)} entries, {expected} expected"
            raise CorruptLogError(entry_rows.TABLE, key, problem)
        key = row_key(0, number)
        row = checked(rows.TABLE, key, self._tables.get(rows.TABLE, key))
        hashes = b"".join(map(leaf_hash, entries))
        if hashes == row:
            return
        for at, entry in enumerate(entries):
            start = at * HASH_OCTETS
            if row[start : start + HASH_OCTETS] != leaf_hash(entry):
                index = number * ROW_WIDTH + at
                raise _entry_error(index, "has not the leaf hash that the tree has")
        raise CorruptLogError(rows.TABLE, key, f"more than {expected} hashes")

    def _group(self, first: int, entries: Sequence[bytes]) -> Group:
        *body, stored = entries
        notices = 0
        while notices < len(body) and body[notices][:1] != _CHANGE:
            notices += 1
        changes = tuple(body[notices:])
        start = first + notices
        self._make(start, changes)
        header = self._make_header(first, len(body), stored)
        self._header, self._header_hash = header, leaf_hash(stored)
        self.others.extend(range(first, start))
        self.others.append(first + len(body))
        told = tuple((first + at, body[at]) for at in range(notices))
        return Group(told, start, changes, header)

    def _make(self, first: int, changes: tuple[bytes, ...]) -> None:
        """Make changes once more and compare them with those that are stored."""
        for index, entry in enumerate(changes, first):
            if entry[:1] != _CHANGE or len(entry) < _BODY_AT:
                raise _entry_error(index, "no change, where one is expected")
        drafts = [
            Draft(entry[_KEY_AT:_BODY_AT], entry[_STATE_AT], entry[_BODY_AT:])
            for entry in changes
        ]
        engine, buckets = self._engine, self.buckets
        places = engine.places([draft.key for draft in drafts])
        known = {place: buckets[place] for place in places if place in buckets}
        try:
            sealed = engine.seal(first, drafts, known)
        except FormatError as error:
            raise _entry_error(first, f"in a group that cannot be: {error}") from None
        engine.publish()
        if sealed.entries != changes:
            pairs = zip(sealed.entries, changes, strict=True)
            at = next(n for n, pair in enumerate(pairs) if pair[0] != pair[1])
            raise _entry_error(first + at, "does not follow from those before it")
        for place, value in sealed.puts:
            if value is None:
                del buckets[place]
            else:
                buckets[place] = value

    def _make_header(self, first: int, count: int, stored: bytes) -> Header:
        try:
            header = decode_entry(stored)
            assert isinstance(header, Header)
            expected = Header(
                self._header.height + 1,
                self._header_hash,
                first,
                count,
                self._engine.root,
                self._engine.count,
                max(header.time_ms, self._header.time_ms),
            )
            same = encode_header(expected) == stored
        except FormatError as error:
            raise _entry_error(first + count, f"no header: {error}") from None
        if not same:
            raise _entry_error(
                first + count, f"a header of {header}, {expected} expected"
            )
        return header

    def _compare_buckets(self) -> None:
        walk = ascending(upper.TABLE, self._tables.items(upper.TABLE))
        for stored, made in zip_longest(walk, sorted(self.buckets.items())):
            if stored == made:
                continue
            if made is None or (stored is not None and stored[0] < made[0]):
                raise CorruptLogError(upper.TABLE, stored[0], "no such bucket expected")
            if stored is None or made[0] < stored[0]:
                raise CorruptLogError(upper.TABLE, made[0], "the bucket is missing")
            at = _difference(stored[1], made[1])
            problem = f"not what the entries give, from octet {at} on"
            raise CorruptLogError(upper.TABLE, made[0], problem)


def ascending(
    table: str, items: Iterable[tuple[bytes, bytes]]
) -> Iterator[tuple[bytes, bytes]]:
    """Walk a table; keys that do not rise would be walked for ever.

    Raises:
        CorruptLogError: A key does not follow the one before it.
    """
    last = None
    for key, value in items:
        if last is not None and key <= last:
            problem = f"comes after {last.hex()}, keys rise"
            raise CorruptLogError(table, key, problem)
        yield key, value
        last = key


def _audit_level(
    walk: Iterator[tuple[bytes, bytes]], level: int, count: int, below: bytes
) -> bytes:
    """Recheck the rows of a level against the hashes that the one below gives.

    Returns:
        The hashes that its full rows give for the level above.
    """
    above = bytearray()
    for number in range((count + ROW_WIDTH - 1) // ROW_WIDTH):
        key = row_key(level, number)
        found, stored = next(walk, (None, b""))
        if found != key:
            raise CorruptLogError(rows.TABLE, key, "the row is missing")
        row = checked(rows.TABLE, key, stored)
        expected = min(ROW_WIDTH, count - number * ROW_WIDTH) * HASH_OCTETS
        if len(row) != expected:
            problem = f"{len(row)} octets of hashes, {expected} expected"
            raise CorruptLogError(rows.TABLE, key, problem)
        start = number * ROW_WIDTH * HASH_OCTETS
        if level and row != below[start : start + len(row)]:
            raise CorruptLogError(rows.TABLE, key, "not what the rows below give")
        if len(row) == ROW_WIDTH * HASH_OCTETS:
            above += fold(row)
    return bytes(above)


def _check_state(place: bytes, key: bytes, state: bytes) -> None:
    try:
        State.decode(state)
    except FormatError as error:
        problem = f"leaf {key.hex()}: {error}"
        raise CorruptLogError(upper.TABLE, place, problem) from None


def _getter(tables: Tables, table: str) -> Callable[[bytes], bytes | None]:
    return lambda key: tables.get(table, key)


def _difference(one: bytes, other: bytes) -> int:
    pairs = zip(one, other, strict=False)
    differing = (at for at, pair in enumerate(pairs) if pair[0] != pair[1])
    return next(differing, min(len(one), len(other)))


def _entry_error(index: int, problem: str) -> CorruptLogError:
    key = entry_rows.entry_key(index // ROW_WIDTH)
    return CorruptLogError(entry_rows.TABLE, key, f"entry {index}: {problem}")
