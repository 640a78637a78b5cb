"""Kernels that answer a plain question with a copy of an earlier reply.

What belongs to the request is put into the copy: for Handle the session and request
ids, the flags it set, the expiration it asked for and the name as it spelled it
(`resolver.responder` does the same the long way); for DNS the id and the name as it
spelled it, which all other names of a reply refer to or do not repeat.

A Handle reply is a head of 44 octets (envelope and header), which the table of heads
has, the name with its length where the reply repeats it, the tail, and an empty
credential.

Integers and arrays of octets only; no allocation, no exceptions.
"""

import numpy as np

from resolver.fastpath.copying import copy
from resolver.fastpath.layout import (
    CLASS_MASK,
    CLASS_SHIFT,
    CLASSES,
    CREDENTIAL_OCTETS,
    DNS,
    ECHOES_NAME,
    ENTRY_HEAD,
    FOLD,
    GENERATION,
    HANDLE_HEAD_OCTETS,
    HEAD_COLUMNS,
    HEAD_MASK,
    HEAD_SHIFT,
    KIND,
    MASK16,
    TAIL_MASK,
    TAIL_SHIFT,
    Key,
    Packets,
)
from resolver.fastpath.packet_cache import (
    bucket_of,
    find_locked,
    hash_name,
    unlock_bucket,
)
from resolver.fastpath.questions import (
    be32,
    put32,
    read_dns_question,
    read_handle_question,
)

_AUTHORITATIVE = 0x8000_0000
_RECURSIVE = 0x1000_0000
_CONTINUOUS = 0x0400_0000
_LIFE_SECONDS = 43_200
_MICROSECONDS = 1_000_000
_ENVELOPE = 20
_DNS_HEADER = 12


def read_question(
    packets: Packets, owner: int, octets: np.ndarray, start: int, size: int, key: Key
) -> int:
    """Read a question to an owner; give its key's words, 0 when it is not plain."""
    generation = packets.owners[owner, GENERATION]
    if packets.owners[owner, KIND] == DNS:
        return read_dns_question(octets, start, size, owner, generation, key)
    fold = packets.owners[owner, FOLD]
    return read_handle_question(octets, start, size, owner, generation, fold, key)


def answer(
    packets: Packets,
    owner: int,
    transport: int,
    octets: np.ndarray,
    start: int,
    size: int,
    out: np.ndarray,
    at: int,
    room: int,
    now: int,
    key: Key,
) -> int:
    """Answer the message of `size` octets at `start`; give the reply's octets, or 0.

    `now` is in microseconds. The reply is written to `out` at `at`, `room` octets
    at most.
    """
    words = read_question(packets, owner, octets, start, size, key)
    if words == 0:
        return 0
    hashed = hash_name(key)
    entry = find_locked(packets, key, words, hashed, now)
    if entry == 0:
        return 0
    word = packets.arena_words[entry]
    tail = (word >> TAIL_SHIFT) & TAIL_MASK
    name = 0
    if word & ECHOES_NAME:
        name = 4 + ((key.words[1] >> 16) & MASK16)
    head, credential = HANDLE_HEAD_OCTETS, CREDENTIAL_OCTETS
    if packets.owners[owner, KIND] == DNS:
        head, credential = 0, 0
    written = head + name + tail + credential
    if written <= room:
        source = (entry + ENTRY_HEAD + words) * 8
        copy(packets.arena, source, out, at + head + name, tail)
    unlock_bucket(packets, bucket_of(packets, hashed))
    if written > room:
        return 0
    packets.counters[
        owner, transport * CLASSES + ((word >> CLASS_SHIFT) & CLASS_MASK)
    ] += 1
    if head == 0:
        _splice_dns(octets, start, out, at, key)
        return written
    template = ((word >> HEAD_SHIFT) & HEAD_MASK) * HEAD_COLUMNS * 8
    copy(packets.head_octets, template, out, at, head)
    copy(octets, start + head, out, at + head, name)
    _splice_handle(octets, start, out, at, written, now)
    put32(out, at + written - CREDENTIAL_OCTETS, 0)
    return written


def take_back(
    packets: Packets,
    owner: int,
    transport: int,
    octets: np.ndarray,
    start: int,
    size: int,
    now: int,
    key: Key,
) -> None:
    """Count a hit less: the reply to the message at `start` did not go out.

    Whoever answers it in its place counts it. What was forgotten this moment stays
    counted.
    """
    words = read_question(packets, owner, octets, start, size, key)
    hashed = hash_name(key)
    entry = find_locked(packets, key, words, hashed, now)
    if entry != 0:
        kind = (packets.arena_words[entry] >> CLASS_SHIFT) & CLASS_MASK
        unlock_bucket(packets, bucket_of(packets, hashed))
        packets.counters[owner, transport * CLASSES + kind] -= 1


def _splice_handle(
    octets: np.ndarray, start: int, out: np.ndarray, at: int, written: int, now: int
) -> None:
    """Put ids, lengths, flags and expiration into the head of a reply."""
    copy(octets, start + 4, out, at + 4, 8)
    put32(out, at + 16, written - _ENVELOPE)
    flags = be32(octets, start + 28) & ~(_CONTINUOUS | _AUTHORITATIVE) | _RECURSIVE
    put32(out, at + 28, flags | be32(out, at + 28) & _AUTHORITATIVE)
    expires = be32(octets, start + 36)
    if expires * _MICROSECONDS <= now:
        expires = now // _MICROSECONDS + _LIFE_SECONDS
    put32(out, at + 36, expires)
    put32(out, at + 40, written - HANDLE_HEAD_OCTETS - CREDENTIAL_OCTETS)


def _splice_dns(
    octets: np.ndarray, start: int, out: np.ndarray, at: int, key: Key
) -> None:
    """Put the id and the name as it was asked into a reply."""
    copy(octets, start, out, at, 2)
    name = (key.words[1] >> 16) & MASK16
    copy(octets, start + _DNS_HEADER, out, at + _DNS_HEADER, name)
