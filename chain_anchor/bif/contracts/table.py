"""All contracts of a chain: which engine runs which (bif notes §2.1, §2.10).

    TYPE  CONTRACT    ENGINE
    0     JavaScript  `JavaScript`
    1     EVM         none: refused
    2     native      the one whose name is the payload; none of them can be created
    3     WebAssembly none: refused

The ledger makes one `Contracts` and uses it for all its calls, from any thread. The
JavaScript engine is loaded when it is first needed: its library takes 50 ms, and once on
a machine a second to compile.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Final

from chain_anchor.bif.account import Code
from chain_anchor.bif.chain_pb2 import Contract
from chain_anchor.bif.contracts.interface import (
    Call,
    ContractError,
    Engine,
    Host,
    Meter,
    Outcome,
)
from chain_anchor.bif.errors import ErrorCode, RefusedError

_NATIVES: Final[Mapping[str, Engine]] = MappingProxyType({})
_loading: Final = Lock()


class Contracts:
    """Checks and runs contracts of all types there are.

    Args:
        natives: native contracts by their names.
        cache_directory: where the compiled engine is kept for the next start;
            `engine_directory` gives the usual place, None keeps it nowhere.
    """

    def __init__(
        self,
        natives: Mapping[str, Engine] = _NATIVES,
        cache_directory: Path | None = None,
    ) -> None:
        self._natives = natives
        self._cache_directory = cache_directory
        self._javascript: Engine | None = None

    def check(self, code: Code) -> None:
        """Check code that is to become a contract.

        Raises:
            RefusedError: 152, it is wrong; 156, its type is not supported.
        """
        if code.type != Contract.JAVASCRIPT:
            raise _unsupported(code)
        self._engine().check(code.payload)

    def run(self, code: Code, call: Call, host: Host, meter: Meter) -> Outcome:
        """Call a contract.

        Args:
            code: what is run; for a delegated call not that of the contract called.
            call: what is called, and by whom.
            host: the state.
            meter: what the transaction has used, and may use.

        Raises:
            ContractError: it failed or used too much.
            RefusedError: 156, its type is not supported.
        """
        if meter.depth >= meter.limits.depth:
            raise _too_deep()
        engine = self._engine_of(code)
        meter.depth += 1
        try:
            return engine.run(code, call, host, meter)
        finally:
            meter.depth -= 1

    def warm_up(self) -> None:
        """Load the JavaScript engine before it is needed.

        Raises:
            MachineError: it cannot be loaded here.
        """
        self._engine()

    def _engine_of(self, code: Code) -> Engine:
        if code.type == Contract.JAVASCRIPT:
            return self._engine()
        native = self._natives.get(code.payload)
        if code.type != Contract.SYSTEM or native is None:
            raise _unsupported(code)
        return native

    def _engine(self) -> Engine:
        if self._javascript is None:
            # Late: a chain without contracts needs neither the library nor its time.
            from chain_anchor.bif.contracts.javascript import JavaScript
            from chain_anchor.bif.contracts.machine import Machine, read_prelude

            with _loading:
                machine = Machine(read_prelude(), self._cache_directory)
            self._javascript = JavaScript(machine, self)
        return self._javascript


def _too_deep() -> ContractError:
    text = "Too many recursion."
    return ContractError(
        ErrorCode.CONTRACT_TOO_MANY_RECURSION, text, {"exception": text}
    )


def _unsupported(code: Code) -> RefusedError:
    name = _type_name(code.type)
    return RefusedError(
        ErrorCode.INVALID_CONTRACT,
        f"Contract type({code.type}) not supported: {name}; this chain runs "
        f"JavaScript, type({int(Contract.JAVASCRIPT)})",
    )


def _type_name(number: int) -> str:
    known = Contract.ContractType.values()
    return Contract.ContractType.Name(number) if number in known else "unknown"


def engine_directory() -> Path:
    """Give where the compiled module is usually kept: the user's cache directory."""
    cache = os.environ.get("XDG_CACHE_HOME")
    base = Path(cache) if cache else Path.home() / ".cache"
    return base / "idis-emulator" / "contracts"
