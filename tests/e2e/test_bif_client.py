"""Both clients of the chain against the faces that a chain is served by."""

import asyncio
import contextlib
import functools
import inspect
from hashlib import sha256

import pytest

from chain_anchor.bif.certificates import check_certificate
from chain_anchor.bif.chain_pb2 import Operation
from chain_anchor.bif.client import (
    AnsweredError,
    AsyncChainClient,
    ChainClient,
    ChainSettings,
    FailedError,
    MissingError,
    Terms,
    TimedOutError,
    UnreachableError,
    Wanted,
    operation,
)
from chain_anchor.bif.client.subscription import BlockClosed, TransactionApplied
from chain_anchor.bif.contracts.table import Contracts
from chain_anchor.bif.genesis import FUNDED_BALANCE
from tests.bif_chains import ALICE, BOB, CAROL, SM2_USER, key
from tests.bif_served import MemoryChain, serving

NEW = key("client")
EVENT_SECONDS = 10
SETTINGS = ChainSettings(poll_seconds=0.001, confirm_seconds=0.05)
CONTRACT = """"use strict";
function init(input) { Chain.store("name", input); }
function main(input) { Utils.assert(input !== "fail", "refused"); Chain.store("name", input); }
function query(input) { Utils.assert(input !== "fail", "refused"); return Chain.load("name"); }
"""


class Twin:
    """Calls a client's methods from a test on the loop, whichever client it is."""

    def __init__(self, client):
        self._client = client

    def __getattr__(self, name):
        method = getattr(self._client, name)
        if inspect.iscoroutinefunction(method):
            return method
        return functools.partial(asyncio.to_thread, method)

    @contextlib.asynccontextmanager
    async def subscribed(self, *arguments):
        """Subscribe; give what waits for the next event."""
        if isinstance(self._client, AsyncChainClient):
            async with self._client.subscribe(*arguments) as events:
                yield events.next
            return
        events = await asyncio.to_thread(self._client.subscribe, *arguments)
        await asyncio.to_thread(events.__enter__)
        try:
            yield functools.partial(asyncio.to_thread, events.next)
        finally:
            await asyncio.to_thread(events.__exit__, None, None, None)


@pytest.fixture
async def face():
    async with serving(MemoryChain(contracts=Contracts())) as face:
        yield face


@pytest.fixture
def node(face):
    return face.http._chain


@pytest.fixture(params=[AsyncChainClient, ChainClient], ids=["asyncio", "blocking"])
async def chain(request, face):
    client = request.param(f"http://127.0.0.1:{face.http_port}", SETTINGS)
    yield Twin(client)
    closing = client.close()
    if closing is not None:
        await closing


async def test_the_node_says_what_it_is(chain, face):
    info = await chain.hello()
    assert info.websocket_port == face.websocket_port
    assert (info.chain_code, info.network_id) == ("0", 7)


async def test_accounts_are_read(chain):
    account = await chain.account(ALICE.address())
    assert account.address == ALICE.address()
    assert account.priv.thresholds.tx_threshold == 1
    assert await chain.balance(ALICE.address()) == FUNDED_BALANCE
    assert await chain.nonce(ALICE.address()) == 0
    assert await chain.metadata(ALICE.address()) == {}


async def test_what_is_not_there_is_missing(chain):
    for call in (chain.account, chain.balance, chain.nonce):
        with pytest.raises(MissingError):
            await call(NEW.address())
    with pytest.raises(MissingError):
        await chain.block(99)
    assert await chain.transaction("00" * 32) is None
    assert await chain.block_transactions(1) == ()


async def test_a_block_is_given_with_what_proves_it(chain, node):
    await chain.send(ALICE, operation.pay(BOB.address(), 1))
    found = await chain.block_proof(2)
    header = node.ledger.header(2)
    assert found.header.hash == header.hash
    assert sha256(found.consensus).digest() == header.consensus_value_hash
    check_certificate(found.certificate, header.hash, node.ledger.validators)
    assert await chain.anchored(1) == (2, bytes(32))
    assert await chain.anchored(2) is None
    with pytest.raises(MissingError):
        await chain.block_proof(99)


async def test_a_transaction_is_sent_and_confirmed(chain):
    record = await chain.send(
        ALICE,
        operation.create_account(NEW.address(), 500, {"a": "b"}),
        operation.pay(BOB.address(), 7),
        operation.set_metadata("名称", "武汉"),
        operation.log("topic", ["data"]),
        terms=Terms(remark="备注"),
    )
    assert (record.code, record.content.nonce, record.triggered) == (0, 1, ())
    assert record.content.metadata.decode() == "备注"
    assert record.actual_fee == record.size * 100
    assert await chain.balance(BOB.address()) == FUNDED_BALANCE + 7
    assert await chain.balance(NEW.address()) == 500
    metadata = await chain.metadata(ALICE.address(), "名称")
    assert metadata["名称"].value == "武汉"
    assert (await chain.metadata(NEW.address()))["a"].version == 1
    block = await chain.block(record.ledger_seq)
    assert block.header.seq == record.ledger_seq <= await chain.height()
    assert block.leader in block.validators
    assert await chain.block_transactions(record.ledger_seq) == (record,)
    assert await chain.transaction(record.hash) == record


async def test_a_batch_is_submitted_in_one_request(chain):
    terms = [Terms(nonce=nonce, fee_limit=10**6) for nonce in (1, 2, 2)]
    signed = [
        await chain.prepare(ALICE, operation.pay(BOB.address(), 1), terms=each)
        for each in terms[:2]
    ]
    stale = await chain.prepare(
        BOB, operation.pay(CAROL.address(), 1), terms=Terms(nonce=0, fee_limit=1)
    )
    first, second, third = await chain.submit([*signed, stale])
    assert (first.code, second.code, third.code) == (0, 0, 99)
    assert [first.hash, second.hash] == [each.hash for each in signed]
    assert (await chain.wait(second.hash)).code == 0
    assert await chain.submit([]) == ()


async def test_a_refusal_has_the_node_s_code_and_text(chain):
    terms = Terms(nonce=1, fee_limit=1)
    with pytest.raises(AnsweredError) as caught:
        await chain.send(ALICE, operation.pay(BOB.address(), 1), terms=terms)
    assert caught.value.code == 111
    assert "fee limit(1) is not enough" in caught.value.text
    assert caught.value.hint
    assert str(caught.value).endswith(caught.value.hint)


async def test_a_failure_on_the_chain_is_an_error_with_its_record(chain):
    terms = Terms(fee_limit=10**6)
    with pytest.raises(FailedError) as caught:
        await chain.send(ALICE, operation.pay(BOB.address(), 10**17), terms=terms)
    assert caught.value.code == caught.value.record.code == 100
    assert caught.value.record.actual_fee == 10**6


async def test_more_keys_sign_together(chain):
    change = operation.set_privilege(
        threshold=2,
        signers={BOB.address(): 1},
        type_thresholds={Operation.SET_METADATA: 2},
    )
    await chain.send(ALICE, change)
    write = operation.set_metadata("k", "v")
    with pytest.raises(AnsweredError) as caught:
        await chain.send(ALICE, write)
    assert caught.value.code == 93
    record = await chain.send(ALICE, write, terms=Terms(more_keys=(BOB,)))
    assert len(record.signatures) == 2


async def test_contracts_are_created_called_and_queried(chain):
    created = await chain.send(ALICE, operation.create_contract(CONTRACT, "起点", 10))
    [contract] = created.contracts
    assert await chain.query(contract) == "起点"
    await chain.send(ALICE, operation.pay(contract, 1, "终点"))
    assert await chain.query(contract) == "终点"
    assert await chain.balance(contract) == 11
    with pytest.raises(AnsweredError, match="refused"):
        await chain.query(contract, "fail")
    with pytest.raises(FailedError, match="refused"):
        await chain.send(
            ALICE, operation.pay(contract, 1, "fail"), terms=Terms(fee_limit=10**6)
        )
    with pytest.raises(MissingError):
        await chain.query(BOB.address())


async def test_what_waits_is_seen_and_not_confirmed(chain, face):
    terms = Terms(nonce=2, fee_limit=10**6)
    signed = await chain.prepare(ALICE, operation.pay(BOB.address(), 1), terms=terms)
    assert [one.code for one in await chain.submit([signed, signed])] == [0, 0]
    assert await chain.pool_size() == 1
    [waiting] = await chain.pool(signed.hash)
    assert (waiting.hash, waiting.content.nonce) == (signed.hash, 2)
    with pytest.raises(TimedOutError, match=signed.hash):
        await chain.wait(signed.hash)


async def test_fees_are_evaluated_without_the_key(chain):
    fee = await chain.evaluate(ALICE, operation.pay(BOB.address(), 1))
    record = await chain.send(ALICE, operation.pay(BOB.address(), 1))
    assert record.actual_fee <= fee.fee_limit


async def test_keys_of_sm2_pay_the_longer_signatures(chain):
    # Nodes evaluate every signature as if it were of Ed25519, real ones too.
    await chain.send(ALICE, operation.pay(SM2_USER.address(), 10**9))
    payment = operation.pay(BOB.address(), 1)
    fee = await chain.evaluate(SM2_USER, payment)
    record = await chain.send(SM2_USER, payment)
    assert record.actual_fee <= fee.fee_limit
    await chain.send(ALICE, operation.pay(SM2_USER.address(), 1))
    weights = operation.set_privilege(threshold=2, signers={SM2_USER.address(): 1})
    await chain.send(ALICE, weights)
    await chain.send(ALICE, payment, terms=Terms(more_keys=(SM2_USER,)))


async def test_blocks_and_transactions_are_pushed(chain):
    async with chain.subscribed() as following:
        record = await chain.send(ALICE, operation.pay(BOB.address(), 7))
        headers, applied = [], []
        while not (headers and applied):
            event = await following(EVENT_SECONDS)
            if isinstance(event, BlockClosed):
                headers.append(event.header)
            if isinstance(event, TransactionApplied):
                applied.append(event.stored)
    assert headers[0].seq == record.ledger_seq
    assert applied[0].hash.hex() == record.hash


async def test_a_subscription_may_be_for_some_accounts(chain):
    async with chain.subscribed(Wanted(addresses=(CAROL.address(),))) as following:
        await chain.send(ALICE, operation.pay(BOB.address(), 1))
        wanted = await chain.send(ALICE, operation.pay(CAROL.address(), 1))
        event = None
        while not isinstance(event, TransactionApplied):
            event = await following(EVENT_SECONDS)
    assert event.stored.hash.hex() == wanted.hash


async def test_nobody_there_is_unreachable(chain, unused_tcp_port):
    url = f"ws://127.0.0.1:{unused_tcp_port}"
    with pytest.raises(UnreachableError):
        async with chain.subscribed(Wanted(), url):
            pass
