"""The state map's engines under any history, in any groups."""

import pytest
from hypothesis import given, settings, strategies as st

from chain_anchor.buckets import Draft
from chain_anchor.errors import CorruptLogError
from tests.anchor_engines import ENGINES, Map, key_of, make_engine, near

# Kernels may have to be compiled first.
pytestmark = pytest.mark.timeout(120)

SHARED_BITS = (3, 30, 63, 64, 65, 150)

keys = st.one_of(
    st.builds(key_of, st.integers(0, 400)),
    st.builds(near, st.sampled_from(SHARED_BITS), st.integers(0, 60)),
    st.sampled_from([bytes(32), b"\xff" * 32]),
)
drafts = st.builds(
    Draft,
    keys,
    st.sampled_from([1, 1, 2]),
    st.binary(max_size=70) | st.just(bytes(300)),
)
many = st.integers(0, 300).flatmap(
    lambda start: st.integers(1, 200).map(
        lambda count: [
            Draft(key_of(number), 1, b"%d" % number)
            for number in range(start, start + count)
        ]
    )
)
crowded = st.sampled_from(SHARED_BITS).flatmap(
    lambda bits: st.integers(1, 60).map(
        lambda count: [Draft(near(bits, number), 1, b"") for number in range(count)]
    )
)
groups = st.lists(st.one_of(st.lists(drafts, max_size=12), many, crowded), max_size=6)


both = pytest.mark.parametrize("kind", ENGINES)


@both
@settings(max_examples=60, deadline=None)
@given(history=groups, reverted=st.sets(st.integers(0, 5)), asked=st.lists(keys))
def test_any_history_gives_the_map_that_is_defined(kind, history, reverted, asked):
    state_map = Map(make_engine(kind))
    for number, group in enumerate(history):
        if number in reverted:
            state_map.seal(*group)
            state_map.engine.revert()
        state_map.group(*group)
    for key in asked:
        state_map.prove(key)
    for other in ENGINES:
        reloaded = state_map.reloaded(make_engine(other))
        reloaded.check()
        reloaded.group(*(Draft(key, 2, b"last") for key in asked))


@both
@settings(max_examples=60, deadline=None)
@given(history=groups, data=st.data())
def test_any_change_of_a_bucket_is_found(kind, history, data):
    state_map = Map(make_engine(kind))
    for group in history:
        state_map.group(*group)
    if not state_map.table:
        return
    place = data.draw(st.sampled_from(sorted(state_map.table)))
    value = state_map.table[place]
    key = value[32:64]
    broken = data.draw(
        st.one_of(
            st.binary(max_size=300),
            st.integers(0, len(value) - 1).map(lambda at: value[:at]),
            st.integers(0, 8 * len(value) - 1).map(lambda bit: flipped(value, bit)),
            st.integers(0, len(value)).map(
                lambda at: value[:at] + b"\x00" + value[at:]
            ),
        ).filter(lambda octets: octets != value)
    )
    with pytest.raises(CorruptLogError):
        state_map.engine.seal(9, [Draft(key, 1, b"")], {place: broken})
    with pytest.raises(CorruptLogError):
        state_map.engine.prove(key, lambda _: broken)
    state_map.check()


def flipped(octets, bit):
    broken = bytearray(octets)
    broken[bit // 8] ^= 1 << bit % 8
    return bytes(broken)


places = st.one_of(
    st.binary(max_size=12),
    st.builds(
        lambda bits, depth: (
            (bits >> (64 - depth) << (64 - depth)).to_bytes(8) + bytes([depth])
        ),
        st.integers(0, 2**64 - 1),
        st.integers(0, 64),
    ),
)
values = st.integers(1, 3).map(lambda count: bytes(32 + 81 * count)) | st.binary(
    max_size=200
)


@settings(max_examples=200, deadline=None)
@given(items=st.dictionaries(places, values, max_size=6))
def test_any_table_is_loaded_alike_or_refused_alike(items):
    table = sorted(items.items())
    outcomes = []
    for kind in ENGINES:
        engine = make_engine(kind)
        try:
            engine.load(table)
        except CorruptLogError:
            outcomes.append("refused")
        else:
            outcomes.append((engine.root, engine.count))
    assert outcomes[0] == outcomes[1]
