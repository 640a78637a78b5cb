"""The pytest plugin, as somebody else's project uses it."""

import os
import subprocess
import sys

import pytest

DEADLINE_SECONDS = 120
TESTS = """
from resolver.client import Client

seen = []


def test_resolves(idis_network):
    with Client(idis_network.recursive) as client:
        assert client.resolve("88.118.7/SN0001").first("URL")


def test_is_shared(idis_network):
    assert idis_network.process.poll() is None
    assert {n["role"] for n in idis_network.ready["nodes"]} == {
        "recursive", "top", "secondary", "enterprise"
    }


def test_registers(idis_fresh_network):
    import resolver.commands.running as running
    entry = idis_fresh_network.credential("sm2", "88.118.7")
    credential = running.from_ready(entry)
    with Client(idis_fresh_network.recursive, credential=credential) as client:
        client.register("88.118.7/MINE", {"URL": "x"})
        assert client.resolve("88.118.7/MINE").first("URL") == "x"


def test_is_fresh(idis_fresh_network):
    with Client(idis_fresh_network.recursive) as client:
        try:
            client.resolve("88.118.7/MINE")
        except Exception as error:
            assert error.code == 100
        else:
            raise AssertionError("what another test registered is there")


def test_differ(idis_network, idis_fresh_network):
    assert idis_network.recursive != idis_fresh_network.recursive
    assert idis_network.node("88.118.1")["role"] == "enterprise"
"""


INI = """
[pytest]
filterwarnings = error
asyncio_default_fixture_loop_scope = function
"""


def run_pytest(directory, *arguments):
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "COV_", "IDIS_"))
    }
    environment["XDG_CACHE_HOME"] = str(directory.parent / "cache")
    environment["TMPDIR"] = str(directory / "tmp")
    (directory / "tmp").mkdir()
    (directory / "test_mine.py").write_text(TESTS)
    (directory / "pytest.ini").write_text(INI)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )


@pytest.mark.timeout(DEADLINE_SECONDS)
@pytest.mark.parametrize("arguments", [(), ("-n", "2")])
def test_a_project_gets_networks_in_one_line(tmp_path, arguments):
    done = run_pytest(tmp_path, "-q", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout
    left = [item.name for item in (tmp_path / "tmp").iterdir()]
    assert not [name for name in left if name.startswith("idis")]


def test_the_size_of_the_network_can_be_chosen(tmp_path):
    done = run_pytest(
        tmp_path, "-q", "-k", "is_shared or resolves", "--idis-secondaries", "1"
    )
    assert "1 failed, 1 passed" in done.stdout, "88.118 belongs to the second node"


def test_the_fixtures_are_explained(tmp_path):
    done = run_pytest(tmp_path, "--fixtures", "-q")
    assert "Run a network for the whole session." in done.stdout
    assert "Run a network for one test." in done.stdout


def test_a_network_that_does_not_start_says_why(tmp_path):
    done = run_pytest(tmp_path, "-q", "-k", "is_shared", "--idis-secondaries", "99")
    assert done.returncode == 1
    assert "1 to 35 secondary nodes, got 99" in done.stdout
