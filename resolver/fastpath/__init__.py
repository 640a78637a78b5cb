"""Compiled answers: a packet cache and the kernels and loops that serve from it."""
