"""JSON as the node writes it: in the style of jsoncpp (bif notes §1.1).

Three blanks for each level, members in the order of their names, ` : ` between name and
value, text outside of ASCII as it is; an array of short scalars stays on one line. That
it is jsoncpp and has three blanks is known, the rest follows from that library.
"""

from collections.abc import Sequence
from json.encoder import encode_basestring
from math import isfinite
from typing import Final

from chain_anchor.bif.json_form import Json

_BLANKS: Final = "   "
_RIGHT_MARGIN: Final = 74
_LONG: Final = 50
_CONSTANTS: Final = {None: "null", True: "true", False: "false"}


def styled(document: Json) -> bytes:
    """Write a document, with a line feed at its end.

    Text that is no Unicode, which JSON can escape, gets question marks for it.
    """
    parts: list[str] = []
    _write(document, "\n", parts)
    parts.append("\n")
    return "".join(parts).encode(errors="replace")


def is_long(document: Json) -> bool:
    """Tell whether an answer has a list that takes milliseconds to write."""
    found = document.get("result") if isinstance(document, dict) else None
    outer = list(document.values()) if isinstance(document, dict) else []
    inner = list(found.values()) if isinstance(found, dict) else []
    lists = [value for value in outer + inner if isinstance(value, list | dict)]
    return any(len(value) > _LONG for value in lists)


def _write(value: Json, line: str, parts: list[str]) -> None:
    """Write a value; `line` is a line feed and the blanks of its level."""
    if isinstance(value, dict) and value:
        _write_object(value, line, parts)
    elif isinstance(value, list | tuple) and value:
        _write_array(value, line, parts)
    else:
        parts.append(_scalar(value))


def _write_object(value: dict[str, Json], line: str, parts: list[str]) -> None:
    inner = line + _BLANKS
    before = "{" + inner
    for name in sorted(value):
        parts.append(f"{before}{encode_basestring(name)} : ")
        _write(value[name], inner, parts)
        before = "," + inner
    parts.append(line + "}")


def _write_array(value: Sequence[Json], line: str, parts: list[str]) -> None:
    short = _on_one_line(value)
    if short:
        parts.append(short)
        return
    inner = line + _BLANKS
    before = "[" + inner
    for item in value:
        parts.append(before)
        _write(item, inner, parts)
        before = "," + inner
    parts.append(line + "]")


def _on_one_line(value: Sequence[Json]) -> str:
    """Write an array in one line, or nothing if it is not for one."""
    if len(value) * 3 >= _RIGHT_MARGIN:
        return ""
    if any(isinstance(item, dict | list | tuple) and item for item in value):
        return ""
    text = "[ " + ", ".join(map(_scalar, value)) + " ]"
    return text if len(text) < _RIGHT_MARGIN else ""


def _scalar(value: Json) -> str:
    if isinstance(value, str):
        return str(encode_basestring(value))
    if value is None or isinstance(value, bool):
        return _CONSTANTS[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if isfinite(value) else "null"
    return "{}" if isinstance(value, dict) else "[]"
