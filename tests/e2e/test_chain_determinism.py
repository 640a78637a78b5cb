"""The same seed and the same submissions give the same blocks, on both chains."""

from pathlib import Path

from chain_anchor.bif.account_edits import AccountEdit
from chain_anchor.bif.chain_pb2 import LedgerHeader
from chain_anchor.bif.node import ChainNode
from chain_anchor.bif.store import NODE, ChainStore
from resolver.chains import Chains, funded_accounts
from tests.bif_chains import key, metadata, pay
from tests.bif_nodes import signed

HOSTS = ("127.0.0.1",)
SEED = 7
ACCOUNTS = funded_accounts(SEED)
ALICE, BOB, *_, SM2_USER = ACCOUNTS
EVERY = 8


async def send(node: ChainNode, sender, *operations, nonces: dict) -> None:
    nonce = nonces[node.name, sender] = nonces.get((node.name, sender), 0) + 1
    assert await node.submit([signed(sender, nonce, *operations)]) == [None]


async def submissions(chains: Chains) -> None:
    """What one client does, with pauses nowhere: the next when it is answered."""
    main, backbone = chains.main.node, chains.backbone.node
    nonces: dict = {}
    for number in range(3 * EVERY):
        await send(backbone, ALICE, pay(BOB, number), nonces=nonces)
        await send(main, ALICE, metadata(f"k{number % 5}", "v"), nonces=nonces)
        if number % 7 == 0:
            await send(backbone, SM2_USER, pay(ALICE, 10**17), nonces=nonces)
            await main.set_account(key(f"{number}").address(), AccountEdit(number))
    # By hand: a block of many, and empty ones.
    for node in (backbone, main):
        await node.set_mining("manual")
        for _ in range(5):
            await send(node, BOB, pay(ALICE, 1), nonces=nonces)
            await send(node, ALICE, pay(key("x"), 1), nonces=nonces)
        await node.mine(3 * EVERY)
    await main.mine(2)


def stored(directory: Path) -> dict[bytes, bytes]:
    """Everything of a chain but what its node keeps beside it."""
    store = ChainStore(directory)
    try:
        rows = store.rows(b"")
        return {at: octets for at, octets in rows if not at.startswith(NODE)}
    finally:
        store.close()


async def run(directory: Path) -> dict[str, dict[bytes, bytes]]:
    chains = Chains(SEED, directory, HOSTS, 0, "stepped")
    await chains.start()
    try:
        await submissions(chains)
    finally:
        await chains.close()
    names = [chain.planned.name for chain in chains.all]
    return {name: stored(directory / name) for name in names}


async def test_the_same_submissions_give_the_same_octets_on_both_chains(tmp_path):
    one, other = await run(tmp_path / "one"), await run(tmp_path / "other")
    for name, rows in one.items():
        headers = [at for at in rows if at.startswith(b"H")]
        assert len(headers) > 5 * EVERY, name
        for at in headers:
            again = LedgerHeader.FromString(other[name][at])
            assert LedgerHeader.FromString(rows[at]) == again, name
    assert one == other


async def test_who_closed_a_block_that_is_anchored_is_answered_after_that(tmp_path):
    chains = Chains(SEED, tmp_path, HOSTS, 0, "stepped")
    await chains.start()
    try:
        backbone, nonces = chains.backbone.node, {}
        while backbone.ledger.last.seq < 2 * EVERY:
            await send(backbone, ALICE, pay(BOB, 1), nonces=nonces)
            last = backbone.ledger.last.seq
            found = chains.anchored(EVERY * (last // EVERY)) if last >= EVERY else None
            assert (found is None) == (last < EVERY)
    finally:
        await chains.close()


async def test_headers_wait_on_a_main_chain_that_closes_no_blocks(tmp_path):
    chains = Chains(SEED, tmp_path, HOSTS, 0, "stepped")
    await chains.start()
    try:
        main = chains.main.node
        await main.set_mining("manual")
        await chains.backbone.node.mine(3 * EVERY)
        assert len(main.pool) == 3
        await main.mine()
        assert chains.anchored(3 * EVERY) is not None
        assert not len(main.pool)
    finally:
        await chains.close()
