"""Reads a GS1 code in whichever form it stands, told by its first characters.

Element strings, bare numbers, Digital Link, EPC: each has its module. Scanners put a
*symbology identifier* in front (GS1 General Specifications figure 7.8.1-1): `]C1`, `]d2`.
"""

import re
from typing import Final

from registry.schemes.gs1.application_identifiers import SEPARATOR
from registry.schemes.gs1.compressed_links import read_link
from registry.schemes.gs1.element_strings import PLAIN, read_bracketed, read_plain
from registry.schemes.gs1.epc import is_epc_binary, read_epc_binary, read_epc_uri
from registry.schemes.gs1.fields import rejected
from registry.schemes.gs1.numbers import DIGITS, LENGTHS, read_number
from registry.schemes.gs1.problems import describe
from registry.schemes.reading import CodeError, Reading

MAX_CHARACTERS: Final = 2048
_SHORTEST_WITH_GTIN: Final = 15

_ELEMENTS: Final = frozenset(["]C1", "]e0", "]d2", "]Q3", "]J1"])
"""Symbols that say they hold element strings: GS1-128, DataBar, DataMatrix, QR, DotCode."""

_NUMBERS: Final = {"]E0": 13, "]E4": 8, "]I1": 14}
"""Symbols that hold one number: EAN-13 (and UPC, with a zero in front), EAN-8, ITF-14."""

_LETTERS: Final = frozenset("ACEFGILPQRSXdezJU")
"""Symbologies (ISO/IEC 15424); with another digit each holds any text: a Digital Link URI."""

_SPELT_SEPARATORS: Final = (
    "<GS>",
    "{GS}",
    "<FNC1>",
    "{FNC1}",
    "\\x1d",
    "\\u001d",
    "␝",
    "^]",
)
"""How separators come through keyboards, consoles and spreadsheets."""

_GROUPING: Final = re.compile("[ \\-]")


def read(text: str) -> tuple[Reading, ...]:
    """Read a GS1 code in any form; the commonest meaning first.

    Raises:
        CodeError: With the reasons against each form that was tried.
    """
    first = text[:1]
    if first == "(":
        return (read_bracketed(text),)
    if first in DIGITS and text.isascii():
        length = len(text)
        if length in LENGTHS and text.isdigit():
            return read_number(text)
        if length > _SHORTEST_WITH_GTIN and text[:2] == "01" and "<" not in text:
            return (_read_elements(text),)
    return _read_carefully(text)


def _read_elements(text: str) -> Reading:
    try:
        return read_plain(text)
    except CodeError:
        spelt = _spelt_in(text)
        if not spelt:
            raise
        return _read_spelt(text, spelt)


def _spelt_in(text: str) -> list[str]:
    return [mark for mark in _SPELT_SEPARATORS if mark in text]


def _read_carefully(text: str) -> tuple[Reading, ...]:
    if not text:
        raise rejected(PLAIN, "nothing", 0, "a code")
    if len(text) > MAX_CHARACTERS:
        expected = f"at most {MAX_CHARACTERS}"
        raise rejected(PLAIN, f"{len(text)} characters", None, expected)
    if text[0] == "]":
        return _read_symbol(text)
    if text[:8].lower().startswith(("http://", "https://")):
        return read_link(text)
    if text[:8].lower() == "urn:epc:":
        return (read_epc_uri(text),)
    return _read_unmarked(text)


def _read_unmarked(text: str) -> tuple[Reading, ...]:
    """Read what nothing at the start names: element strings, numbers, an EPC's bits."""
    spelt = _spelt_in(text)
    if spelt:
        return (_read_spelt(text, spelt),)
    if text[0] == SEPARATOR:
        return (read_plain(text),)
    if text[0] in DIGITS:
        return _read_digits_first(text)
    if is_epc_binary(text):
        return (read_epc_binary(text),)
    expected = "digits, a bracket, ], http, urn:epc:"
    raise rejected(PLAIN, f"{describe(text[0])} at the start", 0, expected)


def _read_symbol(text: str) -> tuple[Reading, ...]:
    symbol, rest = text[:3], text[3:]
    try:
        readings = _read_content(symbol, rest)
    except CodeError as error:
        moved = [
            rejection._replace(position=rejection.position + 3)
            if rejection.position is not None
            else rejection
            for rejection in error.rejections
        ]
        raise CodeError(*moved) from error
    note = f"symbology identifier {symbol}"
    return tuple(r._replace(notes=(*r.notes, note)) for r in readings)


def _read_content(symbol: str, rest: str) -> tuple[Reading, ...]:
    if symbol in _ELEMENTS:
        return (read_plain(rest),)
    if symbol in _NUMBERS:
        if len(rest) != _NUMBERS[symbol]:
            expected = f"{_NUMBERS[symbol]} digits"
            raise rejected("number", f"{len(rest)} characters", None, expected)
        return read_number(rest)[:1]
    if symbol[1:2] in _LETTERS and symbol[2:].isalnum() and rest[:1] != "]":
        return read(rest)
    known = ", ".join(sorted({*_ELEMENTS, *_NUMBERS}))
    reason = f"unknown symbology identifier {symbol!r}"
    raise rejected(PLAIN, reason, -3, known)


def _read_spelt(text: str, spelt: list[str]) -> Reading:
    """Read separators that are spelt out, all in one way."""
    marks = [*spelt, *([SEPARATOR] if SEPARATOR in text else [])]
    if len(marks) > 1:
        second = sorted(text.index(mark) for mark in marks)[1]
        shown = " and ".join(
            describe(mark) if len(mark) == 1 else mark for mark in marks
        )
        reason = f"mixed separators: {shown}"
        raise rejected(PLAIN, reason, second, "one way of writing FNC1")
    mark = marks[0]
    try:
        reading = read_plain(text.replace(mark, SEPARATOR))
    except CodeError as error:
        raise CodeError(
            *(
                r._replace(position=_longer(text, mark, r.position))
                for r in error.rejections
            )
        ) from error
    return reading._replace(notes=(*reading.notes, f"{mark} read as FNC1"))


def _longer(text: str, mark: str, position: int | None) -> int | None:
    """Give the place in the text of a place where each mark was one character."""
    if position is None:
        return None
    at = 0
    for _ in range(position):
        at += len(mark) if text.startswith(mark, at) else 1
    return at


def _read_digits_first(text: str) -> tuple[Reading, ...]:
    """Read what begins with a digit and is no bare number as it stands."""
    bare = _GROUPING.sub("", text)
    if bare != text and len(bare) in LENGTHS and bare.isascii() and bare.isdigit():
        return _read_grouped(text, bare)
    readings: list[Reading] = []
    errors: list[CodeError] = []
    for attempt in (read_epc_binary, read_plain):
        if attempt is read_plain or is_epc_binary(text):
            try:
                readings.append(attempt(text))
            except CodeError as error:
                errors.append(error)
    if readings:
        return tuple(readings)
    if len(bare) <= max(LENGTHS):
        errors.insert(0, _number_error(text))
    raise CodeError(*(rejection for error in errors for rejection in error.rejections))


def _number_error(text: str) -> CodeError:
    try:
        read_number(text)
    except CodeError as error:
        return error
    raise AssertionError(text)


def _read_grouped(text: str, bare: str) -> tuple[Reading, ...]:
    """Read a number that people grouped: `6 901234 567892`, `978-7-04-012345-6`."""
    separators = set(text) - set(DIGITS)
    if len(separators) > 1:
        at = next(
            at for at, c in enumerate(text) if c not in DIGITS and c != _first(text)
        )
        raise rejected(
            "number", "mixed separators: space and hyphen", at, "one of them"
        )
    try:
        readings = read_number(bare)
    except CodeError as error:
        places = [at for at, character in enumerate(text) if character in DIGITS]
        raise CodeError(
            *(
                r._replace(position=None if r.position is None else places[r.position])
                for r in error.rejections
            )
        ) from error
    name = "spaces" if " " in separators else "hyphens"
    return tuple(r._replace(notes=(*r.notes, f"{name} left out")) for r in readings)


def _first(text: str) -> str:
    return next(character for character in text if character not in DIGITS)
