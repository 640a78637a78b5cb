"""The packet cache: one suite for its kernels as plain Python and compiled."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from registry.model.octets import blob, pack_u32
from resolver.fastpath import layout, packet_cache
from resolver.fastpath.layout import (
    BUCKET_SLOTS,
    CLASSES,
    ENTRIES,
    EVICTED,
    MAX_NAME_OCTETS,
    MAX_REPLY_OCTETS,
    MAX_REST_OCTETS,
    NEVER_EXPIRES,
    TCP,
    UDP,
    VISITED,
)
from resolver.fastpath.questions import read_handle_question
from tests.packet_caches import (
    BOTH,
    EXPIRATION,
    NOW,
    NOW_MICROSECONDS,
    PLAIN,
    PacketCache,
    ask,
    check_packets,
    kernels_of,
    name_of,
    reply,
)

NAME = b"88.100.1/P1"
NOT_FOUND = 1
"""Class of an answer that does not repeat the name."""

ONE_BUCKET = BUCKET_SLOTS
LEAST = len(reply(b"", code=100))


# Kernels may have to be compiled first.
pytestmark = pytest.mark.timeout(120)


@pytest.fixture(params=BOTH)
def kernels(request):
    return kernels_of(request.param)


@pytest.fixture
def cache(kernels):
    return make(kernels)


def make(kernels, arena_octets=1 << 16, slots=64, owners=2) -> PacketCache:
    cache = PacketCache(kernels, arena_octets, slots)
    for _ in range(owners):
        cache.add_owner()
    return cache


def named(number: int) -> bytes:
    return b"88.100.1/N%d" % number


def found(name: bytes, values: bytes = b"values") -> bytes:
    return reply(blob(name) + values)


def absent(text: bytes = b"", size: int = 0) -> bytes:
    return reply(blob(text.ljust(size, b".")), code=100)


def of_size(octets: int) -> bytes:
    """Make a refusal of so many octets."""
    whole = reply(bytes(octets - LEAST), code=100)
    assert len(whole) == octets
    return whole


def of_lengths(body_octets: int) -> bytes:
    """Make a refusal whose header gives another length of the body."""
    whole = reply(b"body", code=100)
    return whole[:40] + pack_u32(body_octets) + whole[44:]


def fill(cache: PacketCache, numbers, size: int = 40, **more) -> None:
    for number in numbers:
        assert cache.learn(ask(named(number)), absent(size=size), NOT_FOUND, **more)
        cache.check()


def known(cache: PacketCache, numbers) -> list[int]:
    return [n for n in numbers if cache.answer(ask(named(n))) is not None]


def test_nothing_is_known_at_first(cache):
    assert cache.answer(ask(NAME)) is None
    cache.check()


def test_what_was_learned_is_answered_with_the_ids_of_who_asks(cache):
    assert cache.learn(ask(NAME), found(NAME))
    cache.check()
    again = ask(NAME, request_id=0x01020304, session_id=0xFFFEFDFC)
    answer = cache.answer(again)
    assert answer is not None
    assert answer[4:12] == bytes.fromhex("fffefdfc01020304")
    assert answer[:4] + answer[12:] == found(NAME)[:4] + found(NAME)[12:]
    cache.check()


@pytest.mark.parametrize(
    "size", [*range(LEAST, LEAST + 25), 511, 512, 513, MAX_REPLY_OCTETS]
)
def test_an_answer_of_any_length_comes_whole(cache, size):
    body = bytes(n % 251 for n in range(size - LEAST))
    whole = reply(body, code=100)
    assert len(whole) == size
    assert cache.learn(ask(NAME), whole, NOT_FOUND)
    cache.check()
    answer = cache.answer(ask(NAME))
    assert answer == whole[:28] + pack_u32(0x9100_0000) + whole[32:]


@pytest.mark.parametrize("size", range(1, 20))
def test_a_name_of_any_length_is_told_from_another(cache, size):
    name, other = b"n" * size, b"n" * (size - 1) + b"m"
    assert cache.learn(ask(name), found(name))
    assert cache.answer(ask(other)) is None
    assert cache.answer(ask(name + b"n")) is None
    answer = cache.answer(ask(name))
    assert answer is not None
    assert answer[48 : 48 + size] == name


def test_an_answer_repeats_the_name_as_whoever_asks_spells_it(cache):
    name, other = "88.100.1/Straße-abz".encode(), "88.100.1/sTRAßE-ABZ".encode()
    assert cache.learn(ask(name), found(name))
    answer = cache.answer(ask(other))
    assert answer is not None
    assert answer[44:] == found(other)[44:]


def test_a_refusal_repeats_no_name(cache):
    assert cache.learn(ask(NAME), absent(b"not here"), NOT_FOUND)
    answer = cache.answer(ask(NAME.lower()))
    assert answer is not None
    assert answer[44:] == absent(b"not here")[44:]


def test_an_expiration_that_has_come_is_made_anew(cache):
    assert cache.learn(ask(NAME), found(NAME))
    for asked, given_ in (
        (NOW + 1, NOW + 1),
        (0xFFFF_FFFF, 0xFFFF_FFFF),
        (NOW, NOW + 43_200),
        (NOW - 1, NOW + 43_200),
        (0, NOW + 43_200),
    ):
        answer = cache.answer(ask(NAME, expiration=asked))
        assert answer is not None
        assert int.from_bytes(answer[36:40], "big") == given_
    late = cache.answer(ask(NAME, expiration=NOW), NOW_MICROSECONDS - 1)
    assert late is not None
    assert int.from_bytes(late[36:40], "big") == NOW


@pytest.mark.parametrize("authoritative", [False, True])
def test_flags_are_those_of_who_asks_and_authority_the_answers(cache, authoritative):
    flags = 0x9000_0000 if authoritative else 0x1000_0000
    assert cache.learn(ask(NAME), reply(blob(NAME), flags))
    answer = cache.answer(ask(NAME, flags=0x0F0F_0F0B & ~0x0010_0000))
    assert answer is not None
    expected = 0x0F0F_0F0B & ~0x0410_0000 | flags
    assert int.from_bytes(answer[28:32], "big") == expected


def test_a_later_answer_takes_the_place_of_an_earlier_one(cache):
    for number in range(5):
        assert cache.learn(ask(NAME), found(NAME, b"%d" % number))
        cache.check()
        assert cache.counted(ENTRIES) == 1
        answer = cache.answer(ask(NAME))
        assert answer is not None
        assert answer.endswith(found(NAME, b"%d" % number)[44:])
    assert cache.counted(EVICTED) == 0


def test_an_answer_lasts_until_its_microsecond_and_not_longer(cache):
    assert cache.learn(ask(NAME), found(NAME), expires=NOW_MICROSECONDS)
    assert cache.answer(ask(NAME), NOW_MICROSECONDS - 1) is not None
    assert cache.answer(ask(NAME), NOW_MICROSECONDS) is None
    assert cache.answer(ask(NAME), NOW_MICROSECONDS + 1) is None
    assert cache.answer(ask(NAME), NOW_MICROSECONDS - 1) is not None
    cache.check()


def test_an_answer_that_holds_until_changed_does_not_expire(cache):
    assert cache.learn(ask(NAME), found(NAME), expires=NEVER_EXPIRES)
    assert cache.answer(ask(NAME), NEVER_EXPIRES - 1) is not None


def test_an_answer_out_of_date_gives_way_to_a_new_one(cache):
    assert cache.learn(ask(NAME), found(NAME, b"old"), expires=NOW_MICROSECONDS)
    assert cache.learn(ask(NAME), found(NAME, b"new"), expires=NOW_MICROSECONDS + 9)
    cache.check()
    assert cache.counted(ENTRIES) == 1
    assert cache.answer(ask(NAME), NOW_MICROSECONDS + 8) is not None


def test_forgetting_a_name_forgets_all_questions_about_it_and_no_other(cache):
    questions = [
        ask(NAME),
        ask(NAME.lower()),
        ask(NAME, indexes=(1, 2)),
        ask(NAME, types=(b"URL",)),
        ask(NAME, flags=0),
        ask(NAME, version=(2, 1), suggested=(2, 1)),
    ]
    others = [ask(NAME + b"0"), ask(NAME[:-1])]
    for question in (*questions, *others):
        assert cache.learn(question, absent(), NOT_FOUND)
    assert cache.learn(ask(NAME), absent(), NOT_FOUND, owner=1)
    assert cache.counted(ENTRIES) == 5 + 2  # two spellings are one question
    assert cache.forget(NAME) == 5
    cache.check()
    assert [cache.answer(question) for question in questions] == [None] * 6
    assert None not in [cache.answer(question) for question in others]
    assert cache.answer(ask(NAME), owner=1) is not None
    assert cache.counted(ENTRIES) == 2
    assert cache.counted(EVICTED) == 0
    assert cache.forget(NAME) == 0


def test_many_names_are_forgotten_at_once(cache):
    fill(cache, range(6))
    long = b"N" * (MAX_NAME_OCTETS + 1)
    forgotten = cache.forget(named(1), long, named(3), b"", named(99), named(5))
    assert forgotten == 3
    cache.check()
    assert known(cache, range(6)) == [0, 2, 4]


def test_a_name_of_another_owner_is_another_name(cache):
    assert cache.learn(ask(NAME), found(NAME, b"0"), owner=0)
    assert cache.learn(ask(NAME), found(NAME, b"1"), owner=1)
    for owner in (0, 1):
        answer = cache.answer(ask(NAME), owner=owner)
        assert answer is not None
        assert answer.endswith(b"%d" % owner + bytes(4))
    assert cache.forget(NAME, owner=1) == 1
    assert cache.answer(ask(NAME), owner=0) is not None
    assert cache.answer(ask(NAME), owner=1) is None
    cache.check()


def test_forgetting_everything_is_for_one_owner(cache):
    fill(cache, range(5))
    assert cache.learn(ask(NAME), found(NAME), owner=1)
    cache.forget_all()
    assert known(cache, range(5)) == []
    assert cache.answer(ask(NAME), owner=1) is not None
    fill(cache, (1, 3))
    assert known(cache, range(5)) == [1, 3]
    cache.check()


def test_what_was_forgotten_with_everything_does_not_come_back(cache):
    fill(cache, range(3))
    for _ in range(3):
        cache.forget_all()
        assert known(cache, range(3)) == []
        fill(cache, (0,))
        assert known(cache, range(3)) == [0]
    assert cache.forget(named(0)) == 1 + 3
    cache.check()


@pytest.mark.parametrize("transport", [UDP, TCP])
@pytest.mark.parametrize("kind", range(CLASSES))
def test_hits_are_counted_by_owner_transport_and_class(cache, transport, kind):
    question = ask(NAME)
    assert cache.learn(question, found(NAME), kind, owner=1)
    for _ in range(3):
        assert cache.answer(question, owner=1, transport=transport) is not None
        assert cache.answer(question, owner=0, transport=transport) is None
    counted = cache.packets.counters.copy()
    assert counted[1, transport * CLASSES + kind] == 3
    assert counted[1, : 2 * CLASSES].sum() == 3
    assert counted[0].sum() == 0


def test_an_answer_for_which_there_is_no_room_is_not_given(cache):
    assert cache.learn(ask(NAME), found(NAME))
    size = len(found(NAME))
    assert cache.answer(ask(NAME), room=size - 1) is None
    assert cache.counted(0) == 0
    cache.check()
    assert cache.answer(ask(NAME), room=size) is not None


REPLIES_NOT_KEPT = {
    "short": reply(b"", code=100)[:-1],
    "signed": reply(b"", code=100)[:-4] + b"\0\0\0\1",
    "cut": reply(b"body", code=100)[:-5] + bytes(4),
    "longer than it says": reply(b"body", code=100) + bytes(4),
    "with a body longer than it says": of_lengths(3),
    "of an old version": b"\2\4\2\x0b" + reply(b"", code=100)[4:],
    "of version 1": b"\1\x0b" + reply(b"", code=100)[2:],
}


@pytest.mark.parametrize("kind", REPLIES_NOT_KEPT)
def test_a_reply_that_could_not_be_put_together_again_is_not_kept(cache, kind):
    assert not cache.learn(ask(NAME), REPLIES_NOT_KEPT[kind], NOT_FOUND)
    assert cache.answer(ask(NAME)) is None
    cache.check()


@pytest.mark.parametrize(
    "name", [NAME, NAME + b"0", NAME[:-1], b"N" * 500, b"88.100.1/p1"]
)
def test_a_reply_that_ought_to_repeat_the_name_and_does_not_is_not_kept(cache, name):
    body = blob(b"88.100.1/P3") + b"values"
    assert not cache.learn(ask(name), reply(body), 0)
    assert not cache.learn(ask(name), reply(b""), 0)
    assert cache.answer(ask(name)) is None
    cache.check()


def test_the_longest_answer_is_kept_and_a_longer_one_is_not(cache):
    assert not cache.learn(ask(NAME), of_size(MAX_REPLY_OCTETS + 1), NOT_FOUND)
    assert cache.answer(ask(NAME)) is None
    assert cache.learn(ask(NAME), of_size(MAX_REPLY_OCTETS), NOT_FOUND)
    assert cache.answer(ask(NAME)) is not None
    cache.check()


def test_the_longest_question_is_kept_and_a_longer_one_is_not(cache):
    name = b"N" * MAX_NAME_OCTETS
    kind = b"T" * (MAX_REST_OCTETS - 4 - 8 - 4)
    longest = ask(name, types=(kind,))
    assert len(longest) == layout.MAX_QUESTION_OCTETS
    assert cache.learn(longest, of_size(MAX_REPLY_OCTETS), NOT_FOUND)
    cache.check()
    assert cache.answer(longest) is not None
    assert not cache.learn(ask(name + b"N"), absent(), NOT_FOUND)
    assert not cache.learn(ask(NAME, types=(kind + b"T",)), absent(), NOT_FOUND)
    assert cache.forget(name) == 1


def test_an_entry_of_more_than_a_quarter_of_the_ring_is_not_kept(kernels):
    cache = make(kernels, arena_octets=4096)
    capacity = 4096 // 8 - layout.ENTRY_HEAD
    key = layout.KEY_HEAD + 2 + 2
    most = (capacity // 4 - layout.ENTRY_HEAD - key) * 8
    most += layout.HANDLE_HEAD_OCTETS + layout.CREDENTIAL_OCTETS
    assert cache.learn(ask(NAME), of_size(most), NOT_FOUND)
    assert cache.counted(ENTRIES) == 1
    cache.learn(ask(NAME + b"2"), of_size(most + 1), NOT_FOUND)
    assert cache.counted(ENTRIES) == 1
    cache.check()


def test_when_the_ring_is_full_the_oldest_give_way(kernels):
    cache = make(kernels, arena_octets=4096, slots=512)
    for number in range(200):
        fill(cache, (number,))
        assert cache.counted(ENTRIES) + cache.counted(EVICTED) == number + 1
    left = known(cache, range(200))
    assert left == list(range(left[0], 200))
    assert 20 < len(left) < 40
    assert cache.counted(ENTRIES) == len(left)


@pytest.mark.parametrize("size", [*range(0, 64, 8), 200, 500])
def test_the_ring_closes_at_every_size_of_entry(kernels, size):
    cache = make(kernels, arena_octets=4096, slots=512)
    for number in range(150):
        fill(cache, (number,), size=size)
        assert known(cache, (number,)) == [number]
    assert cache.counted(EVICTED) == 150 - cache.counted(ENTRIES)


def test_entries_of_all_sizes_share_the_ring(kernels):
    cache = make(kernels, arena_octets=4096, slots=512)
    for number in range(400):
        fill(cache, (number,), size=number * 37 % 600)
        assert known(cache, (number,)) == [number]
    assert cache.counted(EVICTED) == 400 - cache.counted(ENTRIES)


def test_what_is_asked_for_goes_round_once_more(kernels):
    cache = make(kernels, arena_octets=4096, slots=512)
    fill(cache, (1000,))
    for number in range(300):
        assert known(cache, (1000,)) == [1000]
        fill(cache, (number,))
    assert known(cache, (1000,)) == [1000]


def test_what_was_asked_for_once_goes_round_once_only(kernels):
    lives = []
    for asked in (False, True):
        cache = make(kernels, arena_octets=4096, slots=512)
        fill(cache, (1000,))
        assert known(cache, (1000,) if asked else ()) == [1000] * asked
        life = 0
        while any(_is_named(cache, entry, 1000) for entry in cache.entries()):
            fill(cache, (life,))
            life += 1
        lives.append(life)
    assert 1.8 < lives[1] / lives[0] < 2.2


def _is_named(cache: PacketCache, entry: int, number: int) -> bool:
    return name_of(cache.packets, entry) == named(number)


def test_what_is_out_of_date_does_not_go_round_again(kernels):
    cache = make(kernels, arena_octets=4096, slots=512)
    fill(cache, range(10))
    assert known(cache, range(10)) == list(range(10))
    cache.forget_all()
    fill(cache, range(100, 140))
    assert not any(
        _is_named(cache, entry, number)
        for entry in cache.entries()
        for number in range(10)
    )


def test_a_ring_full_of_what_is_asked_for_still_takes_more(kernels):
    cache = make(kernels, arena_octets=4096, slots=512)
    for number in range(300):
        fill(cache, (number,))
        asked = range(max(0, number - 50), number + 1)
        assert number in known(cache, asked)
    assert cache.counted(EVICTED) == 300 - cache.counted(ENTRIES)


def test_the_ninth_name_in_a_bucket_takes_the_place_of_one_not_asked_for(kernels):
    cache = make(kernels, slots=ONE_BUCKET)
    fill(cache, range(8))
    asked = [0, 1, 2, 4, 5, 6, 7]
    assert known(cache, asked) == asked
    fill(cache, (8,))
    assert sorted(_left(cache, range(9))) == [*asked, 8]
    assert cache.counted(EVICTED) == 1
    assert cache.counted(ENTRIES) == 8


def test_the_ninth_name_in_a_bucket_takes_the_place_of_one_out_of_date(kernels):
    cache = make(kernels, slots=ONE_BUCKET)
    assert cache.learn(ask(named(0)), absent(), NOT_FOUND, owner=1)
    cache.forget_all(owner=1)
    fill(cache, range(7))
    fill(cache, (7,))
    assert known(cache, range(8)) == list(range(8))
    assert cache.counted(EVICTED) == 0
    assert cache.counted(EVICTED, owner=1) == 1


def test_a_bucket_full_of_what_is_asked_for_takes_one_in_turn(kernels):
    cache = make(kernels, slots=ONE_BUCKET)
    fill(cache, range(8))
    for number in range(8, 40):
        assert len(known(cache, range(number))) == 8
        fill(cache, (number,))
        assert known(cache, (number,)) == [number]
    left = _left(cache, range(40))
    assert len(left) == 8
    assert min(left) > 20, "turns pass over one of the places"


def _left(cache: PacketCache, numbers) -> list[int]:
    """Tell which names are there, without asking for them."""
    return [
        number
        for number in numbers
        if any(_is_named(cache, entry, number) for entry in cache.entries())
    ]


def test_two_names_with_one_tag_are_told_apart(kernels):
    cache = make(kernels, slots=ONE_BUCKET)
    fill(cache, range(8))
    slots, words = cache.packets.slots, cache.packets.arena_words
    whole = slots.copy()
    for number in range(8):
        question = ask(named(number))
        (own,) = [s for s in whole if _is_named(cache, int(s) & layout.MASK32, number)]
        slots[:] = [int(s) & layout.MASK32 | int(own) >> 32 << 32 for s in whole]
        assert cache.answer(question) is not None
        visited = [s for s in whole if words[int(s) & layout.MASK32] & VISITED]
        assert own in visited
        assert len(visited) == number + 1
    slots[:] = whole
    cache.check()


def test_forgetting_looks_at_more_than_a_tag(kernels):
    cache = make(kernels, slots=ONE_BUCKET)
    names = [b"AB", b"AB\0", b"AC", b"AB" + b"C" * 9]
    asked = [(name, owner) for name in names for owner in (0, 1)]
    for name, owner in asked:
        assert cache.learn(ask(name), absent(), NOT_FOUND, owner=owner)
    slots = cache.packets.slots
    whole = slots.copy()
    for number, (name, owner) in enumerate(asked):
        (own,) = [slot for slot in whole if _belongs(cache, slot, name, owner)]
        slots[:] = [int(slot) & layout.MASK32 | int(own) >> 32 << 32 for slot in whole]
        assert cache.forget(name, owner=owner) == 1, number
        gone = [n for n in range(8) if not slots[n]]
        assert [int(whole[n]) for n in gone] == [int(own)]
        cache.packets.counters[owner, ENTRIES] += 1
    slots[:] = whole
    cache.check()


def _belongs(cache: PacketCache, slot: int, name: bytes, owner: int) -> bool:
    entry = int(slot) & layout.MASK32
    found = packet_cache.owner_of(cache.packets, entry)
    return (name_of(cache.packets, entry), int(found)) == (name, owner)


def test_a_bucket_that_is_locked_is_not_waited_for(kernels):
    cache = make(kernels, slots=ONE_BUCKET)
    fill(cache, (1,))
    cache.packets.locks[0] = 1
    assert cache.answer(ask(named(1))) is None
    assert cache.packets.locks[0] == 1, "somebody else's lock"
    cache.packets.locks[0] = 0
    assert cache.answer(ask(named(1))) is not None


# DNS: the same cache, with keys and splices of its own.


def dns_message(name: bytes, ident: bytes = b"\0\7", flags: bytes = b"\1\0") -> bytes:
    return ident + flags + b"\0\1" + bytes(6) + name + b"\0\x10\0\1"


def test_a_dns_reply_is_given_with_the_id_and_the_spelling_of_the_query(cache):
    owner = cache.add_owner(dns=True)
    name, other = b"\2p1\4idis\4test\0", b"\2P1\4IDIS\4Test\0"
    answer = dns_message(name, flags=b"\x85\0") + b"records"
    assert cache.learn(dns_message(name), answer, 5, owner=owner)
    cache.check()
    got = cache.answer(dns_message(other, b"\xab\xcd"), owner=owner)
    assert got == dns_message(other, b"\xab\xcd", b"\x85\0") + b"records"
    assert cache.counted(5, owner=owner) == 1
    assert cache.answer(dns_message(name, flags=b"\0\0"), owner=owner) is None
    assert cache.answer(dns_message(name)) is None, "another's"
    assert cache.answer(ask(b"p1.idis.test"), owner=owner) is None


def test_a_dns_reply_may_be_as_long_as_any_and_expires(cache):
    owner = cache.add_owner(dns=True)
    query = dns_message(b"\2p1\0")
    longest = query + bytes(MAX_REPLY_OCTETS - len(query))
    assert not cache.learn(query, longest + b"x", 0, owner=owner)
    assert cache.learn(query, longest, 0, NOW_MICROSECONDS, owner=owner)
    assert cache.answer(query, NOW_MICROSECONDS - 1, owner=owner) == longest
    assert cache.answer(query, NOW_MICROSECONDS, owner=owner) is None
    cache.forget_all(owner=owner)
    assert cache.answer(query, NOW_MICROSECONDS - 1, owner=owner) is None
    cache.check()


def test_names_spread_over_all_buckets():
    cache = make(PLAIN, slots=1024)
    key = layout.make_key()
    counts = np.zeros(128, np.int64)
    tags = set()
    for number in range(2000):
        octets = np.frombuffer(ask(named(number)), np.uint8)
        assert read_handle_question(octets, 0, octets.size, 0, 0, 0, key)
        hashed = int(packet_cache.hash_name(key))
        assert 0 <= hashed < 1 << 63
        tags.add(hashed >> 32)
        counts[packet_cache.bucket_of(cache.packets, hashed) // 8] += 1
    assert len(tags) >= 1999
    # Mean 15.6, deviation 4: a sound hash stays far within.
    assert counts.min() > 1
    assert counts.max() < 40


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("learn", "learn", "learn", "ask", "ask", "forget", "all")),
        st.integers(0, 12),
        st.integers(0, 2),
        st.sampled_from((0, 0, 30, 90, 250)),
        st.booleans(),
    ),
    max_size=60,
)


@settings(deadline=None, max_examples=60)
@given(steps=STEPS, slots=st.sampled_from((8, 16, 256)))
def test_compiled_kernels_leave_the_same_memory_as_plain_ones(steps, slots):
    caches = [
        make(kernels_of(kind), arena_octets=4096, slots=slots, owners=3)
        for kind in BOTH
    ]
    for step in steps:
        did = [_do(cache, *step) for cache in caches]
        assert did[0] == did[1], step
        for cache in caches:
            cache.check()
        for plain, compiled in zip(caches[0].packets, caches[1].packets, strict=True):
            assert np.array_equal(plain, compiled), step


def _do(cache: PacketCache, step: str, number: int, owner: int, size: int, flag: bool):
    question = ask(named(number), indexes=(1,) if flag else ())
    match step:
        case "learn":
            expires = NOW_MICROSECONDS + (1 if flag else 0)
            return cache.learn(
                question, absent(size=size), NOT_FOUND, expires, owner=owner
            )
        case "ask":
            return cache.answer(question, owner=owner)
        case "forget":
            return cache.forget(named(number), named(number + 1), owner=owner)
        case _:
            return cache.forget_all(owner=owner)


def test_the_check_of_these_tests_finds_what_is_wrong(kernels):
    cache = make(kernels)
    fill(cache, range(3))
    for spoil in (_lose_count, _lead_nowhere, _lead_twice, _keep_lock, _grow):
        broken = layout.Packets(*(array.copy() for array in cache.packets))
        check_packets(broken)
        spoil(broken)
        with pytest.raises(AssertionError):
            check_packets(broken)


def _lose_count(packets):
    packets.counters[0, ENTRIES] -= 1


def _lead_nowhere(packets):
    packets.slots[np.flatnonzero(packets.slots)[0]] += 1


def _lead_twice(packets):
    at = np.flatnonzero(packets.slots)[0]
    packets.slots[at ^ 1] = packets.slots[at]


def _keep_lock(packets):
    packets.locks[0] = 1


def _grow(packets):
    packets.state[layout.USED] += 1


def test_expirations_of_these_tests_are_to_come():
    assert EXPIRATION > NOW
