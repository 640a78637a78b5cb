"""Hexadecimal as it comes in requests: whole octets, either case, nothing else.

`bytes.fromhex` alone would also take spaces between the octets.
"""

import re
from typing import Final

from chain_anchor.bif.errors import EncodingError

_DIGITS: Final = re.compile("(?:[0-9a-fA-F]{2})*")


def decode(text: str) -> bytes:
    """Read octets from hexadecimal.

    Raises:
        EncodingError: another character, or half an octet.
    """
    if not _DIGITS.fullmatch(text):
        raise EncodingError(f"hexadecimal expected, got {text[:40]!r}")
    return bytes.fromhex(text)
