"""From application identifiers and values to a reading: the part all forms share.

``FIELDS`` is what the fast parsers look up: for each application identifier its title and
the function that gives a value's note, or None when something is wrong; ``reading_of`` puts
the parts in canonical order and judges the pairs.

The canonical code is the bracketed element string with the primary key first, then its
qualifiers as Digital Link orders them, then the rest by application identifier (emulator
convention: no standard names one spelling among all forms). An opening bracket inside a
value has a backslash before it, so that two codes never share a spelling.
"""

from collections.abc import Callable, Iterable
from typing import Final

from registry.schemes.gs1.application_identifiers import TABLE
from registry.schemes.gs1.content import acceptor, examine
from registry.schemes.gs1.pairs import Shape, shape_of
from registry.schemes.gs1.problems import Problem
from registry.schemes.reading import CodeError, Part, Reading, Rejection

SCHEME: Final = "gs1"
ESCAPED_BRACKET: Final = "\\("

FIELDS: Final[dict[str, tuple[str, Callable[[str], str | None], int]]] = {
    ai: (entry.title, acceptor(entry), entry.most if entry.is_predefined else 0)
    for ai, entry in TABLE.items()
}
"""Title, acceptor and predefined length (0 for none) by application identifier."""

new = tuple.__new__
"""Makes a NamedTuple from a tuple: half the price of calling its class."""


class Element:
    """One application identifier with its value, and where the text had them."""

    __slots__ = ("ai", "ai_at", "value", "value_at")

    def __init__(self, ai: str, value: str, ai_at: int, value_at: int) -> None:
        """Keep all four; positions are 0-based characters of the text."""
        self.ai, self.value, self.ai_at, self.value_at = ai, value, ai_at, value_at


def rejected(form: str, reason: str, position: int | None, expected: str) -> CodeError:
    """Make the error of a text that is no GS1 code."""
    return CodeError(Rejection(SCHEME, form, reason, position, expected))


def part_of(form: str, element: Element) -> Part:
    """Check one element.

    Raises:
        CodeError: The application identifier is unknown or the value is wrong.
    """
    entry = TABLE.get(element.ai)
    if entry is None:
        raise unknown_identifier(form, element.ai, element.ai_at)
    note = examine(entry, element.value)
    if isinstance(note, Problem):
        raise rejected(form, note.reason, element.value_at + note.offset, note.expected)
    return Part(element.ai, element.value, entry.title, note)


def unknown_identifier(form: str, ai: str, position: int) -> CodeError:
    """Say that no application identifier is spelt so."""
    near = sorted(known for known in TABLE if len(ai) > 1 and known[:2] == ai[:2])[:4]
    expected = "one of the GS1 General Specifications"
    if near:
        expected += f" ({', '.join(near)}, ... begin like it)"
    return rejected(form, f"unknown application identifier {ai!r}", position, expected)


def reading_from(
    form: str, elements: Iterable[Element], notes: tuple[str, ...] = ()
) -> Reading:
    """Check elements one by one and together; repeated ones must agree.

    Raises:
        CodeError: A value is wrong, one identifier has two values, a pair is forbidden.
    """
    seen: dict[str, Element] = {}
    parts = []
    for element in elements:
        first = seen.setdefault(element.ai, element)
        if first is element:
            parts.append(part_of(form, element))
        elif first.value != element.value:
            reason = f"({element.ai}) has two values, {first.value} and {element.value}"
            raise rejected(form, reason, element.ai_at, "one value")
        else:
            notes = (*notes, f"({element.ai}) stands twice with the same value")
    shape = shape_of(tuple(seen))
    if shape.forbidden:
        raise _forbidden(form, shape.forbidden, seen)
    return reading_of(form, parts, shape, notes)


def _forbidden(form: str, pair: tuple[str, str], seen: dict[str, Element]) -> CodeError:
    one, other = pair
    later = max(pair, key=lambda ai: seen[ai].ai_at)
    reason = f"({one}) {TABLE[one].title} must not stand beside ({other})"
    reason += f" {TABLE[other].title}"
    expected = "only one of the two (GS1 General Specifications §4.13)"
    return rejected(form, reason, seen[later].ai_at, expected)


def bracketed(pairs: tuple[tuple[str, str], ...]) -> str:
    """Write application identifiers and values with brackets.

    A bracket that opens inside a value would look like the next identifier's: it gets a
    backslash, as in GS1's Barcode Syntax Engine.
    """
    return "".join(
        f"({ai}){value.replace('(', ESCAPED_BRACKET)}" for ai, value in pairs
    )


def reading_of(
    form: str, parts: list[Part], shape: Shape, notes: tuple[str, ...] = ()
) -> Reading:
    """Make the reading of checked parts in canonical order."""
    if shape.order is not None:
        parts = [parts[at] for at in shape.order]
    code = "".join([f"({part[0]}){part[1]}" for part in parts])
    if code.count("(") != len(parts):
        code = bracketed(tuple((part.key, part.value) for part in parts))
    notes = notes + shape.notes if notes else shape.notes
    return new(Reading, (SCHEME, form, code, tuple(parts), notes))
