"""Values in the JSON of a node, checked one by one (bif notes §1.1); no I/O.

A node leaves out what equals its default, and SDKs are used to numbers as text, so both
are read. What is anything else raises `BadAnswerError`.
"""

from typing import TypeVar

from google.protobuf.message import Message

from chain_anchor.bif.client.errors import BadAnswerError
from chain_anchor.bif.errors import RefusedError
from chain_anchor.bif.json_form import Json, JsonObject, from_json

M = TypeVar("M", bound=Message)

MAX_DIGITS = 20
"""An int64 has 19 digits and a sign."""


def fill(content: JsonObject, message: M) -> M:
    """Fill a message from its JSON form."""
    try:
        from_json(content, message)
    except RefusedError as error:
        raise BadAnswerError(f"{message.DESCRIPTOR.name}: {error.text}") from None
    return message


def object_of(value: Json, name: str) -> JsonObject:
    """Take an object."""
    if not isinstance(value, dict):
        raise _unexpected(name, "an object", value)
    return value


def list_of(value: Json, name: str) -> list[Json]:
    """Take an array; an absent one is empty."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise _unexpected(name, "an array", value)
    return value


def string(content: JsonObject, name: str) -> str:
    """Take a member that is text, or a number where SDKs are used to text; absent: ""."""
    value = content.get(name)
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) < 10**MAX_DIGITS else None
    if not isinstance(value, str):
        raise _unexpected(name, "text", value)
    return value


def octets(content: JsonObject, name: str) -> bytes:
    """Take a member that is hexadecimal digits."""
    try:
        return bytes.fromhex(string(content, name))
    except ValueError:
        raise _unexpected(name, "hexadecimal digits", content[name]) from None


def integer(content: JsonObject, name: str) -> int:
    """Take a member that is an integer, perhaps as text; absent: 0."""
    value = content.get(name)
    if value is None:
        return 0
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and len(value) <= MAX_DIGITS:
        digits = value.removeprefix("-")
        if digits.isascii() and digits.isdigit():
            return int(value)
    raise _unexpected(name, "an integer", value)


def _unexpected(name: str, expected: str, value: Json) -> BadAnswerError:
    return BadAnswerError(f"{name}: {expected} expected, got {type(value).__name__}")
