"""A JavaScript engine in a sandbox: QuickJS, compiled to WebAssembly, run by wasmtime.

Native QuickJS cannot be stopped in the middle of a built-in function: searching a long
text in a longer one takes hours, whatever time limit is set. In the sandbox every
instruction is counted, so each script ends, after the same instruction on each machine;
it sees no clock, no randomness and no memory but its own; and a fault of the engine ends
the script, not the process.

Each call runs in an instance of its own, which starts as a copy of the memory that the
prelude and the compiled script left, and is thrown away afterwards. So nothing can leak
from one to the next, and a script is compiled once for many calls.
"""

from importlib import resources
from pathlib import Path
from typing import Final

import wasmtime

from chain_anchor.bif.contracts.guest import (
    configuration,
    linker,
    load,
)
from chain_anchor.bif.contracts.instance import (
    Answer,
    Image,
    Instance,
    ScriptError,
    difference,
)

TICKS_PER_MICROSECOND: Final = 2_000
"""Instructions that stand for a microsecond: 2 to 4 million a millisecond are usual."""

_PRELUDE_TICKS: Final = 1_000_000_000


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
        self._engine = wasmtime.Engine(configuration())
        self._module = load(self._engine, cache_directory)
        self._linker = linker(self._engine, self._module)
        self._blank = self._empty()
        self._image = self._prepare(prelude)

    def compile(self, script: str, ticks: int) -> Image:
        """Run a script that asks nothing of the host; give what it left.

        Args:
            script: JavaScript.
            ticks: instructions that it may use.

        Raises:
            ScriptError: it is none, or it threw.
            OverrunError: it used too much.
        """
        instance = self._instance(ticks, _no_answer)
        try:
            instance.restore(self._image)
            instance.evaluate(script)
            used = ticks - instance.ticks
            return difference(self._blank, instance.memory(), used)
        finally:
            instance.close()

    def start(self, image: Image, ticks: int, answer: Answer) -> "Instance":
        """Give an instance with what `compile` gave; the caller closes it.

        Args:
            image: what the compiled script left.
            ticks: instructions that may be used.
            answer: answers what is asked of the host; what it raises ends the script.
        """
        instance = self._instance(ticks, answer)
        instance.restore(image)
        return instance

    def _instance(self, ticks: int, answer: Answer) -> "Instance":
        return Instance(self._engine, self._linker, self._module, ticks, answer)

    def _prepare(self, prelude: str) -> Image:
        """Run the prelude; give what it left."""
        instance = self._instance(_PRELUDE_TICKS, _no_answer)
        try:
            instance.prepare()
            instance.evaluate(prelude + "\n;''")
            return difference(self._blank, instance.memory(), 0)
        finally:
            instance.close()

    def _empty(self) -> bytes:
        """Give the memory of a new instance."""
        instance = self._instance(_PRELUDE_TICKS, _no_answer)
        try:
            return instance.memory()
        finally:
            instance.close()


def _no_answer(_question: str, _instance: Instance) -> str:
    raise ScriptError("Expected functions only, got a script that calls the chain", "")


def read_prelude() -> str:
    """Give the script that makes `Chain` and `Utils`."""
    return resources.files(__package__).joinpath("prelude.js").read_text("utf-8")
