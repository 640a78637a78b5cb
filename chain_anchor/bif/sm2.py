"""SM2 signatures as the chain uses them (GB/T 32918.2-2016; bif notes §2.2).

A signature is r and s, 32 octets each, over SM3(Z || message), where Z ties the user
id 1234567812345678 to curve and key. Nonces are those of RFC 6979 §3.2, so a key signs
the same message the same way. A public key is 65 octets: 04, x, y.

The curve arithmetic is gmssl's: 4.5 ms for a multiple. gmssl checks neither ranges nor
points and cannot add a point to its opposite, so all that is done here.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterator
from typing import Final

from gmssl.sm2 import CryptSM2, default_ecc_table
from gmssl.sm3 import sm3_hash

from chain_anchor.bif.errors import EncodingError
from chain_anchor.errors import SignatureError

NUMBER_OCTETS: Final = 32
PUBLIC_KEY_OCTETS: Final = 65
SIGNATURE_OCTETS: Final = 64
USER_ID: Final = b"1234567812345678"

PRIME: Final = int(default_ecc_table["p"], 16)
ORDER: Final = int(default_ecc_table["n"], 16)
_A: Final = int(default_ecc_table["a"], 16)
_B: Final = int(default_ecc_table["b"], 16)
_GENERATOR: Final[str] = default_ecc_table["g"]

Point = tuple[int, int]


def _sm3_of_openssl(octets: bytes) -> bytes:
    return hashlib.new("sm3", octets).digest()


def _sm3_of_gmssl(octets: bytes) -> bytes:
    return bytes.fromhex(sm3_hash(list(octets)))


def _choose_sm3() -> Callable[[bytes], bytes]:
    """Take OpenSSL's SM3, 500 times faster, unless this build leaves it out."""
    try:
        hashlib.new("sm3")
    except ValueError:
        return _sm3_of_gmssl
    return _sm3_of_openssl


sm3: Callable[[bytes], bytes] = _choose_sm3()
"""Hash with SM3 (GB/T 32905-2016)."""


def check_private_key(octets: bytes) -> int:
    """Return the number that a private key is, 1 to n-2.

    Raises:
        EncodingError: not 32 octets, or out of range.
    """
    number = int.from_bytes(octets)
    if len(octets) != NUMBER_OCTETS or not 0 < number < ORDER - 1:
        raise EncodingError("SM2 private key: 32 octets, 1 to n-2, expected")
    return number


def public_key(private_key: bytes) -> bytes:
    """Make the public key of a private key, 65 octets.

    Raises:
        EncodingError: the private key is none.
    """
    x, y = _multiply(_GENERATOR, check_private_key(private_key))
    return b"\4" + x.to_bytes(NUMBER_OCTETS) + y.to_bytes(NUMBER_OCTETS)


def check_public_key(octets: bytes) -> Point:
    """Return the point that a public key is.

    Raises:
        EncodingError: not 65 octets that begin with 04, or not on the curve.
    """
    if len(octets) != PUBLIC_KEY_OCTETS or octets[0] != 4:
        raise EncodingError(
            f"SM2 public key: 04 and 64 octets expected, got {len(octets)} octets"
        )
    x, y = int.from_bytes(octets[1:33]), int.from_bytes(octets[33:])
    if max(x, y) >= PRIME or (y * y - (x * x * x + _A * x + _B)) % PRIME:
        raise EncodingError("SM2 public key: the point is not on the curve")
    return x, y


def sign(private_key: bytes, message: bytes) -> bytes:
    """Sign a message; return r and s, 64 octets (GB/T 32918.2 §6.1).

    Raises:
        EncodingError: the private key is none.
    """
    number = check_private_key(private_key)
    e = _digest(public_key(private_key), message)
    for nonce in _nonces(private_key, e):
        signature = _sign_with(number, e, nonce)
        if signature:
            return b"".join(part.to_bytes(NUMBER_OCTETS) for part in signature)
    raise AssertionError("unreachable: nonces never end")


def verify(public_key: bytes, message: bytes, signature: bytes) -> None:
    """Check a signature (GB/T 32918.2 §7.1).

    Raises:
        EncodingError: the public key is none.
        SignatureError: the signature does not hold.
    """
    check_public_key(public_key)
    if len(signature) != SIGNATURE_OCTETS:
        raise SignatureError(f"SM2: 64 octets expected, got {len(signature)}")
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    t = (r + s) % ORDER
    if not (0 < r < ORDER and 0 < s < ORDER and t):
        raise SignatureError("SM2: r and s are out of range")
    one, other = _multiply(_GENERATOR, s), _multiply(public_key[1:].hex(), t)
    if (_digest(public_key, message) + _add_x(one, other)) % ORDER != r:
        raise SignatureError("SM2: the signature is of another key or message")


def _digest(public_key: bytes, message: bytes) -> int:
    """Make e of a message (GB/T 32918.2 §5.5, §6.1)."""
    size_bits = (8 * len(USER_ID)).to_bytes(2)
    numbers = _A.to_bytes(32) + _B.to_bytes(32) + bytes.fromhex(_GENERATOR)
    z = sm3(size_bits + USER_ID + numbers + public_key[1:])
    return int.from_bytes(sm3(z + message))


def _sign_with(private_key: int, e: int, nonce: int) -> Point | None:
    """Return r and s for this nonce, or nothing if it must not be used."""
    r = (e + _multiply(_GENERATOR, nonce)[0]) % ORDER
    if r == 0 or r + nonce == ORDER:
        return None
    s = pow(1 + private_key, -1, ORDER) * (nonce - r * private_key) % ORDER
    return (r, s) if s else None


def _nonces(private_key: bytes, e: int) -> Iterator[int]:
    """Yield nonces below the order (RFC 6979 §3.2, SHA-256)."""
    seed = private_key + (e % ORDER).to_bytes(NUMBER_OCTETS)
    value, key = b"\1" * 32, b"\0" * 32
    for separator in (b"\0", b"\1"):
        key = hmac.digest(key, value + separator + seed, "sha256")
        value = hmac.digest(key, value, "sha256")
    while True:
        value = hmac.digest(key, value, "sha256")
        if 0 < int.from_bytes(value) < ORDER:
            yield int.from_bytes(value)
        key = hmac.digest(key, value + b"\0", "sha256")
        value = hmac.digest(key, value, "sha256")


def _multiply(point: str, factor: int) -> Point:
    """Multiply a point, x and y in hexadecimal, by 1 to n-1."""
    product: str = CryptSM2("", "")._kg(factor, point)
    return int(product[:64], 16), int(product[64:], 16)


def _add_x(one: Point, other: Point) -> int:
    """Return x of the sum of two points.

    Raises:
        SignatureError: the sum is the point at infinity.
    """
    (x1, y1), (x2, y2) = one, other
    if x1 != x2:
        slope = (y2 - y1) * pow(x2 - x1, -1, PRIME)
    elif y1 == y2:
        slope = (3 * x1 * x1 + _A) * pow(2 * y1, -1, PRIME)
    else:
        raise SignatureError("SM2: the signature leads to infinity")
    return (slope * slope - x1 - x2) % PRIME
