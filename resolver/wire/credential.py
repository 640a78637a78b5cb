"""The credential of a certified message (handle notes §1.11).

    OFFSET  SIZE  FIELD
         0     1  version, 0
         1     1  reserved
         2     2  flags
         4   4+n  handle of the signer, empty for "this server"
         .     4  index of the signer's key, or the session counter
         .   4+n  type: HS_SIGNED, HS_MAC or the old HS_DSAPUBKEY
         .     4  length of the rest
         .   4+n  hash algorithm
         .   4+n  signature

A credential may be empty: the message is unsigned.
"""

import struct
from typing import NamedTuple

from registry.model.octets import Cursor, blob, pack_u16, pack_u32, text
from resolver.wire.message import Message

HS_SIGNED = "HS_SIGNED"

_SIGNED_ENVELOPE = struct.Struct("!BBBBIII")


class MessageCredential(NamedTuple):
    """Who signed a message, and how."""

    signer: bytes
    signer_index: int
    type: str
    hash_algorithm: str
    signature: bytes
    version: int = 0
    reserved: int = 0
    flags: int = 0

    def encode(self) -> bytes:
        """Write it, without the length that precedes it in the message."""
        section = text(self.hash_algorithm) + blob(self.signature)
        return b"".join(
            (
                bytes((self.version, self.reserved)),
                pack_u16(self.flags),
                blob(self.signer),
                pack_u32(self.signer_index),
                text(self.type),
                blob(section),
            )
        )


def decode_credential(octets: bytes) -> MessageCredential | None:
    """Read a credential; None when it is empty.

    Raises:
        MalformedError: It does not fit.
    """
    if not octets:
        return None
    cursor = Cursor(octets)
    version, reserved = cursor.u8("credential version"), cursor.u8("reserved octet")
    flags = cursor.u16("credential flags")
    signer = cursor.blob("signer handle")
    index = cursor.u32("signer index")
    kind = cursor.text("credential type")
    section = Cursor(cursor.blob("signed section"))
    cursor.finish("credential")
    algorithm, signature = section.text("hash algorithm"), section.blob("signature")
    section.finish("signed section")
    return MessageCredential(
        signer, index, kind, algorithm, signature, version, reserved, flags
    )


def signed_octets(message: Message, counter: int = 0) -> bytes:
    """Give what a signature covers, by the version the message speaks.

    From 2.8 on: both versions, session id, request id, counter, header, body;
    before, header and body (the variants of 2.5 to 2.7 are not produced here).
    """
    envelope = message.envelope
    if envelope.version < (2, 8):
        return message.digested
    suggested_major, suggested_minor = envelope.suggested_version
    prefix = _SIGNED_ENVELOPE.pack(
        envelope.major,
        envelope.minor,
        suggested_major,
        suggested_minor,
        envelope.session_id,
        envelope.request_id,
        counter,
    )
    return prefix + message.digested
