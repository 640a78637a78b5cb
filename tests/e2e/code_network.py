"""A network with seeded codes in a process of its own, in surroundings of its own."""

import contextlib

import pytest

from resolver.running import start_network, stop_network


@contextlib.contextmanager
def code_network(base):
    """Run one with two secondary nodes; commands of this process find it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "HOME"):
            patch.setenv(name, str(base / name))
        running = start_network(base, ("--secondaries", "2", "--port-base", "0"))
        patch.setenv("IDIS_READY_FILE", str(running.ready_file))
        try:
            yield running
        finally:
            stop_network(running.process)
