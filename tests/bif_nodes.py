"""Running chains, for tests."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from chain_anchor.bif.chain_pb2 import LedgerHeader, Operation, Transaction
from chain_anchor.bif.errors import RefusedError
from chain_anchor.bif.execution import Chain
from chain_anchor.bif.genesis import seeded_genesis
from chain_anchor.bif.keys import PrivateKey
from chain_anchor.bif.ledger import ClosedBlock
from chain_anchor.bif.node import ChainNode
from chain_anchor.bif.node_settings import ChainSettings
from chain_anchor.bif.rules import Rules
from chain_anchor.bif.transactions import SignedTransaction, sign
from tests.bif_chains import FEE_LIMIT, KEYS, NoContracts


def settings(directory: Path, name: str = "test", ac: str = "") -> ChainSettings:
    chain = Chain(Rules(), NoContracts(), ac)
    genesis = seeded_genesis(KEYS)
    return ChainSettings(name, directory, chain, chain, KEYS, genesis, source=None)


@contextlib.asynccontextmanager
async def running(
    directory: Path, name: str = "test", ac: str = ""
) -> AsyncIterator[ChainNode]:
    node = ChainNode(settings(directory, name, ac))
    await node.start()
    try:
        yield node
    finally:
        await node.close()


class Blocks:
    """A listener that queues the blocks of a node."""

    def __init__(self, node: ChainNode) -> None:
        self._queue: asyncio.Queue[ClosedBlock] = asyncio.Queue()
        node.listen(self)

    async def next(self) -> ClosedBlock:
        return await self._queue.get()

    def closed(self, block: ClosedBlock) -> None:
        self._queue.put_nowait(block)

    def accepted(self, transaction: SignedTransaction) -> None:
        pass

    def dropped(self, transaction: SignedTransaction, refusal: RefusedError) -> None:
        pass

    def reverted(self, header: LedgerHeader) -> None:
        pass


async def emptied(node: ChainNode) -> None:
    """Return when nothing waits: what waited before a start is in blocks."""
    blocks = Blocks(node)
    while len(node.pool):
        await blocks.next()


def signed(
    key: PrivateKey, nonce: int, *operations: Operation, gas_price: int = 0
) -> SignedTransaction:
    content = Transaction(
        source_address=key.address(),
        nonce=nonce,
        fee_limit=FEE_LIMIT,
        gas_price=gas_price,
        operations=operations,
    )
    return sign(content.SerializeToString(), [key])
