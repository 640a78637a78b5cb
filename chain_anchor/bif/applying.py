"""A transaction applied to the state of its domain (bif notes §1.6, §2.6).

    1  charge      the fee limit is taken and the nonce counted up; both stay
    2  operations  each with the weight of its own source; together or not at all
    3  settle      what the fee limit exceeds the actual fee is given back

A transaction that is wrong, or cannot be charged, is not put on the chain. One that
fails later is, with its code and text, and has the fee limit for its actual fee.
"""

from typing import NamedTuple

from chain_anchor.bif.account import Account
from chain_anchor.bif.authority import require_weight
from chain_anchor.bif.checks import check_transaction
from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.execution import (
    BlockPlace,
    Chain,
    Execution,
    Origin,
    Triggered,
)
from chain_anchor.bif.fees import gas_of
from chain_anchor.bif.json_form import JsonObject
from chain_anchor.bif.operations import perform
from chain_anchor.bif.rules import Rules
from chain_anchor.bif.state import Layer
from chain_anchor.bif.transactions import SignedTransaction


class Outcome(NamedTuple):
    """What became of a transaction that is on the chain."""

    transaction: SignedTransaction
    code: ErrorCode
    text: str
    """Why it failed; empty if it did not."""

    actual_fee: int
    created: list[JsonObject]
    """The contracts it created, as `error_desc` lists them."""

    triggered: list[Triggered]
    """The transactions that its contracts made, in order."""


def apply(
    transaction: SignedTransaction, chain: Chain, place: BlockPlace, layer: Layer
) -> Outcome:
    """Apply a transaction to the layer of its block.

    Raises:
        RefusedError: it is wrong or cannot be charged; nothing has changed.
    """
    content = transaction.content
    check_transaction(content, len(transaction.envelope), place.seq, chain.rules)
    _charge(transaction, chain.rules, layer)
    execution = Execution(chain, place, transaction, Layer(layer), perform)
    created: list[JsonObject] = []
    try:
        perform_all(execution, created)
        fee = _actual_fee(execution, transaction)
    except RefusedError as refusal:
        fee, text = content.fee_limit, refusal.text
        return Outcome(transaction, refusal.code, text, fee, [], [])
    execution.layer.merge_into(layer)
    _refund(layer, content.source_address, content.fee_limit - fee)
    return Outcome(
        transaction, ErrorCode.SUCCESS, "", fee, created, execution.triggered
    )


def perform_all(
    execution: Execution,
    created: list[JsonObject],
    *,
    weighed: bool = True,
) -> None:
    """Perform the operations of a transaction.

    Args:
        execution: the transaction under way.
        created: gets the contracts that it creates.
        weighed: whether signatures must weigh enough for each operation.

    Raises:
        RefusedError: one of them fails.
    """
    transaction = execution.transaction
    content = transaction.content
    origin = Origin(content.source_address, content.nonce, created)
    for index, operation in enumerate(content.operations):
        source = execution.require_account(
            operation.source_address or content.source_address
        )
        if weighed:
            require_weight(
                source, transaction.signers, transaction.hash, int(operation.type)
            )
        perform(execution, operation, origin, index)


def require_chargeable(
    account: Account, transaction: SignedTransaction, base_reserve: int
) -> None:
    """Demand that an account can pay the fee limit.

    Raises:
        RefusedError: it would keep less than the reserve.
    """
    left = account.balance - transaction.content.fee_limit
    if left < base_reserve:
        raise RefusedError(
            ErrorCode.ACCOUNT_LOW_RESERVE,
            f"Account({account.address})'s reserve balance({account.balance}) - "
            f"transaction({transaction.hash.hex()[:8]}) fee "
            f"limit({transaction.content.fee_limit}) < base reserve({base_reserve})",
        )


def _charge(transaction: SignedTransaction, rules: Rules, layer: Layer) -> None:
    content = transaction.content
    account = layer.account(content.source_address)
    if account is None:
        raise source_missing(content.source_address)
    if content.nonce != account.nonce + 1:
        raise RefusedError(
            ErrorCode.BAD_SEQUENCE,
            f"Account({account.address})'s transaction nonce({content.nonce}) is not "
            f"equal to reserve nonce({account.nonce}) + 1.",
        )
    require_weight(account, transaction.signers, transaction.hash)
    require_chargeable(account, transaction, rules.base_reserve)
    balance = account.balance - content.fee_limit
    layer.put(account._replace(balance=balance, nonce=content.nonce))


def source_missing(address: str) -> RefusedError:
    """Make the refusal of a transaction whose source is not there."""
    return RefusedError(
        ErrorCode.ACCOUNT_NOT_EXIST, f"Source account({address}) does not exist"
    )


def _actual_fee(execution: Execution, transaction: SignedTransaction) -> int:
    content = transaction.content
    gas = gas_of(content, len(transaction.envelope)) + execution.gas
    fee = gas * content.gas_price
    if fee > content.fee_limit:
        raise RefusedError(
            ErrorCode.FEE_NOT_ENOUGH,
            f"Bottom transaction({transaction.hash.hex()}) fee "
            f"limit({content.fee_limit}) is not enough for actual fee({fee})",
        )
    return fee


def _refund(layer: Layer, address: str, amount: int) -> None:
    account = layer.account(address)
    if account is not None and amount:
        layer.put(account._replace(balance=account.balance + amount))
