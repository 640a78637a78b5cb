"""What one user does over the Handle protocol, timed, without anything of Locust.

It is the blocking client on timed sockets: plain sockets, so that greenlets can share a
process. Every user has sockets of its own, opened when it first asks, and so after any
fork. A datagram that is lost shows as a timeout and is not sent again, unless the retry
policy says so. Referrals may name any address; sockets beyond loopback are refused when
they open, unless they are allowed.
"""

import functools
import secrets
import socket
import time
from collections.abc import Callable, Collection, Mapping
from typing import Literal, NamedTuple

from registry.model.codes import ResponseCode
from resolver.client import request
from resolver.client.blocking import Client
from resolver.client.settings import ClientSettings
from resolver.client.sockets import BlockingConnection, SocketTransport
from resolver.errors import ResolverError, UnreachableError
from resolver.load import failures, judging
from resolver.load.failures import Failure
from resolver.load.targets import Address, TargetError, is_loopback
from resolver.load.timing import Stopwatch, TimedSocket
from resolver.session.draft import REQUEST_ID_BITS, Draft
from resolver.session.exchange import RetryPolicy, ServerAddress
from resolver.session.signature import Credential

ONE_TRY = RetryPolicy((2.0,), 2.0)
"""Ask once and wait two seconds, so that what is lost is seen."""

SUCCESS = (int(ResponseCode.SUCCESS),)

_DRAFTS = 65_536


class Outcome(NamedTuple):
    """How one request went."""

    milliseconds: float
    octets: int
    """Received, as they were on the wire."""

    failure: Failure | None = None

    @property
    def good(self) -> bool:
        """Whether it went as it should."""
        return self.failure is None


class TimedTransport(SocketTransport):
    """Times its sockets, and opens none that leads beyond this machine."""

    def __init__(
        self, settings: ClientSettings, stopwatch: Stopwatch, *, remote_allowed: bool
    ) -> None:
        super().__init__(settings, prepare=self._timed)
        self._stopwatch = stopwatch
        self._remote_allowed = remote_allowed

    def dial(self, server: ServerAddress, deadline: float) -> BlockingConnection:
        """Connect over TCP, unless that would send something elsewhere."""
        self._check(server.host)
        return super().dial(server, deadline)

    def _timed(self, sock: socket.socket) -> socket.socket:
        try:
            # Of UDP sockets only connecting was asked so far, which sends nothing.
            self._check(sock.getpeername()[0])
        except BaseException:
            sock.close()
            raise
        return TimedSocket(sock, self._stopwatch)

    def _check(self, host: str) -> None:
        if not (self._remote_allowed or is_loopback(host)):
            message = f"a referral leads to {host}, which is not this machine"
            raise TargetError(message)


class NativeClient:
    """Asks one recursive node, and registers where it sends us; one greenlet's own."""

    def __init__(
        self,
        server: Address,
        transport: Literal["udp", "tcp"] = "udp",
        *,
        retry: RetryPolicy = ONE_TRY,
        remote_allowed: bool = False,
        stopwatch: Stopwatch | None = None,
    ) -> None:
        self._server = ServerAddress(server.host, server.port, server.port)
        self._stopwatch = stopwatch or Stopwatch()
        self._retry = retry
        settings = ClientSettings(retry=retry, use_udp=transport == "udp")
        self._clock = settings.clock
        self._transport = TimedTransport(
            settings, self._stopwatch, remote_allowed=remote_allowed
        )
        self._client = Client(str(server), settings, transport=self._transport)

    def close(self) -> None:
        """Close all sockets."""
        self._transport.close()

    def resolve(
        self,
        identifier: str,
        *,
        fresh: bool = False,
        expect: Collection[int] = SUCCESS,
    ) -> Outcome:
        """Resolve, and check that the answer is about this identifier.

        `fresh` asks past the recursive node's cache. `expect` are the response codes
        that are as they should be.
        """
        return self._timed(lambda: self._resolve(identifier, fresh, expect))

    def read_back(self, identifier: str, values: Mapping[str, str]) -> Outcome:
        """Resolve, and check that these values are what it has."""
        return self._timed(lambda: self._read_back(identifier, values))

    def register(self, identifier: str, values: Mapping[str, str]) -> Outcome:
        """Register; good once the node has acknowledged that it is on disk."""

        def act() -> None:
            self._client.register(identifier, values)

        return self._timed(act)

    def login(self, credential: Credential) -> Outcome:
        """Connect to the node that keeps the credential's key, and log in there."""

        def act() -> None:
            self._client.login(credential)

        return self._timed(act)

    def _timed(self, act: Callable[[], Failure | None]) -> Outcome:
        self._stopwatch.reset()
        try:
            failure = act()
            answered = True
        except ResolverError as error:
            failure = failures.of_error(error, self._retry.lifetime_seconds)
            answered = not isinstance(error, UnreachableError)
        taken = self._stopwatch.milliseconds(answered=answered)
        return Outcome(taken, self._stopwatch.octets, failure)

    def _resolve(
        self, identifier: str, fresh: bool, expect: Collection[int]
    ) -> Failure | None:
        draft = _resolution(identifier, fresh)
        message = draft.message(secrets.randbits(REQUEST_ID_BITS), self._clock())
        deadline = self._retry.deadline(time.monotonic())
        response = self._transport.exchange(self._server, message, deadline)
        return judging.of_handle(response, identifier, expect)

    def _read_back(self, identifier: str, values: Mapping[str, str]) -> Failure | None:
        answer = self._client.resolve(identifier)
        if all(answer.first(kind) == data for kind, data in values.items()):
            return None
        return failures.wrong("not what was registered")


@functools.lru_cache(_DRAFTS)
def _resolution(identifier: str, fresh: bool) -> Draft:
    """Make each question once: making it costs 9 µs, asking it all in all 30."""
    return request.resolution(request.question(identifier, fresh=fresh))
