"""What load to put on a server, and what came of it."""

import ipaddress
import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

from bench.corpus import Corpus
from bench.distribution import Distribution
from resolver.errors import SetupError, UnreachableError
from resolver.wire.codes import OpFlag

Protocol = Literal["handle", "dns", "redis"]
Transport = Literal["udp", "tcp"]
Check = Literal["learned", "computed", "unverified"]

Told = Callable[[str, int, int], None]
"""Told what is being done, how far it is, and how much there is of it."""

PUBLIC_ONLY = int(OpFlag.PUBLIC_ONLY)
DEFAULT_SEQUENCE = 1 << 18
MAX_SEQUENCE = 1 << 24
MAX_IN_FLIGHT = 1 << 16
MAX_CONNECTIONS = 512


@dataclass(frozen=True, slots=True)
class Load:
    """One load: on whom, what, how much.

    A closed loop keeps `window` requests in flight. With a `rate` it is an open loop:
    requests are sent by schedule, however many are in flight, and their latency counts
    from when they should have been sent.
    """

    target: tuple[str, int]
    corpus: Corpus
    protocol: Protocol = "handle"
    transport: Transport = "udp"
    distribution: Distribution = "zipf"
    exponent: float = 1.0
    window: int = 64
    """Closed loop: requests in flight, over all connections."""

    rate: float | None = None
    """Open loop: requests a second."""

    connections: int = 1
    seconds: float = 5.0
    """How long requests are sent, after the warm-up."""

    queries: int | None = None
    """Stop earlier, once so many requests were sent after the warm-up."""

    warm_up: float = 0.5
    """Seconds that are not counted; none when each identifier is asked once."""

    timeout: float = 1.0
    """Seconds after which a request counts as lost."""

    seed: int = 1
    flags: int = PUBLIC_ONLY
    """Flag word of Handle requests."""

    check: Check | None = None
    """Where the replies to expect come from. `learned`: each identifier is asked once
    before, compared with the corpus, and must be answered in the same octets ever
    after. `computed`: from the corpus, without asking, so nothing is warmed up; when
    values were written is not compared then. `unverified`: learned, but not compared
    with the corpus, for servers that hold something else. None learns, but computes
    where each identifier is to be asked once."""

    sequence: int | None = None
    """Requests before the sequence of identifiers begins again."""

    dns_zone: str | None = None
    dns_type: str = "TXT"

    def __post_init__(self) -> None:
        _check_load(self)

    @property
    def counted_from(self) -> float:
        """Seconds from the start from which requests count."""
        return 0.0 if self.distribution == "each-once" else self.warm_up

    @property
    def checked_by(self) -> Check:
        """Where the replies to expect come from, decided."""
        if self.check is not None:
            return self.check
        once = self.distribution == "each-once" and self.protocol == "handle"
        return "computed" if once else "learned"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a load; all but `early_faults` is of the time after the warm-up."""

    sent: int
    answered: int
    """Requests that got a reply, right or wrong."""

    lost: int
    wrong: int
    """Replies that were not what they should be."""

    failed: int
    """Those of the wrong ones that had another response code than they should."""

    unsolicited: int
    """Replies to nothing in flight: repeated, late, or never asked for."""

    behind: int
    """Requests of an open loop that were sent more than 1 ms late."""

    early_faults: int
    """Lost, wrong and unsolicited ones of the warm-up."""

    reconnects: int
    seconds: float
    """From the end of the warm-up to the last reply."""

    codes: dict[int, int]
    histogram: str
    """HdrHistogram of latencies in ns, to three digits, V2 compressed, base64."""

    p50_us: float
    p90_us: float
    p99_us: float
    p999_us: float
    max_us: float
    mean_us: float
    generator_cpu: float
    """Share of one core that the generator used."""

    first_wrong: str = ""
    """What was wrong with the first wrong reply."""

    @property
    def qps(self) -> float:
        """Right replies a second."""
        right = self.answered - self.wrong
        return right / self.seconds if self.seconds > 0 else 0.0

    def as_dict(self) -> dict[str, object]:
        """Give it as JSON members."""
        return {"qps": self.qps, **asdict(self)}


def check_target(load: Load, *, told_twice: bool) -> str:
    """Give the address of the target, if it may be put under load.

    Raises:
        SetupError: It is not loopback, and that was not said twice.
        UnreachableError: Its name is not known.
    """
    host, port = load.target
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except OSError as error:
        message = f"{host}: {error.strerror or error}"
        raise UnreachableError(message) from error
    address = str(found[0][4][0])
    local = ipaddress.ip_address(address.partition("%")[0]).is_loopback
    if not local and not told_twice:
        message = f"{host} ({address}) is not loopback: load is refused"
        hint = "a server of yours needs --allow-remote --i-own-this-target"
        raise SetupError(message, hint)
    return address


def _check_load(load: Load) -> None:
    rules = (
        (load.protocol != "redis" or load.transport == "tcp", "redis speaks TCP"),
        (load.protocol != "dns" or load.dns_zone, "DNS needs a zone"),
        (load.rate is None or load.rate > 0, f"rate {load.rate}: more than 0 expected"),
        (load.seconds > 0, f"{load.seconds} seconds: more than 0 expected"),
        (load.warm_up >= 0, f"warm-up of {load.warm_up} s: 0 or more expected"),
        (load.timeout > 0, f"timeout of {load.timeout} s: more than 0 expected"),
        (
            1 <= load.connections <= MAX_CONNECTIONS,
            f"{load.connections} connections: 1 to {MAX_CONNECTIONS} expected",
        ),
        (
            load.connections <= load.window <= MAX_IN_FLIGHT,
            f"window {load.window}: from the number of connections to {MAX_IN_FLIGHT}",
        ),
        (
            load.check != "computed" or load.protocol == "handle",
            f"replies of {load.protocol} cannot be computed",
        ),
        (
            load.sequence is None or 1 <= load.sequence <= MAX_SEQUENCE,
            f"a sequence of {load.sequence}: 1 to {MAX_SEQUENCE:,} expected",
        ),
        (
            load.queries is None or load.queries >= 1,
            f"{load.queries} queries: 1 or more expected",
        ),
    )
    for right, message in rules:
        if not right:
            raise SetupError(message)
