"""A monitor: follows a log, does again what it did, and says what is wrong.

    checkpoint ─▶ admit ──▶ compare ────────▶ feed, entry by entry ───▶ position
                  signed?   has it grown      the chain of headers, the map replayed,
                  smaller?  from the last?    key rotations, times, watched prefixes

A log could sign a tree whose map says anything; only who replays it notices (tlog notes
§6). So every change goes through an engine of the monitor's own, which must make the
very same octets of it (version, previous entry), and every header must have the root
of that map. What breaks a rule raises, and the position stays where all was right.
What a log may do but somebody should know of is an `Alarm`: a change under a watched
prefix by a stranger, times that run backwards, an accepted rollback.

It reads no clock and no network. `trusted_tiles` gives it entries that are known to be
the log's; what it remembers is in `monitor_file`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from chain_anchor.buckets import Draft
from chain_anchor.changes import Change
from chain_anchor.checkpoint import Checkpoint, open_checkpoint
from chain_anchor.entries import Entry, Header, Restart, Rotation, decode_entry
from chain_anchor.entry_fields import NO_HASH
from chain_anchor.errors import (
    CorruptLogError,
    ForkError,
    FormatError,
    ProofError,
    RollbackError,
    SignatureError,
)
from chain_anchor.log import Engine
from chain_anchor.merkle import leaf_hash
from chain_anchor.monitor_position import Position
from chain_anchor.note import ED25519, Note, VerifierKey
from chain_anchor.rotation import verify_rotation
from chain_anchor.statemap import EMPTY_ROOT as EMPTY_MAP
from chain_anchor.upper import TABLE
from chain_anchor.watch import Alarm, Watch

TOLERANCE_MS: Final = 60_000
"""How far times may run backwards without an alarm."""

MAX_RUN: Final = 4096
"""Changes that are replayed at once; a longer group is replayed in parts."""

_STATE, _KEY, _BODY = 1, slice(50, 82), slice(82, None)
"""Where the layout of a change has what its draft consists of."""


class Table(Protocol):
    """Where the monitor's own map lies."""

    def get(self, place: bytes) -> bytes | None:
        """Read a bucket."""

    def put(self, puts: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Write buckets; None removes one."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An entry that was followed."""

    index: int
    entry: Entry
    alarms: tuple[Alarm, ...]


class Monitor:
    """Follows one log from a position on."""

    def __init__(
        self,
        position: Position,
        engine: Engine,
        table: Table,
        watches: Sequence[Watch] = (),
    ) -> None:
        """Take a position and the map that belongs to it, which `engine` has loaded.

        Raises:
            CorruptLogError: The map is not the one of the position's header.
        """
        self.position = position
        self._engine = engine
        self._table = table
        self._watches = watches
        self._keys = position.keys
        self._group: list[bytes] = []
        """Leaf hashes since the last header."""

        self._run: list[bytes] = []
        """Changes that are not replayed yet."""

        self._header = position.last_header
        _check_map(self._header, engine)

    def admit(self, note: bytes, keys: Sequence[VerifierKey] = ()) -> Checkpoint:
        """Check a checkpoint that the log serves, before anything else is read.

        Args:
            note: The signed checkpoint.
            keys: Who may sign, if the log has rotated its key since (`keys_after`).

        Raises:
            FormatError: It is no checkpoint.
            SignatureError: The log has not signed it.
            RollbackError: It is of fewer entries than one before.
            ForkError: It is of as many, and has another root.
        """
        position = self.position
        last = position.checkpoint
        if position.note and Note.parse(note).text == Note.parse(position.note).text:
            # Accepted before. Its key may have gone since: it signed its own rotation.
            return last
        found = open_checkpoint(note, position.origin, keys or position.keys)
        if found.size < last.size:
            raise RollbackError(
                f"{found.origin}: {last.size} entries were seen, "
                f"a signed checkpoint now has {found.size}"
            )
        if found.size == last.size and found.root != last.root:
            raise ForkError(_contradiction(last, found.root))
        return found

    def accept(self, note: bytes, root_before: bytes) -> None:
        """Remember an admitted checkpoint, if it grew from the one before.

        Args:
            note: The signed checkpoint.
            root_before: Root that its tree had at the size of the last checkpoint, from
                hashes that are known to be the tree's.

        Raises:
            ForkError: The last checkpoint has another root.
        """
        last = self.position.checkpoint
        if root_before != last.root:
            raise ForkError(_contradiction(last, root_before))
        self.position = self.position._replace(note=note)

    def feed(self, octets: bytes) -> Seen:
        """Follow the next entry.

        Raises:
            EntryError: It is no entry.
            ProofError: It breaks a rule of the log.
            SignatureError: It is a key rotation that the keys have not signed.
            CorruptLogError: The monitor's own map is damaged.
        """
        index = self.position.size + len(self._group)
        entry = decode_entry(octets)
        alarms: tuple[Alarm, ...] = ()
        match entry:
            case Change():
                self._run.append(octets)
                alarms = self._judge_change(index, entry)
            case Header():
                alarms = self._judge_time(index, entry)
            case Rotation():
                self._keys = rotated(self.position.origin, self._keys, index, entry)
            case Restart():
                alarms = (Alarm("restart", _restart_message(entry), index),)
        self._group.append(leaf_hash(octets))
        if len(self._run) == MAX_RUN or not isinstance(entry, Change):
            self._replay(index + isinstance(entry, Change))
        if isinstance(entry, Header):
            self._end_group(index, entry, octets)
        return Seen(index, entry, alarms)

    def finish(self) -> None:
        """Check that all entries of the newest checkpoint were followed.

        Raises:
            ProofError: They do not end with a header, or give another root.
        """
        checkpoint = self.position.checkpoint
        if self._group:
            raise ProofError(
                f"entry {checkpoint.size - 1}: a header at the end of the tree expected"
            )
        root = self.position.frontier.root()
        if (self.position.size, root) != checkpoint[1:]:
            raise ProofError(
                f"{checkpoint.size} entries with root {checkpoint.root.hex()} are "
                f"signed, followed were {self.position.size} with {root.hex()}"
            )

    def _replay(self, end: int) -> None:
        """Make the changes before entry `end` again, from what the map knows."""
        run, self._run = self._run, []
        if not run:
            return
        drafts = [Draft(octets[_KEY], octets[_STATE], octets[_BODY]) for octets in run]
        places = set(self._engine.places([draft.key for draft in drafts]))
        found = {place: self._table.get(place) for place in places}
        buckets = {place: octets for place, octets in found.items() if octets}
        first = end - len(run)
        sealed = self._engine.seal(first, drafts, buckets)
        for number, (logged, made) in enumerate(zip(run, sealed.entries, strict=True)):
            if logged != made:
                raise ProofError(_history_message(first + number, logged, made))
        self._table.put(sealed.puts)
        self._engine.publish()

    def _end_group(self, index: int, header: Header, octets: bytes) -> None:
        before = self.position
        expected = {
            "height": self._header.height + 1 if self._header else 1,
            "previous_hash": leaf_hash(before.header) if before.header else NO_HASH,
            "first_index": before.size,
            "count": len(self._group) - 1,
            "map_root": self._engine.root,
            "map_keys": self._engine.count,
        }
        for field, value in expected.items():
            found = getattr(header, field)
            if found != value:
                raise ProofError(
                    f"header {index}: {field} {_shown(value)} expected, "
                    f"got {_shown(found)}"
                )
        frontier = before.frontier.extended(self._group)
        self._group = []
        self._header = header
        self.position = before._replace(
            keys=self._keys, frontier=frontier, header=octets
        )

    def _judge_change(self, index: int, change: Change) -> tuple[Alarm, ...]:
        return tuple(
            Alarm("watch", watch.message(change), index)
            for watch in self._watches
            if watch.concerns(change) and not watch.allows(change)
        )

    def _judge_time(self, index: int, header: Header) -> tuple[Alarm, ...]:
        before = self._header.time_ms if self._header else 0
        if header.time_ms >= before - TOLERANCE_MS:
            return ()
        message = f"header {index}: time runs back by {before - header.time_ms} ms"
        return (Alarm("time", message, index),)


def rotated(
    origin: str, keys: Sequence[VerifierKey], index: int, rotation: Rotation
) -> tuple[VerifierKey, ...]:
    """Give who may sign after a key rotation.

    Raises:
        SignatureError: The old key may not sign, or one of both has not signed.
        FormatError: A key breaks its format.
    """
    new = verify_rotation(rotation, origin, index)
    if rotation.old not in {str(key) for key in keys}:
        raise SignatureError(f"rotation {index}: {rotation.old} may not sign here")
    if new.algorithm != ED25519:
        raise SignatureError(f"rotation {index}: a key of a log expected, got {new}")
    return (*(key for key in keys if str(key) != rotation.old), new)


def keys_after(position: Position, entries: Iterable[bytes]) -> tuple[VerifierKey, ...]:
    """Give who may sign after the key rotations among the next entries of a log.

    For a checkpoint that no known key has signed: each rotation is signed by the key
    before it and for its own index, so it may be believed before the checkpoint is.

    Raises:
        EntryError: One is no entry.
        SignatureError: A rotation is not signed as it must be.
    """
    keys = position.keys
    for index, octets in enumerate(entries, position.size):
        entry = decode_entry(octets)
        if isinstance(entry, Rotation):
            keys = rotated(position.origin, keys, index, entry)
    return keys


def kind_of(error: Exception) -> str:
    """Name the alarm that an error of `Monitor` or `TrustedTiles` stands for."""
    match error:
        case ForkError():
            return "fork"
        case RollbackError():
            return "rollback"
        case SignatureError():
            return "signature"
        case FormatError():
            return "malformed"
        case _:
            return "proof"


def _check_map(header: Header | None, engine: Engine) -> None:
    expected = (header.map_root, header.map_keys) if header else (EMPTY_MAP, 0)
    if (engine.root, engine.count) != expected:
        problem = (
            f"root {expected[0].hex()} over {expected[1]} keys expected, "
            f"got {engine.root.hex()} over {engine.count}"
        )
        raise CorruptLogError(TABLE, b"", problem)


def _contradiction(last: Checkpoint, root: bytes) -> str:
    return (
        f"{last.origin}: at {last.size} entries the signed root was {last.root.hex()}, "
        f"now it is {root.hex()}"
    )


def _history_message(index: int, logged: bytes, made: bytes) -> str:
    found, expected = decode_entry(logged), decode_entry(made)
    assert isinstance(found, Change)
    assert isinstance(expected, Change)
    return (
        f"entry {index}: version {expected.version} after entry "
        f"{expected.previous_index} ({expected.previous_hash.hex()}) expected, got "
        f"{found.version} after {found.previous_index} ({found.previous_hash.hex()})"
    )


def _shown(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value


def _restart_message(restart: Restart) -> str:
    return (
        f"the operator accepted that the log went back from {restart.size} entries: "
        f"{restart.why}"
    )
