"""Whether a key stands in the state map, by its table alone.

The map lies in other pages than what it is about. Where a record is not found, this
says whether it ought to be: damage that leads past one of them is noticed by the other.
It proves nothing; `buckets` and `leaves` do.
"""

from collections.abc import Callable

from chain_anchor.leaves import LEAF_OCTETS
from chain_anchor.octets import HASH_OCTETS
from chain_anchor.statemap import ACTIVE
from chain_anchor.upper import MAX_DEPTH, first_bits, place_of

Get = Callable[[bytes], bytes | None]
"""Gives the value of a key of the table `log_map`."""

_NEAR = 8
"""Depths to either side of the last bucket's: hashes spread keys evenly, so the depths
of buckets differ by a few."""


def _order(depth: int) -> tuple[int, ...]:
    near = range(max(depth - _NEAR, 0), min(depth + _NEAR, MAX_DEPTH) + 1)
    return tuple(sorted(near, key=lambda other: abs(other - depth)))


_ORDERS = tuple(map(_order, range(MAX_DEPTH + 1)))
"""For each depth, those near it, the nearest first."""


class Presence:
    """Looks keys up, and remembers how deep buckets lie.

    Threads may share one: the depth is only where to begin.
    """

    __slots__ = ("_depth",)

    def __init__(self) -> None:
        self._depth = 0

    def is_active(self, key: bytes, get: Get) -> bool:
        """Tell whether the map has a key, and not as deleted."""
        bits = first_bits(key)
        for depth in _ORDERS[self._depth]:
            below = MAX_DEPTH - depth
            bucket = get(place_of(bits >> below << below, depth))
            if bucket is not None:
                self._depth = depth
                return _state(bucket, key) == ACTIVE
        return False


def _state(bucket: bytes, key: bytes) -> int:
    """Give the first octet of a key's state; 0 when the bucket does not have it."""
    at = bucket.find(key, HASH_OCTETS)
    while at >= 0 and (at - HASH_OCTETS) % LEAF_OCTETS:
        at = bucket.find(key, at + 1)
    return bucket[at + HASH_OCTETS] if at >= 0 else 0
