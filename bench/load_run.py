"""One run of the loops over open sockets: arrays made, time kept, counters read."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench import load_flight as flight
from bench.load import Load, Told
from bench.load_flight import Run
from bench.load_loops import DONE, abandon, run_tcp, run_udp
from bench.load_sockets import Sockets
from bench.questions import Flat

PROTOCOLS = {"handle": flight.HANDLE, "dns": flight.DNS, "redis": flight.REDIS}
CHECKS = {
    "learned": flight.EXACT,
    "unverified": flight.EXACT,
    "computed": flight.MASKED,
}
MAX_REPLY_OCTETS = 4096
_ID_BITS = {"handle": 31, "dns": 16, "redis": 31}
_DNS_GENERATION_BITS = 4
_MAX_DNS_SLOTS = 1 << (16 - _DNS_GENERATION_BITS)
_SLICE_SECONDS = 0.25
"""The loops return so often, so that Ctrl-C is heard."""

_MAX_RECONNECTS = 100
_NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Pace:
    """When a run sends and when it ends; times are in seconds."""

    counted_from: float = 0.0
    seconds: float = math.inf
    queries: int | None = None
    """After `counted_from`."""

    rate: float | None = None
    last: int | None = None
    """Requests in all, whatever counts."""


def new_run(load: Load, sequence: np.ndarray, questions: Flat, answers: Flat) -> Run:
    """Make the arrays of a run.

    Args:
        load: What is asked and how.
        sequence: Items in the order in which they are asked.
        questions: The request of each item.
        answers: The expected reply of each item; empty where it is not known.
    """
    connections, each = load.connections, slots_each(load)
    slots = connections * each
    control = np.zeros(flight.CONTROLS, np.int64)
    bits = max(1, (each - 1).bit_length())
    control[flight.PROTOCOL] = PROTOCOLS[load.protocol]
    control[flight.CHECK] = CHECKS[load.checked_by]
    control[flight.CONNECTIONS] = connections
    control[flight.SLOTS_EACH] = each
    control[flight.ID_BITS] = bits
    control[flight.ID_MASK] = (1 << _ID_BITS[load.protocol]) - 1
    control[flight.ID_AT] = id_offset(load)
    control[flight.TIMEOUT_NS] = int(load.timeout * _NANO)
    control[flight.EXAMPLE_ITEM] = -1
    ends = np.arange(slots, slots + connections, dtype=np.int64)
    lists = np.concatenate((np.zeros(slots, np.int64), ends))
    return Run(
        control=control,
        interval_ns=np.zeros(1, np.float64),
        sequence=np.ascontiguousarray(sequence, np.int64),
        questions=questions.octets,
        question_starts=questions.starts,
        answers=answers.octets,
        answer_starts=answers.starts,
        learned=np.zeros((1, 1), np.uint8),
        learned_octets=np.zeros(1, np.int64),
        item=np.zeros(slots, np.int64),
        generation=np.zeros(slots, np.int64),
        waiting=np.zeros(slots, np.uint8),
        intended_ns=np.zeros(slots, np.int64),
        sent_ns=np.zeros(slots, np.int64),
        before=lists.copy(),
        after=lists.copy(),
        free=np.arange(slots, dtype=np.int64).reshape(connections, each),
        free_head=np.zeros(connections, np.int64),
        free_count=_windows(load, each),
        counters=np.zeros((2, flight.COUNTERS), np.int64),
        codes=np.zeros(flight.CODES, np.int64),
        latencies=np.zeros(flight.LATENCIES, np.int64),
        example=np.zeros(MAX_REPLY_OCTETS, np.uint8),
    )


def slots_each(load: Load) -> int:
    """Give how many requests one connection may have in flight."""
    most = _MAX_DNS_SLOTS if load.protocol == "dns" else flight.MAX_SLOTS
    if load.rate is None:
        wanted = -(-load.window // load.connections)
    else:
        wanted = math.ceil(load.rate * load.timeout / load.connections) + 1
    return min(wanted, most // (1 if load.protocol == "dns" else load.connections))


def id_offset(load: Load) -> int:
    """Give where a request of this load holds its id."""
    if load.protocol == "handle":
        return 8
    return 2 if load.transport == "tcp" else 0


def _windows(load: Load, each: int) -> np.ndarray:
    """Spread the window over the connections."""
    numbers = np.arange(load.connections, dtype=np.int64)
    if load.rate is not None:
        return np.full(load.connections, each, np.int64)
    share, rest = divmod(min(load.window, each * load.connections), load.connections)
    return share + (numbers < rest).astype(np.int64)


def perform(run: Run, sockets: Sockets, pace: Pace, told: Told | None = None) -> int:
    """Run until all is sent and answered or lost; give how often it reconnected.

    Raises:
        UnreachableError: A broken connection cannot be replaced.
    """
    loop = run_udp if sockets.transport == "udp" else run_tcp
    _compile(loop, run, sockets)
    _set_pace(run, pace)
    reconnects = 0
    counting = False
    while not flight.is_over(run, now := time.monotonic_ns()):
        if not counting and now >= run.control[flight.MEASURE_NS]:
            counting = True
            _limit(run, pace)
        until = now + int(_SLICE_SECONDS * _NANO)
        if not counting:
            until = min(until, int(run.control[flight.MEASURE_NS]))
        broken = loop(run, sockets.channels, until)
        if broken != DONE:
            reconnects += 1
            abandon(run, sockets.channels, broken)
            sockets.reconnect(broken, last=reconnects >= _MAX_RECONNECTS)
        if told is not None:
            sent, answered = run.counters[:, :2].sum(axis=0)
            told("requests answered", int(answered), int(sent))
    return reconnects


def _compile(loop: Callable[..., int], run: Run, sockets: Sockets) -> None:
    """Have compiled or loaded what is needed, before any clock runs."""
    flight.is_over(run, 0)
    loop(run, sockets.channels, 0)


def _set_pace(run: Run, pace: Pace) -> None:
    """Let time begin."""
    control = run.control
    start = time.monotonic_ns()
    end = pace.counted_from + pace.seconds
    control[flight.START_NS] = start
    control[flight.MEASURE_NS] = start + int(pace.counted_from * _NANO)
    control[flight.END_NS] = start + int(end * _NANO) if end < 1e9 else 1 << 62
    control[flight.LIMIT] = 1 << 62 if pace.last is None else pace.last
    if pace.rate is not None:
        control[flight.OPEN_LOOP] = 1
        run.interval_ns[0] = _NANO / pace.rate


def _limit(run: Run, pace: Pace) -> None:
    if pace.queries is not None:
        last = run.control[flight.NEXT] + pace.queries
        run.control[flight.LIMIT] = min(run.control[flight.LIMIT], last)
