"""A disk of which one call goes wrong, under the storage engine of this process.

What the engine writes goes to the real file, which stands for the page cache, and is
noted down; what a sync has covered goes to a second file, the image: what the disk
holds for sure. A process that is started again finds the cache. After a loss of power
there is the image, with any part of what no sync had covered.

The model is harsh: what a failed or cut-off sync left in the cache never reaches the
disk, unless it is written again, and no later sync tells (Linux marks such pages clean;
tlog notes §5.5). A sector of 512 octets is written whole or not at all, as the engine
itself assumes for its 120 octets of a meta page.
"""

import ctypes
import enum
import errno
import fcntl
import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import lmdb.cpython

from registry.store.meta_pages import DATA_FILE, NEWEST_FILE
from tests.faults.interposition import redirected

SECTOR_OCTETS = 512
PAGE_OCTETS = 4096
META_OCTETS = 2 * PAGE_OCTETS

_pwrite, _fsync = os.pwrite, os.fsync
_LIBRARY = Path(lmdb.cpython.__file__)
_ssize, _size, _int = ctypes.c_ssize_t, ctypes.c_size_t, ctypes.c_int
_pointer, _offset = ctypes.c_void_p, ctypes.c_int64
_PWRITE = ctypes.CFUNCTYPE(_ssize, _int, _pointer, _size, _offset, use_errno=True)
_WRITEV = ctypes.CFUNCTYPE(_ssize, _int, _pointer, _int, use_errno=True)
_SYNC = ctypes.CFUNCTYPE(_int, _int, use_errno=True)


class Fault(enum.Enum):
    """What goes wrong."""

    NONE = "nothing"
    SYNC_FAILS = "a sync fails with EIO"
    SYNC_FULL = "a sync fails with ENOSPC"
    META_FAILS = "the write of a meta page arrives and fails with EIO"
    META_FULL = "the write of a meta page fails with ENOSPC"
    META_STUCK = "the write of a meta page fails, and so does taking it back"
    WRITE_FAILS = "a write fails with EIO"
    WRITE_FULL = "a write fails with ENOSPC"
    SHORT_WRITE = "a write ends half way"
    SHORT_META = "the write of a meta page ends half way"
    KILLED = "the process is killed before a call"
    KILLED_WITHIN = "the process is killed half way through a write or before its sync"
    POWER = "power is lost before a call"
    TORN = "half of a page does not arrive, and nothing says so"
    LOST = "a write does not arrive, and nothing says so"
    FLIPPED = "bits flip while nothing runs"
    FLIPPED_META = "a bit of a meta page flips while nothing runs"
    FLIPPED_RUNNING = "bits flip in the file that is mapped"


LOUD = (
    Fault.SYNC_FAILS,
    Fault.SYNC_FULL,
    Fault.META_FAILS,
    Fault.META_FULL,
    Fault.META_STUCK,
    Fault.WRITE_FAILS,
    Fault.WRITE_FULL,
    Fault.SHORT_WRITE,
    Fault.SHORT_META,
    Fault.KILLED,
    Fault.KILLED_WITHIN,
    Fault.POWER,
)
"""Faults of which somebody hears: an error, or the end of the process."""

SILENT = (
    Fault.TORN,
    Fault.LOST,
    Fault.FLIPPED,
    Fault.FLIPPED_META,
    Fault.FLIPPED_RUNNING,
)
"""Faults of which nobody hears."""


_SYNC_FAULTS = {Fault.SYNC_FAILS, Fault.SYNC_FULL}
_META_FAULTS = {Fault.META_FAILS, Fault.META_FULL, Fault.META_STUCK, Fault.SHORT_META}
_WRITE_FAULTS = {
    Fault.WRITE_FAILS,
    Fault.WRITE_FULL,
    Fault.SHORT_WRITE,
    Fault.TORN,
    Fault.LOST,
    Fault.KILLED_WITHIN,
}
_ERRORS = {
    Fault.SYNC_FULL: errno.ENOSPC,
    Fault.META_FULL: errno.ENOSPC,
    Fault.WRITE_FULL: errno.ENOSPC,
}


class Write(NamedTuple):
    """Octets on their way to the disk."""

    offset: int
    octets: bytes


class Place(NamedTuple):
    """A directory of the engine's, and the disk under it."""

    directory: Path
    image: Path

    @property
    def data(self) -> Path:
        return self.directory / DATA_FILE


class Disk:
    """The disk under one data file."""

    def __init__(
        self, place: Place, fault: Fault, at: int, chance: random.Random
    ) -> None:
        """Let `fault` strike at the `at`-th call that it can strike at, from 1 on."""
        self.struck = False
        self._file, self._image = place.data, place.image
        self._fault, self._left, self._chance = fault, at, chance
        self._pending: list[Write] = []
        self._stuck = False

    @contextmanager
    def under_the_engine(self) -> Iterator[None]:
        """Take the engine's calls while the block runs."""
        if not self._image.exists():
            self._image.touch()
        callbacks = {
            "pwrite": _PWRITE(self._pwrite),
            "writev": _WRITEV(self._writev),
            "fdatasync": _SYNC(self._sync),
            "fsync": _SYNC(self._sync),
        }
        # The store writes its meta pages itself, at a start.
        others = (
            mock.patch.object(os, "pwrite", self._other_pwrite),
            mock.patch.object(os, "fsync", self._other_fsync),
        )
        with redirected(_LIBRARY, callbacks), others[0], others[1]:
            yield

    def _other_pwrite(self, descriptor: int, octets: bytes, offset: int) -> int:
        if not self._is_ours(descriptor):
            return _pwrite(descriptor, octets, offset)
        return self._write(descriptor, Write(offset, octets))

    def _other_fsync(self, descriptor: int) -> None:
        if not self._is_ours(descriptor):
            _fsync(descriptor)
        elif self._sync(descriptor):
            raise self._error

    def _is_ours(self, descriptor: int) -> bool:
        return self._file.exists() and os.path.samestat(
            os.fstat(descriptor), self._file.stat()
        )

    def _pwrite(self, descriptor: int, buffer: int, size: int, offset: int) -> int:
        return self._guarded(descriptor, ctypes.string_at(buffer, size), offset)

    def _writev(self, descriptor: int, vector: int, count: int) -> int:
        parts = (_size * (2 * count)).from_address(vector)
        octets = b"".join(
            ctypes.string_at(parts[at], parts[at + 1]) for at in range(0, 2 * count, 2)
        )
        offset = os.lseek(descriptor, 0, os.SEEK_CUR)
        written = self._guarded(descriptor, octets, offset)
        if written > 0:
            os.lseek(descriptor, written, os.SEEK_CUR)
        return written

    def _guarded(self, descriptor: int, octets: bytes, offset: int) -> int:
        try:
            return self._write(descriptor, Write(offset, octets))
        except OSError as error:
            ctypes.set_errno(error.errno or errno.EIO)
            return -1

    def _write(self, descriptor: int, write: Write) -> int:
        meta = write.offset + len(write.octets) <= META_OCTETS
        durable = bool(fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_DSYNC)
        if self._stuck and meta:
            raise OSError(errno.EROFS, "stuck")
        self._die_at_any_call()
        if durable and self._strikes(_META_FAULTS):
            return self._fail_meta(descriptor, write)
        if not durable and self._strikes(_WRITE_FAULTS):
            return self._fail_write(descriptor, write)
        _pwrite(descriptor, write.octets, write.offset)
        if durable:
            if self._strikes({Fault.KILLED_WITHIN}):
                _die()
            self._arrive(write)
        else:
            self._pending.append(write)
        return len(write.octets)

    def _fail_meta(self, descriptor: int, write: Write) -> int:
        self._stuck = self._fault is Fault.META_STUCK
        if self._fault is Fault.SHORT_META:
            write = write._replace(octets=write.octets[: len(write.octets) // 2])
            _pwrite(descriptor, write.octets, write.offset)
            self._pending.append(write)
            return len(write.octets)
        _pwrite(descriptor, write.octets, write.offset)
        if self._chance.random() < 0.5:
            self._arrive(write)
        raise self._error

    def _fail_write(self, descriptor: int, write: Write) -> int:
        octets, half = write.octets, len(write.octets) // 2
        if self._fault is Fault.TORN:
            page = self._chance.randrange(len(octets) // PAGE_OCTETS) * PAGE_OCTETS
            middle = page + PAGE_OCTETS // 2
            kept = (write._replace(octets=octets[:middle]),)
            rest = octets[page + PAGE_OCTETS :]
            kept += (Write(write.offset + page + PAGE_OCTETS, rest),)
        elif self._fault in (Fault.SHORT_WRITE, Fault.KILLED_WITHIN):
            kept = (write._replace(octets=octets[:half]),)
        else:
            kept = ()
        for part in kept:
            _pwrite(descriptor, part.octets, part.offset)
            self._pending.append(part)
        if self._fault is Fault.LOST:
            end = write.offset + len(octets)
            os.truncate(self._file, max(end, self._file.stat().st_size))
        if self._fault is Fault.KILLED_WITHIN:
            _die()
        if self._fault in (Fault.WRITE_FAILS, Fault.WRITE_FULL):
            raise self._error
        return half if self._fault is Fault.SHORT_WRITE else len(octets)

    @property
    def _error(self) -> OSError:
        return OSError(_ERRORS.get(self._fault, errno.EIO), self._fault.value)

    def _sync(self, descriptor: int) -> int:
        self._die_at_any_call()
        if self._strikes(_SYNC_FAULTS):
            # Some of it may have arrived; of the rest nobody will hear again.
            self._arrive_in_part()
            ctypes.set_errno(self._error.errno)
            return -1
        self._arrive(*self._pending)
        self._pending.clear()
        return 0

    def _strikes(self, faults: set[Fault]) -> bool:
        if self.struck or self._fault not in faults:
            return False
        self._left -= 1
        self.struck = self._left <= 0
        return self.struck

    def _die_at_any_call(self) -> None:
        if self._strikes({Fault.KILLED}):
            _die()
        if self._strikes({Fault.POWER}):
            self._arrive_in_part()
            _die()

    def _arrive(self, *writes: Write) -> None:
        descriptor = os.open(self._image, os.O_WRONLY)
        for write in writes:
            _pwrite(descriptor, write.octets, write.offset)
        os.close(descriptor)

    def _arrive_in_part(self) -> None:
        """Let any of the sectors that no sync has covered be on the disk."""
        share = self._chance.choice((0.0, 0.5, 0.9, 1.0))
        for write in self._pending:
            for at in range(0, len(write.octets), SECTOR_OCTETS):
                if self._chance.random() < share:
                    sector = write.octets[at : at + SECTOR_OCTETS]
                    self._arrive(Write(write.offset + at, sector))
        self._pending.clear()


def flip(directory: Path, chance: random.Random, fault: Fault) -> None:
    """Flip bits of the data file, or of what is kept of its meta pages."""
    file, kept = directory / DATA_FILE, directory / NEWEST_FILE
    size = file.stat().st_size
    if fault is Fault.FLIPPED_META and kept.exists() and chance.random() < 0.2:
        file, places = kept, [chance.randrange(kept.stat().st_size)]
    elif fault is Fault.FLIPPED_META:
        # Of the octets that mean something there.
        places = [chance.randrange(2) * PAGE_OCTETS + chance.randrange(8, 152)]
    else:
        count = chance.choice((1, 1, 2, 8))
        places = [chance.randrange(META_OCTETS, size) for _ in range(count)]
    with file.open("r+b", buffering=0) as opened:
        for place in places:
            octet = os.pread(opened.fileno(), 1, place)[0]
            flipped = octet ^ 1 << chance.randrange(8)
            _pwrite(opened.fileno(), bytes((flipped,)), place)


def lose_power(place: Place, chance: random.Random) -> None:
    """Leave in the file what the disk holds; what nobody synced may be gone."""
    place.data.write_bytes(place.image.read_bytes())
    kept = place.directory / NEWEST_FILE
    how = chance.randrange(3)
    if how == 1:
        kept.unlink(missing_ok=True)
    elif how == 2:
        kept.write_bytes(b"")


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
