"""Ed25519 public keys: no point of low order, no second encoding, no other octets.

The points of low order are computed here, with the complete addition law of RFC 8032
§5.1.4, from any point at all: a multiple of the order of the large subgroup is one.
"""

from hashlib import sha256

import pytest

from chain_anchor.edwards import check_public_key
from chain_anchor.errors import NoteError, SignatureError
from chain_anchor.note import (
    ED25519,
    Note,
    Signature,
    VerifierKey,
    open_note,
    verify_octets,
)
from chain_anchor.spelling import encode_base64
from tests.merkle_trees import private_key, signer

P = 2**255 - 19
D = -121665 * pow(121666, P - 2, P) % P
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
NEUTRAL = (0, 1)


def add(left, right):
    (a, b), (c, d) = left, right
    product = D * a * b * c * d % P
    return (
        (a * d + b * c) * pow(1 + product, P - 2, P) % P,
        (b * d + a * c) * pow(1 - product, P - 2, P) % P,
    )


def times(number, point):
    found = NEUTRAL
    for bit in f"{number:b}":
        found = add(found, found)
        if bit == "1":
            found = add(found, point)
    return found


def x_of(y):
    """A square root, by Tonelli's way for primes 5 modulo 8; None off the curve."""
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    roots = [
        pow(square, (P + 3) // 8, P) * factor % P for factor in (1, pow(2, P // 4, P))
    ]
    return next((x for x in roots if x * x % P == square), None)


def points():
    """Points of the curve by rising y."""
    return ((x_of(y), y) for y in range(2, 100) if x_of(y) is not None)


def low_order_points():
    """All eight: the multiples of one whose order is eight."""
    for point in points():
        small = times(GROUP_ORDER, point)
        multiples = {times(factor, small) for factor in range(8)}
        if len(multiples) == 8:
            return multiples
    raise AssertionError("no point of order eight")


def encode(x_sign, y):
    return (y | x_sign << 255).to_bytes(32, "little")


def encodings(point):
    """Every encoding that a lax reader takes for this point."""
    x, y = point
    signs = (0, 1) if x == 0 else (x & 1,)
    rows = (y, y + P) if y + P < 2**255 else (y,)
    return [encode(sign, row) for sign in signs for row in rows]


LOW_ORDER_POINTS = sorted(low_order_points())
LOW_ORDER = sorted(
    {octets for point in LOW_ORDER_POINTS for octets in encodings(point)}
)
OFF_THE_CURVE = [encode(0, y) for y in range(2, 40) if x_of(y) is None]
NOT_CANONICAL = [
    encode(sign, y)
    for sign in (0, 1)
    for y in range(P, 2**255)
    if x_of(y % P) is not None
]


def test_there_are_eight_points_of_low_order_in_fourteen_encodings():
    assert all(times(8, point) == NEUTRAL for point in LOW_ORDER_POINTS)
    assert (len(LOW_ORDER_POINTS), len(LOW_ORDER)) == (8, 14)
    assert len(OFF_THE_CURVE) > 10
    assert len(NOT_CANONICAL) > 10


@pytest.mark.parametrize(
    "octets", LOW_ORDER + OFF_THE_CURVE + NOT_CANONICAL, ids=bytes.hex
)
def test_it_is_refused_wherever_a_key_comes_from(octets):
    with pytest.raises(NoteError, match="Ed25519 public key"):
        check_public_key(octets)
    with pytest.raises(NoteError, match="Ed25519 public key"):
        VerifierKey.of("a.example", ED25519, octets)
    unchecked = VerifierKey("a.example", b"\1\2\3\4", ED25519, octets)
    with pytest.raises(NoteError):
        VerifierKey.parse(unchecked.encode())
    with pytest.raises(NoteError, match="Ed25519 public key"):
        verify_octets(unchecked, b"message", bytes(64))


@pytest.mark.parametrize("octets", LOW_ORDER, ids=bytes.hex)
def test_the_signature_that_such_a_key_lets_hold_is_refused(octets):
    # R neutral, S zero: holds for every message if the key is the neutral element.
    forged = Signature("a.example", b"\1\2\3\4", encode(0, 1) + bytes(32))
    note = Note("anything\n", (forged,)).encode()
    with pytest.raises(NoteError, match="Ed25519 public key"):
        open_note(note, [VerifierKey("a.example", b"\1\2\3\4", ED25519, octets)])


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_key_has_32_octets(size):
    with pytest.raises(NoteError, match=f"32 octets expected, got {size}"):
        check_public_key(bytes(size))


def test_points_of_large_order_are_keys():
    for x, y in points():
        for sign in (0, 1):
            check_public_key(encode(sign, y))
        assert times(8, (x, y)) != NEUTRAL


def test_keys_that_sign_are_keys():
    for number in range(50):
        check_public_key(private_key(str(number)).public_key().public_bytes_raw())


def test_a_signature_holds_for_its_message_and_key_only():
    one, other = signer("a.example"), signer("b.example")
    octets = one.sign("text\n").octets
    verify_octets(one.key, b"text\n", octets)
    for key, message, wrong in (
        (one.key, b"text", octets),
        (other.key, b"text\n", octets),
        (one.key, b"text\n", octets[:-1]),
        (one.key, b"text\n", octets + b"\0"),
        (one.key, b"text\n", b""),
    ):
        with pytest.raises(SignatureError, match="does not hold"):
            verify_octets(key, message, wrong)


def test_a_signature_has_one_spelling():
    # S + group order is the same number to who computes, and is refused (RFC 8032 §5.1.7).
    octets = signer("a.example").sign("text\n").octets
    same = int.from_bytes(octets[32:], "little") + GROUP_ORDER
    with pytest.raises(SignatureError, match="does not hold"):
        verify_octets(
            signer("a.example").key,
            b"text\n",
            octets[:32] + same.to_bytes(32, "little"),
        )


def test_the_key_text_of_a_low_order_point_with_its_right_key_id_is_refused():
    body = b"\x01" + encode(0, 1)
    key_id = sha256(b"a.example\n" + body).hexdigest()[:8]
    with pytest.raises(NoteError, match="a point of large order expected"):
        VerifierKey.parse(f"a.example+{key_id}+{encode_base64(body)}")
