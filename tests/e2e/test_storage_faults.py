"""Faults of the storage, one after the other: each is found or does no harm.

What is promised of them, and how it is checked, stands in `tests.faults.rounds`; what
goes wrong, in `tests.faults.disk`. Python is put between LMDB and libc for that, in
processes of their own: neither a compiler nor rights are needed.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.disk import LOUD, SILENT
from tests.faults.interposition import why_not

ROOT = Path(__file__).parents[2]
FAULTS = 100
SOAK_FAULTS = int(os.environ.get("IDIS_SOAK_FAULTS", "1000"))
HARMLESS = "harmless"

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


def test_no_fault_of_the_storage_loses_or_contradicts_anything(tmp_path):
    _strike(tmp_path, FAULTS)


@pytest.mark.soak
@pytest.mark.timeout(60 + 3 * SOAK_FAULTS)
def test_none_of_many_faults_of_the_storage_loses_or_contradicts_anything(tmp_path):
    outcomes = _strike(tmp_path, SOAK_FAULTS)
    counts = Counter((outcome["fault"], outcome["outcome"]) for outcome in outcomes)
    for (fault, outcome), count in sorted(counts.items()):
        print(f"{fault:16} {outcome:12} {count:5}")  # noqa: T201 (shown with -rP)


def _strike(directory: Path, count: int) -> list[dict]:
    command = [sys.executable, "-m", "tests.faults", directory, "0", str(count)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert [outcome["number"] for outcome in outcomes] == list(range(count))
    violations = [one for one in outcomes if one["outcome"] == "violation"]
    assert not violations
    _check_that_it_was_a_test(outcomes)
    return outcomes


def _check_that_it_was_a_test(outcomes: list[dict]) -> None:
    """Make sure that faults strike, and that some are found."""
    assert sum(one["struck"] for one in outcomes) >= 0.9 * len(outcomes)
    found = {one["fault"] for one in outcomes if one["outcome"] != HARMLESS}
    for faults in (LOUD, SILENT):
        assert found & {fault.name for fault in faults}
