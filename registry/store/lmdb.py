"""The default engine: one LMDB environment per node.

Four tables of its own, and those of `LOG_TABLES`, which belong to the sealer:

    TABLE     KEY                                    VALUE
    records   `registry.store.lmdb_snapshot.key_of`  `registry.model.record`
    homes     prefix                                 checksum, state, HS_ADMIN values
    journal   serial, 8 octets                       `registry.journal`
    meta      `format`, `serial`, `transaction`,
              `tally:`PREFIX                         integers, 8 octets each

Caveats, from LMDB's own: never open one environment twice in a process, never
use it across a fork, keep read transactions short (a stale one makes the file
grow). 0.9-format pages carry no checksum, so each record carries its own, and
`registry.store.meta_pages` guards the two pages from which all others hang.

Once the write of a meta page has failed, LMDB takes no transaction any more, not even
one that reads. A view from before each write is kept until it has succeeded: that is
what is read from then on, until a restart.
"""

import contextlib
import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lmdb

from registry.errors import (
    CorruptError,
    DiskFullError,
    MapFullError,
    ReadOnlyError,
    StoreError,
    VersionError,
)
from registry.model.record import Record, encode_record
from registry.store.interface import (
    LOG_TABLES,
    Batch,
    IsSealed,
    Puts,
    Sealer,
)
from registry.store.lmdb_snapshot import (
    TALLY,
    TALLY_KEY,
    U64,
    LmdbSnapshot,
    LmdbTables,
    encode_home,
    key_of,
    read_error,
)
from registry.store.meta_pages import MetaPages, check_newest

FORMAT = 1
_INITIAL_MAP_OCTETS = 1 << 30
_OWN_TABLES = (b"records", b"homes", b"journal", b"meta")
_TRANSACTION_KEY = b"transaction"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_PROBE_OCTETS = 65_536


class LmdbStore:
    """An environment in a directory of its own."""

    def __init__(self, directory: Path, *, read_only: bool = False) -> None:
        """Open or create it.

        Raises:
            VersionError: A newer version wrote it.
            StoreError: The engine cannot open it.
        """
        self.directory = directory
        self.read_only = read_only
        self.is_sealed: IsSealed | None = None
        self._metas: MetaPages | None = None
        self._before: Any = None
        self._stuck = False
        try:
            kept = check_newest(directory)
            self._environment = self._open()
            self._prepare(kept)
        except CorruptError as error:
            message = f"cannot open the registry in {directory}: {error}"
            raise StoreError(message) from error
        except (lmdb.Error, OSError) as error:
            message = f"cannot open the registry in {directory}: {error}"
            raise StoreError(message) from error

    def _open(self) -> Any:
        if not self.read_only:
            self.directory.mkdir(parents=True, exist_ok=True)
        file = self.directory / "data.mdb"
        size = file.stat().st_size if file.exists() else 0
        return lmdb.Environment(
            str(self.directory),
            map_size=max(_INITIAL_MAP_OCTETS, 2 * size),
            max_dbs=len(_OWN_TABLES) + len(LOG_TABLES),
            max_readers=64,
            max_spare_txns=4,
            readonly=self.read_only,
            # A reader without the lock may be handed pages that a writer reuses.
            lock=not self.read_only or os.access(self.directory, os.W_OK),
            readahead=False,
        )

    def _prepare(self, kept: int) -> None:
        try:
            if not self.read_only:
                self._metas = MetaPages(self.directory)
                _sync_directory(self.directory)
            self._open_tables(kept)
        except BaseException:
            # An environment left open could not be opened again by this process.
            self._environment.close()
            if self._metas is not None:
                self._metas.close()
            raise

    def _open_tables(self, kept: int) -> None:
        if self._metas is None:
            with self._environment.begin() as transaction:
                _check_names(transaction)
            # Each in a transaction of its own: py-lmdb never commits one that
            # reads, and what it opened is closed again with it.
            self._name_tables(create=False)
            with self._environment.begin() as transaction:
                self._check_format(transaction)
                self._check_transaction(transaction, transaction.id(), kept)
            return
        # One transaction for all: each costs a sync, and a network has many.
        with self._environment.begin(write=True) as transaction:
            self._metas.make_durable()
            tables = _check_names(transaction)
            self._name_tables(create=True, txn=transaction)
            self._check_format(transaction)
            newest = transaction.id() - 1
            found = self._check_transaction(transaction, newest, kept)
            if found != newest or transaction.stat()["entries"] != tables:
                self._put_transaction(transaction)
        self._metas.keep()

    def _name_tables(self, **options: Any) -> None:
        self.records, self.homes, self.entries, self.meta = (
            self._environment.open_db(name, **options) for name in _OWN_TABLES
        )
        self.log_tables = {
            name: self._environment.open_db(name.encode(), **options)
            for name in LOG_TABLES
        }
        self._handles = {
            "records": self.records,
            "homes": self.homes,
            "journal": self.entries,
            "meta": self.meta,
            **self.log_tables,
        }

    def _check_format(self, transaction: Any) -> None:
        octets = transaction.get(b"format", db=self.meta)
        found = U64.unpack(octets)[0] if octets else FORMAT
        if found > FORMAT:
            message = (
                f"the registry in {self.directory} has format {found}, "
                f"this version reads up to {FORMAT}"
            )
            raise VersionError(message)

    def _check_transaction(self, transaction: Any, newest: int, kept: int) -> int:
        """Check that the meta page of the newest transaction leads to its own tree.

        Or to that of the last one that was ours: another program may have written.

        Returns:
            The transaction that the tree names.
        """
        octets = transaction.get(_TRANSACTION_KEY, db=self.meta)
        found = int(U64.unpack(octets)[0]) if octets else newest
        # A copy that the engine has compacted counts from 1 again.
        if found not in (newest, kept) and newest > 1:
            message = (
                f"its newest meta page, of transaction {newest}, leads to what "
                f"transaction {found} wrote: a meta page is damaged"
            )
            raise CorruptError(message)
        return found

    def _put_transaction(self, transaction: Any) -> int:
        """Write into a tree of which transaction it is."""
        number: int = transaction.id()
        transaction.put(_TRANSACTION_KEY, U64.pack(number), db=self.meta)
        return number

    def snapshot(self) -> LmdbSnapshot:
        """Open a view of the last write.

        Raises:
            StoreError: The engine cannot.
        """
        try:
            return self._view(self._environment.begin())
        except lmdb.PanicError as error:
            if self._before is None:
                raise read_error(self.directory, error) from error
            return self._view(self._before, lent=True)
        except lmdb.Error as error:
            raise read_error(self.directory, error) from error

    def _view(self, transaction: Any, *, lent: bool = False) -> LmdbSnapshot:
        return LmdbSnapshot(
            self.directory,
            self._handles,
            transaction,
            lent=lent,
            is_sealed=self.is_sealed,
        )

    def get(self, name: bytes) -> Record | None:
        """Read one record in a view of its own."""
        with self.snapshot() as snapshot:
            return snapshot.get(name)

    def write(self, batch: Batch, sealer: Sealer | None = None) -> None:
        """Write a batch, and what seals it, in one transaction and one durable sync.

        Raises:
            MapFullError: Call `grow` and try again.
            DiskFullError: No room; nothing was written.
            ReadOnlyError: The directory was opened for reading.
            StoreError: Anything else; the caller must stop writing.
        """
        if self.read_only:
            message = f"the registry in {self.directory} is open for reading only"
            raise ReadOnlyError(message)
        try:
            self._before = self._environment.begin()
            number = self._write(batch, sealer)
        except lmdb.MapFullError as error:
            raise MapFullError(str(error)) from error
        except lmdb.Error as error:
            raise self._write_error(error) from error
        finally:
            if not self._stuck:
                self._before = None
        self._keep(number)

    def _write(self, batch: Batch, sealer: Sealer | None) -> int:
        with self._environment.begin(write=True) as transaction:
            if sealer is not None:
                tables = LmdbTables(transaction, self.log_tables)
                self._put_sealed(transaction, sealer.seal(batch, tables))
            self._put(transaction, batch)
            return self._put_transaction(transaction)

    def _is_stuck(self) -> bool:
        """Tell whether the engine takes no transactions any more."""
        try:
            self._environment.begin().abort()
        except lmdb.PanicError:
            return True
        except lmdb.Error:
            pass  # it may be closed, or out of readers: whoever reads is told
        return False

    def _write_error(self, error: lmdb.Error) -> StoreError:
        self._stuck = self._is_stuck()
        if not self._stuck:
            return _store_error(self.directory, error)
        message = (
            f"the registry in {self.directory} cannot write: {error}; "
            "a restart shows whether this was written"
        )
        return StoreError(message)

    def _keep(self, transaction: int) -> None:
        assert self._metas is not None
        try:
            self._metas.keep(transaction)
        except (OSError, CorruptError) as error:
            message = f"the registry in {self.directory} has written, but: {error}"
            raise StoreError(message) from error

    def _put(self, transaction: Any, batch: Batch) -> None:
        puts = []
        for name, record in batch.records.items():
            key = key_of(name)
            if record is None:
                transaction.delete(key, db=self.records)
            else:
                # A key that tells its name is that name.
                puts.append((key, encode_record(record, named=key is not name)))
        # Sorted keys let LMDB fill leaves left to right.
        puts.sort()
        self._put_many(transaction, self.records, puts)
        for prefix, home in batch.homes.items():
            if home is None:
                transaction.delete(prefix, db=self.homes)
            else:
                transaction.put(prefix, encode_home(home), db=self.homes)
        journal = [(U64.pack(serial), entry) for serial, entry in batch.journal]
        self._put_many(transaction, self.entries, journal, append=True)
        meta = [
            (TALLY_KEY + prefix, TALLY.pack(*tally))
            for prefix, tally in batch.tallies.items()
        ]
        meta.append((b"serial", U64.pack(batch.serial)))
        meta.append((b"format", U64.pack(FORMAT)))
        self._put_many(transaction, self.meta, meta)

    def _put_sealed(self, transaction: Any, puts: Puts) -> None:
        for table, items in puts.items():
            handle = self.log_tables[table]
            gone = [key for key, octets in items if octets is None]
            for key in gone:
                transaction.delete(key, db=handle)
            kept = [item for item in items if item[1] is not None] if gone else items
            self._put_many(transaction, handle, kept)

    def _put_many(
        self,
        transaction: Any,
        table: Any,
        items: Sequence[Any],
        *,
        append: bool = False,
    ) -> None:
        with transaction.cursor(db=table) as cursor:
            _, written = cursor.putmulti(items, append=append)
        if written != len(items):
            message = f"the engine took {written} of {len(items)} entries"
            raise StoreError(message)

    def grow(self) -> None:
        """Double the map; no transaction of this process may be open.

        Raises:
            StoreError: The engine cannot.
        """
        try:
            size = self._environment.info()["map_size"]
            self._environment.set_mapsize(2 * size)
        except lmdb.Error as error:
            message = f"the registry in {self.directory} cannot grow: {error}"
            raise StoreError(message) from error

    def close(self) -> None:
        """Release the files."""
        with contextlib.suppress(lmdb.Error):
            self._environment.close()
        metas, self._metas = self._metas, None
        if metas is not None:
            metas.close()


def _check_names(transaction: Any) -> int:
    """Check that the list of tables is whole, before one that is missing is made.

    Without it a damaged list would be a new, empty registry with a new log.

    Returns:
        How many there are.
    """
    with transaction.cursor() as cursor:
        names = list(cursor.iternext(keys=True, values=False))
    expected = transaction.stat()["entries"]
    if len(names) != expected:
        message = f"the list of tables has {len(names)} of {expected} left"
        raise CorruptError(message)
    known = {*_OWN_TABLES, *(name.encode() for name in LOG_TABLES)}
    for name in names:
        if name not in known:
            message = f"there is no table {name!r}: the list of tables is damaged"
            raise CorruptError(message)
    return len(names)


def _store_error(directory: Path, error: lmdb.Error) -> StoreError:
    number = _errno(error)
    if number in _FULL or (number == errno.EIO and _is_full(directory)):
        message = f"the disk of {directory} is full ({error}); nothing was written"
        return DiskFullError(message)
    return StoreError(f"the registry in {directory} cannot write: {error}")


def _errno(error: lmdb.Error) -> int | None:
    # py-lmdb puts the operating system's words into the text, not the number.
    words = str(error)
    known = (*_FULL, errno.EIO)
    return next((number for number in known if os.strerror(number) in words), None)


def _is_full(directory: Path) -> bool:
    # LMDB calls a write that the disk cut short an I/O error. Whether it was room
    # that lacked shows when the file is made longer, which does it no harm.
    try:
        with (directory / "data.mdb").open("ab", buffering=0) as file:
            return file.write(bytes(_PROBE_OCTETS)) != _PROBE_OCTETS
    except OSError as error:
        return error.errno in _FULL


def _sync_directory(directory: Path) -> None:
    # A new file is durable only once its directory entry is.
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
