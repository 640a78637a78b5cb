"""Kernels that the event loop's thread calls: learn a reply, forget names.

Integers and arrays of octets only; no allocation, no exceptions.
"""

import numpy as np

from resolver.fastpath.copying import copy
from resolver.fastpath.layout import (
    CLASS_SHIFT,
    CREDENTIAL_OCTETS,
    DNS,
    ECHOES_NAME,
    FOLD,
    HANDLE_HEAD_OCTETS,
    HEAD_COLUMNS,
    HEAD_SHIFT,
    HEAD_USED,
    HEADS,
    KEY_HEAD,
    KIND,
    MASK16,
    MAX_HEADS,
    MAX_NAME_OCTETS,
    MAX_REPLY_OCTETS,
    Key,
    Packets,
)
from resolver.fastpath.packet_cache import forget, put
from resolver.fastpath.questions import be32, put32, put_name
from resolver.fastpath.replies import read_question

_ENVELOPE = 20
_OLDEST_MINOR = 5
"""Of version 2: with those up to 2.11, and 3.0, no more than `MAX_HEADS` heads."""

_AUTHORITATIVE = 0x8000_0000


def learn(
    packets: Packets,
    owner: int,
    question: np.ndarray,
    reply: np.ndarray,
    expires: int,
    answer_class: int,
    key: Key,
    spare: Key,
) -> bool:
    """Keep the reply to a question until `expires`, in microseconds.

    False when the question is not plain, or the reply not one that can be kept: too
    long, signed, in a version before 2.5, with a head unlike those of `MAX_HEADS`
    others, or of the class that repeats the name and does not.
    """
    if reply.size > MAX_REPLY_OCTETS:
        return False
    words = read_question(packets, owner, question, 0, question.size, key)
    if words == 0:
        return False
    kind = answer_class << CLASS_SHIFT
    if packets.owners[owner, KIND] == DNS:
        put(packets, key, words, reply, 0, reply.size, expires, kind, spare)
        return True
    head = _find_head(packets, reply, spare)
    if head < 0:
        return False
    start = HANDLE_HEAD_OCTETS
    if answer_class == 0:
        kind |= ECHOES_NAME
        start += 4 + ((key.words[1] >> 16) & MASK16)
        if not _repeats(question, reply, start):
            return False
    kind |= head << HEAD_SHIFT
    stop = reply.size - CREDENTIAL_OCTETS
    put(packets, key, words, reply, start, stop, expires, kind, spare)
    return True


def forget_names(
    packets: Packets, owner: int, names: np.ndarray, ends: np.ndarray, key: Key
) -> int:
    """Forget everything about names that stand one after the other; give how many."""
    fold = packets.owners[owner, FOLD]
    forgotten, start = 0, 0
    for n in range(ends.size):
        size = ends[n] - start
        if 0 < size <= MAX_NAME_OCTETS:
            key.words[1] = owner | (size << 16)
            put_name(names, start, size, fold, key, KEY_HEAD)
            forgotten += forget(packets, key)
        start = ends[n]
    return forgotten


def _find_head(packets: Packets, reply: np.ndarray, spare: Key) -> int:
    """Find the head of a reply among those that are known, or add it; -1 for none."""
    if not _is_plain(reply):
        return -1
    copy(reply, 0, spare.octets, 0, HANDLE_HEAD_OCTETS)
    put32(spare.octets, 44, 0)
    for at in (4, 8, 16, 36, 40):
        put32(spare.octets, at, 0)
    put32(spare.octets, 28, be32(reply, 28) & _AUTHORITATIVE)
    spare.words[HEAD_USED] = 1
    for head in range(packets.state[HEADS]):
        if _is_head(packets, head, spare):
            return head
    head = packets.state[HEADS]
    if head == MAX_HEADS:
        return -1
    for n in range(HEAD_USED + 1):
        packets.heads[head * HEAD_COLUMNS + n] = spare.words[n]
    # No entry leads to it yet: the lock of the first that does publishes it too.
    packets.state[HEADS] = head + 1
    return head


def _repeats(question: np.ndarray, reply: np.ndarray, end: int) -> bool:
    """Tell whether a reply repeats what its question has between its head and `end`."""
    if reply.size < end + CREDENTIAL_OCTETS:
        return False
    for n in range(HANDLE_HEAD_OCTETS, end):
        if reply[n] != question[n]:
            return False
    return True


def _is_plain(reply: np.ndarray) -> bool:
    """Tell whether a reply is whole, with an empty credential and lengths as usual."""
    size = reply.size
    if size < HANDLE_HEAD_OCTETS + CREDENTIAL_OCTETS:
        return False
    # Any number of older versions can be made up: they would fill the table of heads.
    if reply[0] < 2 or (reply[0] == 2 and reply[1] < _OLDEST_MINOR):
        return False
    if be32(reply, 16) != size - _ENVELOPE or be32(reply, size - CREDENTIAL_OCTETS):
        return False
    return be32(reply, 40) == size - HANDLE_HEAD_OCTETS - CREDENTIAL_OCTETS


def _is_head(packets: Packets, head: int, spare: Key) -> bool:
    for n in range(HEAD_USED + 1):
        if packets.heads[head * HEAD_COLUMNS + n] != spare.words[n]:
            return False
    return True
