"""The kernels, compiled: plain functions of the other modules handed to numba.

The functions stay plain Python, so that tests can run them as such; here they are
registered for compiled code, and the few that are called from outside are compiled and
kept on disk. Importing this module imports numba; `prepare` compiles them, or loads what
was compiled before.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from resolver.fastpath import (
    atomic,
    copying,
    learning,
    packet_cache,
    questions,
    replies,
)
from resolver.fastpath.compiling import import_numba
from resolver.fastpath.engine_layout import Outbox
from resolver.fastpath.layout import BUCKET_SLOTS, make_key, make_packets

numba = import_numba()

from llvmlite import ir  # noqa: E402 (numba must be set up first)
from numba.core import cgutils, types  # noqa: E402
from numba.extending import intrinsic, overload, register_jitable  # noqa: E402

from resolver.fastpath import loops  # noqa: E402
from resolver.fastpath.memory import make_engine  # noqa: E402

_INT = types.int64


def _address(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> Any:
    made = context.make_array(kind)(context, builder, array)
    return cgutils.get_item_pointer(context, builder, kind, made, [at])


def _pointer(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return _address(context, builder, signature.args[0], arguments[0], arguments[1])


def _constant(value: int) -> Any:
    return ir.Constant(ir.IntType(64), value)


@intrinsic
def _copy(typing: Any, source: Any, start: Any, target: Any, at: Any, size: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, start, target, at, size = arguments
        kinds = signature.args
        begin = _address(context, builder, kinds[0], source, start)
        end = _address(context, builder, kinds[2], target, at)
        cgutils.raw_memcpy(builder, end, begin, size, 1)
        return context.get_dummy_value()

    return types.void(source, _INT, target, _INT, _INT), generate


@intrinsic
def _try_lock(typing: Any, locks: Any, at: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature, arguments)
        found = builder.cmpxchg(
            pointer, _constant(0), _constant(1), "acquire", "monotonic"
        )
        return builder.extract_value(found, 1)

    return types.boolean(locks, _INT), generate


@intrinsic
def _load(typing: Any, words: Any, at: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature, arguments)
        return builder.load_atomic(pointer, "acquire", 8)

    return _INT(words, _INT), generate


@intrinsic
def _store(typing: Any, words: Any, at: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature, arguments)
        builder.store_atomic(arguments[2], pointer, "release", 8)
        return context.get_dummy_value()

    return types.void(words, _INT, _INT), generate


@intrinsic
def _exchange(typing: Any, words: Any, at: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature, arguments)
        return builder.atomic_rmw("xchg", pointer, arguments[2], "seq_cst")

    return _INT(words, _INT, _INT), generate


# A function that numba compiles must be written in Python: an intrinsic is not.
@overload(atomic.try_lock, strict=False)
def _(locks: Any, at: Any) -> Callable[..., Any]:
    return lambda locks, at: _try_lock(locks, at)  # noqa: PLW0108


@overload(copying.copy, strict=False)
def _(source: Any, start: Any, target: Any, at: Any, size: Any) -> Callable[..., Any]:
    return lambda source, start, target, at, size: _copy(  # noqa: PLW0108
        source, start, target, at, size
    )


@overload(atomic.unlock, strict=False)
def _(locks: Any, at: Any) -> Callable[..., Any]:
    return lambda locks, at: _store(locks, at, 0)


@overload(atomic.load, strict=False)
def _(words: Any, at: Any) -> Callable[..., Any]:
    return lambda words, at: _load(words, at)  # noqa: PLW0108


@overload(atomic.store, strict=False)
def _(words: Any, at: Any, value: Any) -> Callable[..., Any]:
    return lambda words, at, value: _store(words, at, value)  # noqa: PLW0108


@overload(atomic.exchange, strict=False)
def _(words: Any, at: Any, value: Any) -> Callable[..., Any]:
    return lambda words, at, value: _exchange(words, at, value)  # noqa: PLW0108


def _register(module: Any) -> None:
    for function in vars(module).values():
        if getattr(function, "__module__", "") == module.__name__ and callable(
            function
        ):
            register_jitable(function)


for _module in (questions, packet_cache, replies, learning, loops):
    _register(_module)


def _compile(function: Callable[..., Any]) -> Any:
    # Kernels allocate nothing. With numba's runtime every call would count references
    # to each array of its arguments, which is two thirds of a hit.
    return numba.njit(cache=True, nogil=True, error_model="numpy", _nrt=False)(function)


def _compile_for(dispatcher: Any, *arguments: Any) -> None:
    dispatcher.compile(tuple(map(numba.typeof, arguments)))


def prepare() -> None:
    """Compile every kernel, or load it: the first call of each is as fast as any."""
    packets, key = make_packets(1024, BUCKET_SLOTS), make_key()
    engine = make_engine(0, 0)
    octets, words = np.zeros(64, np.uint8), np.zeros(1, np.int64)
    constant = np.frombuffer(bytes(64), np.uint8)
    outbox = Outbox(octets, octets, engine.sent, engine.sent_vectors)
    _compile_for(run, packets, engine, key)
    _compile_for(take, engine, words)
    _compile_for(send_datagrams, 1, outbox, engine.sent_vectors, 1)
    _compile_for(learn, packets, 1, constant, constant, 1, 1, key, key)
    _compile_for(forget_names, packets, 1, constant, words, key)
    _compile_for(answer, packets, 1, 1, constant, 1, 1, octets, 1, 1, 1, key)


run = _compile(loops.run)
take = _compile(loops.take)
send_datagrams = _compile(loops.send_datagrams)
learn = _compile(learning.learn)
forget_names = _compile(learning.forget_names)
answer = _compile(replies.answer)
