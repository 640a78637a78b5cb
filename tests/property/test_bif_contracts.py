"""What holds for any script and any value: it ends, and nothing but its error comes."""

import json
import re

from hypothesis import given, settings, strategies as st

from chain_anchor.bif.account import Code
from chain_anchor.bif.contracts.interface import Limits
from chain_anchor.bif.contracts.source import SourceError, counted
from chain_anchor.bif.contracts.table import Contracts, engine_directory
from chain_anchor.bif.errors import RefusedError
from tests.contract_chain import CONTRACT, ContractChain

CONTRACTS = Contracts(cache_directory=engine_directory())
LIMITS = Limits(steps=300, time_microseconds=20_000)
INSERTED = re.compile(r"__step__\(\);|__step__\.on=| __step__\.line=\d+,")

PIECES = [
    "function f(a){",
    "function main(input){",
    "}",
    "{",
    "(",
    ")",
    "[",
    "]",
    ";",
    ",",
    "=>",
    "x=>",
    "()=>",
    "while(x){",
    "for(const x of y){",
    "for(;;){",
    "do{",
    "}while(x);",
    "if(x){",
    "else{",
    "switch(x){case 1:",
    "return ",
    "throw ",
    "new ",
    "let x=",
    "const y=",
    "x",
    "y",
    "f",
    "main",
    "Chain.",
    "Utils.",
    "load",
    "store",
    "payCoin",
    "'a'",
    '"b"',
    "`c${",
    "`",
    "/d/",
    "/",
    "*",
    "+",
    "-=",
    "===",
    "?",
    ":",
    "...",
    "1",
    "2n",
    ".5",
    "//",
    "/*",
    "*/",
    "\n",
    " ",
    "\\",
    "this",
    "globalThis",
    "typeof ",
    "yield ",
    "function*g(){",
]
scripts = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)
texts = st.text(max_size=60)
int64s = st.integers(-(2**63), 2**63 - 1)


def refusal(chain, script, text=""):
    """Call a script; give the code that it is refused with, 0 if it is not."""
    try:
        outcome = chain.call(script, text)
    except RefusedError as error:
        return int(error.code)
    assert isinstance(outcome.value, str | int | float | bool)
    return 0


@given(st.one_of(texts, scripts))
def test_counting_adds_steps_and_nothing_else(script):
    try:
        found = counted('"use strict";' + script)
    except SourceError:
        return
    assert INSERTED.sub("", found) == '"use strict";' + script


@settings(deadline=None, max_examples=150)
@given(scripts, texts)
def test_any_script_ends_with_an_outcome_or_a_refusal(script, text):
    chain = ContractChain(CONTRACTS, limits=LIMITS)
    code = refusal(chain, '"use strict";' + script, text)
    assert code in {0, 4, 100, 151, 152, 155}


@settings(deadline=None, max_examples=150)
@given(scripts)
def test_what_the_check_takes_is_not_called_wrong_syntax_later(script):
    payload = '"use strict";' + script
    try:
        CONTRACTS.check(Code(0, payload))
    except RefusedError:
        return
    chain = ContractChain(CONTRACTS, limits=LIMITS)
    assert refusal(chain, payload) != 152


@settings(deadline=None, max_examples=60)
@given(texts.filter(bool), texts)
def test_any_text_is_stored_and_loaded(key, value):
    chain = ContractChain(CONTRACTS)
    script = (
        "'use strict';function main(input){const [k,v]=JSON.parse(input);"
        "Chain.store(k,v);return Chain.load(k);}"
    )
    assert chain.call(script, json.dumps([key, value])).value == value
    assert chain.metadatas[CONTRACT, key].value == value


@settings(deadline=None, max_examples=60)
@given(int64s, int64s)
def test_numbers_of_64_bits_are_exact(left, right):
    chain = ContractChain(CONTRACTS)
    for name, result in [
        ("Add", left + right),
        ("Sub", left - right),
        ("Mul", left * right),
    ]:
        script = (
            f"'use strict';function main(){{return Utils.int64{name}"
            f"('{left}','{right}');}}"
        )
        if -(2**63) <= result < 2**63:
            assert chain.call(script).value == str(result)
        else:
            assert refusal(chain, script) == 151
