"""What operations do to the state (bif notes §2.7).

`perform` is given an operation whose parameters hold (`operation_checks`) and whose
source has the weight for it. Texts that the notes have are the node's own, blanks at
their ends included.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from chain_anchor.bif import addresses, chain_pb2, system_contracts
from chain_anchor.bif.account import Account, Code, Metadata, Privilege, privilege_of
from chain_anchor.bif.chain_pb2 import Operation
from chain_anchor.bif.contracts.interface import (
    Call,
    EntryPoint,
    Message,
    Outcome,
)
from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.execution import Execution, Origin
from chain_anchor.bif.operation_checks import UNCHANGED, number_of
from chain_anchor.bif.rules import MAX_INT64, MAX_SIGNERS

Type = Operation.Type


def perform(
    execution: Execution, operation: Operation, origin: Origin, index: int
) -> Outcome | None:
    """Do what an operation says; give what a contract that it called returned.

    Args:
        execution: the transaction under way.
        operation: one of its operations.
        origin: the transaction that it belongs to.
        index: which of its operations it is.

    Raises:
        RefusedError: it cannot be done; the whole transaction fails.
    """
    source = operation.source_address or origin.source
    return _ACTIONS[operation.type](execution, operation, source, (origin, index))


_Place = tuple[Origin, int]
"""The transaction of an operation, and which of its operations it is."""


def _create_account(
    execution: Execution, operation: Operation, source: str, place: _Place
) -> Outcome | None:
    create = operation.create_account
    is_contract = create.HasField("contract")
    address = create.dest_address
    if is_contract:
        origin, index = place
        address = addresses.of_contract(
            origin.source, origin.nonce, index, execution.chain.ac
        )
    if execution.layer.account(address):
        raise RefusedError(
            ErrorCode.ACCOUNT_DEST_EXIST, f"Dest address({address}) already exist"
        )
    _check_first_balance(execution, address, create.init_balance)
    _debit(execution, source, create.init_balance)
    code = _code_of(create.contract) if is_contract else None
    execution.layer.put(
        Account(
            address,
            create.init_balance,
            privilege=privilege_of(create.priv),
            contract=code,
            public_key=create.dest_public_key,
        )
    )
    for pair in create.metadatas:
        execution.layer.put_metadata(address, pair.key, Metadata(pair.value, 1))
    return _start_contract(execution, operation, address, source, place)


def _start_contract(
    execution: Execution,
    operation: Operation,
    address: str,
    source: str,
    place: _Place,
) -> Outcome | None:
    """Run `init` of an account that was created, if it is a contract."""
    create = operation.create_account
    if not create.HasField("contract"):
        return None
    code = _code_of(create.contract)
    execution.chain.contracts.check(code)
    origin, index = place
    execution.layer.put_creator(address, source)
    entry = {"contract_address": address, "operation_index": index}
    origin.created.append(entry | {"vm_type": code.type})
    message = Message(origin.source, source, origin.nonce, index, create.init_balance)
    call = _call(
        execution, origin, (address, EntryPoint.INIT, create.init_input), message
    )
    return execution.run(code, call)


def _set_metadata(
    execution: Execution, operation: Operation, source: str, _: _Place
) -> None:
    data = operation.set_metadata
    old = execution.layer.metadata(source, data.key)
    if data.delete_flag:
        if old is None:
            raise RefusedError(
                ErrorCode.NOT_EXIST,
                f"The key({data.key}) to be deleted is not exist",
            )
        if data.version not in (0, old.version):
            raise RefusedError(
                ErrorCode.INVALID_DATA_VERSION,
                f"Data version({data.version}) not valid",
            )
        execution.layer.put_metadata(source, data.key, None)
        return
    version = old.version + 1 if old else 1
    if data.version not in (0, version):
        raise RefusedError(
            ErrorCode.INVALID_DATA_VERSION,
            f"Data version({data.version}) is not valid",
        )
    execution.layer.put_metadata(source, data.key, Metadata(data.value, version))


def _pay_coin(
    execution: Execution, operation: Operation, source: str, place: _Place
) -> Outcome | None:
    pay = operation.pay_coin
    destination = execution.layer.account(pay.dest_address)
    if destination is None:
        # Whoever pays to an address that is not there creates the account.
        system_contracts.check_missing(pay.dest_address)
        _check_first_balance(execution, pay.dest_address, pay.amount)
        destination = Account(pay.dest_address, 0)
    _debit(execution, source, pay.amount)
    balance = destination.balance + pay.amount
    if balance > MAX_INT64:
        raise RefusedError(
            ErrorCode.MATH_OVERFLOW,
            f"Account({pay.dest_address})'s balance({destination.balance}) + "
            f"payment({pay.amount}) overflows",
        )
    execution.layer.put(destination.with_balance(balance))
    if destination.contract is None:
        return None
    origin, index = place
    message = Message(origin.source, source, origin.nonce, index, pay.amount)
    call = _call(
        execution, origin, (pay.dest_address, EntryPoint.MAIN, pay.input), message
    )
    return execution.run(destination.contract, call)


class _Weights(NamedTuple):
    """What an operation sets of weights and thresholds; None leaves it as it is."""

    master: int | None = None
    threshold: int | None = None
    signers: Iterable[chain_pb2.Signer] | None = None
    type_thresholds: Iterable[chain_pb2.OperationTypeThreshold] | None = None


def _weights_of(operation: Operation) -> _Weights:
    if operation.type == Type.SET_SIGNER_WEIGHT:
        weight = operation.set_signer_weight
        return _Weights(
            master=_if_changed(weight.master_weight), signers=weight.signers
        )
    if operation.type == Type.SET_THRESHOLD:
        threshold = operation.set_threshold
        return _Weights(
            threshold=_if_changed(threshold.tx_threshold),
            type_thresholds=threshold.type_thresholds,
        )
    data = operation.set_privilege
    return _Weights(
        number_of(data.master_weight),
        number_of(data.tx_threshold),
        data.signers,
        data.type_thresholds,
    )


def _if_changed(number: int) -> int | None:
    return None if number == UNCHANGED else number


def _set_privilege(
    execution: Execution, operation: Operation, source: str, _: _Place
) -> None:
    """Set weights and thresholds: all three operations that do, in one order."""
    account = execution.require_account(source)
    privilege, weights = account.privilege, _weights_of(operation)
    if weights.master is not None:
        privilege = privilege._replace(master_weight=weights.master)
    if weights.threshold is not None:
        privilege = privilege._replace(tx_threshold=weights.threshold)
    if weights.signers is not None:
        privilege = _with_signers(privilege, weights.signers)
    if weights.type_thresholds is not None:
        privilege = _with_thresholds(privilege, weights.type_thresholds)
    execution.layer.put(account._replace(privilege=privilege))


def _upgrade_contract(
    execution: Execution, operation: Operation, source: str, _: _Place
) -> None:
    data = operation.upgrade_contract
    account = execution.require_account(data.dest_address)
    if account.contract is None:
        raise RefusedError(
            ErrorCode.INVALID_CONTRACT,
            f"Account({data.dest_address}) is not a contract",
        )
    if execution.layer.creator(data.dest_address) != source:
        raise RefusedError(
            ErrorCode.ACCESS_DENIED,
            f"Account({source}) did not create the contract({data.dest_address})",
        )
    code = account.contract._replace(
        payload=data.payload, version=account.contract.version + 1
    )
    execution.chain.contracts.check(code)
    execution.layer.put(account._replace(contract=code))


def _only_record(_: Execution, __: Operation, ___: str, ____: _Place) -> None:
    """Do nothing: the transaction on the chain is all that there is to it."""


_ACTIONS: Final[
    dict[int, Callable[[Execution, Operation, str, _Place], Outcome | None]]
] = {
    Type.CREATE_ACCOUNT: _create_account,
    Type.SET_METADATA: _set_metadata,
    Type.SET_SIGNER_WEIGHT: _set_privilege,
    Type.SET_THRESHOLD: _set_privilege,
    Type.PAY_COIN: _pay_coin,
    Type.LOG: _only_record,
    Type.SET_PRIVILEGE: _set_privilege,
    Type.UPGRADE_CONTRACT: _upgrade_contract,
    Type.SET_CONTROLLED_AREA: _only_record,
    Type.AUTHORIZE_TRANSFER: _only_record,
    Type.DESTROYED: _only_record,
    Type.CASH: _only_record,
}


def _call(
    execution: Execution,
    origin: Origin,
    target: tuple[str, EntryPoint, str],
    message: Message,
) -> Call:
    """Make the call of a contract: address, entry and input, by a transaction."""
    if origin.call is None:
        return execution.first_call(*target, message)
    address, entry, text = target
    return origin.call._replace(
        address=address, entry=entry, input=text, message=message
    )


def _check_first_balance(execution: Execution, address: str, balance: int) -> None:
    reserve = execution.chain.rules.base_reserve
    if balance < reserve:
        raise RefusedError(
            ErrorCode.ACCOUNT_INIT_LOW_RESERVE,
            f"Account({address})'s init balance({balance}) is not enough for "
            f"reserve({reserve})",
        )


def _debit(execution: Execution, source: str, amount: int) -> None:
    account = execution.require_account(source)
    reserve = execution.chain.rules.base_reserve
    if amount and account.balance - reserve < amount:
        raise RefusedError(
            ErrorCode.ACCOUNT_LOW_RESERVE,
            f"Account({source})'s balance({account.balance}) - "
            f"base_reserve({reserve}) is not enough for payment ({amount}) ",
        )
    execution.layer.put(account.with_balance(account.balance - amount))


def _code_of(contract: chain_pb2.Contract) -> Code:
    return Code(contract.type, contract.payload, contract.version)


def _with_signers(
    privilege: Privilege, signers: Iterable[chain_pb2.Signer]
) -> Privilege:
    weights = dict(privilege.signers)
    for signer in signers:
        weights[signer.address] = signer.weight
    kept = tuple((address, weight) for address, weight in weights.items() if weight)
    if len(kept) > MAX_SIGNERS:
        raise RefusedError(
            ErrorCode.WEIGHT_NOT_VALID, f"More than {MAX_SIGNERS} signers"
        )
    return privilege._replace(signers=kept)


def _with_thresholds(
    privilege: Privilege, thresholds: Iterable[chain_pb2.OperationTypeThreshold]
) -> Privilege:
    weights = dict(privilege.type_thresholds)
    for entry in thresholds:
        weights[int(entry.type)] = entry.threshold
    kept = tuple((kind, weight) for kind, weight in weights.items() if weight)
    return privilege._replace(type_thresholds=kept)
