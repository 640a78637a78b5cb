"""Nothing acknowledged is lost to SIGKILL, nothing is half there or contradicted.

A child runs a network, writes to one of its nodes and tells what was acknowledged; a
reader outside fetches the log's checkpoint over and over. The child is killed after a
number of acknowledgements that the round's seed chooses, so the moment falls anywhere
in a group: evaluation, sealing, write, sync, acknowledgement. In every other round it
is killed as soon as the reader has seen so many checkpoints: none may be shown before
it is on disk. All rounds use one directory, which grows; nobody repairs anything in
between. SIGKILL leaves the page cache: what a loss of power leaves is in `tests.faults`.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from registry.journal import decode_entry, digest_of
from registry.store.lmdb import LmdbStore
from tests.e2e.log_reader import LogReader, Served, Watch
from tests.registries import PREFIX

ROOT = Path(__file__).parents[2]
IDIS = (sys.executable, "-m", "resolver.cli")
NODE = "xuguang-fibre"
ROUNDS = 20
SOAK_ROUNDS = int(os.environ.get("IDIS_SOAK_ROUNDS", "200"))
PROVEN = 25
"""Names of each round that are proven after it; at the end all are."""

AUDIT_SECONDS = 600
NO_RECORD = bytes(32)


class Acknowledged(NamedTuple):
    """A change, as its asker was told of it."""

    serial: int
    name: bytes
    digest: bytes

    @classmethod
    def parse(cls, line: bytes) -> "Acknowledged":
        assert line.endswith(b"\n")
        serial, name, digest = line.split(b" ")
        return cls(int(serial), name, bytes.fromhex(digest.decode()))


@pytest.mark.timeout(10 * ROUNDS)
def test_no_acknowledged_change_is_lost_to_a_kill(tmp_path, keys):
    Storms(tmp_path, keys).run(ROUNDS, audited_every=10)


@pytest.mark.soak
@pytest.mark.timeout(AUDIT_SECONDS + 30 * SOAK_ROUNDS)
def test_no_acknowledged_change_is_lost_to_many_kills(tmp_path, keys):
    Storms(tmp_path, keys).run(SOAK_ROUNDS, audited_every=50)


class Storms:
    """One directory, one storm after the other."""

    def __init__(self, directory: Path, keys: Path) -> None:
        self.last = 0
        """Serial of the last change that is on disk."""

        self.records: dict[bytes, bytes] = {}
        """Digest of what each name was left as, by the journal."""

        self._directory, self._keys = directory, keys
        self._reader = LogReader()
        self._pinned: str | None = None

    def run(self, rounds: int, audited_every: int) -> None:
        changed: list[bytes] = []
        for number in range(rounds):
            acknowledged = self._storm_and_kill(number, changed)
            assert acknowledged, f"round {number}: nothing was acknowledged"
            self._check_stored(acknowledged)
            changed = [change.name for change in acknowledged]
            if number % audited_every == audited_every - 1:
                self._audit()
        with self._started("end") as (_, served):
            self._check_served(served, list(self.records))
        self._audit()

    def _storm_and_kill(self, number: int, changed: list[bytes]) -> list[Acknowledged]:
        chance = random.Random(number)
        enough = chance.randint(1, 1500)
        most = chance.randint(4, 12) if number % 2 else sys.maxsize
        proven = chance.sample(changed, min(PROVEN, len(changed)))
        with self._started(str(number)) as (child, served):
            # As the kill before left it: nothing has been written since.
            self._check_served(served, proven)
            watch = Watch(served, child.kill, most)
            child.stdin.write(b"begin\n")
            child.stdin.flush()
            if most == sys.maxsize:
                lines = [child.stdout.readline() for _ in range(enough)]
                child.kill()
            else:
                lines = []
            # The pipe keeps what was acknowledged before the kill arrived.
            lines += child.stdout.readlines()
            watch.end()
        for note in watch.notes:
            self._reader.see(served, note)
        return list(map(Acknowledged.parse, lines))

    @contextlib.contextmanager
    def _started(self, seed: str) -> Iterator[tuple[subprocess.Popen[bytes], Served]]:
        storm = (sys.executable, "-m", "tests.e2e.storm")
        child = subprocess.Popen(
            [*storm, self._directory, self._keys, seed],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        with child:
            try:
                line = child.stdout.readline().decode()
                assert line, "it has not started"
                yield child, self._pinned_at(Served.parse(line))
            finally:
                child.kill()
        assert child.returncode == -signal.SIGKILL

    def _pinned_at(self, served: Served) -> Served:
        """Believe the key that the log had when it was first seen, and no other."""
        self._pinned = self._pinned or str(served.key)
        assert str(served.key) == self._pinned
        return served

    def _check_served(self, served: Served, names: list[bytes]) -> None:
        """Check the log, and some records' proofs, as they are served."""
        self._reader.check(served)
        connection = served.connect()
        with contextlib.closing(connection):
            for name in names:
                proven = self._reader.verify(served, connection, name)
                assert digest_of(proven.record) == self.records[name], name

    def _check_stored(self, acknowledged: list[Acknowledged]) -> None:
        """Check what is on disk, without changing it."""
        store = LmdbStore(self._directory / "data" / "nodes" / NODE, read_only=True)
        with store.snapshot() as snapshot:
            entries = [decode_entry(*line) for line in snapshot.journal(0)]
            serials = [entry.serial for entry in entries]
            assert serials == list(range(1, snapshot.serial + 1))
            assert snapshot.serial >= max(change.serial for change in acknowledged)
            assert min(change.serial for change in acknowledged) > self.last
            for serial, name, digest in acknowledged:
                entry = entries[serial - 1]
                assert (entry.name, entry.digest) == (name, digest)
            # Each name is as its last entry left it: decoded whole, nothing else there.
            left = {entry.name: entry for entry in entries if b"/" in entry.name}
            for name, entry in left.items():
                record = snapshot.get(name)
                if entry.digest == NO_RECORD:
                    assert record is None
                else:
                    assert record is not None
                    assert record.serial == entry.serial
                    assert digest_of(record.values_octets) == entry.digest
                    assert record.values
            there = {
                name
                for name, entry in left.items()
                if entry.digest != NO_RECORD and name.startswith(PREFIX + b"/")
            }
            assert set(snapshot.names(PREFIX)) == there
            assert snapshot.tally(PREFIX).identifiers == len(there)
            self.last = snapshot.serial
        store.close()
        self.records.update((change.name, b"") for change in acknowledged)
        self.records = {name: left[name].digest for name in self.records}

    def _audit(self) -> None:
        """Have everything rechecked, with the key that was pinned."""
        assert self._pinned is not None
        data, pinned = str(self._directory / "data"), ("--key", self._pinned)
        done = subprocess.run(
            [*IDIS, "verify", "--data", data, "--json", *pinned],
            cwd=ROOT,
            env={**os.environ, "XDG_STATE_HOME": str(self._directory / "state")},
            capture_output=True,
            text=True,
            timeout=AUDIT_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        audited = {node["name"]: node for node in json.loads(done.stdout)["nodes"]}
        assert audited[NODE]["size"] >= max(self._reader.seen)
