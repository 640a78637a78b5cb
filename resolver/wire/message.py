"""A whole message: envelope, header, body, credential (handle notes §1.1-1.3).

The credential is a blob after the body. LOGIN_ID_SYSTEM requests of the
official SDK end with the body; both forms are read for every operation, and
`credential is None` keeps the difference so that encoding gives the same octets.
"""

import struct
from typing import NamedTuple

from registry.errors import MalformedError
from resolver.wire.envelope import ENVELOPE_OCTETS, MAX_MESSAGE_OCTETS, Envelope
from resolver.wire.header import HEADER_OCTETS, Header

_BOTH = struct.Struct("!BBBBIIIIIIIHBBII")
_U32 = struct.Struct("!I")
_BODY_START = ENVELOPE_OCTETS + HEADER_OCTETS
_EMPTY_CREDENTIAL = bytes(4)
_new = tuple.__new__


class Message(NamedTuple):
    """A request or a response with its body still in octets."""

    envelope: Envelope
    header: Header
    body: bytes
    credential: bytes | None
    """Without its length; empty when unsigned, None when left out altogether."""

    @property
    def digested(self) -> bytes:
        """What a request digest covers: header and body."""
        return self.header.encode() + self.body

    def encode(self) -> bytes:
        """Write it with its envelope; lengths are taken from the fields."""
        tail = b""
        if self.credential is not None:
            tail = _U32.pack(len(self.credential)) + self.credential
        return b"".join((self.envelope.encode(), self.header.encode(), self.body, tail))


def decode_message(octets: bytes) -> Message:
    """Read one whole message, envelope included.

    Raises:
        MalformedError: A length does not fit, or octets are left over.
    """
    if len(octets) < _BODY_START:
        message = f"message: at least {_BODY_START} octets expected, got {len(octets)}"
        raise MalformedError(message)
    fields = _BOTH.unpack_from(octets)
    _check_length(fields[7], len(octets))
    size = fields[15]
    stop = _BODY_START + size
    body = octets[_BODY_START:stop]
    if len(body) != size:
        raise _short("body", size, len(body))
    unsigned = octets[stop:] == _EMPTY_CREDENTIAL
    credential = b"" if unsigned else _credential(octets, stop)
    # Every message passes here, and calling the classes takes twice as long.
    envelope = _new(Envelope, fields[:8])
    header = _new(Header, fields[8:])
    return _new(Message, (envelope, header, body, credential))


def build_message(
    envelope: Envelope, header: Header, body: bytes, credential: bytes | None = b""
) -> Message:
    """Make a message whose length fields fit its body and credential."""
    tail = 0 if credential is None else 4 + len(credential)
    length = HEADER_OCTETS + len(body) + tail
    return Message(
        envelope._replace(length=length),
        header._replace(body_length=len(body)),
        body,
        credential,
    )


def _check_length(declared: int, received: int) -> None:
    if declared > MAX_MESSAGE_OCTETS:
        message = (
            f"message of {declared} octets declared, at most {MAX_MESSAGE_OCTETS} taken"
        )
        raise MalformedError(message)
    if declared + ENVELOPE_OCTETS != received:
        raise _short("message", declared, received - ENVELOPE_OCTETS)


def _credential(octets: bytes, start: int) -> bytes | None:
    left = len(octets) - start
    if left == 0:
        return None
    if left < _U32.size:
        raise _short("credential length", _U32.size, left)
    size: int = _U32.unpack_from(octets, start)[0]
    if size != left - 4:
        raise _short("credential", size, left - 4)
    return octets[start + 4 :]


def _short(what: str, expected: int, got: int) -> MalformedError:
    return MalformedError(f"{what}: {expected} octets expected, {got} there")
