"""The second look at a group: what its octets say, before they are signed over.

Another way than the engine's to the same end, so that a fault of memory, of the
processor or of the code is found: leaves in a dict by key and not in buckets, the root
by the map's definition. Reads nothing but what is about to be written and what was read
to make it.
"""

import hashlib
import struct
from collections.abc import Iterable, Sequence

from chain_anchor.changes import CHANGE
from chain_anchor.entry_fields import NO_HASH
from chain_anchor.errors import CorruptLogError
from chain_anchor.leaves import check_root, read_leaves
from chain_anchor.octets import HASH_OCTETS
from chain_anchor.statemap import State, root_of_leaves
from chain_anchor.upper import TABLE, read_place

_ENTRIES = "log_entries"
_VERSION = slice(2, 10)
_FIRST_VERSION = (1).to_bytes(8)
_CHANGE_HEAD = struct.Struct("!BBQQ32s")


Buckets = Iterable[tuple[bytes, bytes]]
"""Places and values."""


def check_group(
    first_index: int,
    entries: Sequence[bytes],
    hashes: bytes,
    before: Buckets,
    after: Buckets,
) -> None:
    """Check that a group's buckets are those before it, changed by its entries.

    Args:
        first_index: index of the first entry.
        entries: what goes into the log.
        hashes: their leaf hashes, joined.
        before: the buckets that the group changes.
        after: what stands in their place.

    Raises:
        CorruptLogError: They are not.
    """
    expected = _leaves(before)
    for number, entry in enumerate(entries):
        digest = hashlib.sha256(b"\x00")
        digest.update(entry)
        if digest.digest() != hashes[32 * number : 32 * number + 32]:
            raise CorruptLogError(
                _ENTRIES, b"", f"entry {first_index + number} has not the hash it got"
            )
        _apply(expected, first_index + number, entry, digest.digest())
    written = _leaves(after)
    for key in expected.keys() | written.keys():
        if expected.get(key) != written.get(key):
            raise CorruptLogError(TABLE, key, "the entries make another leaf of this")


def check_places(
    before: Iterable[bytes], puts: Sequence[tuple[bytes, bytes | None]]
) -> None:
    """Check that a bucket is written again, or deleted because it was split.

    Args:
        before: places of the buckets that the group changes.
        puts: what is about to be written.

    Raises:
        CorruptLogError: Another bucket is deleted, or one too few, a place is written
            twice, or is none.
    """
    for place, _ in puts:
        read_place(place)
    made = {place for place, value in puts if value is not None}
    gone = {place for place, value in puts if value is None}
    if len(made) + len(gone) != len(puts):
        raise CorruptLogError(TABLE, b"", "a place is written twice")
    for place in gone ^ (set(before) - made):
        raise CorruptLogError(TABLE, place, "deleted without a split, or not deleted")


def check_counts(
    before: int, entries: Sequence[bytes], hashes: bytes, after: int
) -> None:
    """Check that each entry has a hash, and the map one key more for each new one.

    Args:
        before: keys in the map before the group.
        entries: what goes into the log.
        hashes: their leaf hashes, joined.
        after: keys in the map after the group.

    Raises:
        CorruptLogError: It is not so.
    """
    if len(hashes) != HASH_OCTETS * len(entries):
        problem = f"{len(entries)} entries, {len(hashes)} octets of their hashes"
        raise CorruptLogError(_ENTRIES, b"", problem)
    new = sum(entry[_VERSION] == _FIRST_VERSION for entry in entries)
    if before + new != after:
        problem = f"{before} keys and {new} new ones are not {after}"
        raise CorruptLogError(TABLE, b"", problem)


def _leaves(buckets: Buckets) -> dict[bytes, bytes]:
    return {key: state for bucket in buckets for key, state in read_leaves(*bucket)}


def _apply(leaves: dict[bytes, bytes], index: int, entry: bytes, digest: bytes) -> None:
    """Apply an entry to leaves, and check that it follows what was there."""
    kind, state, version, *previous = _CHANGE_HEAD.unpack_from(entry)
    key = entry[_CHANGE_HEAD.size : _CHANGE_HEAD.size + HASH_OCTETS]
    known = leaves.get(key)
    before = State(0, 0, 0, NO_HASH) if known is None else State.decode(known)
    if kind != CHANGE or (version - 1, *previous) != before[1:]:
        raise CorruptLogError(
            _ENTRIES, b"", f"entry {index} does not follow version {before.version}"
        )
    leaves[key] = State(state, version, index, digest).encode()


def defined_root(place: bytes, value: bytes) -> bytes:
    """Give a bucket's root by the definition of the map's root."""
    leaves = [
        (key, hashlib.sha256(b"\x04" + state).digest())
        for key, state in read_leaves(place, value)
    ]
    root = root_of_leaves(leaves)
    check_root(place, root, value, root)
    return root
