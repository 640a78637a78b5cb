"""What runs contracts: a table of engines by contract type.

An engine gets a `Call` and a `Host`. The host is the only way to the state; it keeps
the limits, and a refusal that it raises ends the whole transaction, so an engine lets
it through. An engine must be deterministic: no clock, no randomness.

Native contracts are a table behind the engine of type SYSTEM. Their accounts are made
at genesis, with the native contract's name as the payload; no transaction can make one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

from chain_anchor.bif.account import Account, Code
from chain_anchor.bif.errors import ErrorCode, RefusedError


class Entry(Enum):
    """Which function of a contract is called; the values are those of `opt_type`."""

    INIT = 0
    MAIN = 1
    QUERY = 2


class Call(NamedTuple):
    """One call of a contract."""

    entry: Entry
    address: str
    """Whose storage and balance the contract has: `Chain.thisAddress`."""

    code: Code
    input: str
    sender: str
    """Who called: an account, or the contract that did."""

    amount: int
    """What the call brought with it, already on the contract's balance."""

    operation_index: int


class Environment(NamedTuple):
    """What a contract can know of its block and of the transaction it runs in."""

    seq: int
    close_time: int
    """Microseconds."""

    initiator: str
    """Source of the transaction."""

    nonce: int
    gas_price: int
    fee_limit: int
    transaction_hash: bytes


class Host(Protocol):
    """What a contract can do; `Chain` and `Utils` of §2.10 are made of it.

    Everything that changes the state raises `RefusedError` in a query (159), and
    everything may raise it when a limit is passed or an operation fails.
    """

    call: Call
    environment: Environment

    def block_hash(self, offset: int) -> bytes | None:
        """Give the hash of the block `offset` before the last closed one."""

    def load(self, key: str) -> str | None:
        """Read from the contract's storage."""

    def store(self, key: str, value: str) -> None:
        """Write into the contract's storage."""

    def delete(self, key: str) -> None:
        """Remove from the contract's storage; nothing happens if it is not there."""

    def metadata(self, address: str, key: str) -> str | None:
        """Read a metadata of any account."""

    def account(self, address: str) -> Account | None:
        """Give any account: its balance, nonce, privilege and contract."""

    def pay(self, destination: str, amount: int, text: str = "") -> object:
        """Pay, as a transaction of its own; give what a contract's `main` returned."""

    def log(self, topic: str, datas: Sequence[str]) -> None:
        """Record a log, as a transaction of its own."""

    def create(self, balance: int, kind: int, payload: str, text: str) -> str:
        """Create a contract, as a transaction of its own; give its address."""

    def query(self, address: str, text: str) -> object:
        """Call the `query` of another contract."""

    def delegate(self, address: str, text: str, *, query: bool = False) -> object:
        """Run another contract's code on this contract's storage."""

    def note(self, text: str) -> None:
        """Keep a line of `Utils.log` for who evaluates the call."""

    def spend(self, steps: int) -> None:
        """Count steps; too many end the call (155)."""


class Engine(Protocol):
    """Runs contracts of one type."""

    def check(self, payload: str) -> None:
        """Refuse source code that is not a contract.

        Raises:
            RefusedError: it is not (152).
        """

    def run(self, call: Call, host: Host) -> object:
        """Call a contract; give what it returned: text, number, boolean or None.

        Raises:
            RefusedError: the contract failed (151), or the host refused something.
        """


@dataclass(frozen=True, slots=True)
class Contracts:
    """Runs contracts of all types there are."""

    engines: Mapping[int, Engine]
    """Engine by `Contract.ContractType`."""

    def check(self, code: Code) -> None:
        """Refuse code that no engine takes.

        Raises:
            RefusedError: no engine for the type, or the engine refuses the source.
        """
        self._engine(code.type).check(code.payload)

    def run(self, call: Call, host: Host) -> object:
        """Call a contract with the engine that it is for.

        Raises:
            RefusedError: as `Engine.run`, or there is no engine for it.
        """
        return self._engine(call.code.type).run(call, host)

    def _engine(self, kind: int) -> Engine:
        engine = self.engines.get(kind)
        if engine is None:
            raise RefusedError(
                ErrorCode.INVALID_PARAMETER, f"Contract type({kind}) is not supported"
            )
        return engine


@dataclass(frozen=True, slots=True)
class NativeContracts:
    """Runs native contracts, by the names that their accounts have as payload."""

    table: Mapping[str, Callable[[Call, Host], object]]

    def check(self, payload: str) -> None:
        """Refuse to create a native contract.

        Raises:
            RefusedError: always.
        """
        raise RefusedError(
            ErrorCode.INVALID_PARAMETER,
            f"System contract({payload}) can not be created",
        )

    def run(self, call: Call, host: Host) -> object:
        """Call a native contract.

        Raises:
            RefusedError: there is none of this name, or it failed.
        """
        native = self.table.get(call.code.payload)
        if native is None:
            raise RefusedError(
                ErrorCode.INVALID_CONTRACT,
                f"System contract({call.code.payload}) is not supported",
            )
        return native(call, host)


NO_CONTRACTS = Contracts({})
"""A chain on which no contract can be created."""
