"""Which headers of a sub-chain were sent to the main chain: rows beside the sub-chain.

    key    ROW, number of the block u64      value  hash of the main chain's transaction

A row is there before its transaction is sent; so it may name one that never arrived.
"""

import struct
from typing import Final, NamedTuple

ROW: Final = b"Nanchored"
_SEQ: Final = struct.Struct("!Q")


class Anchored(NamedTuple):
    """A header of a sub-chain that was sent to the main chain."""

    seq: int
    transaction: bytes
    """Hash of the main chain's transaction."""


def row_key(seq: int) -> bytes:
    """Give the key of a block's row."""
    return ROW + _SEQ.pack(seq)


def read_row(row: tuple[bytes, bytes]) -> Anchored:
    """Read a row: its key, and what it has."""
    return Anchored(_SEQ.unpack(row[0][len(ROW) :])[0], row[1])
