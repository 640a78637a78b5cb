"""Programs that run beside a measurement: started, waited for, asked what they did."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.serving import Cores, on_cores, stop

LEEWAY_SECONDS = 0.5
"""How long a program goes on after what it accompanies."""

_END_SECONDS = 30.0
_TOP = Path(__file__).parents[2]


class Done(NamedTuple):
    """What a program says at its end."""

    times: int
    seconds: float

    @property
    def per_second(self) -> float:
        """How often it did it."""
        return self.times / self.seconds


@contextlib.contextmanager
def accompanied(
    module: str, arguments: Sequence[str], cores: Cores
) -> Iterator[list[Done]]:
    """Run a module of ours beside the block; after it, the list holds what it did.

    It runs where neither server nor generator does, if there is such a core. It is waited for: give it as many seconds as the block takes, and
    `LEEWAY_SECONDS`.

    Raises:
        RuntimeError: It did not start, or failed.
    """
    done: list[Done] = []
    with on_cores(cores.company):
        process = subprocess.Popen(  # noqa: S603 (a program of ours)
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            cwd=_TOP,
            start_new_session=True,
        )
    try:
        assert process.stdout is not None
        if process.stdout.readline() != b"ready\n":
            message = f"{module} did not start"
            raise RuntimeError(message)
        yield done
        said, _ = process.communicate(timeout=_END_SECONDS)
        if process.returncode:
            message = f"{module} failed with code {process.returncode}"
            raise RuntimeError(message)
        told = json.loads(said)
        done.append(Done(told["done"], told["seconds"]))
    finally:
        stop(process)
