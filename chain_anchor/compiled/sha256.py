"""SHA-256 in kernels (FIPS 180-4): by the processor's own instructions, or without.

x86 processors with SHA extensions take 40 ns a block of 64 octets, others some 300. Which of the two is compiled is decided by the
processor that compiles; both are tested wherever both can run.
"""

from typing import Any

import numba
from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from chain_anchor.compiled.kernels import Octets, address, copy, part, set_word

BLOCK_OCTETS = 64
SCRATCH_OCTETS = 2 * BLOCK_OCTETS
"""What every function here needs to lay out the last blocks."""

_ROUND = (
    0x428A2F98, 0x71374491, 0xB5C0FBCF, 0xE9B5DBA5, 0x3956C25B, 0x59F111F1, 0x923F82A4,
    0xAB1C5ED5, 0xD807AA98, 0x12835B01, 0x243185BE, 0x550C7DC3, 0x72BE5D74, 0x80DEB1FE,
    0x9BDC06A7, 0xC19BF174, 0xE49B69C1, 0xEFBE4786, 0x0FC19DC6, 0x240CA1CC, 0x2DE92C6F,
    0x4A7484AA, 0x5CB0A9DC, 0x76F988DA, 0x983E5152, 0xA831C66D, 0xB00327C8, 0xBF597FC7,
    0xC6E00BF3, 0xD5A79147, 0x06CA6351, 0x14292967, 0x27B70A85, 0x2E1B2138, 0x4D2C6DFC,
    0x53380D13, 0x650A7354, 0x766A0ABB, 0x81C2C92E, 0x92722C85, 0xA2BFE8A1, 0xA81A664B,
    0xC24B8B70, 0xC76C51A3, 0xD192E819, 0xD6990624, 0xF40E3585, 0x106AA070, 0x19A4C116,
    0x1E376C08, 0x2748774C, 0x34B0BCB5, 0x391C0CB3, 0x4ED8AA4A, 0x5B9CCA4F, 0x682E6FF3,
    0x748F82EE, 0x78A5636F, 0x84C87814, 0x8CC70208, 0x90BEFFFA, 0xA4506CEB, 0xBEF9A3F7,
    0xC67178F2,
)  # fmt: skip
_INITIAL = (
    0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
    0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19,
)  # fmt: skip

_NEEDED = ("sha", "sse4.1", "ssse3")

_I8, _I32, _I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
_QUAD = ir.VectorType(_I32, 4)
_OCTET_QUAD = ir.VectorType(_I8, 16)


def has_instructions() -> bool:
    """Tell whether this processor has SHA-256 instructions that kernels can use."""
    if numba.config.CPU_NAME or numba.config.CPU_FEATURES is not None:
        return False
    features = binding.get_host_cpu_features()
    return all(features.get(name, False) for name in _NEEDED)


def _number(value: int) -> Any:
    return ir.Constant(_I32, value)


def _quad(values: Any) -> Any:
    return ir.Constant(_QUAD, [_number(value) for value in values])


class _Instructions:
    """SHA extensions of x86: four rounds in two instructions.

    They keep the state as two vectors, lanes in this order: f e b a, h g d c.
    """

    initial = (
        _quad(_INITIAL[n] for n in (5, 4, 1, 0)),
        _quad(_INITIAL[n] for n in (7, 6, 3, 2)),
    )

    @classmethod
    def block(cls, builder: Any, state: Any, pointer: Any) -> Any:
        first, second = state
        words = [cls._load(builder, pointer, n) for n in range(4)]
        for n in range(16):
            if n >= 4:
                words.append(cls._schedule(builder, words[n - 4 :]))
            keyed = builder.add(words[n], _quad(_ROUND[4 * n : 4 * n + 4]))
            second = cls._call(builder, "rnds2", second, first, keyed)
            keyed = cls._lanes(builder, keyed, keyed, 2, 3, 0, 0)
            first = cls._call(builder, "rnds2", first, second, keyed)
        return builder.add(first, state[0]), builder.add(second, state[1])

    @classmethod
    def finish(cls, builder: Any, state: Any, pointer: Any) -> None:
        for half, lanes in enumerate(((3, 2, 7, 6), (1, 0, 5, 4))):
            words = cls._swap(builder, cls._lanes(builder, *state, *lanes))
            to = builder.gep(pointer, [ir.Constant(_I64, 16 * half)])
            builder.store(words, builder.bitcast(to, _QUAD.as_pointer()), align=1)

    @classmethod
    def _load(cls, builder: Any, pointer: Any, n: int) -> Any:
        at = builder.gep(pointer, [ir.Constant(_I64, 16 * n)])
        quad = builder.load(builder.bitcast(at, _QUAD.as_pointer()), align=1)
        return cls._swap(builder, quad)

    @classmethod
    def _schedule(cls, builder: Any, words: Any) -> Any:
        made = cls._call(builder, "msg1", words[0], words[1])
        made = builder.add(made, cls._lanes(builder, words[2], words[3], 1, 2, 3, 4))
        return cls._call(builder, "msg2", made, words[3])

    @staticmethod
    def _swap(builder: Any, quad: Any) -> Any:
        octets = builder.bitcast(quad, _OCTET_QUAD)
        order = [ir.Constant(_I32, n ^ 3) for n in range(16)]
        mask = ir.Constant(ir.VectorType(_I32, 16), order)
        swapped = builder.shuffle_vector(octets, octets, mask)
        return builder.bitcast(swapped, _QUAD)

    @staticmethod
    def _lanes(builder: Any, left: Any, right: Any, *lanes: int) -> Any:
        return builder.shuffle_vector(left, right, _quad(lanes))

    @staticmethod
    def _call(builder: Any, name: str, *arguments: Any) -> Any:
        kind = ir.FunctionType(_QUAD, [_QUAD] * len(arguments))
        module = builder.module
        name = f"llvm.x86.sha256{name}"
        function = module.globals.get(name) or ir.Function(module, kind, name)
        return builder.call(function, arguments)


class _Arithmetic:
    """The rounds as they stand in FIPS 180-4 §6.2.2, for any processor."""

    initial = tuple(_number(value) for value in _INITIAL)

    @classmethod
    def block(cls, builder: Any, state: Any, pointer: Any) -> Any:
        words = [cls._load(builder, pointer, n) for n in range(16)]
        now = list(state)
        for n in range(64):
            if n >= 16:
                words.append(cls._schedule(builder, words[n - 16 :]))
            keyed = builder.add(words[n], _number(_ROUND[n]))
            now = cls._round(builder, now, keyed)
        return [builder.add(a, b) for a, b in zip(now, state, strict=True)]

    @classmethod
    def finish(cls, builder: Any, state: Any, pointer: Any) -> None:
        for n, word in enumerate(state):
            builder.store(builder.bswap(word), cls._at(builder, pointer, n), align=1)

    @classmethod
    def _round(cls, builder: Any, now: Any, keyed: Any) -> Any:
        a, b, c, d, e, f, g, h = now
        choice = builder.xor(g, builder.and_(e, builder.xor(f, g)))
        majority = builder.xor(builder.and_(a, b), builder.and_(c, builder.xor(a, b)))
        first = builder.add(builder.add(h, keyed), choice)
        first = builder.add(first, cls._turned(builder, e, (6, 11, 25)))
        second = builder.add(majority, cls._turned(builder, a, (2, 13, 22)))
        return [builder.add(first, second), a, b, c, builder.add(d, first), e, f, g]

    @classmethod
    def _schedule(cls, builder: Any, words: Any) -> Any:
        early = cls._turned(builder, words[1], (7, 18), 3)
        late = cls._turned(builder, words[14], (17, 19), 10)
        sums = builder.add(words[0], early), builder.add(words[9], late)
        return builder.add(*sums)

    @staticmethod
    def _turned(builder: Any, word: Any, turns: Any, shift: int = 0) -> Any:
        parts = [
            builder.or_(
                builder.lshr(word, _number(turn)),
                builder.shl(word, _number(32 - turn)),
            )
            for turn in turns
        ]
        if shift:
            parts.append(builder.lshr(word, _number(shift)))
        made = parts[0]
        for more in parts[1:]:
            made = builder.xor(made, more)
        return made

    @staticmethod
    def _at(builder: Any, pointer: Any, n: int) -> Any:
        at = builder.gep(pointer, [ir.Constant(_I64, 4 * n)])
        return builder.bitcast(at, _I32.as_pointer())

    @classmethod
    def _load(cls, builder: Any, pointer: Any, n: int) -> Any:
        return builder.bswap(builder.load(cls._at(builder, pointer, n), align=1))


def _make_hash_blocks(way: Any) -> Any:
    """Make a function that hashes `count` blocks of one array, then some of another."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        octets, start, count, rest, rest_count, target, at = arguments
        kinds = signature.args
        whole = address(context, builder, kinds[0], octets, start)
        ends = address(context, builder, kinds[3], rest, ir.Constant(_I64, 0))
        places = [cgutils.alloca_once_value(builder, part) for part in way.initial]
        with cgutils.for_range(builder, builder.add(count, rest_count)) as loop:
            inside = builder.icmp_signed("<", loop.index, count)
            number = builder.select(inside, loop.index, builder.sub(loop.index, count))
            begin = builder.select(inside, whole, ends)
            step = builder.mul(number, ir.Constant(_I64, BLOCK_OCTETS))
            state = [builder.load(place) for place in places]
            state = way.block(builder, state, builder.gep(begin, [step]))
            for place, part in zip(places, state, strict=True):
                builder.store(part, place)
        pointer = address(context, builder, kinds[5], target, at)
        way.finish(builder, [builder.load(place) for place in places], pointer)
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
        number = types.int64
        kinds = (octets, number, number, rest, number, target, number)
        return types.void(*kinds), generate

    return hash_blocks


def make_digest(hash_blocks: Any) -> Any:
    """Make the function that hashes any run of octets, from one of block functions."""

    @part
    def digest(octets, start, size, target, at, scratch):  # type: ignore[no-untyped-def]
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
    for n in range(0, SCRATCH_OCTETS, 8):
        set_word(scratch, n, 0)


by_instructions = _make_hash_blocks(_Instructions)
by_arithmetic = _make_hash_blocks(_Arithmetic)
_hash_blocks = by_instructions if has_instructions() else by_arithmetic

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
    scratch[65] = 0x80
    _finish(65, 66, target, at, scratch)


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
    scratch[66] = 0x80
    _finish(66, 67, target, at, scratch)


@part
def _finish(size: int, end: int, target: Octets, at: int, scratch: Octets) -> None:
    for n in range(end, 72):
        scratch[n] = 0
    for n in range(72, 120, 8):
        set_word(scratch, n, 0)
    set_word(scratch, 120, size << 3)
    _hash_blocks(scratch, 0, 0, scratch, 2, target, at)


@part
def map_leaf_digest(
    leaf: Octets, start: int, target: Octets, at: int, scratch: Octets
) -> None:
    """Hash a leaf of the map, from its 32 octets of key and 49 of state."""
    scratch[0] = 4
    copy(leaf, start + 32, scratch, 1, 49)
    scratch[50] = 0x80
    for n in range(51, 56):
        scratch[n] = 0
    set_word(scratch, 56, 50 << 3)
    _hash_blocks(scratch, 0, 0, scratch, 1, target, at)
    pair_digest(2, leaf, start, target, at, target, at, scratch)
