"""`python -m bench.growth.runner`: the network under test, in a process of its own.

Runs `resolver.network.Network` as `idis up` does and takes orders over a socket that
it inherits: one JSON object a line, one answer for each, in order. So a measurement can
make the recursive node forget, and stop a node and start it again, without any such
door in the product.

    ORDER        OTHER MEMBERS        ANSWER
    describe                          what the ready file holds
    load         prefixes count seed  loaded, seconds
    forget                            forgotten: answers and delegations
    forgetting   name on              whether that node forgets what questions teach it
    stop         name                 seconds
    start        name                 seconds

The first line is `describe`'s, unasked, once every node answers. An order that fails is
answered with `error`. The end of the socket stops the network.
"""

import argparse
import asyncio
import dataclasses
import itertools
import json
import os
import socket
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.corpus import Corpus
from registry.change import Change
from registry.journal import Operation
from registry.model.identifier import canonical
from resolver.chain import Chain, Query
from resolver.commands.console import say
from resolver.commands.up import (
    UpOptions,
    network_settings,
    run_loop,
    tune_interpreter,
)
from resolver.network import Network
from resolver.node import Node
from resolver.ready_file import describe
from resolver.session.walk import Outcome, Question

MAX_ORDER_OCTETS = 1 << 20
_AT_ONCE = 4096
"""Registrations under way; a registry lets four times as many wait."""


class Runner:
    """A started network and what can be ordered of it."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._executor = ThreadPoolExecutor(2, thread_name_prefix="runner")
        self._forgetting: set[str] = set()

    async def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        """Carry out one order.

        Raises:
            ValueError: There is no such order.
        """
        started = time.perf_counter()
        match order["do"]:
            case "describe":
                return describe(self._network)
            case "load":
                corpus = Corpus(tuple(order["prefixes"]), order["count"], order["seed"])
                await self._load(corpus)
            case "forget":
                self._forget()
            case "forgetting":
                self._set_forgetting(order["name"], on=order["on"])
            case "stop":
                await self._network.nodes[order["name"]].close()
            case "start":
                await self._start(order["name"])
            case unknown:
                message = f"no such order: {unknown!r}"
                raise ValueError(message)
        return {"seconds": time.perf_counter() - started}

    async def _load(self, corpus: Corpus) -> None:
        """Register a corpus, each identifier at the node of its prefix."""
        numbers = iter(range(corpus.count))
        while batch := list(itertools.islice(numbers, _AT_ONCE)):
            await asyncio.gather(*(self._register(corpus, n) for n in batch))

    def _register(self, corpus: Corpus, number: int) -> "asyncio.Future[Any]":
        identifier = corpus.identifier(number)
        registry = self._network.node_of(identifier.partition("/")[0]).registry
        assert registry is not None
        name = canonical(identifier.encode())
        values = corpus.values(number)
        return registry.enqueue(
            Change(Operation.CREATE, name, values, overwrite=True, trusted=True)
        )

    def _set_forgetting(self, name: str, *, on: bool) -> None:
        """Make a node forget what questions teach it, or keep it again."""
        if not on:
            self._forgetting.discard(name)
        elif name not in self._forgetting:
            node = self._network.nodes[name]
            assert node.upstream is not None
            node.upstream.forget()
            self._forgetting.add(name)
            self._make_forgetful(name, node)

    def _make_forgetful(self, name: str, node: Node) -> None:
        assert node.responder is not None
        assert node.upstream is not None
        walk, forget = node.upstream.walk, node.upstream.forget

        async def walk_and_forget(question: Question) -> Outcome:
            try:
                return await walk(question)
            finally:
                # At once: no other walk comes between learning and forgetting.
                if name in self._forgetting:
                    forget()

        def forget_first(_query: Query) -> None:
            if name in self._forgetting:
                for face in node.fast_faces:
                    face.forget_all()

        node.upstream.walk = walk_and_forget  # type: ignore[method-assign]
        node.responder.chain = Chain((forget_first, node.responder.chain))

    def _forget(self) -> None:
        """Make the recursive node forget answers and places of prefixes."""
        node = self._network.recursive
        assert node.cache is not None
        assert node.upstream is not None
        node.cache.clear()
        node.upstream.forget()
        for face in node.fast_faces:
            face.forget_all()

    async def _start(self, name: str) -> None:
        """Start a node that was stopped, at the ports it had."""
        before = self._network.nodes[name]
        assert before.handle is not None
        assert before.http is not None
        assert before.https is not None
        settings = dataclasses.replace(
            before.settings,
            handle_port=before.handle.port,
            http_port=before.http.port,
            https_port=before.https.port,
        )
        node = Node(settings, before.key)
        node.tls = before.tls
        node.bind()
        top = self._network.top
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(
            self._executor,
            node.open,
            self._executor,
            top.settings.prefix,
            top.sites,
        )
        await node.serve()
        # The network has no order for this; where its sockets were closed, the fast
        # path has lost them by itself.
        engine = self._network._engine
        if engine is not None:
            await node.serve_fast(engine)
        self._network.nodes[name] = node


async def _answer_orders(runner: Runner, control: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=control, limit=MAX_ORDER_OCTETS)
    line = b'{"do": "describe"}'
    while line:
        try:
            answer = await runner.obey(json.loads(line))
        except Exception as error:  # noqa: BLE001 (told to who ordered)
            answer = {"error": f"{type(error).__name__}: {error}"}
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
        line = await reader.readline()
    writer.close()


async def _serve(options: UpOptions, control: socket.socket) -> None:
    network = Network(network_settings(options))
    await network.start()
    tune_interpreter()
    network.start_fast_path(say)
    try:
        await _answer_orders(Runner(network), control)
    finally:
        await network.close()


def _options(arguments: argparse.Namespace) -> UpOptions:
    return UpOptions(
        secondaries=arguments.secondaries,
        topology=arguments.topology,
        data=arguments.data,
        seed=arguments.seed,
        port_base=0,
        fast_path=arguments.fast_path,
    )


def main(arguments: Iterable[str] | None = None) -> int:
    """Run a network until the control socket ends."""
    parser = argparse.ArgumentParser(prog="bench.growth.runner", description=__doc__)
    parser.add_argument("--control", type=int, required=True, help="inherited socket")
    parser.add_argument("--secondaries", type=int, default=14)
    parser.add_argument("--topology", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fast-path", choices=("auto", "off"), default="auto")
    chosen = parser.parse_args(list(arguments) if arguments is not None else None)
    os.set_inheritable(chosen.control, False)
    control = socket.socket(fileno=chosen.control)
    control.setblocking(False)
    run_loop(_serve(_options(chosen), control))
    return 0


if __name__ == "__main__":
    sys.exit(main())
