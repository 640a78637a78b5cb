"""What one user asks a DNS face, timed, without anything of Locust.

Questions are made by dnspython, once for each identifier; of answers only what must be
right is read (RFC 1035 §4.1), because decoding them whole would cost the generator more
than the face. What is truncated is asked for again over TCP (RFC 7766 §5), and the time
of both counts. Names are those of `resolver.dns.names`.
"""

import functools
import secrets
import socket
import struct
import time
from collections.abc import Collection

import dns.message
import dns.rcode
import dns.rdatatype

from resolver.dns.names import NoNameError, name_of
from resolver.errors import TimedOutError, UnreachableError
from resolver.load import failures, judging
from resolver.load.failures import Failure
from resolver.load.native import Outcome
from resolver.load.targets import Address
from resolver.load.timing import Stopwatch, TimedSocket

NOERROR = (int(dns.rcode.NOERROR),)

_LENGTH = struct.Struct("!H")
_TRUNCATED = 0x0200
_READ_OCTETS = 65_536
_PAYLOAD_OCTETS = 1232
_QUESTIONS = 65_536


class DnsClient:
    """Asks one DNS face over a UDP socket of its own; one greenlet's own."""

    def __init__(
        self,
        server: Address,
        zone: str,
        *,
        timeout_seconds: float = 2.0,
        stopwatch: Stopwatch | None = None,
    ) -> None:
        self._server = server
        self._zone = zone
        self._timeout_seconds = timeout_seconds
        self._stopwatch = stopwatch or Stopwatch()
        self._socket: socket.socket | None = None

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def resolve(
        self,
        identifier: str,
        kind: str = "TXT",
        *,
        expect: Collection[int] = NOERROR,
    ) -> Outcome:
        """Ask for the records of an identifier, and check that the answer is one.

        Args:
            identifier: Named as `88.118.7/SN0001`, not as a domain name.
            kind: Type of the records, by its mnemonic.
            expect: Response codes that are as they should be.

        Raises:
            NoNameError: The identifier has no domain name.
        """
        question = _question(identifier, self._zone, kind)
        number = secrets.token_bytes(2)
        self._stopwatch.reset()
        answered = False
        try:
            reply = self._ask(number + question)
            answered = True
            failure = judging.of_dns(reply, number + question, expect)
        except TimedOutError:
            failure = failures.timed_out(self._timeout_seconds)
        except (UnreachableError, OSError):
            self.close()
            failure = Failure(failures.UNREACHABLE)
        taken = self._stopwatch.milliseconds(answered=answered)
        return Outcome(taken, self._stopwatch.octets, failure)

    def _ask(self, query: bytes) -> bytes:
        deadline = time.monotonic() + self._timeout_seconds
        if self._socket is None:
            self._socket = self._opened(socket.SOCK_DGRAM, deadline)
        sock = self._socket
        sock.send(query)
        while True:
            sock.settimeout(_left(deadline))
            try:
                reply = sock.recv(_READ_OCTETS)
            except TimeoutError:
                raise TimedOutError(f"{self._server} did not answer") from None
            # A late answer to an earlier question is not this one's.
            if reply[:2] == query[:2]:
                break
        if _is_truncated(reply):
            return self._ask_over_tcp(query, deadline)
        return reply

    def _ask_over_tcp(self, query: bytes, deadline: float) -> bytes:
        with self._opened(socket.SOCK_STREAM, deadline) as stream:
            try:
                stream.sendall(_LENGTH.pack(len(query)) + query)
                (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size, deadline))
                return _exactly(stream, length, deadline)
            except TimeoutError:
                raise TimedOutError(f"{self._server} did not answer") from None

    def _opened(self, kind: socket.SocketKind, deadline: float) -> TimedSocket:
        found = socket.getaddrinfo(*self._server, type=kind)
        family, kind, protocol, _, address = found[0]
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(_left(deadline))
            sock.connect(address)
        except BaseException:
            sock.close()
            raise
        return TimedSocket(sock, self._stopwatch)


def has_name(identifier: str, zone: str) -> bool:
    """Tell whether an identifier has a domain name in a zone."""
    try:
        name_of(identifier, zone)
    except NoNameError:
        return False
    return True


@functools.lru_cache(_QUESTIONS)
def _question(identifier: str, zone: str, kind: str) -> bytes:
    """Make a query without its id."""
    name = name_of(identifier, zone)
    query = dns.message.make_query(name, kind, use_edns=0, payload=_PAYLOAD_OCTETS)
    return query.to_wire()[2:]


def _is_truncated(reply: bytes) -> bool:
    header = judging.DNS_HEADER
    return len(reply) >= header.size and bool(header.unpack_from(reply)[1] & _TRUNCATED)


def _exactly(stream: socket.socket, size: int, deadline: float) -> bytes:
    octets = b""
    while len(octets) < size:
        stream.settimeout(_left(deadline))
        more = stream.recv(size - len(octets))
        if not more:
            raise UnreachableError("the server closed the connection")
        octets += more
    return octets


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimedOutError("the deadline passed")
    return left
