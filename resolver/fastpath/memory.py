"""Memory of the serving loop, made with the addresses that system calls need."""

import resource

import numpy as np

from resolver.fastpath import engine_layout as layout
from resolver.fastpath.system import EPOLL_EVENT_OCTETS, message_headers


def make_engine(poll_fd: int, bell_fd: int) -> layout.Engine:
    """Make what a serving loop works with, that is woken by one descriptor and rings another."""
    datagrams = np.zeros(layout.BATCH * layout.DATAGRAM_OCTETS, np.uint8)
    names = np.zeros(layout.SLOTS * layout.NAME_OCTETS, np.uint8)
    slots = np.zeros(layout.SLOTS * layout.SLOT_OCTETS, np.uint8)
    received, vectors = message_headers(
        layout.BATCH, datagrams, layout.DATAGRAM_OCTETS, names, layout.NAME_OCTETS
    )
    sent, sent_vectors = message_headers(
        layout.SLOTS, slots, layout.SLOT_OCTETS, names, layout.NAME_OCTETS
    )
    control = np.zeros(layout.CONTROL_WORDS, np.int64)
    control[layout.POLL_FD], control[layout.BELL_FD] = poll_fd, bell_fd
    inbox = np.zeros(layout.INBOX_WORDS, np.int64)
    return layout.Engine(
        control=control,
        sockets=np.zeros((_socket_rows(), layout.SOCKET_COLUMNS), np.int64),
        events=_events(),
        clock=np.zeros(4, np.int64),
        datagrams=datagrams,
        names=names,
        received=received,
        received_vectors=vectors,
        slots=slots,
        sent=sent,
        sent_vectors=sent_vectors,
        stream=np.zeros(layout.STREAM_OCTETS, np.uint8),
        replies=np.zeros(layout.STREAM_REPLY_OCTETS, np.uint8),
        inbox=inbox,
        inbox_octets=inbox.view(np.uint8),
    )


def _socket_rows() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(soft, layout.MAX_SOCKETS) if soft > 0 else layout.MAX_SOCKETS


def _events() -> np.ndarray:
    return np.zeros((layout.EVENTS + 1) * EPOLL_EVENT_OCTETS, np.uint8)
