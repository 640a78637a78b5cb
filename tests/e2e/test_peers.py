"""One tiny round of the peers' benchmark with whatever is installed here."""

import json
import sys

import psutil
import pytest

pytest.importorskip("numba", reason="the fast path and the load generator need numba")
if sys.platform != "linux":
    pytest.skip("recvmmsg is of Linux", allow_module_level=True)

from bench.peers import command, field
from bench.peers.command import Effort
from bench.peers.field import PACKAGES
from bench.peers.programs import find_program

TINY = Effort(rounds=1, seconds=0.1, identifiers=40, secondaries=1, with_dnsperf=False)


def test_one_round_measures_everybody_who_is_installed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "QUICK", TINY)
    assert command.main(["--quick", "--json", "--out", str(tmp_path)]) == 0
    made = json.loads((tmp_path / "peers.json").read_text())
    assert json.loads(capsys.readouterr().out) == made

    assert {"fast", "slow", "echo"} <= set(made["udp"])
    assert {"fast", "slow", "http"} <= set(made["tcp64"])
    for name, sections in (("knot", ["udp"]), ("redis", ["tcp64", "tcp1"])):
        for section in sections:
            installed = find_program(PACKAGES[name][0]) is not None
            assert (name in made[section]) == installed
            assert (name in made["absent"]) != installed
    entries = [e for s in ("udp", "tcp64", "tcp1") for e in made[s].values()]
    assert all(entry["wrong"] == 0 for entry in entries)
    assert all(entry["cpu_us_per_query"] > 0 for entry in entries)
    assert made["ratios"]["udp_fast_to_echo_cpu"]["rounds"]


def test_nothing_is_left_running_after_an_error(tmp_path, monkeypatch, capsys):
    def fail(*_arguments):
        message = "on purpose"
        raise RuntimeError(message)

    monkeypatch.setattr(command, "QUICK", TINY)
    monkeypatch.setattr(field, "register_running", fail)
    before = set(psutil.Process().children(recursive=True))
    assert command.main(["--quick", "--out", str(tmp_path)]) == 1
    assert "on purpose" in capsys.readouterr().err
    assert set(psutil.Process().children(recursive=True)) <= before
