"""Locks and ordered loads and stores for memory that two threads share.

The functions here are what plain Python runs, for one thread. Compiled kernels get the
processor's atomic operations in their place (`resolver.fastpath.compiled`).
"""

import numpy as np


def try_lock(locks: np.ndarray, at: int) -> bool:
    """Take a lock if it is free."""
    if locks[at] != 0:
        return False
    locks[at] = 1
    return True


def unlock(locks: np.ndarray, at: int) -> None:
    """Give a lock back: whoever takes it next sees all that was written before."""
    locks[at] = 0


def load(words: np.ndarray, at: int) -> int:
    """Read a word, and after it all that was written before it was stored."""
    return int(words[at])


def store(words: np.ndarray, at: int, value: int) -> None:
    """Write a word: whoever loads it sees all that was written before."""
    words[at] = value


def exchange(words: np.ndarray, at: int, value: int) -> int:
    """Write a word and give what was there, in one order for all threads."""
    before = int(words[at])
    words[at] = value
    return before
