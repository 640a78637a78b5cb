"""The codec of HS_PUBKEY data."""

import pytest
from hypothesis import given, strategies as st

from registry.errors import MalformedError
from registry.model.octets import Cursor, blob, pack_u16, text
from registry.model.public_key import (
    MAX_KEY_OCTETS,
    MAX_NUMBER_BITS,
    DhPublicKey,
    DsaPublicKey,
    PemPublicKey,
    RsaPublicKey,
    Sm2PublicKey,
    Sm9PublicKey,
    decode_public_key,
    encode_public_key,
    read_pem,
    subject_public_key_info,
    write_pem,
)
from tests.vectors.read import golden_pairs, sdk_requests

numbers = st.integers(1, (1 << 300) - 1) | st.integers(
    (1 << MAX_NUMBER_BITS) - 9, (1 << MAX_NUMBER_BITS) - 1
)
small = st.integers(1, (1 << 300) - 1)
flags = st.integers(0, 0xFFFF)
infos = st.binary(max_size=100).map(
    lambda octets: b"\x30" + bytes([len(octets)]) + octets
)
pems = infos.map(lambda info: write_pem(info, "PUBLIC KEY"))
keys = st.one_of(
    st.builds(RsaPublicKey, small, numbers, flags),
    st.builds(DsaPublicKey, small, small, small, small, flags),
    st.builds(DhPublicKey, small, small, small, flags),
    st.builds(Sm2PublicKey, infos | pems, flags),
    st.builds(Sm9PublicKey, st.text(min_size=1, max_size=50), flags),
    st.builds(PemPublicKey, pems),
    st.builds(PemPublicKey.from_info, infos),
)


def recorded_site_key() -> bytes:
    """The key in a CNRI server's site info: handle-golden.txt, `site info`."""
    response = next(
        pair for pair in golden_pairs() if pair.name == "site info"
    ).response
    start = response.index(text("RSA_PUB_KEY"))
    cursor = Cursor(response, start - 4)
    return cursor.blob()


def recorded_sm2_user_key() -> bytes:
    """The key the SDK registers for sm2user: sdk-requests.txt, opcode 100."""
    request = next(
        line.octets for line in sdk_requests() if b"BEGIN PUBLIC KEY" in line.octets
    )
    return Cursor(request, request.index(b"-----BEGIN") - 4).blob()


def test_the_recorded_server_key_comes_back_octet_for_octet():
    recorded = recorded_site_key()
    key = decode_public_key(recorded)
    assert isinstance(key, RsaPublicKey)
    assert (key.exponent, key.modulus.bit_length()) == (65537, 2048)
    assert recorded.endswith(bytes(4))
    assert encode_public_key(key) == recorded


def test_an_rsa_key_without_the_third_field_is_the_same_key():
    recorded = recorded_site_key()
    assert decode_public_key(recorded[:-4]) == decode_public_key(recorded)


def test_an_rsa_key_with_something_in_the_third_field_is_malformed():
    with pytest.raises(MalformedError, match="third RSA field"):
        decode_public_key(recorded_site_key()[:-4] + blob(b"\1"))


def test_the_sdk_s_plain_pem_is_a_key_and_comes_back_octet_for_octet():
    recorded = recorded_sm2_user_key()
    key = decode_public_key(recorded)
    assert isinstance(key, PemPublicKey)
    assert encode_public_key(key) == recorded


def test_the_sdk_s_line_breaks_are_written_as_the_sdk_writes_them():
    recorded = recorded_sm2_user_key()
    assert PemPublicKey.from_info(subject_public_key_info(recorded)).pem == recorded


def test_an_sm2_key_is_read_as_pem_and_as_der():
    pem = recorded_sm2_user_key()
    head = text("SM2_PUB_KEY") + pack_u16(0)
    for encoded in (pem, subject_public_key_info(pem)):
        key = decode_public_key(head + blob(encoded))
        assert key == Sm2PublicKey(encoded)


@given(keys)
def test_every_key_decodes_to_what_was_encoded(key):
    assert decode_public_key(encode_public_key(key)) == key


@given(st.binary(max_size=200))
def test_any_octets_are_a_key_or_malformed(octets):
    try:
        decode_public_key(octets)
    except MalformedError:
        return


@given(st.data(), keys)
def test_a_damaged_key_is_a_key_or_malformed(data, key):
    octets = bytearray(encode_public_key(key)[:600])
    place = data.draw(st.integers(0, len(octets) - 1))
    octets[place] = data.draw(st.integers(0, 255))
    try:
        again = decode_public_key(bytes(octets))
    except MalformedError:
        return
    assert decode_public_key(encode_public_key(again)) == again


@given(keys, st.binary(min_size=1, max_size=8))
def test_octets_after_a_key_are_malformed(key, rest):
    if isinstance(key, PemPublicKey):
        rest += b"!"
    with pytest.raises(MalformedError):
        decode_public_key(encode_public_key(key) + rest)


@pytest.mark.parametrize(
    "number", [0, -1, 1 << MAX_NUMBER_BITS], ids=["zero", "negative", "long"]
)
def test_no_key_has_a_number_out_of_range(number):
    with pytest.raises(MalformedError, match="modulus"):
        RsaPublicKey(3, number)


def test_a_number_without_its_leading_zero_is_negative_and_malformed():
    head = text("RSA_PUB_KEY") + pack_u16(0)
    with pytest.raises(MalformedError, match="modulus"):
        decode_public_key(head + blob(b"\3") + blob(b"\xc1"))


def test_an_unknown_key_type_is_named_in_the_error():
    with pytest.raises(MalformedError, match="ED25519"):
        decode_public_key(text("ED25519") + pack_u16(0))


def test_flags_are_kept():
    assert decode_public_key(text("SM9_PUB_KEY") + b"\1\2" + text("me")).flags == 0x102


def test_more_octets_than_any_key_has_are_malformed_at_once():
    with pytest.raises(MalformedError, match="at most"):
        decode_public_key(bytes(MAX_KEY_OCTETS + 1))


@pytest.mark.parametrize(
    "pem",
    [
        b"-----BEGIN PUBLIC KEY-----END PUBLIC KEY-----",
        b"-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PRIVATE KEY-----",
        b"-----BEGIN PUBLIC KEY-----\nM!A=\n-----END PUBLIC KEY-----",
        b"-----BEGIN PUBLIC KEY-----\nBAA=\n-----END PUBLIC KEY-----",
        b"-----BEGIN RSA PUBLIC KEY-----\nMAA=\n-----END RSA PUBLIC KEY-----",
        b"-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\nmore",
    ],
)
def test_pem_that_wraps_no_public_key_is_malformed(pem):
    with pytest.raises(MalformedError):
        decode_public_key(pem)


@given(st.binary(max_size=200), st.integers(4, 80), st.sampled_from([b"\n", b"\r\n"]))
def test_pem_gives_back_what_it_wraps_whatever_its_lines(octets, columns, newline):
    assert read_pem(write_pem(octets, "X", columns, newline), "X") == octets
