"""Proofs of anchored checkpoints, made of what two chains show over HTTP."""

import contextlib

import pytest

from chain_anchor.bif.anchored_headers import Anchored
from chain_anchor.bif.client.errors import ChainError
from chain_anchor.bif.client.signing import SignedBlob
from chain_anchor.errors import ProofError
from resolver.anchoring import asked_chain, chain_proofs
from resolver.anchoring.chain_proofs import MAX_WAITING, ChainProofs
from resolver.anchoring.records import Confirmed, Queued
from tests.bif_chains import ALICE, metadata
from tests.bif_served import MemoryChain, serving
from tests.nano import closed_port


class Backbone(MemoryChain):
    """A chain whose headers go to a main one when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = []

    def anchored(self, seq):
        return next((one for one in self.sent if one.seq >= seq), None)


class Chains:
    """Two chains that are served, and what makes proofs of them."""

    def __init__(self, backbone, main, proofs):
        self.backbone, self.main, self.proofs = backbone, main, proofs
        self.blobs = {}

    async def confirm(self) -> Confirmed:
        """Put a checkpoint into the next block; its size is the number of that."""
        seq = await self.put(self.backbone, "idis-log/top")
        queued = Queued(b"note", seq, seq - 1, self.blobs[seq])
        confirmed = Confirmed(queued, seq)
        self.proofs.confirmed(confirmed)
        return confirmed

    async def anchor(self, seq) -> None:
        """Put the header of a block on the main chain."""
        at = await self.put(self.main, f"hany/{seq}")
        [digest] = self.main.ledger.hashes(0, at)
        self.backbone.sent.append(Anchored(seq, digest))

    async def put(self, chain, key) -> int:
        made = chain.test.make(ALICE, metadata(key, "value"))
        assert await chain.submit([made]) == [None]
        seq = chain.ledger.last.seq
        if chain is self.backbone:
            self.blobs[seq] = SignedBlob(made.blob, made.signatures)
        return seq


@pytest.fixture
async def chains():
    backbone, main = Backbone(), MemoryChain()
    async with serving(backbone) as below, serving(main) as above:
        urls = [f"http://127.0.0.1:{face.http_port}" for face in (below, above)]
        async with proving(*urls) as proofs:
            yield Chains(backbone, main, proofs)


@contextlib.asynccontextmanager
async def proving(url, main_url):
    proofs = ChainProofs(url, main_url, lambda _: None)
    try:
        yield proofs
    finally:
        await proofs.close()


def places(proof):
    return [hop.block.seq for hop in proof.hops]


async def test_the_newest_that_a_header_covers_is_proved(chains):
    confirmed = [await chains.confirm() for _ in range(4)]
    await chains.anchor(confirmed[2].seq)
    await chains.proofs._prove()
    assert chains.proofs.complete.confirmed == confirmed[2]
    assert places(chains.proofs.complete) == [confirmed[2].seq, 2]
    await chains.proofs._prove()  # nothing covers the last one
    assert chains.proofs.complete.confirmed == confirmed[2]
    await chains.put(chains.backbone, "other")
    await chains.anchor(confirmed[3].seq + 1)
    await chains.proofs._prove()
    assert chains.proofs.complete.confirmed == confirmed[3]
    assert len(chains.proofs.complete.hops[0].later) == 1


async def test_a_header_that_never_arrived_is_passed_over(chains):
    confirmed = await chains.confirm()
    await chains.put(chains.backbone, "other")
    chains.backbone.sent.append(Anchored(confirmed.seq, bytes(32)))
    await chains.proofs._prove()
    assert chains.proofs.complete is None
    await chains.anchor(confirmed.seq + 1)
    await chains.proofs._prove()
    assert len(chains.proofs.complete.hops[0].later) == 1


async def test_without_the_main_chain_its_own_is_proved_meanwhile(chains, monkeypatch):
    confirmed = await chains.confirm()
    await chains.proofs._prove()
    assert chains.proofs.partial is None
    monkeypatch.setattr(chain_proofs, "PATIENCE_SECONDS", 0)
    await chains.proofs._prove()
    assert places(chains.proofs.partial) == [confirmed.seq]
    await chains.anchor(confirmed.seq)
    await chains.proofs._prove()
    assert len(chains.proofs.complete.hops) == 2
    assert chains.proofs.partial is None


async def test_a_main_chain_that_cannot_be_asked_is_an_error_to_come_back_to(chains):
    away = f"http://127.0.0.1:{closed_port()}"
    async with proving(chains.proofs._chain._client._node.text, away) as proofs:
        chains.proofs = proofs
        confirmed = await chains.confirm()
        await chains.anchor(confirmed.seq)
        with pytest.raises(ChainError):
            await proofs._prove()
        assert places(proofs.partial) == [confirmed.seq]
        assert list(proofs._waiting) == [confirmed]


async def test_a_transaction_that_is_not_in_its_block_is_no_proof(chains):
    confirmed = await chains.confirm()
    seq = await chains.put(chains.backbone, "other")
    chains.proofs._waiting.clear()
    chains.proofs.confirmed(confirmed._replace(seq=seq))
    await chains.anchor(seq)
    with pytest.raises(ProofError, match="does not have the transaction"):
        await chains.proofs._prove()


async def test_not_more_wait_than_may(chains):
    confirmed = [await chains.confirm() for _ in range(MAX_WAITING + 2)]
    assert list(chains.proofs._waiting) == confirmed[2:]


async def test_a_header_too_far_away_is_not_gone_to(chains, monkeypatch):
    monkeypatch.setattr(asked_chain, "MAX_LATER", 1)
    confirmed = await chains.confirm()
    for _ in range(2):
        await chains.put(chains.backbone, "other")
    await chains.anchor(confirmed.seq + 2)
    with pytest.raises(ProofError, match="is not one of 1 after it"):
        await chains.proofs._prove()
