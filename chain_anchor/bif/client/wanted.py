"""What a subscription is for (bif notes §3)."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

MAX_ADDRESSES: Final = 100


class Kind(IntEnum):
    """Types of messages, as they are on the wire."""

    PING = 1
    HELLO = 10
    TRANSACTION_STATUS = 11
    SUBMIT = 15
    BLOCK_HEADER = 16
    CONTRACT_LOG = 17
    BLOCK_TRANSACTIONS = 18
    SUBSCRIBE = 19
    TRANSACTION = 20
    SUBSCRIBE_ALL = 21


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is subscribed to; as it is, everything that the node pushes by itself."""

    kinds: tuple[Kind, ...] = ()
    """Kinds of pushes; none means all."""

    addresses: tuple[str, ...] = ()
    """Accounts whose transactions are pushed, 100 at most; none means all."""

    contract: str = ""
    """A contract whose logs are pushed."""

    topics: tuple[str, ...] = ()
    """Topics of those logs; none means all."""

    dropped: bool = False
    """Push which transactions the pool drops."""

    def __post_init__(self) -> None:
        if len(self.addresses) > MAX_ADDRESSES:
            raise ValueError(
                f"addresses: at most {MAX_ADDRESSES} expected, got {len(self.addresses)}"
            )
        if self.topics and not self.contract:
            raise ValueError("topics: a contract expected with them, got none")


EVERYTHING: Final = Wanted()
