"""A network to be killed: writes to one of its nodes, tells what was acknowledged.

    python -m tests.e2e.storm DIRECTORY KEYS SEED

The data of the network and what its account remembers of the logs lie in DIRECTORY,
seeded keys in KEYS. The first line says where the node's log is served: `URL KEY`. It
begins to write once it is given a line, and never ends by itself. Then one line for
each acknowledged change, in one write that nothing buffers: `SERIAL NAME DIGEST`, the
digest as the journal has it.
"""

import asyncio
import os
import random
import sys
from pathlib import Path

import uvloop

from registry.change import Change, Receipt
from registry.errors import RegistryError
from registry.journal import Operation, digest_of
from registry.model.codes import ResponseCode
from registry.model.value import Value
from registry.service import Registry
from resolver.network import Network
from resolver.network_settings import NetworkSettings
from resolver.topology import builtin_topology
from tests.registries import PREFIX

NAMES = 5000
WRITERS = 40


def line_of(receipt: Receipt) -> bytes:
    values = receipt.record.values_octets if receipt.record else None
    digest = digest_of(values).hex()
    return f"{receipt.serial} {receipt.name.decode()} {digest}\n".encode()


def any_change(chance: random.Random) -> Change:
    suffix = b"N%d" % chance.randrange(NAMES)
    if chance.random() < 0.1:
        suffix += b"-" * 700
    operation = chance.choices(
        (Operation.CREATE, Operation.ADD, Operation.DELETE), (8, 2, 1)
    )[0]
    data = chance.randbytes(chance.choice((10, 200, 3000)))
    values = () if operation is Operation.DELETE else (Value(1, "URL", data),)
    return Change(
        operation, PREFIX + b"/" + suffix, values, overwrite=True, trusted=True
    )


async def write(registry: Registry, chance: random.Random) -> None:
    while True:
        try:
            receipt = await registry.submit(any_change(chance))
        except RegistryError as error:
            # Deleted, or never made.
            assert error.code == ResponseCode.HANDLE_NOT_FOUND, error  # noqa: PT017
            continue
        os.write(1, line_of(receipt))


async def storm(directory: Path, keys: Path, seed: str) -> None:
    settings = NetworkSettings(
        builtin_topology(1),
        data=directory / "data",
        port_base=0,
        memory=directory / "memory",
        say=lambda text: print(text, file=sys.stderr),  # noqa: T201
        key_cache=keys,
    )
    network = Network(settings)
    await network.start()
    node = network.node_of(PREFIX.decode())
    url = f"http://127.0.0.1:{node.http.port}/log"
    os.write(1, f"{url} {node.sealing.log.signer.key}\n".encode())
    await asyncio.to_thread(sys.stdin.readline)
    async with asyncio.TaskGroup() as writers:
        for writer in range(WRITERS):
            chance = random.Random(f"{seed} {writer}")
            writers.create_task(write(node.registry, chance))


if __name__ == "__main__":
    uvloop.run(storm(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
