"""Proofs in a file: read and written in one way, and refused for a reason."""

import dataclasses

import pytest

from chain_anchor.checkpoint import Checkpoint, sign_checkpoint
from chain_anchor.cosignature import Policy
from chain_anchor.errors import (
    BundleError,
    CheckpointError,
    NoteError,
    ProofError,
    SignatureError,
)
from chain_anchor.merkle import inclusion_path
from chain_anchor.note import Note
from chain_anchor.tlog_proof import (
    MAX_EXTRA_OCTETS,
    MAX_PROOF_OCTETS,
    TlogProof,
    decode_tlog_proof,
    encode_tlog_proof,
    verify_tlog_proof,
)
from tests.merkle_trees import NOW, ORIGIN, Tree, cosigned, signer, witness_key

SIZE, INDEX = 11, 6
TREE = Tree.of(SIZE)
HEAD = Checkpoint(ORIGIN, SIZE, TREE.root(SIZE))
LOG = signer()
PATH = tuple(inclusion_path(INDEX, SIZE, TREE.read))
PROOF = TlogProof(INDEX, PATH, sign_checkpoint(HEAD, [LOG]), b"extra octets")
OCTETS = encode_tlog_proof(PROOF)
TEXT = OCTETS.decode()
WITNESSES = Policy((witness_key("w1.example"), witness_key("w2.example")), 1)


def changed(**fields):
    return encode_tlog_proof(dataclasses.replace(PROOF, **fields))


def verify(octets, leaf=None, origin=ORIGIN, keys=(LOG.key,), **fields):
    return verify_tlog_proof(octets, leaf or TREE.leaf(INDEX), origin, keys, **fields)


def test_a_proof_verifies_and_says_what_it_proves():
    logged = verify(OCTETS)
    assert (logged.index, logged.checkpoint, logged.cosignatures) == (INDEX, HEAD, ())


def test_a_proof_is_written_line_by_line_as_the_specification_says():
    first, extra, index, *path = TEXT.partition("\n\n")[0].split("\n")
    assert first == "c2sp.org/tlog-proof@v1"
    assert (extra, index) == ("extra ZXh0cmEgb2N0ZXRz", "index 6")
    assert len(path) == len(PATH)
    assert all(len(line) == 44 for line in path)
    assert TEXT.encode().partition(b"\n\n")[2] == PROOF.checkpoint
    assert "extra" not in changed(extra=b"").decode()


@pytest.mark.parametrize("extra", [b"", b"\0", b"x" * MAX_EXTRA_OCTETS])
@pytest.mark.parametrize("path", [(), PATH, (bytes(32),) * 63])
def test_what_is_written_is_read(extra, path):
    proof = dataclasses.replace(PROOF, extra=extra, path=path)
    assert decode_tlog_proof(encode_tlog_proof(proof)) == proof


def test_the_only_leaf_needs_no_path():
    head = Checkpoint(ORIGIN, 1, TREE.root(1))
    octets = changed(index=0, path=(), checkpoint=sign_checkpoint(head, [LOG]))
    assert verify(octets, TREE.leaf(0)).checkpoint == head


def test_another_entry_is_not_proved():
    with pytest.raises(ProofError, match="inclusion of leaf 6 of 11"):
        verify(OCTETS, TREE.leaf(INDEX + 1))
    with pytest.raises(ProofError, match="inclusion of leaf 7 of 11"):
        verify(changed(index=7))
    with pytest.raises(ProofError, match="4 hashes expected, got 3"):
        verify(changed(path=PATH[:-1]))
    with pytest.raises(ProofError, match="leaf index: 0 to below 11"):
        verify(changed(index=11))


def test_another_log_does_not_vouch():
    with pytest.raises(SignatureError, match="note: a signature by other"):
        verify(OCTETS, keys=[signer("other.example").key])
    with pytest.raises(SignatureError, match=r"one of 'other.example' expected"):
        verify(OCTETS, origin="other.example")


def test_enough_witnesses_must_have_cosigned():
    with pytest.raises(SignatureError, match="1 of 2 known witnesses"):
        verify(OCTETS, policy=WITNESSES)
    text = HEAD.text()
    signatures = (LOG.sign(text), cosigned(text, "w2.example"))
    octets = changed(checkpoint=Note(text, signatures).encode())
    (cosignature,) = verify(octets, policy=WITNESSES).cosignatures
    assert cosignature == (WITNESSES.keys[1], NOW)
    assert verify(octets).cosignatures == ()


@pytest.mark.parametrize(
    "wrong",
    [
        TEXT[1:],
        TEXT.replace("@v1", "@v2"),
        TEXT.replace("@v1\n", "@v1 \n"),
        TEXT.replace("\n", "\r\n"),
        TEXT.replace("index 6\n", ""),
        TEXT.replace("index 6", "index 06"),
        TEXT.replace("index 6", "index +6"),
        TEXT.replace("index 6", "index -6"),
        TEXT.replace("index 6", "index  6"),
        TEXT.replace("index 6", "index"),
        TEXT.replace("index 6", f"index {2**63}"),
        TEXT.replace("index 6", f"index {2**63 - 1}"),
        TEXT.replace("index 6", "index 6\nindex 6"),
        TEXT.replace("extra ", "extra  "),
        TEXT.replace("extra ZXh0cmEgb2N0ZXRz", "extra "),
        TEXT.replace("extra ZXh0cmEgb2N0ZXRz", "extra"),
        TEXT.replace("extra ZXh0cmEgb2N0ZXRz", "extra ZXh"),
        TEXT.replace("extra ZXh0cmEgb2N0ZXRz", "extra ZXi="),
        TEXT.replace("extra", "Extra"),
        TEXT.replace("index 6", "extra ZXh0\nindex 6"),
        TEXT.replace("index 6\n", "index 6\n\n"),
        TEXT.replace("index 6\n", "index 6\nZXh0\n"),
        TEXT.replace("=\n\n", "=\n", 1),
        TEXT.replace("=\n\n", "=\n\n\n", 1),
        TEXT.replace("index 6\n", "index 6\n" + ("A" * 43 + "=\n") * 60),
        TEXT.partition("\n\n")[0],
        TEXT.partition("\n\n")[0] + "\n\n",
        TEXT.partition("\n\n")[0] + "\n\n\n",
        TEXT[:-1],
        TEXT + "\n",
        "",
    ],
)
def test_these_are_no_proofs(wrong):
    with pytest.raises((BundleError, NoteError, CheckpointError)):
        decode_tlog_proof(wrong.encode())


def test_octets_that_are_no_ascii_are_refused():
    with pytest.raises(BundleError, match="ASCII lines"):
        decode_tlog_proof(OCTETS.replace(b"index", b"ind\xe9x"))


def test_a_note_that_is_no_checkpoint_is_refused():
    note = Note("some text\n", (LOG.sign("some text\n"),)).encode()
    with pytest.raises(CheckpointError):
        changed(checkpoint=note)
    with pytest.raises(CheckpointError):
        decode_tlog_proof(OCTETS.replace(PROOF.checkpoint, note))


@pytest.mark.parametrize(
    "fields",
    [
        {"index": -1},
        {"index": 2**63 - 1},
        {"path": (bytes(31),)},
        {"path": (bytes(32),) * 64},
        {"extra": b"x" * (MAX_EXTRA_OCTETS + 1)},
    ],
)
def test_nothing_is_written_that_nobody_would_read(fields):
    with pytest.raises(BundleError):
        changed(**fields)


def test_a_proof_is_bounded():
    with pytest.raises(BundleError, match=f"at most {MAX_PROOF_OCTETS} octets"):
        decode_tlog_proof(b"x" * (MAX_PROOF_OCTETS + 1))
    too_much = TEXT.replace("ZXh0cmEgb2N0ZXRz", "AAAA" * (MAX_EXTRA_OCTETS // 3 + 1))
    with pytest.raises(BundleError, match="extra data: at most"):
        decode_tlog_proof(too_much.encode())
