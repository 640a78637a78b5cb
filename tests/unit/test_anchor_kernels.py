"""The kernels of `chain_anchor.compiled` against what defines them."""

import hashlib
import random

import pytest

from chain_anchor import leaves as plain, upper
from chain_anchor.buckets import Draft
from chain_anchor.changes import assemble_change
from chain_anchor.frontier import Frontier
from chain_anchor.merkle import leaf_hash, node_hash
from chain_anchor.rows import STEP
from chain_anchor.statemap import inner_hash, leaf_hash as map_leaf_hash
from tests.anchor_engines import Map, key_of, make_engine, register, use_compiled

use_compiled()

import numpy as np  # noqa: E402 (absent where numba is)

from chain_anchor.compiled import (  # noqa: E402
    engine as anchor_engine,
    kernels,
    leaves,
    sealing,
    sha256,
    sha256_rounds,
    sorting,
    tree,
    trie,
)
from chain_anchor.compiled.engine import CompiledEngine  # noqa: E402
from chain_anchor.compiled.kernels import kernel  # noqa: E402
from chain_anchor.compiled.marshalling import array_of  # noqa: E402

# Kernels may have to be compiled first.
pytestmark = pytest.mark.timeout(120)

DICE = random.Random(1)
SCRATCH = sha256.SCRATCH_OCTETS


def hashed(call, *arguments):
    """Give what a kernel writes in the middle of an array, and nothing around it."""
    target = np.full(5 + 64 + 7, 0xA5, np.uint8)
    scratch = np.full(SCRATCH + 9, 0xA5, np.uint8)
    call(*arguments, target, 5, scratch)
    assert (target[:5] == 0xA5).all()
    assert (target[69:] == 0xA5).all()
    assert (scratch[SCRATCH:] == 0xA5).all()
    return target[5:69].tobytes()


digest_by_arithmetic = sha256.make_digest(sha256.by_arithmetic)
digest_by_instructions = sha256.make_digest(sha256.by_instructions)


@kernel
def by_arithmetic(octets, start, size, target, at, scratch):
    digest_by_arithmetic(octets, start, size, target, at, scratch)


@kernel
def by_instructions(octets, start, size, target, at, scratch):
    digest_by_instructions(octets, start, size, target, at, scratch)


@pytest.fixture(params=["arithmetic", "instructions"])
def digest(request):
    if request.param == "arithmetic":
        return by_arithmetic
    if not sha256_rounds.has_instructions():
        pytest.skip("this processor has no SHA-256 instructions for kernels")
    return by_instructions


def test_any_number_of_octets_is_hashed_as_hashlib_does(digest):
    for size in (*range(301), 1000, 4096, 65535, 65536):
        octets = DICE.randbytes(size + 5)
        found = hashed(digest, array_of(octets), 3, size)
        assert found[:32] == hashlib.sha256(octets[3 : 3 + size]).digest()


def test_the_example_of_the_standard_is_hashed(digest):
    """FIPS 180-4's example of one block, as NIST publishes it."""
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert hashed(digest, array_of(b"abc"), 0, 3)[:32].hex() == expected


@kernel
def nodes(left, right, bit, target, at, scratch):
    sha256.pair_digest(1, left, 2, right, 1, target, at, scratch)
    sha256.inner_digest(bit, left, 2, right, 1, target, at + 32, scratch)


@kernel
def two_leaves(octets, start, step, target, at, scratch):
    sha256.map_leaf_digests(octets, start, step, target, at, scratch)


@kernel
def one_leaf(octets, start, target, at, scratch):
    sha256.map_leaf_digest(octets, start, target, at, scratch)


def test_nodes_are_hashed_as_defined():
    for bit in range(256):
        left, right = DICE.randbytes(32), DICE.randbytes(32)
        found = hashed(nodes, array_of(b"__" + left), array_of(b"_" + right), bit)
        assert found[:32] == node_hash(left, right)
        assert found[32:] == inner_hash(bit, left, right)


def test_map_leaves_are_hashed_as_defined_alone_and_by_two():
    for _ in range(50):
        octets = DICE.randbytes(200)
        expected = [
            map_leaf_hash(
                octets[at : at + 32],
                hashlib.sha256(b"\x04" + octets[at + 32 : at + 81]).digest(),
            )
            for at in (7, 7 + 90)
        ]
        assert hashed(two_leaves, array_of(octets), 7, 90) == b"".join(expected)
        assert hashed(one_leaf, array_of(octets), 7)[:32] == expected[0]


# Keys


@kernel
def all_about(octets, found):
    found[0] = kernels.compare(octets, 3, octets, 40)
    found[1] = kernels.first_difference(octets, 3, octets, 40)
    for bit in range(256):
        found[2 + bit] = kernels.bit_at(octets, 3, bit)


def test_keys_are_compared_as_octets_are():
    for shared in range(0, 257, 3):
        left = DICE.getrandbits(256)
        right = left
        if shared < 256:
            low = (1 << (255 - shared)) - 1
            right = left ^ (1 << (255 - shared)) ^ (DICE.getrandbits(256) & low)
        one, other = left.to_bytes(32), right.to_bytes(32)
        found = np.zeros(258, np.int64)
        all_about(array_of(b"___" + one + b"_____" + other), found)
        assert found[0] == (one > other) - (one < other)
        assert found[1] == shared
        assert found[2:].tolist() == [int(digit) for digit in f"{left:0256b}"]


@kernel
def sort(octets, count, order, spare):
    sorting.sort_keys(octets, 2, 40, count, order, spare)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 8, 64, 255, 1000])
def test_keys_are_sorted_and_the_same_ones_stay_in_order(count):
    keys = [DICE.choice([key_of(n) for n in range(99)]) for _ in range(count)]
    octets = b"__" + b"".join(key + bytes(8) for key in keys)
    order, spare = np.zeros(count, np.int64), np.zeros(count, np.int64)
    sort(array_of(octets), count, order, spare)
    assert order.tolist() == sorted(range(count), key=keys.__getitem__)


def test_layouts_are_those_of_the_plain_code():
    assert leaves.MAX_LEAVES == plain.MAX_LEAVES
    assert leaves.LEAF_OCTETS == plain.LEAF_OCTETS
    assert leaves.HASH_OCTETS == plain.HASH_OCTETS
    assert trie.MAX_DEPTH == upper.MAX_DEPTH
    assert trie.PLACE_OCTETS == upper.PLACE_OCTETS
    assert tree.STEP == STEP
    head = assemble_change(1, 1, 0, bytes(32), bytes(32), b"")
    assert len(head) == sealing.CHANGE_HEAD
    assert head[0] == sealing.CHANGE


# The tree


@pytest.mark.parametrize("size", [0, 1, 2, 3, 15, 16, 17, 255, 256, 1000])
@pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 256, 700])
def test_leaves_are_appended_as_the_frontier_does(size, count):
    hashes = [leaf_hash(b"%d" % n) for n in range(size + count)]
    before = Frontier(0, ()).extended(hashes[:size])
    after = before.extended(hashes[size:])
    grown = tree.tree_append(size, before.peaks, b"".join(hashes[size:]))
    assert grown[:2] == after
    assert grown.root == after.root()
    level, expected = hashes, {}
    for height in range(1, 13):
        level = [node_hash(*level[n : n + 2]) for n in range(0, len(level) - 1, 2)]
        if height % STEP == 0 and level[size >> height :]:
            expected[height] = b"".join(level[size >> height :])
    assert grown.complete == expected


def test_the_greatest_tree_grows():
    size = 2**63 - 2
    peaks = tuple(leaf_hash(b"%d" % n) for n in range(size.bit_count()))
    grown = tree.tree_append(size, peaks, bytes(32))
    assert grown[:2] == Frontier(size, peaks).extended([bytes(32)])
    size = 2**60 - 1
    peaks = tuple(leaf_hash(b"%d" % n) for n in range(size.bit_count()))
    grown = tree.tree_append(size, peaks, bytes(32))
    assert list(grown.complete) == list(range(4, 61, 4))
    assert grown.complete[60] == grown.peaks[0] == grown.root


@pytest.mark.parametrize(
    ("size", "peaks", "hashes"),
    [
        (0, [], b""),
        (1, [], bytes(32)),
        (0, [bytes(32)], bytes(32)),
        (1, [bytes(31)], bytes(32)),
        (0, [], bytes(33)),
        (-1, [], bytes(32)),
        (2**63 - 1, [bytes(32)] * 63, bytes(32)),
    ],
)
def test_a_tree_that_is_none_is_refused(size, peaks, hashes):
    with pytest.raises(ValueError, match="for a tree of"):
        tree.tree_append(size, peaks, hashes)


# Rooms


def test_the_trie_grows_while_a_group_is_sealed_and_proofs_go_on():
    engine = CompiledEngine()
    state_map = Map(engine)
    state_map.group(*(register(key_of(n)) for n in range(100)))
    before, room = engine.root, engine._trie.made.size
    drafts = [register(key_of(n)) for n in range(20_000)]
    sealed = state_map.seal(*drafts)
    assert engine._trie.made.size > 2 * room
    assert engine._published.trie is not engine._trie
    state_map.prove(key_of(3))
    state_map.prove(key_of(19_000))
    engine.revert()
    assert engine.root == before
    state_map.group(*drafts[:50])
    assert state_map.seal(*drafts) != sealed
    engine.check()


def test_nodes_of_the_trie_are_used_again():
    engine = CompiledEngine()
    state_map = Map(engine)
    state_map.group(*(register(key_of(n)) for n in range(2000)))
    state_map.group(*(register(key_of(n)) for n in range(2000)))
    used = int(engine._trie.words[trie.USED])
    for start in range(0, 2000, 100):
        state_map.seal(*(register(key_of(n)) for n in range(start, start + 100)))
        engine.revert()
        state_map.group(*(register(key_of(n)) for n in range(start, start + 100)))
    assert engine._trie.words[trie.USED] == used


def test_an_interrupted_group_leaves_the_trie_as_it_was(monkeypatch):
    engine = CompiledEngine()
    state_map = Map(engine)
    state_map.group(*(register(key_of(n)) for n in range(500)))
    used = int(engine._trie.words[trie.USED])
    drafts = [register(key_of(n)) for n in range(200)]
    for _ in range(20):
        with monkeypatch.context() as patch:
            patch.setattr(anchor_engine, "_entries", interrupt)
            with pytest.raises(KeyboardInterrupt):
                state_map.seal(*drafts)
    state_map.group(*drafts)
    assert engine._trie.words[trie.USED] < 3 * used
    for number in range(0, 600, 7):
        state_map.prove(key_of(number))


def interrupt(*_):
    raise KeyboardInterrupt


def test_a_state_that_no_change_can_follow_is_refused():
    for kind in ("plain", "compiled"):
        engine = make_engine(kind)
        for state in (
            b"\x01" + (2**63 - 1).to_bytes(8) + bytes(40),
            b"\x03" + (1).to_bytes(8) + bytes(40),
            b"\x01" + (2**64 - 1).to_bytes(8) + bytes(40),
            b"\x01" + (1).to_bytes(8) + b"\xff" * 40,
        ):
            leaf = (key_of(1), state)
            value = plain.write_bucket(plain.Digests().root([leaf]), [leaf])
            place = upper.place_of(0, 0)
            engine.load([(place, value)])
            with pytest.raises(ValueError, match=r"version|state|index"):
                engine.seal(5, [Draft(key_of(1), 1, b"")], {place: value})
