"""System calls for compiled loops: the C library's functions, declared to numba.

`ExternalFunction` is resolved by name when a kernel is loaded, so kernels that use it
can be kept on disk; a pointer taken from ctypes could not. Pointers are addresses
(`array.ctypes.data`). A call that fails gives -1; what failed is not asked: the loops
hand over whatever they cannot do.

Only compiled code can call these. Import after `compiling.import_numba`.
"""

import platform

import numpy as np
from numba import types

_int, _long, _pointer = types.int32, types.int64, types.uintp

recvmmsg = types.ExternalFunction(
    "recvmmsg", _int(_int, _pointer, types.uint32, _int, _pointer)
)
"""fd, array of `mmsghdr`, its length, flags, timeout: how many were received."""

sendmmsg = types.ExternalFunction("sendmmsg", _int(_int, _pointer, types.uint32, _int))
"""fd, array of `mmsghdr`, its length, flags: how many were sent."""

recv = types.ExternalFunction("recv", _long(_int, _pointer, types.uintp, _int))
"""fd, buffer, size, flags: octets received, 0 at the end."""

send = types.ExternalFunction("send", _long(_int, _pointer, types.uintp, _int))
"""fd, buffer, size, flags: octets sent."""

write = types.ExternalFunction("write", _long(_int, _pointer, types.uintp))
"""fd, buffer, size: octets written."""

epoll_wait = types.ExternalFunction("epoll_wait", _int(_int, _pointer, _int, _int))
"""epoll fd, array of events, its length, timeout in ms: how many are ready."""

epoll_ctl = types.ExternalFunction("epoll_ctl", _int(_int, _int, _int, _pointer))
"""epoll fd, operation, fd, event."""

clock_gettime = types.ExternalFunction("clock_gettime", _int(_int, _pointer))
"""clock, `timespec` of two 64-bit integers."""

usleep = types.ExternalFunction("usleep", _int(types.uint32))
"""microseconds."""

MSG_DONTWAIT = 0x40
MSG_WAITFORONE = 0x10000
MSG_PEEK = 0x02
MSG_TRUNC = 0x20
MSG_NOSIGNAL = 0x4000
CLOCK_REALTIME = 0
CLOCK_MONOTONIC = 1
EPOLL_CTL_DEL = 2
EPOLL_CTL_MOD = 3
EPOLLIN = 0x1
EPOLLRDHUP = 0x2000
EPOLLET = 1 << 31

MMSGHDR_OCTETS = 64
"""OFFSET 0 address, 8 its size (32 bits), 16 array of iovec, 24 its length, 32 control,
40 its size, 48 flags (32 bits), 56 octets received (32 bits)."""

IOVEC_OCTETS = 16
"""OFFSET 0 address, 8 size."""

EPOLL_EVENT_OCTETS = 12 if platform.machine() in ("x86_64", "AMD64") else 16
"""OFFSET 0 events (32 bits), 4 or 8 data: packed on x86-64 alone."""

EPOLL_DATA_OFFSET = 4 if EPOLL_EVENT_OCTETS == 12 else 8


def message_headers(
    count: int, buffers: np.ndarray, size: int, names: np.ndarray, name_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Build `count` mmsghdr and their iovecs over two arrays of octets.

    Message n has its `size` octets at `buffers[n * size]` and its address at
    `names[n * name_size]`. Both arrays must outlive the headers. Gives the headers
    as (count, 8) 64-bit integers and the iovecs as (count, 2).
    """
    headers = np.zeros((count, MMSGHDR_OCTETS // 8), np.int64)
    vectors = np.zeros((count, IOVEC_OCTETS // 8), np.int64)
    numbers = np.arange(count, dtype=np.int64)
    vectors[:, 0] = buffers.ctypes.data + numbers * size
    vectors[:, 1] = size
    headers[:, 0] = names.ctypes.data + numbers * name_size
    headers[:, 1] = name_size
    headers[:, 2] = vectors.ctypes.data + numbers * IOVEC_OCTETS
    headers[:, 3] = 1
    return headers, vectors
