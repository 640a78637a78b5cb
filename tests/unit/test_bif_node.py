"""A running chain: grouping, answering, going back, and what a restart finds."""

import asyncio

import pytest

from chain_anchor.bif.account_edits import AccountEdit
from chain_anchor.bif.anchored_headers import row_key
from chain_anchor.bif.certificates import check_certificate
from chain_anchor.bif.chain_pb2 import ConsensusValueHeader
from chain_anchor.bif.errors import (
    ChainStoppedError,
    CorruptChainError,
    ErrorCode,
    RefusedError,
    StorageError,
)
from chain_anchor.bif.header_anchoring import HeaderAnchoring
from chain_anchor.bif.node import ChainNode
from tests.bif_chains import ALICE, BOB, CAROL, DAVE, FEE_LIMIT, check_follows, pay
from tests.bif_nodes import Blocks, emptied, running, settings, signed


def balance(node, key):
    return node.ledger.state(0).account(key.address()).balance


async def test_an_answered_transfer_is_in_a_durable_block(tmp_path):
    async with running(tmp_path) as node:
        before = balance(node, BOB)
        sent = signed(ALICE, 1, pay(BOB, 7))
        assert await node.submit([sent]) == [None]
        assert balance(node, BOB) == before + 7
        last = node.ledger.last
        found = await node.run(lambda ledger: ledger.transaction(sent.hash))
        assert found.message.ledger_seq == last.seq == 2
    async with running(tmp_path) as node:
        assert node.ledger.last == last
        assert balance(node, BOB) == before + 7


async def test_what_arrives_while_a_block_is_closed_shares_the_next(tmp_path):
    async with running(tmp_path) as node:
        sent = [signed(ALICE, number + 1, pay(BOB, 1)) for number in range(60)]
        results = await asyncio.gather(*(node.submit([item]) for item in sent))
        assert results == [[None]] * 60
        assert node.ledger.last.tx_count == 60
        assert node.ledger.last.seq < 10
        assert not len(node.pool)


async def test_one_wrong_transaction_does_not_stop_the_others(tmp_path):
    async with running(tmp_path) as node:
        sent = [
            signed(ALICE, 1, pay(BOB, 1)),
            signed(BOB, 0),
            signed(CAROL, 1, pay(BOB, 1)),
        ]
        first, wrong, last = await node.submit(sent)
        assert (first, last) == (None, None)
        assert wrong.code is ErrorCode.BAD_SEQUENCE


async def test_a_gap_waits_and_is_filled(tmp_path):
    async with running(tmp_path) as node:
        assert await node.submit([signed(ALICE, 2, pay(BOB, 1))]) == [None]
        assert len(node.pool) == 1
        assert await node.submit([signed(ALICE, 1, pay(BOB, 1))]) == [None]
        assert not len(node.pool)
        assert node.ledger.last.tx_count == 2


async def test_a_transaction_sent_twice_is_told_to_be_there(tmp_path):
    async with running(tmp_path) as node:
        sent = signed(ALICE, 1, pay(BOB, 1))
        first, again = await node.submit([sent, sent])
        assert first is None
        assert again.code is ErrorCode.ALREADY_EXIST


async def test_by_hand_a_block_is_closed_only_when_told(tmp_path):
    async with running(tmp_path) as node:
        await node.set_mining("manual")
        await node.submit([signed(ALICE, 1, pay(BOB, 1))])
        assert node.ledger.last.seq == 1
        assert (await node.mine(3)).seq == 4
        assert node.ledger.last.tx_count == 1


async def test_at_intervals_empty_blocks_come_if_asked_for(tmp_path):
    async with running(tmp_path) as node:
        blocks = Blocks(node)
        await node.set_mining("interval", 1, empty=True)
        async with asyncio.timeout(10):
            block = await blocks.next()
        assert not block.applied


async def test_revert_restores_state_hashes_and_clock(tmp_path):
    async with running(tmp_path) as node:
        await node.submit([signed(ALICE, 1, pay(BOB, 1))])
        before, at = node.ledger.last.hash, node.now()
        number = await node.snapshot()
        sent = [signed(ALICE, 2, pay(BOB, 5)), signed(ALICE, 3, pay(CAROL, 6))]
        await node.submit(sent[:1])
        await node.submit(sent[1:])
        await node.advance(10**9)
        assert (await node.revert(number)).hash == before
        assert node.now() == at
        assert node.ledger.transaction(sent[0].hash) is None
        assert node.ledger.header(3) is None
        await node.submit(sent)
        with pytest.raises(RefusedError):
            await node.revert(number)


async def test_snapshots_outlast_a_restart(tmp_path):
    async with running(tmp_path) as node:
        number = await node.snapshot()
        first = node.ledger.last.hash
        await node.submit([signed(ALICE, 1, pay(BOB, 1))])
    async with running(tmp_path) as node:
        await node.submit([signed(ALICE, 2, pay(BOB, 1))])
        assert (await node.revert(number)).hash == first


async def test_the_clock_goes_forward_only(tmp_path):
    async with running(tmp_path) as node:
        await node.advance(3600 * 10**6)
        await node.mine()
        at = node.ledger.last.close_time
        with pytest.raises(RefusedError):
            await node.set_time(at)
        await node.set_time(at + 5)
        assert (await node.mine()).close_time == at + 5


async def test_an_account_is_set_in_a_block(tmp_path):
    async with running(tmp_path) as node:
        edit = AccountEdit(FEE_LIMIT + 42, nonce=6)
        header = await node.set_account(DAVE.address(), edit)
        check_follows(node.ledger.header(1), header)
        assert balance(node, DAVE) == FEE_LIMIT + 42
        assert await node.submit([signed(DAVE, 7, pay(ALICE.address(), 1))]) == [None]
        assert balance(node, DAVE) == FEE_LIMIT + 41


@pytest.mark.parametrize(
    ("address", "edit", "domain", "code"),
    [
        ("did:bid:x", AccountEdit(1), 0, 94),
        (DAVE.address(), AccountEdit(1), 9, 170),
        (DAVE.address(), AccountEdit(-1), 0, 2),
        (DAVE.address(), AccountEdit(nonce=1 << 63), 0, 2),
        (DAVE.address(), AccountEdit(metadata={"": "x"}), 0, 2),
        (DAVE.address(), AccountEdit(code="x" * (1 << 20)), 0, 2),
    ],
)
async def test_an_account_that_cannot_be_set_is_not(
    tmp_path, address, edit, domain, code
):
    async with running(tmp_path) as node:
        with pytest.raises(RefusedError) as refused:
            await node.set_account(address, edit, domain)
        assert (refused.value.code, node.ledger.last.seq) == (code, 1)


async def test_a_crashed_leader_is_followed_by_the_next(tmp_path):
    async with running(tmp_path) as node:
        node.set_fault("leader_crash", delay_ms=0)
        await node.mine()
        validators = node.ledger.validators
        assert [node.leader(1), node.leader(2)] == list(validators[:2])


async def test_a_lost_transaction_is_taken_and_never_seen(tmp_path):
    async with running(tmp_path) as node:
        node.set_fault("lost_transaction")
        sent = signed(ALICE, 1, pay(BOB, 1))
        assert await node.submit([sent]) == [None]
        assert node.pool.get(sent.hash) is None
        assert node.ledger.last.seq == 1
        assert await node.submit([sent]) == [None]
        assert node.ledger.last.seq == 2


async def test_a_certificate_convinces_who_pins_the_validators(tmp_path):
    async with running(tmp_path) as node:
        header = await node.mine()
        following = await node.mine()
        octets = node.ledger.consensus_value(following.seq)
        proof = ConsensusValueHeader.FromString(octets).previous_proof
        check_certificate(proof, header.hash, node.ledger.validators)


async def test_a_listener_that_fails_keeps_nothing_from_the_others(tmp_path):
    reported = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: reported.append(context["exception"])
    )
    async with running(tmp_path) as node:
        node.listen(object())
        blocks = Blocks(node)
        header = await node.mine()
        assert (await blocks.next()).header == header
    assert [type(error) for error in reported] == [AttributeError]


async def test_a_closed_chain_takes_nothing(tmp_path):
    node = ChainNode(settings(tmp_path))
    await node.start()
    await node.close()
    with pytest.raises(ChainStoppedError):
        await node.submit([signed(ALICE, 1, pay(BOB, 1))])


async def test_the_same_submissions_give_the_same_octets(tmp_path):
    hashes = []
    for name in ("one", "other"):
        async with running(tmp_path / name) as node:
            for nonce in range(1, 6):
                await node.submit([signed(ALICE, nonce, pay(BOB, nonce))])
                await node.submit([signed(CAROL, nonce, pay(DAVE, nonce))])
            seqs = range(1, node.ledger.last.seq + 1)
            hashes.append([node.ledger.header(seq).SerializeToString() for seq in seqs])
    assert hashes[0] == hashes[1]
    assert len(hashes[0]) == 11


async def test_a_changed_octet_is_noticed(tmp_path):
    async with running(tmp_path) as node:
        await node.submit([signed(ALICE, 1, pay(BOB, 1))])
        octets = node.ledger.last.SerializeToString()
    file = tmp_path / "data.mdb"
    data = bytearray(file.read_bytes())
    place = data.find(octets)
    while place >= 0:
        data[place + 5] ^= 1
        place = data.find(octets, place + 1)
    file.write_bytes(data)
    with pytest.raises(CorruptChainError, match="checksum"):
        await ChainNode(settings(tmp_path)).start()


async def test_an_older_copy_of_the_data_is_refused(tmp_path):
    async with running(tmp_path) as node:
        await node.submit([signed(ALICE, 1, pay(BOB, 1))])
    older = (tmp_path / "data.mdb").read_bytes()
    async with running(tmp_path) as node:
        await node.submit([signed(ALICE, 2, pay(BOB, 1))])
    (tmp_path / "data.mdb").write_bytes(older)
    with pytest.raises(StorageError, match="older copy"):
        await ChainNode(settings(tmp_path)).start()


async def test_every_kth_header_is_anchored_in_the_main_chain(tmp_path):
    async with (
        running(tmp_path / "main") as main,
        running(tmp_path / "sub", "sub", "hany") as sub,
    ):
        headers = HeaderAnchoring(sub, main, DAVE, every=3, still_seconds=None)
        blocks = Blocks(main)
        headers.start()
        await sub.mine(7)
        async with asyncio.timeout(10):
            while main.ledger.last.seq < 3:
                await blocks.next()
        await headers.close()
        await sub.keep({row_key(5): bytes(32)})  # sent, and never arrived
        for wanted, seq in ((1, 3), (3, 3), (4, 6)):
            assert headers.anchored(wanted).seq == seq
        assert headers.anchored(7) is None
        value = main.ledger.state(0).metadata(DAVE.address(), "hany/6").value
        assert sub.ledger.header(6).hash.hex() in value


# What waits, after a restart


async def test_what_was_answered_while_it_waits_outlasts_the_process(tmp_path):
    sent = [
        signed(ALICE, 1, pay(BOB, 1)),
        signed(CAROL, 1, pay(BOB, 2)),
        signed(ALICE, 2, pay(BOB, 3)),
    ]
    async with running(tmp_path) as node:
        await node.set_mining("manual")
        for item in sent:
            assert await node.submit([item]) == [None]
    async with running(tmp_path) as node:
        assert [entry.transaction for entry in node.pool] == sent
        await emptied(node)
        assert node.ledger.hashes(0, 2) == [item.hash for item in sent]


async def test_what_waits_for_an_earlier_one_outlasts_the_process(tmp_path):
    second = signed(ALICE, 2, pay(BOB, 1))
    async with running(tmp_path) as node:
        assert await node.submit([second]) == [None]
    async with running(tmp_path) as node:
        assert await node.submit([signed(ALICE, 1, pay(BOB, 1))]) == [None]
        assert node.ledger.transaction(second.hash) is not None
    async with running(tmp_path) as node:
        assert not len(node.pool)


async def test_one_sync_keeps_what_many_wait_for(tmp_path):
    async with running(tmp_path) as node:
        await node.set_mining("manual")
        written = []
        write = node._kept.write_rows
        node._kept.write_rows = lambda rows: written.append(len(rows)) or write(rows)
        sent = [signed(ALICE, nonce, pay(BOB, 1)) for nonce in range(1, 41)]
        assert await asyncio.gather(*(node.submit([item]) for item in sent)) == [
            [None]
        ] * len(sent)
        assert sum(written) == len(sent)
        assert len(written) <= 2


async def test_what_a_revert_took_off_the_chain_does_not_wait_again(tmp_path):
    async with running(tmp_path) as node:
        await node.set_mining("manual")
        number = await node.snapshot()
        await node.submit([signed(ALICE, 1, pay(BOB, 1))])
        await node.mine()
        await node.revert(number)
        assert not len(node.pool)
    async with running(tmp_path) as node:
        assert not len(node.pool)
        assert node.ledger.last.seq == 1


async def test_what_was_replaced_does_not_come_back(tmp_path):
    old, new = (
        signed(ALICE, 1, pay(BOB, amount), gas_price=price)
        for amount, price in ((1, 100), (2, 110))
    )
    async with running(tmp_path) as node:
        await node.set_mining("manual")
        assert await node.submit([old]) == [None]
        assert await node.submit([new]) == [None]
    async with running(tmp_path) as node:
        assert [entry.transaction for entry in node.pool] == [new]
        await emptied(node)
        assert node.ledger.transaction(old.hash) is None


async def test_what_was_dropped_does_not_come_back(tmp_path):
    async with running(tmp_path) as node:
        await node.set_mining("manual")
        sent = signed(ALICE, 1, pay(BOB, 1))
        assert await node.submit([sent]) == [None]
        await node.set_account(ALICE.address(), AccountEdit(nonce=1))
        assert not len(node.pool)
    async with running(tmp_path) as node:
        assert not len(node.pool)
        assert node.ledger.transaction(sent.hash) is None


async def test_a_late_block_keeps_nobody_waiting(tmp_path):
    async with running(tmp_path) as node:
        node.set_fault("late_confirmation", delay_ms=600_000)
        sent = signed(ALICE, 1, pay(BOB, 1))
        async with asyncio.timeout(10):
            assert await node.submit([sent]) == [None]
    async with running(tmp_path) as node:
        assert [entry.transaction for entry in node.pool] == [sent]


async def test_a_row_of_the_pool_that_is_none_is_named(tmp_path):
    async with running(tmp_path) as node:
        await node.keep({b"Nwaiting" + bytes(8): b"no envelope"})
    with pytest.raises(CorruptChainError, match="of the pool"):
        await ChainNode(settings(tmp_path)).start()
