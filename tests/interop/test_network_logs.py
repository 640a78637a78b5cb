"""Programs that others wrote accept the logs of a running network, over HTTP."""

import base64
import contextlib
import json
import subprocess
import sys
import urllib.request

import pytest

from chain_anchor.note import VerifierKey
from resolver.client import Client
from resolver.keys import SeededKeys
from resolver.log_keys import LogKeys, log_origin
from resolver.running import run_network, stop_network
from resolver.topology import builtin_topology
from tests.interop import programs
from tests.interop.asking import assert_refused, judge, read
from tests.interop.proof_cases import Case
from tests.merkle_trees import witness_key

SECONDARIES = 2
PREFIX = "88.118.1"
REGISTRATIONS = 150
"""With a header for each group, more entries than one tile has."""

PLACES = (1, 2, 100, 255, 256, 257)
READ_SECONDS = 10

pytestmark = pytest.mark.timeout(
    programs.PIP_SECONDS + programs.BUILD_SECONDS + programs.RUN_SECONDS
)


def log_keys():
    """Keys of all logs, which follow from the seed before there is a network."""
    topology = builtin_topology(SECONDARIES)
    nodes = topology.top, *topology.secondaries, *topology.enterprises
    keys = SeededKeys(1)
    return [str(LogKeys(log_origin(n.name), keys).signer().key) for n in nodes]


@contextlib.contextmanager
def running_witness(directory):
    """Run `idis witness` for all logs; gives its ready file."""
    file = directory / "witness.json"
    command = [sys.executable, "-m", "resolver.cli", "witness"]
    command += ["--data", str(directory / "data"), "--ready-file", str(file)]
    for key in log_keys():
        command += ["--log", key]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        # It prints its address once the ready file is there.
        assert process.stdout.readline(), "the witness ended"
        yield json.loads(file.read_text())
    finally:
        stop_network(process)
        process.stdout.close()


@pytest.fixture(scope="module")
def witnesses(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(running_witness(tmp_path_factory.mktemp("witness")))
            for _ in range(2)
        ]


@pytest.fixture(scope="module")
def network(witnesses):
    """A network that acknowledges what two witnesses have cosigned, with a long log."""
    arguments = ["--secondaries", str(SECONDARIES), "--port-base", "0"]
    arguments += ["--open-writes", "--witness-quorum", str(len(witnesses))]
    for witness in witnesses:
        arguments += ["--witness", witness["address"]]
    with run_network(*arguments) as network:
        with Client(network.recursive) as client:
            for number in range(REGISTRATIONS):
                client.register(f"{PREFIX}/N{number}", {"URL": "https://example.org"})
        yield network


@pytest.fixture(scope="module")
def log(network):
    """Address and key of the log that is longer than a tile."""
    found = network.node(PREFIX)["log"]
    return found["url"], found["key"]


def served(url, **headers):
    """What a node answers."""
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=READ_SECONDS) as answer:
        return answer.read()


def served_json(url):
    """What a node answers in JSON, hashes as octets."""
    found = json.loads(served(url, Accept="application/json"))
    for name in {"leaf_hash", "root", "old_root"} & found.keys():
        found[name] = bytes.fromhex(found[name])
    found["path"] = [bytes.fromhex(one) for one in found["path"]]
    return found


def served_proofs(url, size):
    """Proofs that a node gives under the tree of one size."""
    for index in (0, *PLACES, size - 1):
        found = served_json(f"{url}/proof/inclusion?index={index}&size={size}")
        given = found["leaf_hash"], found["root"], found["path"]
        yield Case.inclusion(index, size, *given)
    for old_size in (*PLACES, size - 1, size):
        found = served_json(f"{url}/proof/consistency?old={old_size}&size={size}")
        given = found["old_root"], found["root"], found["path"]
        yield Case.consistency(old_size, size, *given)


def test_the_logs_of_all_nodes_are_accepted(reader, network):
    logs = [node["log"] for node in network.ready["nodes"] if "log" in node]
    sizes = []
    for log in logs:
        found = read(reader, log["url"], log["key"])
        assert found["origin"] == VerifierKey.parse(log["key"]).name
        sizes.append(found["size"])
    assert {log["key"] for log in logs} <= set(log_keys())
    assert min(sizes) > 0
    assert max(sizes) > max(PLACES)


def test_cosignatures_of_our_witnesses_are_accepted(cosignature_reader, log, witnesses):
    keys = [witness["key"] for witness in witnesses]
    found = read(cosignature_reader, *log, str(len(keys)), *keys)
    assert {one["name"] for one in found["cosigners"]} == {
        witness["name"] for witness in witnesses
    }


def test_a_witness_that_did_not_cosign_is_missed(cosignature_reader, log, witnesses):
    stranger = str(witness_key("stranger.example"))
    assert_refused(cosignature_reader, *log, "2", witnesses[0]["key"], stranger)


def test_the_key_of_another_node_is_refused(reader, network, log):
    other = next(key for key in log_keys() if key != log[1])
    assert_refused(reader, log[0], other)


def test_proofs_that_nodes_give_are_accepted(proof_judge, log):
    size = served_json(f"{log[0]}/proof/inclusion?index=0")["size"]
    assert set(judge(proof_judge, list(served_proofs(log[0], size)))) == {""}


def test_proof_files_that_nodes_give_are_accepted(go_program, log, witnesses):
    url, key = log
    policy = [key, str(len(witnesses)), *(witness["key"] for witness in witnesses)]
    for index in (0, *PLACES):
        query = f"{url}/proof/inclusion?index={index}"
        leaf = base64.b64encode(served_json(query)["leaf_hash"]).decode()
        file = served(query)
        go_program.run("tlog-proof", "torchwood", leaf, *policy, stdin=file)
