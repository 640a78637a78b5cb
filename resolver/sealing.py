"""Seals what a registry writes: each group becomes part of the node's log.

The registry's `Sealer`. It joins three that do not know each other: the registry, whose
transaction it is; the log (`chain_anchor.log`); and the drafts that make entries of
changes (`resolver.log_drafts`). Beside the log's own, `log_meta` has these entries:

    serial          CRC-32 of key and rest, 4 octets; last serial of the journal that is
                    in the log, 8 octets
    generation      rotations of the log's key, 8 octets
    rotation N      index of the N-th rotation, 8 octets; checkpoint that both keys signed
"""

from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from chain_anchor.errors import AnchorError
from chain_anchor.log import HEAD_KEY, META_TABLE, Engine, Head, Log
from chain_anchor.note import Signer, VerifierKey
from chain_anchor.presence import Presence
from chain_anchor.rotation import RotationProof, rotation_entry
from chain_anchor.rows import checked, protected
from chain_anchor.statemap import KIND_RECORD, map_key
from chain_anchor.tlog_proof import TlogProof, encode_tlog_proof
from chain_anchor.upper import TABLE as MAP_TABLE
from chain_anchor.view import LogView
from registry.errors import HiddenRecordError, MapFullError, StoreError
from registry.journal import decode_entry
from registry.store.interface import Batch, Made, Puts, Snapshot, Store, Tables
from resolver.log_drafts import Drafter
from resolver.log_keys import LogKeys

if TYPE_CHECKING:
    from collections.abc import Callable

    from chain_anchor.anchors import AnchoredTold
    from chain_anchor.bundle import Bundle


_SERIAL = b"serial"
_GENERATION = b"generation"
_AT_ONCE = 2048
"""Changes of the journal that are logged late in one transaction."""


@dataclass(slots=True)
class _Notice:
    """What a group says beside its changes."""

    entries: tuple[bytes, ...] = ()
    puts: list[tuple[bytes, bytes]] = field(default_factory=list)
    rotation: int = 0


class Sealing:
    """Makes each group provable in its own transaction."""

    def __init__(self, keys: LogKeys, engine: Engine, store: Store) -> None:
        self.log = Log(keys.signer(), engine)
        self.drafter = Drafter(keys.blinding)
        self.followers: list[Callable[[Head], None]] = []
        """Told each head that is published, on the loop's thread."""

        self.lead_up: Callable[[Bundle], Bundle] = lambda bundle: bundle
        """Lets a bundle of the published head reach into the logs above."""

        self.anchors: Callable[[Bundle], Bundle] = lambda bundle: bundle
        """Lets a bundle of the published head reach onto the chain."""

        self.anchored: Callable[[], AnchoredTold | None] = lambda: None
        """Says how far the log is anchored; None if it is anchored nowhere."""

        self._keys = keys
        self._store = store
        self._view: Snapshot | None = None
        self._notice = _Notice()
        self._generation = 0
        self._presence = Presence()

    def open(self) -> None:
        """Go on from what the store holds.

        Changes in the journal that no log has, from before there was one, are logged
        now, as far as the journal tells them.

        Raises:
            StoreError: The log is damaged, or the store cannot be read or written.
        """
        try:
            with self._store.snapshot() as snapshot:
                sealed = self._open(snapshot.tables)
                serial = snapshot.serial
        except AnchorError as error:
            raise StoreError(f"{self.log.origin} cannot go on: {error}") from error
        if sealed > serial:
            message = f"it has serial {sealed}, the journal ends at {serial}"
            raise StoreError(f"{self.log.origin} cannot go on: {message}")
        if not self._store.read_only:
            self._catch_up(sealed, serial)
        self._store.is_sealed = self._is_registered
        self._renew()

    def seal(self, batch: Batch, tables: Tables) -> Puts:
        """Give what makes a batch provable.

        Raises:
            HiddenRecordError: A record that was taken for absent is in the map.
            StoreError: The log is damaged.
        """
        drafts = [self.drafter.draft(made, batch.homes) for made in batch.made]
        time_ms, serial = 0, batch.serial
        if batch.made:
            time_ms, serial = batch.made[-1].entry.time_ms, batch.made[-1].entry.serial
        notice = self._notice
        try:
            puts = self.log.seal(tables, drafts, time_ms, notice.entries)
        except AnchorError as error:
            raise StoreError(f"{self.log.origin}: {error}") from error
        if batch.absent:
            self._check_absent(batch, tables)
        meta = [*puts[META_TABLE], (_SERIAL, serial_octets(serial)), *notice.puts]
        if notice.rotation:
            assert self.log.sealed is not None
            stored = self.log.head.size.to_bytes(8) + self.log.sealed.note
            meta.append((_rotation_key(notice.rotation), stored))
        return {**puts, META_TABLE: meta}

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

    @property
    def log_view(self) -> LogView:
        """The log as published; for the loop's thread.

        Raises:
            StoreError: The store is growing.
        """
        return LogView(self.view.tables, self.log.head)

    @property
    def last_keys(self) -> tuple[VerifierKey, ...]:
        """The key that signs now, and the one before it."""
        before = max(0, self._generation - 1)
        generations = {self._generation, before}
        return tuple(self._keys.signer(number).key for number in generations)

    def write_notice(self, entry: bytes) -> None:
        """Log an entry that changes no key, before the registry begins to write.

        Raises:
            StoreError: It cannot be written.
        """
        self._write_with(_Notice((entry,)))

    def rotate(self) -> None:
        """Let the next generation of the key sign, before the registry begins to write.

        Raises:
            StoreError: The log cannot be written.
        """
        old, generation = self.log.signer, self._generation + 1
        new = self._keys.signer(generation)
        entry = rotation_entry(old, new, self.log.head.size)
        puts = [(_GENERATION, generation.to_bytes(8))]
        self.log.signers = (old, new)
        try:
            self._write_with(_Notice((entry,), puts, generation))
        except BaseException:
            self.log.signers = (old,)
            raise
        self.log.signers = (new,)
        self._generation = generation

    def rotations(self) -> list[RotationProof]:
        """Give what leads from the log's first key to the one that signs now."""
        view, tables = self.log_view, self.view.tables
        return [
            _rotation_proof(view, tables, number)
            for number in range(1, self._generation + 1)
        ]

    def _check_absent(self, batch: Batch, tables: Tables) -> None:
        assert self.log.sealed is not None
        before, after = self.log.head.header, self.log.sealed.header
        if after.map_keys - before.map_keys == len(batch.made):
            return  # each change has a key that was not in its bucket
        for name in batch.absent:
            if self._is_registered(tables, name):
                message = f"{name!r:.99} is in the log, and not among the records"
                raise HiddenRecordError(message)

    def _is_registered(self, tables: Tables, name: bytes) -> bool:
        key = map_key(KIND_RECORD, name)
        return self._presence.is_active(key, partial(tables.get, MAP_TABLE))

    def _open(self, tables: Tables) -> int:
        self._generation = int.from_bytes(tables.get(META_TABLE, _GENERATION) or b"")
        self.log.signers = (self._signer(),)
        self.log.open(tables)
        return sealed_serial(tables)

    def _signer(self) -> Signer:
        return self._keys.signer(self._generation)

    def _renew(self) -> None:
        # What proofs read must be the state of the published head, and no later one.
        self.release()
        self._view = self._store.snapshot()

    def _catch_up(self, sealed: int, serial: int) -> None:
        """Log what is in the journal only."""
        while sealed < serial:
            with self._store.snapshot() as snapshot:
                made = [
                    _made_late(snapshot, number, octets)
                    for number, octets in islice(snapshot.journal(sealed), _AT_ONCE)
                ]
            if not made:
                message = f"the journal has nothing after {sealed}, {serial} is its end"
                raise StoreError(f"{self.log.origin} cannot go on: {message}")
            self._write(Batch(serial, made=made))
            sealed = made[-1].entry.serial

    def _write_with(self, notice: _Notice) -> None:
        with self._store.snapshot() as snapshot:
            serial = snapshot.serial
        self.release()
        self._notice = notice
        try:
            self._write(Batch(serial))
        finally:
            self._notice = _Notice()
            self._renew()

    def _write(self, batch: Batch) -> None:
        try:
            self._store.write(batch, self)
        except MapFullError:
            self.log.revert()
            self._store.grow()
            self._store.write(batch, self)
        self.log.publish()


def serial_octets(serial: int) -> bytes:
    """Write the last serial of the journal that is in the log."""
    return protected(_SERIAL, serial.to_bytes(8))


def sealed_serial(tables: Tables) -> int:
    """Read the last serial of the journal that is in the log; 0 when there is no log.

    Raises:
        CorruptLogError: It is damaged, or missing where there is a log. What came after
            a wrong one would be logged twice.
    """
    if tables.get(META_TABLE, HEAD_KEY) is None:
        return 0
    stored = tables.get(META_TABLE, _SERIAL)
    return int.from_bytes(checked(META_TABLE, _SERIAL, stored))


def _made_late(snapshot: Snapshot, number: int, octets: bytes) -> Made:
    entry = decode_entry(number, octets)
    record = snapshot.get(entry.name)
    current = record is not None and record.serial == entry.serial
    return Made(entry, record if current else None)


def _rotation_key(number: int) -> bytes:
    return b"rotation " + number.to_bytes(8)


def _rotation_proof(view: LogView, tables: Tables, number: int) -> RotationProof:
    stored = tables.get(META_TABLE, _rotation_key(number))
    assert stored is not None
    index, note = int.from_bytes(stored[:8]), stored[8:]
    # The rotation stands alone in its group, so only the header follows it.
    path = view.inclusion(index, index + 2)
    proof = encode_tlog_proof(TlogProof(index, tuple(path), note))
    return RotationProof(view.entry(index), proof)
