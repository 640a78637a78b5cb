"""The numbers of an SM2 signature (GB/T 32918.2-2016 §6.1), whatever its form.

Signing works on e, which users of this module make of a message each in a way of their
own. Nonces are those of RFC 6979 §3.2, so signing needs no randomness and gives the same
numbers again.
"""

import hmac
from collections.abc import Iterator

from chain_anchor.sm2_curve import (
    INFINITY,
    NUMBER_OCTETS,
    ORDER,
    add_base_multiple,
    affine,
)


def sign(private_key: int, e: int) -> tuple[int, int]:
    """Sign e with a key of 1 to n-2; return r and s."""
    for nonce in nonces(private_key, e):
        signature = sign_with(private_key, e, nonce)
        if signature is not None:
            return signature
    raise AssertionError("unreachable: nonces never end")


def sign_with(private_key: int, e: int, nonce: int) -> tuple[int, int] | None:
    """Return r and s for this nonce, or nothing if it must not be used."""
    r = (e + affine(add_base_multiple(INFINITY, nonce)).x) % ORDER
    if r == 0 or r + nonce == ORDER:
        return None
    s = pow(1 + private_key, -1, ORDER) * (nonce - r * private_key) % ORDER
    return (r, s) if s else None


def nonces(private_key: int, e: int, order: int = ORDER) -> Iterator[int]:
    """Yield nonces below `order`, a 256-bit number (RFC 6979 §3.2, SHA-256)."""
    seed = b"".join(
        number.to_bytes(NUMBER_OCTETS) for number in (private_key, e % order)
    )
    value, key = b"\1" * 32, b"\0" * 32
    for separator in (b"\0", b"\1"):
        key = hmac.digest(key, value + separator + seed, "sha256")
        value = hmac.digest(key, value, "sha256")
    while True:
        value = hmac.digest(key, value, "sha256")
        if 0 < int.from_bytes(value) < order:
            yield int.from_bytes(value)
        key = hmac.digest(key, value + b"\0", "sha256")
        value = hmac.digest(key, value, "sha256")
