"""Tables of identifiers: CSV and JSON lines, one row at a time.

CSV has a header; its first column is `identifier`, every other column's name is the
type of the values in it, and an empty cell is no value. A JSON line is an object with
`identifier` and either `values` (a list of objects with type, data and perhaps index)
or further members, which are types and data.

A row that cannot be read is a `Row` with an error, and the next one is tried.
"""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from registry.model.octets import pack_u32
from registry.model.value import Value, decode_values, encode_value, encode_values
from resolver.errors import SetupError

IDENTIFIER = "identifier"
MAX_LINE_OCTETS = 1 << 20
_LARGEST_INDEX = 0x7FFF_FFFF
_TYPE_OCTETS = 255
_NO_REFERENCES = bytes(4)
_NO_VALUES = bytes(4)
"""A list without values."""


class RowError(ValueError):
    """A row is no record; the text says why."""


class Row(NamedTuple):
    """One row of a table."""

    line: int
    """Line of the file at which it ends."""

    octets: int
    """Octets of the file up to and with it."""

    identifier: str
    values_octets: bytes
    """The list of its values in wire form."""

    error: str = ""
    """Why it cannot be registered; then it has no values."""

    @property
    def values(self) -> tuple[Value, ...]:
        """The values, decoded."""
        return decode_values(self.values_octets)


def read_rows(file: Path) -> Iterator[Row]:
    """Read a table, whatever its size, in bounded memory.

    Raises:
        SetupError: The file cannot be read, or has no usable header.
    """
    readers: dict[str, Callable[[Lines], Iterator[Row]]] = {
        ".csv": _csv_rows,
        ".jsonl": _json_rows,
    }
    reader = readers.get(file.suffix.lower())
    if reader is None:
        message = f"{file}: a .csv or .jsonl file expected"
        raise SetupError(message)
    try:
        with file.open("rb") as opened:
            yield from reader(Lines(opened, file))
    except OSError as error:
        message = f"{file}: {error.strerror or error}"
        raise SetupError(message) from error


class Lines:
    """The lines of a file as text, counted in lines and octets."""

    def __init__(self, opened: BinaryIO, file: Path) -> None:
        self._opened = opened
        self.file = file
        self.number = 0
        self.octets = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """Give the next line.

        Raises:
            RowError: It is too long, or not UTF-8; the one after it comes next.
        """
        line = self._opened.readline(MAX_LINE_OCTETS)
        if not line:
            raise StopIteration
        self.number += 1
        self.octets += len(line)
        if len(line) == MAX_LINE_OCTETS and line[-1:] != b"\n":
            self._skip()
            message = f"a line of at most {MAX_LINE_OCTETS} octets expected"
            raise RowError(message)
        try:
            return line.decode("utf-8-sig" if self.number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            message = f"UTF-8 expected: {error.reason} at octet {error.start}"
            raise RowError(message) from None

    def _skip(self) -> None:
        """Read up to the end of a line that is too long."""
        piece = self._opened.readline(MAX_LINE_OCTETS)
        while piece:
            self.octets += len(piece)
            if piece.endswith(b"\n"):
                return
            piece = self._opened.readline(MAX_LINE_OCTETS)


def _csv_rows(lines: Lines) -> Iterator[Row]:
    csv.field_size_limit(MAX_LINE_OCTETS)
    reader = csv.reader(lines, strict=True)
    columns = [_column(kind) for kind in _header(reader, lines)]
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (csv.Error, RowError) as error:
            yield Row(lines.number, lines.octets, "", _NO_VALUES, str(error))
            continue
        if cells:
            yield _csv_row(lines, columns, cells)


def _header(reader: "Iterator[list[str]]", lines: Lines) -> list[str]:
    try:
        header = next(reader, [])
    except (csv.Error, RowError) as error:
        message = f"{lines.file}, line 1: {error}"
        raise SetupError(message) from error
    if not header or header[0].strip().lower() != IDENTIFIER or len(header) < 2:
        message = f"{lines.file}, line 1: the columns identifier, TYPE, ... expected"
        raise SetupError(message, "see examples/products.csv for a table that works")
    return [name.strip() for name in header[1:]]


def _column(kind: str) -> bytes:
    """Give what all values of a column have in common: from timestamp to type.

    Nothing where no value may have the type.
    """
    return encode_value(Value(0, kind, b""))[4:-8] if _is_type(kind) else b""


def _csv_row(lines: Lines, columns: list[bytes], cells: list[str]) -> Row:
    try:
        values = _csv_values(columns, cells)
    except RowError as error:
        return Row(lines.number, lines.octets, cells[0], _NO_VALUES, str(error))
    return Row(lines.number, lines.octets, cells[0], values)


def _csv_values(columns: list[bytes], cells: list[str]) -> bytes:
    """Write the values of a row as `encode_values` would.

    Without a `Value` for each, which took half of the time of a bulk registration.
    """
    if len(cells) != len(columns) + 1:
        message = f"{len(columns) + 1} cells expected, {len(cells)} there"
        raise RowError(message)
    number = 0
    parts = [b""]
    for column, text in zip(columns, cells[1:], strict=True):
        if text:
            number += 1
            if not column:
                raise _bad_type(number)
            data = text.encode()
            size = pack_u32(len(data))
            parts += (pack_u32(number), column, size, data, _NO_REFERENCES)
    parts[0] = pack_u32(number)
    return b"".join(parts)


def _json_rows(lines: Lines) -> Iterator[Row]:
    while True:
        try:
            line = next(lines)
            if line.strip():
                identifier, values = _json_row(json.loads(line))
                yield Row(lines.number, lines.octets, identifier, values)
        except StopIteration:
            return
        # Nesting as deep as a line allows exhausts the JSON reader's stack.
        except (ValueError, RecursionError) as error:
            yield Row(lines.number, lines.octets, "", _NO_VALUES, str(error))


def _json_row(row: Any) -> tuple[str, bytes]:
    if not isinstance(row, dict) or not isinstance(row.get(IDENTIFIER), str):
        message = "an object with a string `identifier` expected"
        raise RowError(message)
    row[IDENTIFIER].encode()  # JSON escapes can make what is no text
    rest = {name: data for name, data in row.items() if name != IDENTIFIER}
    listed = rest.get("values", rest)
    if isinstance(listed, dict):
        listed = [{"type": kind, "data": data} for kind, data in listed.items()]
    if not isinstance(listed, list):
        message = f"{row[IDENTIFIER]}: a list of `values` expected"
        raise RowError(message)
    return row[IDENTIFIER], encode_values(
        _json_value(number, item) for number, item in enumerate(listed, 1)
    )


def _json_value(number: int, item: Any) -> Value:
    found = item if isinstance(item, dict) else {}
    index, kind, data = found.get("index", number), found.get("type"), found.get("data")
    # JSON's true and false are integers to Python.
    if type(index) is int and isinstance(kind, str) and isinstance(data, str):
        return _value(index, kind, data)
    message = f"value {number}: strings `type` and `data` expected, got {item!r:.60}"
    raise RowError(message)


def _value(index: int, kind: str, data: str) -> Value:
    if not 0 < index <= _LARGEST_INDEX:
        message = f"value {index}: an index from 1 to {_LARGEST_INDEX} expected"
        raise RowError(message)
    if not _is_type(kind):
        raise _bad_type(index)
    return Value(index, kind, data.encode())


def _is_type(kind: str) -> bool:
    return 0 < len(kind.encode()) <= _TYPE_OCTETS


def _bad_type(index: int) -> RowError:
    return RowError(f"value {index}: a type of 1 to {_TYPE_OCTETS} octets expected")
