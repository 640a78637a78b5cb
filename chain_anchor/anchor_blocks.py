"""Blocks of a hop, put together again: what `anchors` leaves out is derived here.

    validators hash   from the pinned addresses
    previous proof    the votes for the block before, by the hop's keys
    consensus value   from these, the header's fields and the hashes of transactions
    header hash       from all of it

The rules are those of `chain_anchor.bif.blocks`.
"""

from collections.abc import Sequence
from hashlib import sha256

from chain_anchor.anchors import Hop, Key, Later, Votes
from chain_anchor.bif import blocks
from chain_anchor.bif.chain_pb2 import (
    ConsensusValueHeader,
    DomainAccountHash,
    DomainTxsIndex,
    LedgerHeader,
    QuorumCertificate,
    Signature,
)
from chain_anchor.bif.keys import KeyType, PublicKey
from chain_anchor.errors import ProofError


def public_key(key: Key) -> PublicKey:
    """Give a key of a hop as one that verifies."""
    return PublicKey(KeyType(chr(key.type)), key.octets)


def transaction_hashes(hop: Hop) -> list[bytes]:
    """List the hashes of the block's transactions in the domain of the hop's.

    Raises:
        ProofError: The transaction's place is not among them.
    """
    if hop.place > len(hop.others):
        raise ProofError(
            f"transaction: place {hop.place} in a block of {len(hop.others) + 1}"
        )
    own = sha256(hop.blob).digest()
    return [*hop.others[: hop.place], own, *hop.others[hop.place :]]


def certificate(hop: Hop, votes: Votes, ledger_hash: bytes) -> bytes:
    """Write votes for a block as the certificate that the chain has; b"" if none."""
    if not votes.keys:
        return b""
    signatures = [
        Signature(public_key=public_key(hop.validators[key][1]).text, sign_data=octets)
        for key, octets in zip(votes.keys, votes.signatures, strict=True)
    ]
    made = QuorumCertificate(ledger_hash=ledger_hash, signatures=signatures)
    return made.SerializeToString()


def first_header(hop: Hop, domain: int, validators: Sequence[str]) -> LedgerHeader:
    """Make the header of the block with the transaction.

    Args:
        hop: The transaction and its block.
        domain: That of the transaction.
        validators: Addresses, as pinned.

    Raises:
        ProofError: The block does not know the domain, or says itself what the hash of
            its transactions is.
    """
    block = hop.block
    header = LedgerHeader(
        seq=block.seq,
        previous_hash=block.previous_hash,
        close_time=block.close_time,
        consensus_value_hash=sha256(consensus_value(hop, domain)).digest(),
        version=block.version,
        validators_hash=blocks.validators_hash(validators),
        fees_hash=block.fees_hash,
        chain_id=block.chain_id,
        domain_account_hashs=[
            DomainAccountHash(domain_id=each.id, account_tree_hash=each.root)
            for each in block.domains
        ],
    )
    header.hash = blocks.header_hash(header)
    return header


def consensus_value(hop: Hop, domain: int) -> bytes:
    """Make what the consensus value hash of the block with the transaction is over.

    Raises:
        ProofError: See `first_header`.
    """
    block, own = hop.block, blocks.transactions_hash(transaction_hashes(hop))
    index = {each.id: each.transactions for each in block.domains}
    if index.get(domain, b"") is not None or len(index) < len(block.domains):
        raise ProofError(f"block {block.seq}: domain {domain} is not open in it once")
    index[domain] = own
    value = ConsensusValueHeader(
        close_time=block.close_time,
        previous_proof=certificate(hop, hop.previous, block.previous_hash),
        ledger_seq=block.seq,
        previous_ledger_hash=block.previous_hash,
        txs_index=[
            DomainTxsIndex(domainId=number, domaintxshash=digest)
            for number, digest in index.items()
            if digest is not None
        ],
    )
    return value.SerializeToString()


def next_header(previous: LedgerHeader, later: Later) -> LedgerHeader:
    """Make the header of the block after another."""
    header = LedgerHeader()
    header.CopyFrom(previous)
    header.seq += 1
    header.previous_hash = previous.hash
    header.close_time = later.close_time
    header.consensus_value_hash = later.consensus_value_hash
    for entry, root in zip(header.domain_account_hashs, later.roots, strict=True):
        entry.account_tree_hash = root
    header.hash = blocks.header_hash(header)
    return header
