"""A witness never cosigns two checkpoints that contradict each other."""

import random

from hypothesis import given, settings, strategies as st

from chain_anchor.checkpoint import Checkpoint, parse_checkpoint, sign_checkpoint
from chain_anchor.errors import FormatError, WitnessError
from chain_anchor.note import Note
from chain_anchor.witness import Witness, logs_of
from chain_anchor.witness_store import StoreFailedError, WitnessStore
from chain_anchor.witnessing import (
    AddCheckpoint,
    ConflictError,
    RefusedError,
    origin_hash,
)
from tests.merkle_trees import NOW, ORIGIN, Tree, signer
from tests.witness_files import CutError, LosableFiles

COMMON, MOST = 6, 14
FORKS = tuple(
    Tree([b"common %d" % n if n < COMMON else b"%s %d" % (who, n) for n in range(MOST)])
    for who in (b"left", b"right")
)
NOTES = {
    (fork, size): sign_checkpoint(
        Checkpoint(ORIGIN, size, FORKS[fork].root(size)), [signer()]
    )
    for fork in (0, 1)
    for size in range(MOST + 1)
}

actions = st.lists(
    st.tuples(
        st.sampled_from((0, 1)),  # which of the two logs asks
        st.integers(0, MOST),  # for which size
        st.one_of(st.just(-1), st.integers(0, 11)),  # before which step it is cut off
        st.one_of(st.just(-1), st.just(-1), st.integers(0, 11)),  # which step fails
        st.booleans(),  # whether the machine goes down with it
    ),
    min_size=1,
    max_size=25,
)


class World:
    """A witness whose process and machine go down, and all that it ever said."""

    def __init__(self, chance):
        self.files = LosableFiles()
        self.chance = chance
        self.said = []
        self.open()

    def open(self):
        store = WitnessStore(self.files)
        logs = logs_of([signer().key])
        self.witness = Witness(store.cosigner("w"), logs, store)
        self.hear()

    def hear(self):
        """What it serves to monitors counts as said."""
        served = self.witness.last_note(origin_hash(ORIGIN))
        if served is not None:
            self.said.append(parse_checkpoint(Note.parse(served).text))

    def ask(self, fork, size):
        """Do whatever can make the witness cosign this."""
        old = 0
        for _ in range(2):
            try:
                proof = FORKS[fork].consistency(old, size) if 0 < old < size else []
                body = AddCheckpoint(old, tuple(proof), NOTES[fork, size]).encode()
                self.witness.add_checkpoint(body, NOW)
            except ConflictError as conflict:
                old = conflict.size
            except RefusedError:
                return
            else:
                self.said.append(Checkpoint(ORIGIN, size, FORKS[fork].root(size)))
                return

    def restart(self, *, power):
        """Start again; a start may be cut off, too."""
        self.files.cut(self.chance, power=power)
        self.files.cut_at = self.chance.choice((-1, self.chance.randrange(20)))
        try:
            self.open()
        except CutError:
            self.files.cut(self.chance, power=power)
            self.open()
        self.files.cut_at = -1


@settings(max_examples=150, deadline=None)
@given(actions, st.randoms(use_true_random=False))
def test_whatever_is_said_is_of_one_history_that_only_grows(history, chance):
    world = World(chance)
    for fork, size, cut_at, fail_at, power in history:
        files = world.files
        files.steps, files.cut_at, files.fail_at = 0, cut_at, fail_at
        try:
            world.ask(fork, size)
            world.hear()
        except (CutError, StoreFailedError):
            world.restart(power=power)
        if power and cut_at < 0:
            world.restart(power=True)
    sizes = [said.size for said in world.said]
    assert sizes == sorted(sizes)
    grown = {said for said in world.said if said.size > COMMON}
    assert not all(
        any(said.root == fork.root(said.size) for said in grown) for fork in FORKS
    )


def test_the_forks_contradict_each_other():
    left, right = FORKS
    assert left.root(COMMON) == right.root(COMMON)
    assert left.root(COMMON + 1) != right.root(COMMON + 1)


@given(
    st.binary(max_size=200)
    | st.builds(bytes.__add__, st.just(b"old 0\n\n"), st.binary())
)
def test_any_octets_are_a_request_or_refused(octets):
    try:
        request = AddCheckpoint.parse(octets)
    except FormatError:
        return
    assert request.encode() == octets


@settings(deadline=None)
@given(st.data())
def test_a_request_with_any_octet_changed_is_refused_or_means_the_same(data):
    body = bytearray(
        AddCheckpoint(3, tuple(FORKS[0].consistency(3, 5)), NOTES[0, 5]).encode()
    )
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] ^= data.draw(st.integers(1, 255))
    world = World(random.Random(1))
    world.ask(0, 3)
    try:
        world.witness.add_checkpoint(bytes(body), NOW)
    except WitnessError:
        assert world.witness.last_checkpoint(ORIGIN).size == 3
    else:
        # An unknown key may have signed anything, but the log's line is one.
        assert world.witness.last_checkpoint(ORIGIN).root == FORKS[0].root(5)
