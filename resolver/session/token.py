"""The identity token that a resolution carries through recursion (handle notes §2.2).

The SDK puts it in the request's authBytes and sets operation flag 0x4. It is a
JWT in compact form (RFC 7519, RFC 7515 §3.1), always RS256:

    header   {"alg": "RS256", "typ": "JWT"}
    claims   user_index, user_handle, nonce, timestamp in milliseconds

Reading checks the form only; `verify_token` checks who wrote it and when. A token
is not tied to a request, so it is worth only as much as its age allows.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import rsa

from registry.errors import AuthenticationError, CredentialError, MalformedError
from resolver.session.signature import (
    PrivateKeyCredential,
    sign_message,
    verify_message,
)

MAX_TOKEN_OCTETS = 8192
"""Longest token read (emulator convention); the SDK's are about 500 octets."""

MAX_AGE_SECONDS = 300.0
"""How far a token's time may be from ours, either way (emulator convention)."""

_MAX_INDEX = 0xFFFFFFFF
_MAX_TIMESTAMP_MS = 1 << 53
"""Beyond this, JSON readers disagree about integers."""

_HEADER = {"alg": "RS256", "typ": "JWT"}


@dataclass(frozen=True, slots=True)
class IdentityToken:
    """A token that was read, not verified."""

    user_handle: str
    user_index: int
    nonce: int | str
    timestamp_ms: int
    """Milliseconds since 1970."""

    signed_octets: bytes
    signature: bytes


def make_token(credential: PrivateKeyCredential, now: float, nonce: int) -> bytes:
    """Write a token as the SDK does; `now` is in seconds since 1970.

    Raises:
        CredentialError: The key is not an RSA key.
    """
    if not isinstance(credential.private_key, rsa.RSAPrivateKey):
        raise CredentialError("identity token: an RSA key expected, another kind came")
    claims = {
        "user_index": credential.index,
        "user_handle": credential.handle,
        "nonce": nonce,
        "timestamp": round(now * 1000),
    }
    signed_octets = _encode_json(_HEADER) + b"." + _encode_json(claims)
    signature = sign_message(credential.private_key, signed_octets)
    return signed_octets + b"." + _encode(signature)


def read_token(octets: bytes) -> IdentityToken:
    """Read a token without trusting it.

    Raises:
        MalformedError: Too long, not a JWT, another algorithm, or wrong claims.
    """
    if len(octets) > MAX_TOKEN_OCTETS:
        message = f"token: {len(octets)} octets, at most {MAX_TOKEN_OCTETS} allowed"
        raise MalformedError(message)
    parts = octets.split(b".")
    if len(parts) != 3:
        raise MalformedError(f"token: 3 parts expected, {len(parts)} came")
    header, claims = _decode_json(parts[0]), _decode_json(parts[1])
    if header.get("alg") != "RS256":
        raise MalformedError("token: alg RS256 expected, another came")
    return IdentityToken(
        user_handle=_text(claims, "user_handle"),
        user_index=_integer(claims, "user_index", _MAX_INDEX),
        nonce=_nonce(claims),
        timestamp_ms=_integer(claims, "timestamp", _MAX_TIMESTAMP_MS),
        signed_octets=parts[0] + b"." + parts[1],
        signature=_decode(parts[2]),
    )


def verify_token(
    token: IdentityToken,
    key_data: bytes,
    now: float,
    max_age_seconds: float = MAX_AGE_SECONDS,
) -> None:
    """Check a token against its user's key, the data of an HS_PUBKEY value.

    Raises:
        AuthenticationError: The signature does not fit, or the time is too far off.
        CredentialError: Not a usable RSA key.
    """
    age_seconds = now - token.timestamp_ms / 1000
    if abs(age_seconds) > max_age_seconds:
        message = (
            f"token: {age_seconds:.0f} s old, at most {max_age_seconds:.0f} allowed"
        )
        raise AuthenticationError(message)
    verify_message(key_data, token.signed_octets, token.signature)


def _encode(octets: bytes) -> bytes:
    return base64.urlsafe_b64encode(octets).rstrip(b"=")


def _encode_json(members: Mapping[str, object]) -> bytes:
    # The SDK writes no spaces and leaves names of any script as they are.
    written = json.dumps(members, separators=(",", ":"), ensure_ascii=False)
    return _encode(written.encode())


def _decode(part: bytes) -> bytes:
    """Read base64url without padding (RFC 7515 §2).

    Raises:
        MalformedError: Another alphabet or length, or spare bits that are not zero.
    """
    try:
        padded = part + b"=" * (-len(part) % 4)
        octets = base64.b64decode(padded, altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise MalformedError(f"token: not base64url ({error})") from None
    if _encode(octets) != part:
        raise MalformedError("token: base64url in its only form expected")
    return octets


def _decode_json(part: bytes) -> dict[str, object]:
    try:
        members: object = json.loads(_decode(part).decode())
    # Nesting as deep as 8 KiB allow exhausts the JSON reader's stack.
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"token: not JSON ({error})") from None
    if not isinstance(members, dict):
        raise MalformedError("token: a JSON object expected, another value came")
    return members


def _integer(claims: dict[str, object], name: str, largest: int) -> int:
    value = claims.get(name)
    # JSON's true and false are integers to Python.
    if type(value) is not int or not 0 <= value <= largest:
        raise MalformedError(f"token: {name} from 0 to {largest} expected")
    return value


def _text(claims: dict[str, object], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value or not _is_unicode(value):
        raise MalformedError(f"token: {name}, a text, expected")
    return value


def _is_unicode(value: str) -> bool:
    """Tell whether a text can be sent: JSON escapes can make lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _nonce(claims: dict[str, object]) -> int | str:
    """Return the nonce, a number from the SDK; texts are taken as well."""
    value = claims.get("nonce")
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise MalformedError("token: nonce, a number or a text, expected")
    return value
