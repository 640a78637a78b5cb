"""Whether the model predicts what was measured: the rows of the validation table.

Each row is a prediction for the first or the last step of a series, and whether the
measurement is within `WITHIN` of it. Rows that cannot be judged say why.
"""

from collections.abc import Iterator
from typing import NamedTuple

from bench.growth import plan as mixes
from bench.simulate.emulator import Mix, closed_loop, highest_rate, open_loop
from bench.simulate.measured import (
    HOPS,
    Costs,
    Json,
    calibrate,
    closed_seconds,
    costs_of,
    pieces_of,
    steps_of,
)
from bench.simulate.popularity import zipf

WITHIN = 0.15
MIN_JUDGED_SHARE = 0.5
"""Of all predictions; with fewer, the measurement cannot tell whether they are right."""

FITTED = "fitted to it"
_MICRO = 1e-6
_GENERATOR_BOUND = 0.9


class Row(NamedTuple):
    """One prediction and its measurement."""

    series: str
    secondaries: int
    mix: str
    quantity: str
    unit: str
    measured: float
    predicted: float
    not_judged: str = ""
    """Why the row does not count; empty when it does."""

    @property
    def deviation(self) -> float:
        """How far the prediction is off, as a share of the measurement."""
        return self.predicted / self.measured - 1 if self.measured else 0.0

    @property
    def agrees(self) -> bool:
        """Whether it is within the bound."""
        return abs(self.deviation) <= WITHIN

    def as_dict(self) -> Json:
        """Give it as JSON members."""
        return {
            **self._asdict(),
            "deviation": self.deviation,
            "agrees": self.agrees,
        }


def validate(growth: Json, seed: int) -> list[Row]:
    """Predict the first and the last step of each series."""
    first = steps_of(growth, "same")[0]
    fitted = {
        mix: calibrate(mix, first, seed)
        for mix in HOPS
        if "steady" in first["mixes"].get(mix, {})
    }
    model = _Model(growth, first, fitted, costs_of(first), seed)
    rows: list[Row] = []
    for series in ("same", "growing"):
        steps = steps_of(growth, series)
        ends = steps[:1] if series == "same" else []
        for step in [*ends, *steps[-1:]] if len(steps) > 1 else ends:
            rows += model.rows(step)
    return rows


def holds(rows: list[Row]) -> bool:
    """Tell whether every row that counts agrees, and enough of them count."""
    judged = [row for row in rows if not row.not_judged]
    predicted = [row for row in rows if row.not_judged != FITTED]
    enough = len(judged) >= MIN_JUDGED_SHARE * len(predicted)
    return enough and all(row.agrees for row in judged)


class _Model:
    """The fitted model and what it says about a step."""

    def __init__(
        self,
        growth: Json,
        first: Json,
        fitted: dict[str, Mix],
        costs: Costs,
        seed: int,
    ) -> None:
        self._growth, self._first = growth, first
        self._fitted, self._costs, self._seed = fitted, costs, seed
        self._in_bursts = costs_of(first, closed_seconds)
        limit = growth["p99_limit_us"] * _MICRO
        self._highest = {
            mix: highest_rate(model, limit, seed) for mix, model in fitted.items()
        }

    def rows(self, step: Json) -> Iterator[Row]:
        """Predict one step."""
        for mix in self._fitted:
            if "steady" in step["mixes"].get(mix, {}):
                yield from self._mix(step, mix)
        yield from self._registering(step)
        yield from self._natural(step)
        yield from self._lost(step)

    def _row(self, step: Json, mix: str, *rest: object) -> Row:
        return Row(step["series"], step["secondaries"], mix, *rest)  # type: ignore[arg-type]

    def _mix(self, step: Json, mix: str) -> Iterator[Row]:
        measured = step["mixes"][mix]
        why = _why_not(measured)
        kept = "" if measured["offered_qps"] else "no rate kept the limit"
        yield self._row(
            step,
            mix,
            "highest rate",
            "/s",
            measured["qps"],
            self._highest[mix],
            why or kept,
        )
        closed = closed_loop(self._bursts(mix), self._window, self._seed)
        yield self._row(
            step,
            mix,
            "closed loop",
            "/s",
            measured["closed_loop_qps"],
            closed.qps,
            why,
        )
        steady = measured["steady"]
        shown = open_loop(self._fitted[mix], steady["offered_qps"], self._seed)
        first = step is self._first
        yield self._row(
            step,
            mix,
            "p50, half load",
            "us",
            steady["p50_us"],
            shown.p50 / _MICRO,
            FITTED if first else why,
        )
        yield self._row(
            step,
            mix,
            "p99, half load",
            "us",
            steady["p99_us"],
            shown.p99 / _MICRO,
            FITTED if first else why or _tail(steady),
        )

    def _bursts(self, mix: str) -> Mix:
        """Give a mix as it is when questions come back in bursts."""
        total = closed_seconds(self._first["mixes"][mix])
        return Mix(pieces_of(mix, self._costs, total))

    @property
    def _window(self) -> int:
        return int(self._growth["plan"]["window"])

    def _registering(self, step: Json) -> Iterator[Row]:
        """Predict questions beside registrations: both share the core."""
        mix = mixes.WITH_REGISTRATIONS
        measured = step["mixes"].get(mix)
        if not measured or mixes.CACHED not in self._fitted:
            return
        cached = closed_seconds(self._first["mixes"][mixes.CACHED])
        kept = "" if measured["offered_qps"] else "no rate kept the limit"
        for quantity, rates, alone, why in (
            ("closed loop", "closed_loop_", 1 / cached, ""),
            ("highest rate", "", self._highest[mixes.CACHED], kept),
        ):
            registered = measured.get(f"{rates}registrations_per_second", 0.0)
            left = max(0.0, 1 - registered * self._costs.registration)
            yield self._row(
                step,
                mix,
                quantity,
                "/s",
                measured[f"{rates}qps"],
                left * alone,
                _why_not(measured) or why,
            )

    def _natural(self, step: Json) -> Iterator[Row]:
        """Predict an empty cache that fills, from popularity and costs alone."""
        measured = step["mixes"].get(mixes.NATURAL)
        if not measured:
            return
        popularity = zipf(step["identifiers"], self._growth["plan"]["exponent"])
        hits = popularity.hit_rate_from_empty(measured["sent"])
        yield self._row(
            step,
            mixes.NATURAL,
            "hit rate",
            "",
            measured["cache_hit_rate"],
            hits,
        )
        costs = self._in_bursts
        miss = costs.asking + costs.hop + costs.answering
        # Each enterprise's prefix is looked up once, and so is its parent's.
        looked_up = (step["enterprises"] + step["secondaries"]) / measured["sent"]
        each = hits * costs.cached + (1 - hits) * miss
        each += looked_up * (costs.hop + costs.answering)
        yield self._row(
            step,
            mixes.NATURAL,
            "closed loop",
            "/s",
            measured["qps"],
            1 / each,
            _why_not(measured),
        )

    def _lost(self, step: Json) -> Iterator[Row]:
        """Predict which share of questions a lost node's identifiers are."""
        measured = step["mixes"].get(mixes.NODE_LOST)
        if not measured or not measured["sent"]:
            return
        share = lost_share(step, self._growth["plan"]["exponent"])
        if share is None:
            return
        expected = share * measured["sent"]
        few = "" if expected >= 400 else f"{expected:.0f} expected: chance decides"
        yield self._row(
            step,
            mixes.NODE_LOST,
            "share that fails",
            "",
            measured["failed"] / measured["sent"],
            share,
            few,
        )


def lost_share(step: Json, exponent: float) -> float | None:
    """Expect the share of questions about some enterprises' identifiers.

    Enterprises take turns by rank, so each has nearly the same share; what makes the
    difference are the first ranks.
    """
    lost = step["mixes"][mixes.NODE_LOST]
    turns = lost.get("turns")
    if not turns:
        return None
    popularity = zipf(step["identifiers"], exponent)
    enterprises = step["enterprises"]
    first = 4096 // enterprises * enterprises
    single = popularity.shares[:first].tolist()
    own = sum(sum(single[turn::enterprises]) for turn in turns)
    rest = 1 - sum(single)
    return float(own + rest * len(turns) / enterprises)


def _why_not(measured: Json) -> str:
    generator = measured.get("closed_loop_generator_cpu", 0.0)
    server = measured.get("closed_loop_server_cpu", 1.0)
    if generator > _GENERATOR_BOUND > server:
        return "the generator was the limit"
    if measured.get("disturbed_rounds", 0):
        return "something else took the cores"
    return ""


def _tail(steady: Json) -> str:
    rounds = steady.get("p99_us_rounds", [])
    if len(rounds) < 2:
        return "a tail of seconds: chance decides"
    spread = max(rounds) / min(rounds) - 1 if min(rounds) else 0.0
    if spread > WITHIN:
        return f"rounds of one step differ by {spread:.0%}"
    return ""
