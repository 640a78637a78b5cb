"""numba, imported late, and the kernels it compiles, kept for the next start.

Importing numba takes 0.4 s, so nothing does before a network answers. Compiling takes
some ten seconds of a core, once on a machine, and happens in a process of its own: the
network answers the long way meanwhile, undisturbed. What was compiled lies in the
user's cache directory, under a name made from the sources, the versions and the
processor: a change in one module also changes kernels that call into it, which numba
alone does not notice.
"""

import asyncio
import hashlib
import os
import platform
import sys
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from resolver.errors import ResolverError

_PACKAGES = ("resolver.fastpath", "chain_anchor.compiled")
_COMPLETE = "complete"
_COMPILE_SECONDS = 600.0


class NoFastPathError(ResolverError):
    """The fast path cannot run here; the text says why."""


def check_machine() -> None:
    """Check that kernels can run here.

    Raises:
        NoFastPathError: It is not Linux, not a 64-bit little-endian machine, or numba
            is missing.
    """
    if sys.platform != "linux":
        message = f"it needs Linux, this is {sys.platform}"
        raise NoFastPathError(message)
    if sys.maxsize < 1 << 32 or sys.byteorder != "little":
        message = f"it needs a 64-bit little-endian machine, not {platform.machine()}"
        raise NoFastPathError(message)
    try:
        metadata.version("numba")
    except metadata.PackageNotFoundError:
        message = "numba is not installed"
        raise NoFastPathError(message) from None


def import_numba() -> Any:
    """Import numba with our cache directory, unless NUMBA_CACHE_DIR names another.

    Raises:
        ImportError: It is not installed, or not for this machine.
    """
    import numba

    if not numba.config.CACHE_DIR:
        numba.config.CACHE_DIR = str(kernel_directory())
    return numba


def kernel_directory() -> Path:
    """Give where the kernels of these sources, for this machine, are kept."""
    cache = os.environ.get("XDG_CACHE_HOME")
    base = Path(cache) if cache else Path.home() / ".cache"
    return base / "idis-emulator" / "kernels" / _fingerprint()


def are_compiled() -> bool:
    """Tell whether all kernels have been compiled here before."""
    return (kernel_directory() / _COMPLETE).exists()


async def compile_apart() -> None:
    """Compile the kernels in another process.

    Raises:
        NoFastPathError: It failed; the text is the last line it said.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "resolver.fastpath.preparing",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(_COMPILE_SECONDS):
            _, said = await process.communicate()
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    if process.returncode:
        lines = said.decode(errors="replace").strip().splitlines() or ["no word"]
        message = f"its kernels do not compile: {lines[-1]}"
        raise NoFastPathError(message)


def note_compiled() -> None:
    """Remember that all kernels are compiled."""
    (kernel_directory() / _COMPLETE).touch()


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for package in _PACKAGES:
        sources = resources.files(package).iterdir()
        for source in sorted(sources, key=lambda item: item.name):
            if source.name.endswith(".py"):
                digest.update(source.read_bytes())
    for text in (metadata.version("numba"), sys.version, _processor()):
        digest.update(text.encode())
    return digest.hexdigest()[:16]


def _processor() -> str:
    """Name the processor and what it can: kernels are compiled for it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    wanted = ("model name", "flags", "Features", "CPU part")
    return "\n".join(sorted({line for line in lines if line.startswith(wanted)}))
