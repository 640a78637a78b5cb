"""What a request asks: its parameters and its body, read as SDKs write them (§1.5).

    numbers            as numbers or as text
    absent             missing, empty, or "null" in a query
    Content-Type       not looked at
    percent-encoding   taken away, where there is any

Bodies and queries can hold private keys, so nothing here shows them in an error or in
its `repr` (bif notes §1.5, item 9).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NoReturn
from urllib.parse import parse_qs

from chain_anchor.bif.api.served import ServedChain
from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.json_form import Json, JsonObject
from chain_anchor.bif.rules import MAIN_DOMAIN, MAX_INT64

MAX_PARAMETERS: Final = 100
_MAX_DIGITS: Final = 19
_ABSENT: Final = ("", "null")
_TRUE: Final = ("true", "1")
_SURROGATES: Final = (rb"\ud", rb"\uD")

Randomness = Callable[[int], bytes]
"""Gives that many random octets."""


def invalid(text: str) -> RefusedError:
    """Make the refusal of a wrong parameter."""
    return RefusedError(ErrorCode.INVALID_PARAMETER, text)


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """A request over HTTP, whatever its method."""

    path: str
    """Percent-decoded, with the slash at its front."""

    query: bytes = b""
    body: bytes = b""

    def __repr__(self) -> str:
        """Show everything that is no secret."""
        return f"Request({self.path!r:.80}, {len(self.body)} octets)"


class Parameters:
    """The query of a request."""

    def __init__(self, query: bytes) -> None:
        """Read it.

        Raises:
            RefusedError: there are too many parameters.
        """
        try:
            self._values: Mapping[str, list[str]] = parse_qs(
                query.decode("utf-8", "replace"), max_num_fields=MAX_PARAMETERS
            )
        except ValueError:
            raise invalid(f"at most {MAX_PARAMETERS} parameters are taken") from None

    def __contains__(self, name: str) -> bool:
        """Tell whether a parameter has a value."""
        return bool(self.text(name))

    def text(self, name: str) -> str:
        """Give the last value of a parameter; empty when it is absent."""
        found = self._values.get(name, [""])[-1]
        return "" if found in _ABSENT else found

    def integer(self, name: str, default: int) -> int:
        """Read a number.

        Raises:
            RefusedError: it is none.
        """
        text = self.text(name)
        return _integer(name, text) if text else default

    def flag(self, name: str) -> bool:
        """Read a truth value; what is not true is false."""
        return self.text(name).lower() in _TRUE


class Fields:
    """The members of a JSON object in a body."""

    def __init__(self, members: JsonObject) -> None:
        self.members = members

    def text(self, name: str) -> str:
        """Give a text; empty when it is absent.

        Raises:
            RefusedError: it is no text.
        """
        value = self.members.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise invalid(f"'{name}' must be a string")
        return value

    def integer(self, name: str, default: int) -> int:
        """Read a number, also from text.

        Raises:
            RefusedError: it is none.
        """
        value = self.members.get(name)
        if value is None or value == "":
            return default
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise invalid(f"'{name}' must be an integer")
        return _integer(name, str(value) if _fits(value) else "")

    def flag(self, name: str) -> bool:
        """Read a truth value; what is not true is false."""
        value = self.members.get(name)
        return value is True or str(value).lower() in _TRUE


@dataclass(frozen=True, repr=False)
class Asked:
    """A request to a chain."""

    chain: ServedChain
    request: Request
    websocket_port: int
    random: Randomness

    @cached_property
    def parameters(self) -> Parameters:
        """The query."""
        return Parameters(self.request.query)

    @cached_property
    def document(self) -> JsonObject:
        """The body, which must be a JSON object.

        Raises:
            RefusedError: it is none.
        """
        found = parse(self.request.body)
        if not isinstance(found, dict):
            raise invalid("request must be in json format")
        return found

    @property
    def domain(self) -> int:
        """The domain that the query names, the main one if none.

        Raises:
            RefusedError: it is no number.
        """
        return self.parameters.integer("domainid", MAIN_DOMAIN)


def parse(octets: bytes) -> Json:
    """Read JSON.

    Raises:
        RefusedError: it is none.
    """
    try:
        return _checked(json.loads(octets, parse_constant=_refuse_constant), octets)
    except (ValueError, RecursionError):
        # From None: the other error holds the text, which may hold a private key.
        raise invalid("request must be in json format") from None


def listed(value: Json, name: str, most: int) -> list[Json]:
    """Give an array of a body.

    Raises:
        RefusedError: it is none, or it is too long.
    """
    if not isinstance(value, list):
        raise invalid(f"'{name}' must be an array")
    if len(value) > most:
        raise invalid(f"'{name}' has {len(value)} elements, at most {most} are taken")
    return value


def _checked(found: Json, octets: bytes) -> Json:
    """Refuse text with half of a pair of surrogates, which nothing after this expects."""
    if any(half in octets for half in _SURROGATES):
        json.dumps(found, ensure_ascii=False).encode()
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _fits(value: int | str) -> bool:
    return isinstance(value, str) or abs(value) <= MAX_INT64


def _integer(name: str, text: str) -> int:
    digits = text.removeprefix("-")
    fits = digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS
    number = int(text) if fits else MAX_INT64 + 1
    if abs(number) > MAX_INT64:
        raise invalid(f"'{name}' must be an integer")
    return number
