"""The queueing model: against closed formulas, against itself, and what it answers."""

import json
import math
import random
from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pytest
import simpy

from bench.growth import plan as mixes
from bench.simulate import answers, emulator, failures, tree, validation
from bench.simulate.assumptions import Nation
from bench.simulate.command import main
from bench.simulate.emulator import Mix, closed_loop, highest_rate, open_loop
from bench.simulate.formulas import (
    erlang_c,
    mg1_mean_wait,
    mm1_response_quantile,
    pauses_from_tail,
    servers_needed,
)
from bench.simulate.measured import costs_of, pieces_of, read_growth, steps_of
from bench.simulate.nation import Capacity, Level, Tree, levels, node_shares
from bench.simulate.popularity import zipf
from bench.simulate.stations import Latencies, Station
from bench.simulate.tree import TreeSimulation
from resolver.errors import SetupError
from tests.growth_documents import COSTS, growth_document


@pytest.fixture(scope="module")
def quickly():
    """Simulate short runs: what is compared here follows the same model anyway."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(emulator, "MAX_QUESTIONS", 3000)
        yield patch


@pytest.fixture(scope="module")
def document(quickly):
    return growth_document()


@pytest.fixture
def small_nation(monkeypatch):
    """One tree and two loads, one of them a peak."""
    monkeypatch.setattr(answers, "trees", lambda _: (Tree(14, 1e6),))
    loads = Level("usual", 500.0), Level("peak", 2000.0, peak=True)
    monkeypatch.setattr(answers, "levels", lambda _: loads)
    monkeypatch.setattr(tree, "MAX_QUESTIONS", 5000)


@pytest.fixture
def growth_file(document, tmp_path):
    file = tmp_path / "growth.json"
    file.write_text(json.dumps(document))
    return file


def queue(rate, draw_service, *, cores=1, count=60_000, seed=3):
    """Put Poisson arrivals on one station; gives response and waiting times."""
    dice = random.Random(seed)
    environment = simpy.Environment()
    station = Station(environment, cores)
    responses, waits = Latencies(), []

    def customer():
        started = environment.now
        waits.append(station.wait_seconds)
        yield station.work(draw_service(dice))
        responses.seconds.append(environment.now - started)

    def arrivals():
        for _ in range(count):
            yield environment.timeout(dice.expovariate(rate))
            environment.process(customer())

    environment.process(arrivals())
    environment.run()
    return responses, waits


class TestStation:
    @pytest.mark.parametrize("busy", [0.5, 0.8])
    def test_it_behaves_as_m_m_1(self, busy):
        responses, _ = queue(busy, lambda dice: dice.expovariate(1))
        for share in (0.5, 0.9, 0.99):
            expected = mm1_response_quantile(busy, 1.0, share)
            assert responses.quantile(share) == pytest.approx(expected, rel=0.1)

    @pytest.mark.parametrize("busy", [0.5, 0.8])
    def test_it_behaves_as_m_d_1(self, busy):
        _, waits = queue(busy, lambda _: 1.0)
        expected = mg1_mean_wait(busy, 1.0, 0)
        assert sum(waits) / len(waits) == pytest.approx(expected, rel=0.07)

    def test_it_behaves_as_m_m_k(self):
        _, waits = queue(3.0, lambda dice: dice.expovariate(1), cores=4)
        waited = sum(wait > 0 for wait in waits) / len(waits)
        assert waited == pytest.approx(erlang_c(4, 3.0), rel=0.07)

    def test_a_pause_delays_what_comes_meanwhile(self):
        environment = simpy.Environment()
        station = Station(environment)
        station.pause(2.0)
        done = station.work(1.0)
        environment.run(done)
        assert environment.now == 3.0

    def test_waking_costs_only_where_the_core_was_idle(self):
        environment = simpy.Environment()
        station = Station(environment, wake_seconds=0.5)
        station.work(1.0)
        environment.run(station.work(1.0))
        assert environment.now == 2.5
        assert station.woken == 1


class TestFormulas:
    def test_erlang_c_knows_one_server_and_an_overload(self):
        assert erlang_c(1, 0.7) == pytest.approx(0.7)
        assert erlang_c(2, 2.5) == 1

    def test_constant_service_waits_half_as_long_as_exponential(self):
        constant, exponential = (mg1_mean_wait(0.9, 1, v) for v in (0, 1))
        assert constant == pytest.approx(exponential / 2) == pytest.approx(4.5)

    def test_cores_are_counted_up_and_spare_ones_added(self):
        assert servers_needed(1000, 1e-3, utilisation=0.5, spare=0) == 2
        assert servers_needed(1001, 1e-3, utilisation=0.5, spare=1) == 4
        assert servers_needed(0, 1e-3, utilisation=0.5, spare=1) == 2

    def test_pauses_are_found_again_from_the_tail_they_make(self):
        mix = Mix((100e-6,), base=0.0, pauses_per_second=30.0, pause=0.002)
        shown = open_loop(mix, 5000, seed=5, seconds=8.0)
        per_second, length = pauses_from_tail(
            shown.p99, shown.p999, shown.p50, busy=0.5
        )
        assert length == pytest.approx(0.002, rel=0.3)
        assert per_second == pytest.approx(30.0, rel=0.3)

    def test_an_even_tail_needs_no_pauses(self):
        assert pauses_from_tail(1e-3, 1e-3, 1e-3, 0.5) == (0.0, 0.0)


class TestPopularity:
    @pytest.mark.parametrize("exponent", [0.8, 1.0, 1.2])
    @pytest.mark.parametrize("count", [10, 5000, 300_000])
    def test_bins_have_the_weights_of_their_ranks(self, count, exponent):
        made = zipf(count, exponent)
        exact = np.arange(1, count + 1.0) ** -exponent
        exact /= exact.sum()
        assert made.sizes.sum() == count
        assert made.weights.sum() == pytest.approx(1)
        assert made.shares[0] == pytest.approx(exact[0], rel=1e-3)
        assert made.different(20_000) == pytest.approx(
            np.sum(1 - (1 - exact) ** 20_000), rel=1e-3
        )

    def test_billions_are_a_few_thousand_bins(self):
        made = zipf(4_750_000_000, 1.0)
        assert len(made.sizes) < 10_000
        assert made.sizes.sum() == pytest.approx(4.75e9)

    def test_hits_from_an_empty_cache_are_those_of_a_draw(self):
        draws = np.random.default_rng(4).choice(2000, 5000, p=zipf(2000, 1.0).shares)
        hits = 1 - len(set(draws.tolist())) / len(draws)
        assert zipf(2000, 1.0).hit_rate_from_empty(5000) == pytest.approx(
            hits, abs=0.01
        )

    def test_a_small_cache_hits_as_lru_does(self):
        popularity = zipf(3000, 1.0)
        draws = np.random.default_rng(5).choice(3000, 60_000, p=popularity.shares)
        cache, hits = OrderedDict(), 0
        for item in draws.tolist():
            hits += item in cache
            cache[item] = None
            cache.move_to_end(item)
            if len(cache) > 300:
                cache.popitem(last=False)
        expected = popularity.hit_rate(1.0, math.inf, 300)
        assert hits / len(draws) == pytest.approx(expected, abs=0.02)

    def test_a_cache_whose_oldest_goes_hits_as_a_queue_does(self):
        popularity = zipf(3000, 1.0)
        draws = np.random.default_rng(6).choice(3000, 60_000, p=popularity.shares)
        cache, hits = OrderedDict(), 0
        for item in draws.tolist():
            if item in cache:
                hits += 1
                continue
            cache[item] = None
            if len(cache) > 300:
                cache.popitem(last=False)
        expected = popularity.hit_rate_in_turn(1.0, 1e9, 300)
        assert hits / len(draws) == pytest.approx(expected, abs=0.02)

    def test_more_cache_and_more_time_never_hit_less(self):
        popularity = zipf(1_900_000_000, 1.0)
        rates = [popularity.hit_rate(1000, 86_400, n) for n in (1e4, 1e5, 1e6, 1e7)]
        assert rates == sorted(rates)
        times = [popularity.hit_rate(1000, ttl) for ttl in (60, 3600, 86_400)]
        assert times == sorted(times)


class TestEmulator:
    def test_a_closed_loop_keeps_the_core_busy(self):
        shown = closed_loop(Mix((50e-6, 50e-6)), 64, seed=1)
        assert shown.qps == pytest.approx(10_000, rel=0.01)
        assert shown.p50 == pytest.approx(64 / 10_000, rel=0.02)

    def test_even_arrivals_below_capacity_do_not_wait(self):
        shown = open_loop(Mix((100e-6,), base=20e-6), 5000, seed=1)
        assert shown.p99 == pytest.approx(120e-6)

    def test_the_highest_rate_is_just_below_capacity(self):
        assert highest_rate(Mix((100e-6,)), 5e-3, 1) == pytest.approx(10_000, rel=0.03)

    def test_pauses_cost_rate(self):
        free = highest_rate(Mix((100e-6,)), 5e-3, 1)
        paused = Mix((100e-6,), pauses_per_second=20.0, pause=0.004)
        assert highest_rate(paused, 5e-3, 1) < 0.97 * free

    def test_the_same_seed_gives_the_same_figures(self):
        mix = Mix((100e-6,), pauses_per_second=5.0, pause=0.003)
        assert open_loop(mix, 5000, 9) == open_loop(mix, 5000, 9)
        assert open_loop(mix, 5000, 9) != open_loop(mix, 5000, 10)


class TestMeasured:
    def test_costs_are_taken_apart_as_they_were_put_together(self, document):
        found = costs_of(document["steps"][0])
        for name in ("cached", "asking", "hop", "answering", "again", "registration"):
            expected = getattr(COSTS, name)
            assert getattr(found, name) == pytest.approx(expected, rel=0.02)

    @pytest.mark.parametrize("mix", [mixes.CACHED, mixes.PREFIX_WARM, mixes.COLD])
    def test_pieces_of_work_add_up(self, mix):
        assert sum(pieces_of(mix, COSTS, 500e-6)) == pytest.approx(500e-6)

    @pytest.mark.parametrize("text", ["", "[]", '{"version": 2}'])
    def test_other_files_are_refused(self, tmp_path, text):
        file = tmp_path / "growth.json"
        file.write_text(text)
        with pytest.raises(SetupError):
            read_growth(file)


class TestValidation:
    def test_a_network_that_follows_the_model_is_predicted(self, document):
        rows = validation.validate(document, seed=7)
        assert validation.holds(rows)
        assert {row.secondaries for row in rows} == {14, 35}
        assert {row.series for row in rows} == {"same", "growing"}

    def test_nothing_of_the_last_step_is_used_to_predict_it(self, document):
        other = json.loads(json.dumps(document))
        for step in other["steps"]:
            if step["secondaries"] == 35:
                for mix in step["mixes"].values():
                    for name in ("qps", "closed_loop_qps", "cache_hit_rate"):
                        if name in mix:
                            mix[name] *= 2
        predicted = [row.predicted for row in validation.validate(document, 7)]
        assert [row.predicted for row in validation.validate(other, 7)] == predicted

    def test_a_network_that_slows_down_is_not_predicted(self, document):
        other = json.loads(json.dumps(document))
        steps_of(other, "same")[-1]["mixes"][mixes.COLD]["qps"] *= 0.7
        rows = validation.validate(other, 7)
        assert not validation.holds(rows)
        off = [row for row in rows if not row.agrees and not row.not_judged]
        assert [(row.mix, row.quantity) for row in off] == [
            (mixes.COLD, "highest rate")
        ]

    def test_what_cannot_be_judged_does_not_make_a_model_valid(self, document):
        other = json.loads(json.dumps(document))
        for step in other["steps"]:
            for mix in step["mixes"].values():
                mix["disturbed_rounds"] = 1
        assert not validation.holds(validation.validate(other, 7))


class TestNation:
    small = Tree(14, 1_900_000)
    nation = Nation()

    def test_every_assumption_says_where_it_is_from(self):
        for each in self.nation.listed():
            assert each["text"]
            assert each["kind"] in (
                "published V",
                "published V2",
                "derived",
                "product",
                "ours",
            )

    def test_shares_of_nodes_fall_and_add_up(self):
        shares = node_shares(35, 1.0)
        assert sum(shares) == pytest.approx(1)
        assert shares == sorted(shares, reverse=True)

    def test_cores_carry_their_load_at_no_more_than_the_utilisation(self):
        capacity = Capacity(self.nation, COSTS, self.small)
        for level in levels(self.nation):
            loads = capacity.loads(level)
            for tier, busy in loads.busy.items():
                assert busy <= self.nation.utilisation * loads.cores[tier]

    def test_a_tier_is_full_at_the_load_that_is_said(self):
        capacity = Capacity(self.nation, COSTS, self.small)
        full = capacity.saturation()["recursive"]
        loads = capacity._with(Level("", full), 1)
        assert loads.busy["recursive"] == pytest.approx(1, rel=1e-3)

    def test_the_tree_answers_after_the_links_it_crosses(self):
        loads = Capacity(self.nation, COSTS, self.small).loads(Level("", 1000.0))
        seen = TreeSimulation(self.nation, COSTS, loads, seed=1).run()
        assert seen.failed == seen.shed == 0
        assert seen.hit_p50_ms == pytest.approx(self.nation.client_ms, rel=0.02)
        shortest = self.nation.client_ms + self.nation.secondary_ms
        assert seen.miss_p50_ms >= shortest

    def test_a_run_of_the_tree_depends_on_its_seed_alone(self):
        loads = Capacity(self.nation, COSTS, self.small).loads(Level("", 1000.0))
        once, again, other = (
            TreeSimulation(self.nation, COSTS, loads, seed).run() for seed in (1, 1, 2)
        )
        assert once == again != other

    def test_a_silent_node_turns_others_away_only_beyond_the_limit(self):
        nation = replace(self.nation, flights=100, silent_seconds=2.0)
        assert failures.silent_limit(nation) == 50
        capacity = Capacity(nation, COSTS, Tree(14, 1.9e9))
        few, many = (capacity.loads(Level("", rate)) for rate in (150.0, 3000.0))
        calm, full = (
            failures.silent_secondary(nation, COSTS, loads, 1) for loads in (few, many)
        )
        assert calm["waiting_per_second_and_node"] < 50
        assert calm["others_turned_away"] == 0
        assert full["waiting_per_second_and_node"] > 50
        assert full["others_turned_away"] > 0.2

    def test_a_restarted_node_works_most_at_first(self):
        capacity = Capacity(self.nation, COSTS, self.small)
        loads = capacity.loads(Level("", 5000.0))
        rows = failures.restarted(self.nation, COSTS, capacity, loads)
        busy = [row.busy for row in rows]
        assert busy == sorted(busy, reverse=True)
        assert rows[0].hit_rate == pytest.approx(0, abs=1e-9)
        assert busy[-1] >= loads.busy["recursive"] / loads.recursive_nodes * 0.99

    def test_without_the_top_node_places_run_out_within_their_ttl(self):
        assert failures.top_lost(self.nation, 12) == pytest.approx(0.5)
        assert failures.top_lost(self.nation, 48) == 1


class TestCommand:
    @pytest.mark.usefixtures("small_nation")
    def test_it_answers_after_it_has_predicted(self, growth_file, tmp_path):
        assert main(["--growth", str(growth_file), "--out", str(tmp_path)]) == 0
        found = json.loads((tmp_path / "simulate.json").read_text())
        assert found["validation"]["valid"]
        assert found["loads"]
        assert found["failures"]["silent"]

    def test_a_model_that_is_off_answers_nothing(self, document, tmp_path, capsys):
        document = json.loads(json.dumps(document))
        steps_of(document, "same")[-1]["mixes"][mixes.COLD]["qps"] *= 0.7
        file = tmp_path / "growth.json"
        file.write_text(json.dumps(document))
        assert main(["--growth", str(file), "--out", str(tmp_path)]) == 1
        assert "does not predict" in capsys.readouterr().err
        assert "loads" not in json.loads((tmp_path / "simulate.json").read_text())

    def test_a_missing_measurement_is_misuse(self, tmp_path, capsys):
        assert main(["--growth", str(tmp_path / "none.json")]) == 2
        assert "bench growth" in capsys.readouterr().err


@pytest.mark.usefixtures("small_nation")
def test_answers_name_a_first_tier_to_be_full(document):
    step = document["steps"][0]
    found = answers.answer(Nation(), COSTS, step, 1)
    full = found["saturation"][0]["full_at"]
    assert min(full, key=full.get) == "recursive"
    assert found["storage"][0]["disk_gib_per_node"] > 0
