"""The entries of a log: what stands in a leaf, and how it reads.

    change    0x01, what a change made of one map key
         0     1  type 0x01
         1     1  state of the key after it, 1 active, 2 deleted
         2     8  version: 1, 2, 3 ..., going on over delete and new registration
        10     8  index of the key's previous entry, 0 at version 1
        18    32  leaf hash of the key's previous entry, zeros at version 1
        50    32  map key
        82     .  body

    body of a change
         0     1  operation, the registry's number
         1    32  record digest, zeros when deleted or without record
        33     8  time, milliseconds since the epoch
        41     4  index of the actor's key
        45   2+n  actor: canonical name of who asked, empty when nobody had to
         .   2+n  scope: the prefix in clear, what a monitor watches
         .   2+n  extra: a child's checkpoint text for map kind 3, else empty

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

import functools
import hashlib
import struct
from collections.abc import Callable
from typing import NamedTuple

from chain_anchor.errors import EntryError
from chain_anchor.octets import (
    HASH_OCTETS,
    MAX_COUNT,
    MAX_SHORT_OCTETS,
    U32,
    U64,
    Reader,
    short,
)
from chain_anchor.statemap import ACTIVE, DELETED

CHANGE = 0x01
HEADER = 0x02
ROTATION = 0x03
RESTART = 0x04

HEADER_OCTETS = 101
SIGNATURE_OCTETS = 64
NO_HASH = bytes(HASH_OCTETS)

_CHANGE_HEAD = struct.Struct("!BBQQ32s32s")
_BODY_HEAD = struct.Struct("!B32sQ")
_NOTHING = bytes(2)
_HEADER = struct.Struct("!BQ32sQI32sQQ")
_ROTATION_CONTEXT = "idis-emulator/key-rotation/v1"
_RECORD = b"\x06"
_sha256 = hashlib.sha256


class Change(NamedTuple):
    """What a change made of one map key."""

    state: int
    """`ACTIVE` or `DELETED`, after the change."""

    version: int
    previous_index: int
    previous_hash: bytes
    key: bytes
    operation: int
    record_digest: bytes
    time_ms: int
    actor_index: int
    actor: bytes
    scope: bytes
    extra: bytes


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


def record_digest(public_octets: bytes, commitment: bytes | None = None) -> bytes:
    """Give the digest by which an entry stands for a record.

    Args:
        public_octets: The encoded list of the record's public values.
        commitment: The 32 octets that stand for its restricted values; None if
            there are none.

    Returns:
        H(0x06 || SHA-256(public_octets) || commitment or zeros).

    Raises:
        EntryError: The commitment does not have 32 octets.
    """
    if commitment is None:
        commitment = NO_HASH
    elif len(commitment) != HASH_OCTETS:
        _check_hashes(commitment=commitment)
    return record_digest_of(_sha256(public_octets).digest(), commitment)


def record_digest_of(public_digest: bytes, commitment: bytes = NO_HASH) -> bytes:
    """Give the same from the SHA-256 of the public list; nothing is checked."""
    return _sha256(_RECORD + public_digest + commitment).digest()


def encode_body(  # noqa: PLR0913 - the fields of the layout, in its order
    operation: int,
    record_digest: bytes,
    time_ms: int,
    actor_index: int,
    actor: bytes,
    scope: bytes,
    extra: bytes = b"",
) -> bytes:
    """Encode all of a change that does not depend on what was before it.

    Raises:
        EntryError: A field does not fit its place.
    """
    if len(record_digest) != HASH_OCTETS:
        _check_hashes(record_digest=record_digest)
    if not 0 <= time_ms <= MAX_COUNT:
        _check_counts(time_ms=time_ms)
    try:
        head = _BODY_HEAD.pack(operation, record_digest, time_ms)
    except struct.error as error:
        raise EntryError(f"body of a change: {error}") from None
    if extra:
        return (
            head + _who(actor_index, actor, scope) + short(extra, "extra", EntryError)
        )
    return head + _who(actor_index, actor, scope) + _NOTHING


# Those who register much do so under few prefixes.
@functools.lru_cache(maxsize=1024)
def _who(actor_index: int, actor: bytes, scope: bytes) -> bytes:
    try:
        index = U32.pack(actor_index)
    except struct.error as error:
        raise EntryError(f"body of a change: {error}") from None
    named = short(actor, "actor", EntryError), short(scope, "scope", EntryError)
    return index + b"".join(named)


def assemble_change(
    state: int,
    version: int,
    previous_index: int,
    previous_hash: bytes,
    key: bytes,
    body: bytes,
) -> bytes:
    """Put a change together from what the map knows and the encoded body.

    The body is copied, not read: what it holds was checked by `encode_body`.

    Raises:
        EntryError: A field does not fit, or contradicts another one.
    """
    _check_state(state)
    _check_counts(version=version, previous_index=previous_index)
    _check_hashes(previous_hash=previous_hash, key=key)
    _check_previous(version, previous_index, previous_hash)
    head = _CHANGE_HEAD.pack(CHANGE, state, version, previous_index, previous_hash, key)
    return _bounded(head + body)


def encode_change(change: Change) -> bytes:
    """Encode a change.

    Raises:
        EntryError: A field does not fit, or contradicts another one.
    """
    _check_digest(change.state, change.record_digest)
    return assemble_change(*change[:5], encode_body(*change[5:]))


def encode_header(header: Header) -> bytes:
    """Encode a header: 101 octets.

    Raises:
        EntryError: A field does not fit, or contradicts another one.
    """
    _check_hashes(previous_hash=header.previous_hash, map_root=header.map_root)
    _check_counts(
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
    return _bounded(
        bytes((ROTATION,))
        + _short_text(rotation.old, "old key")
        + _short_text(rotation.new, "new key")
        + rotation.old_signature
        + rotation.new_signature
    )


def encode_restart(restart: Restart) -> bytes:
    """Encode an accepted rollback.

    Raises:
        EntryError: A field does not fit.
    """
    _check_hashes(root=restart.root)
    _check_counts(size=restart.size, time_ms=restart.time_ms)
    return _bounded(
        bytes((RESTART,))
        + _short_text(restart.origin, "origin")
        + U64.pack(restart.size)
        + restart.root
        + _short_text(restart.why, "why")
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


def _read_change(reader: Reader) -> Change:
    change = Change(
        state=reader.u8("state"),
        version=reader.count("version"),
        previous_index=reader.count("index of the previous entry"),
        previous_hash=reader.hash("hash of the previous entry"),
        key=reader.hash("map key"),
        operation=reader.u8("operation"),
        record_digest=reader.hash("record digest"),
        time_ms=reader.count("time"),
        actor_index=reader.u32("index of the actor's key"),
        actor=reader.short("actor"),
        scope=reader.short("scope"),
        extra=reader.short("extra"),
    )
    _check_state(change.state)
    _check_previous(change.version, change.previous_index, change.previous_hash)
    _check_digest(change.state, change.record_digest)
    return change


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
        old=_text(reader, "old key"),
        new=_text(reader, "new key"),
        old_signature=reader.take(SIGNATURE_OCTETS, "signature of the old key"),
        new_signature=reader.take(SIGNATURE_OCTETS, "signature of the new key"),
    )


def _read_restart(reader: Reader) -> Restart:
    return Restart(
        origin=_text(reader, "origin"),
        size=reader.count("witnessed size"),
        root=reader.hash("witnessed root"),
        why=_text(reader, "why"),
        time_ms=reader.count("time"),
    )


_DECODERS: dict[int, tuple[str, Callable[[Reader], Entry]]] = {
    CHANGE: ("change", _read_change),
    HEADER: ("header", _read_header),
    ROTATION: ("rotation", _read_rotation),
    RESTART: ("restart", _read_restart),
}


def _check_state(state: int) -> None:
    if state not in (ACTIVE, DELETED):
        raise EntryError(f"change: state {state}, expected 1 (active) or 2 (deleted)")


def _check_previous(version: int, index: int, digest: bytes) -> None:
    """Version 1 has no previous entry, any other version has one."""
    if version < 1:
        raise EntryError(f"change: version {version}, versions begin at 1")
    if version == 1 and (index or digest != NO_HASH):
        raise EntryError("change: version 1 names a previous entry")
    if version > 1 and digest == NO_HASH:
        raise EntryError(f"change: version {version} names no previous entry")


def _check_digest(state: int, digest: bytes) -> None:
    if state == DELETED and digest != NO_HASH:
        raise EntryError("change: a deleted key has a record digest, expected zeros")


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


def _check_hashes(**hashes: bytes) -> None:
    for field, octets in hashes.items():
        if len(octets) != HASH_OCTETS:
            raise EntryError(f"{field} has {len(octets)} octets, expected 32")


def _check_counts(**counts: int) -> None:
    for field, number in counts.items():
        if not 0 <= number <= MAX_COUNT:
            raise EntryError(f"{field} is {number}, expected 0 to {MAX_COUNT}")


def _bounded(entry: bytes) -> bytes:
    if len(entry) > MAX_SHORT_OCTETS:
        raise EntryError(f"entry has {len(entry)} octets, at most 65535 fit")
    return entry


def _short_text(text: str, field: str) -> bytes:
    try:
        octets = text.encode()
    except UnicodeEncodeError as error:
        raise EntryError(f"{field} is not text: {error.reason}") from None
    return short(octets, field, EntryError)


def _text(reader: Reader, field: str) -> str:
    try:
        return reader.short(field).decode()
    except UnicodeDecodeError as error:
        raise reader.fail(f"{field} is not UTF-8: {error.reason}") from None
