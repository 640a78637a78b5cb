"""Queues and caches with closed formulas. Pure.

Where a formula exists it is used; the event simulation is for what has none, and is
tested against these. Rates are per second, times in seconds.
"""

import math


def mm1_response_quantile(rate: float, service: float, share: float) -> float:
    """Time below which a share of requests is done: Poisson, exponential, one server.

    The response time of M/M/1 is exponential with mean service / (1 - utilisation).
    """
    mean = service / (1 - rate * service)
    return -math.log(1 - share) * mean


def mg1_mean_wait(rate: float, service: float, variation: float) -> float:
    """Mean wait of M/G/1 (Pollaczek and Khinchine).

    `variation` is the squared coefficient of variation of the service time: 0 when it
    is constant, 1 when it is exponential.
    """
    busy = rate * service
    return busy * service * (1 + variation) / (2 * (1 - busy))


def erlang_c(servers: int, offered: float) -> float:
    """Chance that a request has to wait, in M/M/k with `offered` = rate x service."""
    if offered >= servers:
        return 1.0
    blocked = 1.0
    for count in range(1, servers + 1):
        blocked = offered * blocked / (count + offered * blocked)
    return blocked / (1 - offered / servers * (1 - blocked))


def servers_needed(
    rate: float, service: float, *, utilisation: float, spare: int
) -> int:
    """Cores that carry a rate at no more than a utilisation, and spare ones."""
    return max(1, math.ceil(rate * service / utilisation - 1e-9)) + spare


def pauses_from_tail(
    p99: float, p999: float, median: float, busy: float
) -> tuple[float, float]:
    """Find pauses of a server that make this tail: how many a second, how long.

    While a server pauses for a time D (exponential with mean d), requests pile up; one
    that comes x before its end waits x. So of all requests a share
    rate * d * exp(-x / d) / (1 - busy) waits longer than x, which two quantiles solve.

    Returns no pauses when the tail is no heavier than that of waiting in line.
    """
    near, far = p99 - median, p999 - median
    if not 0 < near < far:
        return 0.0, 0.0
    length = (far - near) / math.log(10)
    rate = 0.01 * (1 - busy) * math.exp(near / length) / length
    # Rarely and long: what a run of seconds cannot tell apart from chance.
    return min(rate, 0.2 / length), length
