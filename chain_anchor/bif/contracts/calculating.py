"""Functions of `Utils`: 64-bit numbers as texts, hashes, addresses (bif notes §2.10).

Numbers of JavaScript are exact to 2^53 only, so amounts are texts; a function takes
either. Values beyond 64 bits are refused, and so are texts that are not written as the
chain writes them: "007", "+1", " 1", "1.0".
"""

import binascii
import re
from base64 import b64decode
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final

from chain_anchor.bif import hexadecimal
from chain_anchor.bif.addresses import is_address
from chain_anchor.bif.contracts.questions import (
    Argument,
    Number,
    Result,
    Run,
    ThrownError,
    as_text,
)
from chain_anchor.bif.errors import EncodingError
from chain_anchor.bif.keys import PublicKey

DECIMALS: Final = 8
"""Digits of the smallest part of a coin."""

_MAX: Final = 2**63 - 1
_INT64: Final = re.compile("0|-?[1-9][0-9]{0,18}")
_DECIMAL: Final = re.compile(f"([0-9]{{1,20}})(?:\\.([0-9]{{1,{DECIMALS}}}))?")
_ERROR: Final = "Contract execution error, "
_WRONG_COUNT: Final = "Parameter number error"
_HEXADECIMAL, _TEXT, _BASE64 = range(3)


def int64(text: str) -> int | None:
    """Read a 64-bit number, None if it is none."""
    if not _INT64.fullmatch(text):
        return None
    value = int(text)
    return value if -_MAX - 1 <= value <= _MAX else None


def log(run: Run, values: Sequence[Argument]) -> Result:
    """Keep a line for who reads the logs of the call."""
    run.meter.log(run.call.address, as_text(values[0]))
    return True


def is_int64(_run: Run, values: Sequence[Argument]) -> Result:
    """Tell whether a text is a 64-bit number."""
    match values:
        case [str(text)]:
            return int64(text) is not None
        case _:
            return False


def add(_run: Run, values: Sequence[Argument]) -> Result:
    """Add two numbers."""
    return _calculate("int64Add", values, "+", lambda left, right: left + right)


def subtract(_run: Run, values: Sequence[Argument]) -> Result:
    """Subtract the second number from the first."""
    return _calculate("int64Sub", values, "-", lambda left, right: left - right)


def multiply(_run: Run, values: Sequence[Argument]) -> Result:
    """Multiply two numbers."""
    return _calculate("int64Mul", values, "*", lambda left, right: left * right)


def divide(_run: Run, values: Sequence[Argument]) -> Result:
    """Divide; the first is not below 0, the second above."""
    left, right = _positive("int64Div", values)
    return str(left // right)


def remainder(_run: Run, values: Sequence[Argument]) -> Result:
    """Give what is left by a division."""
    left, right = _positive("int64Mod", values)
    return str(left % right)


def compare(_run: Run, values: Sequence[Argument]) -> Result:
    """Give 1, 0 or -1: whether the first number is more, the same or less."""
    left, right = _pair("int64Compare", values)
    return (left > right) - (left < right)


def check(_run: Run, values: Sequence[Argument]) -> Result:
    """Throw a message unless a condition is true."""
    text = "Assertion exception occurred"
    if not 1 <= len(values) <= 2:
        raise ThrownError(f"{text},parameter nums error")
    condition, message = values[0], values[1] if len(values) > 1 else text
    if not isinstance(condition, bool):
        raise ThrownError(f"{text},parameter 0 should be boolean")
    if not isinstance(message, str):
        raise ThrownError(f"{text},parameter 1 should be string")
    if not condition:
        raise ThrownError(message)
    return True


def digest(_run: Run, values: Sequence[Argument]) -> Result:
    """Give the SHA-256 in hexadecimal of hexadecimal (0), text (1) or base64 (2)."""
    match values:
        case [str(data)]:
            kind = float(_HEXADECIMAL)
        case [str(data), Number() as number]:
            kind = number.value
        case _:
            return False
    octets = _octets(data, kind)
    return sha256(octets).hexdigest() if octets else False


def to_base_unit(_run: Run, values: Sequence[Argument]) -> Result:
    """Turn coins, with up to eight decimals, into the smallest units."""
    if len(values) != 1:
        raise ThrownError(f"{_WRONG_COUNT}:{len(values)}")
    text = values[0]
    if not isinstance(text, str):
        raise ThrownError(
            "contract execution error, toBaseUnit, parameter 0 should be a String"
        )
    found = _DECIMAL.fullmatch(text)
    if not found:
        raise ThrownError(f"Not a decimal number:{text}")
    units = int(found[1] + (found[2] or "").ljust(DECIMALS, "0"))
    if units > _MAX:
        raise ThrownError(f"CallBackToBaseUnit error, int64 overflow:{units}")
    return str(units)


def check_address(_run: Run, values: Sequence[Argument]) -> Result:
    """Tell whether a text is an address."""
    match values:
        case [str(text)]:
            return is_address(text)
        case _:
            return False


def to_address(_run: Run, values: Sequence[Argument]) -> Result:
    """Give the address of a public key."""
    match values:
        case [str(text)]:
            try:
                return PublicKey.parse(text).address()
            except EncodingError:
                return False
        case _:
            return False


def _octets(data: str, kind: float) -> bytes:
    """Read data as they are written; nothing if they are not written so."""
    try:
        if kind == _HEXADECIMAL:
            return hexadecimal.decode(data)
        if kind == _TEXT:
            return data.encode()
        if kind == _BASE64:
            return b64decode(data, validate=True)
    except (EncodingError, binascii.Error, ValueError):
        return b""
    return b""


def _calculate(
    function: str,
    values: Sequence[Argument],
    sign: str,
    operation: Callable[[int, int], int],
) -> str:
    result = operation(*_pair(function, values))
    if not -_MAX - 1 <= result <= _MAX:
        raise ThrownError(
            f"{_ERROR}{function}, parameter 0 {sign} parameter 1 overflowed"
        )
    return str(result)


def _positive(function: str, values: Sequence[Argument]) -> tuple[int, int]:
    left, right = _pair(function, values)
    if right <= 0 or left < 0:
        raise ThrownError("Parameter arg <= 0")
    return left, right


def _pair(function: str, values: Sequence[Argument]) -> tuple[int, int]:
    """Read the two numbers that a function takes."""
    if len(values) != 2:
        raise ThrownError(_WRONG_COUNT)
    for index, value in enumerate(values):
        if not isinstance(value, str | Number):
            raise ThrownError(
                f"{_ERROR}{function}, parameter {index} should be a String or Number"
            )
    left, right = (_number(function, index, values[index]) for index in range(2))
    return left, right


def _number(function: str, index: int, value: Argument) -> int:
    number = int64(as_text(value))
    if number is None:
        raise ThrownError(
            f"{_ERROR}{function}, parameter {index} illegal, "
            "maybe exceed the limit value of int64."
        )
    return number
