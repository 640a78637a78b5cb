"""Where the fast path can run, where its kernels are kept, and small parts of it."""

import asyncio
import socket
import sys
from importlib import metadata

import pytest

from resolver.fastpath import compiling, doorkeeper
from resolver.fastpath.compiling import NoFastPathError, check_machine


def test_this_machine_will_do_if_numba_is_there():
    pytest.importorskip("numba", exc_type=ImportError)
    if sys.platform == "linux":
        check_machine()


@pytest.mark.parametrize(
    ("where", "name", "value", "why"),
    [
        (sys, "platform", "darwin", "it needs Linux, this is darwin"),
        (sys, "byteorder", "big", "it needs a 64-bit little-endian machine"),
        (sys, "maxsize", (1 << 31) - 1, "it needs a 64-bit little-endian machine"),
    ],
)
def test_another_machine_will_not_do(monkeypatch, where, name, value, why):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(where, name, value)
    with pytest.raises(NoFastPathError, match=why):
        check_machine()


def test_without_numba_there_is_no_fast_path(monkeypatch):
    def version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(compiling.metadata, "version", version)
    with pytest.raises(NoFastPathError, match="numba is not installed"):
        check_machine()


def test_kernels_of_other_sources_versions_and_processors_lie_elsewhere(
    monkeypatch, tmp_path
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    own = compiling.kernel_directory()
    assert own.parent == tmp_path / "idis-emulator" / "kernels"
    assert compiling.kernel_directory() == own
    found = {own}
    with monkeypatch.context() as patch:
        patch.setattr(compiling, "_processor", lambda: "another")
        found.add(compiling.kernel_directory())
    with monkeypatch.context() as patch:
        patch.setattr(compiling.metadata, "version", lambda name: "0.0")
        found.add(compiling.kernel_directory())
    with monkeypatch.context() as patch:
        patch.setattr(compiling.resources, "files", lambda package: tmp_path)
        (tmp_path / "a.py").write_text("1")
        found.add(compiling.kernel_directory())
        (tmp_path / "a.py").write_text("2")
        found.add(compiling.kernel_directory())
    assert len(found) == 5


def test_kernels_count_as_compiled_once_that_was_noted(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert not compiling.are_compiled()
    compiling.kernel_directory().mkdir(parents=True)
    compiling.note_compiled()
    assert compiling.are_compiled()


async def test_a_compiler_that_fails_says_why_in_its_last_line(monkeypatch, tmp_path):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho first >&2\necho the reason >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(NoFastPathError, match=r"do not compile: the reason$"):
        await compiling.compile_apart()


async def test_compiling_that_takes_too_long_is_ended(monkeypatch, tmp_path):
    endless = tmp_path / "python"
    endless.write_text("#!/bin/sh\nexec sleep 1000\n")
    endless.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(endless))
    monkeypatch.setattr(compiling, "_COMPILE_SECONDS", 0.05)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(10):
            await compiling.compile_apart()


def test_a_question_is_known_the_second_time():
    keeper = doorkeeper.Doorkeeper()
    questions = [b"question %d" % number for number in range(1000)]
    assert sum(map(keeper.knows, questions)) < 5
    assert all(map(keeper.knows, questions))


def test_the_doorkeeper_starts_anew_before_it_is_full(monkeypatch):
    monkeypatch.setattr(doorkeeper, "_BITS", 1 << 10)
    monkeypatch.setattr(doorkeeper, "_MAX_NOTED", 1 << 9)
    keeper = doorkeeper.Doorkeeper()
    for number in range(5000):
        keeper.knows(b"question %d" % number)
        held = sum(octet.bit_count() for octet in keeper._table)
        assert held <= 1 << 9


@pytest.mark.parametrize(
    ("host", "family", "length"),
    [("127.0.0.1", socket.AF_INET, 2), ("::1", socket.AF_INET6, 4)],
)
def test_an_address_is_read_as_python_writes_it(host, family, length):
    pytest.importorskip("numba", exc_type=ImportError)
    from resolver.faces.fast_path import address_of

    port = 0x1234
    octets = socket.inet_pton(family, host)
    name = int(family).to_bytes(2, sys.byteorder) + port.to_bytes(2, "big")
    if family == socket.AF_INET:
        name += octets + bytes(8)
    else:
        name += (7).to_bytes(4, "big") + octets + (9).to_bytes(4, sys.byteorder)
    assert address_of(name) == (host, port, 7, 9)[:length]
