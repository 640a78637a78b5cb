"""Anchors: from an identifier to the main chain's header, without a network."""

from dataclasses import replace

import pytest

from chain_anchor.anchor_making import make_hop
from chain_anchor.anchor_section import decode_anchors, encode_anchors
from chain_anchor.bundle import decode_bundle, encode_bundle
from chain_anchor.errors import AnchorError, BundleError, ProofError
from chain_anchor.proof import verify_bundle
from chain_anchor.verified import describe
from tests.anchored_logs import Anchored, anchored_name
from tests.bif_chains import metadata


@pytest.fixture(scope="module")
def made():
    return anchored_name()


def test_a_name_is_proved_up_to_the_main_chain(made):
    logs, bundle = made
    verified = verify_bundle(encode_bundle(bundle), logs.keys, chains=logs.chains)
    found = verified.anchors
    assert [one.chain for one in found.chains] == ["backbone", "main"]
    assert found.origin == "top.test/log"
    assert verified.state.index < found.size < verified.size
    assert found.chains[0].signed_seq == found.chains[0].seq + 3
    assert describe(verified)["anchors"]["chains"][1]["chain"] == "main"


def test_a_bundle_with_anchors_has_one_encoding(made):
    octets = encode_bundle(made[1])
    assert encode_bundle(decode_bundle(octets)) == octets


def test_anchors_of_two_chains_and_three_logs_fit_4_kilobytes(made):
    assert len(encode_anchors(made[1].anchors)) < 4000


def test_no_octet_of_anchors_can_be_another(made):
    logs, bundle = made
    octets = encode_bundle(bundle)
    start = len(encode_bundle(replace(bundle, anchors=None)))
    complete = verify_bundle(octets, logs.keys, chains=logs.chains).anchors
    for place in range(start, len(octets)):
        changed = bytearray(octets)
        changed[place] ^= 1 << place % 8
        try:
            found = verify_bundle(bytes(changed), logs.keys, chains=logs.chains)
        except AnchorError:
            continue
        # Only the name of a chain can be another: then it is one nobody pinned.
        assert found.anchors.unpinned_chain is not None
        assert len(found.anchors.chains) < len(complete.chains)


def test_a_chain_that_is_not_pinned_proves_nothing_and_harms_nothing(made):
    logs, bundle = made
    octets = encode_bundle(bundle)
    none = verify_bundle(octets, logs.keys).anchors
    assert none.chains == ()
    assert none.unpinned_chain == logs.backbone.pinned.genesis
    one = verify_bundle(octets, logs.keys, chains=logs.chains[:1]).anchors
    assert [each.chain for each in one.chains] == ["backbone"]
    assert one.unpinned_chain == logs.main.pinned.genesis


def test_validators_of_another_chain_are_not_believed(made):
    logs, bundle = made
    other = logs.backbone.pinned._replace(validators=logs.main.pinned.validators)
    with pytest.raises(ProofError, match="is not validator"):
        verify_bundle(encode_bundle(bundle), logs.keys, chains=[other])


def test_a_header_that_was_not_anchored_is_refused():
    logs = Anchored()
    logs.low.register(b"88.118.7/A")
    logs.low.seal()
    logs.report()
    size = logs.top.size
    first, _ = logs.anchor()
    second = logs.submit(bytes(32))
    bundle = logs.bundle(b"88.118.7/A", size, (first, second))
    with pytest.raises(ProofError, match="does not anchor block"):
        verify_bundle(encode_bundle(bundle), logs.keys, chains=logs.chains)


def test_anchors_of_another_log_are_refused(made):
    logs, bundle = made
    other = replace(logs.top.bundle(b"nothing"), anchors=bundle.anchors)
    with pytest.raises(ProofError, match="they lead to the log"):
        verify_bundle(encode_bundle(other), logs.keys, chains=logs.chains)


def test_a_fork_of_the_log_is_not_covered(made):
    logs, bundle = made
    fork = Anchored()
    for name in (b"88.118.7/SN0001", b"88.118.7/OTHER", b"88.118.7/MORE"):
        fork.low.register(name)
        fork.low.seal()
    other = replace(fork.low.bundle(b"88.118.7/SN0001"), anchors=bundle.anchors)
    with pytest.raises(ProofError):
        verify_bundle(encode_bundle(other), logs.keys, chains=logs.chains)


def test_other_transactions_of_the_block_are_named_by_their_hashes():
    logs = Anchored()
    logs.low.register(b"88.118.7/A")
    logs.low.seal()
    logs.report()
    size = logs.top.size
    key = logs.backbone.keys.funded[1]
    beside = [
        logs.backbone.make(key, metadata("beside", "1")),
        logs.backbone.make(key, metadata("there", "1"), domain_id=20),
    ]
    hops = logs.anchor(beside=beside)
    assert hops[0].others == (beside[0].hash,)
    bundle = logs.bundle(b"88.118.7/A", size, hops)
    found = verify_bundle(encode_bundle(bundle), logs.keys, chains=logs.chains)
    assert len(found.anchors.chains) == 2


def test_too_few_votes_are_refused(made):
    logs, bundle = made
    hops = list(bundle.anchors.hops)
    votes = hops[1].votes
    fewer = votes._replace(keys=votes.keys[1:], signatures=votes.signatures[1:])
    hops[1] = hops[1]._replace(votes=fewer)
    changed = replace(bundle, anchors=bundle.anchors._replace(hops=tuple(hops)))
    with pytest.raises(AnchorError, match="3 of 4 validators expected"):
        verify_bundle(encode_bundle(changed), logs.keys, chains=logs.chains)


def test_a_block_made_by_other_rules_cannot_become_a_hop():
    logs = Anchored()
    key = logs.backbone.keys.funded[0]
    transaction = logs.backbone.make(key, metadata("some", "value"))
    logs.backbone.close(transaction)
    shown = logs.backbone.shown_block(transaction)
    shown.headers[0].reserve = "what is unknown"
    shown.headers[0].hash = bytes(32)
    with pytest.raises(ProofError, match="does not follow"):
        make_hop(shown)


def test_octets_after_the_section_are_refused(made):
    octets = encode_anchors(made[1].anchors)
    with pytest.raises(BundleError, match="follow the last field"):
        decode_anchors(octets + b"\0")
