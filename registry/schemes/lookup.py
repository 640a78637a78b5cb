"""The order in which a code is looked up, without any I/O (emulator convention).

:func:`look_up` is a generator: it yields what it wants to know, is sent the values or None
when there are none, and returns what it found. Whoever drives it carries the questions.

    for each code prefix that is delegated, the likeliest first:
        the alias record of the finest level, then the rules for that level;
        the alias record of the next coarser level, then the rules for that one; ...

The finest level wins, so an item's own record comes before that of its product class.
What a rule makes counts only when it is registered: its record is the last one asked for,
and where there is none the next level is looked at.
"""

from collections.abc import Container, Generator, Iterator
from typing import NamedTuple

from registry.model.value import Value
from registry.schemes.mapping import (
    ALIAS_TYPE,
    RULE_TYPE,
    alias_name,
    code_prefixes,
    delegation_name,
    direct_identifier,
    level_values,
    levels,
    rules_name,
)
from registry.schemes.reading import Reading
from registry.schemes.rules import Rule, identifier_of, match_level, rules_in

Values = tuple[Value, ...]
LookUp = Generator["Wanted", Values | None, "Found | None"]

_ALIASES = (ALIAS_TYPE,)
_RULES = (RULE_TYPE,)
_SITES = ("HS_SITE",)


class Wanted(NamedTuple):
    """The values of these types of a record; all where no types are named."""

    name: str
    types: tuple[str, ...] = ()


class Found(NamedTuple):
    """Where a code leads."""

    identifiers: tuple[str, ...]
    """One; more when the alias record names several: nobody guesses."""

    level: str
    """Suffix of the level that was found, such as `01/09521000100015`; empty for a code
    that is an identifier itself."""

    by: str
    """alias, rule or code (the code itself is the identifier)."""

    source: str
    """The alias record, or the rule; empty for a code itself."""

    code_prefix: str = ""


def look_up(reading: Reading, known: Container[str] = ()) -> LookUp:
    """Look up one reading; `known` are code prefixes that are known to be delegated."""
    direct = direct_identifier(reading)
    if direct is not None:
        return Found((direct,), "", "code", "")
    scheme, paths = reading.scheme, levels(reading)
    for code_prefix in code_prefixes(reading, known):
        if (
            code_prefix not in known
            and (yield Wanted(delegation_name(code_prefix), _SITES)) is None
        ):
            continue
        rules: tuple[Rule, ...] | None = None
        for path in paths:
            name = alias_name(code_prefix, path)
            aliases = aliases_in((yield Wanted(name, _ALIASES)) or ())
            if aliases:
                return Found(aliases, path, "alias", name, code_prefix)
            if rules is None:
                declared = yield Wanted(rules_name(code_prefix), _RULES)
                rules = rules_in(declared or ())
            for rule, identifier in _ruled(rules, scheme, path) if rules else ():
                if (yield Wanted(identifier)) is not None:
                    return Found((identifier,), path, "rule", rule.text, code_prefix)
        # No GS1 company prefix begins another (GS1 General Specifications §1.4.4), so
        # nobody else can have the code; arcs of an OID are delegated below each other.
        if scheme == "gs1":
            return None
    return None


def aliases_in(values: Values) -> tuple[str, ...]:
    """Give the identifiers that an alias record names."""
    return tuple(value.text for value in values if value.type.upper() == ALIAS_TYPE)


def _ruled(
    rules: tuple[Rule, ...], scheme: str, path: str
) -> Iterator[tuple[Rule, str]]:
    """Give the identifiers that rules make of a level."""
    is_gs1 = scheme == "gs1"
    pairs = (path.count("/") + 1) // 2
    values: dict[str, str] | None = None
    for rule in rules:
        if rule.scheme != scheme or (is_gs1 and len(rule.keys) != pairs):
            continue
        if is_gs1:
            values = values or level_values(path)
            identifier = match_level(rule, values)
        else:
            identifier = identifier_of(rule, path)
        if identifier is not None:
            yield rule, identifier
