"""Locust, as a person runs it: in processes of its own, against a small network."""

import contextlib
import csv
import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import NamedTuple

import pytest

from resolver.running import start_network, stop_network
from tests.nano import closed_port

# Never imported here: that would patch the sockets of the whole test run.
pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("locust") is None,
        reason="locust is not installed: pip install 'idis-emulator[load]'",
    ),
    pytest.mark.timeout(180),
]

ROOT = Path(__file__).parents[2]
LOCUSTFILE = ROOT / "bench" / "locustfile.py"
DEADLINE_SECONDS = 90
FRACTION = re.compile(r"\d*\.\d*[1-9]\d*")


class Run(NamedTuple):
    """What a headless run left."""

    code: int
    said: str
    rows: dict[tuple[str, str], dict[str, str]]
    """Lines of the statistics by type and name; the last is `("", "Aggregated")`."""

    failures: dict[tuple[str, str], int]
    """Occurrences by the request's name and the kind of failure."""

    exceptions: list[dict[str, str]]

    @property
    def total(self):
        return self.rows["", "Aggregated"]


@pytest.fixture(scope="module", autouse=True)
def surroundings(tmp_path_factory):
    """Keep the machine's own networks and settings out of it."""
    base = tmp_path_factory.mktemp("surroundings")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_STATE_HOME", "HOME"):
            patch.setenv(name, str(base / name))
        for name in list(os.environ):
            if name.startswith(("IDIS_", "LOCUST_")) or name.lower().endswith("_proxy"):
                patch.delenv(name)
        yield


@pytest.fixture(scope="module")
def network(tmp_path_factory, surroundings):
    directory = tmp_path_factory.mktemp("network")
    network = start_network(directory, ("--secondaries", "2", "--port-base", "0"))
    yield network
    stop_network(network.process)


@pytest.fixture
def locust(tmp_path):
    def run(*arguments, network=None, file=LOCUSTFILE, environment=None):
        prefix = tmp_path / "run"
        command = [sys.executable, "-m", "locust", "-f", str(file), "--headless"]
        command += ["--csv", str(prefix), "--only-summary", *map(str, arguments)]
        ready = {} if network is None else {"IDIS_READY_FILE": str(network.ready_file)}
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env={**os.environ, **ready, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
        failures = read(prefix, "failures")
        return Run(
            done.returncode,
            done.stdout,
            {(row["Type"], row["Name"]): row for row in read(prefix, "stats")},
            {(row["Name"], row["Error"]): int(row["Occurrences"]) for row in failures},
            read(prefix, "exceptions"),
        )

    return run


def read(prefix: Path, what: str) -> list[dict[str, str]]:
    file = prefix.with_name(f"{prefix.name}_{what}.csv")
    if not file.exists():
        return []
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def write(directory: Path, text: str) -> Path:
    file = directory / "locustfile.py"
    file.write_text(text)
    return file


def check_good(run: Run, *kinds: tuple[str, str]) -> None:
    """Check a run in which everything was answered, and timed in microseconds."""
    assert run.code == 0, run.said
    assert run.exceptions == []
    assert run.failures == {}
    for kind in (*kinds, ("", "Aggregated")):
        row = run.rows[kind]
        assert int(row["Request Count"]) > 0, kind
        assert int(row["Failure Count"]) == 0, kind
        times = [float(row[name]) for name in ("50%", "90%", "99%", "100%")]
        assert times == sorted(times)
        assert 0 < float(row["Min Response Time"]) <= times[0] * 1.01
        assert times[-1] <= float(row["Max Response Time"]) * 1.01 + 0.001


NATIVE = (("UDP", "resolve"), ("TCP", "resolve"), ("UDP", "resolve cold"))
OTHERS = (("HTTP", "resolve"), ("DNS", "resolve"), ("TCP", "register"))


def test_every_kind_of_user_loads_a_running_network(locust, network):
    run = locust("-u", 7, "-r", 100, "-t", "6s", "--equal-weights", network=network)
    check_good(run, *NATIVE, *OTHERS, ("TCP", "log in"))
    fast = run.rows["UDP", "resolve"]
    assert FRACTION.fullmatch(fast["50%"]), "percentiles are cut to milliseconds"
    assert FRACTION.fullmatch(fast["Median Response Time"])
    assert float(fast["50%"]) < 50


def test_five_users_need_no_further_option(locust, network):
    usual = Path(os.environ["XDG_STATE_HOME"]) / "idis-emulator" / "ready.json"
    usual.parent.mkdir(parents=True, exist_ok=True)
    usual.symlink_to(network.ready_file)
    try:
        run = locust("-u", 5, "-r", 5, "-t", "3s")
    finally:
        usual.unlink()
    check_good(run, ("UDP", "resolve"))


def test_two_processes_report_what_they_did_together(locust, network):
    port = closed_port()
    ports = ("--master-bind-port", port, "--master-port", port)
    two = ("--processes", 2, *ports, "--equal-weights", "Resolve", "Register")
    run = locust("-u", 4, "-r", 4, "-t", "4s", *two, network=network)
    check_good(run, ("UDP", "resolve"), ("TCP", "register"))
    assert FRACTION.fullmatch(run.rows["UDP", "resolve"]["50%"])
    assert int(run.rows["TCP", "log in"]["Request Count"]) == 2


def test_the_locustfile_of_the_manual_runs_as_it_stands(locust, network, tmp_path):
    text = (ROOT / "docs" / "load-testing.md").read_text()
    (block,) = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    run = locust(
        "-u", 6, "-r", 6, "-t", "8s", network=network, file=write(tmp_path, block)
    )
    check_good(run, ("UDP", "resolve"), ("UDP", "resolve unknown"), ("TCP", "register"))
    assert set(run.rows) >= {("TCP", "log in"), ("UDP", "read back")}


FAILING = """
from resolver.load import HandleUser
from locust import task, constant_throughput

class Wrong(HandleUser):
    wait_time = constant_throughput(20)

    @task
    def unknown(self):
        self.resolve("88.118.7/NOT-THERE-1", name="unknown")
        self.resolve("88.118.7/NOT-THERE-2", name="unknown")
        self.resolve("88.118.7/NOT-THERE", name="unknown, expected", expect=(100,))
        self.resolve("88.118.7/SN0001", name="known", expect=(100,))
        self.resolve("88.118.7/SN0042", name="known", expect=(100,))
"""


def test_failures_are_counted_by_response_code(locust, network, tmp_path):
    run = locust("-u", 2, "-t", "2s", network=network, file=write(tmp_path, FAILING))
    assert run.code == 1
    assert run.rows["UDP", "unknown, expected"]["Failure Count"] == "0"
    kinds = {"unknown": "code 100 HANDLE_NOT_FOUND", "known": "code 1 SUCCESS"}
    assert run.failures.keys() == set(kinds.items())
    for name, kind in kinds.items():
        row = run.rows["UDP", name]
        assert row["Failure Count"] == row["Request Count"] != "0"
        assert int(row["Failure Count"]) == run.failures[name, kind]


SILENT = """
from resolver.load import ResolvingUser, TcpResolvingUser
from resolver.client import RetryPolicy

class Impatient(ResolvingUser):
    retry = RetryPolicy((0.2,), 0.2)
    identifiers = ()
"""


def test_timeouts_are_a_kind_of_their_own(locust, network, tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("88.118.7/SN0001\n")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        run = locust(
            *("-u", 2, "-t", "2s", "--host", host, "--identifiers", names),
            file=write(tmp_path, SILENT),
        )
    assert run.code == 1
    assert set(run.failures) == {("resolve", "timeout: no answer in 0.2 s")}
    assert float(run.rows["UDP", "resolve"]["Min Response Time"]) > 100


@pytest.mark.parametrize(
    "told", [(), ("--allow-remote",), ("--i-own-this-target",)], ids=len
)
def test_what_is_not_this_machine_is_refused_unless_told_twice(locust, network, told):
    run = locust("-t", "1s", "--host", "192.0.2.1:2641", *told, network=network)
    assert run.code == 2
    assert "192.0.2.1 is not this machine" in run.said
    assert "--allow-remote --i-own-this-target" in run.said
    assert run.rows == {} or run.total["Request Count"] == "0"


def test_without_a_network_it_says_how_to_start_one(locust):
    run = locust("-t", "1s")
    assert run.code == 3
    assert "no running network" in run.said
    assert "idis up" in run.said
    assert "Traceback" not in run.said


def test_users_that_know_no_identifiers_say_so_and_end(locust):
    host = f"127.0.0.1:{closed_port()}"
    run = locust("-u", 2, "-t", "2s", "--host", host, "Resolve")
    assert run.code == 1
    assert "no identifiers are known; give some: --identifiers" in run.said
    assert "Traceback" not in run.said
    (exception,) = run.exceptions
    assert exception["Message"] == "no identifiers are known"


def test_a_growing_network_does_not_take_the_place_of_one_that_runs(locust, network):
    files = f"{LOCUSTFILE},{LOCUSTFILE.with_name('growing_locustfile.py')}"
    run = locust("-u", 2, network=network, file=files)
    assert run.code == 2
    assert "runs already" in run.said
    assert network.process.poll() is None
    assert network.ready_file.exists()


def test_without_locust_the_extra_is_named():
    program = "import sys; sys.modules['locust'] = None; import resolver.load"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert done.returncode == 1
    assert "pip install 'idis-emulator[load]'" in done.stderr.splitlines()[-1]


PUBLIC = """
import resolver.load
for name in resolver.load.__all__:
    kind = getattr(resolver.load, name)
    assert kind.__name__ == name and kind.abstract, name
print("asyncio" in __import__("sys").modules)
"""


def test_all_names_are_there_and_none_runs_by_being_imported():
    done = subprocess.run(
        [sys.executable, "-c", PUBLIC],
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr


GROWING = """
from resolver.load import GrowingNetwork, HttpResolvingUser, MixedUser, RegisteringUser

class Small(GrowingNetwork):
    secondaries = (1, 2)
    step_seconds = 2.0

class Http(HttpResolvingUser): ...
class Mixed(MixedUser): ...
class Register(RegisteringUser): ...
"""


def test_a_network_grows_under_load(locust, tmp_path):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    run = locust(
        *("-u", 6, "-r", 6),
        file=write(tmp_path, GROWING),
        environment={"TMPDIR": str(temporary)},
    )
    assert run.code == 0, run.said
    assert run.failures == {}
    for size in (1, 2):
        for how, what in (("UDP", "resolve"), ("HTTP", "resolve"), ("TCP", "register")):
            row = run.rows[how, f"{what}, {size} secondaries"]
            assert int(row["Request Count"]) > 0
    change = run.rows["GROW", "1 to 2 secondaries"]
    assert change["Request Count"] == "1"
    assert float(change["Max Response Time"]) > 100, "a restart takes its time"
    assert list(temporary.glob("idis-*")) == []
    assert not list(Path(os.environ["XDG_STATE_HOME"]).glob("*/growing.json"))


@contextlib.contextmanager
def page(network, directory):
    """Run Locust with its page; give the page's address."""
    port = closed_port()
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE)]
    command += ["--web-port", str(port), "Resolve", "ResolveOverHttp"]
    process = subprocess.Popen(
        command,
        cwd=directory,
        env={**os.environ, "IDIS_READY_FILE": str(network.ready_file)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "web interface" in line:
                break
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=DEADLINE_SECONDS)


def fetch(url, **form):
    data = urllib.parse.urlencode(form).encode() if form else None
    with urllib.request.urlopen(url, data, timeout=10) as answer:
        return json.loads(answer.read())


def until(url, true):
    """Look at the statistics until they are so; the test's deadline ends it."""
    while True:
        with contextlib.suppress(urllib.error.URLError):
            found = fetch(f"{url}/stats/requests")
            if true(found):
                return found


def test_the_page_shows_microseconds_and_refuses_other_machines(network, tmp_path):
    with page(network, tmp_path) as url:
        until(url, lambda found: found["state"] == "ready")
        form = {"user_count": 2, "spawn_rate": 2}
        fetch(f"{url}/swarm", **form, host="192.0.2.1:2641")
        until(url, lambda found: found["state"] == "stopped")
        fetch(f"{url}/swarm", **form, host="")
        found = until(url, lambda found: found["total_rps"] > 0)
    (row,) = (one for one in found["stats"] if one["method"] == "UDP")
    assert row["num_failures"] == 0
    assert row["min_response_time"] % 1 > 0
    assert row["median_response_time"] < 50
