"""Kernels that read a plain question and write its key.

Integers and arrays of octets only; no allocation, no exceptions: 0 means that the
message is not one to be answered by copying, whatever it is. They run as plain Python
too, and give the same there.

A Handle question is plain when it is a whole resolution request that asks for no more
than public knowledge: not certified, no request digest, no identity token, no
credential (handle notes §1.1-1.3). A DNS question is plain when it is a standard query
with one question and at most an OPT record (RFC 1035 §4.1, RFC 6891).
"""

import numpy as np

from resolver.fastpath.copying import copy
from resolver.fastpath.layout import (
    DNS,
    FOLD_PREFIX,
    GENERATION_SHIFT,
    HANDLE,
    KEY_HEAD,
    KIND_SHIFT,
    MAX_NAME_OCTETS,
    MAX_REST_OCTETS,
    Key,
)

_BODY = 44
_UNREADABLE = 0xE0
# CERTIFIED, ENCRYPTED, RETURN_REQUEST_DIGEST, RECURSION_AUTHENTICATED
_BOUND = 0x4000_0000 | 0x2000_0000 | 0x0080_0000 | 0x0000_0004
_MAX_RECURSION = 16
_SLASH = 0x2F
_DNS_HEADER = 12
_MAX_LABEL = 63
_MAX_DNS_NAME = 255
_OPT_OCTETS = 11
_OPT = 41


def be16(octets: np.ndarray, at: int) -> int:
    """Read a 16-bit big-endian integer."""
    return (np.int64(octets[at]) << 8) | np.int64(octets[at + 1])


def be32(octets: np.ndarray, at: int) -> int:
    """Read a 32-bit big-endian integer."""
    return (
        (np.int64(octets[at]) << 24)
        | (np.int64(octets[at + 1]) << 16)
        | (np.int64(octets[at + 2]) << 8)
        | np.int64(octets[at + 3])
    )


def put32(octets: np.ndarray, at: int, value: int) -> None:
    """Write a 32-bit big-endian integer."""
    octets[at] = (value >> 24) & 0xFF
    octets[at + 1] = (value >> 16) & 0xFF
    octets[at + 2] = (value >> 8) & 0xFF
    octets[at + 3] = value & 0xFF


def read_handle_question(
    octets: np.ndarray,
    start: int,
    size: int,
    owner: int,
    generation: int,
    fold: int,
    key: Key,
) -> int:
    """Read the message of `size` octets at `start`; give its key's words, or 0."""
    if size < _BODY + 13:
        return 0
    if octets[start] != 2 and octets[start] != 3:
        return 0
    if octets[start + 2] & _UNREADABLE or be32(octets, start + 12):
        return 0
    if be32(octets, start + 16) + 20 != size:
        return 0
    if be32(octets, start + 20) != 1 or be32(octets, start + 24):
        return 0
    flags = be32(octets, start + 28)
    if flags & _BOUND or octets[start + 34] > _MAX_RECURSION:
        return 0
    body_size = be32(octets, start + 40)
    tail = size - _BODY - body_size
    if tail != 0 and (tail != 4 or be32(octets, start + _BODY + body_size)):
        return 0
    name_size = be32(octets, start + _BODY)
    rest_size = body_size - 4 - name_size
    if name_size < 1 or name_size > MAX_NAME_OCTETS:
        return 0
    if rest_size < 8 or rest_size > MAX_REST_OCTETS:
        return 0
    shape = (flags >> 31) & 1 | (flags >> 23) & 2 | (flags >> 18) & 4
    kind = HANDLE << KIND_SHIFT | generation << GENERATION_SHIFT
    key.words[0] = be32(octets, start) | (shape << 32) | kind
    key.words[1] = owner | (name_size << 16) | (rest_size << 32)
    name = start + _BODY + 4
    middle = KEY_HEAD + put_name(octets, name, name_size, fold, key, KEY_HEAD)
    return middle + _put_rest(octets, name + name_size, rest_size, key, middle)


def read_dns_question(
    octets: np.ndarray,
    start: int,
    size: int,
    owner: int,
    generation: int,
    key: Key,
) -> int:
    """Read the message of `size` octets at `start`; give its key's words, or 0."""
    if size < _DNS_HEADER + 5:
        return 0
    flags = be16(octets, start + 2)
    # Neither a response nor truncated, and operation code 0.
    if flags & 0xFA00:
        return 0
    if be16(octets, start + 4) != 1 or be32(octets, start + 6):
        return 0
    more = be16(octets, start + 10)
    name_size = _dns_name_size(octets, start + _DNS_HEADER, size - _DNS_HEADER - 4)
    if name_size == 0 or more > 1:
        return 0
    after = start + _DNS_HEADER + name_size
    end = start + size
    if more and not _is_opt(octets, after + 4, end):
        return 0
    if not more and after + 4 != end:
        return 0
    # Replies do not depend on options, such as a cookie that is new each time.
    rest_size = 4 + more * (_OPT_OCTETS - 2)
    key.words[0] = DNS << KIND_SHIFT | generation << GENERATION_SHIFT
    key.words[1] = owner | (name_size << 16) | ((rest_size | flags << 8) << 32)
    name = start + _DNS_HEADER
    middle = KEY_HEAD + put_name(octets, name, name_size, 0, key, KEY_HEAD)
    return middle + _put(octets, after, rest_size, key, middle)


def _is_opt(octets: np.ndarray, start: int, end: int) -> bool:
    """Tell whether an OPT record of whole options fills the rest of a query."""
    if start + _OPT_OCTETS > end:
        return False
    if octets[start] or be16(octets, start + 1) != _OPT:
        return False
    at = start + _OPT_OCTETS
    if at + be16(octets, at - 2) != end:
        return False
    while at + 4 <= end:
        at += 4 + be16(octets, at + 2)
    return at == end


def _dns_name_size(octets: np.ndarray, start: int, room: int) -> int:
    """Give the octets of a name without pointers, 0 when it is none."""
    at = 0
    while at < room and at < _MAX_DNS_NAME:
        label = np.int64(octets[start + at])
        if label == 0:
            return at + 1
        if label > _MAX_LABEL:
            return 0
        at += 1 + label
    return 0


def put_name(
    octets: np.ndarray, start: int, size: int, fold: int, key: Key, word: int
) -> int:
    """Copy a name with its ASCII letters in upper case; give its words."""
    words = _clear_last(size, key, word)
    folded = size
    if fold == FOLD_PREFIX:
        folded = 0
        while folded < size and octets[start + folded] != _SLASH:
            folded += 1
    at = word * 8
    for n in range(folded):
        octet = octets[start + n]
        if octet >= 0x61 and octet <= 0x7A:
            key.octets[at + n] = octet - 0x20
        else:
            key.octets[at + n] = octet
    for n in range(folded, size):
        key.octets[at + n] = octets[start + n]
    return words


def _put_rest(octets: np.ndarray, start: int, size: int, key: Key, word: int) -> int:
    """Copy indexes and types, unless there are none; give how many words they fill."""
    if size == 8 and be32(octets, start) == 0 and be32(octets, start + 4) == 0:
        return 0
    return _put(octets, start, size, key, word)


def _put(octets: np.ndarray, start: int, size: int, key: Key, word: int) -> int:
    """Copy octets; give how many words they fill."""
    words = _clear_last(size, key, word)
    copy(octets, start, key.octets, word * 8, size)
    return words


def _clear_last(size: int, key: Key, word: int) -> int:
    words = (size + 7) >> 3
    key.words[word + words - 1] = 0
    return words
