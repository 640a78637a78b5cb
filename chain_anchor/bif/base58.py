"""Base58 with the alphabet of BIF, in which b and B, u and U change places.

Octets are one big-endian number; each leading zero octet is one leading "1". There is
no checksum (bif notes §2.3, verified). Decoding takes quadratic time, so what is
decoded is bounded.
"""

from typing import Final

from chain_anchor.bif.errors import EncodingError

ALPHABET: Final = "123456789AbCDEFGHJKLMNPQRSTuVWXYZaBcdefghijkmnopqrstUvwxyz"
MAX_CHARACTERS: Final = 256
"""Keys have 50 characters and addresses 31; signatures of BID documents have 88."""

_DIGITS: Final = {character: value for value, character in enumerate(ALPHABET)}


def encode(octets: bytes) -> str:
    """Write octets in base58."""
    number = int.from_bytes(octets)
    digits = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(ALPHABET[digit])
    zeros = len(octets) - len(octets.lstrip(b"\0"))
    return "1" * zeros + "".join(reversed(digits))


def decode(text: str) -> bytes:
    """Read octets from base58, at most 256 characters.

    Raises:
        EncodingError: a character that the alphabet lacks, or too many of them.
    """
    if len(text) > MAX_CHARACTERS:
        raise EncodingError(
            f"base58: at most {MAX_CHARACTERS} characters expected, got {len(text)}"
        )
    number = 0
    for place, character in enumerate(text):
        digit = _DIGITS.get(character)
        if digit is None:
            raise EncodingError(
                f"base58: {character!r} at {place} is not in the alphabet"
            )
        number = number * 58 + digit
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8)
