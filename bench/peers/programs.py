"""Programs of other people, and where they serve: found, given a port, named."""

import contextlib
import re
import shutil
import socket
import subprocess
from pathlib import Path
from typing import NamedTuple

HOST = "127.0.0.1"
_SBIN = "/usr/sbin"
"""Where servers lie that are not on everybody's PATH."""

_VERSION_SECONDS = 10.0
_NUMBER = re.compile(r"\d\.\d")


class Server(NamedTuple):
    """A server that answers."""

    pid: int
    address: tuple[str, int]


def find_program(name: str) -> Path | None:
    """Find an installed program; None when there is none."""
    found = shutil.which(name) or shutil.which(name, path=_SBIN)
    return Path(found) if found else None


def version_of(program: Path, *arguments: str) -> str:
    """Give the first line with a number like 1.2 of what a program says of itself."""
    done = subprocess.run(  # noqa: S603 (a server of the person's)
        [str(program), *arguments],
        capture_output=True,
        text=True,
        timeout=_VERSION_SECONDS,
        check=False,
    )
    lines = (line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines())
    return next(filter(_NUMBER.search, lines), "unknown")


def free_port() -> int:
    """Find a port that is free for UDP and TCP at the moment.

    Raises:
        OSError: None is.
    """
    for _ in range(20):
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        ):
            stream.bind((HOST, 0))
            port: int = stream.getsockname()[1]
            with contextlib.suppress(OSError):
                datagrams.bind((HOST, port))
                return port
    message = "no port is free for both UDP and TCP"
    raise OSError(message)
