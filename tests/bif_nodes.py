"""Running chains, for tests."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from chain_anchor.bif.chain_pb2 import Operation, Transaction
from chain_anchor.bif.execution import Chain, NoContracts
from chain_anchor.bif.genesis import seeded_genesis
from chain_anchor.bif.keys import PrivateKey
from chain_anchor.bif.node import ChainNode, ChainSettings
from chain_anchor.bif.rules import Rules
from chain_anchor.bif.transactions import SignedTransaction, sign
from tests.bif_chains import FEE_LIMIT, KEYS


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


def signed(key: PrivateKey, nonce: int, *operations: Operation) -> SignedTransaction:
    content = Transaction(
        source_address=key.address(),
        nonce=nonce,
        fee_limit=FEE_LIMIT,
        operations=operations,
    )
    return sign(content.SerializeToString(), [key])
