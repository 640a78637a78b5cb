"""The functions of `Chain` and `Utils` by their names (bif notes §2.10).

A function that only reads gives `false` for what is wrong with its arguments; others
throw, and so end the contract: scripts cannot catch. What they throw is worded as in
Bumo, the open ancestor of the node.

Each question costs ten steps. The chain's documentation allows 10 240 steps in one place
and 1024 questions in another; this is how both hold (emulator convention).
"""

from collections.abc import Sequence
from typing import Final

from chain_anchor.bif.contracts import calculating, calling, reading, writing
from chain_anchor.bif.contracts.questions import Argument, Function, Result, Run

QUESTION_STEPS: Final = 10

_EXPIRE: Final = "expire"
"""What the prelude asks when its steps are used up."""

_FUNCTIONS: Final[dict[str, Function]] = {
    "load": reading.load,
    "getBlockHash": reading.get_block_hash,
    "getAccountMetadata": reading.get_account_metadata,
    "getBalance": reading.get_balance,
    "getAccountPrivilege": reading.get_account_privilege,
    "getContractProperty": reading.get_contract_property,
    "isValidator": reading.is_validator,
    "store": writing.store,
    "del": writing.delete,
    "tlog": writing.tlog,
    "payCoin": writing.pay_coin,
    "contractCall": writing.contract_call,
    "contractCreate": writing.contract_create,
    "delegateCall": calling.delegate_call,
    "delegateQuery": calling.delegate_query,
    "contractQuery": calling.contract_query,
    "log": calculating.log,
    "stoI64Check": calculating.is_int64,
    "int64Add": calculating.add,
    "int64Sub": calculating.subtract,
    "int64Mul": calculating.multiply,
    "int64Mod": calculating.remainder,
    "int64Div": calculating.divide,
    "int64Compare": calculating.compare,
    "assert": calculating.check,
    "sha256": calculating.digest,
    "toBaseUnit": calculating.to_base_unit,
    "addressCheck": calculating.check_address,
    "toAddress": calculating.to_address,
}


def answer(run: Run, name: str, values: Sequence[Argument]) -> Result:
    """Answer a question of a contract.

    Args:
        run: the call that asks.
        name: of the function.
        values: its arguments.

    Raises:
        ThrownError: the script is to throw this.
        ContractError: 155, too many steps.
    """
    run.meter.charge(0 if name == _EXPIRE else QUESTION_STEPS)
    return _FUNCTIONS[name](run, values)
