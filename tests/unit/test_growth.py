"""The growth measurement without a network: plans, searches, judgements, the page."""

import itertools
import json
import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from bench.corpus import Corpus
from bench.growth import plan as mixes
from bench.growth.command import main
from bench.growth.html import page
from bench.growth.plan import Run, full_plan, in_order, quick_plan, runs, steps_between
from bench.growth.plots import Line, Plot, decades, draw, nice_ticks, spread_out
from bench.growth.probing import Probe, expected_failures, holds, registered
from bench.growth.search import RateSearch
from bench.growth.summary import summarise
from bench.growth.under_test import Hits
from bench.growth.watch import Look, judge
from bench.growth.words import Words
from bench.load import Outcome
from bench.prepared import Prepared
from bench.questions import Flat
from bench.simulate import emulator
from resolver.errors import SetupError
from tests.growth_documents import growth_document


@pytest.fixture(scope="module")
def quickly():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(emulator, "MAX_QUESTIONS", 2000)
        yield


@pytest.fixture(scope="module")
def document(quickly):
    return growth_document()


class TestPlan:
    def test_steps_are_spread_evenly_and_keep_both_ends(self):
        assert steps_between(14, 35, "", 4) == (14, 21, 28, 35)
        assert steps_between(14, 35, "3", 4) == (14, 24, 35)
        assert steps_between(14, 35, "2", 4) == (14, 35)

    def test_listed_steps_are_taken_as_they_are(self):
        assert steps_between(14, 35, "2,3,7", 4) == (2, 3, 7)

    @pytest.mark.parametrize("steps", ["5,3", "0,4", "4,4", "a,b", "many", "14,36"])
    def test_steps_that_make_no_sense_are_refused(self, steps):
        with pytest.raises(SetupError):
            steps_between(14, 35, steps, 4)

    def test_the_first_network_belongs_to_both_series(self):
        assert runs(quick_plan((14, 35))) == (
            Run(("same", "growing"), 14, 28_000),
            Run(("same",), 35, 28_000),
            Run(("growing",), 35, 70_000),
        )

    def test_every_second_round_goes_backwards(self):
        assert in_order([0, 1, 2], 0) == [0, 1, 2]
        assert in_order([0, 1, 2], 1) == [2, 1, 0]

    def test_warm_identifiers_fit_into_the_smallest_cache_of_a_plan(self):
        for plan in (quick_plan((14, 35)), full_plan((14, 35))):
            assert plan.warm_identifiers <= plan.identifiers

    def test_misuse_is_told_and_measures_nothing(self, tmp_path, capsys):
        code = main(["--steps", "9,3", "--out", str(tmp_path)])
        assert code == 2
        assert "ascending" in capsys.readouterr().err
        assert not list(tmp_path.iterdir())


class TestSearch:
    @pytest.mark.parametrize("carried", [400, 700, 990, 1100, 1240, 3000])
    def test_the_highest_rate_is_found_within_the_precision(self, carried):
        search = RateSearch(1000, probes=20, precision=0.02)
        while not search.done:
            rate = search.rate
            search.tell(rate, holds=rate <= carried)
        assert carried * 0.94 <= search.held <= carried

    def test_no_rate_is_tried_twice_in_a_row(self):
        search = RateSearch(1000, probes=8)
        tried = []
        while not search.done:
            tried.append(search.rate)
            search.tell(search.rate, holds=False)
        assert len(set(tried)) == len(tried) == 8
        assert search.held == 0

    def test_it_ends_after_the_probes_it_was_given(self):
        search = RateSearch(1000, probes=3, precision=1e-9)
        for _ in range(3):
            assert not search.done
            search.tell(search.rate, holds=True)
        assert search.done


def outcome(**changed):
    parts = {
        "sent": 1000,
        "answered": 1000,
        "lost": 0,
        "wrong": 0,
        "failed": 0,
        "unsolicited": 0,
        "behind": 0,
        "early_faults": 0,
        "reconnects": 0,
        "seconds": 1.0,
        "codes": {1: 1000},
        "histogram": "",
        "p50_us": 100,
        "p90_us": 200,
        "p99_us": 4000,
        "p999_us": 5000,
        "max_us": 6000,
        "mean_us": 150,
        "generator_cpu": 0.5,
    }
    return Outcome(**{**parts, **changed})


class TestHolds:
    def test_a_rate_that_keeps_everything_holds(self):
        assert holds(outcome(), 1000, 5000)

    @pytest.mark.parametrize(
        "changed",
        [{"p99_us": 5001}, {"lost": 2}, {"wrong": 1}, {"seconds": 1.1}],
    )
    def test_one_broken_condition_is_enough(self, changed):
        assert not holds(outcome(**changed), 1000, 5000)


class TestWatch:
    looks = (
        Look(0.9, 0.901, True, 1),
        Look(1.1, 1.15, True, 2),
        Look(1.2, 1.202, False, 1),
        Look(1.3, 1.34, True, 2),
        Look(1.95, 2.01, True, 1),
        Look(2.02, 2.03, True, 1),
        Look(2.1, 2.2, False, 301),
    )

    def test_only_looks_while_the_node_was_lost_count_for_its_codes(self):
        seen = judge(self.looks, lost=1.0, starting=2.0)
        assert seen.own_codes == {2: 2}
        assert seen.other_codes == {1: 1}

    def test_regained_is_the_first_good_answer_to_a_question_after_the_start(self):
        seen = judge(self.looks, lost=1.0, starting=2.0)
        assert seen.regained_seconds == pytest.approx(0.03)

    def test_failures_of_others_are_counted_all_the_time(self):
        assert judge(self.looks, lost=1.0, starting=2.0).others_failed == 1

    def test_a_node_that_never_comes_back_is_not_regained(self):
        assert judge(self.looks[:4], lost=1.0, starting=2.0).regained_seconds is None


def test_expected_failures_follow_the_sequence_round_and_round():
    corpus = Corpus(("88.1.1", "88.1.2", "88.1.3"), 9)
    sequence = np.array([0, 1, 2, 3, 1])
    nothing = Flat.of(())
    prepared = Prepared(np.array([0, 1, 4, 8]), sequence, nothing, nothing)
    # Items 1 and 2 are numbers 1 and 4: the second prefix.
    count = expected_failures(prepared, corpus, {"88.1.2"}.__contains__, 13)
    assert count == 2 * 3 + 2


def test_what_was_registered_during_a_load_is_told_from_the_rest():
    timeline = [(9.0, 0), (10.1, 500), (10.6, 1000), (11.1, 1500), (12.5, 9000)]
    probe = Probe(None, outcome(), 0.1, 1.5, Hits(0, 0, 0), 10.0)
    assert registered(probe, timeline).registered_per_second == pytest.approx(1000)
    assert registered(probe, timeline[:2]).registered_per_second == 0


def test_hits_are_counted_since_a_moment():
    hits = Hits(90, 20, 7).since(Hits(10, 0, 7))
    assert hits == Hits(80, 20, 0)
    assert hits.rate == 0.8
    assert Hits(0, 0, 0).rate == 0


class TestSummary:
    def test_a_flat_network_is_flat_and_meets_its_goals(self, document):
        compared = document["summary"]["compared"]["same"]
        assert all(compared[mix]["flat"] for mix in mixes.SEARCHED)
        goals = {(g["name"], g["mix"]): g for g in document["summary"]["goals"]}
        assert goals["throughput", mixes.COLD]["met"]
        assert goals["memory", ""]["measured"] == pytest.approx(0.5)
        assert goals["start", ""]["measured"] == pytest.approx(1.15)
        assert goals["registering", ""]["measured"] == pytest.approx(0.9)

    def test_a_loss_beyond_a_tenth_is_not_flat_and_breaks_its_goal(self, document):
        steps = json.loads(json.dumps(document["steps"]))
        steps[1]["mixes"][mixes.COLD]["qps"] *= 0.85
        summary = summarise(steps)
        assert not summary["compared"]["same"][mixes.COLD]["flat"]
        broken = [goal for goal in summary["goals"] if not goal["met"]]
        assert [(goal["name"], goal["mix"]) for goal in broken] == [
            ("throughput", mixes.COLD)
        ]

    def test_noise_is_how_far_rounds_of_one_step_lie_apart(self, document):
        steps = json.loads(json.dumps(document["steps"][:1]))
        steps[0]["mixes"][mixes.CACHED]["qps_rounds"] = [90.0, 100.0, 110.0]
        assert summarise(steps)["noise"] == {mixes.CACHED: pytest.approx(0.2)}

    def test_disturbed_runs_are_told(self, document):
        steps = json.loads(json.dumps(document["steps"][:1]))
        steps[0]["mixes"][mixes.CACHED]["disturbed_rounds"] = 1
        assert summarise(steps)["disturbed"] == pytest.approx(1 / 5)


class TestPlots:
    @pytest.mark.parametrize(
        ("low", "high"), [(0, 1), (0, 103), (85, 110), (0, 0), (3, 41_000)]
    )
    def test_ticks_are_round_and_span_the_values(self, low, high):
        ticks = nice_ticks(low, high)
        assert ticks[0] <= low
        assert ticks[-1] >= high
        assert 2 <= len(ticks) <= 8

    def test_decades_span_the_values(self):
        assert decades(12, 4_100) == (10, 100, 1000, 10_000)
        assert decades(10, 10) == (10, 100)

    def test_labels_do_not_overlap_and_stay_inside(self):
        places = spread_out([10, 11, 12, 95, 99], 14, 0, 100)
        assert all(b - a >= 14 for a, b in itertools.pairwise(places))
        assert places[-1] <= 100

    def test_a_plot_is_well_formed_and_has_a_point_for_each_value(self):
        line = Line(Words("线 <1>", "line & 1"), ((14, 10.0), (35, 20.0)), 1)
        drawn = draw(Plot(Words("题", "title"), Words("", ""), (line,), band=(9, 11)))
        root = ET.fromstring(drawn)
        assert len(root.findall(".//circle")) == 2
        assert root.find(".//rect[@class='band']") is not None
        assert "line & 1" in [text.text for text in root.iter("text")]


@pytest.fixture(scope="module")
def html(document):
    return page(document)


@pytest.fixture(scope="module")
def root(html):
    return ET.fromstring(html.removeprefix("<!DOCTYPE html>"))


class TestPage:
    def test_it_is_well_formed_and_shows_every_step_of_both_series(
        self, root, document
    ):
        text = " ".join(root.itertext())
        for step in document["steps"]:
            assert f"{step['secondaries']} / {step['nodes']}" in text
            assert f"{step['identifiers']:,}" in text

    def test_it_says_everything_in_both_languages(self, root):
        for language in ("zh", "en"):
            assert root.findall(f".//h1/span[@class='{language}']")
        chinese = root.findall(".//span[@class='zh']")
        english = root.findall(".//span[@class='en']")
        assert len(chinese) == len(english) > 50
        assert not any(
            re.search(r"[\u4e00-\u9fff]", "".join(span.itertext())) for span in english
        )

    def test_it_loads_nothing_and_runs_nothing(self, root, html):
        assert not root.findall(".//script")
        assert not root.findall(".//link")
        assert not root.findall(".//img")
        assert "url(" not in html
        assert "http" not in html
        assert "@import" not in html

    def test_it_names_machine_commit_and_seed(self, root, document):
        text = " ".join(root.itertext())
        assert document["machine"]["processor"] in text
        assert document["commit"] in text
        assert "seed 1" in text

    def test_each_goal_has_its_verdict(self, root, document):
        verdicts = root.findall(".//span[@class='good']")
        assert len(verdicts) == len(document["summary"]["goals"])

    @pytest.mark.usefixtures("quickly")
    def test_a_network_alone_makes_a_page_too(self):
        document = growth_document(secondaries=(3,))
        document["steps"] = document["steps"][:1]
        document["summary"] = summarise(document["steps"])
        ET.fromstring(page(document).removeprefix("<!DOCTYPE html>"))
