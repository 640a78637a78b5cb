"""The durable queue of checkpoints: one file, DATA/anchoring/journal.

It begins with a line that names the format; `resolver.anchoring.frames` follow, each on
disk before `write` returns. It is written anew, whole or not at all, when it is opened
and when it has grown to `MAX_OCTETS`, with what is still needed: a few kilobytes.
"""

import contextlib
import os
from pathlib import Path
from typing import Final, Self

from resolver.anchoring.frames import (
    DamagedError,
    encode_frame,
    end_of,
    read_frames,
)
from resolver.anchoring.records import (
    Record,
    Remembered,
    decode_record,
    encode_record,
)
from resolver.errors import SetupError

MAX_OCTETS: Final = 1 << 20
"""Size after which the file is written anew."""

_FORMAT: Final = b"idis anchoring 1\n"
_HINT: Final = (
    "move the file away to begin a new queue; the log and what is registered do not "
    "depend on it"
)


class Journal:
    """An open journal; for one thread at a time."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.remembered = Remembered()
        self.torn_octets = 0
        """What a cut-off write had left at the end, and is gone."""

        self._descriptor: int | None = None
        self._end = 0

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Open the journal of a directory, or make both.

        Raises:
            SetupError: It is damaged, or cannot be read or written.
        """
        journal = cls(directory / "journal")
        try:
            directory.mkdir(mode=0o700, exist_ok=True)
            if journal.file.exists():
                journal._read(journal.file.read_bytes())
            journal._write_anew()
        except OSError as error:
            message = f"{journal.file}: {error.strerror or error}"
            raise SetupError(message, "") from error
        return journal

    def write(self, record: Record) -> None:
        """Append a record; it is on disk when this returns.

        Raises:
            OSError: It cannot be written, and is not remembered.
            ValueError: It does not follow from what is remembered.
        """
        remembered = self.remembered.after(record)
        if self._descriptor is None or self._end > MAX_OCTETS:
            self.remembered, before = remembered, self.remembered
            try:
                self._write_anew()
            except OSError:
                self.remembered = before
                raise
            return
        try:
            self._append(self._descriptor, record)
        except OSError:
            # What is on disk now is not known: the next time all of it is written.
            self.close()
            raise
        self.remembered = remembered

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _append(self, descriptor: int, record: Record) -> None:
        octets = encode_frame(*encode_record(record), self._end)
        _write_all(descriptor, octets)
        os.fsync(descriptor)
        self._end += len(octets)

    def _read(self, octets: bytes) -> None:
        if not octets.startswith(_FORMAT):
            expected = f"{_FORMAT.decode().strip()!r} expected at 0"
            raise SetupError(f"{self.file} is damaged: {expected}", _HINT)
        end = len(_FORMAT)
        try:
            for frame in read_frames(octets, end):
                try:
                    record = decode_record(frame.kind, frame.payload)
                    self.remembered = self.remembered.after(record)
                except ValueError as error:
                    message = f"{self.file} is damaged at {frame.offset}: {error}"
                    raise SetupError(message, _HINT) from None
                end = end_of(frame)
        except DamagedError as error:
            message = f"{self.file} is damaged at {error.offset}: {error}"
            raise SetupError(message, _HINT) from None
        self.torn_octets = len(octets) - end

    def _write_anew(self) -> None:
        """Write the fewest records beside the file, then put them in its place."""
        self.close()
        octets = _FORMAT
        for record in self.remembered.records():
            octets += encode_frame(*encode_record(record), len(octets))
        temporary = self.file.with_name(f".{self.file.name}.{os.getpid()}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        descriptor = os.open(temporary, flags, 0o600)
        try:
            _write_all(descriptor, octets)
            os.fsync(descriptor)
            temporary.replace(self.file)
            _sync_directory(self.file.parent)
        except OSError:
            os.close(descriptor)
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        self._descriptor, self._end = descriptor, len(octets)


def _write_all(descriptor: int, octets: bytes) -> None:
    while octets:
        octets = octets[os.write(descriptor, octets) :]


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
