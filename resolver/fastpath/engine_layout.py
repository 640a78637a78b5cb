"""The arrays that the serving loop and the event loop share.

The inbox is a ring of 64-bit words, written by the serving loop alone and read by the
event loop alone. A record in it:

    WORD  BITS   FIELD
       0   0-31  size of the record in words
          32-39  what it is: nothing (the rest of the ring is unused), a datagram, or a
                 connection that the serving loop has let go of
       1   0-31  file descriptor
          32-63  octets of the payload
       2         octets of the address; of a connection, whether anything was answered
       3-6       the address (`sockaddr`)
       7         the payload: the datagram, or the rest of an answer that was cut
"""

from typing import NamedTuple

import numpy as np

BATCH = 64
"""Datagrams received by one call."""

SLOTS = 128
"""Datagrams sent by one call: a long answer takes several."""

NAME_OCTETS = 32
DATAGRAM_OCTETS = 65_600
"""Room for one datagram. Not a power of two: batches would share lines of the cache."""

SLOT_OCTETS = 4160
STREAM_OCTETS = 65_536
STREAM_REPLY_OCTETS = 262_144
EVENTS = 64

INBOX_WORDS = 1 << 19
"""4 MiB."""

RESERVED_WORDS = 1 << 17
"""Of them, for connections alone: those must not be shed."""

RECORD_HEAD = 7
NOTHING, DATAGRAM, CONNECTION = 0, 1, 2

# The table of sockets, by file descriptor.
SOCKET, OWNER, PARTIAL_SINCE, HELPED = 0, 1, 2, 3
SOCKET_COLUMNS = 4
MAX_SOCKETS = 65_536
UDP_SOCKET, TCP_SOCKET = 1, 2

# Control words, each in a line of the cache of its own where both threads write.
STOP, POLL_FD, BELL_FD, PARTIALS = 0, 1, 2, 3
INBOX_HEAD, INBOX_TAIL, RUNG = 8, 16, 24
CONTROL_WORDS = 32


class Engine(NamedTuple):
    """What the serving loop works with."""

    control: np.ndarray
    sockets: np.ndarray
    events: np.ndarray
    clock: np.ndarray
    datagrams: np.ndarray
    names: np.ndarray
    received: np.ndarray
    """`mmsghdr` of the datagrams that come in."""

    received_vectors: np.ndarray
    slots: np.ndarray
    sent: np.ndarray
    """`mmsghdr` of those that go out."""

    sent_vectors: np.ndarray
    stream: np.ndarray
    replies: np.ndarray
    inbox: np.ndarray
    inbox_octets: np.ndarray
    """The same memory as octets."""


class Outbox(NamedTuple):
    """Datagrams of the event loop on their way out."""

    octets: np.ndarray
    names: np.ndarray
    headers: np.ndarray
    vectors: np.ndarray
