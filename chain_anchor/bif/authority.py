"""Whether signatures weigh enough (bif notes §2.6).

An account's own signature weighs its master weight, each other signer's what the
account gives it. A transaction needs the threshold of its source, an operation that of
its own source for its type. A threshold of 0 lets everything pass.
"""

from collections.abc import Set as AbstractSet

from chain_anchor.bif import addresses
from chain_anchor.bif.account import Account
from chain_anchor.bif.errors import ErrorCode, RefusedError


def require_weight(
    account: Account,
    signers: AbstractSet[str],
    transaction_hash: bytes,
    operation_type: int | None = None,
) -> None:
    """Demand that signatures weigh enough for an account.

    Args:
        account: who acts.
        signers: addresses of the keys that signed, without an AC.
        transaction_hash: for the text.
        operation_type: the operation's type; None for the transaction as such.

    Raises:
        RefusedError: they do not.
    """
    if weight_of(account, signers) < account.privilege.threshold(operation_type):
        raise RefusedError(
            ErrorCode.INVALID_SIGNATURE,
            f"Transaction({transaction_hash.hex()}) signature weight is not enough",
        )


def weight_of(account: Account, signers: AbstractSet[str]) -> int:
    """Add up what signatures weigh for an account."""
    own = addresses.without_ac(account.address) in signers
    weight = account.privilege.master_weight if own else 0
    return weight + sum(
        given
        for address, given in account.privilege.signers
        if addresses.without_ac(address) in signers
    )
