"""Proofs of identity: challenge answers, logins, tokens, verification for others.

A right answer to a challenge (200) runs the original request again as that client and
gives its outcome, with the original operation code. A login (2001) is a request whose
outcome is that the connection belongs to the client from then on (handle notes §1.12,
§2.4). A resolution may carry an identity token instead (§2.2). A user's key is read
here when the user lives here, else resolved through the tree; a user's secret never
leaves its node, which is asked to verify (201).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from registry.errors import (
    AuthenticationError,
    ChallengeNeededError,
    CredentialError,
    MalformedError,
    RegistryError,
)
from registry.model.codes import ResponseCode
from registry.model.identifier import canonical, home_of
from registry.model.identity import Identity
from registry.model.value import Value
from resolver.chain import SUCCESS, Answer, Query, Reply, failure
from resolver.session.challenge import Challenges, Pending, take_from_connection
from resolver.session.signature import SECRET_KEY_TYPE, verify_answer
from resolver.session.token import read_token, verify_token
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.request import (
    Answer as ChallengeAnswer,
    Login,
    Resolution,
    Verify,
    decode_request,
)
from resolver.wire.response import Verified

if TYPE_CHECKING:
    from registry.store.interface import Store

_LATE = failure(
    ResponseCode.AUTHEN_TIMEOUT, "no challenge waits for this answer: it is too late"
)
_NO_CONNECTION = failure(
    ResponseCode.OPERATION_NOT_SUPPORTED,
    "a login belongs to a TCP connection: connect by TCP",
)


class Elsewhere(Protocol):
    """Asks other nodes about users that do not live here."""

    async def values(self, name: bytes) -> tuple[Value, ...]:
        """Resolve the public values of a name through the tree."""

    async def verify(self, question: Verify) -> bool:
        """Ask the user's node whether a proof by secret is right."""


class Authentication:
    """Finds out who asks."""

    operations = frozenset(
        {
            OpCode.CHALLENGE_RESPONSE,
            OpCode.LOGIN_ID_SYSTEM,
            OpCode.VERIFY_CHALLENGE,
            OpCode.RESOLUTION,
        }
    )

    def __init__(
        self, store: "Store", challenges: Challenges, elsewhere: Elsewhere
    ) -> None:
        self._store = store
        self._challenges = challenges
        self._elsewhere = elsewhere
        self.again: Callable[[Query], Reply | Awaitable[Reply]] | None = None
        """Runs a request through the chain again, as whoever has proved it."""

    def __call__(self, query: Query) -> Answer:
        """Take what proves identity; leave the rest alone."""
        match query.opcode:
            case OpCode.CHALLENGE_RESPONSE:
                return self._answered(query)
            case OpCode.LOGIN_ID_SYSTEM:
                return self._login(query)
            case OpCode.VERIFY_CHALLENGE:
                return self._verify(query)
            case OpCode.RESOLUTION:
                return self._with_token(query)
            case _:
                return None

    def _login(self, query: Query) -> Reply:
        if not query.origin.connected:
            return _NO_CONNECTION
        message = "prove who you are"
        raise ChallengeNeededError(message)

    def _answered(self, query: Query) -> Reply | Awaitable[Reply]:
        pending = self._take(query)
        return _LATE if pending is None else self._prove(query, pending)

    async def _prove(self, query: Query, pending: Pending) -> Reply:
        answer = query.request
        assert isinstance(answer, ChallengeAnswer)
        try:
            identity = await self._identify(answer, pending)
        except RegistryError as error:
            # Like every outcome: the answer to the request that was challenged.
            opcode = pending.request.header.opcode
            return failure(error.code, str(error))._replace(opcode=opcode)
        if pending.request.header.opcode == OpCode.LOGIN_ID_SYSTEM:
            return _logged_in(query, pending, identity)
        return await self._run_again(query, pending, identity)

    def _take(self, query: Query) -> Pending | None:
        session_id = query.message.envelope.session_id
        kept = query.origin.pending
        if session_id in kept:
            return take_from_connection(kept, session_id, query.now)
        return self._challenges.take(session_id, query.now)

    async def _identify(self, answer: ChallengeAnswer, pending: Pending) -> Identity:
        """Check an answer against the user's key.

        Raises:
            AuthenticationError: The proof is wrong.
            CredentialError: The user has no usable key there.
            GroupError: The user's record cannot be had.
        """
        identity = Identity(canonical(answer.user), answer.user_index)
        secret_elsewhere = answer.auth_type == SECRET_KEY_TYPE and not self._is_here(
            identity.handle
        )
        if secret_elsewhere:
            await self._verify_elsewhere(answer, pending)
            return identity
        value = await self._key(identity)
        # In a thread: PBKDF2 and SM2 take milliseconds.
        await asyncio.to_thread(
            verify_answer,
            answer.auth_type,
            value.type,
            value.data,
            answer.user.decode(errors="replace"),
            pending.nonce,
            pending.digest,
            answer.proof,
        )
        return identity

    async def _verify_elsewhere(
        self, answer: ChallengeAnswer, pending: Pending
    ) -> None:
        question = Verify(
            answer.user, answer.user_index, pending.nonce, pending.digest, answer.proof
        )
        if not await self._elsewhere.verify(question):
            message = "the user's node says that the proof is wrong"
            raise AuthenticationError(message)

    def _is_here(self, name: bytes) -> bool:
        with self._store.snapshot() as snapshot:
            return snapshot.home(home_of(name)) is not None

    async def _key(self, identity: Identity) -> Value:
        values: tuple[Value, ...] = ()
        if self._is_here(identity.handle):
            record = self._store.get(identity.handle)
            values = record.values if record else ()
        else:
            values = await self._elsewhere.values(identity.handle)
        for value in values:
            if value.index == identity.index:
                return value
        message = f"{identity} has no key"
        raise CredentialError(message)

    async def _run_again(
        self, query: Query, pending: Pending, identity: Identity
    ) -> Reply:
        original = _as_client(query, pending, identity)
        reply = await self._again(original)
        return reply._replace(opcode=original.opcode)

    async def _again(self, query: Query) -> Reply:
        assert self.again is not None
        reply = self.again(query)
        return reply if isinstance(reply, Reply) else await reply

    async def _verify(self, query: Query) -> Reply:
        question = query.request
        assert isinstance(question, Verify)
        identity = Identity(canonical(question.user), question.user_index)
        if not self._is_here(identity.handle):
            return failure(ResponseCode.SERVER_NOT_RESP, "That user doesn't live here")
        value = await self._key(identity)
        try:
            await asyncio.to_thread(
                verify_answer,
                SECRET_KEY_TYPE,
                value.type,
                value.data,
                question.user.decode(errors="replace"),
                question.nonce,
                question.digest,
                question.proof,
            )
        except AuthenticationError:
            return SUCCESS._replace(body=Verified(right=False).encode())
        return SUCCESS._replace(body=Verified(right=True).encode())

    def _with_token(self, query: Query) -> Awaitable[Reply] | None:
        request = query.request
        assert isinstance(request, Resolution)
        wanted = query.flag(OpFlag.RECURSION_AUTHENTICATED)
        if not wanted or not request.token or query.identity is not None:
            return None
        return self._answer_with_token(query, request.token)

    async def _answer_with_token(self, query: Query, octets: bytes) -> Reply:
        try:
            token = read_token(octets)
        except MalformedError as error:
            raise CredentialError(str(error)) from None
        identity = Identity(canonical(token.user_handle.encode()), token.user_index)
        value = await self._key(identity)
        # A token is good for several questions until it is too old: the official SDK
        # makes one and reuses it, and the recursive node passes it on unchanged.
        verify_token(token, value.data, query.now)
        query.identity = identity
        return await self._again(query)


def _logged_in(query: Query, pending: Pending, identity: Identity) -> Reply:
    """Give the connection to the client that the login named.

    Raises:
        AuthenticationError: Another client answered the challenge.
    """
    if not query.origin.connected:
        # All who ask over UDP have one origin: it must never get an identity.
        return _NO_CONNECTION
    login = decode_request(OpCode.LOGIN_ID_SYSTEM, pending.request.body)
    assert isinstance(login, Login)
    if (canonical(login.user), login.user_index) != identity:
        message = f"the login named another user than {identity}, who answered"
        raise AuthenticationError(message)
    query.origin.identity = identity
    return SUCCESS._replace(opcode=OpCode.LOGIN_ID_SYSTEM)


def _as_client(query: Query, pending: Pending, identity: Identity) -> Query:
    message = pending.request
    request = decode_request(message.header.opcode, message.body)
    return Query(message, request, query.origin, query.peer, query.now, identity)
