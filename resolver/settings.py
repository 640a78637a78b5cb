"""What one node is told: fixed once it starts."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from registry.model.identifier import CaseRule
from registry.model.identity import Identity

if TYPE_CHECKING:
    from resolver.dns.zones import Zone

Role = Literal["top", "secondary", "enterprise", "recursive"]


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """Settings of one node."""

    name: str
    role: Role
    title: str = ""
    prefix: str = ""
    """Its own prefix; empty for a recursive node."""

    directory: Path | None = None
    """Where its registry lies; None for a node without one."""

    case_rule: CaseRule = CaseRule.FOLD
    authentication: bool = True
    """False lets everybody do everything (`--open-writes`)."""

    operators: tuple[Identity, ...] = ()
    """Who may do everything here."""

    hosts: tuple[str, ...] = ("127.0.0.1",)
    handle_port: int = 0
    http_port: int = 0
    https_port: int = 0
    dns_port: int = 0
    dns_zones: tuple["Zone", ...] = ()
    """What a node with a DNS face answers for; none means `idis.test`."""

    negative_ttl_seconds: int = 2
    """How long a recursive node remembers that something is not there. The real
    system's rule is not published (idis notes §3), so it is short and yours."""

    cache_entries: int = 100_000
    """Answers a recursive node keeps."""
