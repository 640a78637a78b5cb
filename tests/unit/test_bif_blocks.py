from hashlib import sha256

import pytest

from chain_anchor.bif import blocks, certificates, json_form
from chain_anchor.bif.answers import header as shown_header
from chain_anchor.bif.chain_pb2 import ConsensusValueHeader, LedgerHeader
from chain_anchor.bif.errors import BlockError
from chain_anchor.bif.keys import KeyType, PrivateKey
from chain_anchor.errors import SignatureError
from tests.bif_chains import ALICE, BOB, KEYS, TestChain, check_follows, pay
from tests.bif_vectors import load

PUBLISHED = load("headers")


def header_of(shown) -> LedgerHeader:
    header = LedgerHeader()
    json_form.from_json(shown["header"], header)
    return header


@pytest.mark.parametrize("shown", PUBLISHED, ids=lambda v: v["header"]["seq"])
def test_a_header_of_a_live_chain_has_the_hash_it_names(shown):
    header = header_of(shown)
    blocks.check_header(header)
    assert blocks.header_hash(header).hex() == shown["header"]["hash"]


@pytest.mark.parametrize("shown", PUBLISHED, ids=lambda v: v["header"]["seq"])
def test_a_header_of_a_live_chain_has_the_length_it_is_shown_with(shown):
    assert blocks.ledger_length(header_of(shown)) == shown["ledger_length"]


@pytest.mark.parametrize("shown", PUBLISHED, ids=lambda v: v["header"]["seq"])
def test_a_header_of_a_live_chain_is_shown_as_it_was_published(shown):
    header = header_of(shown)
    header.ClearField("account_tree_hash")
    assert shown_header(header, 0) == shown["header"]


def test_the_validators_of_a_live_chain_have_their_hash():
    shown = next(entry for entry in PUBLISHED if "validators" in entry)
    found = blocks.validators_hash(shown["validators"])
    assert found.hex() == shown["header"]["validators_hash"]


def test_prices_have_their_published_hashes():
    # bif notes §2.6: test networks, and Bumo's genesis.
    assert blocks.fees_hash(0, 0).hex() == PUBLISHED[0]["header"]["fees_hash"]
    assert blocks.fees_hash(1000, 10_000_000).hex() == (
        "916daa78d264b3e2d9cff8aac84c943a834f49a62b7354d4fa228dab65515313"
    )


def test_the_first_consensus_value_has_its_published_hash():
    # bif notes §2.8, version 1000.
    octets = blocks.first_consensus_value(1000).SerializeToString()
    assert octets.hex() == "320308e807"
    assert sha256(octets).hexdigest() == (
        "2779905317234108f76cf5d65125cc0e9a3fd58e2140226bf79e8917028c8c9c"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"seq": 5},
        {"close_time": 5},
        {"version": 5},
        {"reserve": "x"},
        {"chain_id": 5},
        {"previous_hash": b"5"},
        {"consensus_value_hash": b"5"},
        {"validators_hash": b"5"},
        {"fees_hash": b"5"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_header_that_was_changed_has_another_hash(change):
    header = header_of(PUBLISHED[0])
    header.MergeFrom(LedgerHeader(**change))
    with pytest.raises(BlockError, match=r"block \d+: hash \w+ expected"):
        blocks.check_header(header)


def test_blocks_follow_each_other():
    chain = TestChain()
    first = chain.ledger.last
    second, third = chain.close().header, chain.close().header
    check_follows(first, second)
    check_follows(second, third)


def test_a_block_binds_the_transactions_that_are_in_it():
    chain = TestChain()
    one = chain.make(ALICE, pay(BOB, 1))
    other = chain.make(BOB, pay(ALICE, 1), domain_id=20)
    header = chain.close(one, other).header
    octets = chain.ledger.consensus_value(header.seq)
    assert header.consensus_value_hash == sha256(octets).digest()
    index = ConsensusValueHeader.FromString(octets).txs_index
    assert {entry.domainId: entry.domaintxshash for entry in index} == {
        domain: sha256(transaction.hash).digest()
        for domain, transaction in ((0, one), (20, other))
    }


def test_the_tree_of_an_unknown_domain_is_not_made_up():
    with pytest.raises(BlockError, match="no domain 99"):
        blocks.tree_hash(TestChain().ledger.last, 99)


# Certificates

VALIDATORS = [key.address() for key in KEYS.validators]
HASH = sha256(b"block").digest()


@pytest.mark.parametrize(
    ("validators", "quorum"), [(1, 1), (2, 2), (3, 3), (4, 3), (7, 5), (8, 6)]
)
def test_a_quorum_is_more_than_two_thirds(validators, quorum):
    assert certificates.quorum_of(validators) == quorum


def test_a_quorum_of_validators_certifies_a_block():
    octets = certificates.certify(HASH, KEYS.validators[1:])
    certificates.check_certificate(octets, HASH, VALIDATORS)
    assert octets == certificates.certify(HASH, KEYS.validators[1:])


def test_validators_may_have_sm2_keys():
    keys = [PrivateKey.from_seed("1", "v", KeyType.SM2)]
    octets = certificates.certify(HASH, keys)
    certificates.check_certificate(octets, HASH, [keys[0].address()])


def test_what_is_no_certificate_of_a_block_is_refused():
    whole = certificates.certify(HASH, KEYS.validators)
    two, twice = KEYS.validators[:2], [KEYS.validators[0]] * 4
    strangers = [*KEYS.validators[:2], ALICE, BOB]
    wrong = [
        (b"", HASH),
        (b"\xff", HASH),
        (whole, sha256(b"other").digest()),
        (certificates.certify(HASH, two), HASH),
        (certificates.certify(HASH, twice), HASH),
        (certificates.certify(HASH, strangers), HASH),
        (whole[:-1] + bytes([whole[-1] ^ 1]), HASH),
    ]
    for octets, digest in wrong:
        with pytest.raises(SignatureError):
            certificates.check_certificate(octets, digest, VALIDATORS)
    with pytest.raises(SignatureError, match="certificate: of block"):
        certificates.check_certificate(whole, sha256(b"other").digest(), VALIDATORS)
