"""What a value must be beyond its characters: check digits, dates, places.

GS1 General Specifications §3 and §7.9 to §7.12. A check gives a note for people (what was
checked, what a date means) or the :class:`Problem` with the character that is wrong.

Not checked, because the lists behind them change more often than this package: country and
currency codes (only their shape), company prefixes, the inside of coupons (8110, 8112).
"""

import functools
import re
from collections.abc import Callable
from typing import Final

from registry.schemes.gs1 import dates
from registry.schemes.gs1.application_identifiers import (
    CHARACTERS,
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
from registry.schemes.gs1.problems import Note, Problem, describe

RIGHT: Final = "check digit right"

MAX_REMEMBERED: Final = 4096
"""Values remembered for each application identifier with a costly check."""


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


def _check_digit(entry: ApplicationIdentifier, value: str) -> Note:
    """Check the digit that ends the first component."""
    end = entry.components[0].most
    right = check_digit(value[: end - 1])
    if value[end - 1] == right:
        return RIGHT
    reason = f"check digit {value[end - 1]} of {entry.title or entry.ai} is wrong"
    return Problem(end - 1, reason, right)


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
    "day": dates.day,
    "day00": lambda value: dates.day(value, may_be_00=True),
    "day_time": dates.day_and_time,
    "day00_time": dates.delivery_time,
    "produced": dates.day_and_time,
    "days": dates.harvest,
    "birth": dates.birth,
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
