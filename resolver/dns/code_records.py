"""Alias records of product codes as NAPTR records (RFC 3403; emulator convention).

Of a record's values two say where to go: `GS1.LINK`, a Digital Link in JSON, and
`DNS.NAPTR`, a record in presentation form for what no link expresses. A link becomes

    ORDER PREFERENCE "u" "SERVICE" "!^.*$!HREF!" .

where SERVICE is the link's own `service`, or what its zone makes of its type. A link whose
address does not fit into the 255 octets of a character string is left out; the answer
says so when it was the only one.
"""

import functools
import json
from collections.abc import Sequence
from typing import NamedTuple

from dns.edns import EDECode
from dns.rcode import Rcode
from dns.rdatatype import RdataType

from registry.model.value import Value
from registry.schemes.mapping import LINK_TYPE, NAPTR_TYPE
from resolver.dns.apex import ZONE_TTL_SECONDS, chosen, negative, ns_of, soa_of
from resolver.dns.asking import Found, Lookup, LookupFailedError, Step, ask
from resolver.dns.message import Answer, Explanation, Record
from resolver.dns.records import (
    DataError,
    cnri_records,
    counts_down,
    naptr_data,
    ttl_of,
)
from resolver.dns.zones import Served, Zone
from resolver.links.link import LinkError, read_link

_TOO_LONG = Explanation(
    EDECode.OTHER, "no link fits into a NAPTR record: ask the Digital Link resolver"
)


class Style(NamedTuple):
    """How a zone writes a link."""

    order: int
    preference: int
    service: str = ""
    """Of a link that names none; empty for the URI of its type."""


class Inquiry:
    """One question in a zone of codes, and how long its answer holds."""

    def __init__(self, served: Served, zone: Zone, owner: bytes, kind: int) -> None:
        self.served = served
        self.zone = zone
        self.owner = owner
        self.kind = kind
        self.expires = float("inf")

    def ask(self, name: str, types: tuple[bytes, ...] = ()) -> Lookup[Found]:
        """Ask for values of a name in the tree."""
        found = yield from ask(name.encode(), types)
        ages = counts_down(found.values)
        self.expires = 0.0 if ages else min(self.expires, found.expires)
        return found

    def exists(self, prefix: str) -> Lookup[bool]:
        """Tell whether a prefix of codes was delegated."""
        found = yield from self.ask(f"0.NA/{prefix}", (b"HS_SITE",))
        return found.exists

    def apex(self, now: float) -> Step:
        """Answer for the apex of the zone."""
        self.expires = now + ZONE_TTL_SECONDS
        static = soa_of(self.served, self.zone), ns_of(self.served, self.zone)
        return self.positive(chosen(static, self.kind))

    def inner(self, now: float) -> Step:
        """Answer for a name that has nothing of its own, whatever is below it."""
        self.expires = now + ZONE_TTL_SECONDS
        return self.absent(Rcode.NOERROR)

    def absent(self, rcode: Rcode, text: str = "") -> Step:
        """Answer that a name, or its records, are not there."""
        explanation = Explanation(EDECode.OTHER, text) if text else None
        return Step(self._negative(rcode, explanation))

    def positive(self, records: Sequence[Record]) -> Step:
        """Answer with records, or that there are none."""
        if not records:
            return self.absent(Rcode.NOERROR)
        answers = tuple(records)
        return Step(Answer(answers=answers, authoritative=True, expires=self.expires))

    def naptrs(self, found: Found, style: Style, now: float) -> Step:
        """Answer with the NAPTR records of an alias record.

        Raises:
            LookupFailedError: A value is no link, or no record.
        """
        if self.kind not in (RdataType.NAPTR, RdataType.ANY):
            return self.absent(Rcode.NOERROR)
        try:
            records, left_out = _naptrs(self.owner, found.values, style, now)
        except DataError as error:
            raise LookupFailedError(EDECode.INVALID_DATA, str(error)) from None
        if left_out and not records:
            return Step(self._negative(Rcode.NOERROR, _TOO_LONG))
        return self.positive(records)

    def _negative(self, rcode: Rcode, explanation: Explanation | None) -> Answer:
        soa = soa_of(self.served, self.zone)
        return negative(rcode, soa, self.expires, explanation)


def _naptrs(
    owner: bytes, values: Sequence[Value], style: Style, now: float
) -> tuple[list[Record], bool]:
    """Make the records, all of one TTL; tell whether a link did not fit."""
    links = [value for value in values if value.type.upper() == LINK_TYPE]
    given = [value for value in values if value.type.upper() == NAPTR_TYPE]
    made = [_link_data(value, style) for value in links]
    found = [data for data in made if data is not None]
    found += (item.data for item in cnri_records(owner, given, RdataType.NAPTR, now))
    if not found:
        return [], bool(made)
    ttl = ttl_of([*links, *given], now)
    unique = dict.fromkeys(found)
    return [Record(owner, RdataType.NAPTR, ttl, data) for data in unique], False


def _link_data(value: Value, style: Style) -> bytes | None:
    try:
        return _made(value.data, style)
    except (LinkError, DataError) as error:
        raise DataError(f"value {value.index}, {value.type}: {error}") from None


@functools.lru_cache(maxsize=512)
def _made(octets: bytes, style: Style) -> bytes | None:
    """Make the data of a link's record; reading JSON is most of an answer's time."""
    link = read_link(octets)
    service = json.loads(octets).get("service", "")
    if not isinstance(service, str) or not service.isascii():
        message = "service: ASCII text expected"
        raise DataError(message)
    service = service or style.service or link.type
    return naptr_data(
        style.order, style.preference, service.encode(), link.href.encode()
    )
