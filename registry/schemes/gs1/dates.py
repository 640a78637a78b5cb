"""Dates and times in values: two-digit years, days left open, hours.

GS1 General Specifications §3.4 to §3.9 and §7.12. Each check gives what the value means, in
ISO 8601 with a space, or the :class:`Problem`.
"""

import calendar
from collections.abc import Callable
from typing import Final

from registry.schemes.gs1.problems import Note, Problem

REFERENCE_YEAR: Final = 2026
"""The year two-digit years are seen from (§7.12): a pure decoder has no clock, so it stands
still (emulator convention); until 2076 it differs from a clock for years 50 away only."""

_CENTURY: Final = 100
_WINDOW: Final = 50


def _year_of(two_digits: int) -> int:
    """Put a two-digit year within fifty years of the reference (§7.12)."""
    year = REFERENCE_YEAR - REFERENCE_YEAR % _CENTURY + two_digits
    difference = year - REFERENCE_YEAR
    if difference > _WINDOW:
        return year - _CENTURY
    return year + _CENTURY if difference <= -_WINDOW else year


def day(text: str, offset: int = 0, *, may_be_00: bool = False) -> Note:
    """Read YYMMDD; day 00 means the month's last where the standard allows it."""
    return _calendar_day(_year_of(int(text[:2])), text[2:6], offset + 2, may_be_00)


def _calendar_day(year: int, text: str, offset: int, may_be_00: bool = False) -> Note:
    month, number = int(text[:2]), int(text[2:4])
    if not 1 <= month <= 12:
        return Problem(offset, f"month {text[:2]}", "01 to 12")
    last = calendar.monthrange(year, month)[1]
    if number == 0 and may_be_00:
        return f"{year:04d}-{month:02d}, no day: its last"
    if not 1 <= number <= last:
        low = "00" if may_be_00 else "01"
        return Problem(offset + 2, f"day {text[2:4]}", f"{low} to {last:02d}")
    return f"{year:04d}-{month:02d}-{number:02d}"


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


def day_and_time(value: str) -> Note:
    """Read YYMMDD and what there is of HHMMSS."""
    date = day(value[:6])
    if len(value) == 6:
        return date
    return _joined(date, lambda: _time(value[6:], 6), " ")


def delivery_time(value: str) -> Note:
    """Read a delivery date (4324, 4325): 9999 means no time."""
    date = day(value[:6], may_be_00=True)
    if value[6:] == "9999":
        return date
    return _joined(date, lambda: _time(value[6:], 6), " ")


def harvest(value: str) -> Note:
    """Read a date, or the first and the last (7007)."""
    first = day(value[:6])
    if len(value) == 6:
        return first
    return _joined(first, lambda: day(value[6:], 6), " to ")


def birth(value: str) -> Note:
    """Read YYYYMMDD and perhaps HHMM (7250, 7251)."""
    date = _calendar_day(max(int(value[:4]), 1), value[4:8], 4)
    if len(value) == 8:
        return date
    return _joined(date, lambda: _time(value[8:], 8), " ")
