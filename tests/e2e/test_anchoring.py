"""Checkpoints on their way to a chain: outages, kills, lost and overtaken transactions."""

import asyncio
import contextlib

import pytest

from chain_anchor.bif.client import AsyncChainClient, ChainSettings, operation
from chain_anchor.checkpoint import open_checkpoint
from resolver.anchoring import pacing
from resolver.anchoring.journal import Journal
from resolver.anchoring.records import AnchorChain
from resolver.anchoring.sending import Sender
from resolver.anchoring.submitting import Anchoring
from resolver.faces.bif import BifFace
from resolver.faces.sockets import bind
from tests.bif_chains import ALICE, BOB, key
from tests.bif_nodes import running
from tests.bif_served import HOST
from tests.log_in_memory import ORIGIN, MemoryLog

SETTINGS = ChainSettings(poll_seconds=0.001, confirm_seconds=0.05)
METADATA = f"idis-log/{ORIGIN}"
DEADLINE_SECONDS = 10


class FollowedLog(MemoryLog):
    """A log that tells of its heads, as a node's does."""

    def __init__(self):
        super().__init__()
        self.followers = []
        self.home_prefix()

    def group(self, *changes):
        super().group(*changes)
        for follower in getattr(self, "followers", ()):
            follower(self.log.head)

    @property
    def size(self):
        return self.log.head.size


class Told:
    """What is said and confirmed, to wait for."""

    def __init__(self):
        self._queue = asyncio.Queue()
        self.said = []

    def say(self, text):
        self.said.append(text)
        self._queue.put_nowait(text)

    def confirmed(self, confirmed):
        self._queue.put_nowait(confirmed)

    async def until(self, holds):
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not holds():
                await self._queue.get()


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """Wait a hundredth of what is usual."""
    for name in ("INTERVAL_SECONDS", "GATHER_SECONDS", "_FIRST_PAUSE_SECONDS"):
        monkeypatch.setattr(pacing, name, getattr(pacing, name) / 100)


@pytest.fixture
def log():
    return FollowedLog()


@pytest.fixture
def told():
    return Told()


@contextlib.asynccontextmanager
async def chain(directory, port=0):
    """Run a chain; give its node and port."""
    async with running(directory) as node:
        http, websocket = (bind((HOST,), at, ("tcp",), "test") for at in (port, 0))
        face = BifFace(node, http, websocket)
        await face.start()
        try:
            yield node, http.port
        finally:
            await face.close()
            http.close()
            websocket.close()


@contextlib.asynccontextmanager
async def anchoring(directory, log, told, port, account=ALICE):
    sender = Sender(f"http://{HOST}:{port}", account, ORIGIN, SETTINGS)
    made = Anchoring(log, sender, directory / "anchoring", told.say, is_own=False)
    made.listen(told.confirmed)
    await made.start()
    try:
        yield made
    finally:
        await made.close()


def covers(made, log):
    return lambda: made.newest is not None and made.newest.queued.size == log.size


def sent_by(node, account=ALICE):
    """Give the transactions of an account that are on the chain, in order."""
    ledger, found = node.ledger, []
    for seq in range(2, ledger.last.seq + 1):
        for digest in ledger.hashes(0, seq):
            message = ledger.transaction(digest).message
            if message.transaction_env.transaction.source_address == account.address():
                found.append(digest)
    return found


def sizes_on(node, log):
    """Give the sizes of the checkpoints on the chain, in order; all must verify."""
    found = []
    for digest in sent_by(node):
        content = node.ledger.transaction(digest).message.transaction_env.transaction
        [done] = content.operations
        assert done.set_metadata.key == METADATA
        note = done.set_metadata.value.encode()
        found.append(open_checkpoint(note, ORIGIN, [log.log.signer.key]).size)
    return found


async def test_the_newest_checkpoint_comes_to_the_chain(tmp_path, log, told):
    async with (
        chain(tmp_path / "chain") as (node, port),
        anchoring(tmp_path, log, told, port) as made,
    ):
        for number in range(4):
            await told.until(covers(made, log))
            log.register(b"%d" % number)
        await told.until(covers(made, log))
        sizes = sizes_on(node, log)
        assert sizes == sorted(set(sizes))
        assert sizes[-1] == log.size
        assert made.newest.queued.note == log.log.head.note
        digest = bytes.fromhex(made.newest.queued.transaction.hash)
        assert node.ledger.transaction(digest).message.ledger_seq == made.newest.seq
        progress = made.progress()
        assert (progress.submitted, progress.confirmed) == (len(sizes), len(sizes))
        assert (progress.size, progress.behind, progress.problem) == (log.size, 0, "")
    assert told.said == []


async def test_many_groups_become_few_transactions(tmp_path, log, told, monkeypatch):
    monkeypatch.setattr(pacing, "INTERVAL_SECONDS", 0.1)
    async with (
        chain(tmp_path / "chain") as (node, port),
        anchoring(tmp_path, log, told, port) as made,
    ):
        await told.until(covers(made, log))
        for number in range(50):
            log.register(b"%d" % number)
        await told.until(covers(made, log))
        assert len(sent_by(node)) == 2


async def test_a_chain_that_is_away_is_told_once_and_caught_up_with(
    tmp_path, log, told
):
    async with chain(tmp_path / "chain") as (_, port):
        pass
    async with anchoring(tmp_path, log, told, port) as made:
        await told.until(lambda: told.said)
        for number in range(20):
            log.register(b"%d" % number)
        progress = made.progress()
        assert progress.behind == log.size
        assert progress.behind_seconds > 0
        assert f"{HOST}:{port}" in progress.problem
        async with chain(tmp_path / "chain", port) as (node, _):
            await told.until(covers(made, log))
            assert sizes_on(node, log) == [log.size]
            await told.until(lambda: len(told.said) > 1)
    assert told.said == [
        f"{ORIGIN} is not anchored: {progress.problem}",
        f"no longer: {ORIGIN} is not anchored",
    ]


async def test_a_chain_that_goes_away_for_a_while_has_nothing_twice(
    tmp_path, log, told
):
    async with (
        chain(tmp_path / "chain") as (_, port),
        anchoring(tmp_path, log, told, port) as made,
    ):
        await told.until(covers(made, log))
    async with anchoring(tmp_path, log, told, port) as made:
        assert made.newest.queued.size == log.size
        log.register(b"MEANWHILE")
        await told.until(lambda: told.said)
        async with chain(tmp_path / "chain", port) as (node, _):
            await told.until(covers(made, log))
            sizes = sizes_on(node, log)
            assert len(sizes) == 2
            assert sizes == sorted(set(sizes))


async def test_a_lost_transaction_is_sent_again_the_same(tmp_path, log, told):
    async with chain(tmp_path / "chain") as (node, port):
        node.set_fault("lost_transaction", 3)
        async with anchoring(tmp_path, log, told, port) as made:
            await told.until(covers(made, log))
            assert len(sent_by(node)) == made.progress().submitted == 1
            assert made.progress().retries == 3
            assert made.progress().abandoned == 0


async def test_a_late_block_is_waited_for(tmp_path, log, told):
    async with chain(tmp_path / "chain") as (node, port):
        node.set_fault("late_confirmation", delay_ms=200)
        async with anchoring(tmp_path, log, told, port) as made:
            await told.until(covers(made, log))
            assert len(sent_by(node)) == made.progress().submitted == 1


async def interrupted(directory, log, told, port, *, sent):
    """Leave a queue as a kill leaves it, after the transaction was journaled."""
    sender = Sender(f"http://{HOST}:{port}", ALICE, ORIGIN, SETTINGS)
    queued = await sender.sign(log.log.head.note, log.size)
    journal = Journal.open(directory / "anchoring")
    journal.write(queued)
    journal.close()
    if sent:
        await sender.send(queued)
    await sender.close()
    return queued


@pytest.mark.parametrize("sent", [False, True])
async def test_what_was_under_way_at_a_kill_is_on_the_chain_once(
    tmp_path, log, told, sent
):
    async with chain(tmp_path / "chain") as (node, port):
        queued = await interrupted(tmp_path, log, told, port, sent=sent)
        log.register(b"LATER")
        async with anchoring(tmp_path, log, told, port) as made:
            await told.until(covers(made, log))
        sizes = sizes_on(node, log)
        assert sizes == [queued.size, log.size]
        assert sent_by(node)[0].hex() == queued.transaction.hash


async def test_an_overtaken_nonce_is_signed_anew(tmp_path, log, told):
    async with chain(tmp_path / "chain") as (node, port):
        queued = await interrupted(tmp_path, log, told, port, sent=False)
        async with AsyncChainClient(f"http://{HOST}:{port}", SETTINGS) as client:
            await client.send(ALICE, operation.pay(BOB.address(), 1))
        log.register(b"LATER")
        async with anchoring(tmp_path, log, told, port) as made:
            await told.until(covers(made, log))
            assert made.progress().abandoned == 1
            assert made.newest.queued.nonce == queued.nonce + 1
        found = [digest.hex() for digest in sent_by(node)]
        assert queued.transaction.hash not in found
        assert len(found) == 2


async def test_an_account_that_does_not_exist_is_told(tmp_path, log, told):
    async with chain(tmp_path / "chain") as (node, port):
        nobody = key("nobody")
        async with anchoring(tmp_path, log, told, port, nobody) as made:
            await told.until(lambda: told.said)
            assert nobody.address() in made.progress().problem
            async with AsyncChainClient(f"http://{HOST}:{port}", SETTINGS) as client:
                await client.send(ALICE, operation.pay(nobody.address(), 10**8))
            await told.until(covers(made, log))
            assert sent_by(node, nobody)
    assert len(told.said) == 2


async def test_another_chain_gets_nothing(tmp_path, log, told):
    directory = tmp_path / "anchoring"
    journal = Journal.open(directory)
    journal.write(AnchorChain("ab" * 32, "http://before.example"))
    journal.close()
    async with (
        chain(tmp_path / "chain") as (node, port),
        anchoring(tmp_path, log, told, port) as made,
    ):
        await told.until(lambda: told.said)
        assert made.newest is None
        assert sent_by(node) == []
    assert "is another chain" in told.said[0]
    assert "http://before.example" in told.said[0]
    assert f"move {directory} away" in told.said[0]


async def test_a_chain_that_went_back_gets_the_checkpoint_again(
    tmp_path, log, told, monkeypatch
):
    monkeypatch.setattr(pacing, "LOOK_SECONDS", 0.02)
    async with chain(tmp_path / "chain") as (node, port):
        snapshot = await node.snapshot()
        async with anchoring(tmp_path, log, told, port) as made:
            await told.until(covers(made, log))
            await node.revert(snapshot)
            await told.until(lambda: made.progress().confirmed == 2)
            assert made.newest.queued.size == log.size
            assert sizes_on(node, log) == [log.size]


async def test_a_log_that_is_behind_its_chain_sends_nothing(tmp_path, told):
    newer, older = FollowedLog(), FollowedLog()
    newer.register(b"1", b"2", b"3")
    for name in ("newer", "older"):
        (tmp_path / name).mkdir()
    async with chain(tmp_path / "chain") as (node, port):
        async with anchoring(tmp_path / "newer", newer, told, port) as made:
            await told.until(covers(made, newer))
        async with anchoring(tmp_path / "older", older, told, port) as made:
            await told.until(lambda: told.said)
        assert sizes_on(node, newer) == [newer.size]
    assert f"{newer.size} entries, the log has {older.size}" in told.said[0]
    assert "older copy" in told.said[0]


async def test_a_damaged_queue_is_told_and_left_alone(tmp_path, log, told):
    async with chain(tmp_path / "chain") as (node, port):
        async with anchoring(tmp_path, log, told, port) as made:
            await told.until(covers(made, log))
        file = tmp_path / "anchoring" / "journal"
        damaged = bytearray(file.read_bytes())
        damaged[40] ^= 1
        file.write_bytes(damaged)
        log.register(b"LATER")
        async with anchoring(tmp_path, log, told, port) as made:
            assert "is damaged at" in made.progress().problem
            assert made.progress().behind == log.size
        assert "begin a new queue" in told.said[0]
        assert file.read_bytes() == bytes(damaged)
        assert len(sent_by(node)) == 1
