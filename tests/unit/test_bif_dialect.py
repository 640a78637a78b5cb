"""The HTTP API, request by request (bif notes §1), without sockets."""

import asyncio
import gc
import json
import weakref

import pytest

from chain_anchor.bif.addresses import of_system_contract
from chain_anchor.bif.api import dialect, hints
from chain_anchor.bif.api.asking import Request
from chain_anchor.bif.api.queries import MAX_LISTED
from chain_anchor.bif.api.writing import is_long, styled
from chain_anchor.bif.certificates import check_certificate
from chain_anchor.bif.genesis import FUNDED_BALANCE
from chain_anchor.bif.json_form import to_json
from chain_anchor.bif.rules import MAINNET_LIKE
from tests.bif_chains import ALICE, BOB, SM2_USER, key, metadata, pay
from tests.bif_served import MemoryChain, item

A, B = ALICE.address(), BOB.address()
NOBODY = key("nobody").address()
NOTHING = {"error_code": 4, "result": None}
NOT_FOUND = {
    "error_code": 4,
    "error_desc": "query result not exist",
    "result": {"total_count": 0, "transactions": []},
}
ZERO = "0" * 64


@pytest.fixture
def chain() -> MemoryChain:
    return MemoryChain()


def submit(chain, *transactions):
    return chain.ask("/submitTransaction", {"items": [item(t) for t in transactions]})


def test_hello_says_what_the_node_is(chain):
    shown = chain.ask("/hello")
    assert shown["address_prefix"] == "did:bid:"
    assert (shown["chain_code"], shown["network_id"]) == ("0", 7)
    assert (shown["ledger_version"], shown["hash_type"]) == (1006, 0)
    assert shown["websocket_port"] == 7053
    assert shown["current_time"] == "1970-01-01 00:00:01"


@pytest.mark.parametrize("endpoint", ["getAccount", "getAccountBase"])
@pytest.mark.parametrize("written", [A, A.replace(":", "%3A")])
@pytest.mark.parametrize("domain", ["", "&domainid=", "&domainid=null", "&domainid=20"])
def test_an_account_is_found_however_an_sdk_asks(chain, endpoint, written, domain):
    result = chain.ask(f"/{endpoint}?address={written}{domain}")["result"]
    assert (result["address"], result["balance"]) == (A, FUNDED_BALANCE)
    assert "nonce" not in result
    assert result["contract"] is None
    assert ("metadatas" in result) == (endpoint == "getAccount")


@pytest.mark.parametrize(
    "endpoint",
    ["getAccount", "getAccountBase", "getAccountMetaData", "getAccountAssets"],
)
def test_an_account_that_is_not_there_has_code_4(chain, endpoint):
    assert chain.ask(f"/{endpoint}?address={NOBODY}") == NOTHING
    assert chain.ask(f"/{endpoint}?address=did:bid:efwrong") == NOTHING
    assert chain.ask(f"/{endpoint}") == NOTHING


@pytest.mark.parametrize(
    "target",
    [
        f"/getAccount?address={A}",
        f"/getAccountBase?address={A}",
        f"/getAccountMetaData?address={A}",
        "/getLedger?seq=1",
        "/getLedgerValidators?seq=1",
        f"/getTransactionHistory?hash={ZERO}",
        "/getTransactionCache?hash=",
        "/getTxCacheSize?",
    ],
)
def test_an_unknown_domain_has_code_170(chain, target):
    found = chain.ask(f"{target}&domainid=99")
    assert found["error_code"] == 170
    wrong = chain.ask(f"{target}&domainid=x")
    assert (wrong["error_code"], wrong["error_desc"]) == (
        2,
        "'domainid' must be an integer",
    )
    assert chain.ask(f"{target}&domainid={2**70}")["error_code"] == 2


def test_metadata_is_shown_whole_or_by_its_key(chain):
    chain.test.run(ALICE, metadata("b", "2"), metadata("a", "1"))
    one = {"key": "a", "value": "1", "version": 1}
    two = {"key": "b", "value": "2", "version": 1}
    full = chain.ask(f"/getAccount?address={A}")["result"]
    assert (full["metadatas"], full["assets"], full["nonce"]) == ([one, two], None, 1)
    assert chain.asked == 1
    found = chain.ask(f"/getAccount?address={A}&key=a")["result"]
    assert found["metadatas"] == [one]
    assert chain.ask(f"/getAccount?address={A}&key=z")["result"]["metadatas"] is None
    found = chain.ask(f"/getAccountMetaData?address={A}")["result"]
    assert found == {"a": one, "b": two}
    found = chain.ask(f"/getAccountMetaData?address={A}&key=b")["result"]
    assert found == {"b": two}
    none = {"error_code": 0, "result": None}
    assert chain.ask(f"/getAccountMetaData?address={A}&key=z") == none
    assert chain.ask(f"/getAccountAssets?address={A}") == none


def test_a_block_is_shown_with_what_is_asked_for(chain):
    chain.test.close()
    last = chain.ask("/getLedger")["result"]
    assert last == chain.ask("/getLedger?seq=2&domainid=null")["result"]
    assert (last["header"]["seq"], set(last)) == (2, {"header", "ledger_length"})
    wanted = "with_validator=true&with_leader=true&with_fee=true&with_consvalue=true"
    shown = chain.ask(f"/getLedger?seq=1&{wanted}")["result"]
    assert shown["leader"] == chain.leader(1)
    assert shown["validators"] == list(chain.ledger.validators)
    assert {"fees", "consensus_value"} < set(shown)
    assert chain.ask("/getLedger?seq=1&with_leader=false")["result"].keys() == {
        "header",
        "ledger_length",
    }
    for seq in (0, -1, 3, 2**62):
        assert chain.ask(f"/getLedger?seq={seq}") == NOTHING
        assert chain.ask(f"/getLedgerValidators?seq={seq}") == NOTHING
    assert chain.ask("/getLedger?seq=x")["error_code"] == 2
    found = chain.ask("/getLedgerValidators")["result"]
    assert found == {"validators": list(chain.ledger.validators)}


def test_a_block_is_shown_with_what_proves_it_only_when_asked(chain):
    chain.test.close()
    shown = chain.ask("/getLedger?seq=1&with_proof=true&with_anchored=true")["result"]
    header, validators = chain.ledger.header(1), chain.ledger.validators
    check_certificate(bytes.fromhex(shown["proof"]), header.hash, validators)
    assert shown["anchored"] == {"ledger_seq": 2, "hash": "00" * 32}
    last = chain.ask("/getLedger?with_anchored=true")["result"]
    assert last["anchored"] is None
    assert "proof" not in last


def test_a_transaction_goes_from_submission_to_history(chain):
    made = chain.test.make(ALICE, pay(BOB, 5))
    assert submit(chain, made) == {
        "results": [{"error_code": 0, "error_desc": "", "hash": made.hash.hex()}],
        "success_count": 1,
    }
    shown = chain.test.shown(made.hash)
    found = {"error_code": 0, "result": {"total_count": 1, "transactions": [shown]}}
    for query in (f"hash={made.hash.hex()}", "ledger_seq=2", "", "hash=&limit=5"):
        assert chain.ask(f"/getTransactionHistory?{query}&domainid=") == found
    for query in (
        f"hash={ZERO}",
        "hash=00",
        "hash=xyz",
        "ledger_seq=1",
        "ledger_seq=9",
        "ledger_seq=-1",
        "start=1",
        "limit=0",
        f"hash={made.hash.hex()}&domainid=20",
        "ledger_seq=2&domainid=20",
    ):
        assert chain.ask(f"/getTransactionHistory?{query}") == NOT_FOUND, query


def test_a_block_is_listed_page_by_page(chain):
    made = [chain.test.make(ALICE, pay(BOB, 1), nonce=n) for n in range(1, 6)]
    chain.test.close(*made)
    for start, limit, expected in (
        (0, 2, made[:2]),
        (3, 9, made[3:]),
        (1, 10**9, made[1:]),
    ):
        query = f"ledger_seq=2&start={start}&limit={limit}"
        found = chain.ask(f"/getTransactionHistory?{query}")["result"]["transactions"]
        assert [entry["hash"] for entry in found] == [t.hash.hex() for t in expected]
    assert MAX_LISTED == 1000


def test_what_waits_is_listed_and_counted():
    chain = MemoryChain(automine=False)
    assert chain.ask("/getTransactionCache?domainid=null&hash=") == NOT_FOUND
    assert chain.ask("/getTxCacheSize?domainid=0") == {"queue_size": 0}
    made = [chain.test.make(ALICE, pay(BOB, 1), nonce=n) for n in (1, 2)]
    assert submit(chain, *made)["success_count"] == 2
    assert submit(chain, made[0])["results"][0]["error_code"] == 0  # it waits already
    assert chain.ask("/getTxCacheSize") == {"queue_size": 2}
    assert chain.ask("/getTxCacheSize?domainid=20") == {"queue_size": 0}
    found = chain.ask("/getTransactionCache")
    assert (found["error_code"], found["error_desc"]) == (0, "")
    assert found["result"]["total_count"] == 2
    entry = found["result"]["transactions"][0]
    assert (entry["status"], entry["hash"]) == ("processing", made[0].hash.hex())
    query = f"hash={made[1].hash.hex()}"
    assert chain.ask(f"/getTransactionCache?{query}")["result"]["total_count"] == 1
    assert chain.ask(f"/getTransactionCache?{query}&domainid=20") == NOT_FOUND
    assert chain.ask(f"/getTransactionCache?hash={ZERO}") == NOT_FOUND
    assert chain.ask("/getTransactionCache?limit=1")["result"]["total_count"] == 1


def test_each_item_is_refused_for_itself(chain):
    good = item(chain.test.make(ALICE, pay(BOB, 5)))
    unsigned = chain.test.make(BOB, pay(ALICE, 1), signers=[])
    items = [
        good,
        {"transaction_blob": "0x00", "signatures": []},
        good | {"signatures": [{"public_key": ALICE.public.text, "sign_data": "zz"}]},
        good | {"signatures": [{"public_key": "b065", "sign_data": "00"}]},
        "no object",
        item(unsigned),
        {"transaction_json": {}, "private_keys": ["priSPKwrong"]},
    ]
    found = chain.ask("/submitTransaction", {"items": items})
    assert found["success_count"] == 1
    assert [(r["error_code"], r["error_desc"]) for r in found["results"]] == [
        (0, ""),
        (2, "'transaction_blob' value must be Hex"),
        (2, "'sign_data' value must be Hex"),
        (2, "Invalid public key(b065)"),
        (2, "request must be in json format"),
        (93, f"Transaction({unsigned.hash.hex()}) signature weight is not enough"),
        (91, "Invalid private key"),
    ]


def test_the_node_signs_what_comes_in_json(chain):
    content = to_json(chain.test.make(ALICE, pay(BOB, 5)).content)
    written = {"transaction_json": content, "private_keys": [ALICE.text]}
    found = chain.ask("/submitTransaction", {"items": [written]})
    assert found["success_count"] == 1
    assert chain.test.nonce(ALICE) == 1


def test_sm2_signatures_are_checked_elsewhere(chain):
    chain.test.run(ALICE, pay(SM2_USER, 10**9))
    found = submit(chain, chain.test.make(SM2_USER, pay(BOB, 5)))
    assert (found["success_count"], chain.asked) == (1, 1)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"items": ' + b"1" * 5000 + b"}",
        b'{"items": NaN}',
    ],
)
@pytest.mark.parametrize(
    "endpoint",
    ["submitTransaction", "callContract", "testTransaction", "multiQuery"],
)
def test_a_body_that_is_no_object_has_code_2(chain, endpoint, body):
    found = chain.ask(f"/{endpoint}", body)
    if endpoint == "submitTransaction":
        assert found["success_count"] == 0
        found = found["results"][0]
    assert found["error_code"] == 2
    assert found["error_desc"] == "request must be in json format"


@pytest.mark.parametrize("items", [None, {}, "x", 3])
def test_items_must_be_an_array(chain, items):
    found = chain.ask("/submitTransaction", {"items": items})
    assert found["results"][0]["error_code"] == 2
    assert chain.ask("/testTransaction", {"items": items})["error_code"] == 2
    assert chain.ask("/multiQuery", {"items": items})["error_code"] == 2


def test_a_fee_is_evaluated_as_sdks_ask_for_it():
    chain = MemoryChain(rules=MAINNET_LIKE)
    amount = {"dest_address": B, "amount": "7"}
    content = {
        "source_address": A,
        "nonce": "1",
        "gas_price": "10",
        "fee_limit": "0",
        "operations": [{"type": "PAY_COIN", "pay_coin": amount}],
    }
    asked = {
        "transaction_json": content,
        "signature_number": "1",
        "private_keys": [ALICE.text],
    }
    found = chain.ask("/testTransaction", {"items": [asked]})
    assert (found["error_code"], found["error_desc"]) == (0, "")
    [shown] = found["result"]["txs"]
    evaluated = shown["transaction_env"]["transaction"]
    assert evaluated["gas_price"] == 1000
    assert evaluated["fee_limit"] == shown["actual_fee"] == shown["gas"] * 1000
    assert ALICE.text not in json.dumps(found)
    content["operations"][0]["type"] = 7
    again = chain.ask("/testTransaction", {"items": [asked]})
    assert again == found
    del asked["signature_number"]
    assert chain.ask("/testTransaction", {"items": [asked]}) == found


@pytest.mark.parametrize(
    ("written", "octets"),
    [
        ("e8bdac", b"\xe8\xbd\xac"),
        ("转账", "转账".encode()),
        ("a" + "".join(chr(0xFF00 | o) for o in "转账".encode()), "a转账".encode()),
        ("￥100", "￥100".encode()),
    ],
)
def test_a_remark_costs_as_much_however_it_is_written(chain, written, octets):
    # The Java SDK makes a character of each signed octet (notes §1.5, item 5).
    operation = {"type": 7, "pay_coin": {"dest_address": B, "amount": 1}}
    content = {"source_address": A, "nonce": 1, "gas_price": 1, "metadata": written}
    asked = {"transaction_json": content | {"operations": [operation]}}
    found = chain.ask("/testTransaction", {"items": [asked]})
    [shown] = found["result"]["txs"]
    assert shown["transaction_env"]["transaction"]["metadata"] == octets.hex()
    assert found["result"]["stat"] is None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"source_address": NOBODY}, 103),
        ({"domain_id": 99}, 170),
        ({"nonce": "x"}, 2),
        ({"operations": [{"type": 7, "pay_coin": {"dest_address": A}}]}, 101),
        ({"domain_id": 2**40}, 2),
    ],
)
def test_a_fee_that_cannot_be_evaluated_is_an_error(chain, change, code):
    operation = {"type": 7, "pay_coin": {"dest_address": B, "amount": 1}}
    content = {"source_address": A, "nonce": 1, "operations": [operation]} | change
    asked = {"items": [{"transaction_json": content, "signature_number": 1}]}
    assert chain.ask("/testTransaction", asked)["error_code"] == code


def test_only_one_fee_is_evaluated_at_a_time(chain):
    one = {"transaction_json": {}}
    for items in ([], [one, one], ["x"]):
        assert chain.ask("/testTransaction", {"items": items})["error_code"] == 2


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"contract_address": NOBODY}, 4),
        ({"contract_address": A}, 4),
        ({"contract_address": 5}, 2),
        ({}, 2),
        ({"code": "x", "opt_type": 3}, 2),
        ({"code": "x", "opt_type": True}, 2),
        ({"code": "x", "gas_price": "1e9"}, 2),
        ({"code": "x", "domain_id": "99"}, 170),
    ],
)
def test_a_call_that_cannot_be_made_is_an_error(chain, body, code):
    assert chain.ask("/callContract", body)["error_code"] == code


def test_a_failing_contract_is_told_in_its_answer(chain):
    body = {"code": "x", "opt_type": "2", "gas_price": "100", "domain_id": "20"}
    found = chain.ask("/callContract", body)
    assert found["error_code"] == 0
    assert "error" in found["result"]["query_rets"][0]
    assert set(found["result"]) == {"logs", "query_rets", "stat", "txs"}


def test_blobs_are_made_and_read(chain):
    made = chain.test.make(ALICE, pay(BOB, 5))
    written = to_json(made.content)
    expected = {"transaction_blob": made.blob.hex(), "hash": made.hash.hex()}
    for body in (written, {"transaction_json": written}):
        assert chain.ask("/getTransactionBlob", body)["result"] == expected
    query = f"/getTransactionFromBlob?blob={made.blob.hex()}"
    assert chain.ask(query)["result"] == written
    query = f"/getTransactionFromBlob?env=true&blob={made.envelope.hex()}"
    assert chain.ask(query)["result"]["transaction"] == written
    for blob in ("0x", "ff", "ff&env=true"):
        found = chain.ask(f"/getTransactionFromBlob?blob={blob}")
        assert found["error_code"] == 2


def test_keys_are_made_and_have_addresses(chain):
    for kind, start in (
        ("", "did:bid:ef"),
        ("ed25519", "did:bid:ef"),
        ("SM2", "did:bid:zf"),
    ):
        made = chain.ask(f"/createKeyPair?sign_type={kind}")["result"]
        assert made["address"].startswith(start)
        for name in ("private_key", "public_key"):
            found = chain.ask(f"/getAddress?{name}={made[name]}")["result"]
            assert found["address"] == made["address"]
            assert "private_key" not in found
    assert chain.ask("/createKeyPair?sign_type=rsa")["error_code"] == 2
    found = chain.ask("/getAddress?private_key=priSPKsecret")
    assert (found["error_code"], found["error_desc"]) == (91, "Invalid private key")
    assert chain.ask("/getAddress?public_key=00")["error_code"] == 90


def test_several_questions_are_answered_at_once(chain):
    items = [
        {"url": f"/getAccountBase?address={A}", "method": "GET"},
        {"url": "/callContract", "method": "POST", "jsonData": {"contract_address": A}},
        {"url": "/nowhere"},
        {"url": "/multiQuery", "jsonData": {"items": []}},
        {"url": "getTransactionBlob", "jsonData": '{"nonce": 1}'},
        7,
    ]
    found = chain.ask("/multiQuery", {"items": items})["results"]
    assert [entry["error_code"] for entry in found] == [0, 4, 2, 2, 0, 2]
    assert chain.ask("/multiQuery", {"items": items * 11})["error_code"] == 2


def test_the_rest_of_the_endpoints_answer(chain):
    assert chain.ask("/getGenesisAccount")["result"] == chain.first_account
    assert chain.ask("/getStatus")["result"]["ledger_sequence"] == 1
    assert chain.ask("/getModulesStatus")["ledger_manager"]["ledger_sequence"] == 1
    assert chain.ask("/getConsensusInfo")["result"]["leader"] == chain.leader(2)
    assert chain.ask("/getPeerAddresses")["result"] == {"peers": []}
    assert chain.ask("/updateLogLevel?loglevel=7")["error_code"] == 6


def test_every_endpoint_answers_whatever_the_parameters_are(chain):
    query = "address=%ff&key=%00&hash=%ff&seq=1.5&start=x&limit=-1&blob=%ff&domainid=0"
    for endpoint in dialect.ENDPOINTS:
        for target in (f"/{endpoint}", f"/{endpoint}?{query}", f"//{endpoint}?&&=&"):
            document = chain.ask(target, b'{"items":[{"url":"\\ud800"}]}')
            assert json.loads(styled(document)) is not None
    many = "&".join(f"a{n}=1" for n in range(200))
    assert chain.ask(f"/getLedger?{many}")["error_code"] == 2
    assert chain.ask("/nowhere") is None
    assert chain.ask("/") is None
    assert chain.ask("/getledger") is None


def test_secrets_are_not_shown():
    request = Request(
        "/getAddress", b"private_key=secret", b'{"private_keys": "secret"}'
    )
    assert "secret" not in repr(request)
    assert "secret" not in repr(
        MemoryChain()._asked("/x?private_key=secret", b"secret")
    )


def test_json_is_written_as_the_node_writes_it():
    document = {
        "b": [1, "二", None],
        "a": {"c": [], "d": {}, "e": True},
        "f": [{"x": 1}],
    }
    assert styled(document).decode() == (
        "{\n"
        '   "a" : {\n'
        '      "c" : [],\n'
        '      "d" : {},\n'
        '      "e" : true\n'
        "   },\n"
        '   "b" : [ 1, "二", null ],\n'
        '   "f" : [\n'
        "      {\n"
        '         "x" : 1\n'
        "      }\n"
        "   ]\n"
        "}\n"
    )
    long = styled({"a": ["x" * 40, "y" * 40]}).decode()
    assert long.splitlines()[1:4] == [
        '   "a" : [',
        f'      "{"x" * 40}",',
        f'      "{"y" * 40}"',
    ]
    assert json.loads(styled({"a": float("nan"), "b": "\ud800", "c": '"\\\n'})) == {
        "a": None,
        "b": "?",
        "c": '"\\\n',
    }
    assert is_long({"result": {"transactions": [0] * 51}})
    assert not is_long({"result": {"transactions": [0] * 5}})


def test_errors_have_hints_beside_the_exact_text(chain):
    found = hints.with_hints(chain.ask(f"/getAccountBase?address={NOBODY}"))
    assert "/_dev/accounts" in found.pop("hint")
    assert found == NOTHING
    made = chain.test.make(ALICE, pay(BOB, 1), nonce=1)
    submit(chain, made)
    found = hints.with_hints(submit(chain, made))
    [result] = found["results"]
    assert result["error_desc"].startswith("Transaction nonce(1) too small")
    assert "nonce" in result["hint"]
    assert "hint" not in found
    good = chain.ask("/getLedger")
    assert hints.with_hints(good) == good


def test_what_failed_on_the_chain_has_a_hint(chain):
    made = chain.test.make(ALICE, metadata("k", "v", version=9))
    submit(chain, made)
    listed = chain.ask(f"/getTransactionHistory?hash={made.hash.hex()}")
    [shown] = hints.with_hints(listed)["result"]["transactions"]
    assert (shown["error_code"], "version" in shown["hint"]) == (144, True)


def test_developers_change_the_chain(chain):
    about = chain.develop("GET", "/_dev")["result"]
    assert (about["seq"], about["domains"]) == (1, [0, 20, 21, 22, 23, 24])
    assert "POST /_dev/mine" in about["tools"]
    accounts = chain.develop("GET", "/_dev/accounts")["result"]
    assert accounts[0]["address"] == A
    assert accounts[0]["private_key"] == ALICE.text
    assert chain.develop("POST", "/_dev/mine?n=3")["result"]["seq"] == 4
    assert chain.develop("POST", "/_dev/mine", {"n": 1})["result"]["seq"] == 5
    body = {"address": A, "balance": "12", "nonce": 4, "metadata": {"k": "v"}}
    assert chain.develop("POST", "/_dev/account", body)["result"]["seq"] == 6
    assert (chain.test.balance(ALICE), chain.test.nonce(ALICE)) == (12, 4)
    body = {"address": B, "code": "'use strict';"}
    assert chain.develop("POST", "/_dev/account", body)["result"]["seq"] == 7
    shown = chain.ask(f"/getAccountMetaData?address={A}")["result"]
    assert shown == {"k": {"key": "k", "value": "v", "version": 1}}
    assert chain.test.account(BOB).contract.payload == body["code"]
    assert chain.develop("POST", "/_dev/time?set=9000000")["result"]["now"] == 9_000_000
    assert chain.develop("POST", "/_dev/time?advance=5")["result"]["now"] == 9_000_005
    assert chain.develop("GET", "/_dev/time")["result"]["now"] == 9_000_005
    assert chain.develop("POST", "/_dev/snapshot")["result"] == {"snapshot": 1}
    assert chain.develop("POST", "/_dev/revert?snapshot=1")["error_code"] == 0
    chain.develop("POST", "/_dev/mining?mode=manual&empty=true")
    assert (chain.automine, chain.empty) == (False, True)
    assert chain.develop("POST", "/_dev/fault?fault=lost_transaction&count=2")[
        "result"
    ] == {"faults": {"lost_transaction": 2}}
    found = chain.develop("POST", "/_dev/fault?fault=dropped_socket&count=3")
    assert found["result"] == {"dropped": 3}


@pytest.mark.parametrize(
    ("method", "target", "code"),
    [
        ("GET", "mine", 2),
        ("POST", "mine?n=0", 2),
        ("POST", "mine?n=100000", 2),
        ("POST", "mine?n=x", 2),
        ("POST", "revert", 2),
        ("POST", "revert?snapshot=9", 4),
        ("POST", "time", 2),
        ("POST", "time?set=1&advance=1", 2),
        ("POST", f"account?address={A}", 2),
        ("POST", f"account?address={A}&balance=-1", 2),
        ("POST", f"account?address={A}&nonce=x", 2),
        ("POST", "fault?fault=earthquake", 2),
        ("POST", "fault?fault=lost_transaction&count=-1", 2),
    ],
)
def test_what_developers_get_wrong_is_an_error(chain, method, target, code):
    assert chain.develop(method, f"/_dev/{target}")["error_code"] == code


@pytest.mark.parametrize(
    "metadata", [5, [], {"k": 1}, {"": "x"}, dict.fromkeys(map(str, range(101)), "v")]
)
def test_metadata_of_developers_are_texts(chain, metadata):
    body = {"address": A, "metadata": metadata}
    assert chain.develop("POST", "/_dev/account", body)["error_code"] == 2
    assert chain.test.ledger.last.seq == 1


def test_below_dev_is_nothing_else(chain):
    assert chain.develop("GET", "/_dev/nowhere") is None
    assert chain.develop("GET", "/_dev/hello") is None


def test_system_contracts_are_told_to_be_missing(chain):
    for number, purpose in ((7, ", BID documents, is"), (21, " is")):
        address = of_system_contract(number)
        text = (
            f"System contract {number}({address}){purpose} not on this chain: its table "
            "of native contracts is empty"
        )
        found = submit(chain, chain.test.make(ALICE, pay(address, 1)))["results"][0]
        assert (found["error_code"], found["error_desc"]) == (156, text)
        asked = {"contract_address": address, "opt_type": 2}
        found = hints.with_hints(chain.ask("/callContract", asked))
        assert (found["error_code"], found["error_desc"]) == (4, text)
        assert "not emulated" in found["hint"]
    assert chain.test.ledger.last.tx_count == 0


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("submitTransaction", b"{"),
        ("submitTransaction", {"items": [1]}),
        ("submitTransaction", {"items": [{"transaction_blob": "x"}] * 9}),
        ("submitTransaction", {"items": [{"transaction_json": {"nonce": "x"}}]}),
        ("submitTransaction", {"items": [{"transaction_json": {}}]}),
        ("testTransaction", {"items": [{"transaction_json": {"nonce": "x"}}]}),
        ("callContract", {"contract_address": of_system_contract(7)}),
        ("callContract", {"code": "x"}),
        ("multiQuery", {"items": [1, {"url": "/getLedger?seq=x"}]}),
    ],
)
def test_a_refusal_holds_nothing_of_its_request(chain, endpoint, body):
    # The collector of cycles comes rarely, and a request may have 16 MiB.
    gc.collect()
    gc.disable()
    try:
        asked = chain._asked(f"/{endpoint}", body)
        held = weakref.ref(asked)
        asyncio.run(dialect.answer(asked))
        del asked
        assert held() is None
    finally:
        gc.enable()


def test_half_a_pair_of_surrogates_is_no_text(chain):
    body = b'{"code": "\\uD83d", "opt_type": 2}'
    assert chain.ask("/callContract", body)["error_desc"] == (
        "request must be in json format"
    )
    whole = b'{"contract_address": "\\ud83d\\ude00"}'
    assert chain.ask("/callContract", whole)["error_code"] == 4
