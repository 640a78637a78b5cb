"""Redis with the corpus as plain keys: what a bare store in memory answers.

Key is the identifier, value are the octets that we keep for it: its list of values.
"""

import contextlib
import socket
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from bench.peers.programs import HOST, Server, free_port
from bench.serving import serving

_DEADLINE_SECONDS = 10.0
_BATCH = 512
"""Keys put without waiting for the answers."""


@contextlib.contextmanager
def run_redis(redis: Path, directory: Path) -> Iterator[Server]:
    """Run an empty Redis that writes nothing to disk until the block ends.

    Raises:
        RuntimeError: It does not answer.
    """
    port = free_port()
    command: list[str | Path] = [redis, *redis_arguments(directory, port)]
    with serving(command, partial(_answers, port)) as process:
        yield Server(process.pid, (HOST, port))


def redis_arguments(directory: Path, port: int) -> list[str]:
    """Give the settings as arguments: loopback, nothing on disk, one thread."""
    settings = {
        "bind": HOST,
        "port": str(port),
        "dir": str(directory),
        "save": "",
        "appendonly": "no",
        "io-threads": "1",
    }
    return [part for name, value in settings.items() for part in (f"--{name}", value)]


def put(address: tuple[str, int], items: Iterable[tuple[bytes, bytes]]) -> int:
    """Set keys; give how many.

    Raises:
        OSError: Redis does not answer.
        RuntimeError: It refuses a key.
    """
    count = 0
    with socket.create_connection(address, timeout=_DEADLINE_SECONDS) as connection:
        batch: list[bytes] = []
        for key, value in items:
            batch.append(command(b"SET", key, value))
            if len(batch) == _BATCH:
                count += _put(connection, batch)
                batch = []
        count += _put(connection, batch)
    return count


def command(*words: bytes) -> bytes:
    """Write a command as an array of bulk strings (RESP 2)."""
    parts = [b"*%d\r\n" % len(words)]
    parts += [b"$%d\r\n%b\r\n" % (len(word), word) for word in words]
    return b"".join(parts)


def _put(connection: socket.socket, batch: list[bytes]) -> int:
    connection.sendall(b"".join(batch))
    wanted = b"+OK\r\n" * len(batch)
    got = b""
    while len(got) < len(wanted):
        octets = connection.recv(65536)
        got += octets
        if not octets or not wanted.startswith(got):
            message = f"redis: +OK for each key expected, got {got[-80:]!r}"
            raise RuntimeError(message)
    return len(batch)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(command(b"PING"))
            return connection.recv(64) == b"+PONG\r\n"
    except OSError:
        return False
