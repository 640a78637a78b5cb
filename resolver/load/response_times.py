"""Response times as they are: Locust's own statistics round them to whole milliseconds.

A cached resolution takes some 50 µs, so Locust (2.47) would show 0 everywhere: it keeps
times below 100 ms in buckets of 1 ms, cuts what it writes to CSV files to integers, and
rounds shortest and longest times and the lines of the terminal. `install` replaces these
places, in every process that counts or reports; averages it leaves alone, they are exact.

    TIME             BUCKET     KEYS
    below 1 ms       0.001 ms   1 000
    1 to 10 ms       0.01 ms      900
    10 to 100 ms     0.1 ms       900
    100 to 1000 ms   1 ms         900
    from 1 s         three digits, 900 a decade

Percentiles are so at most 0.5 µs or 0.5 % off. Workers send the buckets in use to their
master every three seconds; in a usual run those are some hundreds.
"""

import functools
from collections.abc import Callable
from typing import Any

_DIGITS = ((1.0, 3), (10.0, 2), (100.0, 1), (1_000.0, 0), (10_000.0, -1))
"""Decimals kept of a time below a bound, in milliseconds."""

_LONG_DIGITS = -2
_MARK = "_idis_response_times"


def bucket(milliseconds: float) -> float:
    """Give the bucket that a response time is counted in."""
    for bound, digits in _DIGITS:
        if milliseconds < bound:
            return round(float(milliseconds), digits)
    return round(float(milliseconds), _LONG_DIGITS)


def shown(milliseconds: float) -> str:
    """Show a time for people: three decimals while they say something."""
    return f"{milliseconds:.3f}" if milliseconds < 1_000 else f"{milliseconds:.0f}"


def install(statistics: Any) -> None:
    """Let `locust.stats` keep and report times in microseconds; once is enough.

    Args:
        statistics: The module `locust.stats`.

    Raises:
        AttributeError: This Locust has other places; 2.45 to 2.47 are known to fit.
    """
    if getattr(statistics, _MARK, False):
        return
    entry, table = statistics.StatsEntry, statistics.StatsCSV
    # Looked up at each call by name, so replacing the name is enough; it is what
    # Locust's manual says to do.
    _replace(statistics, "bucket_response_time", lambda original: bucket)
    _replace(table, "_percentile_fields", _percentile_fields)
    _replace(entry, "to_dict", _to_dict)
    _replace(entry, "to_string", _to_string)
    _replace(entry, "percentile", functools.partial(_percentile, statistics))
    setattr(statistics, _MARK, True)


def _replace(owner: Any, name: str, made: Callable[[Any], Any]) -> None:
    setattr(owner, name, made(getattr(owner, name)))


def _percentile_fields(original: Any) -> Any:
    """Write percentiles to CSV files without cutting them to integers."""

    def fields(self: Any, entry: Any, *, use_current: bool = False) -> list[Any]:
        if not entry.num_requests:
            return list(self.percentiles_na)
        of = entry.get_response_time_percentile
        if use_current and entry.use_response_times_cache:
            of = entry.get_current_response_time_percentile
        return [of(percent) or 0 for percent in self.percentiles_to_report]

    return functools.wraps(original)(fields)


def _to_dict(original: Any) -> Any:
    """Tell pages and reports the shortest and longest time in microseconds."""

    @functools.wraps(original)
    def to_dict(self: Any, *arguments: Any, **options: Any) -> dict[str, Any]:
        shortest = round(self.min_response_time or 0, 3)
        longest = round(self.max_response_time, 3)
        times = {"min_response_time": shortest, "max_response_time": longest}
        return {**original(self, *arguments, **options), **times}

    return to_dict


def _to_string(original: Any) -> Any:
    """Show a line of the terminal's table: `what | times | rates`."""

    @functools.wraps(original)
    def to_string(self: Any, current: bool = True) -> str:
        left, _, rates = original(self, current=current).rpartition("|")
        what = left.rpartition("|")[0]
        average, median = self.avg_response_time, self.median_response_time
        times = (average, self.min_response_time or 0, self.max_response_time, median)
        cells = [f"{shown(time):>7}" for time in times]
        return f"{what}|{' '.join(cells[:3])}{cells[3]:>8} |{rates}"

    return to_string


def _percentile(statistics: Any, original: Any) -> Any:
    """Show a line of the terminal's table of percentiles."""

    @functools.wraps(original)
    def percentile(self: Any) -> str:
        wide, name = statistics.STATS_TYPE_WIDTH, statistics.STATS_NAME_WIDTH
        of = map(self.get_response_time_percentile, statistics.PERCENTILES_TO_REPORT)
        first, *others = map(shown, of)
        cells = " ".join(f"{cell:>6}" for cell in others)
        what = f"{self.method or '':<{wide}} {self.name:<{name}}"
        return f"{what} {first:>8} {cells} {self.num_requests:>6}"

    return percentile
