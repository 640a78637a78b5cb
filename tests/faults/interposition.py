"""Puts Python in the place of what a shared library calls, in this process only.

A library reaches a function of another one through a slot that the dynamic linker
fills (System V ABI, "Procedure Linkage Table"). `redirected` fills some of them with
callbacks for a while. It needs neither a compiler nor a preloaded library, and nothing else
of the process notices: who calls the function from elsewhere gets the real one.

64-bit ELF, little-endian, as Linux loads it on x86-64 and AArch64.
"""

import contextlib
import ctypes
import errno
import mmap
import os
import platform
import struct
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

_PROGRAM_HEADERS = struct.Struct("<32xQ14xHH")  # offset, size of one, count
_PROGRAM_HEADER = struct.Struct("<II6Q")
_DYNAMIC = struct.Struct("<qQ")
_RELOCATION = struct.Struct("<QQq")
_SYMBOL = struct.Struct("<IBBHQQ")
_PT_LOAD, _PT_DYNAMIC = 1, 2
_PLTRELSZ, _STRTAB, _SYMTAB, _RELA, _RELASZ, _JMPREL = 2, 5, 6, 7, 8, 23
_SLOTS = {"x86_64": (6, 7), "aarch64": (1025, 1026)}  # GLOB_DAT, JUMP_SLOT


def why_not() -> str | None:
    """Tell why slots cannot be filled here, if so."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _SLOTS or sys.maxsize < 2**32:
        return f"no way to put Python between a library and libc on {machine}"
    return None


@contextlib.contextmanager
def redirected(library: Path, callbacks: Mapping[str, Any]) -> Iterator[None]:
    """Let a loaded library call these instead of the functions of those names.

    Each callback is an instance of a `ctypes.CFUNCTYPE`; those that the library does
    not call are left out.

    Raises:
        LookupError: The library is not loaded, or calls none of them.
    """
    base, octets = _base_of(library), library.read_bytes()
    slots = dict(_slots(octets))
    known = callbacks.keys() & slots.keys()
    if not known:
        message = f"{library} calls none of {', '.join(callbacks)}"
        raise LookupError(message)
    before = {}
    for name in known:
        pointer = ctypes.cast(callbacks[name], ctypes.c_void_p).value
        assert pointer is not None
        before[base + slots[name]] = _fill(base + slots[name], pointer)
    try:
        yield
    finally:
        for slot, pointer in before.items():
            _fill(slot, pointer)


def _base_of(library: Path) -> int:
    for line in Path("/proc/self/maps").read_text().splitlines():
        addresses, _, offset, _, _, *path = line.split(maxsplit=5)
        if path == [str(library)] and int(offset, 16) == 0:
            return int(addresses.partition("-")[0], 16)
    message = f"{library} is not loaded"
    raise LookupError(message)


def _slots(octets: bytes) -> Iterator[tuple[str, int]]:
    """Give the slots of a library: name, address from where it is loaded."""
    offset_of, dynamic = _dynamic(octets)
    strings, symbols = offset_of(dynamic[_STRTAB]), offset_of(dynamic[_SYMTAB])
    for table, size in ((_RELA, _RELASZ), (_JMPREL, _PLTRELSZ)):
        if table not in dynamic:
            continue
        start = offset_of(dynamic[table])
        relocations = octets[start : start + dynamic[size]]
        for address, info, _ in _RELOCATION.iter_unpack(relocations):
            if info & 0xFFFFFFFF in _SLOTS[platform.machine()]:
                symbol = symbols + (info >> 32) * _SYMBOL.size
                name = strings + _SYMBOL.unpack_from(octets, symbol)[0]
                yield octets[name : octets.index(0, name)].decode(), address


def _dynamic(octets: bytes) -> tuple[Callable[[int], int], dict[int, int]]:
    start, size, count = _PROGRAM_HEADERS.unpack_from(octets)
    headers = [
        _PROGRAM_HEADER.unpack_from(octets, start + at * size) for at in range(count)
    ]
    loads = [header for header in headers if header[0] == _PT_LOAD]

    def offset_of(address: int) -> int:
        for _, _, offset, virtual, _, in_file, *_ in loads:
            if virtual <= address < virtual + in_file:
                return int(address - virtual + offset)
        message = f"address {address:#x} is not in the file"
        raise LookupError(message)

    entry = next(header for header in headers if header[0] == _PT_DYNAMIC)
    table = octets[entry[2] : entry[2] + entry[5]]
    return offset_of, dict(_DYNAMIC.iter_unpack(table))


def _fill(slot: int, pointer: int) -> int:
    """Fill a slot; gives what was in it."""
    libc = ctypes.CDLL(None, use_errno=True)
    page = slot & -mmap.PAGESIZE
    writable = mmap.PROT_READ | mmap.PROT_WRITE
    # Where the slots became read-only once they were filled (RELRO).
    if libc.mprotect(ctypes.c_void_p(page), mmap.PAGESIZE, writable):
        number = ctypes.get_errno() or errno.EINVAL
        raise OSError(number, os.strerror(number))
    content = ctypes.c_uint64.from_address(slot)
    before, content.value = content.value, pointer
    return before
