"""Engines of the state map for tests: one suite, a table in a dict, and the measure.

The measure is `statemap.ReferenceMap`, which knows neither buckets nor groups, and a
plain account of what the entries must say.
"""

import copy
from collections.abc import Iterable
from typing import Any

import pytest

from chain_anchor import merkle
from chain_anchor.buckets import Draft, PlainEngine, Sealed
from chain_anchor.changes import assemble_change
from chain_anchor.entry_fields import NO_HASH
from chain_anchor.statemap import (
    ACTIVE,
    DELETED,
    MapProof,
    ReferenceMap,
    State,
    map_key,
    verify_absence,
    verify_presence,
)

ENGINES = ("plain", "compiled")


def make_engine(kind: str) -> Any:
    """Make an empty engine; the test is skipped where it cannot run."""
    if kind == "plain":
        return PlainEngine()
    use_compiled()
    from chain_anchor.compiled.engine import CompiledEngine

    return CompiledEngine()


def use_compiled() -> None:
    """Let kernels come from where all tests keep them; skip where numba is missing."""
    pytest.importorskip("numba", reason="no numba here", exc_type=ImportError)
    from resolver.fastpath.compiling import import_numba

    import_numba()


def key_of(number: int) -> bytes:
    """Give a map key as the map has them: evenly spread."""
    return map_key(1, b"88.100.1/%d" % number)


def near(shared_bits: int, number: int) -> bytes:
    """Give a key that shares bits with all others of the kind, then differs by number.

    No identifier has such a key by accident: it is a collision of its hash.
    """
    head = int.from_bytes(key_of(0)) >> (256 - shared_bits)
    body = int.from_bytes(key_of(number + 1)) >> shared_bits
    return (head << (256 - shared_bits) | body).to_bytes(32)


def register(key: bytes, body: bytes = b"body of a change") -> Draft:
    return Draft(key, ACTIVE, body)


def delete(key: bytes, body: bytes = b"body of a deletion") -> Draft:
    return Draft(key, DELETED, body)


class Map:
    """An engine with its table, and what must come of it."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.table: dict[bytes, bytes] = {}
        self.reference = ReferenceMap()
        self.size = 0

    def read(self, drafts: Iterable[Draft]) -> dict[bytes, bytes]:
        """Give the buckets that a group needs."""
        places = self.engine.places([draft.key for draft in drafts])
        return {place: self.table[place] for place in places if place in self.table}

    def seal(self, *drafts: Draft) -> Sealed:
        """Seal a group and check what came of it; nothing is published."""
        return self.engine.seal(self.size, drafts, self.read(drafts))

    def write(self, sealed: Sealed) -> None:
        """Put a sealed group into the table."""
        for place, value in sealed.puts:
            if value is None:
                del self.table[place]
            else:
                self.table[place] = value

    def group(self, *drafts: Draft) -> Sealed:
        """Let a group become durable; check everything against the measure."""
        sealed = self.seal(*drafts)
        self.engine.check()
        self._expect(drafts, sealed)
        assert [place for place, _ in sealed.puts] == sorted(
            {place for place, _ in sealed.puts}
        )
        self.write(sealed)
        self.size += len(drafts)
        self.engine.publish()
        self.check()
        return sealed

    def check(self) -> None:
        """Check the published state against the measure."""
        assert self.engine.root == self.reference.root()
        assert self.engine.count == len(self.reference)

    def get(self, place: bytes) -> bytes | None:
        return self.table.get(place)

    def prove(self, key: bytes) -> tuple[State | None, MapProof]:
        """Prove a key's state, and verify the proof as anyone would."""
        state, proof = self.engine.prove(key, self.get)
        assert proof == self.reference.prove(key)
        assert state == self.reference.get(key)
        verify(self.engine.root, key, state, proof)
        return state, proof

    def reloaded(self, engine: Any) -> "Map":
        """Give the same map, with another engine that begins with the table."""
        engine.load(sorted(self.table.items()))
        other = Map(engine)
        other.table, other.size = dict(self.table), self.size
        other.reference = copy.deepcopy(self.reference)
        return other

    def _expect(self, drafts: Iterable[Draft], sealed: Sealed) -> None:
        hashes = []
        for number, draft in enumerate(drafts):
            before = self.reference.get(draft.key)
            _, version, index, digest = before or State(ACTIVE, 0, 0, NO_HASH)
            entry = assemble_change(
                draft.state, version + 1, index, digest, draft.key, draft.body
            )
            assert sealed.entries[number] == entry
            hashes.append(merkle.leaf_hash(entry))
            state = State(draft.state, version + 1, self.size + number, hashes[-1])
            self.reference.put(draft.key, state)
        assert len(sealed.entries) == len(hashes)
        assert sealed.leaf_hashes == b"".join(hashes)
        assert sealed.root == self.reference.root()
        assert sealed.count == len(self.reference)


def verify(root: bytes, key: bytes, state: State | None, proof: MapProof) -> None:
    if state is None:
        verify_absence(root, key, proof)
    else:
        assert proof.neighbour is None
        verify_presence(root, key, state.value_hash(), proof.path)
