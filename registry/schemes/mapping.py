"""From a code to the names under which the tree may know it.

Emulator convention; no standard fixes how product codes meet the national tree. The
prefix 88 has *scheme prefixes*, homed at the top-level node; below each, a *code prefix*
is delegated to the node of the enterprise that owns the codes:

    88.GS1.<GS1 company prefix>        88.GS1.95210001
    88.OID.<registered arc, dotted>    88.OID.2.999.100.1
    88.ECODE.<V><NSI>                  88.ECODE.11001

Below a code prefix an *alias record* has the canonical code as its suffix, for GS1 as the
path of the canonical Digital Link URI (GS1 Digital Link URI Syntax §4):

    88.GS1.95210001/01/09521000100015/21/SN42
    88.OID.2.999.100.1/2.999.100.1.7
    88.ECODE.11001/1100120260001

Its `HS_ALIAS` values are the identifiers that the code means; more than one is an
ambiguity, and all are given. Where no alias record exists, the enterprise's declared
rules may (`registry.schemes.rules`); `registry.schemes.lookup` has the order of asking.
"""

from collections.abc import Container, Iterator
from urllib.parse import unquote

from registry.schemes import gs1
from registry.schemes.reading import Reading

GS1_PREFIX = "88.GS1"
OID_PREFIX = "88.OID"
ECODE_PREFIX = "88.ECODE"

ALIAS_TYPE = "HS_ALIAS"
"""The identifier that a code means (handle notes §1.7: another name of the record)."""

LINK_TYPE = "GS1.LINK"
"""One link of a Digital Link resolver, as JSON."""

DESCRIPTION_TYPE = "GS1.DESCRIPTION"
"""What the item is, for the `itemDescription` of a linkset."""

NAPTR_TYPE = "DNS.NAPTR"
"""A NAPTR record that no link expresses, in presentation form."""

RULE_TYPE = "CODE.RULE"
"""One declared rule (`registry.schemes.rules`)."""

RULES_SUFFIX = "RULES"
COMPANY_RULES_SUFFIX = "CODE_RULES"

IDENTIFIER_PART = "identifier"
"""Key of the part of a company code that its rule made: the identifier."""

MAX_OID_PREFIXES = 8

_COMPANY_PREFIX_LENGTHS = (8, 7, 9, 10, 11, 12, 6)
"""In the order of trying. GS1's table of the lengths it gave out would save a question to
the top-level node, which caches it; it is not worth a dependency that loads for 0.1 s."""

_MAX_COMPANY_PREFIX = 12

# Where the company prefix starts in a key: after the indicator of a GTIN, the extension
# digit of an SSCC, the leading zero of a GRAI (GS1 General Specifications §3).
_COMPANY_PREFIX_OFFSETS = {
    "00": 1,
    "01": 1,
    "253": 0,
    "255": 0,
    "401": 0,
    "402": 0,
    "410": 0,
    "411": 0,
    "412": 0,
    "413": 0,
    "414": 0,
    "415": 0,
    "416": 0,
    "417": 0,
    "8003": 1,
    "8004": 0,
    "8006": 1,
    "8010": 0,
    "8013": 0,
    "8017": 0,
    "8018": 0,
}

# Arcs that a registration authority gives out one number below: country 156 in both
# trees, IANA's enterprise numbers; and two below the arc for examples.
_REGISTRATION_ARCS = (("1.2.156.", 1), ("2.16.156.", 1), ("1.3.6.1.4.1.", 1))
_EXAMPLE_ARC = ("2.999.", 2)


def code_prefixes(reading: Reading, known: Container[str] = ()) -> Iterator[str]:
    """List the code prefixes that may own a code, the likeliest first.

    A GTIN does not tell how long its company prefix is, nor an OID which of its arcs is
    registered; so several are tried, those in `known` before all others.
    """
    if reading.scheme == "gs1":
        return _gs1_prefixes(reading, known)
    if reading.scheme == "oid":
        return _oid_prefixes(reading.code, known)
    if reading.scheme == "ecode":
        version, number_system = reading.parts[0].value, reading.parts[1].value
        return iter((f"{ECODE_PREFIX}.{version}{number_system}",))
    return iter(())


def levels(reading: Reading) -> tuple[str, ...]:
    """List the suffixes of a code's alias records, the finest level first.

    One for OIDs and Ecodes; a GS1 key with qualifiers has several, down to the key.
    """
    if reading.scheme == "gs1":
        parts = reading.parts
        if len(parts) == 1 and parts[0].key in _COMPANY_PREFIX_OFFSETS:
            key, value, _, _ = parts[0]
            if value.isalnum():  # as most codes are: a key alone, nothing to escape
                return (f"{key}/{value}",)
        return gs1.level_paths(reading)
    if reading.scheme in ("oid", "ecode"):
        return (reading.code,)
    return ()


def level_values(path: str) -> dict[str, str]:
    """Give the application identifiers of a GS1 level and their values, unescaped."""
    pieces = path.split("/")
    keys, values = pieces[::2], pieces[1::2]
    return {key: unquote(value) for key, value in zip(keys, values, strict=True)}


def alias_name(code_prefix: str, path: str) -> str:
    """Name the alias record of a level."""
    return f"{code_prefix}/{path}"


def rules_name(code_prefix: str) -> str:
    """Name the record of the rules for the codes under a code prefix."""
    return f"{code_prefix}/{RULES_SUFFIX}"


def company_rules_name(prefix: str) -> str:
    """Name the record of the rules for an enterprise's own codes."""
    return f"{prefix}/{COMPANY_RULES_SUFFIX}"


def delegation_name(code_prefix: str) -> str:
    """Name the record that exists when a code prefix is delegated."""
    return f"0.NA/{code_prefix}"


def direct_identifier(reading: Reading) -> str | None:
    """Give the identifier that a code itself is, or that its rule made; None for others.

    Handles and VAA codes are identifiers of the tree already.
    """
    if reading.scheme == "handle":
        return reading.code
    if reading.scheme in ("vaa", "company"):
        parts = (part.value for part in reading.parts if part.key == IDENTIFIER_PART)
        return next(parts, None)
    return None


def _gs1_prefixes(reading: Reading, known: Container[str]) -> Iterator[str]:
    key, value, *_ = reading.parts[0]
    offset = _COMPANY_PREFIX_OFFSETS.get(key)
    if offset is None:
        return
    digits = value[offset : offset + _MAX_COMPANY_PREFIX]
    first = ""
    for length in _COMPANY_PREFIX_LENGTHS:
        name = f"{GS1_PREFIX}.{digits[:length]}"
        if name in known:
            first = name
            yield name
            break
    for length in _COMPANY_PREFIX_LENGTHS:
        name = f"{GS1_PREFIX}.{digits[:length]}"
        if name != first and digits[:length].isdecimal():
            yield name


def _oid_prefixes(code: str, known: Container[str]) -> Iterator[str]:
    arcs = code.split(".")
    lengths = list(range(len(arcs), 1, -1))
    registered = _registered_arcs(code)
    lengths.sort(key=lambda n: n != registered)  # stable: the others stay deepest first
    names = [f"{OID_PREFIX}.{'.'.join(arcs[:n])}" for n in lengths[:MAX_OID_PREFIXES]]
    names.sort(key=lambda name: name not in known)
    return iter(names)


def _registered_arcs(code: str) -> int | None:
    for arc, below in (*_REGISTRATION_ARCS, _EXAMPLE_ARC):
        if code.startswith(arc):
            return arc.count(".") + below
    return None
