"""The packet cache of a process, and the thread that serves from it.

One for all nodes of a network. The event loop's thread owns everything here but the
serving loop itself: it teaches answers, forgets names, lends sockets, and takes what the
serving loop hands over. Sockets stay open until they are given back or the serving loop
has ended.
"""

import asyncio
import contextlib
import os
import select
import struct
import threading
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

import numpy as np

from resolver.fastpath import engine_layout as layout
from resolver.fastpath.doorkeeper import Doorkeeper
from resolver.fastpath.layout import (
    CLASSES,
    DNS,
    ENTRIES,
    EVICTED,
    FOLD,
    FOLD_NAME,
    FOLD_PREFIX,
    GENERATION,
    GENERATION_MASK,
    HANDLE,
    KIND,
    MAX_OWNERS,
    MISSES,
    NEVER_EXPIRES,
    SHED,
    TCP,
    UDP,
    make_key,
    make_packets,
)
from resolver.fastpath.memory import make_engine
from resolver.fastpath.system import EPOLLET, EPOLLIN, EPOLLRDHUP, message_headers

ARENA_OCTETS = 384 << 20
"""Room for a million answers of 400 octets; memory is taken as it fills."""

SLOTS = 3 << 20
"""A third of them are used then, so that buckets hardly ever overflow."""

_OUTBOX = 64
_MICROSECONDS = 1_000_000
_SIZE_AND_KIND = struct.Struct("=II")
_RECORD = struct.Struct("=IIII Q")
_NAME_AT = 24
_PAYLOAD_AT = layout.RECORD_HEAD * 8


class Borrowed(Protocol):
    """A connection that is lent to the serving loop."""

    def returned(self, rest: bytes, *, helped: bool) -> None:
        """Take it back, with the rest of an answer that the client did not take."""


Receive = Callable[[bytes, bytes], None]
"""Takes a datagram and the address it came from, as the system writes it."""


class Counts(NamedTuple):
    """What was counted for one owner since the start."""

    udp: tuple[int, ...]
    """Hits by class of the answer."""

    tcp: tuple[int, ...]
    misses: int
    shed: int
    evicted: int
    entries: int
    """Answers in the cache now."""

    @property
    def hits(self) -> int:
        """All hits."""
        return sum(self.udp) + sum(self.tcp)


class Engine:
    """Serves from the packet cache until it is stopped."""

    def __init__(self, *, arena_octets: int = ARENA_OCTETS, slots: int = SLOTS) -> None:
        from resolver.fastpath import compiled

        self._compiled = compiled
        self._packets = make_packets(arena_octets, slots)
        self._key, self._spare = make_key(), make_key()
        self._owners = 0
        self.doorkeeper = Doorkeeper()
        self._poll = select.epoll()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._stop_bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._shared = make_engine(self._poll.fileno(), self._bell)
        self._taken = np.zeros(layout.INBOX_WORDS, np.int64)
        self._outbox = _Outbox(compiled.send_datagrams)
        self._receivers: dict[int, Receive] = {}
        self._borrowed: dict[int, Borrowed] = {}
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Start the serving loop; called in the event loop."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._bell, self._take)
        self._poll.register(self._stop_bell, EPOLLIN)
        arguments = (self._packets, self._shared, make_key())
        self._thread = threading.Thread(
            target=self._compiled.run, args=arguments, name="fast-path", daemon=True
        )
        self._thread.start()

    async def stop(self) -> None:
        """End the serving loop and give every connection back."""
        if self._loop is not None and self._thread is not None:
            await self._end_serving(self._loop, self._thread)
        if not self._poll.closed:
            self._poll.close()
            os.close(self._bell)
            os.close(self._stop_bell)

    async def _end_serving(
        self, loop: asyncio.AbstractEventLoop, thread: threading.Thread
    ) -> None:
        self._shared.control[layout.STOP] = 1
        os.eventfd_write(self._stop_bell, 1)
        await asyncio.to_thread(thread.join)
        self._thread = None
        self._take()
        loop.remove_reader(self._bell)
        for fd in list(self._borrowed):
            self._give_back(fd, b"", helped=False)

    @property
    def serving(self) -> bool:
        """Whether the serving loop runs."""
        return self._thread is not None

    def add_owner(self, *, dns: bool = False, prefix_only: bool = False) -> int:
        """Give a row to a face whose answers will be cached.

        Raises:
            RuntimeError: There are `MAX_OWNERS` already.
        """
        if self._owners == MAX_OWNERS:
            message = f"{MAX_OWNERS} faces have a packet cache already"
            raise RuntimeError(message)
        owner, self._owners = self._owners, self._owners + 1
        row = self._packets.owners[owner]
        row[KIND] = DNS if dns else HANDLE
        row[FOLD] = FOLD_PREFIX if prefix_only else FOLD_NAME
        return owner

    def serve_datagrams(self, fd: int, owner: int, receive: Receive) -> None:
        """Answer a UDP socket; what is not in the cache is given to `receive`."""
        self._receivers[fd] = receive
        self._lend(fd, owner, layout.UDP_SOCKET, EPOLLIN)

    def send(self, fd: int, name: bytes, datagram: bytes) -> None:
        """Send a datagram to an address; it goes out in this turn of the loop."""
        if self._outbox.add(fd, name, datagram) and self._loop is not None:
            self._loop.call_soon(self._outbox.flush)

    def lend(self, fd: int, owner: int, connection: Borrowed) -> bool:
        """Let the serving loop answer a connection; False when it cannot."""
        if not self.serving or fd >= self._shared.sockets.shape[0]:
            return False
        self._borrowed[fd] = connection
        try:
            self._lend(fd, owner, layout.TCP_SOCKET, EPOLLIN | EPOLLET | EPOLLRDHUP)
        except OSError:  # the system watches as many as it may
            self._shared.sockets[fd, layout.SOCKET] = 0
            del self._borrowed[fd]
            return False
        return True

    def learn(
        self, owner: int, question: bytes, answer: bytes, kind: int, expires: float
    ) -> bool:
        """Keep an answer of class `kind` until `expires`, in seconds since 1970."""
        until = min(expires * _MICROSECONDS, NEVER_EXPIRES)
        learnt: bool = self._compiled.learn(
            self._packets,
            owner,
            np.frombuffer(question, np.uint8),
            np.frombuffer(answer, np.uint8),
            int(until),
            kind,
            self._key,
            self._spare,
        )
        return learnt

    def forget(self, owner: int, names: Iterable[bytes]) -> None:
        """Forget all answers about canonical names."""
        if self._packets.counters[owner, ENTRIES] == 0:
            return
        listed = list(names)
        ends = np.cumsum([len(name) for name in listed], dtype=np.int64)
        octets = np.frombuffer(b"".join(listed), np.uint8)
        self._compiled.forget_names(self._packets, owner, octets, ends, self._key)

    def forget_all(self, owner: int) -> None:
        """Forget everything an owner has in the cache."""
        row = self._packets.owners[owner]
        row[GENERATION] = (row[GENERATION] + 1) & GENERATION_MASK

    def counts(self, owner: int) -> Counts:
        """Count what was done for an owner so far."""
        row = self._packets.counters[owner].tolist()
        return Counts(
            tuple(row[UDP * CLASSES : (UDP + 1) * CLASSES]),
            tuple(row[TCP * CLASSES : (TCP + 1) * CLASSES]),
            row[MISSES],
            row[SHED],
            row[EVICTED],
            row[ENTRIES],
        )

    def _lend(self, fd: int, owner: int, kind: int, events: int) -> None:
        row = self._shared.sockets[fd]
        row[layout.OWNER], row[layout.PARTIAL_SINCE], row[layout.HELPED] = owner, 0, 0
        row[layout.SOCKET] = kind
        self._poll.register(fd, events)

    def _take(self) -> None:
        """Take what the serving loop has handed over."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._bell)
        words = self._compiled.take(self._shared, self._taken)
        records = self._taken[:words].tobytes()
        at = 0
        while at < len(records):
            size, kind = _SIZE_AND_KIND.unpack_from(records, at)
            if kind != layout.NOTHING:  # which may be shorter than any other record
                try:
                    self._take_one(records, at)
                except Exception as error:  # noqa: BLE001 (handed to the loop's handler)
                    # The others were taken out of the inbox as well.
                    self._report(error)
            at += size * 8

    def _report(self, error: Exception) -> None:
        assert self._loop is not None
        message = "taking what the fast path handed over has failed"
        context = {"message": message, "exception": error}
        self._loop.call_exception_handler(context)

    def _take_one(self, records: bytes, at: int) -> None:
        _, kind, fd, octets, name_size = _RECORD.unpack_from(records, at)
        payload = records[at + _PAYLOAD_AT : at + _PAYLOAD_AT + octets]
        if kind == layout.DATAGRAM:
            name = records[at + _NAME_AT : at + _NAME_AT + name_size]
            self._receivers[fd](payload, name)
        else:
            self._give_back(fd, payload, helped=bool(name_size))

    def _give_back(self, fd: int, rest: bytes, *, helped: bool) -> None:
        connection = self._borrowed.pop(fd, None)
        if connection is not None:
            connection.returned(rest, helped=helped)


class _Outbox:
    """Datagrams on their way out, sent together."""

    def __init__(self, send: Callable[..., None]) -> None:
        octets = np.zeros(_OUTBOX * layout.SLOT_OCTETS, np.uint8)
        names = np.zeros(_OUTBOX * layout.NAME_OCTETS, np.uint8)
        headers, vectors = message_headers(
            _OUTBOX, octets, layout.SLOT_OCTETS, names, layout.NAME_OCTETS
        )
        self._arrays = layout.Outbox(octets, names, headers, vectors)
        self._octets, self._names = octets.data, names.data
        self._sizes = np.zeros((_OUTBOX, 2), np.int64)
        self._send = send
        self._fd = -1
        self._count = 0

    def add(self, fd: int, name: bytes, datagram: bytes) -> bool:
        """Add a datagram; True when it is the first, which must be flushed."""
        if self._count == _OUTBOX or (self._count and fd != self._fd):
            self.flush()
        number = self._count
        self._fd = fd
        start = number * layout.SLOT_OCTETS
        self._octets[start : start + len(datagram)] = datagram
        start = number * layout.NAME_OCTETS
        self._names[start : start + len(name)] = name
        self._sizes[number, 0], self._sizes[number, 1] = len(datagram), len(name)
        self._count = number + 1
        return number == 0

    def flush(self) -> None:
        """Send what there is."""
        count, self._count = self._count, 0
        if count:
            self._send(self._fd, self._arrays, self._sizes, count)
