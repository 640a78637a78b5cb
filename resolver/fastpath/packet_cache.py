"""Kernels of the packet cache: find, put, forget.

Entries lie one after the other in a ring of memory; when it is full, the oldest gives
way, or goes round once more when somebody has asked for it (the CLOCK rule). Slots
lead to entries by the hash of the owner and the folded name alone, so that everything
about one name is in one bucket: forgetting a name looks at eight slots, and nobody can
make a bucket longer by asking for a name in many ways.

Readers see no torn entry: whoever reads an entry, or unlinks it so that its memory may
be written over, holds the lock of its bucket, taken by a compare-and-swap with acquire
order and given back by a store with release order. This holds under every memory model
that LLVM compiles for, x86-64's and ARM's among them; nothing here relies on the order
of plain stores. One thread writes (the event loop's). Readers do not wait for long:
after `_SPINS` attempts a question counts as unknown and is answered the long way.

Integers and arrays of octets only; no allocation, no exceptions.
"""

import numpy as np

from resolver.fastpath.atomic import try_lock, unlock
from resolver.fastpath.copying import copy
from resolver.fastpath.layout import (
    BUCKET_SLOTS,
    ENTRIES,
    ENTRY_HEAD,
    EVICTED,
    GENERATION,
    GENERATION_SHIFT,
    HEAD,
    KEY_HEAD,
    KEY_MASK,
    KEY_SHIFT,
    MASK16,
    MASK31,
    MASK32,
    OWNER_MASK,
    OWNER_SHIFT,
    TAIL,
    TAIL_SHIFT,
    TURN,
    USED,
    VISITED,
    Key,
    Packets,
)

_SPINS = 10_000
_REPRIEVES = 8
"""Entries that may go round once more while room for one is made."""

# Odd multipliers below 2**31, so that products of 32 bits stay within a signed 64.
_MIX_1, _MIX_2, _MIX_3 = 0x5BD1_E995, 0x1B87_3593, 0x2E1B_2139


def hash_name(key: Key) -> int:
    """Hash owner and name: the first hash below, the second, 31 bits, above."""
    head = key.words[1] & MASK32
    first = np.int64((head ^ 0x2545_F491) * _MIX_1 & MASK32)
    second = np.int64((head ^ 0x6C07_8965) * _MIX_2 & MASK32)
    words = ((head >> 16) + 7) >> 3
    for n in range(KEY_HEAD, KEY_HEAD + words):
        word = key.words[n]
        low, high = word & MASK32, (word >> 32) & MASK32
        first = (first ^ low) * _MIX_1 & MASK32
        second = (second ^ high) * _MIX_2 & MASK32
        first = ((first ^ (first >> 15)) + high & MASK32) * _MIX_3 & MASK32
        second = ((second ^ (second >> 13)) + low & MASK32) * _MIX_1 & MASK32
    first = (first ^ (first >> 16)) * _MIX_2 & MASK32
    second = (second ^ first ^ (second >> 16)) * _MIX_3 & MASK32
    return (first ^ (first >> 13)) | ((second ^ (second >> 16)) & MASK31) << 32


def find_locked(packets: Packets, key: Key, size: int, hashed: int, now: int) -> int:
    """Find the entry of a key of `size` words; 0 when there is none now.

    When there is one, the lock of its bucket is held: give it to `unlock_bucket`.
    """
    base = bucket_of(packets, hashed)
    if not lock_bucket(packets, base):
        return 0
    for n in range(base, base + BUCKET_SLOTS):
        slot = packets.slots[n]
        if slot != 0 and slot >> 32 == hashed >> 32:
            entry = slot & MASK32
            if _is(packets, entry, key, size):
                if packets.arena_words[entry + 1] <= now:
                    break
                if packets.arena_words[entry] & VISITED == 0:
                    packets.arena_words[entry] |= VISITED
                return entry
    unlock_bucket(packets, base)
    return 0


def put(
    packets: Packets,
    key: Key,
    size: int,
    reply: np.ndarray,
    start: int,
    stop: int,
    expires: int,
    kind: int,
    spare: Key,
) -> None:
    """Keep a reply from `start` to `stop` as its tail, under a key of `size` words.

    `kind` is what word 0 of an entry says beside sizes and owner. One thread at a
    time; `spare` is its room for an entry that goes round.
    """
    hashed = hash_name(key)
    owner = key.words[1] & MASK16
    tail = stop - start
    words = ENTRY_HEAD + size + ((tail + 7) >> 3)
    if words * 4 > _capacity(packets):
        return
    _drop(packets, key, size, hashed)
    entry = _take_room(packets, words, spare)
    arena = packets.arena_words
    arena[entry] = (
        words | size << KEY_SHIFT | tail << TAIL_SHIFT | owner << OWNER_SHIFT | kind
    )
    arena[entry + 1] = expires
    for n in range(size):
        arena[entry + ENTRY_HEAD + n] = key.words[n]
    at = (entry + ENTRY_HEAD + size) * 8
    copy(reply, start, packets.arena, at, tail)
    _link(packets, entry, hashed, owner)


def forget(packets: Packets, key: Key) -> int:
    """Forget everything about the owner and the name of a key; give how many."""
    hashed = hash_name(key)
    head, words = key.words[1] & MASK32, name_words(key)
    base = bucket_of(packets, hashed)
    while not lock_bucket(packets, base):
        pass
    forgotten = 0
    for n in range(base, base + BUCKET_SLOTS):
        slot = packets.slots[n]
        if slot == 0 or slot >> 32 != hashed >> 32:
            continue
        entry = (slot & MASK32) + ENTRY_HEAD
        same = packets.arena_words[entry + 1] & MASK32 == head
        for word in range(KEY_HEAD, KEY_HEAD + words):
            same = same and packets.arena_words[entry + word] == key.words[word]
        if same:
            packets.slots[n] = 0
            forgotten += 1
    unlock_bucket(packets, base)
    packets.counters[head & MASK16, ENTRIES] -= forgotten
    return forgotten


def name_words(key: Key) -> int:
    """Give how many words the name of a key fills."""
    return (((key.words[1] & MASK32) >> 16) + 7) >> 3


def bucket_of(packets: Packets, hashed: int) -> int:
    """Give the first slot of the bucket of a hash."""
    buckets = packets.slots.size // BUCKET_SLOTS
    return ((hashed & MASK32) * buckets >> 32) * BUCKET_SLOTS


def lock_bucket(packets: Packets, base: int) -> bool:
    """Take the lock of a bucket; False when it cannot be had soon."""
    at = (base >> 3) & (packets.locks.size - 1)
    for _ in range(_SPINS):
        if try_lock(packets.locks, at):
            return True
    return False


def unlock_bucket(packets: Packets, base: int) -> None:
    """Give the lock of a bucket back."""
    unlock(packets.locks, (base >> 3) & (packets.locks.size - 1))


def owner_of(packets: Packets, entry: int) -> int:
    """Give the owner of an entry."""
    return (packets.arena_words[entry] >> OWNER_SHIFT) & OWNER_MASK


def _is(packets: Packets, entry: int, key: Key, size: int) -> bool:
    if (packets.arena_words[entry] >> KEY_SHIFT) & KEY_MASK != size:
        return False
    for n in range(size):
        if packets.arena_words[entry + ENTRY_HEAD + n] != key.words[n]:
            return False
    return True


def _drop(packets: Packets, key: Key, size: int, hashed: int) -> None:
    """Unlink an older entry of the same key."""
    base = bucket_of(packets, hashed)
    while not lock_bucket(packets, base):
        pass
    for n in range(base, base + BUCKET_SLOTS):
        slot = packets.slots[n]
        if slot == 0 or slot >> 32 != hashed >> 32:
            continue
        if _is(packets, slot & MASK32, key, size):
            packets.slots[n] = 0
            packets.counters[key.words[1] & MASK16, ENTRIES] -= 1
    unlock_bucket(packets, base)


def _link(packets: Packets, entry: int, hashed: int, owner: int) -> None:
    """Lead a slot of its bucket to an entry; the least useful one gives way."""
    base = bucket_of(packets, hashed)
    while not lock_bucket(packets, base):
        pass
    at = _victim(packets, base)
    if packets.slots[at] != 0:
        _count_evicted(packets, owner_of(packets, packets.slots[at] & MASK32))
    packets.slots[at] = entry | (hashed >> 32) << 32
    unlock_bucket(packets, base)
    packets.counters[owner, ENTRIES] += 1


def _victim(packets: Packets, base: int) -> int:
    """Choose a slot: an empty one, one out of date, one not asked for, any."""
    best, worth = base, 9
    for n in range(base, base + BUCKET_SLOTS):
        slot = packets.slots[n]
        if slot == 0:
            return n
        entry = slot & MASK32
        found = 2 if packets.arena_words[entry] & VISITED else 1
        if _is_out_of_date(packets, entry):
            found = 0
        if found < worth:
            best, worth = n, found
    if worth == 2:
        packets.state[TURN] += 1
        return base + (packets.state[TURN] & (BUCKET_SLOTS - 1))
    return best


def _is_out_of_date(packets: Packets, entry: int) -> bool:
    generation = packets.arena_words[entry + ENTRY_HEAD] >> GENERATION_SHIFT
    return packets.owners[owner_of(packets, entry), GENERATION] != generation


def _capacity(packets: Packets) -> int:
    """Give the words of the ring; the head of a last, short entry may stand behind."""
    return packets.arena_words.size - ENTRY_HEAD


def _take_room(packets: Packets, words: int, spare: Key) -> int:
    """Give the position of `words` free words in a row."""
    reprieves = _REPRIEVES
    while True:
        entry = _room_at_head(packets, words)
        if entry >= 0:
            return entry
        size = packets.arena_words[packets.state[TAIL]] & MASK16
        if not _release_tail(packets, spare):
            continue
        if reprieves > 0 and size * 4 < _capacity(packets):
            reprieves -= 1
            _put_again(packets, size, spare)
        else:
            _count_evicted(packets, (spare.words[0] >> OWNER_SHIFT) & OWNER_MASK)


def _room_at_head(packets: Packets, words: int) -> int:
    """Take room at the head of the ring, which must not run into its tail."""
    state, capacity = packets.state, _capacity(packets)
    head, tail, used = state[HEAD], state[TAIL], state[USED]
    if used == 0:
        # Position 0 is never an entry: a slot that leads there is empty.
        state[HEAD] = state[TAIL] = head = tail = 1
    if used == 0 or head > tail:
        if capacity - head > words:
            state[HEAD], state[USED] = head + words, used + words
            return head
        if used == 0 or tail <= words:
            return -1
        # The rest up to the end is an entry without a key, which nobody can find.
        packets.arena_words[head] = capacity - head
        state[USED] = used + (capacity - head) + words
        state[HEAD] = 1 + words
        return 1
    if tail - head >= words:
        state[HEAD], state[USED] = head + words, used + words
        return head
    return -1


def _release_tail(packets: Packets, spare: Key) -> bool:
    """Free the oldest entry; True when it was asked for: it is in `spare` then."""
    state, arena = packets.state, packets.arena_words
    entry = state[TAIL]
    size = arena[entry] & MASK16
    again = False
    for n in range((arena[entry] >> KEY_SHIFT) & KEY_MASK):
        spare.words[n] = arena[entry + ENTRY_HEAD + n]
    if arena[entry] >> KEY_SHIFT:
        again = _unlink(packets, entry, hash_name(spare))
    if again:
        for n in range(size):
            spare.words[n] = arena[entry + n]
    after = entry + size
    state[TAIL] = 1 if after >= _capacity(packets) else after
    state[USED] -= size
    return again


def _unlink(packets: Packets, entry: int, hashed: int) -> bool:
    """Make an entry unknown; True when it was known, and wanted."""
    base = bucket_of(packets, hashed)
    wanted = False
    while not lock_bucket(packets, base):
        pass
    for n in range(base, base + BUCKET_SLOTS):
        if packets.slots[n] & MASK32 == entry and packets.slots[n] != 0:
            packets.slots[n] = 0
            wanted = packets.arena_words[entry] & VISITED != 0
            wanted = wanted and not _is_out_of_date(packets, entry)
            if not wanted:
                _count_evicted(packets, owner_of(packets, entry))
    unlock_bucket(packets, base)
    return wanted


def _put_again(packets: Packets, size: int, spare: Key) -> None:
    """Put an entry that was released back in, as if nobody had asked for it yet."""
    owner = (spare.words[0] >> OWNER_SHIFT) & OWNER_MASK
    entry = _room_at_head(packets, size)
    if entry < 0:
        _count_evicted(packets, owner)
        return
    spare.words[0] &= ~VISITED
    for n in range(size):
        packets.arena_words[entry + n] = spare.words[n]
    for n in range((spare.words[0] >> KEY_SHIFT) & KEY_MASK):
        spare.words[n] = packets.arena_words[entry + ENTRY_HEAD + n]
    packets.counters[owner, ENTRIES] -= 1
    _link(packets, entry, hash_name(spare), owner)


def _count_evicted(packets: Packets, owner: int) -> None:
    packets.counters[owner, EVICTED] += 1
    packets.counters[owner, ENTRIES] -= 1
