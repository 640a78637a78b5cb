"""Octets on their way into kernels and out of them.

What goes in is joined into one array, with the ends of its parts; what comes out is cut
by them. All arrays are writable, so that every kernel is compiled for one kind only.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np


def array_of(octets: bytes | bytearray) -> np.ndarray:
    """Give octets as kernels take them; those of a `bytearray` are not copied."""
    if not octets:
        return np.zeros(0, np.uint8)
    own = octets if isinstance(octets, bytearray) else bytearray(octets)
    return np.frombuffer(own, np.uint8)


def joined(parts: Iterable[bytes]) -> np.ndarray:
    """Join parts into one array."""
    return array_of(bytearray().join(parts))


def ends_of(parts: Sequence[bytes], gap: int = 0) -> np.ndarray:
    """Say where each part ends, with a gap before each."""
    sizes = np.fromiter(map(len, parts), np.int64, len(parts))
    return np.cumsum(sizes + gap)


def cut(octets: bytes, ends: Iterable[int], gap: int = 0) -> list[bytes]:
    """Cut octets into parts, without the gap before each."""
    return [octets[start + gap : end] for start, end in pairwise((0, *ends))]


def cut_evenly(octets: bytes, size: int) -> list[bytes]:
    """Cut octets into parts of one size."""
    return [octets[at : at + size] for at in range(0, len(octets), size)]
