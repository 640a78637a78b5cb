"""What a node counts. Plain integers; the metrics face gives them names.

No identifier is ever a key here: the sets of keys are closed.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Telemetry:
    """Counters of one node since it started."""

    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    """By transport and operation code; unknown operations count as 0."""

    answers: Counter[int] = field(default_factory=Counter)
    """By response code."""

    dns_requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Over DNS, by transport and type; rare types count as OTHER."""

    dns_answers: Counter[str] = field(default_factory=Counter)
    """Over DNS, by rcode."""

    log_requests: Counter[str] = field(default_factory=Counter)
    """Answers about the log, by what was given; receipts count, too."""

    link_requests: Counter[int] = field(default_factory=Counter)
    """Digital Link requests, by HTTP status."""

    log_failures: int = 0
    """Questions about the log that met damage or a failing disk."""

    malformed: int = 0
    """Messages answered with a protocol error, or with silence."""

    internal_errors: int = 0
    """Requests that met a fault of our own; each is in the log."""

    shed: int = 0
    """Requests turned away because too many were waiting."""

    connections_open: int = 0
    connections_refused: int = 0
    connections_aborted: int = 0
    """Closed by us: a slow reader, a stalled sender, an oversized message."""

    duplicates: int = 0
    """Retransmitted writes that were recognised and not done again."""

    cache_hits: int = 0
    cache_misses: int = 0
    upstream_requests: int = 0
    upstream_failures: int = 0
    update: Callable[[], None] = lambda: None
    """Adds what is counted elsewhere; called before anybody reads."""

    resolutions: int = 0
    """Successful answers with values: with this node's own authority, or, at a recursive
    node, from its cache or from the tree."""
