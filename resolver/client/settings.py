"""Settings of a client and its transport."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from resolver.errors import SetupError
from resolver.session.exchange import RetryPolicy

if TYPE_CHECKING:
    from resolver.client.known_logs import KnownLogs


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """How a client behaves; one object for both twins."""

    retry: RetryPolicy = field(default_factory=RetryPolicy)
    """Seconds each UDP try waits, and the limit of a whole call."""

    use_udp: bool = True
    """Ask over UDP first; without, everything goes over TCP."""

    max_sockets: int = 256
    """Servers spoken to over UDP at once, and likewise over TCP."""

    max_in_flight: int = 1024
    """Requests without an answer on one socket or connection."""

    max_connections: int = 4
    """TCP connections to one server."""

    known_logs: "KnownLogs | None" = None
    """Logs whose proofs are believed; for `prove` only."""

    clock: Callable[[], float] = time.time  # noqa: TID251 (injected, not called)
    """Seconds since 1970, for the expiration of requests."""

    def __post_init__(self) -> None:
        if min(self.max_sockets, self.max_in_flight, self.max_connections) < 1:
            message = f"client settings {self}: limits of at least 1 expected"
            raise ValueError(message)


def check_concurrency(concurrency: int, settings: ClientSettings) -> int:
    """Give how many resolutions of a stream may be under way at once.

    Raises:
        ValueError: Less than 1.
    """
    if concurrency < 1:
        raise ValueError(f"concurrency {concurrency}: at least 1 expected")
    return min(concurrency, settings.max_in_flight)


def required_logs(settings: ClientSettings) -> "KnownLogs":
    """Give the logs that a client believes.

    Raises:
        SetupError: It was given none.
    """
    if settings.known_logs is None:
        message = "this client believes no log"
        hint = "ClientSettings(known_logs=KnownLogs.of_ready(READY))"
        raise SetupError(message, hint)
    return settings.known_logs
