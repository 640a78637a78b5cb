"""What a value must be beyond its characters: check digits, dates, places.

GS1 General Specifications §3 and §7.9 to §7.12. A check gives a note for people (what was
checked, what a date means) or the :class:`Problem` with the character that is wrong.

Not checked, because the lists behind them change more often than this package: country and
currency codes (only their shape), company prefixes, the inside of coupons (8110, 8112).
"""

import calendar
import functools
import re
import unicodedata
from collections.abc import Callable
from typing import Final, NamedTuple

from registry.schemes.gs1.application_identifiers import (
    CHARACTERS,
    SEPARATOR,
    SET_NAMES,
    ApplicationIdentifier,
    Component,
)
from registry.schemes.gs1.check_digits import (
    check_digit,
    check_pair,
    is_right_14,
    is_right_18,
)

RIGHT: Final = "check digit right"
REFERENCE_YEAR: Final = 2026
"""The year two-digit years are seen from (§7.12): a pure decoder has no clock, so it stands
still (emulator convention); until 2076 it differs from a clock for years 50 away only."""

MAX_REMEMBERED: Final = 4096
"""Values remembered for each application identifier with a costly check."""

_CENTURY: Final = 100
_WINDOW: Final = 50


class Problem(NamedTuple):
    """What is wrong with a value: at which of its characters, and what would be right."""

    offset: int
    reason: str
    expected: str


Note = str | Problem


def examine(entry: ApplicationIdentifier, value: str) -> Note:
    """Check a value of an application identifier; give a note or the problem."""
    if not entry.pattern.fullmatch(value):
        return _explain(entry, value)
    check = CHECKS.get(entry.check)
    return check(value) if check else _check_digit(entry, value)


def acceptor(entry: ApplicationIdentifier) -> Callable[[str], str | None]:
    """Give the quick form of `examine`: the note, or None for any problem."""
    matches = entry.pattern.fullmatch
    if entry.check == "-":
        return lambda value: "" if matches(value) else None
    if entry.format == "N14" and entry.check == "digit":
        return lambda value: RIGHT if len(value) == 14 and is_right_14(value) else None
    if entry.format == "N18":
        return lambda value: RIGHT if len(value) == 18 and is_right_18(value) else None

    # Dates repeat among the codes of a day; working one out costs as much as a whole code.
    @functools.lru_cache(maxsize=MAX_REMEMBERED)
    def accept(value: str) -> str | None:
        note = examine(entry, value)
        return None if isinstance(note, Problem) else note

    return accept


def length_text(entry: ApplicationIdentifier) -> str:
    """Say in words how long a value is: `14 digits`, `1 to 20 characters`."""
    are_digits = all(component.kind == "N" for component in entry.components)
    unit = "digits" if are_digits else "characters"
    least, most = max(entry.least, 1), entry.most
    return f"{most} {unit}" if least == most else f"{least} to {most} {unit}"


def _explain(entry: ApplicationIdentifier, value: str) -> Problem:
    """Find the first character that does not fit the format."""
    name = f"({entry.ai}) {entry.title}"
    for offset, character in enumerate(value):
        component = _component_at(entry.components, offset)
        if component is None:
            hint = ", or a separator before it" if not entry.is_predefined else ""
            return Problem(
                offset,
                f"value of {name} is too long ({len(value)} characters)",
                f"{length_text(entry)}{hint}",
            )
        if not re.fullmatch(f"[{CHARACTERS[component.kind]}]", character):
            expected = SET_NAMES[component.kind]
            return Problem(offset, f"{describe(character)} in {name}", expected)
    if len(value) < max(entry.least, 1):
        reason = f"value of {name} is too short ({len(value)} characters)"
        return Problem(len(value), reason, length_text(entry))
    return Problem(
        0, f"value of {name} has the wrong shape", f"the format {entry.format}"
    )


def _component_at(components: tuple[Component, ...], offset: int) -> Component | None:
    end = 0
    for component in components:
        end += component.most
        if offset < end:
            return component
    return None


_LOOKALIKES_TEXT: Final = {
    # Cyrillic capitals.
    "\u0410\u0412\u0421\u0415\u041d\u0406\u0408\u041a\u041c\u041e\u0420\u0405\u0422\u0425\u04ae": "ABCEHIJKMOPSTXY",
    # Cyrillic small letters.
    "\u0430\u0441\u0435\u0456\u0458\u043e\u0440\u0455\u0445\u0443": "aceijopsxy",
    # Greek capitals.
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7": "ABEZHIKMNOPTYX",
    # Dashes, slashes, a quotation mark, the Chinese zero.
    "\u2212\u2010\u2013\u2014\u2044\u2215\u2019\u3007": "----//'0",
}
_LOOKALIKES: Final = {
    other: twin
    for others, twins in _LOOKALIKES_TEXT.items()
    for other, twin in zip(others, twins, strict=True)
}


def describe(character: str) -> str:
    """Name a character so that look-alikes and invisible ones show, by its code point."""
    if character == SEPARATOR:
        return "a separator (FNC1)"
    if character.isascii() and character.isprintable():
        return f"{character!r}"
    shown = f"{character!r} (U+{ord(character):04X})"
    twin = _LOOKALIKES.get(character)
    if twin is None and character.isdecimal():
        twin = str(unicodedata.decimal(character))
    return f"{shown}, which only looks like {twin!r}," if twin else shown


def _check_digit(entry: ApplicationIdentifier, value: str) -> Note:
    """Check the digit that ends the first component."""
    end = entry.components[0].most
    right = check_digit(value[: end - 1])
    if value[end - 1] == right:
        return RIGHT
    reason = f"check digit {value[end - 1]} of {entry.title or entry.ai} is wrong"
    return Problem(end - 1, reason, right)


def _year_of(two_digits: int) -> int:
    """Put a two-digit year within fifty years of the reference (§7.12)."""
    year = REFERENCE_YEAR - REFERENCE_YEAR % _CENTURY + two_digits
    difference = year - REFERENCE_YEAR
    if difference > _WINDOW:
        return year - _CENTURY
    return year + _CENTURY if difference <= -_WINDOW else year


def _day(text: str, offset: int = 0, *, may_be_00: bool = False) -> Note:
    """Read YYMMDD; day 00 means the month's last where the standard allows it."""
    return _calendar_day(_year_of(int(text[:2])), text[2:6], offset + 2, may_be_00)


def _calendar_day(year: int, text: str, offset: int, may_be_00: bool = False) -> Note:
    month, day = int(text[:2]), int(text[2:4])
    if not 1 <= month <= 12:
        return Problem(offset, f"month {text[:2]}", "01 to 12")
    last = calendar.monthrange(year, month)[1]
    if day == 0 and may_be_00:
        return f"{year:04d}-{month:02d}, no day: its last"
    if not 1 <= day <= last:
        low = "00" if may_be_00 else "01"
        return Problem(offset + 2, f"day {text[2:4]}", f"{low} to {last:02d}")
    return f"{year:04d}-{month:02d}-{day:02d}"


def _time(text: str, offset: int, limits: tuple[int, ...] = (23, 59, 59)) -> Note:
    """Read HH, HHMM or HHMMSS."""
    fields = [text[start : start + 2] for start in range(0, len(text), 2)]
    for index, (field, limit) in enumerate(zip(fields, limits, strict=False)):
        if int(field) > limit:
            name = ("hour", "minute", "second")[index]
            return Problem(offset + 2 * index, f"{name} {field}", f"00 to {limit}")
    return ":".join(fields)


def _joined(first: Note, second: Callable[[], Note], between: str) -> Note:
    if isinstance(first, Problem):
        return first
    other = second()
    return other if isinstance(other, Problem) else f"{first}{between}{other}"


def _day_time(value: str) -> Note:
    day = _day(value[:6])
    if len(value) == 6:
        return day
    return _joined(day, lambda: _time(value[6:], 6), " ")


def _day00_time(value: str) -> Note:
    """Read a delivery date (4324, 4325): 9999 means no time."""
    day = _day(value[:6], may_be_00=True)
    if value[6:] == "9999":
        return day
    return _joined(day, lambda: _time(value[6:], 6), " ")


def _days(value: str) -> Note:
    first = _day(value[:6])
    if len(value) == 6:
        return first
    return _joined(first, lambda: _day(value[6:], 6), " to ")


def _birth(value: str) -> Note:
    day = _calendar_day(max(int(value[:4]), 1), value[4:8], 4)
    if len(value) == 8:
        return day
    return _joined(day, lambda: _time(value[8:], 8), " ")


def _piece(value: str) -> Note:
    """Check the GTIN of a piece, then piece and total (8006, 8026)."""
    right = check_digit(value[:13])
    if value[13] != right:
        return Problem(13, f"check digit {value[13]} of the GTIN is wrong", right)
    piece, total = int(value[14:16]), int(value[16:])
    if piece < 1 or piece > total:
        expected = "a piece from 01 to the total"
        return Problem(14, f"piece {piece} of {total}", expected)
    return f"{RIGHT}, piece {piece} of {total}"


def _pair(value: str) -> Note:
    """Check the two characters that end a model number (8013, 8014)."""
    if len(value) < 3:
        return Problem(0, "no room for two check characters", "at least 3 characters")
    right = check_pair(value[:-2])
    if value[-2:] == right:
        return "check characters right"
    return Problem(len(value) - 2, f"check characters {value[-2:]} are wrong", right)


def _percent(value: str) -> Note:
    bad = re.search(r"%(?![0-9A-Fa-f]{2})", value)
    if bad:
        return Problem(bad.start(), "% without two hexadecimal digits", "%25 for a %")
    return ""


def _number(value: str) -> Note:
    if len(value) > 1 and value[0] == "0":
        return Problem(0, "a leading zero", "a number without leading zeros")
    return ""


def _place(value: str) -> Note:
    """Read latitude and longitude (4309): ten-millionths of a degree, shifted."""
    latitude, longitude = int(value[:10]), int(value[10:])
    if latitude > 180 * 10**7:
        return Problem(0, "latitude too big", "0000000000 to 1800000000")
    if longitude > 360 * 10**7:
        return Problem(10, "longitude too big", "0000000000 to 3600000000")
    east = (longitude / 10**7 + 180) % 360 - 180
    return f"latitude {latitude / 10**7 - 90:.7f}, longitude {east:.7f}"


def _roll(value: str) -> Note:
    """Check a roll product (8001): width, length, core, direction, splices."""
    for start, end, name in ((0, 4, "width"), (4, 9, "length"), (9, 12, "core")):
        if not int(value[start:end]):
            return Problem(start, f"{name} 0", "a number above 0")
    if value[12] not in "019":
        return Problem(12, f"winding direction {value[12]}", "0, 1 or 9")
    return ""


def _iban(value: str) -> Note:
    """Check an account number (8007): ISO 13616, modulo 97."""
    if not re.fullmatch("[A-Z]{2}[0-9]{2}[0-9A-Z]+", value):
        expected = "two letters, two digits, letters and digits"
        return Problem(0, "not the shape of an IBAN", expected)
    turned = value[4:] + value[:4]
    if int("".join(str(int(character, 36)) for character in turned)) % 97 != 1:
        return Problem(2, f"check digits {value[2:4]} of the IBAN are wrong", "others")
    return "check digits right"


def _sex(value: str) -> Note:
    return "" if value in "0129" else Problem(0, f"sex {value}", "0, 1, 2 or 9")


def _yes_no(value: str) -> Note:
    if value in "01":
        return "yes" if value == "1" else "no"
    return Problem(0, f"flag {value}", "0 (no) or 1 (yes)")


CHECKS: Final[dict[str, Callable[[str], Note]]] = {
    "-": lambda _value: "",
    "day": _day,
    "day00": lambda value: _day(value, may_be_00=True),
    "day_time": _day_time,
    "day00_time": _day00_time,
    "produced": _day_time,
    "days": _days,
    "birth": _birth,
    "piece": _piece,
    "pair": _pair,
    "percent": _percent,
    "number": _number,
    "place": _place,
    "roll": _roll,
    "iban": _iban,
    "sex": _sex,
    "yes_no": _yes_no,
}
"""The checks that ``table`` names, except `digit`, which depends on the format."""
