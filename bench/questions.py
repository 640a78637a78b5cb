"""Requests as octets, and the replies that they should get, in flat arrays.

Requests hold zeros where their id is spliced in at sending. An *item* is an identifier
that is asked at least once, numbered from 0 by its number in the corpus.
"""

import struct
import time
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import dns.message
import dns.rdatatype
import numpy as np

from bench.corpus import Corpus
from bench.load import Load
from registry.model.octets import blob
from registry.model.value import encode_values
from resolver.dns.names import name_of
from resolver.session.draft import Draft
from resolver.wire.codes import OpCode, ResponseCode
from resolver.wire.header import DEFAULT_LIFE_SECONDS
from resolver.wire.request import Resolution

DNS_PAYLOAD_OCTETS = 1232
"""What we take in one datagram (RFC 6891 §6.2.3; the usual choice)."""

_PLACE = "88.0.0/x"
_U32 = struct.Struct("!I")

Writer = Callable[[str], bytes]
"""Writes the request for an identifier."""


@dataclass(frozen=True, slots=True)
class Flat:
    """Pieces of octets one after the other: piece n from `starts[n]` to the next."""

    octets: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, pieces: Iterable[bytes]) -> "Flat":
        """Lay pieces one after the other."""
        octets, sizes = bytearray(), array("q", [0])
        for piece in pieces:
            octets += piece
            sizes.append(len(piece))
        starts = np.cumsum(np.frombuffer(sizes, np.int64))
        # An empty buffer has no address.
        return cls(np.frombuffer(octets or bytearray(1), np.uint8), starts)

    def __len__(self) -> int:
        return self.starts.size - 1

    def __getitem__(self, number: int) -> bytes:
        start, stop = self.starts[number : number + 2]
        return self.octets[start:stop].tobytes()

    def largest(self) -> int:
        """Give the octets of the largest piece."""
        return int(np.diff(self.starts).max(initial=0))


def writer_of(load: Load) -> Writer:
    """Give what writes the requests of a load."""
    if load.protocol == "dns":
        return _dns_writer(load)
    if load.protocol == "redis":
        return _redis_request
    return _handle_writer(load.flags)


def _handle_writer(flags: int) -> Writer:
    # Encoding a message from scratch takes ten times as long.
    body = Resolution(_PLACE.encode()).encode()
    now = time.time()  # noqa: TID251 (a request's expiration is by the clock)
    message = Draft(OpCode.RESOLUTION, body, flags).message(0, now).encode()
    tail = message[44 + len(blob(_PLACE.encode())) :]
    before, between = message[:16], message[20:40]

    def write(identifier: str) -> bytes:
        name = blob(identifier.encode())
        length = len(name) + len(tail) + 24
        # The tail ends with the credential, which is not of the body.
        sizes = _U32.pack(length), _U32.pack(len(name) + len(tail) - 4)
        return b"".join((before, sizes[0], between, sizes[1], name, tail))

    return write


def _dns_writer(load: Load) -> Writer:
    assert load.dns_zone is not None
    zone, kind = load.dns_zone, dns.rdatatype.from_text(load.dns_type)
    service = "_hdl._tcp." if kind == dns.rdatatype.URI else ""

    def write(identifier: str) -> bytes:
        name = service + name_of(identifier, zone)
        query = dns.message.make_query(
            name, kind, id=0, flags=0, use_edns=0, payload=DNS_PAYLOAD_OCTETS
        )
        octets = query.to_wire()
        size = len(octets).to_bytes(2, "big")
        return size + octets if load.transport == "tcp" else octets

    return write


def _redis_request(identifier: str) -> bytes:
    key = identifier.encode()
    return b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(key), key)


def computed_reply(corpus: Corpus, number: int) -> bytes:
    """Make the Handle reply that an identifier should get; timestamps and id are 0."""
    name = corpus.identifier(number).encode()
    body = blob(name) + encode_values(corpus.values(number))
    draft = Draft(OpCode.RESOLUTION, body)
    message = draft.message(0, -DEFAULT_LIFE_SECONDS)
    header = message.header._replace(response_code=int(ResponseCode.SUCCESS))
    return message._replace(header=header).encode()
