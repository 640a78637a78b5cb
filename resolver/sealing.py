"""Seals what a registry writes: registrations become entries of the node's log.

The registry knows identifiers, the log knows octets; here one is made of the other:

    a record              map kind 1, key from its canonical name; the digest covers its
                          publicly readable values, and a commitment to the others
    a prefix served here  map kind 2, key from the prefix
    a child's checkpoint  map kind 3, key from the child's origin; a NOTE of the journal

Restricted values stay out of the log: their commitment is an HMAC under a key of the
node, so that whoever guesses a value cannot test the guess (emulator convention).
"""

import hmac
from collections.abc import Callable, Mapping
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chain_anchor.buckets import Draft
from chain_anchor.entries import NO_HASH, encode_body, record_digest
from chain_anchor.errors import AnchorError
from chain_anchor.log import Head, Log
from chain_anchor.note import Signer
from chain_anchor.statemap import (
    ACTIVE,
    DELETED,
    KIND_CHILD,
    KIND_HOME,
    KIND_RECORD,
    map_key,
)
from registry.errors import StoreError
from registry.journal import Operation
from registry.model.identifier import is_prefix_handle, prefix_of, suffix_of
from registry.model.record import Record
from registry.model.value import encode_values
from registry.store.interface import Batch, Home, Made, Puts, Snapshot, Store, Tables
from resolver.keys import SeededKeys

_KEY_KIND = "ed25519 log"
_BLINDING_KIND = "log blinding"
_SECRET_OCTETS = 32


class LogKeys(NamedTuple):
    """What a log signs and blinds with."""

    signer: Signer
    blinding: bytes


def log_origin(node_name: str) -> str:
    """Name the log of a node: a schema-less URL (C2SP tlog-checkpoint)."""
    return f"{node_name}.idis.test/log"


def log_keys(keys: SeededKeys, origin: str) -> LogKeys:
    """Derive the keys of a log from the network's seed."""
    secret = keys.octets(_KEY_KIND, origin, _SECRET_OCTETS)
    signer = Signer(origin, Ed25519PrivateKey.from_private_bytes(secret))
    return LogKeys(signer, keys.octets(_BLINDING_KIND, origin, _SECRET_OCTETS))


class Sealing:
    """The registry's `Sealer`: makes each group provable in its own transaction."""

    def __init__(self, log: Log, store: Store, blinding: bytes) -> None:
        self.log = log
        self._store = store
        self._blinding = blinding
        self._view: Snapshot | None = None
        self.followers: list[Callable[[Head], None]] = []
        """Told each head that is published, on the loop's thread."""

    def open(self) -> None:
        """Go on from what the store holds.

        Raises:
            StoreError: Its log is damaged.
        """
        try:
            with self._store.snapshot() as snapshot:
                self.log.open(snapshot.tables)
        except AnchorError as error:
            raise StoreError(f"the log cannot go on: {error}") from error
        self._renew()

    def seal(self, batch: Batch, tables: Tables) -> Puts:
        """Give what makes a batch provable."""
        drafts = [self._draft(made, batch.homes) for made in batch.made]
        time_ms = batch.made[-1].entry.time_ms
        return self.log.seal(tables, drafts, time_ms)

    def publish(self) -> None:
        """Serve the group that is durable now."""
        self.log.publish()
        self._renew()
        for follower in self.followers:
            follower(self.log.head)

    def revert(self) -> None:
        """Forget the group: it was not written."""
        self.log.revert()

    def release(self) -> None:
        """Let go of the store."""
        if self._view is not None:
            self._view.__exit__()
            self._view = None

    @property
    def view(self) -> Snapshot:
        """The store as the published head describes it; for the loop's thread.

        Raises:
            StoreError: The store is growing.
        """
        if self._view is None:
            message = "the store is growing, try again"
            raise StoreError(message)
        return self._view

    def commitment(self, record: Record) -> bytes:
        """Give what stands for a record's restricted values; zeros without any."""
        restricted = record.restricted_octets()
        if not restricted:
            return NO_HASH
        message = record.serial.to_bytes(8) + restricted
        return hmac.digest(self._blinding, message, "sha256")

    def _renew(self) -> None:
        # What proofs read must be the state of the published head, and no later one.
        self.release()
        self._view = self._store.snapshot()

    def _draft(self, made: Made, homes: Mapping[bytes, Home | None]) -> Draft:
        entry, record, note = made
        name, operation = entry.name, entry.operation
        state, digest, scope = ACTIVE, NO_HASH, prefix_of(name)
        if operation < Operation.HOME:
            kind = KIND_RECORD
            if is_prefix_handle(name):
                scope = suffix_of(name)
            if record is None:
                state = DELETED
            else:
                digest = record_digest(record.public_octets(), self.commitment(record))
        elif operation is Operation.NOTE:
            kind, scope, digest = KIND_CHILD, b"", record_digest(note)
        else:
            kind = KIND_HOME
            home = homes[name]
            if operation is Operation.UNHOME:
                state = DELETED
            elif home is not None:
                digest = record_digest(home_octets(home))
        body = encode_body(
            operation,
            digest,
            entry.time_ms,
            entry.actor_index,
            entry.actor,
            scope,
            note,
        )
        return Draft(map_key(kind, name), state, body)


def home_octets(home: Home) -> bytes:
    """Give what the log digests of a prefix that is served: active, HS_ADMIN values."""
    return bytes((home.active,)) + encode_values(home.admins)
