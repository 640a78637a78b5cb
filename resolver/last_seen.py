"""What was last seen of a data directory's logs, kept outside of it.

A copy of a data directory is complete in itself, and so nothing in it tells that it is
old. Who runs a network without witnesses has this memory instead: one file for each
data directory, by its `instance`, in the state directory of whoever runs it. It is
written at most once a second, after what it says is durable.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from chain_anchor.checkpoint import Checkpoint, parse_checkpoint
from chain_anchor.errors import AnchorError
from chain_anchor.log import Head
from chain_anchor.note import Note
from resolver.data_directory import write_atomically
from resolver.errors import SetupError

MAX_FILES = 1000
"""Data directories that are remembered; the one not used for longest goes first."""


class LastSeen:
    """The memory of one data directory."""

    def __init__(self, file: Path, data: Path) -> None:
        self.file = file
        self._data = data
        self._written: dict[str, bytes] = {}

    @classmethod
    def of(cls, directory: Path, instance: str, data: Path) -> Self:
        """Give the memory of a data directory; `directory` holds those of all."""
        return cls(directory / f"{instance}.json", data)

    def read(self) -> dict[str, Checkpoint]:
        """Give the last checkpoint of each log, by origin.

        Raises:
            SetupError: The file is damaged.
        """
        if not self.file.exists():
            return {}
        try:
            notes: Mapping[str, str] = json.loads(self.file.read_text())["logs"]
            return {
                origin: parse_checkpoint(Note.parse(note.encode()).text)
                for origin, note in notes.items()
            }
        except (ValueError, KeyError, TypeError, AttributeError, AnchorError) as error:
            message = f"{self.file} is damaged: {error}"
            hint = "it remembers how far the logs were; remove it to start without"
            raise SetupError(message, hint) from None

    def write(self, heads: Iterable[Head]) -> None:
        """Remember the heads that are published.

        Raises:
            OSError: The file cannot be written.
        """
        notes = {head.checkpoint.origin: head.note for head in heads if head.size}
        if notes == self._written:
            return
        self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.file.exists():
            self._forget_oldest()
        logs = {origin: note.decode() for origin, note in notes.items()}
        told = {"data": str(self._data), "logs": logs}
        write_atomically(self.file, json.dumps(told, indent=1) + "\n")
        self._written = notes

    def _forget_oldest(self) -> None:
        files = sorted(
            self.file.parent.glob("*.json"), key=lambda file: file.stat().st_mtime
        )
        for file in files[: max(0, len(files) - MAX_FILES + 1)]:
            file.unlink(missing_ok=True)
