"""Messages of the Domain Name System: a query in, a reply out (RFC 1035 §4, RFC 6891).

    OFFSET  SIZE  FIELD
         0     2  id
         2     2  flags: QR 1, opcode 4, AA TC RD RA 1 each, Z AD CD 1 each, rcode 4
         4     8  number of questions, answers, authorities, additional records
        12     .  question: name, type 2, class 2
         .     .  records: name, type 2, class 2, ttl 4, length 2, data

The same query gives the same octets, id apart: an earlier reply may be copied. Names
of records are either spelled out, folded, or point into the question, which is echoed
as it came, so that a copy can carry another spelling of it (draft-vixie-dnsext-dns0x20).
"""

import struct
from typing import NamedTuple

import dns.rcode
from dns.edns import EDECode
from dns.rcode import Rcode
from dns.rdatatype import RdataType

HEADER_OCTETS = 12
MAX_RECORDS = 16
"""Records that a query may carry after its question."""

MAX_UDP_OCTETS = 1232
"""Longest reply by UDP, as agreed for the DNS flag day of 2020: never fragmented."""

PLAIN_UDP_OCTETS = 512
MAX_REPLY_OCTETS = 65_535
MAX_EXPLANATION_OCTETS = 200

_IN = 1
_QR, _AA, _TC, _OPCODE = 0x8000, 0x0400, 0x0200, 0x7800
_ECHOED = 0x0110
"""RD and CD."""

_MAX_NAME, _MAX_LABEL, _POINTER = 255, 63, 0xC0
_HEADER = struct.Struct("!HHHHHH")
_U16 = struct.Struct("!H")
_FIXED = struct.Struct("!HHIH")
_TYPE_CLASS = struct.Struct("!HH")
_OPTION = struct.Struct("!HH")
_EXPLAINED = 15
"""EDNS option Extended DNS Error (RFC 8914 §2)."""


class QueryError(ValueError):
    """A query cannot be read; `rcode` is what its sender is told."""

    def __init__(self, rcode: Rcode, text: str) -> None:
        super().__init__(text)
        self.rcode = rcode


class Query(NamedTuple):
    """A readable standard query with one question."""

    id: int
    flags: int
    question: bytes
    """As it came: name, type, class."""

    name: bytes
    """Folded."""

    type: int
    klass: int
    payload: int | None
    """What the sender takes by UDP; None when it does not speak EDNS."""

    version: int
    """Of EDNS."""

    def largest(self, most: int) -> int:
        """Give the octets that a reply by UDP may have."""
        if self.payload is None:
            return PLAIN_UDP_OCTETS
        return min(max(self.payload, PLAIN_UDP_OCTETS), most)


class Record(NamedTuple):
    """A resource record of class IN."""

    owner: bytes
    """Folded."""

    type: int
    ttl: int
    data: bytes
    """Without compression."""


class Explanation(NamedTuple):
    """Why an answer is what it is, for those who speak EDNS (RFC 8914)."""

    code: EDECode
    text: str


class Answer(NamedTuple):
    """What is answered, before it is put on the wire."""

    rcode: Rcode = Rcode.NOERROR
    answers: tuple[Record, ...] = ()
    authorities: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()
    authoritative: bool = False
    explanation: Explanation | None = None
    expires: float = 0.0
    """Until when whoever asks the same may get a copy; 0 never."""


def is_query(octets: bytes) -> bool:
    """Tell whether octets are to be answered at all: responses and scraps are not."""
    return len(octets) >= HEADER_OCTETS and not octets[2] & 0x80


def read_query(octets: bytes) -> Query:
    """Read a query, of which `is_query` is true.

    Raises:
        QueryError: It is no standard query, or does not follow its layout.
    """
    number, flags, questions, *counts = _HEADER.unpack_from(octets)
    if flags & _OPCODE:
        raise QueryError(Rcode.NOTIMP, f"operation {(flags & _OPCODE) >> 11}")
    if questions != 1 or flags & _TC or sum(counts) > MAX_RECORDS:
        raise _malformed("one question, not truncated, few records expected")
    stop = _skip_name(octets, HEADER_OCTETS, pointers=False)
    end = stop + _TYPE_CLASS.size
    if end > len(octets):
        raise _malformed("the question is cut short")
    kind, klass = _TYPE_CLASS.unpack_from(octets, stop)
    payload, version = _read_records(octets, end, sum(counts))
    return Query(
        number,
        flags,
        octets[HEADER_OCTETS:end],
        octets[HEADER_OCTETS:stop].lower(),
        kind,
        klass,
        payload,
        version,
    )


def refuse(octets: bytes, rcode: Rcode) -> bytes:
    """Answer what cannot be read with a header alone."""
    number, flags = struct.unpack_from("!HH", octets)
    flags = _QR | flags & (_OPCODE | _ECHOED) | rcode
    return _HEADER.pack(number, flags, 0, 0, 0, 0)


def write_reply(query: Query, answer: Answer, largest: int) -> bytes:
    """Write a reply of at most `largest` octets.

    What is too long loses first its explanation, then, with TC set, all its records:
    whoever needs them asks again over TCP (RFC 2181 §9).
    """
    reply = _write(query, answer)
    if len(reply) > largest and answer.explanation is not None:
        answer = answer._replace(explanation=None)
        reply = _write(query, answer)
    if len(reply) > largest:
        bare = answer._replace(answers=(), authorities=(), additional=())
        reply = _write(query, bare, _TC)
    return reply


def _write(query: Query, answer: Answer, more_flags: int = 0) -> bytes:
    flags = _QR | query.flags & _ECHOED | answer.rcode & 0xF | more_flags
    if answer.authoritative:
        flags |= _AA
    additional = [_write_record(query, record) for record in answer.additional]
    if query.payload is not None:
        additional.append(_write_opt(answer))
    return b"".join(
        (
            _HEADER.pack(
                query.id,
                flags,
                1,
                len(answer.answers),
                len(answer.authorities),
                len(additional),
            ),
            query.question,
            *(_write_record(query, record) for record in answer.answers),
            *(_write_record(query, record) for record in answer.authorities),
            *additional,
        )
    )


def _write_record(query: Query, record: Record) -> bytes:
    owner, kind, ttl, data = record
    above = len(query.name) - len(owner)
    if query.name.endswith(owner) and (above == 0 or _is_cut(query.name, above)):
        owner = _U16.pack(_POINTER << 8 | HEADER_OCTETS + above)
    return owner + _FIXED.pack(kind, _IN, ttl, len(data)) + data


def _is_cut(name: bytes, at: int) -> bool:
    """Tell whether a label of a name begins there."""
    start = 0
    while start < at:
        start += 1 + name[start]
    return start == at


def _write_opt(answer: Answer) -> bytes:
    """Write OPT; DO and options of the query are not echoed (RFC 6891 §6.1)."""
    options = b""
    if answer.explanation is not None:
        code, text = answer.explanation
        octets = _U16.pack(code) + _shortened(text)
        options = _OPTION.pack(_EXPLAINED, len(octets)) + octets
    extended = (answer.rcode >> 4) << 24
    fixed = _FIXED.pack(RdataType.OPT, MAX_UDP_OCTETS, extended, len(options))
    return b"\0" + fixed + options


def _shortened(text: str) -> bytes:
    octets = text.encode(errors="replace")[:MAX_EXPLANATION_OCTETS]
    return octets.decode(errors="ignore").encode()


def _read_records(octets: bytes, start: int, count: int) -> tuple[int | None, int]:
    """Walk to the end of a query; give what its OPT says."""
    payload, version, at = None, 0, start
    for _ in range(count):
        name, at = at, _skip_name(octets, at, pointers=True)
        if at + _FIXED.size > len(octets):
            raise _malformed("a record is cut short")
        kind, klass, ttl, size = _FIXED.unpack_from(octets, at)
        at += _FIXED.size
        if at + size > len(octets):
            raise _malformed("the data of a record is cut short")
        if kind == RdataType.TSIG:
            raise QueryError(Rcode.NOTAUTH, "no key is known here")
        if kind == RdataType.OPT:
            if payload is not None or octets[name]:
                raise _malformed("one OPT of the root expected")
            _check_options(octets, at, at + size)
            payload, version = klass, ttl >> 16 & 0xFF
        at += size
    if at != len(octets):
        raise _malformed(f"{len(octets) - at} octets left over")
    return payload, version


def _check_options(octets: bytes, at: int, end: int) -> None:
    while at < end:
        if at + _OPTION.size > end:
            raise _malformed("an option is cut short")
        at += _OPTION.size + _OPTION.unpack_from(octets, at)[1]
    if at != end:
        raise _malformed("the data of an option is cut short")


def _skip_name(octets: bytes, at: int, *, pointers: bool) -> int:
    """Give where a name ends; pointers are taken, not followed."""
    start, end = at, len(octets)
    while at < end:
        size = octets[at]
        if size == 0:
            return at + 1
        if size >= _POINTER and pointers and at + 1 < end:
            return at + 2
        at += 1 + size
        if size > _MAX_LABEL or at - start >= _MAX_NAME:
            break
    raise _malformed("a name does not follow its layout")


def _malformed(text: str) -> QueryError:
    return QueryError(Rcode.FORMERR, text)


def rcode_text(rcode: Rcode) -> str:
    """Name an rcode as people do: NOERROR, NXDOMAIN."""
    return dns.rcode.to_text(rcode)
