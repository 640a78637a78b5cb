"""Values as JSON and back (handle notes §5.1).

    {"index": 1, "type": "URL", "data": {"format": "string", "value": "…"},
     "permissions": "1100", "ttl": 86400, "timestamp": "2024-01-01T00:00:00Z",
     "references": [{"handle": "…", "index": 1}]}

`data` may come as a bare string. `permissions` (ADMIN_READ, ADMIN_WRITE, PUBLIC_READ,
PUBLIC_WRITE) is left out when it is the default "1110", `references` when there are
none. A `ttl` that is a string is an absolute time. Numbers may come as decimal
strings, because pyhandle sends some of them that way.

What is shown in a structured format comes back octet for octet; data for which that
does not hold is shown as base64. Errors name the place: `$.values[0].data.value`.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterable
from typing import Any

from registry.errors import InvalidValueError, MalformedError
from registry.model.typed import Admin, decode_group, encode_group
from registry.model.value import (
    DEFAULT_PERMISSIONS,
    DEFAULT_TTL_SECONDS,
    MAX_VALUES,
    Reference,
    Value,
)
from resolver.faces.json_path import LARGEST_U32, Place
from resolver.faces.structured_json import (
    JsonObject,
    key_as_json,
    key_from_json,
    read_base64,
    site_as_json,
    site_from_json,
    write_base64,
)

_PERMISSIONS = re.compile("[01]{4}")
_ADMIN_PERMISSIONS = re.compile("[01]{12,16}")
"""LIST_HANDLES first, ADD_HANDLE last; four bits more are not assigned."""

_ABSOLUTE = 1
_TEXT_CONTROLS = "\t\n\r"


def values_as_json(values: Iterable[Value]) -> list[JsonObject]:
    """Show values, in their order."""
    return [value_as_json(value) for value in values]


def value_as_json(value: Value) -> JsonObject:
    """Show one value."""
    shown: JsonObject = {
        "index": value.index,
        "type": value.type,
        "data": data_as_json(value.type, value.data),
    }
    if value.permissions != DEFAULT_PERMISSIONS:
        shown["permissions"] = f"{value.permissions & 0xF:04b}"
    shown["ttl"] = time_as_json(value.ttl) if value.ttl_type else value.ttl
    shown["timestamp"] = time_as_json(value.timestamp)
    if value.references:
        shown["references"] = [_reference_as_json(each) for each in value.references]
    return shown


def time_as_json(seconds: int) -> str:
    """Show epoch seconds as ISO 8601, UTC."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def data_as_json(kind: str, octets: bytes) -> JsonObject:
    """Show the data of a value of a type."""
    structured = _FORMATS.get(kind.upper())
    if structured is not None:
        shown = _structured(structured, octets)
        if shown is not None:
            return {"format": structured, "value": shown}
    text = _as_text(octets)
    if text is None:
        return {"format": "base64", "value": write_base64(octets)}
    return {"format": "string", "value": text}


def read_values(place: Place, index: int | None = None) -> tuple[Value, ...]:
    """Read a record: `{"values": […]}`, a list of values, or one value.

    `index` is what a single value without one gets.

    Raises:
        InvalidValueError: It does not follow the format; the text names the place.
    """
    listed = place.get("values") if isinstance(place.value, dict) else place
    if listed is None:
        return (read_value(place, index),)
    places = list(listed.items())
    if len(places) > MAX_VALUES:
        message = f"{listed.path}: {len(places)} values, at most {MAX_VALUES} allowed"
        raise InvalidValueError(message)
    alone = index if len(places) == 1 else None
    return tuple(read_value(each, alone) for each in places)


def read_value(place: Place, index: int | None = None) -> Value:
    """Read one value.

    Raises:
        InvalidValueError: It does not follow the format; the text names the place.
    """
    given = place.get("index") if index is not None else place.need("index")
    permissions, timestamp = place.get("permissions"), place.get("timestamp")
    references = place.get("references")
    ttl, ttl_type = _read_ttl(place.get("ttl"))
    return Value(
        given.number() if given else index or 0,
        place.need("type").text(),
        read_data(place.need("data")),
        ttl,
        ttl_type,
        _read_time(timestamp) if timestamp else 0,
        _read_bits(permissions, _PERMISSIONS) if permissions else DEFAULT_PERMISSIONS,
        tuple(map(read_reference, references.items() if references else ())),
    )


def read_reference(place: Place) -> Reference:
    """Read `{"handle": …, "index": …}`."""
    return Reference(place.need("handle").text(), place.need("index").number())


def read_data(place: Place) -> bytes:
    """Read the data of a value: a bare string, or `{"format": …, "value": …}`."""
    if isinstance(place.value, str):
        return place.text().encode()
    name = place.need("format")
    read = _READERS.get(name.text())
    if read is None:
        raise name.error(f"one of {', '.join(_READERS)}")
    return read(place.need("value"))


def _as_text(octets: bytes) -> str | None:
    """Give octets as text if they are printable UTF-8."""
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return None
    if text.isprintable():
        return text
    unprintable = (c for c in text if c < " " or c == "\x7f")
    return None if any(c not in _TEXT_CONTROLS for c in unprintable) else text


def _structured(name: str, octets: bytes) -> Any | None:
    """Show octets in a structured format; None when they would not come back."""
    try:
        shown = _WRITERS[name](octets)
        return shown if _READERS[name](Place(shown)) == octets else None
    except (MalformedError, InvalidValueError):
        return None


def _reference_as_json(reference: Reference) -> JsonObject:
    return {"handle": reference.handle, "index": reference.index}


def _admin_as_json(octets: bytes) -> JsonObject:
    admin = Admin.decode(octets)
    return {
        "handle": admin.handle,
        "index": admin.index,
        "permissions": f"{admin.permissions:012b}",
    }


def _read_admin(place: Place) -> bytes:
    handle, index = read_reference(place)
    permissions = _read_bits(place.need("permissions"), _ADMIN_PERMISSIONS)
    return Admin(permissions, handle, index).encode()


def _group_as_json(octets: bytes) -> list[JsonObject]:
    return [_reference_as_json(member) for member in decode_group(octets)]


def _read_group(place: Place) -> bytes:
    return encode_group(tuple(map(read_reference, place.items())))


def _read_text(place: Place) -> bytes:
    return place.text().encode()


def _read_hex(place: Place) -> bytes:
    try:
        return bytes.fromhex(place.text())
    except ValueError:
        raise place.error("pairs of hexadecimal digits") from None


def _read_bits(place: Place, pattern: re.Pattern[str]) -> int:
    text = place.text()
    if not pattern.fullmatch(text):
        raise place.error(f"bits like {pattern.pattern}")
    return int(text, 2)


def _read_ttl(place: Place | None) -> tuple[int, int]:
    if place is None:
        return DEFAULT_TTL_SECONDS, 0
    if isinstance(place.value, str) and not place.value.isdecimal():
        return _read_time(place), _ABSOLUTE
    return place.number(), 0


def _read_time(place: Place) -> int:
    expected = 'a time such as "2024-01-01T00:00:00Z"'
    try:
        moment = dt.datetime.fromisoformat(place.text())
        utc = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
        seconds = int(utc.timestamp())
    except (ValueError, OverflowError):
        raise place.error(expected) from None
    if not 0 <= seconds <= LARGEST_U32:
        raise place.error(expected)
    return seconds


_FORMATS = {
    "HS_ADMIN": "admin",
    "HS_VLIST": "vlist",
    "HS_SITE": "site",
    "HS_SITE.6": "site",
    "HS_SITE.PREFIX": "site",
    "HS_PUBKEY": "key",
}
_WRITERS: dict[str, Callable[[bytes], Any]] = {
    "admin": _admin_as_json,
    "vlist": _group_as_json,
    "site": site_as_json,
    "key": key_as_json,
}
_READERS: dict[str, Callable[[Place], bytes]] = {
    "string": _read_text,
    "base64": read_base64,
    "hex": _read_hex,
    "admin": _read_admin,
    "vlist": _read_group,
    "site": site_from_json,
    "key": key_from_json,
}
