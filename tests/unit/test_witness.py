"""What a witness decides, by the wording of C2SP tlog-witness v1.0.0."""

import pytest

from chain_anchor.checkpoint import Checkpoint, sign_checkpoint
from chain_anchor.cosignature import check_quorum
from chain_anchor.errors import WitnessError
from chain_anchor.merkle import EMPTY_ROOT
from chain_anchor.note import Note, Signature, Signer
from chain_anchor.witness import (
    MAX_LOGS,
    Cosigner,
    DamagedStoreError,
    Witness,
    logs_of,
)
from chain_anchor.witnessing import (
    AddCheckpoint,
    ConflictError,
    ContradictionError,
    RefusedError,
    origin_hash,
)
from tests.merkle_trees import (
    NOW,
    ORIGIN,
    Tree,
    cosigned,
    private_key,
    signer,
)

TREE = Tree.of(40)
OTHER = Tree([b"another %d" % index for index in range(40)])
NAME = "witness.example/w1"
SECOND = "second.example/log"


class MemoryStore:
    """A store without a disk."""

    def __init__(self, notes=()):
        self.notes = dict(notes)
        self.contradictions = {}
        self.fails = False

    def load(self):
        return dict(self.notes)

    def save(self, origin, note):
        if self.fails:
            raise WitnessError("no space left")
        self.notes[origin] = note

    def save_contradiction(self, origin, notes):
        self.contradictions.setdefault(origin, notes)


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def witness(store):
    return made(store)


def made(store, *keys):
    keys = keys or (signer().key, signer(SECOND).key)
    return Witness(Cosigner(NAME, private_key(NAME)), logs_of(keys), store)


def note(size, tree=TREE, *, origin=ORIGIN, signers=None, root=None):
    head = Checkpoint(origin, size, root or tree.root(size))
    return sign_checkpoint(head, signers or (signer(origin),))


def request(old, size, tree=TREE, *, proof=None, checkpoint=None, **parts):
    if proof is None:
        proof = tree.consistency(old, size) if 0 < old < size else ()
    octets = checkpoint or note(size, tree, **parts)
    return AddCheckpoint(old, tuple(proof), octets).encode()


def refused(witness, body, status):
    before = [witness.last_checkpoint(origin) for origin in witness.logs]
    with pytest.raises(RefusedError) as caught:
        witness.add_checkpoint(body, NOW)
    assert caught.value.status == status, caught.value
    assert [witness.last_checkpoint(origin) for origin in witness.logs] == before
    return caught.value


def test_a_checkpoint_that_only_grew_is_cosigned_and_remembered(witness, store):
    for old, new in ((0, 3), (3, 4), (4, 4), (4, 33), (33, 40)):
        lines = witness.add_checkpoint(request(old, new), NOW)
        whole = Note.parse(note(new) + lines)
        assert check_quorum(whole, [witness.key], 1)[0].time_seconds == NOW
        assert witness.last_note(origin_hash(ORIGIN)) == note(new) + lines
        assert store.notes[ORIGIN] == note(new) + lines


def test_the_first_checkpoint_may_be_of_the_empty_tree(witness):
    witness.add_checkpoint(request(0, 0), NOW)
    witness.add_checkpoint(request(0, 5), NOW)
    assert witness.last_checkpoint(ORIGIN).size == 5


def test_logs_are_kept_apart(witness):
    witness.add_checkpoint(request(0, 7), NOW)
    witness.add_checkpoint(request(0, 9, OTHER, origin=SECOND), NOW)
    assert witness.last_checkpoint(ORIGIN).size == 7
    assert witness.last_checkpoint(SECOND).size == 9


def test_what_was_never_cosigned_is_not_served(witness):
    assert witness.last_note(origin_hash(ORIGIN)) is None
    assert witness.last_note("0" * 64) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 0\n",
        b"old 0\n\n",
        b"old 00\n\n" + note(3),
        b"old -1\n\n" + note(3),
        b"old 1 \n\n" + note(3),
        b"new 0\n\n" + note(3),
        b"old  0\n\n" + note(3),
        b"old 0\r\n\n" + note(3),
        b"old 9223372036854775808\n\n" + note(3),
        b"old 0\n" + note(3),
        b"old 0\nAAAA\n\n" + note(3),
        b"old 0\n?\n\n" + note(3),
        b"old 0\n" + b"A" * 43 + b"\n\n" + note(3),
        b"old 0\n\xff\n\n" + note(3),
        b"old 0\n" + 64 * (b"A" * 43 + b"=\n") + b"\n" + note(3),
        b"old 0\n\n" + note(3)[:-1],
        b"old 0\n\n" + note(3).replace(b"\n3\n", b"\n03\n"),
        b"old 0\n\n" + note(3).replace(b"\n\n", b"\n"),
    ],
)
def test_what_is_no_request_is_a_bad_request(witness, body):
    refused(witness, body, 400)


def test_an_unknown_origin_is_not_found(witness):
    refused(witness, request(0, 3, origin="unknown.example/log"), 404)


def test_without_a_signature_by_a_known_key_it_is_forbidden(witness):
    stranger = signer("stranger.example/log")
    refused(witness, request(0, 3, signers=(stranger,)), 403)
    of_another_log = note(3, signers=(signer(SECOND),))
    refused(witness, request(0, 3, checkpoint=of_another_log), 403)


def test_a_wrong_signature_under_a_known_key_is_forbidden(witness):
    text, (found,) = Note.parse(note(3))
    wrong = found._replace(octets=bytes(64))
    refused(witness, request(0, 3, checkpoint=Note(text, (wrong,)).encode()), 403)
    both = Note(text, (found, wrong))
    lines = "".join(one.encode() for one in both.signatures)
    refused(witness, request(0, 3, checkpoint=f"{text}\n{lines}".encode()), 403)


def test_signatures_by_unknown_keys_are_ignored_and_not_kept(witness, store):
    text, (found,) = Note.parse(note(3))
    strangers = (Signature("x", b"1234", b"anything"), cosigned(text, "other"))
    whole = Note(text, (strangers[0], found, strangers[1])).encode()
    lines = witness.add_checkpoint(request(0, 3, checkpoint=whole), NOW)
    assert store.notes[ORIGIN] == note(3) + lines


def test_a_log_may_have_two_keys(store):
    later = Signer(ORIGIN, private_key("later"))
    witness = made(store, signer().key, later.key, later.key)
    witness.add_checkpoint(request(0, 3), NOW)
    witness.add_checkpoint(request(3, 4, signers=(later,)), NOW)
    witness.add_checkpoint(request(4, 5, signers=(signer(), later)), NOW)
    assert len(Note.parse(store.notes[ORIGIN]).signatures) == 3
    assert len(witness.logs[ORIGIN]) == 2


def test_an_old_size_above_the_checkpoint_s_is_a_bad_request(witness):
    witness.add_checkpoint(request(0, 5), NOW)
    refused(witness, request(5, 4, proof=()), 400)
    refused(witness, request(9, 4, proof=()), 400)


def test_another_old_size_is_a_conflict_and_the_answer_has_the_size(witness):
    error = refused(witness, request(3, 5), 409)
    assert (error.content_type, error.body) == ("text/x.tlog.size", b"0\n")
    witness.add_checkpoint(request(0, 5), NOW)
    for old in (0, 3, 6):
        error = refused(witness, request(old, 9), 409)
        assert isinstance(error, ConflictError)
        assert (error.content_type, error.body) == ("text/x.tlog.size", b"5\n")


def test_the_empty_tree_has_one_root_only(witness):
    refused(witness, request(0, 0, root=TREE.root(1)), 422)


def test_from_nothing_no_proof_may_come(witness):
    refused(witness, request(0, 5, proof=[TREE.leaf(0)]), 422)


def test_a_proof_that_does_not_hold_is_unprocessable(witness):
    witness.add_checkpoint(request(0, 5), NOW)
    path = TREE.consistency(5, 9)
    for wrong in (path[:-1], [*path, path[0]], path[::-1], [], OTHER.consistency(5, 9)):
        refused(witness, request(5, 9, proof=wrong), 422)
    refused(witness, request(5, 9, OTHER), 422)


def test_of_the_same_size_the_root_must_be_the_same(witness, store):
    witness.add_checkpoint(request(0, 5), NOW)
    refused(witness, request(5, 5, proof=[TREE.leaf(0)]), 422)
    assert not store.contradictions
    error = refused(witness, request(5, 5, OTHER), 422)
    assert isinstance(error, ContradictionError)


def test_what_proves_a_fork_is_kept(witness, store):
    witness.add_checkpoint(request(0, 5), NOW)
    refused(witness, request(5, 5, OTHER), 422)
    kept = store.contradictions[ORIGIN]
    assert kept.startswith(store.notes[ORIGIN])
    assert kept.endswith(note(5, OTHER))


def test_a_checkpoint_goes_out_only_after_it_is_stored(witness, store):
    witness.add_checkpoint(request(0, 5), NOW)
    store.fails = True
    with pytest.raises(WitnessError, match="no space"):
        witness.add_checkpoint(request(5, 9), NOW)
    assert witness.last_checkpoint(ORIGIN).size == 5
    assert witness.last_note(origin_hash(ORIGIN)) == store.notes[ORIGIN]


def test_a_witness_goes_on_where_it_was(store):
    made(store).add_checkpoint(request(0, 5), NOW)
    again = made(store)
    refused(again, request(0, 9), 409)
    again.add_checkpoint(request(5, 9), NOW)


def test_a_log_that_is_not_configured_any_more_is_still_remembered(store):
    made(store).add_checkpoint(request(0, 5), NOW)
    without = made(store, signer(SECOND).key)
    refused(without, request(5, 9), 404)
    assert without.last_note(origin_hash(ORIGIN)) == store.notes[ORIGIN]


@pytest.mark.parametrize(
    "damaged",
    [
        b"nonsense",
        note(5),
        note(5)
        + cosigned(note(5).decode().split("\n\n")[0] + "\n", "o").encode().encode(),
        note(5, origin=SECOND),
    ],
)
def test_a_note_that_is_not_its_own_stops_a_witness(damaged):
    with pytest.raises(DamagedStoreError):
        made(MemoryStore({ORIGIN: damaged}))


def test_a_note_of_another_log_stops_a_witness(store):
    made(store).add_checkpoint(request(0, 5), NOW)
    with pytest.raises(DamagedStoreError):
        made(MemoryStore({SECOND: store.notes[ORIGIN]}))


def test_a_flipped_bit_of_what_was_cosigned_stops_a_witness(store):
    made(store).add_checkpoint(request(0, 5), NOW)
    octets = store.notes[ORIGIN]
    for place in range(0, len(note(5).split(b"\n\n")[0]), 7):
        wrong = bytearray(octets)
        wrong[place] ^= 1
        with pytest.raises(DamagedStoreError):
            made(MemoryStore({ORIGIN: bytes(wrong)}))


def test_a_witness_knows_so_many_logs_and_no_more():
    keys = [signer().key._replace(name=f"log{n}") for n in range(MAX_LOGS + 1)]
    assert len(logs_of(keys[:-1])) == MAX_LOGS
    with pytest.raises(WitnessError, match="at most"):
        logs_of(keys)


def test_the_empty_root_is_that_of_rfc_6962():
    assert note(0) == sign_checkpoint(Checkpoint(ORIGIN, 0, EMPTY_ROOT), (signer(),))
