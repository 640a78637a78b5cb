"""What a monitor remembers: whole or not at all, for one log and one process."""

import sqlite3

import pytest

from chain_anchor.monitor_file import MonitorFile, MonitorFileError
from chain_anchor.monitor_position import Position
from chain_anchor.note import Signer
from tests.served_log import ORIGIN, grown
from tests.small_log import private_key

KEY = Signer(ORIGIN, private_key(1)).key
NEW = Signer(ORIGIN, private_key(2)).key
POSITION = Position(ORIGIN, (NEW,), grown(1).signed_checkpoint())
A, B = b"a" * 9, b"b" * 9


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state"


def test_a_new_file_begins_at_the_beginning(path):
    file = MonitorFile.open(path, KEY)
    assert file.position() == Position(ORIGIN, (KEY,))
    assert list(file.items()) == []
    assert file.get(A) is None
    file.close()


def test_what_was_saved_is_there_again(path):
    file = MonitorFile.open(path, KEY)
    file.put([(B, b"2"), (A, b"1"), (B, None), (B, b"3")])
    file.save(POSITION)
    file.close()
    again = MonitorFile.open(path, KEY)
    assert again.position() == POSITION
    assert list(again.items()) == [(A, b"1"), (B, b"3")]
    assert again.get(A) == b"1"
    again.close()


def test_what_was_not_saved_is_not(path):
    file = MonitorFile.open(path, KEY)
    file.put([(A, b"1")])
    file.save(POSITION)
    file.put([(A, None), (B, b"2")])
    assert list(file.items()) == [(B, b"2")]
    file.revert()
    assert list(file.items()) == [(A, b"1")]
    file.put([(B, b"2")])
    file.close()
    again = MonitorFile.open(path, KEY)
    assert list(again.items()) == [(A, b"1")]
    again.close()


def test_one_process_at_a_time(path):
    file = MonitorFile.open(path, KEY)
    with pytest.raises(MonitorFileError, match="locked"):
        MonitorFile.open(path, KEY)
    file.close()
    MonitorFile.open(path, KEY).close()


def test_a_file_is_for_one_log_and_its_keys(path):
    MonitorFile.open(path, KEY).close()
    with pytest.raises(MonitorFileError, match="not with"):
        MonitorFile.open(path, NEW)
    with pytest.raises(MonitorFileError, match="not with"):
        MonitorFile.open(path, Signer("other", private_key(1)).key, pinned=False)
    file = MonitorFile.open(path, NEW, pinned=False)
    assert file.position().keys == (KEY,)
    file.save(POSITION)
    file.close()
    for key in (KEY, NEW):
        MonitorFile.open(path, key).close()


@pytest.mark.parametrize("octets", [b"no database at all, but long enough" * 99, b"x"])
def test_another_file_is_refused_and_left_alone(path, octets):
    path.write_bytes(octets)
    with pytest.raises(MonitorFileError):
        MonitorFile.open(path, KEY)
    assert path.read_bytes() == octets


def test_a_damaged_position_is_refused(path):
    file = MonitorFile.open(path, KEY)
    file.save(POSITION._replace(note=b"nonsense"))
    file.close()
    with pytest.raises(MonitorFileError, match="note"):
        MonitorFile.open(path, KEY)


def test_a_directory_is_no_file(tmp_path):
    with pytest.raises(MonitorFileError):
        MonitorFile.open(tmp_path, KEY)


def test_a_database_of_another_program_is_refused(path):
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE state (mine TEXT)")
    other.close()
    with pytest.raises(MonitorFileError, match="another program"):
        MonitorFile.open(path, KEY)
