"""What a ledger and an engine of contracts say to each other (bif notes §2.10).

The ledger says which code is called, by whom and within which limits (`Call`, `Meter`),
and lends the engine the state of one domain (`Host`). The engine gives what the
contract returned (`Outcome`), or raises `ContractError`; the ledger then throws the
layer of the call away, so that nothing of it stays.

An engine keeps nothing between two calls that a contract could see. The same call on
the same state gives the same outcome, on any machine.
"""

from enum import IntEnum
from typing import Any, Final, NamedTuple, Protocol

from chain_anchor.bif.account import Account, Code, Metadata
from chain_anchor.bif.chain_pb2 import Operation
from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.rules import MAX_CALL_DEPTH

MAX_BLOCK_HASH_OFFSET: Final = 1024
"""How many blocks back a contract can ask a hash of (§2.10)."""

HEAP_OCTETS: Final = 30 * 1024 * 1024
"""Heap of one call (§2.6)."""

MAX_LOG_OCTETS: Final = 64 * 1024
"""How much `Utils.log` keeps for one transaction; the rest is dropped (convention)."""


class EntryPoint(IntEnum):
    """Which function of a contract is called: `opt_type` of /callContract (§1.4)."""

    INIT = 0
    MAIN = 1
    QUERY = 2

    @property
    def function(self) -> str:
        """Name of the function in JavaScript."""
        return self.name.lower()


class Limits(NamedTuple):
    """What all contract calls of one transaction may use together (§2.6)."""

    steps: int = 10_240
    """Function calls and rounds of loops, and ten for each call of the chain."""

    time_microseconds: int = 1_000_000
    """Processor time, counted in instructions so that it is the same everywhere."""

    depth: int = MAX_CALL_DEPTH
    """Calls inside calls, the outermost counted."""


_LIMITS: Final = Limits()


class Block(NamedTuple):
    """`Chain.block`: the block that a call is executed in."""

    number: int
    timestamp: int
    """Its close time in microseconds."""


class BottomTransaction(NamedTuple):
    """`Chain.tx`: the signed transaction that all calls come from."""

    initiator: str
    """Its source, who pays."""

    sender: str
    """Source of its operation that called the first contract."""

    gas_price: int = 0
    fee_limit: int = 0
    hash: str = ""
    """Lower-case hex."""


class Message(NamedTuple):
    """`Chain.msg`: the transaction, signed or triggered, that made this call."""

    initiator: str
    """Its source: for a triggered one, the contract that triggered it."""

    sender: str
    """Source of the operation that made this call."""

    nonce: int = 0
    """Nonce of the transaction."""

    operation_index: int = 0
    coin_amount: int = 0
    """What the operation pays to the contract."""


class Call(NamedTuple):
    """One call of a contract."""

    address: str
    """The contract, `Chain.thisAddress`: its balance and metadata are its own."""

    entry: EntryPoint
    input: str
    block: Block
    transaction: BottomTransaction
    message: Message


Value = str | int | float | bool
"""What a contract can return: a text, a number or a truth value."""


class Outcome(NamedTuple):
    """What a call gave."""

    value: Value = False
    """What the function returned; false if that is no `Value`, as a node says it."""


class Performed(NamedTuple):
    """What a triggered transaction gave."""

    outcome: Outcome | None = None
    """Of the contract that it called, or None where it called none."""

    created: str = ""
    """Address of the contract that it created."""


class ContractError(RefusedError):
    """A contract failed.

    Args:
        code: 151 to 155, or the code of the triggered transaction that failed.
        text: `error_desc`.
        details: what stands in `query_rets[].error.data`.
    """

    def __init__(self, code: ErrorCode, text: str, details: dict[str, Any]) -> None:
        super().__init__(code, text)
        self.details = details


class Meter:
    """What the calls of one transaction have used, and what they logged.

    The ledger makes one for each signed transaction, and one for each /callContract.
    """

    def __init__(self, limits: Limits = _LIMITS) -> None:
        self.limits = limits
        self.steps = 0
        self.ticks = 0
        """Instructions of the engine, in which it counts time."""

        self.depth = 0
        """Calls that are under way inside each other."""

        self.time_microseconds = 0
        self.memory_octets = 0
        """Most memory of one call."""

        self.stack_octets = 0
        """Most stack that a call was seen to use when it asked the chain something."""

        self.logs: dict[str, list[str]] = {}
        """What `Utils.log` wrote, by `DEPTH-ADDRESS`, the outermost depth being 0."""

        self._log_octets = 0

    def charge(self, steps: int) -> None:
        """Count steps.

        Raises:
            ContractError: 155, there are too many.
        """
        self.steps += steps
        if self.steps > self.limits.steps:
            raise expired("Step exceeding limit")

    def log(self, address: str, text: str) -> None:
        """Keep a line that a contract logs, while there is room."""
        self._log_octets += len(text) + 1
        if self._log_octets <= MAX_LOG_OCTETS:
            self.logs.setdefault(f"{self.depth - 1}-{address}", []).append(text)

    def stat(self) -> dict[str, int]:
        """Give `stat` of /callContract (§1.4)."""
        return {
            "apply_time": self.time_microseconds,
            "memory_usage": self.memory_octets,
            "stack_usage": self.stack_octets,
            "step": self.steps,
        }


def expired(text: str) -> ContractError:
    """Make the error of a call that used too much.

    Args:
        text: what it used up, in the node's words.
    """
    code = ErrorCode.CONTRACT_EXECUTE_EXPIRED
    return ContractError(code, text, {"exception": text})


class Host(Protocol):
    """The state of one domain as contracts see and change it.

    Contracts change it by transactions alone: `Chain.store` is one, too.
    """

    @property
    def chain_code(self) -> str:
        """`Chain.chainCode`: code of a sub-chain, empty for the main chain."""

    def account(self, address: str) -> Account | None:
        """Give an account, or None if there is none at this address."""

    def metadata(self, address: str, key: str) -> Metadata | None:
        """Give a metadata of an account, or None."""

    def block_hash(self, offset: int) -> str | None:
        """Give the hash in hex of the block `offset` before the last closed one."""

    def is_validator(self, address: str) -> bool:
        """Tell whether an account is a validator of the chain."""

    def perform(self, call: Call, operation: Operation, meter: Meter) -> Performed:
        """Apply a transaction that a contract triggers, with this one operation.

        Its source is `call.address`, its nonce that account's next. The operation is
        SET_METADATA, LOG, PAY_COIN or CREATE_ACCOUNT with a contract; nothing of it is
        checked yet but that texts are texts and amounts fit 64 bits. A contract that is
        paid or created is run by `Contracts.run` with a new `Call`, whose `transaction`
        and `block` are those of `call`, and the same meter.

        Raises:
            RefusedError: it failed, and so does all of the transaction; 154 after 512
                triggered transactions.
        """


class Caller(Protocol):
    """Runs the contracts that a contract calls: `Contracts` of table.py."""

    def run(self, code: Code, call: Call, host: Host, meter: Meter) -> Outcome:
        """Call a contract.

        Raises:
            ContractError: it failed or used too much.
        """


class Engine(Protocol):
    """Runs contracts of one kind, or one native contract."""

    def check(self, payload: str) -> None:
        """Check code that is to become a contract.

        Raises:
            RefusedError: 152, what is wrong with it and in which line.
        """

    def run(self, code: Code, call: Call, host: Host, meter: Meter) -> Outcome:
        """Call a contract.

        Raises:
            ContractError: it failed or used too much.
        """
