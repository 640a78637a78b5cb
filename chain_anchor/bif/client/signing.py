"""Transactions as a client makes them: built, serialised, signed; no I/O.

The signature is over the serialised octets, which are sent as they are (bif notes
§2.2), so a transaction can be signed where no node is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple

from chain_anchor.bif import chain_pb2
from chain_anchor.bif.chain_pb2 import Operation, Transaction, TransactionEnv
from chain_anchor.bif.keys import PrivateKey
from chain_anchor.bif.rules import MAIN_DOMAIN
from chain_anchor.bif.transactions import Signature

GAS_PRICE = 100
"""What the official SDKs offer unless told otherwise."""

_EVALUATED_OCTETS: Final = 64 + 76 + 5
"""What nodes count for a signature when they evaluate a fee (bif notes §1.4)."""

_SIGNATURE_OCTETS: Final = 64


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a transaction is sent."""

    nonce: int | None = None
    """One more than that of the account before; without, the node is asked."""

    fee_limit: int | None = None
    """Most that it may cost; without, the node is asked what it will cost."""

    gas_price: int = GAS_PRICE
    remark: str = ""
    """Kept on the chain, up to 256 KiB."""

    last_block: int = 0
    """Block after which it may no longer be taken; 0: any."""

    source: str = ""
    """Account that sends, if it is not that of the first key."""

    more_keys: tuple[PrivateKey, ...] = ()
    """Keys that sign besides the first."""


PLAIN = Terms()
"""The node is asked for nonce and fee."""


class SignedBlob(NamedTuple):
    """A transaction that can be submitted."""

    blob: bytes
    signatures: tuple[Signature, ...]

    @property
    def hash(self) -> str:
        """Hash of the transaction, in hexadecimal, by which it is found."""
        return sha256(self.blob).hexdigest()


def transaction(
    source: str,
    operations: Iterable[Operation],
    terms: Terms = PLAIN,
    domain: int = MAIN_DOMAIN,
) -> Transaction:
    """Build a transaction; nonce and fee limit that are None stay 0."""
    return Transaction(
        source_address=source,
        nonce=terms.nonce or 0,
        operations=operations,
        metadata=terms.remark.encode(),
        fee_limit=terms.fee_limit or 0,
        gas_price=terms.gas_price,
        ceil_ledger_seq=terms.last_block,
        domain_id=domain,
    )


def sign(content: Transaction, *keys: PrivateKey) -> SignedBlob:
    """Serialise a transaction and sign it with each of the keys."""
    blob = content.SerializeToString(deterministic=True)
    return SignedBlob(
        blob, tuple(Signature(key.public.text, key.sign(blob)) for key in keys)
    )


def octets_not_evaluated(keys: Sequence[PrivateKey]) -> int:
    """Count what signatures have beyond what nodes count: SM2 keys are longer."""
    signatures = [
        chain_pb2.Signature(
            public_key=key.public.text, sign_data=bytes(_SIGNATURE_OCTETS)
        )
        for key in keys
    ]
    octets = TransactionEnv(signatures=signatures).ByteSize()
    return max(0, octets - _EVALUATED_OCTETS * len(keys))
