"""What a witness keeps on disk: one directory, for one process at a time.

    lock                    held while a witness runs
    key                     private key, for its owner only:
                            PRIVATE+KEY+NAME+HEX(key id)+base64(0x04 || seed[32])
    origins                 origins of all logs that have a checkpoint here, one a line
    HEX.checkpoint          last note cosigned; HEX is the SHA-256 of the origin
    HEX.contradiction       two notes which prove that the log has forked
    *.new                   left by a process that was cut off; removed

Every file but the lock begins with a line `idis-witness/1 HEX`, the SHA-256 of the rest.
A file is written whole under another name, synced, renamed, and the directory synced.
Only then may anybody see what it says. `origins` is written after the checkpoint it
names, so a checkpoint that is missing is noticed: without it a witness would take the
log for a new one, and cosign a fork.

At start all is read, checked and written anew: if the sync of an earlier process
failed, what the page cache shows may not be what the disk has. After a write that
failed nothing is written until a restart.
"""

import contextlib
import fcntl
import os
import secrets
import threading
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chain_anchor.errors import NoteError, WitnessError
from chain_anchor.note import COSIGNATURE, VerifierKey
from chain_anchor.spelling import decode_base64, encode_base64
from chain_anchor.witness import Cosigner, DamagedStoreError
from chain_anchor.witnessing import origin_hash

_MAGIC: Final = b"idis-witness/1 "
_LOCK, _KEY, _ORIGINS = "lock", "key", "origins"
_CHECKPOINT, _CONTRADICTION, _NEW = ".checkpoint", ".contradiction", ".new"
_PRIVATE: Final = "PRIVATE+KEY+"
_SEED_OCTETS: Final = 32


class StoreFailedError(WitnessError):
    """The disk failed; nothing more is written before a restart."""


class Files(Protocol):
    """The steps of which writing consists; what is not synced may be lost."""

    def names(self) -> list[str]:
        """List the files."""

    def read(self, name: str) -> bytes:
        """Read a file whole."""

    def write(self, name: str, octets: bytes) -> None:
        """Make or replace a file."""

    def sync(self, name: str) -> None:
        """Wait until the octets of a file are on disk."""

    def rename(self, name: str, new_name: str) -> None:
        """Let a file take the place of another."""

    def remove(self, name: str) -> None:
        """Remove a file."""

    def sync_directory(self) -> None:
        """Wait until all names are on disk."""


class Directory:
    """A directory of this machine, locked against other processes."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or make a directory.

        Raises:
            WitnessError: another process uses it, or it is not a witness's.
            OSError: it cannot be made.
        """
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        names = {item.name for item in path.iterdir()}
        strangers = sorted(name for name in names if not _is_ours(name))
        if strangers:
            raise WitnessError(f"{path} holds other files: {strangers[0]}")
        lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise WitnessError(f"{path} is in use by another process") from None
        return cls(path, lock)

    def close(self) -> None:
        """Let another process have it."""
        os.close(self._lock)

    def names(self) -> list[str]:
        """List the files."""
        return [item.name for item in self.path.iterdir() if item.name != _LOCK]

    def read(self, name: str) -> bytes:
        """Read a file whole."""
        return (self.path / name).read_bytes()

    def write(self, name: str, octets: bytes) -> None:
        """Make or replace a file, for its owner only."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(self.path / name, flags, 0o600), "wb") as output:
            output.write(octets)

    def sync(self, name: str) -> None:
        """Wait until the octets of a file are on disk."""
        _sync(self.path / name)

    def rename(self, name: str, new_name: str) -> None:
        """Let a file take the place of another."""
        (self.path / name).replace(self.path / new_name)

    def remove(self, name: str) -> None:
        """Remove a file."""
        (self.path / name).unlink()

    def sync_directory(self) -> None:
        """Wait until all names are on disk."""
        _sync(self.path)


class WitnessStore:
    """What a witness keeps; see `chain_anchor.witness.Store`."""

    def __init__(self, files: Files) -> None:
        """Read, check and write anew what is there.

        Raises:
            DamagedStoreError: it is not what was written.
            StoreFailedError: the disk failed.
        """
        self._files = files
        self._failed = ""
        self._index_lock = threading.Lock()
        names = self._clean()
        self._contents = {name: self._unseal(name) for name in sorted(names)}
        self._origins = self._indexed()
        for name, octets in self._contents.items():
            self._write(name, octets)

    def cosigner(self, name: str | None) -> Cosigner:
        """Give the witness's key; the first time, make it.

        Args:
            name: what the witness is called, for a new key; None derives it from the
                key. A key has one name for ever: the cosignature does not say which.

        Raises:
            DamagedStoreError: the key is not the one that was written.
            WitnessError: it has another name.
            StoreFailedError: the disk failed.
        """
        stored = self._contents.get(_KEY)
        if stored is None:
            if self._contents:
                raise DamagedStoreError("checkpoints are there, the key is missing")
            made = _make_key(name)
            self._write(_KEY, _encode_key(*made))
            return Cosigner(*made)
        cosigner = _decode_key(stored)
        if name not in {None, cosigner.key.name}:
            message = f"the witness is called {cosigner.key.name}, not {name}"
            raise WitnessError(message)
        return cosigner

    def load(self) -> Mapping[str, bytes]:
        """Read all notes, by origin."""
        return {
            origin: self._contents[_checkpoint_name(origin)] for origin in self._origins
        }

    def save(self, origin: str, note: bytes) -> None:
        """Replace the note of one log; it is durable when this returns.

        Raises:
            StoreFailedError: the disk failed, now or before.
        """
        self._write(_checkpoint_name(origin), note)
        with self._index_lock:
            if origin not in self._origins:
                origins = sorted({*self._origins, origin})
                self._write(_ORIGINS, "".join(f"{o}\n" for o in origins).encode())
                self._origins.add(origin)

    def save_contradiction(self, origin: str, notes: bytes) -> None:
        """Keep what proves that a log has forked, if there is nothing of it yet.

        Raises:
            StoreFailedError: the disk failed, now or before.
        """
        name = origin_hash(origin) + _CONTRADICTION
        if name not in self._contents:
            self._write(name, notes)
            self._contents[name] = notes

    def _clean(self) -> list[str]:
        names = self._files.names()
        for name in names:
            if name.endswith(_NEW):
                self._files.remove(name)
        return [name for name in names if not name.endswith(_NEW)]

    def _unseal(self, name: str) -> bytes:
        head, newline, octets = self._files.read(name).partition(b"\n")
        if not newline or head != _MAGIC + sha256(octets).hexdigest().encode():
            raise DamagedStoreError(f"file {name}: its checksum does not match")
        return octets

    def _indexed(self) -> set[str]:
        """Give the origins that have a checkpoint, and check that all are there."""
        listed = set(self._contents.get(_ORIGINS, b"").decode().splitlines())
        missing = [o for o in listed if _checkpoint_name(o) not in self._contents]
        if missing:
            message = f"the checkpoint of {missing[0]} is missing"
            raise DamagedStoreError(message)
        # A process that was cut off may have left one that is not listed yet.
        notes = {n: o for n, o in self._contents.items() if n.endswith(_CHECKPOINT)}
        found = {octets.split(b"\n", 1)[0].decode() for octets in notes.values()}
        strays = notes.keys() - {_checkpoint_name(origin) for origin in found}
        if strays:
            message = f"file {min(strays)} holds the checkpoint of another log"
            raise DamagedStoreError(message)
        if found != listed:
            self._contents[_ORIGINS] = "".join(f"{o}\n" for o in sorted(found)).encode()
        return found

    def _write(self, name: str, octets: bytes) -> None:
        if self._failed:
            raise StoreFailedError(f"the disk failed before: {self._failed}")
        head = _MAGIC + sha256(octets).hexdigest().encode() + b"\n"
        new = name + _NEW
        try:
            self._files.write(new, head + octets)
            self._files.sync(new)
            self._files.rename(new, name)
            self._files.sync_directory()
        except OSError as error:
            self._failed = f"{name}: {error}"
            raise StoreFailedError(f"writing {name}: {error}") from error


def _make_key(name: str | None) -> tuple[str, Ed25519PrivateKey]:
    private = Ed25519PrivateKey.from_private_bytes(secrets.token_bytes(_SEED_OCTETS))
    public = private.public_key().public_bytes_raw()
    return name or f"witness.idis.test/{sha256(public).hexdigest()[:8]}", private


def _encode_key(name: str, private: Ed25519PrivateKey) -> bytes:
    key = Cosigner(name, private).key
    seed = encode_base64(bytes([COSIGNATURE]) + private.private_bytes_raw())
    return f"{_PRIVATE}{name}+{key.key_id.hex()}+{seed}\n".encode()


def _decode_key(octets: bytes) -> Cosigner:
    try:
        text = octets.decode().removeprefix(_PRIVATE).removesuffix("\n")
        name, key_id, encoded = text.split("+", 2)
        seed = decode_base64(encoded, NoteError, "private key")[1:]
        cosigner = Cosigner(name, Ed25519PrivateKey.from_private_bytes(seed))
    except ValueError as problem:  # all that can go wrong with a text
        raise DamagedStoreError(f"file {_KEY}: {problem}") from problem
    if cosigner.key.key_id.hex() != key_id:
        expected = VerifierKey.encode(cosigner.key)
        raise DamagedStoreError(f"file {_KEY}: {expected} expected, got {key_id}")
    return cosigner


def _checkpoint_name(origin: str) -> str:
    return origin_hash(origin) + _CHECKPOINT


def _is_ours(name: str) -> bool:
    plain = name.removesuffix(_NEW)
    return plain in {_LOCK, _KEY, _ORIGINS} or plain.endswith(
        (_CHECKPOINT, _CONTRADICTION)
    )


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        with contextlib.suppress(OSError):
            os.close(descriptor)
