"""Answers to a challenge, and certified messages."""

import hashlib
import hmac
import struct

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding
from hypothesis import given, settings, strategies as st

from registry.errors import (
    AuthenticationError,
    CredentialError,
    MalformedError,
    RegistryError,
)
from registry.model.octets import Cursor, blob, pack_u32, text
from registry.model.public_key import (
    DhPublicKey,
    DsaPublicKey,
    PemPublicKey,
    RsaPublicKey,
    Sm2PublicKey,
    Sm9PublicKey,
    encode_public_key,
    subject_public_key_info,
)
from resolver.keys import SeededKeys, private_key_pem, public_key_pem
from resolver.session import sm2
from resolver.session.signature import (
    MAX_PBKDF2_ITERATIONS,
    PrivateKeyCredential,
    SecretCredential,
    answer,
    load_credential,
    load_verifier,
    public_key_of,
    sign_message,
    verify_answer,
    verify_message,
    verify_secret,
)
from tests.unit.test_sm2 import (
    BOUNCY_MESSAGE,
    BOUNCY_PUBLIC_KEY,
    BOUNCY_SHA256_SIGNATURE,
    BOUNCY_SM3_SIGNATURE,
    SDK_MESSAGE,
    SDK_PUBLIC_KEY,
    SDK_SIGNATURE,
)
from tests.vectors.read import golden_pairs, sdk_requests

USER = "88.100.1/admin"
NONCE = bytes(range(16))
DIGEST = hashlib.sha256(b"request").digest()
MESSAGE = NONCE + DIGEST
SALT = b"s" * 16
SECRET = b"open sesame"

KEYS = SeededKeys(1)
RSA = KEYS.rsa("signature tests")
DSA = dsa.generate_private_key(1024)
SM2 = KEYS.sm2("signature tests")
PRIVATE_KEYS = {"rsa": RSA, "dsa": DSA, "sm2": SM2}
kinds = pytest.mark.parametrize("kind", PRIVATE_KEYS)


def key_data(private_key) -> bytes:
    return encode_public_key(public_key_of(private_key))


def check(auth_type: str, data: bytes, signed: bytes, user: str = USER) -> None:
    verify_answer(auth_type, auth_type, data, user, NONCE, DIGEST, signed)


def answered(kind: str) -> bytes:
    credential = PrivateKeyCredential(USER, 300, PRIVATE_KEYS[kind])
    auth_type, signed = answer(credential, NONCE, DIGEST, salt=b"")
    assert auth_type == "HS_PUBKEY"
    return signed


def flips(octets: bytes):
    for bit in range(8 * len(octets)):
        flipped = bytearray(octets)
        flipped[bit // 8] ^= 1 << bit % 8
        yield bytes(flipped)


# Public keys


@kinds
def test_our_own_answer_is_accepted(kind):
    check("HS_PUBKEY", key_data(PRIVATE_KEYS[kind]), answered(kind))


@kinds
def test_a_plain_pem_key_accepts_the_same_answer(kind):
    info = subject_public_key_info(public_key_pem(PRIVATE_KEYS[kind]))
    check("HS_PUBKEY", PemPublicKey.from_info(info).pem, answered(kind))


@kinds
def test_a_signature_with_any_bit_flipped_is_refused(kind):
    data = key_data(PRIVATE_KEYS[kind])
    cursor = Cursor(answered(kind))
    name, signature = cursor.text(), cursor.blob()
    for flipped in flips(signature):
        with pytest.raises(AuthenticationError):
            check("HS_PUBKEY", data, text(name) + blob(flipped))


@kinds
def test_an_answer_to_another_challenge_is_refused(kind):
    data, signed = key_data(PRIVATE_KEYS[kind]), answered(kind)
    for flipped in (*flips(NONCE[:2]), NONCE[::-1]):
        with pytest.raises(AuthenticationError):
            verify_answer(
                "HS_PUBKEY",
                "HS_PUBKEY",
                data,
                USER,
                flipped + NONCE[len(flipped) :],
                DIGEST,
                signed,
            )


@kinds
def test_the_answer_of_another_key_is_refused(kind):
    other = {
        "rsa": lambda: KEYS.rsa("another"),
        "dsa": lambda: dsa.generate_private_key(1024),
        "sm2": lambda: KEYS.sm2("another"),
    }[kind]()
    with pytest.raises(AuthenticationError):
        check("HS_PUBKEY", key_data(other), answered(kind))


def test_an_sm2_answer_names_its_user():
    with pytest.raises(AuthenticationError):
        check("HS_PUBKEY", key_data(SM2), answered("sm2"), user="88.100.1/other")


@pytest.mark.parametrize("name", ["SM3", "SHA-256", "whatever"])
@pytest.mark.parametrize(
    ("public_key", "message", "user", "signature"),
    [
        # Handle notes §1.12, recorded from the official SDK.
        (SDK_PUBLIC_KEY, SDK_MESSAGE, "88.888.1/sm2user", SDK_SIGNATURE),
        # Made with BouncyCastle 1.70, see test_sm2.
        (BOUNCY_PUBLIC_KEY, BOUNCY_MESSAGE, "a/b", BOUNCY_SHA256_SIGNATURE),
        (BOUNCY_PUBLIC_KEY, BOUNCY_MESSAGE, "a/b", BOUNCY_SM3_SIGNATURE),
    ],
    ids=["variant A", "variant B", "default user id"],
)
def test_every_variant_of_sm2_is_accepted_under_any_hash_name(
    name, public_key, message, user, signature
):
    data = encode_public_key(Sm2PublicKey(public_key))
    signed = text(name) + blob(signature)
    nonce, digest = message[:16], message[16:]
    verify_answer("HS_PUBKEY", "HS_PUBKEY", data, user, nonce, digest, signed)


@pytest.mark.parametrize(
    ("name", "algorithm"),
    [
        ("SHA-256", hashes.SHA256()),
        ("SHA256", hashes.SHA256()),
        ("SHA1", hashes.SHA1()),
        ("SHA-1", hashes.SHA1()),
        ("MD5", hashes.MD5()),
    ],
)
def test_rsa_answers_of_old_clients_are_accepted(name, algorithm):
    signature = RSA.sign(MESSAGE, padding.PKCS1v15(), algorithm)
    check("HS_PUBKEY", key_data(RSA), text(name) + blob(signature))


def test_a_dsa_answer_may_use_sha_256():
    signature = DSA.sign(MESSAGE, hashes.SHA256())
    check("HS_PUBKEY", key_data(DSA), text("SHA-256") + blob(signature))


def test_a_hash_other_than_the_named_one_is_refused():
    signature = RSA.sign(MESSAGE, padding.PKCS1v15(), hashes.SHA1())
    with pytest.raises(AuthenticationError):
        check("HS_PUBKEY", key_data(RSA), text("SHA-256") + blob(signature))


def test_an_unknown_hash_is_refused_by_name():
    signed = text("SHA-999") + blob(bytes(256))
    with pytest.raises(AuthenticationError, match="SHA-999"):
        check("HS_PUBKEY", key_data(RSA), signed)


def test_recorded_answers_of_the_sdk_have_the_layout_we_read():
    # sdk-requests.txt, opcode 200: the nonces are not recorded, so the layout is
    # right when the proof alone is refused.
    answers = [line for line in sdk_requests() if line.name.endswith("-200")]
    assert len(answers) == 6
    for line in answers:
        cursor = Cursor(line.octets, 44)
        auth_type, user, _, signed = (
            cursor.text(),
            cursor.text(),
            cursor.u32(),
            cursor.blob(),
        )
        data = key_data(SM2 if "sm2" in user else RSA)
        with pytest.raises(AuthenticationError):
            verify_answer(auth_type, auth_type, data, user, NONCE, DIGEST, signed)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a key",
        encode_public_key(RsaPublicKey(3, 15)),
        encode_public_key(RsaPublicKey(2, (1 << 2047) + 1)),
        encode_public_key(RsaPublicKey(1 << 2000, (1 << 16_383) + 1)),
        encode_public_key(DsaPublicKey(7, 29, 7, 5)),
        encode_public_key(DhPublicKey(5, 23, 5)),
        encode_public_key(Sm9PublicKey("me")),
        encode_public_key(Sm2PublicKey(b"\x30\0")),
        public_key_pem(KEYS.ec("no handle key")),
    ],
    ids=range(10),
)
def test_a_key_that_cannot_be_used_is_a_credential_error(data):
    with pytest.raises(CredentialError):
        load_verifier(data)
    with pytest.raises(CredentialError):
        check("HS_PUBKEY", data, answered("rsa"))


@pytest.mark.parametrize("signed", [b"", text("SHA-256"), answered("rsa") + b"\0"])
def test_an_answer_that_breaks_its_layout_is_malformed(signed):
    with pytest.raises(MalformedError):
        check("HS_PUBKEY", key_data(RSA), signed)


def test_the_claimed_type_must_be_that_of_the_value():
    secret = SecretCredential(USER, 300, SECRET)
    auth_type, signed = answer(secret, NONCE, DIGEST, salt=SALT)
    data = key_data(RSA)
    with pytest.raises(CredentialError, match="claimed"):
        verify_answer(auth_type, "HS_PUBKEY", data, USER, NONCE, DIGEST, signed)
    with pytest.raises(CredentialError, match="claimed"):
        verify_answer("HS_PUBKEY", "URL", data, USER, NONCE, DIGEST, answered("rsa"))


def test_a_value_that_is_no_key_proves_nothing():
    with pytest.raises(CredentialError, match="unknown"):
        check("URL", b"https://x.test", b"https://x.test")


def test_value_types_are_case_insensitive():
    data = key_data(RSA)
    signed = answered("rsa")
    verify_answer("HS_PUBKEY", "hs_pubkey", data, USER, NONCE, DIGEST, signed)


# Secrets


def proof(form: int) -> bytes:
    """Make each form from its definition: handle notes §1.12."""
    around = SECRET + MESSAGE + SECRET
    key = hashlib.pbkdf2_hmac("sha1", SECRET, SALT, 10_000, 20)
    derived = hmac.digest(key, MESSAGE, "sha1")
    body = {
        0x01: hashlib.md5(around).digest(),
        0x02: hashlib.sha1(around).digest(),
        0x03: hashlib.sha256(around).digest(),
        0x12: hmac.digest(SECRET, MESSAGE, "sha1"),
        0x13: hmac.digest(SECRET, MESSAGE, "sha256"),
        0x22: blob(SALT) + struct.pack("!II", 10_000, 160) + blob(derived),
    }[form]
    return bytes([form]) + body


forms = pytest.mark.parametrize("form", [0x01, 0x02, 0x03, 0x12, 0x13, 0x22])


@forms
def test_every_form_of_a_secret_s_proof_is_accepted(form):
    check("HS_SECKEY", SECRET, proof(form))


@forms
def test_a_wrong_secret_is_refused(form):
    with pytest.raises(AuthenticationError):
        check("HS_SECKEY", SECRET + b"!", proof(form))


@forms
def test_a_proof_of_another_challenge_is_refused(form):
    with pytest.raises(AuthenticationError):
        verify_answer(
            "HS_SECKEY", "HS_SECKEY", SECRET, USER, NONCE, DIGEST[::-1], proof(form)
        )


@pytest.mark.parametrize("form", [0x01, 0x02, 0x03, 0x12, 0x13])
def test_a_proof_with_any_bit_flipped_is_refused(form):
    for flipped in flips(proof(form)):
        with pytest.raises((AuthenticationError, MalformedError)):
            check("HS_SECKEY", SECRET, flipped)


def test_a_pbkdf2_proof_with_any_bit_of_salt_or_mac_flipped_is_refused():
    whole = proof(0x22)
    places = [*range(5, 21), *range(33, 53)]
    for place in places:
        flipped = bytearray(whole)
        flipped[place] ^= 0x10
        with pytest.raises(AuthenticationError):
            check("HS_SECKEY", SECRET, bytes(flipped))


@forms
def test_a_proof_cut_short_or_followed_by_more_is_refused(form):
    for signed in (proof(form)[:-1], proof(form) + b"\0", proof(form)[:1]):
        with pytest.raises((AuthenticationError, MalformedError)):
            check("HS_SECKEY", SECRET, signed)


def test_our_own_proof_of_a_secret_is_the_pbkdf2_form():
    credential = SecretCredential(USER, 300, SECRET)
    assert answer(credential, NONCE, DIGEST, salt=SALT) == ("HS_SECKEY", proof(0x22))


def test_a_secret_stored_hashed_is_what_the_client_proves():
    stored = hashlib.sha1(SECRET).hexdigest().encode()
    credential = SecretCredential(USER, 300, stored)
    auth_type, signed = answer(credential, NONCE, DIGEST, salt=SALT)
    check(auth_type, stored, signed)


@pytest.mark.parametrize("iterations", [0, MAX_PBKDF2_ITERATIONS + 1, 0xFFFFFFFF])
def test_more_work_than_allowed_is_malformed(iterations):
    body = blob(SALT) + pack_u32(iterations) + pack_u32(160) + blob(bytes(20))
    with pytest.raises(MalformedError, match="iterations"):
        check("HS_SECKEY", SECRET, b"\x22" + body)


@pytest.mark.parametrize("key_bits", [0, 8, 127, 129, 168, 0xFFFFFFFF])
def test_a_derived_key_that_can_be_guessed_is_malformed(key_bits):
    body = blob(SALT) + pack_u32(1) + pack_u32(key_bits) + blob(bytes(20))
    with pytest.raises(MalformedError, match="key bits"):
        check("HS_SECKEY", SECRET, b"\x22" + body)


def test_an_unknown_form_is_malformed():
    with pytest.raises(MalformedError, match="7f"):
        check("HS_SECKEY", SECRET, b"\x7f" + bytes(20))


def test_an_empty_secret_proves_nothing():
    signed = b"\x13" + hmac.digest(b"", MESSAGE, "sha256")
    with pytest.raises(CredentialError, match="empty"):
        check("HS_SECKEY", b"", signed)
    with pytest.raises(CredentialError, match="empty"):
        verify_secret(b"", b"")


def test_a_secret_sent_in_clear_fits_plain_or_hashed():
    verify_secret(SECRET, SECRET)
    verify_secret(hashlib.sha1(SECRET).hexdigest().encode(), SECRET)
    for wrong in (b"", SECRET[:-1], hashlib.sha1(SECRET).digest()):
        with pytest.raises(AuthenticationError):
            verify_secret(SECRET, wrong)


# Any octets


@settings(deadline=None)
@given(st.binary(max_size=120))
def test_any_octets_as_an_answer_are_refused(octets):
    for data, auth_type in (
        (key_data(RSA), "HS_PUBKEY"),
        (key_data(SM2), "HS_PUBKEY"),
        (SECRET, "HS_SECKEY"),
    ):
        with pytest.raises((AuthenticationError, MalformedError)):
            check(auth_type, data, octets)


@settings(deadline=None)
@given(st.data(), st.sampled_from(["rsa", "dsa", "sm2"]), st.booleans())
def test_a_damaged_key_refuses_with_an_error_of_ours(data, kind, pem):
    private_key = PRIVATE_KEYS[kind]
    octets = bytearray(public_key_pem(private_key) if pem else key_data(private_key))
    place = data.draw(st.integers(0, len(octets) - 1))
    octets[place] = data.draw(st.integers(0, 255))
    try:
        check("HS_PUBKEY", bytes(octets), answered(kind))
    except RegistryError:
        return


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_der_of_any_octets_is_no_usable_key(octets):
    info = b"\x30\x82" + len(octets).to_bytes(2) + octets
    with pytest.raises(CredentialError):
        load_verifier(PemPublicKey.from_info(info).pem)


# Credentials


@kinds
def test_a_credential_loaded_from_pem_answers_like_the_key(kind):
    pem = private_key_pem(PRIVATE_KEYS[kind])
    credential = load_credential(USER, 300, pem)
    auth_type, signed = answer(credential, NONCE, DIGEST, salt=b"")
    check(auth_type, key_data(PRIVATE_KEYS[kind]), signed)
    assert (credential.handle, credential.index) == (USER, 300)


def encrypted_pem() -> bytes:
    return RSA.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"password"),
    )


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"not a key",
        encrypted_pem(),
        private_key_pem(ec.generate_private_key(ec.SECP256R1())),
        public_key_pem(RSA),
    ],
    ids=["empty", "text", "encrypted", "p256", "public"],
)
def test_pem_without_a_usable_private_key_is_a_credential_error(pem):
    with pytest.raises(CredentialError):
        load_credential(USER, 300, pem)


def test_credentials_do_not_show_their_secrets():
    assert "sesame" not in repr(SecretCredential(USER, 300, SECRET))
    assert str(SM2) not in repr(PrivateKeyCredential(USER, 300, SM2))


# Certified messages


def test_a_signed_message_verifies_and_no_other_does():
    octets = b"any octets"
    signature = sign_message(RSA, octets)
    verify_message(key_data(RSA), octets, signature)
    with pytest.raises(AuthenticationError):
        verify_message(key_data(RSA), octets + b"!", signature)


def test_a_certified_message_with_any_bit_of_its_signature_flipped_fails():
    data = key_data(RSA)
    for flipped in flips(sign_message(RSA, b"octets")):
        with pytest.raises(AuthenticationError):
            verify_message(data, b"octets", flipped)


def test_only_rsa_keys_check_certified_messages():
    with pytest.raises(CredentialError, match="RSA"):
        verify_message(key_data(SM2), b"", bytes(256))


def test_the_recorded_certified_response_verifies_with_the_recorded_key():
    # handle-golden.txt, `site info` and `resolve all RRDG CERT`: one CNRI server.
    pairs = {pair.name: pair.response for pair in golden_pairs()}
    site = pairs["site info"]
    key = Cursor(site, site.index(text("RSA_PUB_KEY")) - 4).blob()
    response = pairs["resolve all RRDG CERT"]
    body_size = int.from_bytes(response[40:44])
    header_and_body = response[20 : 44 + body_size]
    cursor = Cursor(response, 44 + body_size)
    cursor.take(4 + 4)  # length of the credential, version, reserved, flags
    assert cursor.blob() == b""
    counter = cursor.take(4)
    assert (cursor.text(), cursor.u32()) == ("HS_SIGNED", 271)
    assert cursor.text() == "SHA-256"
    signature = cursor.blob()
    # Notes §1.11: versions, session id and request id stand first in the envelope.
    octets = response[:2] + bytes([response[2] & 3]) + response[3:12]
    verify_message(key, octets + counter + header_and_body, signature)


def test_an_sm2_public_key_is_written_as_pem_in_the_binary_form():
    key = public_key_of(SM2)
    assert key == Sm2PublicKey(sm2.public_key_pem(sm2.public_point(SM2)))
