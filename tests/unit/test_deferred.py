"""A result that comes later."""

import asyncio

import pytest

from resolver.deferred import Deferred


def test_a_listener_is_told_in_the_turn_in_which_the_result_is_set():
    deferred, told = Deferred(), []
    deferred.then(told.append)
    assert told == []
    deferred.set_result(7)
    assert told == [7]


def test_a_listener_that_comes_late_is_told_at_once():
    deferred, told = Deferred(), []
    deferred.set_result(7)
    deferred.then(told.append)
    assert told == [7]


@pytest.mark.parametrize("result", [None, False, 0, ()])
def test_results_that_look_like_nothing_are_results(result):
    deferred, told = Deferred(), []
    deferred.set_result(result)
    deferred.then(told.append)
    assert told == [result]


@pytest.mark.parametrize("early", [True, False])
def test_a_map_makes_something_of_the_result(early):
    deferred, told = Deferred(), []
    if early:
        deferred.set_result(3)
    deferred.map(lambda number: number + 1).map(str).then(told.append)
    if not early:
        deferred.set_result(3)
    assert told == ["4"]


async def test_it_can_be_awaited_before_and_after_it_is_set():
    deferred = Deferred()
    waiting = asyncio.ensure_future(_awaited(deferred))
    await asyncio.sleep(0)
    assert not waiting.done()
    deferred.set_result(7)
    assert await waiting == 7
    assert await _awaited(deferred) == 7


async def test_whoever_stops_waiting_does_not_harm_who_sets_it():
    deferred = Deferred()
    waiting = asyncio.ensure_future(_awaited(deferred))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    deferred.set_result(7)
    assert await _awaited(deferred) == 7


async def test_an_error_is_a_result_like_any_other():
    deferred, error = Deferred(), ValueError("no")
    deferred.set_result(error)
    assert await _awaited(deferred) is error


async def _awaited(deferred):
    async with asyncio.timeout(5):
        return await deferred
