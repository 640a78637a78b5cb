"""What a zone has at its apex, and the negative answers made with it.

There is one server and nothing to transfer, so the SOA's serial never changes; its
minimum, and its own TTL in a negative answer, say for how long nobody needs to ask
again (RFC 2308 §3-5). Every prefix lives in one zone, without cuts: nodes speak DNS
at the recursive node only, and a delegation could lead to nobody else.
"""

import struct

from dns.rcode import Rcode
from dns.rdatatype import RdataType

from resolver.dns.message import Answer, Explanation, Record
from resolver.dns.zones import Served, Zone

ZONE_TTL_SECONDS = 3600

_SERIAL, _REFRESH, _RETRY, _EXPIRE = 1, 3600, 600, 86_400
_NUMBERS = struct.Struct("!IIIII")
_MAILBOX = b"\x0ahostmaster"


def soa_of(served: Served, zone: Zone) -> Record:
    """Give the SOA of a zone."""
    numbers = _NUMBERS.pack(
        _SERIAL, _REFRESH, _RETRY, _EXPIRE, served.negative_ttl_seconds
    )
    data = served.server + _MAILBOX + zone.origin + numbers
    return Record(zone.origin, RdataType.SOA, ZONE_TTL_SECONDS, data)


def ns_of(served: Served, zone: Zone) -> Record:
    """Give the name server of a zone."""
    return Record(zone.origin, RdataType.NS, ZONE_TTL_SECONDS, served.server)


def addresses_of(served: Served) -> tuple[Record, ...]:
    """Give the addresses of the name server."""
    kinds = {4: RdataType.A, 6: RdataType.AAAA}
    return tuple(
        Record(served.server, kinds[address.version], ZONE_TTL_SECONDS, address.packed)
        for address in served.addresses
    )


def negative(
    rcode: Rcode,
    soa: Record,
    expires: float,
    explanation: Explanation | None = None,
) -> Answer:
    """Answer that a name (NXDOMAIN) or its records (NOERROR) are not there."""
    (minimum,) = struct.unpack("!I", soa.data[-4:])
    soa = soa._replace(ttl=min(soa.ttl, minimum))
    return Answer(
        rcode,
        authorities=(soa,),
        authoritative=True,
        explanation=explanation,
        expires=expires,
    )


def chosen(records: tuple[Record, ...], kind: int) -> tuple[Record, ...]:
    """Pick the records of one type, or all for ANY."""
    return tuple(record for record in records if kind in (record.type, RdataType.ANY))
