"""Checkpoints: three lines, believed for one log and its keys."""

import pytest

from chain_anchor.checkpoint import (
    Checkpoint,
    open_checkpoint,
    parse_checkpoint,
    sign_checkpoint,
)
from chain_anchor.errors import CheckpointError, NoteError, SignatureError
from chain_anchor.merkle import EMPTY_ROOT, MAX_SIZE
from chain_anchor.note import Note
from tests.merkle_trees import ORIGIN, cosigned, signer, witness_key

ROOT = bytes(range(32))
ROOT_TEXT = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
HEAD = Checkpoint(ORIGIN, 20852163, ROOT)
LOG = signer()
SIGNED = sign_checkpoint(HEAD, [LOG])

# C2SP tlog-checkpoint v1.0.0, the checkpoint at the top of the page.
PUBLISHED = (
    "example.com/behind-the-sofa\n20852163\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
)


def test_the_checkpoint_of_the_specification_is_read_and_written():
    checkpoint = parse_checkpoint(PUBLISHED)
    assert checkpoint.origin == "example.com/behind-the-sofa"
    assert checkpoint.size == 20852163
    assert checkpoint.root.hex().startswith("0ac5186a91863e8e1d90c808014aa89b")
    assert checkpoint.text() == PUBLISHED


@pytest.mark.parametrize("size", [0, 1, 10, MAX_SIZE])
def test_what_was_signed_is_opened(size):
    head = Checkpoint(ORIGIN, size, ROOT if size else EMPTY_ROOT)
    assert open_checkpoint(sign_checkpoint(head, [LOG]), ORIGIN, [LOG.key]) == head


def test_a_signed_checkpoint_is_a_note_of_three_lines():
    text = f"{ORIGIN}\n20852163\n{ROOT_TEXT}\n"
    assert SIGNED.decode() == f"{text}\n{LOG.sign(text).encode()}"


@pytest.mark.parametrize("origin", ["武汉 log", "a+b", "—", "example.com/log "])
def test_an_origin_is_any_line(origin):
    head = Checkpoint(origin, 5, ROOT)
    assert open_checkpoint(sign_checkpoint(head, [LOG]), origin, [LOG.key]) == head


def test_extension_lines_of_others_are_accepted_but_signed_over():
    text = HEAD.text() + "extension\nanother one\n"
    assert parse_checkpoint(text) == HEAD
    note = Note(text, (LOG.sign(text),)).encode()
    assert open_checkpoint(note, ORIGIN, [LOG.key]) == HEAD
    with pytest.raises(SignatureError, match="does not hold"):
        open_checkpoint(note.replace(b"another", b"changed"), ORIGIN, [LOG.key])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        f"{ORIGIN}\n5\n",
        f"{ORIGIN}\n5\n{ROOT_TEXT}",
        f"{ORIGIN}\n5\n{ROOT_TEXT}\n\n",
        f"{ORIGIN}\n5\n{ROOT_TEXT}\nextension\n\n",
        f"{ORIGIN}\n5\n{ROOT_TEXT}\n\nextension\n",
        f"\n5\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n\n{ROOT_TEXT}\n",
        f"{ORIGIN}\n5\n\n",
        f"\n{ORIGIN}\n5\n{ROOT_TEXT}\n",
        f"{ORIGIN}\r\n5\r\n{ROOT_TEXT}\r\n",
        f"{ORIGIN}\0\n5\n{ROOT_TEXT}\n",
        f"{ORIGIN}\ud800\n5\n{ROOT_TEXT}\n",
        *(
            f"{ORIGIN}\n{size}\n{ROOT_TEXT}\n"
            for size in (
                "05",
                "00",
                "-1",
                "+5",
                " 5",
                "5 ",
                "5_0",
                "0x5",
                "5.0",
                "five",
                "\N{ARABIC-INDIC DIGIT FIVE}",
                "²",
                str(MAX_SIZE + 1),
                str(2**64),
                "9" * 20,
                "9" * 5000,
            )
        ),
        f"{ORIGIN}\n5\n{ROOT_TEXT[:-1]}\n",
        f"{ORIGIN}\n5\n{ROOT_TEXT[:-2]}9=\n",
        f"{ORIGIN}\n5\n {ROOT_TEXT}\n",
        f"{ORIGIN}\n5\n{ROOT_TEXT} \n",
        f"{ORIGIN}\n5\n{ROOT_TEXT[:40]}\n",
        f"{ORIGIN}\n5\n{ROOT_TEXT[:40]}AAAA\n",
        f"{ORIGIN}\n5\n====\n",
    ],
)
def test_these_are_no_checkpoints(text):
    with pytest.raises(CheckpointError):
        parse_checkpoint(text)


@pytest.mark.parametrize(
    "wrong",
    [
        HEAD._replace(origin=""),
        HEAD._replace(origin="a\nb"),
        HEAD._replace(origin="a\0"),
        HEAD._replace(origin="\ud800"),
        HEAD._replace(size=-1),
        HEAD._replace(size=MAX_SIZE + 1),
        HEAD._replace(root=b""),
        HEAD._replace(root=ROOT + b"\0"),
    ],
)
def test_nothing_is_signed_that_nobody_would_read(wrong):
    with pytest.raises(CheckpointError):
        sign_checkpoint(wrong, [LOG])


def test_a_log_signs_for_its_own_origin_only():
    with pytest.raises(SignatureError, match=r"one of 'other.example' expected"):
        open_checkpoint(SIGNED, "other.example", [LOG.key])


def test_a_checkpoint_by_no_known_key_is_refused():
    with pytest.raises(SignatureError):
        open_checkpoint(SIGNED, ORIGIN, [signer("other.example").key])
    with pytest.raises(SignatureError):
        open_checkpoint(SIGNED, ORIGIN, [])


def test_the_signature_holds_for_every_octet_of_the_text():
    for place in range(SIGNED.index(b"\n\n")):
        changed = bytearray(SIGNED)
        changed[place] ^= 1
        with pytest.raises((NoteError, CheckpointError, SignatureError)):
            open_checkpoint(bytes(changed), ORIGIN, [LOG.key])


def test_cosignatures_do_not_stand_for_the_log():
    text = HEAD.text()
    witness = cosigned(text, "w.example")
    assert (
        open_checkpoint(SIGNED + witness.encode().encode(), ORIGIN, [LOG.key]) == HEAD
    )
    with pytest.raises(SignatureError):
        open_checkpoint(Note(text, (witness,)).encode(), ORIGIN, [LOG.key])
    with pytest.raises(NoteError, match="algorithm 1 expected"):
        open_checkpoint(
            Note(text, (witness,)).encode(), ORIGIN, [witness_key("w.example")]
        )


def test_an_old_and_a_new_key_sign_together():
    new = signer("wuhan.example/log-2")
    both = sign_checkpoint(HEAD, [LOG, new])
    for keys in ([LOG.key], [new.key], [LOG.key, new.key]):
        assert open_checkpoint(both, ORIGIN, keys) == HEAD
    with pytest.raises(NoteError, match="one signature by each key"):
        sign_checkpoint(HEAD, [LOG, LOG])
    with pytest.raises(NoteError, match="signatures expected, got 0"):
        sign_checkpoint(HEAD, [])


def test_text_of_another_log_signed_by_a_known_key_of_this_one_is_refused():
    other = sign_checkpoint(HEAD._replace(origin="other.example"), [LOG])
    with pytest.raises(SignatureError, match=r"got one of 'other.example'"):
        open_checkpoint(other, ORIGIN, [LOG.key])
