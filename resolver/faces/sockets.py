"""Sockets bound before anything is served, so that addresses can be published first.

A node answers on every host at the same port, by UDP and by TCP. Port 0 asks the
system for a free one, and tries again when it is not free on all of them.
"""

import contextlib
import errno
import socket
from collections.abc import Sequence
from typing import NamedTuple

from resolver.errors import PortError

LOOPBACK = ("127.0.0.1", "::1")
BACKLOG = 1024
_ATTEMPTS = 32
_RECEIVE_BUFFER_OCTETS = 1 << 20

_KINDS = {
    "udp": (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    "tcp": (socket.SOCK_STREAM, socket.IPPROTO_TCP),
}
"""With the protocol named: asyncio sends at once on sockets that say they are TCP."""


class Bound(NamedTuple):
    """Sockets at one port."""

    port: int
    udp: tuple[socket.socket, ...]
    tcp: tuple[socket.socket, ...]

    def close(self) -> None:
        """Close them all."""
        for item in (*self.udp, *self.tcp):
            item.close()


def reachable_hosts(hosts: Sequence[str] = LOOPBACK) -> tuple[str, ...]:
    """Leave out IPv6 loopback where the machine has none."""
    return tuple(host for host in hosts if host != "::1" or _has_ipv6_loopback())


def bind(
    hosts: Sequence[str], port: int, transports: Sequence[str], what: str
) -> Bound:
    """Bind every host and transport at one port.

    Raises:
        PortError: The port is in use or forbidden, or a host is not ours.
    """
    attempts = _ATTEMPTS if port == 0 else 1
    for attempt in range(attempts):
        try:
            return _bind_all(hosts, port, transports)
        except OSError as error:
            in_use = error.errno == errno.EADDRINUSE
            if not in_use or attempt == attempts - 1:
                raise _port_error(hosts, port, what, error) from error
    raise AssertionError("unreachable")


def _bind_all(hosts: Sequence[str], port: int, transports: Sequence[str]) -> Bound:
    made: dict[str, list[socket.socket]] = {"udp": [], "tcp": []}
    try:
        for host in hosts:
            for transport in transports:
                item = _bind_one(host, port, transport)
                made[transport].append(item)
                port = item.getsockname()[1]
    except OSError:
        for item in (*made["udp"], *made["tcp"]):
            item.close()
        raise
    return Bound(port, tuple(made["udp"]), tuple(made["tcp"]))


def _bind_one(host: str, port: int, transport: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    item = socket.socket(family, *_KINDS[transport])
    try:
        item.setblocking(False)
        if family == socket.AF_INET6:
            item.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if transport == "tcp":
            item.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            _send_at_once(item)
        else:
            item.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_OCTETS)
        item.bind((host, port))
        if transport == "tcp":
            item.listen(BACKLOG)
    except OSError:
        item.close()
        raise
    return item


def _send_at_once(item: socket.socket) -> None:
    """Choose a congestion control that does not pace.

    Connections do not leave this machine, and a timer before each burst takes longer
    than sending it: BBR halves what one connection carries.
    """
    with contextlib.suppress(OSError, AttributeError):  # a system without a choice
        item.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")


def _has_ipv6_loopback() -> bool:
    try:
        _bind_one("::1", 0, "udp").close()
    except OSError:
        return False
    return True


def _port_error(
    hosts: Sequence[str], port: int, what: str, error: OSError
) -> PortError:
    where = f"{what}: cannot listen on {', '.join(hosts)} port {port}"
    if error.errno == errno.EADDRINUSE:
        hint = (
            "stop what uses it, or choose other ports (--port-base 0 takes free ones)"
        )
    elif error.errno == errno.EACCES:
        hint = "ports below 1024 need privileges: choose a higher --port-base"
    else:
        hint = "choose an address of this machine with --host"
    return PortError(f"{where}: {error.strerror}", hint)
