"""`python -m bench registrations`: what a durable, proven registration costs.

Over the wire, at `idis up` in a process of its own with 14 secondary nodes: in bulk, by
`idis import`, and one by one at a rate, each timed from when it was due to its answer, so
that waiting in line counts. Every answer means: on disk, in the log, under a signed
checkpoint. At the end a sample is proven: bundles are fetched and verified offline, up
to the main chain's block; and the data directory is rechecked as a whole.
"""

import argparse
import asyncio
import json
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from bench.machine import describe_machine
from bench.products import write_products
from bench.rounds import tell_rounds
from bench.serving import wait_for_fast_path
from registry.model.codes import ResponseCode
from registry.model.value import Value
from resolver.client import KnownLogs
from resolver.client.pipeline import Pipeline
from resolver.client.proofs import fetch_proof, verified_proof
from resolver.client.request import creation
from resolver.commands.console import show, table
from resolver.commands.proof_anchors import WAIT_SECONDS, Proof, anchored_proof
from resolver.commands.running import from_ready
from resolver.running import RunningNetwork, run_network
from resolver.session.exchange import ServerAddress

_TICK_SECONDS = 0.001
_VALUES = (Value(1, "URL", b"https://example.com/bench"),)
_SAMPLE = 100


@dataclass(frozen=True, slots=True)
class Round:
    """One network, filled and rechecked."""

    bulk_per_second: float
    paced_per_second: float
    p50_ms: float
    p99_ms: float
    worst_ms: float
    proven: int
    """Bundles of the sample that verified up to the main chain."""

    anchored_seconds: float
    """Until the chains covered the last registration, at most `WAIT_SECONDS`."""

    proof_octets: int
    """Of the largest of these bundles."""

    verified_ms: float
    """The median of verifying one, offline."""

    audited_seconds: float


class Paced:
    """Single registrations at one node, at a rate."""

    def __init__(self, prefix: str) -> None:
        self.milliseconds: list[float] = []
        self.names: list[str] = []
        self._prefix = f"{prefix}/PACED{secrets.token_hex(3)}-"
        self._due: dict[int, float] = {}

    async def run(self, network: RunningNetwork, rate: float, seconds: float) -> None:
        """Register, each when it is due, whether or not those before are answered.

        Raises:
            ResolverError: The node does not answer.
        """
        prefix = self._prefix.partition("/")[0]
        credential = from_ready(network.credential("secret", prefix))
        pipeline = await Pipeline.connect(
            _server(network, prefix), credential, self._answered
        )
        started, number = time.perf_counter(), 0
        while number < rate * seconds:
            now = time.perf_counter() - started
            while number < min(now, seconds) * rate:
                self._due[number] = started + number / rate
                self.names.append(f"{self._prefix}{number}")
                draft = creation(self.names[-1], _VALUES, overwrite=False)
                await pipeline.send(draft, number)
                number += 1
            pipeline.flush()
            await asyncio.sleep(_TICK_SECONDS)
        await pipeline.finish()
        pipeline.close()

    def _answered(self, number: int, code: int, text: str) -> None:
        assert code == ResponseCode.SUCCESS, (code, text)
        waited = time.perf_counter() - self._due.pop(number)
        self.milliseconds.append(waited * 1000)


def measure(count: int, rate: float, seconds: float) -> Round:
    """Run one round."""
    with tempfile.TemporaryDirectory(prefix="idis-bench-") as directory:
        data = Path(directory) / "data"
        with run_network("--port-base", "0", "--data", str(data)) as network:
            wait_for_fast_path(network)
            bulk = import_per_second(network, Path(directory), count)
            paced = Paced("88.118.7")
            started = time.perf_counter()
            asyncio.run(paced.run(network, rate, seconds))
            took = time.perf_counter() - started
            waited = _wait_until_anchored(network, paced.names[-1])
            proven = _proven(network, _sample(paced.names))
        started = time.perf_counter()
        _idis("verify", "--data", str(data))
        audited = time.perf_counter() - started
    times = sorted(paced.milliseconds)
    return Round(
        bulk,
        len(times) / took,
        statistics.median(times),
        times[int(len(times) * 0.99)],
        times[-1],
        sum(one.holds for one in proven),
        waited,
        max(one.octets for one in proven),
        statistics.median(one.milliseconds for one in proven),
        audited,
    )


def import_per_second(network: RunningNetwork, directory: Path, count: int) -> float:
    """Registrations a second of `idis import`, each acknowledged when it counts."""
    file = directory / "products.csv"
    write_products(file, count)
    ready = {"IDIS_READY_FILE": str(network.ready_file)}
    report = json.loads(_idis("import", str(file), "--json", environment=ready))
    assert report["registered"] == count, report
    return float(report["per_second"])


def _sample(names: list[str]) -> list[str]:
    return names[:: max(1, len(names) // _SAMPLE)][:_SAMPLE]


def _wait_until_anchored(network: RunningNetwork, name: str) -> float:
    """Wait until the chains cover a name; tell how long that took."""
    logs = KnownLogs.of_ready(network.ready)
    url = logs.nearest(name.encode()).url

    def ask() -> Proof:
        octets = fetch_proof(url, name, anchors=True)
        return Proof(octets, verified_proof(octets, name, logs))

    started = time.perf_counter()
    anchored_proof(ask, logs, url, WAIT_SECONDS)
    return time.perf_counter() - started


class _Proven(NamedTuple):
    """A bundle that was fetched and verified."""

    holds: bool
    octets: int
    milliseconds: float


def _proven(network: RunningNetwork, names: list[str]) -> list[_Proven]:
    logs = KnownLogs.of_ready(network.ready)
    found = []
    for name in names:
        octets = fetch_proof(logs.nearest(name.encode()).url, name, anchors=True)
        started = time.perf_counter()
        verified = verified_proof(octets, name, logs)
        milliseconds = (time.perf_counter() - started) * 1000
        holds = verified.standing == "present" and verified.is_anchored
        found.append(_Proven(holds, len(octets), milliseconds))
    return found


def _server(network: RunningNetwork, prefix: str) -> ServerAddress:
    host, port = _node(network, prefix)["handle"]
    return ServerAddress(host, None, port)


def _node(network: RunningNetwork, prefix: str) -> dict[str, Any]:
    nodes: list[dict[str, Any]] = network.ready["nodes"]
    return next(node for node in nodes if prefix in node["prefixes"])


def _idis(*arguments: str, environment: dict[str, str] | None = None) -> bytes:
    command = [sys.executable, "-m", "resolver.cli", *arguments]
    return subprocess.run(  # noqa: S603
        command, env=environment, capture_output=True, check=True
    ).stdout


def main(arguments: Iterable[str] | None = None) -> int:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench registrations")
    parser.add_argument("--count", type=int, default=200_000, help="in bulk")
    parser.add_argument("--rate", type=float, default=2000.0, help="one by one")
    parser.add_argument("--seconds", type=float, default=10.0, help="at that rate")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="JSON on stdout")
    options = parser.parse_args(list(arguments) if arguments is not None else None)
    rounds = [
        measure(options.count, options.rate, options.seconds)
        for _ in range(options.rounds)
    ]
    tell_rounds(rounds, lambda: _show(rounds, options.rate), as_json=options.json)
    return 0


def _show(rounds: list[Round], rate: float) -> None:
    made = table(
        str(describe_machine()), "durable and proven", "median", "spread", "goal"
    )
    for name, title, goal in (
        ("bulk_per_second", "in bulk, 1/s", "≥ 20,000"),
        ("p50_ms", f"one by one at {rate:,.0f}/s, p50 ms", ""),
        ("p99_ms", f"one by one at {rate:,.0f}/s, p99 ms", "< 25"),
        ("worst_ms", "the slowest of them, ms", ""),
        (
            "proven",
            f"of {_SAMPLE} of them, bundles that verify up to the main chain",
            f"{_SAMPLE}",
        ),
        ("anchored_seconds", "until the chains cover the last, s", ""),
        ("proof_octets", "the largest bundle, octets", "≤ 10,000"),
        ("verified_ms", "verifying one offline, ms", "≤ 20"),
        ("audited_seconds", "recheck of the whole directory, s", ""),
    ):
        found = [float(getattr(one, name)) for one in rounds]
        spread = f"{min(found):,.2f} to {max(found):,.2f}"
        made.add_row(title, f"{statistics.median(found):,.2f}", spread, goal)
    show(made)


if __name__ == "__main__":
    sys.exit(main())
