"""Contracts in JavaScript, type 0: from a script to what a call of it gives (§2.10).

A script is checked, compiled once and kept; each call runs in memory of its own. What
goes wrong is told as a node tells it:

    CODE  TEXT                                                   WHEN
    151   {"contract", "exception", "linenum", "stack"} as JSON  the script threw
    151   {"exception": "Lost of main function"}                 there is no such function
    152   {"exception", "linenum"} as JSON                       it cannot be a contract
    153   Too many recursion.                                    calls inside calls
    155   Step exceeding limit, Time expired, ...                it used too much
    other text of the transaction                                one it triggered failed

`linenum` is that of `throw`, or of the last call before what failed.
"""

import json
import re
from collections import OrderedDict
from math import isfinite
from threading import Lock
from typing import Final, NamedTuple

from chain_anchor.bif.account import Code
from chain_anchor.bif.contracts.functions import answer
from chain_anchor.bif.contracts.guest import OverrunError
from chain_anchor.bif.contracts.instance import Image, Instance, ScriptError
from chain_anchor.bif.contracts.interface import (
    Call,
    Caller,
    ContractError,
    EntryPoint,
    Host,
    Message,
    Meter,
    Outcome,
    Value,
    expired,
)
from chain_anchor.bif.contracts.machine import TICKS_PER_MICROSECOND, Machine
from chain_anchor.bif.contracts.questions import Argument, Number, Run, ThrownError
from chain_anchor.bif.contracts.source import SourceError, counted
from chain_anchor.bif.errors import ErrorCode

MAX_EXCEPTION_OCTETS: Final = 256
"""What a node keeps of the text of an exception."""

MAX_STACK_OCTETS: Final = 4096
"""What is kept of the text of a stack (emulator convention)."""

_MAX_IMAGES: Final = 32
_FILE: Final = "__enable_check_time__"
"""What a node calls the file of each contract."""

_COMPILE_TICKS: Final = 1_000_000 * TICKS_PER_MICROSECOND
_OCTET_TICKS: Final = 20
"""What reading an octet of a question costs, so that long ones cannot hold up a node."""

_BEGINNING: Final = 'globalThis.__contract__=function(){"use strict";'
_END: Final = (
    '\n;return {init:typeof init==="function"?init:void 0,'
    'main:typeof main==="function"?main:void 0,'
    "query:typeof query==='function'?query:void 0};};''"
)
_FRAME: Final = re.compile(r"\s*at (.+) \((?:native|[^():]*:(\d+):(\d+))\)$")
_PLACE: Final = re.compile(r":(\d+):\d+\)?\s*$", re.MULTILINE)
_NO_MEMORY: Final = "InternalError: out of memory"
_MAX_EXACT: Final = 2**53


class _Frame(NamedTuple):
    """A function that was under way."""

    function: str
    line: int
    """0 in a built-in function."""

    column: int

    @property
    def is_inner(self) -> bool:
        """Whether it is the prelude's, or the call from outside."""
        return self.function.startswith("chain.") or self.function == "<eval>"

    def __str__(self) -> str:
        if not self.line:
            return f"at {self.function} (<anonymous>)"
        return f"at {self.function} ({_FILE}:{self.line}:{self.column})"


class JavaScript:
    """The engine of contracts in JavaScript.

    Args:
        machine: runs scripts after the prelude.
        caller: runs the contracts that a contract calls.
    """

    def __init__(self, machine: Machine, caller: Caller) -> None:
        self._machine = machine
        self._caller = caller
        self._images: OrderedDict[str, Image] = OrderedDict()
        self._lock = Lock()

    def check(self, payload: str) -> None:
        """Check a script that is to become a contract.

        Raises:
            RefusedError: 152, what is wrong with it and in which line.
        """
        self._compiled(payload)

    def run(self, code: Code, call: Call, host: Host, meter: Meter) -> Outcome:
        """Call a contract.

        Args:
            code: its script.
            call: what is called.
            host: the state.
            meter: what the transaction has used, and may use.

        Raises:
            ContractError: it failed or used too much.
            RefusedError: 152, its script cannot be a contract.
        """
        image = self._compiled(code.payload)
        meter.ticks += image.ticks
        run = Run(call, host, meter, self._caller)
        instance = self._machine.start(
            image, _left(meter), lambda question, at: _answer(run, question, at)
        )
        try:
            reply = instance.evaluate(_script(call, meter, host.chain_code))
        except OverrunError as error:
            raise expired(str(error)) from None
        except ScriptError:
            # `__run__` tells what a contract throws, unless there is no memory for it.
            raise expired("Memory exceeding limit") from None
        finally:
            _measure(instance, meter)
            instance.close()
        return _outcome(run, reply)

    def _compiled(self, payload: str) -> Image:
        """Give a script compiled.

        Raises:
            RefusedError: 152.
        """
        with self._lock:
            image = self._images.get(payload)
            if image is not None:
                self._images.move_to_end(payload)
                return image
        image = self._compile(payload)
        with self._lock:
            self._images[payload] = image
            if len(self._images) > _MAX_IMAGES:
                self._images.popitem(last=False)
        return image

    def _compile(self, payload: str) -> Image:
        try:
            script = _BEGINNING + counted(payload) + _END
            return self._machine.compile(script, _COMPILE_TICKS)
        except SourceError as error:
            raise _syntax(error.text, error.line) from None
        except ScriptError as error:
            raise _syntax(error.text, _line(error.stack)) from None
        except OverrunError as error:
            raise _syntax(str(error), 0) from None


def _script(call: Call, meter: Meter, chain_code: str) -> str:
    """Give the script that makes a call."""
    transaction, writing = call.transaction, call.entry is not EntryPoint.QUERY
    given = {
        "left": meter.limits.steps - meter.steps,
        "writing": writing,
        "entry": call.entry.function,
        "thisAddress": call.address,
        "chainCode": chain_code,
        "block": {"timestamp": call.block.timestamp, "number": call.block.number},
        "tx": {
            "initiator": transaction.initiator,
            "sender": transaction.sender,
            "gasPrice": transaction.gas_price,
            "hash": transaction.hash,
            "feeLimit": transaction.fee_limit,
        },
        "msg": _message(call.message, writing=writing),
    }
    return f"__run__({json.dumps(given)},{json.dumps(call.input)})"


def _message(message: Message, *, writing: bool) -> dict[str, object]:
    told: dict[str, object] = {
        "initiator": message.initiator,
        "sender": message.sender,
        "nonce": message.nonce,
        "operationIndex": message.operation_index,
    }
    if writing:
        told["coinAmount"] = str(message.coin_amount)
    return told


def _answer(run: Run, question: str, instance: Instance) -> str:
    """Answer what a contract asks; it may call others, which use the same meter."""
    meter = run.meter
    left, name, *values = json.loads(question)
    meter.steps = meter.limits.steps - left
    meter.ticks = _allowed(meter) - instance.ticks + len(question) * _OCTET_TICKS
    reply: dict[str, object] = {}
    try:
        reply["value"] = answer(run, name, [_read(value) for value in values])
    except ThrownError as thrown:
        reply["error"] = thrown.text
    finally:
        instance.ticks = _left(meter)
    reply["left"] = meter.limits.steps - meter.steps
    return json.dumps(reply)


def _read(value: Argument | dict[str, str]) -> Argument:
    """Read a value as the prelude writes it."""
    if isinstance(value, dict):
        return Number(value["number"])
    return _well_formed(value) if isinstance(value, str) else value


def _well_formed(text: str) -> str:
    """Replace halves of surrogate pairs, which no UTF-8 can hold, as a node does."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _outcome(run: Run, text: str) -> Outcome:
    """Read what `__run__` gave.

    Raises:
        ContractError: the contract failed.
    """
    reply = json.loads(text)
    run.meter.steps = run.meter.limits.steps - reply["left"]
    if run.refusal is not None:
        # A transaction that a contract triggers fails for all that it is in.
        raise run.refusal
    if "lost" in reply:
        raise _failed({"exception": f"Lost of {run.call.entry.function} function"})
    if "exception" in reply:
        raise _thrown(run.call.address, reply)
    return Outcome(_value(_read(reply["value"])))


def _value(value: Argument) -> Value:
    """Give what a node makes of the result of a contract."""
    if not isinstance(value, Number):
        return False if value is None else value
    number = value.value
    if number.is_integer() and abs(number) < _MAX_EXACT:
        return int(number)
    return number if isfinite(number) else False


def _thrown(address: str, reply: dict[str, str]) -> ContractError:
    """Tell what a contract threw."""
    exception = _well_formed(reply["exception"])
    if exception == _NO_MEMORY or (exception == "null" and not reply["line"]):
        # Null that no `throw` threw: there was no memory for an error either.
        return expired("Memory exceeding limit")
    frames = _frames(_well_formed(reply["stack"]))
    line = int(reply["line"]) or next((at.line for at in frames if at.line), 0)
    exception = _cut(exception, MAX_EXCEPTION_OCTETS)
    details: dict[str, object] = {"contract": address, "exception": exception}
    if line:
        details["linenum"] = line
    if frames:
        stack = "\n    ".join([exception, *map(str, frames)])
        details["stack"] = _cut(stack, MAX_STACK_OCTETS)
    return _failed(details)


def _failed(details: dict[str, object]) -> ContractError:
    text = json.dumps(details, ensure_ascii=False, separators=(",", ":"))
    return ContractError(ErrorCode.CONTRACT_EXECUTE_FAIL, text, details)


def _cut(text: str, octets: int) -> str:
    return text.encode()[:octets].decode(errors="ignore")


def _frames(stack: str) -> list[_Frame]:
    """Give where a contract was, innermost first; the prelude's frames are left out."""
    found = map(_FRAME.match, stack.splitlines())
    frames = (_Frame(m[1], int(m[2] or 0), int(m[3] or 0)) for m in found if m)
    return [frame for frame in frames if not frame.is_inner]


def _syntax(text: str, line: int) -> ContractError:
    details: dict[str, object] = {"exception": text}
    if line:
        details["linenum"] = line
    told = json.dumps(details, ensure_ascii=False, separators=(",", ":"))
    return ContractError(ErrorCode.CONTRACT_SYNTAX_ERROR, told, details)


def _line(stack: str) -> int:
    """Give the line of a syntax error, 0 if it is not told."""
    found = _PLACE.search(stack)
    return int(found[1]) if found else 0


def _allowed(meter: Meter) -> int:
    return meter.limits.time_microseconds * TICKS_PER_MICROSECOND


def _left(meter: Meter) -> int:
    return max(_allowed(meter) - meter.ticks, 0)


def _measure(instance: Instance, meter: Meter) -> None:
    """Take over what a call has used."""
    meter.ticks = _allowed(meter) - instance.ticks
    meter.time_microseconds = meter.ticks // TICKS_PER_MICROSECOND
    meter.memory_octets = max(meter.memory_octets, instance.memory_octets)
    meter.stack_octets = max(meter.stack_octets, instance.stack_octets)
