"""What a running chain is told: where it lies, by which rules, keys and clock it goes."""

import time
from dataclasses import dataclass
from pathlib import Path

from chain_anchor.bif.clock import Source
from chain_anchor.bif.execution import Chain
from chain_anchor.bif.genesis import Genesis, Keys
from chain_anchor.bif.keys import PrivateKey


def machine_time() -> int:
    """Give the machine's time in microseconds since 1970."""
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class ChainSettings:
    """What a chain is told."""

    name: str
    directory: Path
    chain: Chain
    """For the writer; contracts are run by one thread at a time."""

    reading: Chain
    """The same for questions, with contracts of their own."""

    keys: Keys
    genesis: Genesis
    network_id: int = 1
    strict: bool = False
    source: Source | None = machine_time
    """Clock; None for one that only blocks move."""

    accounts: tuple[PrivateKey, ...] = ()
    """Keys of funded accounts, for people."""
