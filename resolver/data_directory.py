"""Where a network keeps everything: one directory, used by one process at a time.

network.json     format, seed and a number of its own, so that it is not taken for another
lock             held while a network runs
nodes/NAME/      a registry and its counters, for each node that has one
chains/NAME/     a chain
anchoring/       the queue of checkpoints on their way to a chain
keys/            private keys of the seeded identities, PEM, for their owner only
tls/             the network's certificate authority and server certificate
"""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from resolver.errors import SetupError

FORMAT = 1
_DESCRIPTION = "network.json"
_LOCK = "lock"
_OWN = (_LOCK, f".{_DESCRIPTION}.")


@dataclass(slots=True)
class DataDirectory:
    """An open data directory."""

    path: Path
    temporary: bool
    """Removed when the network stops."""

    read_only: bool
    instance: str = ""
    """Random, made with the directory: a copy has that of its original."""

    _lock: int | None = field(default=None, repr=False)

    @classmethod
    def open(cls, path: Path | None, seed: int) -> Self:
        """Open or make a directory; None makes a temporary one.

        Raises:
            SetupError: Another process uses it, a newer version or another seed made
                it, or it cannot be made.
        """
        temporary = path is None
        if path is None:
            path = Path(tempfile.mkdtemp(prefix="idis-"))
        directory = cls(path, temporary, read_only=False)
        try:
            directory._open(seed)
        except OSError as error:
            directory.close()
            message = f"data directory {path}: {error.strerror or error}"
            raise SetupError(message, "choose another one with --data") from error
        except SetupError:
            directory.close()
            raise
        return directory

    def node(self, name: str) -> Path:
        """Give a node's own directory."""
        return self.path / "nodes" / name

    @property
    def keys(self) -> Path:
        """Where private keys are."""
        return self.path / "keys"

    @property
    def tls(self) -> Path:
        """Where certificates are."""
        return self.path / "tls"

    def close(self) -> None:
        """Let go of the directory, and remove it when it was temporary."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        if self.temporary:
            shutil.rmtree(self.path, ignore_errors=True)

    def _open(self, seed: int) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        self._check_strangers()
        self.read_only = not is_writable(self.path)
        if not self.read_only:
            self._take_lock()
        self._check(seed)
        if not self.read_only:
            for directory in (self.keys, self.tls):
                directory.mkdir(mode=0o700, exist_ok=True)

    def _take_lock(self) -> None:
        descriptor = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            message = f"data directory {self.path} is in use by another process"
            raise SetupError(message, "stop it, or choose another --data") from None
        self._lock = descriptor

    def _check_strangers(self) -> None:
        """Leave a directory alone that holds something else, without a trace."""
        names = {item.name for item in self.path.iterdir()}
        # What begins so was left by a start that was cut off.
        strangers = sorted(name for name in names if not name.startswith(_OWN))
        if strangers and _DESCRIPTION not in names:
            message = f"{self.path} holds other files ({strangers[0]}, ...)"
            raise SetupError(message, "choose an empty or new directory with --data")

    def _check(self, seed: int) -> None:
        file = self.path / _DESCRIPTION
        if not file.exists():
            self._describe(seed)
            return
        try:
            found = json.loads(file.read_text())
            form, made_with = int(found["format"]), int(found["seed"])
            self.instance = str(found.get("instance", ""))
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            message = f"{file} is not the description of a network"
            raise SetupError(message, "choose another --data") from None
        if form > FORMAT:
            message = (
                f"data directory {self.path} has format {form}, "
                f"this version reads up to {FORMAT}"
            )
            raise SetupError(message, "use the version that made it, or a newer one")
        if made_with != seed:
            message = f"data directory {self.path} was made with --seed {made_with}"
            raise SetupError(message, f"use --seed {made_with}, or another --data")
        if not self.instance and not self.read_only:
            self._describe(seed)  # an older version made it

    def _describe(self, seed: int) -> None:
        self.instance = secrets.token_hex(16)
        described = {"format": FORMAT, "seed": seed, "instance": self.instance}
        write_atomically(self.path / _DESCRIPTION, json.dumps(described) + "\n")


def is_writable(directory: Path) -> bool:
    """Tell whether a directory can be written, or made."""
    while not directory.exists():
        directory = directory.parent
    # statvfs knows of a read-only file system, which access() of root does not.
    read_only = os.statvfs(directory).f_flag & os.ST_RDONLY
    return not read_only and os.access(directory, os.W_OK)


def write_atomically(file: Path, text: str, mode: int = 0o644) -> None:
    """Write a text file whole or not at all.

    Raises:
        OSError: It cannot be written; what was there before still is.
    """
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "w") as output:
            output.write(text)
            output.flush()
            os.fsync(output.fileno())
        temporary.replace(file)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
