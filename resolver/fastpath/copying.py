"""Copies octets; compiled kernels have the processor's fastest way for it."""

import numpy as np


def copy(
    source: np.ndarray, start: int, target: np.ndarray, at: int, size: int
) -> None:
    """Copy `size` octets from `start` in one array to `at` in another."""
    target[at : at + size] = source[start : start + size]
