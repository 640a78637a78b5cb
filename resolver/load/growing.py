"""A network that grows in steps: started, described, stopped and started larger.

    withdraw its ready file ─▶ wait for requests under way ─▶ stop ─▶ start with more
        ─▶ publish its ready file ─▶ hold the step

Every size uses the same data directory, so what was registered stays, and free ports, so
that a network of `idis up` may run beside it. Users follow the published file: without it
they wait. Nothing here knows Locust; the waits let other greenlets run where time and
processes are patched.
"""

import itertools
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from resolver.data_directory import write_atomically
from resolver.errors import SetupError
from resolver.load.watching import LOOK_SECONDS
from resolver.running import RunningNetwork, start_network, stop_network

GRACE_SECONDS = 5 * LOOK_SECONDS
"""From withdrawing the ready file to stopping: all users have looked, and are answered."""


class Schedule:
    """Says which size is due; steps count from when their network was ready."""

    def __init__(self, sizes: Sequence[int], seconds: float) -> None:
        """Begin before the first step.

        Raises:
            ValueError: No sizes, sizes that do not grow, or no time.
        """
        grows = all(a < b for a, b in itertools.pairwise(sizes))
        if not sizes or not grows or sizes[0] < 1 or seconds <= 0:
            message = (
                f"sizes {tuple(sizes)} for {seconds:g} s each: growing ones needed"
            )
            raise ValueError(message)
        self._left = list(sizes)
        self._seconds = seconds
        self._until: float | None = None

    def due(self, now: float) -> int | None:
        """Give the size to grow to now; None while the step before it is held."""
        if self._until is not None and now < self._until:
            return None
        return self._left[0] if self._left else None

    def begun(self, now: float) -> None:
        """Hold the step that was due from now on."""
        del self._left[0]
        self._until = now + self._seconds

    def over(self, now: float) -> bool:
        """Tell whether the last step was held long enough."""
        return not self._left and self._until is not None and now >= self._until


class GrowingRun:
    """The network of one test, in the one process that grows it."""

    def __init__(
        self,
        published: Path,
        arguments: Sequence[str] = (),
        *,
        start: Callable[[Path, Sequence[str]], RunningNetwork] = start_network,
        stop: Callable[[RunningNetwork], None] = lambda one: stop_network(one.process),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Begin without a network.

        Args:
            published: Where users look for the ready file.
            arguments: More of `idis up`.
            start: Starts `idis up` and waits until every node answers.
            stop: Stops it.
            sleep: Waits, letting other greenlets run.

        Raises:
            SetupError: Another network is described there, and runs.
        """
        _check_free(published)
        self.published = published
        self._arguments = tuple(arguments)
        self._start, self._stop, self._sleep = start, stop, sleep
        self._network: RunningNetwork | None = None
        self._directory: Path | None = None

    def grow(self, secondaries: int) -> None:
        """Stop what runs and start it with so many secondary nodes.

        Raises:
            RuntimeError: It did not start; the text is what it said.
        """
        self._end()
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="idis-growing-"))
        data = self._directory / "data"
        arguments = ["--secondaries", str(secondaries), "--port-base", "0"]
        arguments += ["--data", str(data), *self._arguments]
        network = self._start(self._directory, arguments)
        self._network = network
        self.published.parent.mkdir(parents=True, exist_ok=True)
        # It holds secrets of the seeded identities.
        write_atomically(self.published, json.dumps(network.ready), mode=0o600)

    def close(self) -> None:
        """Stop the network and remove what it kept; more than once does no harm."""
        self._end()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def _end(self) -> None:
        if self._network is None:
            return
        network, self._network = self._network, None
        self.published.unlink(missing_ok=True)
        try:
            self._sleep(GRACE_SECONDS)
        finally:
            self._stop(network)


def _check_free(published: Path) -> None:
    try:
        pid = int(json.loads(published.read_text())["pid"])
        os.kill(pid, 0)
    except (OSError, ValueError, KeyError, TypeError):
        return
    message = f"{published} describes a network that runs already, process {pid}"
    raise SetupError(message, "stop it, or give another --ready-file")
