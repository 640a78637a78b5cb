"""The log's formats and proofs: one spelling each, and no forgery passes.

What is accepted after a change must say what it said before: then the change was
where nothing is vouched for, as in a signature line by an unknown key.
"""

from hashlib import sha256

import pytest
from hypothesis import assume, given, settings, strategies as st

from chain_anchor.checkpoint import (
    Checkpoint,
    open_checkpoint,
    parse_checkpoint,
    sign_checkpoint,
)
from chain_anchor.cosignature import Policy
from chain_anchor.edwards import check_public_key
from chain_anchor.errors import (
    AnchorError,
    CheckpointError,
    FormatError,
    NoteError,
    ProofError,
    SignatureError,
)
from chain_anchor.merkle import (
    MAX_SIZE,
    consistency_path,
    inclusion_path,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from chain_anchor.note import Note, Signature, VerifierKey, open_note, parse_signatures
from chain_anchor.tiles import (
    Tile,
    decode_entry_bundle,
    encode_entry_bundle,
    entry_bundles_of,
    parse_path,
)
from chain_anchor.tlog_proof import (
    TlogProof,
    decode_tlog_proof,
    encode_tlog_proof,
    verify_tlog_proof,
)
from chain_anchor.trusted_tiles import TrustedTiles
from tests.merkle_trees import (
    ORIGIN,
    Tree,
    consistency_steps,
    cosigned,
    inclusion_steps,
    signer,
    witness_key,
)

TREE = Tree.of(70)
LOG, STRANGER = signer(), signer("stranger.example")
WITNESS = "w.example"
POLICY = Policy((witness_key(WITNESS),), 1)
SIZE, INDEX = 70, 41
HEAD = Checkpoint(ORIGIN, SIZE, TREE.root(SIZE))
NOTE = Note(
    HEAD.text(),
    (
        LOG.sign(HEAD.text()),
        STRANGER.sign(HEAD.text()),
        cosigned(HEAD.text(), WITNESS),
    ),
)
PROOF = TlogProof(
    INDEX, tuple(inclusion_path(INDEX, SIZE, TREE.read)), NOTE.encode(), b"extra"
)

OCTETS32 = st.binary(min_size=32, max_size=32)
SIZES = (
    st.integers(1, 70)
    | st.integers(1, MAX_SIZE)
    | st.integers(0, 62).map(lambda bits: 2**bits)
)
LINES = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=30)
NAMES = LINES.filter(lambda name: name.split() == [name] and "+" not in name)
SIGNATURES = st.builds(
    Signature,
    NAMES,
    st.binary(min_size=4, max_size=4),
    st.binary(min_size=1, max_size=80),
)
NOTES = st.builds(
    Note,
    st.lists(LINES | st.just(""))
    .map(lambda lines: "".join(f"{line}\n" for line in lines))
    .filter(bool),
    st.lists(SIGNATURES, min_size=1, max_size=5, unique_by=lambda one: one[:2]).map(
        tuple
    ),
)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=200)


@st.composite
def changed_octets(draw, octets):
    """Octets with bits flipped, parts left out, doubled or put in, lines moved."""
    changed = bytearray(octets)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(changed)))
        end = min(len(changed), start + draw(st.integers(1, 60)))
        match draw(
            st.sampled_from(["flip", "drop", "double", "put", "lines", "repeat"])
        ):
            case "flip" if start < len(changed):
                changed[start] ^= 1 << draw(st.integers(0, 7))
            case "drop":
                del changed[start:end]
            case "double":
                changed[start:start] = changed[start:end]
            case "put":
                changed[start:start] = draw(st.binary(min_size=1, max_size=4))
            case "lines":
                lines = draw(st.permutations(bytes(changed).splitlines(keepends=True)))
                changed = bytearray(b"".join(lines))
            case "repeat":
                lines = bytes(changed).splitlines(keepends=True)
                changed += draw(st.sampled_from(lines)) if lines else b""
    return bytes(changed)


def sides(steps):
    return [side for side, _ in steps]


def fold(start, path, steps, left_only=False):
    """Root by the sides of the definition."""
    found = start
    for sibling, side in zip(path, sides(steps), strict=True):
        if side == "left":
            found = sha256(b"\x01" + sibling + found).digest()
        elif not left_only:
            found = sha256(b"\x01" + found + sibling).digest()
    return found


@st.composite
def inclusions(draw):
    """(index, size, leaf, path) of a tree of any size, its hashes made up."""
    size = draw(SIZES)
    index = draw(st.integers(0, size - 1))
    count = len(inclusion_steps(index, 0, size))
    hashes = st.lists(OCTETS32, min_size=count + 1, max_size=count + 1, unique=True)
    leaf, *path = draw(hashes)
    return index, size, leaf, path


@st.composite
def changed_path(draw, path):
    """A path that is not this one."""
    changed = list(path)
    place = draw(st.integers(0, len(path)))
    match draw(st.sampled_from(["drop", "double", "put", "swap", "flip", "cut"])):
        case "drop" if changed:
            changed.pop(place % len(changed))
        case "double" if changed:
            changed.insert(place, changed[place % len(changed)])
        case "swap" if len(changed) > 1:
            other = (place + 1) % len(changed)
            place %= len(changed)
            changed[place], changed[other] = changed[other], changed[place]
        case "flip" if changed:
            place %= len(changed)
            number = int.from_bytes(changed[place]) ^ 1 << draw(st.integers(0, 255))
            changed[place] = number.to_bytes(32)
        case "cut" if changed:
            changed[place % len(changed)] = draw(st.binary(max_size=66))
        case _:
            changed.insert(place, draw(OCTETS32))
    assume(changed != path)
    return changed


@given(inclusions())
def test_an_inclusion_path_of_any_tree_verifies_by_the_definition(proof):
    index, size, leaf, path = proof
    root = fold(leaf, path, inclusion_steps(index, 0, size))
    verify_inclusion(index, size, leaf, root, path)


@given(st.data(), inclusions())
def test_no_changed_inclusion_path_verifies(data, proof):
    index, size, leaf, path = proof
    root = fold(leaf, path, inclusion_steps(index, 0, size))
    changed = data.draw(changed_path(path))
    with pytest.raises(ProofError):
        verify_inclusion(index, size, leaf, root, changed)
    other = bytes([leaf[0] ^ 1]) + leaf[1:]
    with pytest.raises(ProofError):
        verify_inclusion(index, size, other, root, path)


@given(inclusions(), st.integers(-2, 2**63), st.integers(-2, 2**63))
def test_a_leaf_verifies_at_its_place_only(proof, other_index, other_size):
    index, size, leaf, path = proof
    root = fold(leaf, path, inclusion_steps(index, 0, size))
    for wrong in {index - 1, index + 1, index ^ 1, other_index} - {index}:
        with pytest.raises(ProofError):
            verify_inclusion(wrong, size, leaf, root, path)
    # A path does not bind the size, the checkpoint does: another size is accepted
    # where leaf and path stand in the same way in both trees.
    for wrong in {size - 1, size + 1, 2 * size, other_size, 2**63} - {size}:
        try:
            verify_inclusion(index, wrong, leaf, root, path)
        except ProofError:
            continue
        steps = inclusion_steps(index, 0, wrong)
        assert sides(steps) == sides(inclusion_steps(index, 0, size))


@st.composite
def consistencies(draw):
    """(old, new, old root, new root, path) of trees of any size, hashes made up."""
    new = draw(SIZES)
    old = draw(st.integers(1, new) | st.sampled_from([(new + 1) // 2, new]))
    steps = consistency_steps(old, 0, new, whole=True)
    # A path begins with the old tree's last complete subtree, unless that is all of it.
    whole = sides(steps)[:1] != ["itself"]
    count = len(steps) + whole
    start, *rest = draw(st.lists(OCTETS32, min_size=count, max_size=count, unique=True))
    path = rest if whole else [start, *rest]
    steps = steps if whole else steps[1:]
    old_root = fold(start, rest, steps, left_only=True)
    return old, new, old_root, fold(start, rest, steps), path


@given(consistencies())
def test_a_consistency_path_of_any_trees_verifies_by_the_definition(proof):
    verify_consistency(*proof)


@given(st.data(), consistencies())
def test_no_changed_consistency_path_verifies(data, proof):
    old, new, old_root, new_root, path = proof
    changed = data.draw(changed_path(path))
    with pytest.raises(ProofError):
        verify_consistency(old, new, old_root, new_root, changed)
    other = data.draw(OCTETS32.filter(lambda root: root not in {old_root, new_root}))
    with pytest.raises(ProofError):
        verify_consistency(old, new, other, new_root, path)
    with pytest.raises(ProofError):
        verify_consistency(old, new, old_root, other, path)


@given(consistencies(), st.integers(-2, 2**63))
def test_consistency_of_other_sizes_verifies_only_where_the_trees_are_alike(
    proof, other
):
    old, new, old_root, new_root, path = proof
    expected = sides(consistency_steps(old, 0, new, whole=True))
    for sizes in (
        (old - 1, new),
        (old + 1, new),
        (old, new - 1),
        (old, new + 1),
        (new, old),
        (old, other),
        (other, new),
        (0, new),
        (old, 2**63),
    ):
        if sizes == (old, new):
            continue
        try:
            verify_consistency(*sizes, old_root, new_root, path)
        except ProofError:
            continue
        assert sides(consistency_steps(sizes[0], 0, sizes[1], whole=True)) == expected


@given(st.integers(1, 69), st.integers(0, 69), st.binary(max_size=5))
def test_a_log_that_changed_an_entry_has_no_consistency_path(old, place, entry):
    assume(place < old)
    forked = Tree([*TREE.entries[:place], entry, *TREE.entries[place + 1 :]])
    for tree in (TREE, forked):
        with pytest.raises(ProofError):
            verify_consistency(
                old,
                70,
                TREE.root(old),
                forked.root(70),
                consistency_path(old, 70, tree.read),
            )


@given(NOTES)
def test_a_note_is_read_as_it_was_written(note):
    assert Note.parse(note.encode()) == note
    lines = "".join([signature.encode() for signature in note.signatures])
    assert parse_signatures(lines) == note.signatures


@given(NAMES, st.sampled_from([1, 4]), st.binary(min_size=32, max_size=32))
def test_a_verifier_key_is_read_as_it_was_written(name, algorithm, octets):
    try:
        key = VerifierKey.of(name, algorithm, octets)
    except NoteError:
        with pytest.raises(NoteError):
            check_public_key(octets)
        return
    assert VerifierKey.parse(key.encode()) == key


@given(LINES, st.integers(0, MAX_SIZE), OCTETS32)
def test_a_checkpoint_is_read_as_it_was_written(origin, size, root):
    checkpoint = Checkpoint(origin, size, root)
    assert parse_checkpoint(checkpoint.text()) == checkpoint
    assert open_checkpoint(sign_checkpoint(checkpoint, [LOG]), origin, [LOG.key]) == (
        checkpoint
    )


@given(st.none() | st.integers(0, 63), st.integers(0, MAX_SIZE), st.integers(1, 256))
def test_a_tile_path_is_read_as_it_was_written(level, index, width):
    tile = Tile(level, index, width)
    assert parse_path(tile.path()) == tile


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=256))
def test_a_bundle_of_entries_is_cut_as_it_was_joined(entries):
    assert decode_entry_bundle(encode_entry_bundle(entries), len(entries)) == entries


@given(st.integers(0, 700), st.integers(0, 700))
def test_the_bundles_of_a_log_come_with_growth(one, other):
    old, new = sorted((one, other))
    grown = {tile.index: tile for tile in entry_bundles_of(old)}
    grown |= {tile.index: tile for tile in entry_bundles_of(new, old)}
    assert list(grown.values()) == list(entry_bundles_of(new))


@given(st.integers(1, 70), st.integers(1, 70))
def test_a_root_is_the_same_from_tiles(one, other):
    old, size = sorted((one, other))

    def fetch(tile):
        places = range(256 * tile.index, 256 * tile.index + tile.width)
        return b"".join([TREE.read(8 * tile.level, place) for place in places])

    tiles = TrustedTiles(size, TREE.root(size), fetch)
    assert root_of(old, tiles.read) == TREE.root(old)


@given(ANY_TEXT)
def test_any_text_is_read_or_refused_by_its_error(text):
    for read, write, error in (
        (VerifierKey.parse, VerifierKey.encode, NoteError),
        (parse_path, Tile.path, FormatError),
        (parse_signatures, lambda read: "".join([s.encode() for s in read]), NoteError),
        (parse_checkpoint, Checkpoint.text, CheckpointError),
    ):
        try:
            found = read(text)
        except error:
            continue
        assert text.startswith(write(found))


@given(st.binary(max_size=300), st.integers(1, 256))
def test_any_octets_are_read_or_refused_by_their_error(octets, width):
    for read in (
        Note.parse,
        decode_tlog_proof,
        check_public_key,
        lambda octets: decode_entry_bundle(octets, width),
    ):
        try:
            read(octets)
        except FormatError:
            continue


@given(changed_octets(NOTE.encode()))
def test_what_is_read_of_a_changed_note_is_what_would_be_written(octets):
    try:
        note = Note.parse(octets)
    except NoteError:
        return
    lines = "".join([signature.encode() for signature in note.signatures])
    assert f"{note.text}\n{lines}".encode() == octets


@settings(max_examples=300)
@given(changed_octets(NOTE.encode()))
def test_a_changed_checkpoint_is_refused_or_says_the_same(octets):
    try:
        checkpoint = open_checkpoint(octets, ORIGIN, [LOG.key])
    except (FormatError, SignatureError):
        return
    assert checkpoint == HEAD
    note = Note.parse(octets)
    assert note.text == NOTE.text
    assert [one for one in note.signatures if one.is_by(LOG.key)] == [
        NOTE.signatures[0]
    ]
    assert open_note(octets, [LOG.key]).signatures == (NOTE.signatures[0],)


@settings(max_examples=300)
@given(changed_octets(encode_tlog_proof(PROOF)))
def test_a_changed_proof_is_refused_or_says_the_same(octets):
    try:
        logged = verify_tlog_proof(octets, TREE.leaf(INDEX), ORIGIN, [LOG.key], POLICY)
    except AnchorError:
        return
    proof = decode_tlog_proof(octets)
    assert encode_tlog_proof(proof) == octets
    assert (logged.index, logged.checkpoint) == (INDEX, HEAD)
    assert proof.path == PROOF.path
    signatures = set(Note.parse(proof.checkpoint).signatures)
    assert signatures >= {NOTE.signatures[0], NOTE.signatures[2]}


@given(st.integers(0, 8 * len(PROOF.checkpoint) - 1))
def test_one_bit_of_the_checkpoint_is_harmless_only_in_a_stranger_s_line(bit):
    octets = bytearray(PROOF.checkpoint)
    octets[bit // 8] ^= 1 << bit % 8
    line = NOTE.signatures[1].encode().encode()
    start = PROOF.checkpoint.index(line)
    try:
        open_checkpoint(bytes(octets), ORIGIN, [LOG.key])
        POLICY.check(Note.parse(bytes(octets)))
    except (FormatError, SignatureError):
        return
    assert start <= bit // 8 < start + len(line)
