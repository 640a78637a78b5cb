"""Whether a proof has all of the chain that it will have, and where chains are kept."""

import json
from types import SimpleNamespace

import pytest

from chain_anchor.anchors import AnchoredTold, PinnedChain
from resolver.commands import pinned_chains
from resolver.commands.pinned_chains import (
    keep_chains,
    kept_chains,
    kept_file,
    trusted_chains,
)
from resolver.commands.proof_anchors import Proof, anchoring_line, is_enough
from resolver.errors import SetupError

OTHER = bytes(32)


def anchors(size, chains, unpinned=None):
    return SimpleNamespace(
        size=size, chains=("hanyang", "wuhan")[:chains], unpinned_chain=unpinned
    )


def proof(told, found=None, needed=9):
    covered = found is not None and needed < found.size
    verified = SimpleNamespace(
        anchors=found, last_needed=needed, is_anchored=covered, origin="a/log"
    )
    return Proof(b"", verified, told)


def told(size, hops):
    return AnchoredTold("http://chain", size, "ab", 7, hops)


@pytest.mark.parametrize(
    ("made", "pinned", "enough"),
    [
        (proof(None), 2, True),
        (proof(told(0, 0)), 2, False),
        (proof(told(10, 2)), 2, False),
        (proof(told(10, 0)), 0, True),
        (proof(told(9, 0)), 0, False),
        (proof(told(10, 2), anchors(10, 2)), 2, True),
        (proof(told(9, 2), anchors(9, 2)), 2, False),
        (proof(told(10, 1), anchors(10, 1)), 2, False),
        (proof(told(10, 1), anchors(10, 1)), 1, True),
        (proof(told(10, 2), anchors(10, 1, OTHER)), 2, True),
        (proof(told(10, 2), anchors(0, 0, OTHER)), 0, True),
    ],
)
def test_what_is_still_to_come_is_waited_for(made, pinned, enough):
    assert is_enough(made, pinned) is enough


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (proof(None), ""),
        (proof(told(10, 2), anchors(10, 2)), ""),
        (proof(told(10, 2), anchors(0, 0, OTHER)), ""),
        (proof(told(0, 0)), "nothing of this log"),
        (proof(told(9, 2), anchors(9, 2)), "first 9 entries, not this"),
        (proof(told(10, 0)), "transaction ab in block 7 of http://chain"),
    ],
)
def test_what_a_proof_does_not_show_is_said(made, words):
    line = anchoring_line(made)
    assert words in line if words else not line


# ---- chains that are kept -----------------------------------------------------------


@pytest.fixture(autouse=True)
def at_home(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


def chain(number, name="main"):
    return PinnedChain(name, bytes([number]) * 32, ("did:bid:efA", "did:bid:efB"))


def test_chains_are_kept_by_their_first_block_those_used_last_longest(monkeypatch):
    assert kept_chains() == []
    keep_chains([chain(1), chain(2)])
    keep_chains([chain(1, "renamed")])
    assert kept_chains() == [chain(2), chain(1, "renamed")]
    monkeypatch.setattr(pinned_chains, "MAX_KEPT", 2)
    keep_chains([chain(3)])
    assert kept_chains() == [chain(1, "renamed"), chain(3)]


def test_what_is_named_now_counts_more_than_what_was_kept(at_home):
    keep_chains([chain(1, "kept"), chain(2, "kept"), chain(3, "kept")])
    document = {
        "chains": [{"name": "ready", "genesis": "02" * 32, "validators": ["x"]}]
    }
    file = at_home / "named.json"
    file.write_text(
        json.dumps(
            {"chains": [{"name": "file", "genesis": "01" * 32, "validators": ["y"]}]}
        )
    )
    found = trusted_chains([file], document)
    assert [one.name for one in found] == ["file", "ready", "kept"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"chains": []}', '{"chains": [1]}'])
def test_a_file_that_names_no_chains_is_refused(at_home, text):
    file = at_home / "named.json"
    file.write_text(text)
    with pytest.raises(SetupError, match="names no chains"):
        trusted_chains([file], None)


def test_a_damaged_file_of_kept_chains_says_what_helps():
    keep_chains([chain(1)])
    kept_file().write_text("{")
    with pytest.raises(SetupError) as caught:
        trusted_chains([], None)
    assert "remove it" in caught.value.hint
