"""The network on which limits are measured: one node keeps very many identifiers.

They are put into its data directory while it does not run. Everything is asked by UDP
or TCP from the other core, with so much in flight that the server is the bottleneck.
"""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from bench.blast import Load, Outcome, Prepared, blast
from bench.corpus import Corpus
from bench.load import Transport
from bench.loading import load_corpus
from bench.serving import (
    Cores,
    cpu_seconds,
    pin,
    read_metrics,
    recursive_node,
    wait_for_fast_path,
)
from resolver.running import RunningNetwork, run_network

WINDOW = 160
"""Requests in flight: more than two batches, so that the server never waits."""

SECONDARIES = 2
_MIB = 1 << 20
_TIMES = 2
_AT_A_TIME = 10_000
_ALL_DAY_SECONDS = 3600.0
"""At most: a load that ends when all is asked."""

_ANONYMOUS = "RssAnon:"
_COUNTED = "_total"
"""How names of counters end, others are gauges (Prometheus exposition format)."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a load cost the server."""

    outcome: Outcome
    cpu_seconds: float

    @property
    def cpu_us_per_query(self) -> float:
        """CPU time for each right answer, in microseconds."""
        right = self.outcome.answered - self.outcome.wrong
        return self.cpu_seconds / max(right, 1) * 1e6

    @property
    def busy(self) -> float:
        """Share of one core."""
        return self.cpu_seconds / max(self.outcome.seconds, 1e-9)


@dataclass(frozen=True, slots=True)
class Bed:
    """A running network, and what one of its nodes keeps."""

    network: RunningNetwork
    keeper: dict[str, Any]
    """The ready file's entry of the node that keeps the corpus."""

    corpus: Corpus
    empty_mib: float
    """Memory of the process before anything was asked, see `anonymous_mib`."""

    cores: Cores
    tell: Callable[[str], None]

    @property
    def pid(self) -> int:
        """The process of all nodes."""
        return self.network.process.pid

    @property
    def recursive(self) -> dict[str, Any]:
        """The ready file's entry of the recursive node."""
        return recursive_node(self.network)

    def load(
        self,
        node: dict[str, Any],
        transport: Transport = "udp",
        window: int = WINDOW,
        **parts: Any,
    ) -> Load:
        """Make a load on a node."""
        host, port = node["handle"]
        return Load(
            (host, port),
            parts.pop("corpus", self.corpus),
            transport=transport,
            window=window,
            warm_up=0.0,
            **parts,
        )

    def cost(self, load: Load, prepared: Prepared) -> Cost:
        """Ask, and read what it cost.

        Raises:
            UnreachableError: Nothing answers.
        """
        before = cpu_seconds(self.pid)
        outcome = blast(load, prepared=prepared)
        return Cost(outcome, cpu_seconds(self.pid) - before)

    def fill(self, load: Load, prepared: Prepared, items: np.ndarray) -> None:
        """Ask for each of these items often enough for the packet cache to keep it.

        It keeps what was asked for before, and remembers that for a while: so some
        at a time, in a row.

        Raises:
            UnreachableError: Nothing answers.
        """
        again = replace(
            load, distribution="each-once", queries=None, seconds=_ALL_DAY_SECONDS
        )
        for some in np.array_split(items, -(-len(items) // _AT_A_TIME)):
            for _ in range(_TIMES):
                blast(again, prepared=replace(prepared, sequence=some))

    def anonymous_mib(self) -> float:
        """Give the memory of the process in RAM that no file stands behind.

        What LMDB maps is not in it: the system takes that back when it likes.
        """
        return _anonymous_mib(self.pid)


class Counters:
    """What a node's counters did since this was made, and where its gauges stand."""

    def __init__(self, node: dict[str, Any]) -> None:
        self._node = node
        self._before = read_metrics(node)

    def moved(self) -> dict[str, float]:
        """Give by name what was counted since, and gauges; zeros are left out."""
        found = {}
        for name, value in read_metrics(self._node).items():
            counted = name.endswith(_COUNTED)
            since = value - self._before.get(name, 0.0) if counted else value
            if since:
                found[name] = since
        return found


def make_bed(
    stack: ExitStack, identifiers: int, cores: Cores, tell: Callable[[str], None]
) -> Bed:
    """Make a network that keeps so many identifiers at one node, and start it.

    Raises:
        ResolverError: The identifiers cannot be put there.
        RuntimeError: The network does not start, or has no fast path.
        OSError: There is no room.
    """
    made = tempfile.TemporaryDirectory(prefix="limits-")
    data = Path(stack.enter_context(made)) / "data"
    arguments = ["--data", str(data), "--secondaries", str(SECONDARIES)]
    arguments += ["--port-base", "0", "--fast-path", "auto"]
    with run_network(*arguments) as network:
        keeper = _hosting_node(network)
    # The first prefix is the node's own; the others are of enterprises it hosts.
    corpus = Corpus(tuple(keeper["prefixes"][1:]), identifiers)
    tell(f"registering {identifiers:,} identifiers at {keeper['name']}")
    load_corpus(data, corpus, _tell_tenths(tell))
    tell("starting the network again")
    network = stack.enter_context(run_network(*arguments))
    wait_for_fast_path(network)
    pin(network.process.pid, cores.server)
    keeper = _hosting_node(network)
    empty_mib = _anonymous_mib(network.process.pid)
    return Bed(network, keeper, corpus, empty_mib, cores, tell)


def _anonymous_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith(_ANONYMOUS):
                return int(line.split()[1]) / 1024
    return float(psutil.Process(pid).memory_info().rss) / _MIB


def _hosting_node(network: RunningNetwork) -> dict[str, Any]:
    nodes = network.ready["nodes"]
    found: dict[str, Any] = max(
        (node for node in nodes if node["role"] == "secondary"),
        key=lambda node: len(node["prefixes"]),
    )
    return found


def _tell_tenths(tell: Callable[[str], None]) -> Callable[[int, int], None]:
    told = [0]

    def hear(done: int, whole: int) -> None:
        tenth = done * 10 // max(whole, 1)
        if tenth > told[0]:
            told[0] = tenth
            tell(f"registered {done:,} of {whole:,}")

    return hear
