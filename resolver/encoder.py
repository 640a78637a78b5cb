"""Replies to octets: an answer echoes what its request set and adds what it asked for.

`encode` makes each answer from the whole request. Most requests differ from earlier ones
in id and body alone (`resolver.wire.head`), and so do the answers: `encode_for` then only
fills in the mould of an earlier one.
"""

import functools
import struct
from collections.abc import Callable

from registry.model.codes import ResponseCode
from resolver.chain import Received, Reply, failure
from resolver.telemetry import Telemetry
from resolver.wire.codes import OpFlag
from resolver.wire.credential import HS_SIGNED, MessageCredential, signed_octets
from resolver.wire.envelope import MAX_MESSAGE_OCTETS, Envelope
from resolver.wire.head import Mould
from resolver.wire.header import DEFAULT_LIFE_SECONDS, Header
from resolver.wire.message import Message, build_message, decode_message
from resolver.wire.response import SHA1, SHA256, Failure, digest_of

Octets = tuple[bytes, ...]
"""Encoded messages: one, or several for a continuous answer."""

Signer = Callable[[bytes], bytes]
"""Signs a certified message with the server's key: RSA, PKCS #1 v1.5, SHA-256."""

MAX_BODY_OCTETS = MAX_MESSAGE_OCTETS - 4096
"""Longest body of an answer; header, digest and credential take the rest."""

NEWEST = (2, 11)
FAULT = "Server error processing request, see server logs"
_BOTH = struct.Struct("!BBBBIIIIIIIHBBII")
_EMPTY_CREDENTIAL = bytes(4)
_AT = int(OpFlag.AUTHORITATIVE)
_RD = int(OpFlag.RETURN_REQUEST_DIGEST)
_CT = int(OpFlag.CERTIFIED)
_REC = int(OpFlag.RECURSIVE)
_CN = int(OpFlag.CONTINUOUS)
_OWN = _RD | _CT
"""What makes an answer depend on more of its request than its head."""

_SUCCESS = int(ResponseCode.SUCCESS)
_AUTHENTICATION_NEEDED = int(ResponseCode.AUTHENTICATION_NEEDED)

# How peers before 2.5 know two codes that have moved since (handle notes §1.6).
_OLD_CODES: dict[int, int] = {
    ResponseCode.SERVER_BACKUP: ResponseCode.PREFIX_REFERRAL,
    ResponseCode.INVALID_VALUE: ResponseCode.VALUE_ALREADY_EXISTS,
}


class Encoder:
    """Puts the answers of one node on the wire, and counts them."""

    def __init__(self, telemetry: Telemetry, site_serial: int, sign: Signer) -> None:
        self._telemetry = telemetry
        self._site_serial = site_serial
        self._sign = sign

    def encode_for(self, query: Received, reply: Reply) -> Octets:
        """Put an answer on the wire, in the mould of an earlier one if there is one."""
        code, body, opcode, authoritative, session_id, more, _ = reply
        head, now = query.head, query.now
        is_plain = (
            code == _SUCCESS
            and opcode is None
            and session_id is None
            and not more
            and len(body) <= MAX_BODY_OCTETS
            and head.expiration > now
        )
        mould = head.moulds.get(authoritative) if is_plain else None
        if mould is not None:
            self._telemetry.answers[code] += 1
            return (mould.fill(query.octets, body),)
        answer = self.encode(query.message, reply, now)
        if is_plain and not head.flags & _OWN:
            head.moulds[authoritative] = Mould.of(answer[0])
        return answer

    def encode(self, message: Message, reply: Reply, now: float) -> Octets:
        """Put the answer to a message on the wire."""
        if len(reply.body) > MAX_BODY_OCTETS:
            reply = _too_long(reply)
        self._telemetry.answers[reply.code] += 1
        if not reply.more:
            return (self._encode_one(message, reply, reply.body, now),)
        bodies = (reply.body, *reply.more)
        last = len(bodies) - 1
        return tuple(
            self._encode_one(message, reply, body, now, _CN if n < last else 0)
            for n, body in enumerate(bodies)
        )

    def _encode_one(
        self, message: Message, reply: Reply, body: bytes, now: float, extra: int = 0
    ) -> bytes:
        """Put one body on the wire: echo what the request set, add what it asked."""
        envelope, header, _, _ = message
        opcode, _, flags, _, _, _, expiration, _ = header
        code, _, answered, authoritative, session_id, _, _ = reply
        # REC is set even unasked (golden vectors); CN is about the answer's own parts.
        flags = flags & ~_CN | _REC | extra
        flags = flags | _AT if authoritative else flags & ~_AT
        if code == _AUTHENTICATION_NEEDED:
            flags |= _RD  # a client cannot answer without the digest, asked or not
        if flags & _RD:
            body = digest_of(message, digest_algorithm(envelope)).encode() + body
        major, minor, newest_minor, codes = _spoken(envelope[:4])
        code = codes.get(code, code)
        size = len(body)
        head = _BOTH.pack(
            major,
            minor,
            major,
            newest_minor,
            envelope.session_id if session_id is None else session_id,
            envelope.request_id,
            0,
            28 + size,
            opcode if answered is None else answered,
            code,
            flags,
            self._site_serial,
            0,
            0,
            expiration if expiration > now else int(now) + DEFAULT_LIFE_SECONDS,
            size,
        )
        octets = b"".join((head, body, _EMPTY_CREDENTIAL))
        return self._certify(octets) if flags & _CT else octets

    def _certify(self, octets: bytes) -> bytes:
        message = decode_message(octets)
        signature = self._sign(signed_octets(message))
        credential = MessageCredential(b"", 0, HS_SIGNED, "SHA-256", signature)
        return build_message(
            message.envelope, message.header, message.body, credential.encode()
        ).encode()


def unknown_operation(now: float) -> bytes:
    """Answer an operation nobody knows exactly as CNRI's server does.

    It loses the request: request id all ones, operation 0, version 2.3 (golden
    vector "unknown opcode 999"). A client that matches by id waits in vain there,
    and so it does here.
    """
    body = Failure(FAULT).encode()
    envelope = Envelope(2, 3, 2, NEWEST[1], 0, 0xFFFFFFFF, 0, 0)
    expiration = int(now) + DEFAULT_LIFE_SECONDS
    header = Header(0, ResponseCode.ERROR, 0x1900_0000, 0xFFFF, 0, 0, expiration, 0)
    return build_message(envelope, header, body).encode()


def _too_long(reply: Reply) -> Reply:
    """Say that an answer is too long: the official SDK hangs on it (notes §1.1)."""
    text = (
        f"the answer has {len(reply.body)} octets, at most {MAX_BODY_OCTETS} fit in "
        "a message: ask for fewer values, by index or type"
    )
    failed = failure(ResponseCode.ERROR, text)
    return reply._replace(code=failed.code, body=failed.body)


@functools.lru_cache(maxsize=256)
def _spoken(start: tuple[int, int, int, int]) -> tuple[int, int, int, dict[int, int]]:
    """Give how a peer is spoken to: version, suggested minor version, other codes.

    `start` are the first four octets of the peer's envelope.
    """
    suggested = Envelope(*start, 0, 0, 0, 0).suggested_version
    if suggested[0] > NEWEST[0]:
        return 3, 0, 0, {}
    major, minor = min(suggested, NEWEST)
    return major, minor, NEWEST[1], _OLD_CODES if (major, minor) < (2, 5) else {}


def digest_algorithm(envelope: Envelope) -> int:
    """Choose the digest of a request that its answer carries (handle notes §1.4)."""
    return SHA256 if envelope.suggested_version >= (2, 7) else SHA1
