"""GS1's Object Name Service: names of GS1 keys, and their NAPTR records (ONS 2.0.1).

Below a root, which is `onsepc.com` or a peer root such as `ons.epcglobal.cn`, the name of a
GTIN has its digits as labels (resolvers notes §2.1). Serial number and check digit are
dropped, the first digit stays in front, the others are reversed:

    ||gtin|00614141322602    0.0.6.2.2.3.1.4.1.4.1.6.0.gtin.gs1.id.onsepc.com.

An Application Unique String is `[country]|[language]|type|key`; country and language are
for the client, which chooses a root and among the answers; they are not in the name.

The other keys of `KEYS` follow the same rule (emulator convention: the standard's table of
them was not to be had): what stands before the company prefix stays in front.

A name of fewer digits is an empty non-terminal, NODATA, since nobody can tell what is
registered below it; a whole key without an alias record is NXDOMAIN.
"""

from typing import NamedTuple

from dns.rcode import Rcode

from registry.schemes import gs1
from registry.schemes.mapping import alias_name, code_prefixes, levels
from registry.schemes.reading import CodeError, Reading
from resolver.dns.asking import Lookup, Step
from resolver.dns.code_records import Inquiry, Style
from resolver.dns.labels import LabelError, shown
from resolver.dns.names import Labels, NoNameError
from resolver.dns.zones import DEFAULT_ONS_ROOT, Served, Zone

_BRANCH = (b"id", b"gs1")
_AUS_FIELDS = 4
_SHORT_GTINS = (8, 12, 13)
_STYLE = Style(0, 0)


class Key(NamedTuple):
    """How the name of a GS1 key is made."""

    application_identifier: str
    digits: int
    """In its name: without filler, check digit and serial number."""

    in_front: int = 0
    """Digits before the company prefix, which are not reversed."""

    filler: str = ""
    """What the value has before the digits of the name."""


KEYS = {
    "gtin": Key("01", 13, 1),
    "sscc": Key("00", 17, 1),
    "gln": Key("414", 12),
    "grai": Key("8003", 12, filler="0"),
    "gdti": Key("253", 12),
    "gsin": Key("402", 16),
    "gsrn": Key("8018", 17),
}
"""By the key type's label."""


def ons_name(unique_string: str, root: str = DEFAULT_ONS_ROOT) -> str:
    """Name the key of an Application Unique String; the name ends in a dot.

    Raises:
        NoNameError: It is none, or its key is wrong.
    """
    fields = unique_string.split("|")
    if len(fields) != _AUS_FIELDS:
        message = f"{unique_string!r}: [country]|[language]|type|key expected"
        raise NoNameError(message)
    country, language, kind, value = fields
    for code in (country, language):
        if code and not (len(code) == 2 and code.isascii() and code.isalpha()):
            raise NoNameError(f"{code!r}: a code of two letters expected, or nothing")
    key = KEYS.get(kind)
    if key is None:
        raise NoNameError(f"key type {kind!r}: one of {', '.join(KEYS)} expected")
    digits = _digits_of(key, value)
    labels = (*digits[: key.in_front], *reversed(digits[key.in_front :]), kind)
    return (
        ".".join((*labels, *map(bytes.decode, reversed(_BRANCH)), root.rstrip(".")))
        + "."
    )


def _digits_of(key: Key, value: str) -> str:
    """Check a key's value; give the digits that its name has."""
    if len(value) in _SHORT_GTINS and key.application_identifier == "01":
        value = value.zfill(14)
    try:
        gs1.read(f"({key.application_identifier}){value}")
    except CodeError as error:
        raise NoNameError(str(error)) from None
    return value[len(key.filler) :][: key.digits]


def read_ons_name(labels: Labels) -> Reading | None:
    """Read the labels below a root; None for a name that only has others below it.

    Raises:
        LabelError: They stand for nothing.
    """
    downwards = labels[::-1]
    branch, rest = downwards[: len(_BRANCH)], downwards[len(_BRANCH) :]
    if branch != _BRANCH[: len(branch)]:
        raise LabelError(f"label {shown(branch[-1])}: TYPE.gs1.id before the root")
    if not rest:
        return None
    key = KEYS.get(rest[0].decode("ascii", "replace"))
    if key is None:
        raise LabelError(f"key type {shown(rest[0])}: one of {', '.join(KEYS)}")
    digits = rest[1:]
    for label in digits:
        if len(label) != 1 or not label.isdigit():
            raise LabelError(f"label {shown(label)}: one digit expected")
    if len(digits) > key.digits:
        raise LabelError(f"{len(digits)} digits: {key.digits} expected")
    return None if len(digits) < key.digits else _reading(key, digits)


def _reading(key: Key, digits: Labels) -> Reading:
    middle = len(digits) - key.in_front
    text = b"".join((*digits[middle:][::-1], *digits[:middle])).decode()
    payload = key.filler + text
    code = f"({key.application_identifier}){payload}{gs1.check_digit(payload)}"
    try:
        return gs1.read(code)[0]
    except CodeError as error:
        raise LabelError(str(error)) from None


def look_up_ons(
    served: Served, zone: Zone, labels: Labels, owner: bytes, kind: int, now: float
) -> Lookup[Step]:
    """Answer for the name `owner`, which is `labels` below a root.

    Raises:
        LookupFailedError: A value is no link, or nobody can be asked.
    """
    inquiry = Inquiry(served, zone, owner, kind)
    if not labels:
        return inquiry.apex(now)
    try:
        reading = read_ons_name(labels)
    except LabelError as error:
        inquiry.expires = 0.0
        return inquiry.absent(Rcode.NXDOMAIN, str(error))
    if reading is None:
        return inquiry.inner(now)
    return (yield from _look_up_key(inquiry, reading, now))


def _look_up_key(inquiry: Inquiry, reading: Reading, now: float) -> Lookup[Step]:
    """Look for the alias record of a key below each prefix that may be its owner's."""
    assert inquiry.zone.prefix is not None
    scheme = inquiry.zone.prefix.decode()
    for candidate in code_prefixes(reading):
        prefix = f"{scheme}.{candidate.rpartition('.')[2]}"
        if (yield from inquiry.exists(prefix)):
            found = yield from inquiry.ask(alias_name(prefix, levels(reading)[-1]))
            if found.exists:
                return inquiry.naptrs(found, _STYLE, now)
    return inquiry.absent(Rcode.NXDOMAIN)
