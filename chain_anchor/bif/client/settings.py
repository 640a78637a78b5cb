"""How a client of the chain behaves."""

from dataclasses import dataclass

from chain_anchor.bif.rules import MAIN_DOMAIN


@dataclass(frozen=True, slots=True)
class ChainSettings:
    """Settings of a client; one object for both twins."""

    domain: int = MAIN_DOMAIN
    """The domain that is read and written: each has accounts of its own."""

    ac: str = ""
    """Code of the sub-chain, which the addresses of its accounts carry."""

    timeout_seconds: float = 10.0
    """Most that one request may take, connecting included."""

    confirm_seconds: float = 30.0
    """Most that is waited for a transaction to be in a block.

    The public networks close a block within 3 s, an empty chain every 60 s."""

    poll_seconds: float = 0.02
    """First pause between two looks for a transaction; it grows up to 1 s."""

    max_connections: int = 4
    """Connections that are kept, and on asyncio also used, at once."""

    max_answer_octets: int = 64 << 20
    """Longest answer and longest message that are taken; a block has up to 16 MiB,
    which JSON shows as hexadecimal."""

    ping_seconds: float = 5.0
    """Silence after which a subscription pings, as the official tool does; after
    three in a row it is given up."""

    def __post_init__(self) -> None:
        positive = (
            self.timeout_seconds,
            self.confirm_seconds,
            self.poll_seconds,
            self.max_connections,
            self.max_answer_octets,
            self.ping_seconds,
        )
        if min(positive) <= 0:
            raise ValueError(f"{self}: limits above 0 expected")
