"""The `idis` command, as a person or a script runs it."""

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from resolver import running
from resolver.client import Client
from resolver.errors import AccessError, NotFoundError
from resolver.running import RunningNetwork, start_network, stop_network
from resolver.seeded_codes import code_records
from resolver.topology import builtin_topology
from tests.nano import closed_port

DEADLINE_SECONDS = 60
SMALL = ("--secondaries", "2", "--port-base", "0")
HOSTED, PREFIX = "88.118.7/SN0001", "88.118.7"
ROLES = {"recursive", "top", "secondary", "enterprise"}


class Finished:
    """What a command did."""

    def __init__(self, done: subprocess.CompletedProcess) -> None:
        self.code = done.returncode
        self.out = done.stdout.decode()
        self.err = done.stderr.decode()

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture(scope="module", autouse=True)
def surroundings(tmp_path_factory):
    """Keep the machine's own networks, files and proxies out of it."""
    base = tmp_path_factory.getbasetemp() / "surroundings"
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "HOME"):
            patch.setenv(name, str(base / name))
        patch.setenv("http_proxy", "http://127.0.0.1:1")
        for name in ("IDIS_READY_FILE", "no_proxy", "NO_PROXY"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture
def idis():
    def run(*arguments, network: RunningNetwork | None = None, **options):
        environment = dict(os.environ)
        if network is not None:
            environment["IDIS_READY_FILE"] = str(network.ready_file)
        done = subprocess.run(
            [sys.executable, "-m", "resolver.cli", *map(str, arguments)],
            capture_output=True,
            timeout=DEADLINE_SECONDS,
            env=environment,
            check=False,
            **options,
        )
        return Finished(done)

    return run


@contextlib.contextmanager
def up(directory: Path, *arguments: str):
    directory.mkdir(exist_ok=True)
    network = start_network(directory, (*SMALL, *arguments))
    try:
        yield network
    finally:
        stop_network(network.process)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Run one network for the commands that only ask, or register names of their own."""
    with up(tmp_path_factory.mktemp("shared")) as network:
        yield network


def refused(finished: Finished, *words: str, code: int = 2) -> None:
    """Check how a refusal looks: one error, one hint, and nothing that is data."""
    assert finished.code == code, finished.err
    assert finished.out == ""
    lines = finished.err.splitlines()
    assert [line for line in lines if line.startswith("error: ")] == lines[:1]
    assert [line for line in lines if line.startswith("hint: ")] == lines[-1:]
    assert "Traceback" not in finished.err
    for word in words:
        assert word in finished.err


# ---- up -----------------------------------------------------------------------------


def check_address(address) -> None:
    host, port = address
    assert isinstance(host, str)
    assert 0 < port < 65536


def test_the_ready_file_keeps_its_contract(shared):
    ready = shared.ready
    assert ready["version"] == 1
    assert ready["pid"] == shared.process.pid
    assert Path(ready["data"]).is_dir()
    check_address(ready["recursive"]["handle"])
    names = [node["name"] for node in ready["nodes"]]
    assert len(set(names)) == len(names)
    assert {node["role"] for node in ready["nodes"]} == ROLES
    for node in ready["nodes"]:
        check_address(node["handle"])
        assert node["http"].startswith("http://127.0.0.1:")
        assert node["https"].startswith("https://127.0.0.1:")
        assert node["parent"] is None or node["parent"] in names
        assert all(isinstance(prefix, str) for prefix in node["prefixes"])
        assert (node["role"] == "recursive") == (not node["prefixes"])
    assert {n["role"] for n in ready["nodes"] if n["parent"] is None} == {
        "recursive",
        "top",
    }
    assert Path(ready["tls_ca"]).read_text().startswith("-----BEGIN CERTIFICATE")
    assert HOSTED in ready["identifiers"]
    absent = [key for key, value in ready.items() if value is None]
    assert not absent


def test_the_credentials_of_the_ready_file_can_be_used(shared):
    kinds = {}
    for entry in shared.ready["credentials"]:
        assert entry["handle"].endswith("/admin")
        assert entry["index"] in (300, 301, 302)
        kinds.setdefault(entry["kind"], entry)
        if entry["kind"] == "secret":
            assert entry["secret"]
            assert "private_key" not in entry
        else:
            file = Path(entry["private_key"])
            assert "PRIVATE KEY" in file.read_text()
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert set(kinds) == {"rsa", "sm2", "secret"}


def test_the_ready_file_is_private_and_whole(shared):
    assert stat.S_IMODE(shared.ready_file.stat().st_mode) == 0o600
    left = [item.name for item in shared.ready_file.parent.iterdir()]
    assert sorted(left) == ["idis-emulator", "ready.json"]
    state = shared.ready_file.parent / "idis-emulator"
    (well_known,) = state.iterdir()
    assert json.loads(well_known.read_text()) == shared.ready
    assert stat.S_IMODE(well_known.stat().st_mode) == 0o600


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly_and_removes_what_it_left(tmp_path, number):
    with up(tmp_path / "up") as network:
        data = Path(network.ready["data"])
        assert data.exists()
        network.process.send_signal(number)
        assert network.process.wait(DEADLINE_SECONDS) == 0
    assert not network.ready_file.exists()
    assert not data.exists()
    assert not list((network.ready_file.parent / "idis-emulator").iterdir())


def test_a_signal_ends_it_cleanly_while_clients_are_connected(tmp_path):
    with up(tmp_path / "up") as network, contextlib.ExitStack() as stack:
        for node in network.ready["nodes"]:
            address = tuple(node["handle"])
            stack.enter_context(socket.create_connection(address, 5))
        network.process.send_signal(signal.SIGINT)
        assert network.process.wait(DEADLINE_SECONDS) == 0


def test_a_network_that_prints_much_does_not_stand_still():
    program = "import sys; sys.stdout.write('x' * 1_000_000)"
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    thread = threading.Thread(target=running._drain, args=(process,))
    thread.start()
    assert process.wait(DEADLINE_SECONDS) == 0
    thread.join(DEADLINE_SECONDS)
    assert process.stdout.closed


def test_up_prints_a_table_to_stdout_and_talk_to_stderr(idis, tmp_path):
    ready = tmp_path / "ready.json"
    command = [sys.executable, "-m", "resolver.cli", "up", *SMALL]
    process = subprocess.Popen(
        [*command, "--ready-file", ready],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    said = b""
    while b"Ctrl-C stops" not in said:
        octets = os.read(process.stderr.fileno(), 65536)
        assert octets, "it ended before it was ready"
        said += octets
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 0
    text = out.decode()
    for word in ("88.118", "88.118.7", "recursive", "递归节点", "127.0.0.1:"):
        assert word in text
    assert "error" not in (said + err).decode()
    assert not ready.exists()


def test_a_port_in_use_is_refused(idis, shared, tmp_path):
    topology = tmp_path / "mine.toml"
    port = shared.ready["recursive"]["handle"][1]
    topology.write_text(TOPOLOGY + f"[recursive]\nhandle_port = {port}\n")
    refused(idis("up", "--topology", topology, "--port-base", "0"), str(port), "in use")


TOPOLOGY = """
version = 1
name = "mine"
[top]
name = "top"
prefix = "88"
[[secondary]]
name = "cars"
prefix = "88.118"
industry = "C36"
"""


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "version"),
        ("not toml", "TOML"),
        (TOPOLOGY.replace('"88.118"', '"89.118"'), "88"),
        (TOPOLOGY + "colour = 7\n", "colour"),
        (TOPOLOGY.replace("version = 1", "version = 99"), "99"),
    ],
)
def test_a_bad_topology_file_is_refused(idis, tmp_path, text, word):
    file = tmp_path / "bad.toml"
    file.write_text(text)
    refused(idis("up", "--topology", file), "bad.toml", word)


def test_a_topology_that_is_not_there_is_refused(idis, tmp_path):
    refused(idis("up", "--topology", tmp_path / "none.toml"), "none.toml")


@pytest.mark.parametrize(
    ("description", "word"),
    [
        ({"format": 99, "seed": 1}, "99"),
        ({"format": 1, "seed": 5}, "--seed 5"),
        ({}, "description"),
    ],
)
def test_a_data_directory_of_another_network_is_refused(
    idis, tmp_path, description, word
):
    data = tmp_path / "data"
    data.mkdir()
    (data / "network.json").write_text(json.dumps(description))
    refused(idis("up", *SMALL, "--data", data), str(data), word)


def test_a_data_directory_in_use_or_of_something_else_is_refused(
    idis, shared, tmp_path
):
    refused(idis("up", *SMALL, "--data", shared.ready["data"]), "in use")
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "thesis.txt").write_text("mine")
    refused(idis("up", *SMALL, "--data", tmp_path / "strange"), "thesis.txt")


def test_a_ready_file_that_cannot_be_written_is_refused(idis, tmp_path):
    file = tmp_path / "nowhere" / "ready.json"
    refused(idis("up", *SMALL, "--ready-file", file), "ready file")


@pytest.mark.parametrize(
    "arguments",
    [
        ("up", "--secondaries", "0"),
        ("up", "--secondaries", "36"),
        ("up", "--secondaries", "many"),
        ("up", "--port-base", "70000"),
        ("up", "--seed", "x"),
        ("resolve",),
        ("resolve", HOSTED, "--index", "-1"),
        ("resolve", HOSTED, "--index", "9999999999"),
        ("register", HOSTED),
        ("nonsense",),
    ],
)
def test_arguments_that_make_no_sense_are_misuse(idis, arguments):
    finished = idis(*arguments)
    assert finished.code == 2
    assert finished.out == ""
    assert "Traceback" not in finished.err
    assert "error:" in finished.err


def test_no_command_at_all_shows_what_there_is(idis):
    finished = idis()
    assert finished.code == 2
    assert finished.out == ""
    for command in ("up", "demo", "resolve", "register", "import", "status", "doctor"):
        assert command in finished.err


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "example.com", "", "0.0.0.0", "127.0.0.1:3641"]
)
def test_an_address_that_is_not_ours_is_refused(idis, host):
    refused(idis("up", *SMALL, "--host", host), host)


@pytest.mark.parametrize("zone", ["", ".", "a..b", "example.com=", "example.com=/x"])
def test_a_zone_that_is_none_is_refused(idis, zone):
    refused(idis("up", *SMALL, "--dns-zone", zone), "zone", "for example idis.test")


# ---- resolve ------------------------------------------------------------------------


def test_resolve_shows_values(idis, shared):
    finished = idis("resolve", HOSTED, network=shared)
    assert finished.code == 0, finished.err
    assert "https://zhanmeng-cells.example.com/SN0001" in finished.out
    assert "good for" in finished.err


def test_resolve_gives_json(idis, shared):
    finished = idis("resolve", HOSTED, "--json", network=shared)
    assert finished.code == 0
    answer = finished.json
    assert answer["identifier"] == HOSTED
    assert answer["code"] == 1
    assert answer["ttl_seconds"] > 0
    first = answer["values"][0]
    assert (first["index"], first["type"]) == (1, "URL")
    assert first["data"].startswith("https://")


def test_resolve_takes_types_and_indexes_together(idis, shared):
    finished = idis(
        "resolve", HOSTED, "--type", "url", "--index", 3, "--json", network=shared
    )
    assert [value["index"] for value in finished.json["values"]] == [1, 3]


def test_resolve_traces_every_tier(idis, shared):
    finished = idis("resolve", HOSTED, "--trace", "--json", network=shared)
    hops = finished.json["trace"]
    tiers = [hop["tier"] for hop in hops]
    assert tiers == ["recursive", "top", "secondary", "enterprise"]
    assert all(hop["server"] and hop["milliseconds"] >= 0 for hop in hops)
    shown = idis("resolve", HOSTED, "--trace", network=shared)
    assert shown.code == 0
    for tier in tiers:
        assert tier in shown.out


def test_resolve_says_no_with_exit_code_1(idis, shared):
    for extra in ((), ("--trace",)):
        finished = idis("resolve", f"{PREFIX}/NOPE", *extra, network=shared)
        assert finished.code == 1
        assert "HANDLE_NOT_FOUND (100)" in finished.err
        assert finished.err.startswith("error:")
    finished = idis("resolve", HOSTED, "--type", "NOPE", network=shared)
    assert finished.code == 1
    assert finished.out == ""


@pytest.mark.parametrize("identifier", ["", "/", "88.118.7/", "a b\n/c"])
def test_resolve_refuses_what_is_no_identifier(idis, shared, identifier):
    refused(idis("resolve", identifier, network=shared), "identifiers look like")


def test_resolve_refuses_what_is_no_text(idis, shared):
    finished = idis("resolve", b"88.118.7/\xff".decode(errors="surrogateescape"))
    refused(finished, "UTF-8")


@pytest.mark.parametrize("server", ["here", "127.0.0.1", "127.0.0.1:0", "::1:3641"])
def test_a_server_that_is_no_address_is_refused(idis, server):
    refused(idis("resolve", HOSTED, "--server", server), "HOST:PORT")


def test_resolve_says_with_exit_code_3_that_nobody_is_there(idis):
    finished = idis("resolve", HOSTED, "--server", f"127.0.0.1:{closed_port()}")
    refused(finished, "idis up", code=3)


def test_resolve_asks_the_server_it_is_told(idis, shared):
    top = next(n for n in shared.ready["nodes"] if n["role"] == "top")
    host, port = top["handle"]
    finished = idis("resolve", "88/admin", "--server", f"{host}:{port}", "--json")
    assert finished.code == 0
    assert finished.json["authoritative"]


STRANGE = [
    "[bold]x[/bold]",
    "[/x]",
    ":cat:",
    "a\\[b]",
    "名/称 1",
    "x" * 300,
    "100%s{0}",
]


@pytest.mark.parametrize("suffix", STRANGE)
def test_what_looks_like_markup_is_shown_as_it_is(idis, shared, suffix):
    name = f"{PREFIX}/{suffix}"
    registered = idis("register", name, f"NAME={suffix}", network=shared)
    assert registered.code == 0, registered.err
    assert name in registered.err
    shown = idis("resolve", name, "--trace", network=shared)
    assert shown.code == 0, shown.err
    assert suffix in shown.out or len(suffix) > 100
    missing = idis("resolve", f"{name}-NOPE", network=shared)
    assert missing.code == 1
    assert f"{name}-NOPE" in missing.err


def test_a_reader_that_has_seen_enough_is_no_error(idis, shared):
    environment = {**os.environ, "IDIS_READY_FILE": str(shared.ready_file)}
    command = [sys.executable, "-m", "resolver.cli", "resolve", HOSTED, "--json"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    process.stdout.close()
    _, err = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 0
    assert err == b""


# ---- register -----------------------------------------------------------------------


def test_register_makes_what_resolve_finds(idis, shared):
    name = f"{PREFIX}/CLI-1"
    done = idis("register", name, "URL=https://x?a=b", "7:NAME=名", network=shared)
    assert done.code == 0, done.err
    assert done.out == ""
    found = idis("resolve", name, "--json", network=shared).json["values"]
    assert [(v["index"], v["type"], v["data"]) for v in found] == [
        (1, "URL", "https://x?a=b"),
        (7, "NAME", "名"),
    ]


def test_register_gives_json(idis, shared):
    name = f"{PREFIX}/CLI-2"
    done = idis("register", name, "URL=x", "--json", network=shared)
    assert done.json == {"identifier": name, "values": 1, "registered": True}


def test_register_says_that_it_is_there_already(idis, shared):
    done = idis("register", HOSTED, "URL=x", network=shared)
    assert done.code == 1
    assert "HANDLE_ALREADY_EXISTS (101)" in done.err
    name = f"{PREFIX}/CLI-3"
    for data in ("old", "new"):
        again = idis("register", name, f"URL={data}", "--overwrite", network=shared)
        assert again.code == 0
    found = idis("resolve", name, "--json", network=shared).json["values"]
    assert [value["data"] for value in found] == ["new"]


@pytest.mark.parametrize(
    "value", ["URL", "=x", "", "0:URL=x", "99999999999:URL=x", "5:=x"]
)
def test_register_refuses_what_is_no_value(idis, shared, value):
    refused(idis("register", f"{PREFIX}/V", value, network=shared), "TYPE=VALUE")


@pytest.mark.parametrize("kind", ["rsa", "sm2", "secret"])
def test_register_takes_a_credential_of_ones_own(idis, shared, kind):
    entry = shared.credential(kind, PREFIX)
    proof = (
        ("--secret", entry["secret"])
        if kind == "secret"
        else ("--key", entry["private_key"])
    )
    user = f"{entry['index']}:{entry['handle']}"
    name = f"{PREFIX}/CLI-{kind}"
    server = ("--server", shared.recursive)
    done = idis("register", name, "URL=x", *server, "--user", user, *proof)
    assert done.code == 0, done.err


def test_register_with_a_wrong_credential_is_told_so(idis, shared):
    who = ("--user", f"302:{PREFIX}/admin", "--secret", "wrong")
    done = idis("register", f"{PREFIX}/CLI-W", "URL=x", *who, network=shared)
    assert done.code == 1
    assert done.err.startswith("error:")
    other = shared.credential("secret", "88.118.1")
    who = ("--user", f"302:{other['handle']}", "--secret", other["secret"])
    done = idis("register", f"{PREFIX}/CLI-W", "URL=x", *who, network=shared)
    assert done.code == 1
    assert "not an administrator" in done.err


@pytest.mark.parametrize(
    "who",
    [
        ("--user", "admin", "--secret", "x"),
        ("--user", f"300:{PREFIX}/admin"),
        ("--secret", "x"),
        ("--user", f"300:{PREFIX}/admin", "--key", "none.pem"),
        ("--user", f"300:{PREFIX}/admin", "--key", __file__),
    ],
)
def test_a_credential_that_is_none_is_refused(idis, shared, who):
    refused(idis("register", f"{PREFIX}/C", "URL=x", *who, network=shared))


def test_without_a_network_nobody_is_known(idis):
    refused(idis("register", f"{PREFIX}/C", "URL=x"), "credential", "--user")


def test_register_of_an_unknown_prefix_is_refused(idis, shared):
    refused(idis("register", "99.1/C", "URL=x", network=shared), "99.1")


# ---- import -------------------------------------------------------------------------


def write_table(file: Path, names, prefixes=(PREFIX,)):
    rows = [
        f"{prefixes[number % len(prefixes)]}/{name},https://example.com/{name}"
        for number, name in enumerate(names)
    ]
    file.write_text("\n".join(["identifier,URL", *rows]) + "\n")
    return [row.partition(",")[0] for row in rows]


def report_of(finished: Finished):
    report = finished.json
    del report["seconds"], report["per_second"]
    return report


def summary(registered=0, existing=0, skipped=0, failed=0):
    return {
        "registered": registered,
        "existing": existing,
        "skipped": skipped,
        "failed": failed,
    }


def test_import_registers_all_rows_and_again_none(idis, shared, tmp_path):
    file = tmp_path / "table.csv"
    prefixes = (PREFIX, "88.118.1", "88.100.2")
    names = write_table(file, [f"FRESH-{n}" for n in range(1500)], prefixes)
    first = idis("import", file, "--json", network=shared)
    assert first.code == 0, first.err + first.out
    assert report_of(first) == {**summary(registered=1500), "errors": []}
    second = idis("import", file, "--json", network=shared)
    assert second.code == 0
    assert report_of(second) == {**summary(existing=1500), "errors": []}
    assert [item.name for item in tmp_path.glob("table*")] == ["table.csv"]
    with Client(shared.recursive) as client:
        for result in client.resolve_many(names):
            assert result.answer.first("URL")


def test_import_shows_a_table(idis, shared, tmp_path):
    file = tmp_path / "table.csv"
    write_table(file, ["SHOWN"])
    done = idis("import", file, network=shared)
    assert done.code == 0
    assert "registered now" in done.out
    again = idis("import", file, network=shared)
    assert "--overwrite" in again.err


def test_import_overwrites_where_it_is_told_to(idis, shared, tmp_path):
    file = tmp_path / "table.csv"
    (name,) = write_table(file, ["OVER"])
    idis("import", file, network=shared)
    file.write_text(f"identifier,NAME\n{name},new\n")
    done = idis("import", file, "--overwrite", "--json", network=shared)
    assert report_of(done) == {**summary(registered=1), "errors": []}
    found = idis("resolve", name, "--json", network=shared).json["values"]
    assert [(v["type"], v["data"]) for v in found] == [("NAME", "new")]


def test_import_reads_json_lines(idis, shared, tmp_path):
    file = tmp_path / "table.jsonl"
    file.write_text(
        json.dumps({"identifier": f"{PREFIX}/JSON-1", "URL": "x", "NAME": "名"}) + "\n"
    )
    assert idis("import", file, network=shared).code == 0
    found = idis("resolve", f"{PREFIX}/JSON-1", "--json", network=shared).json
    assert [v["data"] for v in found["values"]] == ["x", "名"]


def test_a_bad_row_is_told_and_the_others_are_registered(idis, shared, tmp_path):
    file = tmp_path / "table.csv"
    good = [f"{PREFIX}/MIXED-{n}" for n in range(4)]
    bad = [
        "99.1/unknown-prefix,x",
        "no identifier at all,",
        f"{PREFIX}/,x",
        f"{PREFIX}/too,many,cells",
        f"{PREFIX}/EMPTY,",
        f"{PREFIX}/HUGE,{'x' * 300_000}",
    ]
    rows = [f"{good[0]},x", *bad[:3], f"{good[1]},x", *bad[3:], f"{good[2]},x"]
    file.write_text("\n".join(["identifier,URL", *rows, f"{good[3]},x"]) + "\n")
    done = idis("import", file, "--json", network=shared)
    assert done.code == 1
    report = report_of(done)
    lines = [error["line"] for error in report.pop("errors")]
    assert report == summary(registered=4, failed=6)
    assert sorted(lines) == [3, 4, 5, 7, 8, 9]
    shown = idis("import", file, network=shared)
    assert "line 3: 99.1/unknown-prefix: " in shown.err
    with Client(shared.recursive) as client:
        assert all(result.answer for result in client.resolve_many(good))


def test_rows_that_failed_are_tried_again(idis, shared, tmp_path):
    """A second run goes on behind what is registered, not behind what failed."""
    file = tmp_path / "table.csv"
    names = write_table(file, ["AGAIN-1", "AGAIN-2"], ("88.118.7", "88.118.1"))
    admin = shared.credential("secret", "88.118.1")
    who = ("--user", f"302:{admin['handle']}", "--secret", admin["secret"])
    first = idis("import", file, "--json", *who, network=shared)
    assert first.code == 1
    assert first.json["failed"] == 1
    second = idis("import", file, "--json", network=shared)
    assert second.code == 0
    assert report_of(second) == {**summary(registered=1, existing=1), "errors": []}
    with Client(shared.recursive) as client:
        assert all(result.answer for result in client.resolve_many(names))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("none.csv", None),
        ("table.txt", "identifier,URL\n"),
        ("table.csv", "URL\n"),
        ("table.csv", ""),
    ],
)
def test_import_refuses_what_is_no_table(idis, shared, tmp_path, name, text):
    file = tmp_path / name
    if text is not None:
        file.write_text(text)
    finished = idis("import", file, network=shared)
    assert finished.code == 2
    assert finished.out == ""
    assert finished.err.startswith("error: ")
    assert name in finished.err


def test_import_refuses_a_credential_that_is_none(idis, shared, tmp_path):
    file = tmp_path / "table.csv"
    write_table(file, ["X"])
    refused(idis("import", file, "--user", "admin", network=shared), "INDEX:HANDLE")


def kill_in_the_middle(file: Path, network: RunningNetwork, rows: int) -> None:
    """Import until some but not all rows are registered, then kill the process."""
    environment = {**os.environ, "IDIS_READY_FILE": str(network.ready_file)}
    command = [sys.executable, "-m", "resolver.cli", "import", str(file)]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    with process, Client(network.recursive) as client:
        try:
            wait_for_row(client, file, rows // 3, process)
        finally:
            process.kill()


def wait_for_row(client, file, row, process) -> None:
    """Wait until a row is registered; the process must not be done by then."""
    name = file.read_text().splitlines()[row].partition(",")[0]
    while process.poll() is None:
        with contextlib.suppress(NotFoundError):
            client.resolve(name, fresh=True)
            return
    pytest.fail("the import was over before it could be killed")


def test_an_import_that_is_killed_goes_on_and_loses_nothing(idis, tmp_path):
    rows = 30_000
    file = tmp_path / "table.csv"
    names = write_table(file, [f"K{n}" for n in range(rows)], (PREFIX, "88.118.1"))
    with up(tmp_path / "up") as network:
        kill_in_the_middle(file, network, rows)
        resumed = idis("import", file, "--json", network=network)
        assert resumed.code == 0, resumed.err
        report = report_of(resumed)
        assert report["failed"] == 0
        assert report["registered"] > 0
        done_before = report["skipped"] + report["existing"]
        assert done_before >= rows // 8
        assert done_before + report["registered"] == rows
        with Client(network.recursive) as client:
            found = sum(r.answer is not None for r in client.resolve_many(names))
        assert found == rows
        status = idis("status", "--json", network=network).json
        own = {node["name"]: node["own"] for node in status["nodes"]}
        registrations = sum(counts["registrations"] for counts in own.values())
        assert registrations == rows + seeded_count(network)


def seeded_count(network) -> int:
    prefixes = {p for node in network.ready["nodes"] for p in node["prefixes"]}
    codes = map(code_records, builtin_topology(2).enterprises)
    records = [name for item in codes for each in item.values() for name in each]
    return len(network.ready["identifiers"]) + len(prefixes) + len(records)


def test_progress_of_another_network_is_no_progress_here(idis, tmp_path):
    file = tmp_path / "table.csv"
    names = write_table(file, [f"N{n}" for n in range(20_000)])
    with up(tmp_path / "first") as network:
        kill_in_the_middle(file, network, 20_000)
    with up(tmp_path / "second") as network:
        done = idis("import", file, "--json", network=network)
        assert report_of(done) == {**summary(registered=20_000), "errors": []}
        assert idis("resolve", names[0], network=network).code == 0


# ---- status, doctor, demo -----------------------------------------------------------


def test_status_shows_every_node(idis, shared):
    done = idis("status", "--json", network=shared)
    assert done.code == 0, done.err
    rows = done.json["nodes"]
    assert [row["name"] for row in rows] == [n["name"] for n in shared.ready["nodes"]]
    assert all(row["ready"] for row in rows)
    top = next(row for row in rows if row["role"] == "top")
    own = [row["own"] for row in rows if row["role"] != "recursive"]
    for name in ("identifiers", "registrations", "resolutions"):
        assert top["total"][name] == sum(counts[name] for counts in own)
    shown = idis("status", network=shared)
    assert shown.code == 0
    assert shown.out.count("ready") >= len(rows)


def test_status_finds_the_network_that_was_started_last(idis, tmp_path, monkeypatch):
    with up(tmp_path / "up") as network:
        monkeypatch.setenv("XDG_STATE_HOME", str(network.ready_file.parent))
        assert idis("status", "--json").json["pid"] == network.process.pid
        assert idis("resolve", HOSTED).code == 0
    refused(idis("status"), "no running network", "idis up", code=3)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 0}', '{"pid": "x"}'])
def test_a_strange_ready_file_is_no_running_network(idis, tmp_path, monkeypatch, text):
    file = tmp_path / "strange.json"
    file.write_text(text)
    monkeypatch.setenv("IDIS_READY_FILE", str(file))
    finished = idis("status")
    assert finished.code == 3, finished.err
    assert "Traceback" not in finished.err


def test_status_of_nodes_that_speak_no_http_says_they_are_down(
    idis, shared, tmp_path, monkeypatch
):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            with contextlib.suppress(OSError):
                while True:
                    peer, _ = listener.accept()
                    with peer:
                        peer.recv(65536)
                        peer.sendall(b"what?\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        port = listener.getsockname()[1]
        ready = dict(shared.ready)
        ready["nodes"] = [{**ready["nodes"][0], "http": f"http://127.0.0.1:{port}"}]
        file = tmp_path / "other.json"
        file.write_text(json.dumps(ready))
        monkeypatch.setenv("IDIS_READY_FILE", str(file))
        done = idis("status", "--json")
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(DEADLINE_SECONDS)
    assert done.code == 1, done.err
    assert done.json["nodes"][0]["ready"] is False


def test_doctor_finds_and_says(idis):
    done = idis("doctor", "--json")
    findings = done.json
    assert done.code == (0 if all(f["right"] for f in findings) else 1)
    assert all(f["what"] and f["found"] for f in findings)
    assert all(f["hint"] for f in findings if not f["right"])
    what = " ".join(f["what"] for f in findings)
    for word in ("Python", "event loop", "IPv6", "open files", "resolver", "3641"):
        assert word in what
    shown = idis("doctor")
    # A durable write is measured each time anew: the two need not agree.
    assert shown.code in (0, 1)
    assert shown.code == 0 or "look" in shown.out
    assert "Python 3.11 or newer" in shown.out


@pytest.mark.timeout(120)
def test_the_demonstration_does_all_it_promises(idis, tmp_path):
    done = idis("demo", "--json")
    assert done.code == 0, done.err
    report = done.json
    assert report["ok"]
    steps = [step["step"] for step in report["steps"]]
    for step in (
        "start",
        "resolve a product code",
        "register",
        "update",
        "prove",
        "verify offline",
        "recheck all data",
        "start again, same data",
        "check",
    ):
        assert step in steps
    assert all(step["result"] and step["seconds"] >= 0 for step in report["steps"])


def test_open_writes_need_no_credential_and_are_announced(idis, tmp_path):
    ready = tmp_path / "ready.json"
    command = [sys.executable, "-m", "resolver.cli", "up", *SMALL, "--open-writes"]
    process = subprocess.Popen(
        [*command, "--ready-file", ready],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    said = b""
    while b"Ctrl-C stops" not in said:
        octets = os.read(process.stderr.fileno(), 65536)
        assert octets, "it ended before it was ready"
        said += octets
    try:
        assert b"OPEN WRITES" in said
        described = json.loads(ready.read_text())
        assert described["open_writes"] is True
        host, port = described["recursive"]["handle"]
        with Client(f"{host}:{port}") as client:
            client.register(f"{PREFIX}/ANYBODY", {"URL": "x"})
            assert client.resolve(f"{PREFIX}/ANYBODY").first("URL") == "x"
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 0


def test_writes_are_closed_without_it(shared):
    with (
        Client(shared.recursive) as client,
        pytest.raises(AccessError, match="credential"),
    ):
        client.register(f"{PREFIX}/ANYBODY", {"URL": "x"})
