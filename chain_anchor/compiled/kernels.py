"""How functions become kernels.

Kernels use numbers and arrays of octets only, run without the interpreter's lock and
allocate nothing: with numba's runtime every call would count references to each array.
What is called from outside is kept on disk; what only kernels call is part of them.
"""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

Octets = np.ndarray
"""An array of octets."""

_SIGN = -(1 << 63)

kernel: Callable[..., Any] = numba.njit(
    cache=True, nogil=True, error_model="numpy", _nrt=False
)
"""For what is called from outside."""

part: Callable[..., Any] = numba.njit(
    error_model="numpy", _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True
)
"""For what only kernels call: nothing is made by which Python could."""


def address(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> Any:
    """Give the address of an item of an array, for intrinsics."""
    made = context.make_array(kind)(context, builder, array)
    return cgutils.get_item_pointer(context, builder, kind, made, [at])


@intrinsic
def copy(typing: Any, source: Any, start: Any, target: Any, at: Any, size: Any) -> Any:
    """Copy octets between two arrays: to `target[at:]` from `source[start:]`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, start, target, at, size = arguments
        begin = address(context, builder, signature.args[0], source, start)
        end = address(context, builder, signature.args[2], target, at)
        cgutils.raw_memcpy(builder, end, begin, size, 1)
        return context.get_dummy_value()

    number = types.int64
    return types.void(source, number, target, number, number), generate


@intrinsic
def word_at(typing: Any, octets: Any, at: Any) -> Any:
    """Read 64 bits, big-endian and signed, from anywhere in an array of octets."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        pointer = address(context, builder, signature.args[0], *arguments)
        pointer = builder.bitcast(pointer, word.as_pointer())
        return builder.bswap(builder.load(pointer, align=1))

    return types.int64(octets, types.int64), generate


@intrinsic
def set_word(typing: Any, octets: Any, at: Any, value: Any) -> Any:
    """Write 64 bits, big-endian, anywhere in an array of octets."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        octets, at, value = arguments
        word = ir.IntType(64)
        pointer = address(context, builder, signature.args[0], octets, at)
        pointer = builder.bitcast(pointer, word.as_pointer())
        builder.store(builder.bswap(value), pointer, align=1)
        return context.get_dummy_value()

    return types.void(octets, types.int64, types.int64), generate


@intrinsic
def leading_zeros(typing: Any, value: Any) -> Any:
    """Count the zero bits before the first one, 64 if there is none."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.int64), generate


@part
def compare(left: Octets, at: int, right: Octets, right_at: int) -> int:
    """Compare two runs of 32 octets: below, at or above 0."""
    for n in range(0, 32, 8):
        one, other = word_at(left, at + n), word_at(right, right_at + n)
        if one != other:
            return -1 if unsigned_below(one, other) else 1
    return 0


@part
def same(left: Octets, at: int, right: Octets, right_at: int, size: int) -> bool:
    """Tell whether two runs of octets are the same."""
    for n in range(size):
        if left[at + n] != right[right_at + n]:
            return False
    return True


@part
def unsigned_below(left: int, right: int) -> bool:
    """Compare two words as numbers without a sign."""
    return (left ^ _SIGN) < (right ^ _SIGN)


@part
def first_difference(left: Octets, at: int, right: Octets, right_at: int) -> int:
    """Give the first bit in which two keys differ, 256 if they are the same."""
    for n in range(4):
        bits = word_at(left, at + 8 * n) ^ word_at(right, right_at + 8 * n)
        if bits != 0:
            return 64 * n + leading_zeros(bits)
    return 256


@part
def bit_at(octets: Octets, at: int, bit: int) -> int:
    """Give a bit of the key that stands at a place."""
    return octets[at + (bit >> 3)] >> (7 - (bit & 7)) & 1


@part
def shared(bits: int, depth: int) -> int:
    """Give the first bits of a word, then zeros."""
    if depth == 0:
        return 0
    below = 64 - depth
    return bits >> below << below
