"""Functions of `Chain` that read the state; `false` is what is not there (§2.10)."""

import json
from collections.abc import Sequence
from typing import Final

from chain_anchor.bif.account import Account
from chain_anchor.bif.addresses import is_address
from chain_anchor.bif.contracts.interface import MAX_BLOCK_HASH_OFFSET
from chain_anchor.bif.contracts.questions import Argument, Number, Result, Run
from chain_anchor.bif.json_form import to_json

NO_CONTRACT: Final = -1
"""Type of an account that is no contract."""


def load(run: Run, values: Sequence[Argument]) -> Result:
    """Give what the contract has stored under a key."""
    return get_account_metadata(run, [run.call.address, *values])


def get_account_metadata(run: Run, values: Sequence[Argument]) -> Result:
    """Give a metadata of an account."""
    match values:
        case [str(address), str(key)] if is_address(address):
            found = run.host.metadata(address, key)
            return False if found is None else found.value
        case _:
            return False


def get_block_hash(run: Run, values: Sequence[Argument]) -> Result:
    """Give the hash of a block, counted back from the last closed one."""
    match values:
        case [Number() as number] if 0 <= number.value < MAX_BLOCK_HASH_OFFSET:
            return run.host.block_hash(int(number.value)) or False
        case _:
            return False


def get_balance(run: Run, values: Sequence[Argument]) -> Result:
    """Give the balance of an account as a text; "0" if there is none."""
    match values:
        case [str()]:
            account = _account(run, values)
            return "0" if account is None else str(account.balance)
        case _:
            return False


def get_account_privilege(run: Run, values: Sequence[Argument]) -> Result:
    """Give the weights and thresholds of an account, a JSON text."""
    account = _account(run, values)
    if account is None:
        return False
    return json.dumps(
        to_json(account.message().priv), separators=(",", ":"), sort_keys=True
    )


def get_contract_property(run: Run, values: Sequence[Argument]) -> Result:
    """Give type, length and version of a contract; length 0 for another account."""
    account = _account(run, values)
    if account is None:
        return False
    if account.contract is None:
        return {"type": NO_CONTRACT, "length": 0, "version": 0}
    kind, payload, version = account.contract
    return {"type": kind, "length": len(payload.encode()), "version": version}


def is_validator(run: Run, values: Sequence[Argument]) -> Result:
    """Tell whether an account is a validator (used by the chain's own contracts)."""
    match values:
        case [str(address)]:
            return run.host.is_validator(address)
        case _:
            return False


def _account(run: Run, values: Sequence[Argument]) -> Account | None:
    """Give the account whose address is the only argument."""
    match values:
        case [str(address)] if is_address(address):
            return run.host.account(address)
        case _:
            return None
