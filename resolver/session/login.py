"""The client's side of proving who it is (handle notes §1.12, §2.4).

    2001 user ─▶ 402 nonce, digest ─▶ 200 proof ─▶ success: the connection has an
                                                   identity until it closes
    any request ─▶ 402 nonce, digest ─▶ 200 proof ─▶ the answer to that request

What is signed is the server's nonce and the digest of our own request. A server that
could make us sign another digest could use our proof for a request of its choice at
another node, so the digest is computed here and compared.
"""

import hmac
from collections.abc import Generator
from typing import NamedTuple

from resolver.errors import BadAnswerError
from resolver.session.draft import Draft
from resolver.session.reading import error_of, read_body, successful
from resolver.session.signature import Credential, answer
from resolver.wire.codes import OpCode, OpFlag, ResponseCode
from resolver.wire.message import Message
from resolver.wire.request import Answer, Login
from resolver.wire.response import Challenge, Digest, digest_of

LOGIN_FLAGS = int(OpFlag.RECURSIVE | OpFlag.RETURN_REQUEST_DIGEST)
"""Flags of both login steps, as the official SDK sends them: 0x10800000."""

MAX_NONCE_OCTETS = 1024

_MD5 = 1
_UNKNOWN_OPERATION = frozenset(
    {
        ResponseCode.ERROR,
        ResponseCode.PROTOCOL_ERROR,
        ResponseCode.OPERATION_NOT_SUPPORTED,
    }
)


class Spoken(NamedTuple):
    """A request as it was sent, and the answer to it."""

    request: Message
    response: Message


LoginSteps = Generator[Draft, Spoken, bool]
"""Yields what to send on the connection; returns whether it has an identity now."""


def log_in(credential: Credential, session_id: int, salt: bytes) -> LoginSteps:
    """Log in on one connection.

    Returns False when the server does not know the operation, as CNRI's does not:
    then each request is challenged by itself.

    Raises:
        AccessError: The server does not believe us.
        BadAnswerError: The server breaks the protocol.
    """
    spoken = yield login_draft(credential, session_id)
    code = spoken.response.header.response_code
    if code in _UNKNOWN_OPERATION:
        return False
    if code == ResponseCode.SUCCESS:
        raise BadAnswerError("login: a challenge expected, success without one came")
    if code != ResponseCode.AUTHENTICATION_NEEDED:
        raise error_of(spoken.response, credential.handle)
    proved = yield answer_challenge(credential, spoken, salt)
    successful(proved.response, credential.handle)
    return True


def login_draft(credential: Credential, session_id: int) -> Draft:
    """Make the request that opens a login; it has no credential, not even a length."""
    body = Login(credential.handle.encode(), credential.index).encode()
    return Draft(OpCode.LOGIN_ID_SYSTEM, body, LOGIN_FLAGS, session_id, None)


def answer_challenge(credential: Credential, spoken: Spoken, salt: bytes) -> Draft:
    """Make the answer to a 402; `salt` is 16 octets nobody used before.

    Raises:
        BadAnswerError: The challenge is not about our request, or no challenge.
    """
    nonce, digest = _read_challenge(spoken)
    kind, proof = answer(credential, nonce, digest, salt=salt)
    body = Answer(kind, credential.handle.encode(), credential.index, proof)
    session_id = spoken.response.envelope.session_id
    return Draft(OpCode.CHALLENGE_RESPONSE, body.encode(), LOGIN_FLAGS, session_id)


def is_challenge(response: Message) -> bool:
    """Tell whether a response asks who we are."""
    return response.header.response_code == ResponseCode.AUTHENTICATION_NEEDED


def _read_challenge(spoken: Spoken) -> tuple[bytes, bytes]:
    body = read_body(spoken.response)
    if body.digest is None or not isinstance(body.response, Challenge):
        raise BadAnswerError("challenge: digest and nonce expected, one is missing")
    _check_digest(spoken.request, body.digest)
    nonce = body.response.nonce
    if not 0 < len(nonce) <= MAX_NONCE_OCTETS:
        message = f"challenge: nonce of {len(nonce)} octets, 1 to {MAX_NONCE_OCTETS}"
        raise BadAnswerError(message)
    return nonce, body.digest.octets


def _check_digest(request: Message, digest: Digest) -> None:
    expected = digest_of(request, digest.algorithm or _MD5)
    if not hmac.compare_digest(expected.octets, digest.octets):
        raise BadAnswerError("challenge: its digest is not that of our request")
