"""The identity token in authBytes."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa
from hypothesis import given, settings, strategies as st

from registry.errors import AuthenticationError, CredentialError, MalformedError
from registry.model.octets import Cursor
from registry.model.public_key import encode_public_key
from resolver.keys import SeededKeys
from resolver.session.signature import (
    PrivateKeyCredential,
    public_key_of,
    sign_message,
)
from resolver.session.token import (
    MAX_TOKEN_OCTETS,
    make_token,
    read_token,
    verify_token,
)
from tests.vectors.read import sdk_requests

NOW = 1_795_475_192.766
KEYS = SeededKeys(1)
RSA = KEYS.rsa("token tests")
KEY_DATA = encode_public_key(public_key_of(RSA))
CREDENTIAL = PrivateKeyCredential("88.888.1024/admin", 300, RSA)
TOKEN = make_token(CREDENTIAL, NOW, 123456)

HEADER = {"alg": "RS256", "typ": "JWT"}
CLAIMS = {
    "user_index": 300,
    "user_handle": "88.888.1024/admin",
    "nonce": 123456,
    "timestamp": 1_795_475_192_766,
}


def recorded_token() -> bytes:
    """The token of a resolution by the SDK: sdk-requests.txt, flags 19000004."""
    octets = next(line.octets for line in sdk_requests() if b"eyJ" in line.octets)
    return Cursor(octets, octets.index(b"eyJ") - 4).blob()


def encode(octets: bytes) -> bytes:
    return base64.urlsafe_b64encode(octets).rstrip(b"=")


def write(header: object, claims: object) -> bytes:
    parts = [encode(json.dumps(part).encode()) for part in (header, claims)]
    signed = b".".join(parts)
    return signed + b"." + encode(sign_message(RSA, signed))


def test_the_sdk_s_recorded_token_is_read():
    token = read_token(recorded_token())
    assert (token.user_handle, token.user_index) == ("88.888.1024/admin", 300)
    assert (token.nonce, token.timestamp_ms) == (123456, 1_795_475_192_766)
    assert len(token.signature) == 256
    assert recorded_token().startswith(token.signed_octets + b".")


def test_the_sdk_s_recorded_token_does_not_fit_a_key_of_ours():
    with pytest.raises(AuthenticationError):
        verify_token(read_token(recorded_token()), KEY_DATA, NOW)


def test_what_we_sign_is_octet_for_octet_what_the_sdk_signs():
    assert read_token(TOKEN).signed_octets == read_token(recorded_token()).signed_octets


def test_our_own_token_verifies():
    verify_token(read_token(TOKEN), KEY_DATA, NOW)


@settings(deadline=None)
@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 1 << 62),
)
def test_every_token_reads_as_it_was_made(handle, index, nonce):
    credential = PrivateKeyCredential(handle, index, RSA)
    token = read_token(make_token(credential, NOW, nonce))
    assert (token.user_handle, token.user_index) == (handle, index)
    assert (token.nonce, token.timestamp_ms) == (nonce, round(NOW * 1000))
    verify_token(token, KEY_DATA, NOW)


@pytest.mark.parametrize("age_seconds", [-300, -1, 0, 299, 300])
def test_a_token_of_about_now_verifies(age_seconds):
    verify_token(read_token(write(HEADER, CLAIMS)), KEY_DATA, NOW + age_seconds)


@pytest.mark.parametrize("age_seconds", [-302, 302, 1e9, -1e9])
def test_a_token_of_another_time_is_refused(age_seconds):
    with pytest.raises(AuthenticationError, match="old"):
        verify_token(read_token(TOKEN), KEY_DATA, NOW + age_seconds)


def test_the_age_allowed_is_the_caller_s_choice():
    with pytest.raises(AuthenticationError):
        verify_token(read_token(TOKEN), KEY_DATA, NOW + 11, max_age_seconds=10)


def test_a_token_with_any_bit_flipped_fails():
    for bit in range(8 * len(TOKEN)):
        flipped = bytearray(TOKEN)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises((AuthenticationError, MalformedError)):
            verify_token(read_token(bytes(flipped)), KEY_DATA, NOW)


@pytest.mark.parametrize(
    "alg", ["none", "None", "HS256", "rs256", "RS512", "", None, 1]
)
def test_no_algorithm_but_rs256_is_read(alg):
    with pytest.raises(MalformedError, match="RS256"):
        read_token(write({**HEADER, "alg": alg}, CLAIMS))


def test_a_token_without_a_signature_does_not_verify():
    token = read_token(TOKEN[: TOKEN.rindex(b".") + 1])
    with pytest.raises(AuthenticationError):
        verify_token(token, KEY_DATA, NOW)


@pytest.mark.parametrize("name", CLAIMS)
@pytest.mark.parametrize("value", [None, True, 1.5, [], {}, "", -1, 1 << 64, "\ud800"])
def test_a_claim_of_another_kind_is_malformed(name, value):
    if name == "nonce" and isinstance(value, int | str) and value is not True:
        read_token(write(HEADER, {**CLAIMS, name: value}))
        return
    with pytest.raises(MalformedError, match=name):
        read_token(write(HEADER, {**CLAIMS, name: value}))


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_that_is_missing_is_malformed(name):
    claims = {key: value for key, value in CLAIMS.items() if key != name}
    with pytest.raises(MalformedError, match=name):
        read_token(write(HEADER, claims))


@pytest.mark.parametrize("part", [[], "text", 1, None])
def test_parts_that_are_no_objects_are_malformed(part):
    with pytest.raises(MalformedError, match="object"):
        read_token(write(part, CLAIMS))
    with pytest.raises(MalformedError, match="object"):
        read_token(write(HEADER, part))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b".",
        b"..",
        b"a.b",
        TOKEN + b".",
        TOKEN + b"=",
        TOKEN + b"\n",
        b"." + TOKEN,
        b"e30.e30.",
        encode(b"[" * 5000) + b"..",
        encode(b"1" * 5000) + b"..",
        encode(b'{"a":"\xff"}') + b"..",
    ],
)
def test_what_is_no_token_is_malformed(octets):
    with pytest.raises(MalformedError):
        read_token(octets)


def test_a_longer_token_than_allowed_is_malformed_at_once():
    with pytest.raises(MalformedError, match="at most"):
        read_token(b"." * (MAX_TOKEN_OCTETS + 1))


@given(st.binary(max_size=200))
def test_any_octets_are_a_token_or_malformed(octets):
    with pytest.raises(MalformedError):
        read_token(octets)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(list(CLAIMS)), inner, max_size=4)
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(json_values)
def test_any_json_is_claims_or_malformed(claims):
    try:
        read_token(write(HEADER, claims))
    except MalformedError:
        return


@pytest.mark.parametrize("kind", ["sm2", "dsa"])
def test_only_rsa_keys_make_and_check_tokens(kind):
    key = KEYS.sm2("token") if kind == "sm2" else dsa.generate_private_key(1024)
    with pytest.raises(CredentialError, match="RSA"):
        make_token(PrivateKeyCredential("a/b", 300, key), NOW, 1)
    with pytest.raises(CredentialError, match="RSA"):
        verify_token(read_token(TOKEN), encode_public_key(public_key_of(key)), NOW)
