"""Entries in words that JSON can hold, for what people are shown."""

from chain_anchor.changes import Change
from chain_anchor.entries import Entry, Header, Restart, Rotation

_TYPES = {
    Change: "change",
    Header: "header",
    Rotation: "rotation",
    Restart: "restart",
}
_TEXTS = frozenset({"actor", "scope", "extra"})


def entry_json(entry: Entry) -> dict[str, object]:
    """Give an entry's fields by name: hashes in hexadecimal, names as text."""
    told: dict[str, object] = {"type": _TYPES[type(entry)]}
    for field, value in entry._asdict().items():
        told[field] = _told(field, value)
    return told


def readable_text(octets: bytes) -> str:
    """Give octets as text; what is not UTF-8 becomes backslash escapes."""
    return octets.decode(errors="backslashreplace")


def _told(field: str, value: object) -> object:
    if not isinstance(value, bytes):
        return value
    return readable_text(value) if field in _TEXTS else value.hex()
