"""Contracts in JavaScript: what they can do, what they cannot, and how it is told.

Texts and results are those of bif notes §1.4, §1.6 and §2.10, of the chain's
documentation, or of Bumo; what is neither is marked as convention in the modules.
"""

import json
import subprocess
import sys
import threading

import pytest

from chain_anchor.bif.account import Code, Privilege
from chain_anchor.bif.chain_pb2 import Operation
from chain_anchor.bif.contracts.interface import (
    ContractError,
    EntryPoint,
    Limits,
    Meter,
    Outcome,
)
from chain_anchor.bif.contracts.table import Contracts, engine_directory
from chain_anchor.bif.errors import ErrorCode, RefusedError
from tests.contract_chain import (
    ABSENT,
    BLOCK,
    CONTRACT,
    HASHES,
    OTHER,
    USER,
    ContractChain,
)

STRICT = '"use strict";'


@pytest.fixture(scope="module")
def contracts():
    return Contracts(cache_directory=engine_directory())


@pytest.fixture
def chain(contracts):
    return ContractChain(contracts)


def main(body):
    return STRICT + "function main(input){" + body + "}"


def value(chain, expression, text="", entry=EntryPoint.MAIN):
    """Evaluate an expression in a contract; give what it is, as JSON."""
    script = (
        f"{STRICT}function {entry.function}(input){{"
        f"return JSON.stringify([{expression}]);}}"
    )
    return json.loads(chain.call(script, text, entry).value)[0]


def refused(chain, script, text="", **named):
    with pytest.raises(RefusedError) as caught:
        chain.call(script, text, **named)
    return caught.value


def thrown(chain, body):
    """Give the exception that a body of `main` throws."""
    error = refused(chain, main(body))
    assert error.code == ErrorCode.CONTRACT_EXECUTE_FAIL
    return json.loads(error.text)["exception"]


class TestEntryPoints:
    @pytest.mark.parametrize("entry", list(EntryPoint))
    def test_each_function_gets_the_input(self, chain, entry):
        script = f"{STRICT}function {entry.function}(input){{return input+'!';}}"
        assert chain.call(script, 'a "b"\n\u2028\0', entry).value == 'a "b"\n\u2028\0!'

    @pytest.mark.parametrize("quotes", ["'use strict';", '"use strict";'])
    def test_strictness_is_declared_in_either_quotes(self, chain, quotes):
        assert chain.call(quotes + "function main(){return 'x';}").value == "x"

    @pytest.mark.parametrize(
        ("returned", "seen"),
        [
            ("'text'", "text"),
            ("true", True),
            ("false", False),
            ("7", 7),
            ("-2.5", -2.5),
            ("9007199254740993", float(2**53)),
            ("0/0", False),
            ("1/0", False),
            ("undefined", False),
            ("null", False),
            ("{}", False),
            ("[1]", False),
            ("main", False),
            ("Symbol('x')", False),
            ("5n", False),
        ],
    )
    def test_what_is_no_text_number_or_truth_value_is_false(
        self, chain, returned, seen
    ):
        outcome = chain.call(main(f"return {returned};"))
        assert outcome == Outcome(seen)
        assert type(outcome.value) is type(seen)

    @pytest.mark.parametrize("entry", list(EntryPoint))
    def test_a_lost_function_is_named(self, chain, entry):
        error = refused(chain, STRICT + "function other(){return;}", entry=entry)
        assert error.code == ErrorCode.CONTRACT_EXECUTE_FAIL
        text = f"Lost of {entry.function} function"
        assert json.loads(error.text) == {"exception": text}

    def test_functions_may_be_values(self, chain):
        assert chain.call(STRICT + "const main=(i)=>i+1;", "a").value == "a1"

    def test_the_script_around_the_functions_runs_in_each_call(self, chain):
        script = (
            STRICT + "const sender=Chain.msg.sender;let count=0;"
            "function main(){count+=1;return sender+count;}"
        )
        assert chain.call(script).value == USER + "1"
        assert chain.call(script).value == USER + "1"

    def test_halves_of_surrogate_pairs_are_replaced(self, chain):
        assert chain.call(main(r"return 'a\ud800b';")).value == "a\ufffdb"
        assert chain.call(main("return input;"), "\U0001f600").value == "\U0001f600"


class TestFacts:
    def test_block_transaction_and_message(self, chain):
        script = main(
            "return JSON.stringify([Chain.block,Chain.tx,Chain.msg,"
            "Chain.thisAddress,Chain.chainCode]);"
        )
        chain.chain_code = "hany"
        block, tx, message, address, code = json.loads(
            chain.call(script, amount=12).value
        )
        assert block == {"number": BLOCK.number, "timestamp": BLOCK.timestamp}
        assert tx == {
            "initiator": USER,
            "sender": USER,
            "gasPrice": 5,
            "feeLimit": 1000,
            "hash": "cc" * 32,
        }
        assert message == {
            "initiator": USER,
            "sender": USER,
            "nonce": 3,
            "operationIndex": 1,
            "coinAmount": "12",
        }
        assert (address, code) == (CONTRACT, "hany")

    def test_they_cannot_be_changed(self, chain):
        for place in ("Chain.msg.sender", "Chain.load", "Utils.log", "Chain"):
            exception = thrown(chain, f"{place}='x';")
            assert exception.startswith("TypeError"), place

    def test_a_query_has_no_function_that_writes(self, chain):
        names = (
            "store",
            "del",
            "tlog",
            "payCoin",
            "delegateCall",
            "contractCall",
            "contractCreate",
        )
        for name in names:
            kind = f"typeof Chain.{name}"
            assert value(chain, kind, entry=EntryPoint.QUERY) == "undefined"
            assert value(chain, kind) == "function"
        assert value(chain, "Chain.msg.coinAmount", entry=EntryPoint.QUERY) is None


class TestReading:
    def test_load(self, chain):
        chain.call(main("Chain.store('k','v');"))
        assert value(chain, "Chain.load('k')") == "v"
        for wrong in ("'absent'", "", "1", "'k','k'"):
            assert value(chain, f"Chain.load({wrong})") is False

    def test_get_account_metadata(self, chain):
        chain.call(main("Chain.store('k','v');"), address=OTHER)
        assert value(chain, f"Chain.getAccountMetadata('{OTHER}','k')") == "v"
        for wrong in (f"'{OTHER}','x'", f"'{ABSENT}','k'", "'garbage','k'", "'k'"):
            assert value(chain, f"Chain.getAccountMetadata({wrong})") is False

    def test_get_block_hash_counts_back_from_the_last_closed_block(self, chain):
        assert value(chain, "Chain.getBlockHash(0)") == HASHES[0]
        assert value(chain, "Chain.getBlockHash(1)") == HASHES[1]
        for wrong in ("2", "-1", "1024", "'0'", "", "0/0", "-1/0", "1/0"):
            assert value(chain, f"Chain.getBlockHash({wrong})") is False

    def test_get_balance_is_a_text(self, chain):
        chain.put(OTHER, balance=9_999_111_100_000)
        assert value(chain, f"Chain.getBalance('{OTHER}')") == "9999111100000"
        assert value(chain, f"Chain.getBalance('{ABSENT}')") == "0"
        assert value(chain, "Chain.getBalance(5)") is False

    def test_get_account_privilege_is_json(self, chain):
        chain.put(OTHER)
        told = value(chain, f"Chain.getAccountPrivilege('{OTHER}')")
        assert told == '{"master_weight":1,"thresholds":{"tx_threshold":1}}'
        privilege = Privilege(0, ((USER, 5),), 3, ((7, 2),))
        chain.accounts[OTHER] = chain.accounts[OTHER]._replace(privilege=privilege)
        told = json.loads(value(chain, f"Chain.getAccountPrivilege('{OTHER}')"))
        assert told == {
            "signers": [{"address": USER, "weight": 5}],
            "thresholds": {
                "tx_threshold": 3,
                "type_thresholds": [{"type": 7, "threshold": 2}],
            },
        }
        assert value(chain, f"Chain.getAccountPrivilege('{ABSENT}')") is False

    def test_get_contract_property(self, chain):
        chain.put(OTHER, "é" * 5)
        chain.put(USER)
        asked = "Chain.getContractProperty('{}')"
        told = value(chain, asked.format(OTHER))
        assert told == {"type": 0, "length": 10, "version": 0}
        assert value(chain, asked.format(USER))["length"] == 0
        assert value(chain, asked.format(ABSENT)) is False
        assert value(chain, asked.format("garbage")) is False

    def test_is_validator(self, chain):
        assert value(chain, f"Chain.isValidator('{USER}')") is True
        assert value(chain, f"Chain.isValidator('{OTHER}')") is False


class TestWriting:
    def test_store_is_a_transaction_that_sets_metadata(self, chain):
        assert value(chain, "Chain.store('k','v'),Chain.store('k','w')") is True
        assert chain.metadatas[CONTRACT, "k"] == ("w", 2)
        source, operation = chain.performed[0]
        assert source == CONTRACT
        assert operation.type == Operation.SET_METADATA
        assert operation.set_metadata.key == "k"
        assert operation.set_metadata.version == 0

    def test_del(self, chain):
        assert value(chain, "Chain.store('k','v'),Chain.del('k')") is True
        assert chain.metadatas == {}
        error = refused(chain, main("Chain.del('k');"))
        assert error.code == ErrorCode.NOT_EXIST
        assert error.text == "The key(k) to be deleted is not exist"

    @pytest.mark.parametrize(
        ("body", "exception"),
        [
            ("Chain.store('k');", "Parameter number error"),
            ("Chain.store(1,'v');", "Storage operation parameter should be string"),
            ("Chain.store('k',1);", "Storage operation parameter should be string"),
            ("Chain.store('','v');", "Key is empty."),
            ("Chain.del();", "Parameter number error"),
            ("Chain.del(1);", "Storage operation parameter should be string"),
            ("Chain.tlog('t');", "tlog parameter number error"),
            ("Chain.tlog('t',1,2,3,4,5,6);", "tlog parameter number error"),
            ("Chain.tlog(1,'a');", "tlog parameter 0 should be a String"),
            (
                "Chain.tlog('t','a',{});",
                "tlog parameter 2 should be a String , Number or Boolean",
            ),
            ("Chain.payCoin('a');", "Parameter number error"),
            (
                "Chain.payCoin('a',1);",
                "Contract execution error, payCoin parameter 1 should be a string",
            ),
            (
                "Chain.payCoin('a','-1');",
                (
                    "Failed to execute paycoin function in contract, "
                    "dest_address:a, amount:-1."
                ),
            ),
            (
                "Chain.payCoin('a','9223372036854775808');",
                (
                    "Failed to execute paycoin function in contract, "
                    "dest_address:a, amount:9223372036854775808."
                ),
            ),
            (
                "Chain.contractCall('a',false,'1','');",
                "Contract execution error, contractCall parameter 1 not valid",
            ),
            ("Chain.contractCall('a',true,'1');", "Parameter number error"),
            (
                "Chain.contractCreate('1',1,'','');",
                (
                    "Contract execution error, contractCreate parameter 1 should be 0 "
                    "for javascript"
                ),
            ),
            (
                "Chain.contractCreate('1','0','','');",
                (
                    "Contract execution error, contractCreate parameter 1 should be a "
                    "number"
                ),
            ),
            ("Chain.contractCreate('1',0,'');", "Parameter number error"),
            (
                "Chain.contractCreate('x',0,'','');",
                "Failed to execute contractCreate function in contract, arg_0:x.",
            ),
        ],
    )
    def test_wrong_arguments_are_told_in_the_nodes_words(self, chain, body, exception):
        assert thrown(chain, body) == exception
        assert chain.performed == []

    def test_tlog_writes_values_as_javascript_does(self, chain):
        body = "return Chain.tlog('topic','a',1e21,0.1,true,'');"
        assert chain.call(main(body)).value is True
        ((_, operation),) = chain.performed
        assert operation.type == Operation.LOG
        assert operation.log.topic == "topic"
        assert list(operation.log.datas) == ["a", "1e+21", "0.1", "true", ""]

    def test_pay_coin_pays_and_remarks(self, chain):
        body = f"return Chain.payCoin('{OTHER}','40','','vote');"
        assert chain.call(main(body)).value is True
        assert chain.accounts[OTHER].balance == 40
        assert chain.accounts[CONTRACT].balance == 960
        assert chain.performed[0][1].metadata == b"vote"

    def test_pay_coin_calls_the_contract_it_pays(self, chain):
        chain.put(
            OTHER,
            main("Chain.store('got',input+Chain.msg.coinAmount+Chain.msg.nonce);"),
        )
        chain.call(main(f"Chain.payCoin('{OTHER}','40','in');"))
        assert chain.metadatas[OTHER, "got"].value == "in401"

    def test_what_is_triggered_and_fails_ends_all_with_its_code_and_text(self, chain):
        error = refused(chain, main(f"Chain.payCoin('{OTHER}','1001');return 'x';"))
        assert error.code == ErrorCode.ACCOUNT_LOW_RESERVE
        assert error.text == "not enough for payment"

    def test_contract_call_gives_what_main_returns(self, chain):
        chain.put(OTHER, main("return input+Chain.msg.sender+Chain.tx.sender;"))
        call = f"Chain.contractCall('{OTHER}',true,'1','in')"
        assert value(chain, call) == "in" + CONTRACT + USER
        chain.put(USER)
        assert value(chain, f"Chain.contractCall('{USER}',true,'1','')") is True

    def test_the_error_of_a_contract_that_is_called_is_the_error(self, chain):
        chain.put(OTHER, main("throw 'deep';"))
        error = refused(chain, main(f"Chain.contractCall('{OTHER}',true,'0','');"))
        assert error.code == ErrorCode.CONTRACT_EXECUTE_FAIL
        told = json.loads(error.text)
        assert (told["contract"], told["exception"]) == (OTHER, "deep")

    def test_contract_create_gives_the_address(self, chain):
        code = "'use strict';function init(i){Chain.store('init',i);}"
        body = f"""return Chain.contractCreate('7',0,"{code}",'x');"""
        address = chain.call(main(body)).value
        assert chain.accounts[address].contract == Code(0, code)
        assert chain.accounts[address].balance == 7
        assert chain.metadatas[address, "init"].value == "x"

    def test_contract_create_refuses_what_cannot_be_a_contract(self, chain):
        error = refused(chain, main("Chain.contractCreate('7',0,'x','');"))
        assert error.code == ErrorCode.CONTRACT_SYNTAX_ERROR


class TestCalling:
    def test_delegate_call_works_on_the_callers_storage(self, chain):
        chain.put(
            OTHER,
            main("Chain.store('k',input);return Chain.thisAddress+Chain.msg.sender;"),
        )
        call = f"Chain.delegateCall('{OTHER}','in')"
        assert value(chain, call) == CONTRACT + USER
        assert chain.metadatas[CONTRACT, "k"].value == "in"

    def test_delegate_query_reads_the_callers_storage(self, chain):
        chain.put(OTHER, STRICT + "function query(k){return Chain.load(k);}")
        call = f"Chain.store('k','v'),Chain.delegateQuery('{OTHER}','k')"
        script = main(f"return JSON.stringify([{call}]);")
        assert json.loads(chain.call(script).value) == [True, {"result": "v"}]

    def test_contract_query_reads_the_other_contract(self, chain):
        chain.put(
            OTHER,
            STRICT + "function query(i){return [Chain.thisAddress,Chain.msg.sender,"
            "Chain.msg.initiator,Chain.msg.nonce,i].join();}",
        )
        told = value(chain, f"Chain.contractQuery('{OTHER}','i')")
        assert told == {"result": f"{OTHER},{CONTRACT},{USER},0,i"}

    @pytest.mark.parametrize("function", ["contractQuery", "delegateQuery"])
    def test_a_query_that_fails_is_an_error_to_go_on_with(self, chain, function):
        chain.put(OTHER, STRICT + "function query(){throw 1;}")
        chain.put(USER)
        for place in (OTHER, USER, ABSENT, "garbage"):
            assert value(chain, f"Chain.{function}('{place}','')") == {"error": True}
        assert value(chain, f"Chain.{function}('{OTHER}')") == {"error": True}
        assert value(chain, f"Chain.{function}('{OTHER}',1)") == {"error": True}

    def test_a_query_cannot_write_through_another(self, chain):
        chain.put(OTHER, STRICT + "function query(){Chain.store('k','v');}")
        assert value(chain, f"Chain.contractQuery('{OTHER}','')") == {"error": True}
        assert chain.performed == []

    def test_a_query_that_uses_up_the_steps_ends_all(self, chain):
        chain.put(OTHER, STRICT + "function query(){while(true){}}")
        error = refused(chain, main(f"Chain.contractQuery('{OTHER}','');return 1;"))
        assert (error.code, error.text) == (155, "Step exceeding limit")

    def test_delegate_call_of_what_is_no_contract_throws(self, chain):
        exception = thrown(chain, f"Chain.delegateCall('{ABSENT}','');")
        assert exception == f"Failed to find account {ABSENT}."
        chain.put(USER)
        exception = thrown(chain, f"Chain.delegateCall('{USER}','');")
        assert exception == f"The account({USER}) has no contract."

    @pytest.mark.parametrize(
        "call",
        [
            "Chain.contractCall(Chain.thisAddress,true,'0',input+'x')",
            "Chain.delegateCall(Chain.thisAddress,input+'x')",
        ],
    )
    def test_the_fifth_call_inside_calls_is_too_deep(self, chain, call):
        script = main(f"if(input.length<Number('{{}}')){{return {call};}}return input;")
        assert chain.call(script.replace("{}", "3")).value == "xxx"
        chain.accounts.clear()
        error = refused(chain, script.replace("{}", "4"))
        assert (error.code, error.text) == (153, "Too many recursion.")

    def test_calls_share_what_the_transaction_may_use(self, chain):
        loop = "let k=0;while(k<4000){k+=1;}"
        chain.put(OTHER, main(loop))
        call = f"Chain.contractCall('{OTHER}',true,'0','');"
        chain.call(main(loop + call))
        assert chain.meter.steps == 8012
        error = refused(chain, main(loop + call + call))
        assert (error.code, error.text) == (155, "Step exceeding limit")


class TestUtils:
    @pytest.mark.parametrize(
        ("expression", "result"),
        [
            ("int64Add('12345678912345',1)", "12345678912346"),
            ("int64Sub('12345678912345',1)", "12345678912344"),
            ("int64Mul('12345678912345',2)", "24691357824690"),
            ("int64Mod('12345678912345',2)", "1"),
            ("int64Div('12345678912345',2)", "6172839456172"),
            ("int64Sub('0','1')", "-1"),
            ("int64Add('9223372036854775806','1')", "9223372036854775807"),
            ("int64Sub('-9223372036854775807','1')", "-9223372036854775808"),
            ("int64Compare('12345678912345',2)", 1),
            ("int64Compare('2',2)", 0),
            ("int64Compare('-2',2)", -1),
            ("stoI64Check('12345678912345')", True),
            ("stoI64Check('-9223372036854775808')", True),
            ("stoI64Check('9223372036854775808')", False),
            ("stoI64Check('007')", False),
            ("stoI64Check('1.0')", False),
            ("stoI64Check(' 1')", False),
            ("stoI64Check('')", False),
            ("stoI64Check('-0')", False),
            ("stoI64Check('\u0661')", False),
            ("stoI64Check(1)", False),
            ("assert(true)", True),
            ("assert(1===1,'Not valid')", True),
            (
                "sha256('61626364')",
                "88d4266fd4e6338d13b845fcf289579d209c897823b9217da3e161936f031589",
            ),
            (
                "sha256('abcd',1)",
                "88d4266fd4e6338d13b845fcf289579d209c897823b9217da3e161936f031589",
            ),
            (
                "sha256('YWJjZA==',2)",
                "88d4266fd4e6338d13b845fcf289579d209c897823b9217da3e161936f031589",
            ),
            ("sha256('616')", False),
            ("sha256('xyz',0)", False),
            ("sha256('!',2)", False),
            ("sha256('a',3)", False),
            ("sha256('',1)", False),
            ("sha256(5)", False),
            ("toBaseUnit('12345678912')", "1234567891200000000"),
            ("toBaseUnit('0.00000001')", "1"),
            ("toBaseUnit('1.5')", "150000000"),
            (f"addressCheck('{USER}')", True),
            ("addressCheck('bid:did:zfadxSio3m7C7D84GzgmtTXa9azQB')", False),
            ("addressCheck(1)", False),
            (
                (
                    "toAddress('b06566d8fb4a6dfbe0d5831e38f621391ad9191626f7e28c13d3a048"
                    "2c52d5c9607b14')"
                ),
                "did:bid:efQ69GRtQUDR9SngdFKAv4owYyx5Fnko",
            ),
            ("toAddress('b06566')", False),
            ("log('x')", None),
        ],
    )
    def test_results(self, chain, expression, result):
        assert value(chain, f"Utils.{expression}") == result

    @pytest.mark.parametrize(
        ("expression", "exception"),
        [
            (
                "int64Add('9223372036854775807',1)",
                (
                    "Contract execution error, int64Add, parameter 0 + parameter 1 "
                    "overflowed"
                ),
            ),
            (
                "int64Sub('-9223372036854775808',1)",
                (
                    "Contract execution error, int64Sub, parameter 0 - parameter 1 "
                    "overflowed"
                ),
            ),
            (
                "int64Mul('9223372036854775807',2)",
                (
                    "Contract execution error, int64Mul, parameter 0 * parameter 1 "
                    "overflowed"
                ),
            ),
            ("int64Div('1',0)", "Parameter arg <= 0"),
            ("int64Mod('-1',2)", "Parameter arg <= 0"),
            ("int64Add('1')", "Parameter number error"),
            (
                "int64Add({},1)",
                (
                    "Contract execution error, int64Add, parameter 0 should be a String "
                    "or Number"
                ),
            ),
            (
                "int64Compare('1','x')",
                (
                    "Contract execution error, int64Compare, parameter 1 illegal, maybe "
                    "exceed the limit value of int64."
                ),
            ),
            (
                "int64Add(1.5,1)",
                (
                    "Contract execution error, int64Add, parameter 0 illegal, maybe "
                    "exceed the limit value of int64."
                ),
            ),
            ("assert(false)", "Assertion exception occurred"),
            ("assert(1===2,'Not valid')", "Not valid"),
            (
                "assert(1)",
                "Assertion exception occurred,parameter 0 should be boolean",
            ),
            (
                "assert(true,5)",
                "Assertion exception occurred,parameter 1 should be string",
            ),
            ("toBaseUnit('1.123456789')", "Not a decimal number:1.123456789"),
            ("toBaseUnit('-1')", "Not a decimal number:-1"),
            (
                "toBaseUnit('92233720369')",
                "CallBackToBaseUnit error, int64 overflow:9223372036900000000",
            ),
            (
                "toBaseUnit(1)",
                "contract execution error, toBaseUnit, parameter 0 should be a String",
            ),
        ],
    )
    def test_what_is_thrown(self, chain, expression, exception):
        assert thrown(chain, f"Utils.{expression};") == exception

    def test_logs_are_kept_by_depth_and_contract(self, chain):
        chain.put(OTHER, main("Utils.log('inner');"))
        chain.call(
            main(
                "Utils.log('a');Utils.log({});Utils.log(1);"
                f"Chain.contractCall('{OTHER}',true,'0','');"
            )
        )
        assert chain.meter.logs == {
            f"0-{CONTRACT}": ["a", "[object Object]", "1"],
            f"1-{OTHER}": ["inner"],
        }

    def test_logs_are_bounded(self, chain):
        body = "let k=0;const t='x'.repeat(9999);while(k<50){k+=1;Utils.log(t);}"
        chain.call(main(body))
        (lines,) = chain.meter.logs.values()
        assert len(lines) == 6


class TestErrors:
    def test_an_error_names_contract_line_and_stack(self, chain):
        script = STRICT + "\nfunction f(){\nthrow new TypeError('bad');\n}\n"
        script += "function main(){\n f();\n}"
        error = refused(chain, script)
        assert error.code == ErrorCode.CONTRACT_EXECUTE_FAIL
        details = json.loads(error.text)
        assert details == error.details
        stack = details.pop("stack").splitlines()
        assert details == {
            "contract": CONTRACT,
            "exception": "TypeError: bad",
            "linenum": 3,
        }
        assert stack[0] == "TypeError: bad"
        assert stack[1].startswith("    at f (__enable_check_time__:3:")
        assert stack[2].startswith("    at main (__enable_check_time__:6:")
        assert len(stack) == 3

    def test_a_text_that_is_thrown_has_a_line(self, chain):
        error = refused(chain, main("\n\nthrow 'bad';"))
        assert json.loads(error.text)["linenum"] == 3

    def test_what_the_chain_throws_has_a_line(self, chain):
        error = refused(chain, main("\nUtils.assert(false,'no');"))
        assert json.loads(error.text)["linenum"] == 2

    def test_an_error_outside_of_the_functions(self, chain):
        error = refused(chain, STRICT + "\nconst x=JSON.parse('{');\nfunction main(){}")
        details = json.loads(error.text)
        assert details["exception"].startswith("SyntaxError")
        assert details["linenum"] == 2

    @pytest.mark.parametrize(
        "thrown_value",
        [
            "null",
            "undefined",
            "{}",
            "Symbol('x')",
            "{toString:function(){throw 1;}}",
            "{toString:()=>({})}",
            "Object.create(null)",
        ],
    )
    def test_anything_may_be_thrown(self, chain, thrown_value):
        error = refused(chain, main(f"throw {thrown_value};"))
        assert error.code == ErrorCode.CONTRACT_EXECUTE_FAIL

    def test_long_texts_are_cut(self, chain):
        error = refused(
            chain,
            main(
                "const n='é'.repeat(9999);"
                "const o={[n]:function(){throw new Error(n);}};o[n]();"
            ),
        )
        details = json.loads(error.text)
        assert len(details["exception"].encode()) <= 256
        assert len(details["stack"].encode()) <= 4096

    def test_json_that_is_wrong_is_told(self, chain):
        error = refused(chain, main("JSON.parse(input);"), "{x")
        assert json.loads(error.text)["exception"].startswith("SyntaxError")


class TestSyntax:
    @pytest.mark.parametrize(
        ("script", "text", "line"),
        [
            ("", "empty script", 1),
            ("// only a comment", "empty script", 1),
            ("function main(){}", '"use strict" first', 1),
            ("let a=1;'use strict';", '"use strict" first', 1),
            (STRICT + "\n\nlet a=1;a++;", "'++'", 3),
            (STRICT + "let a=1;a--;", "'--'", 1),
            (STRICT + "let a=1==2;", "'=='", 1),
            (STRICT + "let a=1!=2;", "'!='", 1),
            (STRICT + "let a=Math.PI;", "'Math'", 1),
            (STRICT + "let a=new Date();", "'Date'", 1),
            (STRICT + "eval('1');", "'eval'", 1),
            (STRICT + "function f(){return this;}", "'this'", 1),
            (STRICT + "try{f();}catch(e){g();}", "'try'", 1),
            (STRICT + "void 0;", "'void'", 1),
            (STRICT + "class A{}", "'class'", 1),
            (STRICT + "async function f(){}", "'async'", 1),
            (STRICT + "let a=new Array(5);", "'new Array'", 1),
            (STRICT + "let a=new String('x');", "'new String'", 1),
            (STRICT + "for(;;)f();", "after 'for (...)'", 1),
            (STRICT + "while(true)f();", "after 'while (...)'", 1),
            (STRICT + "while(true);", "after 'while (...)'", 1),
            (STRICT + "function main(){\n", "'}'", 1),
            (STRICT + "\nfunction main(){]}", "']'", 2),
            (STRICT + "}function main(){", "'}'", 1),
            (STRICT + "`a${1", "end of the script", 1),
            (STRICT + "/* never closed", "'*/'", 1),
            (STRICT + "'never closed", "Unexpected", 1),
            (STRICT + r"let \u0061=1;", "Unexpected", 1),
            (STRICT + "#x", "Unexpected", 1),
            (STRICT + "<!-- a comment", "'--'", 1),
            (STRICT + "__step__=1;", "'__step__'", 1),
            (STRICT + "\nlet a=;", "unexpected token", 2),
            (STRICT + "let a=1;\nlet a=2;", "redefinition", 2),
            (STRICT + "\nlet a=[1 2];", "Unexpected number", 2),
        ],
    )
    def test_what_a_node_refuses(self, contracts, script, text, line):
        with pytest.raises(RefusedError) as caught:
            contracts.check(Code(0, script))
        assert caught.value.code == ErrorCode.CONTRACT_SYNTAX_ERROR
        details = json.loads(caught.value.text)
        assert text in details["exception"]
        assert details["linenum"] == line

    @pytest.mark.parametrize(
        ("body", "result"),
        [
            ("return `a${`b${1+{a:2}.a}`}c`;", "ab3c"),
            ("return /[/\"'`{]\\/\"/.test('/');", False),
            ("const a=4;const g=2;return a/2/g;", 1),
            ("if(input==='')/x{/.test('');return 'y';", "y"),
            ("const o={catch:1,this:2,Date:3};return o.catch+o.this+o.Date;", 6),
            ("return ((a)=>a+1)(2);", 3),
            ("return [1,2].map((x)=>({a:x}))[1].a;", 2),
            ("return (()=>{return 5;})();", 5),
            ("let k=0;do{k+=1;}while(k<3);return k;", 3),
            ("let k=0;for(const x of [1,2]){k+=x;}return k;", 3),
            ("let k='';for(const x in {a:1,b:2}){k+=x;}return k;", "ab"),
            ("switch(input){case 'x':return 1;default:return 2;}", 2),
            ("const a={get b(){return 1;},c(){return 2;}};return a.b+a.c();", 3),
            ("function f(a=1,{b}={b:2}){return a+b;}return f();", 3),
            ("const f=(a)=>(b)=>a+b;return f(1)(2);", 3),
            ("return '/*'+\"//\"+'*/';", "/*//*/"),
            ("return 0x10+1e1+.5+1_0;", 36.5),
            ("const $=1;const _a$1=2;return $+_a$1;", 3),
            ("const 变量='名';return 变量;", "名"),
            ("return [...'ab'].length+(input?.length??9);", 2),
            ("return 2**3%5;", 3),
            ("return 'a\\\nb';", "ab"),
            ("function*g(){yield 1;yield 2;}return [...g()].join();", "1,2"),
        ],
    )
    def test_what_is_javascript(self, contracts, chain, body, result):
        script = main(body)
        contracts.check(Code(0, script))
        assert chain.call(script).value == result

    def test_a_script_that_calls_the_chain_is_not_called_by_the_check(self, contracts):
        contracts.check(Code(0, STRICT + "Chain.store('a','b');while(true){}"))

    def test_other_types_are_not_supported(self, contracts):
        for kind in (1, 2, 3, 9):
            with pytest.raises(RefusedError, match="not supported") as caught:
                contracts.check(Code(kind, "x"))
            assert caught.value.code == ErrorCode.INVALID_CONTRACT


class TestSteps:
    @pytest.mark.parametrize(
        ("body", "steps"),
        [
            ("", 1),
            ("let k=0;while(k<7){k+=1;}", 8),
            ("for(let k=0;k<7;k+=1){k+=0;}", 8),
            ("let k=0;do{k+=1;}while(k<7);", 8),
            ("for(const x of [1,2,3]){x.toString();}", 4),
            ("const f=(n)=>n<1?0:f(n-1);f(4);", 6),
            ("const f=(n)=>{if(n>0){f(n-1);}};f(4);", 6),
            ("[1,2,3].forEach((x)=>x);", 4),
            ("[3,1,2].map(function(x){return x;});", 4),
            ("const o={f(){return 1;}};o.f();o.f();", 3),
            ("Chain.load('x');", 11),
            ("Utils.int64Add(1,2);Chain.msg.sender;", 11),
        ],
    )
    def test_calls_rounds_and_questions_are_counted(self, chain, body, steps):
        chain.call(main(body))
        assert chain.meter.steps == steps

    def test_the_last_step_is_allowed(self, chain):
        chain.call(main("let k=0;while(k<10239){k+=1;}"))
        error = refused(chain, main("let k=0;while(k<10240){k+=1;}"))
        assert (error.code, error.text) == (155, "Step exceeding limit")

    def test_as_many_questions_as_the_documentation_allows(self, chain):
        body = "for(let k=0;k<Number(input);k+=1){Chain.load('x');}"
        chain.call(main(body), "930")
        error = refused(chain, main(body), "1024")
        assert (error.code, error.text) == (155, "Step exceeding limit")

    def test_a_contract_cannot_give_itself_steps(self, chain):
        for body in (
            "globalThis.__run__({left:9e9,entry:'main'},'');",
            "globalThis.__step__=()=>true;while(true){}",
            "globalThis.__step__.on=1;while(true){}",
            "Object.defineProperty(globalThis,'__step__',{value:1});",
        ):
            script = main(body.replace("__", "'+'__").replace("'+'", ""))
            error = refused(chain, script)
            assert error.code in {151, 152, 155}
        error = refused(
            chain, main("const g='__st'+'ep__';while(true){globalThis[g]();}")
        )
        assert error.text == "Step exceeding limit"
        assert thrown(chain, "globalThis['__r'+'un__']({left:9e9},'');").startswith(
            "TypeError"
        )


HUNGRY = [
    ("while(true){}", "Step"),
    ("for(;;){let x=1;}", "Step"),
    ("const f=()=>f()+f();f();", "Stack"),
    ("const f=(n)=>n<2?1:f(n-1)+f(n-2);f(40);", "Step"),
    ("function f(){return main(f());}f();", "Stack"),
    ("const f=()=>[2,1].sort(f)[0];f();", "Stack"),
    ("JSON.parse('['.repeat(100000));", "Stack"),
    ("JSON.parse('{\"a\":'.repeat(100000));", "Stack"),
    ("const o={toString:()=>''+o};''+o;", "Stack"),
    ("const o={toJSON:()=>JSON.stringify(o)};JSON.stringify(o);", "Stack"),
    ("/^(a+)+$/.test('a'.repeat(40)+'b');", "Time"),
    ("/^(([a-z])+.)+[A-Z]([a-z])+$/.test('a'.repeat(60));", "Time"),
    ("const a='a'.repeat(1e6);a.indexOf('a'.repeat(5e5)+'b');", "Time"),
    ("const a='ab'.repeat(1e6);a.split('').sort().join('').split('a');", "Memory"),
    ("Array.prototype.lastIndexOf.call({length:2**53-1},1);", "Time"),
    ("Array.prototype.includes.call({length:2**53-1},1);", "Time"),
    ("const a=[];a.length=4294967295;a.indexOf(1);", "Time"),
    ("const a=[1];a.length=4294967295;a.sort();", "Time"),
    ("let n=3n**100000n;while(true){n=n*n;}", "Time"),
    ("for(const x of {*[Symbol.iterator](){while(true){yield 1;}}}){x+1;}", "Step"),
    ("[].concat(...Array.from({length:1e9}));", "Memory"),
    ("const a=[];while(true){a.push('x'.repeat(1e6));}", "Time"),
    ("const a=[];while(true){a.push(JSON.parse('['+'1,'.repeat(1e4)+'1]'));}", "Time"),
    ("'x'.repeat(4e7);", "Memory"),
    ("const a=[];a.length=3e7;a.fill(1);", "Memory"),
    ("Uint8Array.from({length:4e7});", "Memory"),
    ("let a=[1];while(true){a=a.concat(a);}", "Memory"),
    ("const t='x'.repeat(1e6);while(true){Utils.log(t);}", "Time"),
    ("const t='x'.repeat(1e6);while(true){Utils.sha256(t,1);}", "Time"),
]


class TestLimits:
    @pytest.mark.parametrize(("body", "what"), HUNGRY)
    def test_what_uses_too_much_is_ended_and_leaves_the_engine_whole(
        self, chain, body, what
    ):
        error = refused(chain, main(body))
        assert error.code == ErrorCode.CONTRACT_EXECUTE_EXPIRED
        expected = "Time expired" if what == "Time" else f"{what} exceeding limit"
        assert error.text == expected
        assert chain.call(main("return 'whole';")).value == "whole"

    @pytest.mark.parametrize(("body", "what"), HUNGRY)
    def test_it_is_ended_in_the_script_around_the_functions_too(
        self, chain, body, what
    ):
        script = STRICT + "const main=(i)=>i;" + body.replace("const o", "const q")
        error = refused(chain, script.replace("o)", "q)").replace("''+o", "''+q"))
        assert error.code == ErrorCode.CONTRACT_EXECUTE_EXPIRED

    def test_a_text_that_is_too_long_is_an_error_of_the_script(self, chain):
        assert "too long" in thrown(chain, "let a='x';while(true){a+=a;}")

    def test_time_is_what_the_limits_say(self, contracts):
        loop = main("/^(a+)+$/.test('a'.repeat(40)+'b');")
        chain = ContractChain(contracts, limits=Limits(time_microseconds=5000))
        refused(chain, loop)
        assert chain.meter.time_microseconds == 5000

    def test_a_thread_has_stack_enough_for_calls_in_calls(self, contracts):
        chain = ContractChain(contracts, limits=Limits(steps=10**6))
        deep = "const f=(n)=>n<1?{}:f(n-1);return f(600);"
        call = "Chain.contractCall(Chain.thisAddress,true,'0',input+'x')"
        script = main(deep.replace("{}", f"(input.length<3?{call}:input)"))
        found = []
        thread = threading.Thread(target=lambda: found.append(chain.call(script)))
        thread.start()
        thread.join()
        assert found == [Outcome("xxx")]

    def test_a_payload_of_the_largest_size_is_checked(self, contracts):
        rest = "function f{}(a){{let b=a+1;if(b>3){{return b*2;}}return {{a:b}};}}\n"
        script = STRICT + "".join(rest.format(k) for k in range(4300))
        contracts.check(Code(0, script[: 256 * 1024].rpartition("\n")[0]))

    def test_deep_brackets_are_refused(self, contracts):
        with pytest.raises(RefusedError, match="Stack exceeding limit") as caught:
            contracts.check(Code(0, STRICT + "(" * 50000 + "1" + ")" * 50000))
        assert caught.value.code == ErrorCode.CONTRACT_SYNTAX_ERROR

    def test_statistics(self, chain):
        chain.call(main("Chain.load('x');"))
        stat = chain.meter.stat()
        assert stat["step"] == 11
        assert 0 < stat["apply_time"] < 10_000
        assert 0 < stat["memory_usage"] < 2_000_000
        assert 0 < stat["stack_usage"] < 10_000


class TestIsolation:
    def test_nothing_stays_from_one_call_to_the_next(self, chain):
        poison = main(
            "globalThis.left='x';Object.prototype.left='x';String.prototype.trim=1;"
            "Array.prototype.push=null;return 'done';"
        )
        assert chain.call(poison).value == "done"
        for script in (poison.replace("return 'done'", "return 'two'"), main("")):
            chain.call(script)
        told = "typeof globalThis.left+typeof ''.trim+typeof [].push"
        assert value(chain, told) == "undefinedfunctionfunction"

    def test_what_a_contract_changes_does_not_reach_the_one_it_calls(self, chain):
        chain.put(OTHER, main("return typeof {}.left+typeof globalThis.left;"))
        call = f"Chain.contractCall('{OTHER}',true,'0','')"
        body = f"Object.prototype.left=1;globalThis.left=1;return {call};"
        assert chain.call(main(body)).value == "undefinedundefined"

    def test_builtins_that_a_contract_changes_do_not_change_the_chain(self, chain):
        body = (
            "JSON.stringify=()=>'x';JSON.parse=()=>'x';String.prototype.toJSON=()=>1;"
            "Object.prototype.toJSON=()=>1;Array.prototype.toJSON=()=>1;"
            "Object.defineProperty(Array.prototype,'0',{get:()=>'y',set(v){f(v);}});"
            "Chain.store('k','v');return Chain.load('k');"
        )
        assert chain.call(main(body)).value == "v"

    @pytest.mark.parametrize(
        "name",
        [
            "Math",
            "Date",
            "eval",
            "Function",
            "Promise",
            "Proxy",
            "Reflect",
            "Intl",
            "WeakMap",
            "WeakRef",
            "FinalizationRegistry",
            "performance",
            "console",
            "__host__",
            "encodeURI",
        ],
    )
    def test_what_could_differ_or_escape_is_not_there(self, chain, name):
        parts = f"'{name[:2]}'+'{name[2:]}'"
        assert value(chain, f"typeof globalThis[{parts}]") == "undefined"

    def test_no_code_can_be_made_from_texts(self, chain):
        for maker in ("(()=>1)", "(function*(){yield 1;})", "main", "Chain.load"):
            body = f"return typeof {maker}['const'+'ructor'];"
            assert chain.call(main(body)).value == "undefined", maker


class TestDeterminism:
    SCRIPT = main(
        "const m=new Map();let t='';for(let k=0;k<200;k+=1){m.set('k'+k*7%13,k);}"
        "m.forEach((v,k)=>{t+=k+v;});const o={b:1,a:2,1:3};t+=Object.keys(o).join();"
        "t+=[5,1,4,2,3].sort((a,b)=>a-b).join()+(0.1+0.2)+1/3+'ß'.toUpperCase();"
        "Chain.store('t',t);Utils.log(t);return t;"
    )

    def test_two_runs_are_the_same_to_the_instruction(self, contracts):
        seen = []
        for _ in range(2):
            chain = ContractChain(contracts)
            outcome = chain.call(self.SCRIPT)
            seen.append((outcome, chain.meter.ticks, chain.meter.stat()))
        fresh = ContractChain(Contracts(cache_directory=engine_directory()))
        outcome = fresh.call(self.SCRIPT)
        seen.append((outcome, fresh.meter.ticks, fresh.meter.stat()))
        assert seen[0] == seen[1] == seen[2]

    def test_a_failure_is_the_same_to_the_instruction(self, contracts):
        seen = set()
        for _ in range(2):
            chain = ContractChain(contracts)
            error = refused(chain, main("const f=(n)=>f(n+1)+1;f(0);"))
            seen.add((error.text, chain.meter.ticks))
        assert len(seen) == 1

    def test_two_processes_are_the_same(self, contracts):
        chain = ContractChain(contracts)
        chain.call(self.SCRIPT)
        program = (
            "from tests.contract_chain import ContractChain\n"
            "from chain_anchor.bif.contracts.table import Contracts, engine_directory\n"
            "from tests.unit.test_bif_contracts import TestDeterminism\n"
            "chain = ContractChain(Contracts(cache_directory=engine_directory()))\n"
            "chain.call(TestDeterminism.SCRIPT)\n"
            "print(chain.meter.ticks, chain.meter.logs, chain.metadatas)\n"
        )
        run = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            check=True,
            text=True,
            timeout=60,
        )
        here = f"{chain.meter.ticks} {chain.meter.logs} {chain.metadatas}\n"
        assert run.stdout == here


class Native:
    """A native contract that echoes."""

    def check(self, payload):
        raise AssertionError(payload)

    def run(self, code, call, host, meter):
        meter.charge(5)
        return Outcome(f"{code.payload} {call.input}")


class TestNatives:
    def test_a_native_contract_is_run_by_its_name(self, contracts):
        chain = ContractChain(Contracts({"echo": Native()}))
        chain.put(OTHER, "echo", kind=2)
        script = main(f"return Chain.contractCall('{OTHER}',true,'0','in');")
        assert chain.call(script).value == "echo in"
        assert chain.meter.steps == 16

    @pytest.mark.parametrize(("kind", "name"), [(1, "EVM"), (2, "SYSTEM"), (3, "WASM")])
    def test_what_has_no_engine_is_refused(self, contracts, chain, kind, name):
        chain.put(OTHER, "nobody", kind=kind)
        error = refused(chain, main(f"Chain.contractCall('{OTHER}',true,'0','');"))
        assert error.code == ErrorCode.INVALID_CONTRACT
        assert f"type({kind}) not supported: {name}" in error.text


def test_a_meter_is_not_shared_by_transactions(chain):
    chain.call(main("Utils.log('x');"))
    first = chain.meter
    chain.call(main(""))
    assert chain.meter.logs == {}
    assert first.logs
    assert Meter().limits.steps == 10_240


def test_a_contract_error_keeps_what_a_query_shows(chain):
    error = refused(chain, main("throw 'x';"))
    assert isinstance(error, ContractError)
    assert error.details == {"contract": CONTRACT, "exception": "x", "linenum": 1}
