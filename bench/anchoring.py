"""`python -m bench anchoring`: what anchoring the log adds to a registration.

The same registrations at `idis up` with its chains, anchoring and with
`--no-anchoring`, alternately: in bulk by `idis import`, then one by one at a rate. What
counts is the processor's time in the network's process, chains included, because clocks
on the wall differ more from one run to the next than anchoring costs. Groups of what comes one
by one differ in size, too, so the last figure shows it best: a few registrations, each
of which makes a checkpoint.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from bench.machine import describe_machine
from bench.registrations import Paced, import_per_second
from bench.serving import wait_for_fast_path
from resolver.commands.console import show, table
from resolver.commands.status import fetch
from resolver.running import RunningNetwork, run_network

_QUIET_RATE, _QUIET_SECONDS = 2.0, 8.0
_WITH, _WITHOUT = "anchoring", "no anchoring"


@dataclass(frozen=True, slots=True)
class Cost:
    """One network, filled."""

    bulk_per_second: float
    bulk_cpu_us: float
    """Microseconds of processor time for each registration in bulk."""

    paced_cpu_us: float
    p50_ms: float
    p99_ms: float
    quiet_cpu_ms: float
    """Milliseconds of processor time a second while little is registered."""

    transactions: int
    """Checkpoints that came to the chain meanwhile."""


def measure(count: int, rate: float, seconds: float, *, anchoring: bool) -> Cost:
    """Fill one network."""
    options = [] if anchoring else ["--no-anchoring"]
    with tempfile.TemporaryDirectory(prefix="idis-bench-") as directory:
        data = Path(directory) / "data"
        with run_network("--port-base", "0", "--data", str(data), *options) as network:
            wait_for_fast_path(network)
            process = psutil.Process(network.process.pid)
            started = _cpu_seconds(process)
            bulk = import_per_second(network, Path(directory), count)
            filled = _cpu_seconds(process)
            paced = Paced("88.118.7")
            asyncio.run(paced.run(network, rate, seconds))
            ended = _cpu_seconds(process)
            quiet = Paced("88.118.7")
            asyncio.run(quiet.run(network, _QUIET_RATE, _QUIET_SECONDS))
            rested = _cpu_seconds(process)
            transactions = _transactions(network)
    times = sorted(paced.milliseconds)
    return Cost(
        bulk,
        (filled - started) / count * 1e6,
        (ended - filled) / len(times) * 1e6,
        statistics.median(times),
        times[int(len(times) * 0.99)],
        (rested - ended) / _QUIET_SECONDS * 1000,
        transactions,
    )


def _cpu_seconds(process: psutil.Process) -> float:
    spent = process.cpu_times()
    return float(spent.user + spent.system)


def _transactions(network: RunningNetwork) -> int:
    top = next(node for node in network.ready["nodes"] if node["role"] == "top")
    told = fetch(f"{top['http']}/api/v1/statistics")
    return int(told["anchoring"]["confirmed"]) if "anchoring" in told else 0


def _alternate(rounds: int) -> Iterator[tuple[str, bool]]:
    for number in range(rounds):
        pair = ((_WITH, True), (_WITHOUT, False))
        yield from pair if number % 2 else reversed(pair)


def main(arguments: Iterable[str] | None = None) -> int:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench anchoring")
    parser.add_argument("--count", type=int, default=100_000, help="in bulk")
    parser.add_argument("--rate", type=float, default=1000.0, help="one by one")
    parser.add_argument("--seconds", type=float, default=5.0, help="at that rate")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="JSON on stdout")
    options = parser.parse_args(list(arguments) if arguments is not None else None)
    found: dict[str, list[Cost]] = {_WITH: [], _WITHOUT: []}
    for name, anchoring in _alternate(options.rounds):
        cost = measure(
            options.count, options.rate, options.seconds, anchoring=anchoring
        )
        found[name].append(cost)
    if options.json:
        told = {name: [asdict(one) for one in costs] for name, costs in found.items()}
        shown = {"machine": describe_machine(), **told}
        sys.stdout.write(json.dumps(shown, indent=1) + "\n")
    else:
        _show(found)
    return 0


def _show(found: dict[str, list[Cost]]) -> None:
    made = table(str(describe_machine()), "medians", _WITH, _WITHOUT, "ratio", "goal")
    for name, title, goal in (
        ("bulk_cpu_us", "in bulk, µs of CPU each", "≤ 1.05"),
        ("bulk_per_second", "in bulk, 1/s", ""),
        ("paced_cpu_us", "one by one, µs of CPU each", "≤ 1.05"),
        ("p50_ms", "one by one, p50 ms", ""),
        ("p99_ms", "one by one, p99 ms", ""),
        ("quiet_cpu_ms", f"at {_QUIET_RATE:.0f}/s, ms of CPU a second", ""),
    ):
        both = [
            statistics.median(float(getattr(one, name)) for one in found[which])
            for which in (_WITH, _WITHOUT)
        ]
        cells = [f"{value:,.2f}" for value in both]
        made.add_row(title, *cells, f"{both[0] / both[1]:.3f}", goal)
    sent = statistics.median(one.transactions for one in found[_WITH])
    made.add_row("checkpoints on the chain", f"{sent:,.0f}", "0", "", "")
    show(made)


if __name__ == "__main__":
    sys.exit(main())
