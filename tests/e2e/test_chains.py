"""Both chains in a network: funded accounts, both faces' addresses, anchored headers."""

import asyncio
import urllib.request

from chain_anchor.bif.genesis import FUNDED_BALANCE
from chain_anchor.bif.keys import PrivateKey
from resolver.chains import Chains
from tests.bif_chains import pay
from tests.bif_nodes import Blocks, signed

HOSTS = ("127.0.0.1",)


async def test_both_chains_serve_and_anchor(tmp_path):
    chains = Chains(1, tmp_path, HOSTS, 0, "stepped")
    await chains.start()
    try:
        main, backbone = chains.describe()
        assert (main["role"], backbone["role"]) == ("super", "backbone")
        assert backbone["parent"] == main["name"]
        assert main["genesis"] != backbone["genesis"]
        for chain, ac in ((main, ""), (backbone, "hany")):
            for entry in chain["accounts"]:
                key = PrivateKey.parse(entry["private_key"])
                assert entry["address"] == key.address(ac)
                assert entry["balance"] == FUNDED_BALANCE
        # Programs that know of no code have the same accounts on the sub-chain.
        state = chains.backbone.node.ledger.state(20)
        assert state.account(key.address()).balance == FUNDED_BALANCE
        key = PrivateKey.parse(main["accounts"][0]["private_key"])
        to = main["accounts"][9]["address"]
        blocks = Blocks(chains.main.node)
        for nonce in range(1, 9):
            sent = [signed(key, nonce, pay(to, 1))]
            assert await chains.backbone.node.submit(sent) == [None]
        async with asyncio.timeout(10):
            await blocks.next()
            while chains.anchored(5) is None:
                await blocks.next()
        found = chains.anchored(5)
        assert found.seq == 8
        assert chains.main.node.ledger.transaction(found.transaction) is not None
    finally:
        await chains.close()


async def test_a_strict_chain_has_nothing_for_developers(tmp_path):
    chains = Chains(1, tmp_path, HOSTS, 0, "stepped", strict=True)
    await chains.start()
    try:
        for chain in chains.all:
            asked = f"{chain.url}/_dev/accounts"
            answer = await asyncio.to_thread(urllib.request.urlopen, asked)
            assert answer.read() == b"File not found"
    finally:
        await chains.close()


async def test_the_same_seed_gives_the_same_chains(tmp_path):
    described = []
    for name in ("one", "other"):
        chains = Chains(7, tmp_path / name, HOSTS, 0, "stepped")
        await chains.start()
        described.append([chain.genesis for chain in chains.all])
        await chains.close()
    assert described[0] == described[1]
