"""What a client makes of a witness's answers."""

import pytest

from chain_anchor.checkpoint import Checkpoint, sign_checkpoint
from chain_anchor.cosignature import verify_cosignature
from chain_anchor.errors import FormatError, WitnessError
from chain_anchor.note import Note, VerifierKey
from chain_anchor.witnessing import (
    AddCheckpoint,
    ConflictError,
    RefusedError,
    checkpoint_path,
    read_cosignature,
    read_witnessed,
)
from tests.merkle_trees import NOW, ORIGIN, Tree, cosigned, signer, witness_key

TREE = Tree.of(9)
NOTE = sign_checkpoint(Checkpoint(ORIGIN, 9, TREE.root(9)), [signer()])
TEXT = Note.parse(NOTE).text
KEY = witness_key("w")
LINE = cosigned(TEXT, "w").encode().encode()
OTHER = cosigned(TEXT, "other").encode().encode()
PLAIN = "text/plain"


def read(status=200, body=LINE, content_type=PLAIN):
    return read_cosignature(status, content_type, body, TEXT, KEY)


def test_a_request_reads_as_it_was_written():
    request = AddCheckpoint(5, tuple(TREE.consistency(5, 9)), NOTE)
    assert AddCheckpoint.parse(request.encode()) == request
    assert request.encode().startswith(b"old 5\n")
    assert AddCheckpoint(0, (), NOTE).encode() == b"old 0\n\n" + NOTE


def test_a_request_has_63_hashes_at_most():
    whole = AddCheckpoint(5, (bytes(32),) * 63, NOTE)
    assert AddCheckpoint.parse(whole.encode()) == whole
    with pytest.raises(FormatError, match="at most 63"):
        AddCheckpoint(5, (bytes(32),) * 64, NOTE).encode()


def test_the_cosignature_is_taken_from_among_others():
    found = read(body=OTHER + LINE)
    assert verify_cosignature(TEXT, found, KEY) == NOW


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "signature"),
        (b"\xff\xfe", "utf-8"),
        (b"thank you", "line"),
        (OTHER, "no cosignature by w"),
        (LINE + LINE, "got two"),
        (LINE[:-1], "line ending"),
        (cosigned(TEXT.replace("9", "8", 1), "w").encode().encode(), "not hold"),
    ],
)
def test_an_answer_without_the_witness_s_cosignature_is_none(body, reason):
    with pytest.raises(WitnessError, match=reason):
        read(body=body)


def test_a_cosignature_without_a_time_is_none():
    zero = bytes(8)
    found = Note.parse(NOTE + LINE).signatures[1]
    wrong = found._replace(octets=zero + found.octets[8:])
    with pytest.raises(WitnessError):
        read(body=wrong.encode().encode())


def test_a_conflict_tells_the_size():
    for content_type in ("text/x.tlog.size", "text/x.tlog.size; charset=utf-8"):
        with pytest.raises(ConflictError) as caught:
            read(409, b"123\n", content_type)
        assert caught.value.size == 123


@pytest.mark.parametrize(
    ("status", "body", "content_type"),
    [
        (409, b"123\n", PLAIN),
        (409, b"", ""),
        (404, b"unknown", PLAIN),
        (403, b"\xff", PLAIN),
        (500, b"x" * 10_000, PLAIN),
    ],
)
def test_a_refusal_tells_its_status(status, body, content_type):
    with pytest.raises(RefusedError, match=f"HTTP {status}") as caught:
        read(status, body, content_type)
    assert caught.value.status == status
    assert len(str(caught.value)) < 1000
    assert not isinstance(caught.value, ConflictError)


@pytest.mark.parametrize("body", [b"", b"x\n", b"-1\n", b"01\n", b"9\n9\n", b"\xff"])
def test_a_conflict_without_a_size_is_no_answer(body):
    with pytest.raises(WitnessError) as caught:
        read(409, body, "text/x.tlog.size")
    assert not isinstance(caught.value, RefusedError)


def test_the_last_checkpoint_of_a_log_has_its_own_path():
    assert checkpoint_path("a").startswith(
        "ca978112ca1bbdcafac231b39a23dc4da786eff8147c"
    )
    assert checkpoint_path("a").endswith("/checkpoint")


def test_the_last_checkpoint_is_verified_for_log_and_witness():
    found = read_witnessed(200, NOTE + LINE, ORIGIN, [signer().key], KEY)
    assert found is not None
    assert (found.checkpoint.size, found.time_seconds) == (9, NOW)
    assert read_witnessed(404, b"none", ORIGIN, [signer().key], KEY) is None


@pytest.mark.parametrize(
    ("status", "body", "origin", "log"),
    [
        (200, NOTE, ORIGIN, signer().key),
        (200, NOTE + OTHER, ORIGIN, signer().key),
        (200, NOTE + LINE, "other", signer().key),
        (200, NOTE + LINE, ORIGIN, signer("other").key),
        (200, b"", ORIGIN, signer().key),
        (500, NOTE + LINE, ORIGIN, signer().key),
    ],
)
def test_a_last_checkpoint_that_is_not_the_witness_s_is_refused(
    status, body, origin, log: VerifierKey
):
    with pytest.raises(WitnessError):
        read_witnessed(status, body, origin, [log], KEY)
