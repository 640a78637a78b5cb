"""The second look at a group: what its octets say, before they are signed over.

Another way than the engine's to the same end, so that a fault of memory, of the
processor or of the code is found: leaves in a dict by key and not in buckets, the root
by the map's definition. Reads nothing but what is about to be written and what was read
to make it.
"""

import hashlib
import struct
from collections.abc import Iterable, Sequence

from chain_anchor.entries import CHANGE, NO_HASH
from chain_anchor.errors import CorruptLogError
from chain_anchor.leaves import check_root, read_leaves
from chain_anchor.octets import HASH_OCTETS
from chain_anchor.statemap import State, root_of_leaves
from chain_anchor.upper import TABLE

_ENTRIES = "log_entries"
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
