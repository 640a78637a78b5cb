import pytest

from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.pool import TIMEOUT_MICROSECONDS, Pool
from tests.bif_chains import ALICE, BOB, CAROL, TestChain, metadata, pay

CHAIN = TestChain()


def nothing_yet(domain: int, address: str) -> int:
    return 0


def make(source, nonce, **fields):
    return CHAIN.make(source, pay(CAROL, 1), nonce=nonce, **fields)


def refusal(pool: Pool, transaction) -> RefusedError:
    with pytest.raises(RefusedError) as raised:
        pool.add(transaction, 0)
    return raised.value


def test_transactions_of_an_account_go_in_the_order_of_their_nonces():
    pool = Pool()
    made = {nonce: make(ALICE, nonce) for nonce in (3, 1, 2)}
    for transaction in made.values():
        pool.add(transaction, 0)
    assert pool.ready(nothing_yet) == [made[1], made[2], made[3]]
    assert len(pool) == 3


def test_a_gap_keeps_what_comes_after_it_waiting():
    pool = Pool()
    first, third = make(ALICE, 1), make(ALICE, 3)
    for transaction in (third, first):
        pool.add(transaction, 0)
    assert pool.ready(nothing_yet) == [first]
    assert pool.ready(lambda *_: 2) == [third]
    assert pool.ready(lambda *_: 1) == []


def test_of_several_accounts_the_longest_waiting_goes_first():
    pool = Pool()
    order = [make(BOB, 1), make(ALICE, 1), make(BOB, 2), make(ALICE, 2)]
    for transaction in order:
        pool.add(transaction, 0)
    assert pool.ready(nothing_yet) == order
    assert pool.ready(nothing_yet, most=3) == order[:3]


def test_domains_have_nonces_of_their_own():
    pool = Pool()
    pool.add(make(ALICE, 1), 0)
    pool.add(make(ALICE, 1, domain_id=20), 0)
    assert len(pool.ready(nothing_yet)) == 2
    assert len(pool.ready(lambda domain, _: 0 if domain else 1)) == 1
    assert sorted(pool.sources()) == [(0, ALICE.address()), (20, ALICE.address())]


def test_the_same_transaction_again_is_told():
    pool = Pool()
    pool.add(make(ALICE, 1), 0)
    refused = refusal(pool, make(ALICE, 1))
    assert refused.code is ErrorCode.ALREADY_EXIST
    assert refused.text.startswith("Received duplicate transaction message. ")


def test_a_tenth_more_for_gas_replaces_a_transaction():
    pool = Pool()
    old = make(ALICE, 1, gas_price=100)
    pool.add(old, 0)
    refused = refusal(pool, make(ALICE, 1, gas_price=109))
    assert refused.code is ErrorCode.TX_INSERT_QUEUE_FAIL
    assert refused.text.startswith(
        "Drop the transaction to insert queue because of low fee: "
    )
    better = make(ALICE, 1, gas_price=110)
    assert pool.add(better, 0) == old
    assert pool.ready(nothing_yet) == [better]
    assert pool.get(old.hash) is None


def test_a_full_pool_takes_no_more_but_replaces():
    pool = Pool(capacity=2)
    pool.add(make(ALICE, 1, gas_price=1), 0)
    pool.add(make(BOB, 1), 0)
    assert refusal(pool, make(CAROL, 1)).code is ErrorCode.TX_INSERT_QUEUE_FAIL
    assert pool.add(make(ALICE, 1, gas_price=2), 0) is not None
    assert len(pool) == 2


def test_what_a_block_took_is_forgotten_with_what_became_too_old():
    pool = Pool()
    made = [make(ALICE, nonce) for nonce in (1, 2, 4)]
    for transaction in made:
        pool.add(transaction, 0)
    assert pool.settle((0, ALICE.address()), 2) == made[:2]
    assert [entry.transaction for entry in pool] == made[2:]
    assert pool.settle((0, BOB.address()), 9) == []
    assert pool.settle((0, ALICE.address()), 9) == made[2:]
    assert (len(pool), pool.sources()) == (0, [])


def test_one_transaction_can_be_taken_out():
    pool = Pool()
    transaction = make(ALICE, 1)
    pool.add(transaction, 0)
    assert pool.remove(transaction.hash) == transaction
    assert pool.remove(transaction.hash) is None
    assert pool.ready(nothing_yet) == []


def test_what_waits_600_seconds_is_dropped():
    pool = Pool()
    early, late = make(ALICE, 2), make(BOB, 2)
    pool.add(early, 0)
    pool.add(late, 1)
    assert pool.expire(TIMEOUT_MICROSECONDS) == []
    assert pool.expire(TIMEOUT_MICROSECONDS + 1) == [early]
    assert [entry.transaction for entry in pool] == [late]


def test_a_block_is_filled_up_to_16_mib():
    pool = Pool()
    value = "x" * 250_000
    for nonce in range(1, 30):
        operations = [metadata(f"k{n}", value) for n in range(4)]
        pool.add(CHAIN.make(ALICE, *operations, nonce=nonce), 0)
    assert len(pool.ready(nothing_yet)) == 16
    assert sum(len(t.envelope) for t in pool.ready(nothing_yet)) < 16 * 2**20
