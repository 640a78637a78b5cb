"""A growth.json as a network would give it that follows the queueing model exactly."""

from bench.growth import plan as mixes
from bench.growth.summary import summarise
from bench.simulate.emulator import Mix, closed_loop, highest_rate, open_loop
from bench.simulate.measured import Costs, pieces_of
from bench.simulate.popularity import zipf
from bench.simulate.validation import lost_share

COSTS = Costs(10e-6, 60e-6, 90e-6, 40e-6, 10e-6, 50e-6)
TOTALS = {
    mixes.CACHED: COSTS.cached,
    mixes.PREFIX_WARM: COSTS.asking + COSTS.hop + COSTS.again,
    mixes.COLD: COSTS.asking + 3 * (COSTS.hop + COSTS.again),
    mixes.AUTHORITATIVE: COSTS.answering,
}
LIMIT_US = 10_000
REGISTRATIONS = 2000
_SEED = 7


def growth_document(secondaries=(14, 35), identifiers=28_000, seed=_SEED):
    """Both series; every step is the same model, as a flat network would be."""
    measured = {mix: _mix(mix, total, seed) for mix, total in TOTALS.items()}
    steps = [
        _step(series, count, identifiers, measured)
        for series in ("same", "growing")
        for count in secondaries
    ]
    for step in steps:
        step["mixes"][mixes.NODE_LOST] |= {"turns": [1, 4]}
        share = lost_share(step, 1.0)
        step["mixes"][mixes.NODE_LOST]["failed"] = round(share * 10_000)
        step["mixes"][mixes.NODE_LOST]["failures_expected"] = round(share * 10_000)
    return {
        "version": 1,
        "commit": "0123abc",
        "seed": 1,
        "quick": True,
        "date": "2026-01-01T00:00:00+00:00",
        "machine": {
            "processor": "A <processor> & more",
            "cores": 2,
            "kernel": "6.1",
            "python": "3.11.7",
            "pinning": "server on core 0, generator on core 1",
        },
        "p99_limit_us": LIMIT_US,
        "plan": {
            "window": 64,
            "exponent": 1.0,
            "probes": 4,
            "probe_seconds": 0.5,
            "rounds": 1,
        },
        "steps": steps,
        "summary": summarise(steps),
    }


def _step(series, secondaries, identifiers, measured):
    if series == "growing":
        identifiers = identifiers * secondaries // 14
    made = {mix: dict(found) for mix, found in measured.items()}
    made[mixes.WITH_REGISTRATIONS] = _registering(made[mixes.CACHED])
    made[mixes.NATURAL] = _natural(identifiers, secondaries)
    outcome = {"sent": 10_000, "codes": {"1": 9_500, "2": 500}, "own_failed_ms": 45.0}
    made[mixes.NODE_LOST] = outcome
    made[mixes.NODE_REGAINED] = {"regained_seconds": 0.02, "others_failed": 0}
    return {
        "secondaries": secondaries,
        "series": series,
        "shared": secondaries == 14,
        "identifiers": identifiers,
        "nodes": 2 + 2 * secondaries,
        "enterprises": 2 * secondaries,
        "fast_path": True,
        "start_seconds": 0.8 + 0.01 * secondaries,
        "resident_mib": 60 + 0.5 * secondaries,
        "registrations_per_second": 15_000.0,
        "registration_cpu_us": COSTS.registration * 1e6,
        "disk_octets_per_identifier": 400.0,
        "mixes": made,
    }


def _mix(mix, total, seed):
    model = Mix(pieces_of(mix, COSTS, total), base=30e-6)
    best = highest_rate(model, LIMIT_US * 1e-6, seed)
    closed = closed_loop(model, 64, seed)
    steady = _shown(open_loop(model, best / 2, seed), best / 2)
    return {
        **_shown(open_loop(model, best, seed), best),
        "closed_loop_qps": closed.qps,
        "closed_loop_cpu_us": closed.cpu * 1e6,
        "closed_loop_server_cpu": 1.0,
        "closed_loop_generator_cpu": 0.3,
        "disturbed_rounds": 0,
        "qps_rounds": [best],
        "upstream_per_query": {mixes.PREFIX_WARM: 1.0, mixes.COLD: 3.0}.get(mix, 0.0),
        "steady": {**steady, "p99_us_rounds": [steady["p99_us"]] * 2},
    }


def _shown(shown, rate):
    return {
        "offered_qps": rate,
        "qps": shown.qps,
        "p50_us": shown.p50 * 1e6,
        "p99_us": shown.p99 * 1e6,
        "p999_us": shown.p999 * 1e6,
        "cpu_us_per_query": shown.cpu * 1e6,
        "lost": 0,
        "wrong": 0,
        "sent": 1000,
    }


def _registering(cached):
    left = 1 - REGISTRATIONS * COSTS.registration
    return {
        **cached,
        "qps": cached["qps"] * left,
        "closed_loop_qps": left / COSTS.cached,
        "registrations_per_second": REGISTRATIONS,
        "closed_loop_registrations_per_second": REGISTRATIONS,
    }


def _natural(identifiers, secondaries):
    hits = zipf(identifiers, 1.0).hit_rate_from_empty(8_000)
    miss = COSTS.asking + COSTS.hop + COSTS.answering
    looked_up = 3 * secondaries / 8_000 * (COSTS.hop + COSTS.answering)
    each = hits * COSTS.cached + (1 - hits) * miss + looked_up
    return {"sent": 8_000, "cache_hit_rate": hits, "qps": 1 / each}
