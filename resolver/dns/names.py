"""Identifiers as domain names below a zone, and back.

Ours (emulator convention; the industrial system has published none). Below the zone
stand the labels of the prefix, as many as an enterprise's has, and left of them the
suffix, cut at its slashes, its first part next to the prefix:

    88.118.7/SN0001         sn0001.7.118.88.idis.test.
    88.118.7/MODEL/W5500    w5500.model_.7.118.88.idis.test.
    88.118/admin            admin._at.118.88.idis.test.
    the prefix 88.118.7     7.118.88.idis.test.

- A label that ends in `_` goes on, after a slash, in the label to its left; one that
  ends in `__` goes on without one, because a part was too long. So such a label never
  is an identifier's, and a name below which there may be something is told from one
  below which there is nothing (RFC 8020) without asking who keeps the identifiers.
- `_at` ends a prefix that is shorter than an enterprise's.
- `_hdl._tcp` before a name asks for its URI records (RFC 7553 §4.1).
- A label that should go on and lacks its `_` is read as if it had it.

CNRI's (read; resolvers notes §2.3): a zone stands for a prefix, labels follow it from
the right, joined by slashes: with `example.com` for `20.500/DNS`, the name
`www.a.example.com` is the identifier `20.500/DNS/a/www`.
"""

import enum
from collections.abc import Sequence
from typing import NamedTuple

from registry.model.identifier import (
    CaseRule,
    canonical,
    is_prefix_handle,
    prefix_handle,
    prefix_of,
    suffix_of,
)
from resolver.dns.labels import (
    MAX_LABEL_OCTETS,
    LabelError,
    read_cnri_label,
    read_label,
    shown,
    write_label,
)

DEFAULT_ZONE = "idis.test."
ENTERPRISE_LABELS = 3
"""Labels of an enterprise's prefix (idis notes §2.1)."""

MAX_NAME_OCTETS = 255
NAME_SERVER = b"ns-1"
"""Label of the zone's own name server; no prefix has a name that ends in it."""

_AT, _SERVICE, _PROTOCOL = b"_at", b"_hdl", b"_tcp"
_SLASH, _ON = b"_", b"__"
_ROOM = MAX_LABEL_OCTETS - len(_ON)

Labels = tuple[bytes, ...]
"""Folded labels below a zone, from left to right."""


class Kind(enum.Enum):
    """What a name is to the identifier it belongs to."""

    RECORD = enum.auto()
    """The identifier's own."""

    SERVICE = enum.auto()
    """`_hdl._tcp` before it."""

    INNER = enum.auto()
    """It has names below it, and nothing of its own (an empty non-terminal)."""


class Place(NamedTuple):
    """What a name stands for; it exists if the identifier does."""

    identifier: bytes
    kind: Kind


class NoNameError(ValueError):
    """An identifier has no domain name: the text says why."""


def name_of(
    identifier: str,
    zone: str = DEFAULT_ZONE,
    *,
    prefix_labels: int = ENTERPRISE_LABELS,
    rule: CaseRule = CaseRule.FOLD,
) -> str:
    """Name an identifier, or a prefix, below a zone; the name ends in a dot.

    Where suffixes compare without case, the default, none of their letters is escaped.

    Raises:
        InvalidIdentifierError: It is no identifier.
        NoNameError: Its prefix has too many labels, or the name would be too long.
    """
    octets = canonical(identifier.encode(), rule)
    if is_prefix_handle(octets):
        labels = _write_prefix(suffix_of(octets), prefix_labels)
    else:
        labels = _write_prefix(prefix_of(octets), prefix_labels)
        if len(labels) < prefix_labels:
            labels.append(_AT)
        labels += _write_suffix(suffix_of(octets))
    text = b".".join(reversed(labels)).decode()
    whole = f"{text}.{zone.rstrip('.')}."
    if len(whole) + 1 > MAX_NAME_OCTETS:
        message = (
            f"{identifier}: its name has {len(whole) + 1} octets, "
            f"at most {MAX_NAME_OCTETS} are possible"
        )
        raise NoNameError(message)
    return whole


def read_name(labels: Labels, prefix_labels: int = ENTERPRISE_LABELS) -> Place:
    """Read the labels below a zone; at least one.

    Raises:
        LabelError: They stand for nothing.
    """
    if labels[:2] == (_SERVICE, _PROTOCOL) and labels[2:]:
        place = read_name(labels[2:], prefix_labels)
        return place._replace(kind=_service(place.kind))
    if labels[0] == _PROTOCOL and labels[1:]:
        place = read_name(labels[1:], prefix_labels)
        return place._replace(kind=Kind.INNER)
    downwards = labels[::-1]
    if _AT in downwards:
        cut = downwards.index(_AT)
        prefix, suffix, inner = downwards[:cut], downwards[cut + 1 :], True
    else:
        prefix, suffix = downwards[:prefix_labels], downwards[prefix_labels:]
        inner = False
    if not 0 < len(prefix) <= prefix_labels:
        raise LabelError(f"{len(prefix)} labels of a prefix: 1 to {prefix_labels}")
    octets = b".".join(_read_prefix_label(label) for label in prefix)
    if suffix and not suffix[-1].endswith(_SLASH):
        return Place(octets + b"/" + _read_suffix(suffix), Kind.RECORD)
    if suffix:
        _read_suffix(suffix)
        inner = True
    return Place(prefix_handle(octets), Kind.INNER if inner else Kind.RECORD)


def read_cnri_name(labels: Labels, prefix: bytes) -> bytes:
    """Read the labels below a zone that stands for a prefix; none is its apex.

    Raises:
        LabelError: They stand for nothing.
    """
    return b"/".join((prefix, *map(read_cnri_label, reversed(labels))))


def _service(kind: Kind) -> Kind:
    if kind is not Kind.RECORD:
        raise LabelError("_hdl._tcp stands before the name of an identifier only")
    return Kind.SERVICE


def _write_prefix(prefix: bytes, most: int) -> list[bytes]:
    labels = [write_label(label) for label in prefix.split(b".")]
    if len(labels) > most:
        text = f"prefix {prefix.decode()}: at most {most} labels have a name"
        raise NoNameError(text)
    if max(map(len, labels)) > MAX_LABEL_OCTETS or labels[0] == NAME_SERVER:
        raise NoNameError(f"prefix {prefix.decode()}: it has no domain name")
    return labels


def _write_suffix(suffix: bytes) -> list[bytes]:
    labels: list[bytes] = []
    parts = _cut(suffix)
    for part in parts[:-1]:
        labels += _write_part(part, _SLASH)
    return labels + _write_part(parts[-1], b"")


def _cut(suffix: bytes) -> list[bytes]:
    """Cut at slashes between two parts; others are escaped, as no label is empty."""
    parts = [b""]
    for at, octet in enumerate(suffix):
        before, after = suffix[at - 1 : at], suffix[at + 1 : at + 2]
        if octet == 0x2F and {before, after}.isdisjoint((b"", b"/")):
            parts.append(b"")
        else:
            parts[-1] += bytes((octet,))
    return parts


def _write_part(part: bytes, end: bytes) -> list[bytes]:
    """Write one part in as many labels as it needs, the last one with `end`."""
    labels: list[bytes] = []
    while len(last := write_label(part)) + len(end) > MAX_LABEL_OCTETS:
        size = next(n for n in range(_ROOM, 0, -1) if _fits(part[:n]))
        labels.append(write_label(part[:size]) + _ON)
        part = part[size:]
    return [*labels, last + end]


def _fits(octets: bytes) -> bool:
    return len(write_label(octets)) <= _ROOM


def _read_suffix(labels: Sequence[bytes]) -> bytes:
    parts: list[bytes] = []
    for label in labels:
        content, joint = label, b"/"
        if label.endswith(_ON):
            content, joint = label[:-2], b""
        elif label.endswith(_SLASH):
            content = label[:-1]
        if not content:
            raise LabelError(f"label {shown(label)} is nothing but a joint")
        parts += (read_label(content), joint)
    return b"".join(parts[:-1])


def _read_prefix_label(label: bytes) -> bytes:
    octets = read_label(label).upper()
    if not octets or b"." in octets or b"/" in octets:
        raise LabelError(f"label {shown(label)} is no label of a prefix")
    return octets
