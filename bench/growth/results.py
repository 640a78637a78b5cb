"""From what was measured to `growth.json`. Pure.

A figure of several rounds is their median: of a mix, the round whose highest rate is
the middle one stands for all, so that its members belong together. Latencies at the
same load are taken from the histograms of all rounds, added up.
"""

import statistics
from collections.abc import Iterable, Mapping, Sequence

from bench.growth import plan as mixes
from bench.growth.plan import Plan
from bench.growth.probing import Found, Probe
from bench.growth.stepping import Lost, Rounds, Step
from bench.growth.summary import Json, summarise
from bench.latency import merged

VERSION = 1


def growth_json(plan: Plan, steps: Iterable[Step], about: Mapping[str, object]) -> Json:
    """Make the document; `about` has commit, machine, cores and date."""
    listed = [
        step_json(step, series)
        for series in ("same", "growing")
        for step in steps
        if series in step.run.series
    ]
    return {
        "version": VERSION,
        **about,
        "seed": plan.seed,
        "quick": plan.quick,
        "p99_limit_us": plan.p99_limit_us,
        "plan": {name: getattr(plan, name) for name in _SHOWN_OF_PLAN},
        "steps": listed,
        "summary": summarise(listed),
    }


_SHOWN_OF_PLAN = (
    *("steps", "identifiers", "rounds", "probes", "probe_seconds"),
    *("steady_seconds", "warm_identifiers", "natural_questions", "phase_seconds"),
    *("bulk_registrations", "registrations_per_second", "exponent", "window"),
    *("starts", "fast_path"),
)


def step_json(step: Step, series: str) -> Json:
    """Give one step of a series."""
    measured = {mix: mix_json(rounds) for mix, rounds in step.rounds.items()}
    if step.natural is not None:
        measured[mixes.NATURAL] = {
            **probe_json(step.natural),
            **_saturated([step.natural]),
        }
    if step.lost is not None:
        measured |= lost_json(step.lost)
    bulk = [found["per_second"] for found in step.registrations]
    return {
        "secondaries": step.run.secondaries,
        "series": series,
        "shared": len(step.run.series) > 1,
        "identifiers": step.run.identifiers,
        "nodes": len(step.network.ready["nodes"]),
        "enterprises": len(step.prober.corpus.prefixes),
        "fast_path": step.network.has_fast_path,
        "start_seconds": statistics.median(step.start_seconds),
        "start_seconds_rounds": step.start_seconds,
        "resident_mib": statistics.median(step.resident_mib),
        "resident_mib_rounds": step.resident_mib,
        "resident_mib_filled": step.loaded_mib,
        "fill_seconds": step.load_seconds,
        "disk_octets_per_identifier": step.disk_octets,
        "mixes": measured,
        "registrations_per_second": statistics.median(bulk) if bulk else None,
        "registrations_per_second_rounds": bulk,
        "registration_cpu_us": _median(step.registrations, "cpu_us"),
    }


def _median(found: Sequence[Json], name: str) -> float | None:
    return statistics.median(item[name] for item in found) if found else None


def probe_json(probe: Probe) -> Json:
    """Give what one load showed."""
    outcome = probe.outcome
    found: Json = {
        "offered_qps": probe.load.rate,
        "qps": outcome.qps,
        "p50_us": outcome.p50_us,
        "p90_us": outcome.p90_us,
        "p99_us": outcome.p99_us,
        "p999_us": outcome.p999_us,
        "max_us": outcome.max_us,
        "mean_us": outcome.mean_us,
        "cpu_us_per_query": probe.cpu_us_per_query,
        "lost": outcome.lost,
        "wrong": outcome.wrong,
        "sent": outcome.sent,
        "cache_hit_rate": probe.hits.rate,
        "upstream_per_query": (
            probe.hits.upstream / outcome.answered if outcome.answered else 0.0
        ),
        "codes": {str(code): count for code, count in outcome.codes.items()},
        "behind": outcome.behind,
        "server_cpu": probe.server_cpu,
        "generator_cpu": outcome.generator_cpu,
    }
    if probe.registered_per_second:
        found["registrations_per_second"] = probe.registered_per_second
    if probe.load.rate is None:
        found["closed_loop_window"] = probe.load.window
    return found


def mix_json(rounds: Rounds) -> Json:
    """Give a mix: its middle round, the closed loop, and the load all steps share."""
    if not rounds.found:
        return {}
    probes = sorted((_carried(found) for found in rounds.found), key=_qps)
    middle = probes[len(probes) // 2]
    steady = steady_json(rounds.steady)
    closed = [found.closed for found in rounds.found]
    return {
        **probe_json(middle),
        "qps_rounds": [_qps(_carried(found)) for found in rounds.found],
        "closed_loop_qps": statistics.median(map(_qps, closed)),
        "closed_loop_cpu_us": statistics.median(
            probe.cpu_us_per_query for probe in closed
        ),
        "closed_loop_registrations_per_second": statistics.median(
            probe.registered_per_second for probe in closed
        ),
        **_saturated(closed),
        **({"steady": steady} if steady else {}),
    }


def _saturated(closed: Sequence[Probe]) -> Json:
    """Say who was the limit of closed loops: server, generator, or somebody else."""
    return {
        "closed_loop_server_cpu": statistics.median(
            probe.server_cpu for probe in closed
        ),
        "closed_loop_generator_cpu": statistics.median(
            probe.outcome.generator_cpu for probe in closed
        ),
        "disturbed_rounds": sum(probe.disturbed for probe in closed),
    }


def steady_json(probes: Sequence[Probe]) -> Json | None:
    """Give the same load of all rounds: sums, and percentiles of all latencies."""
    if not probes:
        return None
    middle = sorted(probes, key=lambda probe: probe.cpu_us_per_query)
    found = probe_json(middle[len(middle) // 2])
    latencies = merged([probe.outcome.histogram for probe in probes])
    for name, percentile in _PERCENTILES.items():
        found[name] = latencies.get_value_at_percentile(percentile) / 1000
    for name in ("lost", "wrong", "sent", "behind"):
        found[name] = sum(getattr(probe.outcome, name) for probe in probes)
    found["p99_us_rounds"] = [probe.outcome.p99_us for probe in probes]
    return found


_PERCENTILES = {"p50_us": 50, "p90_us": 90, "p99_us": 99, "p999_us": 99.9}


def lost_json(lost: Lost) -> Json:
    """Give both phases of a node lost and regained."""
    failed = lost.lost.outcome.failed
    about = {
        "node": lost.node,
        "prefixes": list(lost.prefixes),
        "turns": list(lost.turns),
        "failed": failed,
        "failures_expected": lost.expected_failures,
        "really_wrong": lost.lost.outcome.wrong - failed,
        "own_codes": {str(code): n for code, n in lost.seen.own_codes.items()},
        "other_codes": {str(code): n for code, n in lost.seen.other_codes.items()},
        "own_failed_ms": lost.seen.own_failed_ms,
        "slowest_other_ms": lost.seen.slowest_other_ms,
        "stop_seconds": lost.stop_seconds,
    }
    back = {
        "regained_seconds": lost.seen.regained_seconds,
        "start_seconds": lost.start_seconds,
        "others_failed": lost.seen.others_failed,
        "failed": lost.regained.outcome.failed,
    }
    return {
        mixes.NODE_LOST: {**probe_json(lost.lost), **about},
        mixes.NODE_REGAINED: {**probe_json(lost.regained), **back},
    }


def _carried(found: Found) -> Probe:
    """Give the probe that a search is reported by: none may have kept the limit."""
    return found.best or found.closed


def _qps(probe: Probe) -> float:
    return probe.outcome.qps
