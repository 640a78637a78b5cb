"""`idis verify --data DIR`: recheck everything that a network has stored.

Every node, by itself: `resolver.auditing`. Then each log against what the logs above
it have logged of it. The network may run or not; each node is read in one snapshot, in
a process that may die of damaged pages without taking this one along.

Not looked at: private keys and certificates, counters, and what the storage engine's
files have in unused pages and slack octets. None of it is data.
"""

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from chain_anchor.note import VerifierKey
from resolver.auditing.findings import Finding
from resolver.commands.audit_process import WorkerDiedError, Workers
from resolver.commands.audit_worker import FILE
from resolver.commands.console import ERROR, fail, print_json, say, show, table
from resolver.commands.pinned import Pins, log_keys
from resolver.errors import SetupError
from resolver.log_keys import log_origin

DESCRIPTION = "network.json"

_HINT = (
    "keep a copy of it as it is, restore an older one, and verify that: the logs say "
    "what is missing there"
)
Report = dict[str, Any]


def run(data: Path, pins: Pins, *, as_json: bool) -> int:
    """Recheck a data directory; 0 when it is whole, else 1.

    Raises:
        SetupError: It is none.
    """
    directories = _node_directories(data)
    keys = log_keys(pins)
    _check_pinned(keys, directories)
    started = time.perf_counter()
    with _progress(as_json) as progress, Workers() as workers:
        audit = Audit(data, directories, keys, workers, progress)
        audit.run()
    seconds = time.perf_counter() - started
    told = _told(data, audit, seconds)
    if as_json:
        print_json(told)
    else:
        _show(told)
    return 0 if told["whole"] else 1


class Audit:
    """One run over a data directory."""

    def __init__(
        self,
        data: Path,
        directories: dict[str, Path],
        pinned: Iterable[VerifierKey],
        workers: "Workers",
        progress: Progress,
    ) -> None:
        self.reports: dict[str, Report] = {}
        self.findings: list[Finding] = []
        """Those about no node."""

        self._data = data
        self._directories = directories
        self._pinned = list(pinned)
        self._workers = workers
        self._progress = progress
        self._task = progress.add_task("", total=None)
        self._total = 0
        self._seed = 0

    def run(self) -> None:
        """Recheck all nodes, then compare their logs."""
        try:
            self._seed = _read_seed(self._data / DESCRIPTION)
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            problem = f"not the description of a network: {error!r}"
            self.findings.append(Finding(DESCRIPTION, "", problem))
            return
        for name in self._directories:
            self._progress.update(self._task, description=name)
            self.reports[name] = self._ask("audit", name)
        self._compare()
        self._progress.update(self._task, completed=self._total, total=self._total)

    def _compare(self) -> None:
        """Compare each log with the checkpoints of it that others hold."""
        by_origin: dict[str, list[tuple[str, str]]] = {}
        for report in self.reports.values():
            for origin, text in report.pop("seen", ()):
                by_origin.setdefault(origin, []).append((report["origin"], text))
        for name, report in self.reports.items():
            seen = by_origin.get(log_origin(name))
            if seen and not report["findings"]:
                report["findings"] = self._ask("compare", name, seen=seen)["findings"]

    def _ask(self, what: str, name: str, **more: object) -> Report:
        origin = log_origin(name)
        job = {
            "do": what,
            "name": name,
            "directory": str(self._directories[name]),
            "seed": self._seed,
            "pinned": [str(key) for key in self._pinned if key.name == origin],
            **more,
        }
        try:
            return self._workers.ask(job, self._tell)
        except WorkerDiedError as error:
            return {"findings": [Finding(FILE, "", str(error))._asdict()]}

    def _tell(self, message: Report) -> None:
        self._total += message.get("total", 0)
        self._progress.update(
            self._task, total=self._total, advance=message.get("done", 0)
        )


def _node_directories(data: Path) -> dict[str, Path]:
    """Give the directories that hold a registry, by node."""
    nodes = data / "nodes"
    if not nodes.is_dir():
        message = f"{data} is not the data directory of a network"
        raise SetupError(message, "idis up --data DIR makes one")
    found = sorted(node for node in nodes.iterdir() if (node / FILE).exists())
    return {node.name: node for node in found}


def _check_pinned(keys: Iterable[VerifierKey], directories: dict[str, Path]) -> None:
    origins = {log_origin(name) for name in directories}
    for key in keys:
        if key.name not in origins:
            message = f"--key {key.name}: there is no such log in the data directory"
            raise SetupError(message, f"there are: {', '.join(sorted(origins))}")


def _read_seed(file: Path) -> int:
    return int(json.loads(file.read_text())["seed"])


def _progress(as_json: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.completed:,.0f} rechecked"),
        console=ERROR,
        disable=as_json or not ERROR.is_terminal,
    )


def _told(data: Path, audit: Audit, seconds: float) -> Report:
    reports = audit.reports
    found = [finding._asdict() for finding in audit.findings]
    whole = not found and not any(report["findings"] for report in reports.values())
    entries, records = (
        sum(report.get(what, 0) for report in reports.values())
        for what in ("size", "records")
    )
    return {
        "whole": whole,
        "data": str(data),
        "entries": entries,
        "records": records,
        "seconds": round(seconds, 3),
        "entries_per_second": round(entries / seconds) if seconds else 0,
        "findings": found,
        "nodes": [{"name": name, **report} for name, report in reports.items()],
    }


def _show(told: Report) -> None:
    made = table(told["data"], "node", "entries", "changes", "records", "homes", "is")
    for node in told["nodes"]:
        counts = ("size", "changes", "records", "homes")
        state = "[red]damaged[/]" if node["findings"] else "[green]whole[/]"
        if node.get("unlogged"):
            state += f", {node['unlogged']:,} changes not logged yet"
        numbers = (f"{node[what]:,}" if what in node else "-" for what in counts)
        made.add_row(escape(node["name"]), *numbers, state)
    show(made)
    found = [("", finding) for finding in told["findings"]]
    for node in told["nodes"]:
        found += [(f"{node['name']}: ", finding) for finding in node["findings"]]
    for who, finding in found:
        fail(f"{who}{finding['table']} {finding['key']}: {finding['problem']}")
    if found:
        say(f"hint:  {_HINT}")
    rate = f"{told['entries_per_second']:,} entries/s"
    say(f"{told['entries']:,} entries in {told['seconds']:.1f} s, {rate}")
    say(
        "not looked at: private keys, certificates and counters; unused pages and "
        "slack octets hold no data"
    )
