"""JSON from outside, read with its place in the document: `$.values[0].data`.

Pure: octets in, Python values out. Whatever does not fit raises `InvalidValueError`
that says what was expected, what came, and where.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

from registry.errors import InvalidValueError, MalformedError

LARGEST_U16 = 0xFFFF
LARGEST_U32 = 0xFFFF_FFFF
_SHOWN_CHARACTERS = 60


class Place(NamedTuple):
    """A JSON value and where it stands."""

    value: Any
    path: str = "$"

    def get(self, name: str) -> "Place | None":
        """Give a member of an object; None when it is absent or null."""
        value = self.object().get(name)
        return None if value is None else Place(value, f"{self.path}.{name}")

    def need(self, name: str) -> "Place":
        """Give a member that must be there."""
        found = self.get(name)
        if found is None:
            raise InvalidValueError(f"{self.path}.{name}: missing")
        return found

    def items(self) -> Iterator["Place"]:
        """Walk a list."""
        if not isinstance(self.value, list):
            raise self.error("a list")
        for number, value in enumerate(self.value):
            yield Place(value, f"{self.path}[{number}]")

    def object(self) -> dict[str, Any]:
        """Read an object."""
        if not isinstance(self.value, dict):
            raise self.error("an object")
        return self.value

    def text(self) -> str:
        """Read a string that can be written as UTF-8."""
        if not isinstance(self.value, str):
            raise self.error("a string")
        try:
            self.value.encode()
        except UnicodeEncodeError:  # half of a surrogate pair
            raise self.error("a string of whole characters") from None
        return self.value

    def number(self, largest: int = LARGEST_U32) -> int:
        """Read an integer from 0 on, which may be written as a decimal string."""
        value = self.value
        if isinstance(value, str) and value.isascii() and value.isdecimal():
            # No number allowed here has more digits; more would cost time to read.
            value = int(value) if len(value) <= len(str(LARGEST_U32)) else value
        if type(value) is not int or not 0 <= value <= largest:
            raise self.error(f"an integer from 0 to {largest}")
        return value

    def flag(self) -> bool:
        """Read a boolean."""
        if not isinstance(self.value, bool):
            raise self.error("true or false")
        return self.value

    def error(self, expected: str) -> InvalidValueError:
        """Make the error of a value that is not what was expected here."""
        return InvalidValueError(
            f"{self.path}: {expected} expected, got {_shown(self.value)}"
        )


def read_json(octets: bytes) -> Place:
    """Read a whole document, JSON in UTF-8 (RFC 8259).

    Raises:
        MalformedError: It is none.
    """
    try:
        return Place(json.loads(octets.decode(), parse_constant=_refuse))
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"body: JSON expected: {error}") from None


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _shown(value: object) -> str:
    match value:
        case dict():
            return "an object"
        case list():
            return "a list"
        case int() if not isinstance(value, bool) and value.bit_length() > 64:
            return "an integer of more than 64 bits"
    shown = json.dumps(value)
    cut = len(shown) > _SHOWN_CHARACTERS
    return f"{shown[:_SHOWN_CHARACTERS]}…" if cut else shown
