"""Logs under watch: parents, memory, rollback, rotation, all with whole networks."""

import asyncio
import shutil

import pytest

from chain_anchor.bundle import encode_bundle
from chain_anchor.checkpoint import parse_checkpoint
from chain_anchor.entries import Restart, decode_entry
from chain_anchor.note import Note
from chain_anchor.proof import verify_bundle
from chain_anchor.rotation import follow_rotations
from chain_anchor.statemap import KIND_CHILD, KIND_RECORD
from chain_anchor.view import bundle_of
from registry.errors import StoreError
from resolver.errors import SetupError
from tests.e2e.networks import SELF_RUN_PREFIX, register, running
from tests.merkle_trees import witness_key

SUBJECT = f"{SELF_RUN_PREFIX}/NEW"


@pytest.fixture
def places(tmp_path):
    return {"data": tmp_path / "data", "memory": tmp_path / "memory"}


def pinned(network):
    logs = [node.sealing.log for node in network.nodes.values() if node.sealing]
    return {log.origin: [log.signer.key] for log in logs}


def entries_of(node):
    view = node.sealing.log_view
    return [decode_entry(view.entry(index)) for index in range(view.head.size)]


async def reported(network):
    """Report upwards until every log has its children's last checkpoint."""
    for _ in range(3):
        for overseen in network.oversight.logs.values():
            if overseen.report is not None:
                await overseen.report.report()


def proof_of(network, subject: str):
    node = network.node_of(SELF_RUN_PREFIX)
    sealing, name = node.sealing, subject.encode()
    record = node.registry.get(name).public_octets(), None
    bundle = bundle_of(sealing.log, sealing.view.tables, KIND_RECORD, name, record)
    return encode_bundle(sealing.lead_up(bundle))


async def test_one_national_checkpoint_covers_an_enterprise(tmp_path):
    async with running(tmp_path / "keys") as network:
        await register(network.node_of(SELF_RUN_PREFIX), SUBJECT)
        await reported(network)
        top = network.top.sealing.log.origin
        proven = verify_bundle(proof_of(network, SUBJECT), pinned(network), up_to=top)
        assert len(proven.origins) == 3
        assert proven.origins[-1] == top


async def test_the_national_log_has_every_secondary(tmp_path):
    async with running(tmp_path / "keys", secondaries=4) as network:
        await reported(network)
        top = network.top.sealing
        for node in network.nodes.values():
            if node.settings.role == "secondary":
                origin = node.sealing.log.origin.encode()
                found = bundle_of(top.log, top.view.tables, KIND_CHILD, origin)
                logged = parse_checkpoint(decode_entry(found.entry).extra.decode())
                assert logged == node.sealing.log.head.checkpoint


async def test_reports_end_when_nothing_changes(tmp_path):
    async with running(tmp_path / "keys") as network:
        await reported(network)
        sizes = {name: len(entries_of(node)) for name, node in sealed(network)}
        await reported(network)
        assert {name: len(entries_of(node)) for name, node in sealed(network)} == sizes


def sealed(network):
    return [(name, node) for name, node in network.nodes.items() if node.sealing]


async def test_an_older_copy_of_the_data_is_refused(tmp_path, places):
    await run_once(tmp_path, places)
    shutil.copytree(places["data"], tmp_path / "backup")
    await run_once(tmp_path, places, f"{SUBJECT}2")
    shutil.rmtree(places["data"])
    shutil.copytree(tmp_path / "backup", places["data"])
    with pytest.raises(SetupError, match="this is an older copy") as refused:
        await run_once(tmp_path, places)
    assert "--accept-rollback" in refused.value.hint


async def test_two_copies_that_went_on_apart_are_told_apart(tmp_path, places):
    await run_once(tmp_path, places)
    other = tmp_path / "other"
    shutil.copytree(places["data"], other)
    await run_once(tmp_path, places, f"{SUBJECT}2")
    await run_once(
        tmp_path, {"data": other}, f"{SUBJECT}3", f"{SUBJECT}4", f"{SUBJECT}5"
    )
    with pytest.raises(SetupError, match="two copies went on apart"):
        await run_once(tmp_path, {"data": other, "memory": places["memory"]})


async def test_an_accepted_rollback_is_in_the_log(tmp_path, places):
    await run_once(tmp_path, places)
    shutil.copytree(places["data"], tmp_path / "backup")
    await run_once(tmp_path, places, f"{SUBJECT}2")
    shutil.rmtree(places["data"])
    shutil.copytree(tmp_path / "backup", places["data"])
    said = []
    async with running(
        tmp_path / "keys", accept_rollback=True, say=said.append, **places
    ) as network:
        node = network.node_of(SELF_RUN_PREFIX)
        restarts = [e for e in entries_of(node) if isinstance(e, Restart)]
        assert len(restarts) == 1
        assert restarts[0].origin == node.sealing.log.origin
    assert any("accepted" in line for line in said)
    await run_once(tmp_path, places)  # from here on it is the log


async def test_a_rotated_key_is_followed_and_kept(tmp_path, places):
    async with running(tmp_path / "keys", **places) as network:
        first = network.top.sealing.log.signer.key
    async with running(tmp_path / "keys", rotate_log_keys=True, **places) as network:
        proofs = network.top.sealing.rotations()
    async with running(tmp_path / "keys", **places) as network:
        sealing = network.top.sealing
        assert follow_rotations(first, proofs) == sealing.log.signer.key != first
        assert (
            Note.parse(sealing.log.head.note)
            .signatures[0]
            .is_by(sealing.log.signer.key)
        )


async def test_a_temporary_network_leaves_no_memory(tmp_path):
    memory = tmp_path / "memory"
    async with running(tmp_path / "keys", memory=memory) as network:
        await network.oversight._remember()
    assert not memory.exists()


async def run_once(tmp_path, places, *subjects):
    async with running(tmp_path / "keys", **places) as network:
        node = network.node_of(SELF_RUN_PREFIX)
        await asyncio.gather(*(register(node, subject) for subject in subjects))


async def test_a_log_above_that_takes_nothing_is_told_once_and_when_it_does_again(
    tmp_path,
):
    said = []
    async with running(tmp_path / "keys", say=said.append) as network:
        await reported(network)
        top = network.top.registry
        top.stopped = StoreError("no disk")
        for _ in range(2):
            for subject in (f"{SUBJECT}1", f"{SUBJECT}2"):
                await register(
                    network.node_of(SELF_RUN_PREFIX), subject, overwrite=True
                )
            await watched(network)
        top.stopped = None
        await watched(network)
    told = [line for line in said if "not told" in line]
    assert [line.startswith("no longer") for line in told] == [False, True]
    assert "no disk" in told[0]


async def test_a_witness_that_is_not_there_is_told_once(tmp_path):
    key = witness_key("w.example").encode()
    said = []
    async with running(
        tmp_path / "keys", say=said.append, witnesses=(f"{key}@http://127.0.0.1:9",)
    ) as network:
        for _ in range(2):
            await watched(network)
        fed = [overseen.fed for overseen in network.oversight.logs.values()]
    assert len([line for line in said if "does not cosign" in line]) == 1
    assert set(fed) == {0}


async def watched(network):
    """Look at every log once, as the watch does each second."""
    for overseen in network.oversight.logs.values():
        await network.oversight._report(overseen)
        await network.oversight._feed(overseen)
