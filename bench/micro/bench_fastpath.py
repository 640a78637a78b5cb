"""Kernels of the fast path: what a hit, a miss, learning and forgetting cost.

Times are of `_BATCH` operations, so that the way into compiled code does not count.
"""

import time

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.compiling import compiled as compile_for_bench
from resolver.fastpath import compiled, replies
from resolver.fastpath.layout import (
    NEVER_EXPIRES,
    TCP,
    Key,
    Packets,
    make_key,
    make_packets,
)
from resolver.session.draft import Draft
from resolver.wire.codes import OpCode
from resolver.wire.message import build_message
from resolver.wire.request import Resolution

_BATCH = 1000
_TAIL_OCTETS = 323
"""Of values as a product has them: a URL, a name, a batch."""

_NOW = int(time.time() * 1e6)  # noqa: TID251 (a measurement)


@compile_for_bench
def _answer_all(  # noqa: PLR0913 (all that the kernel needs)
    packets: Packets,
    questions: np.ndarray,
    size: int,
    order: np.ndarray,
    out: np.ndarray,
    key: Key,
    now: int,
) -> int:
    written = 0
    for n in range(order.size):
        start = order[n] * size
        written += replies.answer(
            packets, 0, TCP, questions, start, size, out, 0, out.size, now, key
        )
    return written


def _question(number: int) -> bytes:
    body = Resolution(b"88.118.7/SN%08d" % number).encode()
    return Draft(OpCode.RESOLUTION, body).message(1, _NOW / 1e6).encode()


def _reply(number: int) -> bytes:
    body = Resolution(b"88.118.7/SN%08d" % number).encode()
    asked = Draft(OpCode.RESOLUTION, body).message(1, _NOW / 1e6)
    told = body[:-8] + bytes(_TAIL_OCTETS)
    return build_message(asked.envelope, asked.header, told).encode()


def _filled(count: int) -> tuple[Packets, np.ndarray, int]:
    packets, key, spare = make_packets(448 << 20, 1 << 21), make_key(), make_key()
    questions = [_question(number) for number in range(count)]
    for number, question in enumerate(questions):
        asked = np.frombuffer(question, np.uint8)
        told = np.frombuffer(_reply(number), np.uint8)
        assert compiled.learn(packets, 0, asked, told, NEVER_EXPIRES, 0, key, spare)
    octets = np.frombuffer(b"".join(questions), np.uint8)
    return packets, octets, len(questions[0])


@pytest.mark.parametrize("entries", [10_000, 200_000])
def test_hit(benchmark: BenchmarkFixture, entries: int) -> None:
    packets, questions, size = _filled(entries)
    dice = np.random.default_rng(1)
    out, key = np.zeros(4096, np.uint8), make_key()

    def answer(order: np.ndarray) -> int:
        return _answer_all(packets, questions, size, order, out, key, _NOW)

    def others() -> tuple[tuple[np.ndarray], dict[str, object]]:
        return (dice.integers(0, entries, _BATCH),), {}

    assert answer(others()[0][0]) > _BATCH * _TAIL_OCTETS * 0.99
    benchmark.pedantic(answer, setup=others, rounds=500)  # type: ignore[no-untyped-call]


def test_miss(benchmark: BenchmarkFixture) -> None:
    packets, _, size = _filled(1)
    order = np.arange(1, _BATCH)
    out, key = np.zeros(4096, np.uint8), make_key()
    unknown = np.frombuffer(b"".join(map(_question, range(_BATCH))), np.uint8)
    arguments = (packets, unknown, size, order, out, key, _NOW)
    assert _answer_all(*arguments) == 0
    benchmark(_answer_all, *arguments)


def test_learn(benchmark: BenchmarkFixture) -> None:
    packets, key, spare = make_packets(64 << 20, 1 << 18), make_key(), make_key()
    pairs = [
        (np.frombuffer(_question(n), np.uint8), np.frombuffer(_reply(n), np.uint8))
        for n in range(_BATCH)
    ]

    def learn() -> None:
        for asked, told in pairs:
            compiled.learn(packets, 0, asked, told, NEVER_EXPIRES, 0, key, spare)

    benchmark(learn)


def test_forget_a_group_of_names(benchmark: BenchmarkFixture) -> None:
    packets, key = _filled(_BATCH)[0], make_key()
    names = [b"88.118.7/SN%08d" % number for number in range(256)]
    octets = np.frombuffer(b"".join(names), np.uint8)
    ends = np.cumsum([len(name) for name in names], dtype=np.int64)
    benchmark(compiled.forget_names, packets, 0, octets, ends, key)
