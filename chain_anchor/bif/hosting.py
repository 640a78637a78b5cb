"""What contracts are given: the `Host` of `contracts.interface`, over an execution.

Storage of a contract is the metadata of its account, so it is in the state's tries and
can be read through the API (bif notes §1.3).
"""

from typing import TYPE_CHECKING

from chain_anchor.bif.account import Account, Metadata
from chain_anchor.bif.chain_pb2 import Operation
from chain_anchor.bif.contracts.interface import Call, Meter, Performed

if TYPE_CHECKING:
    from chain_anchor.bif.execution import Execution


class ContractHost:
    """The state as the contracts of one transaction see and change it."""

    def __init__(self, execution: "Execution") -> None:
        self._execution = execution

    @property
    def chain_code(self) -> str:
        """`Chain.chainCode`: code of a sub-chain, empty for the main chain."""
        return self._execution.chain.ac

    def account(self, address: str) -> Account | None:
        """Give an account, or None if there is none at this address."""
        return self._execution.layer.account(address)

    def metadata(self, address: str, key: str) -> Metadata | None:
        """Give a metadata of an account, or None."""
        return self._execution.layer.metadata(address, key)

    def block_hash(self, offset: int) -> str | None:
        """Give the hash in hex of the block `offset` before the last closed one."""
        last = self._execution.place.seq - 1
        if not 0 <= offset < last:
            return None
        found = self._execution.place.block_hash(last - offset)
        return found.hex() if found else None

    def is_validator(self, address: str) -> bool:
        """Tell whether an account is a validator of the chain."""
        return address in self._execution.place.validators

    def perform(self, call: Call, operation: Operation, meter: Meter) -> Performed:
        """Apply a transaction that a contract triggers, with this one operation.

        Raises:
            RefusedError: it failed, and so does all of the transaction.
        """
        outcome, made = self._execution.trigger(call, operation)
        created = str(made.created[0]["contract_address"]) if made.created else ""
        return Performed(outcome, created)
