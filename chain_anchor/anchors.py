"""How a log is anchored on chains: what a bundle says of it, not verified yet.

A checkpoint of the national log stands in a transaction; that in a block of a chain;
the hash of a later block of that chain in a transaction of another chain, the main one.
Two kinds of step: up through the logs that hold each other's checkpoints, and along the
chains. `chain_anchor.anchor_section` has the octets, `anchor_making` makes the steps of
what a chain's node tells, `anchor_proof` verifies them. All of it is emulator
convention.
"""

from typing import Final, NamedTuple

ED25519: Final = 0x65
SM2: Final = 0x7A
KEY_OCTETS: Final = {ED25519: 32, SM2: 65}
SIGNATURE_OCTETS: Final = 64
MAX_LEVELS: Final = 8
MAX_HOPS: Final = 2
MAX_DOMAINS: Final = 32


class PinnedChain(NamedTuple):
    """A chain that is believed."""

    name: str
    genesis: bytes
    """Hash of its first block."""

    validators: tuple[str, ...]
    """Addresses, in the order of the chain."""


class AnchoredTold(NamedTuple):
    """How far a log is anchored on a chain, as its node says; it proves nothing."""

    url: str
    """Of the chain's node."""

    size: int = 0
    """Entries of the log that are covered; 0 before anything is anchored."""

    transaction: str = ""
    """Hash of the transaction, hexadecimal."""

    ledger_seq: int = 0
    """Number of its block."""

    hops: int = 0
    """Chains up to which it can be proved offline; 0 if the first has no certificates."""


class Level(NamedTuple):
    """A child's checkpoint in the log of its parent."""

    place: int
    """Index of the entry."""

    path: tuple[bytes, ...]
    entry: bytes


class Key(NamedTuple):
    """A public key: `ED25519` or `SM2`, and its raw octets."""

    type: int
    octets: bytes


class Domain(NamedTuple):
    """A domain of a chain after a block."""

    id: int
    root: bytes
    transactions: bytes | None = None
    """Hash of its transactions in the block, if it has any."""


class Votes(NamedTuple):
    """Signatures of validators over a block."""

    keys: tuple[int, ...]
    """Which of the hop's keys, rising."""

    signatures: tuple[bytes, ...]


class Block(NamedTuple):
    """What is said of the block that has the transaction."""

    seq: int
    previous_hash: bytes
    close_time: int
    version: int
    chain_id: int
    fees_hash: bytes
    domains: tuple[Domain, ...]


class Later(NamedTuple):
    """What is said of a block that follows."""

    close_time: int
    consensus_value_hash: bytes
    roots: tuple[bytes, ...]
    """Of all domains, in the order of the first block."""


class Hop(NamedTuple):
    """A transaction, and all that puts it on its chain."""

    genesis: bytes
    validators: tuple[tuple[int, Key], ...]
    """Places among the chain's validators, and keys."""

    blob: bytes
    signatures: tuple[tuple[Key, bytes], ...]
    place: int
    others: tuple[bytes, ...]
    block: Block
    previous: Votes
    later: tuple[Later, ...]
    votes: Votes


class Anchors(NamedTuple):
    """What leads from a bundle's checkpoint to the chains; nothing of it verified."""

    path: tuple[bytes, ...]
    levels: tuple[Level, ...]
    hops: tuple[Hop, ...]
