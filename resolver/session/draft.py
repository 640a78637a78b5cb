"""A request before it has an id and a time: what to ask, not when (handle notes §1.1).

Session machines and the client decide what to send and leave ids and clocks to
whoever drives them; `Draft.message` puts both in.
"""

import struct
from typing import NamedTuple

from registry.model.octets import blob
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.envelope import Envelope
from resolver.wire.header import (
    DEFAULT_LIFE_SECONDS,
    HEADER_OCTETS,
    UNKNOWN_SITE_SERIAL,
    Header,
)
from resolver.wire.message import Message, build_message

REQUEST_ID_BITS = 31
"""Ids are random and positive for peers that read them signed."""

SPOKEN_VERSION = (2, 10)
SUGGESTED_VERSION = (2, 11)
"""As the official SDK opens every message: 02 0a 02 0b (handle notes §1.1)."""

QUERY_FLAGS = int(OpFlag.PUBLIC_ONLY)
"""A plain question: public values, from the server itself."""

_HEAD = struct.Struct("!BBBBIIIIIIIHBBII")


class Draft(NamedTuple):
    """What a request says."""

    opcode: int
    body: bytes
    flags: int = QUERY_FLAGS
    session_id: int = 0
    credential: bytes | None = b""
    """Empty when unsigned; None leaves even its length out, as logins must."""

    recursion_count: int = 0

    def message(self, request_id: int, now: float) -> Message:
        """Make the message; `now` is in seconds since 1970."""
        major, minor = SPOKEN_VERSION
        envelope = Envelope(
            major, minor, *SUGGESTED_VERSION, self.session_id, request_id, 0, 0
        )
        header = Header(
            self.opcode,
            0,
            self.flags,
            UNKNOWN_SITE_SERIAL,
            self.recursion_count,
            0,
            int(now) + DEFAULT_LIFE_SECONDS,
            0,
        )
        return build_message(envelope, header, self.body, self.credential)

    def encode(self, request_id: int, now: float) -> bytes:
        """Write the message, as `message(request_id, now).encode()` does."""
        # In one stroke, for those who send many.
        opcode, body, flags, session_id, credential, recursion_count = self
        tail = b"" if credential is None else blob(credential)
        size = len(body)
        head = _HEAD.pack(
            *SPOKEN_VERSION,
            *SUGGESTED_VERSION,
            session_id,
            request_id,
            0,
            HEADER_OCTETS + size + len(tail),
            opcode,
            0,
            flags,
            UNKNOWN_SITE_SERIAL,
            recursion_count,
            0,
            int(now) + DEFAULT_LIFE_SECONDS,
            size,
        )
        return b"".join((head, body, tail))


def repeatable(message: Message) -> bool:
    """Tell whether a message may be sent again when its answer was lost."""
    return message.header.opcode in _REPEATABLE


_REPEATABLE = frozenset(
    {
        OpCode.RESOLUTION,
        OpCode.GET_SITE_INFO,
        OpCode.LIST_HANDLES,
        OpCode.LIST_DERIVED_PREFIXES,
        OpCode.LIST_HOMED_PREFIXES,
        OpCode.LOGIN_ID_SYSTEM,
    }
)


def renumbered(message: Message, request_id: int) -> Message:
    """Give the same message another id; digests do not cover it."""
    return message._replace(envelope=message.envelope._replace(request_id=request_id))
