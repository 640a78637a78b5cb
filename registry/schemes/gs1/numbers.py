"""Bare numbers as they are typed or scanned: GTIN-8, -12, -13, -14, GLN, SSCC, GSRN, GSIN.

GS1 General Specifications §2 and §7.2. The length does not always tell the key: thirteen
digits are a GTIN-13 and a GLN, eighteen an SSCC and two kinds of GSRN. All readings are
given, the commonest first (emulator convention).
"""

from typing import Final

from registry.schemes.gs1.check_digits import check_digit, is_right_14, is_right_18
from registry.schemes.gs1.content import RIGHT
from registry.schemes.gs1.fields import SCHEME, new, rejected
from registry.schemes.gs1.problems import describe
from registry.schemes.reading import Part, Reading

DIGITS: Final = "0123456789"
LENGTHS: Final = (8, 12, 13, 14, 17, 18)
_NAMES: Final = {
    8: "gtin-8",
    12: "gtin-12",
    13: "gtin-13",
    14: "gtin-14",
    17: "gsin",
    18: "sscc",
}


def _span(low: int, high: int, note: str) -> dict[str, tuple[str, ...]]:
    return {f"{prefix:03d}": (note,) for prefix in range(low, high + 1)}


_RESTRICTED: Final = "restricted circulation: means something inside one company only"
_PREFIX_NOTES: Final = {
    **_span(20, 29, _RESTRICTED),
    **_span(40, 49, _RESTRICTED),
    **_span(200, 299, _RESTRICTED),
    **_span(952, 952, "prefix 952: for examples, on no product"),
    **_span(977, 977, "an ISSN (serial publication)"),
    **_span(978, 979, "an ISBN (book)"),
    **_span(980, 980, "a refund receipt"),
    **_span(981, 984, "a coupon"),
    **_span(990, 999, "a coupon"),
}
"""By GS1 prefix (§1.4.2): numbers that name no trade item of one company."""

_PREFIX_NOTES_8: Final = {
    **_span(0, 99, _RESTRICTED),
    **_span(200, 299, _RESTRICTED),
    **_span(977, 999, "prefix reserved for future use"),
}
"""By GS1-8 prefix (§1.4.3)."""

_NO_NOTES: Final[tuple[str, ...]] = ()


def read_number(digits: str) -> tuple[Reading, ...]:
    """Read a bare number of 8, 12, 13, 14, 17 or 18 digits; the commonest key first.

    Raises:
        CodeError: A character is no digit, the check digit is wrong (the right one is
            named), or no key has so many digits.
    """
    length = len(digits)
    if length == 13:
        gtin = "0" + digits
        if is_right_14(gtin):
            notes = _PREFIX_NOTES.get(digits[:3], _NO_NOTES)
            return (
                _reading("gtin-13", "01", gtin, "GTIN", notes),
                _reading("gln", "414", digits, "LOC No.", notes),
            )
    elif length == 14:
        if is_right_14(digits):
            notes = _PREFIX_NOTES.get(digits[1:4], _NO_NOTES)
            return (_reading("gtin-14", "01", digits, "GTIN", notes),)
    else:
        return _read_other(digits)
    raise _wrong(digits)


def _reading(
    form: str, ai: str, value: str, title: str, notes: tuple[str, ...]
) -> Reading:
    part = new(Part, (ai, value, title, RIGHT))
    return new(Reading, (SCHEME, form, f"({ai}){value}", (part,), notes))


def _read_other(digits: str) -> tuple[Reading, ...]:
    length = len(digits)
    if length == 12 and is_right_14("00" + digits):
        notes = _PREFIX_NOTES.get("0" + digits[:2], _NO_NOTES)
        return (_reading("gtin-12", "01", "00" + digits, "GTIN", notes),)
    if length == 18 and is_right_18(digits):
        return (
            _reading("sscc", "00", digits, "SSCC", ()),
            _reading("gsrn", "8018", digits, "GSRN - RECIPIENT", ()),
            _reading("gsrn", "8017", digits, "GSRN - PROVIDER", ()),
        )
    if length == 17 and is_right_18("0" + digits):
        return (_reading("gsin", "402", digits, "GSIN", ()),)
    if length == 8:
        readings = (*_read_gtin_8(digits), *_read_upc_e(digits))
        if readings:
            return readings
    raise _wrong(digits)


def _read_gtin_8(digits: str) -> tuple[Reading, ...]:
    gtin = "000000" + digits
    if not is_right_14(gtin):
        return ()
    notes = _PREFIX_NOTES_8.get(digits[:3], _NO_NOTES)
    return (_reading("gtin-8", "01", gtin, "GTIN", notes),)


def _read_upc_e(digits: str) -> tuple[Reading, ...]:
    """Read a zero-suppressed UPC (§5.2.2.4.2), which may be meant as well."""
    if digits[0] not in "01" or any(digit not in DIGITS for digit in digits):
        return ()
    gtin = "00" + expand_upc_e(digits)
    if not is_right_14(gtin):
        return ()
    return (_reading("upc-e", "01", gtin, "GTIN", ("zeros were suppressed",)),)


def expand_upc_e(digits: str) -> str:
    """Write the eight digits of a UPC-E as the twelve of its GTIN-12."""
    system, body, last, check = digits[0], digits[1:7], digits[6], digits[7]
    if last in "012":
        number = f"{body[:2]}{last}0000{body[2:5]}"
    elif last == "3":
        number = f"{body[:3]}00000{body[3:5]}"
    elif last == "4":
        number = f"{body[:4]}00000{body[4]}"
    else:
        number = f"{body[:5]}0000{last}"
    return system + number + check


def _wrong(digits: str) -> Exception:
    form = _NAMES.get(len(digits), "number")
    for at, character in enumerate(digits):
        if character not in DIGITS:
            what = f"{describe(character)} in place of a digit"
            return rejected(form, what, at, "a digit")
    if len(digits) not in LENGTHS:
        expected = "8, 12, 13 or 14 digits (GTIN), 13 (GLN), 17 (GSIN) or 18 (SSCC)"
        return rejected(form, f"{len(digits)} digits", None, expected)
    right = check_digit(digits[:-1])
    reason = f"check digit {digits[-1]} is wrong"
    return rejected(form, reason, len(digits) - 1, right)
