"""The pages from which all others hang: what is kept of them, and what that finds."""

import os
import random
import shutil
import struct

import lmdb
import pytest

from registry.errors import ReadOnlyError, StoreError
from registry.service import Registry
from registry.store.interface import Batch
from registry.store.lmdb import LmdbStore
from registry.store.meta_pages import DATA_FILE, NEWEST_FILE
from tests.faults.disk import Disk, Fault, Place
from tests.faults.interposition import why_not
from tests.registries import InlineExecutor, create, home, name, seed

PAGE_OCTETS = os.sysconf("SC_PAGESIZE")
MEANT = range(8, 152)
"""Octets of a meta page that the engine, or we, look at."""

needs_interposition = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


def write(directory, *serials):
    """Write a transaction for each serial."""
    store = LmdbStore(directory)
    for serial in serials:
        store.write(Batch(serial, homes={b"88.100.%d" % serial: home(b"88.100")}))
    store.close()


def serial_of(directory) -> int:
    store = LmdbStore(directory)
    with store.snapshot() as snapshot:
        serial = snapshot.serial
    store.close()
    return serial


def flip(file, bit: int):
    octets = bytearray(file.read_bytes())
    octets[bit // 8] ^= 1 << bit % 8
    file.write_bytes(octets)


# Five and six: one bit makes six of four, and four of six.
@pytest.mark.parametrize("page", [0, 1])
@pytest.mark.parametrize("transactions", [4, 5])
def test_no_bit_of_a_meta_page_takes_a_transaction_back(tmp_path, page, transactions):
    whole, copy = tmp_path / "whole", tmp_path / "copy"
    write(whole, *range(1, transactions + 1))
    refused = 0
    for place in MEANT:
        for bit in range(8):
            shutil.copytree(whole, copy)
            flip(copy / DATA_FILE, 8 * (page * PAGE_OCTETS + place) + bit)
            try:
                assert serial_of(copy) == transactions, (place, bit)
            except StoreError:
                refused += 1
            shutil.rmtree(copy)
    assert refused > 100


def test_a_data_file_that_is_older_than_what_was_written_is_refused(tmp_path):
    write(tmp_path, 1)
    older = (tmp_path / DATA_FILE).read_bytes()
    write(tmp_path, 2)
    (tmp_path / DATA_FILE).write_bytes(older)
    with pytest.raises(StoreError, match="or the file is an older copy"):
        LmdbStore(tmp_path)
    with pytest.raises(StoreError, match="or the file is an older copy"):
        LmdbStore(tmp_path, read_only=True)


@pytest.mark.parametrize("later", [[2], [2, 3], [2, 3, 4]])
def test_what_is_kept_may_be_older_than_the_data(tmp_path, later):
    # A kill between the two, or a loss of power.
    write(tmp_path, 1)
    kept = (tmp_path / NEWEST_FILE).read_bytes()
    write(tmp_path, *later)
    (tmp_path / NEWEST_FILE).write_bytes(kept)
    assert serial_of(tmp_path) == later[-1]


def test_another_program_may_have_written(tmp_path):
    write(tmp_path, 1)
    for serial in range(2, 5):
        for _ in range(serial):
            with lmdb.open(str(tmp_path), max_dbs=8) as environment:
                meta = environment.open_db(b"meta")
                with environment.begin(write=True, db=meta) as transaction:
                    transaction.put(b"serial", serial.to_bytes(8))
        for _ in range(2):
            assert serial_of(tmp_path) == serial
            LmdbStore(tmp_path, read_only=True).close()


def test_what_is_kept_may_be_missing_or_damaged(tmp_path):
    write(tmp_path, 1, 2)
    kept = tmp_path / NEWEST_FILE
    whole = kept.read_bytes()
    for octets in (None, b"", whole[:-1], *_flipped(whole)):
        kept.unlink() if octets is None else kept.write_bytes(octets)
        assert serial_of(tmp_path) == 2
        assert kept.read_bytes() == whole


def _flipped(whole: bytes):
    for place in range(len(whole)):
        yield whole[:place] + bytes((whole[place] ^ 0x10,)) + whole[place + 1 :]


def test_both_meta_pages_are_on_the_disk_before_a_store_is_used(tmp_path, monkeypatch):
    write(tmp_path, 1, 2, 3)
    metas = (tmp_path / DATA_FILE).read_bytes()[: 2 * PAGE_OCTETS]
    calls = []
    pwrite, fsync = os.pwrite, os.fsync

    def told_pwrite(descriptor, octets, offset):
        calls.append(("write", octets, offset))
        return pwrite(descriptor, octets, offset)

    def told_fsync(descriptor):
        calls.append(("sync", os.fstat(descriptor).st_ino))
        fsync(descriptor)

    monkeypatch.setattr(os, "pwrite", told_pwrite)
    monkeypatch.setattr(os, "fsync", told_fsync)
    store = LmdbStore(tmp_path)
    monkeypatch.undo()
    store.close()
    file = (tmp_path / DATA_FILE).stat().st_ino
    assert calls.index(("write", metas, 0)) + 1 == calls.index(("sync", file))


def test_a_store_that_cannot_sync_its_meta_pages_is_not_opened(tmp_path, monkeypatch):
    write(tmp_path, 1)

    def fail(_):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(StoreError, match="Input/output error"):
            LmdbStore(tmp_path)
    assert serial_of(tmp_path) == 1


def test_a_table_of_another_name_is_not_replaced_by_an_empty_one(tmp_path):
    write(tmp_path, 1)
    file = tmp_path / DATA_FILE
    file.write_bytes(file.read_bytes().replace(b"records", b"recorts"))
    for read_only in (False, True):
        with pytest.raises(StoreError, match="there is no table b'recorts'"):
            LmdbStore(tmp_path, read_only=read_only)


def test_a_list_of_tables_that_has_lost_some_is_not_filled_up(tmp_path):
    write(tmp_path, 1)
    with lmdb.open(str(tmp_path)) as environment, environment.begin() as transaction:
        tables = transaction.stat()["entries"]
    file = tmp_path / DATA_FILE
    # The end of the list of entries in a page's header, two octets for each.
    header = struct.Struct("=8xHHH")
    octets = bytearray(file.read_bytes())
    for page in range(0, len(octets), PAGE_OCTETS):
        if b"records" in octets[page : page + PAGE_OCTETS]:
            pad, flags, lower = header.unpack_from(octets, page)
            assert lower == 16 + 2 * tables
            header.pack_into(octets, page, pad, flags, lower - 4)
    file.write_bytes(octets)
    with pytest.raises(StoreError, match=f"has {tables - 2} of {tables} left"):
        LmdbStore(tmp_path)


# Where Python stands between the engine and libc


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "store", tmp_path / "disk")


@needs_interposition
@pytest.mark.parametrize(
    "fault", [Fault.META_FAILS, Fault.META_FULL, Fault.META_STUCK, Fault.SHORT_META]
)
async def test_reading_goes_on_when_the_write_of_a_meta_page_fails(place, fault):
    disk = Disk(place, fault, 4, random.Random(1))
    with disk.under_the_engine():
        store = LmdbStore(place.directory)
        seed(store, home())
        registry = Registry(store, InlineExecutor())
        await registry.submit(create("kept"))
        with pytest.raises(StoreError, match="a restart shows whether"):
            await registry.submit(create("lost"))
        assert disk.struck
        assert registry.stopped is not None
        with pytest.raises(ReadOnlyError):
            await registry.submit(create("refused"))
        # What the failed write left in the page cache is not to be seen.
        for _ in range(3):
            assert registry.get(name("kept")).serial == 1
            assert registry.get(name("lost")) is None
            with store.snapshot() as snapshot:
                assert snapshot.serial == 1
        store.close()


@needs_interposition
def test_a_meta_page_that_did_not_arrive_is_found_at_once(place):
    disk = Disk(place, Fault.NONE, 1, random.Random(1))
    with disk.under_the_engine():
        store = LmdbStore(place.directory)
        seed(store, home())
        disk._write = lambda _, write: len(write.octets)
        with pytest.raises(StoreError, match="the newest transaction in the file is"):
            store.write(Batch(1))
    store.close()
