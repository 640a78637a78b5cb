"""A network in a process of its own: started, waited for, stopped.

For whatever needs a whole network and must not share a process with it: the pytest
fixtures, the demonstration, benchmarks.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_SECONDS = 60.0
STOP_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class RunningNetwork:
    """A network that runs in another process."""

    ready: dict[str, Any]
    """The ready file: nodes, addresses, identifiers, credentials."""

    process: "subprocess.Popen[bytes]"
    ready_file: Path

    @property
    def recursive(self) -> str:
        """Address of the recursive node, `HOST:PORT`."""
        host, port = self.ready["recursive"]["handle"]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def node(self, prefix: str) -> dict[str, Any]:
        """Give the ready file's entry of the node at which a prefix lives.

        Raises:
            LookupError: No node has it.
        """
        for node in self.ready["nodes"]:
            if prefix in node["prefixes"]:
                found: dict[str, Any] = node
                return found
        message = f"no node has the prefix {prefix}"
        raise LookupError(message)

    def chain(self, name: str) -> dict[str, Any]:
        """Give the ready file's entry of a chain: `wuhan` or `hanyang`.

        Raises:
            LookupError: There is none.
        """
        for chain in self.ready.get("chains", ()):
            if chain["name"] == name:
                found: dict[str, Any] = chain
                return found
        message = f"no chain is called {name}"
        raise LookupError(message)

    def credential(self, kind: str, prefix: str | None = None) -> dict[str, Any]:
        """Give the first credential of a kind: `rsa`, `sm2` or `secret`.

        Raises:
            LookupError: There is none, or none of that prefix.
        """
        for entry in self.ready["credentials"]:
            owner = entry["handle"].partition("/")[0]
            if entry["kind"] == kind and prefix in (None, owner):
                found: dict[str, Any] = entry
                return found
        message = f"no {kind} credential of {prefix or 'anybody'}"
        raise LookupError(message)


@contextlib.contextmanager
def run_network(*arguments: str) -> Iterator[RunningNetwork]:
    """Run `idis up` with these arguments until the block ends.

    Raises:
        RuntimeError: It did not start; the text is what it said.
    """
    with tempfile.TemporaryDirectory(prefix="idis-test-") as directory:
        network = start_network(Path(directory), arguments)
        try:
            yield network
        finally:
            stop_network(network.process)


def start_network(directory: Path, arguments: Sequence[str]) -> RunningNetwork:
    """Start `idis up` and wait until every node answers.

    Raises:
        RuntimeError: It did not start; the text is what it said.
    """
    file = directory / "ready.json"
    command = [sys.executable, "-m", "resolver.cli", "up", "--ready-file", str(file)]
    environment = {**os.environ, "XDG_STATE_HOME": str(directory)}
    process = subprocess.Popen(  # noqa: S603 (our own program)
        [*command, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
    )
    try:
        said = _wait_until_ready(process)
    except BaseException:  # whoever does not wait any more leaves nothing running
        process.kill()
        process.communicate()
        raise
    if not file.exists():
        process.kill()
        process.communicate()
        message = f"idis up did not start: {said.decode(errors='replace')}"
        raise RuntimeError(message)
    threading.Thread(target=_drain, args=(process,), daemon=True).start()
    return RunningNetwork(json.loads(file.read_text()), process, file)


def stop_network(process: "subprocess.Popen[bytes]") -> None:
    """Stop a network as Ctrl-C does."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _drain(process: "subprocess.Popen[bytes]") -> None:
    """Read on what it prints: a network that nobody listens to must not stand still."""
    assert process.stdout is not None
    with process.stdout as said:
        while said.read(65536):
            pass


def _wait_until_ready(process: "subprocess.Popen[bytes]") -> bytes:
    """Read what it prints up to the last line of its banner, or until it ends."""
    assert process.stdout is not None
    said = b""
    while b"Ctrl-C stops" not in said:
        readable, _, _ = select.select([process.stdout], [], [], START_SECONDS)
        octets = os.read(process.stdout.fileno(), 65536) if readable else b""
        if not octets:
            break
        said += octets
    return said
