"""Kernels that answer a plain question with a copy of an earlier reply.

What belongs to the request is put into the copy: for Handle the session and request
ids, the flags it set, the expiration it asked for and the name as it spelled it
(`resolver.responder` does the same the long way); for DNS the id and the name as it
spelled it, which all other names of a reply refer to or do not repeat.

Integers and arrays of octets only; no allocation, no exceptions.
"""

import numpy as np

from resolver.fastpath.layout import (
    CLASSES,
    DNS,
    ECHOES_NAME,
    ENTRY_HEAD,
    FOLD,
    GENERATION,
    KIND,
    MASK16,
    Key,
    Packets,
)
from resolver.fastpath.packet_cache import (
    entry_bucket,
    find_locked,
    hash_name,
    unlock_bucket,
)
from resolver.fastpath.questions import be32, read_dns_question, read_handle_question

_AUTHORITATIVE = 0x8000_0000
_RECURSIVE = 0x1000_0000
_CONTINUOUS = 0x0400_0000
_LIFE_SECONDS = 43_200
_MICROSECONDS = 1_000_000
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
    entry = find_locked(packets, key, words, hash_name(key), now)
    if entry == 0:
        return 0
    head, kind = packets.arena_words[entry], packets.arena_words[entry + 3]
    reply_size = (head >> 48) & 0x7FFF
    if reply_size <= room:
        source = (entry + ENTRY_HEAD + words) * 8
        for n in range(reply_size):
            out[at + n] = packets.arena[source + n]
    unlock_bucket(packets, entry_bucket(packets, entry))
    if reply_size > room:
        return 0
    packets.counters[owner, transport * CLASSES + ((kind >> 16) & 7)] += 1
    if packets.owners[owner, KIND] == DNS:
        _splice_dns(octets, start, out, at, key)
    else:
        _splice_handle(octets, start, out, at, now, kind & ECHOES_NAME, key)
    return reply_size


def _splice_handle(
    octets: np.ndarray,
    start: int,
    out: np.ndarray,
    at: int,
    now: int,
    echoes_name: int,
    key: Key,
) -> None:
    for n in range(4, 12):
        out[at + n] = octets[start + n]
    flags = be32(octets, start + 28) & ~(_CONTINUOUS | _AUTHORITATIVE) | _RECURSIVE
    put32(out, at + 28, flags | be32(out, at + 28) & _AUTHORITATIVE)
    expires = be32(octets, start + 36)
    if expires * _MICROSECONDS <= now:
        expires = now // _MICROSECONDS + _LIFE_SECONDS
    put32(out, at + 36, expires)
    if echoes_name:
        for n in range(48, 48 + ((key.words[1] >> 16) & MASK16)):
            out[at + n] = octets[start + n]


def _splice_dns(
    octets: np.ndarray, start: int, out: np.ndarray, at: int, key: Key
) -> None:
    out[at] = octets[start]
    out[at + 1] = octets[start + 1]
    for n in range(_DNS_HEADER, _DNS_HEADER + ((key.words[1] >> 16) & MASK16)):
        out[at + n] = octets[start + n]


def put32(out: np.ndarray, at: int, value: int) -> None:
    """Write a 32-bit big-endian integer."""
    out[at] = (value >> 24) & 0xFF
    out[at + 1] = (value >> 16) & 0xFF
    out[at + 2] = (value >> 8) & 0xFF
    out[at + 3] = value & 0xFF
