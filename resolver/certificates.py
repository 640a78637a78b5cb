"""Certificates for HTTPS: an authority, servers, and clients with handles.

A client that logs in with a certificate carries `index:handle` as the UID and the
CN of its subject (handle notes §5.1). Everything else here is emulator convention,
made to satisfy the strict checks of Python 3.13 and of OpenSSL 3: the authority
and servers have keys on P-256, and serial numbers follow from the seed.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from registry.errors import CredentialError, MalformedError
from resolver.keys import SeededKeys, private_key_pem

AUTHORITY_LIFETIME = timedelta(days=3650)

CERTIFICATE_LIFETIME = timedelta(days=825)
"""Longest that Apple's systems take from an authority a user added."""

CLOCK_SKEW = timedelta(days=1)
"""Certificates start this much earlier, for machines whose clocks are behind."""

_MAX_COMMON_NAME_CHARACTERS = 64
"""X.520 has a longest CN and no longest UID; long handles are in the UID only."""

_SERIAL_OCTETS = 20

_IDENTITY = re.compile(r"([0-9]{1,10}):(.+)", re.DOTALL)
_MAX_INDEX = 0xFFFFFFFF

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class Authority:
    """What signs certificates."""

    certificate: x509.Certificate
    private_key: ec.EllipticCurvePrivateKey = field(repr=False)
    keys: SeededKeys = field(repr=False)

    @property
    def certificate_pem(self) -> bytes:
        """What a client has to trust."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


class ServerCertificate(NamedTuple):
    """What a server shows, and the key to it, both in PEM."""

    certificate_pem: bytes
    private_key_pem: bytes


def make_authority(keys: SeededKeys, now: datetime) -> Authority:
    """Make the authority of a network; `now` has a time zone."""
    private_key = keys.ec("certificate authority")
    public_key = private_key.public_key()
    name = _name("idis-emulator test authority")
    lifetime = now - CLOCK_SKEW, now + AUTHORITY_LIFETIME
    builder = _builder(keys, name, public_key, lifetime)
    builder = builder.issuer_name(name).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    builder = builder.add_extension(_key_usage(signs_certificates=True), critical=True)
    return Authority(builder.sign(private_key, hashes.SHA256()), private_key, keys)


def issue_server(
    authority: Authority, hosts: Sequence[str], now: datetime
) -> ServerCertificate:
    """Make certificate and key of a server with these names and addresses."""
    private_key = authority.keys.ec(f"server {' '.join(hosts)}")
    lifetime = now - CLOCK_SKEW, now + CERTIFICATE_LIFETIME
    name = _name("idis-emulator server")
    builder = _builder(authority.keys, name, private_key.public_key(), lifetime)
    names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
    builder = builder.add_extension(names, critical=False)
    pem = _issue(authority, builder, ExtendedKeyUsageOID.SERVER_AUTH)
    return ServerCertificate(pem, private_key_pem(private_key))


def issue_client(
    authority: Authority, index: int, handle: str, public_key: PublicKey, now: datetime
) -> bytes:
    """Make the certificate of a user, in PEM."""
    identity = f"{index}:{handle}"
    attributes = [x509.NameAttribute(NameOID.USER_ID, identity)]
    if len(identity) <= _MAX_COMMON_NAME_CHARACTERS:
        attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, identity))
    lifetime = now - CLOCK_SKEW, now + CERTIFICATE_LIFETIME
    builder = _builder(authority.keys, x509.Name(attributes), public_key, lifetime)
    return _issue(authority, builder, ExtendedKeyUsageOID.CLIENT_AUTH)


def client_identity(der: bytes) -> tuple[int, str]:
    """Return index and handle of a certificate whose chain was verified already.

    Raises:
        MalformedError: Not a certificate.
        CredentialError: Neither UID nor CN is `index:handle`.
    """
    try:
        subject = x509.load_der_x509_certificate(der).subject
    # The library raises all three: TypeError for a name of an unexpected string kind.
    except (ValueError, TypeError, x509.InvalidVersion) as error:
        raise MalformedError(f"certificate cannot be read: {error}") from None
    for kind in (NameOID.USER_ID, NameOID.COMMON_NAME):
        for attribute in subject.get_attributes_for_oid(kind):
            match = _IDENTITY.fullmatch(str(attribute.value))
            if match and int(match[1]) <= _MAX_INDEX:
                return int(match[1]), match[2]
    raise CredentialError("certificate: UID or CN of the form index:handle expected")


def _issue(
    authority: Authority, builder: x509.CertificateBuilder, usage: x509.ObjectIdentifier
) -> bytes:
    """Finish and sign the certificate of a server or a client, in PEM."""
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(
        authority.private_key.public_key()
    )
    certificate = (
        builder.issuer_name(authority.certificate.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority.private_key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def _builder(
    keys: SeededKeys,
    name: x509.Name,
    public_key: PublicKey,
    lifetime: tuple[datetime, datetime],
) -> x509.CertificateBuilder:
    """Start a certificate with what all of them have."""
    identifier = x509.SubjectKeyIdentifier.from_public_key(public_key)
    label = f"{name.rfc4514_string()} {identifier.digest.hex()} {lifetime[0]}"
    # One bit less keeps it positive within 20 octets (RFC 5280 §4.1.2.2).
    serial = int.from_bytes(keys.octets("serial", label, _SERIAL_OCTETS)) >> 1
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(public_key)
        .serial_number(serial)
        .not_valid_before(lifetime[0])
        .not_valid_after(lifetime[1])
        .add_extension(identifier, critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
