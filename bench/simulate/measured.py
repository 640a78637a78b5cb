"""What a growth measurement gives the model: costs, by step and mix.

Calibration uses the FIRST step only, and of it only CPU times, at the highest rate and in
a closed loop, and latencies at half load. Rates, other steps, hit rates and mixed loads
are for the model to predict.

CPU time of a question is not one number. In an open loop questions come one by one, each
waking somebody; in a closed loop they come back in bursts, which share the waking. So
there are two service times, and the larger one stands for the world outside.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.growth import plan as mixes
from bench.simulate.emulator import Mix, open_loop
from bench.simulate.formulas import pauses_from_tail
from resolver.errors import SetupError

Json = dict[str, Any]

HOPS = {
    mixes.CACHED: 0,
    mixes.AUTHORITATIVE: 0,
    mixes.PREFIX_WARM: 1,
    mixes.COLD: 3,
}
_MICRO = 1e-6
_ITERATIONS = 4


@dataclass(frozen=True, slots=True)
class Costs:
    """CPU seconds of single things, from the first step."""

    cached: float
    """A question that the recursive node answers from its cache."""

    asking: float
    """What a question that misses costs the recursive node, without its hops."""

    hop: float
    """What each hop costs the recursive node."""

    answering: float
    """What a question costs the node that has the answer in its store."""

    again: float
    """The same, when it has answered that question before."""

    registration: float
    """One durable registration, in bulk."""


def read_growth(path: Path) -> Json:
    """Read a measurement.

    Raises:
        SetupError: It is not there, or not one.
    """
    try:
        found = json.loads(path.read_text())
    except OSError as error:
        message = f"{path}: {error.strerror or error}"
        raise SetupError(message, "python -m bench growth --out DIR") from error
    except ValueError as error:
        raise SetupError(f"{path}: no JSON: {error}") from error
    if not isinstance(found, dict) or found.get("version") != 1:
        raise SetupError(f"{path}: a growth.json of version 1 expected")
    return found


def steps_of(growth: Json, series: str) -> list[Json]:
    """Give the steps of a series."""
    return [step for step in growth["steps"] if step["series"] == series]


def costs_of(step: Json, seconds: Callable[[Json], float] | None = None) -> Costs:
    """Take the cost of questions apart, by what mixes have in common.

    With r hops a question costs `asking` + r x (`hop` + `again`): mixes with 1 and 3
    hops give two of them, and the nodes that are asked answer from their packet caches
    what a recursive node would, at the same cost. `seconds` tells the CPU time of a
    question, by default that of an open loop.
    """
    seconds = seconds or open_seconds
    cached, warm, cold, answering = (
        seconds(step["mixes"][mix])
        for mix in (
            mixes.CACHED,
            mixes.PREFIX_WARM,
            mixes.COLD,
            mixes.AUTHORITATIVE,
        )
    )
    again = min(cached, answering) if step["fast_path"] else answering
    upstream = step["mixes"][mixes.COLD]["upstream_per_query"]
    each = (cold - warm) / max(1.0, upstream - 1)
    # A node that answers costs something of a hop, and not all of it.
    again = min(again, 0.8 * each)
    return Costs(
        cached,
        max(0.0, warm - each),
        each - again,
        answering,
        again,
        (step["registration_cpu_us"] or 0.0) * _MICRO,
    )


def open_seconds(measured: Json) -> float:
    """Give the CPU time of a question at the highest rate of an open loop.

    Where no rate kept the limit, that of the closed loop has to do.
    """
    kept = measured["offered_qps"] is not None
    name = "cpu_us_per_query" if kept else "closed_loop_cpu_us"
    return float(measured[name]) * _MICRO


def closed_seconds(measured: Json) -> float:
    """Give the CPU time of a question in a closed loop."""
    return float(measured["closed_loop_cpu_us"]) * _MICRO


def pieces_of(mix: str, costs: Costs, total: float) -> tuple[float, ...]:
    """Share the CPU time of one question among its pieces of work."""
    hops = HOPS[mix]
    if not hops:
        return (total,)
    at_node = min(costs.again, total / (hops + 1))
    at_recursive = (total - hops * at_node) / (hops + 1)
    pieces = [at_recursive]
    for _ in range(hops):
        pieces += [at_node, at_recursive]
    return tuple(pieces)


def calibrate(mix: str, step: Json, seed: int) -> Mix:
    """Fit a mix to its CPU time in an open loop and to its latencies at half load."""
    measured = step["mixes"][mix]
    steady = measured["steady"]
    rate = steady["offered_qps"]
    total = open_seconds(measured)
    pieces = pieces_of(mix, costs_of(step), total)
    p50, p99, p999 = (steady[name] * _MICRO for name in ("p50_us", "p99_us", "p999_us"))
    wake = 0.0
    for _ in range(_ITERATIONS):
        shown = open_loop(Mix(pieces, wake), rate, seed)
        missing = steady["cpu_us_per_query"] * _MICRO - total
        wake = max(0.0, missing / shown.woken if shown.woken else 0.0)
    shown = open_loop(Mix(pieces, wake), rate, seed)
    busy = min(0.95, rate * shown.cpu)
    pauses, pause = pauses_from_tail(p99, p999, p50, busy)
    base = max(0.0, p50 - shown.p50)
    return Mix(pieces, wake, base, pauses, pause)
