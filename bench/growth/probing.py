"""One load at one network: what the generator saw and what the server spent."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from bench.blast import blast, prepare_load
from bench.corpus import Corpus, enterprise_prefixes
from bench.growth import plan as mixes
from bench.growth.plan import Plan
from bench.growth.search import RateSearch
from bench.growth.under_test import Hits, NetworkUnderTest
from bench.growth.watch import FRESH
from bench.load import PUBLIC_ONLY, Load, Outcome
from bench.prepared import Prepared

MAX_LOST_SHARE = 0.001
MIN_ACHIEVED_SHARE = 0.97
"""Of the offered rate; less, and the server or the generator has not kept up."""

_SATURATED = 0.9
_SURE_SHARE = 0.85
"""A rate below this share of what is likely is tried again before it is given up."""

_NATURAL_SECONDS = 120.0
"""At most, to ask an empty cache so many questions."""

_SLOW_SEQUENCE = 1 << 16
_IDLE_SHARE = 0.05
_IDLE_SECONDS = 0.05
_MAX_SETTLE_SECONDS = 5.0


Timeline = Sequence[tuple[float, int]]
"""Times of the monotonic clock, and what was counted up to then."""


class Probe(NamedTuple):
    """One load as it went."""

    load: Load
    outcome: Outcome
    cpu_seconds: float
    """Of the server, all its threads."""

    seconds: float
    """From the first request to the last answer, or its loss."""

    hits: Hits
    started: float
    """By the monotonic clock."""

    registered_per_second: float = 0.0
    """What was registered meanwhile."""

    @property
    def server_cpu(self) -> float:
        """Share of one core that the server used."""
        return self.cpu_seconds / self.seconds if self.seconds else 0.0

    @property
    def disturbed(self) -> bool:
        """Whether a saturating load left both cores idle in part.

        Then something else ran on them, and the figures are too low.
        """
        busiest = max(self.server_cpu, self.outcome.generator_cpu)
        return self.load.rate is None and busiest < _SATURATED

    @property
    def cpu_us_per_query(self) -> float:
        """CPU time of the server for one answer, whatever else it did included."""
        answered = self.outcome.answered
        return self.cpu_seconds / answered * 1e6 if answered else 0.0


class Found(NamedTuple):
    """What a search found."""

    closed: Probe
    best: Probe | None
    """At the highest rate that kept the limit; None when none did."""

    tried: tuple[Probe, ...]


def registered(probe: Probe, timeline: Timeline) -> Probe:
    """Note what was registered during a load, given counts over time."""
    ends = probe.started, probe.started + probe.seconds
    counted = [count for at, count in timeline if ends[0] <= at <= ends[1]]
    if len(counted) < 2:
        return probe
    # From the first batch within it to the last: one less than there were batches.
    times = [at for at, _ in timeline if ends[0] <= at <= ends[1]]
    rate = (counted[-1] - counted[0]) / (times[-1] - times[0])
    return probe._replace(registered_per_second=rate)


def holds(outcome: Outcome, rate: float, p99_limit_us: float) -> bool:
    """Tell whether a rate was carried: fast enough, nothing missing, nothing wrong."""
    return (
        outcome.p99_us <= p99_limit_us
        and outcome.lost <= MAX_LOST_SHARE * outcome.sent
        and not outcome.wrong
        and outcome.qps >= MIN_ACHIEVED_SHARE * rate
    )


@dataclass(slots=True)
class Prober:
    """Puts loads on one network; requests and expected replies are made once."""

    network: NetworkUnderTest
    plan: Plan
    identifiers: int
    _prepared: dict[tuple[object, ...], Prepared]

    def __init__(self, network: NetworkUnderTest, plan: Plan, identifiers: int) -> None:
        self.network = network
        self.plan = plan
        self.identifiers = identifiers
        self._prepared = {}

    @property
    def corpus(self) -> Corpus:
        """All identifiers of this step."""
        prefixes = enterprise_prefixes(self.network.ready)
        return Corpus(prefixes, self.identifiers, self.plan.seed)

    @property
    def local_corpus(self) -> Corpus:
        """Identifiers that the first secondary node keeps under its own prefix."""
        node = self.network.nodes("secondary")[0]
        return Corpus((node["prefixes"][0],), self.plan.warm_identifiers)

    def load_of(self, mix: str) -> Load:
        """Describe the closed loop of a mix."""
        plan, corpus = self.plan, self.corpus
        fresh = Load(
            self.network.recursive,
            corpus,
            exponent=plan.exponent,
            window=plan.window,
            seconds=plan.probe_seconds,
            warm_up=0.0,
            seed=plan.seed,
            flags=FRESH,
            check="computed",
            sequence=_SLOW_SEQUENCE,
        )
        if mix in (mixes.CACHED, mixes.WITH_REGISTRATIONS):
            count = min(plan.warm_identifiers, self.identifiers)
            warm = replace(corpus, count=count)
            return replace(
                fresh, corpus=warm, flags=PUBLIC_ONLY, check="learned", sequence=None
            )
        if mix == mixes.NATURAL:
            count = plan.natural_questions
            return replace(
                fresh,
                flags=PUBLIC_ONLY,
                queries=count,
                sequence=count,
                seconds=_NATURAL_SECONDS,
            )
        if mix == mixes.AUTHORITATIVE:
            host, port = self.network.nodes("secondary")[0]["handle"]
            return replace(
                fresh,
                target=(host, port),
                corpus=self.local_corpus,
                distribution="uniform",
                flags=PUBLIC_ONLY,
            )
        return fresh

    def prepared(self, load: Load) -> Prepared:
        """Make requests and expected replies for a load, or give those made before.

        Learning them also brings them into the caches.
        """
        key = (load.target, load.corpus, load.flags, load.check, load.sequence)
        if key not in self._prepared:
            self._prepared[key] = prepare_load(load)
        return self._prepared[key]

    def learn_places(self) -> None:
        """Ask for one identifier of each enterprise, so that its place is known."""
        corpus = self.corpus
        # Enterprises take turns, so the first numbers are one of each.
        first = replace(corpus, count=min(len(corpus.prefixes), corpus.count))
        load = self.load_of(mixes.PREFIX_WARM)
        blast(replace(load, corpus=first, distribution="each-once", sequence=None))

    def probe(self, load: Load) -> Probe:
        """Put a load on the network and read what it cost."""
        prepared = self.prepared(load)
        self.settle()
        hits, cpu = self.network.hits(), self.network.cpu_seconds()
        started = time.monotonic()
        outcome = blast(load, prepared=prepared)
        seconds = time.monotonic() - started
        cpu = self.network.cpu_seconds() - cpu
        hits = self.network.hits().since(hits)
        return Probe(load, outcome, cpu, seconds, hits, started)

    def search(self, mix: str, guess: float | None = None) -> Found:
        """Search for the highest rate of a mix that keeps the limit.

        `guess` is what an earlier round found.
        """
        load = self.load_of(mix)
        closed = self.probe(load)
        limit = self.plan.p99_limit_us
        search = RateSearch(guess or closed.outcome.qps, self.plan.probes)
        best, tried = None, []
        while not search.done:
            rate = search.rate
            probe = self.probe(replace(load, rate=rate))
            tried.append(probe)
            held = holds(probe.outcome, rate, limit)
            if not held and rate < _SURE_SHARE * search.guess:
                # So far below, it is rather the machine that was disturbed.
                probe = self.probe(replace(load, rate=rate))
                tried.append(probe)
                held = holds(probe.outcome, rate, limit)
            search.tell(rate, holds=held)
            if held and rate >= search.held:
                best = probe
        return Found(closed, best, tuple(tried))

    def steady(self, mix: str, rate: float) -> Probe:
        """Put the same load on as at every other step."""
        load = self.load_of(mix)
        seconds = self.plan.steady_seconds
        return self.probe(replace(load, rate=rate, seconds=seconds))

    def settle(self) -> None:
        """Wait until the server has done what an overload left it."""
        deadline = time.monotonic() + _MAX_SETTLE_SECONDS
        cpu = self.network.cpu_seconds()
        while time.monotonic() < deadline:
            time.sleep(_IDLE_SECONDS)
            before, cpu = cpu, self.network.cpu_seconds()
            if cpu - before < _IDLE_SHARE * _IDLE_SECONDS:
                return


def expected_failures(
    prepared: Prepared, corpus: Corpus, prefixes: Callable[[str], bool], sent: int
) -> int:
    """Count, among the first `sent` requests, those for identifiers of some prefixes."""
    enterprises = len(corpus.prefixes)
    chosen = np.array([prefixes(prefix) for prefix in corpus.prefixes])
    of_item = chosen[prepared.numbers % enterprises]
    laps, rest = divmod(sent, len(prepared.sequence))
    in_sequence = of_item[prepared.sequence]
    return int(laps * in_sequence.sum() + in_sequence[:rest].sum())
