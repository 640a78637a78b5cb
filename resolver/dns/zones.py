"""Zones that a DNS face answers for, and what every zone has at its apex.

A zone holds all identifiers, in names of our own, or stands for one prefix, by CNRI's
convention (`resolver.dns.names`), or for product codes of a scheme (`resolver.dns.ons`,
`resolver.dns.ors`). The deepest zone that a name lies in counts.
"""

import enum
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import dns.exception
import dns.name

from registry.errors import InvalidIdentifierError
from registry.model.identifier import canonical
from resolver.dns.names import (
    DEFAULT_ZONE,
    ENTERPRISE_LABELS,
    NAME_SERVER,
    Labels,
)
from resolver.errors import SetupError

MAX_ZONE_OCTETS = 128
DEFAULT_ONS_ROOT = "onsepc.com."
"""Root of GS1's Object Name Service (ONS 2.0.1)."""

ORS_ROOT = "oid-res.org."
"""Root of the object identifier resolution system (X.672)."""

_EXAMPLES = "for example idis.test, or example.com=88.118.7/DNS"


class ZoneKind(enum.Enum):
    """What the names of a zone are."""

    IDENTIFIERS = enum.auto()
    CNRI = enum.auto()
    ONS = enum.auto()
    ORS = enum.auto()


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone, and what the names in it mean."""

    name: str
    """Absolute, folded, as text: it ends in a dot."""

    origin: bytes
    """The same as octets."""

    prefix: bytes | None = None
    """What CNRI's convention puts before a name, or below which the codes of a scheme
    are registered; None for a zone of identifiers."""

    prefix_labels: int = ENTERPRISE_LABELS
    kind: ZoneKind = ZoneKind.IDENTIFIERS


def parse_zone(text: str, prefix_labels: int = ENTERPRISE_LABELS) -> Zone:
    """Read `ZONE`, one of identifiers, or `ZONE=PREFIX`, one of CNRI's convention.

    Raises:
        SetupError: The zone is no domain name, or the prefix no identifier.
    """
    name, equals, prefix = text.partition("=")
    zone, origin = _parse_name(name)
    if not equals:
        return Zone(zone, origin, None, prefix_labels)
    try:
        canonical(prefix.encode())
    except (InvalidIdentifierError, UnicodeEncodeError) as error:
        raise SetupError(f"zone {name}: {error}", _EXAMPLES) from None
    return Zone(zone, origin, prefix.encode(), kind=ZoneKind.CNRI)


def code_zones(
    ons_root: str = DEFAULT_ONS_ROOT, national: str = "88"
) -> tuple[Zone, ...]:
    """Make the zones of GS1 codes and of object identifiers.

    Args:
        ons_root: A root, or a peer root, of ONS.
        national: The prefix below which the schemes have theirs.

    Raises:
        SetupError: The root is no domain name.
    """
    ons, ors = _parse_name(ons_root), _parse_name(ORS_ROOT)
    gs1, oid = f"{national}.GS1".encode(), f"{national}.OID".encode()
    return Zone(*ons, gs1, kind=ZoneKind.ONS), Zone(*ors, oid, kind=ZoneKind.ORS)


def _parse_name(name: str) -> tuple[str, bytes]:
    try:
        zone = dns.name.from_text(name).canonicalize()
    except (dns.exception.DNSException, UnicodeError) as error:
        message = f"zone {name!r}: a domain name expected: {error}"
        raise SetupError(message, _EXAMPLES) from None
    if zone == dns.name.root:
        message = f"zone {name!r}: a name below the root expected"
        raise SetupError(message, _EXAMPLES)
    origin = zone.to_wire()
    assert origin is not None
    if len(origin) > MAX_ZONE_OCTETS:
        message = f"zone {name!r}: {len(origin)} octets, at most {MAX_ZONE_OCTETS}"
        raise SetupError(message, "names of identifiers need room below it")
    return zone.to_text(), origin


def zones_of(
    texts: Iterable[str],
    prefix_labels: int = ENTERPRISE_LABELS,
    codes: Sequence[Zone] = (),
) -> tuple[Zone, ...]:
    """Read zones; without one of identifiers, the default one is added at the front.

    Zones of codes come last, and not where a zone of the same name was asked for.

    Raises:
        SetupError: One is not usable, or there twice.
    """
    zones = [parse_zone(text, prefix_labels) for text in texts]
    if all(zone.prefix is not None for zone in zones):
        zones.insert(0, parse_zone(DEFAULT_ZONE, prefix_labels))
    names = [zone.name for zone in zones]
    for name in names:
        if names.count(name) > 1:
            message = f"zone {name}: once expected, given {names.count(name)} times"
            raise SetupError(message, "a zone means identifiers, or one prefix")
    return (*zones, *(zone for zone in codes if zone.name not in names))


@dataclass(frozen=True, slots=True)
class Served:
    """All zones of one server, and how it is called in them."""

    zones: dict[bytes, Zone]
    """By origin."""

    server: bytes
    """Name of the server, in the first zone of identifiers."""

    addresses: tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, ...]
    negative_ttl_seconds: int

    def find(self, name: bytes) -> tuple[Zone, Labels] | None:
        """Find the zone of a folded name, and the labels below its apex."""
        labels: list[bytes] = []
        at = 0
        while True:
            zone = self.zones.get(name[at:])
            if zone is not None:
                return zone, tuple(labels)
            size = name[at]
            if size == 0:
                return None
            labels.append(name[at + 1 : at + 1 + size])
            at += 1 + size


def serve(
    zones: Sequence[Zone], hosts: Iterable[str], negative_ttl_seconds: int
) -> Served:
    """Put zones together; at least one is of identifiers."""
    first = next(zone for zone in zones if zone.prefix is None)
    return Served(
        {zone.origin: zone for zone in zones},
        bytes((len(NAME_SERVER),)) + NAME_SERVER + first.origin,
        tuple(ipaddress.ip_address(host) for host in hosts),
        negative_ttl_seconds,
    )
