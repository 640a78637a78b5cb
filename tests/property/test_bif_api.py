"""Any request gives an answer of the node's, and only what is signed changes a chain."""

import json

from hypothesis import given, settings, strategies as st

from chain_anchor.bif.addresses import of_system_contract
from chain_anchor.bif.api.dialect import ENDPOINTS
from chain_anchor.bif.api.hints import with_hints
from chain_anchor.bif.api.writing import styled
from chain_anchor.bif.contracts.table import Contracts
from chain_anchor.bif.errors import ErrorCode
from tests.bif_chains import ALICE, BOB, pay
from tests.bif_served import MemoryChain, item

CODES = {code.value for code in ErrorCode}
BENCH = ("mine", "snapshot", "revert", "time", "mining", "account", "fault", "", "x")
CODE = '"use strict";function init(){return;}function main(){return;}'
CODE += "function query(i){return Chain.load(i);}"

CHAIN = MemoryChain(contracts=Contracts())
"""One for all examples: what is refused leaves it as it is, what is not is a block."""

GOOD = item(CHAIN.test.make(ALICE, pay(BOB, 1)))

words = st.sampled_from(
    [
        ALICE.address(),
        BOB.address(),
        of_system_contract(7),
        ALICE.text,
        BOB.public.text,
        GOOD["transaction_blob"],
        CODE,
        "PAY_COIN",
        "null",
        "true",
        "20",
        "99",
        "-1",
        str(2**63),
        "0" * 64,
        "/getLedger?seq=1",
        "automine",
        "lost_transaction",
    ]
)
scalars = (
    words
    | st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=20)
)
names = st.sampled_from(
    [
        "items",
        "transaction_blob",
        "signatures",
        "sign_data",
        "public_key",
        "transaction_json",
        "private_keys",
        "source_address",
        "nonce",
        "fee_limit",
        "gas_price",
        "metadata",
        "domain_id",
        "operations",
        "type",
        "pay_coin",
        "create_account",
        "dest_address",
        "amount",
        "input",
        "contract",
        "payload",
        "priv",
        "thresholds",
        "set_metadata",
        "key",
        "value",
        "version",
        "delete_flag",
        "log",
        "topic",
        "datas",
        "signature_number",
        "contract_address",
        "code",
        "opt_type",
        "contract_balance",
        "url",
        "method",
        "jsonData",
        "address",
        "balance",
        "n",
        "set",
        "advance",
        "mode",
        "interval_ms",
        "fault",
        "count",
        "delay_ms",
        "snapshot",
        "empty",
    ]
) | st.text(max_size=5)
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6)
    ),
    max_leaves=20,
)
objects = st.dictionaries(names, documents, max_size=6)


@st.composite
def changed(draw, document):
    """Put something else at one place of a document, or take the place away."""
    copy = json.loads(json.dumps(document))
    at = copy
    while True:
        places = list(at) if isinstance(at, dict) else list(range(len(at)))
        place = draw(st.sampled_from(places))
        inner = at[place]
        if not isinstance(inner, dict | list) or not inner or draw(st.booleans()):
            break
        at = inner
    if isinstance(at, dict) and draw(st.booleans()):
        del at[place]
    else:
        at[place] = draw(documents)
    return copy


TRANSACTION = {
    "source_address": ALICE.address(),
    "nonce": 1,
    "fee_limit": 10**9,
    "gas_price": 1,
    "domain_id": 20,
    "metadata": "abc",
    "operations": [
        {"type": 7, "pay_coin": {"dest_address": BOB.address(), "amount": 1}},
        {
            "type": "CREATE_ACCOUNT",
            "create_account": {
                "contract": {"type": 0, "payload": CODE},
                "priv": {"master_weight": 0, "thresholds": {"tx_threshold": 1}},
                "init_balance": 1,
                "init_input": "x",
            },
        },
        {"type": 4, "set_metadata": {"key": "k", "value": "v", "version": 0}},
    ],
}
USUAL = {
    "submitTransaction": {"items": [GOOD]},
    "testTransaction": {
        "items": [{"transaction_json": TRANSACTION, "signature_number": "1"}]
    },
    "callContract": {"code": CODE, "opt_type": 2, "input": "k", "domain_id": "0"},
    "getTransactionBlob": TRANSACTION,
    "multiQuery": {"items": [{"url": "/getLedger?seq=1", "jsonData": {}}]},
    "_dev/account": {"address": BOB.address(), "balance": 1, "metadata": {"k": "v"}},
}


def check(answer):
    """Check the form that every answer has."""
    told = with_hints(answer)
    assert json.loads(styled(told)) is not None
    for part in (told, *told.get("results", ())):
        assert part.get("error_code", 0) in CODES
        assert isinstance(part.get("error_desc", ""), str)
    assert ALICE.text not in json.dumps(answer.get("error_desc", ""))


@given(endpoint=st.sampled_from(sorted(ENDPOINTS)), body=objects | documents)
@settings(deadline=None)
def test_any_json_has_an_answer_at_every_endpoint(endpoint, body):
    check(CHAIN.ask(f"/{endpoint}", json.dumps(body).encode()))


@given(data=st.data(), endpoint=st.sampled_from(sorted(USUAL)))
@settings(max_examples=200, deadline=None)
def test_a_request_with_one_thing_changed_has_an_answer(data, endpoint):
    body = data.draw(changed(USUAL[endpoint]))
    if endpoint.startswith("_dev"):
        check(CHAIN.develop("POST", f"/{endpoint}", body))
    else:
        check(CHAIN.ask(f"/{endpoint}", body))


@given(
    endpoint=st.sampled_from(sorted(ENDPOINTS)),
    query=st.dictionaries(
        st.sampled_from(
            [
                "address",
                "key",
                "domainid",
                "seq",
                "hash",
                "ledger_seq",
                "start",
                "limit",
                "blob",
                "env",
                "with_fee",
                "with_validator",
                "with_leader",
                "with_consvalue",
                "sign_type",
                "private_key",
                "public_key",
            ]
        ),
        words | st.integers(-(2**70), 2**70).map(str) | st.text(max_size=9),
        max_size=4,
    ),
)
def test_any_query_has_an_answer_at_every_endpoint(endpoint, query):
    written = "&".join(f"{name}={value}" for name, value in query.items())
    check(CHAIN.ask(f"/{endpoint}?{written}"))


@given(path=st.sampled_from(BENCH), body=objects)
@settings(deadline=None)
def test_any_json_has_an_answer_below_dev(path, body):
    if isinstance(body.get("n"), int | str):
        body["n"] = 1
    found = CHAIN.develop("POST", f"/_dev/{path}", json.dumps(body).encode())
    assert found is None or "error_code" in found


@given(body=st.binary(max_size=200))
def test_any_octets_have_an_answer(body):
    for endpoint in USUAL:
        found = CHAIN.ask(f"/{endpoint}", body)
        assert (
            found is None or found.get("error_code", 2) == ErrorCode.INVALID_PARAMETER
        )
