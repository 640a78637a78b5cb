"""The network that runs is followed through its ready file."""

import json
import os

import pytest

from resolver.errors import UnreachableError
from resolver.load.targets import Address, Target, TargetError
from resolver.load.watching import LOOK_SECONDS, NetworkWatch, request_name
from tests.unit.test_load_targets import READY

GONE_PID = 0x7FFF_FFF0


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self):
        self.now = 100.0
        self.when_asleep = lambda: None

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.when_asleep()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "ready.json"


def watch(file, clock, **options):
    return NetworkWatch(file, clock=clock, sleep=clock.sleep, **options)


def write(file, secondaries=2, pid=None):
    nodes = [node for node in READY["nodes"] if node["role"] != "secondary"]
    nodes += [{"role": "secondary"}] * secondaries
    ready = {**READY, "pid": pid or os.getpid(), "nodes": nodes}
    other = file.with_suffix(".new")
    other.write_text(json.dumps(ready))
    other.replace(file)


def test_the_same_network_is_the_same_object(file, clock):
    write(file)
    one = watch(file, clock)
    first = one.current()
    clock.now += 1
    assert one.current() is first
    assert first.secondaries == 2


def test_the_file_is_not_looked_at_for_every_request(file, clock):
    write(file)
    one = watch(file, clock)
    first = one.current()
    write(file, 3)
    clock.now += LOOK_SECONDS / 2
    assert one.current() is first
    clock.now += LOOK_SECONDS
    assert one.current().secondaries == 3


def test_who_has_to_know_looks_at_once(file, clock):
    write(file)
    one = watch(file, clock)
    assert one.current() is not None
    file.unlink()
    assert one.current(fresh=True) is None


def test_the_file_of_a_process_that_is_gone_is_no_network(file, clock):
    write(file, pid=GONE_PID)
    assert watch(file, clock).current() is None


def test_waiting_ends_when_a_network_is_there(file, clock):
    clock.when_asleep = lambda: clock.now > 101 and write(file, 5)
    assert watch(file, clock).wait().secondaries == 5
    assert clock.now < 102


def test_waiting_ends_when_nobody_comes(file, clock):
    with pytest.raises(UnreachableError, match="60 s"):
        watch(file, clock).wait()
    assert clock.now == pytest.approx(160, abs=1)


def test_a_host_is_a_target_without_any_file(file, clock):
    one = watch(file, clock, host="127.0.0.1:99")
    assert one.current() == Target(Address("127.0.0.1", 99))


def test_a_host_and_identifiers_replace_those_of_the_file(file, clock):
    write(file)
    one = watch(file, clock, host="[::1]:99", identifiers=("88.118.7/X",))
    target = one.current()
    assert target.handle == Address("::1", 99)
    assert target.identifiers == ("88.118.7/X",)
    assert target.http == "http://127.0.0.1:3000"


def test_a_network_that_must_not_be_loaded_is_never_given(file, clock):
    def refuse(target):
        raise TargetError("not this one")

    write(file)
    one = watch(file, clock, check=refuse)
    for _ in range(2):
        with pytest.raises(TargetError, match="not this one"):
            one.current(fresh=True)


def test_a_strange_file_is_said_to_be_one(file, clock):
    file.write_text("no json")
    with pytest.raises(TargetError, match=r"ready\.json"):
        watch(file, clock).current()


@pytest.mark.parametrize(
    ("same", "by_size", "expected"),
    [
        (True, False, "resolve"),
        (True, True, "resolve, 21 secondaries"),
        (False, False, "resolve (network changing)"),
        (False, True, "resolve (network changing)"),
    ],
)
def test_a_request_that_a_change_overtook_is_named_so(same, by_size, expected):
    before = Target(secondaries=21)
    for after in (before,) if same else (None, Target(secondaries=21)):
        assert request_name("resolve", before, after, by_size=by_size) == expected
