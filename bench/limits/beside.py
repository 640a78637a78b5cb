"""Cached traffic on the recursive node, alone and in company."""

from contextlib import AbstractContextManager
from typing import NamedTuple

import numpy as np

from bench.blast import Prepared, prepare_load
from bench.corpus import Corpus
from bench.limits.bed import Bed, Cost, Counters
from bench.limits.company import Done

HOT = 2_000
"""Cached identifiers that are asked for."""


class Beside(NamedTuple):
    """One round: cached traffic alone, and in company."""

    alone: Cost
    together: Cost
    done: Done
    """What the company did."""

    moved: dict[str, float]
    """What the recursive node counted, up to the end of the cached traffic."""

    moved_after: dict[str, float]
    """The same, up to the end of the company."""

    grown_mib: float

    @property
    def kept(self) -> float:
        """Share of the throughput that is left."""
        return self.together.outcome.qps / self.alone.outcome.qps


class Cached:
    """Cached traffic on the recursive node."""

    def __init__(self, bed: Bed, seconds: float) -> None:
        corpus = Corpus(bed.corpus.prefixes, min(HOT, bed.corpus.count))
        self.bed = bed
        self.load = bed.load(bed.recursive, corpus=corpus, seconds=seconds)
        self.prepared: Prepared = prepare_load(self.load)
        bed.fill(self.load, self.prepared, np.arange(len(self.prepared.numbers)))

    def measure(
        self,
        together: AbstractContextManager[list[Done]],
        alone: AbstractContextManager[object],
    ) -> Beside:
        """Measure one round."""
        bed = self.bed
        with alone:
            before = bed.cost(self.load, self.prepared)
        memory = bed.anonymous_mib()
        counters = Counters(bed.recursive)
        with together as done:
            beside = bed.cost(self.load, self.prepared)
            moved = counters.moved()
        return Beside(
            before,
            beside,
            done[0],
            moved,
            counters.moved(),
            bed.anonymous_mib() - memory,
        )
