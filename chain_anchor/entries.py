"""The entries of a log: what stands in a leaf, and how it reads.

    change    0x01, what a change made of one map key: `chain_anchor.changes`

    header    0x02, the last leaf of every group, 101 octets
         0     1  type 0x02
         1     8  height: 1 at the first header
         9    32  leaf hash of the previous header, zeros at height 1
        41     8  index of the group's first entry
        49     4  entries of the group, the header not counted
        53    32  root of the state map after the group
        85     8  keys in the state map
        93     8  time, milliseconds since the epoch

    rotation  0x03, another key signs from here on
         0     1  type 0x03
         1   2+n  verifier key so far
         .   2+n  verifier key from here on
         .    64  signature of `rotation_message` by the key so far
         .    64  signature of `rotation_message` by the key from here on

    restart   0x04, an operator accepted that the log went back
         0     1  type 0x04
         1   2+n  origin
         .     8  size that had been witnessed
         .    32  root that had been witnessed
         .   2+n  why
         .     8  time, milliseconds since the epoch

Layouts are the emulator's convention (tlog notes §5.2). A leaf has 1 to 65535 octets
(C2SP tlog-tiles counts them in two octets). Every entry has one encoding only, and
neither direction takes what the other refuses. The identifier itself is never in an
entry, and restricted values are behind a commitment.
"""

import struct
from collections.abc import Callable
from typing import NamedTuple

from chain_anchor.changes import CHANGE, Change, encode_change, read_change
from chain_anchor.entry_fields import (
    NO_HASH,
    bounded,
    check_counts,
    check_hashes,
    read_text,
    short_text,
)
from chain_anchor.errors import EntryError
from chain_anchor.octets import MAX_COUNT, MAX_SHORT_OCTETS, U64, Reader

HEADER = 0x02
ROTATION = 0x03
RESTART = 0x04

HEADER_OCTETS = 101
SIGNATURE_OCTETS = 64

_HEADER = struct.Struct("!BQ32sQI32sQQ")
_ROTATION_CONTEXT = "idis-emulator/key-rotation/v1"


class Header(NamedTuple):
    """What seals a group: where it lies, and the state map after it."""

    height: int
    previous_hash: bytes
    first_index: int
    count: int  # type: ignore[assignment] # tuple.count is not missed here
    map_root: bytes
    map_keys: int
    time_ms: int


class Rotation(NamedTuple):
    """Another key signs from here on; both keys say so."""

    old: str
    """Verifier key of C2SP signed-note, `NAME+HASH+BASE64`."""

    new: str
    old_signature: bytes
    new_signature: bytes


class Restart(NamedTuple):
    """An operator accepted a rollback: what had been witnessed before it."""

    origin: str
    size: int
    root: bytes
    why: str
    time_ms: int


Entry = Change | Header | Rotation | Restart


def encode_header(header: Header) -> bytes:
    """Encode a header: 101 octets.

    Raises:
        EntryError: A field does not fit, or contradicts another one.
    """
    check_hashes(previous_hash=header.previous_hash, map_root=header.map_root)
    check_counts(
        height=header.height,
        first_index=header.first_index,
        map_keys=header.map_keys,
        time_ms=header.time_ms,
    )
    _check_header(header)
    try:
        return _HEADER.pack(HEADER, *header)
    except struct.error as error:
        raise EntryError(f"header: {error}") from None


def encode_rotation(rotation: Rotation) -> bytes:
    """Encode a key rotation; its signatures are not verified.

    Raises:
        EntryError: A field does not fit.
    """
    for signature in (rotation.old_signature, rotation.new_signature):
        if len(signature) != SIGNATURE_OCTETS:
            raise EntryError(
                f"rotation: a signature has {len(signature)} octets, expected 64"
            )
    return bounded(
        bytes((ROTATION,))
        + short_text(rotation.old, "old key")
        + short_text(rotation.new, "new key")
        + rotation.old_signature
        + rotation.new_signature
    )


def encode_restart(restart: Restart) -> bytes:
    """Encode an accepted rollback.

    Raises:
        EntryError: A field does not fit.
    """
    check_hashes(root=restart.root)
    check_counts(size=restart.size, time_ms=restart.time_ms)
    return bounded(
        bytes((RESTART,))
        + short_text(restart.origin, "origin")
        + U64.pack(restart.size)
        + restart.root
        + short_text(restart.why, "why")
        + U64.pack(restart.time_ms)
    )


def encode_entry(entry: Entry) -> bytes:
    """Encode an entry of any type.

    Raises:
        EntryError: A field does not fit, or contradicts another one.
    """
    match entry:
        case Change():
            return encode_change(entry)
        case Header():
            return encode_header(entry)
        case Rotation():
            return encode_rotation(entry)
        case Restart():
            return encode_restart(entry)


def decode_entry(octets: bytes) -> Entry:
    """Decode an entry of any type.

    Raises:
        EntryError: The octets are not the encoding of an entry.
    """
    if not 1 <= len(octets) <= MAX_SHORT_OCTETS:
        raise EntryError(f"entry: {len(octets)} octets, expected 1 to 65535")
    decode = _DECODERS.get(octets[0])
    if decode is None:
        raise EntryError(f"entry: type {octets[0]:#04x} at octet 0, expected 1 to 4")
    what, read = decode
    reader = Reader(octets, what, EntryError)
    reader.take(1, "type")
    entry = read(reader)
    reader.finish()
    return entry


def rotation_message(origin: str, old: str, new: str, index: int) -> bytes:
    """Give the octets that both keys of a rotation sign.

    Args:
        origin: Origin of the log.
        old: Verifier key so far.
        new: Verifier key from here on.
        index: Index of the rotation's entry, so that it holds nowhere else.
    """
    lines = (_ROTATION_CONTEXT, origin, old, new, "")
    return "\n".join(lines).encode() + U64.pack(index)


def _read_header(reader: Reader) -> Header:
    header = Header(
        height=reader.count("height"),
        previous_hash=reader.hash("hash of the previous header"),
        first_index=reader.count("index of the first entry"),
        count=reader.u32("count of entries"),
        map_root=reader.hash("map root"),
        map_keys=reader.count("keys in the map"),
        time_ms=reader.count("time"),
    )
    _check_header(header)
    return header


def _read_rotation(reader: Reader) -> Rotation:
    return Rotation(
        old=read_text(reader, "old key"),
        new=read_text(reader, "new key"),
        old_signature=reader.take(SIGNATURE_OCTETS, "signature of the old key"),
        new_signature=reader.take(SIGNATURE_OCTETS, "signature of the new key"),
    )


def _read_restart(reader: Reader) -> Restart:
    return Restart(
        origin=read_text(reader, "origin"),
        size=reader.count("witnessed size"),
        root=reader.hash("witnessed root"),
        why=read_text(reader, "why"),
        time_ms=reader.count("time"),
    )


_DECODERS: dict[int, tuple[str, Callable[[Reader], Entry]]] = {
    CHANGE: ("change", read_change),
    HEADER: ("header", _read_header),
    ROTATION: ("rotation", _read_rotation),
    RESTART: ("restart", _read_restart),
}


def _check_header(header: Header) -> None:
    """The first header, and only it, follows no other and begins the log."""
    if header.height < 1:
        raise EntryError(f"header: height {header.height}, heights begin at 1")
    first = header.height == 1
    if first != (header.previous_hash == NO_HASH):
        raise EntryError(
            f"header: height {header.height} "
            f"{'names a' if first else 'names no'} previous header"
        )
    if first != (header.first_index == 0):
        raise EntryError(
            f"header: height {header.height} with first index {header.first_index}; "
            "the first group, and only it, begins at 0"
        )
    size = header.first_index + header.count
    if size >= MAX_COUNT:
        raise EntryError(f"header: its own index is {size}, too great for a log")
    if header.map_keys > size:
        raise EntryError(
            f"header: {header.map_keys} keys in the map after {size} entries"
        )
