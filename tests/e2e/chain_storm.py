"""A chain to be killed: `python -m tests.e2e.chain_storm DIRECTORY MODE`.

A line for each answered transfer: its hash, and with automine its block's hash.
"""

import asyncio
import itertools
import os
import sys
from pathlib import Path

from tests.bif_chains import KEYS, pay
from tests.bif_nodes import emptied, running, signed

INTERVAL_MS = 7
"""Between blocks, so that several transfers wait for each."""


async def write(node, key, to) -> None:
    for nonce in itertools.count(node.ledger.state(0).account(key.address()).nonce + 1):
        sent = signed(key, nonce, pay(to, 1))
        assert await node.submit([sent]) == [None]
        told = sent.hash.hex()
        if node.mining[0] == "automine":
            seq = node.ledger.transaction(sent.hash).message.ledger_seq
            told += f" {node.ledger.header(seq).hash.hex()}"
        os.write(1, f"{told}\n".encode())


async def storm(directory: Path, mode: str) -> None:
    async with running(directory) as node:
        await emptied(node)
        await node.set_mining(mode, INTERVAL_MS)
        async with asyncio.TaskGroup() as writers:
            accounts = KEYS.funded
            for key, to in zip(accounts, (*accounts[1:], accounts[0]), strict=True):
                writers.create_task(write(node, key, to))


if __name__ == "__main__":
    asyncio.run(storm(Path(sys.argv[1]), sys.argv[2]))
