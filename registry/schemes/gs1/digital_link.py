"""GS1 Digital Link URIs: `https://id.example.cn/01/06901234567892/21/SN42?17=261231`.

GS1 Digital Link Standard: URI Syntax 1.6. The path ends in the primary key and its
qualifiers, in the order that belongs to the key; further application identifiers stand in
the query. Any host and any path before the key are allowed: the standard says so, and what
a code means does not depend on whose host it names.

Read, though the standard has dropped them, with a note: names instead of numbers
(`/gtin/`, dropped in 1.3), and a GTIN of 8, 12 or 13 digits (dropped in 1.4).
"""

import re
from typing import Final, NamedTuple

from registry.schemes.gs1.application_identifiers import TABLE
from registry.schemes.gs1.fields import Element, reading_from, rejected
from registry.schemes.gs1.pairs import KEYS
from registry.schemes.reading import CodeError, Reading

FORM: Final = "digital-link"
COMPRESSED: Final = "compressed-digital-link"

_URI: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[^/?#\s]+)(?P<path>/[^?#\s]*)?"
    r"(?:\?(?P<query>[^#\s]*))?(?:#(?P<fragment>\S*))?",
    re.IGNORECASE,
)
_NAMES: Final = {
    "gtin": "01",
    "itip": "8006",
    "gmn": "8013",
    "cpid": "8010",
    "gln": "414",
    "payTo": "415",
    "gsrnp": "8017",
    "gsrn": "8018",
    "gcn": "255",
    "sscc": "00",
    "gdti": "253",
    "ginc": "401",
    "gsin": "402",
    "grai": "8003",
    "giai": "8004",
    "party": "417",
    "shipTo": "410",
    "billTo": "411",
    "purchasedFrom": "412",
    "shipFor": "413",
    "cpv": "22",
    "lot": "10",
    "ser": "21",
    "cpsn": "8011",
    "glnx": "254",
    "refno": "8020",
    "srin": "8019",
}
"""Names that stood for application identifiers before URI Syntax 1.3."""

_GTIN_LENGTHS: Final = (8, 12, 13)


class Segment(NamedTuple):
    """A piece of a path between slashes, and where it begins in the URI."""

    text: str
    at: int


class Address(NamedTuple):
    """A web address, cut but not judged: the pieces of its path, its query's pairs."""

    segments: tuple[Segment, ...]
    pairs: tuple[tuple[Segment, Segment], ...]


def read_uri(text: str) -> Reading:
    """Read an uncompressed Digital Link URI.

    Raises:
        CodeError: Not an http or https URI, no primary key in the path, a qualifier that
            is not the key's or out of order, a value that is wrong, a numeric query key
            that is no application identifier.
    """
    address = cut(text)
    start = _key_index(address.segments)
    if start is None:
        raise _no_key(address.segments, len(text))
    notes: list[str] = []
    elements = path_elements(address.segments[start:], notes)
    elements += query_elements(address.pairs)
    return reading_from(FORM, elements, tuple(notes))


def cut(text: str) -> Address:
    """Cut a web address into the pieces of its path and its query.

    Raises:
        CodeError: Not an http or https URI, or a space in it.
    """
    match = _URI.fullmatch(text)
    if match:
        segments = split_path(match["path"] or "", max(match.start("path"), 0))
        return Address(segments, _query_pairs(match))
    if not re.match("https?://", text, re.IGNORECASE):
        raise rejected(FORM, "no web address", 0, "http:// or https://")
    space = re.search(r"\s", text)
    if space:
        raise rejected(FORM, "a space in a web address", space.start(), "%20")
    raise rejected(FORM, "no host", text.index("//") + 2, "a host after //")


def split_path(path: str, at: int = 0) -> tuple[Segment, ...]:
    """Cut a path at its slashes; a slash at the end is tolerated (resolver standard)."""
    segments = []
    for piece in path.split("/"):
        segments.append(Segment(piece, at))
        at += len(piece) + 1
    del segments[:1]
    if segments and not segments[-1].text:
        del segments[-1:]
    return tuple(segments)


def _numeric(name: str) -> str:
    return _NAMES.get(name, name)


def _key_index(segments: tuple[Segment, ...]) -> int | None:
    """Find the primary key from the right: two pieces a step."""
    for start in range(len(segments) - 2, -1, -2):
        if _numeric(segments[start].text) in KEYS:
            return start
    return None


def _no_key(segments: tuple[Segment, ...], end: int) -> CodeError:
    expected = "/01/ and a GTIN, or another primary key"
    for index, segment in enumerate(segments):
        if _numeric(segment.text) in KEYS:
            odd = segments[-1]
            if index == len(segments) - 1:
                return rejected(
                    FORM, f"/{segment.text}/ without a value", end, "a value"
                )
            reason = f"{odd.text!r} has no value after it"
            return rejected(FORM, reason, odd.at, "/AI/value pairs to the end")
    at = segments[0].at if segments else end
    return rejected(FORM, "no GS1 key in the path", at, expected)


def path_elements(segments: tuple[Segment, ...], notes: list[str]) -> list[Element]:
    """Take key and qualifiers of an even number of pieces; add to `notes` what is odd.

    Raises:
        CodeError: No application identifier, or a qualifier that does not follow.
    """
    elements = []
    for name, value in zip(segments[::2], segments[1::2], strict=True):
        ai = _numeric(name.text)
        if ai != name.text:
            notes.append(
                f"/{name.text}/ means ({ai}): dropped from the standard in 1.3"
            )
        if ai not in TABLE:
            reason = f"{name.text!r} is no application identifier"
            raise rejected(FORM, reason, name.at, "a qualifier of the key, as digits")
        elements.append(_element(ai, name, value, notes))
    _check_qualifiers(segments, [element.ai for element in elements])
    return elements


def _element(ai: str, name: Segment, value: Segment, notes: list[str]) -> Element:
    text = percent_decode(value)
    if ai == "01" and text.isdecimal() and len(text) in _GTIN_LENGTHS:
        notes.append(f"GTIN of {len(text)} digits: the standard wants 14 since 1.4")
        padding = 14 - len(text)
        return Element(ai, "0" * padding + text, name.at, value.at - padding)
    return Element(ai, text, name.at, value.at)


def percent_decode(segment: Segment) -> str:
    """Decode %XX; UTF-8 outside ASCII stays visible for the message that rejects it.

    Raises:
        CodeError: A % without two hexadecimal digits, or octets that are not UTF-8.
    """
    if "%" not in segment.text:
        return segment.text
    bad = re.search("%(?![0-9A-Fa-f]{2})", segment.text)
    if bad:
        at = segment.at + bad.start()
        raise rejected(FORM, "% without two hexadecimal digits", at, "%25 for a %")
    octets = re.sub(
        rb"%([0-9A-Fa-f]{2})",
        lambda found: bytes.fromhex(found[1].decode()),
        segment.text.encode(),
    )
    try:
        return octets.decode()
    except UnicodeDecodeError as error:
        raise rejected(
            FORM, "percent-encoded octets are not UTF-8", segment.at, "UTF-8"
        ) from error


def _check_qualifiers(segments: tuple[Segment, ...], ais: list[str]) -> None:
    key, *qualifiers = ais
    for sequence in KEYS[key] or ((),):
        if _is_in_order(qualifiers, sequence):
            return
    allowed = " or ".join(
        "".join(f"/{ai}/…" for ai in sequence) for sequence in KEYS[key] if sequence
    )
    expected = f"of {allowed}, in this order, any left out" if allowed else "none"
    for place, ai in enumerate(qualifiers):
        if not any(_is_in_order(qualifiers[: place + 1], s) for s in KEYS[key]):
            reason = f"({ai}) {TABLE[ai].title} does not follow here after ({key})"
            raise rejected(FORM, reason, segments[2 * place + 2].at, expected)


def _is_in_order(qualifiers: list[str], sequence: tuple[str, ...]) -> bool:
    rest = iter(sequence)
    return all(ai in rest for ai in qualifiers)


def _query_pairs(match: re.Match[str]) -> tuple[tuple[Segment, Segment], ...]:
    at = match.start("query")
    pairs = []
    for piece in re.split("[&;]", match["query"] or ""):
        key, _, value = piece.partition("=")
        if piece:
            pairs.append((Segment(key, at), Segment(value, at + len(key) + 1)))
        at += len(piece) + 1
    return tuple(pairs)


def query_elements(pairs: tuple[tuple[Segment, Segment], ...]) -> list[Element]:
    """Take the application identifiers of a query; other keys are the resolver's.

    Raises:
        CodeError: A key of digits alone that is no application identifier.
    """
    elements = []
    for key, value in pairs:
        if not (key.text.isascii() and key.text.isdecimal()):
            continue
        if key.text not in TABLE:
            reason = f"query key {key.text!r} is no application identifier"
            raise rejected(FORM, reason, key.at, "no digits alone as other keys")
        elements.append(Element(key.text, percent_decode(value), key.at, value.at))
    return elements
