"""Whole networks in the test's own process, and questions to their nodes."""

import asyncio
import contextlib
import time
from dataclasses import replace

from registry.change import Change
from registry.journal import Operation
from registry.model.codes import ResponseCode
from registry.model.identifier import canonical
from registry.model.value import Value
from registry.prefixes import Prefixes
from resolver.errors import PortError
from resolver.network import Network
from resolver.network_settings import NetworkSettings
from resolver.node import Node
from resolver.session.draft import QUERY_FLAGS, Draft
from resolver.session.reading import read_body
from resolver.topology import builtin_topology
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.message import Message, decode_message
from resolver.wire.request import Resolution
from tests.sockets import exchange_tcp

HOSTED, HOSTED_PREFIX, HOST_PREFIX = "88.118.7/SN0001", "88.118.7", "88.118"
SELF_RUN, SELF_RUN_PREFIX = "88.118.1/SN0001", "88.118.1"
PORT_SECONDS = 20
FRESH = QUERY_FLAGS | int(OpFlag.AUTHORITATIVE)
"""Ask past the recursive node's cache."""


@contextlib.asynccontextmanager
async def running(keys, secondaries=2, **settings):
    """Run the first secondary nodes of the built-in topology on free ports."""
    chosen = NetworkSettings(
        builtin_topology(secondaries), port_base=0, key_cache=keys, **settings
    )
    network = Network(chosen)
    await network.start()
    try:
        yield network
    finally:
        await network.close()


async def ask(node, handle: str, *, exchange=exchange_tcp, **parts) -> Message:
    """Put one resolution to a node."""
    octets = question(handle, **parts)
    return decode_message(await exchange(node.handle.port, octets))


def question(handle: str, *, types=(), indexes=(), flags=QUERY_FLAGS, token=None):
    kinds = tuple(kind.encode() for kind in types)
    body = Resolution(handle.encode(), tuple(indexes), kinds, token).encode()
    draft = Draft(OpCode.RESOLUTION, body, int(flags))
    return draft.message(7, time.time()).encode()  # noqa: TID251 (sent, not compared)


def code_of(message: Message) -> int:
    return message.header.response_code


def body_of(message: Message):
    return read_body(message).response


def values_of(message: Message) -> tuple[Value, ...]:
    assert code_of(message) == ResponseCode.SUCCESS, body_of(message)
    return body_of(message).values


def text_of(message: Message) -> str:
    return body_of(message).message


async def register(node: Node, identifier: str, *values: Value, overwrite=False):
    """Write to a node's registry as its operator."""
    change = Change(
        Operation.CREATE,
        canonical(identifier.encode()),
        values or (Value(1, "URL", b"https://example.org"),),
        overwrite=overwrite,
        trusted=True,
    )
    await node.registry.submit(change)


async def delete(node: Node, identifier: str):
    name = canonical(identifier.encode())
    await node.registry.submit(Change(Operation.DELETE, name, trusted=True))


def prefixes(node: Node) -> Prefixes:
    return Prefixes(node.registry, None, trusted=True)


async def delegate(network: Network, prefix: str, *sites: bytes):
    """Allocate a prefix below one of the network's and say who serves it."""
    parent = network.node_of(prefix.rpartition(".")[0])
    owner = next(iter(network.administrators.values())).reference
    below = prefixes(parent)
    if parent.registry.get(canonical(prefix.encode())) is None:
        await below.allocate(prefix.encode(), owner)
    await below.delegate(prefix.encode(), sites)


async def _bound(settings, key) -> Node:
    """Bind a node's old ports; a client elsewhere may have been given one meanwhile."""
    until = time.monotonic() + PORT_SECONDS
    while True:
        node = Node(settings, key)
        try:
            node.bind()
        except PortError:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(0.1)
        else:
            return node


async def reopen(network: Network, node: Node) -> Node:
    """Start a node that was closed again, at the same ports."""
    settings = replace(
        node.settings,
        handle_port=node.handle.port,
        http_port=node.http.port,
        https_port=node.https.port,
    )
    again = await _bound(settings, node.key)
    again.tls = node.tls
    root = network.top.settings.prefix, network.top.sites
    again.open(network._executor, *root)
    await again.serve()
    network.nodes[settings.name] = again
    return again


def asked_upstream(network: Network) -> int:
    return network.recursive.telemetry.upstream_requests


def move_clock(node: Node, seconds: float) -> None:
    """Let a node's TCP face, and so its cache, live that much later."""
    node._tcp.clock = lambda: time.time() + seconds  # noqa: TID251 (stands in for it)
