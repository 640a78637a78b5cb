"""Makes drafts for the log of what a registry writes.

The registry knows identifiers, the log knows octets; here one is made of the other:

    a record              map kind 1, key from its canonical name; the digest covers its
                          publicly readable values, and a commitment to the others
    a prefix served here  map kind 2, key from the prefix
    a child's checkpoint  map kind 3, key from the child's origin; a NOTE of the journal

Restricted values stay out of the log: their commitment is an HMAC under a key of the
node, so that whoever guesses a value cannot test the guess (emulator convention).
"""

import hmac
from collections.abc import Mapping

from chain_anchor.buckets import Draft
from chain_anchor.entries import NO_HASH, encode_body, record_digest
from chain_anchor.statemap import (
    ACTIVE,
    DELETED,
    KIND_CHILD,
    KIND_HOME,
    KIND_RECORD,
    map_key,
)
from registry.journal import Entry, Operation
from registry.model.identifier import is_prefix_handle, prefix_of, suffix_of
from registry.model.record import Record
from registry.model.value import encode_values
from registry.store.interface import Home, Made


class Drafter:
    """Makes the drafts of one log."""

    __slots__ = ("_blinding",)

    def __init__(self, blinding: bytes) -> None:
        """Take the key under which restricted values are committed to."""
        self._blinding = blinding

    def draft(self, made: Made, homes: Mapping[bytes, Home | None]) -> Draft:
        """Make the draft of a change; `homes` has what its batch did to prefixes.

        Of a change that is known from the journal only, without its record, the log
        keeps the journal's own digest.
        """
        entry, record, note = made
        if entry.operation is Operation.NOTE:
            digest = record_digest(note)
            return _draft(entry, KIND_CHILD, ACTIVE, digest, note=note)
        if entry.operation >= Operation.HOME:
            return self._home_draft(entry, homes.get(entry.name))
        if entry.operation is Operation.DELETE:
            return _draft(entry, KIND_RECORD, DELETED, NO_HASH)
        if record is None:
            return _draft(entry, KIND_RECORD, ACTIVE, entry.digest)
        digest = record_digest(record.public_octets(), self.commitment(record))
        return _draft(entry, KIND_RECORD, ACTIVE, digest)

    def commitment(self, record: Record) -> bytes | None:
        """Give what stands for a record's restricted values; None without any."""
        restricted = record.restricted_octets()
        if not restricted:
            return None
        message = record.serial.to_bytes(8) + restricted
        return hmac.digest(self._blinding, message, "sha256")

    def home_told(self, home: Home) -> tuple[bytes, bytes | None]:
        """Give what the log tells of a prefix that is served, and a commitment.

        Active or not, and the HS_ADMIN values that everyone may read; the commitment
        stands for the others, None without any.
        """
        public = tuple(value for value in home.admins if value.public)
        told = bytes((home.active,)) + encode_values(public)
        if len(public) == len(home.admins):
            return told, None
        restricted = tuple(value for value in home.admins if not value.public)
        # No change has serial 0, so no record's commitment is made of such octets.
        message = bytes(8) + home.prefix + b"\0" + encode_values(restricted)
        return told, hmac.digest(self._blinding, message, "sha256")

    def _home_draft(self, entry: Entry, home: Home | None) -> Draft:
        if entry.operation is Operation.UNHOME:
            return _draft(entry, KIND_HOME, DELETED, NO_HASH)
        digest = NO_HASH if home is None else record_digest(*self.home_told(home))
        return _draft(entry, KIND_HOME, ACTIVE, digest)


def scope_of(name: bytes) -> bytes:
    """Give the prefix that a change is about: what a monitor watches."""
    return suffix_of(name) if is_prefix_handle(name) else prefix_of(name)


def _draft(
    entry: Entry, kind: int, state: int, digest: bytes, note: bytes = b""
) -> Draft:
    body = encode_body(
        entry.operation,
        digest,
        entry.time_ms,
        entry.actor_index,
        entry.actor,
        b"" if kind == KIND_CHILD else scope_of(entry.name),
        note,
    )
    return Draft(map_key(kind, entry.name), state, body)
