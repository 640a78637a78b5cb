"""What a growth measurement does: steps, series, loads, durations. Pure.

Two series start from the same network. In `same` the identifiers stay as many and are
spread over more nodes; in `growing` every secondary node brings its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from resolver.errors import SetupError
from resolver.topology import BUILTIN_SECONDARIES

Series = Literal["same", "growing"]

CACHED = "cached"
PREFIX_WARM = "prefix_warm"
COLD = "cold"
WITH_REGISTRATIONS = "with_registrations"
AUTHORITATIVE = "authoritative"
NATURAL = "natural"
NODE_LOST = "node_lost"
NODE_REGAINED = "node_regained"

SEARCHED = (CACHED, WITH_REGISTRATIONS, PREFIX_WARM, COLD, AUTHORITATIVE)
"""Mixes of which the highest rate is searched for, in the order of measuring."""

FULL_STEPS = 4
QUICK_STEPS = 3


class Run(NamedTuple):
    """One network to be measured."""

    series: tuple[Series, ...]
    """The series that it is a step of: the first network is one of both."""

    secondaries: int
    identifiers: int


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is chosen before anything is measured."""

    steps: tuple[int, ...]
    identifiers: int
    """At the first step, in both series."""

    rounds: int
    """How often all networks are gone through for each mix."""

    probes: int
    """Rates tried in one search, besides the closed loop that begins it."""

    probe_seconds: float
    steady_seconds: float
    """Of the load that is the same at every step."""

    warm_identifiers: int
    """Asked again and again in the cached mixes; they fit into every cache."""

    natural_questions: int
    """Asked of an empty cache, popular identifiers more often."""

    phase_seconds: float
    """With a node lost, and with the node regained."""

    bulk_registrations: int
    starts: int
    """Of which the median is reported."""

    registrations_per_second: int = 2000
    """Beside the questions, where both are mixed."""

    p99_limit_us: int = 10_000
    exponent: float = 1.0
    """Of the popularity: the n-th identifier is asked for with a weight of n**-this."""

    window: int = 64
    seed: int = 1
    fast_path: bool = True
    quick: bool = False


def full_plan(steps: tuple[int, ...], seed: int = 1) -> Plan:
    """Give the measurement that a report is made from: about 25 minutes."""
    return Plan(
        steps,
        identifiers=140_000,
        rounds=3,
        probes=5,
        probe_seconds=2.0,
        steady_seconds=3.0,
        warm_identifiers=20_000,
        natural_questions=40_000,
        phase_seconds=4.0,
        bulk_registrations=30_000,
        starts=3,
        seed=seed,
    )


def quick_plan(steps: tuple[int, ...], seed: int = 1) -> Plan:
    """Give one of three minutes, good for a first look."""
    return Plan(
        steps,
        identifiers=28_000,
        rounds=1,
        probes=4,
        probe_seconds=0.8,
        steady_seconds=1.0,
        warm_identifiers=5_000,
        natural_questions=8_000,
        phase_seconds=1.5,
        bulk_registrations=6_000,
        starts=1,
        seed=seed,
        quick=True,
    )


def steps_between(first: int, last: int, steps: str, default: int) -> tuple[int, ...]:
    """Choose numbers of secondary nodes: `steps` counts them, or lists them.

    Empty `steps` means `default` of them; a list needs not hold the ends.

    Raises:
        SetupError: They do not ascend from 1 to what the built-in network has.
    """
    if "," in steps:
        chosen = _listed(steps)
    else:
        count = int(steps) if steps.isdecimal() else default
        if steps and not steps.isdecimal():
            raise SetupError(f"--steps {steps}: a number or a list expected", _HINT)
        chosen = _spread(first, last, count)
    if not chosen or list(chosen) != sorted(set(chosen)) or chosen[0] < 1:
        raise SetupError(f"steps {chosen}: ascending numbers expected", _HINT)
    if chosen[-1] > BUILTIN_SECONDARIES:
        message = f"{chosen[-1]} secondary nodes: at most {BUILTIN_SECONDARIES} known"
        raise SetupError(message, _HINT)
    return chosen


_HINT = "for example --from 14 --to 35 --steps 4, or --steps 14,24,35"


def _listed(steps: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in steps.split(","))
    except ValueError:
        raise SetupError(f"--steps {steps}: numbers expected", _HINT) from None


def _spread(first: int, last: int, count: int) -> tuple[int, ...]:
    if count < 2 or first == last:
        return (first,) if first == last else (first, last)
    wide = (last - first) / (count - 1)
    spread = (round(first + wide * position) for position in range(count))
    return tuple(dict.fromkeys(spread))


def runs(plan: Plan) -> tuple[Run, ...]:
    """List the networks: the first step, then of each further step both series."""
    return tuple(_runs(plan))


def _runs(plan: Plan) -> Iterator[Run]:
    first, *further = plan.steps
    yield Run(("same", "growing"), first, plan.identifiers)
    for secondaries in further:
        yield Run(("same",), secondaries, plan.identifiers)
        grown = round(plan.identifiers * secondaries / first)
        yield Run(("growing",), secondaries, grown)


def in_order(items: Sequence[int], round_number: int) -> list[int]:
    """Turn the order round in every second round, against slow drift of the machine."""
    return list(items) if round_number % 2 == 0 else list(reversed(items))
