"""Tables of identifiers: CSV and JSON lines, one row at a time.

CSV has a header; its first column is `identifier`, every other column's name is the
type of the values in it, and an empty cell is no value. A JSON line is an object with
`identifier` and either `values` (a list of objects with type, data and perhaps index)
or further members, which are types and data.
"""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from registry.model.value import Value
from resolver.errors import SetupError

IDENTIFIER = "identifier"
_MAX_LINE_OCTETS = 1 << 20


class RowError(ValueError):
    """A row is no record; the text says why."""


class Row(NamedTuple):
    """One row of a table."""

    line: int
    """Line of the file at which it ends."""

    octets: int
    """Octets of the file up to and with it."""

    identifier: str
    values: tuple[Value, ...]
    error: str = ""
    """Why it cannot be registered; then it has no values."""


def read_rows(file: Path) -> Iterator[Row]:
    """Read a table, whatever its size, in bounded memory.

    Raises:
        SetupError: The file cannot be read, or has no usable header.
    """
    readers: dict[str, Callable[[_Lines], Iterator[Row]]] = {
        ".csv": _csv_rows,
        ".jsonl": _json_rows,
    }
    reader = readers.get(file.suffix.lower())
    if reader is None:
        message = f"{file}: a .csv or .jsonl file expected"
        raise SetupError(message)
    try:
        with file.open("rb") as opened:
            yield from reader(_Lines(opened, file))
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        message = f"{file}: {error}"
        raise SetupError(message) from error


class _Lines:
    """The lines of a file as text, counted in lines and octets."""

    def __init__(self, opened: Any, file: Path) -> None:
        self._opened = opened
        self.file = file
        self.number = 0
        self.octets = 0

    def __iter__(self) -> Iterator[str]:
        while line := self._opened.readline(_MAX_LINE_OCTETS):
            self.number += 1
            self.octets += len(line)
            yield line.decode("utf-8-sig" if self.number == 1 else "utf-8")


def _csv_rows(lines: _Lines) -> Iterator[Row]:
    reader = csv.reader(lines, strict=True)
    header = next(reader, [])
    if not header or header[0].strip().lower() != IDENTIFIER or len(header) < 2:
        message = f"{lines.file}, line 1: the columns identifier, TYPE, ... expected"
        raise SetupError(message, "see examples/products.csv for a table that works")
    types = [name.strip() for name in header[1:]]
    for cells in reader:
        if cells:
            yield _csv_row(lines, types, cells)


def _csv_row(lines: _Lines, types: list[str], cells: list[str]) -> Row:
    identifier, data = cells[0], cells[1:]
    if len(data) != len(types):
        error = f"{len(types) + 1} cells expected, {len(cells)} there"
        return Row(lines.number, lines.octets, identifier, (), error)
    pairs = [
        (kind, text) for kind, text in zip(types, data, strict=True) if kind and text
    ]
    values = tuple(
        Value(number, kind, text.encode())
        for number, (kind, text) in enumerate(pairs, 1)
    )
    return Row(lines.number, lines.octets, identifier, values)


def _json_rows(lines: _Lines) -> Iterator[Row]:
    for line in lines:
        if not line.strip():
            continue
        try:
            identifier, values = _json_row(json.loads(line))
        except ValueError as error:
            yield Row(lines.number, lines.octets, "", (), str(error))
        else:
            yield Row(lines.number, lines.octets, identifier, values)


def _json_row(row: Any) -> tuple[str, tuple[Value, ...]]:
    if not isinstance(row, dict) or not isinstance(row.get(IDENTIFIER), str):
        message = "an object with a string `identifier` expected"
        raise RowError(message)
    rest = {name: data for name, data in row.items() if name != IDENTIFIER}
    listed = rest.get("values", rest)
    items = listed if isinstance(listed, list) else list(listed.items())
    return row[IDENTIFIER], tuple(
        _json_value(number, item) for number, item in enumerate(items, 1)
    )


def _json_value(number: int, item: Any) -> Value:
    if isinstance(item, dict):
        index, kind, data = (
            item.get("index", number),
            item.get("type"),
            item.get("data"),
        )
    else:
        index, (kind, data) = number, item
    if not (isinstance(index, int) and isinstance(kind, str) and isinstance(data, str)):
        message = (
            f"value {number}: strings `type` and `data` expected, got {item!r:.60}"
        )
        raise RowError(message)
    return Value(index, kind, data.encode())
