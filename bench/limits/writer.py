"""`python -m bench.limits.writer`: register identifiers at a set rate.

Says `ready` once it is logged in, registers until its time is up, and then prints how
many were registered and in how many seconds, as JSON.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.corpus import Corpus
from resolver.client.pipeline import WINDOW, Pipeline
from resolver.client.request import creation
from resolver.commands.running import from_ready
from resolver.errors import AnswerError, answer_error
from resolver.session.exchange import ServerAddress

_TURN_SECONDS = 0.005


async def write(
    ready: dict[str, Any], corpus: Corpus, first: int, rate: float, seconds: float
) -> tuple[int, float]:
    """Register identifiers from number `first` on; give how many, and the seconds.

    Raises:
        ResolverError: The node cannot be reached, or refuses.
    """
    failed: list[AnswerError] = []

    def answered(number: int, code: int, text: str) -> None:
        if code != 1:
            failed.append(answer_error(code, text, corpus.identifier(number)))

    prefix = corpus.prefixes[0]
    numbers = iter(range(first, corpus.count, len(corpus.prefixes)))
    pipeline = await Pipeline.connect(*_node(ready, prefix), answered)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    try:
        done = 0
        start = now = time.monotonic()
        while now - start < seconds and not failed:
            due = min(int((now - start) * rate) - done, WINDOW)
            for number in (next(numbers) for _ in range(due)):
                name, values = corpus.identifier(number), corpus.values(number)
                await pipeline.send(creation(name, values, overwrite=True), number)
            await pipeline.finish()
            done += due
            turn = _TURN_SECONDS - (time.monotonic() - now)
            await asyncio.sleep(max(0.0, turn))
            now = time.monotonic()
    finally:
        pipeline.close()
    if failed:
        raise failed[0]
    return done, now - start


def main(arguments: Iterable[str] | None = None) -> int:
    """Register for a while."""
    parser = argparse.ArgumentParser(prog="bench.limits.writer", description=__doc__)
    parser.add_argument("--ready-file", type=Path, required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--first", type=int, required=True, help="number in the corpus")
    parser.add_argument("--rate", type=float, default=2000.0)
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args(list(arguments) if arguments is not None else None)
    ready = json.loads(options.ready_file.read_text())
    most = options.first + int(options.rate * options.seconds) + WINDOW
    corpus = Corpus((options.prefix,), most)
    done, seconds = asyncio.run(
        write(ready, corpus, options.first, options.rate, options.seconds)
    )
    sys.stdout.write(json.dumps({"done": done, "seconds": seconds}) + "\n")
    return 0


def _node(ready: dict[str, Any], prefix: str) -> tuple[ServerAddress, Any]:
    node = next(node for node in ready["nodes"] if prefix in node["prefixes"])
    host, port = node["handle"]
    # The secret comes last for each prefix, and costs least to prove.
    entry = next(
        entry
        for entry in reversed(ready["credentials"])
        if entry["handle"].partition("/")[0] == prefix
    )
    return ServerAddress(host, port, port), from_ready(entry)


if __name__ == "__main__":
    sys.exit(main())
