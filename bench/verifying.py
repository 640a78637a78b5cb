"""Whether a reply says what the corpus holds, and in words what is wrong with it.

Slow and thorough: decoded by the product's own codec (Handle) or by dnspython, and
compared by type and data. The compiled loops then only compare octets.
"""

import contextlib
from collections.abc import Callable

import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype

from bench.corpus import Corpus
from bench.load import Load
from registry.errors import RegistryError
from registry.model.codes import ResponseCode
from registry.model.value import Value, decode_values
from resolver.errors import SetupError
from resolver.wire.message import Message, decode_message
from resolver.wire.response import Failure, Values, decode_response

Verifier = Callable[[int, bytes], None]
"""Checks the reply to an identifier by its number; raises `WrongReplyError`."""

_SHOWN_OCTETS = 48


class WrongReplyError(SetupError):
    """A reply is not what the corpus says: which identifier, what came."""


def verifier_of(load: Load) -> Verifier:
    """Give what checks the replies of a load's protocol."""
    fault = fault_finder(load)

    def verify(number: int, reply: bytes) -> None:
        found = fault(number, reply)
        if found:
            identifier = load.corpus.identifier(number)
            raise WrongReplyError(
                f"{identifier}: {found}",
                "register the corpus first: python -m bench.loading "
                f"--count {load.corpus.count} --seed {load.corpus.seed}",
            )

    return verify


def fault_finder(load: Load) -> Callable[[int, bytes], str]:
    """Give what says in words what is wrong with a reply; nothing when it is right."""
    if load.check == "unverified":
        return lambda _number, _reply: ""
    corpus = load.corpus
    if load.protocol == "dns":
        return lambda number, reply: _dns_fault(corpus, number, reply, load.dns_type)
    if load.protocol == "redis":
        return lambda number, reply: _redis_fault(corpus, number, reply)
    return lambda number, reply: _handle_fault(corpus, number, reply)


def shown(octets: bytes) -> str:
    """Show the beginning of some octets in hex."""
    more = "..." if len(octets) > _SHOWN_OCTETS else ""
    return f"{len(octets)} octets {octets[:_SHOWN_OCTETS].hex()}{more}"


def _handle_fault(corpus: Corpus, number: int, reply: bytes) -> str:
    try:
        message = decode_message(reply)
        if message.header.response_code != ResponseCode.SUCCESS:
            return _failure(message)
        response = decode_response(message).response
    except RegistryError as error:
        return f"the reply is malformed: {error}"
    if not isinstance(response, Values):
        return f"values expected, got {type(response).__name__}"
    if response.handle != corpus.identifier(number).encode():
        return f"the reply is for {response.handle.decode(errors='replace')}"
    return _values_fault(corpus.values(number), response.values)


def _failure(message: Message) -> str:
    """Name a response code, with the server's text where it can be read."""
    code = message.header.response_code
    text = ""
    with contextlib.suppress(RegistryError):
        response = decode_response(message).response
        text = response.message if isinstance(response, Failure) else ""
    return f"{_code_name(code)} ({code}){': ' if text else ''}{text}"


def _values_fault(expected: tuple[Value, ...], found: tuple[Value, ...]) -> str:
    wanted = [(value.index, value.type, value.data) for value in expected]
    got = [(value.index, value.type, value.data) for value in found]
    if wanted == got:
        return ""
    for mine, theirs in zip(wanted, got, strict=False):
        if mine != theirs:
            return f"value {mine} expected, got {theirs}"
    return f"{len(wanted)} values expected, got {len(got)}"


def _dns_fault(corpus: Corpus, number: int, reply: bytes, kind: str) -> str:
    """Find what is wrong with a DNS reply.

    TXT records must hold index, type and data of each value, URI and NAPTR records
    the URL; for other types an answer of that type is enough.
    """
    try:
        message = dns.message.from_wire(reply)
    except dns.exception.DNSException as error:
        return f"the reply is malformed: {error!r}"
    if message.rcode() != dns.rcode.NOERROR:
        return dns.rcode.to_text(message.rcode())
    wanted = dns.rdatatype.from_text(kind)
    found = [
        record.to_wire() or b""
        for rrset in message.answer
        for record in rrset
        if rrset.rdtype == wanted
    ]
    if not found:
        return f"no {kind} record"
    values = corpus.values(number)
    if wanted == dns.rdatatype.TXT:
        return _txt_fault(values, found)
    if wanted not in (dns.rdatatype.URI, dns.rdatatype.NAPTR):
        return ""
    there = any(values[0].data in octets for octets in found)
    return "" if there else f"{values[0].text} expected, got {found}"


def _txt_fault(values: tuple[Value, ...], found: list[bytes]) -> str:
    wanted = sorted(_txt(value) for value in values)
    texts = sorted(map(_joined, found))
    return "" if texts == wanted else f"TXT records {wanted} expected, got {texts}"


def _txt(value: Value) -> bytes:
    return f"idx={value.index};type={value.type};data={value.text}".encode()


def _joined(octets: bytes) -> bytes:
    """Join the strings of a TXT record (RFC 1035 §3.3.14)."""
    parts, at = [], 0
    while at < len(octets):
        size = octets[at]
        parts.append(octets[at + 1 : at + 1 + size])
        at += 1 + size
    return b"".join(parts)


def _redis_fault(corpus: Corpus, number: int, reply: bytes) -> str:
    head, _, rest = reply.partition(b"\r\n")
    if not head.startswith(b"$") or head == b"$-1":
        return head.decode(errors="replace")
    try:
        found = decode_values(rest[:-2])
    except RegistryError as error:
        return f"the value is no list of values: {error}"
    return _values_fault(corpus.values(number), found)


def _code_name(code: int) -> str:
    try:
        return ResponseCode(code).name
    except ValueError:
        return "UNKNOWN_CODE"
