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
from chain_anchor.changes import encode_body, record_digest, record_digest_of
from chain_anchor.entry_fields import NO_HASH
from chain_anchor.statemap import (
    ACTIVE,
    DELETED,
    KIND_CHILD,
    KIND_HOME,
    KIND_RECORD,
    map_key,
)
from registry.journal import Entry, Operation
from registry.model.identifier import PREFIX_AUTHORITY
from registry.model.record import Record
from registry.model.value import encode_values
from registry.store.interface import Home, Made

# A member of an enumeration is looked up by Python's own code: 0.1 µs each.
_HOME = int(Operation.HOME)
_new = tuple.__new__
"""Makes a draft, at half the price of calling its class."""


class Drafter:
    """Makes the drafts of one log."""

    __slots__ = ("_blinding",)

    def __init__(self, blinding: bytes) -> None:
        """Take the key under which restricted values are committed to."""
        self._blinding = blinding

    def draft(self, made: Made, homes: Mapping[bytes, Home | None]) -> Draft:
        """Make the draft of a change; `homes` has what its batch did to prefixes.

        Of a change that is known from the journal only, without its record, the log
        has no digest: the journal's own covers restricted values, too.
        """
        entry, record, note = made
        operation = entry.operation
        if operation < _HOME:
            return self._record_draft(entry, record)
        if operation is Operation.NOTE:
            body = _body(entry, record_digest(note), b"", note)
            return Draft(map_key(KIND_CHILD, entry.name), ACTIVE, body)
        return self._home_draft(entry, homes.get(entry.name))

    def _record_draft(self, entry: Entry, record: Record | None) -> Draft:
        state, digest = ACTIVE, NO_HASH
        if record is not None:
            # The journal's digest is of all values: the same where all are public.
            digest = (
                record_digest_of(entry.digest)
                if record.public
                else record_digest(record.public_octets(), self.commitment(record))
            )
        elif entry.operation is Operation.DELETE:
            state = DELETED
        name = entry.name
        body = _body(entry, digest, scope_of(name))
        return _new(Draft, (map_key(KIND_RECORD, name), state, body))

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
        key, scope = map_key(KIND_HOME, entry.name), scope_of(entry.name)
        if entry.operation is Operation.UNHOME:
            return Draft(key, DELETED, _body(entry, NO_HASH, scope))
        digest = NO_HASH if home is None else record_digest(*self.home_told(home))
        return Draft(key, ACTIVE, _body(entry, digest, scope))


def scope_of(name: bytes) -> bytes:
    """Give the prefix that a change is about: what a monitor watches."""
    prefix, _, suffix = name.partition(b"/")
    return suffix if prefix == PREFIX_AUTHORITY else prefix


def _body(entry: Entry, digest: bytes, scope: bytes, note: bytes = b"") -> bytes:
    _, operation, time_ms, _, _, actor, index = entry
    return encode_body(operation, digest, time_ms, index, actor, scope, note)
