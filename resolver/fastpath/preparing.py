"""`python -m resolver.fastpath.preparing`: compile the kernels, and leave the machine room.

In the process that serves, loading them brings in the compiler too, 70 MiB that nobody
needs again. Of those, pages that are as they are in the file are given back; should
anything need one, it is read again.
"""

import contextlib
import ctypes
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from resolver.fastpath import compiled
from resolver.fastpath.compiling import (
    are_compiled,
    kernel_directory,
    note_compiled,
)

_NICE = 10
_LOCK = "lock"
_COMPILER = "libllvmlite"
_MADV_DONTNEED = 4


def compile_here() -> None:
    """Compile the kernels, those of logs too, or load those that are compiled.

    Whoever comes while somebody else compiles them waits, and loads what was compiled.
    """
    # Late: numba must know our cache directory before it sees them.
    from chain_anchor.compiled import preparing as anchor

    directory = kernel_directory()
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / _LOCK).open("w") as lock:
        if not are_compiled():
            fcntl.flock(lock, fcntl.LOCK_EX)
        compiled.prepare()
        anchor.prepare()
        note_compiled()


def release_compiler() -> None:
    """Let the system have the memory of the compiler's code back."""
    library = ctypes.CDLL(None)
    for start, stop in clean_mappings(Path("/proc/self/smaps"), _COMPILER):
        library.madvise(
            ctypes.c_void_p(start), ctypes.c_size_t(stop - start), _MADV_DONTNEED
        )


def clean_mappings(smaps: Path, library: str) -> Iterator[tuple[int, int]]:
    """Give where a library's file lies in memory just as it is on disk."""
    with contextlib.suppress(OSError):
        place, clean = (0, 0), False
        for line in smaps.read_text().splitlines():
            name, *values = line.split()
            if not name.endswith(":"):
                start, _, stop = name.partition("-")
                place = int(start, 16), int(stop, 16)
                clean = library in line and "w" not in values[0]
            elif name == "Anonymous:" and values[0] != "0":
                clean = False
            elif name == "VmFlags:" and clean:
                yield place


if __name__ == "__main__":
    os.nice(_NICE)
    compile_here()
