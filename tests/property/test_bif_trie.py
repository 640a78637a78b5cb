"""The trie against its own definition, computed from the whole set of keys."""

from hashlib import sha256

from hypothesis import given, settings, strategies as st

from chain_anchor.bif import chain_pb2, trie, trie_node

keys = st.one_of(
    st.binary(max_size=4), st.text("ab", max_size=6).map(str.encode), st.just(b"")
)
digests = st.binary(min_size=32, max_size=32)
contents = st.dictionaries(keys, digests, max_size=12)


def child_of(nibbles: str, content: dict[str, bytes], depth: int) -> chain_pb2.Child:
    """Define the child for all keys that begin with `nibbles[:depth]`."""
    if not content:
        return chain_pb2.Child()
    if len(content) == 1:
        ((key, digest),) = content.items()
        return chain_pb2.Child(
            sublocation=trie_node.to_location(key), hash=digest, childtype="LEAF"
        )
    at = nibbles
    while True:
        slots = slots_of(at, content)
        if len([slot for slot in slots if slot]) > 1:
            break
        at += next(format(n, "x") for n, slot in enumerate(slots) if slot)
    digest = sha256(node_of(at, slots).SerializeToString()).digest()
    return chain_pb2.Child(
        sublocation=trie_node.to_location(at), hash=digest, childtype="INNER"
    )


def slots_of(at: str, content: dict[str, bytes]) -> list[dict[str, bytes]]:
    slots: list[dict[str, bytes]] = [{} for _ in range(17)]
    for key, digest in content.items():
        slots[int(key[len(at)], 16) if len(key) > len(at) else 16][key] = digest
    return slots


def node_of(at: str, slots: list[dict[str, bytes]]) -> chain_pb2.Node:
    return chain_pb2.Node(
        children=[
            child_of(at + format(number, "x") if number < 16 else at, slot, len(at) + 1)
            for number, slot in enumerate(slots)
        ]
    )


def root_by_definition(content: dict[bytes, bytes]) -> bytes:
    nibbles = {key.hex(): digest for key, digest in content.items()}
    return sha256(node_of("", slots_of("", nibbles)).SerializeToString()).digest()


@given(
    st.lists(
        st.tuples(
            st.binary(min_size=1, max_size=1100), digests, st.sampled_from([1, 2])
        )
    )
)
def test_nodes_are_octets_that_protocol_buffers_write(listed):
    given = listed[:17]
    message = chain_pb2.Node(
        children=[
            chain_pb2.Child(sublocation=place, hash=digest, childtype=kind)
            for place, digest, kind in given
        ]
        + [chain_pb2.Child()] * (17 - len(given))
    )
    made = [trie_node.make_child(*entry) for entry in given]
    octets = message.SerializeToString()
    children = trie_node.split(octets)
    assert children[: len(given)] == made
    assert trie_node.join(children) == octets
    for slot, child in enumerate(children):
        begin, end = trie_node.find(octets, slot)
        assert octets[begin:end] == child
    for child, (place, digest, kind) in zip(children, given, strict=False):
        assert trie_node.location_of(child) == place
        assert (trie_node.digest_of(child), child[-1]) == (digest, kind)


class Kept:
    """A trie in a dictionary."""

    def __init__(self) -> None:
        self.nodes: dict[bytes, bytes] = {}
        self.content: dict[bytes, bytes] = {}

    def update(self, changes: dict[bytes, bytes | None]) -> bytes:
        root, nodes = trie.update(self.nodes.get, changes)
        for place, octets in nodes.items():
            if octets is None:
                self.nodes.pop(place, None)
            else:
                self.nodes[place] = octets
        for key, digest in changes.items():
            if digest is None:
                self.content.pop(key, None)
            else:
                self.content[key] = digest
        return root


@settings(max_examples=300)
@given(
    st.lists(st.dictionaries(keys, st.none() | digests, max_size=8), max_size=6),
)
def test_any_updates_give_the_root_of_what_is_left(batches):
    kept = Kept()
    for batch in batches:
        assert kept.update(batch) == root_by_definition(kept.content)
        assert trie.root(kept.nodes.get) == root_by_definition(kept.content)
        assert list(trie.keys(kept.nodes.get)) == sorted(kept.content)


@given(contents, contents)
def test_what_is_removed_leaves_no_node_behind(first, second):
    kept, fresh = Kept(), Kept()
    kept.update(dict(first))
    kept.update(dict.fromkeys(first) | second)
    fresh.update(dict(second))
    assert kept.nodes == fresh.nodes
