"""The state map's engines: one suite for the plain and the compiled one."""

import threading

import pytest

from chain_anchor.buckets import Draft
from chain_anchor.errors import AnchorError, CorruptLogError, EntryError, FormatError
from chain_anchor.leaves import (
    LEAF_OCTETS,
    MAX_LEAVES,
    Digests,
    read_leaves,
    write_bucket,
)
from chain_anchor.statemap import EMPTY_ROOT, MapProof, State
from chain_anchor.upper import place_of, read_place
from tests.anchor_engines import (
    ENGINES,
    Map,
    delete,
    key_of,
    make_engine,
    near,
    register,
    verify,
)

# Kernels may have to be compiled first.
pytestmark = pytest.mark.timeout(120)


@pytest.fixture(params=ENGINES)
def engine(request):
    return make_engine(request.param)


@pytest.fixture
def state_map(engine):
    return Map(engine)


@pytest.fixture(params=ENGINES)
def another(request):
    return make_engine(request.param)


def registrations(count, start=0):
    return [register(key_of(number)) for number in range(start, start + count)]


def test_the_empty_map_has_its_own_root_and_proves_every_absence(engine):
    assert engine.root == EMPTY_ROOT
    assert engine.count == 0
    assert engine.places([key_of(1)]) == [place_of(0, 0)]
    asked = []
    assert engine.prove(key_of(1), asked.append) == (None, MapProof((), None))
    assert asked == []
    engine.load([])
    assert engine.root == EMPTY_ROOT


def test_one_key_is_one_bucket(state_map):
    sealed = state_map.group(register(key_of(1), b""))
    ((place, value),) = sealed.puts
    assert place == place_of(0, 0)
    assert len(value) == 32 + LEAF_OCTETS
    assert value[:32] == sealed.root
    state, proof = state_map.prove(key_of(1))
    assert state == State(1, 1, 0, sealed.leaf_hashes)
    assert proof == MapProof((), None)
    state, proof = state_map.prove(key_of(2))
    assert state is None
    assert proof.neighbour is not None


def test_a_group_without_changes_changes_nothing(state_map):
    state_map.group(*registrations(100))
    before = state_map.engine.root
    sealed = state_map.group()
    assert sealed == ((), b"", [], before, 100)


def test_a_first_group_without_changes_leaves_the_map_empty(state_map):
    assert state_map.group() == ((), b"", [], EMPTY_ROOT, 0)


def test_versions_go_on_over_deletion_and_registration_anew(state_map):
    key = key_of(1)
    for number, draft in enumerate(
        (register(key), register(key, b"other"), delete(key), register(key))
    ):
        state_map.group(draft, *registrations(3, 10 + 3 * number))
        state, _ = state_map.prove(key)
        assert state.version == number + 1
        assert state.state == draft.state
        assert state.index == 4 * number


def test_one_group_changes_a_key_several_times(state_map):
    key = key_of(1)
    state_map.group(*registrations(60, 2))
    state_map.group(
        register(key), register(key_of(9)), delete(key), register(key, b"third")
    )
    state, _ = state_map.prove(key)
    assert state == state_map.reference.get(key)
    assert state.version == 3


def test_a_bucket_is_split_when_it_has_one_leaf_too_many(state_map):
    state_map.group(*registrations(MAX_LEAVES))
    assert list(state_map.table) == [place_of(0, 0)]
    sealed = state_map.group(register(key_of(MAX_LEAVES)))
    assert sealed.puts[0] == (place_of(0, 0), None)
    assert list(state_map.table) == [place_of(0, 1), place_of(1 << 63, 1)]


def test_a_big_group_splits_several_levels_at_once(state_map, another):
    sealed = state_map.group(*registrations(1500))
    depths = {read_place(place)[1] for place in state_map.table}
    assert max(depths) >= 6
    assert all(value is not None for _, value in sealed.puts)
    sealed = state_map.group(*registrations(3000, 1000))
    assert any(value is None for _, value in sealed.puts)
    for number in range(0, 5000, 97):
        state_map.prove(key_of(number))
    state_map.reloaded(another).check()


@pytest.mark.parametrize("shared_bits", [1, 7, 8, 62, 63, 64, 65, 200, 240])
def test_keys_that_share_long_prefixes(state_map, another, shared_bits):
    keys = [near(shared_bits, number) for number in range(80)]
    others = [key_of(number) for number in range(1, 30)]
    state_map.group(*map(register, keys[:20]))
    state_map.group(*map(register, others))
    state_map.group(*map(register, keys[10:]))
    state_map.group(*map(delete, keys[::3]))
    for key in (*keys, *others, near(shared_bits, 500), near(shared_bits - 1, 501)):
        state_map.prove(key)
    reloaded = state_map.reloaded(another)
    reloaded.check()
    reloaded.group(register(near(shared_bits, 400)), *map(register, keys[::7]))


def test_a_bucket_at_the_greatest_depth_takes_any_number(state_map):
    keys = [near(100, number) for number in range(200)]
    state_map.group(*map(register, keys))
    ((place, value),) = state_map.table.items()
    assert read_place(place)[1] == 64
    assert len(value) == 32 + 200 * LEAF_OCTETS
    state_map.group(*map(delete, keys[:150]))
    state_map.prove(keys[3])
    state_map.prove(near(99, 777))


def test_the_first_and_the_last_key_there_can_be(state_map):
    first, last = bytes(32), b"\xff" * 32
    state_map.group(register(last), register(first))
    state_map.group(*registrations(100))
    for key in (first, last, b"\x00" * 31 + b"\x01", b"\xff" * 31 + b"\xfe"):
        state_map.prove(key)


def test_how_keys_came_does_not_matter(engine, another):
    drafts = registrations(300)
    at_once, one_by_one = Map(engine), Map(another)
    at_once.group(*drafts)
    for start in range(0, 300, 7):
        one_by_one.group(*drafts[start : start + 7])
    assert list(at_once.table) == sorted(at_once.table)
    assert at_once.table == one_by_one.table


def test_two_engines_go_on_from_one_table_alike(state_map, another):
    state_map.group(*registrations(500))
    other = state_map.reloaded(another)
    drafts = [*registrations(300, 350), delete(key_of(3)), register(key_of(3))]
    sealed = state_map.seal(*drafts)
    assert other.seal(*drafts) == sealed
    other.engine.check()


def test_the_same_place_of_many_keys_is_told_for_each(state_map):
    state_map.group(*registrations(400))
    keys = [key_of(number) for number in range(0, 800, 3)]
    places = state_map.engine.places(keys)
    for key, place in zip(keys, places, strict=True):
        prefix, depth = read_place(place)
        assert int.from_bytes(key[:8]) >> (64 - depth) == prefix >> (64 - depth)
        assert place in state_map.table
    assert state_map.engine.places([]) == []


def test_a_side_without_keys_has_a_place_but_no_bucket(state_map):
    keys = [b"\x80" + key_of(number)[1:] for number in range(30)]
    state_map.group(*map(register, keys))
    (place,) = state_map.engine.places([bytes(32)])
    assert place == place_of(0, 1)
    assert place not in state_map.table
    state_map.prove(bytes(32))
    state_map.group(register(bytes(32)))
    assert place in state_map.table


# Sealing, publishing, reverting


def test_a_sealed_group_is_not_seen_before_it_is_published(state_map):
    state_map.group(*registrations(200))
    engine, before = state_map.engine, state_map.engine.root
    sealed = state_map.seal(delete(key_of(7)), *registrations(200, 200))
    assert engine.root == before != sealed.root
    assert engine.count == 200
    for key in (key_of(7), key_of(8), key_of(333)):
        state, proof = engine.prove(key, state_map.get)
        assert state == state_map.reference.get(key)
        verify(before, key, state, proof)
    engine.check()
    state, proof = engine.prove(key_of(7), state_map.get)
    verify(before, key_of(7), state, proof)
    state_map.write(sealed)
    engine.publish()
    assert engine.root == sealed.root
    state, proof = engine.prove(key_of(333), state_map.get)
    verify(sealed.root, key_of(333), state, proof)


def test_keys_are_proved_while_another_thread_seals(state_map):
    state_map.group(*registrations(400))
    engine, table, before = (
        state_map.engine,
        dict(state_map.table),
        state_map.engine.root,
    )
    problems = []

    def seal():
        try:
            for start in range(0, 3000, 300):
                state_map.seal(*registrations(1500, start), delete(key_of(start // 9)))
                engine.check()
                engine.revert()
        except Exception as error:  # noqa: BLE001 (told below)
            problems.append(error)

    thread = threading.Thread(target=seal)
    thread.start()
    proved = 0
    while thread.is_alive() or proved < 100:
        key = key_of(proved * 7 % 500)
        state, proof = engine.prove(key, table.get)
        assert state == state_map.reference.get(key)
        verify(before, key, state, proof)
        proved += 1
    thread.join()
    assert problems == []


def test_a_reverted_group_leaves_nothing_behind(state_map):
    state_map.group(*registrations(200))
    group = [delete(key_of(7)), *registrations(200, 200)]
    first = state_map.seal(*group)
    state_map.engine.revert()
    state_map.check()
    assert state_map.seal(*group) == first
    state_map.engine.revert()
    for start in range(0, 2000, 200):
        state_map.seal(*registrations(200, start))
        state_map.engine.revert()
    state_map.group(*group)
    for key in (key_of(7), key_of(350), key_of(999)):
        state_map.prove(key)


def test_a_reverted_first_group_leaves_the_map_empty(state_map):
    state_map.seal(*registrations(50))
    state_map.engine.revert()
    assert state_map.engine.root == EMPTY_ROOT
    state_map.group(*registrations(3))


def test_reverting_without_a_group_does_nothing(state_map):
    state_map.group(*registrations(5))
    state_map.engine.revert()
    state_map.check()


def test_a_group_must_be_published_or_reverted_before_the_next(state_map):
    state_map.seal(*registrations(3))
    with pytest.raises(AnchorError, match="published nor reverted"):
        state_map.seal(*registrations(3))
    state_map.engine.check()


def test_without_a_group_there_is_nothing_to_publish_or_check(engine):
    with pytest.raises(AnchorError, match="no group"):
        engine.publish()
    with pytest.raises(AnchorError, match="no group"):
        engine.check()


# What is refused


@pytest.mark.parametrize(
    ("draft", "problem"),
    [
        (Draft(key_of(1), 0, b""), "state 0"),
        (Draft(key_of(1), 3, b""), "state 3"),
        (Draft(key_of(1)[:31], 1, b""), "31 octets"),
        (Draft(key_of(1) + b"\x00", 1, b""), "33 octets"),
        (Draft(key_of(1), 1, bytes(65535 - 81)), "65536 octets"),
    ],
)
def test_a_draft_that_makes_no_entry_is_refused(state_map, draft, problem):
    state_map.group(*registrations(40))
    with pytest.raises(EntryError, match=problem):
        state_map.engine.seal(40, [register(key_of(50)), draft], dict(state_map.table))
    state_map.group(register(key_of(50)))


@pytest.mark.parametrize("octets", [0, 31, 33])
def test_what_is_no_map_key_has_no_place_and_no_proof(state_map, octets):
    state_map.group(*registrations(40))
    with pytest.raises(FormatError, match=f"{octets} octets"):
        state_map.engine.places([key_of(1), bytes(octets)])
    with pytest.raises(FormatError, match=f"{octets} octets"):
        state_map.engine.prove(bytes(octets), state_map.get)


def test_the_longest_body_fits(state_map):
    (entry,) = state_map.group(register(key_of(1), bytes(65535 - 82))).entries
    assert len(entry) == 65535


@pytest.mark.parametrize("first_index", [-1, 2**63 - 1])
def test_an_index_that_no_log_has_is_refused(engine, first_index):
    with pytest.raises(EntryError, match="first index"):
        engine.seal(first_index, [register(key_of(1))], {})


def test_great_indexes_are_as_good_as_small_ones(state_map):
    state_map.size = 2**63 - 10
    state_map.group(register(key_of(1)), register(key_of(1)))
    state_map.group(register(key_of(1)))
    state_map.prove(key_of(1))


def test_buckets_that_are_not_needed_are_not_looked_at(state_map):
    state_map.group(*registrations(300))
    broken = {place: bytes(len(value)) for place, value in state_map.table.items()}
    draft = register(key_of(5))
    sealed = state_map.engine.seal(300, [draft], broken | state_map.read([draft]))
    assert len(sealed.puts) == 1


def test_every_flipped_bit_of_a_bucket_is_found_when_it_is_changed(state_map):
    state_map.group(*registrations(5))
    state_map.group(register(key_of(1)))
    ((place, value),) = state_map.table.items()
    before = state_map.engine.root
    for at in range(len(value)):
        for bit in (0x01, 0x80):
            broken = bytearray(value)
            broken[at] ^= bit
            with pytest.raises(CorruptLogError):
                state_map.engine.seal(6, [delete(key_of(2))], {place: bytes(broken)})
    assert state_map.engine.root == before
    state_map.group(delete(key_of(2)))


def test_a_flipped_bit_is_found_in_any_bucket_of_a_group(state_map):
    state_map.group(*registrations(600))
    drafts = registrations(300, 500)
    buckets = state_map.read(drafts)
    for number, (place, value) in enumerate(buckets.items()):
        broken = bytearray(value)
        broken[number * 31 % len(value)] ^= 1 << number % 8
        with pytest.raises(CorruptLogError) as caught:
            state_map.engine.seal(600, drafts, buckets | {place: bytes(broken)})
        assert caught.value.table == "log_map"
        assert caught.value.key == place
    state_map.group(*drafts)


@pytest.mark.parametrize(
    "break_it",
    [
        lambda value: b"",
        lambda value: value[:32],
        lambda value: value[:-1],
        lambda value: value + b"\x00",
        lambda value: value[:-LEAF_OCTETS],
        lambda value: value + value[-LEAF_OCTETS:],
        lambda value: value[:32] + value[32:] * 3,
        lambda value: value[:32] + value[32 + LEAF_OCTETS :] + value[32:113],
        lambda value: value[:32] + value[113:194] + value[32:113] + value[194:],
    ],
)
def test_a_bucket_of_another_form_is_found(state_map, break_it):
    state_map.group(*registrations(20))
    ((place, value),) = state_map.table.items()
    with pytest.raises(CorruptLogError):
        state_map.engine.seal(20, [register(key_of(2))], {place: break_it(value)})
    with pytest.raises(CorruptLogError):
        state_map.engine.prove(key_of(2), lambda _: break_it(value))


def test_a_bucket_of_before_is_found(state_map):
    state_map.group(*registrations(20))
    ((place, old),) = state_map.table.items()
    state_map.group(register(key_of(3)))
    with pytest.raises(CorruptLogError, match="written was"):
        state_map.engine.seal(21, [register(key_of(3))], {place: old})
    with pytest.raises(CorruptLogError, match="written was"):
        state_map.engine.prove(key_of(3), {place: old}.get)


def test_a_missing_bucket_is_found(state_map):
    state_map.group(*registrations(20))
    with pytest.raises(CorruptLogError, match="missing"):
        state_map.engine.seal(20, [register(key_of(2))], {})
    with pytest.raises(CorruptLogError, match="missing"):
        state_map.engine.prove(key_of(2), lambda _: None)


def test_a_bucket_that_the_trie_does_not_know_is_found(engine):
    other = Map(make_engine("plain"))
    other.group(*registrations(5))
    with pytest.raises(CorruptLogError, match="there"):
        engine.seal(0, [register(key_of(2))], other.table)


def test_a_flipped_bit_is_found_when_a_key_is_proved(state_map):
    state_map.group(*registrations(5))
    ((_, value),) = state_map.table.items()
    for at in range(len(value)):
        broken = bytearray(value)
        broken[at] ^= 0x10
        for key in (key_of(1), key_of(77)):
            with pytest.raises(CorruptLogError):
                state_map.engine.prove(key, lambda _, octets=bytes(broken): octets)


# Loading


def test_a_table_that_lost_or_changed_a_bucket_gives_another_root(state_map, another):
    state_map.group(*registrations(300))
    for place, value in state_map.table.items():
        lost = {p: v for p, v in state_map.table.items() if p != place}
        another.load(sorted(lost.items()))
        assert another.root != state_map.engine.root
        changed = state_map.table | {place: bytes([value[0] ^ 1]) + value[1:]}
        another.load(sorted(changed.items()))
        assert another.root != state_map.engine.root


def leafy(count=1):
    return bytes(32 + count * LEAF_OCTETS)


@pytest.mark.parametrize(
    ("items", "problem"),
    [
        ([(place_of(0, 0)[:8], leafy())], "8 octets"),
        ([(place_of(0, 0) + b"\x00", leafy())], "10 octets"),
        ([(place_of(0, 65), leafy())], "depth 65"),
        ([(place_of(0, 255), leafy())], "depth 255"),
        ([(place_of(1, 63), leafy())], "more than 63 bits"),
        ([(place_of(1 << 63, 0), leafy())], "more than 0 bits"),
        ([(place_of(0, 0), leafy(0))], "32 octets"),
        ([(place_of(0, 0), b"")], "0 octets"),
        ([(place_of(0, 0), leafy() + b"\x00")], "114 octets"),
        ([(place_of(0, 0), leafy()), (place_of(0, 1), leafy())], "overlaps"),
        ([(place_of(0, 1), leafy()), (place_of(0, 1), leafy())], "overlaps"),
        ([(place_of(1 << 63, 1), leafy()), (place_of(0, 1), leafy())], "overlaps"),
        ([(place_of(0, 1), leafy()), (place_of(0, 2), leafy())], "overlaps"),
        (
            [(place_of(2**64 - 1, 64), leafy()), (place_of(2**64 - 1, 64), leafy())],
            "overlaps",
        ),
        (
            [(place_of(1 << 63, 1), leafy()), (place_of(2**64 - 1, 64), leafy())],
            "overlaps",
        ),
    ],
)
def test_a_table_that_is_none_is_refused(engine, items, problem):
    with pytest.raises(CorruptLogError, match=problem):
        engine.load(items)
    assert engine.root == EMPTY_ROOT
    Map(engine).group(*registrations(30))


def test_an_engine_can_be_loaded_again(state_map, another):
    state_map.group(*registrations(300))
    reloaded = state_map.reloaded(another)
    reloaded.seal(register(key_of(900)))
    again = state_map.reloaded(another)
    again.check()
    again.group(*registrations(100, 250))


def test_places_at_the_very_end_are_loaded(engine):
    value = leafy()
    engine.load([(place_of(0, 1), value), (place_of(2**64 - 1, 64), value)])
    assert engine.count == 2


# The second look


def tampered(engine, **changed):
    """Change what was sealed, as a fault of memory would."""
    pending = engine._pending
    engine._pending = pending._replace(sealed=pending.sealed._replace(**changed))
    with pytest.raises(CorruptLogError):
        engine.check()
    engine._pending = pending


def flipped(octets, at, bit=0):
    broken = bytearray(octets)
    broken[at] ^= 1 << bit
    return bytes(broken)


@pytest.fixture
def sealed(state_map):
    """Seal a group with all that can happen in one."""
    state_map.group(*registrations(90))
    return state_map.seal(
        *registrations(12, 84),
        delete(key_of(3)),
        register(key_of(3)),
        delete(key_of(5)),
    )


def test_the_second_look_finds_any_flipped_bit_of_an_entry(engine, sealed):
    for number in (0, 11, 12, 13, 14):
        for at in range(len(sealed.entries[number])):
            entries = list(sealed.entries)
            entries[number] = flipped(entries[number], at, at % 8)
            tampered(engine, entries=tuple(entries))
    engine.check()


def test_the_second_look_finds_any_flipped_bit_of_a_leaf_hash(engine, sealed):
    for at in range(len(sealed.leaf_hashes)):
        tampered(engine, leaf_hashes=flipped(sealed.leaf_hashes, at, at % 8))


def test_the_second_look_finds_any_flipped_bit_of_a_bucket(engine, sealed):
    for number, (place, value) in enumerate(sealed.puts):
        if value is None:
            continue
        for at in range(0, len(value), 5):
            puts = list(sealed.puts)
            puts[number] = place, flipped(value, at, at % 8)
            tampered(engine, puts=puts)


def test_the_second_look_finds_any_flipped_bit_of_a_place(engine, sealed):
    assert any(value is None for _, value in sealed.puts)
    for number, (place, value) in enumerate(sealed.puts):
        for bit in range(72):
            puts = list(sealed.puts)
            puts[number] = flipped(place, bit // 8, bit % 8), value
            tampered(engine, puts=puts)


def test_the_second_look_finds_another_root_or_count(engine, sealed):
    for at in range(32):
        tampered(engine, root=flipped(sealed.root, at))
    tampered(engine, count=sealed.count + 1)
    tampered(engine, count=sealed.count - 1)
    tampered(engine, leaf_hashes=sealed.leaf_hashes[:-32])
    tampered(engine, leaf_hashes=sealed.leaf_hashes + bytes(32))


def test_the_second_look_finds_what_is_missing_or_too_much(engine, sealed):
    for number, put in enumerate(sealed.puts):
        tampered(engine, puts=sealed.puts[:number] + sealed.puts[number + 1 :])
        tampered(engine, puts=[*sealed.puts[:number], put, *sealed.puts[number:]])
    for number in range(len(sealed.entries)):
        hashes = sealed.leaf_hashes
        tampered(
            engine,
            entries=sealed.entries[:number] + sealed.entries[number + 1 :],
            leaf_hashes=hashes[: 32 * number] + hashes[32 * number + 32 :],
        )


def test_the_second_look_finds_changes_in_another_order(engine, sealed):
    entries, hashes = list(sealed.entries), sealed.leaf_hashes
    entries[12], entries[13] = entries[13], entries[12]
    turned = hashes[:384] + hashes[416:448] + hashes[384:416] + hashes[448:]
    tampered(engine, entries=tuple(entries), leaf_hashes=turned)


def test_the_second_look_finds_a_leaf_that_got_lost(engine, sealed):
    """A bucket without one of its leaves, and with the root that the others give."""
    for number, (place, value) in enumerate(sealed.puts):
        if value is None:
            continue
        leaves = read_leaves(place, value)[1:]
        puts = list(sealed.puts)
        puts[number] = place, write_bucket(Digests().root(leaves), leaves)
        tampered(engine, puts=puts)


def test_the_second_look_at_a_group_without_changes(engine, state_map):
    state_map.group(*registrations(5))
    sealed = state_map.seal()
    engine.check()
    tampered(engine, root=EMPTY_ROOT)
    tampered(engine, count=4)
    tampered(engine, puts=[(place_of(0, 0), None)])
    tampered(engine, puts=list(state_map.table.items()))
    assert sealed.root == engine.root
