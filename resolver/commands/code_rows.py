"""Tables with a column of codes: read row by row, written row by row.

CSV keeps its columns and gets more at the end; a JSON line keeps its members and gets
`idis` with what was found. A row that cannot be read is one with an error.
"""

import csv
import io
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from resolver.commands.rows import MAX_LINE_OCTETS, Lines, RowError
from resolver.errors import SetupError

ADDED = ("scheme", "code", "identifier", "level", "error")
"""What every row gets: columns `idis_scheme`, ..., or members of `idis`."""

PREFIX = "idis_"
_OTHER_SEPARATORS = (";", "\t", "|")
_UTF_8_HINT = (
    "save the table as CSV UTF-8, or convert it: iconv -f GB18030 -t UTF-8 FILE"
)
MAX_ROW_LINES = 64
"""Lines that one row of CSV may have; a quote that is open after so many is a mistake."""


class CodeRow(NamedTuple):
    """One row: where it ends in the file, its code, and what it holds besides."""

    line: int
    octets: int
    code: str
    content: Any
    """Cells of a CSV row, or the object of a JSON line; None when it cannot be read."""

    error: str = ""


class CodeTable(Protocol):
    """A table that is read and written in one format."""

    def rows(self) -> Iterator[CodeRow]:
        """Read the rows after the header."""

    def header(self) -> str:
        """Give what the new table begins with."""

    def line(self, row: CodeRow, found: Mapping[str, str]) -> str:
        """Write a row with what was found."""


def open_table(
    lines: Lines, file: Path, column: str, types: Sequence[str]
) -> CodeTable:
    """Begin to read a table.

    Args:
        lines: The lines of `file`.
        file: Its name tells the format.
        column: Of the codes.
        types: Values that become columns of their own.

    Raises:
        SetupError: Not .csv or .jsonl, no header, or no such column in it.
    """
    makers: dict[str, Callable[..., CodeTable]] = {".csv": _Csv, ".jsonl": _JsonLines}
    maker = makers.get(file.suffix.lower())
    if maker is None:
        message = f"{file}: a .csv or .jsonl file expected"
        raise SetupError(message)
    return maker(lines, file, column, types)


def check_output(file: Path, source: Path) -> None:
    """Check that a new table is of the same format as its source, and another file.

    Raises:
        SetupError: It is not.
    """
    if file.suffix.lower() != source.suffix.lower():
        message = f"{file}: a {source.suffix} file expected, as {source} is"
        raise SetupError(message)
    if file.exists() and source.exists() and file.samefile(source):
        message = f"{file}: another file than the one that is read is expected"
        raise SetupError(message)


class _Line(NamedTuple):
    """A line of the file, and where it ends."""

    text: str
    number: int
    octets: int
    error: str = ""


class _Csv:
    def __init__(
        self, lines: Lines, file: Path, column: str, types: Sequence[str]
    ) -> None:
        csv.field_size_limit(MAX_LINE_OCTETS)
        self._lines = lines
        self._waiting: deque[_Line] = deque()
        self._types = types
        header = self._next_line()
        if header is None or header.error:
            reason = header.error if header else "a header expected"
            message = f"{file}, line 1: {reason}"
            raise SetupError(message, _UTF_8_HINT if header else "")
        try:
            self._columns = _cells(header.text)
        except csv.Error as error:
            message = f"{file}, line 1: {error}"
            raise SetupError(message) from error
        self._place = _place(self._columns, column, file)

    def header(self) -> str:
        """Give the line of the columns' names."""
        added = (*ADDED, *self._types)
        return _csv_line([*self._columns, *(PREFIX + name for name in added)])

    def rows(self) -> Iterator[CodeRow]:
        """Read the rows after the header; empty lines are left out.

        A quote that nobody closes costs its own line, not those behind it.
        """
        while (line := self._next_line()) is not None:
            if line.error:
                yield CodeRow(line.number, line.octets, "", None, line.error)
            elif line.text.strip():
                yield self._row(line)

    def _row(self, line: _Line) -> CodeRow:
        record = self._record(line)
        try:
            cells = _cells("".join(one.text for one in record))
            reason = f"{len(self._columns)} cells expected, {len(cells)} there"
        except csv.Error as error:
            why = "a quote is not closed" if record[0].text.count('"') % 2 else error
            cells, reason = [], f"the row cannot be read: {why}"
        if len(cells) == len(self._columns):
            last = record[-1]
            return CodeRow(last.number, last.octets, cells[self._place], cells)
        # Only the first line is at fault; those that seemed to belong to it come again.
        self._waiting.extendleft(reversed(record[1:]))
        whole = cells if len(record) == 1 and cells else None
        return CodeRow(line.number, line.octets, "", whole, reason)

    def _record(self, line: _Line) -> list[_Line]:
        """Give the lines of a row: more than one where a quoted cell has line breaks."""
        record = [line]
        quotes = line.text.count('"')
        while quotes % 2 and len(record) < MAX_ROW_LINES:
            following = self._next_line()
            if following is None:
                break
            record.append(following)
            quotes += following.text.count('"')
        return record

    def _next_line(self) -> _Line | None:
        if self._waiting:
            return self._waiting.popleft()
        try:
            text = next(self._lines, None)
        except RowError as error:
            why = f"the row cannot be read: {error}"
            return _Line("", self._lines.number, self._lines.octets, why)
        if text is None:
            return None
        return _Line(text, self._lines.number, self._lines.octets)

    def line(self, row: CodeRow, found: Mapping[str, str]) -> str:
        """Write a row with its new cells; one that cannot be read is left out."""
        if row.content is None:
            return ""
        width = len(self._columns)
        cells = [*row.content, *("" for _ in range(width - len(row.content)))][:width]
        names = (*ADDED, *self._types)
        return _csv_line([*cells, *(found.get(name, "") for name in names)])


def _place(columns: Sequence[str], column: str, file: Path) -> int:
    """Find the column of the codes.

    Raises:
        SetupError: It is not there, or twice.
    """
    names = [name.strip() for name in columns]
    if names.count(column) == 1:
        return names.index(column)
    if column in names:
        message = f"{file}, line 1: {names.count(column)} columns {column!r}"
        raise SetupError(message, "give the one with the codes a name of its own")
    hint = f"the columns are {', '.join(names) or 'none'}"
    separators = [one for one in _OTHER_SEPARATORS if one in "".join(columns)]
    if len(names) == 1 and separators:
        hint = f"cells are separated by commas, not by {separators[0]!r}"
    message = f"{file}, line 1: no column {column!r}"
    raise SetupError(message, hint)


def _cells(record: str) -> list[str]:
    """Read one row.

    Raises:
        csv.Error: Quotes do not fit together.
    """
    rows = list(csv.reader(io.StringIO(record, newline=""), strict=True))
    return rows[0] if rows else []


def _csv_line(cells: list[str]) -> str:
    output = io.StringIO()
    csv.writer(output, lineterminator="\n").writerow(cells)
    return output.getvalue()


class _JsonLines:
    def __init__(
        self, lines: Lines, _file: Path, column: str, _types: Sequence[str]
    ) -> None:
        self._lines = lines
        self._column = column

    def header(self) -> str:
        """Give nothing: JSON lines have no header."""
        return ""

    def rows(self) -> Iterator[CodeRow]:
        """Read the lines; empty ones are left out."""
        while True:
            try:
                line = next(self._lines)
                if line.strip():
                    yield self._row(json.loads(line))
            except StopIteration:
                return
            # Nesting as deep as a line allows exhausts the JSON reader's stack.
            except (ValueError, RecursionError) as error:
                message = f"the row cannot be read: {error}"
                yield CodeRow(self._lines.number, self._lines.octets, "", None, message)

    def _row(self, content: Any) -> CodeRow:
        line, octets = self._lines.number, self._lines.octets
        if not isinstance(content, dict):
            return CodeRow(line, octets, "", None, "a JSON object expected")
        code = content.get(self._column)
        if not isinstance(code, str):
            reason = f"a string {self._column!r} expected"
            if isinstance(code, int | float) and not isinstance(code, bool):
                reason += f", not the number {code}: numbers lose leading zeros"
            return CodeRow(line, octets, "", content, reason)
        return CodeRow(line, octets, code, content)

    def line(self, row: CodeRow, found: Mapping[str, str]) -> str:
        """Write a row with the new member; one that is no object is left out."""
        if row.content is None:
            return ""
        added = {name: text for name, text in found.items() if text}
        return json.dumps({**row.content, "idis": added}, ensure_ascii=False) + "\n"
