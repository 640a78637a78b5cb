"""How C2SP texts spell octets and numbers: one spelling for each value.

Base64 is that of RFC 4648 §4, with padding, without line breaks, and with unused
bits zero (§3.5). Numbers are ASCII decimal without sign and leading zeros, up to
2**63 - 1. Any other spelling is refused: two texts that differ never mean the
same. The caller names the error of its own format.
"""

from base64 import b64decode, b64encode

from chain_anchor.errors import FormatError

_MAX_DIGITS = 19
_MAX_NUMBER = 2**63 - 1


def encode_base64(octets: bytes) -> str:
    """Spell octets in base64."""
    return b64encode(octets).decode("ascii")


def decode_base64(text: str, error: type[FormatError], what: str) -> bytes:
    """Read base64 in its one canonical spelling.

    Args:
        text: base64 without any space around.
        error: class of the error to raise.
        what: what the text stands for, to say where it went wrong.
    """
    try:
        octets = b64decode(text)
    except ValueError as problem:
        raise error(f"{what}: base64 expected, got {text[:99]!r}") from problem
    if encode_base64(octets) != text:
        raise error(f"{what}: canonical base64 expected, got {text[:99]!r}")
    return octets


def decode_decimal(text: str, error: type[FormatError], what: str) -> int:
    """Read an ASCII decimal without leading zeros, 0 to 2**63 - 1.

    Args:
        text: digits only.
        error: class of the error to raise.
        what: what the number is, to say where it went wrong.
    """
    plain = text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS
    if not plain or (text[0] == "0" and text != "0") or int(text) > _MAX_NUMBER:
        raise error(
            f"{what}: decimal from 0 to 2**63 - 1 without leading zeros expected, "
            f"got {text[:99]!r}"
        )
    return int(text)
