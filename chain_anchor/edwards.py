"""Which octets may be an Ed25519 public key (RFC 8032 §5.1.3).

A point of low order (1, 2, 4 or 8) as a public key lets one signature hold for
many messages, so a key of this kind vouches for nothing; an encoding that is not
canonical gives one key two key ids. Both are refused here, by computing: the point
is decoded, and three doublings of it must not give the neutral element. Libraries
differ in what they refuse, so this does not rely on any.
"""

from typing import Final

from chain_anchor.errors import NoteError

PUBLIC_KEY_OCTETS: Final = 32

_PRIME: Final = 2**255 - 19
_SIGN_BIT: Final = 1 << 255
_CURVE_D: Final = -121665 * pow(121666, -1, _PRIME) % _PRIME
_ROOT_OF_MINUS_ONE: Final = pow(2, (_PRIME - 1) // 4, _PRIME)
_COFACTOR_DOUBLINGS: Final = 3


def check_public_key(octets: bytes) -> None:
    """Refuse octets that must not be an Ed25519 public key.

    Raises:
        NoteError: not 32 octets, not the canonical encoding of a point on the
            curve, or a point of low order.
    """
    if len(octets) != PUBLIC_KEY_OCTETS:
        raise NoteError(
            f"Ed25519 public key: {PUBLIC_KEY_OCTETS} octets expected, "
            f"got {len(octets)}"
        )
    x, y = _decode(octets)
    for _ in range(_COFACTOR_DOUBLINGS):
        x, y = _double(x, y)
    if (x, y) == (0, 1):
        raise NoteError(
            f"Ed25519 public key: a point of large order expected, got {octets.hex()}"
        )


def _decode(octets: bytes) -> tuple[int, int]:
    """Coordinates of a point up to the sign of x (RFC 8032 §5.1.3).

    The sign does not matter here: a point and its mirror have the same order.
    Where x is zero and no sign may be set, the point is of low order anyway.
    """
    y = int.from_bytes(octets, "little") & (_SIGN_BIT - 1)
    if y >= _PRIME:
        raise NoteError(
            "Ed25519 public key: a coordinate below 2**255 - 19 expected, "
            f"got {octets.hex()}"
        )
    square = (y * y - 1) * pow(_CURVE_D * y * y + 1, -1, _PRIME) % _PRIME
    x = pow(square, (_PRIME + 3) // 8, _PRIME)
    if x * x % _PRIME != square:
        x = x * _ROOT_OF_MINUS_ONE % _PRIME
    if x * x % _PRIME != square:
        raise NoteError(
            f"Ed25519 public key: a point on the curve expected, got {octets.hex()}"
        )
    return x, y


def _double(x: int, y: int) -> tuple[int, int]:
    """Twice a point, by the addition law of RFC 8032 §5.1.4 in affine form."""
    slope = _CURVE_D * x * x * y * y % _PRIME
    return (
        2 * x * y * pow(1 + slope, -1, _PRIME) % _PRIME,
        (y * y + x * x) * pow(1 - slope, -1, _PRIME) % _PRIME,
    )
