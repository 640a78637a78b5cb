"""The state map: its hashes, its shape, and what its proofs refuse."""

import hashlib
from itertools import pairwise

import pytest

from chain_anchor.errors import FormatError, ProofError
from chain_anchor.statemap import (
    ACTIVE,
    DELETED,
    EMPTY_ROOT,
    MapProof,
    ReferenceMap,
    State,
    bit_at,
    first_difference,
    inner_hash,
    leaf_hash,
    map_key,
    root_of_leaves,
    verify_absence,
    verify_presence,
)

H = hashlib.sha256


def key_of(bits: str) -> bytes:
    """A key that begins with these bits, and goes on with zeros."""
    return int(bits.ljust(256, "0"), 2).to_bytes(32)


def state_of(number: int) -> State:
    return State(ACTIVE, 1, number, H(b"%d" % number).digest())


def map_of(*keys: bytes) -> ReferenceMap:
    states = ReferenceMap()
    for number, key in enumerate(keys):
        states.put(key, state_of(number))
    return states


def naive_root(leaves: dict[bytes, bytes], depth: int = 0) -> bytes | None:
    """The root by a trie of all 256 levels: an empty side gives way to the other."""
    if not leaves:
        return None
    if depth == 256:
        ((key, value),) = leaves.items()
        return H(b"\x02" + key + value).digest()
    sides: tuple[dict[bytes, bytes], dict[bytes, bytes]] = ({}, {})
    for key, value in leaves.items():
        sides[key[depth // 8] >> (7 - depth % 8) & 1][key] = value
    left, right = (naive_root(side, depth + 1) for side in sides)
    if left is None or right is None:
        return left or right
    return H(b"\x03" + bytes((depth,)) + left + right).digest()


A, B, C, D = (key_of(bits) for bits in ("00", "0100", "0101", "1"))
NOWHERE = key_of("011")


def test_hashes_are_those_of_the_notes():
    state = State(DELETED, 3, 258, b"\x11" * 32)
    octets = b"\x02" + (3).to_bytes(8) + (258).to_bytes(8) + b"\x11" * 32
    assert state.encode() == octets
    assert State.decode(octets) == state
    assert state.value_hash() == H(b"\x04" + octets).digest()
    assert map_key(3, b"88.118/x") == H(b"iirs/map-key/v1\n\x0388.118/x").digest()
    assert leaf_hash(A, B) == H(b"\x02" + A + B).digest()
    assert inner_hash(255, A, B) == H(b"\x03\xff" + A + B).digest()
    assert EMPTY_ROOT.hex() == (
        "e77b9a9ae9e30b0dbdb6f510a264ef9de781501d7b6b92ae89eb059c5ab743db"
    )


def test_bits_are_counted_from_the_most_significant_one():
    assert [bit_at(key_of("1011"), bit) for bit in range(5)] == [1, 0, 1, 1, 0]
    assert bit_at(b"\x00" * 31 + b"\x01", 255) == 1
    assert first_difference(key_of("1011"), key_of("1001")) == 2
    assert first_difference(A, A) == 256
    assert first_difference(bytes(32), bytes(31) + b"\x01") == 255


def test_a_map_of_four_keys_has_the_root_its_definition_gives():
    states = map_of(A, B, C, D)
    a, b, c, d = (
        leaf_hash(key, state_of(number).value_hash())
        for number, key in enumerate((A, B, C, D))
    )
    expected = inner_hash(0, inner_hash(1, a, inner_hash(3, b, c)), d)
    assert states.root() == expected
    assert states.prove(B).path == (
        (0, d),
        (1, a),
        (3, c),
    )


@pytest.mark.parametrize("count", [*range(20), 64, 200])
def test_the_root_is_that_of_the_full_trie(count):
    keys = [map_key(1, b"%d" % number) for number in range(count)]
    states = map_of(*keys)
    leaves = {key: states.get(key).value_hash() for key in keys}
    expected = naive_root(leaves) or H(b"\x05").digest()
    assert states.root() == root_of_leaves(sorted(leaves.items())) == expected
    assert len(states) == count


def test_the_root_does_not_depend_on_the_way_there():
    keys = [map_key(1, b"%d" % number) for number in range(50)]
    first = map_of(*keys)
    second = ReferenceMap()
    for key in reversed(keys):
        second.put(key, state_of(99))
        second.root()
    for number, key in enumerate(keys):
        second.put(key, state_of(number))
    assert second.root() == first.root()


def test_one_key_twice_is_no_list_of_leaves():
    with pytest.raises(ValueError, match="twice"):
        root_of_leaves([(A, B), (A, C)])


@pytest.mark.parametrize("count", [1, 2, 3, 17, 300])
def test_every_key_is_proved_present_and_every_other_absent(count):
    keys = [map_key(1, b"%d" % number) for number in range(count)]
    states = map_of(*keys)
    root = states.root()
    for number, key in enumerate(keys):
        proof = states.prove(key)
        assert proof.neighbour is None
        verify_presence(root, key, state_of(number).value_hash(), proof.path)
    for number in range(50):
        key = map_key(2, b"%d" % number)
        verify_absence(root, key, states.prove(key))


def test_in_the_empty_map_everything_is_absent():
    states = ReferenceMap()
    assert states.prove(A) == MapProof((), None)
    verify_absence(states.root(), A, MapProof((), None))
    with pytest.raises(ProofError, match="empty map"):
        verify_absence(map_of(B).root(), A, MapProof((), None))
    with pytest.raises(ProofError, match="a path, but no leaf"):
        verify_absence(EMPTY_ROOT, A, MapProof(((0, A),), None))
    with pytest.raises(ProofError):
        verify_presence(EMPTY_ROOT, A, B, ())


def test_presence_with_another_value_is_refused():
    states = map_of(A, B, C, D)
    for key in (A, B, C, D):
        with pytest.raises(ProofError, match="presence leads to the root"):
            verify_presence(
                states.root(), key, state_of(9).value_hash(), states.prove(key).path
            )


def test_presence_of_a_key_that_is_absent_is_refused():
    states = map_of(A, B, C, D)
    for key in (A, B, C, D):
        value = states.get(key).value_hash()
        for path in (states.prove(key).path, states.prove(NOWHERE).path):
            with pytest.raises(ProofError):
                verify_presence(states.root(), NOWHERE, value, path)


def test_absence_of_a_present_key_is_refused_by_any_path_and_leaf():
    keys = [map_key(1, b"%d" % number) for number in range(12)]
    states = map_of(*keys)
    paths = [states.prove(key).path for key in keys]
    leaves = [(key, states.get(key).value_hash()) for key in keys]
    for key in keys:
        for path in paths:
            for length in range(len(path) + 1):
                for leaf in leaves:
                    for part in (path[:length], path[length:]):
                        with pytest.raises(ProofError):
                            verify_absence(states.root(), key, MapProof(part, leaf))


def test_a_key_is_no_neighbour_of_itself():
    states = map_of(A, B)
    leaf = (A, states.get(A).value_hash())
    with pytest.raises(ProofError, match="the key's own"):
        verify_absence(states.root(), A, MapProof(states.prove(A).path, leaf))


def test_a_neighbour_to_which_the_key_does_not_lead_proves_nothing():
    states = map_of(A, B, C, D)
    leaf = (D, states.get(D).value_hash())
    with pytest.raises(ProofError, match="does not lead to it"):
        verify_absence(states.root(), NOWHERE, MapProof(states.prove(D).path, leaf))
    # With the sides as the neighbour's bits say, the root would be right.
    verify_presence(states.root(), *leaf, states.prove(D).path)


def test_an_inner_node_is_no_leaf_and_a_leaf_is_no_inner_node():
    states = map_of(A, B, C, D)
    path = states.prove(B).path
    b, c = (leaf_hash(key, states.get(key).value_hash()) for key in (B, C))
    # The children of an inner node in the place of key and value of a leaf.
    inner = (b, c)
    with pytest.raises(ProofError):
        verify_absence(states.root(), NOWHERE, MapProof(path[:-1], inner))
    with pytest.raises(ProofError):
        verify_presence(states.root(), b, c, path[:-1])
    # Key and value of a leaf in the place of the children of an inner node.
    alone = map_of(A)
    value = alone.get(A).value_hash()
    for bit in range(256):
        with pytest.raises(ProofError):
            verify_presence(alone.root(), A, A, ((bit, value),))


def test_a_path_whose_bits_do_not_rise_is_refused_whatever_the_root():
    value = state_of(0).value_hash()
    for bits in ((1, 1), (3, 2), (0, 5, 5), (7, 0)):
        node = leaf_hash(A, value)
        for bit in reversed(bits):
            node = inner_hash(bit, node, B)
        path = tuple((bit, B) for bit in bits)
        with pytest.raises(ProofError, match="expected"):
            verify_presence(node, A, value, path)
        with pytest.raises(ProofError, match="expected"):
            verify_absence(node, key_of("0" * 255 + "1"), MapProof(path, (A, value)))


@pytest.mark.parametrize("bit", [-1, 256, 1000])
def test_a_bit_that_no_key_has_is_refused(bit):
    with pytest.raises(ProofError, match=f"bit {bit}"):
        verify_presence(A, A, A, ((bit, B),))


def test_a_path_of_256_steps_holds_and_a_longer_one_does_not():
    zeros = bytes(32)
    keys = [zeros, *((1 << bit).to_bytes(32) for bit in range(256))]
    states = map_of(*keys)
    path = states.prove(zeros).path
    assert [bit for bit, _ in path] == list(range(256))
    verify_presence(states.root(), zeros, state_of(0).value_hash(), path)
    with pytest.raises(ProofError, match="257 steps"):
        verify_presence(states.root(), zeros, A, ((0, A), *path))


def test_steps_taken_out_put_in_or_swapped_are_refused():
    keys = [map_key(1, b"%d" % number) for number in range(40)]
    states = map_of(*keys)
    root = states.root()
    key, value = keys[0], state_of(0).value_hash()
    path = states.prove(key).path
    bad = [path[:place] + path[place + 1 :] for place in range(len(path))]
    bad += [
        (*path[:place], (bit, sibling), *path[place:])
        for place in range(len(path) + 1)
        for bit in range(0, 256, 5)
        for sibling in (A, EMPTY_ROOT)
    ]
    for place, ((bit, one), (next_bit, other)) in enumerate(pairwise(path)):
        before, after = path[:place], path[place + 2 :]
        bad += [
            (*before, (bit, other), (next_bit, one), *after),
            (*before, (next_bit, other), (bit, one), *after),
        ]
    for wrong in bad:
        with pytest.raises(ProofError):
            verify_presence(root, key, value, wrong)


@pytest.mark.parametrize("octets", [b"", b"\x00" * 31, b"\x00" * 33])
def test_hashes_and_keys_of_another_length_are_refused(octets):
    states = map_of(A, B)
    root, value = states.root(), state_of(0).value_hash()
    path = states.prove(A).path
    neighbour = (A, value)
    with pytest.raises(ProofError, match="octets"):
        verify_presence(octets, A, value, path)
    with pytest.raises(ProofError, match="octets"):
        verify_presence(root, octets, value, path)
    with pytest.raises(ProofError, match="octets"):
        verify_presence(root, A, octets, path)
    with pytest.raises(ProofError, match="octets"):
        verify_presence(root, A, value, ((0, octets),))
    with pytest.raises(ProofError, match="octets"):
        verify_absence(root, octets, MapProof(path, neighbour))
    with pytest.raises(ProofError, match="octets"):
        verify_absence(root, C, MapProof(path, (A, octets)))
    with pytest.raises(ProofError, match="octets"):
        verify_absence(octets, C, MapProof((), None))


@pytest.mark.parametrize(
    "state",
    [
        State(0, 1, 0, A),
        State(3, 1, 0, A),
        State(1, 0, 0, A),
        State(1, 2**63, 0, A),
        State(1, 1, -1, A),
        State(1, 1, 2**63, A),
        State(1, 1, 0, b"short"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(state):
    with pytest.raises(FormatError):
        state.encode()
    with pytest.raises(FormatError):
        ReferenceMap().put(A, state)


def test_octets_that_are_no_state_are_refused():
    octets = state_of(1).encode()
    for bad in (octets[:-1], octets + b"\x00", b"\x00" + octets[1:], b""):
        with pytest.raises(FormatError):
            State.decode(bad)


@pytest.mark.parametrize("kind", [0, 4, -1, 256])
def test_a_map_has_three_kinds_of_keys(kind):
    with pytest.raises(FormatError, match="map kind"):
        map_key(kind, b"name")


def test_a_map_takes_keys_of_32_octets_only():
    with pytest.raises(FormatError, match="3 octets"):
        ReferenceMap().put(b"key", state_of(1))
