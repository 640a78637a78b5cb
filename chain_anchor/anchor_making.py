"""The making of hops: from what a chain shows of its blocks to what `anchors` has.

A hop leaves out what follows from the rest. So what was taken apart is put together
again at once; a block that is not made by the same rules cannot be proved offline.
"""

from collections.abc import Sequence
from typing import NamedTuple

from google.protobuf.message import DecodeError

from chain_anchor.anchor_blocks import first_header, next_header
from chain_anchor.anchors import Block, Domain, Hop, Key, Later, Votes
from chain_anchor.bif import addresses
from chain_anchor.bif.certificates import quorum_of
from chain_anchor.bif.chain_pb2 import (
    ConsensusValueHeader,
    LedgerHeader,
    QuorumCertificate,
)
from chain_anchor.bif.keys import PublicKey
from chain_anchor.bif.transactions import SignedTransaction
from chain_anchor.errors import ProofError


class Shown(NamedTuple):
    """What a chain shows of a transaction and its block."""

    genesis: bytes
    validators: tuple[str, ...]
    transaction: SignedTransaction
    hashes: tuple[bytes, ...]
    """Of the signed transactions of its domain in the block, in order."""

    consensus: bytes
    """ConsensusValueHeader of the block."""

    headers: tuple[LedgerHeader, ...]
    """The block's, and those that follow."""

    proof: bytes
    """Certificate of the last of these."""


def make_hop(shown: Shown) -> Hop:
    """Make the hop of a transaction.

    Raises:
        ProofError: The block does not have the transaction, or it is not made by the
            rules of `chain_anchor.bif.blocks`.
        EncodingError: A key is none.
    """
    header, transaction = shown.headers[0], shown.transaction
    value = _consensus(shown.consensus)
    known = _Keys(shown.validators)
    previous = known.votes(value.previous_proof, len(shown.validators))
    votes = known.votes(shown.proof, quorum_of(len(shown.validators)))
    if transaction.hash not in shown.hashes:
        raise ProofError(f"block {header.seq}: it does not have the transaction")
    place = shown.hashes.index(transaction.hash)
    hop = Hop(
        genesis=shown.genesis,
        validators=known.listed(),
        blob=transaction.blob,
        signatures=tuple(
            (_key(PublicKey.parse(text)), octets)
            for text, octets in transaction.signatures
        ),
        place=place,
        others=shown.hashes[:place] + shown.hashes[place + 1 :],
        block=_block(header, value, transaction.content.domain_id),
        previous=known.placed(previous),
        later=tuple(_later(each) for each in shown.headers[1:]),
        votes=known.placed(votes),
    )
    _check(hop, shown)
    return hop


class _Keys:
    """The keys of validators, as certificates have them."""

    def __init__(self, validators: Sequence[str]) -> None:
        self._places = {
            addresses.without_ac(address): place
            for place, address in enumerate(validators)
        }
        self._found: dict[int, Key] = {}

    def votes(self, octets: bytes, most: int) -> list[tuple[int, bytes]]:
        """Read a certificate: the validators' places and signatures, at most so many."""
        try:
            certificate = QuorumCertificate.FromString(octets)
        except DecodeError:
            raise ProofError("certificate: octets are none") from None
        found = []
        for entry in certificate.signatures[:most]:
            key = PublicKey.parse(entry.public_key)
            place = self._places.get(key.address())
            if place is None:
                raise ProofError(f"certificate: {key.address()} is no validator")
            self._found[place] = _key(key)
            found.append((place, entry.sign_data))
        return found

    def listed(self) -> tuple[tuple[int, Key], ...]:
        return tuple(sorted(self._found.items()))

    def placed(self, votes: Sequence[tuple[int, bytes]]) -> Votes:
        """Name the voters by their places among the keys that were found."""
        places = sorted(self._found)
        ordered = sorted(votes)
        return Votes(
            tuple(places.index(place) for place, _ in ordered),
            tuple(octets for _, octets in ordered),
        )


def _consensus(octets: bytes) -> ConsensusValueHeader:
    try:
        return ConsensusValueHeader.FromString(octets)
    except DecodeError:
        raise ProofError("consensus value: octets are none") from None


def _block(header: LedgerHeader, value: ConsensusValueHeader, domain: int) -> Block:
    busy = {entry.domainId: entry.domaintxshash for entry in value.txs_index}
    busy.pop(domain, None)
    domains = [
        Domain(entry.domain_id, entry.account_tree_hash, busy.get(entry.domain_id))
        for entry in header.domain_account_hashs
    ]
    return Block(
        header.seq,
        header.previous_hash,
        header.close_time,
        header.version,
        header.chain_id,
        header.fees_hash,
        tuple(domains),
    )


def _later(header: LedgerHeader) -> Later:
    roots = [entry.account_tree_hash for entry in header.domain_account_hashs]
    return Later(header.close_time, header.consensus_value_hash, tuple(roots))


def _check(hop: Hop, shown: Shown) -> None:
    """Put the blocks together again, and compare."""
    domain = shown.transaction.content.domain_id
    made = first_header(hop, domain, shown.validators)
    for header, later in zip(shown.headers, (None, *hop.later), strict=True):
        made = made if later is None else next_header(made, later)
        if made.hash != header.hash:
            raise ProofError(
                f"block {header.seq}: its hash {header.hash.hex()} does not follow "
                f"from what it is known to be made of, which has {made.hash.hex()}"
            )


def _key(key: PublicKey) -> Key:
    return Key(ord(key.type.value), key.octets)
