"""A chain to be killed: `python -m tests.e2e.chain_storm DIRECTORY`.

A line for each answered transfer: hash of the transaction, then its block's hash.
"""

import asyncio
import os
import sys
from pathlib import Path

from tests.bif_chains import KEYS, pay
from tests.bif_nodes import running, signed


async def write(node, key, to) -> None:
    while True:
        nonce = node.ledger.state(0).account(key.address()).nonce + 1
        sent = signed(key, nonce, pay(to, 1))
        assert await node.submit([sent]) == [None]
        seq = node.ledger.transaction(sent.hash).message.ledger_seq
        block = node.ledger.header(seq).hash
        os.write(1, f"{sent.hash.hex()} {block.hex()}\n".encode())


async def storm(directory: Path) -> None:
    async with running(directory) as node, asyncio.TaskGroup() as writers:
        accounts = KEYS.funded
        for key, to in zip(accounts, (*accounts[1:], accounts[0]), strict=True):
            writers.create_task(write(node, key, to))


if __name__ == "__main__":
    asyncio.run(storm(Path(sys.argv[1])))
