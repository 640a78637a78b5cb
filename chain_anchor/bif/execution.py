"""A transaction under way: its operations, and what contracts trigger (notes §2.7).

Everything happens on one layer of the state, which `chain_anchor.bif.applying` merges
or throws away. What a contract pays, logs or creates is a transaction of its own, with
the contract as its source and no signature; its envelope names the transaction at the
bottom, and its octets are added to that one's gas. A failure anywhere ends it all.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple, Protocol

from chain_anchor.bif import chain_pb2
from chain_anchor.bif.account import Account, Code
from chain_anchor.bif.contracts.interface import (
    Block,
    BottomTransaction,
    Call,
    EntryPoint,
    Host,
    Message,
    Meter,
    Outcome,
)
from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.fees import operation_gas
from chain_anchor.bif.framing import length_delimited
from chain_anchor.bif.hosting import ContractHost
from chain_anchor.bif.json_form import JsonObject
from chain_anchor.bif.operation_checks import check_operation
from chain_anchor.bif.rules import MAIN_DOMAIN, MAX_CONTRACT_TRANSACTIONS, Rules
from chain_anchor.bif.state import Layer
from chain_anchor.bif.transactions import SignedTransaction


class ContractTable(Protocol):
    """Runs contracts of all types there are."""

    def check(self, code: Code) -> None:
        """Refuse code that is to become a contract.

        Raises:
            RefusedError: what is wrong with it, or its type is not supported.
        """

    def run(self, code: Code, call: Call, host: Host, meter: Meter) -> Outcome:
        """Call a contract.

        Raises:
            RefusedError: it failed or used too much.
        """


class BlockPlace(NamedTuple):
    """What is known of the block that a transaction is applied in."""

    seq: int
    close_time: int
    """Microseconds."""

    block_hash: Callable[[int], bytes | None]
    """Hash of a closed block, by its sequence number."""

    validators: tuple[str, ...]
    """Addresses of the validators."""


class Chain(NamedTuple):
    """What stays the same for all transactions of a chain."""

    rules: Rules
    contracts: ContractTable
    ac: str = ""
    """Code of the sub-chain, which addresses of its contracts carry."""


class Origin(NamedTuple):
    """The transaction that an operation belongs to, at the bottom or triggered."""

    source: str
    nonce: int
    created: list[JsonObject]
    """The contracts it has created, as its `error_desc` lists them."""

    call: Call | None = None
    """The call that triggered it."""


class Triggered(NamedTuple):
    """A transaction that a contract made."""

    hash: bytes
    envelope: bytes
    created: list[JsonObject]


Perform = Callable[["Execution", chain_pb2.Operation, Origin, int], Outcome | None]
"""Does what an operation says: `chain_anchor.bif.operations.perform`."""


class Execution:
    """What one transaction does to a state."""

    def __init__(
        self,
        chain: Chain,
        place: BlockPlace,
        transaction: SignedTransaction,
        layer: Layer,
        perform: Perform,
    ) -> None:
        self.chain = chain
        self.place = place
        self.transaction = transaction
        self.layer = layer
        self.meter = Meter()
        self.triggered: list[Triggered] = []
        self.gas = 0
        """Gas of what contracts triggered."""

        self._perform = perform

    def require_account(self, address: str) -> Account:
        """Give an account that must exist.

        Raises:
            RefusedError: it does not.
        """
        account = self.layer.account(address)
        if account is None:
            raise RefusedError(
                ErrorCode.ACCOUNT_NOT_EXIST, f"Account({address}) does not exist"
            )
        return account

    def first_call(
        self, address: str, entry: EntryPoint, text: str, message: Message
    ) -> Call:
        """Make the call of a contract by the signed transaction itself."""
        content = self.transaction.content
        bottom = BottomTransaction(
            content.source_address,
            message.sender,
            content.gas_price,
            content.fee_limit,
            self.transaction.hash.hex(),
        )
        block = Block(self.place.seq, self.place.close_time)
        return Call(address, entry, text, block, bottom, message)

    def run(self, code: Code, call: Call) -> Outcome:
        """Call a contract.

        Raises:
            RefusedError: it failed or used too much.
        """
        return self.chain.contracts.run(code, call, ContractHost(self), self.meter)

    def trigger(
        self, call: Call, operation: chain_pb2.Operation
    ) -> tuple[Outcome | None, Triggered]:
        """Make a transaction of the contract of a call, and perform its operation.

        Returns:
            What a contract that the operation called gave; the transaction.

        Raises:
            RefusedError: too many of them, or the operation is wrong or fails.
        """
        if len(self.triggered) >= MAX_CONTRACT_TRANSACTIONS:
            raise RefusedError(
                ErrorCode.CONTRACT_TOO_MANY_TRANSACTIONS, "Too many transactions"
            )
        check_operation(operation, call.address)
        account = self.require_account(call.address)
        account = account._replace(nonce=account.nonce + 1)
        self.layer.put(account)
        made = self._envelope(account, operation)
        self.triggered.append(made)
        self.gas += len(made.envelope) + operation_gas(operation)
        origin = Origin(account.address, account.nonce, made.created, call)
        return self._perform(self, operation, origin, 0), made

    def _envelope(self, account: Account, operation: chain_pb2.Operation) -> Triggered:
        content = chain_pb2.Transaction(
            source_address=account.address, nonce=account.nonce, operations=[operation]
        )
        domain = self.transaction.content.domain_id
        if domain != MAIN_DOMAIN:
            content.domain_id = domain
        trigger = chain_pb2.Trigger(
            transaction=chain_pb2.Trigger.OperationTrigger(
                hash=self.transaction.hash, index=len(self.triggered)
            )
        )
        blob = content.SerializeToString()
        envelope = length_delimited(1, blob)
        envelope += length_delimited(3, trigger.SerializeToString())
        return Triggered(sha256(blob).digest(), envelope, [])
