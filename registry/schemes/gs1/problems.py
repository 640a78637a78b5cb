"""What is wrong with a value, in words that show what cannot be seen.

Letters of other scripts that look like ASCII are named and never replaced: which one was
meant is for people to say (emulator convention).
"""

import unicodedata
from typing import Final, NamedTuple

from registry.schemes.gs1.application_identifiers import SEPARATOR


class Problem(NamedTuple):
    """What is wrong with a value: at which of its characters, and what would be right."""

    offset: int
    reason: str
    expected: str


Note = str | Problem


_LOOKALIKES_TEXT: Final = {
    # Cyrillic capitals.
    "\u0410\u0412\u0421\u0415\u041d\u0406\u0408\u041a\u041c\u041e\u0420\u0405\u0422\u0425\u04ae": "ABCEHIJKMOPSTXY",
    # Cyrillic small letters.
    "\u0430\u0441\u0435\u0456\u0458\u043e\u0440\u0455\u0445\u0443": "aceijopsxy",
    # Greek capitals.
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7": "ABEZHIKMNOPTYX",
    # Dashes, slashes, a quotation mark, the Chinese zero.
    "\u2212\u2010\u2013\u2014\u2044\u2215\u2019\u3007": "----//'0",
}
_LOOKALIKES: Final = {
    other: twin
    for others, twins in _LOOKALIKES_TEXT.items()
    for other, twin in zip(others, twins, strict=True)
}


def describe(character: str) -> str:
    """Name a character so that look-alikes and invisible ones show, by its code point."""
    if character == SEPARATOR:
        return "a separator (FNC1)"
    if character.isascii() and character.isprintable():
        return f"{character!r}"
    shown = f"{character!r} (U+{ord(character):04X})"
    twin = _LOOKALIKES.get(character)
    if twin is None and character.isdecimal():
        twin = str(unicodedata.decimal(character))
    return f"{shown}, which only looks like {twin!r}," if twin else shown
