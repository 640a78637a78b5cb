"""The official Java SDK of 星火·链网 works against the emulator unmodified.

`bif/*.java` makes the calls through the SDK's public API and reports what it answered;
the expectations are here. Codes of five digits are the SDK's own: it refuses before it
asks. Rules: bif notes §1, §2.
"""

import json
from hashlib import sha256
from typing import Any, NamedTuple

import pytest

from chain_anchor.bif import addresses
from chain_anchor.bif.blocks import fees_hash
from chain_anchor.bif.chain_pb2 import Operation, Transaction
from chain_anchor.bif.client import operation
from chain_anchor.bif.client.signing import GAS_PRICE
from chain_anchor.bif.errors import ErrorCode
from chain_anchor.bif.genesis import FUNDED_BALANCE
from chain_anchor.bif.keys import PrivateKey, PublicKey
from resolver.running import run_network
from tests.interop import bif_sdk
from tests.interop.bif_chains import Played, played
from tests.interop.programs import UnavailableError

pytestmark = pytest.mark.timeout(3 * bif_sdk.RUN_SECONDS)

MESSAGE = "武汉".encode()
SENT = 7
FEE_LIMIT = 1_000_000
"""The SDK's default."""

CONTRACT = (bif_sdk.SOURCE / "Contract.js").read_text(encoding="utf-8")
CONTRACT_BALANCE = 1000
CONTRACT_GAS = 1_000_000
FAR = 1 << 40

PLACES = {"main": ("wuhan", 0), "domain-20": ("wuhan", 20), "sub-chain": ("hanyang", 0)}
"""Chains of `idis up`, and domains of theirs."""


class Run(NamedTuple):
    """What the driver reported of one place."""

    steps: dict[str, Any]
    played: Played

    def result(self, step: str) -> Any:
        answer = self.steps[step]
        assert answer["error_code"] == 0, answer
        return answer["result"]

    def applied(self, step: str) -> dict[str, Any]:
        """Give the transaction that a step put on the chain."""
        assert self.steps[step]["error_code"] == 0, self.steps[step]
        result = self.result(f"{step}:confirmed")
        assert result["total_count"] == 1
        [found] = result["transactions"]
        assert found["hash"] == self.steps[step]["result"]["hash"]
        return found

    def balance(self, step: str) -> int:
        return self.result(step)["balance"]


@pytest.fixture(scope="module")
def driver(tmp_path_factory) -> str:
    try:
        sdk = bif_sdk.class_path()
    except UnavailableError as problem:
        pytest.skip(f"the official Java SDK cannot be had: {problem}")
    return bif_sdk.compile_driver(sdk, tmp_path_factory.mktemp("bif-driver"))


@pytest.fixture(scope="module")
def runs(driver, unused_tcp_port_factory) -> dict[str, Run]:
    """Everything that the driver does, in one network and one Java machine."""
    dead = f"http://127.0.0.1:{unused_tcp_port_factory()}"
    common = {"deadUrl": dead, "contract": CONTRACT}
    # What is anchored would wait among what the driver looks for in the pool.
    arguments = ("--secondaries", "1", "--port-base", "0", "--no-anchoring")
    with run_network(*arguments) as network:
        places = {
            place: played(network.chain(name), domain)
            for place, (name, domain) in PLACES.items()
        }
        told = {place: found.settings | common for place, found in places.items()}
        answers = bif_sdk.run_driver(driver, told)
    return {place: Run(answers[place], found) for place, found in places.items()}


@pytest.fixture(params=PLACES)
def run(request, runs) -> Run:
    return runs[request.param]


# What is refused


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ("account-negative-domain", 12007),
        ("account-invalid", 11006),
        ("metadata-none", 11010),
        ("metadata-absent", 11010),
        ("metadata-long-key", 11011),
        ("privilege-negative", 11015),
        ("create-nothing", 11004),
        ("create-self", 11005),
        ("block-zero", 11060),
        ("block-transactions-zero", 11060),
        ("send-self", 11005),
        ("send-negative", 11026),
        ("batch-over", 11068),
        ("transaction-bad-hash", 11055),
        ("parse-garbage", 11056),
        ("blob-garbage", 11056),
        ("blob-half", 11056),
        ("unsigned", 11059),
        ("contract-empty", 11044),
        ("contract-info-account", 11038),
        ("invoke-account", 11038),
        ("unreachable", 11007),
    ],
)
def test_the_sdk_refuses_with_its_own_code(run, step, code):
    assert run.steps[step]["error_code"] == code


@pytest.mark.parametrize(
    ("step", "code", "text"),
    [
        ("account-missing", 4, "Account ({first}) not exist"),
        ("balance-missing", 4, "Account ({first}) not exist"),
        ("nonce-missing", 4, "Account ({first}) not exist"),
        ("metadata-missing-account", 4, "Account ({second}) not exist"),
        ("send-from-nobody", 4, "Account ({third}) not exist"),
        ("fee-from-nobody", 4, "Account ({third}) not exist"),
        ("block-missing", 4, f"Block ({FAR}) does not exist"),
        ("block-validators-missing", 4, f"Block ({FAR}) does not exist"),
        ("block-transactions-genesis", 4, "query result not exist"),
        ("transaction-missing", 4, "query result not exist"),
        ("gap:waiting", 4, "query result not exist"),
        ("contract-address-missing", 4, "query result not exist"),
        ("contract-info-missing", 4, "contract account ({third})"),
        ("bad-public-key", 2, "Invalid public key(b06566)"),
        ("signature-not-hex", 2, "'sign_data' value must be Hex"),
        ("bad-signature", 93, "signature weight is not enough"),
        ("send-wrong-key", 93, "signature weight is not enough"),
        ("metadata-low-weight", 93, "signature weight is not enough"),
        ("signed-once", 93, "signature weight is not enough"),
        ("signed-by-others", 93, "signature weight is not enough"),
        ("old", 99, "too small, the account({sender}) nonce is ("),
        ("send-low-fee", 111, "fee limit(1) is not enough for transaction fee("),
        ("contract-low-fee", 111, "fee limit(1000000) is not enough"),
        ("contract-syntax", 152, "exception"),
        ("contract-evm", 156, "not supported"),
        ("block-number-unknown-domain", 170, "99"),
        ("account-unknown-domain", 170, "99"),
        ("transaction-unknown-domain", 170, "99"),
        ("send-unknown-domain", 170, "99"),
    ],
)
def test_a_refusal_of_the_node_reaches_the_application(run, step, code, text):
    answer = run.steps[step]
    keys = {name: value.partition(",")[2] for name, value in names(run).items()}
    assert answer["error_code"] == code
    assert text.format(**keys) in answer["error_desc"]


def names(run: Run) -> dict[str, str]:
    keys = ("sender", "first", "second", "third")
    return {name: str(run.played.settings[name]) for name in keys}


@pytest.mark.parametrize("step", ["query-account", "query-missing"])
def test_who_is_no_contract_cannot_be_queried(run, step):
    assert run.steps[step]["error_code"] == ErrorCode.NOT_EXIST


@pytest.mark.parametrize(
    ("step", "code", "text"),
    [
        ("create-again", 102, "Dest address({first}) already exist"),
        ("metadata-stale", 144, "Data version(2) is not valid"),
        ("metadata-delete-again", 4, "The key(k) to be deleted is not exist"),
        ("send-too-much", 100, "Account({sender})'s balance("),
        ("batch-atomic", 100, "Account({sender})'s balance("),
        ("contract-init-fails", 151, "init refused"),
        ("invoke-fails", 151, "main refused"),
        ("invoke-endless", 155, ""),
    ],
)
def test_what_fails_is_on_the_chain_and_pays_its_limit(run, step, code, text):
    applied = run.applied(step)
    keys = {name: value.partition(",")[2] for name, value in names(run).items()}
    assert applied["error_code"] == code
    assert text.format(**keys) in applied["error_desc"]
    assert int(applied["actual_fee"]) == applied["transaction"]["fee_limit"]


# Keys


@pytest.mark.parametrize(
    "step", ["key-ed25519", "key-sm2", "key-made-ed25519", "key-made-sm2"]
)
def test_keys_addresses_and_signatures_mean_the_same_here(run, step):
    said = run.steps[step]
    private, public = PrivateKey.parse(said["private"]), PublicKey.parse(said["public"])
    assert (private.text, private.public) == (said["private"], public)
    assert private.address() == said["address"]
    assert said["verified"] is True
    public.verify(MESSAGE, bytes.fromhex(said["signature"]))


def test_the_keys_are_those_that_were_given(run):
    assert run.steps["key-ed25519"]["public"] == run.played.sender.public.text
    assert run.steps["key-sm2"]["public"] == run.played.sm2.public.text
    assert run.steps["key-ed25519"]["subAddress"] == run.played.sender.address("hany")
    assert run.steps["address-valid"] is True
    assert run.steps["address-invalid"] is False


def test_the_sdk_writes_ef_for_every_key_on_a_sub_chain(run):
    # Its own mistake: `encAddress` with a chain code does not look at the type.
    expected = run.played.sm2.address("hany").replace(":zf", ":ef")
    assert run.steps["key-sm2"]["subAddress"] == expected


# Blocks


def test_the_first_block_has_a_leader_and_no_previous(run):
    genesis = run.result("block-genesis")
    header = genesis["header"]
    assert header["seq"] == 1
    assert "previous_hash" not in header
    assert header["fees_hash"] == fees_hash(0, 0).hex()
    assert genesis["leader"] in run.result("block-validators")["validators"]
    assert genesis["ledger_length"] > 0
    assert "leader" not in run.result("block-without-leader")


def test_validators_are_a_list_of_addresses(run):
    validators = run.result("block-validators")["validators"]
    assert len(validators) >= 4
    assert all(map(addresses.is_address, validators))
    assert run.result("block-latest-validators")["validators"] == validators


def test_the_last_block_is_the_one_that_is_counted(run):
    # The main chain may have got a header of the sub-chain's meanwhile.
    number = run.result("block-number")["header"]["seq"]
    assert run.result("block-latest")["header"]["seq"] in (number, number + 1)


def test_a_block_shows_its_transactions(run):
    sent = run.applied("send")
    header = run.result("send:block")["header"]
    listed = run.result("send:block-transactions")
    assert header["seq"] == sent["ledger_seq"]
    assert header["close_time"] == sent["close_time"]
    assert header["tx_count"] >= 1
    assert listed["total_count"] == len(listed["transactions"])
    assert sent in listed["transactions"]


# Accounts


def test_a_funded_account_begins_with_its_balance(run):
    account = run.result("account")
    assert account["address"] == run.played.sender.address(run.played.ac)
    assert account["balance"] == run.balance("balance") == FUNDED_BALANCE
    assert account["nonce"] == run.result("nonce")["nonce"] == 0
    privilege = run.result("privilege")["priv"]
    assert privilege["master_weight"] == "1"
    assert privilege["thresholds"]["tx_threshold"] == 1


def test_an_account_is_created_with_its_balance(run):
    created = run.applied("create")["transaction"]["operations"][0]["create_account"]
    assert created["dest_address"] == run.played.first.address(run.played.ac)
    assert created["init_balance"] == run.balance("create:balance") == 10**9
    assert run.result("create:account")["nonce"] == 0


def test_metadata_counts_its_versions(run):
    assert pairs(run, "metadata-read") == {"名称": ("武汉", 1)}
    assert pairs(run, "metadata-all") == {"名称": ("汉阳", 2), "k": ("v", 1)}
    assert pairs(run, "metadata-after") == {"名称": ("汉阳", 2)}


def pairs(run: Run, step: str) -> dict[str, tuple[str, int]]:
    found = run.result(step)["metadatas"]
    return {entry["key"]: (entry["value"], entry["version"]) for entry in found}


def test_a_privilege_is_read_as_it_was_set(run):
    privilege = run.result("privilege-read")["priv"]
    assert privilege["master_weight"] == "2"
    signer = {"address": run.played.sm2.address(run.played.ac), "weight": 1}
    assert privilege["signers"] == [signer]
    assert privilege["thresholds"]["type_thresholds"] == [
        {"type": Operation.SET_METADATA, "threshold": 3}
    ]


def test_signatures_of_two_keys_add_up(run):
    applied = run.applied("twice")
    assert applied["error_code"] == 0
    keys = [entry["public_key"] for entry in applied["signatures"]]
    assert keys == [run.played.first.public.text, run.played.sm2.public.text]


# Transactions


def test_a_transfer_arrives_and_costs_its_octets(run):
    sent = run.applied("send")
    fee = int(sent["actual_fee"])
    assert fee == sent["tx_size"] * GAS_PRICE
    assert run.balance("send:before") - run.balance("send:after") == SENT + fee
    assert run.balance("send:destination") == SENT
    assert bytes.fromhex(sent["transaction"]["metadata"]).decode() == "转账"
    payment = sent["transaction"]["operations"][0]
    assert payment["type"] == Operation.PAY_COIN
    assert payment["pay_coin"]["amount"] == SENT


@pytest.mark.parametrize("step", ["send-sm2", "send-ceil", "send-nothing", "batch"])
def test_a_transfer_succeeds(run, step):
    assert run.applied(step)["error_code"] == 0


def test_a_last_block_is_counted_from_the_present_one(run):
    sent = run.applied("send-ceil")
    ceiling = int(sent["transaction"]["ceil_ledger_seq"])
    assert ceiling == sent["ledger_seq"] - 1 + 10


@pytest.mark.parametrize(
    ("step", "received"), [("batch", 15), ("batch-full", 100), ("batch-atomic", 0)]
)
def test_a_batch_is_done_as_a_whole_or_not_at_all(run, step, received):
    before, after = run.balance(f"{step}:before"), run.balance(f"{step}:after")
    assert after - before == received
    run.applied(step)


def test_a_fee_is_evaluated_at_no_less_than_it_costs(run):
    cost = int(run.applied("send")["actual_fee"])
    fees = [evaluated(run, step) for step in ("fee", "fee-batch")]
    assert cost <= fees[0] < fees[1] < 2 * cost


def evaluated(run: Run, step: str) -> int:
    [found] = run.result(step)["txs"]
    content = found["transaction_env"]["transaction"]
    assert content["gas_price"] == GAS_PRICE
    return content["fee_limit"]


def test_a_serialised_transaction_has_our_octets_and_hash(run):
    said = run.result("serialize")
    blob = bytes.fromhex(said["transaction_blob"])
    played = run.played
    ours = Transaction(
        source_address=played.sender.address(played.ac),
        nonce=1,
        operations=[operation.pay(played.second.address(played.ac), SENT)],
        metadata="离线".encode(),
        fee_limit=FEE_LIMIT,
        gas_price=GAS_PRICE,
        domain_id=played.domain,
    )
    assert blob == ours.SerializeToString(deterministic=True)
    assert said["hash"] == sha256(blob).hexdigest()
    parsed = run.result("parse")
    assert parsed["source_address"] == ours.source_address
    assert (parsed["nonce"], parsed["remarks"]) == (1, "离线")


def test_a_gap_waits_in_the_pool_until_it_is_filled(run):
    late = run.steps["gap"]["result"]["hash"]
    assert run.steps["gap-again"] == run.steps["gap"]
    assert run.steps["pool-size"]["queue_size"] == 1
    # Without a domain, the main one is meant.
    main = 1 if run.played.domain == 0 else 0
    assert run.steps["pool-size-default"]["queue_size"] == main
    for step in ("pool", "pool-one"):
        [waiting] = run.result(step)["transactions"]
        assert (waiting["hash"], waiting["status"]) == (late, "processing")
        assert int(waiting["incoming_time"]) > 0
    first, second = run.applied("next"), run.applied("gap")
    assert first["ledger_seq"] <= second["ledger_seq"]
    assert first["transaction"]["nonce"] + 1 == second["transaction"]["nonce"]
    assert run.result("pool-after")["total_count"] == 0
    assert run.steps["pool-size-after"]["queue_size"] == 0


# Contracts


def address_of(run: Run, step: str = "contract") -> str:
    [found] = run.result(f"{step}:address")["contract_address_infos"]
    assert found["operation_index"] == 0
    return found["contract_address"]


def test_a_contract_has_the_address_of_its_transaction(run):
    created = run.applied("contract")
    source = created["transaction"]["source_address"]
    nonce = created["transaction"]["nonce"]
    expected = addresses.of_contract(source, nonce, 0, run.played.ac)
    assert address_of(run) == expected
    gas = created["tx_size"] + CONTRACT_GAS
    assert int(created["actual_fee"]) >= gas * GAS_PRICE


def test_a_contract_is_told_from_other_accounts(run):
    assert run.result("contract-valid")["is_valid"] is True
    assert run.result("contract-invalid")["is_valid"] is False
    assert run.result("contract-missing")["is_valid"] is False
    assert run.result("contract-info")["contract"]["payload"] == CONTRACT


def returned(run: Run, step: str) -> Any:
    [entry] = run.result(step)["query_rets"]
    return entry["result"]["type"], entry["result"]["value"]


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("query", ("string", "起点")),
        ("query-absent", ("bool", False)),
        ("query-number", ("number", 7)),
        ("invoke:query", ("string", "武汉")),
        ("invoke-fails:query", ("string", "武汉")),
        ("invoke-batch:query", ("string", "武昌")),
    ],
)
def test_a_query_gives_what_the_contract_returned(run, step, expected):
    assert returned(run, step) == expected


@pytest.mark.parametrize("step", ["query-fails", "query-writes", "query-endless"])
def test_a_query_that_fails_says_so_in_its_value(run, step):
    [entry] = run.result(step)["query_rets"]
    assert entry["error"]["data"]["exception"]


def test_what_a_contract_does_is_listed_with_the_transaction(run):
    for step, count in [
        ("invoke-forwards", 1),
        ("invoke-logs", 1),
        ("invoke-batch", 2),
    ]:
        applied = run.applied(step)
        assert applied["error_code"] == 0
        assert len(applied["contract_tx_hashes"]) == count
        assert int(applied["actual_fee"]) > applied["tx_size"] * GAS_PRICE


def test_a_contract_is_paid_and_pays(run):
    assert run.applied("invoke-pays")["error_code"] == 0
    assert run.balance("invoke-pays:balance") == CONTRACT_BALANCE + 50
    before, after = (
        run.balance(f"invoke-forwards:{when}") for when in ("before", "after")
    )
    assert after - before == 9


def test_a_failed_creation_gives_no_address(run):
    answer = run.steps["contract-init-fails:address"]
    assert answer["error_code"] == ErrorCode.CONTRACT_EXECUTE_FAIL
    assert "contract" in json.loads(answer["error_desc"])
