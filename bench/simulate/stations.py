"""Where work waits: first come, first served, on one or more cores, on simpy's clock.

A station does not queue objects. It knows when each core will be free; a piece of work
that comes now begins when the earliest one is, and its end is one event. For first
come, first served that is exact, and ten times faster than a queue of requests.
"""

import heapq
import random
from collections.abc import Generator
from typing import Any

import simpy

Process = Generator[simpy.Event, Any, None]


class Station:
    """A node's cores."""

    def __init__(
        self,
        environment: simpy.Environment,
        cores: int = 1,
        *,
        wake_seconds: float = 0.0,
    ) -> None:
        self.busy_seconds = 0.0
        """Work done or promised, over all cores."""

        self.longest_wait = 0.0
        self._environment = environment
        self._wake_seconds = wake_seconds
        self._free_at = [0.0] * cores
        self.woken = 0
        """Pieces of work that found a core idle."""

    def work(self, seconds: float) -> simpy.Timeout:
        """Do a piece of work; the event is its end."""
        now = self._environment.now
        free_at = self._free_at[0]
        if free_at <= now:
            self.woken += 1
            seconds += self._wake_seconds
            free_at = now
        self.longest_wait = max(self.longest_wait, free_at - now)
        self.busy_seconds += seconds
        heapq.heapreplace(self._free_at, free_at + seconds)
        return self._environment.timeout(free_at + seconds - now)

    @property
    def wait_seconds(self) -> float:
        """How long work that comes now has to wait."""
        return max(0.0, self._free_at[0] - self._environment.now)

    def pause(self, seconds: float) -> None:
        """Take all cores away for a time, once what is on them is done."""
        now = self._environment.now
        self._free_at = sorted(max(at, now) + seconds for at in self._free_at)


def pausing(
    environment: simpy.Environment,
    station: Station,
    per_second: float,
    mean_seconds: float,
    dice: random.Random,
) -> Process:
    """Pause a station at random times for random (exponential) times."""
    while per_second > 0:
        yield environment.timeout(dice.expovariate(per_second))
        station.pause(dice.expovariate(1 / mean_seconds))


class Latencies:
    """Times of requests, and their quantiles."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def quantile(self, share: float) -> float:
        """Give the time below which a share of all was; 0 when there was none."""
        if not self.seconds:
            return 0.0
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
