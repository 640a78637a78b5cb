"""What the model of the nation takes for granted, and where each number is from.

KIND       MEANING
measured   from growth.json, on one machine
published  in idis notes §2.4-2.5; V: read in a primary source, V2: in a secondary
derived    computed from published figures
product    a limit or setting of this program
ours       nobody has published it: chosen by us, to be replaced by who knows better
"""

from dataclasses import dataclass, field, fields
from typing import Any, Literal

from resolver.handlers.forward import MAX_FLIGHTS
from resolver.upstream import MAX_DELEGATIONS, SETTINGS

Kind = Literal["measured", "published V", "published V2", "derived", "product", "ours"]


def _assume(value: float, kind: Kind, text: str) -> Any:
    return field(default=value, metadata={"kind": kind, "text": text})


@dataclass(frozen=True, slots=True)
class Nation:
    """The numbers of the model; see each one's text."""

    wuhan_identifiers: float = _assume(
        1.9e9, "published V", "identifiers in Wuhan, with 14 secondary nodes"
    )
    grown_identifiers: float = _assume(
        4.75e9, "derived", "the same density with 35 secondary nodes"
    )
    resolutions_per_day: float = _assume(
        300e6, "published V2", "the nation's target for 2026, at least"
    )
    wuhan_share: float = _assume(
        0.0475, "derived", "Wuhan's share of identifiers in 2021, 1.9 of 40 billion"
    )
    peak_factor: float = _assume(10, "ours", "peak to average; 3 to 10 is usual")
    secondary_per_second: float = _assume(
        10_000, "published V2", "what a secondary node's link is to be built for"
    )
    headroom: float = _assume(
        3, "published V2", "capacity of a secondary node, of its historical peak"
    )
    enterprises_per_secondary: float = _assume(
        1_240, "derived", "470,000 enterprises at 380 secondary nodes, 2024"
    )
    self_run_share: float = _assume(
        0.5, "ours", "share of questions about enterprises with a node of their own"
    )
    exponent: float = _assume(
        1.0, "ours", "Zipf exponent of the popularity of identifiers and enterprises"
    )
    node_exponent: float = _assume(
        1.0,
        "derived",
        "Zipf exponent over secondary nodes: a quarter of them in "
        "Jiangsu holds two thirds of its identifiers",
    )
    ttl_seconds: float = _assume(86_400, "published V", "default TTL of a value")
    cache_entries: float = _assume(
        1e6, "product", "answers in the packet cache of one recursive node"
    )
    delegations: float = _assume(
        MAX_DELEGATIONS, "product", "prefixes whose place a recursive node remembers"
    )
    flights: float = _assume(
        MAX_FLIGHTS, "product", "resolutions under way at one recursive node"
    )
    silent_seconds: float = _assume(
        2 * SETTINGS.retry.lifetime_seconds,
        "product",
        "how long a resolution waits for a node that says nothing: for what it "
        "remembers, then for what it asks anew",
    )
    client_ms: float = _assume(5, "ours", "client to recursive node and back")
    top_ms: float = _assume(20, "ours", "recursive to top node and back")
    secondary_ms: float = _assume(20, "ours", "recursive to secondary node and back")
    enterprise_ms: float = _assume(
        30, "ours", "recursive to self-run enterprise node and back"
    )
    utilisation: float = _assume(0.6, "ours", "of a core, at most, at the peak")
    spare: float = _assume(1, "ours", "cores more than needed, in each tier")

    def listed(self) -> list[dict[str, object]]:
        """Give all of it as JSON members."""
        return [
            {"name": each.name, "value": getattr(self, each.name), **each.metadata}
            for each in fields(self)
        ]
