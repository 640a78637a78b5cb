"""Values of identifiers as resource records.

Ours (emulator convention): every value is a TXT record, and one whose type is URL, or
begins with `URL.`, a NAPTR and a URI record besides:

    TXT    "idx=1;type=URL;data=https://example.com/sn1"   in strings of 255 octets
    NAPTR  100 10 "u" "HDL+URL" "!^.*$!https://example.com/sn1!" .     (RFC 3403)
    URI    10 1 "https://example.com/sn1"                              (RFC 7553)

CNRI's (read; resolvers notes §2.3): a value typed `DNS.A`, `DNS.TYPE65280` is a record
of that type, its data in presentation format. Names in it are absolute, with or
without their last dot.

The TTL of a set is the smallest of its values'; it is not counted down while the
answer stands in a cache here, so it says for how long an answer may be kept.
"""

import functools
import re
import struct
from collections.abc import Callable, Iterable, Sequence

import dns.exception
import dns.name
import dns.rdata
import dns.rdatatype
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType

from registry.model.value import Value
from resolver.dns.message import Record

MAX_TTL_SECONDS = 0x7FFF_FFFF
"""RFC 2181 §8."""

MAX_DATA_OCTETS = 32_768
"""Longer data is told by its length only; no reply would have room for it."""

_STRING_OCTETS = 255
_MAX_OCTETS = 0xFFFF
_TWO = struct.Struct("!HH")
_CNRI_TYPE = "DNS."
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SEPARATORS = str.maketrans({"%": "%25", ";": "%3B"})


class DataError(ValueError):
    """The data of a value is no record of its type: which value, and why."""


def is_url(value: Value) -> bool:
    """Tell whether a value is an address to be sent to."""
    kind = value.type.upper()
    return bool(value.data) and (kind == "URL" or kind.startswith("URL."))


def ttl_of(values: Iterable[Value], now: float) -> int:
    """Give the TTL of a set of records: the shortest time that is left."""
    times = (v.ttl - int(now) if v.ttl_type else v.ttl for v in values)
    return min(max(min(times), 0), MAX_TTL_SECONDS)


def counts_down(values: Iterable[Value]) -> bool:
    """Tell whether the TTL of one is a date, so that an answer ages while it is kept."""
    return any(value.ttl_type for value in values)


def records_of(
    owner: bytes, values: Sequence[Value], kinds: Iterable[int], now: float
) -> tuple[Record, ...]:
    """Make the TXT, NAPTR and URI records of an identifier that are asked for."""
    records: list[Record] = []
    for kind in kinds:
        sources = values if kind == RdataType.TXT else list(filter(is_url, values))
        make = _MAKERS[kind]
        encoded = [data for data in map(make, sources) if data is not None]
        if encoded:
            ttl = ttl_of(sources, now)
            records += (Record(owner, kind, ttl, data) for data in encoded)
    return tuple(records)


def cnri_records(
    owner: bytes, values: Iterable[Value], kind: int, now: float
) -> tuple[Record, ...]:
    """Make the records of one type, or of all for ANY, out of values typed `DNS.`.

    Raises:
        DataError: A value that is asked for cannot be read.
    """
    chosen: dict[int, list[Value]] = {}
    for value in values:
        its_kind = cnri_type(value.type)
        if its_kind is not None and kind in (its_kind, RdataType.ANY):
            chosen.setdefault(its_kind, []).append(value)
    records: list[Record] = []
    for its_kind, of_kind in sorted(chosen.items()):
        ttl = ttl_of(of_kind, now)
        encoded = dict.fromkeys(cnri_data(value, its_kind) for value in of_kind)
        records += (Record(owner, its_kind, ttl, data) for data in encoded)
    return tuple(records)


@functools.lru_cache(maxsize=256)
def cnri_type(text: str) -> int | None:
    """Give the record type that a value's type stands for, if it does."""
    if text[:4].upper() != _CNRI_TYPE:
        return None
    try:
        kind = dns.rdatatype.from_text(text[4:])
    except (dns.exception.DNSException, ValueError):
        return None
    meta = kind == RdataType.NONE or dns.rdatatype.is_metatype(kind)
    return None if meta else int(kind)


def cnri_data(value: Value, kind: int) -> bytes:
    """Read presentation format.

    Raises:
        DataError: It is none of that type.
    """
    text = value.data.decode(errors="replace")
    origin = dns.name.root
    try:
        rdata = dns.rdata.from_text(
            RdataClass.IN, RdataType.make(kind), text, origin, relativize=False
        )
        data = rdata.to_wire(origin=origin)
    except (dns.exception.DNSException, ValueError) as error:
        raise _no_data(value, str(error) or type(error).__name__) from None
    if data is None or len(data) > _MAX_OCTETS:
        raise _no_data(value, f"more than {_MAX_OCTETS} octets")
    return data


def _no_data(value: Value, text: str) -> DataError:
    return DataError(f"value {value.index}, {value.type}: {text}")


def _txt(value: Value) -> bytes:
    head = f"idx={value.index};type={value.type.translate(_SEPARATORS)};"
    octets = (head + _told(value.data)).encode()
    return b"".join(
        _string(octets[at : at + _STRING_OCTETS])
        for at in range(0, len(octets), _STRING_OCTETS)
    )


def _string(octets: bytes) -> bytes:
    return bytes((len(octets),)) + octets


def _told(data: bytes) -> str:
    """Write data as it is where it is text, else in hexadecimal."""
    if len(data) > MAX_DATA_OCTETS:
        return f"octets={len(data)}"
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return f"hex={data.hex()}"
    return f"hex={data.hex()}" if _CONTROL.search(text) else f"data={text}"


def naptr_data(order: int, preference: int, service: bytes, url: bytes) -> bytes | None:
    """Write a terminal rule; None when the URL does not fit into its one string.

    The replacement stands between the delimiters of an extended regular expression,
    where a backslash and the delimiter itself need a backslash (RFC 3402 §3.2).
    """
    escaped = url.replace(b"\\", b"\\\\").replace(b"!", b"\\!")
    regexp = b"!^.*$!" + escaped + b"!"
    if max(len(regexp), len(service)) > _STRING_OCTETS:
        return None
    strings = _string(b"u") + _string(service) + _string(regexp)
    return _TWO.pack(order, preference) + strings + b"\0"


def _naptr(value: Value) -> bytes | None:
    return naptr_data(100, 10, b"HDL+URL", value.data)


def _uri(value: Value) -> bytes | None:
    if len(value.data) > MAX_DATA_OCTETS:
        return None
    return _TWO.pack(10, 1) + value.data


_MAKERS: dict[int, Callable[[Value], bytes | None]] = {
    RdataType.TXT: _txt,
    RdataType.NAPTR: _naptr,
    RdataType.URI: _uri,
}
