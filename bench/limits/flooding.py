"""Cached traffic beside floods.

The generator's core has the same to do both times: while cached traffic is measured
alone, the same flood goes to a socket that nobody reads.
"""

import contextlib
import socket
from collections.abc import Iterator

from bench.figures import Figure
from bench.limits.beside import Beside, Cached
from bench.limits.company import LEEWAY_SECONDS, accompanied

MIN_BESIDE_FLOOD = 0.70
MAX_GROWTH_MIB = 512.0
"""What is never asked again fills caches, up to their bounds: 384 MiB of packets, and
100,000 answers of the recursive node."""

FLOODS = {"octets": 10_000, "unknown": 10_000, "missing": 10_000, "half": 1_000}
"""By kind: how many a second."""

_MIN_COUNTED = {"octets": 0.9, "unknown": 0.9, "half": 0.5}
"""Share of a flood that counters tell of; `missing` becomes cached by and by."""

_COUNTERS = {
    "octets": ("idis_fastpath_misses_total",),
    "unknown": ("idis_fastpath_misses_total",),
    "half": (
        "idis_connections_open",
        "idis_connections_aborted_total",
        "idis_connections_refused_total",
    ),
}

Told = dict[str, dict[str, float]]
"""By flood: which counters of the recursive node moved, and by how much."""


def flood(cached: Cached, kind: str, rounds: int, told: Told) -> Iterator[Figure]:
    """Measure cached traffic under one kind of flood; `told` gets what was counted."""
    bed = cached.bed
    rate = FLOODS[kind]
    bed.tell(f"flood: {rate:,} {kind} a second beside cached traffic")
    port = bed.recursive["handle"][1]
    measured = []
    for number in range(rounds):
        together = accompanied(
            "bench.limits.flood", _flooding(cached, kind, port, number), bed.cores
        )
        measured.append(cached.measure(together, _control(cached, kind, number)))
    told[kind] = measured[-1].moved
    title = f"{rate:,} {kind} a second"
    kept = tuple(beside.kept for beside in measured)
    yield Figure(
        f"cached, share left beside {title}", "", MIN_BESIDE_FLOOD, kept, at_least=True
    )
    grown = (sum(beside.grown_mib for beside in measured),)
    yield Figure(f"memory grown by {title}", "MiB", MAX_GROWTH_MIB, grown)
    if kind in _COUNTERS:
        yield Figure(
            f"share told by counters of {title}",
            "",
            _MIN_COUNTED[kind],
            tuple(_counted(kind, beside) for beside in measured),
            at_least=True,
        )
    yield Figure(f"wrong beside {title}", "", 0, _wrong(measured))


def _flooding(cached: Cached, kind: str, port: int, seed: int) -> list[str]:
    corpus = cached.bed.corpus
    return [
        kind,
        "--port",
        str(port),
        "--rate",
        str(FLOODS[kind]),
        "--seconds",
        str(cached.load.seconds + LEEWAY_SECONDS),
        "--corpus",
        str(corpus.count),
        "--seed",
        str(seed),
        "--prefixes",
        *corpus.prefixes,
    ]


@contextlib.contextmanager
def _control(cached: Cached, kind: str, seed: int) -> Iterator[None]:
    """Flood a socket that nobody reads; connections are not worth one."""
    if kind == "half":
        yield
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        port = sink.getsockname()[1]
        arguments = _flooding(cached, kind, port, seed)
        with accompanied("bench.limits.flood", arguments, cached.bed.cores):
            yield


def _counted(kind: str, beside: Beside) -> float:
    """Give the share of a flood that counters tell of.

    Connections are counted while they last, datagrams when all were sent.
    """
    moved = beside.moved if kind == "half" else beside.moved_after
    counted = sum(moved.get(name, 0.0) for name in _COUNTERS[kind])
    return counted / max(beside.done.times, 1)


def _wrong(measured: list[Beside]) -> tuple[float, ...]:
    return tuple(float(beside.together.outcome.wrong) for beside in measured)
