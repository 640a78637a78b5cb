"""Programs that others wrote accept our logs, and refuse them when they lie.

For checkpoints, tiles and entries: Tessera's fsck and torchwood's client (both Go) and
tlog-scales (Python), the last two also for cosignatures. For RFC 6962 proofs:
transparency-dev/merkle, Go's sumdb/tlog, tlog-scales and tamperlog. For C2SP tlog-proof
files: torchwood. `programs.py` says where they come from; where they cannot be had the
tests are skipped.
"""

import base64
import shutil

import pytest

from chain_anchor import merkle
from chain_anchor.note import Note, Signer
from chain_anchor.tlog_proof import TlogProof, encode_tlog_proof
from tests.interop import programs
from tests.interop.asking import assert_refused, judge, read
from tests.interop.proof_cases import (
    alike,
    all_proofs,
    moved_by_one,
    proofs_of,
    spoiled,
)
from tests.interop.sites import LOG_KEY, QUORUM, WITNESSES, Tree, signed, write_site
from tests.merkle_trees import NOW, ORIGIN, private_key

pytestmark = pytest.mark.timeout(
    programs.PIP_SECONDS + programs.BUILD_SECONDS + programs.RUN_SECONDS
)

SMALL = 700
"""Two full tiles and a partial one, and a partial one above them."""

LARGE = 1000 * 256 + 300
"""Tile indexes of four digits, and three levels of tiles."""


def _entries(count):
    return [b"entry %d" % number * (number % 3) for number in range(count)]


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return write_site(tmp_path_factory.mktemp("log"), _entries(SMALL))


@pytest.fixture
def site(original, tmp_path):
    """A log of its own for a test that spoils it."""
    copy = original._replace(path=tmp_path / "log")
    shutil.copytree(original.path, copy.path)
    return copy


class TestLogs:
    @pytest.mark.parametrize("size", [1, 2, 255, 256, 257, SMALL, LARGE])
    def test_a_whole_log_is_accepted(self, reader, tmp_path, size):
        log = write_site(tmp_path, _entries(size))
        found = read(reader, log.path)
        assert (found["origin"], found["size"]) == (ORIGIN, size)
        assert base64.b64decode(found["root"]) == log.checkpoint.root

    def test_shortest_and_longest_entries_are_accepted(self, reader, tmp_path):
        log = write_site(tmp_path, [b"", bytes(65535), b"\n"])
        assert read(reader, log.path)["size"] == 3

    @pytest.mark.parametrize(
        "file",
        [
            "tile/entries/001",
            "tile/entries/002.p/188",
            "tile/0/000",
            "tile/0/002.p/188",
            "tile/1/000.p/2",
        ],
    )
    @pytest.mark.parametrize("where", [0.1, 0.5, 0.9])
    def test_a_flipped_bit_is_found(self, reader, site, file, where):
        octets = bytearray((site.path / file).read_bytes())
        octets[int(where * len(octets))] ^= 1
        (site.path / file).write_bytes(octets)
        assert_refused(reader, site.path)

    @pytest.mark.parametrize("file", ["tile/0/001", "tile/1/000.p/2"])
    def test_a_missing_tile_is_found(self, reader, site, file):
        (site.path / file).unlink()
        assert_refused(reader, site.path)

    def test_a_signed_root_of_another_tree_is_found(self, reader, site):
        other = Tree([*_entries(SMALL - 1), b"another"]).root(SMALL)
        site.publish(signed(site.checkpoint._replace(root=other)))
        assert_refused(reader, site.path)

    def test_another_key_of_the_same_name_is_refused(self, reader, site):
        other = Signer(ORIGIN, private_key("another")).key
        assert_refused(reader, site.path, str(other))

    def test_the_checkpoint_of_another_log_is_refused(self, reader, site):
        site.publish(signed(site.checkpoint._replace(origin="another.example/log")))
        assert_refused(reader, site.path)

    def test_a_signature_over_another_text_is_refused(self, reader, site):
        signatures = Note.parse(site.note()).signatures
        smaller = site.checkpoint._replace(
            size=SMALL - 1, root=site.tree.root(SMALL - 1)
        )
        site.publish(Note(smaller.text(), signatures).encode())
        assert_refused(reader, site.path)


class TestCosignatures:
    def test_a_quorum_of_witnesses_is_accepted(self, cosignature_reader, original):
        found = read(cosignature_reader, original.path, LOG_KEY, *QUORUM)["cosigners"]
        assert {one["name"] for one in found} == set(WITNESSES)
        assert {one["time_seconds"] for one in found} == {NOW}

    def test_as_many_as_the_quorum_are_enough(self, cosignature_reader, site):
        site.publish(signed(site.checkpoint, WITNESSES[1:]))
        found = read(cosignature_reader, site.path, LOG_KEY, *QUORUM)
        assert len(found["cosigners"]) == 2

    def test_too_few_are_refused(self, cosignature_reader, site):
        site.publish(signed(site.checkpoint, WITNESSES[:1]))
        assert_refused(cosignature_reader, site.path, LOG_KEY, *QUORUM)

    def test_a_cosignature_of_another_time_is_refused(self, cosignature_reader, site):
        log, one, two, _ = Note.parse(site.note()).signatures
        moved = two._replace(octets=(NOW + 1).to_bytes(8) + two.octets[8:])
        site.publish(Note(site.checkpoint.text(), (log, one, moved)).encode())
        assert_refused(cosignature_reader, site.path, LOG_KEY, *QUORUM)


class TestProofs:
    def test_every_proof_of_every_small_tree_is_accepted(self, proof_judge):
        assert set(judge(proof_judge, list(all_proofs(66)))) == {""}

    @pytest.mark.parametrize("size", [1_900_000_000, 2**40 - 1, 2**62 - 3])
    def test_proofs_of_great_trees_are_accepted(self, proof_judge, size):
        places = [1, 2, 2**20 + 1, size // 3, size - 2, size - 1]
        cases = list(proofs_of(size, alike, places, places))
        assert set(judge(proof_judge, cases)) == {""}

    def test_every_spoiled_proof_is_refused(self, proof_judge):
        cases = [bad for case in all_proofs(20) for bad in spoiled(case, bytes(32))]
        assert "" not in judge(proof_judge, cases)

    def test_they_judge_as_we_do(self, proof_judge):
        """Also where index or sizes were changed, which need not spoil a proof."""
        cases = [moved for case in all_proofs(24) for moved in moved_by_one(case)]
        ours = [not case.judged_by_us() for case in cases]
        assert [not reason for reason in judge(proof_judge, cases)] == ours
        assert {True, False} == set(ours)


class TestTlogProofs:
    """Files that prove an entry, as torchwood reads them."""

    @pytest.mark.parametrize("index", [0, 255, 256, SMALL - 1])
    @pytest.mark.parametrize("extra", [b"", b"anything"])
    def test_a_proof_in_a_file_is_accepted(self, go_program, original, index, extra):
        check_tlog_proof(go_program, original, index, index, extra)

    def test_it_proves_no_other_entry(self, go_program, original):
        with pytest.raises(programs.RefusedError):
            check_tlog_proof(go_program, original, 5, 6)

    def test_it_needs_the_quorum(self, go_program, site):
        site.publish(signed(site.checkpoint, WITNESSES[:1]))
        with pytest.raises(programs.RefusedError):
            check_tlog_proof(go_program, site, 5, 5)


def check_tlog_proof(program, site, index, place, extra=b""):
    """Have torchwood check the proof of the entry at `index` for that at `place`."""
    path = merkle.inclusion_path(index, site.checkpoint.size, site.tree.read)
    file = encode_tlog_proof(TlogProof(index, tuple(path), site.note(), extra))
    leaf = base64.b64encode(site.tree.read(0, place)).decode()
    program.run("tlog-proof", "torchwood", leaf, LOG_KEY, *QUORUM, stdin=file)
