"""One step: a network is started, filled, and asked in every mix.

What a step does is told by `bench.growth.plan`; what came of it is kept here as it was
seen, round by round, and condensed by `bench.growth.results`.
"""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.corpus import Corpus
from bench.growth import plan as mixes
from bench.growth.plan import Plan, Run
from bench.growth.probing import (
    Found,
    Probe,
    Prober,
    expected_failures,
    registered,
)
from bench.growth.under_test import NetworkUnderTest
from bench.growth.watch import Seen, Watch, judge
from bench.load import Load
from bench.prepared import Prepared

_BEFORE_SECONDS = 0.3
_FORGETFUL = {mixes.COLD: "recursive", mixes.AUTHORITATIVE: "secondary"}
"""Whose first node forgets what questions teach it."""

_WATCHED = 20
"""Identifiers of each enterprise that a watch asks for."""

_STEADY_SHARE = 0.5
"""Of what the first step carried: the load that is the same at every step."""

_LOST_SHARE = 0.5
"""Of what the step carries: the load while a node is lost."""


@dataclass(slots=True)
class Rounds:
    """One mix of one step, as it went in each round."""

    found: list[Found] = field(default_factory=list)
    steady: list[Probe] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Lost:
    """A node lost and regained."""

    node: str
    prefixes: tuple[str, ...]
    turns: tuple[int, ...]
    """Which of the corpus' enterprises these are, counted from 0."""

    lost: Probe
    regained: Probe
    seen: Seen
    expected_failures: int
    """Requests that were sent for identifiers of the lost node."""

    stop_seconds: float
    start_seconds: float


class Step:
    """A network under test and all that was found out about it."""

    def __init__(self, run: Run, plan: Plan, network: NetworkUnderTest) -> None:
        self.run = run
        self.plan = plan
        self.network = network
        self.prober = Prober(network, plan, run.identifiers)
        self.start_seconds: list[float] = [network.start_seconds]
        self.resident_mib: list[float] = [network.resident_mib()]
        self.loaded_mib = 0.0
        self.disk_octets = 0.0
        """On disk for each identifier, journal and all."""

        self.load_seconds = 0.0
        self.rounds = {mix: Rounds() for mix in mixes.SEARCHED}
        self.natural: Probe | None = None
        self.lost: Lost | None = None
        self.registrations: list[dict[str, Any]] = []

    def fill(self) -> None:
        """Register the identifiers of the step, past the wire."""
        started = time.perf_counter()
        before, count = self._on_disk(), 0
        for corpus in (self.prober.corpus, self.prober.local_corpus):
            self._load(corpus)
            count += corpus.count
        self.load_seconds = time.perf_counter() - started
        self.disk_octets = (self._on_disk() - before) / count
        self.loaded_mib = self.network.resident_mib()

    def _on_disk(self) -> int:
        files = Path(self.network.ready["data"]).rglob("*")
        return sum(file.stat().st_blocks * 512 for file in files if file.is_file())

    def _load(self, corpus: Corpus) -> None:
        self.network.order(
            "load", prefixes=corpus.prefixes, count=corpus.count, seed=corpus.seed
        )

    def search(self, mix: str, ready_file: Path) -> Found:
        """Measure one round of a mix; `ready_file` may be written."""
        rounds = self.rounds[mix]
        guess = _median_rate(rounds.found)
        with self._mixed(mix, ready_file) as timeline:
            found = self.prober.search(mix, guess)
        if timeline:
            best = found.best and registered(found.best, timeline)
            found = Found(registered(found.closed, timeline), best, found.tried)
        rounds.found.append(found)
        return found

    def steady(self, mix: str, rate: float, ready_file: Path) -> Probe:
        """Measure the load that is the same at every step."""
        with self._mixed(mix, ready_file) as timeline:
            probe = self.prober.steady(mix, rate)
        probe = registered(probe, timeline)
        self.rounds[mix].steady.append(probe)
        return probe

    @contextlib.contextmanager
    def _mixed(self, mix: str, ready_file: Path) -> Iterator[list[tuple[float, int]]]:
        """Bring about what belongs to a mix besides the questions.

        Gives what was registered over time, once the block has ended.
        """
        timeline: list[tuple[float, int]] = []
        # Learning the expected replies is no part of what is measured.
        self.prober.prepared(self.prober.load_of(mix))
        if mix == mixes.PREFIX_WARM:
            self.prober.learn_places()
        with contextlib.ExitStack() as stack:
            if mix in _FORGETFUL:
                name = self.network.nodes(_FORGETFUL[mix])[0]["name"]
                self.network.order("forgetting", name=name, on=True)
                stack.callback(self.network.order, "forgetting", name=name, on=False)
            if mix == mixes.WITH_REGISTRATIONS:
                stack.enter_context(self._registering(ready_file, timeline))
            yield timeline

    @contextlib.contextmanager
    def _registering(
        self, ready_file: Path, timeline: list[tuple[float, int]]
    ) -> Iterator[None]:
        """Register at the set rate meanwhile."""
        rate = self.plan.registrations_per_second
        with registering(self.network, ready_file, "--rate", str(rate)) as process:
            yield
            said, _ = process.communicate()  # the end of its stdin ends it
        timeline += [(at, count) for at, count in json.loads(said)["timeline"]]

    def register_in_bulk(self, ready_file: Path) -> float:
        """Register as fast as the network takes it; gives how many a second."""
        count = str(self.plan.bulk_registrations)
        found = self._register(ready_file, "--count", count)
        self.registrations.append(found)
        return float(found["per_second"])

    def _register(self, ready_file: Path, *arguments: str) -> dict[str, Any]:
        with registering(self.network, ready_file, *arguments) as process:
            cpu = self.network.cpu_seconds()
            assert process.stdout is not None
            said = process.stdout.read()
            spent = self.network.cpu_seconds() - cpu
        found: dict[str, Any] = json.loads(said)
        found["cpu_us"] = spent / max(1, found["registered"]) * 1e6
        return found

    def ask_naturally(self) -> Probe:
        """Ask by popularity, beginning with empty caches."""
        load = self.prober.load_of(mixes.NATURAL)
        self.prober.prepared(load)
        self.network.order("forget")
        self.natural = self.prober.probe(load)
        return self.natural

    def lose_and_regain(self) -> Lost:
        """Stop one secondary node and start it again, under load."""
        nodes = self.network.nodes("secondary")
        node = nodes[min(1, len(nodes) - 1)]
        load, prepared = self._load_while_lost()
        self.prober.learn_places()
        watch = self._watch(node["prefixes"], self.prober.corpus)
        with watch:
            time.sleep(_BEFORE_SECONDS)
            stopped = self.network.order("stop", name=node["name"])
            gone = time.monotonic()
            lost = self.prober.probe(load)
            starting = time.monotonic()
            started = self.network.order("start", name=node["name"])
            regained = self.prober.probe(load)
        hosted = set(node["prefixes"])
        expected = expected_failures(
            prepared, load.corpus, hosted.__contains__, lost.outcome.sent
        )
        self.lost = Lost(
            node["name"],
            tuple(node["prefixes"]),
            tuple(at for at, p in enumerate(load.corpus.prefixes) if p in hosted),
            lost,
            regained,
            judge(watch.looks, gone, starting),
            expected,
            stopped["seconds"],
            started["seconds"],
        )
        return self.lost

    def _load_while_lost(self) -> tuple[Load, Prepared]:
        load = self.prober.load_of(mixes.PREFIX_WARM)
        carried = _median_rate(self.rounds[mixes.PREFIX_WARM].found) or 500.0
        load = replace(
            load, rate=_LOST_SHARE * carried, seconds=self.plan.phase_seconds
        )
        return load, self.prober.prepared(load)

    def _watch(self, lost: list[str], corpus: Corpus) -> Watch:
        own: list[str] = []
        others: list[str] = []
        for prefix in corpus.prefixes:
            chosen = own if prefix in lost else others
            numbers = corpus.numbers_of(prefix)[:_WATCHED]
            chosen += [corpus.identifier(number) for number in numbers]
        return Watch(self.network.recursive, own, others)


@contextlib.contextmanager
def registering(
    network: NetworkUnderTest, ready_file: Path, *arguments: str
) -> Iterator["subprocess.Popen[str]"]:
    """Run a process that registers, from when all have logged in; end it."""
    ready_file.touch(mode=0o600)
    ready_file.write_text(json.dumps(network.ready))
    process = subprocess.Popen(  # noqa: S603 (our own program)
        [
            *(sys.executable, "-m", "bench.growth.registering"),
            *("--ready-file", str(ready_file)),
            *arguments,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        try:
            if process.stdout.readline() != "started\n":
                message = f"registering ended before it began, code {process.wait()}"
                raise RuntimeError(message)
            yield process
        finally:
            process.kill()


def steady_rate(found: Found) -> float:
    """Choose the rate that every step is asked at, from the first step's search."""
    carried = found.best.load.rate if found.best else None
    return _STEADY_SHARE * (carried or found.closed.outcome.qps)


def _median_rate(found: list[Found]) -> float | None:
    rates = sorted(
        item.best.load.rate
        for item in found
        if item.best is not None and item.best.load.rate is not None
    )
    return rates[len(rates) // 2] if rates else None
