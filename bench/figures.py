"""The figures that the design promises, each measured on real processes and sockets.

The server runs as `idis up` in a process of its own; its CPU time and memory are what
the operating system says. Where load is made, it is made by this process, so on a
machine of two cores each has one.
"""

import contextlib
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.table import Table

from bench.machine import describe_machine
from bench.registrations import import_per_second
from bench.serving import wait_for_fast_path
from resolver.client import Client
from resolver.commands.console import table
from resolver.commands.running import from_ready
from resolver.running import RunningNetwork, run_network
from resolver.session.draft import Draft
from resolver.wire.codes import OpCode
from resolver.wire.request import Resolution

_MIB = 1 << 20
_QUESTION = b"88.118.7/SN0001"
_WINDOW = 64
_IDLE_CONNECTIONS = 2000


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure in several rounds, and the bound it should keep."""

    name: str
    unit: str
    bound: float
    rounds: tuple[float, ...]
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the median keeps the bound."""
        median = statistics.median(self.rounds)
        return median >= self.bound if self.at_least else median <= self.bound

    def as_dict(self) -> dict[str, object]:
        """Give it as JSON members."""
        return {
            "name": self.name,
            "unit": self.unit,
            "median": statistics.median(self.rounds),
            "rounds": list(self.rounds),
            "bound": self.bound,
            "at_least": self.at_least,
            "met": self.met,
        }


def figures_table(figures: Iterable[Figure]) -> Table:
    """Show figures against their bounds."""
    made = table(
        str(describe_machine()), "figure", "median", "spread", "bound", "met", "unit"
    )
    for figure in figures:
        made.add_row(
            figure.name,
            f"{statistics.median(figure.rounds):,.2f}",
            f"{min(figure.rounds):,.2f} to {max(figure.rounds):,.2f}",
            f"{'≥' if figure.at_least else '≤'} {figure.bound:,}",
            "[green]yes[/]" if figure.met else "[red]no[/]",
            figure.unit,
        )
    return made


def measure(rounds: int) -> Iterator[Figure]:
    """Measure all figures, one after the other."""
    for secondaries, bound in ((14, 1.5), (35, 3.0)):
        times, sizes = _starts(secondaries, rounds)
        yield Figure(f"ready, {secondaries} secondary nodes", "s", bound, times)
        if secondaries == 35:
            yield Figure("resident, 35 secondary nodes", "MiB", 200, sizes)
    with _network("--fast-path", "off") as network:
        cached = _repeat(rounds, lambda: cached_udp_microseconds(network, 40_000))
        yield Figure("cached UDP resolution, portable path", "µs CPU", 40, cached)
    with _network() as network:
        wait_for_fast_path(network)
        cached = _repeat(rounds, lambda: cached_udp_microseconds(network, 200_000))
        yield Figure("cached UDP resolution, fast path", "µs CPU", 10, cached)
        idle = _repeat(1, lambda: idle_connections_mib(network, _IDLE_CONNECTIONS))
        yield Figure("2000 idle TCP connections", "MiB", 40, idle)
        single = _repeat(rounds, lambda: single_write_ms(network))
        yield Figure("single durable registration, p50", "ms", 5, single)
    bulk = _repeat(rounds, lambda: _bulk(100_000))
    name = "bulk import, durable and proven"
    yield Figure(name, "1/s", 20_000, bulk, at_least=True)


def _repeat(rounds: int, once: Callable[[], float]) -> tuple[float, ...]:
    return tuple(once() for _ in range(rounds))


def _network(*arguments: str) -> contextlib.AbstractContextManager[RunningNetwork]:
    return run_network("--port-base", "0", *arguments)


def _starts(
    secondaries: int, rounds: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    times, sizes = [], []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        with _network("--secondaries", str(secondaries)) as network:
            times.append(time.perf_counter() - started)
            wait_for_fast_path(network)
            resident = psutil.Process(network.process.pid).memory_info().rss
            sizes.append(resident / _MIB)
    # The first start derives keys and warms the disk's cache.
    return tuple(times[1:]), tuple(sizes[1:])


def cached_udp_microseconds(network: RunningNetwork, count: int) -> float:
    """CPU time of the server for one resolution answered from its cache."""
    host, port = network.ready["recursive"]["handle"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect((host, port))
        client.settimeout(5)
        _ask(client, 1000)
        process = psutil.Process(network.process.pid)
        before = sum(process.cpu_times()[:2])
        _ask(client, count)
        return float(sum(process.cpu_times()[:2]) - before) / count * 1e6


def _ask(client: socket.socket, count: int) -> None:
    body = Resolution(_QUESTION).encode()
    octets = Draft(OpCode.RESOLUTION, body).message(1, time.time()).encode()  # noqa: TID251
    for first in range(1, count + 1, _WINDOW):
        wanted = range(first, min(first + _WINDOW, count + 1))
        for number in wanted:
            client.send(octets[:8] + number.to_bytes(4, "big") + octets[12:])
        answers = [client.recv(4096) for _ in wanted]
        ids = sorted(int.from_bytes(answer[8:12], "big") for answer in answers)
        assert ids == list(wanted), "an answer is missing or doubled"
        assert all(answer[24:28] == b"\0\0\0\1" for answer in answers)


def idle_connections_mib(network: RunningNetwork, count: int) -> float:
    """Resident memory that idle TCP connections cost."""
    host, port = network.ready["recursive"]["handle"]
    process = psutil.Process(network.process.pid)
    body = Resolution(_QUESTION).encode()
    octets = Draft(OpCode.RESOLUTION, body).message(1, time.time()).encode()  # noqa: TID251
    before = process.memory_info().rss
    connections = []
    try:
        for _ in range(count):
            connection = socket.create_connection((host, port), timeout=5)
            connections.append(connection)
            connection.sendall(octets)
            assert connection.recv(4096), "no answer"
        return float(process.memory_info().rss - before) / _MIB
    finally:
        for connection in connections:
            connection.close()


def single_write_ms(network: RunningNetwork) -> float:
    """Median time of one registration, alone, on a connection that has logged in."""
    credential = from_ready(network.credential("secret", "88.118.7"))
    times = []
    with Client(network.recursive, credential=credential) as client:
        for number in range(200):
            name = f"88.118.7/BENCH{time.time_ns()}-{number}"
            started = time.perf_counter()
            client.register(name, {"URL": "https://example.com/"})
            times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000


def _bulk(count: int) -> float:
    with tempfile.TemporaryDirectory() as directory, _network() as network:
        wait_for_fast_path(network)
        return import_per_second(network, Path(directory), count)
