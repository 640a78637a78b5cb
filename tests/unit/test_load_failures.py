"""Failures are grouped by what their `repr` says."""

import pytest

from resolver.errors import (
    BadAnswerError,
    NotFoundError,
    ReferralLoopError,
    ResolverError,
    TimedOutError,
    UnreachableError,
)
from resolver.load import failures
from resolver.load.failures import Failure, of_code, of_error
from resolver.load.targets import TargetError


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NotFoundError(100, "no such", "88.1/A"), "code 100 HANDLE_NOT_FOUND"),
        (TimedOutError("127.0.0.1:1 did not answer"), "timeout: no answer in 2 s"),
        (UnreachableError("127.0.0.1:1 over TCP: refused"), "unreachable"),
        (BadAnswerError("octet 7"), "bad answer: it breaks the protocol"),
        (ReferralLoopError("88"), "referrals go round in circles"),
        (TargetError("192.0.2.1"), failures.REFUSED),
        (ResolverError("else"), "ResolverError"),
    ],
)
def test_an_error_is_named_by_its_kind(error, expected):
    assert repr(of_error(error, 2.0)) == expected


def test_the_same_kind_is_one_group_whatever_the_address():
    one, other = UnreachableError("127.0.0.1:1"), UnreachableError("[::1]:2")
    assert repr(of_error(one, 2.0)) == repr(of_error(other, 2.0))


def test_a_code_that_nobody_knows_keeps_its_number():
    assert repr(of_code(9999)) == "code 9999 UNKNOWN_CODE"


def test_a_failure_says_its_kind_in_every_form():
    failure = failures.wrong("another identifier")
    assert isinstance(failure, Failure)
    assert {str(failure), repr(failure), failure.kind} == {
        "wrong answer: another identifier"
    }
