"""Anchoring in whole networks: what they tell of it, options, outages, and kills."""

import asyncio
import contextlib
import itertools
import json
import os
import threading
import urllib.request

import pytest

from chain_anchor.anchor_proof import METADATA_KEY
from chain_anchor.bif.client import ChainClient
from chain_anchor.checkpoint import parse_checkpoint
from chain_anchor.note import Note
from resolver.client import Client, ClientSettings, RetryPolicy
from resolver.commands.running import from_ready
from resolver.errors import ResolverError
from resolver.ready_file import describe
from resolver.running import start_network
from tests.bif_chains import ALICE
from tests.e2e.networks import SELF_RUN_PREFIX, register, running
from tests.nano import closed_port

DEADLINE_SECONDS = 30
HASTY = ClientSettings(retry=RetryPolicy((0.2,), 1.0))
ROUNDS = 2
SOAK_ROUNDS = int(os.environ.get("IDIS_SOAK_ROUNDS", "100"))


async def anchored(network, size=0):
    """Wait until the chain has what the log has, and at least so many entries."""
    came = asyncio.Event()
    network.on_chain.anchoring.listen(lambda _: came.set())
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (
            progress := network.on_chain.anchoring.progress()
        ).behind or progress.size < size:
            came.clear()
            await came.wait()
    return progress


async def fetched(url: str) -> str:
    def get():
        with urllib.request.urlopen(url, timeout=DEADLINE_SECONDS) as answer:
            return answer.read().decode()

    return await asyncio.to_thread(get)


async def test_a_network_anchors_its_log_and_tells_of_it(tmp_path, keys):
    settings = {"chains": True, "anchoring": True, "data": tmp_path / "data"}
    async with running(keys, **settings) as network:
        progress = await anchored(network)
        assert progress.size == network.top.sealing.log.head.size
        told = describe(network)["anchoring"]
        assert told == {
            "url": network.on_chain.chains.backbone.url,
            "account": network.on_chain.chains.anchoring_key.address(),
            "origin": network.top.sealing.log.origin,
        }
        base = f"http://127.0.0.1:{network.top.http.port}"
        report = json.loads(await fetched(f"{base}/api/v1/statistics"))["anchoring"]
        assert report["size"] >= progress.size
        assert report["problem"] == ""
        metrics = await fetched(f"{base}/metrics")
        labels = f'{{node="{network.top.settings.name}",role="top"}}'
        assert f"idis_anchor_working{labels} 1.0" in metrics
        assert f"idis_anchor_confirmed_total{labels}" in metrics
    async with running(keys, **settings) as network:
        assert network.on_chain.anchoring.newest.queued.size >= progress.size


async def test_a_chain_that_nobody_reaches_stops_no_registration(
    keys,
):
    settings = {
        "anchoring": True,
        "anchor_url": f"http://127.0.0.1:{closed_port()}",
        "anchor_key": ALICE,
    }
    async with running(keys, **settings) as network:
        node = network.node_of(SELF_RUN_PREFIX)
        for number in range(20):
            await register(node, f"{SELF_RUN_PREFIX}/N{number}")
        assert network.on_chain.anchoring.newest is None
        assert (
            network.on_chain.anchoring.progress().behind
            == network.top.sealing.log.head.size
        )


@pytest.mark.parametrize(
    "settings",
    [
        {"chains": True},
        {"anchoring": True},
        {"anchoring": True, "chains": True, "chain_clock": "stepped"},
    ],
    ids=["--no-anchoring", "--no-chains", "--chain-clock stepped"],
)
async def test_networks_that_anchor_nothing(keys, settings):
    async with running(keys, secondaries=1, **settings) as network:
        assert network.on_chain.anchoring is None
        assert "anchoring" not in describe(network)


def test_kills_leave_no_checkpoint_twice_and_none_behind(tmp_path):
    kill_rounds(tmp_path, ROUNDS)


@pytest.mark.soak
@pytest.mark.timeout(30 * SOAK_ROUNDS)
def test_many_kills_leave_no_checkpoint_twice_and_none_behind(tmp_path):
    kill_rounds(tmp_path, SOAK_ROUNDS)


def kill_rounds(directory, rounds):
    """Kill a network again and again while it anchors; then look at its chain."""
    options = ("--port-base", "0", "--secondaries", "2", "--data", str(directory / "d"))
    for number in range(rounds):
        network = start_network(directory, [*options, "--fast-path", "off"])
        with killed_at_the_end(network), writing(network) as written:
            write_until_submitted(network, written, number % 3 + 1)
    network = start_network(directory, [*options, "--fast-path", "off"])
    with killed_at_the_end(network):
        told = wait_until(network, lambda told: told["size"] and not told["behind"])
        sizes = sizes_on(told)
        assert all(one < other for one, other in itertools.pairwise(sizes)), sizes
        assert sizes[-1] == told["size"]
        assert len(sizes) >= rounds


def write_until_submitted(network, written, count):
    wait_until(network, lambda told: written and told["submitted"] >= count)


@contextlib.contextmanager
def killed_at_the_end(network):
    try:
        yield
    finally:
        network.process.kill()
        network.process.wait()


@contextlib.contextmanager
def writing(network):
    """Register at an enterprise, one after the other, until the network is gone."""
    credential = from_ready(network.credential("secret", SELF_RUN_PREFIX))
    stop, written = threading.Event(), []

    def write():
        with (
            contextlib.suppress(ResolverError),
            Client(network.recursive, HASTY, credential=credential) as client,
        ):
            for number in itertools.count():
                if stop.is_set():
                    return
                name = f"{SELF_RUN_PREFIX}/K{network.process.pid}-{number}"
                client.register(name, {"URL": "https://example.org"})
                written.append(name)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield written
        network.process.kill()
    finally:
        stop.set()
        writer.join()


def wait_until(network, holds):
    """Ask the top node how far anchoring is, until it is far enough."""
    [top] = [node for node in network.ready["nodes"] if node["role"] == "top"]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(DEADLINE_SECONDS * 200):
        with opener.open(f"{top['http']}/api/v1/statistics", timeout=10) as answer:
            told = json.load(answer)["anchoring"]
        if holds(told):
            return told
        threading.Event().wait(0.005)
    raise TimeoutError(told)


def sizes_on(told):
    """Give the sizes of all checkpoints on the chain, in the order of its blocks."""
    sizes = []
    with ChainClient(told["url"]) as chain:
        for seq in range(2, chain.height() + 1):
            for record in chain.block_transactions(seq):
                [done] = record.content.operations
                assert record.code == 0
                assert done.set_metadata.key == METADATA_KEY + told["origin"]
                note = Note.parse(done.set_metadata.value.encode())
                sizes.append(parse_checkpoint(note.text).size)
    return sizes
