"""SHA-256 in kernels (FIPS 180-4): by the processor's own instructions, or without.

x86 processors with SHA extensions take 40 ns a block of 64 octets, others some 300.
Which of the two is compiled is decided by the processor that compiles; both are tested
wherever both can run. Every function here lays out the last blocks of a message in
`scratch`, `SCRATCH_OCTETS` of it.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from chain_anchor.compiled.kernels import Octets, address, copy, part, set_word
from chain_anchor.compiled.sha256_rounds import (
    BLOCK_OCTETS,
    Arithmetic,
    Instructions,
    has_instructions,
)

_LANE_OCTETS = 2 * BLOCK_OCTETS
SCRATCH_OCTETS = 2 * _LANE_OCTETS

_NUMBER = types.int64


def _offset(builder: Any, pointer: Any, blocks: Any) -> Any:
    size = ir.Constant(ir.IntType(64), BLOCK_OCTETS)
    return builder.gep(pointer, [builder.mul(blocks, size)])


def _rounds(builder: Any, way: Any, count: Any, pointers_of: Any) -> Any:
    """Take `count` blocks of each message into its state; give the states."""
    lanes = len(pointers_of(ir.Constant(ir.IntType(64), 0)))
    kept = [
        [cgutils.alloca_once_value(builder, piece) for piece in way.initial]
        for _ in range(lanes)
    ]
    with cgutils.for_range(builder, count) as loop:
        states = [[builder.load(place) for place in places] for places in kept]
        states = way.blocks(builder, states, pointers_of(loop.index))
        for places, state in zip(kept, states, strict=True):
            for place, piece in zip(places, state, strict=True):
                builder.store(piece, place)
    return [[builder.load(place) for place in places] for places in kept]


def _make_hash_blocks(way: Any) -> Any:
    """Make a function that hashes `count` blocks of one array, then some of another."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        octets, start, count, rest, rest_count, target, at = arguments
        kinds = signature.args
        whole = address(context, builder, kinds[0], octets, start)
        zero = ir.Constant(ir.IntType(64), 0)
        ends = address(context, builder, kinds[3], rest, zero)

        def pointers_of(number: Any) -> Any:
            inside = builder.icmp_signed("<", number, count)
            left = builder.select(inside, number, builder.sub(number, count))
            return [_offset(builder, builder.select(inside, whole, ends), left)]

        total = builder.add(count, rest_count)
        (state,) = _rounds(builder, way, total, pointers_of)
        way.finish(builder, state, address(context, builder, kinds[5], target, at))
        return context.get_dummy_value()

    @intrinsic
    def hash_blocks(
        typing: Any,
        octets: Any,
        start: Any,
        count: Any,
        rest: Any,
        rest_count: Any,
        target: Any,
        at: Any,
    ) -> Any:
        kinds = (octets, _NUMBER, _NUMBER, rest, _NUMBER, target, _NUMBER)
        return types.void(*kinds), generate

    return hash_blocks


def _make_hash_both(way: Any) -> Any:
    """Make a function that hashes both messages in `scratch`, of `count` blocks each.

    The digests go to the places `at` and `at + 32`.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        scratch, count, target, at = arguments
        kinds, number = signature.args, ir.IntType(64)
        begins = [
            address(context, builder, kinds[0], scratch, ir.Constant(number, start))
            for start in (0, _LANE_OCTETS)
        ]

        def pointers_of(number: Any) -> Any:
            return [_offset(builder, begin, number) for begin in begins]

        states = _rounds(builder, way, count, pointers_of)
        for lane, state in enumerate(states):
            place = builder.add(at, ir.Constant(number, 32 * lane))
            to = address(context, builder, kinds[2], target, place)
            way.finish(builder, state, to)
        return context.get_dummy_value()

    @intrinsic
    def hash_both(typing: Any, scratch: Any, count: Any, target: Any, at: Any) -> Any:
        return types.void(scratch, _NUMBER, target, _NUMBER), generate

    return hash_both


def make_digest(hash_blocks: Any) -> Any:
    """Make the function that hashes any run of octets, from one of block functions."""

    @part
    def digest(
        octets: Octets, start: int, size: int, target: Octets, at: int, scratch: Octets
    ) -> None:
        whole = size // BLOCK_OCTETS
        left = size - whole * BLOCK_OCTETS
        count = 1 if left < BLOCK_OCTETS - 8 else 2
        _clear(scratch)
        copy(octets, start + size - left, scratch, 0, left)
        scratch[left] = 0x80
        set_word(scratch, count * BLOCK_OCTETS - 8, size << 3)
        hash_blocks(octets, start, whole, scratch, count, target, at)

    return digest


@part
def _clear(scratch: Octets) -> None:
    for n in range(0, _LANE_OCTETS, 8):
        set_word(scratch, n, 0)


_WAYS = {True: Instructions, False: Arithmetic}
by_instructions, by_arithmetic = map(_make_hash_blocks, _WAYS.values())
_hash_blocks = by_instructions if has_instructions() else by_arithmetic
_hash_both = _make_hash_both(_WAYS[has_instructions()])

digest = make_digest(_hash_blocks)
"""`digest(octets, start, size, target, at, scratch)`: hash `size` octets from `start`
on into the 32 octets of `target` from `at` on."""


@part
def pair_digest(
    head: int,
    left: Octets,
    left_at: int,
    right: Octets,
    right_at: int,
    target: Octets,
    at: int,
    scratch: Octets,
) -> None:
    """Hash one octet, `head`, and two hashes: a node of the log, or a map leaf."""
    scratch[0] = head
    copy(left, left_at, scratch, 1, 32)
    copy(right, right_at, scratch, 33, 32)
    _end(scratch, 0, 65, 2)
    _hash_blocks(scratch, 0, 0, scratch, 2, target, at)


@part
def inner_digest(
    bit: int,
    left: Octets,
    left_at: int,
    right: Octets,
    right_at: int,
    target: Octets,
    at: int,
    scratch: Octets,
) -> None:
    """Hash an inner node of the map."""
    scratch[0] = 3
    scratch[1] = bit
    copy(left, left_at, scratch, 2, 32)
    copy(right, right_at, scratch, 34, 32)
    _end(scratch, 0, 66, 2)
    _hash_blocks(scratch, 0, 0, scratch, 2, target, at)


@part
def map_leaf_digest(
    leaf: Octets, start: int, target: Octets, at: int, scratch: Octets
) -> None:
    """Hash a leaf of the map, from its 32 octets of key and 49 of state."""
    _begin_value(leaf, start, scratch, 0)
    _hash_blocks(scratch, 0, 0, scratch, 1, target, at)
    _begin_leaf(leaf, start, target, at, scratch, 0)
    _hash_blocks(scratch, 0, 0, scratch, 2, target, at)


@part
def map_leaf_digests(
    leaves: Octets, start: int, step: int, target: Octets, at: int, scratch: Octets
) -> None:
    """Hash two leaves of the map; the second is `step` octets behind the first."""
    for lane in range(2):
        _begin_value(leaves, start + step * lane, scratch, _LANE_OCTETS * lane)
    _hash_both(scratch, 1, target, at)
    for lane in range(2):
        _begin_leaf(
            leaves,
            start + step * lane,
            target,
            at + 32 * lane,
            scratch,
            _LANE_OCTETS * lane,
        )
    _hash_both(scratch, 2, target, at)


@part
def _begin_value(leaf: Octets, start: int, scratch: Octets, lane: int) -> None:
    scratch[lane] = 4
    copy(leaf, start + 32, scratch, lane + 1, 49)
    _end(scratch, lane, 50, 1)


@part
def _begin_leaf(
    leaf: Octets, start: int, value: Octets, at: int, scratch: Octets, lane: int
) -> None:
    scratch[lane] = 2
    copy(leaf, start, scratch, lane + 1, 32)
    copy(value, at, scratch, lane + 33, 32)
    _end(scratch, lane, 65, 2)


@part
def _end(scratch: Octets, lane: int, size: int, blocks: int) -> None:
    """Write what follows a message in its last block."""
    end = lane + BLOCK_OCTETS * blocks
    at = lane + size
    scratch[at] = 0x80
    at += 1
    while at & 7:
        scratch[at] = 0
        at += 1
    while at < end - 8:
        set_word(scratch, at, 0)
        at += 8
    set_word(scratch, at, size << 3)
