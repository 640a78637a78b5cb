"""The recursive node's memory: how long, how much, and what it must not mix up."""

import pytest
from hypothesis import given, strategies as st

from resolver.cache import MAX_TTL_SECONDS, AnswerCache, shared_key
from resolver.wire.codes import OpFlag
from resolver.wire.request import Resolution

NAME = b"88.118.7/SN1"
PLAIN = int(OpFlag.PUBLIC_ONLY | OpFlag.RECURSIVE)


def key(flags=PLAIN, name=NAME, **parts):
    return shared_key(Resolution(NAME, **parts), flags, name)


@pytest.fixture
def cache():
    return AnswerCache(3)


def test_an_entry_lives_until_its_time_is_up_and_not_at_it(cache):
    cache.put("q", 1, b"tail", 60, now=1000.0)
    assert cache.get("q", 1059.9) == (1, b"tail", 1060.0)
    assert cache.get("q", 1060.0) is None
    assert len(cache) == 0


def test_no_entry_lives_longer_than_two_days(cache):
    cache.put("q", 1, b"", 10 * MAX_TTL_SECONDS, now=0.0)
    assert cache.get("q", MAX_TTL_SECONDS - 1) is not None
    assert cache.get("q", MAX_TTL_SECONDS) is None
    assert MAX_TTL_SECONDS == 2 * 24 * 60 * 60


@pytest.mark.parametrize("ttl", [0, -1])
def test_what_has_no_time_to_live_is_not_remembered(cache, ttl):
    cache.put("q", 1, b"", ttl, now=0.0)
    assert len(cache) == 0


def test_what_has_no_time_to_live_leaves_an_older_answer_to_its_own_time(cache):
    cache.put("q", 1, b"old", 60, now=0.0)
    cache.put("q", 1, b"new", 0, now=1.0)
    assert cache.get("q", 59.0).tail == b"old"


def test_a_newer_answer_replaces_the_older_one_and_its_time(cache):
    cache.put("q", 1, b"old", 60, now=0.0)
    cache.put("q", 100, b"new", 5, now=10.0)
    assert cache.get("q", 14.0) == (100, b"new", 15.0)
    assert cache.get("q", 16.0) is None


def test_the_answer_used_longest_ago_gives_way(cache):
    for question in "abc":
        cache.put(question, 1, b"", 60, now=0.0)
    cache.get("a", 1.0)
    cache.put("d", 1, b"", 60, now=2.0)
    assert [cache.get(q, 3.0) is not None for q in "abcd"] == [True, False, True, True]
    assert cache.evicted == 1


def test_an_answer_that_is_replaced_makes_nobody_give_way(cache):
    for question in "abcabc":
        cache.put(question, 1, b"", 60, now=0.0)
    assert (len(cache), cache.evicted) == (3, 0)


def test_a_cleared_cache_knows_nothing(cache):
    cache.put("q", 1, b"", 60, now=0.0)
    cache.clear()
    assert cache.get("q", 1.0) is None


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdefgh"), st.integers(-5, 90), st.floats(0, 100))
    )
)
def test_it_never_holds_more_than_it_may_nor_gives_what_is_too_old(steps):
    cache, told, now = AnswerCache(4), {}, 0.0
    for question, ttl, later in steps:
        now += later
        found = cache.get(question, now)
        if found is not None:
            assert found.tail == told[question][0]
            assert now < told[question][1]
        tail = str(now).encode()
        cache.put(question, 1, tail, ttl, now)
        if ttl > 0:
            told[question] = tail, now + ttl
        assert len(cache) <= 4


@pytest.mark.parametrize(
    "bound",
    [OpFlag.AUTHORITATIVE, OpFlag.CERTIFIED, OpFlag.RECURSION_AUTHENTICATED],
)
def test_an_answer_bound_to_its_client_has_no_shared_key(bound):
    assert key(PLAIN | int(bound)) is None
    assert key(PLAIN) is not None


def test_a_token_binds_an_answer_even_without_its_flag():
    assert key(token=b"token") is None
    assert key(token=b"") == key(token=None) == key()


def test_flags_that_change_nothing_share_an_answer():
    ignored = (OpFlag.RECURSIVE, OpFlag.KEEP_ALIVE, OpFlag.DO_NOT_REFER)
    keys = {key(int(OpFlag.PUBLIC_ONLY | flag)) for flag in ignored}
    assert keys == {key()}


def test_each_question_that_may_have_another_answer_has_another_key():
    questions = [
        key(),
        key(flags=0),
        key(name=b"88.118.7/SN2"),
        key(types=(b"URL",)),
        key(types=(b"URL.",)),
        key(types=(b"URL", b"EMAIL")),
        key(indexes=(1,)),
        key(indexes=(1, 2)),
        key(indexes=(1,), types=(b"URL",)),
        key(flags=0, types=(b"URL",)),
    ]
    assert len(set(questions)) == len(questions)


def test_types_are_asked_for_without_regard_to_case():
    assert key(types=(b"url",)) == key(types=(b"URL",))
