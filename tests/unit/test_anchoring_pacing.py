"""When checkpoints are due, and when failed attempts are tried again."""

import pytest

from resolver.anchoring.pacing import (
    GATHER_SECONDS,
    INTERVAL_SECONDS,
    LOOK_SECONDS,
    MANY_ENTRIES,
    MAX_PAUSE_SECONDS,
    pause_after,
    seconds_until_due,
    seconds_until_look,
)

LONG_AGO = float("-inf")


def test_nothing_new_is_never_due():
    assert seconds_until_due(0, 0.0, LONG_AGO, 100.0) is None


def test_the_first_entry_after_a_pause_waits_for_those_that_come_with_it():
    assert seconds_until_due(1, 0.0, LONG_AGO, 0.0) == GATHER_SECONDS
    assert seconds_until_due(9, 50.0, LONG_AGO, 50.0 + GATHER_SECONDS) == 0


def test_transactions_are_an_interval_apart():
    due = seconds_until_due(1000, 50.0, 50.0, 50.5)
    assert due == pytest.approx(INTERVAL_SECONDS - 0.5)


def test_very_many_entries_do_not_wait():
    assert seconds_until_due(MANY_ENTRIES, 50.0, 50.0, 50.0) == 0


def test_the_chain_is_looked_at_at_the_start_and_once_a_minute():
    assert seconds_until_look(None, 7.0) == 0
    assert seconds_until_look(7.0, 7.0) == LOOK_SECONDS
    assert seconds_until_look(7.0, 7.0 + LOOK_SECONDS) == 0


def test_pauses_grow_to_their_maximum_and_are_spread():
    pauses = [pause_after(failures, 1.0) for failures in range(1, 2000)]
    assert pauses == sorted(pauses)
    assert pauses[0] < 1 < MAX_PAUSE_SECONDS == pauses[-1]
    assert pause_after(5, 0.0) == pause_after(5, 1.0) / 2
