"""Proof of identity: the answer to a challenge, made and checked (handle notes §1.12).

What is proved over is always the server's nonce, 16 octets, followed by the
digest of the request, without its algorithm octet. The layout of an answer
depends on the kind of key:

    HS_PUBKEY    text hash name, blob signature
    HS_SECKEY    1 octet form, then
                 01 02 03  MD5, SHA-1, SHA-256 of secret, nonce, digest, secret
                 12 13     HMAC-SHA-1, HMAC-SHA-256 with the secret
                 22        blob salt, u32 iterations, u32 key bits, blob HMAC-SHA-1
                           with the key that PBKDF2-HMAC-SHA-1 derives

SM2 signatures come in three variants, and the hash name does not tell them apart,
so all are tried, at the cost of one: (A) SM3 with the user's handle as user id,
over the SM3 of nonce and digest; (B) SHA-256 and (C) SM3, both with the default
user id, over nonce and digest.

A wrong proof is an `AuthenticationError`, a key that cannot prove anything a
`CredentialError`, octets that break the layout a `MalformedError`.
"""

import hashlib
import hmac
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, padding, rsa

from chain_anchor.sm2_curve import Point
from chain_anchor.sm3 import sm3
from registry.errors import AuthenticationError, CredentialError, MalformedError
from registry.model.octets import Cursor, blob, pack_u32, text
from registry.model.public_key import (
    DhPublicKey,
    DsaPublicKey,
    PemPublicKey,
    PublicKey,
    RsaPublicKey,
    Sm2PublicKey,
    Sm9PublicKey,
    decode_public_key,
)
from resolver.session import sm2

PUBLIC_KEY_TYPE = "HS_PUBKEY"
SECRET_KEY_TYPE = "HS_SECKEY"  # noqa: S105 - the name of a value type

MESSAGE_HASH_NAME = "SHA-256"
"""Hash of HS_SIGNED credentials and of RSA answers made here (notes §1.11)."""

MIN_RSA_BITS = 1024
"""Shorter moduli have been factored (emulator convention)."""

PBKDF2_ITERATIONS = 10_000
"""What clients since version 2.7 send (handle notes §1.12)."""

MAX_PBKDF2_ITERATIONS = 100_000
"""Most work a stranger may ask for (emulator convention): 36 ms as measured."""

SALT_OCTETS = 16

_PBKDF2_FORM = 0x22
_PBKDF2_KEY_BITS = 160
_ALLOWED_KEY_BITS = range(128, 161, 8)
"""Fewer could be guessed, and the client chooses; more would double the work."""

_DIGEST_FORMS = {0x01: "md5", 0x02: "sha1", 0x03: "sha256"}
_HMAC_FORMS = {0x12: "sha1", 0x13: "sha256"}

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "SHA256": hashes.SHA256(),
    # Clients older than 2.7 sign with these; a nonce of ours is in what they sign.
    "SHA1": hashes.SHA1(),  # noqa: S303
    "MD5": hashes.MD5(),  # noqa: S303
}

PrivateKey = rsa.RSAPrivateKey | dsa.DSAPrivateKey | int
"""What signs; an integer is an SM2 key."""

Verifier = rsa.RSAPublicKey | dsa.DSAPublicKey | Point
"""What checks a signature; a point is an SM2 key."""


@dataclass(frozen=True, slots=True)
class SecretCredential:
    """A secret that both sides know, kept in an HS_SECKEY value."""

    handle: str
    index: int
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PrivateKeyCredential:
    """A private key whose public half is in an HS_PUBKEY value."""

    handle: str
    index: int
    private_key: PrivateKey = field(repr=False)


Credential = SecretCredential | PrivateKeyCredential


def load_credential(handle: str, index: int, pem: bytes) -> PrivateKeyCredential:
    """Read an unencrypted private key in PEM: RSA, DSA or SM2.

    Raises:
        CredentialError: Another kind of key, encrypted, or not a key at all.
    """
    try:
        return PrivateKeyCredential(handle, index, sm2.load_private_key(pem))
    except MalformedError:
        pass  # Not SM2, which is the one kind the library below cannot read.
    try:
        private_key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CredentialError(f"private key cannot be read: {error}") from None
    if not isinstance(private_key, rsa.RSAPrivateKey | dsa.DSAPrivateKey):
        raise CredentialError("private key: RSA, DSA or SM2 expected, another came")
    return PrivateKeyCredential(handle, index, private_key)


def public_key_of(private_key: PrivateKey) -> PublicKey:
    """Return the public half as an HS_PUBKEY value holds it."""
    match private_key:
        case rsa.RSAPrivateKey():
            rsa_numbers = private_key.public_key().public_numbers()
            return RsaPublicKey(rsa_numbers.e, rsa_numbers.n)
        case dsa.DSAPrivateKey():
            numbers = private_key.public_key().public_numbers()
            group = numbers.parameter_numbers
            return DsaPublicKey(group.q, group.p, group.g, numbers.y)
        case int():
            return Sm2PublicKey(sm2.public_key_pem(sm2.public_point(private_key)))


def answer(
    credential: Credential, nonce: bytes, digest: bytes, *, salt: bytes
) -> tuple[str, bytes]:
    """Answer a challenge: the authentication type and the signed response.

    `salt` is 16 octets nobody used before; only a secret needs it.
    """
    message = nonce + digest
    match credential:
        case SecretCredential():
            return SECRET_KEY_TYPE, _pbkdf2_answer(credential.secret, message, salt)
        case PrivateKeyCredential():
            name, signature = _sign(credential, message)
            return PUBLIC_KEY_TYPE, text(name) + blob(signature)


def verify_answer(  # noqa: PLR0913 - all that a proof depends on
    auth_type: str,
    key_type: str,
    key_data: bytes,
    user: str,
    nonce: bytes,
    digest: bytes,
    answer: bytes,
) -> None:
    """Check the answer to a challenge against the value that holds the user's key.

    `auth_type` is what the client claims, `key_type` and `key_data` are of the
    value at the user's index, `user` is the user's handle as the client wrote it.

    Raises:
        AuthenticationError: The proof is wrong.
        CredentialError: The value is no usable key, or not of the claimed kind.
        MalformedError: The answer breaks its layout.
    """
    if auth_type.upper() != key_type.upper():
        message = (
            f"user's key: {auth_type[:32]!r} claimed, the value is {key_type[:32]!r}"
        )
        raise CredentialError(message)
    match auth_type.upper():
        case "HS_PUBKEY":
            _verify_signed(key_data, user, nonce + digest, answer)
        case "HS_SECKEY":
            _verify_keyed(key_data, nonce + digest, answer)
        case _:
            raise CredentialError(f"authentication type {auth_type[:32]!r} is unknown")


def verify_secret(key_data: bytes, secret: bytes) -> None:
    """Check a secret that was sent in clear, as HTTP Basic does (notes §5.1).

    The value holds the secret itself or its lowercase hexadecimal SHA-1.

    Raises:
        AuthenticationError: Another secret.
        CredentialError: The value is empty.
    """
    _check_secret(key_data)
    hashed = hashlib.sha1(secret, usedforsecurity=False).hexdigest().encode()
    # Both are compared always, so that time tells nothing.
    plain_fits = hmac.compare_digest(key_data, secret)
    if not (hmac.compare_digest(key_data, hashed) or plain_fits):
        raise AuthenticationError("secret is wrong")


def sign_message(private_key: rsa.RSAPrivateKey, octets: bytes) -> bytes:
    """Sign a certified message: RSA, PKCS #1 v1.5, SHA-256 (handle notes §1.11)."""
    return private_key.sign(octets, padding.PKCS1v15(), hashes.SHA256())


def verify_message(key_data: bytes, octets: bytes, signature: bytes) -> None:
    """Check a certified message against a server's key in HS_PUBKEY form.

    Raises:
        AuthenticationError: The signature does not fit.
        CredentialError: Not a usable RSA key.
    """
    key = load_verifier(key_data)
    if not isinstance(key, rsa.RSAPublicKey):
        raise CredentialError("server's key: RSA expected, another kind came")
    _verify_with(key, MESSAGE_HASH_NAME, octets, signature)


def load_verifier(key_data: bytes) -> Verifier:
    """Turn the data of an HS_PUBKEY value into a key that checks signatures.

    Raises:
        CredentialError: Malformed, weak, or of a kind that cannot be checked here.
    """
    try:
        key = _load_verifier(decode_public_key(key_data))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CredentialError(f"public key cannot be used: {error}") from None
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        message = f"RSA key: {MIN_RSA_BITS} bits at least expected, {key.key_size} came"
        raise CredentialError(message)
    return key


def _load_verifier(key: PublicKey) -> Verifier:
    match key:
        case RsaPublicKey():
            return rsa.RSAPublicNumbers(key.exponent, key.modulus).public_key()
        case DsaPublicKey():
            group = dsa.DSAParameterNumbers(key.p, key.q, key.g)
            return dsa.DSAPublicNumbers(key.y, group).public_key()
        case Sm2PublicKey():
            return sm2.load_public_key(key.encoded)
        case PemPublicKey():
            return _load_pem(key)
        case DhPublicKey() | Sm9PublicKey():
            raise CredentialError("public key: RSA, DSA or SM2 expected, another came")


def _load_pem(key: PemPublicKey) -> Verifier:
    try:
        return sm2.load_public_key(key.pem)
    except MalformedError:
        loaded = serialization.load_pem_public_key(key.pem)
    if not isinstance(loaded, rsa.RSAPublicKey | dsa.DSAPublicKey):
        raise CredentialError("public key: RSA, DSA or SM2 expected, another came")
    return loaded


def _sign(credential: PrivateKeyCredential, message: bytes) -> tuple[str, bytes]:
    """Return hash name and signature, as the servers of each kind of key want them."""
    match credential.private_key:
        case rsa.RSAPrivateKey() as rsa_key:
            return MESSAGE_HASH_NAME, sign_message(rsa_key, message)
        case dsa.DSAPrivateKey() as dsa_key:
            # A server older than 2.11 knows no other hash for DSA.
            return "SHA1", dsa_key.sign(message, hashes.SHA1())  # noqa: S303
        case int(private_key):
            public_key = sm2.public_point(private_key)
            user_id = credential.handle.encode()
            e = sm2.message_digest(public_key, sm3(message), user_id)
            return "SM3", sm2.sign(private_key, e)


def _verify_signed(key_data: bytes, user: str, message: bytes, answer: bytes) -> None:
    cursor = Cursor(answer)
    hash_name = cursor.text("hash name")
    signature = cursor.blob("signature")
    cursor.finish("signed response")
    key = load_verifier(key_data)
    if isinstance(key, Point):
        sm2.verify(key, _sm2_digests(key, user, message), signature)
    else:
        _verify_with(key, hash_name, message, signature)


def _sm2_digests(key: Point, user: str, message: bytes) -> list[bytes]:
    """Return e of the three variants A, B and C that clients sign."""
    default = sm2.DEFAULT_USER_ID
    return [
        sm2.message_digest(key, sm3(message), user.encode()),
        sm2.message_digest(key, message, default, sm2.sha256),
        sm2.message_digest(key, message, default),
    ]


def _verify_with(
    key: rsa.RSAPublicKey | dsa.DSAPublicKey,
    hash_name: str,
    message: bytes,
    signature: bytes,
) -> None:
    algorithm = _HASHES.get(hash_name.upper().replace("-", ""))
    if algorithm is None:
        raise AuthenticationError(
            f"signature: hash {hash_name[:32]!r} is not known here"
        )
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, message, padding.PKCS1v15(), algorithm)
        else:
            key.verify(signature, message, algorithm)
    except (InvalidSignature, UnsupportedAlgorithm):
        raise AuthenticationError("signature does not fit key and message") from None


def _verify_keyed(secret: bytes, message: bytes, answer: bytes) -> None:
    """Check a proof of a secret; one stored hashed is itself what clients use."""
    _check_secret(secret)
    cursor = Cursor(answer)
    form = cursor.u8("form of the proof")
    if form == _PBKDF2_FORM:
        expected, proof = _read_pbkdf2(secret, message, cursor)
    else:
        expected = _keyed_digest(form, secret, message)
        proof = cursor.take(cursor.remaining)
    if not hmac.compare_digest(expected, proof):
        raise AuthenticationError("proof of the secret is wrong")


def _keyed_digest(form: int, secret: bytes, message: bytes) -> bytes:
    if form in _HMAC_FORMS:
        return hmac.digest(secret, message, _HMAC_FORMS[form])
    if form in _DIGEST_FORMS:
        return hashlib.new(_DIGEST_FORMS[form], secret + message + secret).digest()
    raise MalformedError(f"form of the proof: {form:02x} is not known")


def _read_pbkdf2(secret: bytes, message: bytes, cursor: Cursor) -> tuple[bytes, bytes]:
    """Read the PBKDF2 form; return the proof expected and the one that came."""
    salt = cursor.blob("salt")
    iterations = cursor.u32("iterations")
    key_bits = cursor.u32("key bits")
    proof = cursor.blob("proof")
    cursor.finish("signed response")
    _check_work(iterations, key_bits)
    return _pbkdf2_proof(secret, message, salt, iterations, key_bits), proof


def _check_work(iterations: int, key_bits: int) -> None:
    if not 1 <= iterations <= MAX_PBKDF2_ITERATIONS:
        message = (
            f"iterations: 1 to {MAX_PBKDF2_ITERATIONS} expected, {iterations} came"
        )
        raise MalformedError(message)
    if key_bits not in _ALLOWED_KEY_BITS:
        message = f"key bits: 128 to 160 in whole octets expected, {key_bits} came"
        raise MalformedError(message)


def _pbkdf2_proof(
    secret: bytes, message: bytes, salt: bytes, iterations: int, key_bits: int
) -> bytes:
    key = hashlib.pbkdf2_hmac("sha1", secret, salt, iterations, key_bits // 8)
    return hmac.digest(key, message, "sha1")


def _pbkdf2_answer(secret: bytes, message: bytes, salt: bytes) -> bytes:
    iterations, key_bits = PBKDF2_ITERATIONS, _PBKDF2_KEY_BITS
    proof = _pbkdf2_proof(secret, message, salt, iterations, key_bits)
    work = pack_u32(iterations) + pack_u32(key_bits)
    return bytes([_PBKDF2_FORM]) + blob(salt) + work + blob(proof)


def _check_secret(secret: bytes) -> None:
    if not secret:
        raise CredentialError("user's key: a secret expected, the value is empty")
