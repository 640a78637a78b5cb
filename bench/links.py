"""`python -m bench links`: what a GS1 Digital Link redirect costs.

Asks the top-level node of an `idis up` in a process of its own for every seeded GS1 code,
as a browser would, on one kept connection, and compares each reply octet for octet with
the first. The records are in the recursive node's cache: it is the face, the negotiation
and the HTTP around them that are measured. Then the same at a rate, each timed from when
it was due to its answer, so that waiting in line counts.
"""

import argparse
import json
import select
import statistics
import sys
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle
from typing import Any
from urllib.parse import urlsplit

from bench.machine import describe_machine
from bench.peers.contender import Contender, measure
from bench.peers.http_client import Lesson, ask, connect, learn_replies
from bench.serving import find_cores, on_cores, pin, wait_for_fast_path
from registry.schemes import gs1
from resolver.commands.console import show, table
from resolver.running import RunningNetwork, run_network

WINDOW = 16
"""Redirects in flight, so that the server never waits."""

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
            base, lessons = _learn(network)
            server = Contender(
                "links",
                "idis",
                network.process.pid,
                lambda duration: ask(base, lessons, WINDOW, duration),
            )
            return [_round(server, base, lessons, seconds, rate) for _ in range(rounds)]


def requests_of(ready: dict[str, Any], base: str) -> list[bytes]:
    """Write a GET of the Digital Link URI of each GS1 code in a ready file."""
    host = urlsplit(base).netloc
    found = []
    for entry in ready["codes"]:
        if entry["scheme"] == "gs1":
            path = gs1.level_paths(gs1.read(entry["code"])[0])[0]
            head = f"GET /{path} HTTP/1.1\r\nHost: {host}\r\n{_BROWSER}\r\n"
            found.append(head.encode())
    return found


def paced(
    base: str, lessons: Sequence[Lesson], rate: float, seconds: float
) -> list[float]:
    """Ask at a rate; give how long each answer took from when it was due, in ms.

    Raises:
        OSError: The node does not answer.
        RuntimeError: It closes the connection.
    """
    turns, due, took = cycle(lessons), deque[tuple[float, int]](), list[float]()
    number, got = 0, 0
    total = int(rate * seconds)
    with connect(base) as connection:
        started = time.perf_counter()
        while len(took) < total:
            now = time.perf_counter() - started
            while number < total and number / rate <= now:
                lesson = next(turns)
                connection.sendall(lesson.request)
                due.append((number / rate, lesson.octets))
                number += 1
            wait = max(number / rate - now, 0.0) if number < total else 1.0
            if not select.select([connection], [], [], wait)[0]:
                continue
            octets = connection.recv(_READ_OCTETS)
            if not octets:
                raise RuntimeError(f"{base}: the connection was closed")
            got += len(octets)
            now = time.perf_counter() - started
            while due and got >= due[0][1]:
                at, size = due.popleft()
                got -= size
                took.append((now - at) * 1000)
    return took


def _learn(network: RunningNetwork) -> tuple[str, list[Lesson]]:
    top = next(node for node in network.ready["nodes"] if node["role"] == "top")
    base = top["http"]
    requests = requests_of(network.ready, base)
    learn_replies(base, requests, 307)  # into the cache
    return base, learn_replies(base, requests, 307)


def _round(
    server: Contender,
    base: str,
    lessons: Sequence[Lesson],
    seconds: float,
    rate: float,
) -> Round:
    busy = measure(server, seconds)
    times = sorted(paced(base, lessons, rate, seconds))
    return Round(
        1e6 / busy.cpu_us_per_query,
        busy.qps,
        busy.wrong + busy.lost,
        statistics.median(times),
        times[int(len(times) * 0.99)],
        times[-1],
    )


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
    if options.json:
        found = {
            "machine": describe_machine(),
            "rounds": [asdict(one) for one in rounds],
        }
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
    else:
        _show(rounds, options.rate)
    return 0


def _show(rounds: list[Round], rate: float) -> None:
    title = "Digital Link redirects"
    made = table(str(describe_machine()), title, "median", "spread", "goal")
    for name, label, goal in (
        ("per_core_second", "a second of one core", "≥ 3,000"),
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
