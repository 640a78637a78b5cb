"""Look up a name in a zone of identifiers (emulator convention).

The identifier of a name is asked for whole, so that one resolution, and one entry of
the node's cache, serves all record types.
"""

from dns.edns import EDECode
from dns.rcode import Rcode
from dns.rdatatype import RdataType

from resolver.dns.apex import (
    ZONE_TTL_SECONDS,
    addresses_of,
    chosen,
    negative,
    ns_of,
    soa_of,
)
from resolver.dns.asking import Found, Lookup, Step, ask
from resolver.dns.labels import LabelError
from resolver.dns.message import Answer, Explanation, Record
from resolver.dns.names import NAME_SERVER, Kind, Labels, Place, read_name
from resolver.dns.records import counts_down, is_url, records_of
from resolver.dns.zones import Served, Zone

_KINDS = (RdataType.TXT, RdataType.NAPTR, RdataType.URI)
_TOO_LONG = Explanation(
    EDECode.OTHER, "the URL does not fit into a NAPTR record: ask for URI or TXT"
)


def look_up_identifier(
    served: Served, zone: Zone, labels: Labels, owner: bytes, kind: int, now: float
) -> Lookup[Step]:
    """Answer for the name `owner`, which is `labels` below the zone."""
    return Step((yield from _look_up(served, zone, labels, owner, kind, now)))


def _look_up(
    served: Served, zone: Zone, labels: Labels, owner: bytes, kind: int, now: float
) -> Lookup[Answer]:
    soa = soa_of(served, zone)
    static = _static(served, zone, labels, soa)
    if static is not None:
        return _positive(chosen(static, kind), soa, now + ZONE_TTL_SECONDS)
    try:
        place = read_name(labels, zone.prefix_labels)
    except LabelError as error:
        explanation = Explanation(EDECode.OTHER, str(error))
        return negative(Rcode.NXDOMAIN, soa, 0.0, explanation)
    found = yield from ask(place.identifier)
    if not found.exists:
        explained = Explanation(EDECode.OTHER, found.text) if found.text else None
        return negative(Rcode.NXDOMAIN, soa, found.expires, explained)
    return _answer(place, found, owner, kind, soa, now)


def _static(
    served: Served, zone: Zone, labels: Labels, soa: Record
) -> tuple[Record, ...] | None:
    """Give the records of names that are no identifier's."""
    if not labels:
        return soa, ns_of(served, zone)
    if labels == (NAME_SERVER,):
        addresses = addresses_of(served)
        return tuple(record._replace(owner=_below(zone)) for record in addresses)
    return None


def _below(zone: Zone) -> bytes:
    return bytes((len(NAME_SERVER),)) + NAME_SERVER + zone.origin


def _answer(
    place: Place, found: Found, owner: bytes, kind: int, soa: Record, now: float
) -> Answer:
    expires = 0.0 if counts_down(found.values) else found.expires
    records = records_of(owner, found.values, _kinds(place.kind, kind), now)
    if not records and kind == RdataType.NAPTR and any(map(is_url, found.values)):
        return negative(Rcode.NOERROR, soa, expires, _TOO_LONG)
    return _positive(records, soa, expires)


def _kinds(place: Kind, asked: int) -> tuple[RdataType, ...]:
    """List the types of records that are asked for, of those that a name can have."""
    possible: tuple[RdataType, ...] = _KINDS if place is Kind.RECORD else ()
    if place is Kind.SERVICE:
        possible = (RdataType.URI,)
    return tuple(kind for kind in possible if asked in (kind, RdataType.ANY))


def _positive(records: tuple[Record, ...], soa: Record, expires: float) -> Answer:
    if not records:
        return negative(Rcode.NOERROR, soa, expires)
    return Answer(answers=records, authoritative=True, expires=expires)
