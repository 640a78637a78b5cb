"""From octets to octets: what every face does with a message it received.

    decode ─▶ guard ─▶ chain ─▶ encode

An answer that needs no waiting comes back at once, any other as an awaitable, so
that a face can send the quick ones without a task each. Errors become answers here;
messages that are no requests, and octets that are no messages, get silence.
"""

import functools
import logging
import secrets
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
from resolver.encoder import (
    FAULT,
    MAX_BODY_OCTETS,
    Encoder,
    Octets,
    Signer,
    digest_algorithm,
    unknown_operation,
)
from resolver.errors import ResolverError
from resolver.session.challenge import (
    CHALLENGE_LIFE_SECONDS,
    NONCE_OCTETS,
    Challenges,
    Pending,
    add_to_connection,
)
from resolver.telemetry import Telemetry
from resolver.wire.codes import MessageFlag
from resolver.wire.envelope import Envelope
from resolver.wire.head import BODY_START, Head, Shared, shared_octets, split
from resolver.wire.header import UNKNOWN_SITE_SERIAL, Header
from resolver.wire.message import Message, decode_message
from resolver.wire.request import KNOWN_OPERATIONS, decode_request
from resolver.wire.response import Challenge, digest_of

Learner = Callable[[bytes, bytes, Reply], object]
"""Takes a question, its answer, both encoded, and the reply the answer was made from."""

MAX_RECURSION = 16
MAX_HEADS = 1024
"""Heads of requests that are remembered; one for each second and kind of client."""

_LOG = logging.getLogger("resolver")
_UNREADABLE = int(MessageFlag.COMPRESSED | MessageFlag.ENCRYPTED)
_UNREADABLE_REPLY = failure(
    ResponseCode.OPERATION_NOT_SUPPORTED,
    "compressed or encrypted messages are not supported",
)
_NO_HEADER = Header(0, 0, 0, UNKNOWN_SITE_SERIAL, 0, 0, 0, 0)


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

        self._heads: dict[Shared, Head] = {}
        self._telemetry = telemetry
        self._encoder = Encoder(telemetry, site_serial, sign)

    def respond(
        self, octets: bytes, origin: Origin, peer: Hashable, now: float
    ) -> Octets | Deferred[Octets] | Awaitable[Octets]:
        """Answer one whole message; no octets at all mean silence."""
        parts = split(octets)
        if parts is not None:
            shared, stop = parts
            head = self._heads.get(shared)
            if head is not None:
                body = octets[BODY_START:stop]
                return self._take(octets, head, body, origin, peer, now)
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
            return self._encoder.encode(message, refusal, now)
        head = self._remember(octets, header)
        return self._take(octets, head, message.body, origin, peer, now)

    def _remember(self, octets: bytes, header: Header) -> Head:
        """Keep what is known of a request for all that share its head."""
        if len(self._heads) >= MAX_HEADS:
            self._heads.clear()
        head = Head(header.opcode, header.flags, header.expiration)
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
            return self._encoder.encode(decode_message(octets), refusal, now)
        query = Received(octets, head, request, origin, peer, now)
        reply = self._run(query)
        if isinstance(reply, Reply):
            answer = self._encoder.encode_for(query, reply)
            if (
                reply.expires > now
                and origin.identity is None
                and len(reply.body) <= MAX_BODY_OCTETS
            ):
                self.learn(octets, answer[0], reply)
            return answer
        if isinstance(reply, Deferred):
            return reply.map(functools.partial(self._told, query))
        return self._told_later(query, reply)

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
        if isinstance(reply, Reply):
            return reply
        if isinstance(reply, Deferred):
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
        return failure(ResponseCode.ERROR, FAULT)

    def _challenge(self, query: Query) -> Reply:
        message, origin = query.message, query.origin
        digest = digest_of(message, digest_algorithm(message.envelope))
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

    async def _told_later(self, query: Received, reply: Awaitable[Reply]) -> Octets:
        return self._encoder.encode_for(query, await reply)

    def _told(self, query: Received, reply: Reply | Exception) -> Octets:
        if not isinstance(reply, Reply):
            reply = self._failed(query, reply)
        return self._encoder.encode_for(query, reply)

    def _malformed(self, octets: bytes, error: MalformedError, now: float) -> Octets:
        if len(octets) < BODY_START:
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
            return self._encoder.encode(message, _UNREADABLE_REPLY, now)
        if message.header.response_code:
            return ()
        if reply is None:
            return (unknown_operation(now),)
        return self._encoder.encode(message, reply, now)


def _forget(question: bytes, answer: bytes, reply: Reply) -> None:
    del question, answer, reply


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
