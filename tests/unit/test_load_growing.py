"""A network grows by schedule; users are told by its ready file."""

import json
import os
from types import SimpleNamespace

import pytest

from resolver.errors import SetupError
from resolver.load.growing import GrowingRun, Schedule


def test_each_size_is_held_from_when_its_network_was_ready():
    schedule = Schedule((14, 35), 60)
    assert schedule.due(100) == 14
    schedule.begun(105)
    assert schedule.due(164) is None
    assert schedule.due(165) == 35
    schedule.begun(170)
    assert not schedule.over(229)
    assert schedule.due(229) is None
    assert schedule.over(230)
    assert schedule.due(230) is None


@pytest.mark.parametrize(
    ("sizes", "seconds"), [((), 1), ((2, 2), 1), ((3, 2), 1), ((0, 1), 1), ((1,), 0)]
)
def test_sizes_that_do_not_grow_are_refused(sizes, seconds):
    with pytest.raises(ValueError, match="growing"):
        Schedule(sizes, seconds)


@pytest.fixture
def log():
    return []


@pytest.fixture
def run(tmp_path, log, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    published = tmp_path / "state" / "growing.json"

    def start(directory, arguments):
        log.append(("start", published.exists(), tuple(arguments)))
        return SimpleNamespace(ready={"pid": os.getpid(), "number": len(log)})

    def stop(network):
        log.append(("stop", published.exists(), network.ready["number"]))

    return GrowingRun(
        published,
        ("--seed", "7"),
        start=start,
        stop=stop,
        sleep=lambda seconds: log.append(("sleep", published.exists(), seconds)),
    )


def test_users_hear_of_the_end_before_it_comes_and_of_the_next_once_it_answers(
    run, log
):
    run.grow(14)
    assert json.loads(run.published.read_text())["number"] == 1
    run.grow(35)
    kinds = [(what, published) for what, published, _ in log]
    assert kinds == [
        ("start", False),
        ("sleep", False),
        ("stop", False),
        ("start", False),
    ]
    assert json.loads(run.published.read_text())["number"] == 4


def test_every_size_keeps_what_was_registered_before(run, log):
    run.grow(14)
    run.grow(35)
    (_, _, first), (_, _, second) = (entry for entry in log if entry[0] == "start")
    assert first[:2] == ("--secondaries", "14")
    assert second[:2] == ("--secondaries", "35")
    assert first[2:] == second[2:]
    assert first[-2:] == ("--seed", "7")
    assert "--data" in first


def test_the_ready_file_is_for_its_owner_only(run):
    run.grow(14)
    assert run.published.stat().st_mode & 0o077 == 0


def test_nothing_is_left_at_the_end(run, log):
    run.grow(14)
    directory = run._directory
    assert directory.exists()
    run.close()
    run.close()
    assert not directory.exists()
    assert not run.published.exists()
    assert [what for what, *_ in log].count("stop") == 1


def test_a_network_is_stopped_even_if_the_wait_before_is_cut_short(run, log):
    class Cut(BaseException):
        pass

    def cut(seconds):
        raise Cut

    run.grow(14)
    run._sleep = cut
    with pytest.raises(Cut):
        run.close()
    assert log[-1][0] == "stop"


def test_the_place_of_a_network_that_runs_is_not_taken(tmp_path):
    published = tmp_path / "ready.json"
    published.write_text(json.dumps({"pid": os.getpid()}))
    with pytest.raises(SetupError, match="runs already"):
        GrowingRun(published)
    published.write_text(json.dumps({"pid": 0x7FFF_FFF0}))
    GrowingRun(published)
