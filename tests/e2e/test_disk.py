"""Disks that are full or read-only.

Each scene runs in a child process: a real tmpfs in a mount namespace of its own, so
that the host sees nothing of it, or a limit on the size of files where no such mount
may be made. A scene is a function below; its asserts are the test's.
"""

import asyncio
import contextlib
import functools
import os
import resource
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from registry.change import Receipt
from registry.errors import DiskFullError, ReadOnlyError, StoreError
from registry.journal import decode_entry
from registry.service import Registry
from registry.store.lmdb import LmdbStore
from tests.registries import create, home, name, seed, url

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 60
TMPFS_OCTETS = 3 << 20
FILE_LIMIT_OCTETS = 2 << 20


def _mounted(script: str, directory: Path, **options) -> subprocess.CompletedProcess:
    """Run a shell script where a small tmpfs lies on `directory`."""
    mount = f'mount -t tmpfs -o size={TMPFS_OCTETS} tmpfs "$1" && '
    command = ["unshare", "-m", "sh", "-ec", mount + script, "sh", directory]
    return subprocess.run(
        command,
        cwd=ROOT,
        timeout=DEADLINE_SECONDS,
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


@functools.cache
def _why_no_mount() -> str | None:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return "a mount of one's own needs root and unshare"
    tried = _mounted("true", Path("/mnt"))
    return tried.stderr.strip() or "no mount" if tried.returncode else None


@pytest.fixture
def tmpfs(tmp_path):
    if reason := _why_no_mount():
        pytest.skip(f"no tmpfs can be mounted here: {reason}")
    return tmp_path


def _scene(scene) -> str:
    return f'exec "{sys.executable}" -m tests.e2e.test_disk {scene.__name__} "$1"'


def test_a_full_disk_loses_nothing_and_recovers(tmpfs):
    result = _mounted(_scene(full_and_freed), tmpfs)
    assert result.returncode == 0, result.stderr


def test_a_full_disk_does_not_keep_a_store_from_opening(tmpfs):
    fill = 'head -c 10000000 /dev/zero >"$1/fill" 2>/dev/null || true; '
    script = f"({_scene(written)}); {fill} {_scene(opened_when_full)}"
    result = _mounted(script, tmpfs)
    assert result.returncode == 0, result.stderr


def test_a_read_only_disk_is_read_and_refuses_writes(tmpfs):
    remount = 'mount -o remount,ro "$1"; '
    script = f"({_scene(written)}); {remount} {_scene(read_only)}"
    result = _mounted(script, tmpfs)
    assert result.returncode == 0, result.stderr


def test_a_file_at_its_limit_loses_nothing_and_recovers(tmp_path):
    command = [sys.executable, "-m", "tests.e2e.test_disk", "limited", tmp_path]
    subprocess.run(command, cwd=ROOT, timeout=DEADLINE_SECONDS, check=True)


@contextlib.asynccontextmanager
async def _opened(directory: Path, **options):
    store = LmdbStore(directory / "registry", **options)
    with ThreadPoolExecutor(1) as executor:
        registry = Registry(store, executor)
        yield registry
        await registry.drain()
    store.close()


async def _write_until_refused(registry: Registry, first: int) -> list[Receipt]:
    """Write groups until one is refused as a whole; the disk must be the reason."""
    receipts: list[Receipt] = []
    for start in range(first, first + 20_000, 20):
        changes = [create(n, url(1, bytes(1000))) for n in range(start, start + 20)]
        outcomes = await asyncio.gather(
            *map(registry.submit, changes), return_exceptions=True
        )
        made = [outcome for outcome in outcomes if isinstance(outcome, Receipt)]
        receipts += made
        if not made:
            for refusal in outcomes:
                _check_refusal(refusal, registry)
            return receipts
        assert len(made) == len(outcomes)
    message = "the disk never filled"
    raise AssertionError(message)


def _check_refusal(refusal: object, registry: Registry) -> None:
    assert isinstance(refusal, DiskFullError), repr(refusal)
    assert registry.stopped is None
    directory = str(registry.store.directory)
    assert f"the disk of {directory} is full" in str(refusal)
    assert "nothing was written" in str(refusal)


def _check_kept(registry: Registry, receipts: list[Receipt]) -> None:
    for receipt in receipts:
        assert registry.get(receipt.name) == receipt.record
    with registry.store.snapshot() as snapshot:
        entries = [decode_entry(*line) for line in snapshot.journal(0)]
    assert [entry.serial for entry in entries] == [r.serial for r in receipts]
    assert [entry.name for entry in entries] == [r.name for r in receipts]


async def full_and_freed(directory: Path) -> None:
    ballast = directory / "ballast"
    ballast.write_bytes(bytes(TMPFS_OCTETS // 2))
    await _fill_twice(directory, ballast.unlink)


async def limited(directory: Path) -> None:
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_LIMIT_OCTETS, unlimited[1]))
    twice = (2 * FILE_LIMIT_OCTETS, unlimited[1])
    await _fill_twice(
        directory, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, twice)
    )


async def _fill_twice(directory: Path, make_room) -> None:
    async with _opened(directory) as registry:
        seed(registry.store, home())
        receipts = await _write_until_refused(registry, 0)
        assert receipts
        _check_kept(registry, receipts)
        # Still full: refused again, still reading, still not given up.
        for _ in range(5):
            assert await _write_until_refused(registry, 50_000) == []
        _check_kept(registry, receipts)
        make_room()
        more = await _write_until_refused(registry, 100_000)
        assert more
        _check_kept(registry, receipts + more)
    async with _opened(directory) as registry:
        _check_kept(registry, receipts + more)


async def written(directory: Path) -> None:
    async with _opened(directory) as registry:
        seed(registry.store, home())
        await registry.submit(create("kept"))


async def opened_when_full(directory: Path) -> None:
    assert not os.statvfs(directory).f_bavail
    async with _opened(directory) as registry:
        assert registry.get(name("kept")) is not None
        with pytest.raises(DiskFullError):
            await registry.submit(create("x", url(1, bytes(500_000))))
        assert registry.get(name("kept")) is not None
        (directory / "fill").unlink()
        await registry.submit(create("x", url(1, bytes(500_000))))


async def read_only(directory: Path) -> None:
    with pytest.raises(StoreError, match="Read-only file system"):
        LmdbStore(directory / "registry")
    with pytest.raises(StoreError, match="Read-only file system"):
        LmdbStore(directory / "new")
    async with _opened(directory, read_only=True) as registry:
        for _ in range(2):
            with pytest.raises(ReadOnlyError, match="open for reading only") as found:
                await registry.submit(create("x"))
            assert found.value.code == 7
            kept = registry.get(name("kept"))
            assert kept is not None
            assert kept.serial == 1


if __name__ == "__main__":
    scenes = (full_and_freed, limited, written, opened_when_full, read_only)
    chosen = {scene.__name__: scene for scene in scenes}[sys.argv[1]]
    asyncio.run(chosen(Path(sys.argv[2])))
