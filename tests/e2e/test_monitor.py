"""`idis monitor`: follows a served log, and what makes it raise an alarm."""

import json
import os
import signal
import subprocess
import sys

import pytest

from chain_anchor.checkpoint import sign_checkpoint
from chain_anchor.note import Signer
from chain_anchor.rotation import rotation_entry
from resolver.cli import main
from tests.served_log import ORIGIN, grow, grown, serving
from tests.small_log import SmallLog, private_key

KEY = str(SmallLog(ORIGIN).signer.key)
ADMIN = "88.118=300:88.118/admin"


@pytest.fixture
def state(tmp_path):
    return tmp_path / "monitor.state"


@pytest.fixture
def look(state, capsys):
    """Run `idis monitor --once`; gives exit code and what it wrote."""

    def run(url, *arguments, key=KEY):
        command = ["monitor", url, "--state", str(state), "--once", *arguments]
        code = main([*command, *(("--key", key) if key else ())])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def lines(out):
    return [json.loads(line) for line in out.splitlines()]


def alarms(out):
    return [line for line in lines(out) if line["event"] == "alarm"]


def test_an_honest_log_gives_its_entries_and_no_alarm(look):
    log = grown(3)
    with serving(log) as (url, _):
        code, out, err = look(url, "--json", "--watch", ADMIN)
        assert code == 0, err
        found = lines(out)
        assert [line["event"] for line in found] == ["entry"] * log.size + [
            "checkpoint"
        ]
        assert found[-1]["size"] == log.size
        assert found[0]["scope"] == "88.118"
        code, out, err = look(url)
        assert (code, out) == (0, "")
        grow(log, 60)
        code, out, err = look(url)
        assert code == 0
        assert len(out.splitlines()) == 60 * 5 + 20
        assert f"{log.size:,} in all" in err


def test_a_big_log_is_followed_bundle_by_bundle(look, monkeypatch):
    monkeypatch.setattr("resolver.commands.monitor.SAVE_ENTRIES", 100)
    log = grown(120)
    assert log.size == 2 * 256 + 248
    with serving(log) as (url, served):
        served.replaced["tile/entries/002.p/248"] = b"forged"
        code, out, _ = look(url, "--json")
        assert (code, [alarm["kind"] for alarm in alarms(out)]) == (1, ["malformed"])
        served.replaced.clear()
        served.asked.clear()
        code, out, _ = look(url, "--json")
        assert code == 0
        # What was saved the first time is not read again.
        assert "tile/entries/000" not in served.asked
        assert lines(out)[-1]["size"] == log.size


def test_a_rollback_is_an_alarm_each_time(look):
    with serving(grown(5)) as (url, served):
        assert look(url)[0] == 0
        served.log = grown(4)
        for _ in range(2):
            code, out, _ = look(url)
            assert code == 1
            assert out.startswith("ALARM rollback: ")
        served.log = grown(6)
        assert look(url)[0] == 0


@pytest.mark.parametrize("groups", [5, 9])
def test_a_fork_is_an_alarm_each_time(look, groups):
    with serving(grown(5)) as (url, served):
        assert look(url)[0] == 0
        served.log = grown(groups, fork_at=3)
        for _ in range(2):
            code, out, _ = look(url, "--json")
            assert code == 1
            assert [alarm["kind"] for alarm in alarms(out)] == ["fork"]
        served.log = grown(9)
        assert look(url)[0] == 0


def test_a_foreign_registration_is_an_alarm_with_its_entry(look):
    log = grown(3)
    with serving(log) as (url, _):
        assert look(url, "--watch", ADMIN)[0] == 0
        before = log.size
        grow(log, 1, per_group=1)
        code, out, _ = look(url, "--json", "--watch", "88.118=300:88.100/admin")
        assert code == 1
        (alarm,) = alarms(out)
        assert (alarm["kind"], alarm["index"]) == ("watch", before)
        assert "300:88.118/admin" in alarm["message"]
        entry = next(line for line in lines(out) if line.get("index") == before)
        assert (entry["actor"], entry["actor_index"]) == ("88.118/admin", 300)
        # It was told; there is nothing new.
        assert look(url, "--watch", "88.118")[0] == 0


def test_wrong_tiles_are_an_alarm_and_no_fork(look):
    log = grown(60)
    with serving(log) as (url, served):
        served.replaced["tile/0/000"] = bytes(8192)
        code, out, _ = look(url, "--json")
        assert (code, [alarm["kind"] for alarm in alarms(out)]) == (1, ["proof"])
        assert "tile/0/000" in alarms(out)[0]["message"]


def test_a_partial_tile_that_is_gone_is_cut_from_the_full_one(look):
    log = grown(30)
    with serving(log) as (url, served):
        note = log.signed_checkpoint()
        size = log.size
        assert size < 256
        grow(log, 30)
        served.note = note
        for level in ("0", "entries"):
            served.replaced[f"tile/{level}/000.p/{size}"] = None
        code, out, _ = look(url, "--json")
        assert code == 0
        assert lines(out)[-1]["size"] == size


def test_a_stranger_s_checkpoint_is_an_alarm(look):
    log = grown(3)
    with serving(log) as (url, served):
        stranger = Signer(ORIGIN, private_key(8))
        served.note = sign_checkpoint(log.checkpoint(), [stranger])
        code, out, _ = look(url)
        assert code == 1
        assert out.startswith("ALARM signature: ")
        served.note = b"nonsense"
        code, out, _ = look(url)
        assert code == 1
        assert out.startswith("ALARM malformed: ")


def test_a_rotated_key_is_followed(look):
    log, new = grown(2), Signer(ORIGIN, private_key(9))
    with serving(log) as (url, _):
        assert look(url)[0] == 0
        log._append(rotation_entry(log.signer, new, log.size))
        log.seal()
        log.signer = new
        grow(log, 1)
        code, out, err = look(url)
        assert code == 0, (out, err)
        assert f"the key is now {new.key}" in out
        assert look(url, key=str(new.key))[0] == 0


def test_what_cannot_be_reached_is_told_apart(look, state):
    with serving(grown(1)) as (url, served):
        served.replaced["checkpoint"] = None
        code, out, err = look(url)
        assert (code, out) == (3, "")
        assert "HTTP 404" in err
    code, out, err = look(url)
    assert (code, out) == (3, "")
    assert "error:" in err
    assert state.exists()


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (("http://127.0.0.1:1/log",), None),
        (("http://127.0.0.1:1/log",), "no key"),
        (("ftp://127.0.0.1:1/log",), KEY),
        (("http://127.0.0.1:1/log", "--watch", "=x"), KEY),
    ],
)
def test_misuse_is_told_with_a_hint(look, arguments, key):
    code, out, err = look(*arguments, key=key)
    assert (code, out) == (2, "")
    assert "hint:" in err


def test_a_damaged_state_is_refused(look, state):
    state.write_bytes(b"something else" * 99)
    code, _, err = look("http://127.0.0.1:1/log")
    assert code == 2
    assert "hint:" in err
    state.unlink()
    with serving(grown(3)) as (url, _):
        assert look(url)[0] == 0
        octets = state.read_bytes()
        place = octets.rindex(grown(3).leaves[14])
        state.write_bytes(octets[:place] + b"?" + octets[place + 1 :])
        grown_more = grown(5)
        with serving(grown_more) as (other, _):
            code, out, err = look(other)
        assert code == 2, out
        assert "ALARM" not in out
        assert "log_map" in err
        assert "remove the file" in err


def test_it_follows_until_it_is_stopped(state):
    """A process of its own tells of what comes, and of a fork only once."""
    log = grown(2)
    with serving(log) as (url, served):
        command = ["monitor", url, "--key", KEY, "--state", str(state), "--json"]
        with subprocess.Popen(
            [sys.executable, "-m", "resolver.cli", *command, "--interval", "0.05"],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        ) as process:
            assert process.stdout is not None

            def until(wanted):
                for line in process.stdout:
                    found = json.loads(line)
                    if wanted(found):
                        return found
                pytest.fail("the monitor has ended")

            until(lambda line: line.get("size") == log.size)
            served.log = log = grown(3)
            until(lambda line: line.get("size") == log.size)
            served.log = grown(9, fork_at=1)
            assert until(lambda line: line["event"] == "alarm")["kind"] == "fork"
            served.log = grown(9)
            after = until(lambda line: line["event"] in {"alarm", "checkpoint"})
            while after["event"] == "checkpoint" and after["size"] < served.log.size:
                after = until(lambda line: line["event"] in {"alarm", "checkpoint"})
            assert after["size"] == served.log.size
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 1
