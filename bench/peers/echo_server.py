"""The blind echo as a contender: a process of its own that answers with one reply."""

import contextlib
import socket
import sys
from collections.abc import Iterator
from functools import partial

import numpy as np

from bench.blast import Prepared
from bench.peers.programs import HOST, Server, free_port
from bench.serving import serving

_PROBE_SECONDS = 0.5
_PROBE = bytes(64)


@contextlib.contextmanager
def run_echo(reply: bytes) -> Iterator[Server]:
    """Run the echo until the block ends.

    Raises:
        RuntimeError: It does not answer.
    """
    port = free_port()
    command = [sys.executable, "-m", "bench.peers.echo"]
    command += ["--port", str(port), "--reply", reply.hex()]
    with serving(command, partial(_answers, port)) as process:
        yield Server(process.pid, (HOST, port))


def typical_reply(prepared: Prepared) -> bytes:
    """Choose the reply whose size is nearest to the mean of all that are asked for."""
    sizes = np.diff(prepared.answers.starts)
    mean = sizes[prepared.sequence].mean()
    return prepared.answers[int(np.abs(sizes - mean).argmin())]


def _answers(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(_PROBE_SECONDS)
        client.connect((HOST, port))
        try:
            client.send(_PROBE)
            return bool(client.recv(4096))
        except OSError:
            return False
