"""What a whole network is told: topology, data, faces, logs, chains, anchoring."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from resolver.dns.zones import DEFAULT_ONS_ROOT
from resolver.topology import Topology

if TYPE_CHECKING:
    from chain_anchor.bif.keys import PrivateKey


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """What a network is told."""

    topology: Topology
    data: Path | None = None
    """None keeps everything in a temporary directory."""

    seed: int = 1
    hosts: tuple[str, ...] = ("127.0.0.1", "::1")
    port_base: int | None = None
    """Where ports are counted from; 0 lets the system choose all of them."""

    open_writes: bool = False
    dns_zones: tuple[str, ...] = ()
    """As `resolver.dns.zones.zones_of` reads them."""

    ons_root: str = DEFAULT_ONS_ROOT
    """Below which GS1 codes have their names in DNS."""

    fast_path: bool = False
    """Whether compiled kernels answer what they can, once `start_fast_path` has begun."""

    memory: Path | None = None
    """Directory that remembers, outside of the data, how far the logs were."""

    witnesses: tuple[str, ...] = ()
    """`VKEY@URL` of each witness that cosigns the logs."""

    witness_quorum: int = 0
    """How many of them must have cosigned before anything is acknowledged."""

    accept_rollback: bool = False
    """Go on from an older copy of the data; the logs say so."""

    rotate_log_keys: bool = False
    """Let another key sign each log from now on."""

    chains: bool = False
    """Whether the two chains run too."""

    strict_chains: bool = False
    """Whether they do only what real nodes do."""

    chain_clock: str = "system"
    """`system`, or `stepped`: only blocks move it, and the same ones come again."""

    anchoring: bool = False
    """Whether the national log's checkpoints go to a chain."""

    anchor_url: str = ""
    """HTTP of the chain; empty for the network's own backbone, if it runs."""

    anchor_key: "PrivateKey | None" = None
    """Key of the account that sends; None for the backbone's own, on its chain."""

    say: Callable[[str], None] = lambda _: None
    """Told what people should know."""

    key_cache: Path | None = None
    today: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)  # noqa: TID251
    """The time from which certificates are good."""
