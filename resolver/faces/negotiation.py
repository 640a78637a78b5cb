"""Which type of content a client takes (RFC 9110 §12.5.1, as far as we need it)."""

import re
from collections.abc import Sequence

MAX_RANGES = 32
"""Ranges of an Accept header that are looked at."""

_QUALITY = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")


def chosen_type(accept: str, types: Sequence[str]) -> str:
    """Choose among the types that there are; the first where the client does not care.

    A client that takes none of them gets the first, too: better than nothing.
    """
    ranges = [_read(item) for item in accept.split(",")[:MAX_RANGES] if item.strip()]
    if not ranges:
        return types[0]
    return max(types, key=lambda one: _quality(one, ranges))


def _quality(offered: str, ranges: Sequence[tuple[str, float]]) -> float:
    """Give the weight of the range that fits a type most closely."""
    family = offered.partition("/")[0]
    for wanted in (offered, f"{family}/*", "*/*"):
        found = [weight for name, weight in ranges if name == wanted]
        if found:
            return max(found)
    return 0.0


def _read(item: str) -> tuple[str, float]:
    name, *parameters = (part.strip().lower() for part in item.split(";"))
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            text = value.strip()
            return name, float(text) if _QUALITY.fullmatch(text) else 0.0
    return name, 1.0
