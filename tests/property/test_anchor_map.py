"""The state map over any keys: proofs hold for what is, and for nothing else."""

from hypothesis import given, settings, strategies as st

from chain_anchor.entries import decode_entry, encode_entry
from chain_anchor.errors import EntryError, ProofError
from chain_anchor.statemap import (
    EMPTY_ROOT,
    MapProof,
    ReferenceMap,
    State,
    bit_at,
    inner_hash,
    leaf_hash,
    root_of_leaves,
    verify_absence,
    verify_presence,
)

# Keys that share many bits are as likely as those that share none.
ONE_BITS = st.lists(st.integers(0, 255), max_size=3)
CLOSE = ONE_BITS.map(
    lambda bits: sum(1 << bit for bit in set(bits)).to_bytes(32),
)
KEYS = CLOSE | st.binary(min_size=32, max_size=32)
HASHES = st.binary(min_size=32, max_size=32)
STATES = st.builds(
    State,
    state=st.sampled_from([1, 2]),
    version=st.integers(1, 2**63 - 1),
    index=st.integers(0, 2**63 - 1),
    leaf_hash=HASHES,
)
PATHS = st.lists(st.tuples(st.integers(0, 255), HASHES), max_size=6).map(tuple)


@given(st.lists(st.tuples(KEYS, STATES), max_size=30), st.lists(KEYS, max_size=5))
def test_the_map_follows_its_changes_and_proves_what_it_holds(changes, others):
    states = ReferenceMap()
    model = {}
    for key, state in changes:
        states.put(key, state)
        model[key] = state
        leaves = sorted((k, s.value_hash()) for k, s in model.items())
        assert states.root() == root_of_leaves(leaves)
    root = states.root()
    for key in {*model, *others}:
        proof = states.prove(key)
        if key in model:
            verify_presence(root, key, model[key].value_hash(), proof.path)
            assert not _shows_absence(root, key, MapProof(proof.path, None))
        else:
            verify_absence(root, key, proof)
            assert not _shows_presence(root, key, EMPTY_ROOT, proof.path)


@given(st.dictionaries(KEYS, STATES, min_size=1, max_size=12), st.data())
def test_a_changed_proof_of_presence_is_refused(model, data):
    states = ReferenceMap()
    for key, state in model.items():
        states.put(key, state)
    key = data.draw(st.sampled_from(sorted(model)))
    proof = states.prove(key)
    value = model[key].value_hash()
    octets = bytearray(
        states.root()
        + key
        + value
        + b"".join(bytes((bit,)) + sibling for bit, sibling in proof.path)
    )
    place = data.draw(st.integers(0, len(octets) - 1))
    octets[place] ^= 1 << data.draw(st.integers(0, 7))
    root, key, value = (bytes(octets[start : start + 32]) for start in (0, 32, 64))
    path = tuple(
        (octets[start], bytes(octets[start + 1 : start + 33]))
        for start in range(96, len(octets), 33)
    )
    assert not _shows_presence(root, key, value, path)


@given(PATHS, KEYS, HASHES, st.none() | st.tuples(KEYS, HASHES), HASHES)
def test_any_proof_holds_or_is_refused(path, key, value, neighbour, root):
    _shows_presence(root, key, value, path)
    _shows_absence(root, key, MapProof(path, neighbour))


Tree = tuple[int, "Tree", "Tree"] | tuple[bytes, bytes]


@st.composite
def forged_trees(draw, lowest: int = 0) -> Tree:
    """Trees as a log that lies might hash them: any key at any place, even twice."""
    if lowest > 6 or draw(st.integers(0, 2)) == 0:
        key = draw(st.integers(0, 7)) << 253 | draw(st.integers(0, 1)) << 249
        return key.to_bytes(32), draw(HASHES)
    bit = draw(st.integers(lowest, 7))
    return bit, draw(forged_trees(bit + 1)), draw(forged_trees(bit + 1))


@settings(max_examples=200)
@given(forged_trees())
def test_no_root_proves_a_key_in_two_ways(tree):
    root, leaves = _leaves(tree)
    for key in {key for key, _, _ in leaves} | {bytes(32)}:
        # A set: equal leaves under equal nodes are one proof.
        shown = {
            leaf
            for leaf in leaves
            if (leaf[0] == key and _shows_presence(root, *leaf))
            or _shows_absence(root, key, MapProof(leaf[2], leaf[:2]))
        }
        assert len(shown) <= 1


@given(
    st.binary(max_size=300)
    | st.tuples(st.integers(1, 4), st.binary(max_size=300)).map(
        lambda parts: bytes((parts[0],)) + parts[1]
    )
)
def test_any_octets_are_an_entry_or_refused(octets):
    try:
        entry = decode_entry(octets)
    except EntryError:
        return
    assert encode_entry(entry) == octets


def _leaves(tree: Tree) -> tuple[bytes, list[tuple[bytes, bytes, tuple]]]:
    """Hash a tree; give its leaves, each with its path."""
    if len(tree) == 2:
        return leaf_hash(*tree), [(*tree, ())]
    bit, left, right = tree
    left_hash, left_leaves = _leaves(left)
    right_hash, right_leaves = _leaves(right)
    found = [
        (key, value, ((bit, right_hash), *path)) for key, value, path in left_leaves
    ] + [(key, value, ((bit, left_hash), *path)) for key, value, path in right_leaves]
    return inner_hash(bit, left_hash, right_hash), found


def _shows_presence(root: bytes, key: bytes, value: bytes, path: tuple) -> bool:
    try:
        verify_presence(root, key, value, path)
    except ProofError:
        return False
    return True


def _shows_absence(root: bytes, key: bytes, proof: MapProof) -> bool:
    try:
        verify_absence(root, key, proof)
    except ProofError:
        return False
    return True


def test_the_forged_trees_reach_both_answers():
    """What the trees above must not do together, each of them can do alone."""
    zeros, one = bytes(32), (1 << 255).to_bytes(32)
    root, leaves = _leaves((0, (zeros, one), (one, zeros)))
    assert bit_at(one, 0) == 1
    (_, value, path), _ = leaves
    assert _shows_presence(root, zeros, value, path)
    other = (1 << 249).to_bytes(32)
    assert _shows_absence(root, other, MapProof(path, (zeros, value)))
