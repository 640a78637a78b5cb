"""EPC schemes: how a key and its serial split at the company prefix.

GS1 EPC Tag Data Standard 1.13/2.x §6 and §7. An EPC writes a key as company prefix and
reference, without check digit; the first digit of a GTIN or SSCC moves behind the company
prefix. What the key is joined of again stands in one row a scheme.
"""

from typing import Final, NamedTuple

from registry.schemes.gs1.check_digits import check_digit

MIN_COMPANY: Final = 6
MAX_COMPANY: Final = 12


class Scheme(NamedTuple):
    """One EPC scheme.

    ``digits`` is what company prefix and reference have together, None when the reference
    is free text; ``leads`` says that the reference's first digit stands before the company
    prefix in the key; ``prefix`` what the key has in front; ``serial`` the application
    identifier of the last field, ``+`` when it is joined to the key, empty when there is
    none; ``fields`` how many dotted fields a URI has.
    """

    name: str
    ai: str
    digits: int | None
    leads: bool = False
    prefix: str = ""
    serial: str = ""
    fields: int = 2


SCHEMES: Final = {
    scheme.name: scheme
    for scheme in (
        Scheme("sgtin", "01", 13, leads=True, serial="21", fields=3),
        Scheme("lgtin", "01", 13, leads=True, serial="10", fields=3),
        Scheme("upui", "01", 13, leads=True, serial="235", fields=3),
        Scheme("itip", "8006", 13, leads=True, serial="21", fields=5),
        Scheme("sscc", "00", 17, leads=True),
        Scheme("sgln", "414", 12, serial="254", fields=3),
        Scheme("pgln", "417", 12),
        Scheme("gsin", "402", 16),
        Scheme("gsrn", "8018", 17),
        Scheme("gsrnp", "8017", 17),
        Scheme("grai", "8003", 12, prefix="0", serial="+", fields=3),
        Scheme("gdti", "253", 12, serial="+", fields=3),
        Scheme("sgcn", "255", 12, serial="+", fields=3),
        Scheme("giai", "8004", None),
        Scheme("ginc", "401", None),
        Scheme("cpi", "8010", None, serial="8011", fields=3),
    )
}
"""The schemes of GS1 keys. GID, USDOD, ADI, BIC and IMOVN have no application identifier."""

NO_EXTENSION: Final = "0"
"""An SGLN writes this where a location has no extension (§6.3.3)."""


def join(scheme: Scheme, fields: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Give application identifiers and values of an EPC's checked fields."""
    company, reference, *rest = fields
    if scheme.digits is None:
        pairs = [(scheme.ai, company + reference)]
    else:
        pairs = [(scheme.ai, scheme.prefix + _numbered(scheme, company, reference))]
    if scheme.name == "itip":
        piece, total, serial = rest
        pairs = [(scheme.ai, pairs[0][1] + piece + total), (scheme.serial, serial)]
    elif scheme.serial == "+":
        pairs = [(scheme.ai, pairs[0][1] + rest[0])]
    elif rest and not (scheme.name == "sgln" and rest[0] == NO_EXTENSION):
        pairs.append((scheme.serial, rest[0]))
    return tuple(pair for pair in pairs if pair[1])


def _numbered(scheme: Scheme, company: str, reference: str) -> str:
    digits = company + reference
    if scheme.leads:
        digits = reference[0] + company + reference[1:]
    return digits + check_digit(digits)


def split(
    scheme: Scheme, pairs: tuple[tuple[str, str], ...], company_digits: int
) -> tuple[str, ...] | None:
    """Give an EPC's fields of application identifiers and values; None when they lack one.

    The inverse of `join`; `company_digits` is how many digits the company prefix has, which
    a key does not tell.
    """
    values = dict(pairs)
    value = values.get(scheme.ai, "")[len(scheme.prefix) :]
    if scheme.digits is None:
        fields = [value[:company_digits], value[company_digits:]]
    else:
        digits = value[: scheme.digits]
        if scheme.leads:
            digits = (
                digits[1 : company_digits + 1]
                + digits[0]
                + digits[company_digits + 1 :]
            )
        fields = [digits[:company_digits], digits[company_digits:]]
    fields += _rest(scheme, value, values)
    may_be_empty = scheme.digits == MAX_COMPANY and not fields[1]
    if all(fields) or (may_be_empty and all(fields[2:]) and fields[0]):
        return tuple(fields)
    return None


def _rest(scheme: Scheme, value: str, values: dict[str, str]) -> list[str]:
    if scheme.name == "itip":
        return [value[14:16], value[16:18], values.get(scheme.serial, "")]
    if scheme.serial == "+":
        return [value[(scheme.digits or 0) + 1 :]]
    if scheme.name == "sgln":
        return [values.get(scheme.serial, NO_EXTENSION)]
    return [values.get(scheme.serial, "")] if scheme.serial else []
