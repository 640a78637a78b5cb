"""VAA codes, the issuing agency of the industrial internet (ISO/IEC 15459, idis §2.1).

    VAA 088 100 12345678 / abc123      compact, without the spaces
    88.100.12345678/abc123             dotted: the identifier itself

    VAA         issuing agency code
    088         country, three digits; 086 is seen too
    100         industry, three digits
    12345678    enterprise, 1 to 20 digits

The widths of the fields are the notes'; that the dotted form drops the country's zero is
inferred there, and here emulator convention.
"""

import functools
import re

from registry.model.identifier import MAX_IDENTIFIER_OCTETS
from registry.schemes.mapping import IDENTIFIER_PART
from registry.schemes.reading import CodeError, Part, Reading, Rejection

ISSUING_AGENCY = "VAA"
MAX_ENTERPRISE_DIGITS = 20

_SCHEME = "vaa"
_COUNTRIES = {"086": "86", "088": "88"}
_CODES = {number: code for code, number in _COUNTRIES.items()}
_DOTTED = re.compile(r"(86|88)\.([0-9]{3})\.([0-9]{1,20})/(.+)", re.DOTALL)
_COUNTRY, _INDUSTRY, _ENTERPRISE = 3, 6, 9
"""Where the fields begin in the compact form."""


def read(text: str) -> tuple[Reading, ...]:
    """Read a VAA code, compact or dotted.

    Raises:
        CodeError: It is none.
    """
    if text[:3].upper() == ISSUING_AGENCY:
        return (_compact(text),)
    found = _DOTTED.fullmatch(text)
    if found is None:
        raise _rejected("dotted", "no issuing agency", "VAA088... or 88.NNN.N/...", 0)
    number, industry, enterprise, internal = found.groups()
    return (_reading("dotted", _CODES[number], industry, enterprise, internal),)


def _compact(text: str) -> Reading:
    head, slash, internal = text.partition("/")
    country, industry = head[_COUNTRY:_INDUSTRY], head[_INDUSTRY:_ENTERPRISE]
    enterprise = head[_ENTERPRISE:]
    if country not in _COUNTRIES:
        reason = f"country {country!r}"
        raise _rejected("compact", reason, "088 or 086", _COUNTRY)
    for position, character in enumerate(head[_INDUSTRY:], _INDUSTRY):
        if character not in "0123456789":
            reason = f"{character!r} instead of a digit"
            raise _rejected("compact", reason, "a digit", position)
    if not enterprise:
        reason = "no enterprise"
        raise _rejected("compact", reason, "3 digits industry, then its", len(head))
    if len(enterprise) > MAX_ENTERPRISE_DIGITS:
        reason = f"enterprise of {len(enterprise)} digits"
        expected = f"at most {MAX_ENTERPRISE_DIGITS}"
        raise _rejected(
            "compact", reason, expected, _ENTERPRISE + MAX_ENTERPRISE_DIGITS
        )
    if not slash or not internal:
        reason = "no code of the enterprise's own"
        raise _rejected("compact", reason, "a slash and its code", len(head))
    return _reading("compact", country, industry, enterprise, internal)


def _reading(
    form: str, country: str, industry: str, enterprise: str, internal: str
) -> Reading:
    code = f"{ISSUING_AGENCY}{country}{industry}{enterprise}/{internal}"
    if len(code) > MAX_IDENTIFIER_OCTETS // 4 and len(code.encode(errors="replace")) > (
        MAX_IDENTIFIER_OCTETS
    ):
        expected = f"at most {MAX_IDENTIFIER_OCTETS} octets"
        raise _rejected(form, "too long", expected, None)
    if not internal.isprintable():
        raise _rejected(form, "a control character", "printable characters", None)
    prefix, parts = _owner(country, industry, enterprise)
    internal_part = Part("internal", internal, "the enterprise's own code")
    identifier = Part(IDENTIFIER_PART, f"{prefix}/{internal}", "identifier")
    return Reading(_SCHEME, form, code, (*parts, internal_part, identifier))


@functools.lru_cache(maxsize=4096)
def _owner(
    country: str, industry: str, enterprise: str
) -> tuple[str, tuple[Part, ...]]:
    """Give the prefix of an enterprise, and the parts of a code that name it."""
    parts = (
        Part("agency", ISSUING_AGENCY, "issuing agency", "ISO/IEC 15459"),
        Part("country", country, "country"),
        Part("industry", industry, "industry"),
        Part("enterprise", enterprise, "enterprise"),
    )
    return f"{_COUNTRIES[country]}.{industry}.{enterprise}", parts


def _rejected(form: str, reason: str, expected: str, position: int | None) -> CodeError:
    return CodeError(Rejection(_SCHEME, form, reason, position, expected))
