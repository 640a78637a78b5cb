"""The state of one domain: what is stored, and layers of changes above it.

A block is a layer over what is stored, a transaction a layer over its block, a call of
a contract a layer over its transaction. A layer is merged into the one below or thrown
away, so what failed leaves nothing behind. At the end of a block `seal` hashes what
changed into the tries, all at once, and says what is to be written.
"""

import functools
from collections import defaultdict
from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple, Protocol

from chain_anchor.bif import addresses, storage, trie
from chain_anchor.bif.account import (
    Account,
    Metadata,
    decode_metadata,
    encode_metadata,
    to_stored,
)


class View(Protocol):
    """A state that can be read."""

    def account(self, address: str) -> Account | None:
        """Give an account, or None if there is none at this address."""

    def metadata(self, address: str, key: str) -> Metadata | None:
        """Give a metadata of an account, or None."""

    def creator(self, address: str) -> str | None:
        """Give who created a contract, or None."""


class StoredState:
    """The state of a domain as it is stored."""

    def __init__(self, reader: storage.Reader, domain: int) -> None:
        self.domain = domain
        self._reader = reader

    def account(self, address: str) -> Account | None:
        """Give an account, or None if there is none at this address."""
        octets = self._reader.get(storage.account(self.domain, _place(address)))
        return None if octets is None else Account.from_stored(address, octets)

    def metadata(self, address: str, key: str) -> Metadata | None:
        """Give a metadata of an account, or None."""
        octets = self._metadata_octets(_place(address), key.encode())
        return None if octets is None else decode_metadata(octets)

    def creator(self, address: str) -> str | None:
        """Give who created a contract, or None."""
        octets = self._reader.get(storage.creator(self.domain, _place(address)))
        return None if octets is None else octets.decode()

    def metadatas(self, address: str) -> Iterator[tuple[str, Metadata]]:
        """List the metadata of an account, in the order of their keys' octets."""
        place = _place(address)
        for key in trie.keys(lambda at: self.metadata_node(place, at)):
            octets = self._metadata_octets(place, key)
            if octets is not None:
                yield key.decode(), decode_metadata(octets)

    def addresses(self) -> Iterator[str]:
        """List the addresses of all accounts, in the order of their state keys."""
        for place in trie.keys(self.account_node):
            yield addresses.of_state_key(place)

    def root(self) -> bytes:
        """Give the root of the trie of accounts."""
        return trie.root(self.account_node)

    def account_node(self, location: bytes) -> bytes | None:
        """Give a node of the trie of accounts."""
        return self._reader.get(storage.account_node(self.domain, location))

    def metadata_node(self, place: bytes, location: bytes) -> bytes | None:
        """Give a node of the trie of an account's metadata."""
        return self._reader.get(storage.metadata_node(self.domain, place, location))

    def _metadata_octets(self, place: bytes, key: bytes) -> bytes | None:
        return self._reader.get(storage.metadata(self.domain, place, key))


class Layer:
    """Changes above a state, which can be merged into a layer or thrown away."""

    def __init__(self, below: View) -> None:
        self._below = below
        self.accounts: dict[str, Account] = {}
        self.metadatas: dict[tuple[str, str], Metadata | None] = {}
        self.creators: dict[str, str] = {}

    def account(self, address: str) -> Account | None:
        """Give an account, or None if there is none at this address."""
        return self.accounts.get(address) or self._below.account(address)

    def metadata(self, address: str, key: str) -> Metadata | None:
        """Give a metadata of an account, or None."""
        place = address, key
        if place in self.metadatas:
            return self.metadatas[place]
        return self._below.metadata(address, key)

    def creator(self, address: str) -> str | None:
        """Give who created a contract, or None."""
        return self.creators.get(address) or self._below.creator(address)

    def put(self, account: Account) -> None:
        """Set an account."""
        self.accounts[account.address] = account

    def put_metadata(self, address: str, key: str, metadata: Metadata | None) -> None:
        """Set a metadata of an account, or remove it."""
        self.metadatas[address, key] = metadata

    def put_creator(self, address: str, creator: str) -> None:
        """Remember who created a contract."""
        self.creators[address] = creator

    def merge_into(self, below: "Layer") -> None:
        """Bring the changes to the layer below."""
        below.accounts.update(self.accounts)
        below.metadatas.update(self.metadatas)
        below.creators.update(self.creators)


class Sealed(NamedTuple):
    """What a block makes of the state of a domain."""

    root: bytes
    """Root of the trie of accounts."""

    changes: dict[bytes, bytes | None]
    """What is to be written."""


def seal(stored: StoredState, layer: Layer) -> Sealed:
    """Hash the changes of a block into the tries of a domain.

    Args:
        stored: the state before the block.
        layer: everything that the block changes, directly above it.
    """
    changes: dict[bytes, bytes | None] = {}
    for address, pairs in _by_account(layer).items():
        account = layer.account(address)
        if account is not None:
            root = _seal_metadata(stored, address, pairs, changes)
            layer.put(account._replace(metadatas_hash=root))
    for address, creator in layer.creators.items():
        changes[storage.creator(stored.domain, _place(address))] = creator.encode()
    return Sealed(_seal_accounts(stored, layer, changes), changes)


def _by_account(layer: Layer) -> dict[str, dict[str, Metadata | None]]:
    found: defaultdict[str, dict[str, Metadata | None]] = defaultdict(dict)
    for (address, key), metadata in layer.metadatas.items():
        found[address][key] = metadata
    return found


def _seal_metadata(
    stored: StoredState,
    address: str,
    pairs: dict[str, Metadata | None],
    changes: dict[bytes, bytes | None],
) -> bytes:
    """Hash the changed metadata of one account; return the root of its trie."""
    place, domain = _place(address), stored.domain
    leaves: dict[bytes, bytes | None] = {}
    for text, metadata in pairs.items():
        key = text.encode()
        octets = None if metadata is None else encode_metadata(text, metadata)
        changes[storage.metadata(domain, place, key)] = octets
        leaves[key] = None if octets is None else sha256(octets).digest()
    root, nodes = trie.update(lambda at: stored.metadata_node(place, at), leaves)
    for location, node in nodes.items():
        changes[storage.metadata_node(domain, place, location)] = node
    return root


def _seal_accounts(
    stored: StoredState, layer: Layer, changes: dict[bytes, bytes | None]
) -> bytes:
    """Hash the changed accounts; return the root of the trie of accounts."""
    domain = stored.domain
    leaves: dict[bytes, bytes | None] = {}
    for account in layer.accounts.values():
        place, octets = _place(account.address), account.encode()
        changes[storage.account(domain, place)] = to_stored(octets)
        leaves[place] = sha256(octets).digest()
    if not leaves:
        return stored.root()
    root, nodes = trie.update(stored.account_node, leaves)
    key_of = functools.partial(storage.account_node, domain)
    changes.update(zip(map(key_of, nodes), nodes.values(), strict=True))
    return root


def _place(address: str) -> bytes:
    return addresses.parse(address).state_key
