"""Certificates: what validators sign of a block (emulator convention).

Real chains keep a quorum's votes in the `previous_proof` of the block that follows;
how, is not published. Here a certificate is

    1  ledger_hash   header.hash of the block
    2  signatures    of validators, each over CONTEXT || header.hash

It holds if more than two thirds of the validators signed, 2f + 1 of 3f + 1, as Xbft
demands (bif notes §2.9). A header hashes its state and its transactions, so header and
certificate are enough for who pins the validators.
"""

from collections.abc import Sequence
from typing import Final

from google.protobuf.message import DecodeError

from chain_anchor.bif.chain_pb2 import QuorumCertificate, Signature
from chain_anchor.bif.errors import EncodingError
from chain_anchor.bif.keys import PrivateKey, PublicKey
from chain_anchor.errors import SignatureError

CONTEXT: Final = b"idis-emulator/bif-block/v1\n"


def quorum_of(validators: int) -> int:
    """Give how many of so many validators must sign: more than two thirds."""
    return 2 * validators // 3 + 1


def certify(ledger_hash: bytes, keys: Sequence[PrivateKey]) -> bytes:
    """Sign a block with the keys of validators; the same each time."""
    signatures = [
        Signature(public_key=key.public.text, sign_data=key.sign(CONTEXT + ledger_hash))
        for key in keys
    ]
    certificate = QuorumCertificate(ledger_hash=ledger_hash, signatures=signatures)
    return certificate.SerializeToString()


def check_certificate(
    octets: bytes, ledger_hash: bytes, validators: Sequence[str]
) -> None:
    """Demand that a quorum of validators signed a block.

    Args:
        octets: the certificate.
        ledger_hash: header.hash of the block.
        validators: the addresses of all validators, pinned by who asks.

    Raises:
        SignatureError: they did not: too few, another block, or a wrong signature.
    """
    try:
        certificate = QuorumCertificate.FromString(octets)
    except DecodeError:
        raise SignatureError("certificate: octets are none") from None
    if certificate.ledger_hash != ledger_hash:
        raise SignatureError(
            f"certificate: of block {ledger_hash.hex()} expected, "
            f"got {certificate.ledger_hash.hex()}"
        )
    needed, known = quorum_of(len(validators)), set(validators)
    signed: set[str] = set()
    for entry in certificate.signatures[: len(validators)]:
        signed.add(_signer(entry, ledger_hash))
    if len(signed & known) < needed:
        raise SignatureError(
            f"certificate: {needed} of {len(validators)} validators expected, "
            f"{len(signed & known)} signed"
        )


def _signer(entry: Signature, ledger_hash: bytes) -> str:
    try:
        key = PublicKey.parse(entry.public_key)
    except EncodingError as problem:
        raise SignatureError(f"certificate: {problem}") from None
    key.verify(CONTEXT + ledger_hash, entry.sign_data)
    return key.address()
