"""Packet caches for tests: the same kernels, as plain Python or compiled."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from resolver.fastpath import layout, learning, packet_cache, replies
from resolver.wire.codes import OpCode
from resolver.wire.envelope import Envelope
from resolver.wire.header import Header
from resolver.wire.message import build_message
from resolver.wire.request import Resolution

NOW = 1_800_000_000
NOW_MICROSECONDS = NOW * 1_000_000
PUBLIC = 0x0100_0000
EXPIRATION = NOW + 99
_CANARY = 0xA5


class Kernels(NamedTuple):
    """What is called from outside."""

    answer: Callable[..., int]
    learn: Callable[..., bool]
    forget_names: Callable[..., int]


PLAIN = Kernels(replies.answer, learning.learn, learning.forget_names)
BOTH = ("plain", "compiled")


def kernels_of(kind: str) -> Kernels:
    """Give one implementation; the test is skipped where it cannot run."""
    if kind == "plain":
        return PLAIN
    pytest.importorskip("numba", exc_type=ImportError)
    from resolver.fastpath import compiled

    return Kernels(compiled.answer, compiled.learn, compiled.forget_names)


class PacketCache:
    """A packet cache in one thread, with octets in and out."""

    def __init__(
        self, kernels: Kernels = PLAIN, arena_octets: int = 1 << 16, slots: int = 64
    ) -> None:
        self.kernels = kernels
        self.packets = layout.make_packets(arena_octets, slots)
        self._key, self._spare = layout.make_key(), layout.make_key()
        self._own_key = layout.make_key()
        self._owners = 0

    def add_owner(self, *, dns: bool = False, prefix_only: bool = False) -> int:
        owner, self._owners = self._owners, self._owners + 1
        row = self.packets.owners[owner]
        row[layout.KIND] = layout.DNS if dns else layout.HANDLE
        row[layout.FOLD] = layout.FOLD_PREFIX if prefix_only else layout.FOLD_NAME
        return owner

    def learn(
        self,
        question: bytes,
        reply: bytes,
        kind: int = 0,
        expires: int = layout.NEVER_EXPIRES,
        owner: int = 0,
    ) -> bool:
        return self.kernels.learn(
            self.packets,
            owner,
            np.frombuffer(question, np.uint8),
            np.frombuffer(reply, np.uint8),
            expires,
            kind,
            self._key,
            self._spare,
        )

    def answer(
        self,
        question: bytes,
        now: int = NOW_MICROSECONDS,
        owner: int = 0,
        transport: int = layout.UDP,
        room: int = layout.MAX_REPLY_OCTETS,
    ) -> bytes | None:
        """Answer from the middle of a stream to the middle of a buffer.

        What stands around the reply there must stay.
        """
        start, at = 3, 5
        octets = np.frombuffer(b"\xee" * start + question + b"\xee" * 7, np.uint8)
        out = np.full(at + layout.MAX_REPLY_OCTETS + 600, _CANARY, np.uint8)
        size = self.kernels.answer(
            self.packets,
            owner,
            transport,
            octets,
            start,
            len(question),
            out,
            at,
            room,
            now,
            self._own_key,
        )
        assert 0 <= size <= room
        assert (out[:at] == _CANARY).all()
        assert (out[at + size :] == _CANARY).all(), "written behind the reply"
        return out[at : at + size].tobytes() if size else None

    def forget(self, *names: bytes, owner: int = 0) -> int:
        return self.kernels.forget_names(
            self.packets,
            owner,
            np.frombuffer(b"".join(names), np.uint8),
            np.cumsum([len(name) for name in names], dtype=np.int64),
            self._key,
        )

    def forget_all(self, owner: int = 0) -> None:
        self.packets.owners[owner, layout.GENERATION] += 1

    def counted(self, counter: int, owner: int = 0) -> int:
        return int(self.packets.counters[owner, counter])

    def entries(self) -> list[int]:
        """Give the positions of all entries that a slot leads to."""
        slots = self.packets.slots
        return [int(slot) & layout.MASK32 for slot in slots[slots != 0]]

    def check(self) -> None:
        """Check all that must hold between two calls."""
        check_packets(self.packets)


def check_packets(packets: Any) -> None:
    """Check that ring, slots, locks and counters tell the same story."""
    assert not packets.locks.any(), "a lock was not given back"
    placed = _walk_ring(packets)
    found: set[int] = set()
    owned = np.zeros(layout.MAX_OWNERS, np.int64)
    for number in np.flatnonzero(packets.slots).tolist():
        slot = int(packets.slots[number])
        entry, tag = slot & layout.MASK32, slot >> 32
        assert entry in placed, "a slot leads to no entry of the ring"
        assert entry not in found, "two slots lead to one entry"
        found.add(entry)
        _check_entry(packets, entry, placed[entry])
        key = key_of(packets, entry)
        hashed = int(packet_cache.hash_name(key))
        assert tag == hashed >> 32
        base = packet_cache.bucket_of(packets, hashed)
        assert base <= number < base + layout.BUCKET_SLOTS
        owner = int(packet_cache.owner_of(packets, entry))
        assert owner == int(key.words[1]) & layout.MASK16
        owned[owner] += 1
    assert (packets.counters[:, layout.ENTRIES] == owned).all()
    assert (packets.counters >= 0).all()


def key_of(packets: Any, entry: int) -> layout.Key:
    """Give the key of an entry."""
    key = layout.make_key()
    start = entry + layout.ENTRY_HEAD
    size = int(packets.arena_words[entry]) >> layout.KEY_SHIFT & layout.KEY_MASK
    key.words[:size] = packets.arena_words[start : start + size]
    return key


def name_of(packets: Any, entry: int) -> bytes:
    """Give the folded name that an entry is about."""
    key = key_of(packets, entry)
    size = int(key.words[1]) >> 16 & layout.MASK16
    start = layout.KEY_HEAD * 8
    return key.octets[start : start + size].tobytes()


def _walk_ring(packets: Any) -> dict[int, int]:
    """Walk from the oldest entry to the newest; give sizes by position, in words."""
    state, words = packets.state, packets.arena_words
    capacity = words.size - layout.ENTRY_HEAD
    left, at = int(state[layout.USED]), int(state[layout.TAIL])
    placed: dict[int, int] = {}
    while left > 0:
        assert 0 < at < capacity
        size = int(words[at]) & layout.MASK16
        assert 0 < size <= left
        placed[at] = size
        left -= size
        at += size
        assert at <= capacity, "an entry runs over the end of the ring"
        at = 1 if at == capacity else at
    assert left == 0
    if placed:
        assert at == state[layout.HEAD]
    return placed


def _check_entry(packets: Any, entry: int, size: int) -> None:
    head = int(packets.arena_words[entry])
    key_words = head >> layout.KEY_SHIFT & layout.KEY_MASK
    tail_octets = head >> layout.TAIL_SHIFT & layout.TAIL_MASK
    assert layout.KEY_HEAD < key_words <= layout.MAX_KEY_WORDS
    assert 0 <= tail_octets <= layout.MAX_REPLY_OCTETS
    assert size == layout.ENTRY_HEAD + key_words + (tail_octets + 7) // 8
    assert 0 <= head >> layout.HEAD_SHIFT & layout.HEAD_MASK < layout.MAX_HEADS


def ask(
    name: bytes,
    indexes: tuple[int, ...] = (),
    types: tuple[bytes, ...] = (),
    token: bytes | None = b"",
    **more: Any,
) -> bytes:
    """Make a plain question."""
    return request(Resolution(name, indexes, types, token).encode(), **more)


def request(  # noqa: PLR0913 (all that a request says)
    body: bytes,
    flags: int = PUBLIC,
    *,
    opcode: int = OpCode.RESOLUTION,
    code: int = 0,
    version: tuple[int, int] = (2, 10),
    suggested: tuple[int, int] = (2, 11),
    envelope_flags: int = 0,
    session_id: int = 0,
    request_id: int = 7,
    sequence: int = 0,
    site_serial: int = 0xFFFF,
    recursion_count: int = 0,
    reserved: int = 0,
    expiration: int = EXPIRATION,
    credential: bytes | None = b"",
) -> bytes:
    envelope = Envelope(
        *version,
        suggested[0] | envelope_flags,
        suggested[1],
        session_id,
        request_id,
        sequence,
        0,
    )
    header = Header(
        opcode, code, flags, site_serial, recursion_count, reserved, expiration, 0
    )
    return build_message(envelope, header, body, credential).encode()


def reply(
    body: bytes, flags: int = 0x9100_0000, code: int = 1, request_id: int = 7
) -> bytes:
    """Make an answer such as a node gives."""
    envelope = Envelope(2, 11, 2, 11, 0, request_id, 0, 0)
    header = Header(OpCode.RESOLUTION, code, flags, 1, 0, 0, EXPIRATION, 0)
    return build_message(envelope, header, body).encode()
