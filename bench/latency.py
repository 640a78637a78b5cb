"""Latencies as an HdrHistogram: counted by the loops, exported for anybody.

The loops count into an array of the same geometry, 1 ns to 60 s with three significant
digits, so what is exported is what was counted; longer ones count as 60 s. The exact
largest latency is not kept: `max` is that of its bucket, at most 0.1 % above it.
"""

from typing import NamedTuple

import numpy as np
from hdrh.histogram import HdrHistogram

from bench.load_flight import LARGEST_NS, SUB_BUCKETS

_DIGITS = 3
_HALF = SUB_BUCKETS // 2


class Latencies(NamedTuple):
    """What is told about latencies, in microseconds."""

    p50_us: float
    p90_us: float
    p99_us: float
    p999_us: float
    max_us: float
    mean_us: float
    histogram: str
    """V2 compressed, base64; its unit is nanoseconds."""


def histogram_of(counts: np.ndarray) -> HdrHistogram:
    """Make a histogram of the counts that `bench.load_flight.record` made."""
    made = HdrHistogram(1, LARGEST_NS, _DIGITS)
    for bucket in np.flatnonzero(counts):
        made.record_value(_lowest(int(bucket)), int(counts[bucket]))
    return made


def summary_of(counts: np.ndarray) -> Latencies:
    """Give percentiles and the encoded histogram; zeros when nothing was counted."""
    made = histogram_of(counts)
    p50, p90, p99, p999, largest = (
        made.get_value_at_percentile(percentile) / 1000
        for percentile in (50, 90, 99, 99.9, 100)
    )
    mean = made.get_mean_value() / 1000 if made.total_count else 0.0
    return Latencies(p50, p90, p99, p999, largest, mean, made.encode().decode())


def merged(histograms: list[str]) -> HdrHistogram:
    """Add encoded histograms, of several rounds or several generators."""
    made = HdrHistogram(1, LARGEST_NS, _DIGITS)
    for text in histograms:
        made.decode_and_add(text)
    return made


def _lowest(bucket: int) -> int:
    """Give the smallest latency of a bucket, the inverse of `bucket_of`."""
    if bucket < SUB_BUCKETS:
        return bucket
    shift = bucket // _HALF - 1
    return (bucket - shift * _HALF) << shift
