"""What other programs import, and what that loads."""

import subprocess
import sys

import pytest

import resolver.client

NAMES = {
    "Answer",
    "AsyncClient",
    "Client",
    "ClientSettings",
    "KnownLog",
    "KnownLogs",
    "ProductAnswer",
    "Result",
    "RetryPolicy",
    "ServerAddress",
}
DEADLINE_SECONDS = 60


def test_the_client_library_exports_these_names_and_no_others():
    assert set(resolver.client.__all__) == NAMES
    for name in NAMES:
        assert getattr(resolver.client, name).__name__ == name


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Clint"):
        _ = resolver.client.Clint


def loaded_by(statement):
    program = f"import sys; {statement}; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import resolver.client",
        "from resolver.client import Client",
        "from resolver.client import Client; Client('127.0.0.1:3641').close()",
    ],
)
def test_the_blocking_client_never_loads_asyncio(statement):
    loaded = loaded_by(statement)
    assert not loaded & {"asyncio", "uvloop", "asyncio_dgram", "concurrent.futures"}


def test_the_asynchronous_client_does():
    assert "asyncio" in loaded_by("from resolver.client import AsyncClient")


def test_reading_the_command_line_loads_no_server():
    loaded = loaded_by("from resolver.cli import build_parser; build_parser()")
    heavy = {"fastapi", "uvicorn", "lmdb", "uvloop", "resolver.node", "numpy"}
    assert not loaded & heavy


def test_the_pytest_plugin_loads_no_server():
    loaded = loaded_by("import resolver.pytest_plugin")
    assert not loaded & {"fastapi", "uvicorn", "lmdb", "uvloop", "resolver.node"}
