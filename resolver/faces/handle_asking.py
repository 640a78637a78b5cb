"""One call of the Handle JSON API: how it asks the node's chain and tells the outcome.

A call becomes the message that the binary protocol would carry and passes the same
handlers, so both behave alike (handle notes §5.1).
"""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from registry.model.codes import ResponseCode
from registry.model.identity import Identity
from resolver.chain import Origin, Query, Reply
from resolver.faces.exchange import (
    CHALLENGE,
    Headers,
    HttpError,
    Parameters,
    Request,
    Response,
    failure_document,
    json_response,
    status_of,
)
from resolver.faces.handle_json import values_as_json
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.envelope import Envelope
from resolver.wire.header import DEFAULT_LIFE_SECONDS, UNKNOWN_SITE_SERIAL, Header
from resolver.wire.message import Message, build_message
from resolver.wire.request import Request as Asked
from resolver.wire.response import (
    Failure,
    Referral,
    Response as Told,
    decode_response,
)

if TYPE_CHECKING:
    from resolver.node import Node

_SESSION_ID = 1
_ENVELOPE = Envelope(2, 11, 2, 11, _SESSION_ID, 1, 0, 0)


class Call(NamedTuple):
    """A request, and what its head says."""

    request: Request
    parameters: Parameters
    subject: bytes
    """What the path names after the resource, percent-decoded."""

    identity: Identity | None

    @property
    def handle(self) -> str:
        """The subject as text."""
        return self.subject.decode(errors="replace")

    def allow(self, *methods: str) -> None:
        """Check the method.

        Raises:
            HttpError: It is another one: 405, with the list of these.
        """
        if self.request.method not in methods:
            listed = ", ".join(methods)
            raise HttpError(
                HTTPStatus.METHOD_NOT_ALLOWED,
                f"{self.request.method}: one of {listed} expected",
                code=ResponseCode.OPERATION_NOT_SUPPORTED,
                headers=((b"allow", listed.encode()),),
            )


class Outcome(NamedTuple):
    """What the chain answered."""

    code: int
    told: Told
    authoritative: bool


class Asking:
    """Asks the chain of one node."""

    def __init__(
        self,
        node: "Node",
        clock: Callable[[], float] = time.time,  # noqa: TID251 (injected, not called)
    ) -> None:
        self._node = node
        self._clock = clock

    async def ask(
        self, opcode: OpCode, asked: Asked, flags: OpFlag, call: Call
    ) -> Outcome:
        """Ask as if the message had come by the binary protocol."""
        responder, now = self._node.responder, self._clock()
        assert responder is not None
        expires = int(now) + DEFAULT_LIFE_SECONDS
        header = Header(opcode, 0, flags, UNKNOWN_SITE_SERIAL, 0, 0, expires, 0)
        message = build_message(_ENVELOPE, header, asked.encode())
        # Nobody will answer a challenge to this message. Kept with an origin of its
        # own it goes when the call does, and takes no room from those who will.
        origin = Origin("http", connected=True)
        query = Query(message, asked, origin, call.request.peer, now, call.identity)
        self.count(opcode)
        reply = responder.ask(query)
        if not isinstance(reply, Reply):
            reply = await reply
        self._node.telemetry.answers[reply.code] += 1
        return Outcome(reply.code, _read(opcode, reply), reply.authoritative)

    def count(self, opcode: OpCode) -> None:
        """Count a request."""
        self._node.telemetry.requests["http", opcode] += 1


def _read(opcode: OpCode, reply: Reply) -> Told:
    header = Header(opcode, reply.code, 0, UNKNOWN_SITE_SERIAL, 0, 0, 0, 0)
    return decode_response(Message(_ENVELOPE, header, reply.body, None)).response


def tell(
    call: Call,
    document: dict[str, Any],
    status: int = HTTPStatus.OK,
    headers: Headers = (),
) -> Response:
    """Answer a call that succeeded."""
    document = {"responseCode": int(ResponseCode.SUCCESS), **document}
    return json_response(document, status, headers, parameters=call.parameters)


def tell_failure(call: Call, outcome: Outcome) -> Response:
    """Answer a call that the chain refused or referred."""
    told = outcome.told
    message = told.message if isinstance(told, Failure) else ""
    more: dict[str, Any] = {}
    if isinstance(told, Referral):
        more["referral"] = told.handle.decode(errors="replace")
        more["values"] = values_as_json(told.values or ())
    return failure_response(outcome.code, message, call.handle, call.parameters, **more)


def failure_response(
    code: int,
    message: str,
    handle: str,
    parameters: Parameters | None = None,
    **more: Any,
) -> Response:
    """Answer with a response code and the HTTP status that fits it."""
    headers: Headers = ()
    if code == ResponseCode.AUTHENTICATION_NEEDED:
        headers = (CHALLENGE,)
        message = message or "authenticate over HTTPS, by Basic or a client certificate"
    if handle:
        more = {"handle": handle, **more}
    document = failure_document(code, message, **more)
    return json_response(document, status_of(code), headers, parameters=parameters)


def not_supported(message: str) -> HttpError:
    """Make the error of something this node does not do."""
    code = ResponseCode.OPERATION_NOT_SUPPORTED
    return HttpError(status_of(code), message, code=code)
