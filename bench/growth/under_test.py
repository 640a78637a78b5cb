"""The network under test, seen from the measurement: ordered, read, put to sleep.

Each network is a process of its own on the server's core. Only the one that is being
measured runs; the others are stopped by the operating system meanwhile (SIGSTOP), so
that nothing of theirs can get in its way.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.serving import (
    FAST_PATH_SECONDS,
    Cores,
    cpu_seconds,
    on_cores,
    read_metrics,
    resident_octets,
    stop,
    wait_until,
)

START_SECONDS = 120.0
ORDER_SECONDS = 300.0
STOP_SECONDS = 20.0
_MIB = 1 << 20


class Hits(NamedTuple):
    """What the recursive node counted, by /metrics."""

    hits: float
    """Questions answered without asking anybody, compiled or not."""

    misses: float
    upstream: float
    """Questions it asked of other nodes."""

    def since(self, before: "Hits") -> "Hits":
        """Give what was counted after `before`."""
        return Hits(*(now - then for now, then in zip(self, before, strict=True)))

    @property
    def rate(self) -> float:
        """Share of questions answered from the cache, 0 to 1."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else 0.0


class NetworkUnderTest:
    """A network in a process of its own."""

    def __init__(
        self, process: "subprocess.Popen[bytes]", control: socket.socket
    ) -> None:
        self.process = process
        self.ready: dict[str, Any] = {}
        self.start_seconds = 0.0
        """From the start of the process until every node answered."""

        self.has_fast_path = False
        self._control = control
        self._answers = control.makefile("rb")

    def hear(self) -> dict[str, Any]:
        """Take the answer to the last order.

        Raises:
            RuntimeError: The order failed, or the process ended.
        """
        line = self._answers.readline()
        if not line:
            message = f"the network ended, code {self.process.poll()}"
            raise RuntimeError(message)
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            message = f"the network under test: {answer['error']}"
            raise RuntimeError(message)
        return answer

    def order(self, do: str, **members: object) -> dict[str, Any]:
        """Have an order carried out; see `bench.growth.runner`."""
        self._control.sendall(json.dumps({"do": do, **members}).encode() + b"\n")
        return self.hear()

    @property
    def recursive(self) -> tuple[str, int]:
        """Address of the recursive node."""
        host, port = self.ready["recursive"]["handle"]
        return host, port

    def nodes(self, role: str) -> list[dict[str, Any]]:
        """Give the entries of all nodes of a role, in the order of the topology."""
        return [node for node in self.ready["nodes"] if node["role"] == role]

    def cpu_seconds(self) -> float:
        """Give the CPU time of all its threads so far."""
        return cpu_seconds(self.process.pid)

    def resident_mib(self) -> float:
        """Give its memory in RAM."""
        return resident_octets(self.process.pid) / _MIB

    def hits(self) -> Hits:
        """Scrape the recursive node."""
        found = read_metrics(self.nodes("recursive")[0])
        return Hits(
            found["idis_cache_hits_total"],
            found["idis_cache_misses_total"],
            found["idis_upstream_requests_total"],
        )

    def wait_for_fast_path(self) -> None:
        """Wait until compiled kernels answer at every node that has them."""
        for node in self.ready["nodes"]:
            if "idis_fastpath_active" not in read_metrics(node):
                return

            def active(node: dict[str, Any] = node) -> bool:
                return read_metrics(node)["idis_fastpath_active"] == 1

            wait_until(active, f"fast path of {node['name']}", FAST_PATH_SECONDS)
        self.has_fast_path = True

    def sleep(self) -> None:
        """Stop the process where it stands."""
        self.process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Stop the network in order; by force when it does not go."""
        self.wake()
        self._answers.close()
        self._control.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_SECONDS)
        if self.process.poll() is None:
            stop(self.process)


@contextlib.contextmanager
def network_under_test(
    arguments: Sequence[str], cores: Cores, *, fast_path: bool, log: Path
) -> Iterator[NetworkUnderTest]:
    """Start a network on the server's core and stop it at the end of the block.

    Raises:
        RuntimeError: It does not start; `log` holds what it said.
    """
    ours, theirs = socket.socketpair()
    ours.settimeout(ORDER_SECONDS)
    with log.open("ab") as said, theirs, on_cores(cores.server):
        started = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 (our own program)
            [
                *(sys.executable, "-m", "bench.growth.runner"),
                *("--control", str(theirs.fileno())),
                *("--fast-path", "auto" if fast_path else "off"),
                *arguments,
            ],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            pass_fds=[theirs.fileno()],
            # Where descriptions of running networks go: not into the person's own.
            env={**os.environ, "XDG_STATE_HOME": str(log.parent)},
            # Ctrl-C is for us: we stop it ourselves, in order.
            start_new_session=True,
        )
    network = NetworkUnderTest(process, ours)
    try:
        try:
            network.ready = network.hear()
        except RuntimeError as error:
            tail = log.read_text(errors="replace")[-2000:]
            message = f"the network did not start: {error}\n{tail}"
            raise RuntimeError(message) from error
        network.start_seconds = time.perf_counter() - started
        if fast_path:
            network.wait_for_fast_path()
        yield network
    finally:
        network.close()
