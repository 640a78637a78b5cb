"""The meta pages of an LMDB file: guarded, because everything hangs from them.

The first two pages say in turn which tree is the newest. LMDB 0.9 protects them by no
checksum: a bit that flips in one of them takes the last group back, or lets pages be
overwritten that are in use, and nothing else would tell. And a process that was killed,
or whose sync failed, may leave one in the page cache that is not on the disk; what the
next process signs and shows would then not outlast a loss of power.

So a second file, `newest.meta`, has what the newest meta page said after each
transaction, written without a sync: it may be older than the data after a loss of
power, never newer. And `make_durable` writes both pages once more before anything is
built on them.

    newest.meta                          in each meta page, host byte order
         0   4  CRC-32 of the rest            0  16  page header
         4   8  transaction                  16   8  magic, version of the format
        12 120  what the page says           24   8  unused
                                             32 120  what the page says: size of the map,
                                                     two trees, last page, transaction

The engine writes the 120 octets at once and takes a sector of 512 octets to be written
whole or not at all.
"""

import mmap
import os
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from registry.errors import CorruptError

DATA_FILE, NEWEST_FILE = "data.mdb", "newest.meta"

_MAGIC, _VERSION = 0xBEEFC0DE, 1
_SAID = slice(32, 152)
_HEAD = struct.Struct("=16xIIQQI")  # magic, version, unused, map, octets of a page
_TRANSACTION = struct.Struct("=144xQ")
_KEPT = struct.Struct("=IQ120s")
_CRC = struct.Struct("=I")
_PAGE_SIZES = {1 << bits for bits in range(9, 17)}
_ATTEMPTS = 8

T = TypeVar("T")


class Meta(NamedTuple):
    """What a meta page says."""

    transaction: int
    octets: bytes


def check_newest(directory: Path) -> int:
    """Check that the newest meta page is the one that was written last.

    Call it before the engine opens the file. Where there is no second file, or one that
    is damaged itself, or another format than that of LMDB 0.9 on 64 bits, nothing is
    checked.

    Returns:
        The last transaction that is known to have been written, 0 if none is. The tree
        that the engine takes for the newest must not be older.

    Raises:
        CorruptError: It is another one.
        OSError: A file cannot be read.
    """
    problem = ""
    # Another process may be writing: then both change between two looks.
    for _ in range(_ATTEMPTS):
        kept = _read(directory / NEWEST_FILE, _read_kept)
        metas = _read(directory / DATA_FILE, _metas)
        problem = _difference(metas, kept) if kept and metas else ""
        if not problem:
            return kept.transaction if kept else 0
    raise CorruptError(f"{directory / DATA_FILE}: {problem}")


class MetaPages:
    """The meta pages of a file that the engine has open for writing."""

    def __init__(self, directory: Path) -> None:
        """Open both files.

        Raises:
            OSError: One cannot be opened, or made.
        """
        self._data = os.open(directory / DATA_FILE, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._kept = os.open(
                directory / NEWEST_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644
            )
        except OSError:
            os.close(self._data)
            raise

    def make_durable(self) -> None:
        """Put on the disk what the engine goes on from; within a transaction.

        Both pages are written once more, as they are: after a failed sync the kernel
        takes pages for written that are not (tlog notes §5.5), and syncs them no more.
        All other pages are synced before a meta page is written that leads to them.

        Raises:
            OSError: It cannot be written.
        """
        size = _page_size(os.pread(self._data, _HEAD.size, 0)) or mmap.PAGESIZE
        octets = os.pread(self._data, 2 * size, 0)
        if os.pwrite(self._data, octets, 0) != len(octets):
            message = "the meta pages were written in part"
            raise OSError(message)
        os.fsync(self._data)

    def keep(self, transaction: int | None = None) -> None:
        """Keep what the newest meta page says, once its transaction is durable.

        Args:
            transaction: the one that must be the newest, if that is known.

        Raises:
            CorruptError: The page in the file is not that of the transaction.
            OSError: A file cannot be read or written.
        """
        metas = _metas(self._data)
        if not metas:
            return
        newest = _newest(metas)
        if transaction not in (None, newest.transaction):
            message = (
                f"the newest transaction in the file is {newest.transaction}, "
                f"committed was {transaction}"
            )
            raise CorruptError(message)
        rest = _KEPT.pack(0, *newest)[_CRC.size :]
        os.pwrite(self._kept, _CRC.pack(zlib.crc32(rest)) + rest, 0)

    def close(self) -> None:
        """Close both files."""
        os.close(self._data)
        os.close(self._kept)


def _difference(metas: tuple[Meta, ...], kept: Meta) -> str:
    newest = _newest(metas)
    if newest.transaction < kept.transaction:
        return (
            f"its newest transaction is {newest.transaction}, {kept.transaction} was "
            "written: a meta page is damaged, or the file is an older copy"
        )
    # A process may have been killed between a transaction and what is kept of it. If
    # more is missing, power was lost, and there is nothing to compare.
    if newest.transaction <= kept.transaction + 1 and kept not in metas:
        return f"the meta page of transaction {kept.transaction} is damaged"
    return ""


def _newest(metas: tuple[Meta, ...]) -> Meta:
    """Choose as the engine does: the first of two that are equal."""
    return max(metas, key=lambda meta: meta.transaction)


def _read(file: Path, read: Callable[[int], T]) -> T | None:
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return read(descriptor)
    finally:
        os.close(descriptor)


def _metas(descriptor: int) -> tuple[Meta, ...]:
    """Read the meta pages; none if they are not of the known format."""
    size = _page_size(os.pread(descriptor, _HEAD.size, 0))
    pages = [os.pread(descriptor, _SAID.stop, at) for at in (0, size)] if size else []
    if any(len(page) != _SAID.stop for page in pages):
        return ()
    return tuple(Meta(_TRANSACTION.unpack_from(page)[0], page[_SAID]) for page in pages)


def _page_size(head: bytes) -> int:
    """Give the octets of a page; 0 if the format is not the known one."""
    if len(head) != _HEAD.size or sys.maxsize < 1 << 32:
        return 0
    magic, version, _, _, size = _HEAD.unpack(head)
    known = (magic, version) == (_MAGIC, _VERSION) and size in _PAGE_SIZES
    return int(size) if known else 0


def _read_kept(descriptor: int) -> Meta | None:
    octets = os.pread(descriptor, _KEPT.size, 0)
    if len(octets) != _KEPT.size:
        return None
    checksum, transaction, said = _KEPT.unpack(octets)
    right = checksum == zlib.crc32(octets[_CRC.size :])
    return Meta(transaction, said) if right else None
