"""What would happen: fees evaluated, and contracts called, without a block.

Both run on a layer over the last block that is thrown away, as if the next block were
closed one microsecond after the last (bif notes §1.4). Signatures are not asked for.
"""

from hashlib import sha256
from typing import Final, NamedTuple

from chain_anchor.bif import addresses, applying, fees
from chain_anchor.bif.account import Account, Code
from chain_anchor.bif.chain_pb2 import Transaction
from chain_anchor.bif.contracts.interface import EntryPoint, Message, Meter, Outcome
from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.execution import Execution
from chain_anchor.bif.ledger import Ledger
from chain_anchor.bif.operation_checks import check_operation
from chain_anchor.bif.operations import perform
from chain_anchor.bif.state import Layer
from chain_anchor.bif.transactions import MAX_SIGNATURES, sign

THROW_AWAY_BALANCE: Final = 10**17
"""Balance of the caller that stands in for one that does not exist."""


class Trial(NamedTuple):
    """What an evaluation found."""

    hash: bytes
    content: Transaction
    """The transaction, with the fee as its limit and the price that was counted."""

    gas: int
    actual_fee: int
    meter: Meter


class Invocation(NamedTuple):
    """A call of a contract that is tried."""

    code: Code
    address: str = ""
    """Where the contract is; empty for code that is nowhere."""

    entry: EntryPoint = EntryPoint.QUERY
    input: str = ""
    source: str = ""
    """Who calls; a stand-in if it does not exist."""

    gas_price: int = 0
    fee_limit: int = 0
    contract_balance: int = THROW_AWAY_BALANCE
    """What code that is nowhere has."""


class Answer(NamedTuple):
    """What a call of a contract gave."""

    address: str
    outcome: Outcome | None
    refusal: RefusedError | None
    """Why it failed, if it did."""

    meter: Meter


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
    meters: list[Meter] = []

    def triggered_gas(limited: Transaction) -> int:
        execution = _begin(ledger, limited)
        meters.append(execution.meter)
        applying.perform_all(execution, [], weighed=False)
        return execution.gas

    gas, fee = fees.evaluate(tried, signatures, triggered_gas)
    digest = sha256(tried.SerializeToString()).digest()
    return Trial(digest, tried, gas, fee, meters[-1])


def call(ledger: Ledger, domain: int, invoked: Invocation) -> Answer:
    """Call a contract that exists, or code that does not (POST /callContract).

    Raises:
        RefusedError: there is no such domain.
    """
    sender = invoked.source if addresses.is_address(invoked.source) else _made("caller")
    content = Transaction(
        source_address=sender,
        gas_price=invoked.gas_price,
        fee_limit=invoked.fee_limit,
        domain_id=domain,
    )
    execution = _begin(ledger, content)
    address = invoked.address or _made("code")
    _stand_in(execution.layer, sender, THROW_AWAY_BALANCE)
    _stand_in(execution.layer, address, invoked.contract_balance)
    message = Message(sender, sender)
    made = execution.first_call(address, invoked.entry, invoked.input, message)
    try:
        outcome = execution.run(invoked.code, made)
    except RefusedError as refusal:
        return Answer(address, None, refusal.alone(), execution.meter)
    return Answer(address, outcome, None, execution.meter)


def contract_at(ledger: Ledger, domain: int, address: str) -> Code | None:
    """Give the contract at an address, or None.

    Raises:
        RefusedError: there is no such domain.
    """
    state = ledger.state(domain)
    account = state.account(address) if addresses.is_address(address) else None
    return account.contract if account else None


def _begin(ledger: Ledger, content: Transaction) -> Execution:
    layer = Layer(ledger.state(content.domain_id))
    transaction = sign(content.SerializeToString(), [])
    place = ledger.next_place()
    return Execution(ledger.chain, place, transaction, layer, perform)


def _made(name: str) -> str:
    """Make the address of a caller, or of code, that does not exist."""
    return addresses.of_hash(sha256(name.encode()).digest(), "ef")


def _stand_in(layer: Layer, address: str, balance: int) -> None:
    """Put an account where there is none."""
    if layer.account(address) is None:
        layer.put(Account(address, balance))
