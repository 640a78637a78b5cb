"""What waits until it can be proved up to the main chain."""

import asyncio
import contextlib

from chain_anchor.bif.anchored_headers import Anchored
from chain_anchor.bif.client.signing import SignedBlob
from resolver.anchoring.chain_proofs import ChainProofs
from resolver.anchoring.records import Confirmed, Queued
from tests.bif_served import MemoryChain, serving

DEADLINE_SECONDS = 30


class Sent(MemoryChain):
    """A chain whose last header was sent to the main chain and has not arrived."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = asyncio.Queue()

    def anchored(self, seq: int):
        self.looks.put_nowait(seq)
        return Anchored(self.ledger.last.seq, bytes(32))


def confirmed(seq: int) -> Confirmed:
    return Confirmed(Queued(b"", seq, seq, SignedBlob(b"", ())), seq)


@contextlib.asynccontextmanager
async def proving(chain, *waiting):
    """Prove what a chain has; give what is said, and who proves."""
    said = []
    async with serving(chain) as below, serving(MemoryChain()) as main:
        urls = [f"http://127.0.0.1:{face.http_port}" for face in (below, main)]
        proofs = ChainProofs(*urls, said.append)
        for one in waiting:
            proofs.confirmed(one)
        proofs.start(None)
        try:
            yield said
        finally:
            await proofs.close()


async def test_a_header_on_its_way_is_waited_for_without_a_word():
    chain = Sent()
    last = chain.ledger.last.seq
    async with proving(chain, confirmed(last)) as said:
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert [await chain.looks.get() for _ in range(3)] == [last] * 3
        assert said == []


async def test_what_a_chain_lost_by_going_back_does_not_hold_up_what_follows():
    chain = Sent()
    last = chain.ledger.last.seq
    async with proving(chain, confirmed(last + 9), confirmed(last)):
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert await chain.looks.get() == last
