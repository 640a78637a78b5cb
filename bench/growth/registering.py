"""`python -m bench.growth.registering`: registrations over the wire, paced or not.

A process of its own, so that it competes with the question generator for nothing but
the core. Each enterprise has a connection on which its administrator has logged in, and
every registration is durable when it counts. Paced, it does what an integrator does: a
batch for one enterprise, then one for the next (idis notes §1.1); unpaced, all
enterprises register at once.

Says `started` on stdout once all have logged in, and one JSON object at the end; a paced
run ends with its time or with its stdin.
"""

import argparse
import asyncio
import contextlib
import json
import secrets
import select
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

from bench.corpus import Corpus, enterprise_prefixes
from registry.model.codes import ResponseCode
from resolver.client.pipeline import Pipeline
from resolver.client.request import creation
from resolver.commands.running import from_ready
from resolver.commands.up import run_loop
from resolver.session.exchange import ServerAddress

TICK_SECONDS = 0.02
"""Between two batches of a paced run."""

_VALUES = 64
"""Value lists to choose from; making one takes longer than sending it."""


class Registering:
    """Registrations at a running network, one connection an enterprise."""

    def __init__(self, ready: dict[str, Any]) -> None:
        self.answers: Counter[int] = Counter()
        self.timeline: list[tuple[float, int]] = []
        """After each batch: the monotonic clock, and how many were acknowledged."""

        self._ready = ready
        self._prefixes = enterprise_prefixes(ready)
        self._pipelines: list[Pipeline] = []
        self._run = secrets.token_hex(4)
        corpus = Corpus(self._prefixes, _VALUES)
        self._values = [corpus.values(number) for number in range(_VALUES)]
        self._made = 0

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Log in everywhere; log out at the end."""
        secret = {
            entry["handle"].partition("/")[0]: entry
            for entry in self._ready["credentials"]
            if entry["kind"] == "secret"
        }
        try:
            for prefix in self._prefixes:
                host, port = _node(self._ready, prefix)["handle"]
                server = ServerAddress(host, None, port)
                credential = from_ready(secret[prefix])
                pipeline = await Pipeline.connect(server, credential, self._answered)
                self._pipelines.append(pipeline)
            yield
        finally:
            for pipeline in self._pipelines:
                pipeline.close()

    async def paced(self, per_second: float, seconds: float) -> float:
        """Register at a rate; batches that come late are made up for.

        Returns the seconds it took.
        """
        started = time.perf_counter()
        due = 0.0
        for tick in range(round(seconds / TICK_SECONDS)):
            if _is_told_to_stop():
                break
            due += per_second * TICK_SECONDS
            pipeline = self._pipelines[tick % len(self._pipelines)]
            await self._send(tick % len(self._pipelines), int(due))
            due -= int(due)
            await pipeline.finish()
            done = self.answers[int(ResponseCode.SUCCESS)]
            self.timeline.append((time.monotonic(), done))
            left = started + (tick + 1) * TICK_SECONDS - time.perf_counter()
            await asyncio.sleep(max(0.0, left))
        return time.perf_counter() - started

    async def bulk(self, count: int) -> float:
        """Register `count` as fast as all nodes take them; gives the seconds."""
        started = time.perf_counter()
        enterprises = len(self._pipelines)
        shares = [len(range(at, count, enterprises)) for at in range(enterprises)]
        await asyncio.gather(*(self._share(at, n) for at, n in enumerate(shares)))
        return time.perf_counter() - started

    async def _share(self, at: int, count: int) -> None:
        await self._send(at, count)
        await self._pipelines[at].finish()

    async def _send(self, at: int, count: int) -> None:
        for _ in range(count):
            self._made += 1
            identifier = f"{self._prefixes[at]}/REG{self._run}-{self._made}"
            values = self._values[self._made % _VALUES]
            draft = creation(identifier, values, overwrite=False)
            await self._pipelines[at].send(draft, self._made)

    def _answered(self, _number: int, code: int, _text: str) -> None:
        self.answers[code] += 1


def _is_told_to_stop() -> bool:
    return bool(select.select([sys.stdin], [], [], 0)[0])


def _node(ready: dict[str, Any], prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        node for node in ready["nodes"] if prefix in node["prefixes"]
    )
    return found


async def _register(options: argparse.Namespace) -> None:
    registering = Registering(json.loads(options.ready_file.read_text()))
    async with registering.connected():
        sys.stdout.write("started\n")
        sys.stdout.flush()
        if options.rate:
            seconds = await registering.paced(options.rate, options.seconds)
        else:
            seconds = await registering.bulk(options.count)
    done = registering.answers.pop(int(ResponseCode.SUCCESS), 0)
    found = {
        "registered": done,
        "failed": dict(registering.answers),
        "seconds": seconds,
        "per_second": done / seconds,
        "timeline": registering.timeline,
    }
    sys.stdout.write(json.dumps(found) + "\n")


def main(arguments: Iterable[str] | None = None) -> int:
    """Register, paced when there is a rate."""
    parser = argparse.ArgumentParser(prog="bench.growth.registering")
    parser.add_argument("--ready-file", type=Path, required=True)
    parser.add_argument("--rate", type=float, default=0.0, help="a second, 0: bulk")
    parser.add_argument("--seconds", type=float, default=600.0, help="of a paced run")
    parser.add_argument("--count", type=int, default=10_000, help="of a bulk run")
    options = parser.parse_args(list(arguments) if arguments is not None else None)
    run_loop(_register(options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
