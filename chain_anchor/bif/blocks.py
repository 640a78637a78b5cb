"""What blocks say and how they hang together (bif notes §2.8).

    header.hash            SHA-256 of LedgerHeader without hash, account_tree_hash
                           and tx_count
    previous_hash          header.hash of the block before; empty in the first
    domain_account_hashs   root of the state of each domain
    validators_hash        SHA-256 of ValidatorSet
    fees_hash              SHA-256 of FeeConfig; of nothing if both prices are 0
    consensus_value_hash   SHA-256 of ConsensusValueHeader, of the first block that of
                           ConsensusValue{ledger_upgrade}
    txs_index              for each domain with transactions in the block, SHA-256 of
                           their hashes one after the other

The first rule, those of validators and fees, and what `ledger_length` counts give what
five headers of live chains print (versions 1004 and 1006): so the transactions of a
block are bound to its hash through the consensus value, and their count is not. On
those chains an account_tree_hash is printed that is not part of the stored header.
What the consensus value of such chains is hashed from is not published: the messages
are those of the SDK's descriptors, the rule is emulator convention, after the
documentation of the chain's second version.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256

from chain_anchor.bif.chain_pb2 import (
    ConsensusValue,
    ConsensusValueHeader,
    DomainTxsIndex,
    FeeConfig,
    Ledger,
    LedgerHeader,
    LedgerUpgrade,
    Validator,
    ValidatorSet,
)
from chain_anchor.bif.errors import BlockError

HASH_OCTETS = 32

_UNHASHED = ("hash", "account_tree_hash", "tx_count")


def header_hash(header: LedgerHeader) -> bytes:
    """Hash a header, whether its own hash is set or not."""
    hashed = LedgerHeader()
    hashed.CopyFrom(header)
    for name in _UNHASHED:
        hashed.ClearField(name)
    return sha256(hashed.SerializeToString()).digest()


def ledger_length(header: LedgerHeader) -> int:
    """Count the octets of Ledger{header}, as `getLedger` shows it."""
    stored = LedgerHeader()
    stored.CopyFrom(header)
    stored.ClearField("account_tree_hash")
    return Ledger(header=stored).ByteSize()


def validator_set(addresses: Sequence[str]) -> ValidatorSet:
    """Make the set of validators, in their order."""
    return ValidatorSet(validators=[Validator(address=text) for text in addresses])


def validators_hash(addresses: Sequence[str]) -> bytes:
    """Hash the set of validators."""
    return sha256(validator_set(addresses).SerializeToString()).digest()


def fees_hash(gas_price: int, base_reserve: int) -> bytes:
    """Hash the prices of a chain."""
    fees = FeeConfig(gas_price=gas_price, base_reserve=base_reserve)
    return sha256(fees.SerializeToString()).digest()


def transactions_hash(hashes: Sequence[bytes]) -> bytes:
    """Hash the transactions of a domain in a block, by their hashes in order."""
    return sha256(b"".join(hashes)).digest()


def first_consensus_value(ledger_version: int) -> ConsensusValue:
    """Make the consensus value of a first block."""
    return ConsensusValue(
        ledger_upgrade=LedgerUpgrade(new_ledger_version=ledger_version)
    )


def consensus_header(
    previous: LedgerHeader,
    close_time: int,
    previous_proof: bytes,
    hashes: Mapping[int, Sequence[bytes]],
) -> ConsensusValueHeader:
    """Make what validators agree on for the block after another.

    Args:
        previous: header of that other block.
        close_time: microseconds.
        previous_proof: the certificate of that other block.
        hashes: of the block's transactions, by domain, in order.
    """
    return ConsensusValueHeader(
        close_time=close_time,
        previous_proof=previous_proof,
        ledger_seq=previous.seq + 1,
        previous_ledger_hash=previous.hash,
        txs_index=[
            DomainTxsIndex(domainId=domain, domaintxshash=transactions_hash(listed))
            for domain, listed in hashes.items()
            if listed
        ],
    )


def check_header(header: LedgerHeader) -> None:
    """Demand that a header has the hash that it names.

    Raises:
        BlockError: it has another one.
    """
    found = header_hash(header)
    if found != header.hash:
        raise BlockError(
            f"block {header.seq}: hash {found.hex()} expected, got {header.hash.hex()}"
        )


def tree_hash(header: LedgerHeader, domain: int) -> bytes:
    """Give the root of the state of a domain after a block.

    Raises:
        BlockError: the block knows no such domain.
    """
    for entry in header.domain_account_hashs:
        if entry.domain_id == domain:
            return entry.account_tree_hash
    raise BlockError(f"block {header.seq}: it has no domain {domain}")
