"""Storage faults in a write storm, one after the other, and what came of each.

    python -m tests.storage_faults DIRECTORY FIRST COUNT

Fault number N is the same in every run. One line of JSON for each. What is checked:

    loud       the disk says that it failed, or the process or the power goes: nothing
               acknowledged is lost, no checkpoint that anyone saw is contradicted, all
               of it without a repair
    silent     the disk says nothing: bits flip, half of a page does not arrive. What is
               served is right or an error; what is signed follows from what was
               acknowledged; damage that is there is found by an audit, if by nothing
               before it
"""

import contextlib
import copy
import json
import os
import random
import select
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from chain_anchor.checkpoint import open_checkpoint
from chain_anchor.entries import Change as Logged, Header, decode_entry
from chain_anchor.frontier import EMPTY
from chain_anchor.merkle import leaf_hash
from chain_anchor.statemap import ReferenceMap, State
from tests.fault_storm import KEYS, Event, Line, audit, events_of, look, storm
from tests.faulty_disk import LOUD, SILENT, Disk, Fault, flip, lose_power

ROUNDS_OF_A_WORLD = 20
"""Faults that strike one directory before a new one takes its place."""

DEADLINE_SECONDS = 30
NO_RECORD = bytes(32)


class ViolationError(Exception):
    """What must not happen has happened."""


def expect(holds: bool, message: str) -> None:
    if not holds:
        raise ViolationError(message[:160] + " ... " + message[-160:])


class Told(NamedTuple):
    """What a process told, and how it ended."""

    events: list[Event]
    ending: str
    """`done`, the name of the signal that killed it, or `hung`."""

    def all_of(self, *kinds: str) -> list[Event]:
        return [event for event in self.events if event[0] in kinds]

    def has(self, *kinds: str) -> bool:
        return bool(self.all_of(*kinds))


def apart(scene: Callable[..., None], *arguments: Any) -> Told:
    """Run a scene in a process of its own, which may come to any end."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        line = Line(writing)
        try:
            scene(line, *arguments)
        except BaseException:  # noqa: BLE001 (told to the parent)
            line.tell("broken", traceback.format_exc())
        os._exit(0)
    os.close(writing)
    octets, hung = _read_until_end(reading)
    if hung:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    ending = "done"
    if os.WIFSIGNALED(status):
        ending = "hung" if hung else signal.Signals(os.WTERMSIG(status)).name
    return Told(list(events_of(octets)), ending)


def _read_until_end(descriptor: int) -> tuple[bytes, bool]:
    until = time.monotonic() + DEADLINE_SECONDS
    octets = bytearray()
    with contextlib.closing(os.fdopen(descriptor, "rb", buffering=0)) as line:
        while (left := until - time.monotonic()) > 0:
            if select.select([line], [], [], left)[0]:
                part = line.read(1 << 20)
                if not part:
                    return bytes(octets), False
                octets += part
    return bytes(octets), True


class History:
    """The log as it must be, by definition and without any table."""

    def __init__(self) -> None:
        self.hashes: list[bytes] = []
        self.roots: dict[int, bytes] = {}
        """Of each group's end."""

        self._frontier = EMPTY
        self._map = ReferenceMap()

    @property
    def size(self) -> int:
        return len(self.hashes)

    def extend(self, entries: Iterable[bytes]) -> None:
        """Append entries, each of which must follow from those before it."""
        for octets in entries:
            index, digest = self.size, leaf_hash(octets)
            entry = decode_entry(octets)
            self.hashes.append(digest)
            self._frontier = self._frontier.extended([digest])
            if isinstance(entry, Logged):
                self._apply(index, digest, entry)
            elif isinstance(entry, Header):
                root, keys = self._map.root(), len(self._map)
                sealed = entry.map_root == root and entry.map_keys == keys
                expect(sealed, f"entry {index} seals another map than that of its log")
                self.roots[self.size] = self._frontier.root()

    def _apply(self, index: int, digest: bytes, entry: Logged) -> None:
        before = self._map.get(entry.key)
        known = (0, 0, bytes(32)) if before is None else before[1:]
        follows = (
            entry.version - 1,
            entry.previous_index,
            entry.previous_hash,
        ) == known
        expect(follows, f"entry {index} does not follow version {known[0]} of its key")
        self._map.put(entry.key, State(entry.state, entry.version, index, digest))

    def check_seen(self, size: int, root: bytes, note: bytes) -> None:
        """Make sure that a checkpoint is one of this log's."""
        if size == 0:
            return
        signed = open_checkpoint(note, KEYS.origin, (KEYS.signer().key,))
        expect(signed[1:] == (size, root), "a note signs something else than its head")
        expect(size in self.roots, f"a checkpoint of {size} entries, which never were")
        same = self.roots[size] == root
        expect(same, f"the checkpoint of {size} entries contradicts the log")


class World:
    """A directory, and what is known of it."""

    def __init__(self, directory: Path) -> None:
        shutil.rmtree(directory, ignore_errors=True)
        self.live, self.copy = directory / "live", directory / "copy"
        self.image, self.copied_image = directory / "disk", directory / "copied"
        self.history = History()
        self.journal: list[tuple[bytes, bytes]] = []

    @property
    def records(self) -> dict[bytes, bytes]:
        """Digest of what each name must be served as."""
        return dict(self.journal)

    def copied(self) -> Path:
        """Give a copy that may be damaged."""
        shutil.rmtree(self.copy, ignore_errors=True)
        self.copy.mkdir(parents=True)
        shutil.copy(self.live / "data.mdb", self.copy)
        shutil.copy(self.live / "data.mdb", self.copied_image)
        shutil.copy(self.live / "newest.meta", self.copy)
        return self.copy


# Scenes


def struck_storm(
    line: Line,
    directory: Path,
    image: Path,
    fault: Fault,
    number: int,
    groups: int,
    names: Iterable[bytes],
) -> None:
    chance = random.Random(f"{number} storm")
    calls = {Fault.KILLED: 4, Fault.POWER: 4}.get(fault, 1)
    disk = Disk(
        directory / "data.mdb", image, fault, chance.randint(1, groups * calls), chance
    )
    at = chance.randint(1, groups - 2)

    def meanwhile(written: int) -> None:
        if fault is Fault.FLIPPED_RUNNING and written == at:
            flip(directory / "data.mdb", chance, fault)
            line.tell("struck")

    with disk.under_the_engine():
        storm(directory, line, number, groups, list(names), meanwhile)
    if disk.struck:
        line.tell("struck")


def sound_look(
    line: Line, directory: Path, image: Path, names: Iterable[bytes], number: int
) -> None:
    chance = random.Random(number)
    disk = Disk(directory / "data.mdb", image, Fault.NONE, 1, chance)
    with disk.under_the_engine():
        look(directory, line, list(names), number)


def sound_audit(line: Line, directory: Path) -> None:
    audit(directory, line)


# Rounds


class Outcome(NamedTuple):
    """What came of a fault."""

    number: int
    fault: str
    struck: bool
    outcome: str
    """`harmless`, or how it was detected first; `violation` is neither."""

    note: str = ""


def strike(world: World, number: int) -> Outcome:
    """Let one fault strike."""
    chance = random.Random(number)
    loud = chance.random() < 0.5
    fault = chance.choice(LOUD if loud else SILENT)
    groups = chance.randint(4, 12)
    run = _loud_round if loud else _silent_round
    try:
        return run(world, number, fault, groups, chance)
    except ViolationError as violation:
        return Outcome(number, fault.name, True, "violation", str(violation))


def _loud_round(
    world: World, number: int, fault: Fault, groups: int, chance: random.Random
) -> Outcome:
    names = world.records
    stormed = apart(struck_storm, world.live, world.image, fault, number, groups, names)
    _check_ending(stormed, fault)
    known = dict(names)
    known.update((name, digest) for _, _, name, digest in _acknowledged(stormed))
    for _, found in stormed.all_of("read"):
        _check_read(found, known, "after the fault")
    seen = stormed.all_of("opened", "published")
    where = chance.choice(("cache", "cache then power", "power"))
    if fault is Fault.POWER or where == "power":
        lose_power(world.live / "data.mdb", world.image, chance)
    _check_restart(world, number, stormed, seen)
    if where == "cache then power":
        lose_power(world.live / "data.mdb", world.image, chance)
        _check_restart(world, number, stormed, seen)
    audited = apart(sound_audit, world.live)
    sound = audited.events == [("audited",)]
    expect(sound, f"the audit says {audited}")
    struck = stormed.has("struck") or stormed.ending == "SIGKILL"
    told = next((event[0] for event in stormed.all_of("refused", "stopped", "full")), "harmless")
    return Outcome(number, fault.name, struck, told)


def _check_ending(stormed: Told, fault: Fault) -> None:
    expect(not stormed.has("broken", "odd"), f"{stormed.all_of('broken', 'odd')}")
    killed = fault in (Fault.KILLED, Fault.KILLED_WITHIN, Fault.POWER)
    allowed = ("done", "SIGKILL") if killed else ("done",)
    expect(stormed.ending in allowed, f"the storm ended by {stormed.ending}")
    if stormed.has("refused"):
        expect(stormed.has("struck"), f"{stormed.all_of('refused')}")


def _check_restart(world: World, number: int, stormed: Told, seen: list[Event]) -> None:
    """Check that all is there after a restart, and remember it."""
    names = {**world.records, **{name: b"" for _, _, name, _ in _acknowledged(stormed)}}
    looked = apart(sound_look, world.live, world.image, names, number)
    expect(looked.has("closed"), f"the restart gave {looked.events[-1:]}")
    unread = looked.all_of("unreadable", "unproven", "broken")
    expect(not unread, f"after the restart: {unread}")
    ((_, journal),) = looked.all_of("journal")
    known = world.journal
    expect(journal[: len(known)] == known, "the journal is not the one it was")
    for _, serial, name, digest in _acknowledged(stormed):
        there = len(journal) >= serial and journal[serial - 1] == (name, digest)
        expect(there, f"acknowledged change {serial} is lost")
    records = dict(journal)
    ((_, found),) = looked.all_of("read")
    _check_read(found, {name: records.get(name, NO_RECORD) for name in found}, "later")
    ((_, entries),) = looked.all_of("entries")
    hashes = list(map(leaf_hash, entries))
    history = world.history
    expect(hashes[: history.size] == history.hashes, "the log was not only extended")
    history.extend(entries[history.size :])
    world.journal = journal
    seen += looked.all_of("opened")
    for _, size, root, note, *_ in seen:
        history.check_seen(size, root, note)
    for _, name, _, digest in looked.all_of("proven"):
        expect(records.get(name, NO_RECORD) == digest, f"{name!r} is proven wrong")


def _silent_round(
    world: World, number: int, fault: Fault, groups: int, chance: random.Random
) -> Outcome:
    directory, image = world.copied(), world.copied_image
    if fault in (Fault.FLIPPED, Fault.FLIPPED_META):
        places = flip(directory / "data.mdb", chance, fault)
        where = f"octets {places}"
    else:
        where = ""
    history, known = copy.deepcopy(world.history), world.records
    stormed = apart(struck_storm, directory, image, fault, number, groups, known)
    records = dict(known)
    records.update((name, digest) for _, _, name, digest in _acknowledged(stormed))
    looked = apart(sound_look, directory, image, records, number)
    _check_signed(history, stormed.events + looked.events)
    found_by = [
        event[0]
        for told in (stormed, looked)
        for event in told.all_of("refused", "stopped", "unreadable", "unproven")
    ]
    found_by += [told.ending for told in (stormed, looked) if told.ending != "done"]
    lost: list[bytes] = []
    wrong: list[bytes] = []
    for told in (stormed, looked):
        expect(not told.has("broken"), f"{told.all_of('broken')}")
        for _, found in told.all_of("read"):
            wrong += [name for name in found if _is_wrong(found, name, records)]
            lost += [name for name in found if _is_lost(found, name, records)]
            found_by += ["checksum" for text in found.values() if isinstance(text, str)]
        for _, name, _, digest in told.all_of("proven"):
            right = records.get(name, NO_RECORD) == digest
            expect(right, f"{name!r} is proven wrong")
    audited = apart(sound_audit, directory)
    # `idis verify --data` reads in a process that may die of it, and says so.
    if audited.ending != "done":
        found_by.append("damaged")
    expect(not audited.has("broken"), f"the audit says {audited.events}")
    found_by += [event[0] for event in audited.all_of("damaged", "damaged pages")]
    expect(bool(found_by) or not lost, f"{lost[:1]} lost, nothing says so; {where}")
    # A page that the disk did not take is the page that was there before, and right in
    # itself. That an old value is served shows in its proof, and in an audit.
    stale = fault in (Fault.TORN, Fault.LOST) and bool(found_by)
    expect(stale or not wrong, f"{wrong[:1]} is served as it is not; {where}")
    struck = stormed.has("struck") or bool(where)
    outcome = found_by[0] if found_by else "harmless"
    note = "; ".join(event[1] for event in audited.all_of("damaged", "damaged pages"))
    if lost or wrong:
        note = f"{len(lost)} served as absent, {len(wrong)} as before; {note}"
    return Outcome(number, fault.name, struck, outcome, note[:300])


def _check_signed(history: History, told: Iterable[Event]) -> None:
    """Make sure that what was signed follows from what was acknowledged before."""
    sealed: tuple[bytes, ...] = ()
    kinds = ("opened", "sealed", "published")
    for kind, size, root, *rest in (event for event in told if event[0] in kinds):
        if kind == "sealed":
            (sealed,) = rest
            follows = size == history.size + len(sealed)
            expect(follows, f"signed {size} entries after {history.size}, {len(sealed)} new")
            continue
        if size not in history.roots:
            history.extend(sealed)
            sealed = ()
        history.check_seen(size, root, rest[0])


def _check_read(
    found: dict[bytes, bytes | str], known: dict[bytes, bytes], when: str
) -> None:
    for name, digest in found.items():
        expected = known.get(name, NO_RECORD)
        expect(digest == expected, f"{when} {name!r} is served as {digest!r}")


def _is_lost(
    found: dict[bytes, bytes | str], name: bytes, records: dict[bytes, bytes]
) -> bool:
    return found[name] == NO_RECORD != records.get(name, NO_RECORD)


def _is_wrong(
    found: dict[bytes, bytes | str], name: bytes, records: dict[bytes, bytes]
) -> bool:
    digest = found[name]
    right = records.get(name, NO_RECORD)
    return isinstance(digest, bytes) and digest not in (right, NO_RECORD)


def _acknowledged(told: Told) -> list[Event]:
    return told.all_of("acknowledged")


def main(directory: Path, first: int, count: int) -> None:
    """Let faults strike, and print what came of them."""
    world = World(directory)
    for number in range(first, first + count):
        if number % ROUNDS_OF_A_WORLD == 0:
            world = World(directory)
        if not (world.live / "data.mdb").exists():
            world.live.mkdir(parents=True)
            told = apart(
                struck_storm, world.live, world.image, Fault.NONE, number, 12, ()
            )
            seen = told.all_of("opened", "published")
            _check_restart(world, number, told, seen)
        outcome = strike(world, number)
        print(json.dumps(outcome._asdict()), flush=True)  # noqa: T201
        if outcome.outcome == "violation":
            world = World(directory)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
