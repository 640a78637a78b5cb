"""Reads Digital Link URIs of both kinds: plain, compressed, and with only the rest compressed.

GS1 Digital Link Standard: Compression 1.x: `https://host/AQnYUc1gmiERBhQ0ytiyZuAGOLc1TQ`,
or `https://host/01/05412345000013/EQYU...` with the key left readable. A URI is read as a
plain one first; only when no key stands in its path is its last piece taken for a word.
"""

import re
from typing import Final

from registry.schemes.gs1.compression import decompress
from registry.schemes.gs1.digital_link import (
    COMPRESSED,
    Address,
    cut,
    path_elements,
    query_elements,
    read_uri,
)
from registry.schemes.gs1.fields import Element, part_of, reading_from, rejected
from registry.schemes.gs1.pairs import KEYS
from registry.schemes.reading import CodeError, Reading

_WORD: Final = re.compile("[-0-9A-Z_a-z]+")
_LEAST_CHARACTERS: Final = 4
"""A shorter word alone holds no key: nothing to try."""


def read_link(text: str) -> tuple[Reading, ...]:
    """Read a Digital Link URI of any kind.

    Two readings only where a word can be understood in both orders of a disputed shorthand
    (see ``compression``), which is rare.

    Raises:
        CodeError: The reasons against both kinds.
    """
    try:
        return (read_uri(text),)
    except CodeError as plain:
        address = cut(text)
        if not _may_be_compressed(address):
            raise
        try:
            return read_compressed(text, address)
        except CodeError as compressed:
            raise CodeError(*plain.rejections, *compressed.rejections) from plain


def _may_be_compressed(address: Address) -> bool:
    segments = address.segments
    if not segments or not _WORD.fullmatch(segments[-1].text):
        return False
    if len(segments) > 2 and segments[-3].text in KEYS:
        return True
    return len(segments[-1].text) >= _LEAST_CHARACTERS


def read_compressed(text: str, address: Address | None = None) -> tuple[Reading, ...]:
    """Read a URI whose last piece is a compressed word.

    Raises:
        CodeError: The word is none, or what it holds is wrong.
    """
    address = address or cut(text)
    readings: dict[str, Reading] = {}
    errors: list[CodeError] = []
    for by_digits in (False, True):
        try:
            reading = _read_word(address, by_digits=by_digits)
        except CodeError as error:
            errors.append(error)
        else:
            readings.setdefault(reading.code, reading)
    if not readings:
        raise errors[0]
    return tuple(readings.values())


def _read_word(address: Address, *, by_digits: bool) -> Reading:
    word = address.segments[-1]
    notes: list[str] = []
    held = decompress(word.text, word.at, by_digits=by_digits)
    elements = [Element(ai, value, word.at, word.at) for ai, value in held.pairs]
    for element in elements:
        _check_inside(element)
    before = address.segments[:-1]
    if len(before) >= 2 and before[-2].text in KEYS:
        elements = path_elements(before[-2:], notes) + elements
    elements += query_elements(address.pairs)
    reading = reading_from(COMPRESSED, elements, tuple(notes))
    if not any(part.key in KEYS for part in reading.parts):
        raise rejected(
            COMPRESSED, "no primary key in the word", word.at, "(01), (00), ..."
        )
    return reading


def _check_inside(element: Element) -> None:
    """Check a value of the word; a place inside the value is none inside the word."""
    try:
        part_of(COMPRESSED, element)
    except CodeError as error:
        rejections = (r._replace(position=element.ai_at) for r in error.rejections)
        raise CodeError(*rejections) from error
