"""The messages that make up one answer over TCP: one, or several (handle notes §1.9).

All parts of a long list but the last have CONTINUOUS set. They carry the same
request id, so answers to other requests may come between them.
"""

from registry.errors import MalformedError
from resolver.errors import BadAnswerError, UnreachableError
from resolver.wire.codes import OpFlag
from resolver.wire.message import Message, decode_message

MAX_ANSWER_OCTETS = 67_108_864
"""All parts of one answer together."""

LOST_ID = 0xFFFF_FFFF
"""Request id with which CNRI's server answers what it does not know (notes §1.6)."""

_CONTINUOUS = int(OpFlag.CONTINUOUS)


class LostError(UnreachableError):
    """A connection ended before the answer came."""


class Parts:
    """Collects the answer to one request."""

    __slots__ = ("_messages", "_octets", "_who")

    def __init__(self, who: object) -> None:
        self._who = who
        self._messages: list[Message] = []
        self._octets = 0

    def add(self, octets: bytes) -> tuple[Message, ...] | None:
        """Take a whole message; give all of them once the last is there.

        Raises:
            BadAnswerError: It breaks its layout, or there are too many.
        """
        try:
            message = decode_message(octets)
        except MalformedError as error:
            raise BadAnswerError(f"{self._who} over TCP: {error}") from None
        if message.header.response_code == 0:
            raise BadAnswerError(f"{self._who} over TCP: a request came back")
        self._messages.append(message)
        self._octets += len(octets)
        if self._octets > MAX_ANSWER_OCTETS:
            text = f"an answer of more than {MAX_ANSWER_OCTETS} octets"
            raise BadAnswerError(f"{self._who} over TCP: {text}")
        if message.header.flags & _CONTINUOUS:
            return None
        return tuple(self._messages)


def request_id_of(octets: bytes) -> int:
    """Read the request id of a whole message or a datagram; 0 when it is too short."""
    return int.from_bytes(octets[8:12], "big")
