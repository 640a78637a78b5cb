"""Servers under measurement: started, waited for, kept on a core, their time read.

CPU time is what the operating system booked on a process, all its threads and all its
children. On Linux the clock of each process gives it in nanoseconds; the ticks of
`/proc/PID/stat`, which psutil reads elsewhere, are 10 ms long. On loopback the sender
also does the receiver's share of the kernel's work: that is the same for every server.
"""

import contextlib
import os
import platform
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import psutil
from prometheus_client.parser import text_string_to_metric_families

from resolver.running import RunningNetwork

FAST_PATH_SECONDS = 180.0
"""A first start compiles the kernels, which takes most of a minute on a slow machine."""

READY_SECONDS = 20.0
STOP_SECONDS = 10.0
_POLL_SECONDS = 0.05
_HAS_PROCESS_CLOCKS = platform.system() == "Linux"
_SIBLINGS = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"


class Cores(NamedTuple):
    """Which cores a measurement uses; equal sets when there is only one."""

    server: frozenset[int]
    generator: frozenset[int]
    company: frozenset[int]
    """For what runs beside: the rest, or the generator's when there is none."""

    text: str
    """How they were shared out, for the report."""


def choose_cores(allowed: Sequence[int], siblings: Callable[[int], set[int]]) -> Cores:
    """Share cores out: the first for the server, for the generator one apart from it.

    Args:
        allowed: Cores that this process may use, ascending.
        siblings: Gives the hardware threads of a core's own core, itself included.
    """
    if len(allowed) < 2:
        only = frozenset(allowed)
        text = "one core: server and generator take turns, compare ratios only"
        return Cores(only, only, only, text)
    server = allowed[0]
    apart = [core for core in allowed[1:] if core not in siblings(server)]
    generator = (apart or allowed[1:])[0]
    text = f"server on core {server}, generator on core {generator}"
    if not apart:
        text += " (threads of one physical core)"
    elif len(allowed) > 2:
        text += f", {len(allowed) - 2} more for what runs beside"
    rest = frozenset(allowed) - {server, generator}
    return Cores(
        frozenset({server}),
        frozenset({generator}),
        rest or frozenset({generator}),
        text,
    )


def find_cores() -> Cores:
    """Share out the cores of this machine; where threads cannot be pinned, none."""
    if not hasattr(os, "sched_getaffinity"):
        anywhere: frozenset[int] = frozenset()
        return Cores(anywhere, anywhere, anywhere, "threads cannot be pinned here")
    return choose_cores(sorted(os.sched_getaffinity(0)), _siblings)


def _siblings(core: int) -> set[int]:
    try:
        text = Path(_SIBLINGS.format(core)).read_text()
    except OSError:
        return {core}
    found: set[int] = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


@contextlib.contextmanager
def on_cores(cores: frozenset[int]) -> Iterator[None]:
    """Keep the calling thread, and what it starts, on these cores; none: anywhere."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def pin(pid: int, cores: frozenset[int]) -> None:
    """Move a process, all its threads and children to these cores; none: leave them."""
    if not cores:
        return
    # A thread started between the listing and the move stays where its parent was, so
    # go on until a pass finds nothing to move.
    moved = True
    while moved:
        moved = False
        for thread in _threads(pid):
            with contextlib.suppress(ProcessLookupError):
                if os.sched_getaffinity(thread) != cores:
                    os.sched_setaffinity(thread, cores)
                    moved = True


def _threads(pid: int) -> list[int]:
    found = []
    for process in process_tree(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            found += [thread.id for thread in process.threads()]
    return found


def process_tree(pid: int) -> list[psutil.Process]:
    """List a process and all below it."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def cpu_seconds(pid: int) -> float:
    """Give the CPU time a process, its threads and its children took so far."""
    return sum(_cpu_seconds(process) for process in process_tree(pid))


def _cpu_seconds(process: psutil.Process) -> float:
    if _HAS_PROCESS_CLOCKS:
        # As clock_getcpuclockid(3) makes the clock of a process from its id.
        return time.clock_gettime((~process.pid << 3) | 2)
    user, system, *_ = process.cpu_times()
    return float(user + system)


def resident_octets(pid: int) -> int:
    """Give the memory that a process and its children have in RAM."""
    return sum(process.memory_info().rss for process in process_tree(pid))


@contextlib.contextmanager
def serving(
    command: Sequence[str | Path],
    answers: Callable[[], bool],
    *,
    log: IO[Any] | int = subprocess.DEVNULL,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a server until the block ends; it begins once `answers` says true.

    Raises:
        RuntimeError: It ended, or did not answer within `READY_SECONDS`.
    """
    process = subprocess.Popen(  # noqa: S603 (a program of ours or of the person's)
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        # Ctrl-C is for us: we stop it ourselves, in order.
        start_new_session=True,
    )
    try:
        wait_until(lambda: _alive(process) and answers(), str(command[0]))
        yield process
    finally:
        stop(process)


def _alive(process: "subprocess.Popen[bytes]") -> bool:
    code = process.poll()
    if code is not None:
        message = f"{process.args!r} ended with code {code} before it answered"
        raise RuntimeError(message)
    return True


def wait_until(
    true: Callable[[], bool], what: str, seconds: float = READY_SECONDS
) -> None:
    """Ask again and again until it is true.

    Raises:
        RuntimeError: It is not within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            message = f"{what}: not ready within {seconds:g} s"
            raise RuntimeError(message)
        time.sleep(_POLL_SECONDS)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End a process and what it started; by force when it does not go."""
    try:
        below = process_tree(process.pid)[1:] if process.poll() is None else []
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_SECONDS)
    except (subprocess.TimeoutExpired, psutil.NoSuchProcess):
        below = []
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    psutil.wait_procs(below, STOP_SECONDS)


@contextlib.contextmanager
def ending_on_termination() -> Iterator[None]:
    """Make SIGTERM end the block in order, as Ctrl-C does, so that servers stop."""

    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def read_metrics(node: dict[str, Any]) -> dict[str, float]:
    """Scrape a node of the ready file: by name, samples of all labels summed."""
    url = f"{node['http']}/metrics"
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 (our node)
        text = answer.read().decode()
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


def recursive_node(network: RunningNetwork) -> dict[str, Any]:
    """Give the recursive node's entry of the ready file."""
    nodes = network.ready["nodes"]
    return next(node for node in nodes if node["role"] == "recursive")


def wait_for_fast_path(
    network: RunningNetwork, seconds: float = FAST_PATH_SECONDS
) -> None:
    """Wait until the compiled kernels of every node answer.

    Raises:
        RuntimeError: They do not within `seconds`, or this network has none.
    """
    for node in network.ready["nodes"]:
        if "idis_fastpath_active" not in read_metrics(node):
            message = f"{node['name']}: /metrics has no idis_fastpath_active"
            raise RuntimeError(message)

        def active(node: dict[str, Any] = node) -> bool:
            return read_metrics(node)["idis_fastpath_active"] == 1

        wait_until(active, f"fast path of {node['name']}", seconds)
