"""Accounts and their metadata as the state keeps them (bif notes §2.1, §2.8).

An account is hashed into the trie of its domain as `Account` serialised; a metadata,
as which it is stored too, as `KeyPair`, into the trie of its account. The root of that
trie stands in the account, and so does the root of assets, which are always none.
"""

from functools import lru_cache
from typing import Final, NamedTuple

from chain_anchor.bif import chain_pb2
from chain_anchor.bif.trie import EMPTY_ROOT

_REMEMBERED: Final = 1024
"""Privileges that are kept as they are read and written."""

_EMPTY_ROOTS: Final = b"\x22\x20" + EMPTY_ROOT + b"\x2a\x20" + EMPTY_ROOT
"""Both roots of most accounts, as fields of the message; no text can have them."""


class Privilege(NamedTuple):
    """Who may act for an account, and with which weight."""

    master_weight: int = 1
    """Weight of the account's own signature."""

    signers: tuple[tuple[str, int], ...] = ()
    """Address and weight of each other signer."""

    tx_threshold: int = 1
    """Weight that a transaction needs."""

    type_thresholds: tuple[tuple[int, int], ...] = ()
    """Operation type, and weight that it needs instead."""

    def threshold(self, operation_type: int | None = None) -> int:
        """Give the weight that an operation of a type, or a transaction, needs."""
        return dict(self.type_thresholds).get(operation_type or 0, self.tx_threshold)


class Code(NamedTuple):
    """What makes an account a contract."""

    type: int
    """`Contract.ContractType`."""

    payload: str
    version: int = 0


class Metadata(NamedTuple):
    """A value that an account keeps under a key."""

    value: str
    version: int


class Account(NamedTuple):
    """An account of one domain."""

    address: str
    balance: int
    nonce: int = 0
    privilege: Privilege = Privilege()
    metadatas_hash: bytes = EMPTY_ROOT
    assets_hash: bytes = EMPTY_ROOT
    contract: Code | None = None
    public_key: str = ""

    def with_balance(self, balance: int) -> "Account":
        """Give the account with another balance; half the time of `_replace`."""
        return Account._make((self.address, balance, *self[2:]))

    def message(self) -> chain_pb2.Account:
        """Give the account as a message."""
        message = chain_pb2.Account(
            address=self.address,
            nonce=self.nonce,
            metadatas_hash=self.metadatas_hash,
            assets_hash=self.assets_hash,
            balance=self.balance,
            public_key=self.public_key,
            priv=_privilege_message(self.privilege),
        )
        if self.contract:
            kind, payload, version = self.contract
            message.contract.SetInParent()
            message.contract.type = kind  # type: ignore[assignment] # enums are ints
            message.contract.payload = payload
            message.contract.version = version
        return message

    def encode(self) -> bytes:
        """Give the octets that are hashed."""
        return self.message().SerializeToString()

    @classmethod
    def from_stored(cls, address: str, octets: bytes) -> "Account":
        """Read what `to_stored` made of the account at an address."""
        message = chain_pb2.Account.FromString(octets)
        contract = message.contract
        return cls(
            address,
            message.balance,
            message.nonce,
            privilege_of(message.priv),
            message.metadatas_hash or EMPTY_ROOT,
            message.assets_hash or EMPTY_ROOT,
            Code(contract.type, contract.payload, contract.version)
            if message.HasField("contract")
            else None,
            message.public_key,
        )


def to_stored(hashed: bytes) -> bytes:
    """Give the octets that are stored of an account, from those that are hashed.

    Its address, the first field, and empty roots are left out: 110 octets of the 130
    that an ordinary account has.
    """
    return hashed[2 + hashed[1] :].replace(_EMPTY_ROOTS, b"", 1)


def privilege_of(message: chain_pb2.AccountPrivilege) -> Privilege:
    """Read a privilege; what weighs nothing is left out."""
    return _read_privilege(message.SerializeToString())


def encode_metadata(key: str, metadata: Metadata) -> bytes:
    """Give the octets of a metadata that are stored and hashed."""
    pair = chain_pb2.KeyPair(key=key, value=metadata.value, version=metadata.version)
    return pair.SerializeToString()


def decode_metadata(octets: bytes) -> Metadata:
    """Read what `encode_metadata` gave."""
    pair = chain_pb2.KeyPair.FromString(octets)
    return Metadata(pair.value, pair.version)


# Nearly all accounts have the same privilege, so it is made and read once.
@lru_cache(maxsize=_REMEMBERED)
def _read_privilege(octets: bytes) -> Privilege:
    message = chain_pb2.AccountPrivilege.FromString(octets)
    return Privilege(
        message.master_weight,
        tuple((s.address, s.weight) for s in message.signers if s.weight),
        message.thresholds.tx_threshold,
        tuple(
            (int(t.type), t.threshold)
            for t in message.thresholds.type_thresholds
            if t.threshold
        ),
    )


@lru_cache(maxsize=_REMEMBERED)
def _privilege_message(privilege: Privilege) -> chain_pb2.AccountPrivilege:
    message = chain_pb2.AccountPrivilege(master_weight=privilege.master_weight)
    for address, weight in privilege.signers:
        message.signers.add(address=address, weight=weight)
    message.thresholds.tx_threshold = privilege.tx_threshold
    for kind, threshold in privilege.type_thresholds:
        message.thresholds.type_thresholds.add(type=kind, threshold=threshold)
    return message
