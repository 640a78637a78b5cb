"""Response times keep their microseconds; what Locust does with them is tested e2e."""

from types import SimpleNamespace

import pytest
from hypothesis import given, strategies as st

from resolver.load.response_times import bucket, install, shown

TIMES = st.floats(0, 1e7, allow_nan=False)


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [
        (0.0, 0.0),
        (0.0314, 0.031),
        (0.9994, 0.999),
        (1.2345, 1.23),
        (12.345, 12.3),
        (123.45, 123.0),
        (1234.5, 1230.0),
        (12345.6, 12300.0),
        (99949.0, 99900.0),
    ],
)
def test_a_time_keeps_three_digits_and_at_least_microseconds(milliseconds, expected):
    assert bucket(milliseconds) == expected


@given(TIMES)
def test_a_bucket_is_half_a_microsecond_or_half_a_percent_off_at_most(milliseconds):
    off = abs(bucket(milliseconds) - milliseconds)
    longest = 0.05 if milliseconds > 100_000 else 0.005
    assert off <= max(0.000_501, longest * milliseconds)


@given(TIMES, TIMES)
def test_buckets_are_in_the_order_of_their_times(one, other):
    assert (bucket(one) <= bucket(other)) == (one <= other) or bucket(one) == bucket(
        other
    )


@given(TIMES)
def test_a_bucket_is_its_own_bucket(milliseconds):
    assert bucket(bucket(milliseconds)) == bucket(milliseconds)


def test_an_integer_counts_in_the_same_bucket_as_a_fraction():
    assert bucket(5) == bucket(5.0)
    assert isinstance(bucket(5), float)


def test_people_see_three_decimals_below_a_second():
    assert [shown(time) for time in (0.0312, 12.5, 999.9, 1234.56)] == [
        "0.031",
        "12.500",
        "999.900",
        "1235",
    ]


def test_a_locust_that_keeps_times_elsewhere_is_not_taken_for_one_that_fits():
    with pytest.raises(AttributeError, match="bucket_response_time"):
        install(SimpleNamespace(StatsEntry=object, StatsCSV=object))
