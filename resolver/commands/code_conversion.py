"""`idis codes convert`: a table with a column of codes gets the identifiers and records.

Rows stream through: as many as `concurrency` are under way, whatever the size of the
table, and they are written in their order. A row that does not resolve is written with
the reason and counted; it never stops the others. How far the new table is written is kept
beside it, in `OUT.idis-convert`: a second run after a stop goes on from there.
"""

import contextlib
import json
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from resolver.client import Client
from resolver.client.answer import Answer, Result
from resolver.commands.bulk import progress_bar
from resolver.commands.code_rows import CodeRow, CodeTable, check_output, open_table
from resolver.commands.console import print_json, say, show, table
from resolver.commands.rows import Lines
from resolver.commands.running import network_name, server_address
from resolver.data_directory import write_atomically
from resolver.errors import (
    AmbiguousCodeError,
    NotFoundError,
    ResolverError,
    SetupError,
    UnreachableError,
    UnreadableCodeError,
)

DEFAULT_CONCURRENCY = 512
MAX_ERRORS_SHOWN = 20
_SAVE_SECONDS = 0.5
_REPORT_EVERY = 256


@dataclass(frozen=True, slots=True)
class ConversionOptions:
    """Arguments of `idis codes convert`."""

    file: Path
    column: str
    out: Path
    types: tuple[str, ...] = ()
    """Types of values that become columns."""

    company: str = ""
    concurrency: int = DEFAULT_CONCURRENCY
    fresh: bool = False
    server: str | None = None
    json: bool = False


@dataclass(slots=True)
class Tally:
    """What came of the rows."""

    skipped: int = 0
    """Rows of an earlier run."""

    resolved: int = 0
    schemes: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    errors: list[dict[str, object]] = field(default_factory=list)

    def fail(self, row: CodeRow, kind: str, why: str) -> None:
        """Count a row that did not resolve; the first ones are kept with their reasons."""
        self.failed[kind] += 1
        if len(self.errors) < MAX_ERRORS_SHOWN:
            self.errors.append({"line": row.line, "code": row.code, "error": why})


def run(options: ConversionOptions) -> int:
    """Convert a table; 0 when every row resolved, else 1.

    Raises:
        SetupError: A table or the column is not usable.
        UnreachableError: Nobody answers; a second run goes on from here.
    """
    if not options.file.is_file():
        message = f"{options.file}: no such file"
        raise SetupError(message)
    check_output(options.out, options.file)
    conversion = Conversion(options)
    try:
        conversion.run()
    except OSError as error:
        message = f"{error.filename or options.out}: {error.strerror or error}"
        raise SetupError(message) from error
    _report(conversion)
    return 1 if conversion.tally.failed else 0


class Conversion:
    """One run over one table."""

    def __init__(self, options: ConversionOptions) -> None:
        self.options = options
        self.tally = Tally()
        self.seconds = 0.0
        self._state = options.out.with_name(options.out.name + ".idis-convert")
        self._under_way: deque[CodeRow] = deque()
        self._line = 0
        self._saved_at = 0.0

    def run(self) -> None:
        """Convert all rows that are not converted yet.

        Raises:
            ResolverError: It cannot go on; what was written is remembered.
        """
        started = time.perf_counter()
        self._line, octets = self._load()
        options = self.options
        with options.file.open("rb") as source, _reopen(options.out, octets) as output:
            lines = Lines(source, options.file)
            rows = open_table(lines, options.file, options.column, options.types)
            if not octets:
                output.write(rows.header().encode())
            try:
                self._convert(rows, output)
            finally:
                self._save(output)
        self._state.unlink(missing_ok=True)
        self.seconds = time.perf_counter() - started

    def _convert(self, rows: CodeTable, output: BinaryIO) -> None:
        options = self.options
        size = options.file.stat().st_size
        with (
            Client(server_address(options.server)) as client,
            progress_bar(options.json) as progress,
        ):
            task = progress.add_task(options.file.name, total=size, rows=0)
            results = client.resolve_many(
                self._codes(rows),
                concurrency=options.concurrency,
                ordered=True,
                company=options.company,
                fresh=options.fresh,
            )
            for count, result in enumerate(results):
                row = self._write(rows, result, output)
                if count % _REPORT_EVERY == 0:
                    progress.update(task, completed=row.octets, rows=count)
            progress.update(task, completed=size, rows=self.tally.resolved)

    def _write(self, rows: CodeTable, result: Result, output: BinaryIO) -> CodeRow:
        """Write the row that a result is of."""
        row = self._under_way.popleft()
        output.write(rows.line(row, self._judge(row, result)).encode())
        self._line = row.line
        if time.monotonic() - self._saved_at > _SAVE_SECONDS:
            self._save(output)
        return row

    def _codes(self, rows: CodeTable) -> Iterator[str]:
        """Give the codes to look up; their rows wait in the same order."""
        skipped = self._line
        for row in rows.rows():
            if row.line <= skipped:
                self.tally.skipped += 1
                continue
            self._under_way.append(row)
            yield row.code

    def _judge(self, row: CodeRow, result: Result) -> dict[str, str]:
        """Count what came of a row and give its new cells.

        Raises:
            UnreachableError: Nobody answers: the rows behind would wait as long, each.
        """
        outcome = result.outcome
        if row.error:
            self.tally.fail(row, "row cannot be read", row.error)
            return {"error": row.error}
        if isinstance(outcome, UnreachableError):
            raise outcome
        if not isinstance(outcome, Answer):
            why = reason_of(outcome)
            self.tally.fail(row, _kind(outcome), why)
            return {"scheme": result.scheme, "code": result.code, "error": why}
        self.tally.resolved += 1
        self.tally.schemes[result.scheme] += 1
        found = {
            "scheme": result.scheme,
            "code": result.code,
            "identifier": outcome.identifier,
            "level": result.product.level if result.product else "",
        }
        for kind in self.options.types:
            found[kind] = "\n".join(value.text for value in outcome.all(kind))
        return found

    def _fingerprint(self) -> list[object]:
        stat = self.options.file.stat()
        options = self.options
        network = options.server or network_name()
        asked = [options.column, list(options.types), options.company, network]
        return [stat.st_size, stat.st_mtime_ns, *asked]

    def _load(self) -> tuple[int, int]:
        """Give the line and the octets up to which an earlier run has written."""
        try:
            state = json.loads(self._state.read_text())
            line, octets = int(state["line"]), int(state["octets"])
            is_same = state["of"] == self._fingerprint()
            is_there = self.options.out.stat().st_size >= octets
        except (OSError, ValueError, KeyError, TypeError):
            return 0, 0
        return (line, octets) if is_same and is_there else (0, 0)

    def _save(self, output: BinaryIO) -> None:
        output.flush()
        self._saved_at = time.monotonic()
        state: dict[str, object] = {"of": self._fingerprint(), "line": self._line}
        state["octets"] = output.tell()
        with contextlib.suppress(OSError):  # then a second run starts from the top
            write_atomically(self._state, json.dumps(state))


def _reopen(file: Path, octets: int) -> BinaryIO:
    """Open the new table behind what an earlier run has written of it."""
    output = file.open("r+b" if octets else "wb")
    output.seek(octets)
    output.truncate()
    return output


def reason_of(error: ResolverError) -> str:
    """Say why a code did not resolve; of what is no code the likeliest reason."""
    if isinstance(error, UnreadableCodeError) and error.rejections:
        return str(error.rejections[0])
    return str(error)


def _kind(error: ResolverError) -> str:
    match error:
        case UnreadableCodeError():
            return "no code of any scheme"
        case NotFoundError():
            return "nothing registered"
        case AmbiguousCodeError():
            return "ambiguous"
        case _:
            return type(error).__name__


def _report(conversion: Conversion) -> None:
    tally, options = conversion.tally, conversion.options
    failed = sum(tally.failed.values())
    done = tally.resolved + failed
    rate = done / conversion.seconds if conversion.seconds else 0.0
    if options.json:
        print_json(
            {
                "out": str(options.out),
                "resolved": tally.resolved,
                "schemes": dict(tally.schemes),
                "skipped": tally.skipped,
                "failed": failed,
                "reasons": dict(tally.failed),
                "seconds": round(conversion.seconds, 3),
                "per_second": round(rate),
                "errors": tally.errors,
            }
        )
        return
    made = table(str(options.out), "rows", "count")
    made.add_row("resolved now", f"{tally.resolved:,}")
    for scheme, count in tally.schemes.most_common():
        made.add_row(f"  {scheme}", f"{count:,}")
    if tally.skipped:
        made.add_row("converted by an earlier run", f"{tally.skipped:,}")
    made.add_row("[red]not resolved[/]" if failed else "not resolved", f"{failed:,}")
    for kind, count in tally.failed.most_common():
        made.add_row(f"  {kind}", f"{count:,}")
    made.add_row("rows/s", f"{rate:,.0f}")
    show(made)
    for error in tally.errors:
        code, why = str(error["code"]), str(error["error"])
        named = not code.strip() or why.startswith(f"{code}: ")
        say(f"line {error['line']}: {why if named else f'{code}: {why}'}")
    if failed:
        json_lines = options.out.suffix.lower() == ".jsonl"
        where = "member idis.error" if json_lines else "column idis_error"
        say(f"hint: rows that could be read have the reason in {options.out}, {where}")
