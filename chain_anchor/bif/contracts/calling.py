"""Functions of `Chain` that run another contract's code (bif notes §2.10).

    delegateCall    its `main`, as this contract: its balance, its storage, its caller
    delegateQuery   its `query`, as this contract
    contractQuery   its `query`, as itself, called by this contract

Queries write nothing, so one that fails leaves nothing behind: the contract that asked
is told `{"error": true}` and goes on, unless the transaction has used up what it may.
"""

from collections.abc import Sequence

from chain_anchor.bif.account import Code
from chain_anchor.bif.addresses import is_address
from chain_anchor.bif.contracts.interface import Call, EntryPoint, Message
from chain_anchor.bif.contracts.questions import Argument, Result, Run, ThrownError
from chain_anchor.bif.errors import ErrorCode, RefusedError


def delegate_call(run: Run, values: Sequence[Argument]) -> Result:
    """Run `main` of another contract as this one."""
    address, text = _address_and_input(values, "CallBackDelegateCall")
    code = _code(run, address)
    call = run.call._replace(entry=EntryPoint.MAIN, input=text)
    try:
        return run.caller.run(code, call, run.host, run.meter).value
    except RefusedError as error:
        run.refusal = error.alone()
        raise ThrownError(f"Failed to process transaction({error.text})") from None


def delegate_query(run: Run, values: Sequence[Argument]) -> Result:
    """Run `query` of another contract as this one."""
    try:
        address, text = _address_and_input(values, "CallBackDelegateQuery")
        code = _code(run, address)
    except ThrownError:
        return {"error": True}
    return _query(run, code, run.call._replace(entry=EntryPoint.QUERY, input=text))


def contract_query(run: Run, values: Sequence[Argument]) -> Result:
    """Run `query` of another contract."""
    try:
        address, text = _address_and_input(values, "CallBackContractQuery")
        code = _code(run, address)
    except ThrownError:
        return {"error": True}
    call = run.call._replace(
        address=address,
        entry=EntryPoint.QUERY,
        input=text,
        message=Message(run.call.message.initiator, run.call.address),
    )
    return _query(run, code, call)


def _query(run: Run, code: Code, call: Call) -> Result:
    try:
        return {"result": run.caller.run(code, call, run.host, run.meter).value}
    except RefusedError as error:
        if error.code == ErrorCode.CONTRACT_EXECUTE_EXPIRED:
            raise
        return {"error": True}


def _address_and_input(values: Sequence[Argument], function: str) -> tuple[str, str]:
    if len(values) != 2:
        raise ThrownError("parameter error")
    for index, value in enumerate(values):
        if not isinstance(value, str):
            raise ThrownError(
                f"contract execution error,{function}, parameter {index} "
                "should be a String"
            )
    address, text = map(str, values)
    return address, text


def _code(run: Run, address: str) -> Code:
    account = run.host.account(address) if is_address(address) else None
    if account is None:
        raise ThrownError(f"Failed to find account {address}.")
    if account.contract is None:
        raise ThrownError(f"The account({address}) has no contract.")
    return account.contract
