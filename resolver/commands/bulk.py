"""`idis import`: register a table, as fast as the disks of the nodes take it.

Rows go to the node of their prefix, each prefix on a connection that has logged in as
its administrator. How far the table is registered without a gap is kept beside it, in
`FILE.idis-import`; a second run against the same network goes on from there. Rows in
doubt when a run was cut off are sent again and count as there already; so are those
behind one that failed.
"""

import contextlib
import json
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from registry.errors import RegistryError
from registry.model.codes import ResponseCode
from registry.model.identifier import canonical, home_of
from resolver.client.aio import AsyncClient
from resolver.client.pipeline import Pipeline
from resolver.client.request import creation_of
from resolver.commands.console import ERROR, print_json, say, show, table
from resolver.commands.rows import Row, read_rows
from resolver.commands.running import (
    Who,
    check_arguments,
    credential_for,
    network_name,
    server_address,
)
from resolver.commands.up import run_loop
from resolver.data_directory import write_atomically
from resolver.errors import AnswerError, SetupError
from resolver.session.exchange import ServerAddress
from resolver.session.walk import admin_address, server_of, sites_in
from resolver.wire.envelope import MAX_MESSAGE_OCTETS

MAX_CONNECTIONS = 64
MAX_ERRORS_SHOWN = 20
MAX_REFUSED = 10_000
"""Prefixes of which is remembered that they take nothing."""

_MAX_BODY_OCTETS = MAX_MESSAGE_OCTETS - 1024
"""What is left in a message for header and credential is ample."""

_SAVE_SECONDS = 0.5
_REPORT_EVERY = 64


@dataclass(slots=True)
class Tally:
    """What came of the rows."""

    skipped: int = 0
    """Registered by an earlier run."""

    registered: int = 0
    existing: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    errors: list[dict[str, object]] = field(default_factory=list)

    first_failed: int | None = None
    """Lowest line that was not registered."""

    def fail(self, line: int, identifier: str, why: str) -> None:
        """Count a row that was not registered."""
        self.failed[why] += 1
        self.first_failed = min(line, self.first_failed or line)
        if len(self.errors) < MAX_ERRORS_SHOWN:
            self.errors.append({"line": line, "identifier": identifier, "error": why})


def run(file: Path, *, overwrite: bool, as_json: bool, who: Who) -> int:
    """Import a table; 0 when every row is registered, else 1.

    Raises:
        SetupError: The table or a credential is not usable.
        UnreachableError: A node cannot be reached.
    """
    if not file.is_file():
        message = f"{file}: no such file"
        raise SetupError(message)
    check_arguments(who)
    job = Import(file, who, overwrite=overwrite)
    with progress_bar(as_json) as progress:
        job.progress = progress
        run_loop(job.run())
    _report(job, as_json)
    return 1 if job.tally.failed else 0


class Import:
    """One run over one table."""

    def __init__(self, file: Path, who: Who, *, overwrite: bool) -> None:
        self.file = file
        self.tally = Tally()
        self.seconds = 0.0
        self.progress: Progress | None = None
        self._who = who
        self._overwrite = overwrite
        self._state = file.with_name(file.name + ".idis-import")
        self._network = who.server or network_name()
        self._pipelines: OrderedDict[bytes, Pipeline] = OrderedDict()
        self._refused: dict[bytes, str] = {}
        self._open_rows: dict[int, Row] = {}
        self._last_line = 0
        self._saved_at = 0.0

    async def run(self) -> None:
        """Send all rows that are not registered yet.

        Raises:
            ResolverError: It cannot go on; what was registered is remembered.
        """
        started = time.perf_counter()
        resumed = self._load()
        task = None
        if self.progress is not None:
            size = self.file.stat().st_size
            task = self.progress.add_task(self.file.name, total=size, rows=0)
        async with AsyncClient(server_address(self._who.server)) as client:
            try:
                for count, row in enumerate(read_rows(self.file)):
                    if row.line <= resumed:
                        self.tally.skipped += 1
                        continue
                    await self._row(client, row)
                    if task is not None and count % _REPORT_EVERY == 0:
                        self._show(task, row.octets, count)
                for pipeline in self._pipelines.values():
                    await pipeline.finish()
            finally:
                self._save()
                for pipeline in self._pipelines.values():
                    pipeline.close()
        self.seconds = time.perf_counter() - started
        self._done(task)

    async def _row(self, client: AsyncClient, row: Row) -> None:
        self._last_line = row.line
        if row.error:
            self.tally.fail(row.line, row.identifier, row.error)
            return
        name = row.identifier.encode()
        try:
            prefix = home_of(canonical(name))
            pipeline = self._pipelines.get(prefix)
            if pipeline is None:
                pipeline = await self._pipeline(client, prefix)
        except (RegistryError, SetupError, AnswerError) as error:
            self.tally.fail(row.line, row.identifier, str(error))
            return
        draft = creation_of(name, row.values_octets, overwrite=self._overwrite)
        if len(draft.body) > _MAX_BODY_OCTETS:
            why = f"{len(draft.body)} octets, at most {_MAX_BODY_OCTETS} are taken"
            self.tally.fail(row.line, row.identifier, why)
            return
        self._pipelines.move_to_end(prefix)
        self._open_rows[row.line] = row
        if not pipeline.offer(draft, row.line):
            await pipeline.send(draft, row.line)
        if time.monotonic() - self._saved_at > _SAVE_SECONDS:
            self._save()

    async def _pipeline(self, client: AsyncClient, prefix: bytes) -> Pipeline:
        """Open the connection of a prefix.

        Raises:
            SetupError: No credential is known for it, or nobody serves it.
            AnswerError: The tree does not know it, or its node refuses the credential.
        """
        if prefix in self._refused:
            raise SetupError(self._refused[prefix])
        await self._make_room()
        try:
            pipeline = await self._connect(client, prefix.decode())
        except (SetupError, AnswerError) as error:
            self._refuse(prefix, str(error))
            raise
        self._pipelines[prefix] = pipeline
        return pipeline

    async def _connect(self, client: AsyncClient, prefix: str) -> Pipeline:
        credential = credential_for(prefix, self._who)
        server = await _node_of(client, prefix)
        return await Pipeline.connect(server, credential, self._answered)

    async def _make_room(self) -> None:
        if len(self._pipelines) >= MAX_CONNECTIONS:
            _, oldest = self._pipelines.popitem(last=False)
            await oldest.finish()
            oldest.close()

    def _refuse(self, prefix: bytes, why: str) -> None:
        """Remember why a prefix takes nothing, so that its rows cost no round trips."""
        if len(self._refused) < MAX_REFUSED:
            self._refused[prefix] = why

    def _answered(self, line: int, code: int, text: str) -> None:
        row = self._open_rows.pop(line)
        if code == ResponseCode.SUCCESS:
            self.tally.registered += 1
        elif code == ResponseCode.HANDLE_ALREADY_EXISTS:
            self.tally.existing += 1
        else:
            name = _code_name(code)
            why = f"{name} ({code}): {text}" if text else f"{name} ({code})"
            self.tally.fail(line, row.identifier, why)

    def _load(self) -> int:
        """Give the line up to which an earlier run has registered everything."""
        try:
            state = json.loads(self._state.read_text())
            same = [state["file"], state["network"]] == self._fingerprint()
            return int(state["line"]) if same and not self._overwrite else 0
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def _save(self) -> None:
        self._saved_at = time.monotonic()
        doubtful = [*self._open_rows, self.tally.first_failed or self._last_line + 1]
        file, network = self._fingerprint()
        state = {"file": file, "network": network, "line": min(doubtful) - 1}
        with contextlib.suppress(OSError):  # then a second run starts from the top
            write_atomically(self._state, json.dumps(state))

    def _done(self, task: Any) -> None:
        if not self.tally.failed:
            self._state.unlink(missing_ok=True)
        if self.progress is not None and task is not None:
            self._show(task, self.file.stat().st_size, self.tally.registered)

    def _show(self, task: Any, octets: int, rows: int) -> None:
        assert self.progress is not None
        self.progress.update(task, completed=octets, rows=rows)

    def _fingerprint(self) -> list[object]:
        """Say which table and which network a state is about."""
        stat = self.file.stat()
        return [[stat.st_size, stat.st_mtime_ns], self._network]


async def _node_of(client: AsyncClient, prefix: str) -> ServerAddress:
    """Find where a prefix takes writes.

    Raises:
        SetupError: Its record names no place.
        ResolverError: The tree does not know it.
    """
    answer = await client.resolve(prefix, types=("HS_SITE",))
    for site in sites_in(answer.values):
        server = server_of(site, prefix.encode())
        address = admin_address(server) if server is not None else None
        if address is not None:
            return address
    message = f"prefix {prefix} is served nowhere"
    raise SetupError(message)


def _code_name(code: int) -> str:
    try:
        return ResponseCode(code).name
    except ValueError:
        return "UNKNOWN_CODE"


def progress_bar(as_json: bool) -> Progress:
    """Make a bar that fills with the octets of a table and counts rows."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]:,} rows"),
        TimeRemainingColumn(),
        console=ERROR,
        disable=as_json or not ERROR.is_terminal,
    )


def _report(job: Import, as_json: bool) -> None:
    tally = job.tally
    failed = sum(tally.failed.values())
    rate = tally.registered / job.seconds if job.seconds else 0.0
    if as_json:
        print_json(
            {
                "registered": tally.registered,
                "existing": tally.existing,
                "skipped": tally.skipped,
                "failed": failed,
                "seconds": round(job.seconds, 3),
                "per_second": round(rate),
                "errors": tally.errors,
            }
        )
        return
    made = table(str(job.file), "rows", "count")
    made.add_row("registered now", f"{tally.registered:,}")
    made.add_row("registered by an earlier run", f"{tally.skipped:,}")
    made.add_row("there already", f"{tally.existing:,}")
    made.add_row("[red]failed[/]" if failed else "failed", f"{failed:,}")
    made.add_row("registrations/s", f"{rate:,.0f}")
    show(made)
    for error in tally.errors:
        say(f"line {error['line']}: {error['identifier']}: {error['error']}")
    if tally.existing:
        say("hint: --overwrite replaces records that are there already")
