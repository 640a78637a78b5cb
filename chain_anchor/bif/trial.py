"""What would happen: fees evaluated, and contracts called, without a block.

Both run on a layer over the last block that is thrown away, as if the next block were
closed one microsecond after the last (bif notes §1.4). Signatures are not asked for.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Final, NamedTuple

from chain_anchor.bif import addresses, applying, fees
from chain_anchor.bif.account import Account, Code
from chain_anchor.bif.chain_pb2 import Transaction
from chain_anchor.bif.contracts import Call, Entry
from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.execution import Execution
from chain_anchor.bif.ledger import Ledger
from chain_anchor.bif.operation_checks import check_operation
from chain_anchor.bif.state import Layer
from chain_anchor.bif.transactions import MAX_SIGNATURES, SignedTransaction, sign

THROW_AWAY_BALANCE: Final = 10**17
"""Balance of the caller that stands in for one that does not exist."""


class Trial(NamedTuple):
    """What an evaluation found."""

    hash: bytes
    content: Transaction
    """The transaction, with the fee as its limit and the price that was counted."""

    gas: int
    actual_fee: int
    logs: Mapping[str, list[str]]
    steps: int


class Answer(NamedTuple):
    """What a call of a contract gave."""

    value: object
    """Text, number, boolean or None."""

    refusal: RefusedError | None
    """Why it failed, if it did."""

    logs: Mapping[str, list[str]]
    steps: int


def evaluate(ledger: Ledger, content: Transaction, signatures: int) -> Trial:
    """Find what a transaction would cost (POST /testTransaction).

    Args:
        ledger: the chain.
        content: the transaction; its fee limit is found, and its price raised to the
            chain's if it is less.
        signatures: how many it will have.

    Raises:
        RefusedError: an operation is wrong or fails, or the source does not exist.
    """
    if not 0 <= signatures <= MAX_SIGNATURES:
        raise RefusedError(
            ErrorCode.INVALID_PARAMETER,
            f"'signature_number'({signatures}) must be between 0 and {MAX_SIGNATURES}",
        )
    tried = Transaction()
    tried.CopyFrom(content)
    tried.gas_price = max(content.gas_price, ledger.chain.rules.gas_price)
    for operation in tried.operations:
        check_operation(operation, tried.source_address)
    found: list[Execution] = []
    gas, fee = fees.evaluate(
        tried, signatures, lambda limited: _try(ledger, limited, found)
    )
    blob = tried.SerializeToString()
    done = found[-1]
    return Trial(sha256(blob).digest(), tried, gas, fee, done.logs, done.steps)


def call(
    ledger: Ledger,
    domain: int,
    invoked: Call,
    *,
    gas_price: int = 0,
    fee_limit: int = 0,
) -> Answer:
    """Call a contract that exists, or code that does not (POST /callContract).

    Args:
        ledger: the chain.
        domain: which state to call it on.
        invoked: the call; an account of this address without code is put there if
            there is none, and so is a sender.
        gas_price: what the contract sees.
        fee_limit: what the contract sees.

    Raises:
        RefusedError: there is no such domain.
    """
    layer = Layer(ledger.state(domain))
    sender = _stand_in(layer, invoked.sender)
    _stand_in(layer, invoked.address)
    content = Transaction(
        source_address=sender,
        nonce=1,
        gas_price=gas_price,
        fee_limit=fee_limit,
        domain_id=domain,
    )
    transaction = sign(content.SerializeToString(), [])
    execution = applying.start(transaction, ledger.chain, ledger.next_block(), layer)
    execution.logs[f"{invoked.operation_index}-{invoked.address}"] = []
    try:
        value = execution.run_contract(invoked._replace(sender=sender))
    except RefusedError as refusal:
        return Answer(None, refusal, execution.logs, execution.steps)
    return Answer(value, None, execution.logs, execution.steps)


def contract_at(ledger: Ledger, domain: int, address: str) -> Code | None:
    """Give the contract at an address, or None."""
    if not addresses.is_address(address):
        return None
    account = ledger.state(domain).account(address)
    return account.contract if account else None


def stand_in_address(name: str) -> str:
    """Make the address of a caller, or of code, that does not exist."""
    return addresses.of_hash(sha256(name.encode()).digest(), "ef")


def query_of(address: str, code: Code, text: str, entry: Entry = Entry.QUERY) -> Call:
    """Make a call without an amount and without a sender."""
    return Call(entry, address, code, text, "", 0, 0)


def _try(ledger: Ledger, content: Transaction, found: list[Execution]) -> int:
    """Execute a transaction and throw it away; give the gas of what it triggers."""
    layer = Layer(ledger.state(content.domain_id))
    transaction: SignedTransaction = sign(content.SerializeToString(), [])
    execution = applying.start(transaction, ledger.chain, ledger.next_block(), layer)
    found.append(execution)
    applying.perform_all(execution, transaction, [], weighed=False)
    return execution.gas


def _stand_in(layer: Layer, address: str) -> str:
    """Put an account where there is none; give its address."""
    if not addresses.is_address(address):
        address = stand_in_address(address or "caller")
    if layer.account(address) is None:
        layer.put(Account(address, THROW_AWAY_BALANCE))
    return address
