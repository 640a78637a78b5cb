"""The queue of checkpoints: what it remembers, and what damage does to it."""

import errno
import os

import pytest

from resolver.anchoring import journal as module
from resolver.anchoring.frames import encode_frame, read_frames
from resolver.anchoring.journal import Journal
from resolver.anchoring.records import Confirmed, Remembered, decode_record
from resolver.errors import SetupError
from tests.anchored_queues import CHAIN, abandoned, confirmation, queued

FIRST, SECOND = queued(1, 10), queued(2, 20)


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "anchoring"


def written(directory, *records):
    journal = Journal.open(directory)
    for record in records:
        journal.write(record)
    journal.close()
    return journal


def reopened(directory) -> Journal:
    journal = Journal.open(directory)
    journal.close()
    return journal


def test_what_was_written_is_there_after_a_restart(directory):
    journal = written(directory, CHAIN, FIRST, confirmation(FIRST), SECOND)
    again = reopened(directory)
    assert again.remembered == journal.remembered
    assert again.remembered == Remembered(CHAIN, Confirmed(FIRST, 2), SECOND)


def test_an_abandoned_transaction_is_not_under_way(directory):
    written(directory, FIRST, confirmation(FIRST), SECOND, abandoned(SECOND))
    assert reopened(directory).remembered == Remembered(newest=Confirmed(FIRST, 2))
    written(directory, abandoned(FIRST))
    assert reopened(directory).remembered == Remembered()


@pytest.mark.parametrize(
    "records",
    [
        [FIRST, SECOND],
        [confirmation(FIRST)],
        [FIRST, confirmation(SECOND)],
        [abandoned(FIRST)],
    ],
)
def test_a_record_that_does_not_follow_is_refused(directory, records):
    with pytest.raises(ValueError, match=r"is queued|is confirmed|is abandoned"):
        written(directory, *records)
    assert len(reopened(directory).remembered.records()) == len(records) - 1


@pytest.mark.parametrize("lost", [1, 4, 9, 60, 200])
def test_a_torn_tail_is_cut_off(directory, lost):
    journal = written(directory, CHAIN, FIRST)
    octets = journal.file.read_bytes()
    journal.file.write_bytes(octets[:-lost])
    again = Journal.open(directory)
    assert again.remembered == Remembered(CHAIN)
    assert again.torn_octets > 0
    again.write(SECOND)
    again.close()
    assert reopened(directory).remembered == Remembered(CHAIN, pending=SECOND)


def test_octets_of_another_write_at_the_end_are_cut_off(directory):
    journal = written(directory, CHAIN, FIRST)
    with journal.file.open("ab") as file:
        file.write(bytes(4096))
    again = reopened(directory)
    assert again.remembered == Remembered(CHAIN, pending=FIRST)
    assert again.torn_octets == 4096


def test_damage_in_the_middle_is_an_error_with_file_and_offset(directory):
    journal = written(directory, CHAIN, FIRST, confirmation(FIRST), SECOND)
    octets = journal.file.read_bytes()
    start = octets.index(b"\n") + 1
    last = max(frame.offset for frame in read_frames(octets, start))
    for place in range(start, last, 7):
        flipped = bytearray(octets)
        flipped[place] ^= 0x40
        journal.file.write_bytes(flipped)
        with pytest.raises(SetupError, match="is damaged at") as refused:
            Journal.open(directory)
        assert str(journal.file) in str(refused.value)
        assert "begin a new queue" in refused.value.hint
    assert journal.file.read_bytes() == bytes(flipped)  # nothing of it was changed


def test_another_format_is_an_error(directory):
    journal = written(directory, CHAIN)
    journal.file.write_bytes(b"idis anchoring 9\n")
    with pytest.raises(SetupError, match="'idis anchoring 1' expected"):
        Journal.open(directory)


def test_it_stays_small_however_long_it_runs(directory, monkeypatch):
    monkeypatch.setattr(module, "MAX_OCTETS", 8192)
    journal = Journal.open(directory)
    longest = 0
    for nonce in range(1, 50):
        record = queued(nonce, nonce)
        journal.write(record)
        journal.write(confirmation(record, nonce))
        longest = max(longest, journal.file.stat().st_size)
    journal.close()
    assert longest < 8192 + 2048
    assert reopened(directory).remembered.newest == Confirmed(record, 49)


def test_a_full_disk_loses_nothing_that_was_written(directory, monkeypatch):
    journal = Journal.open(directory)
    journal.write(FIRST)
    sync = os.fsync

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for _ in range(2):
        with pytest.raises(OSError, match="No space"):
            journal.write(confirmation(FIRST))
        assert journal.remembered == Remembered(pending=FIRST)
    monkeypatch.setattr(os, "fsync", sync)
    journal.write(confirmation(FIRST))
    journal.write(SECOND)
    journal.close()
    assert [item.name for item in directory.iterdir()] == ["journal"]
    expected = Remembered(newest=Confirmed(FIRST, 2), pending=SECOND)
    assert reopened(directory).remembered == expected


def test_frames_do_not_count_at_another_place():
    frame = encode_frame(1, b"{}", 20)
    assert list(read_frames(bytes(20) + frame, 20))
    assert not list(read_frames(bytes(21) + frame, 21))


@pytest.mark.parametrize("octets", [b"", b"[]", b"{}", b"7", b'{"note": 1}', b"\xff"])
@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4, 5])
def test_what_is_no_record_is_refused(kind, octets):
    with pytest.raises(ValueError):  # noqa: PT011 (whatever is wrong, it is that)
        decode_record(kind, octets)
