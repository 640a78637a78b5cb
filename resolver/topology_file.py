"""Tables of a topology file: read with rules, refused with the place in the file.

A `Table` knows where it stands, so that every refusal says the file, the place, what was
expected and what came. What must be unique in a file is claimed by whoever has it first.
"""

import difflib
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Self, TypeGuard

from resolver.errors import SetupError

MAX_FILE_OCTETS = 1_048_576
MAX_TEXT_LENGTH = 120


class TopologyError(SetupError):
    """A topology breaks a rule: the file, the place, what was expected, what came."""


@dataclass(frozen=True, slots=True)
class Table:
    """One TOML table and where it stands, so that every refusal can say it.

    `claims` is one for the whole file: what must be unique, and where it stands.
    """

    source: str
    claims: dict[tuple[str, str], str]
    path: str
    items: Mapping[str, object]

    def __contains__(self, key: str) -> bool:
        return key in self.items

    def allow(self, known: Collection[str]) -> None:
        """Refuse the first key that is not in `known`."""
        for key in self.items:
            if key not in known:
                near = difflib.get_close_matches(key, sorted(known), 1)
                hint = f"known keys: {', '.join(sorted(known))}"
                hint = f'did you mean "{near[0]}"?' if near else hint
                raise self.error(self.path, f"unknown key {_shown(key)}", hint)

    def text(self, key: str, default: str | None = None) -> str:
        """Read a line of text that a terminal can show."""
        value = self.items.get(key, default)
        if not isinstance(value, str) or not _is_line(value):
            rule = f"1 to {MAX_TEXT_LENGTH} printable characters"
            raise self.refusal(key, rule)
        return value

    def matching(
        self, key: str, pattern: re.Pattern[str], rule: str, default: str | None = None
    ) -> str:
        """Read a string of the form `pattern`, which `rule` describes."""
        value = self.items.get(key, default)
        if not isinstance(value, str) or pattern.fullmatch(value) is None:
            raise self.refusal(key, rule)
        return value

    def port(self, key: str) -> int | None:
        """Read an optional port; fixed ones are unique in the file."""
        value = self.items.get(key)
        if value is None:
            return None
        # bool is an int: `http_port = true` must not become port 1.
        if not is_integer(value) or not 0 <= value <= 65535:
            raise self.refusal(key, "an integer from 0 to 65535")
        if value:
            self.claim(key, "port", str(value))
        return value

    def flag(self, key: str) -> bool:
        """Read an optional boolean, false by default."""
        value = self.items.get(key, False)
        if not isinstance(value, bool):
            raise self.refusal(key, "true or false")
        return value

    def table(self, key: str, default: dict[str, object] | None = None) -> Self:
        """Read the table of this key."""
        value = self.items.get(key, default)
        if not isinstance(value, dict):
            raise self.refusal(key, f"a table [{key}]")
        return replace(self, path=self.place(key), items=value)

    def tables(self, key: str) -> list[Self]:
        """Read an array of tables, empty by default."""
        values = self.items.get(key, [])
        if not isinstance(values, list) or not all(
            isinstance(value, dict) for value in values
        ):
            raise self.refusal(key, f"an array of tables [[{key}]]")
        return [
            replace(self, path=f"{self.place(key)}[{at}]", items=value)
            for at, value in enumerate(values)
        ]

    def claim(self, key: str, kind: str, value: str) -> None:
        """Take `value` for this place; ASCII case does not tell values apart."""
        place = self.place(key)
        first = self.claims.setdefault((kind, value.lower()), place)
        if first != place:
            raise self.refusal(key, f"a {kind} used once", f"{first} has it already")

    def place(self, key: str) -> str:
        """Say where the value of `key` stands in the file."""
        return f"{self.path}.{key}" if self.path else key

    def refusal(self, key: str, expected: str, hint: str = "") -> TopologyError:
        """Build the error for the value of `key`."""
        came = _shown(self.items[key]) if key in self.items else "nothing"
        return self.error(self.place(key), f"expected {expected}, got {came}", hint)

    def error(self, place: str, problem: str, hint: str) -> TopologyError:
        """Build an error: the file, the place in it, the problem."""
        parts = (self.source, place, problem)
        return TopologyError(": ".join(part for part in parts if part), hint)


def read_toml(octets: bytes, source: str) -> dict[str, object]:
    """Read TOML of at most `MAX_FILE_OCTETS`.

    Raises:
        TopologyError: It is none, or not UTF-8, or too long.
    """
    if len(octets) > MAX_FILE_OCTETS:
        message = f"{source}: expected at most {MAX_FILE_OCTETS} octets, got more"
        raise TopologyError(message, "is it a topology file?")
    try:
        return tomllib.loads(octets.decode())
    except UnicodeDecodeError as error:
        message = f"{source}: expected UTF-8, got other octets at {error.start}"
        raise TopologyError(message, "save the file as UTF-8") from None
    except ValueError as error:
        # Also integers of more digits than Python converts, which tomllib passes on.
        message = f"{source}: expected TOML, got: {error}"
        raise TopologyError(message, "see https://toml.io for the syntax") from None
    except RecursionError:
        message = f"{source}: expected TOML, got tables nested too deeply"
        raise TopologyError(message) from None


def _is_line(text: str) -> bool:
    return (
        1 <= len(text) <= MAX_TEXT_LENGTH and text.isprintable() and text.strip() != ""
    )


def is_integer(value: object) -> TypeGuard[int]:
    """Tell an integer from a boolean, which is one to Python."""
    return type(value) is int


def _shown(value: object) -> str:
    """Show what came in one line; nested, huge and long values only in part."""
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "an array"
    if isinstance(value, int) and abs(value) >= 1 << 63:
        return "an integer of more than 64 bits"
    shown = repr(value) if isinstance(value, str) else str(value)
    shown = shown.lower() if isinstance(value, bool) else shown
    return shown if len(shown) <= 80 else f"{shown[:80]}…"
