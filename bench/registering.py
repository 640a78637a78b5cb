"""Registering a corpus in a running network, through the client's pipelined writes."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from bench.corpus import Corpus
from registry.model.codes import ResponseCode
from resolver.client.pipeline import Pipeline
from resolver.client.request import creation
from resolver.commands.running import from_ready
from resolver.commands.up import run_loop
from resolver.errors import AnswerError, SetupError, answer_error
from resolver.session.exchange import ServerAddress

Told = Callable[[int, int], None]
"""Told from time to time how many are registered, and of how many."""

_CONNECTIONS = 8
"""Prefixes that are written at a time."""


def register_running(
    ready: Mapping[str, Any], corpus: Corpus, told: Told | None = None
) -> int:
    """Register a corpus in a running network, as the administrators of its prefixes.

    Args:
        ready: The network's ready file.
        corpus: What to register.
        told: Told from time to time how far it is.

    Raises:
        SetupError: A prefix lives nowhere, or its credential is not known.
        ResolverError: A node cannot be reached or refuses.
    """
    count = Count(corpus.count, told)
    run_loop(_register(ready, corpus, count))
    return count.done


_TOLD_EVERY = 256


class Count:
    """How many are registered, for whoever wants to know."""

    def __init__(self, whole: int, told: Told | None) -> None:
        self.done = 0
        self._whole = whole
        self._told = told

    def add(self) -> None:
        """Count one."""
        self.done += 1
        if self._told is not None and self.done % _TOLD_EVERY == 0:
            self._told(self.done, self._whole)


async def _register(ready: Mapping[str, Any], corpus: Corpus, count: Count) -> None:
    room = asyncio.Semaphore(_CONNECTIONS)

    async def one(prefix: str) -> None:
        async with room:
            await _register_prefix(ready, corpus, prefix, count)

    try:
        async with asyncio.TaskGroup() as group:
            for prefix in corpus.prefixes:
                group.create_task(one(prefix))
    except* (AnswerError, SetupError) as errors:
        raise errors.exceptions[0] from None


async def _register_prefix(
    ready: Mapping[str, Any], corpus: Corpus, prefix: str, count: Count
) -> None:
    failed: list[AnswerError] = []

    def answered(number: int, code: int, text: str) -> None:
        if code == ResponseCode.SUCCESS:
            count.add()
        else:
            failed.append(answer_error(code, text, corpus.identifier(number)))

    server, credential = _server_of(ready, prefix), _credential_of(ready, prefix)
    pipeline = await Pipeline.connect(server, credential, answered)
    try:
        for number in corpus.numbers_of(prefix):
            name, values = corpus.identifier(number), corpus.values(number)
            await pipeline.send(creation(name, values, overwrite=True), number)
            if failed:
                break
        await pipeline.finish()
    finally:
        pipeline.close()
    if failed:
        raise failed[0]


def _server_of(ready: Mapping[str, Any], prefix: str) -> ServerAddress:
    for node in ready["nodes"]:
        if prefix in node["prefixes"]:
            host, port = node["handle"]
            return ServerAddress(host, port, port)
    raise homeless({prefix})


def _credential_of(ready: Mapping[str, Any], prefix: str) -> Any:
    # The secret comes last for each prefix, and costs least to prove.
    for entry in reversed(ready["credentials"]):
        if entry["handle"].partition("/")[0] == prefix:
            return from_ready(entry)
    if ready.get("open_writes"):
        return None
    message = f"no credential is known for prefix {prefix}"
    raise SetupError(message, "is it a prefix of this network?")


def homeless(prefixes: set[str]) -> SetupError:
    """Make the error for prefixes that no node of the network serves."""
    first = min(prefixes)
    message = f"prefix {first} lives at no node ({len(prefixes)} such prefixes)"
    return SetupError(message, "was the network made with as many secondary nodes?")
