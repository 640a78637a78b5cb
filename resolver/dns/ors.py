"""Object identifiers in DNS, as X.672 | ISO/IEC 29168-1 has them (resolvers notes §2.2).

Below `oid-res.org` the numbers of an object identifier stand reversed; Unicode labels of
its OID-IRI are redirected to them by DNAME, one at a time, from the root down:

    2.999.100.1.7             7.1.100.999.2.oid-res.org.
    1.3                       ors-dummy.3.1.oid-res.org.
    /Joint-ISO-ITU-T/16/156   156.16.joint-iso-itu-t ─DNAME─▶ 156.16.2.oid-res.org.

A DNAME's owner may have no other records, so X.672 puts the NAPTR records of an arc at
`ors-dummy` below its name; clients ask for the plain name as well. Both answer here, as
only labels have a DNAME. Of labels, those at the top of the tree are known.

The arcs of a name are looked for from the root down, as prefixes of codes; the last one
that was delegated has the record. An arc without one of its own is NXDOMAIN, unless it was
delegated itself, which makes it an empty non-terminal: NODATA.
"""

from dns.rcode import Rcode
from dns.rdatatype import RdataType

from registry.schemes import oid
from registry.schemes.mapping import alias_name
from registry.schemes.reading import CodeError
from resolver.dns.apex import ZONE_TTL_SECONDS
from resolver.dns.asking import Lookup, Step
from resolver.dns.code_records import Inquiry, Style
from resolver.dns.labels import LabelError
from resolver.dns.message import Record
from resolver.dns.names import Labels
from resolver.dns.redirects import redirect
from resolver.dns.zones import Served, Zone

DUMMY = b"ors-dummy"
MAX_ARCS = 32
"""Arcs of a name; each costs a resolution at most."""

_STYLE = Style(100, 10, "ORS+UINF")
"""A link without a service is the information that every node of ORS has."""


def look_up_ors(
    served: Served, zone: Zone, labels: Labels, owner: bytes, kind: int, now: float
) -> Lookup[Step]:
    """Answer for the name `owner`, which is `labels` below the root.

    Raises:
        LookupFailedError: A value is no link, or nobody can be asked.
    """
    inquiry = Inquiry(served, zone, owner, kind)
    if not labels:
        return inquiry.apex(now)
    is_dummy = labels[0] == DUMMY
    arcs = labels[1:] if is_dummy else labels
    try:
        at, target = _first_label(arcs)
        if target:
            return _redirected(inquiry, labels, arcs[at:], target, now)
        numbers = _numbers(arcs)
    except LabelError as error:
        inquiry.expires = 0.0
        return inquiry.absent(Rcode.NXDOMAIN, str(error))
    return (yield from _look_up_arc(inquiry, numbers, now, is_dummy=is_dummy))


def _first_label(arcs: Labels) -> tuple[int, Labels]:
    """Find the highest label that is no number, and the reversed numbers it stands for.

    Without any, these are none.
    """
    for at in range(len(arcs) - 1, -1, -1):
        if not arcs[at].isdigit():
            return at, _numbers_of_label(arcs[at:])
    return 0, ()


def _numbers_of_label(arcs: Labels) -> Labels:
    path = "/".join(arc.decode("ascii", "replace") for arc in reversed(arcs))
    try:
        # With an arc below, since an object identifier has two at least.
        (reading,) = oid.read(f"/{path}/0")
    except CodeError as error:
        raise LabelError(str(error)) from None
    return tuple(arc.encode() for arc in reversed(reading.code.split(".")[:-1]))


def _redirected(
    inquiry: Inquiry, labels: Labels, below: Labels, target: Labels, now: float
) -> Step:
    """Answer with the DNAME at `below`, the last of `labels`."""
    inquiry.expires = now + ZONE_TTL_SECONDS
    above = labels[: len(labels) - len(below)]
    place = inquiry.owner[sum(1 + len(label) for label in above) :]
    dname = Record(
        place,
        RdataType.DNAME,
        ZONE_TTL_SECONDS,
        _octets(target) + inquiry.zone.origin,
    )
    if above:
        return redirect(dname, inquiry.owner, inquiry.expires)
    is_asked = inquiry.kind in (RdataType.DNAME, RdataType.ANY)
    return inquiry.positive((dname,) if is_asked else ())


def _octets(labels: Labels) -> bytes:
    return b"".join(bytes((len(label),)) + label for label in labels)


def _numbers(arcs: Labels) -> list[str]:
    """Read arcs that are numbers, from the root down."""
    if not 0 < len(arcs) <= MAX_ARCS:
        raise LabelError(f"{len(arcs)} arcs: 1 to {MAX_ARCS} expected")
    numbers = [arc.decode("ascii") for arc in reversed(arcs)]
    try:
        # A root alone is an arc, and no object identifier yet.
        oid.read(".".join((*numbers, "0")) if len(numbers) == 1 else ".".join(numbers))
    except CodeError as error:
        raise LabelError(str(error)) from None
    return numbers


def _look_up_arc(
    inquiry: Inquiry, numbers: list[str], now: float, *, is_dummy: bool
) -> Lookup[Step]:
    assert inquiry.zone.prefix is not None
    scheme = inquiry.zone.prefix.decode()
    depth = 0
    while depth < len(numbers):
        prefix = ".".join((scheme, *numbers[: depth + 1]))
        if not (yield from inquiry.exists(prefix)):
            break
        depth += 1
    if depth:
        prefix = ".".join((scheme, *numbers[:depth]))
        found = yield from inquiry.ask(alias_name(prefix, ".".join(numbers)))
        if found.exists:
            return inquiry.naptrs(found, _STYLE, now)
    # The name below an arc without a record is not there, though the arc may be.
    is_there = depth == len(numbers) and not is_dummy
    return inquiry.absent(Rcode.NOERROR if is_there else Rcode.NXDOMAIN)


def ors_name(code: str) -> str:
    """Name a dotted object identifier, without `ors-dummy`; the name ends in a dot."""
    return ".".join((*reversed(code.split(".")), "oid-res.org."))
