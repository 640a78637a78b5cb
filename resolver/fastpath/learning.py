"""Kernels that the event loop's thread calls: learn a reply, forget names.

Integers and arrays of octets only; no allocation, no exceptions.
"""

import numpy as np

from resolver.fastpath.layout import (
    ECHOES_NAME,
    FOLD,
    GENERATION,
    HANDLE,
    KEY_HEAD,
    KIND,
    MAX_NAME_OCTETS,
    MAX_REPLY_OCTETS,
    Key,
    Packets,
)
from resolver.fastpath.packet_cache import forget, put
from resolver.fastpath.questions import put_name
from resolver.fastpath.replies import read_question


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

    False when the question is not plain, or the reply too long.
    """
    if reply.size > MAX_REPLY_OCTETS:
        return False
    words = read_question(packets, owner, question, 0, question.size, key)
    if words == 0:
        return False
    kind = answer_class << 16
    if packets.owners[owner, KIND] == HANDLE and answer_class == 0:
        kind |= ECHOES_NAME
    put(packets, key, words, reply, reply.size, expires, kind, spare)
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
            key.words[2] = packets.owners[owner, GENERATION]
            put_name(names, start, size, fold, key, KEY_HEAD)
            forgotten += forget(packets, key)
        start = ends[n]
    return forgotten
