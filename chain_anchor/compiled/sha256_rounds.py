"""The rounds of SHA-256 (FIPS 180-4 §6.2.2) as LLVM code, for one block or several.

Two blocks of different messages at a time cost little more than one where the
processor has instructions for it: each waits four cycles for the one before.
"""

from typing import Any

import numba
from llvmlite import binding, ir

BLOCK_OCTETS = 64

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


class Instructions:
    """SHA extensions of x86: four rounds in two instructions.

    They keep the state as two vectors, lanes in this order: f e b a, h g d c.
    """

    initial = (
        _quad(_INITIAL[n] for n in (5, 4, 1, 0)),
        _quad(_INITIAL[n] for n in (7, 6, 3, 2)),
    )

    @classmethod
    def blocks(cls, builder: Any, states: Any, pointers: Any) -> Any:
        """Take a block of each message into its state."""
        words = [[cls._load(builder, at, n) for n in range(4)] for at in pointers]
        now = list(states)
        for n in range(16):
            for lane, mine in enumerate(words):
                now[lane] = cls._rounds(builder, n, now[lane], mine)
        return [
            [builder.add(a, b) for a, b in zip(done, before, strict=True)]
            for done, before in zip(now, states, strict=True)
        ]

    @classmethod
    def _rounds(cls, builder: Any, n: int, state: Any, words: Any) -> Any:
        first, second = state
        if n >= 4:
            words.append(cls._schedule(builder, words[n - 4 :]))
        keyed = builder.add(words[n], _quad(_ROUND[4 * n : 4 * n + 4]))
        second = cls._call(builder, "rnds2", second, first, keyed)
        keyed = cls._lanes(builder, keyed, keyed, 2, 3, 0, 0)
        return cls._call(builder, "rnds2", first, second, keyed), second

    @classmethod
    def finish(cls, builder: Any, state: Any, pointer: Any) -> None:
        """Write the digest."""
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


class Arithmetic:
    """The rounds as they stand in FIPS 180-4 §6.2.2, for any processor."""

    initial = tuple(_number(value) for value in _INITIAL)

    @classmethod
    def blocks(cls, builder: Any, states: Any, pointers: Any) -> Any:
        """Take a block of each message into its state."""
        return [
            cls._block(builder, state, pointer)
            for state, pointer in zip(states, pointers, strict=True)
        ]

    @classmethod
    def _block(cls, builder: Any, state: Any, pointer: Any) -> Any:
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
        """Write the digest."""
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
