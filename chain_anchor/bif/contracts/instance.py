"""One script under way: its memory, and the functions of the engine that work on it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import wasmtime

from chain_anchor.bif.contracts.guest import OverrunError, running
from chain_anchor.bif.contracts.interface import HEAP_OCTETS
from chain_anchor.errors import AnchorError

_STACK_OCTETS: Final = 128 * 1024
"""Stack of the module that a script may use: some 700 calls inside each other.

The module does not check its stack. Its stack pointer is lowered to this, so that what
grows beyond leaves the memory at address 0 and is stopped there.
"""

_PAGE_OCTETS: Final = 4096
_ZERO_PAGE: Final = bytes(_PAGE_OCTETS)
_MEMORY_OCTETS: Final = HEAP_OCTETS + 8 * 1024 * 1024
"""Of the module: heap, its fragments, stack and what the module itself holds."""

_OK: Final = 0

Answer = Callable[[str, "Instance"], str]
"""Answers what a script asks the host."""


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


class Image(NamedTuple):
    """What a script left in memory."""

    octets: int
    pieces: tuple[tuple[int, bytes], ...]
    """Address and octets of all that differs from a new instance."""

    ticks: int
    """Instructions that it took."""


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
        self._exports: Any = linker.instantiate(self._store, module).exports(
            self._store
        )
        self._memory: Any = self._exports["memory"]
        self._answer = answer
        self._failure: Exception | None = None
        """What answering a question raised."""

        self._left_at_failure = 0
        self.stack_octets = 0
        """Most stack that was seen in use, when the host was asked."""

    @property
    def memory_octets(self) -> int:
        """Memory of the module; it never shrinks."""
        octets: int = self._memory.data_len(self._store)
        return octets

    @property
    def ticks(self) -> int:
        """Instructions that are left."""
        return self._left_at_failure if self._failure else self._store.get_fuel()

    @ticks.setter
    def ticks(self, left: int) -> None:
        self._store.set_fuel(max(left, 0))

    def close(self) -> None:
        """Give the memory back."""
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

    def restore(self, image: Image) -> None:
        """Make a new instance what a script left."""
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
                text = self._evaluate(script.encode())
        except wasmtime.Trap as trap:
            raise self._failure or _overrun(trap) from None
        if self._failure:
            raise self._failure
        return text

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
        """Answer a question of the script; where that fails, end the script."""
        pointer = self._exports["__stack_pointer"].value(self._store)
        self.stack_octets = max(self.stack_octets, _STACK_OCTETS - pointer)
        try:
            answer = self._answer(self._text(argument), self).encode()
            return self.call("new_string", self.write(answer), len(answer))
        except Exception as error:  # noqa: BLE001 (raised again by `evaluate`)
            # The library would keep it for whichever thread asks next; so it must not
            # see it, and finds no time left instead.
            self._left_at_failure = self.ticks
            self._failure = (
                _overrun(error) if isinstance(error, wasmtime.Trap) else error
            )
            self._store.set_fuel(0)
            return _OK

    def word(self, address: int) -> int:
        """Read a number of four octets."""
        octets = self._memory.read(self._store, address, address + 4)
        return int.from_bytes(octets, "little")

    @contextmanager
    def _entered(self) -> Iterator[None]:
        """Have the module's imports work on this instance."""
        token = running.set(self)
        try:
            yield
        finally:
            running.reset(token)

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
        if not name and not text and self.memory_octets > HEAP_OCTETS:
            # There was no room for the error either.
            return OverrunError("Memory exceeding limit")
        return ScriptError(
            f"{name or 'Error'}: {text}", self._property(thrown, b"stack")
        )

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


def difference(before: bytes, after: bytes, ticks: int) -> Image:
    """Find what differs, in pages; neighbours are one piece."""
    pieces: list[tuple[int, bytes]] = []
    end = 0
    for start in range(0, len(after), _PAGE_OCTETS):
        page = after[start : start + _PAGE_OCTETS]
        if page == (before[start : start + _PAGE_OCTETS] or _ZERO_PAGE):
            continue
        if pieces and end == start:
            pieces[-1] = pieces[-1][0], pieces[-1][1] + page
        else:
            pieces.append((start, page))
        end = start + _PAGE_OCTETS
    return Image(len(after), tuple(pieces), ticks)
