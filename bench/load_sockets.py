"""The sockets of a run, and the buffers that the compiled loops work on."""

import contextlib
import socket
from collections.abc import Iterator

import numpy as np

from bench.load_loops import BATCH, Channels
from resolver.errors import UnreachableError
from resolver.fastpath.system import message_headers

DATAGRAM_OCTETS = 4096
STREAM_OCTETS = 1 << 18
"""Octets of replies that a connection may have received in part."""

CONNECT_SECONDS = 5.0
_SOCKET_BUFFER_OCTETS = 8 << 20
_FORCED = 33
"""SO_RCVBUFFORCE of Linux: past the system's limit, for those who may."""


class Sockets:
    """Open sockets to one address, one a connection."""

    def __init__(
        self, address: tuple[str, int], transport: str, count: int, largest: int
    ) -> None:
        """Open them; `largest` is the longest request in octets.

        Raises:
            UnreachableError: Nothing listens there.
        """
        self.transport = transport
        self.address = address
        self._sockets: list[socket.socket] = []
        try:
            for _ in range(count):
                self._sockets.append(self._open())
        except BaseException:
            self.close()
            raise
        # Headers point into these; they live as long as the headers do.
        self.channels = _channels(self._sockets, transport, largest)

    def reconnect(self, number: int, *, last: bool) -> None:
        """Replace a connection that has broken.

        Raises:
            UnreachableError: It cannot be replaced, or `last` says it is enough.
        """
        self._sockets[number].close()
        if last:
            message = f"{_shown(self.address)} closes connections again and again"
            raise UnreachableError(message)
        self._sockets[number] = self._open()
        fd = self._sockets[number].fileno()
        self.channels.sockets[number] = fd
        self.channels.polled[number, 0] = fd

    def close(self) -> None:
        """Close all."""
        for item in self._sockets:
            item.close()

    def _open(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET
        stream = self.transport == "tcp"
        kind = socket.SOCK_STREAM if stream else socket.SOCK_DGRAM
        made = socket.socket(family, kind)
        try:
            if stream:
                made.settimeout(CONNECT_SECONDS)
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            else:
                _enlarge(made)
            made.connect(self.address)
            made.settimeout(None)
        except OSError as error:
            made.close()
            message = f"{_shown(self.address)} ({self.transport}): {error}"
            raise UnreachableError(message) from error
        return made


@contextlib.contextmanager
def open_sockets(
    address: tuple[str, int], transport: str, count: int, largest: int
) -> Iterator[Sockets]:
    """Open sockets for a block.

    Raises:
        UnreachableError: Nothing listens there.
    """
    sockets = Sockets(address, transport, count, largest)
    try:
        yield sockets
    finally:
        sockets.close()


def _enlarge(made: socket.socket) -> None:
    for option in (_FORCED, socket.SO_RCVBUF):
        with contextlib.suppress(OSError):
            made.setsockopt(socket.SOL_SOCKET, option, _SOCKET_BUFFER_OCTETS)
            return


def _channels(sockets: list[socket.socket], transport: str, largest: int) -> Channels:
    count = len(sockets)
    if transport == "udp":
        rooms, places = (max(largest, 1), DATAGRAM_OCTETS), BATCH
    else:
        rooms, places = (BATCH * max(largest, 1), STREAM_OCTETS), count
    outgoing = np.zeros(places * rooms[0], np.uint8)
    incoming = np.zeros(places * rooms[1], np.uint8)
    sending, send_vectors = _headers(outgoing, rooms[0])
    receiving, receive_vectors = _headers(incoming, rooms[1])
    polled = np.zeros((count, 2), np.int32)
    numbers = np.array([item.fileno() for item in sockets], np.int64)
    polled[:, 0] = numbers
    return Channels(
        sockets=numbers,
        polled=polled,
        times=np.zeros(4, np.int64),
        outgoing=outgoing,
        incoming=incoming,
        rooms=np.array(rooms, np.int64),
        pending=np.zeros((count, 3), np.int64),
        send_headers=sending,
        send_vectors=send_vectors,
        receive_headers=receiving,
        receive_vectors=receive_vectors,
    )


def _headers(buffers: np.ndarray, room: int) -> tuple[np.ndarray, np.ndarray]:
    """Make headers for a batch on connected sockets: messages without addresses."""
    names = np.zeros(1, np.uint8)
    headers, vectors = message_headers(BATCH, buffers, room, names, 0)
    headers[:, 0] = 0
    return headers, vectors


def _shown(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
