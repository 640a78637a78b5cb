"""`python -m bench links`: what a GS1 Digital Link redirect costs.

Asks the top-level node of an `idis up` in a process of its own for every seeded GS1 code,
as a browser would, on one kept connection, and compares each reply octet for octet with
the first: once the same requests again and again, which the face remembers, and once with
a query string that is new each time, so that each link is chosen anew, from records in the
recursive node's cache. Then the former at a rate, each timed from when it was due to its
answer, so that waiting in line counts.
"""

import argparse
import contextlib
import select
import socket
import statistics
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any
from urllib.parse import urlsplit

from bench.machine import describe_machine
from bench.peers.contender import Contender, Round as Cost, Tally, measure
from bench.peers.http_client import Lesson, ask, connect, learn_replies
from bench.rounds import tell_rounds
from bench.serving import find_cores, on_cores, pin, wait_for_fast_path
from registry.schemes import gs1
from resolver.commands.console import show, table
from resolver.faces.digital_link_memory import MAX_ENTRIES
from resolver.running import RunningNetwork, run_network

WINDOW = 16
"""Redirects in flight, so that the server never waits."""

_NEW = 2 * MAX_ENTRIES
"""Requests that are new: when their turn comes again, they are long forgotten."""

_LINES = 8
_SECONDARIES = "2"
_READ_OCTETS = 1 << 18
_BROWSER = (
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    "Accept-Language: zh-CN,zh;q=0.9,en;q=0.8\r\n"
)


@dataclass(frozen=True, slots=True)
class Round:
    """What one round came to."""

    per_core_second: float
    """Redirects in a second of the server's CPU time."""

    new_per_core_second: float
    """The same for requests that nobody has sent before."""

    per_second: float
    """Redirects a second, with `WINDOW` in flight."""

    wrong: int
    p50_ms: float
    p99_ms: float
    worst_ms: float


def run(seconds: float, rate: float, rounds: int) -> list[Round]:
    """Start a network, measure it a few times, stop it.

    Raises:
        RuntimeError: It does not start, or answers with something else than a redirect.
        OSError: It does not answer.
    """
    cores = find_cores()
    with run_network("--port-base", "0", "--secondaries", _SECONDARIES) as network:
        wait_for_fast_path(network)
        pin(network.process.pid, cores.server)
        with on_cores(cores.generator):
            bed = Bed(network)
            return [bed.measure(seconds, rate) for _ in range(rounds)]


class Bed:
    """A running network, and what is asked of it."""

    def __init__(self, network: RunningNetwork) -> None:
        """Learn the reply to each request; then the records are in the cache."""
        nodes = network.ready["nodes"]
        self._pid = network.process.pid
        self._base = next(node["http"] for node in nodes if node["role"] == "top")
        paths = paths_of(network.ready)
        self._known = self._learn(paths)
        numbers = zip(range(_NEW), cycle(paths), strict=False)
        self._new = self._learn(f"{path}?n={number}" for number, path in numbers)

    def measure(self, seconds: float, rate: float) -> Round:
        """Run one round."""
        busy = self._measure(self._known, seconds)
        new = self._measure(self._new, seconds)
        times = sorted(paced(self._base, self._known, rate, seconds))
        return Round(
            1e6 / busy.cpu_us_per_query,
            1e6 / new.cpu_us_per_query,
            busy.qps,
            busy.wrong + busy.lost + new.wrong + new.lost,
            statistics.median(times),
            times[int(len(times) * 0.99)],
            times[-1],
        )

    def _learn(self, targets: Iterable[str]) -> list[Lesson]:
        host = urlsplit(self._base).netloc
        heads = (
            f"GET /{target} HTTP/1.1\r\nHost: {host}\r\n{_BROWSER}\r\n".encode()
            for target in targets
        )
        return learn_replies(self._base, heads, 307)

    def _measure(self, lessons: Sequence[Lesson], seconds: float) -> Cost:
        def asked(duration: float) -> Tally:
            return ask(self._base, lessons, WINDOW, duration)

        return measure(Contender("links", "idis", self._pid, asked), seconds)


def paths_of(ready: dict[str, Any]) -> list[str]:
    """Give the path of the Digital Link URI of each GS1 code in a ready file."""
    codes = (entry["code"] for entry in ready["codes"] if entry["scheme"] == "gs1")
    return [gs1.level_paths(gs1.read(code)[0])[0] for code in codes]


def paced(
    base: str, lessons: Sequence[Lesson], rate: float, seconds: float
) -> list[float]:
    """Ask at a rate; give how long each answer took from when it was due, in ms.

    The connections take turns: a node cuts one that sends too far ahead.

    Raises:
        OSError: The node does not answer, or closes a connection.
    """
    total, took = int(rate * seconds), list[float]()
    with contextlib.ExitStack() as stack:
        lines = [Line(stack.enter_context(connect(base))) for _ in range(_LINES)]
        by_socket = {line.connection: line for line in lines}
        turns, number = zip(cycle(lessons), cycle(lines), strict=False), 0
        started = time.perf_counter()
        while len(took) < total:
            now = time.perf_counter() - started
            while number < total and number / rate <= now:
                lesson, line = next(turns)
                line.send(lesson, number / rate)
                number += 1
            wait = max(number / rate - now, 0.0) if number < total else 1.0
            for readable in select.select(by_socket, [], [], wait)[0]:
                done = by_socket[readable].receive()
                now = time.perf_counter() - started
                took += ((now - due) * 1000 for due in done)
    return took


class Line:
    """One connection, and what is due on it."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._due = deque[tuple[float, int]]()
        self._got = 0

    def send(self, lesson: Lesson, due: float) -> None:
        """Send a request that was due at a time."""
        self.connection.sendall(lesson.request)
        self._due.append((due, lesson.octets))

    def receive(self) -> list[float]:
        """Take what has come; give when those that are answered were due."""
        octets = self.connection.recv(_READ_OCTETS)
        if not octets:
            raise ConnectionResetError("the node closed a connection")
        self._got += len(octets)
        done = []
        while self._due and self._got >= self._due[0][1]:
            due, size = self._due.popleft()
            self._got -= size
            done.append(due)
        return done


def main(arguments: Iterable[str] | None = None) -> int:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench links", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=5.0, help="of each measurement"
    )
    parser.add_argument("--rate", type=float, default=500.0, help="one by one")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="JSON on stdout")
    options = parser.parse_args(list(arguments) if arguments is not None else None)
    rounds = run(options.seconds, options.rate, options.rounds)
    tell_rounds(rounds, lambda: _show(rounds, options.rate), as_json=options.json)
    return 0


def _show(rounds: list[Round], rate: float) -> None:
    title = "Digital Link redirects"
    made = table(str(describe_machine()), title, "median", "spread", "goal")
    for name, label, goal in (
        ("per_core_second", "a second of one core", "≥ 3,000"),
        ("new_per_core_second", "the same, requests that are new", "≥ 3,000"),
        ("per_second", f"a second, {WINDOW} in flight", ""),
        ("wrong", "wrong or lost", "0"),
        ("p50_ms", f"at {rate:,.0f}/s, p50 ms", ""),
        ("p99_ms", f"at {rate:,.0f}/s, p99 ms", "≤ 5"),
        ("worst_ms", "the slowest of them, ms", ""),
    ):
        found = [float(getattr(one, name)) for one in rounds]
        spread = f"{min(found):,.2f} to {max(found):,.2f}"
        made.add_row(label, f"{statistics.median(found):,.2f}", spread, goal)
    show(made)
