"""From octets to octets: what every face does with a message it received.

    decode ─▶ guard ─▶ chain ─▶ encode

An answer that needs no waiting comes back at once, any other as an awaitable, so
that a face can send the quick ones without a task each. Errors become answers here;
messages that are no requests, and octets that are no messages, get silence.
"""

import functools
import logging
import secrets
import struct
from collections.abc import Awaitable, Callable, Coroutine, Hashable

from registry.errors import ChallengeNeededError, MalformedError, RegistryError
from registry.model.codes import ResponseCode
from resolver.chain import (
    Chain,
    Later,
    Origin,
    Query,
    Received,
    Reply,
    failure,
)
from resolver.deferred import Deferred
from resolver.errors import ResolverError
from resolver.session.challenge import (
    CHALLENGE_LIFE_SECONDS,
    NONCE_OCTETS,
    Challenges,
    Pending,
    add_to_connection,
)
from resolver.telemetry import Telemetry
from resolver.wire.codes import MessageFlag, OpFlag
from resolver.wire.credential import HS_SIGNED, MessageCredential, signed_octets
from resolver.wire.envelope import MAX_MESSAGE_OCTETS, Envelope
from resolver.wire.head import BODY_START, Head, Mould, body_stop, shared_octets
from resolver.wire.header import DEFAULT_LIFE_SECONDS, UNKNOWN_SITE_SERIAL, Header
from resolver.wire.message import Message, build_message, decode_message
from resolver.wire.request import KNOWN_OPERATIONS, decode_request
from resolver.wire.response import SHA1, SHA256, Challenge, Failure, digest_of

Octets = tuple[bytes, ...]
"""Encoded messages: one, or several for a continuous answer."""

Signer = Callable[[bytes], bytes]
"""Signs a certified message with the server's key: RSA, PKCS #1 v1.5, SHA-256."""

Learner = Callable[[bytes, bytes, Reply], object]
"""Takes a question, its answer, both encoded, and the reply the answer was made from."""

MAX_RECURSION = 16
MAX_BODY_OCTETS = MAX_MESSAGE_OCTETS - 4096
"""Longest body of an answer; header, digest and credential take the rest."""

MAX_HEADS = 1024
"""Heads of requests that are remembered; one for each second and kind of client."""

NEWEST = (2, 11)
_LOG = logging.getLogger("resolver")
_FAULT = "Server error processing request, see server logs"
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
_UNREADABLE = int(MessageFlag.COMPRESSED | MessageFlag.ENCRYPTED)
_UNREADABLE_REPLY = failure(
    ResponseCode.OPERATION_NOT_SUPPORTED,
    "compressed or encrypted messages are not supported",
)
_NO_HEADER = Header(0, 0, 0, UNKNOWN_SITE_SERIAL, 0, 0, 0, 0)

# How peers before 2.5 know two codes that have moved since (handle notes §1.6).
_OLD_CODES: dict[int, int] = {
    ResponseCode.SERVER_BACKUP: ResponseCode.PREFIX_REFERRAL,
    ResponseCode.INVALID_VALUE: ResponseCode.VALUE_ALREADY_EXISTS,
}


class Responder:
    """Answers the messages of one node."""

    def __init__(
        self,
        chain: Chain,
        telemetry: Telemetry,
        *,
        site_serial: int,
        sign: Signer,
    ) -> None:
        self.chain = chain
        self.challenges = Challenges()
        self.learn: Learner = _forget
        """Told of each answer that may be copied for others."""

        self._heads: dict[bytes, Head] = {}
        self._telemetry = telemetry
        self._site_serial = site_serial
        self._sign = sign

    def respond(
        self, octets: bytes, origin: Origin, peer: Hashable, now: float
    ) -> Octets | Deferred[Octets] | Awaitable[Octets]:
        """Answer one whole message; no octets at all mean silence."""
        stop = body_stop(octets)
        head = None if stop is None else self._heads.get(shared_octets(octets))
        if head is not None:
            return self._take(octets, head, octets[BODY_START:stop], origin, peer, now)
        try:
            message = decode_message(octets)
        except MalformedError as error:
            return self._malformed(octets, error, now)
        header = message.header
        if header.response_code:
            return self._no_request(message, None, now)
        if header.opcode not in KNOWN_OPERATIONS:
            self._telemetry.requests[origin.transport, 0] += 1
            return self._no_request(message, None, now)
        refusal = _guard(message)
        if refusal is not None:
            self._telemetry.requests[origin.transport, header.opcode] += 1
            return self._encode(message, refusal, now)
        head = self._remember(octets, header)
        return self._take(octets, head, message.body, origin, peer, now)

    def _remember(self, octets: bytes, header: Header) -> Head:
        """Keep what is known of a request for all that share its head."""
        if len(self._heads) >= MAX_HEADS:
            self._heads.clear()
        flags = header.flags
        head = Head(
            header.opcode, flags, header.expiration, is_mouldable=not flags & _OWN
        )
        self._heads[shared_octets(octets)] = head
        return head

    def _take(
        self,
        octets: bytes,
        head: Head,
        body: bytes,
        origin: Origin,
        peer: Hashable,
        now: float,
    ) -> Octets | Deferred[Octets] | Awaitable[Octets]:
        """Answer a request of an operation we know."""
        self._telemetry.requests[origin.transport, head.opcode] += 1
        try:
            request = decode_request(head.opcode, body)
        except RegistryError as error:
            self._telemetry.malformed += 1
            refusal = failure(error.code, str(error))
            return self._encode(decode_message(octets), refusal, now)
        query = Received(octets, head, request, origin, peer, now)
        reply = self._run(query)
        if isinstance(reply, Reply):
            answer = self._encode_for(query, reply)
            if (
                reply.expires > now
                and origin.identity is None
                and len(reply.body) <= MAX_BODY_OCTETS
            ):
                self.learn(octets, answer[0], reply)
            return answer
        if isinstance(reply, Deferred):
            return reply.map(functools.partial(self._encode_for, query))
        return self._encode_later(query, reply)

    def ask(self, query: Query) -> Reply | Deferred[Reply] | Awaitable[Reply]:
        """Run the chain; errors become replies."""
        reply = self._run(query)
        if isinstance(reply, Deferred):
            return reply.map(functools.partial(self._checked, query))
        return reply

    def _run(self, query: Query) -> Reply | Later | Awaitable[Reply]:
        """Run the chain; errors become replies, but for those that come deferred."""
        try:
            reply = self.chain(query)
        except Exception as error:  # noqa: BLE001 (a request must get an answer)
            return self._failed(query, error)
        if isinstance(reply, Reply | Deferred):
            return reply
        if query.origin.full:
            return self._shed(reply)
        return self._ask_later(query, reply)

    async def _ask_later(self, query: Query, reply: Awaitable[Reply]) -> Reply:
        try:
            return await reply
        except Exception as error:  # noqa: BLE001 (a request must get an answer)
            return self._failed(query, error)

    def _shed(self, reply: Awaitable[Reply]) -> Reply:
        """Turn a request away whose answer nobody has room to wait for."""
        if isinstance(reply, Coroutine):
            reply.close()
        self._telemetry.shed += 1
        text = "too many requests wait for their answer, try again"
        return failure(ResponseCode.SERVER_TOO_BUSY, text)

    def _checked(self, query: Query, reply: Reply | Exception) -> Reply:
        return reply if isinstance(reply, Reply) else self._failed(query, reply)

    def _failed(self, query: Query, error: Exception) -> Reply:
        if isinstance(error, ChallengeNeededError):
            return self._challenge(query)
        if isinstance(error, RegistryError | ResolverError):
            return failure(error.code, str(error))
        self._telemetry.internal_errors += 1
        _LOG.error("operation %d met a fault", query.opcode, exc_info=error)
        return failure(ResponseCode.ERROR, _FAULT)

    def _challenge(self, query: Query) -> Reply:
        message, origin = query.message, query.origin
        digest = digest_of(message, _digest_algorithm(message.envelope))
        nonce = secrets.token_bytes(NONCE_OCTETS)
        expires = query.now + CHALLENGE_LIFE_SECONDS
        pending = Pending(message, nonce, digest.octets, expires)
        session_id = message.envelope.session_id
        if origin.connected and session_id:
            add_to_connection(origin.pending, session_id, pending)
        else:
            session_id = secrets.randbits(31) | 1
            self.challenges.add(session_id, pending)
        body = Challenge(nonce).encode()
        code = ResponseCode.AUTHENTICATION_NEEDED
        return Reply(code, body, session_id=session_id)

    async def _encode_later(self, query: Received, reply: Awaitable[Reply]) -> Octets:
        return self._encode_for(query, await reply)

    def _encode_for(self, query: Received, reply: Reply | Exception) -> Octets:
        """Put an answer on the wire, in the mould of an earlier one if there is one."""
        if not isinstance(reply, Reply):
            reply = self._failed(query, reply)
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
        answer = self._encode(query.message, reply, now)
        if is_plain and head.is_mouldable:
            head.moulds[authoritative] = Mould.of(answer[0])
        return answer

    def _encode(self, message: Message, reply: Reply, now: float) -> Octets:
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
            body = digest_of(message, _digest_algorithm(envelope)).encode() + body
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

    def _malformed(self, octets: bytes, error: MalformedError, now: float) -> Octets:
        if len(octets) < _BOTH.size:
            self._telemetry.malformed += 1
            return ()
        envelope, header = Envelope.decode(octets), Header.decode(octets[20:])
        message = Message(envelope, header, b"", b"")
        return self._no_request(message, failure(error.code, str(error)), now)

    def _no_request(self, message: Message, reply: Reply | None, now: float) -> Octets:
        """Answer what cannot be a request; responses get silence."""
        self._telemetry.malformed += 1
        if message.envelope.flags & _UNREADABLE:
            # The header is compressed or encrypted as well: what it says is chance.
            message = message._replace(header=_NO_HEADER, body=b"")
            return self._encode(message, _UNREADABLE_REPLY, now)
        if message.header.response_code:
            return ()
        if reply is None:
            return (unknown_operation(now),)
        return self._encode(message, reply, now)


def _forget(question: bytes, answer: bytes, reply: Reply) -> None:
    del question, answer, reply


def unknown_operation(now: float) -> bytes:
    """Answer an operation nobody knows exactly as CNRI's server does.

    It loses the request: request id all ones, operation 0, version 2.3 (golden
    vector "unknown opcode 999"). A client that matches by id waits in vain there,
    and so it does here.
    """
    body = Failure(_FAULT).encode()
    envelope = Envelope(2, 3, 2, NEWEST[1], 0, 0xFFFFFFFF, 0, 0)
    expiration = int(now) + DEFAULT_LIFE_SECONDS
    header = Header(0, ResponseCode.ERROR, 0x1900_0000, 0xFFFF, 0, 0, expiration, 0)
    return build_message(envelope, header, body).encode()


def _guard(message: Message) -> Reply | None:
    envelope = message.envelope
    if envelope.major not in (2, 3):
        text = f"protocol {envelope.major}.{envelope.minor}: 2.x or 3.x expected"
        return failure(ResponseCode.PROTOCOL_ERROR, text)
    if envelope.flags & _UNREADABLE:
        return _UNREADABLE_REPLY
    if message.header.recursion_count > MAX_RECURSION:
        text = f"{message.header.recursion_count} recursions, at most {MAX_RECURSION}"
        return failure(ResponseCode.RECURSION_COUNT_TOO_HIGH, text)
    return None


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


def _digest_algorithm(envelope: Envelope) -> int:
    return SHA256 if envelope.suggested_version >= (2, 7) else SHA1
