"""Proofs from an identifier up to the main chain's block, checked with nothing running."""

import asyncio
import json
import random
from dataclasses import replace
from typing import NamedTuple

import pytest

from chain_anchor.anchor_section import encode_anchors
from chain_anchor.anchors import PinnedChain
from chain_anchor.bundle import decode_bundle, encode_bundle
from chain_anchor.errors import AnchorError, ProofError
from chain_anchor.proof import verify_bundle
from resolver.anchoring import levels
from resolver.anchoring.anchored_logs import AnchoredLogs
from resolver.anchoring.chain_proofs import ChainProofs
from resolver.client import AsyncClient, Client, ClientSettings, KnownLogs
from resolver.client.anchored import fetch_anchored
from resolver.client.proofs import fetch_proof, verified_proof
from resolver.commands.pinned import Pins
from resolver.commands.proof_anchors import Proof, anchored_proof, anchoring_line
from resolver.commands.running import from_ready
from resolver.commands.verify import VerifyOptions, run as verify
from resolver.faces.log_proofs import Proofs
from resolver.ready_file import describe
from resolver.running import start_network, stop_network
from tests.bif_chains import ALICE
from tests.bif_served import MemoryChain, serving
from tests.e2e.networks import SELF_RUN_PREFIX, register, running
from tests.nano import closed_port

DEADLINE_SECONDS = 30
PREFIX, PRODUCT = "88.118.7", "88.118.7/SN0001"
FRESH, GONE, ABSENT = f"{PREFIX}/FRESH", f"{PREFIX}/GONE", f"{PREFIX}/NEVER"
AT_THE_TOP = "0.NA/88.118"
NAMES = {FRESH: "present", GONE: "deleted", ABSENT: "absent", AT_THE_TOP: "present"}
MAX_OCTETS = 10_000


def fetched(logs, name: str, seconds: float = DEADLINE_SECONDS) -> Proof:
    """Get the proof of a name as `idis proof` does."""
    url = logs.nearest(name.encode()).url

    def ask() -> Proof:
        octets = fetch_proof(url, name, anchors=True)
        return Proof(octets, verified_proof(octets, name, logs))

    return anchored_proof(ask, logs, url, seconds)


class Kept(NamedTuple):
    """What is left of a network that has stopped."""

    ready: dict
    logs: KnownLogs
    proofs: dict[str, bytes]
    proved_by_clients: list


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    directory = tmp_path_factory.mktemp("network")
    arguments = ("--secondaries", "2", "--port-base", "0", "--fast-path", "off")
    network = start_network(directory, arguments)
    credential = from_ready(network.credential("secret", PREFIX))
    logs = KnownLogs.of_ready(network.ready)
    try:
        with Client(network.recursive, credential=credential) as client:
            client.register(FRESH, {"URL": "https://example.org/fresh"})
            client.register(GONE, {"URL": "https://example.org/gone"})
            client.delete(GONE)
        proofs = {name: fetched(logs, name).octets for name in NAMES}
        by_clients = asyncio.run(by_both_clients(network, logs))
        yield Kept(network.ready, logs, proofs, by_clients)
    finally:
        stop_network(network.process)


async def by_both_clients(network, logs):
    settings = ClientSettings(known_logs=logs)
    with Client(network.recursive, settings) as client:
        blocking = client.prove(FRESH, anchors=True)
        plain = client.prove(FRESH)
    async with AsyncClient(network.recursive, settings) as client:
        return [blocking, await client.prove(FRESH, anchors=True), plain]


def verified(kept, octets, chains=None):
    chains = kept.logs.chains if chains is None else chains
    return verify_bundle(octets, kept.logs.keys, chains=chains)


# ---- what the proofs of a network prove ---------------------------------------------


@pytest.mark.parametrize(("name", "standing"), NAMES.items())
def test_a_name_is_proved_up_to_the_main_chain(kept, name, standing):
    octets = kept.proofs[name]
    found = verified(kept, octets)
    assert found.standing == standing
    assert found.is_anchored
    backbone, top = found.anchors.chains
    assert (backbone.chain, top.chain) == ("hanyang", "wuhan")
    assert top.close_time > backbone.close_time
    assert len(octets) <= MAX_OCTETS


def test_both_clients_prove_up_to_the_chains(kept):
    blocking, on_asyncio, plain = kept.proved_by_clients
    assert len(blocking.anchors.chains) == len(on_asyncio.anchors.chains) == 2
    assert plain.anchors is None


def test_no_octet_of_the_anchors_can_be_another(kept):
    octets = kept.proofs[FRESH]
    section = encode_anchors(decode_bundle(octets).anchors)
    start = octets.index(section)
    chosen = random.Random(1).sample(range(start, start + len(section)), 400)
    for place in chosen:
        changed = bytearray(octets)
        changed[place] ^= 1 << place % 8
        try:
            found = verified(kept, bytes(changed))
        except AnchorError:
            continue
        # The hash of a first block: a chain that nobody pinned.
        assert found.anchors.unpinned_chain is not None
        assert len(found.anchors.chains) < 2


def test_anchors_of_another_log_do_not_fit(kept):
    other = decode_bundle(kept.proofs[AT_THE_TOP]).anchors
    bundle = decode_bundle(kept.proofs[FRESH])
    with pytest.raises(AnchorError):
        verified(kept, encode_bundle(replace(bundle, anchors=other)))


def test_a_chain_with_another_first_block_is_not_the_one(kept):
    backbone, main_chain = (
        chain._replace(genesis=bytes(32)) if chain.name == "hanyang" else chain
        for chain in sorted(kept.logs.chains)
    )
    found = verified(kept, kept.proofs[FRESH], [backbone, main_chain])
    assert found.anchors.chains == ()
    assert not found.is_anchored


def test_other_validators_are_not_believed(kept):
    first, second = kept.logs.chains
    swapped = [
        first._replace(validators=second.validators),
        second._replace(validators=first.validators),
    ]
    with pytest.raises(ProofError, match="is not validator"):
        verified(kept, kept.proofs[FRESH], swapped)


# ---- idis verify --------------------------------------------------------------------


@pytest.fixture
def at_home(monkeypatch, tmp_path):
    """Let commands keep what they keep in a place of the test's; no network runs."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("IDIS_READY_FILE", str(tmp_path / "none.json"))
    return tmp_path


def told(capsys, file, as_json=True, **pins):
    assert verify(VerifyOptions(file, pins=Pins(**pins), json=as_json)) == 0
    out = capsys.readouterr().out
    return json.loads(out) if as_json else out


def test_chains_are_named_by_a_file_and_kept_for_later(kept, at_home, capsys):
    file, chains = at_home / "proof", at_home / "chains.json"
    file.write_bytes(kept.proofs[FRESH])
    chains.write_text(json.dumps({"chains": kept.ready["chains"]}))
    keys = [log.key.encode() for log in kept.logs.logs]
    before = told(capsys, file, keys=keys)["anchors"]
    assert before["chains"] == []
    assert before["unpinned_chain"] == kept.ready["chains"][1]["genesis"]
    named = told(capsys, file, keys=keys, chains=[chains])
    assert [one["chain"] for one in named["anchors"]["chains"]] == ["hanyang", "wuhan"]
    assert told(capsys, file) == named


def test_the_steps_up_to_the_main_chain_are_shown(kept, at_home, capsys):
    file, ready = at_home / "proof", at_home / "ready.json"
    file.write_bytes(kept.proofs[FRESH])
    ready.write_text(json.dumps(kept.ready))
    shown = told(capsys, file, as_json=False, ready_file=ready)
    found = verified(kept, kept.proofs[FRESH]).anchors
    for chain in found.chains:
        assert f"{chain.chain} {chain.seq}, " in shown
        assert chain.block.hex() in shown
        assert chain.transaction.hex() in shown
    assert f"its first {found.size} of" in shown


def test_the_key_of_its_own_log_is_enough_without_the_chains(kept, at_home, capsys):
    file, chains = at_home / "proof", at_home / "chains.json"
    file.write_bytes(kept.proofs[FRESH])
    chains.write_text(json.dumps({"chains": kept.ready["chains"]}))
    own = verified(kept, kept.proofs[FRESH]).origin
    keys = [log.key.encode() for log in kept.logs.logs if log.key.name == own]
    found = told(capsys, file, keys=keys, chains=[chains])
    assert found["standing"] == "present"
    assert not found["is_anchored"]
    assert found["anchors"]["unpinned_log"] == "wuhan.idis.test/log"


# ---- networks of the test's own process ---------------------------------------------


async def proved(network, logs, name, seconds=DEADLINE_SECONDS) -> Proof:
    return await asyncio.to_thread(fetched, logs, name, seconds)


async def test_restarted_networks_prove_again_also_under_other_keys(tmp_path, keys):
    settings = {"chains": True, "anchoring": True, "data": tmp_path / "data"}
    name = f"{SELF_RUN_PREFIX}/NEW"
    seen = []
    for rotates in (False, False, True):
        chosen = {**settings, "rotate_log_keys": rotates}
        async with running(keys, **chosen) as network:
            if not seen:
                await register(network.node_of(SELF_RUN_PREFIX), name)
            logs = KnownLogs.of_ready(describe(network))
            seen.append((await proved(network, logs, name)).verified)
            url = logs.nearest(name.encode()).url
            said = await asyncio.to_thread(fetch_anchored, url)
            assert said.url == network.on_chain.chains.backbone.url
            assert (said.size, said.hops) == (seen[-1].anchors.size, 2)
    first, second, third = (one.anchors.chains for one in seen)
    assert len(first) == len(second) == len(third) == 2
    assert first[0].seq <= second[0].seq < third[0].seq


async def test_a_log_that_went_on_far_is_walked_back_bit_by_bit(
    tmp_path, keys, monkeypatch
):
    async with running(keys, chains=True, anchoring=True) as network:
        node = network.node_of(SELF_RUN_PREFIX)
        logs = KnownLogs.of_ready(describe(network))
        await register(node, f"{SELF_RUN_PREFIX}/N")
        await proved(network, logs, f"{SELF_RUN_PREFIX}/N")
        await network.on_chain.anchoring.close()  # nothing is anchored from now on
        network.on_chain.anchoring = None
        for number in range(8):
            await register(node, f"{SELF_RUN_PREFIX}/N{number}")
            await reported(network)
        monkeypatch.setattr(levels, "MAX_STEPS", 3)
        forget(network)
        tries = [with_anchors(node, f"{SELF_RUN_PREFIX}/N") for _ in range(9)]
        assert tries[0].anchors is None
        found = verify_bundle(encode_bundle(tries[-1]), logs.keys, chains=logs.chains)
        assert found.is_anchored
        later = with_anchors(node, f"{SELF_RUN_PREFIX}/N7")
        found = verify_bundle(encode_bundle(later), logs.keys, chains=logs.chains)
        assert found.anchors.chains
        assert not found.is_anchored


def forget(network):
    """Let every log look for its anchored entry as if it had never been asked."""
    logs = AnchoredLogs("http://chain", network.top.sealing, network.on_chain.proofs)
    for overseen in network.oversight.logs.values():
        logs.attach(overseen.sealing, overseen.ancestors)


def with_anchors(node, name):
    proofs = Proofs(node.sealing)
    return proofs.with_anchors(proofs.record(name.encode()))


async def reported(network):
    for _ in range(3):
        for overseen in network.oversight.logs.values():
            if overseen.report is not None:
                await overseen.report.report()


async def test_without_anchoring_nothing_is_waited_for(keys):
    async with running(keys, chains=True) as network:
        logs = KnownLogs.of_ready(describe(network))
        proof = await proved(network, logs, PRODUCT)
        assert proof.told is None
        assert proof.verified.anchors is None
        assert anchoring_line(proof) == ""


class Uncertified(MemoryChain):
    """A chain like the real ones: it gives no certificates."""

    def certificate(self, seq: int) -> bytes:
        return b""


async def test_a_chain_without_certificates_is_told_and_proves_nothing(keys):
    async with serving(Uncertified()) as face:
        url = f"http://127.0.0.1:{face.http_port}"
        settings = {"anchoring": True, "anchor_url": url, "anchor_key": ALICE}
        async with running(keys, **settings) as network:
            logs = KnownLogs.of_ready(describe(network))
            proof = await proved(network, logs, PRODUCT)
            assert proof.verified.anchors is None
            assert proof.told.url == url
            assert proof.told.transaction in anchoring_line(proof)
            assert "no certificates" in anchoring_line(proof)


async def test_another_chain_with_certificates_is_proved_alone(keys):
    chain = MemoryChain()
    async with serving(chain) as face:
        url = f"http://127.0.0.1:{face.http_port}"
        settings = {"anchoring": True, "anchor_url": url, "anchor_key": ALICE}
        async with running(keys, **settings) as network:
            first = chain.ledger.header(1).hash
            pinned = PinnedChain("other", first, chain.ledger.validators)
            known = KnownLogs.of_ready(describe(network))
            logs = KnownLogs(known.logs, chains=[pinned])
            proof = await proved(network, logs, PRODUCT)
            assert [one.chain for one in proof.verified.anchors.chains] == ["other"]
            assert proof.verified.is_anchored


async def test_while_the_main_chain_is_away_its_own_chain_is_proved(keys):
    said = asyncio.Queue()
    async with running(keys, chains=True, anchoring=True) as network:
        logs = KnownLogs.of_ready(describe(network))
        name = f"{SELF_RUN_PREFIX}/N"
        await register(network.node_of(SELF_RUN_PREFIX), name)
        await proved(network, logs, name)
        away = f"http://127.0.0.1:{closed_port()}"
        proofs = ChainProofs(network.on_chain.anchoring.url, away, said.put_nowait)
        newest = network.on_chain.anchoring.newest
        proofs.start(newest)
        problem = await asyncio.wait_for(said.get(), DEADLINE_SECONDS)
        assert "not proved up to the main chain" in problem
        assert proofs.complete is None
        assert proofs.partial.confirmed == newest
        assert len(proofs.partial.hops) == 1
        await proofs.close()
