"""Element strings: `(01)06901234567892(10)LOT7`, and the same as a scanner sends it.

GS1 General Specifications §7.8. With brackets, each application identifier stands in round
brackets (the human readable form, §4.15). Without, a value of variable length ends at FNC1,
which a scanner sends as ASCII 29; a value of predefined length ends by itself.

Two paths, one behaviour: the fast one takes what is right in one pass and gives up on the
first doubt; the careful one then finds the elements with their positions, and the words.
"""

import re
from typing import Final

from registry.schemes.gs1.application_identifiers import LENGTHS, SEPARATOR, TABLE
from registry.schemes.gs1.fields import (
    ESCAPED_BRACKET,
    FIELDS,
    SCHEME,
    Element,
    new,
    reading_from,
    reading_of,
    rejected,
    unknown_identifier,
)
from registry.schemes.gs1.pairs import shape_of
from registry.schemes.gs1.problems import describe
from registry.schemes.reading import Part, Reading

BRACKETED: Final = "bracketed"
PLAIN: Final = "element-string"

_FIXED: Final = {
    ai: entry.most
    for ai, entry in TABLE.items()
    if entry.is_predefined and entry.least == entry.most
}
_BRACKETED_IDENTIFIER: Final = re.compile(r"\(([^()]*)\)")
_KNOWN_IDENTIFIER: Final = re.compile(r"(?<!\\)\(([0-9]{2,4})\)")
_SPACE_AT_BRACKET: Final = re.compile(r"\s+(?=\()|(?<=\))\s+")


def read_bracketed(text: str) -> Reading:
    """Read an element string with brackets.

    Raises:
        CodeError: With the first character that is wrong.
    """
    parts = []
    ais = []
    pieces = text.split("(")
    del pieces[0]
    for piece in pieces:
        ai, _, value = piece.partition(")")
        field = FIELDS.get(ai)
        if field is None:
            break
        note = field[1](value)
        if note is None:
            break
        ais.append(ai)
        parts.append(new(Part, (ai, value, field[0], note)))
    else:
        shape = shape_of(tuple(ais))
        if not shape.forbidden and len(set(ais)) == len(ais) and ais and text[0] == "(":
            if shape.order is None:
                return new(
                    Reading, (SCHEME, BRACKETED, text, tuple(parts), shape.notes)
                )
            return reading_of(BRACKETED, parts, shape)
    return _read_bracketed_carefully(text)


def _read_bracketed_carefully(text: str) -> Reading:
    if SEPARATOR in text:
        reason = "mixed separators: brackets and FNC1 in one text"
        expected = "brackets around each application identifier, or FNC1 after values"
        raise rejected(BRACKETED, reason, text.index(SEPARATOR), expected)
    spaces = tuple(_SPACE_AT_BRACKET.finditer(text))
    if spaces:
        return _without_spaces(text, spaces)
    return reading_from(BRACKETED, _bracketed_elements(text))


def _without_spaces(text: str, spaces: tuple[re.Match[str], ...]) -> Reading:
    """Read a text with spaces at its brackets, as people print them; positions stay."""
    kept = [
        at
        for at in range(len(text))
        if not any(s.start() <= at < s.end() for s in spaces)
    ]
    bare = "".join(text[at] for at in kept)
    elements = _bracketed_elements(bare)
    places = [*kept, len(text)]
    for element in elements:
        element.ai_at = places[element.ai_at]
        element.value_at = places[element.value_at]
    return reading_from(BRACKETED, elements, ("spaces at the brackets left out",))


def _bracketed_elements(text: str) -> list[Element]:
    """Split at the brackets that hold a known identifier: values may hold brackets too.

    One that holds another identifier in its value is written with a backslash before it.
    """
    marks = [m for m in _KNOWN_IDENTIFIER.finditer(text) if m[1] in TABLE]
    if not marks or marks[0].start() != 0:
        raise _no_first_identifier(text)
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    elements = []
    for mark, end in zip(marks, ends, strict=True):
        value = text[mark.end() : end]
        if ESCAPED_BRACKET in value:
            value = value.replace(ESCAPED_BRACKET, "(")
        else:
            _check_inner_brackets(mark[1], value, mark.end())
        elements.append(Element(mark[1], value, mark.start() + 1, mark.end()))
    return elements


def _check_inner_brackets(ai: str, value: str, start: int) -> None:
    """Name an unknown identifier in brackets rather than the value it makes too long."""
    inner = _BRACKETED_IDENTIFIER.search(value)
    if inner and not TABLE[ai].pattern.fullmatch(value):
        raise unknown_identifier(BRACKETED, inner[1], start + inner.start() + 1)
    if "(" in value and not inner and not TABLE[ai].pattern.fullmatch(value):
        at = start + value.index("(")
        raise rejected(BRACKETED, "a bracket is not closed", at, "(NN)")


def _no_first_identifier(text: str) -> Exception:
    mark = _BRACKETED_IDENTIFIER.match(text)
    if mark and mark[1]:
        return unknown_identifier(BRACKETED, mark[1], 1)
    if mark:
        return rejected(
            BRACKETED, "nothing in the brackets", 1, "an application identifier"
        )
    if text.startswith("("):
        return rejected(BRACKETED, "a bracket is not closed", 0, "(NN)")
    expected = "an application identifier in brackets"
    return rejected(BRACKETED, f"{describe(text[0])} at the start", 0, expected)


def read_plain(text: str) -> Reading:
    """Read an element string as a scanner sends it: no brackets, FNC1 as ASCII 29.

    Raises:
        CodeError: With the first character that is wrong.
    """
    parts = []
    ais = []
    at, end = 0, len(text)
    while at < end:
        ai = text[at : at + LENGTHS.get(text[at : at + 2], 0)]
        field = FIELDS.get(ai)
        if field is None:
            break
        at += len(ai)
        fixed = field[2]
        stop = at + fixed if fixed else text.find(SEPARATOR, at)
        if stop < 0:
            stop = end
        value = text[at:stop]
        note = field[1](value)
        if note is None:
            break
        ais.append(ai)
        parts.append(new(Part, (ai, value, field[0], note)))
        at = stop if fixed else stop + 1
    else:
        shape = shape_of(tuple(ais))
        if not shape.forbidden and len(set(ais)) == len(ais) and at <= end + 1 and ais:
            return reading_of(PLAIN, parts, shape)
    return _read_plain_carefully(text)


def _read_plain_carefully(text: str) -> Reading:
    elements: list[Element] = []
    notes: tuple[str, ...] = ()
    at = 0
    if text.startswith(SEPARATOR):
        at, notes = 1, ("FNC1 at the start left out",)
    while at < len(text):
        element, at, note = _next_element(text, at)
        elements.append(element)
        notes += note
    if not elements:
        raise rejected(PLAIN, "nothing", 0, "an application identifier")
    return reading_from(PLAIN, elements, notes)


def _next_element(text: str, at: int) -> tuple[Element, int, tuple[str, ...]]:
    ai = text[at : at + LENGTHS.get(text[at : at + 2], 2)]
    if ai not in TABLE:
        raise _no_identifier(text, at, ai)
    start = at + len(ai)
    stop = text.find(SEPARATOR, start)
    stop = len(text) if stop < 0 else stop
    if ai not in _FIXED:
        return Element(ai, text[start:stop], at, start), stop + 1, ()
    fixed = start + _FIXED[ai]
    element = Element(ai, text[start : min(fixed, stop)], at, start)
    if stop == fixed < len(text):
        return element, fixed + 1, (f"FNC1 after ({ai}), which needs none",)
    return element, min(fixed, stop), ()


def _no_identifier(text: str, at: int, ai: str) -> Exception:
    if ai.isascii() and ai.isdigit() and len(ai) > 1:
        return unknown_identifier(PLAIN, ai, at)
    bad = next((n for n, c in enumerate(ai) if c not in "0123456789"), len(ai))
    if text[at + bad : at + bad + 1] == "(":
        reason = "mixed separators: a bracket after an element string without"
        raise rejected(PLAIN, reason, at + bad, "brackets everywhere, or FNC1 and none")
    what = describe(text[at + bad]) if at + bad < len(text) else "the end"
    expected = "an application identifier (2 to 4 digits)"
    return rejected(PLAIN, f"{what} in place of a digit", at + bad, expected)


def pairs_in_symbol_order(
    pairs: tuple[tuple[str, str], ...],
) -> tuple[tuple[str, str], ...]:
    """Put values of predefined length first, so that fewer separators are needed."""
    return tuple(sorted(pairs, key=lambda pair: pair[0] not in _FIXED))


def plain(pairs: tuple[tuple[str, str], ...]) -> str:
    """Write application identifiers and values as a symbol holds them, without brackets."""
    ordered = pairs_in_symbol_order(pairs)
    text = ""
    for index, (ai, value) in enumerate(ordered):
        is_open = ai not in _FIXED and index + 1 < len(ordered)
        text += ai + value + (SEPARATOR if is_open else "")
    return text
