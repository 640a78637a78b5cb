"""Rules by which an enterprise says how its codes become identifiers.

Emulator convention. A rule is the data of one `CODE.RULE` value, `PATTERN -> TEMPLATE`:

    gs1 01 21 -> 88.100.1/SN{21}
    oid 2.999.100.1.{serial:1-8d} -> 88.100.1/OID{serial}
    ecode 11001{item:1-20d} -> 88.100.1/E{item}
    code HC-{year:4d}-{serial:1-6d} -> 88.118.7/{year}/{serial}

A `gs1` rule names the application identifiers that a level has, exactly these. The others
are literal text and fields `{NAME:MIN-MAXKIND}` or `{NAME:WIDTHKIND}`, of the kinds `d`
(digits), `a` (ASCII letters) and `n` (digits and letters), matched against the whole
canonical code. No regular expressions: what comes from the network must not decide how
long matching takes. After a field of variable width only something that cannot continue
it is allowed, so a code matches in one way and without going back.

`{NAME}` in the template stands for the value of a field or application identifier.
"""

import functools
import itertools
import re
import string
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from registry.errors import InvalidIdentifierError, InvalidValueError
from registry.model.identifier import canonical
from registry.model.value import Value
from registry.schemes.mapping import RULE_TYPE

MAX_RULE_CHARACTERS = 1024
MAX_FIELDS = 16
MAX_FIELD_CHARACTERS = 90
"""Widest field: the longest value of a GS1 application identifier."""

MAX_RULES = 64
"""Rules of one record that are read; those after it are ignored."""

_KINDS = {
    "d": frozenset(string.digits),
    "a": frozenset(string.ascii_letters),
    "n": frozenset(string.digits + string.ascii_letters),
}
_KIND_NAMES = {"d": "digits", "a": "letters", "n": "digits or letters"}
_SCHEMES = ("gs1", "oid", "ecode", "code")
# Both run over the text of a rule, bounded above, and neither can go back far.
_FIELD = re.compile(
    r"\{([A-Za-z][A-Za-z0-9_]{0,31}):([0-9]{1,2})(?:-([0-9]{1,2}))?([dan])\}"
)
_PLACE = re.compile(r"\{([A-Za-z0-9_]{1,32})\}")
_APPLICATION_IDENTIFIER = re.compile(r"[0-9]{2,4}")


class Field(NamedTuple):
    """A named part of a code: `shortest` to `longest` characters of a kind."""

    name: str
    shortest: int
    longest: int
    kind: str


class Mismatch(NamedTuple):
    """Why a code does not follow a rule: where, and what was expected there."""

    position: int
    expected: str


class Rule(NamedTuple):
    """One rule: how codes of a scheme become identifiers."""

    scheme: str
    """gs1, oid, ecode or code (an enterprise's own)."""

    keys: frozenset[str]
    """Application identifiers that a gs1 level must have; empty for the others."""

    pattern: tuple[str | Field, ...]
    """Literal text and fields; empty for gs1."""

    template: tuple[str, ...]
    """Literal text at even, names at odd positions."""

    text: str
    """The rule as it was declared."""


@functools.lru_cache(maxsize=1024)
def read_rule(text: str) -> Rule:
    """Read one rule.

    Raises:
        InvalidValueError: It is none; says what was expected.
    """
    if len(text) > MAX_RULE_CHARACTERS:
        raise _invalid(text, f"at most {MAX_RULE_CHARACTERS} characters")
    left, arrow, right = text.partition(" -> ")
    scheme, _, rest = left.strip().partition(" ")
    if not arrow or not right.strip() or scheme not in _SCHEMES or not rest.strip():
        raise _invalid(text, f"SCHEME PATTERN -> TEMPLATE with {', '.join(_SCHEMES)}")
    keys: frozenset[str] = frozenset()
    pattern: tuple[str | Field, ...] = ()
    if scheme == "gs1":
        keys = _keys(text, rest.split())
    else:
        pattern = _pattern(text, rest.strip())
    names = keys or {piece.name for piece in pattern if isinstance(piece, Field)}
    template = tuple(_PLACE.split(right.strip()))
    _check_template(text, template, names)
    return Rule(scheme, keys, pattern, template, text)


@functools.lru_cache(maxsize=256)
def rules_in(values: tuple[Value, ...]) -> tuple[Rule, ...]:
    """Read the rules of a record, in the order of their indexes.

    A value that is no rule is left out: who wrote it was told so when it was used first,
    and the enterprise's other rules still hold.
    """
    rules = []
    for value in sorted(values, key=lambda value: value.index)[:MAX_RULES]:
        if value.type.upper() == RULE_TYPE:
            try:
                rules.append(read_rule(value.text))
            except InvalidValueError:
                continue
    return tuple(rules)


def match_level(rule: Rule, values: Mapping[str, str]) -> str | None:
    """Give the identifier of a GS1 level; None when the rule is not for it."""
    if rule.scheme != "gs1" or rule.keys != values.keys():
        return None
    return filled(rule, values)


def match_code(rule: Rule, code: str) -> dict[str, str] | Mismatch:
    """Give the fields of a code that follows the rule, or where it stops doing so."""
    fields: dict[str, str] = {}
    position = 0
    for piece in rule.pattern:
        if isinstance(piece, str):
            if not code.startswith(piece, position):
                return _literal_mismatch(piece, code, position)
            position += len(piece)
            continue
        end = _run_end(piece, code, position)
        if end - position < piece.shortest:
            return Mismatch(end, _expected(piece))
        fields[piece.name] = code[position:end]
        position = end
    if position < len(code):
        return Mismatch(position, "the end of the code")
    return fields


def identifier_of(rule: Rule, code: str) -> str | None:
    """Give the identifier of a code; None when it does not follow the rule."""
    fields = match_code(rule, code)
    return None if isinstance(fields, Mismatch) else filled(rule, fields)


def filled(rule: Rule, values: Mapping[str, str]) -> str | None:
    """Give the identifier that the template makes; None when it would be none."""
    pieces = list(rule.template)
    pieces[1::2] = [values[name] for name in pieces[1::2]]
    identifier = "".join(pieces)
    try:
        canonical(identifier.encode())
    except InvalidIdentifierError:
        return None
    return identifier


def _keys(text: str, words: list[str]) -> frozenset[str]:
    keys = frozenset(words)
    if len(keys) != len(words) or len(words) > MAX_FIELDS:
        raise _invalid(text, f"up to {MAX_FIELDS} different application identifiers")
    for word in words:
        if not _APPLICATION_IDENTIFIER.fullmatch(word):
            raise _invalid(text, f"an application identifier instead of {word!r}")
    return keys


def _pattern(text: str, pattern: str) -> tuple[str | Field, ...]:
    pieces: list[str | Field] = []
    position = 0
    for found in _FIELD.finditer(pattern):
        pieces += [pattern[position : found.start()], _field(text, found)]
        position = found.end()
    pieces.append(pattern[position:])
    kept = tuple(piece for piece in pieces if piece)
    for piece in kept:
        if isinstance(piece, str) and ("{" in piece or "}" in piece):
            raise _invalid(text, f"a field {{NAME:WIDTHKIND}} instead of {piece!r}")
    _check_fields(text, kept)
    return kept


def _field(text: str, found: re.Match[str]) -> Field:
    name, shortest, longest, kind = found.groups()
    low, high = int(shortest), int(longest or shortest)
    if not 1 <= low <= high <= MAX_FIELD_CHARACTERS:
        raise _invalid(text, f"a width of 1 to {MAX_FIELD_CHARACTERS} for {name}")
    return Field(name, low, high, kind)


def _check_fields(text: str, pieces: tuple[str | Field, ...]) -> None:
    names = [piece.name for piece in pieces if isinstance(piece, Field)]
    if len(names) > MAX_FIELDS or len(set(names)) != len(names):
        raise _invalid(text, f"up to {MAX_FIELDS} fields with different names")
    for piece, after in itertools.pairwise(pieces):
        if isinstance(piece, str) or piece.shortest == piece.longest:
            continue
        follows = after[0] if isinstance(after, str) else _KINDS[after.kind]
        if not _KINDS[piece.kind].isdisjoint(follows):
            raise _invalid(
                text, f"something that cannot continue {piece.name} after it"
            )


def _check_template(text: str, template: tuple[str, ...], names: Iterable[str]) -> None:
    known = set(names)
    for name in template[1::2]:
        if name not in known:
            raise _invalid(text, f"{{{name}}} to be named in the pattern")
    literal = "".join(template[::2])
    if "{" in literal or "}" in literal:
        raise _invalid(text, "only {NAME} in braces in the template")
    try:
        if "/" not in template[0]:
            raise _invalid(text, "a template PREFIX/SUFFIX, the prefix without fields")
        canonical((literal + "1").encode())
    except InvalidIdentifierError as error:
        raise _invalid(text, f"a template PREFIX/SUFFIX ({error})") from None


def _run_end(field: Field, code: str, position: int) -> int:
    allowed = _KINDS[field.kind]
    limit = min(len(code), position + field.longest)
    while position < limit and code[position] in allowed:
        position += 1
    return position


def _literal_mismatch(literal: str, code: str, position: int) -> Mismatch:
    same = 0
    while code[position + same : position + same + 1] == literal[same]:
        same += 1
    return Mismatch(position + same, repr(literal[same:]))


def _expected(field: Field) -> str:
    width = f"{field.shortest}"
    if field.longest != field.shortest:
        width += f" to {field.longest}"
    return f"{width} {_KIND_NAMES[field.kind]} ({field.name})"


def _invalid(text: str, expected: str) -> InvalidValueError:
    return InvalidValueError(f"rule {text[:80]!r}: expected {expected}")
