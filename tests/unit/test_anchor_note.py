"""Signed notes and verifier keys: one spelling each, and only what was signed."""

import pytest

from chain_anchor.errors import NoteError, SignatureError
from chain_anchor.note import (
    COSIGNATURE,
    ED25519,
    MAX_NOTE_OCTETS,
    MAX_SIGNATURES,
    Note,
    Signature,
    VerifierKey,
    open_note,
    parse_signatures,
)
from chain_anchor.spelling import encode_base64
from tests.merkle_trees import private_key, signer, witness_key

# C2SP signed-note v1.0.0, "Example" and the first note of the page.
KEY_TEXT = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
NOTE = (
    "This is an example message.\n\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZX"
    "sYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
).encode()
VERSES = (
    "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\n"
    "ed è subito sera.\n\n"
    "— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW"
    "9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
).encode()

ANNA, BERTA = signer("anna.example"), signer("berta.example")
TEXT = "one\n\ntwo\n"
LINE = ANNA.sign(TEXT).encode()
SPACES = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008"
    "\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
"""Every character with the property White_Space."""


def note_of(*signatures, text=TEXT):
    return Note(text, signatures).encode()


def other_of(signature, octets=None, **fields):
    """A signature that differs in its octets."""
    octets = octets or bytes([signature.octets[0] ^ 1]) + signature.octets[1:]
    return signature._replace(octets=octets, **fields)


def test_the_note_of_the_specification_holds():
    key = VerifierKey.parse(KEY_TEXT)
    assert (key.name, key.algorithm) == ("example.com/foo", ED25519)
    assert open_note(NOTE, [key]).text == "This is an example message.\n"
    with pytest.raises(SignatureError, match="does not hold"):
        open_note(NOTE.replace(b"This", b"that"), [key])


def test_a_text_may_have_empty_lines():
    note = Note.parse(VERSES)
    assert note.text.endswith("sole:\n\ned è subito sera.\n")
    assert note.encode() == VERSES
    assert Note.parse(note_of(ANNA.sign("\n\n"), text="\n\n")).text == "\n\n"


def test_what_was_signed_is_opened():
    note = open_note(note_of(ANNA.sign(TEXT), BERTA.sign(TEXT)), [BERTA.key, ANNA.key])
    assert note == Note(TEXT, (ANNA.sign(TEXT), BERTA.sign(TEXT)))


def test_signatures_by_unknown_keys_are_ignored_and_left_out():
    known, unknown = ANNA.sign(TEXT), other_of(BERTA.sign(TEXT))
    for signatures in ((known, unknown), (unknown, known)):
        assert open_note(note_of(*signatures), [ANNA.key]).signatures == (known,)


def test_a_key_is_known_by_name_and_id_together():
    known = ANNA.sign(TEXT)
    same_name = other_of(known, key_id=b"\0\0\0\0")
    same_id = other_of(known, name="berta.example")
    note = open_note(note_of(same_name, known, same_id), [ANNA.key])
    assert note.signatures == (known,)
    for signature in (same_name, same_id):
        with pytest.raises(SignatureError, match=r"a signature by anna\.example"):
            open_note(note_of(signature), [ANNA.key])


def test_a_note_by_no_known_key_is_refused():
    with pytest.raises(SignatureError, match=r"anna\.example.* expected, got .*berta"):
        open_note(note_of(BERTA.sign(TEXT)), [ANNA.key])
    with pytest.raises(SignatureError, match="a signature by no key expected"):
        open_note(note_of(BERTA.sign(TEXT)), [])


def test_one_wrong_signature_by_a_known_key_is_enough_to_refuse():
    wrong = note_of(ANNA.sign(TEXT), other_of(BERTA.sign(TEXT)))
    with pytest.raises(SignatureError, match=r"signature by berta.* does not hold"):
        open_note(wrong, [ANNA.key, BERTA.key])


def test_a_known_key_signs_once():
    once = note_of(ANNA.sign(TEXT))
    for line in (LINE, other_of(ANNA.sign(TEXT)).encode()):
        with pytest.raises(SignatureError, match=r"one signature by anna.* got two"):
            open_note(once + line.encode(), [ANNA.key])


def test_an_unknown_key_may_sign_twice_and_is_ignored_twice():
    note = note_of(ANNA.sign(TEXT)) + 2 * BERTA.sign(TEXT).encode().encode()
    assert open_note(note, [ANNA.key]).signatures == (ANNA.sign(TEXT),)


def test_no_two_signatures_of_one_key_are_written():
    with pytest.raises(NoteError, match="one signature by each key"):
        note_of(ANNA.sign(TEXT), other_of(ANNA.sign(TEXT)))


def test_a_witness_does_not_stand_for_a_signer():
    with pytest.raises(NoteError, match="known keys: algorithm 1 expected"):
        open_note(note_of(ANNA.sign(TEXT)), [ANNA.key, witness_key("w.example")])


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\n",
        b"text\n",
        b"text\n\n",
        b"text\n" + LINE.encode(),
        b"text\n\n" + LINE.encode()[:-1],
        b"text\n\n" + LINE.encode() + b"\n",
        b"text\n\n" + LINE.encode() + b"more\n",
        b"text\n\nmore\n" + LINE.encode(),
        b"text\r\n\r\n" + LINE.encode().replace(b"\n", b"\r\n"),
        b"te\0xt\n\n" + LINE.encode(),
        b"te\txt\n\n" + LINE.encode(),
        b"te\xffxt\n\n" + LINE.encode(),
        b"te\xed\xa0\x80xt\n\n" + LINE.encode(),
        b"text\n\n" + LINE.encode().replace("—".encode(), b"-"),
        b"text\n\n" + LINE.encode().replace("— ".encode(), "—".encode()),
        b"text\n\n" + LINE.encode().replace("— ".encode(), "—  ".encode()),
        b"text\n\n" + LINE.encode().replace(b"example ", b"example  "),
        b"text\n\n" + LINE.encode().replace(b"example ", b"example"),
        b"text\n\n" + LINE.encode().replace(b"\n", b" \n"),
        b"text\n\n" + LINE.encode().replace(b"anna", b"an+na"),
        b"text\n\n" + LINE.encode().replace(b"anna", "an\u2003na".encode()),
        b"text\n\n" + "— anna.example \n".encode(),
        b"text\n\n" + "— anna.example AAAAAA==\n".encode(),
    ],
)
def test_these_are_no_notes(octets):
    with pytest.raises(NoteError):
        Note.parse(octets)


def test_base64_has_one_spelling():
    octets = ANNA.key.key_id + ANNA.sign(TEXT).octets[:63]
    encoded = encode_base64(octets)
    line = f"— anna.example {encoded}\n"
    assert encoded.endswith("=")
    assert parse_signatures(line) == (
        Signature("anna.example", octets[:4], octets[4:]),
    )
    last = encoded[-2]
    for wrong in (
        encoded.rstrip("="),
        encoded + "=",
        encoded[:-2] + chr(ord(last) + 1) + "=",
        encoded[:8] + "\u200b" + encoded[8:],
        encoded[:8] + "====" + encoded[8:],
        encoded.replace("/", "_").replace("+", "-") + "-",
        "=" + encoded,
    ):
        with pytest.raises(NoteError, match="base64 expected"):
            parse_signatures(f"— anna.example {wrong}\n")


def test_sixteen_post_quantum_signatures_are_read():
    large = tuple(
        [
            Signature(f"pq{number}.example", b"\1\2\3\4", bytes(5000))
            for number in range(16)
        ]
    )
    octets = note_of(*large, ANNA.sign(TEXT))
    assert open_note(octets, [ANNA.key]).signatures == (ANNA.sign(TEXT),)


def test_size_and_number_of_signatures_are_bounded():
    signature = Signature("a.example", b"\1\2\3\4", b"x")
    many = [
        signature._replace(name=f"a{number}") for number in range(MAX_SIGNATURES + 1)
    ]
    assert len(Note.parse(note_of(*many[:-1])).signatures) == MAX_SIGNATURES
    with pytest.raises(NoteError, match="1 to 64 signatures expected, got 65"):
        note_of(*many)
    with pytest.raises(NoteError, match="1 to 64 signatures expected, got 65"):
        Note.parse(note_of(*many[:-1]) + many[-1].encode().encode())
    with pytest.raises(NoteError, match="1 to 64 signatures expected, got 0"):
        note_of()
    room = MAX_NOTE_OCTETS - len(note_of(signature, text="\n"))
    full = note_of(signature, text="x" * room + "\n")
    assert len(full) == MAX_NOTE_OCTETS
    assert Note.parse(full).encode() == full
    with pytest.raises(NoteError, match=r"at most 131072 octets expected, got 131073"):
        Note.parse(b"x" + full)
    with pytest.raises(NoteError, match=r"at most 131072 octets expected, got 131073"):
        note_of(signature, text="x" * (room + 1) + "\n")


@pytest.mark.parametrize("text", ["", "text", "te\0xt\n", "te\rxt\n", "te\ud800xt\n"])
def test_these_are_no_texts(text):
    with pytest.raises(NoteError):
        ANNA.sign(text)
    with pytest.raises(NoteError):
        note_of(ANNA.sign(TEXT), text=text)


@pytest.mark.parametrize(
    "name", ["", "a+b", "a\0", "a\x1f", "\ud800", *SPACES, *(f"a{c}b" for c in SPACES)]
)
def test_these_are_no_key_names(name):
    with pytest.raises(NoteError, match="key name"):
        VerifierKey.of(name, ED25519, ANNA.key.public)


@pytest.mark.parametrize(
    "name", ["a", "武汉.example/log", "a" * 300, "a\u200b", "—", "\x7f"]
)
def test_these_are_key_names(name):
    one = signer(name)
    assert VerifierKey.parse(str(one.key)) == one.key
    assert open_note(note_of(one.sign(TEXT)), [one.key]).text == TEXT


def test_a_key_text_gives_the_key_back():
    assert str(VerifierKey.parse(KEY_TEXT)) == KEY_TEXT
    assert VerifierKey.parse(KEY_TEXT).encode() == KEY_TEXT
    cosigner = witness_key("w.example")
    assert VerifierKey.parse(str(cosigner)) == cosigner
    assert cosigner.algorithm == COSIGNATURE


def test_the_key_id_binds_name_and_algorithm():
    public = private_key("a").public_key().public_bytes_raw()
    ids = {
        VerifierKey.of(name, algorithm, public).key_id
        for name in ("a", "b")
        for algorithm in (ED25519, COSIGNATURE)
    }
    assert len(ids) == 4


@pytest.mark.parametrize(
    "text",
    [
        "",
        "++",
        "example.com/foo",
        "example.com/foo+530d903a",
        KEY_TEXT + "\n",
        " " + KEY_TEXT,
        KEY_TEXT.replace("530d903a", "530D903A"),
        KEY_TEXT.replace("530d903a", "530d903b"),
        KEY_TEXT.replace("530d903a", "530d903"),
        KEY_TEXT.replace("530d903a", "0530d903a"),
        KEY_TEXT.replace("530d903a", "0x30d903"),
        KEY_TEXT.replace("foo", "fop"),
        KEY_TEXT.replace("foo", "f oo"),
        KEY_TEXT.replace("example.com/foo", ""),
        KEY_TEXT[:-4],
        KEY_TEXT + "AAAA",
        KEY_TEXT[:-1],
        KEY_TEXT + "=",
        "example.com/foo+530d903a+",
        "example.com/foo+530d903a+AQ==",
    ],
)
def test_these_are_no_verifier_keys(text):
    with pytest.raises(NoteError):
        VerifierKey.parse(text)


@pytest.mark.parametrize("algorithm", [0, 2, 3, 5, 6, 255])
def test_other_algorithms_are_refused(algorithm):
    with pytest.raises(NoteError, match=f"algorithm 1 or 4, got {algorithm}"):
        VerifierKey.of("a", algorithm, VerifierKey.parse(KEY_TEXT).public)


def test_lines_of_signatures_are_read_as_witnesses_send_them():
    one, other = ANNA.sign(TEXT), BERTA.sign(TEXT)
    assert parse_signatures(one.encode() + other.encode()) == (one, other)
    for wrong in (
        "",
        "\n",
        one.encode()[:-1],
        one.encode() + "\n",
        "\n" + one.encode(),
    ):
        with pytest.raises(NoteError):
            parse_signatures(wrong)
