"""SM2 signatures, keys and curve."""

import base64
import hashlib
import itertools
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from hypothesis import given, settings, strategies as st

from chain_anchor import sm2_curve, sm2_signing, sm3
from chain_anchor.errors import FormatError
from chain_anchor.sm2_curve import GENERATOR, ORDER, PRIME, Point
from registry.errors import AuthenticationError, MalformedError
from registry.model.public_key import write_pem
from resolver.session import sm2

OPENSSL = shutil.which("openssl")

# GB/T 32918.5-2017 annex A, the signature example on the recommended curve.
STANDARD_PRIVATE_KEY = (
    0x3945208F_7B2144B1_3F36E38A_C6D39F95_88939369_2860B51A_42FB81EF_4DF7C5B8
)
STANDARD_NONCE = (
    0x59276E27_D506861A_16680F3A_D9C02DCC_EF3CC1FA_3CDBE4CE_6D54B80D_EAC1BC21
)
STANDARD_PUBLIC_KEY = Point(
    0x09F9DF31_1E5421A1_50DD7D16_1E4BC5C6_72179FAD_1833FC07_6BB08FF3_56F35020,
    0xCCEA490C_E26775A5_2DC6EA71_8CC1AA60_0AED05FB_F35E084A_6632F607_2DA9AD13,
)
STANDARD_SIGNATURE = (
    0xF5A03B06_48D2C463_0EEAC513_E1BB81A1_5944DA38_27D5B741_43AC7EAC_EEE720B3,
    0xB1B6AA29_DF212FD8_763182BC_0D421CA1_BB9038FD_1F7F42D4_840B69C4_85BBC1AA,
)

# Handle notes §1.12: what the official SDK signed for 88.888.1/sm2user, variant A.
SDK_PUBLIC_KEY = base64.b64decode(
    "MFkwEwYHKoZIzj0CAQYIKoEcz1UBgi0DQgAEHFkjKEdzNBN0dR7KtagCoOOwjz+E"
    "OOojoxV95x5O+UMzIgVCyKWhJhZ/B4jIuCVRgpmqA7R5Pf05r3/TGjkDNQ=="
)
SDK_MESSAGE = bytes.fromhex(
    "11" * 16 + "a5a36c2717bbcd1fff3f7de716055e9699d26b94ef5d05195c546c511182895d"
)
SDK_SIGNATURE = bytes.fromhex(
    "30450220379f8da9ff8f1bf4734936c915e41600c1cdbb658812c781e9852e051d38de0a"
    "022100fb5198efea891c9b21402f8140bc84656e3bb2c7c1962258132a5f8f0a4f0747"
)

# Made with BouncyCastle 1.70: a fresh key pair on sm2p256v1, then the signatures of
# 16 octets 22 and SHA-256("request") by SHA256withSM2 (variant B) and SM3withSM2.
BOUNCY_PRIVATE_KEY = base64.b64decode(
    "MIGTAgEAMBMGByqGSM49AgEGCCqBHM9VAYItBHkwdwIBAQQg/zwLbEyP6b/emspTVcbnwr9K2hx+"
    "Qp8zarkBJ20fK6ygCgYIKoEcz1UBgi2hRANCAATVDCS+mse/QHaVM9hW8Rpysey0UploQCfXbvwG"
    "su7/pnrNwK9eW1lfbQJLNhZqez/pPit2UEg5vJVqtfME1ZJo"
)
BOUNCY_PUBLIC_KEY = base64.b64decode(
    "MFkwEwYHKoZIzj0CAQYIKoEcz1UBgi0DQgAE1QwkvprHv0B2lTPYVvEacrHstFKZaEAn1278BrLu"
    "/6Z6zcCvXltZX20CSzYWans/6T4rdlBIObyVarXzBNWSaA=="
)
BOUNCY_MESSAGE = b"\x22" * 16 + hashlib.sha256(b"request").digest()
BOUNCY_SHA256_SIGNATURE = bytes.fromhex(
    "304502202a96e9e2d082e9ffa09d61e5af070fa30e390a8596ed5ba3fe4475951bead644"
    "022100c638e7d86a2e0ae1904b3a6b0821cae79223f70d042192f17727ef477a1cd12e"
)
BOUNCY_SM3_SIGNATURE = bytes.fromhex(
    "304502201aca6426a6b4cc1726b6250acbfb629a952c92b1cef496a3694b5a338aa5b789"
    "02210091c7e6a869f823e10f51e06dcfad7e9c9c8ebb8f75c731cbfa4bc6b61e859ab6"
)

# OpenSSL 3.0.19, `openssl ec -pubin -conv_form compressed`, of BOUNCY_PUBLIC_KEY.
COMPRESSED_PUBLIC_KEY = bytes.fromhex(
    "3039301306072a8648ce3d020106082a811ccf5501822d03220002"
    "d50c24be9ac7bf40769533d856f11a72b1ecb45299684027d76efc06b2eeffa6"
)

private_keys = st.integers(1, ORDER - 2)


def standard_digest() -> bytes:
    return sm2.message_digest(
        STANDARD_PUBLIC_KEY, b"message digest", sm2.DEFAULT_USER_ID
    )


def affine_multiple(factor: int) -> tuple[int, int] | None:
    """Multiply G by the schoolbook: affine, bit by bit."""
    result, base = None, (GENERATOR.x, GENERATOR.y)
    while factor:
        if factor & 1:
            result = base if result is None else affine_sum(result, base)
        base = affine_sum(base, base)
        factor >>= 1
    return result


def affine_sum(left: tuple[int, int], right: tuple[int, int]) -> tuple[int, int]:
    if left == right:
        slope = (3 * left[0] ** 2 - 3) * pow(2 * left[1], -1, PRIME)
    else:
        slope = (right[1] - left[1]) * pow(right[0] - left[0], -1, PRIME)
    x = (slope * slope - left[0] - right[0]) % PRIME
    return x, (slope * (left[0] - x) - left[1]) % PRIME


def test_the_standard_s_example_gives_its_public_key_and_digests():
    assert sm2.public_point(STANDARD_PRIVATE_KEY) == STANDARD_PUBLIC_KEY
    z = sm2.user_digest(STANDARD_PUBLIC_KEY, sm2.DEFAULT_USER_ID)
    assert z.hex().upper() == (
        "B2E14C5C79C6DF5B85F4FE7ED8DB7A262B9DA7E07CCB0EA9F4747B8CCDA8A4F3"
    )
    assert standard_digest().hex().upper() == (
        "F0B43E94BA45ACCAACE692ED534382EB17E6AB5A19CE7B31F4486FDFC0D28640"
    )


def test_the_standard_s_example_gives_its_signature():
    e = int.from_bytes(standard_digest())
    signature = sm2_signing.sign_with(STANDARD_PRIVATE_KEY, e, STANDARD_NONCE)
    assert signature == STANDARD_SIGNATURE


def test_the_standard_s_signature_verifies():
    signature = encode_dss_signature(*STANDARD_SIGNATURE)
    sm2.verify(STANDARD_PUBLIC_KEY, [standard_digest()], signature)


def test_nonces_are_those_of_rfc_6979():
    # RFC 6979 A.2.5: curve P-256, SHA-256, message "sample".
    order = int("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551", 16)
    private_key = int(
        "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721", 16
    )
    digest = hashlib.sha256(b"sample").digest()
    nonce = next(sm2_signing.nonces(private_key, int.from_bytes(digest), order))
    assert f"{nonce:X}" == (
        "A6E3C57DD01ABE90086538398355DD4C3B17AA873382B0F24D6129493D8AAD60"
    )


def test_nonces_after_the_first_differ():
    nonces = list(itertools.islice(sm2_signing.nonces(1, 0), 5))
    assert len(set(nonces)) == 5


def test_what_the_sdk_signed_as_variant_a_verifies():
    key = sm2.load_public_key(SDK_PUBLIC_KEY)
    e = sm2.message_digest(key, sm3.sm3(SDK_MESSAGE), b"88.888.1/sm2user")
    sm2.verify(key, [e], SDK_SIGNATURE)


def test_what_bouncycastle_signed_with_sha_256_verifies():
    key = sm2.load_public_key(BOUNCY_PUBLIC_KEY)
    e = sm2.message_digest(key, BOUNCY_MESSAGE, sm2.DEFAULT_USER_ID, sm2.sha256)
    sm2.verify(key, [e], BOUNCY_SHA256_SIGNATURE)


def test_what_bouncycastle_signed_with_sm3_verifies():
    key = sm2.load_public_key(BOUNCY_PUBLIC_KEY)
    e = sm2.message_digest(key, BOUNCY_MESSAGE, sm2.DEFAULT_USER_ID)
    sm2.verify(key, [e], BOUNCY_SM3_SIGNATURE)


def test_one_fitting_digest_among_several_is_enough():
    key = sm2.load_public_key(BOUNCY_PUBLIC_KEY)
    e = sm2.message_digest(key, BOUNCY_MESSAGE, sm2.DEFAULT_USER_ID)
    sm2.verify(key, [bytes(32), e], BOUNCY_SM3_SIGNATURE)
    with pytest.raises(AuthenticationError):
        sm2.verify(key, [bytes(32)], BOUNCY_SM3_SIGNATURE)
    with pytest.raises(AuthenticationError):
        sm2.verify(key, [], BOUNCY_SM3_SIGNATURE)


@settings(max_examples=20, deadline=None)
@given(private_keys, st.binary(max_size=100), st.binary(max_size=50))
def test_every_signature_verifies_and_is_the_same_again(private_key, message, user_id):
    key = sm2.public_point(private_key)
    e = sm2.message_digest(key, message, user_id)
    signature = sm2.sign(private_key, e)
    sm2.verify(key, [e], signature)
    assert sm2.sign(private_key, e) == signature


def test_a_signature_with_any_bit_flipped_fails():
    signature = encode_dss_signature(*STANDARD_SIGNATURE)
    digests = [standard_digest()]
    for bit in range(8 * len(signature)):
        flipped = bytearray(signature)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(AuthenticationError):
            sm2.verify(STANDARD_PUBLIC_KEY, digests, bytes(flipped))


def test_a_digest_with_any_bit_flipped_fails():
    signature = encode_dss_signature(*STANDARD_SIGNATURE)
    e = int.from_bytes(standard_digest())
    flipped = [(e ^ 1 << bit).to_bytes(32) for bit in range(256)]
    with pytest.raises(AuthenticationError):
        sm2.verify(STANDARD_PUBLIC_KEY, flipped, signature)


R, S = STANDARD_SIGNATURE


@pytest.mark.parametrize(
    "numbers",
    [
        (0, S),
        (R, 0),
        (ORDER, S),
        (R, ORDER),
        (R + ORDER, S),
        (R, S + ORDER),
        (R, ORDER - R),
        (1 << 300, S),
    ],
)
def test_numbers_out_of_range_are_no_signature(numbers):
    signature = encode_dss_signature(*numbers)
    with pytest.raises(AuthenticationError, match="out of range"):
        sm2.verify(STANDARD_PUBLIC_KEY, [standard_digest()], signature)


def test_a_signature_that_leads_to_infinity_fails():
    # With P = dG the point is (s + td)G; s = -td makes it infinity.
    t = 12345
    s = -t * STANDARD_PRIVATE_KEY % ORDER
    signature = encode_dss_signature((t - s) % ORDER, s)
    with pytest.raises(AuthenticationError, match="infinity"):
        sm2.verify(STANDARD_PUBLIC_KEY, [standard_digest()], signature)


@given(st.binary(max_size=80))
def test_any_octets_are_no_signature(octets):
    with pytest.raises(AuthenticationError):
        sm2.verify(STANDARD_PUBLIC_KEY, [standard_digest()], octets)


def test_a_user_id_too_long_for_its_count_is_malformed():
    sm2.user_digest(STANDARD_PUBLIC_KEY, bytes(8191))
    with pytest.raises(MalformedError, match="8191"):
        sm2.user_digest(STANDARD_PUBLIC_KEY, bytes(8192))


def test_both_sm3_give_the_standard_s_example():
    # GB/T 32905-2016 annex A.1.
    expected = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert sm3.sm3(b"abc").hex() == expected
    assert sm3._sm3_of_gmssl(b"abc").hex() == expected


def test_sm3_is_there_without_openssl_s(monkeypatch):
    def refuse(name, *_):
        raise ValueError(name)

    monkeypatch.setattr(hashlib, "new", refuse)
    assert sm3._choose() is sm3._sm3_of_gmssl


# Keys


def test_bouncycastle_s_keys_are_read_and_belong_together():
    private_key = sm2.load_private_key(write_pem(BOUNCY_PRIVATE_KEY, "PRIVATE KEY"))
    assert sm2.public_point(private_key) == sm2.load_public_key(BOUNCY_PUBLIC_KEY)


def test_a_public_key_is_written_as_bouncycastle_writes_it():
    key = sm2.load_public_key(BOUNCY_PUBLIC_KEY)
    assert sm2.public_key_info(key) == BOUNCY_PUBLIC_KEY
    assert sm2.load_public_key(sm2.public_key_pem(key)) == key


def test_a_compressed_point_is_the_same_key():
    key = sm2.load_public_key(BOUNCY_PUBLIC_KEY)
    assert sm2.load_public_key(COMPRESSED_PUBLIC_KEY) == key
    other = COMPRESSED_PUBLIC_KEY.replace(b"\x22\x00\x02", b"\x22\x00\x03")
    assert sm2.load_public_key(other) == Point(key.x, PRIME - key.y)


def test_the_curve_may_stand_where_the_algorithm_stands():
    # 1.2.156.10197.1.301 alone as the algorithm, as some older tools write it.
    usual = bytes.fromhex("301306072a8648ce3d020106082a811ccf5501822d")
    alone = bytes.fromhex("300a06082a811ccf5501822d")
    body = BOUNCY_PUBLIC_KEY[2:].replace(usual, alone)
    info = b"\x30" + bytes([len(body)]) + body
    assert sm2.load_public_key(info) == sm2.load_public_key(BOUNCY_PUBLIC_KEY)


@settings(max_examples=20, deadline=None)
@given(private_keys)
def test_every_private_key_is_read_as_it_was_written(private_key):
    assert sm2.load_private_key(sm2.private_key_pem(private_key)) == private_key


@pytest.mark.parametrize("private_key", [0, -1, ORDER - 1, ORDER, 1 << 256])
def test_a_private_key_out_of_range_is_refused(private_key):
    with pytest.raises(MalformedError, match="n-2"):
        sm2.public_point(private_key)


def test_a_private_key_read_out_of_range_is_malformed():
    number = BOUNCY_PRIVATE_KEY[36:68]
    for wrong in (bytes(32), (ORDER - 1).to_bytes(32), b"\xff" * 32):
        pem = write_pem(BOUNCY_PRIVATE_KEY.replace(number, wrong), "PRIVATE KEY")
        with pytest.raises(MalformedError, match="n-2"):
            sm2.load_private_key(pem)


def test_a_key_on_another_curve_is_malformed():
    p256 = bytes.fromhex("06082a8648ce3d030107")
    ours = bytes.fromhex("06082a811ccf5501822d")
    with pytest.raises(MalformedError, match="SM2 expected"):
        sm2.load_public_key(BOUNCY_PUBLIC_KEY.replace(ours, p256))


def test_a_point_that_is_not_whole_octets_is_malformed():
    info = BOUNCY_PUBLIC_KEY.replace(b"\x03\x42\x00\x04", b"\x03\x42\x01\x04")
    with pytest.raises(MalformedError, match="whole octets"):
        sm2.load_public_key(info)


def test_octets_after_the_point_are_malformed():
    info = b"\x30" + bytes([len(BOUNCY_PUBLIC_KEY)]) + BOUNCY_PUBLIC_KEY[2:] + bytes(2)
    with pytest.raises(MalformedError, match="left over"):
        sm2.load_public_key(info)


@pytest.mark.parametrize("place", [-1, -40])
def test_a_point_off_the_curve_is_malformed(place):
    info = bytearray(BOUNCY_PUBLIC_KEY)
    info[place] ^= 1
    with pytest.raises(MalformedError, match="not on the curve"):
        sm2.load_public_key(bytes(info))


def test_a_coordinate_not_below_the_prime_is_malformed():
    # x = 1 is on the curve or its twist; x + p would be the same number twice.
    point = next(
        sm2_curve._decompress(x, 0)
        for x in range(1, 99)
        if pow(sm2_curve._right_side(x), (PRIME - 1) // 2, PRIME) == 1
    )
    octets = b"\4" + (point.x + PRIME).to_bytes(32) + point.y.to_bytes(32)
    with pytest.raises(FormatError, match="not on the curve"):
        sm2_curve.decode_point(octets)


def test_a_compressed_point_without_a_root_is_malformed():
    x = next(
        x
        for x in range(1, 99)
        if pow(sm2_curve._right_side(x), (PRIME - 1) // 2, PRIME) != 1
    )
    with pytest.raises(FormatError, match="not on the curve"):
        sm2_curve.decode_point(b"\2" + x.to_bytes(32))


@given(st.binary(max_size=120))
def test_any_octets_are_a_public_key_or_malformed(octets):
    try:
        sm2.load_public_key(octets)
    except MalformedError:
        return


@given(st.integers(0, len(BOUNCY_PUBLIC_KEY) - 1), st.integers(0, 255))
def test_a_damaged_public_key_is_a_key_or_malformed(place, octet):
    info = bytearray(BOUNCY_PUBLIC_KEY)
    info[place] = octet
    try:
        sm2.load_public_key(bytes(info))
    except MalformedError:
        return


@given(st.integers(0, len(BOUNCY_PRIVATE_KEY) - 1), st.integers(0, 255), st.booleans())
def test_a_damaged_private_key_is_a_key_or_malformed(place, octet, cut):
    info = bytearray(BOUNCY_PRIVATE_KEY)
    info[place] = octet
    octets = bytes(info[:place]) if cut else bytes(info)
    try:
        sm2.load_private_key(write_pem(octets, "PRIVATE KEY"))
    except MalformedError:
        return


# Curve


@settings(max_examples=20, deadline=None)
@given(st.integers(1, ORDER - 1))
def test_both_ways_to_multiply_agree_with_the_schoolbook(factor):
    expected = affine_multiple(factor)
    assert sm2_curve.affine(sm2_curve.multiply(GENERATOR, factor)) == expected
    table = sm2_curve.add_base_multiple(sm2_curve.INFINITY, factor)
    assert sm2_curve.affine(table) == expected


def test_adding_a_point_and_its_opposite_is_infinity():
    opposite = sm2_curve.multiply(GENERATOR, ORDER - 1)
    assert sm2_curve.add_base_multiple(opposite, 1)[2] == 0


def test_adding_a_point_to_itself_doubles_it():
    once = (GENERATOR.x, GENERATOR.y, 1)
    assert sm2_curve.affine(sm2_curve.add_base_multiple(once, 1)) == affine_multiple(2)


# OpenSSL


def run_openssl(directory, *arguments: str) -> str:
    assert OPENSSL is not None
    finished = subprocess.run(
        [OPENSSL, *arguments], cwd=directory, capture_output=True, check=True, text=True
    )
    return finished.stdout


def openssl_has_sm2() -> bool:
    if OPENSSL is None:
        return False
    listed = subprocess.run(
        [OPENSSL, "list", "-public-key-algorithms"], capture_output=True, check=False
    )
    return b"1.2.156.10197.1.301" in listed.stdout


needs_openssl = pytest.mark.skipif(
    not openssl_has_sm2(), reason="no openssl command with SM2 on this machine"
)


@needs_openssl
def test_openssl_reads_our_keys_and_verifies_our_signature(tmp_path):
    key = STANDARD_PUBLIC_KEY
    e = sm2.message_digest(key, b"hello", b"88.888.1/user")
    (tmp_path / "public.pem").write_bytes(sm2.public_key_pem(key))
    (tmp_path / "signature").write_bytes(sm2.sign(STANDARD_PRIVATE_KEY, e))
    (tmp_path / "message").write_bytes(b"hello")
    said = run_openssl(
        tmp_path,
        *["dgst", "-sm3", "-verify", "public.pem", "-signature", "signature"],
        *["-sigopt", "distid:88.888.1/user", "message"],
    )
    assert said.strip() == "Verified OK"


@needs_openssl
def test_openssl_signs_with_our_key_and_we_verify(tmp_path):
    (tmp_path / "key.pem").write_bytes(sm2.private_key_pem(STANDARD_PRIVATE_KEY))
    (tmp_path / "message").write_bytes(b"hello")
    run_openssl(
        tmp_path,
        *[
            "dgst",
            "-sm3",
            "-sign",
            "key.pem",
            "-out",
            "signature",
            "-sigopt",
            "distid:me",
            "message",
        ],
    )
    signature = (tmp_path / "signature").read_bytes()
    e = sm2.message_digest(STANDARD_PUBLIC_KEY, b"hello", b"me")
    sm2.verify(STANDARD_PUBLIC_KEY, [e], signature)
    assert len(decode_dss_signature(signature)) == 2


@needs_openssl
def test_keys_that_openssl_makes_are_read(tmp_path):
    run_openssl(tmp_path, *["genpkey", "-algorithm", "SM2", "-out", "key.pem"])
    run_openssl(tmp_path, *["pkey", "-in", "key.pem", "-pubout", "-out", "public.pem"])
    private_key = sm2.load_private_key((tmp_path / "key.pem").read_bytes())
    public_key = sm2.load_public_key((tmp_path / "public.pem").read_bytes())
    assert sm2.public_point(private_key) == public_key
