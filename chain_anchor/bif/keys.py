"""Private and public keys of accounts: Ed25519 and SM2 (bif notes §2.2, §2.3).

Layout of a private key, which is written in base58, and of a public key, which is
written in lower-case hexadecimal:

    OFFSET  SIZE  FIELD                     OFFSET  SIZE   FIELD
         0     3  18 9e 99                       0     1   b0
         3     1  key type, 65 or 7a             1     1   key type, 65 or 7a
         4     1  encoding, 66 (base58)          2     1   encoding, 66 (base58)
         5    32  key                            3  32/65  key; SM2: 04, x, y

Signatures have 64 octets and are over the message itself: RFC 8032 pure Ed25519, or
SM2 with SM3. Private keys are for test networks, and are never shown by `repr`.
"""

import hashlib
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from chain_anchor.bif import addresses, base58, hexadecimal, sm2
from chain_anchor.bif.errors import EncodingError
from chain_anchor.errors import SignatureError
from chain_anchor.sm3 import sm3

PRIVATE_KEY_OCTETS: Final = 32
SIGNATURE_OCTETS: Final = 64
_PRIVATE_PREFIX: Final = bytes.fromhex("189e99")
_PUBLIC_PREFIX: Final = b"\xb0"
_BASE58: Final = b"f"
_REMEMBERED: Final = 4096
_REMEMBERED_PRIVATE: Final = 64
"""Few keys sign much, and all are of test networks."""

_SEED_CONTEXT: Final = b"idis-emulator/bif-key/v1\n"


class KeyType(Enum):
    """Algorithm of a key, by the letter that stands for it."""

    ED25519 = "e"
    SM2 = "z"

    @property
    def public_octets(self) -> int:
        """Size of a raw public key."""
        return 32 if self is KeyType.ED25519 else sm2.PUBLIC_KEY_OCTETS


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key: its type and its raw octets, 32 or 65."""

    type: KeyType
    octets: bytes

    @classmethod
    def parse(cls, text: str) -> "PublicKey":
        """Read a public key from hexadecimal, 70 or 136 digits.

        Raises:
            EncodingError: it is none, or an SM2 point is not on the curve.
        """
        return _parse_public_key(text)

    @property
    def text(self) -> str:
        """The encoded key in hexadecimal."""
        return (_PUBLIC_PREFIX + _type_octets(self.type) + self.octets).hex()

    def address(self, ac: str = "") -> str:
        """Give the address of the account of this key, on a sub-chain if `ac`."""
        return _address(self, ac)

    def verify(self, message: bytes, signature: bytes) -> None:
        """Check a signature over a message.

        Raises:
            SignatureError: it does not hold.
        """
        if len(signature) != SIGNATURE_OCTETS:
            raise SignatureError(
                f"signature: 64 octets expected, {len(signature)} came"
            )
        if self.type is KeyType.SM2:
            sm2.verify(self.octets, message, signature)
            return
        try:
            _ed25519(self.octets).verify(signature, message)
        except InvalidSignature:
            raise SignatureError("Ed25519: the signature does not hold") from None


@dataclass(frozen=True, slots=True, repr=False)
class PrivateKey:
    """A private key: its type and its 32 octets."""

    type: KeyType
    octets: bytes

    def __repr__(self) -> str:
        """Show everything but the key."""
        return f"PrivateKey({self.type.name}, ...)"

    def __post_init__(self) -> None:
        if len(self.octets) != PRIVATE_KEY_OCTETS:
            raise EncodingError(
                f"private key: 32 octets expected, got {len(self.octets)}"
            )
        if self.type is KeyType.SM2:
            sm2.check_private_key(self.octets)

    @classmethod
    def parse(cls, text: str) -> "PrivateKey":
        """Read a private key from base58: "priSPK..." or "priSr...".

        Raises:
            EncodingError: it is none; the text is not repeated.
        """
        try:
            octets = base58.decode(text)
        except EncodingError:
            raise EncodingError("private key: it is not base58") from None
        if octets[:3] != _PRIVATE_PREFIX or octets[4:5] != _BASE58:
            raise EncodingError("private key: another prefix than 18 9e 99 .. 66")
        return cls(_key_type(octets[3:4]), octets[5:])

    @classmethod
    def from_seed(
        cls, seed: str, name: str, type_: KeyType = KeyType.ED25519
    ) -> "PrivateKey":
        """Derive a key that the same seed and name give again (emulator convention).

        SHA-256(context || type || length of seed u32 || seed || name || round u8);
        further rounds are for SM2 numbers out of range.
        """
        octets = seed.encode()
        start = _SEED_CONTEXT + type_.value.encode() + len(octets).to_bytes(4) + octets
        for count in range(256):
            try:
                return cls(type_, _sha256(start + name.encode() + bytes([count])))
            except EncodingError:
                continue
        raise AssertionError("unreachable: 256 hashes out of range")

    @property
    def text(self) -> str:
        """The encoded key in base58."""
        return base58.encode(_PRIVATE_PREFIX + _type_octets(self.type) + self.octets)

    @property
    def public(self) -> PublicKey:
        """The public key."""
        return _public_key(self)

    def address(self, ac: str = "") -> str:
        """Give the address of the account of this key, on a sub-chain if `ac`."""
        return self.public.address(ac)

    def sign(self, message: bytes) -> bytes:
        """Sign a message; the same message gives the same 64 octets."""
        if self.type is KeyType.SM2:
            return sm2.sign(self.octets, message)
        return _ed25519_private(self.octets).sign(message)


@lru_cache(maxsize=_REMEMBERED)
def _parse_public_key(text: str) -> PublicKey:
    octets = hexadecimal.decode(text)
    if octets[:1] != _PUBLIC_PREFIX or octets[2:3] != _BASE58:
        raise EncodingError(f"public key: b0, type, 66 expected, got {text[:6]!r}")
    key = PublicKey(_key_type(octets[1:2]), octets[3:])
    if len(key.octets) != key.type.public_octets:
        raise EncodingError(
            f"public key: {key.type.public_octets} octets expected after the prefix, "
            f"got {len(key.octets)}"
        )
    if key.type is KeyType.SM2:
        sm2.check_public_key(key.octets)
    return key


@lru_cache(maxsize=_REMEMBERED)
def _address(key: PublicKey, ac: str) -> str:
    digest = _sha256 if key.type is KeyType.ED25519 else sm3
    return addresses.of_hash(digest(key.octets), key.type.value + "f", ac)


@lru_cache(maxsize=_REMEMBERED)
def _ed25519(octets: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(octets)


# Validators sign each block: reading their keys took longer than signing.
@lru_cache(maxsize=_REMEMBERED_PRIVATE)
def _ed25519_private(octets: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(octets)


@lru_cache(maxsize=_REMEMBERED_PRIVATE)
def _public_key(key: PrivateKey) -> PublicKey:
    if key.type is KeyType.SM2:
        return PublicKey(key.type, sm2.public_key(key.octets))
    private = _ed25519_private(key.octets)
    return PublicKey(key.type, private.public_key().public_bytes_raw())


def _key_type(octet: bytes) -> KeyType:
    try:
        return KeyType(octet.decode("ascii"))
    except ValueError:
        raise EncodingError(
            f"key: type 65 or 7a expected, got {octet.hex() or 'nothing'}"
        ) from None


def _type_octets(type_: KeyType) -> bytes:
    return type_.value.encode() + _BASE58


def _sha256(octets: bytes) -> bytes:
    return hashlib.sha256(octets).digest()
