"""All kernels, compiled: `prepare`."""

from typing import Any

import numba
import numpy as np

from chain_anchor.buckets import Sealed
from chain_anchor.compiled import proving, rechecking, sealing, tree, trie
from chain_anchor.compiled.engine import Pending, group_of, written_of
from chain_anchor.compiled.rooms import Room
from chain_anchor.statemap import EMPTY_ROOT


def prepare() -> None:
    """Compile every kernel, or load it: the first call of each is as fast as any."""
    nodes, octets, words = (
        trie.make_trie(),
        np.zeros(64, np.uint8),
        np.zeros(2, np.int64),
    )
    puts, frames = trie.make_puts(1), trie.make_frames()
    room, group = Room(), group_of([], [], [])
    pending = Pending(0, [], Sealed((), b"", [], EMPTY_ROOT, 0), 0)
    written = written_of(pending, [])
    five = [octets] * 5
    _compile(trie.locate, nodes, 1, octets, 1, octets)
    _compile(trie.lead, nodes, 1, 1, octets, octets, octets)
    _compile(trie.settle, nodes, True)
    _compile(trie.lay_out, octets, 1, puts)
    _compile(trie.replace, nodes, 1, puts, 1, octets, frames, octets)
    _compile(sealing.seal, nodes, 1, 1, group, *room.sealing(group))
    _compile(rechecking.recheck, nodes, 1, 1, written, room.rechecking(written))
    _compile(proving.descend, *five, 1, octets, octets, words, octets, octets)
    _compile(tree.append, 1, octets, 1, octets, 1, octets, words, octets, octets)


def _compile(dispatcher: Any, *arguments: Any) -> None:
    dispatcher.compile(tuple(map(numba.typeof, arguments)))
