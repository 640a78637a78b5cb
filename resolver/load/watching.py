"""Which network runs now: the ready file, read again when it changes.

Users ask before each request, so `current` costs no more than a clock most of the time:
the file is looked at every `LOOK_SECONDS`. A network that stops removes its file before
it stops answering, and writes it once every node answers; between the two there is no
network, and `wait` waits. A network is known by the object that stands for it: `is` tells
whether it is still the same.
"""

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from resolver.errors import UnreachableError
from resolver.load.targets import Target, TargetError, target_of, with_host

LOOK_SECONDS = 0.05
WAIT_SECONDS = 60.0

Stamp = tuple[int, int, int]


class NetworkWatch:
    """Follows one ready file; greenlets of one process share it."""

    def __init__(
        self,
        file: Path,
        *,
        host: str | None = None,
        identifiers: tuple[str, ...] = (),
        check: Callable[[Target], None] = lambda target: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Begin; nothing is read yet.

        Args:
            file: The ready file.
            host: Replaces one face, and is a target also where there is no file.
            identifiers: Replace those of the ready file.
            check: Raises `TargetError` for a target that must not be aimed at.
            clock: Seconds that only count up.
            sleep: Waits that many seconds, letting other greenlets run.
        """
        self.file = file
        self._host = host
        self._identifiers = identifiers
        self._check = check
        self._clock = clock
        self._sleep = sleep
        self._looked: float | None = None
        self._stamp: Stamp | None = None
        self._target: Target | None = None

    def current(self, *, fresh: bool = False) -> Target | None:
        """Give the network that runs, or None; `fresh` looks at the file at once.

        Raises:
            TargetError: The file is none, or its network must not be aimed at.
        """
        now = self._clock()
        first = self._looked is None
        if not (fresh or first or now - (self._looked or 0) >= LOOK_SECONDS):
            return self._target
        self._looked = now
        stamp = _stamp(self.file)
        if first or stamp != self._stamp:
            self._target = self._made(None if stamp is None else _read(self.file))
            self._stamp = stamp
        return self._target

    def wait(self, seconds: float = WAIT_SECONDS) -> Target:
        """Give the network that runs, once there is one.

        Raises:
            UnreachableError: There is none for that long.
            TargetError: See `current`.
        """
        deadline = self._clock() + seconds
        target = self.current()
        while target is None:
            if self._clock() >= deadline:
                message = f"{self.file}: no network was running for {seconds:g} s"
                raise UnreachableError(message)
            self._sleep(LOOK_SECONDS)
            target = self.current()
        return target

    def _made(self, ready: Any) -> Target | None:
        if ready is None and self._host is None:
            return None
        target = Target() if ready is None else target_of(ready)
        if self._host is not None:
            target = with_host(target, self._host)
        if self._identifiers:
            target = replace(target, identifiers=self._identifiers)
        self._check(target)
        return target


def request_name(
    what: str, before: Target, after: Target | None, *, by_size: bool
) -> str:
    """Name a request: by what it asks, and by what became of its network."""
    if after is not before:
        return f"{what} (network changing)"
    return f"{what}, {before.secondaries} secondaries" if by_size else what


def _stamp(file: Path) -> Stamp | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _read(file: Path) -> Any:
    """Read a ready file; None where its network is gone without removing it."""
    try:
        ready = json.loads(file.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        message = f"{file}: {error}"
        raise TargetError(message, "a ready file of `idis up` is expected") from None
    return ready if _alive(ready) else None


def _alive(ready: Any) -> bool:
    try:
        os.kill(int(ready["pid"]), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True  # somebody else's, but it runs
    except (KeyError, TypeError, ValueError):
        return True  # not a process of `idis up`; `target_of` says what is missing
    return True
