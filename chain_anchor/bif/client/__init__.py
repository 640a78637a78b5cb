"""A client of 星火·链网: `ChainClient`, and on asyncio its twin `AsyncChainClient`.

    key = PrivateKey.parse("priSPK...")
    with ChainClient("http://127.0.0.1:27002") as chain:
        record = chain.send(key, operation.pay("did:bid:ef...", 100))
        print(chain.balance("did:bid:ef..."), record.ledger_seq)
        with chain.subscribe() as events:
            print(events.next())

It speaks to the emulator and to any other node of BIF-Core, whose public test network
is at http://test.bifcore.bitfactory.cn. A key stays here: transactions are signed by
the client, and nothing of a key is sent.
"""

from chain_anchor.bif.client import operation
from chain_anchor.bif.client.aio import AsyncChainClient
from chain_anchor.bif.client.blocking import ChainClient
from chain_anchor.bif.client.errors import (
    AnsweredError,
    BadAnswerError,
    ChainError,
    FailedError,
    MissingError,
    TimedOutError,
    UnreachableError,
)
from chain_anchor.bif.client.settings import ChainSettings
from chain_anchor.bif.client.signing import SignedBlob, Terms
from chain_anchor.bif.client.subscription import (
    BlockClosed,
    BlockTransactions,
    ContractLogs,
    TransactionApplied,
    TransactionSeen,
    TransactionStatus,
)
from chain_anchor.bif.client.wanted import Kind, Wanted
from chain_anchor.bif.keys import KeyType, PrivateKey

__all__ = [
    "AnsweredError",
    "AsyncChainClient",
    "BadAnswerError",
    "BlockClosed",
    "BlockTransactions",
    "ChainClient",
    "ChainError",
    "ChainSettings",
    "ContractLogs",
    "FailedError",
    "KeyType",
    "Kind",
    "MissingError",
    "PrivateKey",
    "SignedBlob",
    "Terms",
    "TimedOutError",
    "TransactionApplied",
    "TransactionSeen",
    "TransactionStatus",
    "UnreachableError",
    "Wanted",
    "operation",
]
