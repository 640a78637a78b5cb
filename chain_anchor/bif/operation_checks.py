"""What is wrong with an operation whatever the state is (bif notes §2.6, §2.7).

Every operation type is in the table at the end; a type that is not there is refused,
as an operation and as the type of a threshold. Texts follow the node's manner
(emulator convention).
"""

from collections.abc import Callable, Iterable
from typing import Final

from chain_anchor.bif import chain_pb2
from chain_anchor.bif.addresses import is_address
from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.rules import (
    MAX_DATA_OCTETS,
    MAX_INT64,
    MAX_KEY_OCTETS,
    MAX_PAYLOAD_OCTETS,
    MAX_REMARK_OCTETS,
    MAX_SIGNERS,
    MAX_TOPIC_OCTETS,
    MAX_VALUE_OCTETS,
    MAX_WEIGHT,
)

Operation = chain_pb2.Operation
Type = Operation.Type

UNCHANGED: Final = -1
"""A weight or threshold that is to stay as it is."""

_MAX_DIGITS: Final = 19


def check_operation(operation: Operation, transaction_source: str) -> None:
    """Check the parameters of an operation.

    Args:
        operation: the operation.
        transaction_source: who acts if the operation does not say so.

    Raises:
        RefusedError: the first that is wrong.
    """
    source = operation.source_address or transaction_source
    if not is_address(source):
        raise _refused(
            ErrorCode.INVALID_ADDRESS, "Source address of operation is not valid"
        )
    check_remark(operation.metadata, "operation")
    check = _CHECKS.get(operation.type)
    if check is None:
        raise _invalid(f"Operation type({operation.type}) is not valid")
    check(operation, source)


def check_remark(remark: bytes, what: str) -> None:
    """Check the remark on a transaction or an operation.

    Raises:
        RefusedError: it is too long.
    """
    if len(remark) > MAX_REMARK_OCTETS:
        raise _invalid(
            f"Length of the metadata from {what} exceeds the limit({MAX_REMARK_OCTETS})."
        )


def _check_create_account(operation: Operation, source: str) -> None:
    create = operation.create_account
    if create.init_balance < 0:
        raise _invalid(
            f"Amount({create.init_balance}) should be bigger than or equal 0"
        )
    _check_privilege(create.priv)
    if create.HasField("contract"):
        _check_new_contract(create)
    else:
        _check_destination(create.dest_address, source)
    if len({pair.key for pair in create.metadatas}) < len(create.metadatas):
        raise _invalid("Duplicated key in the metadatas of the account")
    for pair in create.metadatas:
        check_metadata(pair.key, pair.value, pair.version)
        if pair.version > 1:
            raise _refused(
                ErrorCode.INVALID_DATA_VERSION,
                f"Data version({pair.version}) is not valid",
            )


def _check_new_contract(create: chain_pb2.OperationCreateAccount) -> None:
    check_payload(create.contract.payload)
    if create.dest_address:
        raise _invalid("Dest address of a contract must be empty")
    if create.priv.master_weight or create.priv.signers:
        raise _refused(
            ErrorCode.WEIGHT_NOT_VALID,
            f"Contract account's master weight({create.priv.master_weight}) must be 0, "
            "and it must have no signers",
        )
    if create.priv.thresholds.tx_threshold != 1:
        raise _refused(
            ErrorCode.THRESHOLD_NOT_VALID,
            f"Contract account's threshold({create.priv.thresholds.tx_threshold}) "
            "must be 1",
        )


def check_payload(payload: str) -> None:
    """Check the size of a contract.

    Raises:
        RefusedError: it is empty or too long.
    """
    size = len(payload.encode())
    if not 0 < size <= MAX_PAYLOAD_OCTETS:
        raise _invalid(
            f"Contract payload size({size}) must be between 1 and {MAX_PAYLOAD_OCTETS}"
        )


def _check_privilege(privilege: chain_pb2.AccountPrivilege) -> None:
    _check_weight(privilege.master_weight, "Master weight")
    _check_signers(privilege.signers)
    _check_threshold(privilege.thresholds.tx_threshold, "Tx threshold")
    _check_type_thresholds(privilege.thresholds.type_thresholds)


def _check_weight(weight: int, what: str) -> None:
    if not 0 <= weight <= MAX_WEIGHT:
        raise _refused(
            ErrorCode.WEIGHT_NOT_VALID,
            f"{what}({weight}) is not between 0 and {MAX_WEIGHT}",
        )


def _check_threshold(threshold: int, what: str) -> None:
    if threshold < 0:
        raise _refused(
            ErrorCode.THRESHOLD_NOT_VALID, f"{what}({threshold}) is less than 0"
        )


def _check_signers(signers: Iterable[chain_pb2.Signer]) -> None:
    for count, signer in enumerate(signers):
        if count == MAX_SIGNERS:
            raise _refused(
                ErrorCode.WEIGHT_NOT_VALID, f"More than {MAX_SIGNERS} signers"
            )
        if not is_address(signer.address):
            raise _refused(
                ErrorCode.INVALID_ADDRESS,
                f"Signer address({signer.address}) is not valid",
            )
        _check_weight(signer.weight, "Signer weight")


def _check_type_thresholds(
    thresholds: Iterable[chain_pb2.OperationTypeThreshold],
) -> None:
    for entry in thresholds:
        if entry.type not in _CHECKS:
            raise _refused(
                ErrorCode.THRESHOLD_NOT_VALID,
                f"Operation type({entry.type}) of threshold is not valid",
            )
        _check_threshold(entry.threshold, "Type threshold")


def _check_set_metadata(operation: Operation, _: str) -> None:
    data = operation.set_metadata
    check_metadata(data.key, data.value, data.version)


def check_metadata(key: str, value: str, version: int = 0) -> None:
    """Check a metadata that an operation or a contract sets.

    Raises:
        RefusedError: key or value have not their lengths, or the version is negative.
    """
    size = len(key.encode())
    if not 0 < size <= MAX_KEY_OCTETS:
        raise _invalid(
            f"Length of the key should be between 1 and {MAX_KEY_OCTETS}. "
            f"key=({key[:64]}), key.length={size}"
        )
    size = len(value.encode())
    if size > MAX_VALUE_OCTETS:
        raise _invalid(
            f"Length of the value should be between 0 and {MAX_VALUE_OCTETS}. "
            f"value.length={size}"
        )
    if version < 0:
        raise _refused(
            ErrorCode.INVALID_DATA_VERSION, f"Data version({version}) is not valid"
        )


def _check_set_signer_weight(operation: Operation, _: str) -> None:
    data = operation.set_signer_weight
    if data.master_weight != UNCHANGED:
        _check_weight(data.master_weight, "Master weight")
    _check_signers(data.signers)


def _check_set_threshold(operation: Operation, _: str) -> None:
    data = operation.set_threshold
    if data.tx_threshold != UNCHANGED:
        _check_threshold(data.tx_threshold, "Tx threshold")
    _check_type_thresholds(data.type_thresholds)


def _check_set_privilege(operation: Operation, _: str) -> None:
    data = operation.set_privilege
    if data.master_weight:
        weight = number_of(data.master_weight)
        _check_weight(-1 if weight is None else weight, "Master weight")
    if data.tx_threshold:
        threshold = number_of(data.tx_threshold)
        _check_threshold(-1 if threshold is None else threshold, "Tx threshold")
    _check_signers(data.signers)
    _check_type_thresholds(data.type_thresholds)


def number_of(text: str) -> int | None:
    """Read a number of SET_PRIVILEGE; None if it is none that fits an int64."""
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        return None
    number = int(text)
    return number if number <= MAX_INT64 else None


def _check_pay_coin(operation: Operation, source: str) -> None:
    pay = operation.pay_coin
    _check_destination(pay.dest_address, source)
    if pay.amount < 0:
        raise _invalid(f"Amount({pay.amount}) should be bigger than or equal 0")


def _check_destination(destination: str, source: str) -> None:
    if not is_address(destination):
        raise _refused(
            ErrorCode.INVALID_ADDRESS, f"Dest address({destination}) is not valid"
        )
    if destination == source:
        raise _refused(
            ErrorCode.ACCOUNT_SOURCE_DEST_EQUAL,
            f"Source address({source}) is equal to dest address",
        )


def _check_log(operation: Operation, _: str) -> None:
    size = len(operation.log.topic.encode())
    if not 0 < size <= MAX_TOPIC_OCTETS:
        raise _invalid(
            f"Log's parameter topic's length({size}) should be between 1 and "
            f"{MAX_TOPIC_OCTETS}"
        )
    for data in operation.log.datas:
        size = len(data.encode())
        if not 0 < size <= MAX_DATA_OCTETS:
            raise _invalid(
                f"Log's parameter data's length({size}) should be between 1 and "
                f"{MAX_DATA_OCTETS}"
            )


def _check_upgrade_contract(operation: Operation, source: str) -> None:
    _check_destination(operation.upgrade_contract.dest_address, source)
    check_payload(operation.upgrade_contract.payload)


def _accept(_: Operation, __: str) -> None:
    """Take operations that are recorded and do nothing else (notes §2.7)."""


_CHECKS: Final[dict[int, Callable[[Operation, str], None]]] = {
    Type.CREATE_ACCOUNT: _check_create_account,
    Type.SET_METADATA: _check_set_metadata,
    Type.SET_SIGNER_WEIGHT: _check_set_signer_weight,
    Type.SET_THRESHOLD: _check_set_threshold,
    Type.PAY_COIN: _check_pay_coin,
    Type.LOG: _check_log,
    Type.SET_PRIVILEGE: _check_set_privilege,
    Type.UPGRADE_CONTRACT: _check_upgrade_contract,
    Type.SET_CONTROLLED_AREA: _accept,
    Type.AUTHORIZE_TRANSFER: _accept,
    Type.DESTROYED: _accept,
    Type.CASH: _accept,
}


def _refused(code: ErrorCode, text: str) -> RefusedError:
    return RefusedError(code, text)


def _invalid(text: str) -> RefusedError:
    return RefusedError(ErrorCode.INVALID_PARAMETER, text)
