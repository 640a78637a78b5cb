"""A writer to be killed: writes to a registry and prints what was acknowledged.

    python -m tests.e2e.storm DIRECTORY SEED

One line for each acknowledged change, in one write that nothing buffers:
`SERIAL NAME DIGEST`, the digest as the journal has it. It never ends by itself.
"""

import asyncio
import os
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from registry.change import Change, Receipt
from registry.errors import RegistryError
from registry.journal import Operation, digest_of
from registry.model.value import Value
from registry.service import Registry
from registry.store.lmdb import LmdbStore
from tests.registries import PREFIX, home, seed

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
            assert error.code == 100, error  # noqa: PT017 (deleted or never made)
            continue
        os.write(1, line_of(receipt))


async def storm(directory: Path, number: int) -> None:
    store = LmdbStore(directory)
    with store.snapshot() as snapshot:
        fresh = not snapshot.homes()
    if fresh:
        seed(store, home())
    with ThreadPoolExecutor(1) as executor:
        registry = Registry(store, executor)
        async with asyncio.TaskGroup() as writers:
            for writer in range(WRITERS):
                chance = random.Random(f"{number} {writer}")
                writers.create_task(write(registry, chance))


if __name__ == "__main__":
    asyncio.run(storm(Path(sys.argv[1]), int(sys.argv[2])))
