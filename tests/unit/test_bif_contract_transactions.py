"""Contracts in transactions of a ledger: what stays, what does not, what is shown."""

import json
import threading

import pytest

from chain_anchor.bif.chain_pb2 import Contract, Operation
from chain_anchor.bif.contracts.table import Contracts, engine_directory
from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.hexadecimal import decode
from tests.bif_chains import ALICE, BOB, TestChain, create_contract, pay
from tests.contract_chain import ContractChain

COUNTER = """"use strict";
function init(input) { Chain.store("count", input); }
function main(input) {
    const next = Utils.int64Add(Chain.load("count"), input);
    Chain.store("count", next);
    Chain.tlog("counted", next);
    Utils.assert(next !== "13", "unlucky");
    return next;
}
function query(input) { return Chain.load("count") + input; }
"""


@pytest.fixture(scope="module")
def contracts():
    return Contracts(cache_directory=engine_directory())


@pytest.fixture
def chain(contracts):
    return TestChain(contracts=contracts)


def created(chain, payload, text="", balance=0):
    shown = chain.run(ALICE, create_contract(payload, balance, text))
    assert shown["error_code"] == 0, shown
    return json.loads(shown["error_desc"])[0]["contract_address"]


def stored(chain, address):
    return dict(chain.ledger.state(0).metadatas(address))


def test_a_contract_keeps_its_storage_as_metadata(chain):
    address = created(chain, COUNTER, "5")
    shown = chain.run(BOB, pay(address, 0, "3"))
    assert shown["error_code"] == 0
    assert stored(chain, address)["count"] == ("8", 2)


def test_what_it_triggers_are_transactions_of_their_own(chain):
    address = created(chain, COUNTER, "5")
    shown = chain.run(BOB, pay(address, 0, "3"))
    triggered = [chain.shown(decode(item)) for item in shown["contract_tx_hashes"]]
    kinds = [item["transaction"]["operations"][0]["type"] for item in triggered]
    assert kinds == [Operation.SET_METADATA, Operation.LOG]
    for item in triggered:
        assert item["transaction"]["source_address"] == address
        assert item["trigger"]["transaction"]["hash"] == shown["hash"]
    log = triggered[1]["transaction"]["operations"][0]["log"]
    assert log == {"topic": "counted", "datas": ["8"]}


def test_a_call_that_fails_leaves_nothing_but_its_fee(chain):
    address = created(chain, COUNTER, "5")
    before, balance = stored(chain, address), chain.balance(address)
    shown = chain.run(BOB, pay(address, 100, "8"))
    assert shown["error_code"] == ErrorCode.CONTRACT_EXECUTE_FAIL
    told = json.loads(shown["error_desc"])
    assert (told["contract"], told["exception"]) == (address, "unlucky")
    assert told["linenum"] == 7
    assert stored(chain, address) == before
    assert chain.balance(address) == balance
    assert shown["actual_fee"] == shown["transaction"]["fee_limit"]


@pytest.mark.parametrize(
    ("script", "code", "text"),
    [
        ("while (true) { Chain.load('x'); }", 155, "Step exceeding limit"),
        ("/^(a+)+$/.test('a'.repeat(40) + 'b');", 155, "Time expired"),
        ("'x'.repeat(4e7);", 155, "Memory exceeding limit"),
        ("Chain.delegateCall(Chain.thisAddress, '');", 153, "Too many recursion."),
    ],
)
def test_limits_are_errors_of_the_transaction(chain, script, code, text):
    body = "Chain.store('before', 'x');" + script
    init = '"use strict";function init() { return; }'
    address = created(chain, init + "function main() {" + body + "}")
    shown = chain.run(BOB, pay(address, 0, "x"))
    assert shown["error_code"] == code
    assert text in shown["error_desc"]
    assert stored(chain, address) == {}


def test_a_script_that_cannot_be_a_contract_is_refused(chain):
    shown = chain.run(ALICE, create_contract("function init(){}"))
    assert shown["error_code"] == ErrorCode.CONTRACT_SYNTAX_ERROR
    assert "use strict" in shown["error_desc"]


def test_init_that_fails_makes_no_contract(chain):
    script = '"use strict";function init(input) { throw input; }'
    shown = chain.run(ALICE, create_contract(script, 7, "no"))
    assert shown["error_code"] == ErrorCode.CONTRACT_EXECUTE_FAIL
    assert json.loads(shown["error_desc"])["exception"] == "no"


def test_other_types_are_told_apart(chain):
    operation = create_contract("6000")
    operation.create_account.contract.type = Contract.EVM
    shown = chain.run(ALICE, operation)
    assert shown["error_code"] == ErrorCode.INVALID_CONTRACT
    assert "not supported" in shown["error_desc"]


def test_a_query_answers_and_changes_nothing(chain):
    address = created(chain, COUNTER, "5")
    root = chain.ledger.state(0).root()
    answer = chain.call(address, "!")
    assert answer.outcome.value == "5!"
    assert answer.meter.stat()["step"] == 11
    assert chain.ledger.state(0).root() == root


def test_a_contract_pays_from_what_it_has(chain):
    script = '"use strict";function init() { return; } function main(input) {'
    script += f" Chain.payCoin('{BOB.address()}', input, '', 'thanks'); }}"
    address = created(chain, script, balance=50)
    before = chain.balance(BOB)
    shown = chain.run(ALICE, pay(address, 10, "60"))
    assert shown["error_code"] == 0
    assert chain.balance(BOB) == before + 60
    shown = chain.run(ALICE, pay(address, 10, "11"))
    assert shown["error_code"] == ErrorCode.ACCOUNT_LOW_RESERVE
    assert chain.balance(BOB) == before + 60


def test_a_contract_creates_contracts(chain):
    inner = "'use strict';function init(i) { Chain.store('i', i); }"
    script = '"use strict";function init() { return; } function main(input) {'
    script += (
        f' Chain.store("made", Chain.contractCreate("0", 0, "{inner}", input)); }}'
    )
    address = created(chain, script)
    chain.run(ALICE, pay(address, 0, "in"))
    made = stored(chain, address)["made"].value
    assert stored(chain, made)["i"].value == "in"


def test_the_same_submissions_give_the_same_chain(contracts):
    def headers():
        chain = TestChain(contracts=contracts)
        address = created(chain, COUNTER, "5")
        chain.run(BOB, pay(address, 0, "3"))
        chain.run(BOB, pay(address, 0, "5"))
        return chain.ledger.last

    assert headers() == headers()


def test_threads_do_not_disturb_each_other(contracts):
    """The failures of one are not those of another."""
    fails = '"use strict";function main(input) { while (true) { input; } }'
    works = '"use strict";function main(input) { return Chain.load(input) + input; }'
    seen = []

    def run(script):
        chain = ContractChain(contracts)
        for number in range(20):
            try:
                found = chain.call(script, str(number)).value
            except RefusedError as error:
                found = error.text
            wanted = f"false{number}" if script is works else "Step exceeding limit"
            seen.append(found == wanted)

    threads = [threading.Thread(target=run, args=[s]) for s in (fails, works) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 80
