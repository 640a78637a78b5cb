"""Cached traffic beside registrations.

Whoever registers shares the generator's core where there are but two, so throughput
falls by what it takes there, too. The second figure leaves that out: it reckons from
CPU time how many answers the server's core has left to give.
"""

import contextlib
from collections.abc import Iterator

from bench.figures import Figure
from bench.limits.beside import Beside, Cached
from bench.limits.company import LEEWAY_SECONDS, accompanied
from bench.serving import cpu_seconds

REGISTRATIONS_PER_SECOND = 2_000
MIN_BESIDE_REGISTRATIONS = 0.85
_KEPT_RATE = 0.95


def registrations(cached: Cached, rounds: int) -> Iterator[Figure]:
    """Measure cached traffic while another client registers."""
    rate = REGISTRATIONS_PER_SECOND
    cached.bed.tell(f"{rate:,} registrations a second beside cached traffic")
    writer = _Writer(cached)
    each = writer.cost_of_one()
    measured = []
    for _ in range(rounds):
        together = accompanied(
            "bench.limits.writer", writer.arguments(), cached.bed.cores
        )
        measured.append(cached.measure(together, contextlib.nullcontext()))
    yield Figure(
        f"cached, share left beside {rate:,} registrations/s",
        "",
        MIN_BESIDE_REGISTRATIONS,
        tuple(beside.kept for beside in measured),
        at_least=True,
    )
    yield Figure(
        "the same, by CPU time of the server",
        "",
        MIN_BESIDE_REGISTRATIONS,
        tuple(capacity_left(beside, each, rate) for beside in measured),
        at_least=True,
    )
    limit = (1 - MIN_BESIDE_REGISTRATIONS) / rate * 1e6
    yield Figure("CPU time of one of these", "µs", round(limit, 1), (each * 1e6,))
    yield Figure(
        "registrations then",
        "1/s",
        rate * _KEPT_RATE,
        tuple(beside.done.per_second for beside in measured),
        at_least=True,
    )
    yield Figure("wrong or lost then", "", 0, _faults(measured))


def capacity_left(beside: Beside, each: float, rate: float) -> float:
    """Reckon what share of its answers a server's core could still give.

    Args:
        beside: What was measured.
        each: CPU time of the server for one registration, in seconds.
        rate: Registrations a second.
    """
    together, alone = beside.together, beside.alone
    registered = beside.done.per_second * together.outcome.seconds
    answering = together.cpu_seconds - registered * each
    answer = answering / together.outcome.answered
    return (1 - rate * each) * alone.cpu_seconds / alone.outcome.answered / answer


class _Writer:
    """Registers other identifiers each time it runs."""

    def __init__(self, cached: Cached) -> None:
        self._cached = cached
        self._next = cached.bed.corpus.count
        self._seconds = cached.load.seconds + LEEWAY_SECONDS

    def arguments(self) -> list[str]:
        """Say what to register in the next run."""
        bed, first = self._cached.bed, self._next
        self._next += int(REGISTRATIONS_PER_SECOND * (self._seconds + 1))
        return [
            "--ready-file",
            str(bed.network.ready_file),
            "--prefix",
            bed.corpus.prefixes[0],
            "--first",
            str(first),
            "--rate",
            str(REGISTRATIONS_PER_SECOND),
            "--seconds",
            str(self._seconds),
        ]

    def cost_of_one(self) -> float:
        """Register without any other traffic; seconds of the server's CPU time."""
        bed = self._cached.bed
        with accompanied("bench.limits.writer", self.arguments(), bed.cores) as done:
            before = cpu_seconds(bed.pid)
        return (cpu_seconds(bed.pid) - before) / max(done[0].times, 1)


def _faults(measured: list[Beside]) -> tuple[float, ...]:
    outcomes = (beside.together.outcome for beside in measured)
    return tuple(float(outcome.wrong + outcome.lost) for outcome in outcomes)
