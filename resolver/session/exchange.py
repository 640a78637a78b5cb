"""One request to one server: over UDP with retransmission, then over TCP.

    step ─▶ Send ─▶ (answer) ─▶ Done
              │ until passed: step again, the next try
              │ answer truncated, port refused, tries used up
              ▼
            Stream ─▶ (answer) ─▶ Done         Failed once the deadline passes

Requests longer than a datagram go to TCP at once: fragments are allowed, but one
lost piece costs the whole try. The tries wait 0.5, 1 and 1.5 seconds, as those of
CNRI's library do (handle notes §1.10). All tries carry the same id, so an answer to
an earlier one is as good. Nothing here reads a clock: `now` and deadlines are
seconds of any one clock.
"""

import ipaddress
from dataclasses import dataclass
from typing import NamedTuple, Self

from registry.errors import MalformedError
from resolver.errors import BadAnswerError, ResolverError, TimedOutError
from resolver.session.fragments import MAX_DATAGRAM_OCTETS, Reassembler, split
from resolver.wire.codes import MessageFlag
from resolver.wire.message import Message, decode_message

_TRUNCATED = int(MessageFlag.TRUNCATED)
_MAX_PORT = 0xFFFF


class ServerAddress(NamedTuple):
    """Where one server listens; a port is None where it does not."""

    host: str
    udp_port: int | None
    tcp_port: int | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `HOST:PORT`, an IPv6 address in brackets; UDP and TCP share the port.

        Raises:
            ValueError: Anything else.
        """
        host, _, port = text.rpartition(":")
        digits = port if port.isascii() and port.isdecimal() else "0"
        host = _unbracketed(host)
        if not host or not 0 < int(digits[:6]) <= _MAX_PORT:
            message = f"server {text!r}: HOST:PORT expected, IPv6 in brackets"
            raise ValueError(message)
        return cls(host, int(port), int(port))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.udp_port or self.tcp_port}"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to wait for an answer."""

    timeouts: tuple[float, ...] = (0.5, 1.0, 1.5)
    """Seconds each UDP try waits."""

    lifetime_seconds: float = 10.0
    """Limit of everything together, TCP included."""

    def __post_init__(self) -> None:
        if not self.timeouts or min(*self.timeouts, self.lifetime_seconds) <= 0:
            message = f"retry policy {self}: at least one try and positive times"
            raise ValueError(message)

    def deadline(self, now: float) -> float:
        """Give the time at which an exchange that starts now is given up."""
        return now + self.lifetime_seconds


class Send(NamedTuple):
    """Send these datagrams and step again at `until` unless an answer came."""

    datagrams: list[bytes]
    until: float


class Wait(NamedTuple):
    """Nothing new: go on waiting until `until`."""

    until: float


class Stream(NamedTuple):
    """Ask over TCP; report the answer or the loss before `until`."""

    octets: bytes
    until: float


class Done(NamedTuple):
    """The answer came."""

    message: Message


class Failed(NamedTuple):
    """There will be no answer."""

    error: ResolverError


Action = Send | Wait | Stream | Done | Failed


class Exchange:
    """The state of one request and its answer."""

    __slots__ = (
        "_deadline",
        "_reassembler",
        "_request",
        "_server",
        "_timeouts",
        "_tries",
        "_until",
        "ignored",
        "octets",
    )

    def __init__(
        self,
        request: Message,
        server: ServerAddress,
        policy: RetryPolicy,
        deadline: float,
        reassembler: Reassembler | None = None,
    ) -> None:
        self._request = request
        self._server = server
        self._timeouts = policy.timeouts
        self._deadline = deadline
        self._reassembler = reassembler
        self._tries = 0
        self._until = 0.0
        self.octets = request.encode()
        self.ignored = 0
        """Datagrams that were no answer to this request."""

        if server.udp_port is None or self._too_long():
            self._tries = len(self._timeouts)

    @property
    def request_id(self) -> int:
        """What answers are matched by."""
        return self._request.envelope.request_id

    def step(self, now: float) -> Action:
        """Start, or go on after `until` has passed without an answer."""
        if now >= self._deadline:
            return Failed(self._timed_out())
        if self._tries >= len(self._timeouts):
            return self._stream()
        self._until = min(now + self._timeouts[self._tries], self._deadline)
        self._tries += 1
        return Send(split(self.octets), self._until)

    def receive(self, datagram: bytes, now: float) -> Action:
        """Take a datagram from the server; strange ones are counted and ignored."""
        try:
            octets = self._whole(datagram, now)
            if octets is None:
                return Wait(self._until)
            message = decode_message(octets)
        except MalformedError:
            return self._ignore()
        if not self._answers(message):
            return self._ignore()
        if message.envelope.flags & _TRUNCATED and octets is datagram:
            return self._stream()
        return Done(message)

    def refused(self, now: float) -> Action:
        """Take the news that nobody listens at the UDP port."""
        if now >= self._deadline:
            return Failed(self._timed_out())
        return self._stream()

    def receive_stream(self, octets: bytes) -> Action:
        """Take a whole message that came over TCP."""
        try:
            message = decode_message(octets)
        except MalformedError as error:
            return Failed(BadAnswerError(f"{self._server} over TCP: {error}"))
        if message.header.response_code == 0:
            return Failed(BadAnswerError(f"{self._server} over TCP: not a response"))
        return Done(message)

    def _whole(self, datagram: bytes, now: float) -> bytes | None:
        # One of its own where none is shared: most answers are one datagram, and
        # then the cost of making it would be most of the work here.
        if self._reassembler is None:
            self._reassembler = Reassembler(max_partials=1)
        return self._reassembler.receive(datagram, self._server, now)

    def _answers(self, message: Message) -> bool:
        return (
            message.envelope.request_id == self.request_id
            and message.header.response_code != 0
        )

    def _ignore(self) -> Action:
        self.ignored += 1
        return Wait(self._until)

    def _stream(self) -> Action:
        self._tries = len(self._timeouts)
        if self._server.tcp_port is None:
            return Failed(self._timed_out())
        return Stream(self.octets, self._deadline)

    def _too_long(self) -> bool:
        return len(self.octets) > MAX_DATAGRAM_OCTETS and bool(self._server.tcp_port)

    def _timed_out(self) -> ResolverError:
        return TimedOutError(f"{self._server} did not answer in time")


def _unbracketed(host: str) -> str:
    """Give a host without the brackets of IPv6; empty where it is none."""
    if not (host.startswith("[") and host.endswith("]")):
        return "" if ":" in host else host
    try:
        return str(ipaddress.IPv6Address(host[1:-1]))
    except ValueError:
        return ""
