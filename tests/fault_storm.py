"""What runs in the processes that storage faults strike: a storm, a look, an audit.

Each function tells what happened as events, `(kind, ...)`, on a `Line`; it may be
killed at any moment, and what it has told by then counts.
"""

import asyncio
import os
import pickle
import random
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lmdb.verify import VerifyError, verify

from chain_anchor.buckets import Draft, PlainEngine, Sealed
from chain_anchor.entries import encode_header
from chain_anchor.errors import AnchorError
from chain_anchor.log import Head
from chain_anchor.proof import encode_bundle, verify_bundle
from chain_anchor.statemap import KIND_RECORD
from chain_anchor.view import bundle_of
from registry.change import Change, Receipt
from registry.errors import DiskFullError, ReadOnlyError, RegistryError, StoreError
from registry.journal import Operation, decode_entry, digest_of
from registry.model.value import Value
from registry.service import Registry
from registry.store.interface import Batch, Puts, Tables
from registry.store.lmdb import LmdbStore
from resolver.auditing.node import audit_node
from resolver.keys import SeededKeys
from resolver.log_keys import LogKeys
from resolver.sealing import Sealing
from tests.registries import PREFIX

KEYS = LogKeys("node.idis.test/log", SeededKeys(1))
NAMES = 400
WRITERS = 8
PROVEN = 12
"""Names that a look has proven."""

_LENGTH = struct.Struct("!I")

Event = tuple[Any, ...]
Names = Sequence[bytes]


class Line:
    """The end of a pipe on which a process tells its events."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def tell(self, *event: Any) -> None:
        octets = pickle.dumps(event)
        os.write(self._descriptor, _LENGTH.pack(len(octets)) + octets)


def events_of(octets: bytes) -> Iterator[Event]:
    """Take a line's octets apart; the last event may have been cut off."""
    at = 0
    while at + _LENGTH.size <= len(octets):
        end = at + _LENGTH.size + _LENGTH.unpack_from(octets, at)[0]
        if end > len(octets):
            return
        yield pickle.loads(octets[at + _LENGTH.size : end])
        at = end


class RecordingSealing(Sealing):
    """Tells what it has sealed, before it is written."""

    line: Line

    def seal(self, batch: Batch, tables: Tables) -> Puts:
        engine = self.log._engine
        puts = super().seal(batch, tables)
        head = self.log.sealed
        assert head is not None
        entries = (*engine.made.entries, encode_header(head.header))
        self.line.tell("sealed", head.size, head.checkpoint.root, entries)
        return puts


class RecordingEngine(PlainEngine):
    """Keeps what it has made of the last group, whatever the tables hold of it."""

    made: Sealed

    def seal(self, first_index: int, drafts: Sequence[Draft], buckets: Any) -> Sealed:
        self.made = super().seal(first_index, drafts, buckets)
        return self.made


class Node:
    """A registry and its log over one directory."""

    def __init__(self, directory: Path, line: Line) -> None:
        self.line = line
        self.store = LmdbStore(directory)
        self.sealing = RecordingSealing(KEYS, RecordingEngine(), self.store)
        self.sealing.line = line
        self.sealing.open()
        self.sealing.followers.append(self._published)
        self.executor = ThreadPoolExecutor(1)
        self.registry = Registry(self.store, self.executor, sealer=self.sealing)
        self.acknowledged: set[bytes] = set()
        with self.store.snapshot() as snapshot:
            self.fresh = not snapshot.homes()
        head = self.sealing.log.head
        line.tell("opened", head.size, head.checkpoint.root, head.note)

    def _published(self, head: Head) -> None:
        self.line.tell("published", head.size, head.checkpoint.root, head.note)

    def close(self) -> None:
        self.sealing.release()
        self.executor.shutdown()
        self.store.close()


def storm(
    directory: Path,
    line: Line,
    seed: int,
    groups: int,
    names: Names = (),
    meanwhile: Callable[[int], None] = lambda _: None,
) -> None:
    """Write from several hands until `groups` are written, or writing stops; then read.

    Args:
        directory: the registry's.
        line: where it is told.
        seed: what is written follows from it.
        groups: how long it goes on.
        names: what is read at the end, beside what was acknowledged.
        meanwhile: called after each group with their number.
    """
    node = _opened(directory, line)
    if node is None:
        return
    node.registry.follow(lambda _: meanwhile(node.registry.groups))
    asyncio.run(_storm(node, seed, groups))
    if node.registry.stopped is not None:
        line.tell("stopped", str(node.registry.stopped))
    _read(node, {*names, *node.acknowledged})
    node.close()
    line.tell("closed")


def look(directory: Path, line: Line, names: Names, seed: int) -> None:
    """Read all there is of a directory."""
    node = _opened(directory, line)
    if node is None:
        return
    _read(node, names)
    try:
        with node.store.snapshot() as snapshot:
            entries = [decode_entry(*item) for item in snapshot.journal(0)]
        line.tell("journal", [(entry.name, entry.digest) for entry in entries])
    except RegistryError as error:
        line.tell("unreadable", "journal", str(error))
    try:
        view = node.sealing.log_view
        line.tell("entries", [view.entry(index) for index in range(view.head.size)])
    except (RegistryError, AnchorError) as error:
        line.tell("unreadable", "log", str(error))
    _prove(node, random.Random(seed).sample(sorted(names), min(PROVEN, len(names))))
    node.close()
    line.tell("closed")


def audit(directory: Path, line: Line) -> None:
    """Recheck all there is of a directory, as `idis verify --data` does."""
    try:
        store = LmdbStore(directory, read_only=True)
        with store.snapshot() as snapshot:
            audited = audit_node(snapshot, KEYS, engine=lambda _: PlainEngine())
        store.close()
    except StoreError as error:
        line.tell("damaged", str(error))
    else:
        for finding in audited.findings:
            line.tell("damaged", str(finding))
    try:
        for problem in verify(str(directory)):
            line.tell("damaged pages", problem)
    except VerifyError as error:
        line.tell("damaged pages", str(error))
    line.tell("audited")


def _opened(directory: Path, line: Line) -> "Node | None":
    try:
        return Node(directory, line)
    except RegistryError as error:
        line.tell("refused", str(error))
        return None


def _read(node: Node, names: Iterable[bytes]) -> None:
    """Read records as a client is served them."""
    found: dict[bytes, bytes | str] = {}
    for name in names:
        try:
            record = node.registry.get(name)
        except RegistryError as error:
            found[name] = str(error)
        else:
            found[name] = digest_of(record.values_octets if record else None)
    node.line.tell("read", found)


def _prove(node: Node, names: Iterable[bytes]) -> None:
    """Have records proven, and verify the proofs as a client does."""
    key, log = node.sealing.log.signer.key, node.sealing.log
    for name in names:
        try:
            record = node.registry.get(name)
            shown = record and (
                record.public_octets(),
                node.sealing.drafter.commitment(record),
            )
            tables = node.sealing.view.tables
            bundle = bundle_of(log, tables, KIND_RECORD, name, shown)
            octets = encode_bundle(bundle)
            proven = verify_bundle(octets, key, about=(KIND_RECORD, name))
        except (RegistryError, AnchorError) as error:
            node.line.tell("unproven", name, str(error))
        else:
            digest = digest_of(record.values_octets if record else None)
            node.line.tell("proven", name, proven.standing, digest)


async def _storm(node: Node, seed: int, groups: int) -> None:
    if node.fresh:
        home = Change(Operation.HOME, PREFIX, trusted=True)
        await node.registry.submit(home)
    async with asyncio.TaskGroup() as writers:
        for writer in range(WRITERS):
            chance = random.Random(f"{seed} {writer}")
            writers.create_task(_write(node, chance, groups))
    await node.registry.drain()


async def _write(node: Node, chance: random.Random, groups: int) -> None:
    registry, failures = node.registry, 0
    while registry.groups < groups and failures < 20:
        change = any_change(chance)
        try:
            receipt = await registry.submit(change)
        except DiskFullError as error:
            failures += 1
            node.line.tell("full", str(error))
        except (StoreError, ReadOnlyError) as error:
            node.line.tell("failed", str(error))
            return
        except RegistryError as error:
            if error.code != 100:  # deleted or never made
                node.line.tell("odd", repr(error))
        else:
            _tell(node, receipt)


def _tell(node: Node, receipt: Receipt) -> None:
    node.acknowledged.add(receipt.name)
    values = receipt.record.values_octets if receipt.record else None
    node.line.tell("acknowledged", receipt.serial, receipt.name, digest_of(values))


def any_change(chance: random.Random) -> Change:
    """Choose what is written next."""
    suffix = b"N%d" % chance.randrange(NAMES)
    if chance.random() < 0.1:
        suffix += b"-" * 600
    operation = chance.choices(
        (Operation.CREATE, Operation.ADD, Operation.DELETE), (8, 2, 1)
    )[0]
    data = chance.randbytes(chance.choice((10, 100, 100, 3000)))
    values = () if operation is Operation.DELETE else (Value(1, "URL", data),)
    return Change(
        operation, PREFIX + b"/" + suffix, values, overwrite=True, trusted=True
    )
