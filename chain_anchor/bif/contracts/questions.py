"""What a contract asks of the chain: values, and what it is told (bif notes §2.10)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from chain_anchor.bif.contracts.interface import Call, Caller, Host, Meter, Value
from chain_anchor.bif.errors import RefusedError
from chain_anchor.errors import AnchorError


class Number(NamedTuple):
    """A number of a script."""

    text: str
    """As JavaScript writes it."""

    @property
    def value(self) -> float:
        """The number; NaN and infinities are numbers, too."""
        return float(self.text.replace("Infinity", "inf"))


Argument = str | bool | Number | None
"""A value that a script gives; None for what is no text, number or truth value."""


class ThrownError(AnchorError):
    """The script is to throw this text."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


@dataclass(slots=True)
class Run:
    """A call of a contract under way."""

    call: Call
    host: Host
    meter: Meter
    caller: Caller
    refusal: RefusedError | None = None
    """Why a transaction that it triggered failed."""


Result = Value | dict[str, Value] | None
Function = Callable[[Run, Sequence[Argument]], Result]


def as_text(value: Argument) -> str:
    """Write a value as JavaScript does."""
    if isinstance(value, Number):
        return value.text
    if isinstance(value, bool):
        return "true" if value else "false"
    return value or ""
