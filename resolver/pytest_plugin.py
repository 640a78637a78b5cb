"""A pytest plugin: a network for your own tests, in one line.

    def test_mine(idis_network):
        host, port = idis_network.ready["recursive"]["handle"]

`idis_network` lives for the session, `idis_fresh_network` for one test. Each runs in a
process of its own on free ports, with two secondary nodes and the enterprises below
them unless told otherwise (`--idis-secondaries N`), so tests may block, fork, or run
under pytest-xdist. With a session network, register identifiers of your own and leave
the seeded ones alone.
"""

from collections.abc import Iterator

import pytest

from resolver.running import RunningNetwork, run_network


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the person choose the size of the network."""
    group = parser.getgroup("idis", "idis-emulator networks")
    group.addoption(
        "--idis-secondaries",
        type=int,
        default=2,
        help="secondary nodes of the networks that fixtures start (default 2)",
    )


def _arguments(config: pytest.Config) -> tuple[str, ...]:
    secondaries = config.getoption("--idis-secondaries")
    return "--secondaries", str(secondaries), "--port-base", "0"


@pytest.fixture(scope="session")
def idis_network(pytestconfig: pytest.Config) -> Iterator[RunningNetwork]:
    """Run a network for the whole session."""
    with run_network(*_arguments(pytestconfig)) as network:
        yield network


@pytest.fixture
def idis_fresh_network(pytestconfig: pytest.Config) -> Iterator[RunningNetwork]:
    """Run a network for one test."""
    with run_network(*_arguments(pytestconfig)) as network:
        yield network
