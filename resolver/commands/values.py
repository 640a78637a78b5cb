"""Values of a record as people and programs are shown them."""

from collections.abc import Iterable

from rich.markup import escape
from rich.table import Table

from registry.model.value import Value
from resolver.commands.console import table

_SHOWN = 100


def values_table(title: str, values: Iterable[Value]) -> Table:
    """Make the table of a record's values."""
    made = table(title, "index", "type", "data", "ttl")
    for value in values:
        data = escape(_readable(value))
        made.add_row(str(value.index), escape(value.type), data, f"{value.ttl} s")
    return made


def value_dict(value: Value) -> dict[str, object]:
    """Give a value as JSON members; data that is not text is hexadecimal."""
    return {
        "index": value.index,
        "type": value.type,
        **_data_dict(value),
        "ttl": value.ttl,
        "timestamp": value.timestamp,
    }


def _data_dict(value: Value) -> dict[str, str]:
    try:
        return {"data": value.data.decode()}
    except UnicodeDecodeError:
        return {"hex": value.data.hex()}


def _readable(value: Value) -> str:
    text = _data_dict(value).get("data")
    if text is None or not text.isprintable():
        return f"{len(value.data)} octets: {value.data[: _SHOWN // 4].hex()}..."
    return text
