"""What contracts are given: the `Host` of `contracts`, over an execution.

Storage of a contract is the metadata of its account, so it is in the state's tries and
can be read through the API (bif notes §1.3).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from chain_anchor.bif import addresses
from chain_anchor.bif.account import Account, Code, Metadata
from chain_anchor.bif.chain_pb2 import (
    AccountPrivilege,
    AccountThreshold,
    Contract,
    Operation,
    OperationCreateAccount,
    OperationLog,
    OperationPayCoin,
)
from chain_anchor.bif.contracts import Call, Entry
from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.operation_checks import check_metadata
from chain_anchor.bif.rules import MAX_STEPS

if TYPE_CHECKING:
    from chain_anchor.bif.execution import Execution


class ContractHost:
    """The host of one call."""

    def __init__(self, execution: "Execution", call: Call) -> None:
        self.call = call
        self.environment = execution.environment
        self._execution = execution

    def block_hash(self, offset: int) -> bytes | None:
        """Give the hash of the block `offset` before the last closed one."""
        last = self._execution.block.seq - 1
        if not 0 <= offset < last:
            return None
        return self._execution.block.block_hash(last - offset)

    def load(self, key: str) -> str | None:
        """Read from the contract's storage."""
        return self.metadata(self.call.address, key)

    def store(self, key: str, value: str) -> None:
        """Write into the contract's storage."""
        self._require_change()
        with _arguments():
            check_metadata(key, value)
        layer, address = self._execution.layer, self.call.address
        old = layer.metadata(address, key)
        version = old.version + 1 if old else 1
        layer.put_metadata(address, key, Metadata(value, version))

    def delete(self, key: str) -> None:
        """Remove from the contract's storage; nothing happens if it is not there."""
        self._require_change()
        if self.load(key) is not None:
            self._execution.layer.put_metadata(self.call.address, key, None)

    def metadata(self, address: str, key: str) -> str | None:
        """Read a metadata of any account."""
        if not addresses.is_address(address):
            return None
        with _arguments():
            found = self._execution.layer.metadata(address, key)
        return found.value if found else None

    def account(self, address: str) -> Account | None:
        """Give any account: its balance, nonce, privilege and contract."""
        if not addresses.is_address(address):
            return None
        return self._execution.layer.account(address)

    def pay(self, destination: str, amount: int, text: str = "") -> object:
        """Pay, as a transaction of its own; give what a contract's `main` returned."""
        self._require_change()
        with _arguments():
            operation = Operation(
                type=Operation.PAY_COIN,
                pay_coin=OperationPayCoin(
                    dest_address=destination, amount=amount, input=text
                ),
            )
        return self._execution.trigger(self.call.address, operation)[0]

    def log(self, topic: str, datas: Sequence[str]) -> None:
        """Record a log, as a transaction of its own."""
        self._require_change()
        with _arguments():
            log = OperationLog(topic=topic, datas=datas)
            operation = Operation(type=Operation.LOG, log=log)
        self._execution.trigger(self.call.address, operation)

    def create(self, balance: int, kind: int, payload: str, text: str) -> str:
        """Create a contract, as a transaction of its own; give its address."""
        self._require_change()
        with _arguments():
            contract = Contract(payload=payload)
            contract.type = kind  # type: ignore[assignment] # enums are ints
            create = OperationCreateAccount(
                contract=contract,
                priv=AccountPrivilege(thresholds=AccountThreshold(tx_threshold=1)),
                init_balance=balance,
                init_input=text,
            )
            operation = Operation(type=Operation.CREATE_ACCOUNT, create_account=create)
        made = self._execution.trigger(self.call.address, operation)[1]
        return str(made.created[0]["contract_address"])

    def query(self, address: str, text: str) -> object:
        """Call the `query` of another contract."""
        call = Call(
            Entry.QUERY,
            address,
            self._code(address),
            text,
            self.call.address,
            0,
            self.call.operation_index,
        )
        return self._execution.run_contract(call)

    def delegate(self, address: str, text: str, *, query: bool = False) -> object:
        """Run another contract's code on this contract's storage."""
        entry = Entry.QUERY if query else self.call.entry
        call = self.call._replace(entry=entry, code=self._code(address), input=text)
        return self._execution.run_contract(call)

    def note(self, text: str) -> None:
        """Keep a line of `Utils.log` for who evaluates the call."""
        place = f"{self.call.operation_index}-{self.call.address}"
        self._execution.logs.setdefault(place, []).append(text)

    def spend(self, steps: int) -> None:
        """Count steps; too many end the call (155)."""
        self._execution.steps += steps
        if self._execution.steps > MAX_STEPS:
            raise RefusedError(
                ErrorCode.CONTRACT_EXECUTE_EXPIRED,
                f"Step limit({MAX_STEPS}) exceeded",
            )

    def _code(self, address: str) -> Code:
        account = self.account(address)
        if account is None or account.contract is None:
            raise RefusedError(
                ErrorCode.INVALID_CONTRACT, f"Account({address}) is not a contract"
            )
        return account.contract

    def _require_change(self) -> None:
        if self.call.entry is Entry.QUERY:
            raise RefusedError(
                ErrorCode.STATIC_MODE, "A query can not change the state"
            )


@contextmanager
def _arguments() -> Iterator[None]:
    """Refuse what a contract gave for a number or a text and what is none."""
    try:
        yield
    except (TypeError, ValueError) as problem:
        raise RefusedError(
            ErrorCode.CONTRACT_EXECUTE_FAIL, f"Invalid argument: {problem}"
        ) from None
