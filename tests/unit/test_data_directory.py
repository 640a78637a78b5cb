"""The data directory: whose it is, what it refuses, what it leaves alone."""

import json
import os
import stat

import pytest

from resolver import data_directory
from resolver.data_directory import (
    FORMAT,
    DataDirectory,
    is_writable,
    write_atomically,
)
from resolver.errors import SetupError


def opened(path, seed=1):
    directory = DataDirectory.open(path, seed)
    directory.close()
    return directory


def refused(path, seed=1):
    with pytest.raises(SetupError) as caught:
        DataDirectory.open(path, seed)
    assert caught.value.hint
    return str(caught.value)


def listing(path):
    return {item.name: item.stat().st_mtime_ns for item in path.iterdir()}


def test_a_new_directory_is_made_with_its_parents(tmp_path):
    path = tmp_path / "a" / "b"
    directory = DataDirectory.open(path, 7)
    found = json.loads((path / "network.json").read_text())
    assert found.pop("instance") == directory.instance != ""
    assert found == {"format": FORMAT, "seed": 7}
    assert directory.node("x") == path / "nodes" / "x"
    for private in (directory.keys, directory.tls):
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert not directory.read_only
    directory.close()
    assert path.exists()


def test_it_opens_again_and_again(tmp_path):
    for _ in range(3):
        opened(tmp_path)


def test_a_temporary_directory_is_gone_after_closing():
    directory = DataDirectory.open(None, 1)
    assert directory.temporary
    assert (directory.path / "network.json").exists()
    directory.close()
    assert not directory.path.exists()


def test_a_directory_in_use_is_refused_until_it_is_closed(tmp_path):
    first = DataDirectory.open(tmp_path, 1)
    assert "in use" in refused(tmp_path)
    first.close()
    opened(tmp_path)


@pytest.mark.parametrize("change", [{"seed": 2}, {"format": FORMAT + 1}])
def test_another_seed_or_a_newer_format_is_refused_and_nothing_changed(
    tmp_path, change
):
    opened(tmp_path)
    file = tmp_path / "network.json"
    file.write_text(json.dumps({"format": FORMAT, "seed": 1, **change}))
    before = listing(tmp_path)
    message = refused(tmp_path)
    assert str(next(iter(change.values()))) in message
    assert str(tmp_path) in message
    assert listing(tmp_path) == before


def test_a_refusal_does_not_keep_the_directory_locked(tmp_path):
    opened(tmp_path, seed=1)
    assert "--seed 1" in refused(tmp_path, seed=2)
    opened(tmp_path, seed=1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "7",
        "not json",
        '{"format": 1}',
        '{"format": "x", "seed": 1}',
        '{"format": 1e999, "seed": 1}',
        "[" * 100_000,
        "\udcff",
    ],
)
def test_a_description_that_cannot_be_read_is_refused(tmp_path, text):
    opened(tmp_path)
    octets = text.encode(errors="surrogateescape")
    (tmp_path / "network.json").write_bytes(octets)
    assert "not the description of a network" in refused(tmp_path)
    assert (tmp_path / "network.json").read_bytes() == octets


def test_a_directory_of_something_else_is_left_without_a_trace(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    assert "thesis.txt" in refused(tmp_path)
    assert [item.name for item in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("left", ["lock", ".network.json.4711"])
def test_what_a_start_that_was_cut_off_left_is_no_hindrance(tmp_path, left):
    (tmp_path / left).write_text("")
    opened(tmp_path)


def test_more_files_beside_a_network_are_no_hindrance(tmp_path):
    opened(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    opened(tmp_path)


def test_a_file_instead_of_a_directory_is_refused(tmp_path):
    file = tmp_path / "file"
    file.write_text("x")
    for path in (file, file / "below"):
        assert str(path) in refused(path)


def test_a_read_only_directory_is_opened_without_writing(tmp_path, monkeypatch):
    opened(tmp_path)
    before = listing(tmp_path)
    monkeypatch.setattr(data_directory, "is_writable", lambda _: False)
    first, second = DataDirectory.open(tmp_path, 1), DataDirectory.open(tmp_path, 1)
    assert first.read_only
    assert second.read_only
    assert listing(tmp_path) == before
    first.close()
    second.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_directory_without_write_permission_counts_as_read_only(tmp_path):
    tmp_path.chmod(0o500)
    assert not is_writable(tmp_path)
    tmp_path.chmod(0o700)


def test_what_does_not_exist_is_as_writable_as_where_it_would_be(tmp_path):
    assert is_writable(tmp_path / "a" / "b" / "c")


def test_a_file_is_written_whole_with_its_mode(tmp_path):
    file = tmp_path / "ready.json"
    write_atomically(file, "first", mode=0o600)
    write_atomically(file, "第二", mode=0o600)
    assert file.read_text() == "第二"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [item.name for item in tmp_path.iterdir()] == ["ready.json"]


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    file = tmp_path / "ready.json"
    write_atomically(file, "old")

    def fail(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(data_directory.os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_atomically(file, "new")
    assert file.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["ready.json"]
