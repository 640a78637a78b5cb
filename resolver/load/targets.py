"""Whom a load test aims at, and whom it refuses to.

A target comes from a network's ready file; `--host` names one face of another:

    HOST:PORT  handle://HOST:PORT    the Handle protocol, UDP and TCP
    http://HOST:PORT  https://...    the Handle JSON API
    dns://HOST:PORT                  the DNS face

Load is a weapon, so what is not this machine is refused unless told twice. Only literal
loopback addresses and `localhost` count as this machine: what a name leads to may change
between the look and the shot.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from resolver.errors import SetupError
from resolver.session.exchange import ServerAddress

ALLOW, OWN = "--allow-remote", "--i-own-this-target"
"""Both must be given to aim beyond loopback."""

_HINT = "HOST:PORT, http://HOST:PORT or dns://HOST:PORT"


class TargetError(SetupError):
    """A target that cannot be used, or must not be."""


class Address(NamedTuple):
    """A host and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Target:
    """One network as a load test sees it; a face that it lacks is None."""

    handle: Address | None = None
    http: str | None = None
    """Base URL of the JSON API, without a slash at the end."""

    dns: Address | None = None
    dns_zone: str | None = None
    identifiers: tuple[str, ...] = ()
    credentials: tuple[Mapping[str, Any], ...] = ()
    """Entries of the ready file."""

    secondaries: int = 0

    @property
    def addresses(self) -> tuple[tuple[str, str], ...]:
        """Give each face there is with its host."""
        http = urlsplit(self.http).hostname if self.http else None
        faces = (
            ("handle", self.handle and self.handle.host),
            ("http", http),
            ("dns", self.dns and self.dns.host),
        )
        return tuple((face, host) for face, host in faces if host is not None)


def target_of(ready: Mapping[str, Any]) -> Target:
    """Read a target from a ready file.

    Raises:
        TargetError: It is none, or lacks what every network has.
    """
    try:
        recursive, nodes = ready["recursive"], ready["nodes"]
        zone = recursive.get("dns_zone")
        return Target(
            Address(*recursive["handle"]),
            next((node["http"] for node in nodes if node["role"] == "recursive"), None),
            Address(*recursive["dns"]) if "dns" in recursive else None,
            zone.rstrip(".") if zone else None,
            tuple(ready["identifiers"]),
            tuple(ready["credentials"]),
            sum(node["role"] == "secondary" for node in nodes),
        )
    except (KeyError, TypeError, AttributeError) as error:
        message = f"a ready file of `idis up` expected: {error!r}"
        raise TargetError(message, "start a network: idis up") from None


def credentials_of(target: Target, kind: str) -> dict[str, Mapping[str, Any]]:
    """Give the credentials of a kind by the prefix that they may write under."""
    return {
        str(entry["handle"]).partition("/")[0]: entry
        for entry in target.credentials
        if entry["kind"] == kind
    }


def registering_prefixes(target: Target, kind: str) -> tuple[str, ...]:
    """Give the prefixes under which products are registered: those of enterprises.

    They are the ones that have identifiers of their own; where none has, all that a
    credential of this kind may write under.
    """
    writable = credentials_of(target, kind).keys()
    used = {name.partition("/")[0] for name in target.identifiers}
    return tuple(sorted(writable & used or writable))


def with_host(target: Target, host: str) -> Target:
    """Let `--host` replace one face of a target.

    Raises:
        TargetError: It is no address.
    """
    scheme, separator, rest = host.strip().rpartition("://")
    scheme = scheme.lower() if separator else "handle"
    if scheme in ("http", "https"):
        return replace(target, http=_base_url(host))
    if scheme == "handle":
        return replace(target, handle=_address(rest, host))
    if scheme == "dns":
        return replace(target, dns=_address(rest, host))
    message = f"--host {host}: a face {scheme!r} is not known"
    raise TargetError(message, _HINT)


def read_identifiers(file: Path) -> tuple[str, ...]:
    """Read identifiers, one a line; empty lines do not count.

    Raises:
        TargetError: It cannot be read, or has none.
    """
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        message = f"--identifiers {file}: {error}"
        raise TargetError(message, "a text file, one identifier a line") from None
    found = tuple(line.strip() for line in lines if line.strip())
    if not found:
        message = f"--identifiers {file}: no identifier in it"
        raise TargetError(message, "a text file, one identifier a line")
    return found


def check_allowed(target: Target, *, allow_remote: bool, own_target: bool) -> None:
    """Refuse to aim beyond loopback, unless told twice.

    Raises:
        TargetError: A face is elsewhere.
    """
    if allow_remote and own_target:
        return
    for face, host in target.addresses:
        if not is_loopback(host):
            message = f"{face} at {host} is not this machine: load is not sent there"
            hint = f"if it is yours and may be loaded, say so with {ALLOW} {OWN}"
            raise TargetError(message, hint)


def is_loopback(host: str) -> bool:
    """Tell whether a host is certainly this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _address(text: str, host: str) -> Address:
    try:
        parsed = ServerAddress.parse(text.rstrip("/"))
    except ValueError:
        message = f"--host {host}: HOST:PORT expected, IPv6 in brackets"
        raise TargetError(message, _HINT) from None
    assert parsed.tcp_port is not None
    return Address(parsed.host, parsed.tcp_port)


def _base_url(host: str) -> str:
    try:
        parts = urlsplit(host.strip())
        named = parts.hostname is not None and parts.port != 0
    except ValueError:
        named = False
    if not named:
        message = f"--host {host}: http://HOST:PORT expected"
        raise TargetError(message, _HINT)
    return host.strip().rstrip("/")
