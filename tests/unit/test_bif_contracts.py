"""What the ledger gives contracts, with contracts written in Python."""

import json
from collections.abc import Callable
from hashlib import sha256

import pytest

from chain_anchor.bif import addresses, answers, genesis, trial, trie
from chain_anchor.bif.account import Code, Metadata
from chain_anchor.bif.chain_pb2 import (
    Contract,
    Operation,
    OperationLog,
    OperationUpgradeContract,
    TransactionEnv,
)
from chain_anchor.bif.contracts.interface import (
    Call,
    EntryPoint,
    Host,
    Meter,
    Outcome,
    Performed,
)
from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.genesis import FUNDED_BALANCE
from chain_anchor.bif.rules import MAINNET_LIKE
from tests.bif_chains import (
    ALICE,
    BOB,
    CAROL,
    FEE_LIMIT,
    KEYS,
    TestChain,
    create,
    create_contract,
    key,
    metadata,
    pay,
)

Function = Callable[[Call, Host, Meter], object]


class PythonContracts:
    """Runs the function that a contract has for its payload."""

    def __init__(self, **functions: Function) -> None:
        self.functions = functions
        self.calls: list[Call] = []

    def check(self, code: Code) -> None:
        if code.type != Contract.JAVASCRIPT or code.payload not in self.functions:
            raise RefusedError(ErrorCode.CONTRACT_SYNTAX_ERROR, "no such function")

    def run(self, code: Code, call: Call, host: Host, meter: Meter) -> Outcome:
        self.calls.append(call)
        meter.steps += 1
        return Outcome(self.functions[code.payload](call, host, meter))


def nothing(*_: object) -> None:
    """Do nothing."""


def fail(*_: object) -> None:
    raise RefusedError(ErrorCode.CONTRACT_EXECUTE_FAIL, '{"exception":"no"}')


def on_main(function: Function) -> Function:
    def run(call: Call, host: Host, meter: Meter) -> object:
        return function(call, host, meter) if call.entry is EntryPoint.MAIN else None

    return run


def start(**functions: Function) -> tuple[TestChain, PythonContracts]:
    contracts = PythonContracts(**functions)
    return TestChain(contracts=contracts), contracts


def deploy(chain: TestChain, payload: str, balance: int = 0, text: str = "") -> str:
    shown = chain.run(ALICE, create_contract(payload, balance, text))
    assert shown["error_code"] == 0, shown
    return json.loads(shown["error_desc"])[0]["contract_address"]


def test_a_contract_is_created_at_its_address_and_its_init_runs():
    chain, contracts = start(shop=nothing)
    operations = [pay(BOB, 1), create_contract("shop", 50, "hello")]
    shown = chain.run(ALICE, *operations, gas_price=1)
    address = addresses.of_contract(ALICE.address(), 1, 1)
    # As published: BIF-Core-SDK-C, doc/SDK_design_for_C.md, §1.5.2.
    assert shown["error_desc"] == (
        f'[{{"contract_address":"{address}","operation_index":1,"vm_type":0}}]'
    )
    assert shown["actual_fee"] == 1_000_000 + shown["tx_size"]
    (call,) = contracts.calls
    assert (call.address, call.entry, call.input) == (address, EntryPoint.INIT, "hello")
    assert (call.message.coin_amount, call.message.operation_index) == (50, 1)
    found = chain.account(address)
    assert found.contract == Code(Contract.JAVASCRIPT, "shop")
    assert found.privilege.master_weight == 0
    assert chain.balance(address) == 50


def test_a_contract_on_a_sub_chain_carries_its_code():
    chain = TestChain(contracts=PythonContracts(shop=nothing), ac="hany")
    assert deploy(chain, "shop").startswith("did:bid:hany:ef")


def test_a_contract_whose_init_fails_is_not_there():
    chain, _ = start(broken=fail)
    shown = chain.run(ALICE, create_contract("broken", 50))
    assert shown["error_code"] == ErrorCode.CONTRACT_EXECUTE_FAIL
    assert shown["error_desc"] == '{"exception":"no"}'
    assert shown["actual_fee"] == FEE_LIMIT
    assert chain.account(addresses.of_contract(ALICE.address(), 1, 0)) is None
    assert chain.balance(ALICE) == FUNDED_BALANCE - FEE_LIMIT


def test_code_that_no_engine_takes_is_refused_before_and_in_a_block():
    chain, _ = start(shop=nothing)
    transaction = chain.make(ALICE, create_contract("unknown"))
    with pytest.raises(RefusedError) as raised:
        chain.check(transaction)
    assert raised.value.code is ErrorCode.CONTRACT_SYNTAX_ERROR
    chain.close(transaction)
    shown = chain.shown(transaction.hash)
    assert shown["error_code"] == ErrorCode.CONTRACT_SYNTAX_ERROR


def test_a_chain_without_contracts_says_so():
    chain = TestChain()
    with pytest.raises(RefusedError, match="not supported"):
        chain.check(chain.make(ALICE, create_contract("x")))


def test_a_payment_to_a_contract_runs_main():
    chain, contracts = start(shop=nothing)
    address = deploy(chain, "shop")
    chain.run(BOB, pay(address, 7, '{"method":"x"}'), gas_price=3)
    call = contracts.calls[-1]
    assert (call.entry, call.input) == (EntryPoint.MAIN, '{"method":"x"}')
    assert call.message[:] == (BOB.address(), BOB.address(), 1, 0, 7)
    assert call.transaction[:3] == (BOB.address(), BOB.address(), 3)
    assert call.block == (3, chain.ledger.last.close_time)
    assert chain.balance(address) == 7


def test_storage_is_metadata_of_the_contract_and_counts_its_versions():
    def count(call: Call, host: Host, meter: Meter) -> None:
        found = host.metadata(call.address, "count")
        number = int(found.value) if found else 0
        host.perform(call, metadata("count", str(number + 1)), meter)

    chain, _ = start(counter=count)
    address = deploy(chain, "counter")
    shown = chain.run(BOB, pay(address, 0))
    assert len(shown["contract_tx_hashes"]) == 1
    state = chain.ledger.state(0)
    assert list(state.metadatas(address)) == [("count", Metadata("2", 2))]
    assert chain.account(address).metadatas_hash != trie.EMPTY_ROOT


def test_a_contract_that_fails_leaves_nothing():
    def spend(call: Call, host: Host, _: Meter) -> None:
        host.perform(call, metadata("a", "b"), Meter())
        host.perform(call, pay(CAROL, 5), Meter())
        fail()

    chain, _ = start(bad=on_main(spend))
    address = deploy(chain, "bad", 100)
    shown = chain.run(BOB, pay(address, 7))
    assert shown["error_code"] == ErrorCode.CONTRACT_EXECUTE_FAIL
    assert "contract_tx_hashes" not in shown
    assert len(chain.ledger.hashes(0, chain.ledger.last.seq)) == 1
    assert (chain.balance(address), chain.balance(CAROL)) == (100, FUNDED_BALANCE)
    assert chain.ledger.state(0).metadata(address, "a") is None
    assert chain.nonce(address) == 0


def test_what_a_contract_pays_and_logs_are_transactions_of_its_own():
    def work(call: Call, host: Host, meter: Meter) -> None:
        host.perform(call, pay(CAROL, 5), meter)
        log = OperationLog(topic="paid", datas=["5"])
        host.perform(call, Operation(type=Operation.LOG, log=log), meter)

    chain, _ = start(payer=on_main(work))
    address = deploy(chain, "payer", 100)
    shown = chain.run(BOB, pay(address, 0), gas_price=1)
    paid, logged = (
        chain.shown(bytes.fromhex(digest)) for digest in shown["contract_tx_hashes"]
    )
    assert paid["transaction"] == {
        "source_address": address,
        "nonce": 1,
        "operations": [
            {"type": 7, "pay_coin": {"dest_address": CAROL.address(), "amount": 5}}
        ],
    }
    assert paid["trigger"] == {"transaction": {"hash": shown["hash"]}}
    assert logged["trigger"] == {"transaction": {"hash": shown["hash"], "index": 1}}
    assert logged["transaction"]["nonce"] == 2
    assert "signatures" not in logged
    sizes = sum(entry["tx_size"] for entry in (shown, paid, logged))
    assert shown["actual_fee"] == sizes
    assert (paid["error_code"], paid["actual_fee"]) == (0, 0)
    assert chain.balance(CAROL) == FUNDED_BALANCE + 5
    assert chain.nonce(address) == 2
    assert [digest.hex() for digest in chain.ledger.hashes(0, 3)] == [
        entry["hash"] for entry in (shown, paid, logged)
    ]
    assert chain.ledger.last.tx_count == 2
    recorded = chain.ledger.transaction(bytes.fromhex(paid["hash"]))
    environment = TransactionEnv.FromString(recorded.envelope)
    blob = environment.transaction.SerializeToString()
    assert sha256(blob).hexdigest() == paid["hash"]


def test_a_triggered_transaction_names_its_domain():
    def work(call: Call, host: Host, meter: Meter) -> None:
        host.perform(call, pay(CAROL, 5), meter)

    chain, _ = start(payer=work)
    shown = chain.run(ALICE, create_contract("payer", 9), domain_id=20)
    made = chain.shown(bytes.fromhex(shown["contract_tx_hashes"][0]))
    assert made["transaction"]["domain_id"] == 20


def test_contracts_call_and_create_contracts():
    def parent(call: Call, host: Host, meter: Meter) -> object:
        if call.entry is EntryPoint.INIT:
            return None
        made = host.perform(call, create_contract("child", 3, "in"), meter)
        return host.perform(call, pay(made.created, 2, "go"), meter).outcome.value

    def child(call: Call, *_: object) -> str:
        return f"{call.entry.name} {call.input}"

    chain, contracts = start(parent=parent, child=child)
    address = deploy(chain, "parent", 100)
    shown = chain.run(BOB, pay(address, 0))
    created = addresses.of_contract(address, 1, 0)
    assert chain.balance(created) == 5
    birth = chain.shown(bytes.fromhex(shown["contract_tx_hashes"][0]))
    assert json.loads(birth["error_desc"])[0]["contract_address"] == created
    assert shown["error_desc"] == ""
    init, main = contracts.calls[-2:]
    assert (init.entry, init.input, init.address) == (EntryPoint.INIT, "in", created)
    assert main.message[:] == (address, address, 2, 0, 2)
    assert main.transaction == contracts.calls[1].transaction
    assert main.transaction.initiator == BOB.address()


def test_the_result_of_a_called_contract_reaches_its_caller():
    seen: list[Performed] = []

    def parent(call: Call, host: Host, meter: Meter) -> None:
        seen.append(host.perform(call, pay(call.input, 0), meter))

    chain, _ = start(parent=on_main(parent), child=lambda *_: "done")
    child, parent_address = deploy(chain, "child"), deploy(chain, "parent")
    chain.run(BOB, pay(parent_address, 0, child))
    chain.run(BOB, pay(parent_address, 0, CAROL.address()))
    assert seen == [Performed(Outcome("done")), Performed(None)]


def test_a_contract_makes_at_most_512_transactions():
    def many(call: Call, host: Host, meter: Meter) -> None:
        log = Operation(type=Operation.LOG, log=OperationLog(topic="t"))
        for _ in range(int(call.input)):
            host.perform(call, log, meter)

    chain, _ = start(many=on_main(many))
    address = deploy(chain, "many")
    assert len(chain.run(BOB, pay(address, 0, "512"))["contract_tx_hashes"]) == 512
    shown = chain.run(BOB, pay(address, 0, "513"))
    assert shown["error_code"] == ErrorCode.CONTRACT_TOO_MANY_TRANSACTIONS


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        (pay("nobody", 1), ErrorCode.INVALID_ADDRESS),
        (pay(CAROL, -1), ErrorCode.INVALID_PARAMETER),
        (pay(CAROL, 101), ErrorCode.ACCOUNT_LOW_RESERVE),
        (create(BOB, 1), ErrorCode.ACCOUNT_DEST_EXIST),
        (create_contract("unknown"), ErrorCode.CONTRACT_SYNTAX_ERROR),
        (Operation(type=Operation.LOG), ErrorCode.INVALID_PARAMETER),
    ],
)
def test_what_a_contract_triggers_wrongly_fails_its_transaction(operation, code):
    def work(call: Call, host: Host, meter: Meter) -> None:
        host.perform(call, operation, meter)

    chain, _ = start(work=on_main(work))
    address = deploy(chain, "work", 100)
    assert chain.run(BOB, pay(address, 0))["error_code"] == code


def test_a_contract_sees_the_hashes_of_closed_blocks():
    seen: list[str | None] = []

    def look(call: Call, host: Host, _: Meter) -> None:
        seen.extend(host.block_hash(offset) for offset in (-1, 0, 1, 2, 3))

    chain, _ = start(look=on_main(look))
    address = deploy(chain, "look")
    chain.close()
    hashes = [chain.ledger.header(seq).hash.hex() for seq in (3, 2, 1)]
    chain.run(BOB, pay(address, 0))
    assert seen == [None, *hashes, None]


def test_a_contract_knows_its_chain_s_code_and_validators():
    seen: list[object] = []

    def look(call: Call, host: Host, _: Meter) -> None:
        first = KEYS.validators[0].address()
        seen.extend((host.chain_code, host.is_validator(first)))
        seen.append(host.is_validator(call.address))

    chain = TestChain(contracts=PythonContracts(look=look), ac="hany")
    deploy(chain, "look")
    assert seen == ["hany", True, False]


def test_only_its_creator_upgrades_a_contract():
    chain, _ = start(old=lambda *_: "old", new=lambda *_: "new")
    address = deploy(chain, "old")

    def upgrade(payload: str) -> Operation:
        return Operation(
            type=Operation.UPGRADE_CONTRACT,
            upgrade_contract=OperationUpgradeContract(
                dest_address=address, payload=payload
            ),
        )

    shown = chain.run(BOB, upgrade("new"))
    assert shown["error_code"] == ErrorCode.ACCESS_DENIED
    shown = chain.run(ALICE, upgrade("unknown"))
    assert shown["error_code"] == ErrorCode.CONTRACT_SYNTAX_ERROR
    assert chain.run(ALICE, upgrade("new"))["error_code"] == 0
    assert chain.account(address).contract == Code(Contract.JAVASCRIPT, "new", 1)
    assert chain.call(address).outcome.value == "new"


def test_a_native_contract_has_an_account_from_the_start():
    first = genesis.seeded_genesis(KEYS, native={7: "documents"})
    chain = TestChain(genesis=first, contracts=PythonContracts(documents=lambda *_: 5))
    address = "did:bid:efspy6btdcuzP5BH2N899Ycti5Sd7n3z"
    found = chain.account(address)
    assert found.contract == Code(Contract.SYSTEM, "documents")
    assert found.privilege.master_weight == 0
    assert chain.run(BOB, pay(address, 0))["error_code"] == 0
    assert chain.call(address).outcome.value == 5


# Calls and evaluations that leave nothing


def test_a_query_is_answered_and_leaves_nothing():
    def work(call: Call, host: Host, meter: Meter) -> bool:
        meter.depth = 1
        meter.log(call.address, "line")
        host.perform(call, metadata("k", "v"), meter)
        return False

    chain, contracts = start(work=work)
    address = deploy(chain, "work")
    before = dict(chain.storage.values)
    answer = chain.call(address, "in")
    assert chain.storage.values == before
    assert answers.called(answer) == {
        "error_code": 0,
        "error_desc": "",
        "result": {
            "logs": {f"0-{address}": ["line"]},
            "query_rets": [{"result": {"type": "bool", "value": False}}],
            "stat": {
                "apply_time": 0,
                "memory_usage": 0,
                "stack_usage": 0,
                "step": 1,
            },
            "txs": None,
        },
    }
    call = contracts.calls[-1]
    assert (call.entry, call.input) == (EntryPoint.QUERY, "in")
    assert call.block == (3, chain.ledger.last.close_time + 1)


def test_a_call_that_fails_says_why():
    chain, _ = start(broken=on_main(nothing))
    address = deploy(chain, "broken")
    chain.ledger.chain.contracts.functions["broken"] = fail
    shown = answers.called(chain.call(address))
    assert shown["result"]["logs"] == {f"0-{address}": None}
    assert shown["result"]["query_rets"] == [
        {"error": {"data": {"exception": '{"exception":"no"}'}}}
    ]


def test_code_that_is_nowhere_can_be_called_by_a_caller_that_is_not_there():
    seen: list[int] = []

    def look(call: Call, host: Host, _: Meter) -> None:
        sender = host.account(call.message.sender)
        seen.extend((sender.balance, host.account(call.address).balance))

    chain, _ = start(look=look)
    invoked = trial.Invocation(Code(0, "look"), contract_balance=7)
    assert trial.call(chain.ledger, 20, invoked).refusal is None
    known = invoked._replace(source=ALICE.address())
    assert trial.call(chain.ledger, 20, known).refusal is None
    assert seen == [trial.THROW_AWAY_BALANCE, 7, FUNDED_BALANCE, 7]
    with pytest.raises(RefusedError):
        trial.call(chain.ledger, 99, invoked)
    assert trial.contract_at(chain.ledger, 0, "nobody") is None
    assert trial.contract_at(chain.ledger, 0, ALICE.address()) is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("text", {"type": "string", "value": "text"}),
        (5, {"type": "number", "value": 5}),
        (1.5, {"type": "number", "value": 1.5}),
        (True, {"type": "bool", "value": True}),
        (None, {"type": "undefined", "value": None}),
    ],
)
def test_what_a_contract_returned_is_shown_with_its_type(value, shown):
    assert answers.typed(value) == shown


def test_an_evaluated_fee_is_enough_and_not_more_than_needed():
    def work(call: Call, host: Host, meter: Meter) -> None:
        host.perform(call, pay(CAROL, 5), meter)

    chain, _ = start(payer=on_main(work))
    address = deploy(chain, "payer", 100)
    before = dict(chain.storage.values)
    content = chain.make(BOB, pay(address, 0), gas_price=100).content
    found = trial.evaluate(chain.ledger, content, 1)
    assert chain.storage.values == before
    shown = answers.evaluated(found)
    (entry,) = shown["result"]["txs"]
    fee = entry["transaction_env"]["transaction"]["fee_limit"]
    assert fee == entry["actual_fee"] == found.gas * 100
    done = chain.run(BOB, pay(address, 0), gas_price=100, fee_limit=fee)
    assert done["error_code"] == 0
    # 145 octets are counted for a signature that takes 138, and 20 more.
    assert 0 < fee - done["actual_fee"] <= 100 * 30


def test_an_evaluation_counts_with_the_chain_s_price_if_it_is_higher():
    chain = TestChain(MAINNET_LIKE)
    for offered, counted in ((0, 1000), (1500, 1500)):
        content = chain.make(BOB, pay(CAROL, 5), gas_price=offered).content
        found = trial.evaluate(chain.ledger, content, 1)
        assert found.content.gas_price == counted
        assert found.actual_fee == found.gas * counted


def test_an_evaluation_refuses_what_would_fail():
    chain, _ = start()
    poor = key("poor")
    for content, signatures, code in (
        (chain.make(ALICE, pay(BOB, 2 * FUNDED_BALANCE)).content, 1, 100),
        (chain.make(poor, pay(BOB, 1)).content, 1, 103),
        (chain.make(ALICE, pay("nobody", 1)).content, 1, 94),
        (chain.make(ALICE, pay(BOB, 1)).content, 101, 2),
    ):
        with pytest.raises(RefusedError) as raised:
            trial.evaluate(chain.ledger, content, signatures)
        assert raised.value.code == code
