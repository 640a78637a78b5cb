"""One thread answers while another learns, forgets and evicts: no answer is torn or old.

Each reply carries its version and octets that follow from it, so that parts of two
replies never pass for one. What was forgotten before a question was put must not be
the answer to it: a question's floor is the least version that may be answered then.
"""

import random
import threading
import time

import numpy as np
import pytest

pytest.importorskip("numba", exc_type=ImportError)

from registry.model.octets import pack_u32
from resolver.fastpath import compiled, layout
from resolver.fastpath.atomic import load
from resolver.fastpath.layout import ENTRIES, EVICTED, MAX_REPLY_OCTETS, UDP
from resolver.fastpath.replies import answer
from tests.packet_caches import NOW_MICROSECONDS, PacketCache, ask, kernels_of, reply

# Kernels may have to be compiled first.
pytestmark = pytest.mark.timeout(120)

NAMES = 24
CROWD = 200
BODY = layout.HANDLE_HEAD_OCTETS
GOOD, MISSED, TORN, OLD = 0, 1, 2, 3
NOT_FOUND = 1


def body_of(version: int, number: int) -> bytes:
    """Make octets that follow from a version; how many there are does too."""
    size = 8 + version % 61 * 5
    tail = bytes((version * 31 + number * 7 + at * 13) & 0xFF for at in range(8, size))
    return pack_u32(version) + pack_u32(number) + tail


def examine(octets: np.ndarray, size: int, number: int) -> int:
    """Give the version of a reply, -1 when it is not whole."""
    version = 0
    for at in range(BODY, BODY + 4):
        version = version << 8 | np.int64(octets[at])
    if octets[BODY + 7] != number:
        return -1
    length = 8 + version % 61 * 5
    if size != BODY + length + 4:
        return -1
    for at in range(8, length):
        if octets[BODY + at] != (version * 31 + number * 7 + at * 13) & 0xFF:
            return -1
    return version


def ask_on(packets, questions, size, floors, found, stop, out, key):  # noqa: PLR0913
    """Ask for one name after the other until told to stop."""
    while load(stop, 0) == 0:
        for number in range(floors.size):
            floor = load(floors, number)
            start = number * size
            written = answer(
                packets,
                0,
                UDP,
                questions,
                start,
                size,
                out,
                0,
                MAX_REPLY_OCTETS,
                NOW_MICROSECONDS,
                key,
            )
            if written == 0:
                found[MISSED] += 1
                continue
            version = check_reply(out, written, number)
            if version < 0:
                found[TORN] += 1
            elif version < floor:
                found[OLD] += 1
            else:
                found[GOOD] += 1


check_reply = compiled.numba.njit(examine)


@pytest.fixture(scope="module")
def asker():
    """Compile the thread that asks."""
    signature = compiled.numba.njit(nogil=True)(ask_on)
    arrays = prepare(PacketCache(kernels_of("compiled")), stopped=True)
    signature(*arrays)
    return signature


def question(number: int) -> bytes:
    return ask(b"88.100.1/T%03d" % number)


def prepare(cache: PacketCache, *, stopped: bool = False):
    questions = b"".join(map(question, range(NAMES)))
    return (
        cache.packets,
        np.frombuffer(questions, np.uint8),
        len(question(0)),
        np.zeros(NAMES, np.int64),
        np.zeros(4, np.int64),
        np.array([int(stopped)]),
        np.zeros(MAX_REPLY_OCTETS, np.uint8),
        layout.make_key(),
    )


class Writer:
    """Does what the event loop's thread does, as fast as it can."""

    def __init__(self, cache: PacketCache, floors: np.ndarray, seed: int) -> None:
        self.cache, self.floors = cache, floors
        self.chance = random.Random(seed)
        self.version = 0

    def step(self) -> None:
        match self.chance.randrange(20):
            case 0 if self.chance.random() < 0.05:
                self.version += 1
                self.cache.forget_all()
                self.floors[:] = self.version
            case 0 | 1 | 2 | 3 | 4:
                self._renew(forget=False)
            case 5 | 6 | 7 | 8:
                number = NAMES + self.chance.randrange(CROWD)
                self._learn(number)
            case _:
                self._renew(forget=True)

    def _renew(self, *, forget: bool) -> None:
        number = self.chance.randrange(NAMES)
        self.version += 1
        if forget:
            self.cache.forget(b"88.100.1/T%03d" % number)
            self.floors[number] = self.version
        self._learn(number)

    def _learn(self, number: int) -> None:
        whole = reply(body_of(self.version, number), code=100)
        assert self.cache.learn(question(number), whole, NOT_FOUND)


def torture(asker, *, seconds: float, threads: int, arena_octets: int, seed: int):
    cache = PacketCache(kernels_of("compiled"), arena_octets, slots=64)
    cache.add_owner()
    first = prepare(cache)
    floors, stop = first[3], first[5]
    askers = [first]
    for _ in range(threads - 1):
        found, out, key = np.zeros(4, np.int64), first[6].copy(), layout.make_key()
        askers.append((*first[:4], found, stop, out, key))
    running = [threading.Thread(target=asker, args=arrays) for arrays in askers]
    for thread in running:
        thread.start()
    writer = Writer(cache, floors, seed)
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            for _ in range(200):
                writer.step()
    finally:
        stop[0] = 1
        for thread in running:
            thread.join(10)
    cache.check()
    found = sum(arrays[4] for arrays in askers)
    assert found[TORN] == 0
    assert found[OLD] == 0
    assert found[GOOD] > 1000
    assert found[MISSED] > 1000
    assert cache.counted(EVICTED) > 100
    assert cache.counted(ENTRIES) > 0
    if threads == 1:  # as there is one in a process that serves
        assert cache.counted(NOT_FOUND) == found[GOOD]


@pytest.mark.parametrize("arena_octets", [1 << 12, 1 << 14])
def test_no_answer_is_torn_or_older_than_it_may_be(asker, arena_octets):
    torture(asker, seconds=1.5, threads=1, arena_octets=arena_octets, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("arena_octets", [1 << 12, 1 << 14, 1 << 18])
def test_no_answer_is_torn_or_old_for_a_long_time(asker, threads, arena_octets):
    torture(asker, seconds=60, threads=threads, arena_octets=arena_octets, seed=threads)


def test_what_is_torn_is_found():
    whole = np.frombuffer(reply(body_of(70, 3), code=100), np.uint8)
    other = np.frombuffer(reply(body_of(71, 3), code=100), np.uint8)
    assert examine(whole, whole.size, 3) == 70
    assert examine(whole, whole.size, 4) == -1
    assert examine(whole, whole.size - 1, 3) == -1
    for cut in range(BODY + 4, whole.size - 4):
        torn = np.concatenate([other[:cut], whole[cut:]])
        assert examine(torn, torn.size, 3) == -1
        torn = np.concatenate([whole[:cut], other[cut:]])
        assert cut == whole.size or examine(torn, torn.size, 3) == -1
