"""`idis monitor`: follow a log, check everything, raise alarms.

The rules are those of `chain_anchor.monitor`; here are the network, the file and the
words. A line of stdout is an entry or an alarm; with --json each line is an object
whose `event` says what it is: `entry`, `alarm` or `checkpoint`.
"""

import datetime as dt
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from chain_anchor.buckets import PlainEngine
from chain_anchor.changes import Change
from chain_anchor.checkpoint import Checkpoint, parse_checkpoint
from chain_anchor.entries import Header, Restart, Rotation
from chain_anchor.errors import (
    CorruptLogError,
    ForkError,
    FormatError,
    NoteError,
    ProofError,
    RollbackError,
    SignatureError,
)
from chain_anchor.merkle import root_of
from chain_anchor.monitor import Monitor, Seen, keys_after, kind_of
from chain_anchor.monitor_file import MonitorFile, MonitorFileError
from chain_anchor.note import Note, VerifierKey
from chain_anchor.readable import entry_json, readable_text
from chain_anchor.trusted_tiles import TrustedTiles
from chain_anchor.watch import Alarm, Watch, actor_of
from registry.journal import Operation
from resolver.client.log_reader import LogReader
from resolver.commands.console import say
from resolver.commands.running import required_network
from resolver.errors import BadAnswerError, SetupError, UnreachableError

SAVE_ENTRIES = 4096
"""While a long log is followed, the file is written after so many entries."""

_BROKEN = (ForkError, RollbackError, SignatureError, FormatError, ProofError)
"""What a log, or who serves it, has done wrong."""

_DAMAGED_HINT = "remove the file to follow the log from its beginning"


@dataclass(frozen=True, slots=True)
class MonitorOptions:
    """Arguments of `idis monitor`."""

    log: str
    """URL of a log, or name of a node."""

    state: Path
    key: str | None = None
    watch: Sequence[str] = ()
    once: bool = False
    interval: float = 1.0
    """Seconds."""

    json: bool = False


def run(options: MonitorOptions) -> int:
    """Follow a log, once or until Ctrl-C; 1 when there was an alarm, else 0.

    Raises:
        SetupError: An argument or the file is not usable.
        UnreachableError: The log cannot be read, with --once.
    """
    url, key = _log(options)
    watches = _watches(options.watch)
    with (
        closing(LogReader(url)) as reader,
        closing(_file(options, key)) as file,
    ):
        following = Following(file, reader, watches)
        talk = _JsonTalk() if options.json else _Talk()
        try:
            _look(following, talk, once=options.once)
            while not options.once:
                time.sleep(options.interval)
                _look(following, talk, once=False)
        except KeyboardInterrupt:
            say("stopped")
        except (MonitorFileError, CorruptLogError) as error:
            message = f"{options.state}: {error}"
            raise SetupError(message, _DAMAGED_HINT) from error
    return 1 if talk.alarms else 0


class Following:
    """A log on its way into the file."""

    def __init__(
        self, file: MonitorFile, reader: LogReader, watches: Sequence[Watch]
    ) -> None:
        """Go on from what the file has."""
        self._file = file
        self._reader = reader
        self._watches = watches
        self._monitor: Monitor | None = None

    def look(self) -> Iterator[Seen | Checkpoint]:
        """Follow the log to its present end; last comes the checkpoint there.

        What is given was checked, all but the end of a group: see `Monitor.feed`. The
        file has all of it once the checkpoint has come.

        Raises:
            ForkError, RollbackError, SignatureError, FormatError, ProofError: The log
                is not as it must be; what was right until then is in the file.
            UnreachableError, BadAnswerError: It cannot be read.
            MonitorFileError, CorruptLogError: The file is damaged.
        """
        if self._monitor is None:
            engine = PlainEngine()
            engine.load(self._file.items())
            position = self._file.position()
            self._monitor = Monitor(position, engine, self._file, self._watches)
        try:
            yield from self._follow(self._monitor)
        except BaseException:
            # The monitor may be ahead of the file: begin from the file again.
            self._monitor = None
            self._file.revert()
            raise

    def _follow(self, monitor: Monitor) -> Iterator[Seen | Checkpoint]:
        note = self._reader.checkpoint()
        checkpoint = self._admit(monitor, note)
        if checkpoint.size > monitor.position.size:
            tiles = self._tiles(checkpoint)
            before = monitor.position.checkpoint.size
            monitor.accept(note, root_of(before, tiles.read))
            self._file.save(monitor.position)
            yield from self._feed(monitor, tiles)
            monitor.finish()
            self._file.save(monitor.position)
        yield checkpoint

    def _feed(self, monitor: Monitor, tiles: TrustedTiles) -> Iterator[Seen]:
        saved = monitor.position.size
        for entries in tiles.entries(saved):
            for octets in entries:
                yield monitor.feed(octets)
                # It moves at the end of a group only, where the map fits to it.
                if monitor.position.size >= saved + SAVE_ENTRIES:
                    saved = monitor.position.size
                    self._file.save(monitor.position)

    def _admit(self, monitor: Monitor, note: bytes) -> Checkpoint:
        try:
            return monitor.admit(note)
        except SignatureError:
            claimed = parse_checkpoint(Note.parse(note).text)
            position = monitor.position
            if claimed.origin != position.origin or claimed.size <= position.size:
                raise
            tiles = self._tiles(claimed)
            bundles = tiles.entries(position.size)
            keys = keys_after(position, (entry for some in bundles for entry in some))
            return monitor.admit(note, keys)

    def _tiles(self, checkpoint: Checkpoint) -> TrustedTiles:
        return TrustedTiles(checkpoint.size, checkpoint.root, self._reader.fetch)


class _Talk:
    """Tells a person what was seen; each alarm about the whole log only once."""

    def __init__(self) -> None:
        self.alarms = 0
        self._last = ""

    def seen(self, seen: Seen) -> None:
        """Tell of an entry, and of its alarms."""
        text = _entry_text(seen)
        if text:
            self._line(text)
        for alarm in seen.alarms:
            self._alarm(alarm)

    def broken(self, alarm: Alarm) -> None:
        """Tell that the log is not as it must be."""
        if alarm.message != self._last:
            self._last = alarm.message
            self._alarm(alarm)

    def unreachable(self, error: Exception) -> None:
        """Tell that nothing could be read."""
        if str(error) != self._last:
            self._last = str(error)
            say(f"cannot be read: {error}")

    def reached(self, checkpoint: Checkpoint, entries: int) -> None:
        """Tell how far the log was followed."""
        self._last = ""
        if entries:
            say(
                f"{checkpoint.origin}: {entries:,} new entries, {checkpoint.size:,} in "
                f"all, root {checkpoint.root.hex()}"
            )

    def _alarm(self, alarm: Alarm) -> None:
        self.alarms += 1
        where = "" if alarm.index is None else f" #{alarm.index}"
        self._line(f"ALARM {alarm.kind}{where}: {alarm.message}")

    def _line(self, text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


class _JsonTalk(_Talk):
    """Tells a program."""

    def seen(self, seen: Seen) -> None:
        """Write an entry, and its alarms."""
        self._object("entry", index=seen.index, **entry_json(seen.entry))
        for alarm in seen.alarms:
            self._alarm(alarm)

    def reached(self, checkpoint: Checkpoint, entries: int) -> None:
        """Write how far the log was followed."""
        origin, size, root = checkpoint
        self._object(
            "checkpoint", origin=origin, size=size, root=root.hex(), entries=entries
        )
        self._last = ""

    def _alarm(self, alarm: Alarm) -> None:
        self.alarms += 1
        self._object("alarm", **asdict(alarm))

    def _object(self, event: str, **fields: object) -> None:
        self._line(json.dumps({"event": event, **fields}, ensure_ascii=False))


def _look(following: Following, talk: _Talk, *, once: bool) -> None:
    """Follow the log to its present end, and tell of it."""
    entries = 0
    try:
        for item in following.look():
            if isinstance(item, Seen):
                entries += 1
                talk.seen(item)
            else:
                talk.reached(item, entries)
    except _BROKEN as error:
        talk.broken(Alarm(kind_of(error), str(error)))
    except (UnreachableError, BadAnswerError) as error:
        if once:
            raise
        talk.unreachable(error)


def _entry_text(seen: Seen) -> str:
    """Write an entry for a person; empty for a header, of which there are many."""
    match seen.entry:
        case Change() as change:
            seconds = change.time_ms / 1000
            time_text = dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(" ")[:19]
            return (
                f"#{seen.index} {time_text} {_operation(change)} v{change.version} "
                f"{_about(change)} by {actor_of(change)}"
            )
        case Rotation() as rotation:
            return f"#{seen.index} the key is now {rotation.new}"
        case Restart() as restart:
            return f"#{seen.index} went back from {restart.size}: {restart.why}"
        case Header():
            return ""


def _about(change: Change) -> str:
    if not change.extra:
        return f"under {readable_text(change.scope)}"
    try:
        child = parse_checkpoint(change.extra.decode())
    except ValueError:
        return "of something that is no checkpoint"
    return f"of {child.origin} at {child.size}"


def _operation(change: Change) -> str:
    try:
        return Operation(change.operation).name.lower()
    except ValueError:
        return f"operation {change.operation}"


def _log(options: MonitorOptions) -> tuple[str, VerifierKey]:
    """Find the log's URL and key.

    Raises:
        SetupError: There is no such node, or no key.
        UnreachableError: No network runs that could have the node.
    """
    if "://" in options.log:
        if options.key is None:
            message = "the key of the log must be known"
            raise SetupError(message, "--key VKEY, as its operator tells it")
        return options.log, _key(options.key)
    nodes = {node["name"]: node for node in required_network()["nodes"]}
    found = nodes.get(options.log, {}).get("log")
    if found is None:
        message = f"no node {options.log} with a log is running"
        raise SetupError(message, f"there are: {', '.join(sorted(nodes))}")
    return found["url"], _key(options.key or found["key"])


def _key(text: str) -> VerifierKey:
    try:
        return VerifierKey.parse(text)
    except NoteError as error:
        raise SetupError(f"--key: {error}", "NAME+HASH+BASE64 is expected") from error


def _watches(texts: Sequence[str]) -> tuple[Watch, ...]:
    try:
        return tuple(map(Watch.parse, texts))
    except FormatError as error:
        hint = "for example --watch 88.118.7=300:88.118.7/admin"
        raise SetupError(f"--watch: {error}", hint) from error


def _file(options: MonitorOptions, key: VerifierKey) -> MonitorFile:
    # A node's key may have changed since: then the log itself says so.
    pinned = options.key is not None
    try:
        return MonitorFile.open(options.state, key, pinned=pinned)
    except MonitorFileError as error:
        raise SetupError(str(error), "choose another --state FILE") from error
