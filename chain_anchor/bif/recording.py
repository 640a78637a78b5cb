"""How a transaction that is on the chain is stored (bif notes §2.1).

It is a TransactionEnvStore whose first field is the envelope as it came, octet for
octet; so its size is the `tx_size` that was paid for, and its hash can be checked.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple

from chain_anchor.bif.applying import Outcome
from chain_anchor.bif.chain_pb2 import TransactionEnvStore
from chain_anchor.bif.execution import BlockPlace
from chain_anchor.bif.framing import length_delimited, read_varint
from chain_anchor.bif.json_form import JsonObject


class Applied(NamedTuple):
    """A transaction that is on the chain, as it is stored."""

    hash: bytes
    domain: int
    stored: bytes
    """TransactionEnvStore, serialised; the envelope in it is the one that came."""


class Recorded(NamedTuple):
    """A stored transaction that was read."""

    message: TransactionEnvStore
    envelope: bytes
    """TransactionEnv, as it came."""


def read(stored: bytes) -> Recorded:
    """Read what is stored of a transaction."""
    size, start = read_varint(stored, 1)
    return Recorded(
        TransactionEnvStore.FromString(stored), stored[start : start + size]
    )


def record(outcome: Outcome, domain: int, place: BlockPlace) -> list[Applied]:
    """Make what is stored of a transaction and of what its contracts made, in order."""
    transaction = outcome.transaction
    message = TransactionEnvStore(
        error_code=outcome.code,
        error_desc=error_desc(outcome.text, outcome.created),
        ledger_seq=place.seq,
        close_time=place.close_time,
        hash=transaction.hash,
        actual_fee=outcome.actual_fee,
        contract_tx_hashes=[made.hash for made in outcome.triggered],
    )
    applied = [_applied(message, domain, transaction.envelope)]
    for made in outcome.triggered:
        message = TransactionEnvStore(
            error_desc=error_desc("", made.created),
            ledger_seq=place.seq,
            close_time=place.close_time,
            hash=made.hash,
        )
        applied.append(_applied(message, domain, made.envelope))
    return applied


def error_desc(text: str, created: Sequence[JsonObject]) -> str:
    """Give the `error_desc` of a transaction: why it failed, or what it created."""
    if created:
        return json.dumps(list(created), separators=(",", ":"))
    return text


def _applied(message: TransactionEnvStore, domain: int, envelope: bytes) -> Applied:
    octets = length_delimited(1, envelope) + message.SerializeToString()
    return Applied(message.hash, domain, octets)
