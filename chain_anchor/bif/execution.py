"""A transaction under way: its operations, and what contracts trigger (notes §2.7).

Everything happens on one layer of the state, which `chain_anchor.bif.applying` merges
or throws away. What a contract pays, logs or creates is a transaction of its own, with
the contract as its source and no signature; its envelope names the transaction at the
bottom, and its octets are added to that one's gas. A failure anywhere ends it all.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

from chain_anchor.bif import chain_pb2
from chain_anchor.bif.account import Account
from chain_anchor.bif.contracts import Call, Contracts, Environment
from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.fees import operation_gas
from chain_anchor.bif.framing import length_delimited
from chain_anchor.bif.hosting import ContractHost
from chain_anchor.bif.json_form import JsonObject
from chain_anchor.bif.operation_checks import check_operation
from chain_anchor.bif.rules import (
    MAIN_DOMAIN,
    MAX_CALL_DEPTH,
    MAX_CONTRACT_TRANSACTIONS,
    Rules,
)
from chain_anchor.bif.state import Layer


class Block(NamedTuple):
    """What is known of the block that a transaction is applied in."""

    seq: int
    close_time: int
    """Microseconds."""

    block_hash: Callable[[int], bytes | None]
    """Hash of a closed block, by its sequence number."""


class Chain(NamedTuple):
    """What stays the same for all transactions of a chain."""

    rules: Rules
    contracts: Contracts
    ac: str = ""
    """Code of the sub-chain, which addresses of its contracts carry."""


class Origin(NamedTuple):
    """The transaction that an operation belongs to, at the bottom or triggered."""

    source: str
    nonce: int
    created: list[JsonObject]
    """The contracts it has created, as its `error_desc` lists them."""


class Triggered(NamedTuple):
    """A transaction that a contract made."""

    hash: bytes
    envelope: bytes
    created: list[JsonObject]


Perform = Callable[["Execution", chain_pb2.Operation, Origin, int], object]
"""Does what an operation says: `chain_anchor.bif.operations.perform`."""


class Execution:
    """What one transaction does to a state."""

    def __init__(
        self,
        chain: Chain,
        block: Block,
        domain: int,
        environment: Environment,
        layer: Layer,
        perform: "Perform",
    ) -> None:
        self.chain = chain
        self.block = block
        self.domain = domain
        self.environment = environment
        self.layer = layer
        self.perform = perform
        self.triggered: list[Triggered] = []
        self.gas = 0
        """Gas of what contracts triggered."""

        self.logs: dict[str, list[str]] = {}
        """Lines of `Utils.log` by operation index and contract."""

        self.steps = 0
        self._depth = 0

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

    def run_contract(self, call: Call) -> object:
        """Call a contract; give what it returned.

        Raises:
            RefusedError: contracts call each other too deep, or the contract failed.
        """
        if self._depth >= MAX_CALL_DEPTH:
            raise RefusedError(
                ErrorCode.CONTRACT_TOO_MANY_RECURSION, "Too many recursion"
            )
        self._depth += 1
        try:
            return self.chain.contracts.run(call, ContractHost(self, call))
        finally:
            self._depth -= 1

    def trigger(
        self, contract: str, operation: chain_pb2.Operation
    ) -> tuple[object, Triggered]:
        """Make a transaction of a contract and perform its one operation.

        Returns:
            What a contract that the operation called returned; the transaction.

        Raises:
            RefusedError: too many of them, or the operation is wrong or fails.
        """
        if len(self.triggered) >= MAX_CONTRACT_TRANSACTIONS:
            raise RefusedError(
                ErrorCode.CONTRACT_TOO_MANY_TRANSACTIONS, "Too many transactions"
            )
        check_operation(operation, contract)
        account = self.require_account(contract)
        account = account._replace(nonce=account.nonce + 1)
        self.layer.put(account)
        made = self._envelope(account, operation)
        self.triggered.append(made)
        self.gas += len(made.envelope) + operation_gas(operation)
        origin = Origin(contract, account.nonce, made.created)
        return self.perform(self, operation, origin, 0), made

    def _envelope(self, account: Account, operation: chain_pb2.Operation) -> Triggered:
        content = chain_pb2.Transaction(
            source_address=account.address, nonce=account.nonce, operations=[operation]
        )
        if self.domain != MAIN_DOMAIN:
            content.domain_id = self.domain
        trigger = chain_pb2.Trigger(
            transaction=chain_pb2.Trigger.OperationTrigger(
                hash=self.environment.transaction_hash, index=len(self.triggered)
            )
        )
        blob = content.SerializeToString()
        envelope = length_delimited(1, blob)
        envelope += length_delimited(3, trigger.SerializeToString())
        return Triggered(sha256(blob).digest(), envelope, [])
