"""Certificates of authority, servers and clients."""

import contextlib
import ipaddress
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509 import verification
from cryptography.x509.oid import NameOID
from hypothesis import given, strategies as st

from registry.errors import CredentialError, MalformedError
from resolver.certificates import (
    CERTIFICATE_LIFETIME,
    CLOCK_SKEW,
    client_identity,
    issue_client,
    issue_server,
    make_authority,
)
from resolver.keys import SeededKeys, private_key_pem

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
# OpenSSL looks at the machine's clock by itself, so what it checks is issued now.
TODAY = datetime.now(UTC)  # noqa: TID251

HOSTS = ["127.0.0.1", "::1", "localhost"]
HANDLE = "88.100.1/admin"
KEYS = SeededKeys(1)
CLIENT_KEY = KEYS.rsa("certificate tests")
AUTHORITY = make_authority(KEYS, NOW)
SERVER = issue_server(AUTHORITY, HOSTS, NOW)
CLIENT = issue_client(AUTHORITY, 300, HANDLE, CLIENT_KEY.public_key(), NOW)


def der(pem: bytes) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pem.decode())


def general_name(host: str) -> verification.Subject:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def verify_server(host: str, when: datetime) -> None:
    """Check the server's certificate as strictly as web browsers do."""
    store = verification.Store([AUTHORITY.certificate])
    builder = verification.PolicyBuilder().store(store).time(when)
    verifier = builder.build_server_verifier(general_name(host))
    verifier.verify(x509.load_pem_x509_certificate(SERVER.certificate_pem), [])


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(
    "later",
    [timedelta(0), CERTIFICATE_LIFETIME - timedelta(1), timedelta(1) - CLOCK_SKEW],
)
def test_a_server_is_trusted_under_each_of_its_names(host, later):
    verify_server(host, NOW + later)


@pytest.mark.parametrize("host", ["127.0.0.2", "::2", "example.test"])
def test_a_server_is_not_trusted_under_another_name(host):
    with pytest.raises(verification.VerificationError):
        verify_server(host, NOW)


@pytest.mark.parametrize(
    "later", [CERTIFICATE_LIFETIME + timedelta(1), -CLOCK_SKEW - timedelta(1)]
)
def test_a_server_is_not_trusted_outside_its_lifetime(later):
    with pytest.raises(verification.VerificationError):
        verify_server("localhost", NOW + later)


def test_a_server_of_another_seed_is_not_trusted():
    other = issue_server(make_authority(SeededKeys(2), NOW), HOSTS, NOW)
    store = verification.Store([AUTHORITY.certificate])
    builder = verification.PolicyBuilder().store(store).time(NOW)
    verifier = builder.build_server_verifier(x509.DNSName("localhost"))
    with pytest.raises(verification.VerificationError):
        verifier.verify(x509.load_pem_x509_certificate(other.certificate_pem), [])


def test_a_client_s_certificate_is_trusted_for_clients():
    store = verification.Store([AUTHORITY.certificate])
    verifier = verification.PolicyBuilder().store(store).time(NOW)
    # The library's client policy wants a subject alternative name; a handle is none.
    extensions = verification.ExtensionPolicy.permit_all()
    policy = verifier.extension_policies(
        ca_policy=verification.ExtensionPolicy.webpki_defaults_ca(),
        ee_policy=extensions,
    )
    policy.build_client_verifier().verify(x509.load_pem_x509_certificate(CLIENT), [])


def test_keys_serials_and_names_follow_from_the_seed():
    again = make_authority(SeededKeys(1), NOW)
    assert again.certificate.serial_number == AUTHORITY.certificate.serial_number
    assert issue_server(again, HOSTS, NOW).private_key_pem == SERVER.private_key_pem


def test_serial_numbers_differ_and_are_short_enough():
    later = make_authority(KEYS, NOW + timedelta(1)).certificate
    certificates = [AUTHORITY.certificate, later]
    certificates += map(
        x509.load_pem_x509_certificate, [SERVER.certificate_pem, CLIENT]
    )
    serials = {certificate.serial_number for certificate in certificates}
    assert len(serials) == 4
    assert all(0 < serial < 1 << 159 for serial in serials)


def test_an_authority_does_not_show_its_key():
    number = AUTHORITY.private_key.private_numbers().private_value
    assert str(number) not in repr(AUTHORITY)
    assert AUTHORITY.certificate_pem.startswith(b"-----BEGIN CERTIFICATE-----\n")


# Identity


@pytest.mark.parametrize(
    "handle", [HANDLE, "0.NA/88.100.1", "88.1/a:b", "88.1/武汉", "88.1/" + "x" * 500]
)
def test_a_client_s_certificate_names_its_handle(handle):
    pem = issue_client(AUTHORITY, 300, handle, CLIENT_KEY.public_key(), NOW)
    assert client_identity(der(pem)) == (300, handle)


def test_a_short_identity_is_uid_and_cn():
    subject = x509.load_pem_x509_certificate(CLIENT).subject
    for kind in (NameOID.USER_ID, NameOID.COMMON_NAME):
        (attribute,) = subject.get_attributes_for_oid(kind)
        assert attribute.value == f"300:{HANDLE}"


def with_subject(*attributes: tuple[x509.ObjectIdentifier, str]) -> bytes:
    name = x509.Name([x509.NameAttribute(*attribute) for attribute in attributes])
    builder = x509.CertificateBuilder(name, name, CLIENT_KEY.public_key(), 1, NOW, NOW)
    key = KEYS.ec("somebody")
    return builder.sign(key, x509_hash()).public_bytes(serialization.Encoding.DER)


def x509_hash():
    return AUTHORITY.certificate.signature_hash_algorithm


def test_the_cn_alone_is_enough():
    assert client_identity(with_subject((NameOID.COMMON_NAME, "7:a/b"))) == (7, "a/b")


def test_the_uid_comes_before_the_cn():
    subject = (NameOID.COMMON_NAME, "7:a/b"), (NameOID.USER_ID, "8:c/d")
    assert client_identity(with_subject(*subject)) == (8, "c/d")


def test_a_cn_that_is_an_identity_helps_a_uid_that_is_none():
    subject = (NameOID.USER_ID, "somebody"), (NameOID.COMMON_NAME, "7:a/b")
    assert client_identity(with_subject(*subject)) == (7, "a/b")


@pytest.mark.parametrize(
    "name",
    ["somebody", "300", ":a/b", "300:", "-1:a/b", "4294967296:a/b", "\uff13:a/b"],
)
def test_a_name_that_is_no_identity_is_a_credential_error(name):
    with pytest.raises(CredentialError, match="index:handle"):
        client_identity(with_subject((NameOID.COMMON_NAME, name)))


@given(st.binary(max_size=100))
def test_any_octets_are_no_certificate(octets):
    with pytest.raises(MalformedError):
        client_identity(octets)


# The library warns of serial numbers and names that it still reads.
@pytest.mark.filterwarnings("ignore")
def test_a_certificate_with_any_octet_damaged_has_an_identity_or_an_error_of_ours():
    octets = der(CLIENT)
    for place in range(len(octets)):
        for octet in {
            0,
            3,
            1,
            0x7F,
            0x80,
            0xFF,
            octets[place] ^ 1,
            octets[place] ^ 0x20,
        }:
            damaged = octets[:place] + bytes([octet]) + octets[place + 1 :]
            with contextlib.suppress(MalformedError, CredentialError):
                client_identity(damaged)


# TLS


class Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Write what Python's ssl reads from files only."""
    directory = tmp_path_factory.mktemp("certificates")
    authority = make_authority(KEYS, TODAY)
    server = issue_server(authority, HOSTS, TODAY)
    client = issue_client(authority, 300, HANDLE, CLIENT_KEY.public_key(), TODAY)
    (directory / "authority.pem").write_bytes(authority.certificate_pem)
    (directory / "server.pem").write_bytes(
        server.certificate_pem + server.private_key_pem
    )
    (directory / "client.pem").write_bytes(client + private_key_pem(CLIENT_KEY))
    return directory


@pytest.fixture
def https_port(files):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files / "server.pem")
    with HTTPServer(("127.0.0.1", 0), Hello) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_requests_trusts_the_server(https_port, files, host):
    with requests.Session() as session:
        session.trust_env = False
        url = f"https://{host}:{https_port}/"
        answer = session.get(url, verify=str(files / "authority.pem"), timeout=10)
    assert answer.text == "hello"


def test_requests_does_not_trust_the_server_without_the_authority(https_port):
    with requests.Session() as session:
        session.trust_env = False
        with pytest.raises(requests.exceptions.SSLError):
            session.get(f"https://127.0.0.1:{https_port}/", timeout=10)


def handshake(
    server: ssl.SSLContext, client: ssl.SSLContext, host: str
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Run a handshake in memory; return the server's and the client's end."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(down, up, server_hostname=host),
        server.wrap_bio(up, down, server_side=True),
    ]
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ends[1], ends[0]


def contexts(files) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(files / "server.pem")
    server.load_verify_locations(files / "authority.pem")
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.create_default_context(cafile=files / "authority.pem")
    for context in (server, client):
        # Python 3.13 checks strictly by default.
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    return server, client


@pytest.mark.parametrize("host", HOSTS)
def test_python_s_ssl_trusts_both_ends_and_sees_who_the_client_is(files, host):
    server, client = contexts(files)
    client.load_cert_chain(files / "client.pem")
    server_end, client_end = handshake(server, client, host)
    assert client_end.version() == "TLSv1.3"
    assert client_identity(server_end.getpeercert(binary_form=True)) == (300, HANDLE)


def test_a_server_s_certificate_is_none_for_clients(files):
    server, client = contexts(files)
    client.load_cert_chain(files / "server.pem")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, client, "localhost")
