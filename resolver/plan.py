"""From a topology to the settings of its nodes: names, parents, ports, operators."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from resolver.code_prefixes import CodePrefix, code_prefixes, scheme_prefixes
from resolver.errors import SetupError
from resolver.identities import Administrator
from resolver.settings import NodeSettings, Role
from resolver.topology import Enterprise, NodeSpec, Topology

if TYPE_CHECKING:
    from resolver.dns.zones import Zone

DEFAULT_RECURSIVE_PORT = 3641
DEFAULT_TOP_PORT = 2641
DEFAULT_TOP_HTTP_PORT = 3000
DEFAULT_DNS_PORT = 5300
DEFAULT_PORT_BASE = 20_000
_WELL_KNOWN = {
    DEFAULT_RECURSIVE_PORT,
    DEFAULT_TOP_PORT,
    DEFAULT_TOP_HTTP_PORT,
    DEFAULT_DNS_PORT,
    *(27_002, 27_003, 7_053, 7_054),  # the chains'
}
_LARGEST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class PlannedNode:
    """One node to be, and its place in the tree."""

    settings: NodeSettings
    parent: str | None
    """Name of the node that allocated its prefix."""

    served: tuple[Enterprise, ...] = ()
    """Enterprises whose prefixes live here: hosted ones, or the self-run one."""

    delegated: tuple[str, ...] = ()
    """Prefixes directly below its own that other nodes serve."""

    codes: tuple[CodePrefix, ...] = ()
    """Prefixes of product codes that live here."""

    delegated_codes: tuple[CodePrefix, ...] = ()
    """Prefixes of product codes that other nodes serve, and whose records are here."""

    @property
    def prefixes(self) -> tuple[str, ...]:
        """All prefixes that live here."""
        own = (self.settings.prefix,) if self.settings.prefix else ()
        return own + tuple(
            item.prefix for item in self.served if item.prefix not in own
        )


def plan(
    topology: Topology,
    *,
    port_base: int | None,
    hosts: tuple[str, ...],
    authentication: bool,
    node_directory: Callable[[str], Path],
    administrators: dict[str, Administrator],
) -> tuple[PlannedNode, ...]:
    """Lay out all nodes: recursive, top, then each secondary and its enterprises.

    Raises:
        SetupError: The ports do not suffice.
    """
    ports = _Ports(port_base, _fixed_ports(topology))

    def settings(spec: NodeSpec, role: Role, prefix: str = "") -> NodeSettings:
        handle, http, https = ports.take(spec, role)
        administrator = administrators.get(prefix)
        return NodeSettings(
            spec.name,
            role,
            title=spec.title,
            prefix=prefix,
            directory=node_directory(spec.name) if prefix else None,
            authentication=authentication,
            operators=administrator.identities if administrator else (),
            hosts=hosts,
            handle_port=handle,
            http_port=http,
            https_port=https,
            dns_port=ports.take_dns(spec) if role == "recursive" else 0,
        )

    return tuple(_plan(topology, settings))


def with_zones(planned: PlannedNode, zones: tuple["Zone", ...]) -> PlannedNode:
    """Tell a node which zones it answers for, if it speaks DNS."""
    if planned.settings.role != "recursive":
        return planned
    return replace(planned, settings=replace(planned.settings, dns_zones=zones))


def _plan(
    topology: Topology, settings: Callable[..., NodeSettings]
) -> Iterator[PlannedNode]:
    yield PlannedNode(settings(topology.recursive, "recursive"), None)
    top = topology.top
    below = tuple(secondary.prefix for secondary in topology.secondaries)
    yield PlannedNode(
        settings(top, "top", top.prefix),
        None,
        delegated=below,
        codes=scheme_prefixes(topology),
        delegated_codes=_codes_of(topology.enterprises),
    )
    for secondary in topology.secondaries:
        self_run = tuple(item for item in secondary.enterprises if item.self_run)
        hosted = tuple(item for item in secondary.enterprises if not item.self_run)
        yield PlannedNode(
            settings(secondary, "secondary", secondary.prefix),
            top.name,
            served=hosted,
            delegated=tuple(item.prefix for item in self_run),
            codes=_codes_of(hosted),
        )
        for item in self_run:
            yield PlannedNode(
                settings(item, "enterprise", item.prefix),
                secondary.name,
                served=(item,),
                codes=code_prefixes(item),
            )


def _codes_of(enterprises: Iterable[Enterprise]) -> tuple[CodePrefix, ...]:
    return tuple(itertools.chain.from_iterable(map(code_prefixes, enterprises)))


class _Ports:
    """Hands out ports: fixed ones, the well-known ones, then counted ones."""

    def __init__(self, base: int | None, taken: frozenset[int]) -> None:
        self._ephemeral = base == 0
        self._taken = taken | _WELL_KNOWN
        self._counted = itertools.count(DEFAULT_PORT_BASE if base is None else base)

    def take(self, spec: NodeSpec, role: Role) -> tuple[int, int, int]:
        """Give handle, HTTP and HTTPS port of a node."""
        known = {
            "recursive": (DEFAULT_RECURSIVE_PORT, None, None),
            "top": (DEFAULT_TOP_PORT, DEFAULT_TOP_HTTP_PORT, None),
        }.get(role, (None, None, None))
        fixed = (spec.ports.handle, spec.ports.http, spec.ports.https)
        handle, http, https = (
            self._one(wanted, usual) for wanted, usual in zip(fixed, known, strict=True)
        )
        return handle, http, https

    def take_dns(self, spec: NodeSpec) -> int:
        """Give the DNS port of the recursive node."""
        return self._one(spec.ports.dns, DEFAULT_DNS_PORT)

    def _one(self, fixed: int | None, usual: int | None) -> int:
        if fixed is not None:
            return fixed
        if self._ephemeral:
            return 0
        return self._count() if usual is None else usual

    def _count(self) -> int:
        port = next(port for port in self._counted if port not in self._taken)
        if port > _LARGEST_PORT:
            message = f"ports counted up to {port}, {_LARGEST_PORT} is the largest"
            raise SetupError(message, "choose a lower --port-base, or 0 for free ports")
        return port


def _fixed_ports(topology: Topology) -> frozenset[int]:
    """Give the ports that a topology file has set, which are not counted."""
    secondaries, enterprises = topology.secondaries, topology.enterprises
    specs = (topology.top, topology.recursive, *secondaries, *enterprises)
    ports = (
        port
        for spec in specs
        for port in (
            spec.ports.handle,
            spec.ports.http,
            spec.ports.https,
            spec.ports.dns,
        )
    )
    return frozenset(port for port in ports if port)
