"""Functions of `Chain` that write: each triggers a transaction of the contract (§2.10).

If such a transaction fails, all fails that it is in, with its code and its text.
"""

from collections.abc import Sequence
from typing import Final

from chain_anchor.bif.chain_pb2 import Operation
from chain_anchor.bif.contracts.calculating import int64
from chain_anchor.bif.contracts.interface import Performed
from chain_anchor.bif.contracts.questions import (
    Argument,
    Number,
    Result,
    Run,
    ThrownError,
    as_text,
)
from chain_anchor.bif.errors import RefusedError

_MAX_LOGGED: Final = 5
_ERROR: Final = "Contract execution error, "
_WRONG_COUNT: Final = "Parameter number error"


def store(run: Run, values: Sequence[Argument]) -> Result:
    """Keep a value under a key, in place of what is there."""
    if len(values) != 2:
        raise ThrownError(_WRONG_COUNT)
    match values:
        case [str(key), str(value)]:
            _set_metadata(run, key, value=value, delete_flag=False)
            return True
        case _:
            raise ThrownError("Storage operation parameter should be string")


def delete(run: Run, values: Sequence[Argument]) -> Result:
    """Remove what is under a key."""
    if len(values) != 1:
        raise ThrownError(_WRONG_COUNT)
    match values:
        case [str(key)]:
            _set_metadata(run, key, value="", delete_flag=True)
            return True
        case _:
            raise ThrownError("Storage operation parameter should be string")


def tlog(run: Run, values: Sequence[Argument]) -> Result:
    """Log a topic with one to five data, in a transaction of its own."""
    if not 2 <= len(values) <= _MAX_LOGGED + 1:
        raise ThrownError("tlog parameter number error")
    topic, *logged = values
    if not isinstance(topic, str):
        raise ThrownError("tlog parameter 0 should be a String")
    for index, value in enumerate(logged, 1):
        if value is None:
            raise ThrownError(
                f"tlog parameter {index} should be a String , Number or Boolean"
            )
    operation = Operation(type=Operation.LOG)
    operation.log.topic = topic
    operation.log.datas.extend(map(as_text, logged))
    _perform(run, operation)
    return True


def pay_coin(run: Run, values: Sequence[Argument]) -> Result:
    """Pay from the contract; to a contract, whose `main` is called."""
    if len(values) < 2:
        raise ThrownError(_WRONG_COUNT)
    address, amount = (_text(values, index, "payCoin") for index in range(2))
    coins = int64(amount)
    if coins is None or coins < 0:
        raise ThrownError(
            "Failed to execute paycoin function in contract, "
            f"dest_address:{address}, amount:{amount}."
        )
    remark = as_text(values[3]).encode() if len(values) > 3 else b""
    text = as_text(values[2]) if len(values) > 2 else ""
    _pay(run, address, coins, text, remark)
    return True


def contract_call(run: Run, values: Sequence[Argument]) -> Result:
    """Pay a contract; give what its `main` returns, true if it is no contract."""
    if len(values) < 4:
        raise ThrownError(_WRONG_COUNT)
    address = _text(values, 0, "contractCall")
    if values[1] is not True:
        raise ThrownError(f"{_ERROR}contractCall parameter 1 not valid")
    amount = _text(values, 2, "contractCall")
    coins = int64(amount)
    if coins is None or coins < 0:
        raise ThrownError(
            "Failed to execute call function in contract, "
            f"dest_address:{address}, amount:{amount}."
        )
    outcome = _pay(run, address, coins, as_text(values[3])).outcome
    return True if outcome is None else outcome.value


def contract_create(run: Run, values: Sequence[Argument]) -> Result:
    """Create a contract; give its address."""
    if len(values) != 4:
        raise ThrownError(_WRONG_COUNT)
    balance = _text(values, 0, "contractCreate")
    kind = values[1]
    if not isinstance(kind, Number):
        raise ThrownError(f"{_ERROR}contractCreate parameter 1 should be a number")
    if kind.value != 0:
        raise ThrownError(
            f"{_ERROR}contractCreate parameter 1 should be 0 for javascript"
        )
    code, text = (_text(values, index, "contractCreate") for index in (2, 3))
    coins = int64(balance)
    if coins is None or coins < 0:
        raise ThrownError(
            f"Failed to execute contractCreate function in contract, arg_0:{balance}."
        )
    operation = Operation(type=Operation.CREATE_ACCOUNT)
    create = operation.create_account
    create.init_balance = coins
    create.init_input = text
    create.contract.payload = code
    create.priv.thresholds.tx_threshold = 1
    return _perform(run, operation).created


def _set_metadata(run: Run, key: str, *, value: str, delete_flag: bool) -> None:
    if not key:
        raise ThrownError("Key is empty.")
    operation = Operation(type=Operation.SET_METADATA)
    data = operation.set_metadata
    data.key, data.value, data.delete_flag = key, value, delete_flag
    _perform(run, operation)


def _pay(
    run: Run, address: str, coins: int, text: str, remark: bytes = b""
) -> Performed:
    operation = Operation(type=Operation.PAY_COIN, metadata=remark)
    pay = operation.pay_coin
    pay.dest_address, pay.amount, pay.input = address, coins, text
    return _perform(run, operation)


def _perform(run: Run, operation: Operation) -> Performed:
    """Trigger a transaction; what it is refused with ends all."""
    try:
        return run.host.perform(run.call, operation, run.meter)
    except RefusedError as error:
        run.refusal = error.alone()
        raise ThrownError(f"Failed to process transaction({error.text})") from None


def _text(values: Sequence[Argument], index: int, function: str) -> str:
    value = values[index]
    if not isinstance(value, str):
        raise ThrownError(f"{_ERROR}{function} parameter {index} should be a string")
    return value
