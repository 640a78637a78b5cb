"""Storage faults in a write storm, one after the other, and what came of each.

A loud fault says so: a call fails, or the process or the power goes. Nothing that was
acknowledged may be lost by it, no checkpoint that anyone saw contradicted, and nothing
need be repaired.

A silent one does not: bits flip, a page arrives in part. What follows from it must be
harmless or found: by a checksum, by the engine, at the latest by an audit. Nothing may
be proven that is not so, and each checkpoint must follow from what was acknowledged:
nothing is signed over damage.
"""

import copy
import random
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from chain_anchor.merkle import leaf_hash
from tests.faults.apart import Event, Told, apart
from tests.faults.disk import LOUD, SILENT, Fault, Place, flip, lose_power
from tests.faults.history import History, ViolationError, expect
from tests.faults.scenes import KEYS, audit, look, storm

GROUPS = range(4, 13)
"""Transactions in one storm."""

GROUPS_AGAIN = 3
"""Transactions after a restart on what may be damaged."""

NO_RECORD = bytes(32)

Digests = dict[bytes, bytes]
"""Of the value list of each name."""


class Outcome(NamedTuple):
    """What came of a fault."""

    number: int
    fault: str
    struck: bool
    outcome: str
    """`harmless`, or how it was found first; `violation` is neither."""

    note: str = ""


class World:
    """A directory that faults strike, and what is known of it."""

    def __init__(self, directory: Path, number: int) -> None:
        shutil.rmtree(directory, ignore_errors=True)
        self.live = Place(directory / "live", directory / "live disk")
        self.copy = Place(directory / "copy", directory / "copy disk")
        self.history = History(KEYS.signer().key)
        self.journal: list[tuple[bytes, bytes]] = []
        self.live.directory.mkdir(parents=True)
        self._begin(number)

    def strike(self, number: int) -> Outcome:
        """Let fault number N strike; it is the same in every run."""
        chance = random.Random(number)
        fault = chance.choice(chance.choice((LOUD, SILENT)))
        run = self._strike_loudly if fault in LOUD else self._strike_silently
        try:
            return run(number, fault, chance)
        except ViolationError as violation:
            return Outcome(number, fault.name, True, "violation", str(violation))

    @property
    def records(self) -> Digests:
        """What each name must be served as."""
        return dict(self.journal)

    def _begin(self, number: int) -> None:
        groups = max(GROUPS)
        stormed = apart(storm, self.live, Fault.NONE, number, groups)
        self._restart(number, stormed, stormed.all_of("opened", "published"))

    def _strike_loudly(
        self, number: int, fault: Fault, chance: random.Random
    ) -> Outcome:
        records, groups = self.records, chance.choice(GROUPS)
        stormed = apart(storm, self.live, fault, number, groups, records)
        _check_ending(stormed, fault)
        known = _with_acknowledged(records, stormed)
        for _, found in stormed.all_of("read"):
            _check_read(found, known, "after the fault")
        _check_proven(stormed, known)
        seen = stormed.all_of("opened", "published")
        after = chance.choice(("restart", "restart and loss of power", "loss of power"))
        if fault is Fault.POWER or after == "loss of power":
            lose_power(self.live, chance)
        self._restart(number, stormed, seen)
        if after == "restart and loss of power":
            lose_power(self.live, chance)
            self._restart(number, stormed, seen)
        audited = apart(audit, self.live.directory)
        expect(audited.events == [("audited",)], f"{after}: the audit says {audited}")
        found = [event[0] for event in stormed.all_of("refused", "stopped", "full")]
        struck = stormed.has("struck") or stormed.ending == "SIGKILL"
        return Outcome(number, fault.name, struck, (found or ["harmless"])[0])

    def _restart(self, number: int, stormed: Told, seen: list[Event]) -> None:
        """Check that all is there after a restart, and take it for known."""
        names = _with_acknowledged(self.records, stormed)
        looked = apart(look, self.live, names, number)
        complete = looked.has("closed") and not looked.has(
            "unreadable", "unproven", "broken"
        )
        expect(complete, f"the restart gave {_but_read(looked)}")
        self._take_journal(looked, stormed)
        self._take_log(looked)
        for _, size, root, note in (*seen, *looked.all_of("opened")):
            self.history.check_seen(size, root, note)
        seen += looked.all_of("opened")
        records = self.records
        for _, found in looked.all_of("read"):
            _check_read(found, records, "after a restart")
        _check_proven(looked, records)

    def _take_journal(self, looked: Told, stormed: Told) -> None:
        ((_, journal),) = looked.all_of("journal")
        kept = journal[: len(self.journal)] == self.journal
        expect(kept, "the journal has not only grown")
        for _, serial, name, digest in stormed.all_of("acknowledged"):
            there = journal[serial - 1 : serial] == [(name, digest)]
            expect(there, f"acknowledged change {serial} is lost")
        self.journal = journal

    def _take_log(self, looked: Told) -> None:
        ((_, entries),) = looked.all_of("entries")
        size = self.history.size
        kept = list(map(leaf_hash, entries[:size])) == self.history.hashes
        expect(kept, "the log has not only grown")
        self.history.extend(entries[size:])

    def _strike_silently(
        self, number: int, fault: Fault, chance: random.Random
    ) -> Outcome:
        place = self._copied()
        if fault in (Fault.FLIPPED, Fault.FLIPPED_META):
            flip(place.directory, chance, fault)
        known, groups = self.records, chance.choice(GROUPS)
        stormed = apart(storm, place, fault, number, groups, known)
        records = _with_acknowledged(known, stormed)
        looked = apart(look, place, records, number)
        audited = apart(audit, place.directory)
        again = apart(storm, place, Fault.NONE, -number, GROUPS_AGAIN, records)
        events = [*stormed.events, *looked.events, *again.events]
        _check_signed(copy.deepcopy(self.history), events)
        later = _with_acknowledged(records, again)
        astray = []
        for told, right in ((stormed, records), (looked, records), (again, later)):
            expect(not told.has("broken"), f"{told.all_of('broken')}")
            _check_proven(told, right)
            astray += _astray(told, right)
        found = _found(stormed, looked, again, audited)
        # A page that the disk did not take is the one that was there before, and right
        # in itself; so is one to which a damaged pointer leads. What is served from it
        # is absent, or older. That must show elsewhere.
        expect(bool(found) or not astray, f"{astray[:1]} is served as it is not")
        notes = [f"{len(astray)} served as absent or older"] if astray else []
        notes += [event[1] for event in audited.all_of("damaged")]
        struck = fault in (Fault.FLIPPED, Fault.FLIPPED_META) or stormed.has("struck")
        outcome = found[0] if found else "harmless"
        return Outcome(number, fault.name, struck, outcome, "; ".join(notes)[:300])

    def _copied(self) -> Place:
        """Give a copy that may be damaged."""
        live, place = self.live, self.copy
        shutil.rmtree(place.directory, ignore_errors=True)
        lock = shutil.ignore_patterns("lock.mdb")
        shutil.copytree(live.directory, place.directory, ignore=lock)
        shutil.copy(live.data, place.image)
        return place


def _with_acknowledged(records: Digests, told: Told) -> Digests:
    changed = {name: digest for _, _, name, digest in told.all_of("acknowledged")}
    return {**records, **changed}


def _but_read(told: Told) -> list[Event]:
    long = ("read", "journal", "entries", "opened", "proven")
    return [event for event in told.events if event[0] not in long]


def _check_ending(stormed: Told, fault: Fault) -> None:
    wrong = stormed.all_of("broken", "odd", "unproven")
    expect(not wrong, f"{wrong}")
    killed = fault in (Fault.KILLED, Fault.KILLED_WITHIN, Fault.POWER)
    allowed = ("done", "SIGKILL") if killed else ("done",)
    expect(stormed.ending in allowed, f"the storm ended by {stormed.ending}")
    if stormed.has("refused"):
        expect(stormed.has("struck"), f"{stormed.all_of('refused')}")


def _check_read(found: dict[bytes, bytes | str], right: Digests, when: str) -> None:
    for name, digest in found.items():
        same = digest == right.get(name, NO_RECORD)
        expect(same, f"{when} {name!r} is served as {digest!r}")


def _check_proven(told: Told, right: Digests) -> None:
    for _, name, digest in told.all_of("proven"):
        expect(digest == right.get(name, NO_RECORD), f"{name!r} is proven wrong")


def _check_signed(history: History, told: Iterable[Event]) -> None:
    """Make sure that what was signed follows from what was acknowledged before."""
    sealed: tuple[bytes, ...] = ()
    kinds = ("opened", "sealed", "published")
    for kind, size, root, rest in (event for event in told if event[0] in kinds):
        expect(size >= history.size, f"{kind} with {size} entries after {history.size}")
        if kind == "sealed":
            sealed = rest
            follows = size == history.size + len(sealed)
            problem = f"{len(sealed)} entries after {history.size}: signed are {size}"
            expect(follows, problem)
            continue
        if size not in history.roots:
            history.extend(sealed)
            sealed = ()
        history.check_seen(size, root, rest)


def _found(*scenes: Told) -> list[str]:
    """List how a fault was found, in the order of events; last comes the audit."""
    found = []
    *others, audited = scenes
    for told in others:
        kinds = ("refused", "stopped", "failed", "unreadable", "unproven")
        found += [event[0] for event in told.all_of(*kinds)]
        texts = [text for _, read in told.all_of("read") for text in read.values()]
        found += ["checksum" for text in texts if isinstance(text, str)]
        found += [told.ending] if told.ending != "done" else []
    found += ["audit" for _ in audited.all_of("damaged")]
    # `idis verify --data` reads in a process that may die of it, and says so.
    found += ["audit"] if audited.ending != "done" else []
    return found


def _astray(told: Told, right: Digests) -> list[bytes]:
    return [
        name
        for _, found in told.all_of("read")
        for name, digest in found.items()
        if isinstance(digest, bytes) and digest != right.get(name, NO_RECORD)
    ]
