"""What a transaction costs (bif notes §2.6).

    gas          octets of the envelope + 1 000 000 for each contract it creates
    actual fee   gas x gas price

A published contract creation of 613 octets at price 1 cost 1 000 613. Each transaction
that a contract triggers adds the octets of its own envelope. Nobody has published
where fees go: they leave the chain (emulator convention).
"""

from collections.abc import Callable
from typing import Final

from chain_anchor.bif.chain_pb2 import Operation, Transaction, TransactionEnv
from chain_anchor.bif.rules import CREATE_CONTRACT_GAS, MAX_INT64

_SIGNATURE_OCTETS: Final = 64 + 76 + 5
"""What `signature_number` counts for each signature of an evaluation."""

_EVALUATION_OCTETS: Final = 20
_MAX_ROUNDS: Final = 10
"""The fee limit is part of what is counted; its size settles after two rounds."""


def gas_of(content: Transaction, envelope_octets: int) -> int:
    """Give the gas of a transaction, without what its contracts trigger."""
    return envelope_octets + sum(map(operation_gas, content.operations))


def operation_gas(operation: Operation) -> int:
    """Give the gas of an operation beyond its octets."""
    creates = operation.type == Operation.CREATE_ACCOUNT and (
        operation.create_account.HasField("contract")
    )
    return CREATE_CONTRACT_GAS if creates else 0


def evaluate(
    content: Transaction, signatures: int, triggered_gas: Callable[[Transaction], int]
) -> tuple[int, int]:
    """Find gas and fee of a transaction that has the fee as its limit (§1.4).

    The content's `fee_limit` is set to the fee. Published evaluations with two
    signatures come out.

    Args:
        content: the transaction; its gas price is set.
        signatures: how many it will have.
        triggered_gas: executes it and gives the gas of what contracts trigger.
    """
    extra = signatures * _SIGNATURE_OCTETS + _EVALUATION_OCTETS
    gas = fee = 0
    content.fee_limit = MAX_INT64
    more = triggered_gas(content)
    content.fee_limit = 0
    for _ in range(_MAX_ROUNDS):
        octets = TransactionEnv(transaction=content).ByteSize()
        gas = gas_of(content, octets) + more + extra
        fee = min(gas * content.gas_price, MAX_INT64)
        if content.fee_limit == fee:
            break
        content.fee_limit = fee
    return gas, fee
