"""The entry of a change: what it made of one map key, and by whose hand.

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

The body is encoded before it is known which version of its key a change makes; what
depends on the map is put before it later. The record stands in it as a digest, its
restricted values behind a commitment. Layouts are the
emulator's convention (tlog notes §5.2).
"""

import functools
import hashlib
import struct
from typing import Final, NamedTuple

from chain_anchor.entry_fields import NO_HASH, bounded, check_counts, check_hashes
from chain_anchor.errors import EntryError
from chain_anchor.octets import HASH_OCTETS, MAX_COUNT, U32, Reader, short
from chain_anchor.statemap import ACTIVE, DELETED

CHANGE: Final = 0x01

_CHANGE_HEAD = struct.Struct("!BBQQ32s32s")
_BODY_HEAD = struct.Struct("!B32sQ")
_NOTHING = bytes(2)
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
        check_hashes(commitment=commitment)
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
        check_hashes(record_digest=record_digest)
    if not 0 <= time_ms <= MAX_COUNT:
        check_counts(time_ms=time_ms)
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
    check_counts(version=version, previous_index=previous_index)
    check_hashes(previous_hash=previous_hash, key=key)
    _check_previous(version, previous_index, previous_hash)
    head = _CHANGE_HEAD.pack(CHANGE, state, version, previous_index, previous_hash, key)
    return bounded(head + body)


def encode_change(change: Change) -> bytes:
    """Encode a change.

    Raises:
        EntryError: A field does not fit, or contradicts another one.
    """
    _check_digest(change.state, change.record_digest)
    return assemble_change(*change[:5], encode_body(*change[5:]))


def read_change(reader: Reader) -> Change:
    """Read what follows the type octet of a change.

    Raises:
        EntryError: The octets are not the encoding of a change.
    """
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
