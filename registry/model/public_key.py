"""Public keys as HS_PUBKEY values hold them (handle notes §1.8).

Flush-left layout of the binary form; integers are big-endian:

    SIZE   FIELD
    4 + n  key type, a text such as `RSA_PUB_KEY`
    2      flags, kept as they came
    rest   byte arrays, one after the other:
           DSA_PUB_KEY   q, p, g, y
           RSA_PUB_KEY   exponent, modulus, an empty one (may be absent)
           DH_PUB_KEY    y, p, g
           SM2_PUB_KEY   X.509 SubjectPublicKeyInfo as PEM text or as DER
           SM9_PUB_KEY   user id, UTF-8

The Chinese SDK also stores plain PEM text without any of this; such a key is a
`PemPublicKey`. Numbers are two's-complement and positive, so a leading 00 octet
is normal. This codec checks shapes only; whether the numbers make a usable key
is for whoever verifies with it.
"""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from registry.errors import MalformedError
from registry.model.octets import Cursor, blob, pack_u16, text

MAX_NUMBER_BITS = 16_384
"""Longest number in a key; OpenSSL refuses longer RSA moduli as well."""

MAX_KEY_OCTETS = 16_384
"""Longest value data taken for a key (emulator convention): four longest numbers."""

PUBLIC_KEY_LABEL = "PUBLIC KEY"
"""PEM label of an X.509 SubjectPublicKeyInfo (RFC 7468 §13)."""

_SDK_COLUMNS = 76
"""Width of the SDK's PEM lines: Java's MIME encoder, not the 64 of RFC 7468."""

_DER_SEQUENCE = 0x30


@dataclass(frozen=True, slots=True)
class DsaPublicKey:
    """A DSA key: subgroup order, prime, generator and public number."""

    q: int
    p: int
    g: int
    y: int
    flags: int = 0

    def __post_init__(self) -> None:
        _check(self.flags, q=self.q, p=self.p, g=self.g, y=self.y)


@dataclass(frozen=True, slots=True)
class RsaPublicKey:
    """An RSA key."""

    exponent: int
    modulus: int
    flags: int = 0

    def __post_init__(self) -> None:
        _check(self.flags, exponent=self.exponent, modulus=self.modulus)


@dataclass(frozen=True, slots=True)
class DhPublicKey:
    """A Diffie-Hellman key: public number, prime and generator."""

    y: int
    p: int
    g: int
    flags: int = 0

    def __post_init__(self) -> None:
        _check(self.flags, y=self.y, p=self.p, g=self.g)


@dataclass(frozen=True, slots=True)
class Sm2PublicKey:
    """An SM2 key in the binary form."""

    encoded: bytes
    """X.509 SubjectPublicKeyInfo, PEM text or DER, as it came."""

    flags: int = 0

    def __post_init__(self) -> None:
        _check(self.flags)
        subject_public_key_info(self.encoded)


@dataclass(frozen=True, slots=True)
class Sm9PublicKey:
    """An SM9 key: the name of its user is the key."""

    user_id: str
    flags: int = 0

    def __post_init__(self) -> None:
        _check(self.flags)
        if not self.user_id:
            raise MalformedError("SM9 user id: a name expected, an empty one came")


@dataclass(frozen=True, slots=True)
class PemPublicKey:
    """A key of any algorithm as PEM text, the SDK's alternative form."""

    pem: bytes
    """PEM text of an X.509 SubjectPublicKeyInfo, as it came."""

    def __post_init__(self) -> None:
        _check_sequence(read_pem(self.pem, PUBLIC_KEY_LABEL))

    @classmethod
    def from_info(cls, info: bytes) -> Self:
        """Write DER SubjectPublicKeyInfo the way the SDK does: CRLF, 76 columns."""
        return cls(write_pem(info, PUBLIC_KEY_LABEL, _SDK_COLUMNS, b"\r\n"))


PublicKey = (
    DsaPublicKey
    | RsaPublicKey
    | DhPublicKey
    | Sm2PublicKey
    | Sm9PublicKey
    | PemPublicKey
)


def decode_public_key(octets: bytes) -> PublicKey:
    """Read the data of an HS_PUBKEY value, in either form.

    Raises:
        MalformedError: Not a key of a known type, or octets left over.
    """
    if len(octets) > MAX_KEY_OCTETS:
        message = f"public key: {len(octets)} octets, at most {MAX_KEY_OCTETS} allowed"
        raise MalformedError(message)
    if _is_pem(octets):
        return PemPublicKey(octets)
    cursor = Cursor(octets)
    key_type = cursor.text("key type")
    flags = cursor.u16("key flags")
    if key_type not in _READERS:
        message = (
            f"public key: one of {', '.join(_READERS)} expected, {key_type[:32]!r} came"
        )
        raise MalformedError(message)
    key = _READERS[key_type](cursor, flags)
    cursor.finish("public key")
    return key


def encode_public_key(key: PublicKey) -> bytes:
    """Write the data of an HS_PUBKEY value.

    A key recorded from a CNRI server comes back octet for octet, its third
    empty RSA field included.
    """
    match key:
        case PemPublicKey():
            return key.pem
        case RsaPublicKey():
            numbers = _number(key.exponent) + _number(key.modulus)
            return _head("RSA_PUB_KEY", key.flags) + numbers + blob(b"")
        case DsaPublicKey():
            fields = map(_number, (key.q, key.p, key.g, key.y))
            return _head("DSA_PUB_KEY", key.flags) + b"".join(fields)
        case DhPublicKey():
            fields = map(_number, (key.y, key.p, key.g))
            return _head("DH_PUB_KEY", key.flags) + b"".join(fields)
        case Sm2PublicKey():
            return _head("SM2_PUB_KEY", key.flags) + blob(key.encoded)
        case Sm9PublicKey():
            return _head("SM9_PUB_KEY", key.flags) + text(key.user_id)


def subject_public_key_info(octets: bytes) -> bytes:
    """Return X.509 SubjectPublicKeyInfo as DER, from PEM text or from DER.

    Raises:
        MalformedError: Neither PEM of a public key nor one DER sequence.
    """
    info = read_pem(octets, PUBLIC_KEY_LABEL) if _is_pem(octets) else octets
    _check_sequence(info)
    return info


def read_pem(octets: bytes, label: str) -> bytes:
    """Return what PEM text of this label wraps (RFC 7468 §2, any line width).

    Raises:
        MalformedError: Another label, octets around it, or not base64.
    """
    begin, end = _boundaries(label)
    lines = octets.strip()
    if not (lines.startswith(begin) and lines.endswith(end)):
        raise MalformedError(f"PEM: one block labelled {label} expected, none came")
    body = b"".join(lines[len(begin) : -len(end)].split())
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise MalformedError(f"PEM {label}: not base64 ({error})") from None


def write_pem(
    octets: bytes, label: str, columns: int = 64, newline: bytes = b"\n"
) -> bytes:
    """Wrap octets as PEM text of this label (RFC 7468 §2)."""
    begin, end = _boundaries(label)
    body = base64.b64encode(octets)
    lines = [body[at : at + columns] for at in range(0, len(body), columns)]
    return newline.join([begin, *lines, end, b""])


def _boundaries(label: str) -> tuple[bytes, bytes]:
    return f"-----BEGIN {label}-----".encode(), f"-----END {label}-----".encode()


def _is_pem(octets: bytes) -> bool:
    return octets.lstrip().startswith(b"-----BEGIN")


def _check_sequence(octets: bytes) -> None:
    """Check that octets are one whole DER sequence, whatever it holds."""
    cursor = Cursor(octets)
    tag = cursor.u8("DER tag")
    if tag != _DER_SEQUENCE:
        raise MalformedError(f"public key: DER tag 30 expected, {tag:02x} came")
    size = cursor.u8("DER length")
    if size & 0x80:
        size = int.from_bytes(cursor.take(size & 0x7F, "DER length"))
    cursor.take(size, "DER sequence")
    cursor.finish("public key")


def _check(flags: int, **numbers: int) -> None:
    """Check flags and numbers that a key is made of."""
    if not 0 <= flags <= 0xFFFF:
        raise MalformedError(f"key flags: 16 bits expected, {flags} came")
    for name, number in numbers.items():
        if number <= 0 or number.bit_length() > MAX_NUMBER_BITS:
            message = f"{name}: 1 to {MAX_NUMBER_BITS} bits expected, above zero"
            raise MalformedError(message)


def _head(key_type: str, flags: int) -> bytes:
    return text(key_type) + pack_u16(flags)


def _number(number: int) -> bytes:
    """Write a positive number in the fewest octets of two's complement."""
    return blob(number.to_bytes(number.bit_length() // 8 + 1))


def _read_number(cursor: Cursor, name: str) -> int:
    return int.from_bytes(cursor.blob(name), signed=True)


def _read_dsa(cursor: Cursor, flags: int) -> PublicKey:
    q, p, g, y = (_read_number(cursor, name) for name in "qpgy")
    return DsaPublicKey(q, p, g, y, flags)


def _read_rsa(cursor: Cursor, flags: int) -> PublicKey:
    exponent = _read_number(cursor, "exponent")
    modulus = _read_number(cursor, "modulus")
    if cursor.remaining and cursor.blob("third RSA field"):
        raise MalformedError("third RSA field: none or an empty one expected")
    return RsaPublicKey(exponent, modulus, flags)


def _read_dh(cursor: Cursor, flags: int) -> PublicKey:
    y, p, g = (_read_number(cursor, name) for name in "ypg")
    return DhPublicKey(y, p, g, flags)


def _read_sm2(cursor: Cursor, flags: int) -> PublicKey:
    return Sm2PublicKey(cursor.blob("SM2 key"), flags)


def _read_sm9(cursor: Cursor, flags: int) -> PublicKey:
    return Sm9PublicKey(cursor.text("SM9 user id"), flags)


_READERS: dict[str, Callable[[Cursor, int], PublicKey]] = {
    "DSA_PUB_KEY": _read_dsa,
    "RSA_PUB_KEY": _read_rsa,
    "DH_PUB_KEY": _read_dh,
    "SM2_PUB_KEY": _read_sm2,
    "SM9_PUB_KEY": _read_sm9,
}
