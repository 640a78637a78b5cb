"""The loop that receives, answers and hands over: one thread, without the lock of Python.

Datagrams come in batches (`recvmmsg`), and their answers go out in one call
(`sendmmsg`). What the packet cache cannot answer goes to the event loop through a ring
of bounded size; what finds no room there is shed and counted: a client sends it again.

Of a TCP connection the loop looks at what has arrived, answers whole requests from the
cache, and only then takes them out of the kernel's buffer. So it never holds a request
that it has not answered: at the first one it cannot answer it lets go of the
connection, and the event loop finds that request, and all after it, where it was. The
answers to one look go out in one call; when the client does not take all of them, the
rest of the answer that was cut goes to the event loop with the connection.

Only compiled code can run this.
"""

import numpy as np

from resolver.fastpath.atomic import exchange, load, store
from resolver.fastpath.copying import copy
from resolver.fastpath.engine_layout import (
    BATCH,
    BELL_FD,
    CONNECTION,
    DATAGRAM,
    DATAGRAM_OCTETS,
    EVENTS,
    HELPED,
    INBOX_HEAD,
    INBOX_TAIL,
    NAME_OCTETS,
    NOTHING,
    OWNER,
    PARTIAL_SINCE,
    PARTIALS,
    POLL_FD,
    RECORD_HEAD,
    RESERVED_WORDS,
    RUNG,
    SLOT_OCTETS,
    SLOTS,
    SOCKET,
    STOP,
    STREAM_OCTETS,
    TCP_SOCKET,
    UDP_SOCKET,
    Engine,
    Outbox,
)
from resolver.fastpath.layout import (
    HANDLE,
    KIND,
    MASK32,
    MAX_QUESTION_OCTETS,
    MAX_REPLY_OCTETS,
    MISSES,
    SHED,
    TCP,
    UDP,
    Key,
    Packets,
)
from resolver.fastpath.questions import be32, put32
from resolver.fastpath.replies import answer, take_back
from resolver.fastpath.system import (
    CLOCK_REALTIME,
    EPOLL_CTL_DEL,
    EPOLL_CTL_MOD,
    EPOLL_DATA_OFFSET,
    EPOLL_EVENT_OCTETS,
    EPOLLET,
    EPOLLIN,
    EPOLLRDHUP,
    MSG_DONTWAIT,
    MSG_NOSIGNAL,
    MSG_PEEK,
    MSG_TRUNC,
    clock_gettime,
    epoll_ctl,
    epoll_wait,
    recv,
    recvmmsg,
    send,
    sendmmsg,
    usleep,
    write,
)

_TICK_MILLISECONDS = 1000
_ROUNDS = 16
"""Batches of one socket in a row; then the others get their turn."""

_BURST = 32
"""Answers sent at once on a connection: while a client reads them, the next are made."""

_ENVELOPE = 20
_MAX_DATAGRAM = 512
"""Octets of a Handle datagram (handle notes §1.10)."""

_MAX_PIECES = -(-(MAX_REPLY_OCTETS - _ENVELOPE) // (_MAX_DATAGRAM - _ENVELOPE))
"""Datagrams that the longest answer takes."""

_MICROSECONDS = 1_000_000
_STALLED_MICROSECONDS = 1_000_000
"""How long an incomplete request may stay; then the event loop looks after it."""

_WALK_MICROSECONDS = 100_000
"""How often those are looked for."""

_NEXT_WALK = 3
"""Where the time of the next such walk is among the clock's words."""

_FULL_MICROSECONDS = 200


def run(packets: Packets, engine: Engine, key: Key) -> None:
    """Serve until told to stop."""
    control = engine.control
    while load(control, STOP) == 0:
        count = epoll_wait(
            control[POLL_FD], engine.events.ctypes.data, EVENTS, _TICK_MILLISECONDS
        )
        for n in range(count):
            at = n * EPOLL_EVENT_OCTETS
            flags = _read32(engine.events, at)
            fd = _read32(engine.events, at + EPOLL_DATA_OFFSET)
            if engine.sockets[fd, SOCKET] == UDP_SOCKET:
                _serve_datagrams(packets, engine, fd, key)
            elif engine.sockets[fd, SOCKET] == TCP_SOCKET:
                kept = _serve_stream(packets, engine, fd, key)
                # A client that ends is no event again, so it ends in this turn.
                if kept and flags & ~EPOLLIN:
                    _let_go(packets, engine, fd, 0, 0)
        if control[PARTIALS] > 0:
            _let_go_of_stalled(packets, engine)


def _read32(octets: np.ndarray, at: int) -> int:
    """Read 32 bits as this machine writes them: little-endian ones alone are served."""
    return (
        np.int64(octets[at])
        | np.int64(octets[at + 1]) << 8
        | np.int64(octets[at + 2]) << 16
        | np.int64(octets[at + 3]) << 24
    )


def microseconds(engine: Engine) -> int:
    """Give the time since 1970."""
    clock_gettime(CLOCK_REALTIME, engine.clock.ctypes.data)
    return engine.clock[0] * _MICROSECONDS + engine.clock[1] // 1000


def _serve_datagrams(packets: Packets, engine: Engine, fd: int, key: Key) -> None:
    """Receive and answer until nothing is there, or others should have a turn."""
    for _ in range(_ROUNDS):
        count = recvmmsg(fd, engine.received.ctypes.data, BATCH, MSG_DONTWAIT, 0)
        if count <= 0:
            return
        _answer_datagrams(packets, engine, fd, count, key)
        if count < BATCH:
            return  # whatever has come since is an event again


def _answer_datagrams(
    packets: Packets, engine: Engine, fd: int, count: int, key: Key
) -> None:
    owner = engine.sockets[fd, OWNER]
    now = microseconds(engine)
    slots, misses = 0, 0
    for n in range(count):
        if slots > SLOTS - _MAX_PIECES:
            _send_slots(fd, engine.sent, slots)
            slots = 0
        size = engine.received[n, 7] & MASK32
        written = answer(
            packets,
            owner,
            UDP,
            engine.datagrams,
            n * DATAGRAM_OCTETS,
            size,
            engine.slots,
            slots * SLOT_OCTETS,
            MAX_REPLY_OCTETS,
            now,
            key,
        )
        if written == 0:
            misses += 1
            _hand_over_datagram(packets, engine, fd, n, size)
        elif written > _MAX_DATAGRAM and packets.owners[owner, KIND] == HANDLE:
            slots = _cut(engine, slots, n, written)
        else:
            slots = _fill_slot(engine, slots, n, written)
        engine.received[n, 1] = NAME_OCTETS
    _send_slots(fd, engine.sent, slots)
    if misses > 0:
        packets.counters[owner, MISSES] += misses
        _ring(engine)


def _fill_slot(engine: Engine, slot: int, number: int, size: int) -> int:
    """Address the octets in a slot to the sender of a datagram; give the next slot."""
    engine.sent[slot, 0] = engine.received[number, 0]
    engine.sent[slot, 1] = engine.received[number, 1] & MASK32
    engine.sent_vectors[slot, 1] = size
    return slot + 1


def _cut(engine: Engine, slot: int, number: int, size: int) -> int:
    """Cut a long message into datagrams, each with its envelope; give the next slot."""
    octets, first = engine.slots, slot * SLOT_OCTETS
    piece = _MAX_DATAGRAM - _ENVELOPE
    last = (size - _ENVELOPE - 1) // piece
    for part in range(last, -1, -1):
        target = (slot + part) * SLOT_OCTETS
        start = _ENVELOPE + part * piece
        length = min(piece, size - start)
        if part > 0:
            copy(octets, first, octets, target, _ENVELOPE)
            copy(octets, first + start, octets, target + _ENVELOPE, length)
            put32(octets, target + 12, part)
        _fill_slot(engine, slot + part, number, _ENVELOPE + length)
    return slot + last + 1


def _send_slots(fd: int, headers: np.ndarray, count: int) -> None:
    """Send datagrams; one that cannot be sent is lost, as the network may lose any."""
    done = 0
    while done < count:
        sent = sendmmsg(fd, headers.ctypes.data + done * 64, count - done, MSG_DONTWAIT)
        done += max(sent, 1)


def _hand_over_datagram(
    packets: Packets, engine: Engine, fd: int, number: int, size: int
) -> None:
    """Give a datagram to the event loop, or shed it."""
    at = _room(engine, size, RESERVED_WORDS)
    if at < 0:
        packets.counters[engine.sockets[fd, OWNER], SHED] += 1
        return
    name_size = engine.received[number, 1] & MASK32
    engine.inbox[at + 2] = name_size
    source, target = number * NAME_OCTETS, (at + 3) * 8
    copy(engine.names, source, engine.inbox_octets, target, NAME_OCTETS)
    _push(engine, at, DATAGRAM, fd, engine.datagrams, number * DATAGRAM_OCTETS, size)


def _serve_stream(packets: Packets, engine: Engine, fd: int, key: Key) -> bool:
    """Answer what a connection has sent; False when it was let go of."""
    now = microseconds(engine)
    for _ in range(_ROUNDS):
        seen = recv(
            fd, engine.stream.ctypes.data, STREAM_OCTETS, MSG_PEEK | MSG_DONTWAIT
        )
        if seen <= 0:
            _let_go(packets, engine, fd, 0, 0)
            return False
        state = _answer_stream(packets, engine, fd, seen, now, key)
        if state == _LET_GO:
            return False
        # Edge-triggered: what waits behind a buffer full of it is no event again.
        if state == _INCOMPLETE and seen < STREAM_OCTETS:
            _note_incomplete(engine, fd, now)
            return True
        _note_complete(engine, fd)
        if state == _DONE and seen < STREAM_OCTETS:
            return True
    # Armed again, it is ready at once if there is more.
    _arm(engine, fd)
    return True


_DONE, _INCOMPLETE, _MORE, _LET_GO = 0, 1, 2, 3


def _answer_stream(
    packets: Packets, engine: Engine, fd: int, seen: int, now: int, key: Key
) -> int:
    """Answer whole requests from the cache, and take them out of the buffer."""
    owner, stream = engine.sockets[fd, OWNER], engine.stream
    at, filled, answered, state = 0, 0, 0, _DONE
    while at < seen:
        if seen - at < _ENVELOPE:
            state = _INCOMPLETE
            break
        size = _ENVELOPE + be32(stream, at + 16)
        if size > MAX_QUESTION_OCTETS:
            state = _LET_GO
            break
        if at + size > seen:
            state = _INCOMPLETE
            break
        room = engine.replies.size - filled
        if answered == _BURST or room < MAX_REPLY_OCTETS:
            state = _MORE
            break
        written = answer(
            packets,
            owner,
            TCP,
            stream,
            at,
            size,
            engine.replies,
            filled,
            room,
            now,
            key,
        )
        if written == 0:
            packets.counters[owner, MISSES] += 1
            state = _LET_GO
            break
        at += size
        filled += written
        answered += 1
    if filled > 0 and not _send_replies(packets, engine, fd, filled, at, now, key):
        return _LET_GO
    if state == _LET_GO:
        _let_go(packets, engine, fd, 0, 0)
    return state


def _send_replies(
    packets: Packets,
    engine: Engine,
    fd: int,
    filled: int,
    consumed: int,
    now: int,
    key: Key,
) -> bool:
    """Send replies, and take their requests out of the buffer.

    False when the client does not take all of them; the connection is let go of then.
    """
    replies, stream = engine.replies, engine.stream
    sent = send(fd, replies.ctypes.data, filled, MSG_DONTWAIT | MSG_NOSIGNAL)
    if sent == filled:
        recv(fd, stream.ctypes.data, consumed, MSG_TRUNC | MSG_DONTWAIT)
        engine.sockets[fd, HELPED] = 1
        _note_complete(engine, fd)
        return True
    # Requests and replies go in step: as far as one was sent, the other is done.
    taken, end = 0, 0
    while end < sent:
        end += _ENVELOPE + be32(replies, end + 16)
        taken += _ENVELOPE + be32(stream, taken + 16)
    at, owner = taken, engine.sockets[fd, OWNER]
    while at < consumed:
        size = _ENVELOPE + be32(stream, at + 16)
        take_back(packets, owner, TCP, stream, at, size, now, key)
        at += size
    if taken > 0:
        recv(fd, stream.ctypes.data, taken, MSG_TRUNC | MSG_DONTWAIT)
        engine.sockets[fd, HELPED] = 1
    sent = max(sent, 0)
    _let_go(packets, engine, fd, sent, end - sent)
    return False


def _let_go(packets: Packets, engine: Engine, fd: int, start: int, size: int) -> None:
    """Give a connection back to the event loop, with the rest of an answer."""
    _note_complete(engine, fd)
    epoll_ctl(engine.control[POLL_FD], EPOLL_CTL_DEL, fd, engine.events.ctypes.data)
    engine.sockets[fd, SOCKET] = 0
    at = _room(engine, size, 0)
    while at < 0 and load(engine.control, STOP) == 0:
        _ring(engine)
        usleep(_FULL_MICROSECONDS)
        at = _room(engine, size, 0)
    if at < 0:
        return
    engine.inbox[at + 2] = engine.sockets[fd, HELPED]
    _push(engine, at, CONNECTION, fd, engine.replies, start, size)
    _ring(engine)


def _note_incomplete(engine: Engine, fd: int, now: int) -> None:
    if engine.sockets[fd, PARTIAL_SINCE] == 0:
        engine.sockets[fd, PARTIAL_SINCE] = now
        engine.control[PARTIALS] += 1


def _note_complete(engine: Engine, fd: int) -> None:
    if engine.sockets[fd, PARTIAL_SINCE] != 0:
        engine.sockets[fd, PARTIAL_SINCE] = 0
        engine.control[PARTIALS] -= 1


def _let_go_of_stalled(packets: Packets, engine: Engine) -> None:
    """Let the event loop look after requests that do not get complete."""
    now = microseconds(engine)
    # A walk over all sockets takes as long as many answers.
    if now < engine.clock[_NEXT_WALK]:
        return
    engine.clock[_NEXT_WALK] = now + _WALK_MICROSECONDS
    before = now - _STALLED_MICROSECONDS
    for fd in range(engine.sockets.shape[0]):
        since = engine.sockets[fd, PARTIAL_SINCE]
        if since != 0 and since < before:
            _let_go(packets, engine, fd, 0, 0)


def _arm(engine: Engine, fd: int) -> None:
    events = engine.events
    at = events.size - EPOLL_EVENT_OCTETS
    flags = EPOLLIN | EPOLLET | EPOLLRDHUP
    for n in range(EPOLL_EVENT_OCTETS):
        events[at + n] = 0
    for n in range(4):
        events[at + n] = (flags >> (8 * n)) & 0xFF
        events[at + EPOLL_DATA_OFFSET + n] = (fd >> (8 * n)) & 0xFF
    epoll_ctl(engine.control[POLL_FD], EPOLL_CTL_MOD, fd, events.ctypes.data + at)


def _room(engine: Engine, size: int, reserved: int) -> int:
    """Give where in the inbox a record with `size` octets may stand, or -1."""
    words = RECORD_HEAD + ((size + 7) >> 3)
    capacity = engine.inbox.size
    head = engine.control[INBOX_HEAD]
    free = capacity - (head - load(engine.control, INBOX_TAIL)) - reserved
    at = head % capacity
    rest = capacity - at
    if rest < words:
        if free < rest + words:
            return -1
        engine.inbox[at] = rest | NOTHING << 32
        store(engine.control, INBOX_HEAD, head + rest)
        return 0
    return at if free >= words else -1


def _push(
    engine: Engine,
    at: int,
    kind: int,
    fd: int,
    octets: np.ndarray,
    start: int,
    size: int,
) -> None:
    """Finish a record for which `_room` gave the place."""
    words = RECORD_HEAD + ((size + 7) >> 3)
    engine.inbox[at] = words | kind << 32
    engine.inbox[at + 1] = fd | size << 32
    copy(octets, start, engine.inbox_octets, (at + RECORD_HEAD) * 8, size)
    store(engine.control, INBOX_HEAD, engine.control[INBOX_HEAD] + words)


def _ring(engine: Engine) -> None:
    """Wake the event loop unless it has been told already."""
    if exchange(engine.control, RUNG, 1) == 0:
        engine.clock[2] = 1
        write(engine.control[BELL_FD], engine.clock.ctypes.data + 16, 8)


def take(engine: Engine, out: np.ndarray) -> int:
    """Move records from the inbox to `out`; give how many words.

    Called by the event loop's thread. `out` holds the whole inbox.
    """
    exchange(engine.control, RUNG, 0)
    head = load(engine.control, INBOX_HEAD)
    tail = engine.control[INBOX_TAIL]
    mask = engine.inbox.size - 1
    count = head - tail
    for n in range(count):
        out[n] = engine.inbox[(tail + n) & mask]
    store(engine.control, INBOX_TAIL, head)
    return count


def send_datagrams(fd: int, outbox: Outbox, sizes: np.ndarray, count: int) -> None:
    """Send the first datagrams of an outbox; `sizes` has octets of each and its name."""
    for n in range(count):
        outbox.vectors[n, 1] = sizes[n, 0]
        outbox.headers[n, 1] = sizes[n, 1]
    _send_slots(fd, outbox.headers, count)
