"""What is wrong with an answer, if anything is: every one is checked, not only counted.

Checks read no more than they must, because a generator's time is what limits its load:
the response code, that the answer is about what was asked, and that it says something.
Names are compared without case, as servers do (handle notes §3).
"""

import json
import struct
from collections.abc import Collection

import dns.rcode

from registry.model.codes import ResponseCode
from registry.model.octets import blob, pack_u32
from resolver.load import failures
from resolver.load.failures import Failure
from resolver.wire.codes import OpFlag
from resolver.wire.message import Message

DNS_HEADER = struct.Struct("!HHHHHH")
"""Id, flags, and the numbers of questions, answers and two kinds of other records."""

_DIGEST = int(OpFlag.RETURN_REQUEST_DIGEST)
_RESPONSE, _RCODE = 0x8000, 0x000F
_NOTHING = pack_u32(0)


def of_handle(
    response: Message, identifier: str, expect: Collection[int]
) -> Failure | None:
    """Judge the answer to a resolution over the Handle protocol.

    The body of a success begins with the name, then the number of values (handle notes
    §1.9); one that begins with a digest, which we never ask for, is taken as it is.
    """
    code = response.header.response_code
    if code not in expect:
        return failures.of_code(code)
    if code != ResponseCode.SUCCESS or response.header.flags & _DIGEST:
        return None
    name, body = blob(identifier.encode()), response.body
    if body[: len(name)].lower() != name.lower():
        return failures.wrong("another identifier")
    count = body[len(name) : len(name) + 4]
    if len(count) < len(_NOTHING):
        return Failure(failures.BAD_ANSWER)
    return failures.wrong("no values") if count == _NOTHING else None


def of_api(
    status: int, content: bytes | None, identifier: str, expect: Collection[int]
) -> Failure | None:
    """Judge an answer of the Handle JSON API (handle notes §5.1)."""
    try:
        answer = json.loads(content or b"")
        code, handle = answer["responseCode"], answer.get("handle", "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return Failure(f"HTTP {status}")
    if code not in expect:
        return failures.of_code(code)
    if str(handle).lower() != identifier.lower():
        return failures.wrong("another identifier")
    if code == ResponseCode.SUCCESS and not answer.get("values"):
        return failures.wrong("no values")
    return None


def of_dns(reply: bytes, query: bytes, expect: Collection[int]) -> Failure | None:
    """Judge a reply (RFC 1035 §4.1) that has the id of a query of ours."""
    end = _end_of_question(query)
    if len(reply) < end:
        return Failure(failures.BAD_ANSWER)
    _, flags, questions, answers, _, _ = DNS_HEADER.unpack_from(reply)
    if not flags & _RESPONSE:
        return Failure(failures.BAD_ANSWER)
    rcode = flags & _RCODE
    if rcode not in expect:
        return Failure(f"rcode {dns.rcode.to_text(dns.rcode.Rcode.make(rcode))}")
    question = slice(DNS_HEADER.size, end)
    if questions != 1 or reply[question].lower() != query[question].lower():
        return failures.wrong("another question")
    if rcode == dns.rcode.NOERROR and not answers:
        return failures.wrong("no records")
    return None


def _end_of_question(query: bytes) -> int:
    position = DNS_HEADER.size
    while query[position]:
        position += 1 + query[position]
    return position + 5
