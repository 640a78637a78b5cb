"""What a witness keeps on disk, and when it refuses to go on."""

import stat

import pytest

from chain_anchor.checkpoint import Checkpoint, sign_checkpoint
from chain_anchor.errors import WitnessError
from chain_anchor.note import NoteError
from chain_anchor.witness import Cosigner, DamagedStoreError, Witness, logs_of
from chain_anchor.witness_store import Directory, StoreFailedError, WitnessStore
from chain_anchor.witnessing import AddCheckpoint, RefusedError, origin_hash
from tests.merkle_trees import NOW, ORIGIN, Tree, private_key, signer
from tests.witness_files import LosableFiles

TREE = Tree.of(20)
FILE = origin_hash(ORIGIN) + ".checkpoint"


def opened(files, name=None):
    store = WitnessStore(files)
    return Witness(store.cosigner(name), logs_of([signer().key]), store)


def grow(witness, old, new, tree=TREE):
    note = sign_checkpoint(Checkpoint(ORIGIN, new, tree.root(new)), [signer()])
    proof = tuple(tree.consistency(old, new)) if old < new else ()
    return witness.add_checkpoint(AddCheckpoint(old, proof, note).encode(), NOW)


@pytest.fixture
def directory(tmp_path):
    directory = Directory.open(tmp_path / "witness")
    yield directory
    directory.close()


def test_a_key_is_made_once_and_is_for_its_owner_only(directory):
    first = opened(directory)
    assert opened(directory).key == first.key
    assert first.key.name.startswith("witness.idis.test/")
    file = directory.path / "key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().splitlines()[1].startswith("PRIVATE+KEY+witness.idis.test/")


def test_two_witnesses_have_two_keys(tmp_path):
    keys = set()
    for name in ("a", "b"):
        directory = Directory.open(tmp_path / name)
        keys.add(opened(directory).key)
        directory.close()
    assert len(keys) == 2


def test_a_key_keeps_its_name(directory):
    assert opened(directory, "witness.example/w1").key.name == "witness.example/w1"
    assert opened(directory).key.name == "witness.example/w1"
    with pytest.raises(WitnessError, match=r"is called .* not other"):
        opened(directory, "other")


def test_a_name_that_is_none_makes_no_key(directory):
    with pytest.raises(NoteError):
        opened(directory, "with space")
    assert not (directory.path / "key").exists()


def test_what_was_cosigned_is_there_after_a_restart(tmp_path):
    directory = Directory.open(tmp_path)
    grow(opened(directory), 0, 7)
    directory.close()
    again = Directory.open(tmp_path)
    witness = opened(again)
    assert witness.last_checkpoint(ORIGIN).size == 7
    grow(witness, 7, 9)
    again.close()


def test_one_process_at_a_time(directory):
    with pytest.raises(WitnessError, match="in use by another process"):
        Directory.open(directory.path)


def test_a_directory_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "letters.txt").write_text("mine")
    with pytest.raises(WitnessError, match="holds other files"):
        Directory.open(tmp_path)
    assert [item.name for item in tmp_path.iterdir()] == ["letters.txt"]


def test_any_flipped_bit_stops_it(directory):
    grow(opened(directory), 0, 7)
    files = [item for item in directory.path.iterdir() if item.name != "lock"]
    assert sorted(item.name for item in files) == sorted(["key", "origins", FILE])
    for file in files:
        octets = file.read_bytes()
        for place in range(len(octets)):
            wrong = bytearray(octets)
            wrong[place] ^= 1 << place % 8
            file.write_bytes(wrong)
            with pytest.raises(DamagedStoreError):
                opened(directory)
        file.write_bytes(octets)
    opened(directory)


@pytest.mark.parametrize("name", [FILE, "key"])
def test_a_missing_file_stops_it(directory, name):
    grow(opened(directory), 0, 7)
    (directory.path / name).unlink()
    with pytest.raises(DamagedStoreError, match="missing"):
        opened(directory)


def test_a_checkpoint_under_the_name_of_another_log_stops_it(directory):
    grow(opened(directory), 0, 7)
    other = directory.path / (origin_hash("other") + ".checkpoint")
    other.write_bytes((directory.path / FILE).read_bytes())
    with pytest.raises(DamagedStoreError, match="another log"):
        opened(directory)


def test_a_key_of_another_witness_stops_it(tmp_path, directory):
    grow(opened(directory), 0, 7)
    other = Directory.open(tmp_path / "other")
    opened(other)
    (other.path / "key").replace(directory.path / "key")
    other.close()
    with pytest.raises(DamagedStoreError):
        opened(directory)


def test_what_a_cut_off_process_left_is_cleared_away(directory):
    grow(opened(directory), 0, 7)
    for name in ("key.new", FILE + ".new"):
        (directory.path / name).write_bytes(b"half")
    assert opened(directory).last_checkpoint(ORIGIN).size == 7
    assert not list(directory.path.glob("*.new"))


def test_a_fork_is_kept_once(directory):
    witness = opened(directory)
    grow(witness, 0, 7)
    for entry in (b"x", b"y"):
        with pytest.raises(RefusedError):
            grow(witness, 7, 7, Tree([entry] * 20))
    (kept,) = directory.path.glob("*.contradiction")
    assert Tree([b"x"] * 20).root(7) != Tree([b"y"] * 20).root(7)
    first = sign_checkpoint(
        Checkpoint(ORIGIN, 7, Tree([b"x"] * 20).root(7)), [signer()]
    )
    assert kept.read_bytes().endswith(first)
    opened(directory)


@pytest.mark.parametrize("step", range(10))
def test_after_a_failed_step_nothing_is_cosigned_before_a_restart(step):
    files = LosableFiles()
    witness = opened(files)
    files.steps, files.fail_at = 0, step
    with pytest.raises(StoreFailedError, match="Input/output error"):
        grow(witness, 0, 7)
    assert witness.last_note(origin_hash(ORIGIN)) is None
    with pytest.raises(StoreFailedError, match="failed before"):
        grow(witness, 0, 7)
    files.fail_at = -1
    again = opened(files)
    size = again.last_checkpoint(ORIGIN).size
    assert size in {0, 7}
    grow(again, size, 9)


def test_what_was_read_is_on_disk_before_it_is_served():
    """A sync fails, a restart reads the page cache, the power goes."""
    files = LosableFiles()
    witness = opened(files)
    files.steps, files.fail_at = 0, 4  # the sync of the directory, after the rename
    with pytest.raises(StoreFailedError):
        grow(witness, 0, 7)
    files.fail_at = -1
    again = opened(files)
    assert again.last_checkpoint(ORIGIN).size == 7
    assert set(files._stored) == set(files._names)
    assert all(one.stored == one.cached for one in files._stored.values())


def test_a_cosigner_signs_under_its_name():
    assert Cosigner("w", private_key("w")).key.name == "w"
