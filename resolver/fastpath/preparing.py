"""`python -m resolver.fastpath.preparing`: compile the kernels, and leave the machine room."""

import os

from resolver.fastpath import compiled
from resolver.fastpath.compiling import note_compiled

_NICE = 10


def compile_here() -> None:
    """Compile the kernels, or load those that are compiled."""
    compiled.prepare()
    note_compiled()


if __name__ == "__main__":
    os.nice(_NICE)
    compile_here()
