"""Scenes that storage faults strike: a storm of writes, a look at all, an audit.

Each tells events on its line:

    opened        size, root, note              of the log's head, shown from here on
    sealed        size, root, entries           about to be written
    published     size, root, note              durable, and shown from here on
    acknowledged  serial, name, digest          a change
    full, failed  message                       a change that was not made
    stopped       message                       nothing is written any more
    refused       message                       the directory was not opened
    read          name -> digest or message     as served; zeros where there is none
    journal       [(name, digest), ...]         all of it
    entries       [entry, ...]                  the whole log
    proven        name, digest                  by a bundle, verified with the log's key
    unproven      name, message
    unreadable    what, message
    damaged       what                          found by an audit
    struck                                      by the fault
    odd           what                          nothing of all this
    closed, audited                             the scene has come to its end
"""

import asyncio
import random
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lmdb.verify import VerifyError, verify

from chain_anchor.buckets import Draft, PlainEngine, Sealed
from chain_anchor.bundle import encode_bundle
from chain_anchor.entries import encode_header
from chain_anchor.errors import AnchorError
from chain_anchor.log import Head
from chain_anchor.proof import verify_bundle
from chain_anchor.statemap import KIND_RECORD
from chain_anchor.view import bundle_of
from registry.change import Change, Receipt
from registry.errors import DiskFullError, ReadOnlyError, RegistryError, StoreError
from registry.journal import Operation, decode_entry, digest_of
from registry.model.codes import ResponseCode
from registry.model.value import Value
from registry.service import Registry
from registry.store.interface import Batch, Puts, Tables
from registry.store.lmdb import LmdbStore
from resolver.auditing.node import audit_node
from resolver.keys import SeededKeys
from resolver.log_keys import LogKeys
from resolver.sealing import Sealing
from tests.faults.apart import Line
from tests.faults.disk import Disk, Fault, Place, flip
from tests.registries import PREFIX

KEYS = LogKeys("node.idis.test/log", SeededKeys(1))
NAMES = 400
WRITERS = 8
PROVEN = 12
"""Names that a look has proven."""

_ATTEMPTS = 20
"""Changes that one hand tries while the disk is full."""


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
    line: Line,
    place: Place,
    fault: Fault,
    number: int,
    groups: int,
    names: Iterable[bytes] = (),
) -> None:
    """Write from several hands until writing stops; then read.

    Args:
        line: where it is told.
        place: of the registry.
        fault: strikes once, some time.
        number: everything that is left to chance follows from it.
        groups: how many are written at most.
        names: what is read at the end, beside what was acknowledged.
    """
    chance = random.Random(f"{number} storm")
    # A group takes about four calls; other faults strike at one kind of call only.
    calls = 4 if fault in (Fault.KILLED, Fault.POWER) else 1
    at = chance.randint(1, groups * calls)
    disk = Disk(place, fault, at, chance)
    with disk.under_the_engine():
        node = _opened(place.directory, line)
        if node is not None:
            if fault is Fault.FLIPPED_RUNNING:
                _flip_at(node, chance.randint(1, groups - 2), chance)
            asyncio.run(_storm(node, number, groups))
            names = {*names, *node.acknowledged}
            _prove(node, _some(names, chance))
            _finish(node, names)
    if disk.struck:
        line.tell("struck")


def look(line: Line, place: Place, names: Iterable[bytes], number: int) -> None:
    """Read all there is of a directory."""
    chance = random.Random(number)
    disk = Disk(place, Fault.NONE, 1, chance)
    with disk.under_the_engine():
        node = _opened(place.directory, line)
        if node is not None:
            _tell_journal(node)
            _tell_log(node)
            _prove(node, _some(names, chance))
            _finish(node, names)


def audit(line: Line, directory: Path) -> None:
    """Recheck all there is of a directory, as `idis verify --data` does, and its pages."""
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
            line.tell("damaged", f"pages: {problem}")
    except VerifyError as error:
        line.tell("damaged", f"pages: {error}")
    line.tell("audited")


def _some(names: Iterable[bytes], chance: random.Random) -> list[bytes]:
    found = sorted(names)
    return chance.sample(found, min(PROVEN, len(found)))


def _flip_at(node: "Node", group: int, chance: random.Random) -> None:
    def follow(_: Batch) -> None:
        if node.registry.groups == group:
            flip(node.store.directory, chance, Fault.FLIPPED_RUNNING)
            node.line.tell("struck")

    node.registry.follow(follow)


def _finish(node: "Node", names: Iterable[bytes]) -> None:
    if node.registry.stopped is not None:
        node.line.tell("stopped", str(node.registry.stopped))
    _read(node, names)
    node.close()
    node.line.tell("closed")


def _tell_journal(node: "Node") -> None:
    try:
        with node.store.snapshot() as snapshot:
            entries = [decode_entry(*item) for item in snapshot.journal(0)]
    except RegistryError as error:
        node.line.tell("unreadable", f"journal: {error}")
    else:
        node.line.tell("journal", [(entry.name, entry.digest) for entry in entries])


def _tell_log(node: "Node") -> None:
    try:
        view = node.sealing.log_view
        entries = [view.entry(index) for index in range(view.head.size)]
    except (RegistryError, AnchorError) as error:
        node.line.tell("unreadable", f"log: {error}")
    else:
        node.line.tell("entries", entries)


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
            # All values of a storm are public: the proven list is the whole one.
            node.line.tell("proven", name, digest_of(proven.record))


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
    while registry.groups < groups and failures < _ATTEMPTS:
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
            if error.code != ResponseCode.HANDLE_NOT_FOUND:  # deleted, or never made
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
