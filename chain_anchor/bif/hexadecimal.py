"""Hexadecimal as it comes in requests: whole octets, either case, nothing else."""

from chain_anchor.bif.errors import EncodingError


def decode(text: str) -> bytes:
    """Read octets from hexadecimal.

    Raises:
        EncodingError: another character, or half an octet.
    """
    try:
        octets = bytes.fromhex(text)
    except ValueError:
        octets = None
    # `fromhex` passes over blanks, which the length shows; a pattern takes 20 times
    # as long, half a second for the largest body.
    if octets is None or len(text) != 2 * len(octets):
        raise EncodingError(f"hexadecimal expected, got {text[:40]!r}")
    return octets
