"""What spreadsheets and typists make of a code, and what it probably was.

Spreadsheets take a column of codes for numbers: leading zeros go, long numbers become
9.52E+12, thousands get commas. People type O for 0. Nothing is repaired: the rejection
says what happened, and what was expected when the digits that are left tell it, by a
check digit that is right (zeros in front do not change it, GS1 General Specifications
§7.9). Emulator convention.
"""

import re
from typing import Final

from registry.schemes.gs1.check_digits import check_digit
from registry.schemes.reading import Rejection

_SCIENTIFIC: Final = re.compile(r"([0-9])(?:[.,]([0-9]+))?[eE]\+?([0-9]{1,2})")
_DECIMALS: Final = re.compile(r"([0-9]{7,18})[.,]0+")
_THOUSANDS: Final = re.compile(r"[0-9]{1,3}(?:([,'’.])[0-9]{3})(?:\1[0-9]{3})+")  # noqa: RUF001 (a Swiss one)
_QUOTED: Final = re.compile(r"=?([\"'])(.+)\1|'(.+)|[“‘](.+)[”’]")  # noqa: RUF001 (on purpose)
_TYPED: Final = str.maketrans("OoQIlSBZ", "00011582")
"""Letters, and the digits that they are taken for."""

_AS_TEXT: Final = "the code itself, in a column formatted as text"
_NUMBER_LENGTHS: Final = (8, 12, 13, 14, 17, 18)
_WITH_ZEROS: Final = {
    **dict.fromkeys(range(5, 8), ("GTIN-8", 8)),
    **dict.fromkeys(range(9, 12), ("GTIN-12", 12)),
    **dict.fromkeys(range(15, 18), ("SSCC", 18)),
}
"""Digits that are left: the shortest key that they may have been, and its digits."""

_MAX_TYPED: Final = 2
_MAX_CHARACTERS: Final = 128


def mishaps(text: str) -> tuple[Rejection, ...]:
    """Say what probably happened to a code on its way; nothing for most texts.

    Args:
        text: Without spaces around it. Also one that reads as something else: eleven
            digits that begin with 95 are an element string, and a GTIN-12 without its zero.
    """
    if len(text) > _MAX_CHARACTERS:
        return ()
    if text.isdecimal() and text.isascii():
        return _lost_zeros(text)
    return _as_number(text) or _quoted(text) or _typed(text)


def _lost_zeros(digits: str) -> tuple[Rejection, ...]:
    key, length = _WITH_ZEROS.get(len(digits), ("", 0))
    if not key or digits[0] == "0" or check_digit(digits[:-1]) != digits[-1]:
        return ()
    reason = f"{len(digits)} digits: leading zeros may be lost, as in spreadsheets"
    expected = f"{digits.zfill(length)}, if it was meant as {key}"
    return (_spreadsheet(reason, 0, expected),)


def _as_number(text: str) -> tuple[Rejection, ...]:
    if match := _SCIENTIFIC.fullmatch(text):
        return (_scientific(match[1] + (match[2] or ""), int(match[3]), match),)
    if match := _DECIMALS.fullmatch(text):
        reason = "a number with decimals"
        return (_spreadsheet(reason, match.end(1), match[1]),)
    if match := _THOUSANDS.fullmatch(text):
        digits = text.replace(match[1], "")
        if match[1] != "." or len(digits) in _NUMBER_LENGTHS:
            reason = f"a number with {match[1]!r} between thousands"
            return (_spreadsheet(reason, match.start(1), digits),)
    return ()


def _scientific(digits: str, exponent: int, match: re.Match[str]) -> Rejection:
    whole = exponent + 1
    at = match.start(3) - 1
    if len(digits) == whole:
        return _spreadsheet("a number in scientific notation", at, digits)
    reason = (
        f"a number in scientific notation, with {min(len(digits), whole)} of {whole}"
        " digits: the others are lost"
    )
    return _spreadsheet(reason, at, _AS_TEXT)


def _quoted(text: str) -> tuple[Rejection, ...]:
    match = _QUOTED.fullmatch(text)
    if match is None:
        return ()
    inside = match[2] or match[3] or match[4]
    what = "a formula" if text[0] == "=" else "quotes"
    return (_spreadsheet(f"{what} around the code", 0, inside),)


def _typed(text: str) -> tuple[Rejection, ...]:
    if len(text) not in _NUMBER_LENGTHS:
        return ()
    digits = text.translate(_TYPED)
    wrong = [at for at, character in enumerate(text) if character != digits[at]]
    if not 1 <= len(wrong) <= _MAX_TYPED or not (
        digits.isdecimal() and digits.isascii()
    ):
        return ()
    if check_digit(digits[:-1]) != digits[-1]:
        return ()
    reason = f"{text[wrong[0]]!r} in place of a digit"
    expected = f"{digits[wrong[0]]!r}: the check digit of {digits} is right"
    return (Rejection("any", "typing", reason, wrong[0], expected),)


def _spreadsheet(reason: str, position: int, expected: str) -> Rejection:
    return Rejection("any", "spreadsheet", reason, position, expected)
