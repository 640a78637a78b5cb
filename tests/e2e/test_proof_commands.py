"""`idis proof`, `idis verify FILE`, `idis resolve --proof`, as a person runs them."""

import json
import os
import pty
import subprocess
import sys
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from chain_anchor.bundle import decode_bundle, encode_bundle
from chain_anchor.cosignature import cosign, cosigner_key
from chain_anchor.merkle import inclusion_path
from chain_anchor.note import VerifierKey
from chain_anchor.tlog_proof import TlogProof, encode_tlog_proof
from registry.model.value import Value
from resolver.client import Client, ClientSettings, KnownLogs
from resolver.commands.running import from_ready
from resolver.keys import SeededKeys
from resolver.log_keys import LogKeys
from resolver.running import start_network, stop_network
from tests.nano import closed_port
from tests.small_log import SmallLog, private_key, reader, with_signature

DEADLINE_SECONDS = 60
PREFIX, PRODUCT = "88.118.7", "88.118.7/SN0001"
GONE, CHANGED, SECRET = f"{PREFIX}/GONE", f"{PREFIX}/CHANGED", f"{PREFIX}/SECRET"
ABSENT = f"{PREFIX}/NEVER"
STRANGER = LogKeys("automobiles.idis.test/log", SeededKeys(99)).signer().key


class Idis:
    """Runs commands in surroundings of their own."""

    def __init__(self, home: Path, network) -> None:
        self.home = home
        self.network = network

    def environment(self, *, running=True):
        named = self.network.ready_file if running else self.home / "none.json"
        state = str(self.home / "state")
        kept = {k: v for k, v in os.environ.items() if not k.endswith("_proxy")}
        return {**kept, "XDG_STATE_HOME": state, "IDIS_READY_FILE": str(named)}

    def __call__(self, *arguments, running=True, octets=None, code=0):
        """Run a command; gives its stdout and stderr once the exit code is right."""
        done = subprocess.run(
            [sys.executable, "-m", "resolver.cli", *map(str, arguments)],
            input=octets,
            capture_output=True,
            timeout=DEADLINE_SECONDS,
            env=self.environment(running=running),
            check=False,
        )
        said = done.stderr.decode()
        assert done.returncode == code, said
        assert "Traceback" not in said
        return done.stdout, said


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    directory = tmp_path_factory.mktemp("network")
    arguments = ("--secondaries", "2", "--port-base", "0", "--fast-path", "off")
    network = start_network(directory, arguments)
    credential = from_ready(network.credential("secret", PREFIX))
    try:
        with Client(network.recursive, credential=credential) as client:
            client.register(GONE, {"URL": "https://example.org/gone"})
            client.delete(GONE)
            client.register(CHANGED, {"URL": "https://example.org/1"})
            client.update(CHANGED, {"URL": "https://example.org/2"})
            values = (
                Value(1, "URL", b"https://example.org/s"),
                Value(2, "PIN", b"0000", permissions=0x0C),
            )
            client.register(SECRET, values)
        yield network
    finally:
        stop_network(network.process)


@pytest.fixture
def idis(network, tmp_path):
    return Idis(tmp_path, network)


@pytest.fixture
def proof(idis, tmp_path):
    """Give a file that proves something, made while the network runs."""

    def make(identifier=CHANGED, *arguments):
        file = tmp_path / "proof"
        idis("proof", identifier, "--out", file, *arguments)
        return file

    return make


def log_of(network):
    return network.node(PREFIX)["log"]


def last_words(said, kind):
    return [line for line in said.splitlines() if line.startswith(f"{kind}:")]


# ---- idis proof ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identifier", "standing"),
    [(PRODUCT, "present"), (GONE, "deleted"), (ABSENT, "absent"), ("88", "present")],
)
def test_a_proof_goes_to_stdout_and_is_verified_anywhere(
    idis, tmp_path, identifier, standing
):
    octets, said = idis("proof", identifier)
    assert standing in said
    file = tmp_path / "p"
    file.write_bytes(octets)
    shown, _ = idis("verify", file, "--json")
    told = json.loads(shown)
    assert (told["proven"], told["standing"]) == (True, standing)
    assert told["size_octets"] == len(octets)
    shown, _ = idis("verify", "-", octets=octets)
    assert standing in shown.decode()


def test_a_proof_goes_to_a_file_and_what_it_proves_to_the_reader(idis, tmp_path):
    file = tmp_path / "p.idis-proof"
    shown, said = idis("proof", CHANGED, "--history", "--out", file)
    text = shown.decode()
    for word in (
        CHANGED,
        "present",
        "https://example.org/2",
        "modify",
        ":88.118.7/admin",
    ):
        assert word.upper() in text.upper()
    assert "create" in text
    assert f"idis verify {file}" in said
    bundle = decode_bundle(file.read_bytes())
    assert len(bundle.history) == 1


def test_of_a_product_code_the_identifier_is_proven_that_it_means(idis, network):
    codes = network.ready["codes"]
    one = next(each for each in codes if each["scheme"] == "gs1")
    out, said = idis("proof", one["code"], "--no-anchors", "--json")
    assert one["identifier"].upper() in out.decode().upper()
    assert f"{one['code']} is {one['identifier']}" in said.replace("\n", " ")


def test_a_terminal_gets_a_table_and_no_octets(idis):
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "resolver.cli", "proof", PRODUCT]
    process = subprocess.Popen(
        command, stdout=slave, stderr=subprocess.PIPE, env=idis.environment()
    )
    os.close(slave)
    shown = b""
    try:
        while octets := os.read(master, 65536):
            shown += octets
    except OSError:
        pass  # that is how a terminal ends
    os.close(master)
    _, said = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 0
    assert b"idis-proof/1" not in shown
    assert b"present" in shown
    assert b"--out FILE" in said


def test_json_has_what_is_proven_and_the_bundle(idis):
    shown, _ = idis("proof", CHANGED, "--history", "--json")
    told = json.loads(shown)
    assert told["proven"]["version"] == 2
    assert told["proven"]["values"][0]["data"] == "https://example.org/2"
    assert told["bundle"]["format"] == "idis-proof/1"
    assert len(told["bundle"]["history"]) == 1


def test_restricted_values_are_in_no_proof(idis, proof):
    file = proof(SECRET)
    shown, _ = idis("verify", file)
    assert b"0000" not in file.read_bytes() + shown
    assert "not everybody may read" in shown.decode()


def test_any_log_can_be_asked_by_its_url_and_key(idis, network):
    log = log_of(network)
    octets, _ = idis(
        "proof", CHANGED, "--log", log["url"], "--key", log["key"], running=False
    )
    assert decode_bundle(octets).name == CHANGED.encode()


def test_the_node_is_found_by_way_of_any_server(idis, network):
    arguments = ("--server", network.recursive, "--key", log_of(network)["key"])
    octets, _ = idis("proof", PRODUCT, *arguments, running=False)
    assert decode_bundle(octets).name == PRODUCT.encode()


def test_a_log_that_speaks_for_other_prefixes_refers_to_the_right_one(idis, network):
    secondary = network.node("88.118")
    top = network.node("88")
    octets, _ = idis("proof", PRODUCT, "--log", top["log"]["url"])
    told = decode_bundle(octets).checkpoint.decode().partition("\n")[0]
    assert told == VerifierKey.parse(secondary["log"]["key"]).name


def test_a_log_whose_key_is_not_believed_proves_nothing(idis, network):
    url = log_of(network)["url"]
    out, said = idis("proof", PRODUCT, "--log", url, "--key", STRANGER, code=1)
    assert out == b""
    assert last_words(said, "error")
    assert last_words(said, "hint")


def test_a_prefix_that_nobody_serves_is_a_no(idis):
    out, said = idis("proof", "88.118.999/X", code=1)
    assert out == b""
    assert "88.118.999" in said


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (("no\x7fidentifier",), 2, "control"),
        ((PRODUCT, "--key", "nonsense"), 2, "--key"),
        ((PRODUCT, "--quorum", "1"), 2, "--quorum"),
        ((PRODUCT, "--witness", str(STRANGER)), 2, "a witness"),
        ((PRODUCT, "--ready-file", "/none"), 2, "ready file"),
        ((PRODUCT, "--log", "nonsense"), 2, "URL"),
        ((PRODUCT, "--out", "/none/p"), 2, "/none/p"),
        ((PRODUCT, "--log", f"http://127.0.0.1:{closed_port()}/log"), 3, "127.0.0.1"),
    ],
)
def test_what_makes_no_sense_or_cannot_be_reached_is_told(idis, arguments, code, word):
    out, said = idis("proof", *arguments, code=code)
    assert out == b""
    assert word in said
    assert last_words(said, "hint")


def test_without_a_network_nothing_can_be_asked(idis):
    _, said = idis("proof", PRODUCT, running=False, code=3)
    assert "no running network" in said


# ---- idis verify --------------------------------------------------------------------


def test_verifying_needs_the_key_and_nothing_else(idis, network, proof):
    file = proof()
    (idis.home / "state" / "idis-emulator" / "log-keys").unlink()
    _, said = idis("verify", file, running=False, code=2)
    assert "--key" in said
    shown, _ = idis("verify", file, "--key", log_of(network)["key"], running=False)
    assert "https://example.org/2" in shown.decode()


def test_a_key_that_was_believed_once_is_kept(idis, proof):
    file = proof()
    shown, _ = idis("verify", file, running=False)
    assert "present" in shown.decode()


def test_a_kept_key_is_not_replaced_by_one_that_did_not_verify(idis, proof):
    file = proof()
    idis("verify", file, "--key", STRANGER, running=False, code=1)
    idis("verify", file, running=False)


def test_the_ready_file_of_a_network_can_be_named(idis, network, proof):
    file = proof()
    arguments = ("verify", file, "--ready-file", network.ready_file)
    shown, _ = idis(*arguments, running=False)
    assert "present" in shown.decode()


def test_the_logs_above_are_told_as_far_as_they_are_believed(idis, network, proof):
    file = proof()
    shown, _ = idis("verify", file, "--json")
    told = json.loads(shown)
    above, origins = told, []
    while above := above["parent"]:
        origins.append(above["origin"])
    expected = VerifierKey.parse(network.node("88")["log"]["key"]).name
    assert origins in ([], [expected])  # none before the first report


def test_another_key_verifies_nothing(idis, proof):
    out, said = idis("verify", proof(), "--key", STRANGER, code=1)
    assert out == b""
    assert "proves nothing" in said
    assert last_words(said, "hint")


def test_any_changed_octet_of_a_proof_is_refused_with_a_reason(idis, proof):
    """Signatures of unknown keys are no part of what is proven; there are none."""
    octets = proof(CHANGED, "--no-anchors").read_bytes()
    for at in range(0, len(octets), len(octets) // 9):
        changed = bytearray(octets)
        changed[at] ^= 1
        out, said = idis("verify", "-", octets=bytes(changed), code=1)
        assert out == b""
        assert last_words(said, "error")


@pytest.mark.parametrize("octets", [b"", b"idis-proof/1\n", b"\xff" * 99, b"{}\n"])
def test_what_is_no_proof_is_refused(idis, octets):
    _, said = idis("verify", "-", octets=octets, code=1)
    assert "proves nothing" in said


def test_a_refusal_in_json_says_why(idis):
    shown, _ = idis("verify", "-", "--json", octets=b"noise", code=1)
    told = json.loads(shown)
    assert told["proven"] is False
    assert "bundle" in told["error"]


def test_an_octet_too_many_is_refused(idis, proof):
    octets = proof().read_bytes()
    idis("verify", "-", octets=octets + b"\x00", code=1)


@pytest.mark.parametrize(
    "arguments", [(), ("FILE", "--data", "DIR"), ("/none/at/all",), ("/",)]
)
def test_arguments_that_name_nothing_to_verify_are_misuse(idis, arguments):
    _, said = idis("verify", *arguments, code=2)
    assert last_words(said, "hint")


def test_a_tlog_proof_with_its_entry_is_verified(idis, network, tmp_path):
    log = log_of(network)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{log['url']}/proof/inclusion?index=3", timeout=10) as answer:
        file = tmp_path / "x.tlog-proof"
        file.write_bytes(answer.read())
    shown, _ = idis("verify", file, "--json")
    told = json.loads(shown)
    assert (told["proven"], told["index"]) == (True, 3)
    assert told["entry"]["type"] == "change"
    shown, _ = idis("verify", file)
    assert "scope" in shown.decode()
    another = tmp_path / "entry"
    another.write_bytes(b"another entry")
    idis("verify", file, "--entry", another, code=1)
    idis("verify", file, "--key", STRANGER, code=1)


def test_a_tlog_proof_without_its_entry_asks_for_it(idis, tmp_path):
    log = SmallLog("elsewhere.example/log")
    log.register(b"88/X")
    log.seal()
    path = tuple(inclusion_path(0, 2, reader(log.leaves)))
    file = tmp_path / "x.tlog-proof"
    file.write_bytes(encode_tlog_proof(TlogProof(0, path, log.signed_checkpoint())))
    key = ("--key", log.signer.key)
    _, said = idis("verify", file, *key, code=2)
    assert "--entry FILE" in said
    entry = tmp_path / "entry"
    entry.write_bytes(log.entries[0])
    shown, _ = idis("verify", file, *key, "--entry", entry)
    assert "elsewhere.example/log" in shown.decode()


def test_witnesses_that_are_demanded_must_have_cosigned(idis, proof):
    bundle = decode_bundle(proof().read_bytes())
    text = bundle.checkpoint.decode().partition("\n\n")[0] + "\n"
    private = private_key(5)
    key = cosigner_key("witness", private.public_key().public_bytes_raw())
    demands = ("--witness", key, "--quorum", 1)
    _, said = idis("verify", "-", *demands, octets=encode_bundle(bundle), code=1)
    assert "missing" in said
    note = with_signature(bundle.checkpoint, cosign(text, "witness", private, 1))
    octets = encode_bundle(replace(bundle, checkpoint=note))
    shown, _ = idis("verify", "-", *demands, octets=octets)
    assert "witness at 1970-01-01" in shown.decode()


# ---- idis resolve --proof -----------------------------------------------------------


def test_what_is_resolved_is_proven(idis):
    shown, said = idis("resolve", PRODUCT, "--proof")
    assert "URL" in shown.decode()
    assert "proven by automobiles.idis.test/log at size" in said
    assert ", entry " in said


def test_a_selection_of_values_is_proven_too(idis):
    shown, _ = idis("resolve", PRODUCT, "--proof", "--type", "URL", "--json")
    told = json.loads(shown)
    assert [value["type"] for value in told["values"]] == ["URL"]
    assert told["proof"]["origin"] == "automobiles.idis.test/log"
    assert told["proof"]["standing"] == "present"


def test_a_trace_is_proven_too(idis):
    shown, said = idis("resolve", PRODUCT, "--proof", "--trace")
    assert "enterprise" in shown.decode()
    assert "proven by" in said


@pytest.mark.parametrize("more", [(), ("--trace",)])
@pytest.mark.parametrize("identifier", [GONE, ABSENT])
def test_that_nothing_is_there_is_proven_and_still_a_no(idis, identifier, more):
    _, said = idis("resolve", identifier, "--proof", *more, code=1)
    assert "proven by automobiles.idis.test/log" in said
    assert "HANDLE_NOT_FOUND" in said


def test_only_what_everybody_may_read_is_shown_and_proven(idis):
    shown, said = idis("resolve", SECRET, "--proof")
    assert "PIN" not in shown.decode()
    assert "proven by" in said


def test_a_cache_that_is_behind_is_passed_by(idis, network):
    name = f"{PREFIX}/CACHED"
    credential = from_ready(network.credential("secret", PREFIX))
    with Client(network.recursive, credential=credential) as client:
        client.register(name, {"URL": "https://example.org/old"})
        assert client.resolve(name).first("URL") == "https://example.org/old"
        client.update(name, {"URL": "https://example.org/new"})
        assert client.resolve(name).first("URL") == "https://example.org/old"
    shown, said = idis("resolve", name, "--proof")
    assert "https://example.org/new" in shown.decode()
    assert "proven by" in said


def test_an_answer_that_the_log_does_not_prove_is_not_printed(idis, network):
    """The nodes of the network are those of another one, by its ready file."""
    ready = json.loads(network.ready_file.read_text())
    for node in ready["nodes"]:
        if "log" in node:
            name = VerifierKey.parse(node["log"]["key"]).name
            key = LogKeys(name, SeededKeys(99)).signer().key
            node["log"]["key"] = str(key)
    file = idis.home / "none.json"
    file.write_text(json.dumps(ready))
    out, said = idis("resolve", PRODUCT, "--proof", running=False, code=1)
    assert out == b""
    assert "the answer is not proven" in said
    assert last_words(said, "hint")


# ---- the client library -------------------------------------------------------------


def test_a_client_proves_what_it_is_asked_for(network):
    settings = ClientSettings(known_logs=KnownLogs.of_ready(network.ready))
    with Client(network.recursive, settings) as client:
        verified = client.prove(CHANGED, history=True)
        assert (verified.standing, len(verified.history)) == ("present", 1)
        assert client.prove(GONE).standing == "deleted"
        assert client.prove(ABSENT).standing == "absent"
