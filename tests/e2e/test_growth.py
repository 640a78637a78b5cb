"""A growth measurement, whole: one tiny network, very short loads, both documents."""

import json
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from bench.growth import plan as mixes
from bench.growth.command import measure
from bench.growth.html import page
from bench.growth.plan import quick_plan
from bench.simulate import validation
from bench.simulate.measured import HOPS, costs_of


@pytest.fixture(scope="module")
def found():
    plan = replace(
        quick_plan((2,)),
        starts=0,
        identifiers=600,
        probes=1,
        probe_seconds=0.1,
        steady_seconds=0.1,
        warm_identifiers=100,
        natural_questions=300,
        phase_seconds=0.2,
        bulk_registrations=200,
        registrations_per_second=200,
        p99_limit_us=2_000_000,
        fast_path=False,
    )
    return json.loads(json.dumps(measure(plan)))


def steps(found, series):
    return [step for step in found["steps"] if step["series"] == series]


def test_the_first_step_stands_in_both_series(found):
    for series in ("same", "growing"):
        (step,) = steps(found, series)
        assert (step["secondaries"], step["identifiers"]) == (2, 600)


def test_every_mix_was_answered_right(found):
    for step in found["steps"]:
        for mix in mixes.SEARCHED:
            measured = step["mixes"][mix]
            assert measured["qps"] > 0
            assert measured["wrong"] == 0
            assert measured["cpu_us_per_query"] > 0
            assert measured["steady"]["wrong"] == 0


def test_hops_are_what_the_mixes_say(found):
    for step in found["steps"]:
        hops = {m: step["mixes"][m]["upstream_per_query"] for m in mixes.SEARCHED}
        assert hops[mixes.CACHED] == 0
        assert hops[mixes.PREFIX_WARM] == pytest.approx(1, abs=0.01)
        assert hops[mixes.COLD] == pytest.approx(3, abs=0.01)
        assert hops[mixes.AUTHORITATIVE] == 0
        assert step["mixes"][mixes.CACHED]["cache_hit_rate"] == 1


def test_a_lost_node_takes_its_identifiers_with_it_and_no_others(found):
    for step in found["steps"]:
        lost = step["mixes"][mixes.NODE_LOST]
        back = step["mixes"][mixes.NODE_REGAINED]
        assert lost["failed"] == lost["failures_expected"] > 0
        assert lost["really_wrong"] == 0
        assert set(lost["other_codes"]) == {"1"}
        assert "1" not in lost["own_codes"]
        assert back["others_failed"] == back["failed"] == 0
        assert back["regained_seconds"] < 5


def test_registrations_are_durable_and_counted(found):
    for step in found["steps"]:
        assert step["registrations_per_second"] > 0
        both = step["mixes"][mixes.WITH_REGISTRATIONS]
        # 200 are asked for; a machine that is busy falls behind and catches up.
        assert 20 < both["registrations_per_second"] < 2_000


def test_costs_of_a_step_are_measured(found):
    for step in found["steps"]:
        assert step["start_seconds"] > 0
        assert step["resident_mib"] > 10
        assert 0 < step["mixes"][mixes.NATURAL]["cache_hit_rate"] < 1
        assert step["disk_octets_per_identifier"] > 100


def test_the_page_shows_it(found):
    text = page(found)
    ET.fromstring(text.removeprefix("<!DOCTYPE html>"))
    for step in found["steps"]:
        assert f"{step['secondaries']} / {step['nodes']}" in text


def test_the_model_can_be_fitted_to_it(found):
    rows = validation.validate(found, seed=1)
    assert {row.mix for row in rows} >= {*HOPS, mixes.NATURAL, mixes.NODE_LOST}
    assert all(row.predicted >= 0 for row in rows)
    assert costs_of(found["steps"][0]).hop > 0
