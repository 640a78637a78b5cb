"""EPC URIs: `urn:epc:id:sgtin:0614141.112345.400`, tag, class and raw URIs.

GS1 EPC Tag Data Standard 1.13/2.x §6 (pure identity), §12 (tag and raw URIs). An EPC says
where the company prefix ends: the reading's last part, with the key `GCP`, keeps it.
"""

import re
from typing import Final
from urllib.parse import quote

from registry.schemes.gs1 import epc_binary
from registry.schemes.gs1.epc_schemes import (
    MAX_COMPANY,
    MIN_COMPANY,
    SCHEMES,
    Scheme,
    join,
    split,
)
from registry.schemes.gs1.fields import Element, reading_from, rejected
from registry.schemes.gs1.links import pairs_of
from registry.schemes.gs1.problems import describe
from registry.schemes.reading import CodeError, Part, Reading, Rejection

URI: Final = "epc-uri"
TAG_URI: Final = "epc-tag-uri"
RAW_URI: Final = "epc-raw-uri"
BINARY: Final = "epc-binary"
COMPANY_PREFIX: Final = "GCP"

_SHAPE: Final = re.compile(
    r"urn:epc:(?P<kind>id|tag|raw|idpat|class):(?P<rest>.*)", re.IGNORECASE | re.DOTALL
)
_RAW: Final = re.compile(r"(?P<bits>[1-9][0-9]{0,3})\.x(?P<hexadecimal>[0-9A-F]+)")
_HEXADECIMAL: Final = re.compile("[0-9A-Fa-f]+")
_COMPANY: Final = re.compile(f"[0-9]{{{MIN_COMPANY},{MAX_COMPANY}}}")
_ESCAPE: Final = re.compile("%([0-9A-Fa-f]{2})")
_SAFE: Final = "!'()*+,-.:;=_"
"""What an EPC URI writes as it is, besides letters and digits (§6.3); `.` only in the last
field, since it separates the others."""

_FOREIGN: Final = frozenset({"gid", "usdod", "adi", "bic", "imovn"})


def read_epc_uri(text: str) -> Reading:
    """Read any EPC URI of a GS1 key.

    Raises:
        CodeError: Not an EPC URI, a scheme that is none of GS1's keys, a field of the wrong
            length or with a wrong character, bits that make no EPC.
    """
    match = _SHAPE.fullmatch(text)
    if not match:
        expected = (
            "urn:epc:id:, urn:epc:tag:, urn:epc:class:, urn:epc:idpat: or urn:epc:raw:"
        )
        raise rejected(URI, "no EPC URI", 0, expected)
    kind, start = match["kind"].lower(), match.start("rest")
    if kind == "raw":
        return _read_raw(match["rest"], start)
    if kind == "tag":
        return _read_tag(match["rest"], start)
    return _read_identity(kind, match["rest"], start)


def _scheme_of(name: str, form: str, at: int) -> Scheme:
    scheme = SCHEMES.get(name.lower())
    if scheme:
        return scheme
    if name.lower() in _FOREIGN:
        reason = f"{name} is an EPC scheme without a GS1 key"
        raise rejected(form, reason, at, "a scheme of a GS1 key: " + ", ".join(SCHEMES))
    raise rejected(form, f"unknown EPC scheme {name!r}", at, ", ".join(SCHEMES))


def _read_identity(kind: str, rest: str, at: int) -> Reading:
    name, _, body = rest.partition(":")
    scheme = _scheme_of(name, URI, at)
    notes: tuple[str, ...] = ()
    at += len(name) + 1
    fields = _fields(scheme, body, at, URI)
    if kind == "idpat":
        if fields[-1] != "*" or scheme.fields < 3:
            reason, expected = "a pattern of more than the class", "….….*"
            raise rejected(URI, reason, at, expected)
        # In an identity, a serial number may well be an asterisk.
        fields, notes = (*fields[:-1], ""), ("any serial: the class",)
    return _reading(URI, scheme, fields, at, notes)


def _fields(scheme: Scheme, body: str, at: int, form: str) -> tuple[str, ...]:
    """Cut the dotted fields; the last may hold dots of its own."""
    raw = body.split(".", scheme.fields - 1)
    if len(raw) < scheme.fields:
        names = f"{scheme.fields} fields with dots between"
        raise rejected(form, f"{len(raw)} fields", at, names)
    return tuple(_unescaped(field, at, form) for field in raw)


def _unescaped(field: str, at: int, form: str) -> str:
    for character in field:
        if not character.isascii() or not character.isprintable():
            raise rejected(form, describe(character), at, "ASCII")
    if re.search("%(?![0-9A-Fa-f]{2})", field):
        raise rejected(form, "% without two hexadecimal digits", at, "%25 for a %")
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), field)


def _reading(
    form: str, scheme: Scheme, fields: tuple[str, ...], at: int, notes: tuple[str, ...]
) -> Reading:
    _check_company(form, scheme, fields, at)
    company = fields[0]
    elements = [Element(ai, value, at, at) for ai, value in join(scheme, fields)]
    reading = reading_from(form, elements, notes)
    title = f"{len(company)} digits"
    part = Part(COMPANY_PREFIX, company, "GS1 company prefix", title)
    return reading._replace(parts=(*reading.parts, part))


def _check_company(form: str, scheme: Scheme, fields: tuple[str, ...], at: int) -> None:
    company, reference = fields[:2]
    if not _COMPANY.fullmatch(company):
        expected = f"{MIN_COMPANY} to {MAX_COMPANY} digits"
        raise rejected(form, f"company prefix {company!r}", at, expected)
    if scheme.digits is None:
        return
    at += len(company) + 1
    wanted = scheme.digits - len(company)
    if len(reference) != wanted or not re.fullmatch("[0-9]*", reference):
        reason = (
            f"reference {reference!r} after a company prefix of {len(company)} digits"
        )
        raise rejected(form, reason, at, f"{wanted} digits")


def _read_tag(rest: str, at: int) -> Reading:
    name, _, body = rest.partition(":")
    encoding = epc_binary.ENCODINGS.get(name.lower())
    if encoding is None:
        expected = ", ".join(epc_binary.ENCODINGS)
        raise rejected(TAG_URI, f"unknown EPC encoding {name!r}", at, expected)
    at += len(name) + 1
    filter_value, _, fields_text = body.partition(".")
    if not re.fullmatch("[0-7]", filter_value):
        raise rejected(TAG_URI, f"filter value {filter_value!r}", at, "0 to 7")
    scheme = SCHEMES[encoding.scheme]
    fields = _fields(scheme, fields_text, at + 2, TAG_URI)
    return _reading(TAG_URI, scheme, fields, at + 2, (f"filter value {filter_value}",))


def _read_raw(rest: str, at: int) -> Reading:
    match = _RAW.fullmatch(rest)
    if not match:
        expected = "the number of bits, .x and upper-case hexadecimal digits"
        raise rejected(RAW_URI, "no raw EPC", at, expected)
    if int(match["bits"]) > len(match["hexadecimal"]) * 4:
        raise rejected(RAW_URI, f"fewer than {match['bits']} bits", at, "more digits")
    reading = read_epc_binary(match["hexadecimal"], at + match.start("hexadecimal"))
    return reading._replace(form=RAW_URI)


def is_epc_binary(text: str) -> bool:
    """Tell if a text could be the hexadecimal digits of an EPC memory bank."""
    return len(text) >= epc_binary.MIN_DIGITS and bool(_HEXADECIMAL.fullmatch(text))


def read_epc_binary(text: str, at: int = 0) -> Reading:
    """Read the hexadecimal digits of an EPC memory bank.

    Raises:
        CodeError: An unknown header, too few or too many bits, a field out of range.
    """
    try:
        decoded = epc_binary.decode(text)
    except epc_binary.BitsError as error:
        raise CodeError(
            Rejection("gs1", BINARY, error.reason, at + error.digit, error.expected)
        ) from error
    scheme = SCHEMES[decoded.encoding.scheme]
    notes = (f"{decoded.encoding.name}, filter value {decoded.filter_value}",)
    return _reading(BINARY, scheme, decoded.fields, at, notes)


# Writing.


def company_prefix_of(reading: Reading) -> str | None:
    """Give the company prefix of a reading that came from an EPC; others do not know it."""
    return next((p.value for p in reading.parts if p.key == COMPANY_PREFIX), None)


def _escaped(field: str, *, is_last: bool) -> str:
    return quote(field, safe=_SAFE if is_last else _SAFE.replace(".", ""))


def _dotted(fields: tuple[str, ...]) -> str:
    last = len(fields) - 1
    return ".".join(_escaped(f, is_last=at == last) for at, f in enumerate(fields))


def epc_fields(
    reading: Reading, company_digits: int
) -> tuple[Scheme, tuple[str, ...]] | None:
    """Find the scheme that holds a reading's key and serial; None when there is none."""
    pairs = pairs_of(reading)
    if not pairs:
        return None
    ais = {ai for ai, _value in pairs}
    for scheme in SCHEMES.values():
        if scheme.ai == pairs[0][0] and (
            scheme.serial in ais or scheme.serial in ("", "+", "254")
        ):
            fields = split(scheme, pairs, company_digits)
            if fields is not None and _COMPANY.fullmatch(fields[0]):
                return scheme, fields
    return None


def epc_uri(reading: Reading, company_digits: int) -> str | None:
    """Write a reading as a pure identity or class URI.

    `company_digits` is the length of the company prefix, 6 to 12. None when no scheme holds
    the code (a GTIN without serial or lot, a GRAI without serial).
    """
    found = epc_fields(reading, company_digits)
    if found is None:
        return None
    scheme, fields = found
    kind = "class" if scheme.name == "lgtin" else "id"
    return f"urn:epc:{kind}:{scheme.name}:{_dotted(fields)}"


def epc_hexadecimal(
    reading: Reading, company_digits: int, filter_value: int = 0
) -> str | None:
    """Write a reading as the bits of a tag, in the shortest encoding that holds it.

    None when none does: no EPC scheme, or a serial that no encoding takes.
    """
    encoded = _encode(reading, company_digits, filter_value)
    return encoded[1] if encoded else None


def epc_tag_uri(
    reading: Reading, company_digits: int, filter_value: int = 0
) -> str | None:
    """Write a reading as the URI of a tag in the shortest encoding; None as above."""
    encoded = _encode(reading, company_digits, filter_value)
    found = epc_fields(reading, company_digits)
    if encoded is None or found is None:
        return None
    return f"urn:epc:tag:{encoded[0].name}:{filter_value}.{_dotted(found[1])}"


def _encode(
    reading: Reading, company_digits: int, filter_value: int
) -> tuple[epc_binary.Encoding, str] | None:
    found = epc_fields(reading, company_digits)
    if found is None:
        return None
    for encoding in epc_binary.ENCODINGS.values():
        if encoding.scheme == found[0].name:
            digits = epc_binary.encode(encoding, found[1], filter_value)
            if digits is not None:
                return encoding, digits
    return None
