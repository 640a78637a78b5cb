"""Registrations and resolutions, counted at every level (idis notes §2.2).

A node counts what it did itself; a node with children adds up what they report. A
report is made from the same numbers that the child shows, at the moment it is asked
for, so the levels always agree. How real nodes send reports is not public; here it is
a call (emulator convention).

Identifiers and registrations come from the registry, where they are counted in the
transaction that changes them. Resolutions are counted in memory and saved from time
to time: after a crash the last few may be missing.
"""

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from registry.model.identifier import PREFIX_AUTHORITY
from registry.store.interface import Store
from resolver.telemetry import Telemetry

_FILE = "statistics.json"


@dataclass(frozen=True, slots=True)
class Report:
    """What a node and all below it did."""

    name: str
    role: str
    prefix: str
    identifiers: int
    """Registered now, at this node itself."""

    registrations: int
    """Created ever, at this node itself."""

    resolutions: int
    """Answered with values, at this node itself."""

    children: tuple["Report", ...] = ()

    @property
    def total_identifiers(self) -> int:
        """Registered now, here and below."""
        return self.identifiers + sum(c.total_identifiers for c in self.children)

    @property
    def total_registrations(self) -> int:
        """Created ever, here and below."""
        return self.registrations + sum(c.total_registrations for c in self.children)

    @property
    def total_resolutions(self) -> int:
        """Answered with values, here and below."""
        return self.resolutions + sum(c.total_resolutions for c in self.children)

    def as_json(self) -> dict[str, object]:
        """Give it with totals, for the management API."""
        return {
            "name": self.name,
            "role": self.role,
            "prefix": self.prefix,
            "identifiers": self.identifiers,
            "registrations": self.registrations,
            "resolutions": self.resolutions,
            "total": {
                "identifiers": self.total_identifiers,
                "registrations": self.total_registrations,
                "resolutions": self.total_resolutions,
            },
            "children": [child.as_json() for child in self.children],
        }


class Statistics:
    """The counts of one node and the reports of its children."""

    def __init__(
        self,
        name: str,
        role: str,
        prefix: str,
        store: Store | None,
        telemetry: Telemetry,
        directory: Path | None,
    ) -> None:
        self._name, self._role, self._prefix = name, role, prefix
        self._store = store
        self._telemetry = telemetry
        self._file = directory / _FILE if directory else None
        self._before = self._load()
        self._saved = 0
        self._children: list[Callable[[], Report]] = []

    def add_child(self, report: Callable[[], Report]) -> None:
        """Take a child's reports from now on."""
        self._children.append(report)

    def report(self) -> Report:
        """Count now, here and below."""
        self._telemetry.update()
        identifiers, registrations = self._registered()
        return Report(
            self._name,
            self._role,
            self._prefix,
            identifiers,
            registrations,
            self._before + self._telemetry.resolutions,
            tuple(report() for report in self._children),
        )

    def save(self) -> None:
        """Keep the number of resolutions for the next start."""
        self._telemetry.update()
        resolutions = self._telemetry.resolutions
        if self._file is None or resolutions == self._saved:
            return
        text = json.dumps({"resolutions": self._before + resolutions})
        temporary = self._file.with_suffix(".new")
        with contextlib.suppress(OSError):  # a full disk must not stop resolution
            temporary.write_text(text)
            temporary.replace(self._file)
            self._saved = resolutions

    def _load(self) -> int:
        try:
            text = self._file.read_text() if self._file else "{}"
            return int(json.loads(text).get("resolutions", 0))
        except (OSError, ValueError, AttributeError):
            return 0

    def _registered(self) -> tuple[int, int]:
        if self._store is None:
            return 0, 0
        with self._store.snapshot() as snapshot:
            tallies = [
                snapshot.tally(home.prefix)
                for home in snapshot.homes()
                if home.prefix != PREFIX_AUTHORITY
            ]
        return (
            sum(tally.identifiers for tally in tallies),
            sum(tally.registrations for tally in tallies),
        )
