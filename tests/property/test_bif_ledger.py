"""What holds for any transactions: nothing is made, nothing crashes, all repeats."""

from hashlib import sha256
from itertools import pairwise

from hypothesis import given, settings, strategies as st

from chain_anchor.bif import blocks, json_form, transactions, trie
from chain_anchor.bif.addresses import parse
from chain_anchor.bif.chain_pb2 import (
    Operation,
    OperationSetPrivilege,
    Signer,
    Transaction,
)
from chain_anchor.bif.errors import RefusedError
from chain_anchor.bif.rules import Rules
from chain_anchor.bif.transactions import Signature
from tests.bif_chains import (
    ALICE,
    BOB,
    CAROL,
    TestChain,
    check_follows,
    create,
    key,
    metadata,
    pay,
)

PEOPLE = [ALICE, BOB, CAROL, key("one"), key("two")]
people = st.sampled_from(PEOPLE)
amounts = st.one_of(st.integers(-1, 20), st.integers(0, 2 * 10**15))


@st.composite
def operations(draw):
    source = draw(st.just("") | people.map(lambda key: key.address()))
    kind = draw(st.integers(0, 4))
    if kind == 0:
        operation = pay(draw(people), draw(amounts))
    elif kind == 1:
        operation = create(draw(people), draw(amounts))
    elif kind == 2:
        name, version = draw(st.sampled_from("abc")), draw(st.integers(0, 3))
        operation = metadata(name, "v", version, delete=draw(st.booleans()))
    elif kind == 3:
        signer = Signer(address=draw(people).address(), weight=draw(st.integers(0, 2)))
        data = OperationSetPrivilege(
            tx_threshold=draw(st.sampled_from(["", "1", "2"])), signers=[signer]
        )
        operation = Operation(type=Operation.SET_PRIVILEGE, set_privilege=data)
    else:
        operation = Operation(type=draw(st.integers(0, 15)))
    operation.source_address = source
    return operation


@st.composite
def plans(draw):
    """Draw who sends what, block by block."""
    one = st.tuples(
        people,
        st.lists(operations(), max_size=3),
        st.lists(people, max_size=2),
        st.sampled_from([0, 0, 0, 1]),
        st.sampled_from([0, 1000, 10**6]),
        st.sampled_from([0, 1]),
        st.sampled_from([0, 0, 20]),
    )
    return draw(st.lists(st.lists(one, max_size=4), max_size=4))


def make(chain, nonces, plan):
    source, parts, others, skip, fee_limit, price, domain = plan
    place = domain, source.address()
    nonce = nonces.get(place, chain.nonce(source, domain)) + 1 + skip
    nonces[place] = nonce
    return chain.make(
        source,
        *parts,
        signers=[source, *others],
        nonce=nonce,
        fee_limit=fee_limit,
        gas_price=price,
        domain_id=domain,
    )


def run(plan, rules):
    chain = TestChain(rules)
    fees = 0
    for block_plan in plan:
        nonces: dict[tuple[int, str], int] = {}
        block = chain.close(*[make(chain, nonces, one) for one in block_plan])
        fees += sum(
            chain.shown(applied.hash)["actual_fee"] for applied in block.applied
        )
    return chain, fees


def total(chain) -> int:
    return sum(
        chain.balance(address, domain)
        for domain in chain.ledger.chain.rules.domains
        for address in chain.ledger.state(domain).addresses()
    )


@settings(max_examples=60, deadline=None)
@given(plans(), st.sampled_from([Rules(), Rules(base_reserve=10)]))
def test_only_fees_leave_the_chain(plan, rules):
    before = total(TestChain(rules))
    chain, fees = run(plan, rules)
    assert total(chain) + fees == before
    for address in chain.ledger.state(0).addresses():
        assert chain.balance(address) >= 0


@settings(max_examples=30, deadline=None)
@given(plans())
def test_the_same_transactions_give_the_same_octets(plan):
    assert run(plan, Rules())[0].storage.values == run(plan, Rules())[0].storage.values


@settings(max_examples=30, deadline=None)
@given(plans())
def test_every_block_follows_and_hashes_its_state(plan):
    chain, _ = run(plan, Rules())
    headers = [chain.ledger.header(seq) for seq in range(1, len(plan) + 2)]
    for previous, header in pairwise(headers):
        check_follows(previous, header)
    for domain in (0, 20):
        state = chain.ledger.state(domain)
        leaves = {}
        for address in state.addresses():
            octets = state.account(address).encode()
            leaves[parse(address).state_key] = sha256(octets).digest()
        assert trie.update({}.get, leaves).root == blocks.tree_hash(headers[-1], domain)


@given(st.binary(max_size=200), st.binary(max_size=70))
def test_any_octets_are_a_transaction_or_refused(blob, sign_data):
    try:
        transaction = transactions.read(blob, [Signature(ALICE.public.text, sign_data)])
    except RefusedError:
        return
    chain = TestChain()
    try:
        chain.check(transaction)
    except RefusedError:
        assert chain.close(transaction).dropped


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [*Transaction.DESCRIPTOR.fields_by_name, "type", "pay_coin", "amount"]
            )
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=300)
@given(json_values)
def test_any_json_is_a_transaction_or_refused(data):
    try:
        content = transactions.content_of_json(data)
    except RefusedError:
        return
    again = transactions.content_of_json(json_form.to_json(content))
    assert again == content


@settings(max_examples=100)
@given(json_values)
def test_any_json_is_an_item_or_refused(item):
    try:
        transactions.read_item(item)
    except RefusedError:
        return
