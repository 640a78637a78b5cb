"""Ecode, China's codes for the internet of things (GB/T 31866).

An Ecode is V, NSI and MD one after the other: version, number system identifier, master
data. The versions, as the 2015 edition has them (resolver notes §2.4; from memory there):

    V   NSI            MD                         CHARACTERS
    0   8 bits         up to 244 bits             256 bits together, here in hexadecimal
    1   4 digits       1 to 20                    digits
    2   4 digits       1 to 28                    digits
    3   5 digits       1 to 39                    digits and letters
    4   5 digits       1 to 256 (ours)            any printable

5 to 9 are reserved. Which number systems are assigned is not known here, so all are.
Conformance to GB/T 36605 (resolution) is not claimed.
"""

import string
from typing import NamedTuple

from registry.schemes.reading import CodeError, Part, Reading, Rejection

BINARY_DIGITS = 64
"""Hexadecimal digits of version 0: 256 bits."""

_SCHEME = "ecode"
_PREFIXES = ("ecode:", "ecode://", "urn:ecode:")
_DIGITS = frozenset(string.digits)
_HEX = frozenset(string.hexdigits)


class _Version(NamedTuple):
    number_system_digits: int
    longest: int
    characters: frozenset[str] | None
    """Of the master data; None where any printable one is allowed."""

    expected: str


VERSIONS = {
    "1": _Version(4, 20, _DIGITS, "a digit"),
    "2": _Version(4, 28, _DIGITS, "a digit"),
    "3": _Version(
        5, 39, _DIGITS | frozenset(string.ascii_letters), "a digit or letter"
    ),
    "4": _Version(5, 256, None, "a printable character"),
}


def read(text: str) -> tuple[Reading, ...]:
    """Read an Ecode, with or without `ecode:` before it.

    Raises:
        CodeError: It is none.
    """
    lowered = text[:10].lower()
    start = max((len(p) for p in _PREFIXES if lowered.startswith(p)), default=0)
    form = "uri" if start else "plain"
    code = text[start:]
    if len(code) == BINARY_DIGITS and code[0] == "0" and _HEX.issuperset(code):
        return (_binary(code.upper()),)
    version = VERSIONS.get(code[:1])
    if version is None:
        raise _rejected(form, f"version {code[:1]!r}", "1, 2, 3 or 4", start)
    return (_reading(form, code, version, start),)


def _binary(code: str) -> Reading:
    parts = (
        Part("V", code[0], "version", "256 bits"),
        Part("NSI", code[1:3], "number system"),
        Part("MD", code[3:], "master data"),
    )
    return Reading(_SCHEME, "binary", code, parts)


def _reading(form: str, code: str, version: _Version, start: int) -> Reading:
    stop = 1 + version.number_system_digits
    number_system, master_data = code[1:stop], code[stop:]
    for position, character in enumerate(number_system, 1):
        if character not in _DIGITS:
            reason = f"{character!r} in the number system"
            raise _rejected(form, reason, "a digit", start + position)
    if not master_data:
        reason = "no master data"
        expected = f"{version.number_system_digits} digits, then 1 to {version.longest}"
        raise _rejected(form, reason, expected, start + len(code))
    if len(master_data) > version.longest:
        reason = f"master data of {len(master_data)} characters"
        expected = f"at most {version.longest} in version {code[0]}"
        raise _rejected(form, reason, expected, start + stop + version.longest)
    _check_characters(form, master_data, version, start + stop)
    parts = (
        Part("V", code[0], "version"),
        Part("NSI", number_system, "number system"),
        Part("MD", master_data, "master data"),
    )
    return Reading(_SCHEME, form, code, parts)


def _check_characters(form: str, data: str, version: _Version, start: int) -> None:
    allowed = version.characters
    if data.isprintable() if allowed is None else allowed.issuperset(data):
        return
    for position, character in enumerate(data, start):
        if not (character.isprintable() if allowed is None else character in allowed):
            reason = f"{character!r} in the master data"
            raise _rejected(form, reason, version.expected, position)


def _rejected(form: str, reason: str, expected: str, position: int | None) -> CodeError:
    return CodeError(Rejection(_SCHEME, form, reason, position, expected))
