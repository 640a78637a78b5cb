"""What the commands of the benchmark share: network, core, progress, hints."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from bench.load import Told
from resolver.commands.console import ERROR
from resolver.commands.running import required_network
from resolver.errors import SetupError, UnreachableError


def read_ready(file: Path | None) -> dict[str, Any]:
    """Read a ready file, or the one that `idis up` leaves.

    Raises:
        SetupError: It cannot be read.
        UnreachableError: None was named and nothing runs.
    """
    if file is None:
        return required_network()
    try:
        ready: dict[str, Any] = json.loads(file.read_text())
    except OSError as error:
        message = f"ready file {file}: {error.strerror or error}"
        hint = f"start a network: idis up --ready-file {file}"
        raise SetupError(message, hint) from error
    except ValueError as error:
        message = f"ready file {file}: JSON expected, got: {error}"
        raise SetupError(message) from error
    return ready


def pin(cpu: int) -> None:
    """Keep this process on one core.

    Raises:
        SetupError: There is no such core, or the system cannot do that.
    """
    try:
        os.sched_setaffinity(0, {cpu})
    except (OSError, AttributeError, ValueError) as error:
        message = f"--cpu {cpu}: {error}"
        cores = ", ".join(map(str, sorted(range(os.cpu_count() or 1))))
        raise SetupError(message, f"cores here: {cores}") from error


def hint_of(error: Exception) -> str:
    """Give what helps, if the error says it."""
    if isinstance(error, SetupError):
        return error.hint
    if isinstance(error, UnreachableError):
        return "is the network up? idis status; or start one: idis up"
    return ""


@contextlib.contextmanager
def progress(quiet: bool) -> Iterator[Told | None]:
    """Show a progress bar on stderr, where a person looks at it."""
    if quiet or not ERROR.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.completed:,}"),
    )
    with Progress(*columns, console=ERROR, transient=True) as bar:
        task = bar.add_task("")

        def told(what: str, done: int, count: int) -> None:
            bar.update(task, description=what, completed=done, total=max(count, 1))

        yield told
