"""Cosignatures: what a witness saw and when, and how many witnesses are enough."""

import pytest

from chain_anchor.checkpoint import Checkpoint, sign_checkpoint
from chain_anchor.cosignature import (
    Cosignature,
    Policy,
    check_quorum,
    cosign,
    verify_cosignature,
)
from chain_anchor.errors import CheckpointError, NoteError, SignatureError
from chain_anchor.note import Note, parse_signatures
from tests.merkle_trees import NOW, ORIGIN, cosigned, private_key, signer, witness_key

TEXT = Checkpoint(ORIGIN, 7, bytes(32)).text()
NAMES = ("w1.example", "w2.example", "w3.example")
KEYS = [witness_key(name) for name in NAMES]
LOG = signer()

# C2SP tlog-cosignature v1.0.1, the cosignature at the top of the page.
PUBLISHED = (
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dl"
    "rDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)


def note_by(*names):
    return Note(TEXT, (LOG.sign(TEXT), *(cosigned(TEXT, name) for name in names)))


def test_the_cosignature_of_the_specification_is_72_octets_that_begin_with_its_time():
    (signature,) = parse_signatures(PUBLISHED)
    assert len(signature.octets) == 72
    assert int.from_bytes(signature.octets[:8]) == 1679315147


def test_the_message_is_a_header_the_time_and_the_whole_text():
    signature = cosigned(TEXT, "w1.example", 1679315147)
    message = b"cosignature/v1\ntime 1679315147\n" + TEXT.encode()
    private_key("w1.example").public_key().verify(signature.octets[8:], message)
    assert signature.octets[:8] == bytes.fromhex("00000000641850cb")


def test_a_cosignature_tells_when_it_was_made():
    for time_seconds in (1, NOW, 2**63 - 1):
        signature = cosigned(TEXT, NAMES[0], time_seconds)
        assert verify_cosignature(TEXT, signature, KEYS[0]) == time_seconds


@pytest.mark.parametrize("time_seconds", [-1, 0, 2**63, 2**64])
def test_no_such_time_is_signed(time_seconds):
    with pytest.raises(NoteError, match="cosignature time"):
        cosigned(TEXT, NAMES[0], time_seconds)


def test_only_checkpoints_are_cosigned_with_their_extension_lines():
    for text in ("", "text\n", TEXT[:-1], TEXT + "\n", f"{ORIGIN}\n07\n{TEXT[-45:]}"):
        with pytest.raises(CheckpointError):
            cosigned(text, NAMES[0])
        with pytest.raises(CheckpointError):
            verify_cosignature(text, cosigned(TEXT, NAMES[0]), KEYS[0])
    extended = TEXT + "extension\n"
    signature = cosigned(extended, NAMES[0])
    assert verify_cosignature(extended, signature, KEYS[0]) == NOW
    with pytest.raises(SignatureError, match="does not hold"):
        verify_cosignature(TEXT, signature, KEYS[0])


def test_a_cosignature_holds_for_its_time_text_and_key_only():
    signature = cosigned(TEXT, NAMES[0])
    later = (NOW + 1).to_bytes(8) + signature.octets[8:]
    with pytest.raises(SignatureError, match="does not hold"):
        verify_cosignature(TEXT, signature._replace(octets=later), KEYS[0])
    with pytest.raises(SignatureError, match="does not hold"):
        verify_cosignature(TEXT.replace("\n7\n", "\n8\n"), signature, KEYS[0])
    with pytest.raises(SignatureError, match=r"one by w2.* expected, got one by w1"):
        verify_cosignature(TEXT, signature, KEYS[1])
    relabelled = signature._replace(name=KEYS[1].name, key_id=KEYS[1].key_id)
    with pytest.raises(SignatureError, match="does not hold"):
        verify_cosignature(TEXT, relabelled, KEYS[1])


@pytest.mark.parametrize("size", [1, 8, 64, 71, 73])
def test_a_cosignature_has_72_octets(size):
    octets = (cosigned(TEXT, NAMES[0]).octets + b"\0")[:size]
    with pytest.raises(SignatureError, match=f"72 octets expected, got {size}"):
        verify_cosignature(
            TEXT, cosigned(TEXT, NAMES[0])._replace(octets=octets), KEYS[0]
        )


def test_a_time_beyond_63_bits_is_refused_although_it_is_signed():
    time_seconds = 2**63
    message = f"cosignature/v1\ntime {time_seconds}\n{TEXT}".encode()
    octets = time_seconds.to_bytes(8) + private_key(NAMES[0]).sign(message)
    with pytest.raises(SignatureError, match=r"up to 2\*\*63 - 1"):
        verify_cosignature(
            TEXT, cosigned(TEXT, NAMES[0])._replace(octets=octets), KEYS[0]
        )


def test_the_signature_of_a_note_is_no_cosignature():
    plain = signer(NAMES[0])
    with pytest.raises(NoteError, match="key of a witness: algorithm 4"):
        verify_cosignature(TEXT, plain.sign(TEXT), plain.key)
    with pytest.raises(NoteError, match="key of a witness: algorithm 4"):
        check_quorum(Note(TEXT, (plain.sign(TEXT),)), [plain.key], 1)


@pytest.mark.parametrize("quorum", [0, 1, 2, 3])
def test_enough_witnesses_are_enough(quorum):
    for count in range(quorum, 4):
        found = check_quorum(note_by(*NAMES[:count]), KEYS, quorum)
        assert found == tuple([Cosignature(key, NOW) for key in KEYS[:count]])
    for count in range(quorum):
        with pytest.raises(SignatureError, match=f"{quorum} of 3 known .* got {count}"):
            check_quorum(note_by(*NAMES[:count]), KEYS, quorum)


def test_the_refusal_names_who_is_missing():
    with pytest.raises(SignatureError) as refused:
        Policy(tuple(KEYS), 2).check(note_by(NAMES[1]))
    told = str(refused.value).partition("missing: ")[2]
    assert told == f"{KEYS[0]}, {KEYS[2]}"


def test_unknown_witnesses_do_not_count():
    with pytest.raises(SignatureError, match="got 1"):
        check_quorum(note_by(NAMES[0], "stranger.example"), KEYS, 2)


def test_a_wrong_cosignature_by_a_known_witness_is_refused_whatever_the_quorum():
    note = note_by(*NAMES)
    wrong = note.signatures[-1]._replace(octets=bytes(72))
    with pytest.raises(SignatureError, match=r"by w3.* does not hold"):
        check_quorum(Note(TEXT, (*note.signatures[:-1], wrong)), KEYS, 2)


def test_a_witness_counts_once():
    twice = (cosigned(TEXT, NAMES[0], NOW), cosigned(TEXT, NAMES[0], NOW + 1))
    with pytest.raises(SignatureError, match=r"one signature by w1.* got two"):
        check_quorum(Note(TEXT, twice), KEYS, 2)


def test_one_public_key_under_two_names_is_no_two_witnesses():
    public = KEYS[0].public
    alias = cosign(TEXT, "alias.example", private_key(NAMES[0]), NOW)
    note = Note(TEXT, (cosigned(TEXT, NAMES[0]), alias))
    keys = [KEYS[0], KEYS[0]._replace(name="alias.example", key_id=alias.key_id)]
    assert keys[1].public == public
    with pytest.raises(NoteError, match="no public key twice"):
        check_quorum(note, keys, 2)


@pytest.mark.parametrize("quorum", [-1, 4])
def test_a_quorum_is_of_the_known_witnesses(quorum):
    with pytest.raises(NoteError, match=f"0 to 3 witnesses expected, got {quorum}"):
        check_quorum(note_by(*NAMES), KEYS, quorum)


def test_the_log_is_not_one_of_its_witnesses():
    signed = Note.parse(sign_checkpoint(Checkpoint(ORIGIN, 7, bytes(32)), [LOG]))
    with pytest.raises(SignatureError, match="got 0"):
        check_quorum(signed, KEYS, 1)
