"""The journal against the log: the n-th line tells of the n-th change."""

import hashlib
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from chain_anchor.auditing import Group, ascending
from chain_anchor.changes import Change, encode_body
from chain_anchor.entries import Rotation, decode_entry
from chain_anchor.errors import CorruptLogError
from chain_anchor.merkle import HASH_OCTETS
from chain_anchor.statemap import (
    ACTIVE,
    DELETED,
    KIND_CHILD,
    KIND_HOME,
    KIND_RECORD,
    map_key,
)
from registry.errors import RegistryError
from registry.journal import Entry, Operation, decode_entry as decode_line
from registry.model.identifier import prefix_of
from resolver.auditing.findings import Findings
from resolver.log_drafts import scope_of

JOURNAL = "journal"
MAX_SEEN = 1000
"""Checkpoints of one child that are compared with its log, the last ones."""

_KEY_AT = 50
_DIGEST_AT = 83
"""Where a change has its record digest (`chain_anchor.changes`)."""

_VERSION_ONE = (1).to_bytes(8)


class Seen(NamedTuple):
    """A checkpoint of a child's log that a parent's log holds."""

    origin: str
    text: str


class Lines:
    """The journal, line by line, each with the serial after the one before."""

    def __init__(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        self.serial = 0
        """Of the last line that was read."""

        self.failed = False
        """Whether nothing more is read, because of damage."""

        self._items = iter(ascending(JOURNAL, items))

    def __iter__(self) -> Iterator[Entry]:
        line = self.next()
        while line is not None:
            yield line
            line = self.next()

    def next(self) -> Entry | None:
        """Give the next line; None at the end, and after damage.

        Raises:
            CorruptLogError: It is damaged, or not the next one.
        """
        if self.failed:
            return None
        self.failed = True
        line = self._read()
        self.failed = False
        return line

    def _read(self) -> Entry | None:
        key, octets = next(self._items, (None, b""))
        if key is None:
            return None
        serial = self.serial + 1
        if key != serial.to_bytes(8):
            raise CorruptLogError(JOURNAL, key, f"comes after line {self.serial}")
        try:
            line = decode_line(serial, octets)
        except RegistryError as error:
            raise CorruptLogError(JOURNAL, key, str(error)) from None
        self.serial = serial
        return line


class JournalCheck:
    """Follows the log with the journal."""

    def __init__(self, lines: Lines, findings: Findings) -> None:
        self.changes = 0
        """Changes of the log so far."""

        self.registrations: Counter[bytes] = Counter()
        """Records that were made under each prefix."""

        self.rotations: list[tuple[int, Rotation]] = []
        """Rotations of the log's key, with their indexes."""

        self.seen: dict[bytes, deque[Seen]] = {}
        """Checkpoints of children, by origin."""

        self.lines = lines
        self._findings = findings
        self._deleted: set[bytes] = set()
        self._digests = bytearray()

    @property
    def unlogged(self) -> int:
        """Lines that the log has no change for yet."""
        return max(0, self.lines.serial - self.changes)

    def follow(self, group: Group) -> None:
        """Compare the changes of a group with the lines that tell of them."""
        for index, octets in group.notices:
            entry = decode_entry(octets)
            if isinstance(entry, Rotation):
                self.rotations.append((index, entry))
        for change in group.changes:
            self.changes += 1
            self._digests += change[_DIGEST_AT : _DIGEST_AT + HASH_OCTETS]
            with self._findings.attempt(JOURNAL):
                line = self.lines.next()
                if line is not None:
                    self._compare(line, change)
                elif not self.lines.failed:
                    self.lines.failed = True
                    problem = "the line is missing, the log has its change"
                    raise CorruptLogError(JOURNAL, self.changes.to_bytes(8), problem)

    def digest(self, serial: int) -> bytes:
        """Give the record digest of the change with a serial."""
        start = (serial - 1) * HASH_OCTETS
        return bytes(self._digests[start : start + HASH_OCTETS])

    def finish(self) -> None:
        """Read lines that the log has no change for."""
        with self._findings.attempt(JOURNAL):
            for _ in self.lines:
                pass

    def _compare(self, line: Entry, change: bytes) -> None:
        """Check that a change is the one that a line tells of."""
        operation = line.operation
        kind, state, note = KIND_RECORD, ACTIVE, b""
        if operation is Operation.NOTE:
            kind, note = KIND_CHILD, self._note(line, change)
        elif operation >= Operation.HOME:
            kind = KIND_HOME
        if operation in (Operation.DELETE, Operation.UNHOME):
            state = DELETED
        key = map_key(kind, line.name)
        body = encode_body(
            operation,
            change[_DIGEST_AT : _DIGEST_AT + HASH_OCTETS],
            line.time_ms,
            line.actor_index,
            line.actor,
            b"" if kind == KIND_CHILD else scope_of(line.name),
            note,
        )
        if change[1] != state or change[_KEY_AT:] != key + body:
            problem = "says other than the change that the log has for it"
            raise CorruptLogError(JOURNAL, line.serial.to_bytes(8), problem)
        if kind == KIND_RECORD:
            self._count(line.name, key, change)

    def _note(self, line: Entry, change: bytes) -> bytes:
        entry = decode_entry(change)
        note = entry.extra if isinstance(entry, Change) else b""
        if hashlib.sha256(note).digest() != line.digest:
            problem = "tells of another checkpoint than the log has"
            raise CorruptLogError(JOURNAL, line.serial.to_bytes(8), problem)
        seen = self.seen.setdefault(line.name, deque(maxlen=MAX_SEEN))
        seen.append(Seen(line.name.decode(), note.decode()))
        return note

    def _count(self, name: bytes, key: bytes, change: bytes) -> None:
        """Count what was registered, under which prefix."""
        if change[1] == DELETED:
            self._deleted.add(key)
        elif change[2:10] == _VERSION_ONE or key in self._deleted:
            self._deleted.discard(key)
            self.registrations[prefix_of(name)] += 1
