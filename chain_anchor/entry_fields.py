"""Fields that the entries of a log have in common, and what fits them.

Whatever writes an entry checks by these what whoever reads it would refuse. A leaf has
1 to 65535 octets (C2SP tlog-tiles counts them in two octets).
"""

from typing import Final

from chain_anchor.errors import EntryError
from chain_anchor.octets import (
    HASH_OCTETS,
    MAX_COUNT,
    MAX_SHORT_OCTETS,
    Reader,
    short,
)

NO_HASH: Final = bytes(HASH_OCTETS)
"""Stands where there is nothing that could be hashed."""


def check_hashes(**hashes: bytes) -> None:
    """Check that each has 32 octets.

    Raises:
        EntryError: One has not.
    """
    for field, octets in hashes.items():
        if len(octets) != HASH_OCTETS:
            raise EntryError(f"{field} has {len(octets)} octets, expected 32")


def check_counts(**counts: int) -> None:
    """Check that each is a size, index, version, height or time that fits.

    Raises:
        EntryError: One is not.
    """
    for field, number in counts.items():
        if not 0 <= number <= MAX_COUNT:
            raise EntryError(f"{field} is {number}, expected 0 to {MAX_COUNT}")


def bounded(entry: bytes) -> bytes:
    """Give an encoded entry back.

    Raises:
        EntryError: It is too long for a leaf.
    """
    if len(entry) > MAX_SHORT_OCTETS:
        raise EntryError(f"entry has {len(entry)} octets, at most 65535 fit")
    return entry


def short_text(text: str, field: str) -> bytes:
    """Encode text behind its count of octets.

    Raises:
        EntryError: It does not fit, or is not text.
    """
    try:
        octets = text.encode()
    except UnicodeEncodeError as error:
        raise EntryError(f"{field} is not text: {error.reason}") from None
    return short(octets, field, EntryError)


def read_text(reader: Reader, field: str) -> str:
    """Read text behind its count of octets.

    Raises:
        EntryError: It is not there, or is not UTF-8.
    """
    try:
        return reader.short(field).decode()
    except UnicodeDecodeError as error:
        raise reader.fail(f"{field} is not UTF-8: {error.reason}") from None
