"""A JavaScript engine in a sandbox: QuickJS, compiled to WebAssembly, run by wasmtime.

Native QuickJS cannot be stopped in the middle of a built-in function: searching a long
text in a longer one takes hours, whatever time limit is set. In the sandbox every
instruction is counted, so each script ends, after the same instruction on each machine;
it sees no clock, no randomness and no memory but its own; and a fault of the engine ends
the script, not the process.

Each script runs in an instance of its own, which starts as a copy of the memory that the
prelude left and is thrown away afterwards. Nothing can leak from one to the next.

The WebAssembly module is `_guest.wasm` of the package quickjs-rs (MIT). Its functions
used here are named in `_EXPORTS`; a package without them is refused when it is loaded.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import metadata, resources, util
from pathlib import Path
from typing import Any, Final, NamedTuple

import wasmtime

from chain_anchor.bif.contracts.interface import HEAP_OCTETS
from chain_anchor.errors import AnchorError

TICKS_PER_MICROSECOND: Final = 2_000
"""Instructions that stand for a microsecond: 2 to 4 million a millisecond are usual."""

_STACK_OCTETS: Final = 128 * 1024
"""Stack of the module that a script may use: some 700 calls inside each other.

The module does not check its stack. Its stack pointer is lowered to this, so that what
grows beyond leaves the memory at address 0 and is stopped there.
"""

_NATIVE_STACK_OCTETS: Final = 1024 * 1024
"""What those calls take of the thread's own stack, at most; the most wasmtime takes."""

_PAGE_OCTETS: Final = 4096
_MEMORY_OCTETS: Final = HEAP_OCTETS + 8 * 1024 * 1024
"""Of the module: heap, its fragments, stack and what the module itself holds."""

_PRELUDE_TICKS: Final = 1_000_000_000
_WASI: Final = "wasi_snapshot_preview1"
_BAD_DESCRIPTOR: Final = 8
_OK: Final = 0
_FAILED_CALL: Final = -1
_EXPORTS: Final = (
    "eval_code", "get_prop", "get_string", "global_object", "last_exception", "new_function",
    "new_string", "qjs_alloc", "qjs_last_len", "qjs_last_ptr", "qjs_result_free",
    "set_memory_limit", "set_prop", "type_of",
)  # fmt: skip

Answer = Callable[[str, "Instance"], str]
"""Answers what a script asks the host."""


class MachineError(AnchorError):
    """The engine cannot be loaded here."""


class OverrunError(AnchorError):
    """A script used more than it may.

    Args:
        text: which limit, as the node says it.
    """


class ScriptError(AnchorError):
    """A script threw while it was loaded.

    Args:
        text: what was thrown.
        stack: lines of `    at FUNCTION (FILE:LINE:COLUMN)`, or nothing.
    """

    def __init__(self, text: str, stack: str) -> None:
        super().__init__(text)
        self.text = text
        self.stack = stack


class _Image(NamedTuple):
    """What the prelude left in memory."""

    octets: int
    pieces: tuple[tuple[int, bytes], ...]
    """Address and octets of all that differs from a new instance."""


_running: ContextVar["Instance"] = ContextVar("running")
"""The instance whose script runs: the module's imports are shared by all instances."""


class Machine:
    """Runs scripts after a prelude.

    Args:
        prelude: script that prepares the memory of all others; it finds a function
            `__host__` that takes a text and gives one.
        cache_directory: where the compiled module is kept for the next start, if
            anywhere; compiling takes a second.

    Raises:
        MachineError: the module is not the one that this is written for.
    """

    def __init__(self, prelude: str, cache_directory: Path | None = None) -> None:
        self._engine = wasmtime.Engine(_configuration())
        self._module = _load(self._engine, cache_directory)
        self._linker = _linker(self._engine, self._module)
        self._image = self._prepare(prelude)

    def evaluate(self, script: str, ticks: int, answer: Answer) -> tuple[str, "Instance"]:
        """Run a script; give the text that it ends with, and what it ran in.

        Args:
            script: JavaScript.
            ticks: instructions that it may use.
            answer: answers what it asks the host; what this raises ends the script.

        Raises:
            ScriptError: it threw.
            OverrunError: it used too much.
        """
        instance = self._instance(ticks, answer)
        try:
            instance.restore(self._image)
            return instance.evaluate(script), instance
        finally:
            instance.close()

    def _instance(self, ticks: int, answer: Answer) -> "Instance":
        return Instance(self._engine, self._linker, self._module, ticks, answer)

    def _prepare(self, prelude: str) -> _Image:
        blank = self._instance(_PRELUDE_TICKS, _no_answer)
        instance = self._instance(_PRELUDE_TICKS, _no_answer)
        try:
            before = blank.memory()
            instance.prepare()
            instance.evaluate(prelude + "\n;''")
            return _difference(before, instance.memory())
        finally:
            blank.close()
            instance.close()


class Instance:
    """A module's memory, and the functions that work on it."""

    def __init__(
        self,
        engine: wasmtime.Engine,
        linker: wasmtime.Linker,
        module: wasmtime.Module,
        ticks: int,
        answer: Answer,
    ) -> None:
        self._store = wasmtime.Store(engine)
        self._store.set_limits(memory_size=_MEMORY_OCTETS)
        self._store.set_fuel(ticks)
        self._exports: Any = linker.instantiate(self._store, module).exports(self._store)
        self._memory: wasmtime.Memory = self._exports["memory"]
        self._answer = answer
        self.memory_octets = 0
        self.stack_octets = 0

    @property
    def ticks(self) -> int:
        """Instructions that are left."""
        return self._store.get_fuel()

    @ticks.setter
    def ticks(self, left: int) -> None:
        self._store.set_fuel(max(left, 0))

    def close(self) -> None:
        """Give the memory back; only the counts can be read afterwards."""
        self._store.close()

    def prepare(self) -> None:
        """Make a new engine, its heap limited, and its function `__host__`."""
        with self._entered():
            self.call("set_memory_limit", HEAP_OCTETS)
            name = self.write(b"__host__")
            function = self.call("new_function", name, 8)
            self.call("set_prop", self.call("global_object"), name, 8, function)

    def memory(self) -> bytes:
        """Give all that is in memory."""
        return bytes(self._memory.read(self._store, 0, None))

    def restore(self, image: _Image) -> None:
        """Make a new instance what the prelude left."""
        missing = image.octets - self._memory.data_len(self._store)
        if missing > 0:
            self._memory.grow(self._store, -(-missing // 65536))
        for address, octets in image.pieces:
            self._memory.write(self._store, octets, address)
        self._exports["__stack_pointer"].set_value(self._store, _STACK_OCTETS)

    def evaluate(self, script: str) -> str:
        """Run a script; give the text that it ends with.

        Raises:
            ScriptError: it threw.
            OverrunError: it used too much.
        """
        try:
            with self._entered():
                return self._evaluate(script.encode())
        except wasmtime.Trap as trap:
            raise _overrun(trap) from None
        finally:
            self.memory_octets = self._memory.data_len(self._store)

    def call(self, name: str, *values: int) -> int:
        """Call a function of the module."""
        result: int = self._exports[name](self._store, *values)
        return result

    def write(self, octets: bytes) -> int:
        """Put octets into memory; give where they are."""
        address = self.call("qjs_alloc", len(octets))
        if not address and octets:
            raise OverrunError("Memory exceeding limit")
        self.write_at(address, octets)
        return address

    def write_at(self, address: int, octets: bytes) -> None:
        """Put octets where there is room for them."""
        self._memory.write(self._store, octets, address)

    def ask(self, argument: int) -> int:
        """Answer a question of the script."""
        pointer = self._exports["__stack_pointer"].value(self._store)
        self.stack_octets = max(self.stack_octets, _STACK_OCTETS - pointer)
        answer = self._answer(self._text(argument), self).encode()
        return self.call("new_string", self.write(answer), len(answer))

    def word(self, address: int) -> int:
        """Read a number of four octets."""
        octets = self._memory.read(self._store, address, address + 4)
        return int.from_bytes(octets, "little")

    @contextmanager
    def _entered(self) -> Iterator[None]:
        """Have the module's imports work on this instance."""
        token = _running.set(self)
        try:
            yield
        finally:
            _running.reset(token)

    def _evaluate(self, script: bytes) -> str:
        result = self.call("qjs_alloc", 4)
        status = self.call("eval_code", self.write(script), len(script), result)
        if status != _OK:
            raise self._error()
        return self._text(self.word(result))

    def _text(self, value: int) -> str:
        """Read a text of the script."""
        if self.call("get_string", value) != _OK:
            raise ScriptError("Expected a text of the script, got something else", "")
        return self._result()

    def _result(self) -> str:
        address, size = self.call("qjs_last_ptr"), self.call("qjs_last_len")
        octets = bytes(self._memory.read(self._store, address, address + size))
        self.call("qjs_result_free")
        return octets.decode(errors="replace")

    def _error(self) -> ScriptError | OverrunError:
        result = self.call("qjs_alloc", 4)
        if self.call("last_exception", result) != _OK:
            return OverrunError("Memory exceeding limit")
        thrown = self.word(result)
        if self._type(thrown) == "string":
            return ScriptError(self._text(thrown), "")
        name, text = self._property(thrown, b"name"), self._property(thrown, b"message")
        if text in _EXHAUSTION:
            return OverrunError(_EXHAUSTION[text])
        return ScriptError(f"{name or 'Error'}: {text}", self._property(thrown, b"stack"))

    def _type(self, value: int) -> str:
        self.call("type_of", value)
        return self._result()

    def _property(self, value: int, name: bytes) -> str:
        result = self.call("qjs_alloc", 4)
        found = self.call("get_prop", value, self.write(name), len(name), result)
        if found != _OK or self._type(self.word(result)) != "string":
            return ""
        return self._text(self.word(result))


_EXHAUSTION: Final = {
    "out of memory": "Memory exceeding limit",
    "Maximum call stack size exceeded": "Stack exceeding limit",
}


def _overrun(trap: wasmtime.Trap) -> OverrunError:
    """Say what a script ran into.

    A stack that is full shows as one of the first three; the module stops itself where
    it cannot have the memory that it needs.
    """
    codes = wasmtime.TrapCode
    if trap.trap_code == codes.OUT_OF_FUEL:
        return OverrunError("Time expired")
    if trap.trap_code in {
        codes.STACK_OVERFLOW,
        codes.MEMORY_OUT_OF_BOUNDS,
        codes.HEAP_MISALIGNED,
    }:
        return OverrunError("Stack exceeding limit")
    return OverrunError("Memory exceeding limit")


def _configuration() -> wasmtime.Config:
    """Count instructions, and leave nothing to the processor (NaN, stack)."""
    configuration = wasmtime.Config()
    configuration.consume_fuel = True
    configuration.cranelift_nan_canonicalization = True
    configuration.max_wasm_stack = _NATIVE_STACK_OCTETS
    return configuration


def _load(engine: wasmtime.Engine, directory: Path | None) -> wasmtime.Module:
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


def _linker(engine: wasmtime.Engine, module: wasmtime.Module) -> wasmtime.Linker:
    """Give the module its imports: questions to the host, and a system that is silent."""
    linker = wasmtime.Linker(engine)
    for wanted in module.imports:
        kind, name = wanted.type, wanted.name or ""
        if not isinstance(kind, wasmtime.FuncType):
            raise MachineError(f"Expected functions as imports, got {name}")
        function = _SYSTEM[name] if wanted.module == _WASI else _HOST[name]
        linker.define_func(wanted.module, name, kind, function)
    return linker


def _host_call(_name: int, _size: int, _this: int, count: int, values: int) -> int:
    instance = _running.get()
    if count != 1:
        return _FAILED_CALL
    return instance.ask(instance.word(values))


def _zeros(address: int, count: int) -> int:
    """Fill memory with what is random elsewhere."""
    _running.get().write_at(address, bytes(count))
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


def _difference(before: bytes, after: bytes) -> _Image:
    """Find what differs, in pages; neighbours are one piece."""
    before = before.ljust(len(after), b"\0")
    pieces: list[tuple[int, bytes]] = []
    for start in range(0, len(after), _PAGE_OCTETS):
        page = after[start : start + _PAGE_OCTETS]
        if page == before[start : start + _PAGE_OCTETS]:
            continue
        if pieces and pieces[-1][0] + len(pieces[-1][1]) == start:
            pieces[-1] = pieces[-1][0], pieces[-1][1] + page
        else:
            pieces.append((start, page))
    return _Image(len(after), tuple(pieces))


def _no_answer(_question: str, _instance: Instance) -> str:
    raise MachineError("The prelude asked the host")


def read_prelude() -> str:
    """Give the script that makes `Chain` and `Utils`."""
    return resources.files(__package__).joinpath("prelude.js").read_text("utf-8")
