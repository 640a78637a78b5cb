"""The first block of a chain, which a seed determines (bif notes §2.8, §7.4).

The first account has 10**17, validators have nothing, and accounts whose keys are
published in the demos of the official SDKs are funded in every domain, so that those
demos run (emulator convention). Keys are derived from the seed and the chain's name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple

from chain_anchor.bif import addresses
from chain_anchor.bif.account import Account, Code, Privilege
from chain_anchor.bif.chain_pb2 import Contract
from chain_anchor.bif.keys import PrivateKey

FIRST_BALANCE: Final = 10**17
FUNDED_BALANCE: Final = 10**15
"""10 million XHT; 1 XHT is 10**8."""

VALIDATORS: Final = 4
"""The fewest that tolerate a faulty one."""

DEMO_SUFFIXES: Final = (
    "efnVUgqQFfYeu97ABf6sGm3WFtVXHZB2",
    "efyJLYwWd7SmKV44QXxRAd7NLCfjKxHB",
    "ef7zyvBtyg22NC4qDHwehMJxeqw6Mmrh",
    "efzewQxg38x2Tmb1cpxSC1ZWwMZUxUeV",
    "efaJmqSioZ59czxR6LjBUQjt6n1iph12",
    "efqhQu9YWEWpUKQYkAyGevPGtAdD1N6p",
    "eft6d191modv1cxBC43wjKHk85VVhQDc",
    "efMrjMzYWUBBLZBwgsWtxEvdfQe5wejB",
    "efxASt17p1BeXVZ5vdTW9JkEQjy4vRMG",
    "efDhnL1BDthu7cbxnGMWvvuWPH9UYDfS",
    "ef2CuJPNBW7HQhTTiiT3wPYvFbSbthtzC",
    "efLrPu7LNR4YwA5M1Kfx6BYb1JP7aPKp",
    "efBdagu8sVkJWEw5kLt1w69bxa85Kuag",
    "efAsXt5zM2Hsq6wCYRMZBS5Q9HvG2EmK",
    "effMzw4pjqgVxpFZCQ3fVWN5n7USpRYu",
    "efL6sLNfxDAtNeX9AhBGqneo2hpDvHtv",
    "efdPP4ympm36RxTYQJPber1PRKmLWZE",
    "efzQ19tQmZV8BV6PE7HhuoV8f8bduNvY",
    "efDNEcHisNqAALsGDeV88VnvapimRiLG",
    "efNyq5izP6gevGwNwD6AwhX7b62pmpnY",
    "zf2AoXhJsmr1aaUMxhnKeMAX42G9Ck526",
)
"""Accounts of the demos. efQMuPahc3zm7abBUBfj22xZokhZ7rED is missing: a demo creates
it, and fails if it is there."""


class Keys(NamedTuple):
    """The private keys of a seeded chain."""

    first: PrivateKey
    validators: tuple[PrivateKey, ...]
    funded: tuple[PrivateKey, ...]


@dataclass(frozen=True, slots=True)
class Genesis:
    """What the first block of a chain says."""

    validators: tuple[str, ...]
    balances: Mapping[str, int]
    """Balance by address, the same in every domain."""

    native: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Name of the native contract by address."""

    slogan: str = ""
    """`reserve` of the first header."""

    def accounts(self) -> list[Account]:
        """List the accounts of each domain."""
        ordinary = [Account(*entry) for entry in self.balances.items()]
        system = [
            Account(
                address,
                0,
                privilege=Privilege(master_weight=0),
                contract=Code(Contract.SYSTEM, name),
            )
            for address, name in self.native.items()
        ]
        return ordinary + system


def seeded_keys(seed: str, name: str, funded: int) -> Keys:
    """Derive the keys of a chain.

    Args:
        seed: the network's.
        name: the chain's.
        funded: how many keys of funded accounts to derive.
    """

    def key(role: str) -> PrivateKey:
        return PrivateKey.from_seed(seed, f"{name}/{role}")

    return Keys(
        key("first"),
        tuple(key(f"validator/{number}") for number in range(VALIDATORS)),
        tuple(key(f"account/{number}") for number in range(funded)),
    )


def seeded_genesis(
    keys: Keys,
    demo_suffixes: Sequence[str] = DEMO_SUFFIXES,
    native: Mapping[int, str] = MappingProxyType({}),
    slogan: str = "",
    ac: str = "",
) -> Genesis:
    """Make the first block of a chain from its keys.

    A sub-chain funds each account under both of its addresses, with the chain's code
    and without, so that programs work that know of no code (emulator convention).

    Args:
        keys: what `seeded_keys` gave.
        demo_suffixes: which published accounts to fund, without "did:bid:".
        native: name of the native contract by its number (§2.5).
        slogan: text of the first header.
        ac: code of the sub-chain.
    """
    validators = tuple(key.address() for key in keys.validators)
    balances = {keys.first.address(): FIRST_BALANCE}
    balances |= dict.fromkeys(validators, 0)
    funded = [key.address() for key in keys.funded]
    funded += [addresses.PREFIX + text for text in demo_suffixes]
    for address in funded:
        balances[address] = FUNDED_BALANCE
        balances[addresses.with_ac(address, ac)] = FUNDED_BALANCE
    contracts = {
        addresses.of_system_contract(number, ac): name
        for number, name in native.items()
    }
    return Genesis(validators, balances, contracts, slogan)
