"""What can go wrong with a request, in words that Locust can group.

Locust counts failures by the `repr` of their exception, so that must be the same for the
same kind: no identifiers, no addresses, no times. The kinds:

    code 100 HANDLE_NOT_FOUND     a server answered with an error (handle notes §1.6)
    rcode NXDOMAIN                the same in DNS
    HTTP 503                      an answer over HTTP that is not the API's
    timeout: no answer in 2 s     a datagram lost, a server gone silent
    unreachable                   nobody listens, or the connection was lost
    bad answer: WHY               octets that break the protocol
    wrong answer: WHY             a good answer to another question
    refused: ...                  a referral leads where load must not go
"""

from registry.model.codes import ResponseCode
from resolver.errors import (
    AnswerError,
    BadAnswerError,
    ReferralLoopError,
    ResolverError,
    SetupError,
    TimedOutError,
    UnreachableError,
)


class Failure(Exception):  # noqa: N818 (it is shown to people, in a column of failures)
    """A request that failed; `repr` is its kind."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind

    def __repr__(self) -> str:
        return self.kind


UNREACHABLE = "unreachable"
NO_NETWORK = "unreachable: no network is running"
REFUSED = "refused: a referral leads beyond this machine"
BAD_ANSWER = "bad answer: it breaks the protocol"

_KINDS = (
    (UnreachableError, UNREACHABLE),
    (BadAnswerError, BAD_ANSWER),
    (ReferralLoopError, "referrals go round in circles"),
    (SetupError, REFUSED),
)


def of_code(code: int) -> Failure:
    """Name an answer by its response code."""
    try:
        name = ResponseCode(code).name
    except ValueError:
        name = "UNKNOWN_CODE"
    return Failure(f"code {code} {name}")


def of_error(error: ResolverError, timeout_seconds: float) -> Failure:
    """Name what the client library raised."""
    if isinstance(error, AnswerError):
        return of_code(error.code)
    if isinstance(error, TimedOutError):
        return timed_out(timeout_seconds)
    for kind, text in _KINDS:
        if isinstance(error, kind):
            return Failure(text)
    return Failure(type(error).__name__)


def timed_out(seconds: float) -> Failure:
    """Name an answer that did not come."""
    return Failure(f"timeout: no answer in {seconds:g} s")


def wrong(why: str) -> Failure:
    """Name a good answer to another question."""
    return Failure(f"wrong answer: {why}")
