"""Let storage faults strike, and print what came of each: a JSON object a line.

    python -m tests.faults DIRECTORY FIRST COUNT

What violates a promise is printed and not raised, and another directory takes the place
of the one that it happened to.
"""

import json
import sys
from pathlib import Path

from tests.faults.rounds import World

ROUNDS_OF_A_WORLD = 20
"""Faults that strike one directory before another takes its place."""


def main(directory: Path, first: int, count: int) -> None:
    world = None
    for number in range(first, first + count):
        if world is None or number % ROUNDS_OF_A_WORLD == 0:
            world = World(directory, number)
        outcome = world.strike(number)
        print(json.dumps(outcome._asdict()), flush=True)  # noqa: T201 (its purpose)
        if outcome.outcome == "violation":
            world = None


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
