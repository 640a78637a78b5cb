"""EPC binary strings in URIs, as tags for NFC emit them.

GS1 Digital Link URI: Compression Technical Standard for EPC binary strings 1.0.0 §4.2; a
resolver decompresses them (GS1-Conformant Resolver Standard 1.2 §2.3):

    eh…   the string in hexadecimal, small letters, 4 bits each
    ex…   in the alphabet of RFC 4648 §5, 6 bits each

The string itself, from its header on, is that of the EPC Tag Data Standard, which
`registry.schemes.gs1` reads.
"""

import re
import string

WORD_BITS = 16
"""Tags keep whole words, and so the last one is filled with zeros (TDS §15)."""

MAX_CHARACTERS = 512

_SEGMENT = re.compile(r"eh[0-9a-f]+|ex[A-Za-z0-9_-]+")
_ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_HEX_BITS, _BASE64_BITS = 4, 6


def epc_in(segment: str) -> str | None:
    """Give the EPC of a path's only segment in hexadecimal; None when it has none."""
    if len(segment) > MAX_CHARACTERS or not _SEGMENT.fullmatch(segment):
        return None
    number, bits = 0, 0
    width = _HEX_BITS if segment[1] == "h" else _BASE64_BITS
    for character in segment[2:]:
        value = int(character, 16) if width == _HEX_BITS else _VALUES[character]
        number, bits = number << width | value, bits + width
    filled = -bits % WORD_BITS
    digits = (bits + filled) // _HEX_BITS
    return f"{number << filled:0{digits}X}"
