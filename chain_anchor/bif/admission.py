"""What a node checks when a transaction is submitted (bif notes §1.6, items 1 to 6).

The order is the node's, because of several faults only the first is told. What is let
in can still fail when it is applied: others may come first.
"""

from chain_anchor.bif import system_contracts
from chain_anchor.bif.account import Account, Code
from chain_anchor.bif.applying import require_chargeable, source_missing
from chain_anchor.bif.authority import require_weight
from chain_anchor.bif.chain_pb2 import Operation
from chain_anchor.bif.checks import check_transaction
from chain_anchor.bif.errors import EncodingError, ErrorCode, RefusedError
from chain_anchor.bif.execution import ContractTable
from chain_anchor.bif.fees import gas_of
from chain_anchor.bif.ledger import Ledger
from chain_anchor.bif.rules import Rules
from chain_anchor.bif.state import StoredState
from chain_anchor.bif.transactions import SignedTransaction, check_canonical


def check_submission(transaction: SignedTransaction, ledger: Ledger) -> Account:
    """Check a transaction against the state after the last block.

    Returns:
        Its source account.

    Raises:
        RefusedError: the first fault that the node would tell.
    """
    content, rules = transaction.content, ledger.chain.rules
    if rules.strict_canonical:
        check_canonical(transaction)
    state = ledger.state(content.domain_id)
    source = _source(state, content.source_address)
    _check_nonce(source, content.nonce)
    _check_chain(content.chain_id, rules)
    next_seq = ledger.last.seq + 1
    check_transaction(content, len(transaction.envelope), next_seq, rules)
    _check_contracts(transaction, ledger.chain.contracts, state)
    _check_signatures(transaction, source, state)
    require_chargeable(source, transaction, rules.base_reserve)
    _check_fee(transaction)
    return source


def _source(state: StoredState, address: str) -> Account:
    try:
        account = state.account(address)
    except EncodingError:
        account = None
    if account is None:
        raise source_missing(address)
    return account


def _check_nonce(source: Account, nonce: int) -> None:
    if nonce <= source.nonce:
        raise RefusedError(
            ErrorCode.BAD_SEQUENCE,
            f"Transaction nonce({nonce}) too small, the account({source.address}) "
            f"nonce is ({source.nonce}).",
        )


def _check_chain(chain_id: int, rules: Rules) -> None:
    if chain_id != rules.chain_id:
        raise RefusedError(
            ErrorCode.INVALID_PARAMETER,
            f"Failed to check same chain, node self id({rules.chain_id}) is not eq "
            f"({chain_id})",
        )


def _check_contracts(
    transaction: SignedTransaction, contracts: ContractTable, state: StoredState
) -> None:
    for operation in transaction.content.operations:
        create = operation.create_account
        if operation.type == Operation.CREATE_ACCOUNT and create.HasField("contract"):
            contracts.check(Code(create.contract.type, create.contract.payload))
        elif operation.type == Operation.PAY_COIN:
            _check_system_contract(operation.pay_coin.dest_address, state)


def _check_system_contract(address: str, state: StoredState) -> None:
    if system_contracts.missing(address) and state.account(address) is None:
        system_contracts.check_missing(address)


def _check_signatures(
    transaction: SignedTransaction, source: Account, state: StoredState
) -> None:
    require_weight(source, transaction.signers, transaction.hash)
    for operation in transaction.content.operations:
        address = operation.source_address
        account = state.account(address) if address else source
        # An account that is not there yet may be by then.
        if account is not None:
            require_weight(
                account, transaction.signers, transaction.hash, int(operation.type)
            )


def _check_fee(transaction: SignedTransaction) -> None:
    content = transaction.content
    fee = gas_of(content, len(transaction.envelope)) * content.gas_price
    if content.fee_limit < fee:
        raise RefusedError(
            ErrorCode.FEE_NOT_ENOUGH,
            f"Transaction({transaction.hash.hex()}) fee limit({content.fee_limit}) is "
            f"not enough for transaction fee({fee}) ",
        )
