"""The process that reads a data directory, as seen from outside: asked, and outlived."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any, Self

SILENCE_SECONDS = 300.0
"""A walk that tells of nothing for so long goes round in circles."""

_READ_OCTETS = 65_536
_LONGEST_LINE = 64 << 20

Report = dict[str, Any]


class WorkerDiedError(Exception):
    """The process that read has not come to an end of its own."""


class Workers:
    """A process that reads, and another one after it when it dies."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (closed with this)
        self._left = b""

    def __enter__(self) -> Self:
        """Nothing is started before it is needed."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self._end()
        self._said.close()

    def ask(self, job: Report, tell: Callable[[Report], None]) -> Report:
        """Have a job done; `tell` is told what comes before its result.

        Raises:
            WorkerDiedError: The process died of it, or went on for ever.
        """
        process = self._running()
        assert process.stdin is not None
        process.stdin.write(json.dumps(job).encode() + b"\n")
        process.stdin.flush()
        while True:
            message = json.loads(self._line(process))
            if "result" in message:
                result: Report = message["result"]
                return result
            tell(message)

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            command = [sys.executable, "-m", "resolver.commands.audit_worker"]
            self._left = b""
            self._said.truncate(0)
            self._process = subprocess.Popen(  # noqa: S603 (our own program)
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
            )
        return self._process

    def _line(self, process: "subprocess.Popen[bytes]") -> bytes:
        assert process.stdout is not None
        descriptor = process.stdout.fileno()
        while b"\n" not in self._left:
            readable, _, _ = select.select([descriptor], [], [], SILENCE_SECONDS)
            octets = os.read(descriptor, _READ_OCTETS) if readable else b""
            if not octets or len(self._left) > _LONGEST_LINE:
                raise self._died(process, silent=not readable)
            self._left += octets
        line, _, self._left = self._left.partition(b"\n")
        return line

    def _died(
        self, process: "subprocess.Popen[bytes]", *, silent: bool
    ) -> WorkerDiedError:
        self._end()
        if silent:
            return WorkerDiedError(
                f"reading it came to no end in {SILENCE_SECONDS:.0f} s"
            )
        code = process.returncode
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        self._said.seek(0)
        last = self._said.read()[-_READ_OCTETS:].decode(errors="replace").splitlines()
        said = f": {last[-1]}" if last else ""
        return WorkerDiedError(f"reading it ended the reader with {how}{said}")

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.kill()
        process.communicate()
