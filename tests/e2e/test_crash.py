"""Nothing acknowledged is lost to SIGKILL, and nothing is half there.

A child writes and tells what was acknowledged; it is killed after a number of
acknowledgements that the round's seed chooses, so the moment falls anywhere in a
group: evaluation, write, sync, acknowledgement. All rounds use one directory, which
grows. SIGKILL leaves the page cache: this is no test of a loss of power.
"""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from registry.journal import decode_entry, digest_of
from registry.store.lmdb import LmdbStore
from tests.registries import PREFIX

ROOT = Path(__file__).parents[2]
ROUNDS = 20
SOAK_ROUNDS = int(os.environ.get("IDIS_SOAK_ROUNDS", "200"))
NO_RECORD = bytes(32)

Acknowledged = list[tuple[int, bytes, bytes]]


def test_no_acknowledged_change_is_lost_to_a_kill(tmp_path):
    _rounds(tmp_path, ROUNDS)


@pytest.mark.soak
@pytest.mark.timeout(30 * SOAK_ROUNDS)
def test_no_acknowledged_change_is_lost_to_many_kills(tmp_path):
    _rounds(tmp_path, SOAK_ROUNDS)


def _rounds(directory: Path, rounds: int) -> None:
    last = 0
    for number in range(rounds):
        acknowledged = _storm_and_kill(directory, number)
        assert acknowledged, f"round {number}: nothing was acknowledged"
        last = _check(directory, acknowledged, last)


def _storm_and_kill(directory: Path, number: int) -> Acknowledged:
    enough = random.Random(number).randint(1, 1500)
    command = [sys.executable, "-m", "tests.e2e.storm", directory, str(number)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
    assert child.stdout is not None
    with child.stdout:
        lines = [child.stdout.readline() for _ in range(enough)]
        child.send_signal(signal.SIGKILL)
        # The pipe keeps what was acknowledged before the kill arrived.
        lines += child.stdout.readlines()
    assert child.wait() == -signal.SIGKILL
    assert all(line.endswith(b"\n") for line in lines)
    return [_read(line) for line in lines]


def _read(line: bytes) -> tuple[int, bytes, bytes]:
    serial, subject, digest = line.split(b" ")
    return int(serial), subject, bytes.fromhex(digest.decode())


def _check(directory: Path, acknowledged: Acknowledged, last: int) -> int:
    """Check one round against what is on disk, and give the last serial."""
    store = LmdbStore(directory)
    with store.snapshot() as snapshot:
        entries = [decode_entry(*line) for line in snapshot.journal(0)]
        serials = [entry.serial for entry in entries]
        assert serials == list(range(1, snapshot.serial + 1))
        assert snapshot.serial >= max(serial for serial, _, _ in acknowledged)
        assert min(serial for serial, _, _ in acknowledged) > last
        for serial, subject, digest in acknowledged:
            entry = entries[serial - 1]
            assert (entry.name, entry.digest) == (subject, digest)
        # Each name is as its last entry left it: decoded whole, nothing else there.
        left = {entry.name: entry for entry in entries}
        for subject, entry in left.items():
            record = snapshot.get(subject)
            if entry.digest == NO_RECORD:
                assert record is None
            else:
                assert record is not None
                assert record.serial == entry.serial
                assert digest_of(record.values_octets) == entry.digest
                assert record.values
        there = {name for name, entry in left.items() if entry.digest != NO_RECORD}
        assert set(snapshot.names(PREFIX)) == there
        assert snapshot.tally(PREFIX).identifiers == len(there)
        last = snapshot.serial
    store.close()
    return last
