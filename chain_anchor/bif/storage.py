"""Where a chain is kept: keys and values, written one block at a time.

    FIRST  REST OF THE KEY                           VALUE
    A      domain, state key, 02                     Account
    A      domain, location with its first octet     node of the trie of accounts
           behind the others
    C      domain, account, metadata key             KeyPair
    D      domain, account, location                 node of its trie of metadata
    E      domain, account                           address of a contract's creator
    H      sequence number                           LedgerHeader
    I                                                sequence number of the last block
    L      domain, sequence number                   hashes of its transactions
    S                                                ValidatorSet
    T      hash                                      TransactionEnvStore
    V      sequence number                           ConsensusValueHeader

Domains have four octets and sequence numbers eight, big-endian; an account is its
state key behind a count of one octet. Metadata keys and their locations can be longer
than a database takes for a key: beyond 64 octets SHA-256 stands for them. So no key
has more than 120 octets.

Accounts lie behind the nodes that lead to them: what a change writes lies together, and
a block of 10 000 accounts among a million writes half as many pages.

What is written for one block is written at once or not at all, and is durable when
`write` returns; no block is answered for before.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Final, Protocol

Changes = Mapping[bytes, bytes | None]
"""New value by key; None removes it."""

LAST_BLOCK: Final = b"I"
VALIDATORS: Final = b"S"
_MAX_PLAIN_OCTETS: Final = 64


class Reader(Protocol):
    """Gives what is stored."""

    def get(self, key: bytes, /) -> bytes | None:
        """Give the value of a key, or None."""


class Storage(Reader, Protocol):
    """Keeps a chain."""

    def write(self, changes: Changes, /) -> None:
        """Write all changes in one durable transaction."""


def account(domain: int, state_key: bytes) -> bytes:
    """Key of an account."""
    return b"A" + domain.to_bytes(4) + state_key + b"\2"


def account_node(domain: int, location: bytes) -> bytes:
    """Key of a node in the trie of a domain's accounts."""
    return b"A" + domain.to_bytes(4) + location[1:] + location[:1]


def metadata(domain: int, state_key: bytes, key: bytes) -> bytes:
    """Key of a metadata of an account."""
    return _account(b"C", domain, state_key) + _short(key)


def metadata_node(domain: int, state_key: bytes, location: bytes) -> bytes:
    """Key of a node in the trie of an account's metadata."""
    return _account(b"D", domain, state_key) + _short(location)


def creator(domain: int, state_key: bytes) -> bytes:
    """Key of who created a contract."""
    return _account(b"E", domain, state_key)


def header(seq: int) -> bytes:
    """Key of a block's header."""
    return b"H" + seq.to_bytes(8)


def hashes(domain: int, seq: int) -> bytes:
    """Key of the hashes of a block's transactions in a domain."""
    return b"L" + domain.to_bytes(4) + seq.to_bytes(8)


def transaction(digest: bytes) -> bytes:
    """Key of an applied transaction."""
    return b"T" + digest


def consensus_value(seq: int) -> bytes:
    """Key of what a block's validators agreed on."""
    return b"V" + seq.to_bytes(8)


def _account(table: bytes, domain: int, state_key: bytes) -> bytes:
    return table + domain.to_bytes(4) + bytes([len(state_key)]) + state_key


def _short(octets: bytes) -> bytes:
    if len(octets) <= _MAX_PLAIN_OCTETS:
        return b"\0" + octets
    return b"\1" + sha256(octets).digest()
