"""What a chain demands of transactions: prices and limits (bif notes §2.6).

The defaults are those that the test networks publish: gas price 0 and reserve 0, whose
fees hash is that of nothing.
"""

from dataclasses import dataclass
from typing import Final

MAX_INT64: Final = 2**63 - 1
MAX_WEIGHT: Final = 2**32 - 1
MAX_ENVELOPE_OCTETS: Final = 1024 * 1024
MAX_BLOCK_OCTETS: Final = 16 * 1024 * 1024
MAX_REMARK_OCTETS: Final = 256 * 1024
MAX_KEY_OCTETS: Final = 1024
MAX_VALUE_OCTETS: Final = 256 * 1024
MAX_PAYLOAD_OCTETS: Final = 256 * 1024
MAX_SIGNERS: Final = 100
MAX_TOPIC_OCTETS: Final = 128
MAX_DATA_OCTETS: Final = 1024
MAX_CALL_DEPTH: Final = 4
MAX_CONTRACT_TRANSACTIONS: Final = 512
CREATE_CONTRACT_GAS: Final = 1_000_000
"""Gas of an operation that creates a contract; every other operation is free."""

MAIN_DOMAIN: Final = 0

DOMAINS: Final = (0, 24, 20, 22, 21, 23)
"""The domains of the test network, in the order of its published headers."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Settings of one chain, the same from its first block to its last."""

    chain_id: int = 0
    """What `Transaction.chain_id` must be; SDKs leave it out, which is 0."""

    domains: tuple[int, ...] = DOMAINS
    gas_price: int = 0
    """Least price of a unit of gas."""

    base_reserve: int = 0
    """What must stay on an account."""

    ledger_version: int = 1006
    max_operations: int = 100
    strict_canonical: bool = False
    """Refuse blobs that the node would serialise otherwise (§1.5, item 8)."""


MAINNET_LIKE: Final = Rules(gas_price=1000, base_reserve=10_000_000)
"""Prices that Bumo's genesis published; the reserve is 0.1 XHT."""
