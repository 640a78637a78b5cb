"""A chain on disk: one LMDB environment in a directory of its own.

    FILE           HAS
    data.mdb       the keys of `chain_anchor.bif.storage`, and the node's own:
                   N...          what a node keeps beside the chain; never undone
                   U seq key     what a key had before block `seq`: 0, or 1 and a value;
                                 only of blocks after the oldest snapshot
    newest.commit  CRC-32 and number of the last transaction, written without a sync

Each value lies behind the CRC-32 of its key and itself. A block is one write
transaction and one durable sync. The pages from which all others hang have no checksum:
the number of each transaction lies in its own tree and in the second file, so a page
that leads to an older tree is noticed.

Each thread reads in views of its own. One writes.
"""

import errno
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NoReturn
from zlib import crc32

import lmdb

from chain_anchor.bif import storage
from chain_anchor.bif.errors import CorruptChainError, StorageError, StorageFullError

MAP_OCTETS: Final = 1 << 36
"""Most octets of a chain; only what is used takes room, in memory and on disk."""

NODE: Final = b"N"
_TRANSACTION: Final = NODE + b"transaction"
_FORMAT_KEY: Final = NODE + b"format"
_FORMAT: Final = 2
_UNDO: Final = b"U"
_U64: Final = struct.Struct("!Q")
_pack_crc: Final = struct.Struct("!I").pack
_CRC_OCTETS: Final = 4
_NEWEST: Final = struct.Struct("!IQ")
_NEWEST_FILE: Final = "newest.commit"
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_PROBE_OCTETS: Final = 1 << 16


class View:
    """A chain as it was at one moment; for one thread at a time."""

    def __init__(self, environment: Any, directory: Path) -> None:
        self._environment = environment
        self._transaction = environment.begin()
        self._directory = directory

    def get(self, key: bytes) -> bytes | None:
        """Give the value of a key, or None.

        Raises:
            CorruptChainError: it is not what was written.
            StorageError: the engine failed.
        """
        try:
            stored = self._transaction.get(key)
        except lmdb.Error as error:
            raise _failed(self._directory, "cannot be read", error) from error
        return None if stored is None else _checked(key, stored)

    def before(self, start: bytes, key: bytes) -> tuple[bytes, bytes] | None:
        """Give the last key with this start that is before another, and its value."""
        with self._transaction.cursor() as cursor:
            found = cursor.prev() if cursor.set_range(key) else cursor.last()
            return self._at(cursor, start) if found else None

    def first(self, start: bytes, key: bytes) -> tuple[bytes, bytes] | None:
        """Give the first key with this start that is not before another."""
        with self._transaction.cursor() as cursor:
            return self._at(cursor, start) if cursor.set_range(key) else None

    def write(self, changes: storage.Changes) -> NoReturn:
        """Refuse to write."""
        raise StorageError(f"{len(changes)} changes: a view is for reading")

    def renew(self) -> None:
        """Look at what has been written by now."""
        self._transaction.abort()
        self._transaction = self._environment.begin()

    def close(self) -> None:
        """Let go of what was seen."""
        self._transaction.abort()

    def _at(self, cursor: Any, start: bytes) -> tuple[bytes, bytes] | None:
        key, stored = cursor.item()
        return (key, _checked(key, stored)) if key.startswith(start) else None


class ChainStore:
    """A chain in a directory, open for writing by one thread."""

    def __init__(self, directory: Path) -> None:
        """Open it, or make it.

        Raises:
            CorruptChainError: it is not what was written last.
            StorageError: the engine cannot open it.
        """
        self.directory = directory
        self.remembering = False
        """Whether what a block changes is kept, so that it can be undone."""

        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._environment = _open(directory)
        except (lmdb.Error, OSError) as error:
            raise _failed(directory, "cannot be opened", error) from error
        try:
            self._newest = _open_newest(directory)
            self._check()
            self._reading = self.view()
        except BaseException:
            self._environment.close()
            raise

    def view(self) -> View:
        """Open a view of the last write.

        Raises:
            StorageError: the engine cannot.
        """
        try:
            return View(self._environment, self.directory)
        except lmdb.Error as error:
            raise _failed(self.directory, "cannot be read", error) from error

    def get(self, key: bytes) -> bytes | None:
        """Give the value of a key, or None; for the thread that writes."""
        return self._reading.get(key)

    def write(self, changes: storage.Changes) -> None:
        """Write all changes in one durable transaction.

        Raises:
            StorageFullError: there is no room; nothing was written, one may go on.
            StorageError: it could not be written.
        """
        self._commit(changes)

    def rows(self, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        """List keys with a start and their values, in order; for the writing thread."""
        row = self._reading.first(start, start)
        while row is not None:
            yield row
            row = self._reading.first(start, row[0] + b"\0")

    def revert(self, seq: int, changes: storage.Changes) -> None:
        """Undo all blocks after one, and write other changes with it.

        Raises:
            CorruptChainError: what a block has changed was not kept whole.
            StorageError: it could not be written.
        """
        undone: dict[bytes, bytes | None] = {}
        with self._environment.begin() as transaction:
            for key, octets in _undo(transaction, seq):
                undone[key] = None
                # Walked backwards: what the oldest block found is what stays.
                undone[key[1 + _U64.size :]] = octets[1:] if octets[0] else None
        self._commit(undone | dict(changes), undoing=True)

    def close(self) -> None:
        """Let go of the files."""
        self._reading.close()
        os.close(self._newest)
        self._environment.close()

    def _commit(self, changes: storage.Changes, *, undoing: bool = False) -> None:
        try:
            with self._environment.begin(write=True) as transaction:
                if self.remembering and not undoing:
                    changes = {**_remembered(transaction, changes), **changes}
                number = transaction.id()
                _put(transaction, {**changes, _TRANSACTION: _U64.pack(number)})
        except lmdb.Error as error:
            if _is_full(self.directory, error):
                raise StorageFullError(
                    f"the disk of {self.directory} is full ({error}); nothing was "
                    "written"
                ) from error
            raise _failed(self.directory, "cannot be written", error) from error
        self._reading.renew()
        self._keep(number)

    def _keep(self, number: int) -> None:
        octets = _U64.pack(number)
        try:
            os.pwrite(self._newest, _NEWEST.pack(crc32(octets), number), 0)
        except OSError as error:
            raise _failed(self.directory, "was written, but", error) from error

    def _check(self) -> None:
        """Demand that the newest tree is the one that was written last."""
        with self._environment.begin() as transaction:
            newest = transaction.id()
            octets = transaction.get(_TRANSACTION)
            form = transaction.get(_FORMAT_KEY)
            empty = transaction.stat()["entries"] == 0
        kept = _read_newest(self._newest)
        if newest < kept:
            raise CorruptChainError(
                f"{self.directory}: transaction {kept} was written, the newest found is "
                f"{newest}: a page is damaged, or the file is an older copy"
            )
        if empty and not newest:
            self._reading = self.view()
            self._commit({_FORMAT_KEY: _U64.pack(_FORMAT)})
            self._reading.close()
            return
        self._check_tree(newest, octets, form)
        # What a process that was killed has written may be in the cache only.
        self._environment.sync(True)

    def _check_tree(
        self, newest: int, octets: bytes | None, form: bytes | None
    ) -> None:
        found = octets and _U64.unpack(_checked(_TRANSACTION, octets))[0]
        if found != newest:
            raise CorruptChainError(
                f"{self.directory}: the tree of transaction {newest} expected, got that "
                f"of {found}: a page is damaged"
            )
        version = form and _U64.unpack(_checked(_FORMAT_KEY, form))[0]
        if version != _FORMAT:
            raise StorageError(
                f"{self.directory}: format {_FORMAT} expected, got {version}"
            )


def _open(directory: Path) -> Any:
    environment = lmdb.Environment(
        str(directory),
        map_size=MAP_OCTETS,
        max_readers=64,
        max_spare_txns=4,
        readahead=False,
    )
    # A new file is durable only once its directory entry is.
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return environment


def _put(transaction: Any, changes: storage.Changes) -> None:
    puts = []
    # Sorted keys let LMDB fill leaves left to right.
    for key in sorted(changes):
        value = changes[key]
        if value is None:
            transaction.delete(key)
        else:
            puts.append((key, _pack_crc(crc32(value, crc32(key))) + value))
    with transaction.cursor() as cursor:
        _, written = cursor.putmulti(puts)
    if written != len(puts):
        raise StorageError(f"the engine took {written} of {len(puts)} entries")


def _checked(key: bytes, stored: bytes) -> bytes:
    value = stored[_CRC_OCTETS:]
    if stored[:_CRC_OCTETS] != _pack_crc(crc32(value, crc32(key))):
        raise CorruptChainError(
            f"key {key[:1].decode('ascii', 'replace')} {key[1:].hex()}: "
            "the stored octets are not what was written, their checksum differs"
        )
    return value


def _remembered(transaction: Any, changes: storage.Changes) -> dict[bytes, bytes]:
    """Give what a block's changes replace, under the block's number."""
    last = changes.get(storage.LAST_BLOCK)
    if last is None:
        return {}
    start = _UNDO + last
    found: dict[bytes, bytes] = {}
    for key in changes:
        if key.startswith(NODE):
            continue
        stored = transaction.get(key)
        old = b"\0" if stored is None else b"\1" + _checked(key, stored)
        found[start + key] = old
    return found


def _undo(transaction: Any, seq: int) -> Iterator[tuple[bytes, bytes]]:
    """Walk what was kept of the blocks after one, the newest first."""
    lowest = _UNDO + _U64.pack(seq + 1)
    with transaction.cursor() as cursor:
        after = bytes([_UNDO[0] + 1])
        found = cursor.prev() if cursor.set_range(after) else cursor.last()
        while found and cursor.key() >= lowest:
            key, stored = cursor.item()
            yield key, _checked(key, stored)
            found = cursor.prev()


def _open_newest(directory: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(directory / _NEWEST_FILE, flags, 0o644)
    except OSError as error:
        raise _failed(directory, "cannot be opened", error) from error


def _read_newest(descriptor: int) -> int:
    octets = os.pread(descriptor, _NEWEST.size, 0)
    if len(octets) != _NEWEST.size:
        return 0
    checksum, number = _NEWEST.unpack(octets)
    return int(number) if checksum == crc32(octets[_CRC_OCTETS:]) else 0


def _failed(directory: Path, what: str, error: Exception) -> StorageError:
    return StorageError(f"the chain in {directory} {what}: {error}")


def _is_full(directory: Path, error: lmdb.Error) -> bool:
    """Tell whether room was what lacked."""
    # py-lmdb puts the operating system's words into the text, not the number.
    if any(os.strerror(number) in str(error) for number in _NO_ROOM):
        return True
    if os.strerror(errno.EIO) not in str(error):
        return False
    # LMDB calls a write that the disk cut short an I/O error. Whether it was room
    # that lacked shows when the file is made longer, which does it no harm.
    try:
        with (directory / "data.mdb").open("ab", buffering=0) as file:
            return file.write(bytes(_PROBE_OCTETS)) != _PROBE_OCTETS
    except OSError as failure:
        return failure.errno in _NO_ROOM
