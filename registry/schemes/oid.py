"""Object identifiers (ITU-T X.660): dotted, OID-IRI and urn:oid.

    1.2.156.3088.7                 dotted
    /ISO/Member-Body/156/3088/7    OID-IRI (X.660 §7.6), the names below as integer labels
    urn:oid:1.2.156.3088.7         RFC 3061
    OID.1.2.156.3088.7             as directories write it

The canonical code is dotted. Of the Unicode labels only those of the top of the tree are
known: below, a name is whatever a registration authority says, and this module asks none.
"""

import re

from registry.schemes.reading import CodeError, Part, Reading, Rejection

MAX_ARCS = 64
MAX_ARC_DIGITS = 39
"""Digits of the largest arc, 2**128 - 1: X.667 puts UUIDs into one."""

_SCHEME = "oid"
_LARGEST_ROOT = 2
_MAX_SECOND = 39
_DIGITS = re.compile(r"[0-9]+")

_LABELS = {
    "": {"itu-t": "0", "iso": "1", "joint-iso-itu-t": "2"},
    "0": {"recommendation": "0.0", "administration": "0.2", "network-operator": "0.3"},
    "1": {"standard": "1.0", "member-body": "1.2", "identified-organization": "1.3"},
    "2": {"asn.1": "2.1", "country": "2.16", "uuid": "2.25", "example": "2.999"},
}
"""Unicode labels by their superior arc (X.660 Annex A; the OID repository)."""

_LONG_ARCS = {"asn.1": "2.1", "country": "2.16", "uuid": "2.25", "example": "2.999"}
"""Long arcs: labels that stand right below the root (X.660 §7.7)."""

_TITLES = {
    "0": "ITU-T",
    "1": "ISO",
    "2": "joint ISO and ITU-T",
    "1.2": "ISO member bodies",
    "1.2.156": "China (ISO member body)",
    "1.3.6.1.4.1": "private enterprises (IANA)",
    "2.16": "countries",
    "2.16.156": "China (country)",
    "2.25": "UUIDs",
    "2.999": "examples",
}


def read(text: str) -> tuple[Reading, ...]:
    """Read an OID in any of its forms.

    Raises:
        CodeError: It is none.
    """
    lowered = text[:8].lower()
    if lowered == "urn:oid:":
        return (_reading("urn", _dotted(text, 8)),)
    if lowered.startswith("oid."):
        return (_reading("prefixed", _dotted(text, 4)),)
    if text[:1] == "/":
        return (_reading("iri", _from_iri(text)),)
    return (_reading("dotted", _dotted(text, 0)),)


def _reading(form: str, arcs: list[str]) -> Reading:
    names = [".".join(arcs[: n + 1]) for n in range(len(arcs))]
    parts = [Part("arc", name, _TITLES[name]) for name in names if name in _TITLES]
    parts.append(Part("oid", names[-1], "object identifier", f"{len(arcs)} arcs"))
    return Reading(_SCHEME, form, names[-1], tuple(parts))


def _dotted(text: str, start: int) -> list[str]:
    arcs: list[str] = []
    position = start
    while True:
        found = _DIGITS.match(text, position)
        if found is None:
            got = repr(text[position]) if position < len(text) else "the end"
            raise _rejected(f"{got} instead of an arc", "digits", position)
        arcs.append(_checked(found.group(), arcs, position))
        position = found.end()
        if position == len(text):
            break
        if text[position] != ".":
            reason = f"{text[position]!r} between arcs"
            raise _rejected(reason, "a dot", position)
        position += 1
    return _enough(arcs)


def _from_iri(text: str) -> list[str]:
    arcs: list[str] = []
    position = 1
    for label in text[1:].split("/"):
        if label.isdecimal() and label.isascii():
            arcs.append(_checked(label, arcs, position))
        else:
            arcs = _labelled(label, arcs, position)
        position += len(label) + 1
    return _enough(arcs)


def _labelled(label: str, arcs: list[str], position: int) -> list[str]:
    known = _LABELS.get(".".join(arcs), {})
    found = known.get(label.lower())
    if found is None and not arcs:
        found = _LONG_ARCS.get(label.lower())
    if found is None:
        names = ", ".join(known) or "none is known here"
        expected = f"an integer, or a known label ({names})"
        raise _rejected(f"label {label[:64]!r}", expected, position)
    return found.split(".")


def _checked(arc: str, above: list[str], position: int) -> str:
    """Give an arc that may stand below those above it (X.660 §7.2)."""
    if len(arc) > 1 and arc[0] == "0":
        raise _rejected(f"arc {arc[:40]} with a leading zero", "none", position)
    if len(arc) > MAX_ARC_DIGITS:
        expected = f"at most {MAX_ARC_DIGITS}"
        raise _rejected(f"arc of {len(arc)} digits", expected, position)
    if not above and int(arc) > _LARGEST_ROOT:
        raise _rejected(f"first arc {arc}", "0, 1 or 2", position)
    if len(above) == 1 and above[0] != "2" and int(arc) > _MAX_SECOND:
        expected = f"0 to {_MAX_SECOND} below {above[0]}"
        raise _rejected(f"second arc {arc}", expected, position)
    if len(above) >= MAX_ARCS:
        raise _rejected("too many arcs", f"at most {MAX_ARCS}", position)
    return arc


def _enough(arcs: list[str]) -> list[str]:
    if len(arcs) < 2:
        raise _rejected("one arc", "at least two arcs", None)
    return arcs


def _rejected(reason: str, expected: str, position: int | None) -> CodeError:
    return CodeError(Rejection(_SCHEME, "oid", reason, position, expected))
