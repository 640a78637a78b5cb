"""Sending and receiving in batches, over UDP and TCP. Compiled; ints and arrays only.

Each loop runs until a given time, or until nothing is left to do, and can be called
again to go on: everything it knows is in its arrays. It never waits while there is
something to send or receive. Before it sleeps it looks again for `SPIN_NS`, because
waking up takes longer than most answers.
"""

from typing import Any, NamedTuple

import numpy as np

from bench.compiling import compiled
from bench.load_checking import be16, be32, memmove, take_reply
from bench.load_flight import (
    CONNECTIONS,
    DNS,
    HANDLE,
    ID_AT,
    LAPS,
    OPEN_LOOP,
    PROTOCOL,
    REDIS,
    Run,
    expire,
    has_sent_all,
    id_of,
    intended_next,
    is_over,
    lose_all,
    may_send,
    take_slot,
)
from resolver.fastpath.compiling import import_numba
from resolver.fastpath.system import (
    CLOCK_MONOTONIC,
    MSG_DONTWAIT,
    MSG_NOSIGNAL,
    clock_gettime,
    recv,
    recvmmsg,
    send,
    sendmmsg,
)

types = import_numba().types

ppoll: Any = types.ExternalFunction(
    "ppoll", types.int32(types.uintp, types.uint64, types.uintp, types.uintp)
)
"""Array of `pollfd`, its length, `timespec`, signal mask: how many are ready."""

BATCH = 64
SPIN_NS = 30_000
_SLEEP_NS = 5_000_000
_WAKE_NS = 80_000
"""How long before the next request of an open loop a sleep ends: timers are late."""

DONE = -1
BROKEN = 0
"""A result from here on up says which connection has broken."""

_POLLIN, _POLLOUT = 1, 4
_POLL_FAILED = 0x38
_ATTEMPTS = 3
_HEADER_WORDS = 8


class Channels(NamedTuple):
    """The sockets of a run and their buffers."""

    sockets: np.ndarray
    """File descriptors, one a connection."""

    polled: np.ndarray
    """`struct pollfd` of each: descriptor, then events and results in 16 bits each."""

    times: np.ndarray
    """Two `timespec`: the clock's, and that of a sleep."""

    outgoing: np.ndarray
    """UDP: room for each message of a batch. TCP: room for each connection."""

    incoming: np.ndarray
    rooms: np.ndarray
    """Octets of one room in `outgoing` and in `incoming`."""

    pending: np.ndarray
    """TCP, by connection: start and stop of what waits to be sent, octets received."""

    send_headers: np.ndarray
    send_vectors: np.ndarray
    receive_headers: np.ndarray
    receive_vectors: np.ndarray


@compiled
def clock(channels: Channels) -> int:
    """Read the monotonic clock in nanoseconds."""
    times = channels.times
    clock_gettime(CLOCK_MONOTONIC, times.ctypes.data)
    return int(times[0] * 1_000_000_000 + times[1])


@compiled
def run_udp(run: Run, channels: Channels, until_ns: int) -> int:
    """Send and receive datagrams; gives DONE."""
    connections = run.control[CONNECTIONS]
    first = 0
    now = clock(channels)
    active = now
    while now < until_ns and not is_over(run, now):
        run.control[LAPS] += 1
        moved = 0
        for turn in range(connections):
            connection = (first + turn) % connections
            sent = _send_datagrams(run, channels, connection, now)
            if sent > 0:
                first = connection + 1
            moved += sent + _receive_datagrams(run, channels, connection)
        now = clock(channels)
        if moved > 0:
            active = now
        elif now - active > SPIN_NS:
            _sleep(run, channels, now, until_ns)
            now = clock(channels)
        expire(run, now)
    return DONE


@compiled
def run_tcp(run: Run, channels: Channels, until_ns: int) -> int:
    """Send and receive on connections; gives DONE, or which connection has broken."""
    connections = run.control[CONNECTIONS]
    first = 0
    now = clock(channels)
    active = now
    while now < until_ns and not is_over(run, now):
        run.control[LAPS] += 1
        moved = 0
        for turn in range(connections):
            connection = (first + turn) % connections
            sent = _send_stream(run, channels, connection, now)
            if sent > 0:
                first = connection + 1
            received: int = _receive_stream(run, channels, connection)
            if received < 0:
                return int(BROKEN + connection)
            moved += sent + received
        now = clock(channels)
        if moved > 0:
            active = now
        elif now - active > SPIN_NS:
            failed = _sleep(run, channels, now, until_ns)
            if failed >= 0:
                return int(BROKEN + failed)
            now = clock(channels)
        expire(run, now)
    return DONE


@compiled
def abandon(run: Run, channels: Channels, connection: int) -> None:
    """Count as lost what a broken connection leaves unanswered."""
    channels.pending[connection, :] = 0
    lose_all(run, connection)


@compiled
def _send_datagrams(run: Run, channels: Channels, connection: int, now: int) -> int:
    """Send at most a batch; give how many."""
    room = channels.rooms[0]
    count = 0
    while count < BATCH and may_send(run, connection, now):
        slot = take_slot(run, connection, intended_next(run, now), now)
        size = _write_request(run, channels.outgoing, count * room, slot)
        channels.send_vectors[count, 1] = size
        count += 1
    sent = 0
    # An error that an earlier datagram has met is told to the next call, which then
    # has sent nothing. What cannot be sent at last is lost.
    for _ in range(_ATTEMPTS):
        if sent == count:
            break
        headers = channels.send_headers.ctypes.data + sent * _HEADER_WORDS * 8
        fd = channels.sockets[connection]
        sent += max(0, sendmmsg(fd, headers, count - sent, MSG_NOSIGNAL))
    return count


@compiled
def _write_request(run: Run, buffer: np.ndarray, at: int, slot: int) -> int:
    """Write a request with its id; give its octets."""
    item = run.item[slot]
    start = run.question_starts[item]
    size: int = run.question_starts[item + 1] - start
    target = buffer.ctypes.data + at
    memmove(target, run.questions.ctypes.data + start, size)
    protocol = run.control[PROTOCOL]
    if protocol == REDIS:
        return size
    request_id = id_of(run, slot)
    at += run.control[ID_AT]
    if protocol == HANDLE:
        buffer[at] = request_id >> 24
        buffer[at + 1] = request_id >> 16 & 255
        at += 2
    buffer[at] = request_id >> 8 & 255
    buffer[at + 1] = request_id & 255
    return size


@compiled
def _receive_datagrams(run: Run, channels: Channels, connection: int) -> int:
    """Take what has arrived, at most a batch; give how many."""
    headers = channels.receive_headers
    fd = channels.sockets[connection]
    count: int = recvmmsg(fd, headers.ctypes.data, BATCH, MSG_DONTWAIT, 0)
    if count <= 0:
        return 0
    now = clock(channels)
    for n in range(count):
        size = headers[n, _HEADER_WORDS - 1] & 0xFFFF_FFFF
        at = n * channels.rooms[1]
        take_reply(run, connection, channels.incoming, at, size, now)
    return count


@compiled
def _send_stream(run: Run, channels: Channels, connection: int, now: int) -> int:
    """Send as much as the connection takes; give how many requests were added."""
    pending = channels.pending
    start = connection * channels.rooms[0]
    count = 0
    if pending[connection, 0] == pending[connection, 1]:
        pending[connection, 0] = pending[connection, 1] = 0
        while count < BATCH and may_send(run, connection, now):
            slot = take_slot(run, connection, intended_next(run, now), now)
            at = start + pending[connection, 1]
            size = _write_request(run, channels.outgoing, at, slot)
            pending[connection, 1] += size
            count += 1
    left = pending[connection, 1] - pending[connection, 0]
    if left > 0:
        address = channels.outgoing.ctypes.data + start + pending[connection, 0]
        flags = MSG_DONTWAIT | MSG_NOSIGNAL
        sent = send(channels.sockets[connection], address, left, flags)
        pending[connection, 0] += max(0, sent)
    return count


@compiled
def _receive_stream(run: Run, channels: Channels, connection: int) -> int:
    """Take what has arrived; give how many replies, -1 when the connection ended."""
    room = channels.rooms[1]
    kept = channels.pending[connection, 2]
    start = connection * room
    address = channels.incoming.ctypes.data + start
    fd = channels.sockets[connection]
    size = recv(fd, address + kept, room - kept, MSG_DONTWAIT)
    if size == 0:
        return -1
    if size < 0:
        return 0
    now = clock(channels)
    incoming = channels.incoming
    at, stop = start, start + kept + size
    count = 0
    while True:
        head, octets = _frame(run, incoming, at, stop)
        if octets > room:
            return -1
        if octets == 0 or octets > stop - at:
            break
        take_reply(run, connection, incoming, at + head, octets - head, now)
        at += octets
        count += 1
    kept = stop - at
    if kept > 0 and at > start:
        memmove(address, incoming.ctypes.data + at, kept)
    channels.pending[connection, 2] = kept
    return count


@compiled
def _frame(run: Run, octets: np.ndarray, at: int, stop: int) -> tuple[int, int]:
    """Measure the first reply: what stands before its message, and the size of all.

    The size is 0 while it cannot be told.
    """
    protocol = run.control[PROTOCOL]
    if protocol == REDIS:
        return 0, _redis_size(octets, at, stop)
    if protocol == DNS:
        return 2, 2 + be16(octets, at) if stop - at >= 2 else 0
    return 0, 20 + be32(octets, at + 16) if stop - at >= 20 else 0


@compiled
def _redis_size(octets: np.ndarray, at: int, stop: int) -> int:
    """Measure a Redis reply: a line, after which a value may follow."""
    line = at
    while line < stop and octets[line] != ord("\n"):
        line += 1
    if line == stop:
        return 0
    line += 1
    if octets[at] != ord("$") or octets[at + 1] == ord("-"):
        return line - at
    size = 0
    for place in range(at + 1, line - 2):
        size = size * 10 + int(np.int64(octets[place])) - ord("0")
    return line - at + size + 2


@compiled
def _sleep(run: Run, channels: Channels, now: int, until_ns: int) -> int:
    """Wait until something can be done; give which connection has failed, or -1."""
    wanted = min(_SLEEP_NS, until_ns - now)
    if run.control[OPEN_LOOP] == 1 and not has_sent_all(run, now):
        due = intended_next(run, now) - _WAKE_NS - now
        if due <= 0:
            return -1
        wanted = min(wanted, due)
    polled = channels.polled
    times = channels.times
    connections = run.control[CONNECTIONS]
    for connection in range(connections):
        waits = channels.pending[connection, 1] > channels.pending[connection, 0]
        polled[connection, 1] = _POLLIN | (_POLLOUT if waits else 0)
    times[2] = wanted // 1_000_000_000
    times[3] = wanted % 1_000_000_000
    ready = ppoll(polled.ctypes.data, connections, times.ctypes.data + 16, 0)
    for connection in range(connections if ready > 0 else 0):
        if polled[connection, 1] >> 16 & _POLL_FAILED:
            return connection
    return -1
