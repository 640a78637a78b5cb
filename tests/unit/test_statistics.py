"""Counts of a node and of those below it."""

import json

import pytest

from registry.store.interface import Batch, Home, Tally
from registry.store.lmdb import LmdbStore
from resolver.statistics import Report, Statistics
from resolver.telemetry import Telemetry


def statistics(directory=None, store=None, telemetry=None, name="node"):
    return Statistics(
        name, "secondary", "88.118", store, telemetry or Telemetry(), directory
    )


def report(name, *children, identifiers=0, registrations=0, resolutions=0):
    return Report(
        name, "role", "88", identifiers, registrations, resolutions, tuple(children)
    )


def test_totals_add_up_all_levels():
    leaf = report("leaf", identifiers=1, registrations=2, resolutions=3)
    middle = report("m", leaf, leaf, identifiers=10, registrations=20, resolutions=30)
    top = report("top", middle, leaf, identifiers=100, registrations=200)
    assert top.total_identifiers == 100 + 10 + 3
    assert top.total_registrations == 200 + 20 + 6
    assert top.total_resolutions == 0 + 30 + 9


def test_json_has_own_numbers_totals_and_children():
    leaf = report("leaf", identifiers=1, registrations=2, resolutions=3)
    top = report("top", leaf, identifiers=10).as_json()
    assert json.loads(json.dumps(top)) == top
    assert (top["identifiers"], top["registrations"], top["resolutions"]) == (10, 0, 0)
    assert top["total"] == {"identifiers": 11, "registrations": 2, "resolutions": 3}
    assert [child["name"] for child in top["children"]] == ["leaf"]
    assert top["children"][0] == leaf.as_json()


def test_a_child_reports_what_it_has_counted_at_that_moment():
    telemetry = Telemetry()
    parent, child = statistics(name="parent"), statistics(telemetry=telemetry)
    parent.add_child(child.report)
    assert parent.report().total_resolutions == 0
    telemetry.resolutions += 5
    assert parent.report().total_resolutions == 5
    assert parent.report().children == (child.report(),)
    assert parent.report().resolutions == 0


def test_resolutions_are_counted_on_from_the_last_start(tmp_path):
    for turn in range(1, 4):
        telemetry = Telemetry()
        counts = statistics(tmp_path, telemetry=telemetry)
        assert counts.report().resolutions == 10 * (turn - 1)
        telemetry.resolutions = 4
        counts.save()
        telemetry.resolutions = 10
        assert counts.report().resolutions == 10 * turn
        counts.save()
    assert [item.name for item in tmp_path.iterdir()] == ["statistics.json"]


def test_nothing_is_written_where_nothing_was_counted(tmp_path):
    statistics(tmp_path).save()
    assert list(tmp_path.iterdir()) == []
    statistics().save()


@pytest.mark.parametrize("text", ["", "[]", "7", '{"resolutions": "many"}', "\x00"])
def test_a_broken_file_counts_from_nought(tmp_path, text):
    (tmp_path / "statistics.json").write_text(text)
    assert statistics(tmp_path).report().resolutions == 0


def test_a_directory_that_cannot_be_written_stops_nobody(tmp_path):
    telemetry = Telemetry(resolutions=3)
    statistics(tmp_path / "gone", telemetry=telemetry).save()
    assert not (tmp_path / "gone").exists()


def test_a_save_that_failed_is_made_good_by_the_next(tmp_path):
    directory = tmp_path / "later"
    counts = statistics(directory, telemetry=Telemetry(resolutions=3))
    counts.save()
    directory.mkdir()
    counts.save()
    assert statistics(directory).report().resolutions == 3


def test_identifiers_are_those_of_all_homes_but_the_root(tmp_path):
    store = LmdbStore(tmp_path / "store")
    homes = {name: Home(name, True, ()) for name in (b"0.NA", b"88", b"88.118")}
    tallies = {b"0.NA": Tally(7, 7), b"88": Tally(1, 2), b"88.118": Tally(10, 20)}
    store.write(Batch(serial=1, homes=homes, tallies=tallies))
    found = statistics(store=store).report()
    assert (found.identifiers, found.registrations) == (11, 22)
    store.close()
