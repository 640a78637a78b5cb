"""Times are taken at the socket, and nowhere else."""

import socket

import pytest

from resolver.load.timing import Stopwatch, TimedSocket


class Clock:
    def __init__(self):
        self.now = 10.0

    def __call__(self):
        self.now += 0.001
        return self.now


@pytest.fixture
def stopwatch():
    return Stopwatch(Clock())


@pytest.fixture
def pair(stopwatch):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    timed = TimedSocket(ours, stopwatch)
    assert ours.fileno() == -1, "the plain socket is handed over"
    with timed, theirs:
        yield timed, theirs


def test_time_runs_from_the_first_send_to_the_last_receive(pair, stopwatch):
    timed, theirs = pair
    timed.send(b"a")  # 1
    timed.sendall(b"b")
    theirs.sendall(b"xy")
    timed.recv(1)  # 2
    timed.recv(1)  # 3
    assert stopwatch.milliseconds(answered=True) == pytest.approx(2)
    assert stopwatch.octets == 2


def test_looking_ahead_is_not_receiving(pair, stopwatch):
    timed, theirs = pair
    timed.send(b"a")
    theirs.sendall(b"x")
    timed.recv(1, socket.MSG_PEEK)
    assert stopwatch.octets == 0
    timed.recv(1)
    assert stopwatch.milliseconds(answered=True) == pytest.approx(1)


def test_an_answer_that_does_not_come_is_timed_up_to_now(pair, stopwatch):
    timed, theirs = pair
    timed.send(b"a")
    theirs.sendall(b"something else")
    timed.recv(64)
    stopwatch._clock.now += 0.5
    assert stopwatch.milliseconds(answered=False) == pytest.approx(502)


def test_what_was_never_sent_took_no_time(stopwatch):
    assert stopwatch.milliseconds(answered=False) == 0
    assert stopwatch.milliseconds(answered=True) == 0


def test_each_request_is_timed_anew(pair, stopwatch):
    timed, theirs = pair
    timed.send(b"a")
    theirs.sendall(b"x")
    timed.recv(1)
    stopwatch.reset()
    assert stopwatch.octets == 0
    assert stopwatch.milliseconds(answered=True) == 0
