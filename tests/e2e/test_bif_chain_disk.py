"""A chain on a disk that is full: told, nothing answered lost, and it goes on.

In a child process, as the limit on the size of files counts for a whole one.
"""

import asyncio
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from chain_anchor.bif.account_edits import AccountEdit
from chain_anchor.bif.errors import ErrorCode, RefusedError, StorageFullError
from chain_anchor.bif.node import ChainNode
from chain_anchor.bif.transactions import SignedTransaction
from tests.bif_chains import ALICE, BOB, CAROL, metadata, pay
from tests.bif_nodes import running, signed

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 60
LIMIT_OCTETS = 1 << 20


def test_a_full_disk_loses_nothing_answered_and_the_chain_goes_on(tmp_path):
    command = [sys.executable, "-m", "tests.e2e.test_bif_chain_disk", tmp_path]
    subprocess.run(command, cwd=ROOT, timeout=DEADLINE_SECONDS, check=True)


def check_refused(node: ChainNode, refusal: RefusedError | None) -> None:
    assert isinstance(refusal, RefusedError)
    assert refusal.code is ErrorCode.INTERNAL
    assert f"the disk of {node.settings.directory} is full" in refusal.text
    assert "nothing was written" in refusal.text
    assert node.stopped is None


def large(nonce: int) -> SignedTransaction:
    return signed(ALICE, nonce, metadata(f"k{nonce}", "x" * 50_000))


async def fill(node: ChainNode, nonce: int) -> list[SignedTransaction]:
    """Submit until there is no room; give what was answered."""
    answered: list[SignedTransaction] = []
    while True:
        sent = large(nonce + len(answered))
        (refusal,) = await node.submit([sent])
        if refusal is not None:
            check_refused(node, refusal)
            assert node.pool.get(sent.hash) is None
            return answered
        answered.append(sent)


async def refused_by_hand(node: ChainNode, nonce: int) -> None:
    """What cannot be kept until it is mined is not answered for either."""
    await node.set_mining("manual")
    values = [metadata(f"v{number}", "x" * 200_000) for number in range(4)]
    sent = signed(ALICE, nonce, *values)
    (refusal,) = await node.submit([sent])
    check_refused(node, refusal)
    assert node.pool.get(sent.hash) is None
    edit = AccountEdit(metadata={"large": "x" * 200_000})
    with pytest.raises(StorageFullError, match="is full"):
        await node.set_account(BOB.address(), edit)
    await node.set_mining("automine")


async def scene(directory: Path) -> None:
    reported: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: reported.append(context))
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with running(directory) as node:
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT_OCTETS, unlimited[1]))
        waiting = signed(BOB, 2, pay(CAROL, 7))
        assert await node.submit([waiting]) == [None]
        answered = await fill(node, 1)
        assert answered
        assert len(reported) == 1
        # Full again and again: refused each time, still read. Pages that the engine
        # has freed meanwhile may take one more.
        for _ in range(5):
            answered += await fill(node, len(answered) + 1)
        await refused_by_hand(node, len(answered) + 1)
        assert node.ledger.transaction(answered[0].hash) is not None
        assert [entry.transaction for entry in node.pool] == [waiting]
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 * LIMIT_OCTETS, unlimited[1]))
        more = await fill(node, len(answered) + 1)
        assert more
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
        first = signed(BOB, 1, pay(CAROL, 7))
        assert await node.submit([first]) == [None]
    async with running(directory) as node:
        for transaction in (*answered, *more, first, waiting):
            assert node.ledger.transaction(transaction.hash) is not None


if __name__ == "__main__":
    asyncio.run(scene(Path(sys.argv[1])))
