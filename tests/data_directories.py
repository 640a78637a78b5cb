"""Small data directories as networks leave them, made without a network."""

import asyncio
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lmdb

from chain_anchor.buckets import PlainEngine
from chain_anchor.entries import Restart, encode_restart
from registry.change import Change
from registry.journal import Operation
from registry.model.value import Value
from registry.service import Registry
from registry.store.lmdb import LmdbStore
from resolver.keys import SeededKeys
from resolver.log_keys import LogKeys, log_origin
from resolver.sealing import Sealing

SEED = 3
PARENT, CHILD = "cars", "maker"
PREFIX = b"88.118.7"
PUBLIC = Value(1, "URL", b"https://example.org")
RESTRICTED = Value(2, "HS_SECKEY", b"correct horse", permissions=0x0C)
ADMIN = Value(100, "HS_ADMIN", bytes.fromhex("0fff0000000138000000c8"))
LONG = PREFIX + b"/" + b"L" * 600
TABLES = (
    "records",
    "homes",
    "journal",
    "meta",
    "log_rows",
    "log_entries",
    "log_map",
    "log_meta",
)


def name(number: int) -> bytes:
    return PREFIX + b"/SN%d" % number


def change(operation: Operation, subject: bytes, *values: Value, **more) -> Change:
    return Change(operation, subject, values, overwrite=True, trusted=True, **more)


class StoredNode:
    """A node's store and log, open."""

    def __init__(self, data: Path, node: str, *, sealed: bool = True) -> None:
        self.store = LmdbStore(data / "nodes" / node)
        keys = LogKeys(log_origin(node), SeededKeys(SEED))
        self.sealing = Sealing(keys, PlainEngine(), self.store) if sealed else None
        if self.sealing is not None:
            self.sealing.open()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.sealing is not None:
            self.sealing.release()
        self.store.close()

    def write(self, *changes: Change) -> None:
        """Write changes, as many at once as go into a transaction."""

        async def all_of_them():
            with ThreadPoolExecutor(1) as executor:
                registry = Registry(self.store, executor, sealer=self.sealing)
                await asyncio.gather(*map(registry.enqueue, changes))

        asyncio.run(all_of_them())


def write_description(data: Path) -> None:
    data.mkdir(parents=True, exist_ok=True)
    description = {"format": 1, "seed": SEED, "instance": "0" * 32}
    (data / "network.json").write_text(json.dumps(description))


def make_data_directory(data: Path) -> Path:
    """Make one of two nodes in which everything stands that can stand there."""
    write_description(data)
    with StoredNode(data, CHILD) as child:
        create, delete = Operation.CREATE, Operation.DELETE
        child.write(change(Operation.HOME, PREFIX, ADMIN))
        child.write(*(change(create, name(n), PUBLIC) for n in range(40)))
        child.write(change(create, LONG, PUBLIC), change(create, name(50), RESTRICTED))
        child.write(change(create, name(51), PUBLIC, RESTRICTED))
        child.write(change(delete, name(3)), change(delete, name(4)))
        child.write(change(create, name(4), PUBLIC), change(create, name(5), PUBLIC))
        child.write(change(Operation.MODIFY, name(6), PUBLIC._replace(data=b"new")))
        child.sealing.rotate()
        child.write(change(create, name(60), PUBLIC))
        checkpoint = child.sealing.log.head.checkpoint.text().encode()
        child.write(change(create, name(61), PUBLIC))
    with StoredNode(data, PARENT) as parent:
        parent.write(change(Operation.HOME, b"88.118", ADMIN))
        parent.write(change(create, b"88.118/ADMIN", PUBLIC))
        origin = log_origin(CHILD).encode()
        parent.write(change(Operation.NOTE, origin, note=checkpoint))
        parent.write(change(Operation.HOME, b"88.118.9"))
        parent.write(
            change(Operation.STOP, b"88.118.9"), change(Operation.UNHOME, b"88.118.9")
        )
        restart = Restart(log_origin(PARENT), 1, bytes(32), "restored", 1)
        parent.sealing.write_notice(encode_restart(restart))
    return data


def copy_of(data: Path, target: Path) -> Path:
    shutil.copytree(data, target)
    return target


class Editor:
    """Changes what is stored in a node behind its back, and puts it back."""

    def __init__(self, data: Path, node: str) -> None:
        self.directory = data / "nodes" / node

    def _open(self):
        return lmdb.Environment(
            str(self.directory), max_dbs=len(TABLES), map_size=1 << 30
        )

    def stored(self, table: str) -> dict[bytes, bytes]:
        with self._open() as environment:
            handle = environment.open_db(table.encode(), create=False)
            with environment.begin(db=handle) as transaction:
                return dict(transaction.cursor())

    def put(self, table: str, changes: dict[bytes, bytes | None]) -> None:
        """Write entries; None deletes."""
        with self._open() as environment:
            handle = environment.open_db(table.encode(), create=False)
            with environment.begin(db=handle, write=True) as transaction:
                for key, value in changes.items():
                    if value is None:
                        transaction.delete(key)
                    else:
                        transaction.put(key, value)
