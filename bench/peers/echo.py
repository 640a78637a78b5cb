"""`python -m bench.peers.echo`: the floor, a blind echo over UDP.

It receives and sends in batches of 64 and answers every datagram with one and the same
reply, into which it copies the request's id: all that a server has the operating system
do for it, and nothing else. It serves until it is killed.
"""

import argparse
import socket
import sys
from collections.abc import Iterable

import numpy as np

from resolver.fastpath.compiling import import_numba
from resolver.fastpath.system import (
    MSG_WAITFORONE,
    message_headers,
    recvmmsg,
    sendmmsg,
)

BATCH = 64
MAX_DATAGRAM_OCTETS = 2048
_NAME_OCTETS = 16
"""A `sockaddr_in`: the echo binds to IPv4 loopback."""


def main(arguments: Iterable[str] | None = None) -> int:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="bench.peers.echo", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="on 127.0.0.1")
    parser.add_argument("--reply", type=bytes.fromhex, required=True, help="in hex")
    parser.add_argument("--id-at", type=int, default=8, help="octets before the id")
    parser.add_argument("--id-octets", type=int, default=4)
    options = parser.parse_args(list(arguments) if arguments is not None else None)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", options.port))
        _serve(server, options.reply, options.id_at, options.id_octets)
    return 0


def _serve(server: socket.socket, reply: bytes, id_at: int, id_octets: int) -> None:
    requests = np.zeros((BATCH, MAX_DATAGRAM_OCTETS), np.uint8)
    replies = np.tile(np.frombuffer(reply, np.uint8), (BATCH, 1))
    # Replies go to the names from which the requests of the same rows came.
    names = np.zeros((BATCH, _NAME_OCTETS), np.uint8)
    receive, into = message_headers(
        BATCH, requests, MAX_DATAGRAM_OCTETS, names, _NAME_OCTETS
    )
    send, out_of = message_headers(BATCH, replies, len(reply), names, _NAME_OCTETS)
    kernel = import_numba().njit(cache=True)(echo)
    addresses = receive.ctypes.data, send.ctypes.data
    kernel(server.fileno(), *addresses, requests, replies, id_at, id_octets)
    # Headers point to these: they had to live until here.
    del into, out_of


def echo(  # noqa: PLR0913 (a kernel takes its arrays one by one)
    descriptor: int,
    receive: int,
    send: int,
    requests: np.ndarray,
    replies: np.ndarray,
    id_at: int,
    id_octets: int,
) -> None:
    """Answer until the socket fails; integers and arrays of octets only."""
    while True:
        count = recvmmsg(descriptor, receive, BATCH, MSG_WAITFORONE, 0)
        if count <= 0:
            return
        for row in range(count):
            for n in range(id_octets):
                replies[row, id_at + n] = requests[row, id_at + n]
        sent = 0
        while sent < count:
            done = sendmmsg(descriptor, send + sent * 64, count - sent, 0)
            if done <= 0:
                break
            sent += done


if __name__ == "__main__":
    sys.exit(main())
