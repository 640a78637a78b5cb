"""Witnesses as processes of their own, and logs that ask them."""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from chain_anchor.checkpoint import Checkpoint, sign_checkpoint
from chain_anchor.note import Signer
from resolver.witnesses import WitnessAddress
from tests.merkle_trees import ORIGIN, Tree, signer

START_SECONDS = 30


class WitnessProcess:
    """`idis witness`, started and stopped as somebody does it."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.ready_file = directory.with_suffix(".json")
        self.ready_file.unlink(missing_ok=True)
        command = ["witness", "--data", str(directory)]
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "resolver.cli", *command, *arguments),
                *("--ready-file", str(self.ready_file)),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ,
        )

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        # It is written whole, once the witness answers.
        while not self.ready_file.exists():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.02)
        self.ready = json.loads(self.ready_file.read_text())
        self.address = WitnessAddress.parse(self.ready["address"])

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.process.communicate()

    def stop(self) -> tuple[str, str]:
        """End it as Ctrl-C does; gives what it wrote."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            out, err = self.process.communicate(timeout=START_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        return out.decode(), err.decode()


@contextlib.contextmanager
def witness(directory: Path, *arguments: str):
    """Run a witness until the block ends."""
    process = WitnessProcess(directory, *arguments)
    try:
        process.wait_until_ready()
        yield process
    finally:
        process.kill()


class AskingLog:
    """A log over a tree that is made in advance; what it has signed it may show."""

    def __init__(self, tree: Tree, by: Signer | None = None) -> None:
        self.tree = tree
        self.signer = by or signer(ORIGIN)

    def note(self, size: int) -> bytes:
        head = Checkpoint(self.signer.key.name, size, self.tree.root(size))
        return sign_checkpoint(head, [self.signer])

    def consistency(self, size: int):
        return lambda old: self.tree.consistency(old, size)

    def ask(self, witnesses, size: int):
        """Have a size cosigned, as a node does."""
        return witnesses.cosign(self.note(size), self.consistency(size))
