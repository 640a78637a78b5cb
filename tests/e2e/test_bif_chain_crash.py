"""No answered transaction is lost to SIGKILL, and no block is another one after it."""

import itertools
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bif_chains import check_follows
from tests.bif_nodes import emptied, running

ROOT = Path(__file__).parents[2]
ROUNDS = 10
SOAK_ROUNDS = int(os.environ.get("IDIS_SOAK_ROUNDS", "100"))


MODES = ("automine", "interval")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.timeout(10 * ROUNDS)
async def test_no_answered_transaction_is_lost_to_a_kill(tmp_path, mode):
    await storms(tmp_path, mode, ROUNDS)


@pytest.mark.soak
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.timeout(30 * SOAK_ROUNDS)
async def test_no_answered_transaction_is_lost_to_many_kills(tmp_path, mode):
    await storms(tmp_path, mode, SOAK_ROUNDS)


async def storms(directory: Path, mode: str, rounds: int) -> None:
    answered: list[list[bytes]] = []
    for number in range(rounds):
        lines = kill_after(directory, mode, random.Random(number).randint(1, 150))
        answered += [list(map(bytes.fromhex, line.decode().split())) for line in lines]
        async with running(directory) as node:
            await emptied(node)
            check(node.ledger, answered)


def kill_after(directory: Path, mode: str, enough: int) -> list[bytes]:
    command = (sys.executable, "-m", "tests.e2e.chain_storm", str(directory), mode)
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as child:
        lines = [child.stdout.readline() for _ in range(enough)]
        child.kill()
        lines += child.stdout.readlines()
    assert all(line.endswith(b"\n") for line in lines), "it has not started"
    return lines


def check(ledger, answered: list[list[bytes]]) -> None:
    for digest, *block in answered:
        seq = ledger.transaction(digest).message.ledger_seq
        assert block in ([], [ledger.header(seq).hash])
    headers = [ledger.header(seq) for seq in range(1, ledger.last.seq + 1)]
    for before, after in itertools.pairwise(headers):
        check_follows(before, after)
    assert (
        ledger.state(0).root() == ledger.last.domain_account_hashs[0].account_tree_hash
    )
    nonces = [ledger.state(0).account(at).nonce for at in ledger.state(0).addresses()]
    assert sum(nonces) == ledger.last.tx_count
