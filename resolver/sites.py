"""The HS_SITE record of a node: one server, three kinds of interface."""

from registry.model.typed import Interface, InterfaceType, Protocol, Server, Site

SITE_SERIAL = 1
_BOTH = InterfaceType.ADMIN | InterfaceType.QUERY


def site_of(
    host: str, ports: tuple[int, int, int], description: str, public_key: bytes
) -> bytes:
    """Give HS_SITE data for a node at one address.

    `ports` are those of the Handle protocol, of HTTP and of HTTPS. TCP comes first:
    the official SDK takes the first TCP interface it finds, others look for UDP.
    """
    handle, http, https = ports
    interfaces = (
        Interface(_BOTH, Protocol.TCP, handle),
        Interface(_BOTH, Protocol.UDP, handle),
        Interface(_BOTH, Protocol.HTTP, http),
        Interface(_BOTH, Protocol.HTTPS, https),
    )
    server = Server(1, host, public_key, interfaces)
    return Site(
        serial=SITE_SERIAL,
        primary=True,
        servers=(server,),
        attributes=(("desc", description),),
    ).encode()
