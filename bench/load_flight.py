"""Requests in flight: slots, ids, counters, latencies. Compiled; ints and arrays only.

A request in flight has a slot. Its id on the wire is made of the slot's number within
its connection and of the slot's generation, which goes up with each use, so a reply
that comes twice or too late is told from the one that is awaited. Free slots of a
connection wait in a ring; those in flight form a list in the order of sending, oldest
first, so that timing out looks at the heads only. A protocol without ids is answered
in that order.

Latency counts from the intended time: in an open loop that is when the schedule wanted
the request to be sent, so a generator or server that stalls does not hide the requests
it delays (coordinated omission).
"""

import math
from typing import NamedTuple

import numpy as np

from bench.compiling import compiled

HANDLE, DNS, REDIS = 0, 1, 2
LEARN, EXACT, MASKED = 0, 1, 2

# Places in `Run.control`.
PROTOCOL = 0
CHECK = 1
CONNECTIONS = 2
SLOTS_EACH = 3
"""Slots of one connection."""

ID_BITS = 4
"""Of an id's 31 or 16 bits, those that tell the slot."""

ID_MASK = 5
ID_AT = 6
"""Where a request holds its id."""

NEXT = 7
"""Place in the sequence of the next request."""

LIMIT = 8
"""Place in the sequence before which to stop."""

IN_FLIGHT = 9
OPEN_LOOP = 10
START_NS = 11
MEASURE_NS = 12
"""Requests meant to be sent from here on are counted."""

END_NS = 13
"""No request is meant to be sent from here on."""

TIMEOUT_NS = 14
LAST_NS = 15
"""When the last counted reply came."""

EXAMPLE_ITEM = 16
"""Whose wrong reply is kept in `Run.example`; -1 while there is none."""

EXAMPLE_OCTETS = 17
LAPS = 18
"""Rounds of the loop."""

LEARNED_FROM = 19
"""The item of the first row of `Run.learned`."""

CONTROLS = 20

# Places in a row of `Run.counters`; the first row is for the warm-up.
SENT = 0
ANSWERED = 1
LOST = 2
WRONG = 3
FAILED = 4
"""Those of the wrong ones that have another response code than they should."""

UNSOLICITED = 5
"""Replies to nothing in flight: repeated, late, or never asked for."""

BEHIND = 6
"""Requests sent later than they should by more than `BEHIND_NS`."""

COUNTERS = 7
BEHIND_NS = 1_000_000

MAX_SLOTS = 1 << 16

CODES = 1024
"""Response codes counted one by one; the last stands for all above."""

# Geometry of an HdrHistogram from 1 ns to 60 s with three significant digits.
LARGEST_NS = 60_000_000_000
SUB_BUCKETS = 2048
_HALF_BITS = 10
BUCKETS = 27
LATENCIES = (BUCKETS + 1) * SUB_BUCKETS // 2


class Run(NamedTuple):
    """All that a run works on."""

    control: np.ndarray
    interval_ns: np.ndarray
    """One float: time between requests of an open loop."""

    sequence: np.ndarray
    """Items in the order in which they are asked, from the start again at its end."""

    questions: np.ndarray
    """Octets of all requests, one after the other."""

    question_starts: np.ndarray
    answers: np.ndarray
    """Octets of all expected replies; no octets for those that are not known."""

    answer_starts: np.ndarray
    learned: np.ndarray
    """When learning: a row for the reply to each item."""

    learned_octets: np.ndarray
    item: np.ndarray
    """By slot: what was asked."""

    generation: np.ndarray
    waiting: np.ndarray
    """By slot: 1 while in flight."""

    intended_ns: np.ndarray
    sent_ns: np.ndarray
    before: np.ndarray
    after: np.ndarray
    """By slot, and behind the slots one end of the list for each connection."""

    free: np.ndarray
    """A ring of slots for each connection."""

    free_head: np.ndarray
    free_count: np.ndarray
    counters: np.ndarray
    codes: np.ndarray
    latencies: np.ndarray
    example: np.ndarray


@compiled
def take_slot(run: Run, connection: int, intended_ns: int, now_ns: int) -> int:
    """Put the next request of the sequence in flight on a connection; give its slot.

    The connection must have a free one.
    """
    control = run.control
    each = control[SLOTS_EACH]
    slot: int = run.free[connection, run.free_head[connection]]
    run.free_head[connection] = (run.free_head[connection] + 1) % each
    run.free_count[connection] -= 1
    run.item[slot] = run.sequence[control[NEXT] % run.sequence.size]
    control[NEXT] += 1
    run.generation[slot] += 1
    run.waiting[slot] = 1
    run.intended_ns[slot] = intended_ns
    run.sent_ns[slot] = now_ns
    end = run.item.size + connection
    last = run.before[end]
    run.after[last] = slot
    run.before[slot] = last
    run.after[slot] = end
    run.before[end] = slot
    control[IN_FLIGHT] += 1
    phase = 1 if intended_ns >= control[MEASURE_NS] else 0
    run.counters[phase, SENT] += 1
    if now_ns - intended_ns > BEHIND_NS:
        run.counters[phase, BEHIND] += 1
    return slot


@compiled
def free_slot(run: Run, connection: int, slot: int) -> None:
    """Take a request out of flight."""
    run.waiting[slot] = 0
    run.after[run.before[slot]] = run.after[slot]
    run.before[run.after[slot]] = run.before[slot]
    each = run.control[SLOTS_EACH]
    at = (run.free_head[connection] + run.free_count[connection]) % each
    run.free[connection, at] = slot
    run.free_count[connection] += 1
    run.control[IN_FLIGHT] -= 1


@compiled
def id_of(run: Run, slot: int) -> int:
    """Give the id of a request in flight."""
    control = run.control
    index = slot % control[SLOTS_EACH]
    request_id: int = run.generation[slot] << control[ID_BITS] | index
    return request_id & int(control[ID_MASK])


@compiled
def slot_of(run: Run, connection: int, request_id: int) -> int:
    """Find the slot in flight that has an id on a connection; -1 when none has."""
    control = run.control
    index = request_id & ((1 << control[ID_BITS]) - 1)
    if index >= control[SLOTS_EACH]:
        return -1
    slot: int = connection * control[SLOTS_EACH] + index
    if run.waiting[slot] == 0 or id_of(run, slot) != request_id:
        return -1
    return slot


@compiled
def oldest_slot(run: Run, connection: int) -> int:
    """Find the slot longest in flight on a connection; -1 when none is."""
    slot = run.after[run.item.size + connection]
    return slot if slot < run.item.size else -1


@compiled
def expire(run: Run, now_ns: int) -> None:
    """Count as lost what has waited too long."""
    for connection in range(run.control[CONNECTIONS]):
        slot = oldest_slot(run, connection)
        while slot >= 0 and now_ns - run.sent_ns[slot] >= run.control[TIMEOUT_NS]:
            lose(run, connection, slot)
            slot = oldest_slot(run, connection)


@compiled
def lose(run: Run, connection: int, slot: int) -> None:
    """Count a request in flight as lost."""
    phase = 1 if run.intended_ns[slot] >= run.control[MEASURE_NS] else 0
    run.counters[phase, LOST] += 1
    free_slot(run, connection, slot)


@compiled
def lose_all(run: Run, connection: int) -> None:
    """Count all requests in flight on a connection as lost: it has broken."""
    slot = oldest_slot(run, connection)
    while slot >= 0:
        lose(run, connection, slot)
        slot = oldest_slot(run, connection)


@compiled
def may_send(run: Run, connection: int, now_ns: int) -> bool:
    """Tell whether a request may be sent now on a connection."""
    if run.free_count[connection] == 0 or has_sent_all(run, now_ns):
        return False
    return bool(intended_next(run, now_ns) <= now_ns)


@compiled
def has_sent_all(run: Run, now_ns: int) -> bool:
    """Tell whether no request is to be sent any more.

    What an open loop should have sent before the end is sent however late it is.
    """
    control = run.control
    if control[NEXT] >= control[LIMIT]:
        return True
    return bool(intended_next(run, now_ns) >= control[END_NS])


@compiled
def is_over(run: Run, now_ns: int) -> bool:
    """Tell whether all is sent, and answered or lost."""
    return bool(run.control[IN_FLIGHT] == 0 and has_sent_all(run, now_ns))


@compiled
def intended_next(run: Run, now_ns: int) -> int:
    """Give the time at which the next request should be sent: a closed loop's is now."""
    control = run.control
    if control[OPEN_LOOP] == 0:
        return now_ns
    return int(control[START_NS] + np.int64(control[NEXT] * run.interval_ns[0]))


@compiled
def record(latencies: np.ndarray, nanoseconds: int) -> None:
    """Count a latency in its bucket of an HdrHistogram."""
    latencies[bucket_of(nanoseconds)] += 1


@compiled
def bucket_of(nanoseconds: int) -> int:
    """Give the place of a latency among an HdrHistogram's counts."""
    value = min(max(nanoseconds, 0), LARGEST_NS)
    # The exponent of a float is the length of an integer in bits, exact below 2^53.
    bits = math.frexp(np.float64(value | (SUB_BUCKETS - 1)))[1]
    bucket = bits - (_HALF_BITS + 1)
    return (bucket << _HALF_BITS) + (value >> bucket)
