"""Bodies of responses (handle notes §1.4, §1.6, §1.9, §1.12, §1.14).

A response with RETURN_REQUEST_DIGEST set starts its body with the digest of the
request: one octet of algorithm and the digest, or the old form with algorithm 0,
a length and MD5.
"""

import hashlib
from typing import NamedTuple

from registry.errors import MalformedError
from registry.model.octets import Cursor, blob, pack_u16, pack_u32, text
from registry.model.value import Value, encode_values, read_values
from resolver.wire.codes import OpCode, OpFlag, ResponseCode
from resolver.wire.message import Message

_ALGORITHMS = {1: ("md5", 16), 2: ("sha1", 20), 3: ("sha256", 32)}
SHA1, SHA256 = 2, 3
_OLD_MD5 = 0


class Digest(NamedTuple):
    """Digest of a request's header and body."""

    algorithm: int
    octets: bytes

    def encode(self) -> bytes:
        """Write it as the start of a body."""
        if self.algorithm == _OLD_MD5:
            return b"\0" + blob(self.octets)
        return bytes((self.algorithm,)) + self.octets


def digest_of(request: Message, algorithm: int = SHA256) -> Digest:
    """Compute the digest that a response to `request` carries."""
    name = _ALGORITHMS[algorithm][0]
    octets = hashlib.new(name, request.digested, usedforsecurity=False).digest()
    return Digest(algorithm, octets)


def read_digest(cursor: Cursor) -> Digest:
    """Read a digest at the start of a body."""
    algorithm = cursor.u8("digest algorithm")
    if algorithm == _OLD_MD5:
        return Digest(algorithm, cursor.blob("digest"))
    if algorithm not in _ALGORITHMS:
        message = f"digest algorithm {algorithm}: 0 to 3 expected"
        raise MalformedError(message)
    return Digest(algorithm, cursor.take(_ALGORITHMS[algorithm][1], "digest"))


class Values(NamedTuple):
    """The answer to a resolution."""

    handle: bytes
    values: tuple[Value, ...]

    def encode(self) -> bytes:
        """Write the body."""
        return blob(self.handle) + encode_values(self.values)


class SiteInfo(NamedTuple):
    """The answer to GET_SITE_INFO: HS_SITE data without a length."""

    octets: bytes

    def encode(self) -> bytes:
        """Write the body."""
        return self.octets


class Named(NamedTuple):
    """A created handle, echoed or minted."""

    handle: bytes

    def encode(self) -> bytes:
        """Write the body."""
        return blob(self.handle)


class Done(NamedTuple):
    """Success with nothing to say."""

    def encode(self) -> bytes:
        """Write the body."""
        return b""


class Handles(NamedTuple):
    """A list of handles; more messages follow when CONTINUOUS is set."""

    handles: tuple[bytes, ...]

    def encode(self) -> bytes:
        """Write the body."""
        return pack_u32(len(self.handles)) + b"".join(map(blob, self.handles))


class Verified(NamedTuple):
    """Whether a proof was right."""

    right: bool

    def encode(self) -> bytes:
        """Write the body."""
        return bytes((self.right,))


class Challenge(NamedTuple):
    """Prove who you are: sign the nonce and the request's digest."""

    nonce: bytes

    def encode(self) -> bytes:
        """Write the body after the digest."""
        return blob(self.nonce)


class Referral(NamedTuple):
    """Ask somebody else: the sites or services named by the values."""

    handle: bytes
    values: tuple[Value, ...] | None

    def encode(self) -> bytes:
        """Write the body."""
        tail = b"" if self.values is None else encode_values(self.values)
        return blob(self.handle) + tail


class Failure(NamedTuple):
    """An error: a text, and since 3.0 the indexes it is about."""

    message: str
    indexes: tuple[int, ...] | None = None

    def encode(self) -> bytes:
        """Write the body."""
        if self.indexes is None:
            return text(self.message)
        items = b"".join(map(pack_u32, self.indexes))
        return text(self.message) + pack_u32(len(self.indexes)) + items


class SessionOpened(NamedTuple):
    """What a server that knows sessions would answer to opcode 400."""

    mode: int
    material: bytes

    def encode(self) -> bytes:
        """Write the body."""
        return pack_u16(self.mode) + blob(self.material)


class Unread(NamedTuple):
    """A successful body of an operation between servers, kept as it is."""

    octets: bytes

    def encode(self) -> bytes:
        """Write the body."""
        return self.octets


Response = (
    Values
    | SiteInfo
    | Named
    | Done
    | Handles
    | Verified
    | Challenge
    | Referral
    | Failure
    | SessionOpened
    | Unread
)


class ResponseBody(NamedTuple):
    """A decoded response body: the digest, when asked for, and the rest."""

    digest: Digest | None
    response: Response

    def encode(self) -> bytes:
        """Write the whole body."""
        head = b"" if self.digest is None else self.digest.encode()
        return head + self.response.encode()


def decode_response(message: Message) -> ResponseBody:
    """Read the body of a response.

    Raises:
        MalformedError: It does not follow the layout of its operation and code.
    """
    header = message.header
    cursor = Cursor(message.body)
    digest = None
    if header.flags & OpFlag.RETURN_REQUEST_DIGEST:
        digest = read_digest(cursor)
    response = _read_response(header.opcode, header.response_code, cursor)
    cursor.finish("response body")
    return ResponseBody(digest, response)


def _read_response(opcode: int, code: int, cursor: Cursor) -> Response:
    if code == ResponseCode.SUCCESS:
        return _read_success(opcode, cursor)
    if code == ResponseCode.AUTHENTICATION_NEEDED:
        return Challenge(cursor.blob("nonce"))
    if code in (ResponseCode.SERVICE_REFERRAL, ResponseCode.PREFIX_REFERRAL):
        handle = cursor.blob("referral handle")
        return Referral(handle, read_values(cursor) if cursor.remaining else None)
    return _read_failure(cursor)


def _read_failure(cursor: Cursor) -> Failure:
    if not cursor.remaining:
        return Failure("")  # peers before 2.1 send no text at all
    message = cursor.text("error text")
    if not cursor.remaining:
        return Failure(message)
    count = cursor.count(4, "error indexes")
    return Failure(message, tuple(cursor.u32("error index") for _ in range(count)))


def _read_success(opcode: int, cursor: Cursor) -> Response:  # noqa: PLR0911 (a table)
    match opcode:
        case OpCode.RESOLUTION:
            return Values(cursor.blob("handle"), read_values(cursor))
        case OpCode.GET_SITE_INFO:
            return SiteInfo(cursor.take(cursor.remaining))
        case OpCode.CREATE_HANDLE if cursor.remaining:
            return Named(cursor.blob("created handle"))
        case (
            OpCode.LIST_HANDLES
            | OpCode.LIST_DERIVED_PREFIXES
            | OpCode.LIST_HOMED_PREFIXES
        ):
            count = cursor.count(4, "handle list")
            return Handles(tuple(cursor.blob("handle") for _ in range(count)))
        case OpCode.VERIFY_CHALLENGE:
            return Verified(cursor.u8("verification result") != 0)
        case OpCode.SESSION_SETUP:
            return SessionOpened(cursor.u16("session mode"), cursor.blob("session key"))
        case _ if cursor.remaining:
            return Unread(cursor.take(cursor.remaining))
        case _:
            return Done()
