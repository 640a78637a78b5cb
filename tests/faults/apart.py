"""Scenes in processes of their own, which may come to any end."""

import os
import pickle
import select
import signal
import struct
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

DEADLINE_SECONDS = 30

_LENGTH = struct.Struct("!I")

Event = tuple[Any, ...]
"""What happened: its kind, then whatever belongs to it."""


class Line:
    """The end of a pipe on which a process tells events.

    What it has told counts, whatever becomes of it.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def tell(self, *event: Any) -> None:
        octets = pickle.dumps(event)
        os.write(self._descriptor, _LENGTH.pack(len(octets)) + octets)


class Told(NamedTuple):
    """What a process told, and how it ended."""

    events: list[Event]
    ending: str
    """`done`, the name of the signal that killed it, or `hung`."""

    def all_of(self, *kinds: str) -> list[Event]:
        return [event for event in self.events if event[0] in kinds]

    def has(self, *kinds: str) -> bool:
        return bool(self.all_of(*kinds))


def apart(scene: Callable[..., None], *arguments: Any) -> Told:
    """Run a scene, which is given a line, in a copy of this process.

    This process must have one thread and no storage engine open. An exception is told
    as `broken`.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        line = Line(writing)
        try:
            scene(line, *arguments)
        except BaseException:  # noqa: BLE001 (told to the parent)
            line.tell("broken", traceback.format_exc())
        os._exit(0)
    os.close(writing)
    octets, hung = _read_until_end(reading)
    if hung:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    ending = "done"
    if os.WIFSIGNALED(status):
        ending = "hung" if hung else signal.Signals(os.WTERMSIG(status)).name
    return Told(list(_events(octets)), ending)


def _read_until_end(descriptor: int) -> tuple[bytes, bool]:
    until = time.monotonic() + DEADLINE_SECONDS
    octets = bytearray()
    with os.fdopen(descriptor, "rb", buffering=0) as line:
        while (left := until - time.monotonic()) > 0:
            if select.select([line], [], [], left)[0]:
                part = line.read(1 << 20)
                if not part:
                    return bytes(octets), False
                octets += part
    return bytes(octets), True


def _events(octets: bytes) -> Iterator[Event]:
    at = 0
    while at + _LENGTH.size <= len(octets):
        end = at + _LENGTH.size + _LENGTH.unpack_from(octets, at)[0]
        if end > len(octets):
            return  # killed while it told
        yield pickle.loads(octets[at + _LENGTH.size : end])
        at = end
