"""Who sends an HTTP request: Basic authentication, client certificates (notes §5.1).

Basic: the user is percent-encoded `index:handle`, so its colon is `%3A`, and the
password is the secret of the HS_SECKEY value there. A user of another node is asked
about there: a secret is never resolved, but its node verifies a proof (operation 201).

Certificate: UID or CN of the subject is `index:handle`, and the key is the one of the
HS_PUBKEY value there. It counts when `Authorization: Handle clientCert="true"` says so,
and for whatever changes something (emulator convention: reading stays anonymous).

Credentials over plain HTTP are refused, used or not: CNRI's server ignores them, and
the client learns nothing from the 403 that follows.
"""

import asyncio
import base64
import binascii
import re
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chain_anchor.sm2_curve import Point
from registry.errors import AuthenticationError, CredentialError, GroupError
from registry.model.codes import ResponseCode
from registry.model.identifier import canonical, home_of
from registry.model.identity import Identity
from registry.model.public_key import (
    PemPublicKey,
    Sm2PublicKey,
    decode_public_key,
    subject_public_key_info,
)
from registry.model.value import Value
from resolver.certificates import client_identity
from resolver.faces.exchange import HttpError, Request
from resolver.session.challenge import NONCE_OCTETS
from resolver.session.signature import (
    PUBLIC_KEY_TYPE,
    SALT_OCTETS,
    SECRET_KEY_TYPE,
    SecretCredential,
    answer,
    load_verifier,
    verify_secret,
)
from resolver.wire.request import Verify

if TYPE_CHECKING:
    from registry.access import Access
    from registry.store.interface import Store
    from resolver.elsewhere import Elsewhere

_USER = re.compile(rb"([0-9]{1,10}):(.+)", re.DOTALL)
_CERTIFICATE = re.compile(r'clientCert\s*=\s*"?true"?', re.IGNORECASE)
_READING = ("GET", "HEAD")
_DIGEST_OCTETS = 32
_LARGEST_INDEX = 0xFFFF_FFFF


class Identification:
    """Finds out who sends the requests of one node."""

    def __init__(
        self, store: "Store | None", access: "Access | None", elsewhere: "Elsewhere"
    ) -> None:
        self._store = store
        self._access = access
        self._elsewhere = elsewhere

    async def identify(self, request: Request) -> Identity | None:
        """Give whom the request's credentials prove; None when it has none.

        Raises:
            AuthenticationError: A wrong secret or key, or plain HTTP.
            CredentialError: The user has no usable key or secret there.
            HttpError: A kind of credentials that is not supported.
        """
        if self._access is not None and not self._access.required:
            return None  # everybody may do everything, whoever it is
        scheme, _, rest = request.header(b"authorization").partition(" ")
        if not scheme:
            return await self._without_header(request)
        if not request.secure:
            message = "credentials are not taken over plain HTTP: use HTTPS"
            raise AuthenticationError(message)
        if scheme.lower() == "basic":
            return await self._by_secret(rest)
        if scheme.lower() == "handle" and _CERTIFICATE.search(rest):
            return await self._by_certificate(request.certificate)
        message = 'Authorization: Basic, or Handle clientCert="true", expected'
        raise HttpError(
            HTTPStatus.NOT_IMPLEMENTED,
            message,
            code=ResponseCode.OPERATION_NOT_SUPPORTED,
        )

    async def _without_header(self, request: Request) -> Identity | None:
        if request.certificate is None or request.method in _READING:
            return None
        return await self._by_certificate(request.certificate)

    async def _by_secret(self, encoded: str) -> Identity:
        identity, handle, secret = read_basic(encoded)
        if not self._is_here(identity):
            await self._ask_elsewhere(handle, identity, secret)
            return identity
        value = await self._value(identity)
        if value.type.upper() != SECRET_KEY_TYPE:
            message = f"{identity}: {SECRET_KEY_TYPE} expected, it is {value.type}"
            raise CredentialError(message)
        # Not in a thread: it takes 1 microsecond, going to a thread and back 80.
        verify_secret(value.data, secret)
        return identity

    async def _ask_elsewhere(
        self, handle: bytes, identity: Identity, secret: bytes
    ) -> None:
        """Prove to the user's node, as any client would, that the secret is right."""
        credential = SecretCredential(handle.decode(), identity.index, secret)
        nonce = secrets.token_bytes(NONCE_OCTETS)
        digest = secrets.token_bytes(_DIGEST_OCTETS)
        salt = secrets.token_bytes(SALT_OCTETS)
        # In a thread: PBKDF2 takes milliseconds.
        _, proof = await asyncio.to_thread(answer, credential, nonce, digest, salt=salt)
        question = Verify(handle, identity.index, nonce, digest, proof)
        try:
            right = await self._elsewhere.verify(question)
        except GroupError as error:
            message = f"{identity} does not live here, and {error}"
            raise AuthenticationError(message) from None
        if not right:
            raise AuthenticationError("the user's node says that the secret is wrong")

    async def _by_certificate(self, certificate: bytes | None) -> Identity:
        if certificate is None:
            message = "a client certificate was announced, but none was shown"
            raise AuthenticationError(message)
        index, handle = client_identity(certificate)
        identity = Identity(canonical(handle.encode()), index)
        value = await self._value(identity)
        if value.type.upper() != PUBLIC_KEY_TYPE:
            message = f"{identity}: {PUBLIC_KEY_TYPE} expected, it is {value.type}"
            raise CredentialError(message)
        check_same_key(certificate, value.data)  # 15 microseconds: not in a thread
        return identity

    def _is_here(self, identity: Identity) -> bool:
        if self._store is None:
            return False
        with self._store.snapshot() as snapshot:
            return snapshot.home(home_of(identity.handle)) is not None

    async def _value(self, identity: Identity) -> Value:
        values: tuple[Value, ...] = ()
        if self._store is not None and self._is_here(identity):
            record = self._store.get(identity.handle)
            values = record.values if record else ()
        else:
            values = await self._resolve(identity)
        for value in values:
            if value.index == identity.index:
                return value
        raise CredentialError(f"{identity} has no key")

    async def _resolve(self, identity: Identity) -> tuple[Value, ...]:
        try:
            return await self._elsewhere.values(identity.handle)
        except GroupError as error:
            message = f"{identity} does not live here: {error}"
            raise AuthenticationError(message) from None


def read_basic(encoded: str) -> tuple[Identity, bytes, bytes]:
    """Read Basic credentials (RFC 7617): identity, handle as written, secret.

    Raises:
        AuthenticationError: They are not `index%3Ahandle:secret` in base64.
    """
    try:
        octets = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise AuthenticationError("Basic credentials: base64 expected") from None
    user, _, secret = octets.partition(b":")
    match = _USER.fullmatch(unquote_to_bytes(user))
    if match is None or int(match[1]) > _LARGEST_INDEX:
        message = (
            "user: index%3Ahandle expected, with the colon percent-encoded, "
            "such as 300%3A88.100.1/admin"
        )
        raise AuthenticationError(message)
    return Identity(canonical(match[2]), int(match[1])), match[2], secret


def check_same_key(certificate: bytes, key_data: bytes) -> None:
    """Check that a certificate holds the key of an HS_PUBKEY value.

    Raises:
        AuthenticationError: It holds another.
        CredentialError: One of them is no usable key.
    """
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
        shown = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        kept = _info_of(key_data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CredentialError(f"public key cannot be used: {error}") from None
    if shown != kept:
        message = "the certificate's key is not the one in the user's record"
        raise AuthenticationError(message)


def _info_of(key_data: bytes) -> bytes:
    """Give X.509 SubjectPublicKeyInfo of HS_PUBKEY data."""
    key = decode_public_key(key_data)
    if isinstance(key, PemPublicKey):
        return subject_public_key_info(key.pem)
    if isinstance(key, Sm2PublicKey):
        return subject_public_key_info(key.encoded)
    verifier = load_verifier(key_data)
    assert not isinstance(verifier, Point)  # it would have been an SM2 key
    return verifier.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
