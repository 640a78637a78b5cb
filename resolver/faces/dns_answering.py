"""From a DNS query to its reply, by way of the node's chain.

A lookup (`resolver.dns.lookup`) asks for identifiers; each question becomes a
resolution that passes the same handlers as one that came by the Handle protocol, so
that caching and recursion are the same. What is known at once is answered at once.

The same query is answered with the same octets, its id apart, as long as the records
do not change. TTLs are those of the values, not counted down: `DnsReply.expires` says
until when a copy may be given instead of asking again.
"""

import logging
from collections.abc import Awaitable, Hashable
from typing import Literal, NamedTuple

from dns.edns import EDECode
from dns.rcode import Rcode
from dns.rdatatype import RdataType

from registry.errors import RegistryError
from registry.model.codes import ResponseCode
from registry.model.octets import Cursor
from registry.model.value import read_values
from resolver.chain import Origin, Query as Asked, Reply
from resolver.deferred import Deferred
from resolver.dns.asking import Ask, Found, Lookup
from resolver.dns.lookup import look_up
from resolver.dns.message import (
    MAX_REPLY_OCTETS,
    MAX_UDP_OCTETS,
    Answer,
    Explanation,
    Query,
    QueryError,
    is_query,
    rcode_text,
    read_query,
    refuse,
    write_reply,
)
from resolver.dns.zones import Served
from resolver.responder import Responder
from resolver.telemetry import Telemetry
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.envelope import Envelope
from resolver.wire.header import DEFAULT_LIFE_SECONDS, UNKNOWN_SITE_SERIAL, Header
from resolver.wire.message import build_message
from resolver.wire.request import Resolution

Transport = Literal["dns-udp", "dns-tcp"]

OTHER_TYPE = "OTHER"
UNREADABLE = "UNREADABLE"

_COUNTED = {
    int(kind): kind.name
    for kind in RdataType
    if kind.name
    in [
        "A",
        "AAAA",
        "ANY",
        "AXFR",
        "CAA",
        "CNAME",
        "DNAME",
        "DNSKEY",
        "DS",
        "HTTPS",
        "IXFR",
        "MX",
        "NAPTR",
        "NS",
        "PTR",
        "SOA",
        "SRV",
        "SVCB",
        "TXT",
        "URI",
    ]
}
"""Types that are counted under their name."""

_ENVELOPE = Envelope(2, 11, 2, 11, 1, 1, 0, 0)
_LOG = logging.getLogger("resolver")
_TOO_LONG = Answer(
    Rcode.SERVFAIL,
    explanation=Explanation(
        EDECode.OTHER, f"the answer has more than {MAX_REPLY_OCTETS} octets"
    ),
)
_FAULT = Answer(
    Rcode.SERVFAIL,
    explanation=Explanation(EDECode.OTHER, "a fault of this server, see its log"),
)


class DnsReply(NamedTuple):
    """A reply, and until when it may be copied for whoever asks the same."""

    octets: bytes
    expires: float
    """Seconds since 1970; 0 for never. A copy needs the query's id, and the
    question's name as that query spells it."""


class DnsAnswering:
    """Answers the queries that come to one node by one transport."""

    def __init__(
        self,
        responder: Responder,
        served: Served,
        telemetry: Telemetry,
        transport: Transport,
    ) -> None:
        self.origin = Origin(transport, connected=False)
        self._patient = Origin(transport, connected=False)
        """Of questions that follow one for which a place to wait was found."""

        self._responder = responder
        self._served = served
        self._telemetry = telemetry
        self._transport = transport

    def receive(
        self, octets: bytes, peer: Hashable, now: float
    ) -> DnsReply | Awaitable[DnsReply] | None:
        """Answer any octets; None is silence, for responses and for scraps."""
        if not is_query(octets):
            self._telemetry.malformed += 1
            return None
        try:
            query = read_query(octets)
        except QueryError as error:
            self._telemetry.malformed += 1
            self._telemetry.dns_requests[self._transport, UNREADABLE] += 1
            self._telemetry.dns_answers[rcode_text(error.rcode)] += 1
            return DnsReply(refuse(octets, error.rcode), 0.0)
        kind = _COUNTED.get(query.type, OTHER_TYPE)
        self._telemetry.dns_requests[self._transport, kind] += 1
        try:
            return self._answer(query, peer, now)
        except Exception as error:  # noqa: BLE001 (a query must get an answer)
            return self._failed(query, error)

    def _answer(
        self, query: Query, peer: Hashable, now: float
    ) -> DnsReply | Awaitable[DnsReply]:
        lookup = look_up(self._served, query, now)
        try:
            asked = next(lookup)
            while True:
                reply = self._ask(asked, self.origin, peer, now)
                if not isinstance(reply, Reply):
                    return self._answer_later(query, lookup, reply, peer, now)
                asked = lookup.send(_found(reply))
        except StopIteration as done:
            return self._write(query, done.value)

    async def _answer_later(
        self,
        query: Query,
        lookup: Lookup[Answer],
        reply: Reply | Awaitable[Reply],
        peer: Hashable,
        now: float,
    ) -> DnsReply:
        try:
            while True:
                if not isinstance(reply, Reply):
                    reply = await reply
                asked = lookup.send(_found(reply))
                reply = self._ask(asked, self._patient, peer, now)
        except StopIteration as done:
            return self._write(query, done.value)
        except Exception as error:  # noqa: BLE001 (a query must get an answer)
            return self._failed(query, error)

    def _ask(
        self, asked: Ask, origin: Origin, peer: Hashable, now: float
    ) -> Reply | Deferred[Reply] | Awaitable[Reply]:
        request = Resolution(asked.identifier, (), asked.types)
        expires = int(now) + DEFAULT_LIFE_SECONDS
        flags = int(OpFlag.PUBLIC_ONLY)
        opcode = OpCode.RESOLUTION
        header = Header(opcode, 0, flags, UNKNOWN_SITE_SERIAL, 0, 0, expires, 0)
        message = build_message(_ENVELOPE, header, request.encode())
        return self._responder.ask(Asked(message, request, origin, peer, now, None))

    def _write(self, query: Query, answer: Answer) -> DnsReply:
        by_tcp = self._transport == "dns-tcp"
        largest = MAX_REPLY_OCTETS if by_tcp else query.largest(MAX_UDP_OCTETS)
        octets = write_reply(query, answer, largest)
        if by_tcp and is_truncated(octets):
            answer = _TOO_LONG
            octets = write_reply(query, answer, largest)
        self._telemetry.dns_answers[rcode_text(answer.rcode)] += 1
        return DnsReply(octets, answer.expires)

    def _failed(self, query: Query, error: Exception) -> DnsReply:
        self._telemetry.internal_errors += 1
        _LOG.error("a DNS query of type %d met a fault", query.type, exc_info=error)
        return self._write(query, _FAULT)


def is_truncated(reply: bytes) -> bool:
    """Tell whether a reply says that it lacks something."""
    return bool(reply[2] & 0x02)


def _found(reply: Reply) -> Found:
    """Read what the chain answered."""
    try:
        cursor = Cursor(reply.body)
        if reply.code != ResponseCode.SUCCESS:
            text = cursor.text() if reply.body else ""
            return Found(reply.code, (), text, reply.expires)
        cursor.blob("handle")
        return Found(reply.code, read_values(cursor), "", reply.expires)
    except RegistryError as error:
        return Found(ResponseCode.PROTOCOL_ERROR, (), str(error))
