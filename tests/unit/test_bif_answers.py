"""The node's answers, field by field (bif notes §1.3, §1.4)."""

from hashlib import sha256

import pytest

from chain_anchor.bif import answers, trie
from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.genesis import FUNDED_BALANCE
from chain_anchor.bif.pool import Waiting
from chain_anchor.bif.rules import MAINNET_LIKE
from tests.bif_chains import ALICE, BOB, KEYS, TestChain, metadata, pay

EMPTY = trie.EMPTY_ROOT.hex()


@pytest.fixture
def chain() -> TestChain:
    return TestChain()


def test_an_account_is_shown_as_the_sdk_expects_it(chain):
    shown = {
        "address": ALICE.address(),
        "assets_hash": EMPTY,
        "balance": FUNDED_BALANCE,
        "contract": None,
        "metadatas_hash": EMPTY,
        "priv": {"master_weight": 1, "thresholds": {"tx_threshold": 1}},
    }
    assert answers.account_base(chain.account(ALICE)) == shown
    chain.run(ALICE, pay(BOB, 1))
    assert answers.account_base(chain.account(ALICE))["nonce"] == 1
    assert answers.account_base(chain.account(KEYS.validators[0]))["balance"] == 0


def test_an_account_is_shown_with_its_metadata(chain):
    state = chain.ledger.state(0)
    full = answers.account_full(chain.account(ALICE), state.metadatas(ALICE.address()))
    assert (full["metadatas"], full["assets"]) == (None, None)
    chain.run(ALICE, metadata("b", "2"), metadata("a", "1"))
    pairs = list(state.metadatas(ALICE.address()))
    full = answers.account_full(chain.account(ALICE), pairs)
    assert full["metadatas"] == [
        {"key": "a", "value": "1", "version": 1},
        {"key": "b", "value": "2", "version": 1},
    ]
    assert answers.account_metadata(pairs[:1]) == {
        "a": {"key": "a", "value": "1", "version": 1}
    }
    assert answers.account_metadata([]) is None


def test_what_is_not_there_and_what_is_refused():
    assert answers.not_exist() == {"error_code": 4, "result": None}
    refused = RefusedError(ErrorCode.DOMAIN_NOT_EXIST, "no")
    assert answers.refusal(refused) == {"error_code": 170, "error_desc": "no"}


def test_a_block_is_shown_with_what_is_asked_for():
    chain = TestChain(MAINNET_LIKE)
    header = chain.close().header
    shown = answers.ledger(chain.ledger, header, 0)
    tree = header.domain_account_hashs[0].account_tree_hash.hex()
    assert shown == {
        "header": {
            "seq": 2,
            "hash": header.hash.hex(),
            "previous_hash": chain.ledger.header(1).hash.hex(),
            "account_tree_hash": tree,
            "close_time": 1_000_000,
            "consensus_value_hash": header.consensus_value_hash.hex(),
            "version": 1006,
            "validators_hash": header.validators_hash.hex(),
            "fees_hash": header.fees_hash.hex(),
            "domain_account_hashs": [
                {"account_tree_hash": tree},
                *({"domain_id": n, "account_tree_hash": tree} for n in (24, 20, 22)),
                *({"domain_id": n, "account_tree_hash": tree} for n in (21, 23)),
            ],
        },
        "ledger_length": shown["ledger_length"],
    }
    wanted = frozenset({"validator", "fee", "consvalue"})
    shown = answers.ledger(chain.ledger, header, 0, wanted, "did:bid:efLeader")
    assert shown["validators"] == [key.address() for key in KEYS.validators]
    assert shown["fees"] == {"gas_price": 1000, "base_reserve": 10_000_000}
    assert shown["leader"] == "did:bid:efLeader"
    assert shown["consensus_value"]["consensus_header"]["ledger_seq"] == 2
    first = answers.ledger(chain.ledger, chain.ledger.header(1), 0, wanted)
    assert first["consensus_value"] == {"ledger_upgrade": {"new_ledger_version": 1006}}


def test_the_consensus_value_of_a_block_has_its_hash(chain):
    chain.run(ALICE, pay(BOB, 1))
    for seq in (1, 2):
        octets = chain.ledger.consensus_value(seq)
        digest = chain.ledger.header(seq).consensus_value_hash
        assert sha256(octets).digest() == digest
    assert chain.ledger.consensus_value(3) is None
    assert chain.ledger.consensus_value(0) is None


def test_a_transaction_is_shown_as_the_sdk_expects_it(chain):
    transaction = chain.make(ALICE, pay(BOB, 5), gas_price=1, metadata=b"\xab")
    chain.close(transaction)
    size = len(transaction.envelope)
    assert chain.shown(transaction.hash) == {
        "actual_fee": size,
        "close_time": 1_000_000,
        "error_code": 0,
        "error_desc": "",
        "hash": transaction.hash.hex(),
        "ledger_seq": 2,
        "signatures": [
            {
                "public_key": ALICE.public.text,
                "sign_data": ALICE.sign(transaction.blob).hex(),
            }
        ],
        "transaction": {
            "source_address": ALICE.address(),
            "nonce": 1,
            "operations": [
                {"type": 7, "pay_coin": {"dest_address": BOB.address(), "amount": 5}}
            ],
            "metadata": "ab",
            "fee_limit": 10_000_000,
            "gas_price": 1,
        },
        "tx_size": size,
    }


def test_history_has_code_4_where_nothing_is():
    assert answers.history([]) == {
        "error_code": 4,
        "error_desc": "query result not exist",
        "result": {"total_count": 0, "transactions": []},
    }
    assert answers.history([{"hash": "00"}]) == {
        "error_code": 0,
        "result": {"total_count": 1, "transactions": [{"hash": "00"}]},
    }


def test_the_latest_transactions_are_found_past_empty_blocks(chain):
    hashes = []
    for number in range(5):
        for _ in range(number):
            chain.close()
        hashes.append(bytes.fromhex(chain.run(ALICE, pay(BOB, number))["hash"]))
    chain.run(ALICE, pay(BOB, 1), domain_id=20)
    chain.close()
    assert list(answers.latest(chain.ledger, 0, 100)) == hashes[::-1]
    assert list(answers.latest(chain.ledger, 0, 2)) == hashes[:2:-1]
    assert list(answers.latest(chain.ledger, 0, 0)) == []
    assert len(list(answers.latest(chain.ledger, 20, 100))) == 1
    assert list(answers.latest(TestChain().ledger, 0, 100)) == []


def test_what_waits_is_shown_as_processing(chain):
    transaction = chain.make(ALICE, pay(BOB, 5))
    shown = answers.waiting(Waiting(1, 5, transaction))
    assert shown["transaction"]["nonce"] == 1
    assert len(shown["signatures"]) == 1
    assert {key: shown[key] for key in ("hash", "incoming_time", "status")} == {
        "hash": transaction.hash.hex(),
        "incoming_time": 5,
        "status": "processing",
    }
    assert answers.cache([shown])["error_desc"] == ""
    assert answers.cache([])["error_code"] == 4
    assert answers.cache([])["result"]["total_count"] == 0


def test_submissions_are_answered_one_by_one():
    twice = RefusedError(ErrorCode.ALREADY_EXIST, "again")
    wrong = RefusedError(ErrorCode.BAD_SEQUENCE, "nonce")
    results = [(b"\x01", None), (b"\x02", twice), (b"\x03", wrong)]
    assert answers.submitted(results) == {
        "results": [
            {"error_code": 0, "error_desc": "", "hash": "01"},
            {"error_code": 0, "error_desc": "", "hash": "02"},
            {"error_code": 99, "error_desc": "nonce", "hash": "03"},
        ],
        "success_count": 2,
    }
