"""What is kept but not cached, and what very many cached answers cost."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bench.blast import Load, Prepared, prepare_load
from bench.figures import Figure
from bench.limits.bed import Bed, Cost, Counters
from bench.serving import read_metrics

if TYPE_CHECKING:
    from bench.load import Transport

FEW = 10_000
"""Cached answers with which many are compared."""

MIN_UNCACHED_PER_SECOND = 25_000
MAX_RESIDENT_MIB = 400
MAX_HIT_RATIO = 1.5
MIN_HIT_SHARE = 0.99
_MILLION = 1_000_000
_ALL_DAY_SECONDS = 3600.0
"""A load that ends when all is asked."""

_SEQUENCE = 1 << 19
_TRANSPORTS: "tuple[Transport, ...]" = ("udp", "tcp")
"""A hit costs little beside what UDP costs the system; over TCP it shows."""


def uncached(bed: Bed, rounds: int, queries: int) -> Iterator[Figure]:
    """Ask the node that keeps the corpus for identifiers nobody has asked for yet."""
    bed.tell(f"uncached: {rounds} x {queries:,} of {bed.corpus.count:,}")
    load = _each_once(bed, rounds * queries)
    prepared = prepare_load(load)
    costs = []
    for sequence in np.array_split(prepared.sequence, rounds):
        part = replace(prepared, sequence=sequence)
        costs.append(bed.cost(replace(load, queries=len(sequence)), part))
    title = f"uncached, {bed.corpus.count:,} stored"
    rates = tuple(1e6 / cost.cpu_us_per_query for cost in costs)
    yield Figure(
        f"{title}, for a core", "1/s", MIN_UNCACHED_PER_SECOND, rates, at_least=True
    )
    yield Figure(f"{title}, wrong or lost", "", 0, _faults(costs))


def resident(bed: Bed, rounds: int, seconds: float, many: int) -> Iterator[Figure]:
    """Fill the packet cache with `many` answers; measure its memory and its hits.

    The memory is that since the network started. What a million takes is drawn on from
    the second half of `many`, which takes nothing but what entries take; with a million
    it is what was measured.
    """
    bed.tell(f"cached: {many:,} answers")
    load = _each_once(bed, many)
    prepared = prepare_load(load)
    points = []
    for half in np.array_split(prepared.sequence, 2):
        bed.fill(load, prepared, half)
        entries = read_metrics(bed.keeper)["idis_fastpath_entries"]
        points.append(Filled(entries, bed.anonymous_mib() - bed.empty_mib))
    title = f"{many:,} answers cached"
    there = (points[1].entries,)
    yield Figure(f"{title}, entries there", "", many, there, at_least=True)
    million = (memory_of_a_million(*points),)
    yield Figure(f"{title}, memory of a million", "MiB", MAX_RESIDENT_MIB, million)
    yield from _hits(bed, prepared, rounds, seconds)


class Filled(NamedTuple):
    """How full the packet cache was, and what memory had been taken since the start."""

    entries: float
    mib: float


def memory_of_a_million(half: Filled, whole: Filled) -> float:
    """Draw on from two points to a million entries; MiB.

    Where the second half has brought no entries, there is no line to draw on.
    """
    added = whole.entries - half.entries
    if added <= 0:
        return math.inf
    return whole.mib + (whole.mib - half.mib) / added * (_MILLION - whole.entries)


def _hits(
    bed: Bed, prepared: Prepared, rounds: int, seconds: float
) -> Iterator[Figure]:
    many = len(prepared.numbers)
    for transport in _TRANSPORTS:
        load = bed.load(
            bed.keeper,
            transport,
            distribution="uniform",
            seconds=seconds,
            check="computed",
        )
        counters = Counters(bed.keeper)
        pairs = [
            tuple(
                bed.cost(load, replace(prepared, sequence=_uniform(count, number)))
                for count in (FEW, many)
            )
            for number in range(rounds)
        ]
        ratios = tuple(
            large.cpu_us_per_query / small.cpu_us_per_query for small, large in pairs
        )
        name = f"hit with {many:,} cached, to {FEW:,}, {transport}"
        yield Figure(name, "ratio", MAX_HIT_RATIO, ratios)
        costs = [cost for pair in pairs for cost in pair]
        answered = sum(cost.outcome.answered for cost in costs)
        share = counters.moved().get("idis_fastpath_hits_total", 0.0) / answered
        name = f"share of these that were hits, {transport}"
        yield Figure(name, "", MIN_HIT_SHARE, (share,), at_least=True)
        yield Figure(f"wrong or lost of these, {transport}", "", 0, _faults(costs))


def _each_once(bed: Bed, queries: int) -> Load:
    return bed.load(
        bed.keeper,
        distribution="each-once",
        queries=queries,
        seconds=_ALL_DAY_SECONDS,
    )


def _uniform(count: int, seed: int) -> "np.ndarray":
    return np.random.default_rng(seed).integers(0, count, _SEQUENCE)


def _faults(costs: list[Cost]) -> tuple[float, ...]:
    return tuple(float(cost.outcome.wrong + cost.outcome.lost) for cost in costs)
