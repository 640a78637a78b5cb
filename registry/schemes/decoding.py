"""What a code may be: every scheme is asked, and every reading kept.

A text often reads in several ways: thirteen digits are a GTIN and a GLN, and from their
first digits an Ecode, too. All readings are given, the best first, and nobody guesses;
why the other schemes do not take it is worked out when somebody asks.

What is normalised is said in `changes`: spaces around the text, and full-width characters
(U+FF01 to U+FF5E, U+3000), which input methods make of ASCII. Nothing else is replaced:
a letter that only looks right is named and left. Emulator convention.
"""

import functools
import re
import unicodedata
from collections.abc import Callable, Sequence

from registry.schemes import company, did, ecode, gs1, handle, oid, vaa
from registry.schemes.mishaps import mishaps
from registry.schemes.reading import CodeError, Decoded, Reading, Rejection
from registry.schemes.rules import Rule

MAX_CHARACTERS = 2048

_GS1_STARTS = frozenset("0123456789(]\x1d")
_ECODE_STARTS = frozenset("1234")

_Read = Callable[[str], tuple[Reading, ...]]

_SCHEMES: tuple[_Read, ...] = (
    gs1.read,
    handle.read,
    vaa.read,
    oid.read,
    ecode.read,
    did.read,
)
"""Best first: what has check digits, then the tree's own names."""

_IDENTIFIER = re.compile(r"[3-9][0-9]{1,5}(?:\.[0-9]{1,20}){1,6}/[!-~]*[!-~]\Z")
"""Numbers with dots and a slash; a number below 3 may begin an Ecode or an OID."""

_new = tuple.__new__

_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}

_LOOK_ALIKES = str.maketrans(
    "АВЕКМНОРСТУХаеорсухіІЅѕјЈΑΒΕΖΗΙΚΜΝΟΡΤΥΧοΟ‐‑‒–—−⁄∕․",  # noqa: RUF001 (on purpose)
    "ABEKMHOPCTYXaeopcyxiISsjJABEZHIKMNOPTYXoO------//.",
)
"""Cyrillic, Greek and typographic characters, and the ASCII that they look like."""


def decode(text: str, company_rules: Sequence[Rule] = ()) -> Decoded:
    """Say what a text may be; one that is no code has no readings, and says why.

    Args:
        text: As it was typed or scanned; up to 2 048 characters.
        company_rules: Rules of the enterprise whose own codes may come.
    """
    start = text[:1]
    if start not in _GS1_STARTS or company_rules or len(text) > MAX_CHARACTERS:
        return _decode(text, company_rules)
    # Most codes by far: GTINs and element strings, which besides Ecode and company rules
    # no other scheme can take unless there is a dot or slash; and identifiers, which
    # no other scheme but VAA can.
    try:
        if start == "(" or ("/" not in text and "." not in text and text.isascii()):
            readings = gs1.read(text)
        elif _IDENTIFIER.match(text):
            readings = handle.read(text) + _read(vaa.read, text)
        else:
            return _decode(text, company_rules)
    except CodeError:
        return _decode(text, company_rules)
    if start in _ECODE_STARTS:
        readings += _read(ecode.read, text)
    return _new(Decoded, (text, (), readings, _explain))


def _decode(text: str, rules: Sequence[Rule]) -> Decoded:
    if len(text) > MAX_CHARACTERS:
        return Decoded(text, (), (), _explain)
    explain = functools.partial(_explain, rules=tuple(rules)) if rules else _explain
    stripped = text.strip(" \t\r\n\u3000\ufeff")
    spaces = ("spaces around it removed",) if stripped != text else ()
    readings = _readings(stripped, rules)
    if readings or stripped.isascii():
        return Decoded(text, spaces, readings, explain)
    # An identifier may have full-width characters of its own, so it was tried as it is.
    narrow = stripped.translate(_FULL_WIDTH)
    if narrow == stripped:
        return Decoded(text, spaces, (), explain)
    changes = (*spaces, "full-width characters made ASCII")
    return Decoded(text, changes, _readings(narrow, rules), explain)


def _readings(text: str, rules: Sequence[Rule]) -> tuple[Reading, ...]:
    found: list[Reading] = []
    if rules:
        found += _read(functools.partial(company.read, rules=rules), text)
    for read in _SCHEMES:
        found += _read(read, text)
    return tuple(found)


def _read(read: _Read, text: str) -> tuple[Reading, ...]:
    try:
        return read(text)
    except CodeError:
        return ()


def _explain(text: str, rules: Sequence[Rule] = ()) -> tuple[Rejection, ...]:
    """Say why a text is no code of each scheme that does not take it; likeliest first."""
    if len(text) > MAX_CHARACTERS:
        reason = f"{len(text)} characters"
        expected = f"at most {MAX_CHARACTERS}"
        return (Rejection("any", "code", reason, MAX_CHARACTERS, expected),)
    stripped = text.strip(" \t\r\n\u3000\ufeff")
    if not stripped:
        return (Rejection("any", "code", "nothing there", None, "a code"),)
    offset = text.index(stripped[0])
    rejections = _rejections(stripped, rules)
    narrow = stripped.translate(_FULL_WIDTH)
    if narrow != stripped and not _readings(stripped, rules):
        rejections = _rejections(narrow, rules)
    named = [*mishaps(narrow), *_look_alikes(narrow), *rejections]
    if not offset:
        return tuple(named)
    return tuple(
        r if r.position is None else r._replace(position=r.position + offset)
        for r in named
    )


def _rejections(text: str, rules: Sequence[Rule]) -> list[Rejection]:
    found: list[Rejection] = []
    readers = _SCHEMES
    if rules:
        readers = (functools.partial(company.read, rules=rules), *_SCHEMES)
    for read in readers:
        try:
            read(text)
        except CodeError as error:
            found += error.rejections
    # Who came furthest into the text probably knows best what it should be.
    found.sort(key=lambda rejection: -(rejection.position or 0))
    return found


def _look_alikes(text: str) -> list[Rejection]:
    found: list[Rejection] = []
    if text.isascii():
        return found
    for position, (character, ascii_one) in enumerate(
        zip(text, text.translate(_LOOK_ALIKES), strict=True)
    ):
        if character != ascii_one:
            name = unicodedata.name(character, f"U+{ord(character):04X}")
            reason = f"{character!r} ({name}) looks like {ascii_one!r}"
            expected = f"{ascii_one!r} ({unicodedata.name(ascii_one)})"
            found.append(Rejection("any", "look-alike", reason, position, expected))
    return found
