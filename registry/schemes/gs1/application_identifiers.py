"""What each application identifier holds: components, separators, names.

GS1 General Specifications §3.2 and §7.8; the facts stand in ``table``. Which identifiers
end without a separator depends on their first two digits alone (figure 7.8.5-2), and so
does their own length (figure 7.8.4-1).
"""

import re
from typing import Final, NamedTuple

from registry.schemes.gs1.table import APPLICATION_IDENTIFIERS

SEPARATOR: Final = "\x1d"
"""What a scanner sends for FNC1 between element strings: ASCII group separator."""

CHARACTERS: Final = {
    "N": "0-9",
    "X": "!\"%&'()*+,\\-./0-9:;<=>?A-Z_a-z",
    "Y": "#\\-/0-9A-Z",
    "Z": "\\-0-9A-Z_a-z",
}
"""Character sets, as the inside of a regular expression's brackets."""

SET_NAMES: Final = {
    "N": "a digit",
    "X": "a character of set 82 (ASCII letters, digits and !\"%&'()*+,-./:;<=>?_)",
    "Y": "a character of set 39 (A-Z, 0-9, # - /)",
    "Z": "a letter, a digit, - or _",
}

_PREDEFINED: Final = frozenset(
    [
        "00",
        "01",
        "02",
        "03",
        "04",
        "11",
        "12",
        "13",
        "14",
        "15",
        "16",
        "17",
        "18",
        "19",
        "20",
        "31",
        "32",
        "33",
        "34",
        "35",
        "36",
        "41",
    ]
)
_COMPONENT: Final = re.compile(r"\[?\+?([NXYZ])(\.\.)?(\d+)\]?")
_SPECIAL: Final = {
    "N6+[-]": ("N6+[X..1]", "[0-9]{6}-?"),
    "N18+[N1..N2]": ("N18[+N..2]", "[0-9]{18,20}"),
    "N1+X1+N1": ("X3", "[0-9]/[0-9]"),
    "N6[+N6]": ("N6[+N..6]", "[0-9]{6}(?:[0-9]{6})?"),
    "N6[+N4]": ("N6[+N..4]", "[0-9]{6}(?:[0-9]{4})?"),
    "N8[+N..4]": ("N8[+N..4]", "[0-9]{8}(?:[0-9]{2}){0,2}"),
    "N3+N..12": ("N3[+N..12]", "(?:[0-9]{3}){1,5}"),
    "X2": ("X2", "[A-Z0-9]{2}"),
    "N14[+X..16]": (
        "N14[+X..16]",
        f"0[0-9]{{13}}(?:[{CHARACTERS['X']}]{{1,16}})?",
    ),
    "Y..30": ("Y..30", f"[{CHARACTERS['Y']}]{{5,30}}"),
}
"""Formats that say more than their notation: (plain notation, regular expression)."""


class Component(NamedTuple):
    """A run of characters of one set; `least` is 0 when it may be missing."""

    kind: str
    least: int
    most: int


class ApplicationIdentifier(NamedTuple):
    """One application identifier: `01`, `GTIN`, N14, ends in a check digit."""

    ai: str
    title: str
    format: str
    components: tuple[Component, ...]
    pattern: re.Pattern[str]
    check: str

    @property
    def is_predefined(self) -> bool:
        """Tell if its length is fixed for every reader, so that no separator follows."""
        return self.ai[:2] in _PREDEFINED

    @property
    def least(self) -> int:
        """Fewest characters of a value."""
        return sum(component.least for component in self.components)

    @property
    def most(self) -> int:
        """Most characters of a value."""
        return sum(component.most for component in self.components)


def _read_components(notation: str) -> tuple[Component, ...]:
    components = []
    for match in _COMPONENT.finditer(notation):
        kind, is_variable, length = match[1], match[2], int(match[3])
        least = 1 if is_variable else length
        if match[0].startswith("["):
            least = 0
        components.append(Component(kind, least, length))
    return tuple(components)


def _build_pattern(components: tuple[Component, ...]) -> str:
    pattern = ""
    for kind, least, most in components:
        run = f"[{CHARACTERS[kind]}]{{{max(least, 1)},{most}}}"
        pattern += run if least else f"(?:{run})?"
    return pattern


def _expand(name: str) -> list[str]:
    stem, bracket, span = name.partition("[")
    if not bracket:
        return [name]
    low, high = span.rstrip("]").split("-")
    return [f"{stem}{digit}" for digit in range(int(low), int(high) + 1)]


def _read_line(line: str) -> list[ApplicationIdentifier]:
    name, notation, check, title = line.split(maxsplit=3)
    plain, expression = _SPECIAL.get(notation, (notation, ""))
    components = _read_components(plain)
    pattern = re.compile(expression or _build_pattern(components))
    return [
        ApplicationIdentifier(
            ai, _numbered(title, ai), notation, components, pattern, check
        )
        for ai in _expand(name)
    ]


def _numbered(title: str, ai: str) -> str:
    return title[:-1] + ai[-1] if title.endswith("# n") else title


TABLE: Final = {
    entry.ai: entry
    for line in APPLICATION_IDENTIFIERS.strip().splitlines()
    for entry in _read_line(line)
}
"""Every application identifier by its digits."""

LENGTHS: Final = {ai[:2]: len(ai) for ai in TABLE}
"""Digits of an application identifier by its first two."""
