"""What makes a reply right. Compiled; ints and arrays only.

A reply to an item is right when it has the expected response code and is, octet for
octet, the expected reply, except for what belongs to the single request or to the time
of the answer:

    PROTOCOL  NOT COMPARED
    Handle    version and session (0 to 7), request id (8), flags, site serial and
              recursion count (28 to 35), expiration (36); when the expected reply was
              computed and not learned, also the timestamps of values
    DNS       id (0), TTLs of resource records
    Redis     nothing

An item whose expected reply is not known must at least be answered with success, under
its own name.
"""

from typing import Any

import numpy as np

from bench.compiling import compiled
from bench.load_flight import (
    ANSWERED,
    CHECK,
    CODES,
    DNS,
    EXAMPLE_ITEM,
    EXAMPLE_OCTETS,
    FAILED,
    HANDLE,
    LAST_NS,
    LEARN,
    LEARNED_FROM,
    MASKED,
    MEASURE_NS,
    PROTOCOL,
    REDIS,
    UNSOLICITED,
    WRONG,
    Run,
    free_slot,
    oldest_slot,
    record,
    slot_of,
)
from resolver.fastpath.compiling import import_numba

types = import_numba().types

memcmp: Any = types.ExternalFunction(
    "memcmp", types.int32(types.uintp, types.uintp, types.uintp)
)
memmove: Any = types.ExternalFunction(
    "memmove", types.uintp(types.uintp, types.uintp, types.uintp)
)

_HANDLE_HEAD = 44
"""Envelope and header of a Handle message (handle notes §1.1-1.2)."""

_DNS_HEAD = 12
_OPT = 41
"""The record type in which flags stand where others have a TTL (RFC 6891 §6.1.3)."""

_SUCCESS = 1
_MISSING = 1
"""The code that stands for Redis' null reply; an error is 2, a value 0."""


@compiled
def take_reply(
    run: Run, connection: int, buffer: np.ndarray, at: int, size: int, now_ns: int
) -> None:
    """Match a whole reply to its request, check it and count it."""
    slot = _slot_answered(run, connection, buffer, at, size)
    if slot < 0:
        phase = 1 if now_ns >= run.control[MEASURE_NS] else 0
        run.counters[phase, UNSOLICITED] += 1
        return
    item = run.item[slot]
    phase = 1 if run.intended_ns[slot] >= run.control[MEASURE_NS] else 0
    run.counters[phase, ANSWERED] += 1
    code = _code_of(run, buffer, at, size)
    if phase == 1:
        record(run.latencies, now_ns - run.intended_ns[slot])
        run.control[LAST_NS] = now_ns
        run.codes[min(code, CODES - 1)] += 1
    free_slot(run, connection, slot)
    if run.control[CHECK] == LEARN:
        _learn(run, item, buffer, at, size)
    elif not _is_right(run, item, buffer, at, size):
        _count_wrong(run, phase, item, buffer, at, size)


@compiled
def _slot_answered(
    run: Run, connection: int, buffer: np.ndarray, at: int, size: int
) -> int:
    protocol = run.control[PROTOCOL]
    if protocol == REDIS:
        return oldest_slot(run, connection)
    if protocol == HANDLE:
        if size < _HANDLE_HEAD:
            return -1
        return slot_of(run, connection, be32(buffer, at + 8))
    if size < _DNS_HEAD:
        return -1
    return slot_of(run, connection, be16(buffer, at))


@compiled
def _code_of(run: Run, buffer: np.ndarray, at: int, size: int) -> int:
    protocol = run.control[PROTOCOL]
    if protocol == HANDLE:
        return be32(buffer, at + 24)
    if protocol == DNS:
        return int(np.int64(buffer[at + 3] & 15))
    if buffer[at] != ord("$"):
        return 2
    return _MISSING if buffer[at + 1] == ord("-") else 0


@compiled
def _learn(run: Run, item: int, buffer: np.ndarray, at: int, size: int) -> None:
    """Keep a reply; one too long for its row stays unknown."""
    room = run.learned.shape[1]
    if size <= room:
        row = item - run.control[LEARNED_FROM]
        memmove(run.learned.ctypes.data + row * room, buffer.ctypes.data + at, size)
        run.learned_octets[row] = size


@compiled
def _is_right(run: Run, item: int, buffer: np.ndarray, at: int, size: int) -> bool:
    start = run.answer_starts[item]
    expected = run.answer_starts[item + 1] - start
    if expected == 0:
        return _is_plausible(run, item, buffer, at, size)
    if expected != size:
        return False
    protocol = run.control[PROTOCOL]
    if protocol == REDIS:
        return _is_same(run, start, buffer, at, 0, size)
    if protocol == DNS:
        same = _is_same(run, start, buffer, at, 2, size)
        return same or _is_same_but_ttls(run, start, buffer, at, size)
    return _is_same_message(run, start, buffer, at, size)


@compiled
def _is_same_message(
    run: Run, start: int, buffer: np.ndarray, at: int, size: int
) -> bool:
    """Compare Handle messages: sequence, length, operation, code and body."""
    if not _is_same(run, start, buffer, at, 12, 28):
        return False
    if run.control[CHECK] == MASKED:
        return _is_same_but_timestamps(run, start, buffer, at, size)
    return _is_same(run, start, buffer, at, 40, size)


@compiled
def _is_same(
    run: Run, start: int, buffer: np.ndarray, at: int, first: int, stop: int
) -> bool:
    """Compare a part of an expected reply with the same part of a reply."""
    expected = run.answers.ctypes.data + start + first
    return bool(memcmp(expected, buffer.ctypes.data + at + first, stop - first) == 0)


@compiled
def _is_plausible(run: Run, item: int, buffer: np.ndarray, at: int, size: int) -> bool:
    """Check code and name of a Handle reply whose values are not known."""
    if run.control[PROTOCOL] != HANDLE or be32(buffer, at + 24) != _SUCCESS:
        return False
    asked = run.question_starts[item] + _HANDLE_HEAD
    length = 4 + be32(run.questions, asked)
    if _HANDLE_HEAD + length > size:
        return False
    name = run.questions.ctypes.data + asked
    there = buffer.ctypes.data + at + _HANDLE_HEAD
    return bool(memcmp(name, there, length) == 0)


@compiled
def _is_same_but_timestamps(
    run: Run, start: int, buffer: np.ndarray, at: int, size: int
) -> bool:
    """Compare bodies from their lengths on, but not when values were written.

    The expected reply is well-formed, so it says where its values are.
    """
    octets = run.answers
    place = _HANDLE_HEAD + 4 + be32(octets, start + _HANDLE_HEAD)
    count = be32(octets, start + place)
    first = 40
    place += 4
    for _ in range(count):
        if not _is_same(run, start, buffer, at, first, place + 4):
            return False
        first = place + 8
        # Value: index, timestamp, ttl type, ttl, permissions, type, data, references.
        place += 18 + be32(octets, start + place + 14)
        place += 4 + be32(octets, start + place)
        references = be32(octets, start + place)
        place += 4
        for _ in range(references):
            place += 8 + be32(octets, start + place)
    return _is_same(run, start, buffer, at, first, size)


@compiled
def _is_same_but_ttls(
    run: Run, start: int, buffer: np.ndarray, at: int, size: int
) -> bool:
    """Compare DNS messages, but not the TTLs of their records (RFC 1035 §4.1.3).

    The expected reply is well-formed, so it says where its records are.
    """
    octets = run.answers
    place = _DNS_HEAD
    for _ in range(be16(octets, start + 4)):
        place = _after_name(octets, start, place) + 4
    records = be16(octets, start + 6) + be16(octets, start + 8)
    records += be16(octets, start + 10)
    first = 2
    for _ in range(records):
        place = _after_name(octets, start, place) + 4
        if be16(octets, start + place - 4) != _OPT:
            if not _is_same(run, start, buffer, at, first, place):
                return False
            first = place + 4
        place += 6 + be16(octets, start + place + 4)
    return _is_same(run, start, buffer, at, first, size)


@compiled
def _after_name(octets: np.ndarray, start: int, place: int) -> int:
    """Skip a name, which ends with a zero label or a pointer."""
    while True:
        length = int(np.int64(octets[start + place]))
        if length >= 192:
            return place + 2
        place += 1 + length
        if length == 0:
            return place


@compiled
def _count_wrong(
    run: Run, phase: int, item: int, buffer: np.ndarray, at: int, size: int
) -> None:
    run.counters[phase, WRONG] += 1
    right = _SUCCESS if run.control[PROTOCOL] == HANDLE else 0
    if _code_of(run, buffer, at, size) != right:
        run.counters[phase, FAILED] += 1
    if run.control[EXAMPLE_ITEM] < 0:
        kept = min(size, run.example.size)
        memmove(run.example.ctypes.data, buffer.ctypes.data + at, kept)
        run.control[EXAMPLE_OCTETS] = kept
        run.control[EXAMPLE_ITEM] = item


@compiled
def be16(octets: np.ndarray, at: int) -> int:
    """Read 16 bits, big-endian."""
    return int(np.int64(octets[at]) << 8 | np.int64(octets[at + 1]))


@compiled
def be32(octets: np.ndarray, at: int) -> int:
    """Read 32 bits, big-endian."""
    return be16(octets, at) << 16 | be16(octets, at + 2)
