from hashlib import sha256

import pytest

from chain_anchor.bif import chain_pb2, trie, trie_node
from chain_anchor.bif.errors import BlockError

ONE, TWO, THREE, FOUR = (bytes([n]) * 32 for n in (1, 2, 3, 4))


def nodes_of(changes):
    return trie.update({}.get, changes).nodes


def test_the_empty_root_is_the_one_that_live_chains_print():
    # Published for empty domains and for accounts without metadata (bif notes §2.8).
    published = "ad67d57ae19de8068dbcd47282146bd553fe9f684c57c8c114453863ee41abc3"
    assert trie.EMPTY_ROOT.hex() == published
    assert trie.root({}.get).hex() == published
    assert trie.update({}.get, {}).root.hex() == published


@pytest.mark.parametrize(
    ("nibbles", "octets"),
    [("", "00"), ("3", "0130"), ("34", "0034"), ("348", "013480"), ("0", "0100")],
)
def test_a_location_says_whether_its_nibbles_are_even(nibbles, octets):
    assert trie_node.to_location(nibbles).hex() == octets


def test_one_key_is_a_leaf_of_the_root():
    (octets,) = nodes_of({b"\x34\x87": ONE}).values()
    child = chain_pb2.Child(sublocation=b"\0\x34\x87", hash=ONE, childtype="LEAF")
    expected = [chain_pb2.Child()] * 3 + [child] + [chain_pb2.Child()] * 13
    assert chain_pb2.Node.FromString(octets) == chain_pb2.Node(children=expected)


def test_keys_share_nodes_as_the_documentation_draws_them():
    # bif-core2.0-doc, figure 10.2-6: 34876, 35, 35123 and 35678 under node 3.
    keys = {b"\x34\x87\x60": ONE, b"\x35": TWO, b"\x35\x12\x30": THREE}
    nodes = nodes_of(keys | {b"\x35\x67\x80": FOUR})
    assert set(nodes) == {trie_node.to_location(place) for place in ("", "3", "35")}
    three = chain_pb2.Node.FromString(nodes[trie_node.to_location("3")] or b"")
    assert three.children[4].hash == ONE
    assert three.children[5].childtype == chain_pb2.Child.INNER
    assert three.children[5].hash == sha256(nodes[trie_node.to_location("35")]).digest()
    below = chain_pb2.Node.FromString(nodes[trie_node.to_location("35")] or b"")
    assert [below.children[slot].hash for slot in (16, 1, 6)] == [TWO, THREE, FOUR]


def test_a_node_left_with_one_child_gives_it_to_the_node_above():
    nodes = nodes_of({b"\x34": ONE, b"\x35": TWO})
    assert set(nodes) == {b"\0", b"\x01\x30"}
    root, changed = trie.update(nodes.get, {b"\x35": None})
    assert changed[b"\x01\x30"] is None
    assert changed[b"\0"] == nodes_of({b"\x34": ONE})[b"\0"]
    assert root == sha256(changed[b"\0"] or b"").digest()


def test_keys_that_begin_with_each_other_a_thousand_deep_are_no_trouble():
    keys = [b"a" * size for size in range(1, 1025)]
    root, nodes = trie.update({}.get, dict.fromkeys(keys, ONE))
    assert list(trie.keys(nodes.get)) == keys
    assert len(nodes) == 1024
    assert trie.root(nodes.get) == root
    assert trie.update(nodes.get, dict.fromkeys(keys)).root == trie.EMPTY_ROOT


def test_a_missing_node_is_named():
    nodes = nodes_of({b"\x34": ONE, b"\x35": TWO})
    del nodes[b"\x01\x30"]
    with pytest.raises(BlockError, match="0130 is missing"):
        trie.update(nodes.get, {b"\x34": THREE})
    with pytest.raises(BlockError, match="0130 is missing"):
        list(trie.keys(nodes.get))


def test_stored_octets_that_are_no_node_are_named():
    for octets in (b"\xff", b"", b"\x0a\0" * 16, b"\x0a\0" * 18):
        with pytest.raises(BlockError, match=r"no node|17 children"):
            trie.update({b"\0": octets}.get, {b"\x34": ONE})
