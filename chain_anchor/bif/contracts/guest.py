"""The JavaScript engine as a WebAssembly module: read, compiled, and given its imports.

The module is `_guest.wasm` of the package quickjs-rs (MIT): QuickJS-ng, with functions
that make and read values. Those used are named in `_EXPORTS`; a package without them is
refused when it is loaded. Compiling takes a second; what comes of it is kept in a file
for the next start, whose name says what it was made of.

Of the system the module sees nothing: its clock stands still, its random numbers are
zeros, it has no files and no environment.
"""

import hashlib
from collections.abc import Callable
from contextvars import ContextVar
from importlib import metadata, util
from pathlib import Path
from typing import Final, Protocol

import wasmtime

from chain_anchor.errors import AnchorError

_NATIVE_STACK_OCTETS: Final = 1024 * 1024
"""What those calls take of the thread's own stack, at most; the most wasmtime takes."""

_WASI: Final = "wasi_snapshot_preview1"
_BAD_DESCRIPTOR: Final = 8
_OK: Final = 0
_FAILED_CALL: Final = -1
_EXPORTS: Final = (
    "eval_code", "get_prop", "get_string", "global_object", "last_exception", "new_function",
    "new_string", "qjs_alloc", "qjs_last_len", "qjs_last_ptr", "qjs_result_free",
    "set_memory_limit", "set_prop", "type_of",
)  # fmt: skip


class MachineError(AnchorError):
    """The engine cannot be loaded here."""


class OverrunError(AnchorError):
    """A script used more than it may.

    Args:
        text: which limit, as the node says it.
    """


class Guest(Protocol):
    """What the imports of the module need of the instance that calls them."""

    def write_at(self, address: int, octets: bytes) -> None:
        """Put octets where there is room for them."""

    def word(self, address: int) -> int:
        """Read a number of four octets."""

    def ask(self, argument: int) -> int:
        """Answer a question of the script."""


running: ContextVar[Guest] = ContextVar("running")
"""The instance whose script runs: the module's imports are shared by all instances."""


def configuration() -> wasmtime.Config:
    """Count instructions, and leave nothing to the processor or to the process."""
    made = wasmtime.Config()
    made.consume_fuel = True
    made.cranelift_nan_canonicalization = True
    made.max_wasm_stack = _NATIVE_STACK_OCTETS
    # Faults are found by checks, so that nobody's signal handlers are touched: it
    # costs a contract that loops a third of its time, and others nothing.
    made.signals_based_traps = False
    return made


def load(engine: wasmtime.Engine, directory: Path | None) -> wasmtime.Module:
    """Read the module; compile it unless that was done here before."""
    octets = _module_octets()
    if directory is None:
        return _checked(wasmtime.Module(engine, octets))
    digest = hashlib.sha256(octets + metadata.version("wasmtime").encode()).hexdigest()
    path = directory / f"{digest[:32]}.cwasm"
    try:
        return wasmtime.Module.deserialize_file(engine, str(path))
    except wasmtime.WasmtimeError:
        # Absent, or of another machine or another configuration.
        module = _checked(wasmtime.Module(engine, octets))
    _keep(path, bytes(module.serialize()))
    return module


def _module_octets() -> bytes:
    # Found, not imported: its package would start an engine of its own.
    package = util.find_spec("quickjs_rs")
    if package is None or not package.submodule_search_locations:
        raise MachineError(
            "Contracts in JavaScript need the package quickjs-rs, which is not installed"
        )
    return (Path(package.submodule_search_locations[0]) / "_guest.wasm").read_bytes()


def _checked(module: wasmtime.Module) -> wasmtime.Module:
    missing = set(_EXPORTS) - {export.name for export in module.exports}
    if missing:
        raise MachineError(
            "Expected quickjs-rs 0.2, whose module has "
            f"{', '.join(sorted(missing))}; the one that is installed has not"
        )
    return module


def _keep(path: Path, octets: bytes) -> None:
    """Write a compiled module for the next start, if that is possible here."""
    beside = path.with_suffix(f".{hashlib.sha256(octets).hexdigest()[:8]}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(octets)
        beside.replace(path)
    except OSError:
        # A home that cannot be written: it is compiled again next time.
        return


def linker(engine: wasmtime.Engine, module: wasmtime.Module) -> wasmtime.Linker:
    """Give the module its imports: questions to the host, and a system that is silent."""
    made = wasmtime.Linker(engine)
    for wanted in module.imports:
        kind, name = wanted.type, wanted.name or ""
        if not isinstance(kind, wasmtime.FuncType):
            raise MachineError(f"Expected functions as imports, got {name}")
        function = _SYSTEM[name] if wanted.module == _WASI else _HOST[name]
        made.define_func(wanted.module, name, kind, function)
    return made


def _host_call(_name: int, _size: int, _this: int, count: int, values: int) -> int:
    instance = running.get()
    if count != 1:
        return _FAILED_CALL
    return instance.ask(instance.word(values))


def _zeros(address: int, count: int) -> int:
    """Fill memory with what is random elsewhere."""
    running.get().write_at(address, bytes(count))
    return _OK


def _epoch(_clock: int, _precision: int, address: int) -> int:
    return _zeros(address, 8)


def _empty(count_address: int, size_address: int) -> int:
    return _zeros(count_address, 4) or _zeros(size_address, 4)


def _exit(_code: int) -> None:
    raise OverrunError("Memory exceeding limit")


def _nothing(*_values: int) -> int:
    return _OK


def _refused(*_values: int) -> int:
    return _BAD_DESCRIPTOR


_HOST: Final[dict[str, Callable[..., int]]] = {
    "host_call": _host_call,
    "host_interrupt": _nothing,
    "host_module_load": _nothing,
    "host_module_normalize": _nothing,
}

_SYSTEM: Final[dict[str, Callable[..., int | None]]] = {
    "clock_time_get": _epoch,
    "environ_get": _nothing,
    "environ_sizes_get": _empty,
    "fd_close": _refused,
    "fd_fdstat_get": _refused,
    "fd_seek": _refused,
    "fd_write": _refused,
    "proc_exit": _exit,
    "random_get": _zeros,
}
