"""Merkle trees: as RFC 6962 defines them, and nothing else is accepted."""

import pytest

from chain_anchor.errors import ProofError
from chain_anchor.merkle import (
    EMPTY_ROOT,
    MAX_PATH_HASHES,
    MAX_SIZE,
    consistency_path,
    inclusion_path,
    leaf_hash,
    node_hash,
    root_of,
    root_of_inclusion,
    verify_consistency,
    verify_inclusion,
)
from tests.merkle_trees import Tree

SIZE = 130
TREE = Tree.of(SIZE)
TREE_OF_8 = Tree(
    [
        bytes.fromhex(entry)
        for entry in (
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        )
    ]
)
ROOTS_OF_8 = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
"""Roots over the eight entries of the Certificate Transparency reference tests."""

HUGE = (2**32, 2**32 + 1, 2**62, 2**62 + 1, MAX_SIZE - 1, MAX_SIZE)


def uniform_read(level: int, _: int) -> bytes:
    """A tree of any size whose leaves are all the same."""
    found = leaf_hash(b"same")
    for _ in range(level):
        found = node_hash(found, found)
    return found


@pytest.mark.parametrize("size", range(9))
def test_the_roots_of_the_reference_tests_come_out(size):
    assert root_of(size, TREE_OF_8.read).hex() == ROOTS_OF_8[size]


@pytest.mark.parametrize("size", range(SIZE + 1))
def test_roots_are_those_of_the_recursive_definition(size):
    assert root_of(size, TREE.read) == TREE.root(size)


@pytest.mark.parametrize("size", range(1, SIZE + 1))
def test_inclusion_paths_are_those_of_the_definition_and_verify(size):
    for index in range(size):
        path = inclusion_path(index, size, TREE.read)
        assert path == TREE.inclusion(index, size)
        verify_inclusion(index, size, TREE.leaf(index), TREE.root(size), path)


@pytest.mark.parametrize("new", range(SIZE + 1))
def test_consistency_paths_are_those_of_the_definition_and_verify(new):
    for old in range(new + 1):
        path = consistency_path(old, new, TREE.read)
        assert path == TREE.consistency(old, new)
        verify_consistency(old, new, TREE.root(old), TREE.root(new), path)


@pytest.mark.parametrize("size", HUGE)
def test_the_largest_trees_have_paths_that_verify(size):
    root = root_of(size, uniform_read)
    for index in (0, 1, size // 2, size // 3, size - 2, size - 1):
        path = inclusion_path(index, size, uniform_read)
        assert len(path) < MAX_PATH_HASHES
        verify_inclusion(index, size, leaf_hash(b"same"), root, path)
    for old in (1, 2, 3, size // 2, size - 1, size):
        path = consistency_path(old, size, uniform_read)
        assert len(path) <= MAX_PATH_HASHES
        verify_consistency(old, size, root_of(old, uniform_read), root, path)


def test_a_path_reads_each_hash_it_is_made_of_and_few_more():
    reads = []

    def read(level, index):
        reads.append((level, index))
        return uniform_read(level, index)

    inclusion_path(5, 1_900_000_000, read)
    assert len(reads) <= 31 + 31


@pytest.mark.parametrize("size", [-1, MAX_SIZE + 1])
def test_no_tree_has_such_a_size(size):
    for attempt in (
        lambda: root_of(size, uniform_read),
        lambda: inclusion_path(0, size, uniform_read),
        lambda: consistency_path(1, size, uniform_read),
        lambda: consistency_path(size, 5, uniform_read),
        lambda: verify_inclusion(0, size, EMPTY_ROOT, EMPTY_ROOT, []),
        lambda: verify_consistency(1, size, EMPTY_ROOT, EMPTY_ROOT, []),
        lambda: verify_consistency(size, 1, EMPTY_ROOT, EMPTY_ROOT, []),
    ):
        with pytest.raises(ProofError, match="size"):
            attempt()


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (7, 7), (8, 7), (-1, 7)])
def test_no_leaf_stands_there(index, size):
    with pytest.raises(ProofError, match="leaf index: 0 to below"):
        inclusion_path(index, size, TREE.read)
    with pytest.raises(ProofError, match="leaf index: 0 to below"):
        root_of_inclusion(index, size, EMPTY_ROOT, [])


def test_an_old_tree_is_not_the_larger_one():
    with pytest.raises(ProofError, match="old size: at most 4 expected, got 5"):
        consistency_path(5, 4, TREE.read)
    with pytest.raises(ProofError, match="old size: at most 4 expected, got 5"):
        verify_consistency(5, 4, TREE.root(5), TREE.root(4), [])


def test_inclusion_of_another_leaf_is_refused():
    path = TREE.inclusion(3, 11)
    with pytest.raises(ProofError, match="inclusion of leaf 3 of 11: root"):
        verify_inclusion(3, 11, TREE.leaf(4), TREE.root(11), path)
    with pytest.raises(ProofError, match="inclusion of leaf 3 of 11: root"):
        verify_inclusion(3, 11, TREE.leaf(3), TREE.root(12), path)


def test_the_only_leaf_is_the_root():
    verify_inclusion(0, 1, TREE.leaf(0), TREE.root(1), [])
    with pytest.raises(ProofError, match="path: 0 hashes expected, got 1"):
        verify_inclusion(0, 1, TREE.leaf(0), TREE.root(1), [TREE.leaf(0)])


def test_a_path_of_another_length_is_refused():
    path = TREE.inclusion(3, 11)
    for wrong in ([], path[:-1], path[1:], [*path, path[0]], [path[0], *path]):
        with pytest.raises(ProofError, match=r"path: 4 hashes expected, got"):
            verify_inclusion(3, 11, TREE.leaf(3), TREE.root(11), wrong)


@pytest.mark.parametrize("wrong", [b"", b"\x00" * 31, b"\x00" * 33, b"\x00" * 64])
def test_a_hash_has_32_octets(wrong):
    path = TREE.inclusion(3, 11)
    with pytest.raises(ProofError, match="path, hash 1: 32 octets expected"):
        verify_inclusion(
            3, 11, TREE.leaf(3), TREE.root(11), [path[0], wrong, *path[2:]]
        )
    with pytest.raises(ProofError, match="leaf hash, hash 0: 32 octets expected"):
        verify_inclusion(0, 1, wrong, wrong, [])
    with pytest.raises(ProofError, match="32 octets expected"):
        verify_consistency(3, 3, wrong, wrong, [])
    with pytest.raises(ProofError, match="32 octets expected"):
        verify_consistency(4, 5, wrong, TREE.root(5), TREE.consistency(4, 5))
    broken = [wrong, *TREE.consistency(3, 5)[1:]]
    with pytest.raises(ProofError, match="32 octets expected"):
        verify_consistency(3, 5, TREE.root(3), TREE.root(5), broken)


def test_octets_cannot_move_between_two_hashes():
    path = TREE.inclusion(0, 4)
    joined = path[0] + path[1]
    with pytest.raises(ProofError, match="32 octets expected"):
        verify_inclusion(0, 4, TREE.leaf(0), TREE.root(4), [joined[:31], joined[31:]])


def test_equal_sizes_have_equal_roots_and_no_path():
    verify_consistency(5, 5, TREE.root(5), TREE.root(5), [])
    with pytest.raises(ProofError, match="two trees of size 5"):
        verify_consistency(5, 5, TREE.root(5), TREE.root(6), [])
    with pytest.raises(ProofError, match="path: 0 hashes expected, got 1"):
        verify_consistency(5, 5, TREE.root(5), TREE.root(5), [TREE.root(5)])


def test_the_empty_tree_is_a_prefix_of_every_tree_by_no_path():
    verify_consistency(0, 0, EMPTY_ROOT, EMPTY_ROOT, [])
    verify_consistency(0, 5, EMPTY_ROOT, TREE.root(5), [])
    with pytest.raises(ProofError, match="path: 0 hashes expected, got 1"):
        verify_consistency(0, 5, EMPTY_ROOT, TREE.root(5), [TREE.root(5)])
    with pytest.raises(ProofError, match="empty tree"):
        verify_consistency(0, 5, TREE.root(1), TREE.root(5), [])
    with pytest.raises(ProofError, match="empty tree"):
        verify_consistency(0, 0, EMPTY_ROOT, TREE.root(1), [])


@pytest.mark.parametrize("old", [3, 4, 6, 7])
def test_consistency_with_another_history_is_refused(old):
    path = TREE.consistency(old, 8)
    other = Tree([*TREE.entries[:2], b"another", *TREE.entries[3:8]])
    with pytest.raises(ProofError, match=f"consistency of sizes {old} and 8"):
        verify_consistency(old, 8, other.root(old), TREE.root(8), path)
    with pytest.raises(ProofError, match=f"consistency of sizes {old} and 8"):
        verify_consistency(old, 8, TREE.root(old), other.root(8), path)
    for wrong in ([], path[:-1], path[1:], [*path, path[-1]], [path[0], *path]):
        with pytest.raises(ProofError, match="hash"):
            verify_consistency(old, 8, TREE.root(old), TREE.root(8), wrong)
