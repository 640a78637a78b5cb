"""`idis doctor`: what is wrong with this machine, and what helps."""

import importlib.util
import os
import resource
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from resolver.commands.console import print_json, show, table
from resolver.faces.sockets import reachable_hosts
from resolver.fastpath import compiling
from resolver.plan import (
    DEFAULT_DNS_PORT,
    DEFAULT_RECURSIVE_PORT,
    DEFAULT_TOP_HTTP_PORT,
    DEFAULT_TOP_PORT,
)

_PACKAGES = ("resolver", "registry", "chain_anchor")
_ENOUGH_FILES = 4096
_SLOW_SYNC_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    right: bool
    found: str
    hint: str = ""


def run(*, as_json: bool) -> int:
    """Look at this machine; 0 when nothing is wrong, else 1."""
    findings = [check() for check in _checks()]
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        _show(findings)
    return 0 if all(finding.right for finding in findings) else 1


def _checks() -> Iterator[Callable[[], Finding]]:
    yield check_python
    yield check_loop
    yield check_fast_path
    yield check_ipv6
    yield check_files
    yield check_sync
    for package in _PACKAGES:
        yield lambda package=package: check_package(package)  # type: ignore[misc]
    for port, what in (
        (DEFAULT_RECURSIVE_PORT, "recursive node"),
        (DEFAULT_DNS_PORT, "recursive node, DNS"),
        (DEFAULT_TOP_PORT, "top-level node"),
        (DEFAULT_TOP_HTTP_PORT, "top-level node, HTTP"),
    ):
        yield lambda port=port, what=what: check_port(port, what)  # type: ignore[misc]


def check_python() -> Finding:
    """Look at the version of Python."""
    right = sys.version_info >= (3, 11)
    found = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python 3.11 or newer", right, found, "install a newer Python")


def check_loop() -> Finding:
    """Look for uvloop."""
    right = importlib.util.find_spec("uvloop") is not None
    found = "uvloop" if right else "asyncio's own loop"
    return Finding("event loop", right, found, "slower without: pip install uvloop")


def check_fast_path() -> Finding:
    """Look whether compiled kernels can answer here, and whether they are compiled."""
    hint = "answers take the long way, which is slower and no different"
    try:
        compiling.check_machine()
    except compiling.NoFastPathError as error:
        return Finding("fast path", right=False, found=str(error), hint=hint)
    compiled = compiling.are_compiled()
    found = "compiled" if compiled else "compiled at the first start, in about 20 s"
    return Finding("fast path", right=True, found=found)


def check_ipv6() -> Finding:
    """Look for IPv6 loopback."""
    right = "::1" in reachable_hosts()
    found = "::1" if right else "none"
    hint = "nodes answer on 127.0.0.1 only; enable IPv6 on the loopback interface"
    return Finding("IPv6 loopback", right, found, hint)


def check_files() -> Finding:
    """Look at how many sockets may be open."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    right = hard == resource.RLIM_INFINITY or hard >= _ENOUGH_FILES
    hint = f"clients may hold thousands of connections: ulimit -Hn {_ENOUGH_FILES}"
    return Finding("open files allowed", right, str(hard), hint)


def check_sync() -> Finding:
    """Measure one durable write where data goes by default."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(bytes(4096))
        file.flush()
        started = time.perf_counter()
        os.fsync(file.fileno())
        seconds = time.perf_counter() - started
    hint = f"registration waits for it: use a faster disk than {tempfile.gettempdir()}"
    right = seconds < _SLOW_SYNC_SECONDS
    return Finding("durable write", right, f"{seconds * 1000:.1f} ms", hint)


def check_package(name: str) -> Finding:
    """Look whether another distribution owns one of our import names."""
    owners = metadata.packages_distributions().get(name, ["idis-emulator"])
    others = sorted(set(owners) - {"idis-emulator"})
    spec = importlib.util.find_spec(name)
    origin = str(Path(spec.origin).parent) if spec and spec.origin else "not found"
    hint = f"pip uninstall {' '.join(others)}, or use an environment of its own"
    found = f"also of {', '.join(others)}" if others else origin
    return Finding(f"import name {name}", not others, found, hint)


def check_port(port: int, what: str) -> Finding:
    """Look whether a well-known port is free."""
    with socket.socket() as probe:
        probe.settimeout(0.2)
        used = probe.connect_ex(("127.0.0.1", port)) == 0
    hint = "a network that runs already? else: idis up --port-base 0"
    found = "in use" if used else "free"
    return Finding(f"port {port} ({what})", not used, found, hint)


def _show(findings: list[Finding]) -> None:
    made = table("this machine", "", "what", "found", "hint")
    for finding in findings:
        mark = "[green]ok[/]" if finding.right else "[yellow]look[/]"
        hint = "" if finding.right else finding.hint
        made.add_row(mark, finding.what, finding.found, hint)
    show(made)
