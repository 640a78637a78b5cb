"""Where a prefix is served: its sites, and who of them answers for a name.

A site is a set of servers that share the handles of a prefix among them by a hash
(handle notes §1.8); several sites of a prefix hold the same handles.
"""

import hashlib
from collections.abc import Iterable

from registry.errors import MalformedError
from registry.model.typed import InterfaceType, Protocol, Server, Site
from registry.model.value import Value
from resolver.session.exchange import ServerAddress

MAX_SITES = 16
"""Sites of one prefix that are tried; each may take a whole lifetime."""

Sites = tuple[Site, ...]
"""In the order they are asked."""

_SITE_TYPES = ("HS_SITE", "HS_SITE.6", "HS_SITE.PREFIX", "HS_NA_DELEGATE")


def addresses(sites: Sites, name: bytes) -> Iterable[ServerAddress]:
    """List who answers for a name: in each site the one server that its hash picks.

    The other servers of a site hold other handles (handle notes §1.8), so the
    stand-in for a silent one is in the next site.
    """
    seen = set()
    for site in sites[:MAX_SITES]:
        server = server_of(site, name)
        address = None if server is None else query_address(server)
        if address is not None and address not in seen:
            seen.add(address)
            yield address


def server_of(site: Site, name: bytes) -> Server | None:
    """Pick the server that holds a canonical name; None in a site without any.

    The last four octets of the MD5 of the upper-cased part, as a signed integer
    without its sign, modulo the number of servers (handle notes §1.8).
    """
    if len(site.servers) < 2:
        return site.servers[0] if site.servers else None
    prefix, _, suffix = name.partition(b"/")
    part = {0: prefix, 1: suffix}.get(site.hash_option, name)
    digest = hashlib.md5(part.upper(), usedforsecurity=False).digest()
    number = abs(int.from_bytes(digest[-4:], "big", signed=True))
    return site.servers[number % len(site.servers)]


def query_address(server: Server) -> ServerAddress | None:
    """Give where a server answers queries; None where neither over UDP nor TCP."""
    return _address(server, InterfaceType.QUERY)


def admin_address(server: Server) -> ServerAddress | None:
    """Give where a server takes writes; only TCP is asked there."""
    address = _address(server, InterfaceType.ADMIN)
    return address if address is not None and address.tcp_port else None


def sites_in(values: Iterable[Value]) -> Sites:
    """Decode the sites among values, in their order; those that break are left out."""
    sites = []
    for value in values:
        if value.type.upper() in _SITE_TYPES:
            try:
                sites.append(Site.decode(value.data))
            except MalformedError:
                continue  # the next site may be right, and without any the walk ends
    return tuple(sites)


def _address(server: Server, kind: InterfaceType) -> ServerAddress | None:
    udp = server.port(Protocol.UDP, kind)
    tcp = server.port(Protocol.TCP, kind)
    return ServerAddress(server.address, udp, tcp) if udp or tcp else None
