"""What a monitor remembers: one file, changed whole or not at all.

It is an SQLite database, because a map of a million keys cannot be written anew for
every group: only the buckets that changed are, in one transaction with the position.
SQLite is in the standard library, and one file can be carried away and kept.

    state      name      octets
               key       verifier key with which the monitor began
               position  `monitor_position.Position`
    map        place     bucket: the table `log_map` of the log, made again

One process at a time has it open. The map in it is checked bucket by bucket, as it is
used; the whole of it against the last header, when it is opened.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, Self

from chain_anchor.errors import AnchorError, FormatError
from chain_anchor.monitor_position import Position
from chain_anchor.note import VerifierKey

_KEY: Final = "key"
_POSITION: Final = "position"
_HEAD: Final = b"SQLite format 3\x00"
_OURS: Final = 0x69646D6F
"""Application id of our files: `idmo`."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, octets BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS map
    (place BLOB PRIMARY KEY, bucket BLOB NOT NULL) WITHOUT ROWID;
"""


class MonitorFileError(AnchorError):
    """The file of a monitor cannot be used: damaged, in use, or of another log."""


class MonitorFile:
    """An open file."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path, key: VerifierKey, *, pinned: bool = True) -> Self:
        """Open a file, or make one.

        Args:
            path: the file.
            key: the log's key, for a file that is made.
            pinned: a file that was made must have begun with this key, or know it by a
                rotation; else it need only be of the same log, and its own key counts.

        Raises:
            MonitorFileError: it is damaged, in use, or of another log or key.
        """
        fresh = _is_fresh(path)
        with _errors(path):
            connection = sqlite3.connect(path, timeout=0, isolation_level=None)
        made = cls(path, connection)
        try:
            made._begin(key, fresh=fresh, pinned=pinned)
        except BaseException:
            connection.close()
            raise
        return made

    def close(self) -> None:
        """Let go of the file; what was not saved is forgotten."""
        self._connection.close()

    def position(self) -> Position:
        """Give how far the log was followed.

        Raises:
            MonitorFileError: the file is damaged.
        """
        octets = self._state(_POSITION)
        if octets is None:
            key = VerifierKey.parse((self._state(_KEY) or b"").decode())
            return Position(key.name, (key,))
        try:
            return Position.decode(octets)
        except FormatError as error:
            raise MonitorFileError(f"{self.path}: {error}") from error

    def save(self, position: Position) -> None:
        """Make all that was put durable, together with a position.

        Raises:
            MonitorFileError: the disk failed; the file is as it was before.
        """
        with _errors(self.path):
            self._set(_POSITION, position.encode())
            self._connection.execute("COMMIT")
            self._connection.execute("BEGIN EXCLUSIVE")

    def revert(self) -> None:
        """Forget what was put since the last `save`.

        Raises:
            MonitorFileError: the disk failed.
        """
        with _errors(self.path):
            self._connection.execute("ROLLBACK")
            self._connection.execute("BEGIN EXCLUSIVE")

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Walk the buckets of the map, by place.

        Raises:
            MonitorFileError: the file is damaged.
        """
        with _errors(self.path):
            walk = "SELECT place, bucket FROM map ORDER BY place"
            with closing(self._connection.execute(walk)) as rows:
                yield from rows

    def get(self, place: bytes) -> bytes | None:
        """Read a bucket.

        Raises:
            MonitorFileError: the file is damaged.
        """
        with _errors(self.path):
            row = self._connection.execute(
                "SELECT bucket FROM map WHERE place = ?", (place,)
            ).fetchone()
        return row[0] if row else None

    def put(self, puts: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Write buckets; None removes one.

        Raises:
            MonitorFileError: the disk failed.
        """
        with _errors(self.path):
            for place, bucket in puts:
                if bucket is None:
                    self._connection.execute(
                        "DELETE FROM map WHERE place = ?", (place,)
                    )
                else:
                    self._connection.execute(
                        "INSERT OR REPLACE INTO map VALUES (?, ?)", (place, bucket)
                    )

    def _begin(self, key: VerifierKey, *, fresh: bool, pinned: bool) -> None:
        with _errors(self.path):
            if fresh:
                self._connection.execute(f"PRAGMA application_id = {_OURS}")
            elif self._one("PRAGMA application_id") != _OURS:
                raise MonitorFileError(f"{self.path}: another program's database")
            self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.executescript(_SCHEMA)
            self._connection.execute("BEGIN EXCLUSIVE")
        if self._state(_KEY) is None:
            with _errors(self.path):
                self._set(_KEY, str(key).encode())
                self._connection.execute("COMMIT")
                self._connection.execute("BEGIN EXCLUSIVE")
        position, began = self.position(), self._state(_KEY)
        known = (*map(str, position.keys), (began or b"").decode())
        if position.origin != key.name or (pinned and str(key) not in known):
            raise MonitorFileError(
                f"{self.path}: of {position.origin} with the key {known[-1]}, "
                f"not with {key}"
            )

    def _one(self, question: str) -> object:
        return self._connection.execute(question).fetchone()[0]

    def _state(self, name: str) -> bytes | None:
        with _errors(self.path):
            row = self._connection.execute(
                "SELECT octets FROM state WHERE name = ?", (name,)
            ).fetchone()
        return row[0] if row else None

    def _set(self, name: str, octets: bytes) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO state VALUES (?, ?)", (name, octets)
        )


def _is_fresh(path: Path) -> bool:
    """Tell whether there is no file yet; SQLite would write over a short one.

    Raises:
        MonitorFileError: There is one, and it is no database.
    """
    try:
        if not path.exists():
            return True
        with path.open("rb") as file:
            head = file.read(len(_HEAD))
    except OSError as error:
        raise MonitorFileError(f"{path}: {error.strerror or error}") from error
    if head not in {b"", _HEAD}:
        raise MonitorFileError(f"{path}: no file of a monitor")
    return not head


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise MonitorFileError(f"{path}: {error}") from error
