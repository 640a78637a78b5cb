"""Where everything lies in the arrays that kernels work on.

All positions are in 64-bit words unless they say octets. An entry of the packet cache:

    WORD  BITS   FIELD
       0   0-15  size of the entry in words
          16-27  size of the key in words
          28-41  octets of the tail of the reply
          42-47  head of the reply, a row of the table of heads
          48-50  class of the answer, a column of the owner's counters
          51     1 when it was asked for since it was last passed over
          52     1 when the reply repeats the name between head and tail
          53-61  owner, a row of the table of owners
       1         when it expires, microseconds since 1970
       2         the key, then the tail of the reply, each filled up to whole words

A reply is kept in parts: a Handle message's head of 44 octets is the same for most of
them, and the name comes with the question. So a million answers take 400 MiB.

A key:

       0   0-31  first four octets of a Handle message, 0 for DNS
          32-34  flags that shape an answer
             35  kind of question
          36-62  generation of the owner
       1   0-15  owner
          16-31  octets of the name
          32-47  octets of the rest; 32-55 for DNS, with the flags of the query
       2         the folded name, then the rest of the question, each filled up; a rest
                 of eight zeros, which asks for all values, is left out

A slot holds the tag in its upper half and the entry's position in its lower one; zero
is an empty slot. Eight slots make a bucket and a line of the processor's cache.
"""

from typing import NamedTuple

import numpy as np

MASK32 = 0xFFFF_FFFF
MASK31 = 0x7FFF_FFFF
MASK16 = 0xFFFF
NEVER_EXPIRES = 1 << 61

BUCKET_SLOTS = 8
ENTRY_HEAD = 2
KEY_HEAD = 2
KIND_SHIFT, GENERATION_SHIFT = 35, 36
GENERATION_MASK = 0x7FF_FFFF
MAX_NAME_OCTETS = 512
MAX_REST_OCTETS = 256
MAX_KEY_WORDS = KEY_HEAD + (MAX_NAME_OCTETS + MAX_REST_OCTETS) // 8
MAX_REPLY_OCTETS = 4096
MAX_ENTRY_WORDS = ENTRY_HEAD + MAX_KEY_WORDS + MAX_REPLY_OCTETS // 8
_LOCKS = 1024
MAX_QUESTION_OCTETS = 44 + 4 + MAX_NAME_OCTETS + MAX_REST_OCTETS + 4
"""Longest message that may be a plain question."""

KEY_SHIFT, KEY_MASK = 16, 0xFFF
TAIL_SHIFT, TAIL_MASK = 28, 0x3FFF
HEAD_SHIFT, HEAD_MASK = 42, 0x3F
CLASS_SHIFT, CLASS_MASK = 48, 0x7
VISITED = 1 << 51
ECHOES_NAME = 1 << 52
OWNER_SHIFT, OWNER_MASK = 53, 0x1FF

HANDLE, DNS = 0, 1
"""Kinds of questions."""

FOLD_NAME, FOLD_PREFIX = 0, 1
"""What of a name compares without case: all of it, or the part before the slash."""

# The table of owners: one row for each node's face that has answers in the cache.
GENERATION, KIND, FOLD = 0, 1, 2
OWNER_COLUMNS = 4
MAX_OWNERS = 512

# The table of heads: whole words of a Handle message's head, and whether it is used.
HANDLE_HEAD_OCTETS = 44
CREDENTIAL_OCTETS = 4
"""An empty one, at the end of every reply that is kept, and not kept itself."""

HEAD_USED = 6
HEAD_COLUMNS = 8
MAX_HEADS = 64

# Counters of an owner. The first are hits, by transport and class of the answer.
UDP, TCP = 0, 1
CLASSES = 8
MISSES = 2 * CLASSES
SHED = MISSES + 1
EVICTED = MISSES + 2
ENTRIES = MISSES + 3
COUNTER_COLUMNS = 24

# State of the cache.
HEAD, TAIL, USED, TURN = 0, 1, 2, 3
HEADS = 4
"""How many heads are known."""

STATE_WORDS = 8


class Packets(NamedTuple):
    """The arrays of a packet cache."""

    arena: np.ndarray
    """Octets of all entries, a ring."""

    arena_words: np.ndarray
    """The same memory as 64-bit words."""

    slots: np.ndarray
    locks: np.ndarray
    """One for several buckets: 0 free, 1 held."""

    state: np.ndarray
    owners: np.ndarray
    heads: np.ndarray
    """What Handle replies begin with, without what belongs to a request."""

    head_octets: np.ndarray
    """The same memory as octets."""

    counters: np.ndarray
    """One row of counters for each owner."""


class Key(NamedTuple):
    """Room for one key."""

    octets: np.ndarray
    words: np.ndarray
    """The same memory as 64-bit words."""


def make_key() -> Key:
    """Make room for one key, and for an entry that is moved."""
    words = np.zeros(MAX_ENTRY_WORDS, np.int64)
    return Key(words.view(np.uint8), words)


def make_packets(arena_octets: int, slots: int) -> Packets:
    """Make an empty packet cache; memory is taken as it fills.

    `arena_octets` is a multiple of 8 below 32 GiB, `slots` one of `BUCKET_SLOTS`.
    """
    words = np.zeros(arena_octets // 8, np.int64)
    heads = np.zeros(MAX_HEADS * HEAD_COLUMNS, np.int64)
    return Packets(
        words.view(np.uint8),
        words,
        np.zeros(slots, np.int64),
        np.zeros(_LOCKS, np.int64),
        np.zeros(STATE_WORDS, np.int64),
        np.zeros((MAX_OWNERS, OWNER_COLUMNS), np.int64),
        heads,
        heads.view(np.uint8),
        np.zeros((MAX_OWNERS, COUNTER_COLUMNS), np.int64),
    )
