"""What is wrong with a transaction whatever the state is (bif notes §1.6, item 4).

Texts that the notes have are the node's own; the others follow their manner (emulator
convention).
"""

from chain_anchor.bif.addresses import is_address
from chain_anchor.bif.chain_pb2 import Transaction
from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.operation_checks import check_operation, check_remark
from chain_anchor.bif.rules import MAX_ENVELOPE_OCTETS, Rules


def check_transaction(
    content: Transaction, envelope_octets: int, next_seq: int, rules: Rules
) -> None:
    """Check the parameters of a transaction and of its operations.

    Args:
        content: the transaction.
        envelope_octets: size of its envelope.
        next_seq: sequence number of the block it would be in.
        rules: those of the chain.

    Raises:
        RefusedError: the first that is wrong, in the node's order.
    """
    _check_sizes(content, envelope_octets, rules)
    _check_ledger(content, next_seq)
    _check_prices(content, rules)
    _check_kind(content)
    if not is_address(content.source_address):
        raise _refused(ErrorCode.INVALID_ADDRESS, "Source address is not valid")
    for operation in content.operations:
        check_operation(operation, content.source_address)


def _check_sizes(content: Transaction, envelope_octets: int, rules: Rules) -> None:
    if envelope_octets > MAX_ENVELOPE_OCTETS:
        raise _refused(
            ErrorCode.TX_SIZE_TOO_BIG,
            f"Transaction env size({envelope_octets}) exceed the "
            f"limit({MAX_ENVELOPE_OCTETS})",
        )
    if not content.operations:
        raise _refused(ErrorCode.MISSING_OPERATIONS, "Tx missing operation")
    if len(content.operations) > rules.max_operations:
        raise _refused(
            ErrorCode.TOO_MANY_OPERATIONS,
            "Too many operations in current transaction.",
        )
    check_remark(content.metadata, "transaction")


def _check_ledger(content: Transaction, next_seq: int) -> None:
    if content.ceil_ledger_seq and content.ceil_ledger_seq < next_seq:
        raise _invalid(
            f"Limit ledger sequence({content.ceil_ledger_seq}) < "
            f"current ledger sequence({next_seq})"
        )


def _check_prices(content: Transaction, rules: Rules) -> None:
    if content.fee_limit < 0:
        raise _invalid(f"Transaction fee limit({content.fee_limit}) < 0")
    if content.gas_price < rules.gas_price:
        raise _invalid(
            f"Transaction gas price({content.gas_price}) is less than "
            f"({rules.gas_price})"
        )


def _check_kind(content: Transaction) -> None:
    """Refuse what the notes name and do not explain."""
    if content.nonce_type != Transaction.INCREASE_NONCE:
        raise _invalid(f"Nonce type({content.nonce_type}) is not supported")
    if content.address_prefix or content.raw_source_address:
        raise _invalid("Raw addresses are not supported")
    if content.expr_condition:
        raise _refused(
            ErrorCode.EXPRESSION_SYNTAX, "Expression conditions are not supported"
        )


def _refused(code: ErrorCode, text: str) -> RefusedError:
    return RefusedError(code, text)


def _invalid(text: str) -> RefusedError:
    return RefusedError(ErrorCode.INVALID_PARAMETER, text)
